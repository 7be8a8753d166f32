//! `history.db` against what git itself says.

use crate::repository::{Random, columns};
use proptest::prelude::*;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use trackfs::{
    daemon::past::History,
    domain::{
        Value,
        past::{Meaning, Version},
        path::WsPath,
    },
};

fn database(random: &Random) -> Connection {
    Connection::open(random.state().join("history.db")).unwrap()
}

fn rows(database: &Connection, query: &str) -> BTreeSet<Vec<String>> {
    let mut statement = database.prepare(query).unwrap();
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row| {
        (0..columns)
            .map(|column| row.get::<_, rusqlite::types::Value>(column).map(|value| format!("{value:?}")))
            .collect()
    };
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

fn text(value: &str) -> String {
    format!("Text({value:?})")
}

fn caught_up(random: &Random) -> History {
    let history = random.history();
    history.catch_up(|_| true).unwrap();
    history
}

/// Every commit that HEAD has, with its parents and root tree, and none other is within reach.
fn commits_are_those_of_git(random: &Random, database: &Connection) {
    let git = random.git("log --format='%H%x09%T%x09%P%x09%at' HEAD");
    let expected: BTreeSet<_> = columns(&git)
        .into_iter()
        .map(|row| vec![text(row[0]), text(row[1]), text(row[2]), format!("Integer({})", row[3])])
        .collect();
    let query = "SELECT hash, tree, coalesce((SELECT group_concat(parent, ' ' ORDER BY position) FROM parents WHERE parents.n = commits.n), ''), at
                 FROM commits WHERE reachable";
    assert_eq!(rows(database, query), expected);
}

/// Files and folders of HEAD.
fn latest_is_head(random: &Random, database: &Connection) {
    let entries = random.git("ls-tree -r -t --full-tree --format='%(objecttype)%x09%(path)%x09%(objectname)' HEAD");
    let of = |kind: &str| -> BTreeSet<_> {
        columns(&entries).into_iter().filter(|row| row[0] == kind).map(|row| vec![text(row[1]), text(row[2])]).collect()
    };
    assert_eq!(rows(database, "SELECT path, hash FROM files_latest"), of("blob"));
    let root = random.git("rev-parse 'HEAD^{tree}'");
    let mut folders = of("tree");
    folders.insert(vec![text(""), text(root.trim())]);
    assert_eq!(rows(database, "SELECT path, hash FROM directories_latest"), folders);
}

/// What each commit changed is what `git diff-tree` says, for a merge what it has unlike all parents.
fn changes_are_those_of_git(random: &Random, database: &Connection) {
    for commit in random.git("rev-list HEAD").lines() {
        let told = random.git(&format!("diff-tree -r -c --root --no-renames --no-commit-id --name-only {commit}"));
        let expected: BTreeSet<_> = told.lines().map(|path| vec![text(path)]).collect();
        let query = format!("SELECT path FROM changes JOIN commits USING (n) WHERE commits.hash = '{commit}'");
        assert_eq!(rows(database, &query), expected, "{commit}");
    }
    for row in rows(database, "SELECT hash FROM blobs UNION SELECT hash FROM trees") {
        let hash = row[0].trim_start_matches("Text(\"").trim_end_matches("\")");
        random.git(&format!("cat-file -e {hash}"));
    }
}

/// Where history is a line, a file's versions are its history: each begins with what the one before left, and the fields
/// that they set, one after the other, are those that the file has.
fn versions_make_the_file(history: &History, random: &Random) {
    for path in random.git("ls-tree -r --name-only HEAD").lines() {
        let versions = history.versions(&WsPath::new(path).unwrap()).unwrap();
        assert!(versions.iter().enumerate().all(|(index, version)| version.number == index + 1));
        let blob = random.git(&format!("rev-parse HEAD:{path}"));
        assert_eq!(history.latest(&WsPath::new(path).unwrap()).unwrap().as_deref(), Some(blob.trim()), "{path}");
        if random.git("rev-list --merges --count HEAD").trim() == "0" {
            let last = versions.last().unwrap_or_else(|| panic!("{path} has no version"));
            assert_eq!(last.blob.as_deref(), Some(blob.trim()), "{path}");
            goes_on(path, &versions);
            let now = versions
                .iter()
                .rev()
                .find_map(|version| Meaning::of(&history.repo.blob(version.blob.as_deref()?).unwrap()));
            let fields = now.map(|now| now.fields().clone()).unwrap_or_default();
            assert_eq!(folded(&versions), fields.into_iter().collect(), "{path}");
        }
    }
}

fn goes_on(path: &str, versions: &[Version]) {
    for pair in versions.windows(2) {
        assert_eq!(pair[0].blob, pair[1].before, "{path}: {pair:#?}");
        assert!(pair[1].moved_from.as_ref().is_none_or(|from| *from == pair[0].path), "{path}");
    }
}

fn folded(versions: &[Version]) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    for version in versions {
        if version.blob.is_none() || version.is_first() {
            fields.clear();
        }
        for change in &version.changes {
            let Some(field) = change.field.clone() else { continue };
            assert_eq!(fields.remove(&field).unwrap_or_default(), change.from, "{version:#?}");
            if !change.to.is_null() {
                fields.insert(field, change.to.clone());
            }
        }
    }
    fields
}

fn all_hold(random: &Random) {
    let history = caught_up(random);
    let database = database(random);
    commits_are_those_of_git(random, &database);
    latest_is_head(random, &database);
    changes_are_those_of_git(random, &database);
    versions_make_the_file(&history, random);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn the_tables_say_what_git_says(seed in any::<u64>()) {
        let mut random = Random::new(seed);
        // In parts, as a daemon meets it.
        for _ in 0..3 {
            random.grow(8);
            all_hold(&random);
        }
        // To another branch and back: what is within reach is HEAD's.
        for branch in random.git("branch --format='%(refname:short)'").lines() {
            random.git(&format!("checkout -q {branch}"));
            all_hold(&random);
        }
        random.git("reset -q --hard HEAD~2");
        all_hold(&random);
    }
}

const TABLES: [&str; 6] = [
    "SELECT * FROM commits",
    "SELECT * FROM parents",
    "SELECT * FROM changes",
    "SELECT * FROM field_changes",
    "SELECT * FROM files_latest",
    "SELECT * FROM directories_latest",
];

#[test]
fn taking_over_goes_on_where_it_was_interrupted() {
    let mut random = Random::new(7);
    random.grow(300);
    let history = random.history();
    let mut batches = 0;
    // Each time after the first batch, as when a daemon ends.
    while !history.is_in_step().unwrap() {
        history.catch_up(|_| false).unwrap();
        history.catch_up(|progress| progress.done < progress.of).unwrap();
        batches += 1;
        assert!(batches < 10, "it never comes to its end");
    }
    let interrupted = TABLES.map(|query| rows(&database(&random), query));
    drop(history);
    std::fs::remove_dir_all(random.state()).unwrap();
    caught_up(&random);
    for (query, interrupted) in TABLES.iter().zip(interrupted) {
        let whole = rows(&database(&random), query);
        let differ: Vec<_> = whole.symmetric_difference(&interrupted).collect();
        assert!(differ.is_empty(), "{query}: {differ:#?}");
    }
}

#[test]
fn two_processes_take_over_the_same_history_once() {
    let mut random = Random::new(11);
    random.grow(60);
    let (one, other) = (random.history(), random.history());
    std::thread::scope(|scope| {
        for history in [&one, &other] {
            scope.spawn(|| history.catch_up(|_| true).unwrap());
        }
    });
    assert!(one.is_in_step().unwrap());
    let expected = random.git("rev-list --count HEAD");
    let count = rows(&database(&random), "SELECT count(*), count(DISTINCT hash) FROM commits");
    let number = format!("Integer({})", expected.trim());
    assert_eq!(count, BTreeSet::from([vec![number.clone(), number]]));
}

#[test]
fn a_damaged_database_is_made_anew() {
    let mut random = Random::new(3);
    random.grow(10);
    caught_up(&random);
    std::fs::write(random.state().join("history.db"), "no database at all, and longer than a header of one would be")
        .unwrap();
    all_hold(&random);
}

#[test]
fn a_broken_save_clears_no_field_and_its_mending_tells_what_changed() {
    let random = Random::new(1);
    let save = |text: &str| {
        std::fs::write(random.dir().join("tickets/t.md"), text).unwrap();
        random.git("add -A && git commit -qm save");
        // One by one: what is known of the broken one comes from the table.
        caught_up(&random);
    };
    save("---\nstatus: todo\n---\n");
    save("---\nstatus: [\n---\n");
    save("---\nstatus: done\n---\n");
    let versions = caught_up(&random).versions(&WsPath::new("tickets/t.md").unwrap()).unwrap();
    let told: Vec<_> = versions
        .iter()
        .map(|version| version.changes.iter().map(|change| change.to.to_string()).collect::<Vec<_>>())
        .collect();
    assert_eq!(told, [vec!["\"todo\"".to_owned()], vec![], vec!["\"done\"".to_owned()]]);
    assert_eq!(versions[2].changes[0].from, "todo");
}
