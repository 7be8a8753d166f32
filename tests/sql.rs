//! SQL: answers against a fold over the files, what a statement may not do, and what one that writes does to the files.

mod support;

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};
use support::{Workspace, manual};

fn rows(workspace: &Workspace, statement: &str) -> Vec<Value> {
    let told = workspace.ok(&["sql", "--json", statement]);
    told.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The one value of the one row.
fn value(workspace: &Workspace, statement: &str) -> Value {
    let rows = rows(workspace, statement);
    assert_eq!(rows.len(), 1, "{statement}: {rows:?}");
    rows[0].as_object().unwrap().values().next().unwrap().clone()
}

/// What a refused statement says.
#[track_caller]
fn refused(workspace: &Workspace, arguments: &[&str]) -> String {
    let output = workspace.trackfs(&[&["sql"], arguments].concat());
    assert!(!output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

// --- reading --------------------------------------------------------------------------------------------------------

#[derive(Clone, Debug, Default)]
struct Ticket {
    status: &'static str,
    estimate: Option<i64>,
    labels: BTreeSet<&'static str>,
    body: &'static str,
}

const STATUSES: [&str; 3] = ["todo", "in-progress", "done"];
const LABELS: [&str; 3] = ["bug", "ui", "it's"];
const BODIES: [&str; 3] = ["One.\n", "Two, see [[t1]].\n", ""];

fn write(workspace: &Workspace, name: &str, ticket: &Ticket) {
    let labels: Vec<_> = ticket.labels.iter().map(|label| format!("\"{label}\"")).collect();
    let estimate = ticket.estimate.map_or_else(String::new, |estimate| format!("estimate: {estimate}\n"));
    let labels = if labels.is_empty() { String::new() } else { format!("labels: [{}]\n", labels.join(", ")) };
    let text = format!("---\ntitle: {name}\nstatus: {}\n{estimate}{labels}---\n{}", ticket.status, ticket.body);
    workspace.write(&format!("tickets/{name}.md"), &text);
}

fn random(rng: &mut StdRng) -> Ticket {
    Ticket {
        status: STATUSES.choose(rng).unwrap(),
        estimate: rng.random_bool(0.7).then(|| rng.random_range(0..5)),
        labels: LABELS.into_iter().filter(|_| rng.random_bool(0.4)).collect(),
        body: BODIES.choose(rng).unwrap(),
    }
}

fn compare(workspace: &Workspace, tickets: &BTreeMap<String, Ticket>) {
    let labels = |ticket: &Ticket| match ticket.labels.is_empty() {
        true => Value::Null,
        false => serde_json::to_string(&ticket.labels).unwrap().into(),
    };
    let all: Vec<_> = tickets
        .iter()
        .map(|(name, ticket)| {
            let Ticket { status, estimate, body, .. } = ticket;
            json!({"name": name, "status": status, "estimate": estimate, "labels": labels(ticket), "body": body})
        })
        .collect();
    assert_eq!(rows(workspace, "SELECT name, status, estimate, labels, body FROM tickets ORDER BY name"), all);
    let having = |wanted: &[&str]| -> Vec<Value> {
        let has = |ticket: &Ticket| wanted.iter().any(|label| ticket.labels.contains(label));
        tickets.iter().filter(|(_, ticket)| has(ticket)).map(|(name, _)| json!({ "name": name })).collect()
    };
    assert_eq!(rows(workspace, "SELECT name FROM tickets WHERE label = 'it''s' ORDER BY name"), having(&["it's"]));
    let some = "SELECT name FROM tickets WHERE label IN ('bug', 'ui') ORDER BY name";
    assert_eq!(rows(workspace, some), having(&["bug", "ui"]));
    let sums = "SELECT status, count(*) AS n, sum(estimate) AS sum FROM tickets GROUP BY status ORDER BY status";
    let mut expected: BTreeMap<&str, (i64, Option<i64>)> = BTreeMap::new();
    for ticket in tickets.values() {
        let (n, sum) = expected.entry(ticket.status).or_default();
        *n += 1;
        *sum = ticket.estimate.map(|estimate| sum.unwrap_or(0) + estimate).or(*sum);
    }
    let expected: Vec<_> =
        expected.into_iter().map(|(status, (n, sum))| json!({"status": status, "n": n, "sum": sum})).collect();
    assert_eq!(rows(workspace, sums), expected);
    let count = |statement: &str| value(workspace, statement).as_u64().unwrap() as usize;
    assert_eq!(count("SELECT count(*) FROM labels"), tickets.values().map(|ticket| ticket.labels.len()).sum::<usize>());
    let linking = tickets.values().filter(|ticket| ticket.body.contains("[[")).count();
    assert_eq!(count("SELECT count(*) FROM links WHERE target = 't1' AND kind = 'text'"), linking);
}

#[test]
fn an_answer_is_what_a_fold_over_the_files_says() {
    let mut rng = StdRng::seed_from_u64(5);
    for mounted in [false, true] {
        let (workspace, mut tickets) = (Workspace::new(), BTreeMap::new());
        if mounted {
            workspace.mount();
        }
        for _ in 0..6 {
            for _ in 0..4 {
                let name = format!("t{}", rng.random_range(0..8));
                if rng.random_bool(0.2) && tickets.remove(&name).is_some() {
                    fs::remove_file(workspace.dir.join(format!("tickets/{name}.md"))).unwrap();
                    continue;
                }
                let ticket = random(&mut rng);
                write(&workspace, &name, &ticket);
                tickets.insert(name, ticket);
            }
            compare(&workspace, &tickets);
        }
    }
}

#[test]
fn git_is_a_few_tables() {
    let workspace = Workspace::new();
    for (n, status) in ["todo", "in-progress", "done"].into_iter().enumerate() {
        workspace.write("tickets/a/b/t.md", &format!("---\ntitle: T\nstatus: {status}\n---\n"));
        workspace.write(&format!("specs/s{n}.md"), "# S\n");
        workspace.ok(&["commit"]);
    }
    let git = |command: &str| workspace.sh(&format!("git {command}"));
    let listed = |statement: &str| {
        let rows = rows(&workspace, statement);
        let line = |row: &Value| {
            let cells: Vec<_> = row
                .as_object()
                .unwrap()
                .values()
                .map(|cell| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned))
                .collect();
            cells.join("\t") + "\n"
        };
        rows.iter().map(line).collect::<String>()
    };
    let commits = "SELECT hash, tree, coalesce((SELECT group_concat(value, ' ') FROM json_each(parents)), '') FROM commits_hashed WHERE reachable ORDER BY hash";
    assert_eq!(listed(commits), git("log --format='%H%x09%T%x09%P' | LC_ALL=C sort"));
    assert_eq!(
        listed("SELECT path, hash FROM files_latest ORDER BY path"),
        git("ls-tree -r --format='%(path)%x09%(objectname)' HEAD | LC_ALL=C sort")
    );
    let content = "SELECT content FROM files_latest JOIN files_hashed USING (hash) WHERE path = 'tickets/a/b/t.md'";
    assert_eq!(value(&workspace, content), git("show HEAD:tickets/a/b/t.md"));
    assert_eq!(
        listed(
            "SELECT name, entry FROM directories_latest JOIN directories_hashed USING (hash) WHERE path = '' ORDER BY name"
        ),
        git("ls-tree --format='%(path)%x09%(objectname)' HEAD | LC_ALL=C sort")
    );
    // Down from a commit, folder by folder, in SQL.
    let walk = "WITH RECURSIVE walk (path, hash, kind) AS (
                    SELECT '', tree, 'directory' FROM commits_hashed WHERE hash = (SELECT commit_hash FROM file_changes WHERE path = 'specs/s0.md')
                    UNION ALL
                    SELECT ltrim(walk.path || '/' || name, '/'), entry, directories_hashed.kind
                    FROM walk JOIN directories_hashed ON directories_hashed.hash = walk.hash WHERE walk.kind = 'directory')
                SELECT path, hash FROM walk WHERE kind = 'file' ORDER BY path";
    assert_eq!(listed(walk), git("ls-tree -r --format='%(path)%x09%(objectname)' HEAD~2 | LC_ALL=C sort"));
    let history = "SELECT old, new FROM field_history WHERE field = 'status' ORDER BY at, rowid";
    let history = history.replace(", rowid", ", CASE new WHEN 'todo' THEN 0 WHEN 'in-progress' THEN 1 ELSE 2 END");
    assert_eq!(listed(&history), "null\ttodo\ntodo\tin-progress\nin-progress\tdone\n");
    let told =
        value(&workspace, "SELECT count(*) FROM events WHERE event = 'ticket.field_changed' AND field = 'status'");
    assert_eq!(told, 2);
}

#[test]
fn every_table_has_the_columns_that_are_explained() {
    let workspace = Workspace::new();
    let told = workspace.ok(&["sql", "--explain", "--json"]);
    let tables: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(tables.len() > 14, "{told}");
    for table in tables {
        let columns: Vec<_> = table["columns"]
            .as_object()
            .unwrap()
            .keys()
            .filter(|name| *name != "label" || table["table"] == "labels")
            .cloned()
            .collect();
        let name = table["table"].as_str().unwrap();
        let head = workspace.ok(&["sql", "--csv", &format!("SELECT * FROM (SELECT 1) LEFT JOIN {name} ON 1 LIMIT 1")]);
        let head: Vec<_> = head.lines().next().unwrap().split(',').skip(1).map(str::to_owned).collect();
        assert_eq!(head, columns, "{name}");
        assert!(table["columns"].as_object().unwrap().values().all(|about| !about.as_str().unwrap().is_empty()));
    }
    assert!(
        workspace
            .ok(&["sql", "--explain", "SELECT * FROM files_hashed WHERE hash = ''"])
            .contains("SEARCH history.blobs")
    );
}

// --- what it may not do -----------------------------------------------------------------------------------------------

#[test]
fn a_statement_reaches_nothing_but_the_tables() {
    let workspace = Workspace::new();
    write(&workspace, "t", &Ticket { status: "todo", ..Ticket::default() });
    workspace.ok(&["commit"]);
    let outside = workspace.outside("outside");
    fs::write(&outside, "secret").unwrap();
    let link = workspace.dir.join("tickets/link.md");
    std::os::unix::fs::symlink(&outside, link).unwrap();
    let attach = format!("ATTACH '{}' AS other", outside.display());
    for statement in [
        &attach,
        "PRAGMA journal_mode = DELETE",
        "PRAGMA writable_schema = 1",
        "DETACH journal",
        "VACUUM INTO '/tmp/copy.db'",
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
        "DROP VIEW temp.labels",
        "DROP TABLE tickets",
        "BEGIN",
        "SAVEPOINT s",
        "INSERT INTO journal.meta VALUES ('a', 'b')",
        "UPDATE journal.outbox SET state = 'sent'",
        "DELETE FROM idx.files",
        "INSERT INTO temp.objects VALUES (1, 2, 3, 4, 5, 6, 7, 8, 9)",
        "UPDATE labels SET label = 'x'",
        "SELECT load_extension('/tmp/x.so')",
        "SELECT readfile('/etc/passwd')",
        "SELECT writefile('/tmp/x', 'y')",
        "SELECT * FROM pragma_table_info('tickets')",
        "SELECT 1; DELETE FROM tickets",
    ] {
        refused(&workspace, &["--write", "--yes", statement]);
    }
    for statement in
        ["DELETE FROM tickets", "UPDATE tickets SET status = 'done'", "INSERT INTO tickets (title) VALUES ('x')"]
    {
        assert!(refused(&workspace, &[statement]).contains("need --write"));
    }
    for path in ["tickets/link.md", "../../outside", "/etc/passwd", ".git", "tickets/../tickets/t.md"] {
        assert_eq!(value(&workspace, &format!("SELECT body('{path}')")), Value::Null, "{path}");
    }
    assert_eq!(fs::read_to_string(outside).unwrap(), "secret");
    assert!(workspace.ok(&["status"]).contains("1 ticket"));
    assert_eq!(workspace.sh("git status --porcelain tickets/t.md"), "");
}

#[test]
fn a_statement_that_never_ends_is_ended() {
    let workspace = Workspace::new();
    let forever = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";
    let told = refused(&workspace, &["--timeout", "1", forever]);
    assert!(told.contains("took longer than 1s") && told.contains("--timeout"), "{told}");
}

#[test]
fn what_is_wrong_with_a_statement_is_pointed_at() {
    let workspace = Workspace::new();
    let told = refused(&workspace, &["SELECT path,\n  statsu FROM tickets"]);
    assert_eq!(
        told,
        "trackfs: no such column: statsu\n    statsu FROM tickets\n    ^\n  next: did you mean `status`?\n"
    );
    assert!(refused(&workspace, &["SELECT * FROM ticket"]).contains("did you mean `tickets`?"));
    assert!(refused(&workspace, &["SELECT 1; SELECT 2"]).contains("more than one statement"));
    assert!(refused(&workspace, &[" ; "]).contains("the statement is empty"));
    write(&workspace, "t", &Ticket { status: "todo", ..Ticket::default() });
    for statement in [
        "SELECT label FROM tickets",
        "SELECT 1 FROM tickets WHERE label = 'a' OR status = 'todo'",
        "SELECT 1 FROM tickets WHERE label <> 'a'",
    ] {
        assert!(refused(&workspace, &[statement]).contains("`label` can be asked for by = or IN"), "{statement}");
    }
}

// --- writing ----------------------------------------------------------------------------------------------------------

const ODD: &str = "---\n# by hand\ntitle:   'Odd'  # quoted\nstatus:    todo\nlabels:\n  - bug # first\n  - ui\ncustom: {a: 1}\n---\n\n\tBody  \r\n";

fn last_commit(workspace: &Workspace) -> String {
    workspace.sh("git rev-parse HEAD")
}

#[test]
fn an_update_changes_its_lines_in_one_commit_and_one_batch() {
    for mounted in [false, true] {
        let workspace = Workspace::new();
        if mounted {
            workspace.mount();
        }
        for name in ["a", "b", "c"] {
            workspace.write(&format!("tickets/{name}.md"), &ODD.replace("Odd", name));
        }
        workspace.ok(&["commit"]);
        let (before, event) = (last_commit(&workspace), workspace.last_event());
        // The statement says nothing new of `c`.
        workspace.sh("sed -i 's/todo/done/' tickets/c.md");
        workspace.ok(&["commit"]);
        let told = workspace.ok(&[
            "sql",
            "--write",
            "--yes",
            "UPDATE tickets SET status = 'done' WHERE label = 'bug' AND updated < date('now', '+2 days')",
        ]);
        assert!(
            told.starts_with(
                "tickets/a.md  status: todo → done\ntickets/b.md  status: todo → done\n2 tickets changed in "
            ),
            "{told}"
        );
        for name in ["a", "b", "c"] {
            let expected = ODD.replace("Odd", name).replace("    todo", "    done");
            assert_eq!(workspace.read(&format!("tickets/{name}.md")), expected);
        }
        assert_eq!(workspace.sh("git show --format= --name-only HEAD"), "tickets/a.md\ntickets/b.md\n");
        assert_eq!(workspace.sh(&format!("git rev-list --count {}..HEAD", before.trim())), "2\n");
        let events: Vec<_> = workspace
            .events(event)
            .into_iter()
            .filter(|event| event["event"] == "ticket.field_changed" && event["path"] != "tickets/c.md")
            .collect();
        let of: BTreeSet<_> = events.iter().map(|event| event["at"].as_str().unwrap()).collect();
        assert_eq!((events.len(), of.len()), (2, 1), "one batch has one time: {events:?}");
        assert_eq!(
            workspace.ok(&["sql", "--write", "--yes", "UPDATE tickets SET status = 'done'"]),
            "nothing would change\n"
        );
        let list = "UPDATE tickets SET labels = list_remove(list_add(labels, 'x'), 'bug'), body = body || 'more' WHERE name = 'a'";
        workspace.ok(&["sql", "--write", "--yes", list]);
        let text = workspace.read("tickets/a.md");
        assert!(text.ends_with("custom: {a: 1}\n---\n\n\tBody  \r\nmore") && text.contains("  - ui\n"), "{text}");
        assert_eq!(
            rows(&workspace, "SELECT labels FROM tickets WHERE name = 'a'"),
            [json!({"labels": "[\"ui\",\"x\"]"})]
        );
    }
}

#[test]
fn what_the_schema_forbids_fails_the_whole_statement() {
    let workspace = Workspace::new();
    workspace
        .sh("sed -i 's/todo: {kind: unstarted}/todo: {kind: unstarted, next: [in-progress]}/' .trackfs/schema.yaml");
    for (name, status) in [("a", "in-progress"), ("b", "todo")] {
        write(
            &workspace,
            name,
            &Ticket { status: STATUSES.into_iter().find(|known| *known == status).unwrap(), ..Ticket::default() },
        );
    }
    workspace.ok(&["commit"]);
    let before = last_commit(&workspace);
    let told = refused(&workspace, &["--write", "--yes", "UPDATE tickets SET status = 'done'"]);
    assert!(
        told.contains("tickets/b.md: `status` cannot go from `todo` to `done` (what may follow `todo`: in-progress)"),
        "{told}"
    );
    for (statement, why) in [
        ("UPDATE tickets SET estimate = 'many'", "`estimate` is a number"),
        ("UPDATE tickets SET priority = 'hihg'", "did you mean `high`?"),
        ("UPDATE tickets SET path = 'tickets/x.md'", "`mv` moves a ticket"),
        ("UPDATE tickets SET sync = '{}'", "trackfs link"),
        ("UPDATE tickets SET label = 'x' WHERE label = 'y'", ""),
        ("UPDATE tickets SET title = NULL", ""),
        ("INSERT INTO tickets (status) VALUES ('todo')", "needs a `title`"),
        ("INSERT INTO tickets (title, path) VALUES ('x', 'tickets/a.md')", "tickets/a.md is there already"),
        ("INSERT INTO tickets (title, path) VALUES ('x', 'specs/a.md')", "is in tickets/ and ends in .md"),
        ("INSERT INTO tickets (title, path) VALUES ('x', 'tickets/../../a.md')", "`path` cannot be"),
        ("INSERT INTO tickets (title, path) VALUES ('x', 'tickets/a/comments/x.md')", "would be no ticket"),
        ("INSERT INTO tickets (title, due) VALUES ('ok', '2026-12-01'), ('x', 'soon')", "`due`"),
    ] {
        let output = workspace.trackfs(&["sql", "--write", "--yes", statement]);
        // A ticket without a title shows its first line, or its name: that is allowed.
        if !why.is_empty() {
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && told.contains(why), "{statement}: {output:?}");
        }
    }
    assert_eq!(workspace.sh("git status --porcelain; ls tickets"), "a.md\nb.md\n");
    assert_eq!(last_commit(&workspace), before);
}

#[test]
fn tickets_are_made_and_removed_and_removals_are_guarded() {
    let workspace = Workspace::new();
    workspace.mount();
    let make = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)
                INSERT INTO tickets (title, labels, estimate, body) SELECT 'Same name', '[\"a: b\"]', i, 'Text ' || i FROM n";
    workspace.ok(&["sql", "--write", "--yes", make]);
    assert_eq!(
        workspace.read("tickets/same-name-12.md"),
        "---\ntitle: Same name\nstatus: backlog\nlabels: [\"a: b\"]\nestimate: 12\n---\nText 12\n"
    );
    assert_eq!(
        workspace.sh("git log -1 --format=%H -- tickets | wc -l; git show --format= --name-only HEAD | wc -l"),
        "1\n12\n"
    );
    let told = refused(&workspace, &["--write", "--yes", "DELETE FROM tickets WHERE estimate > 1"]);
    assert!(
        told.contains("11 tickets would be removed, and sync.max_removals is 10") && told.contains("--remove-many"),
        "{told}"
    );
    assert_eq!(value(&workspace, "SELECT count(*) FROM tickets"), 12);
    workspace.ok(&["sql", "--write", "--yes", "DELETE FROM tickets WHERE estimate > 10"]);
    workspace.ok(&[
        "sql",
        "--write",
        "--yes",
        "--remove-many",
        "DELETE FROM tickets WHERE estimate <= 10 AND estimate > 1",
    ]);
    // `estimate` 12 and 11 went first: all but one.
    assert_eq!(workspace.sh("ls tickets"), "same-name.md\n");
    let path = "INSERT INTO tickets (path, title) VALUES ('tickets/deep/er/x.md', 'X')";
    workspace.ok(&["sql", "--write", "--yes", path]);
    assert!(workspace.dir.join("tickets/deep/er/x.md").exists());
}

#[test]
fn nobody_who_is_not_asked_agrees() {
    let workspace = Workspace::new();
    write(&workspace, "t", &Ticket { status: "todo", ..Ticket::default() });
    workspace.ok(&["commit"]);
    let told = refused(&workspace, &["--write", "UPDATE tickets SET status = 'done'"]);
    assert!(told.contains("say --yes"), "{told}");
    let answer = |answer: &str| {
        let script = format!(
            "(sleep 1; echo {answer}) | script -qec '\"$TRACKFS\" sql --write \"UPDATE tickets SET status = '\\''done'\\''\"' /dev/null"
        );
        workspace.command("bash").args(["-c", &script]).env("TRACKFS", env!("CARGO_BIN_EXE_trackfs")).output().unwrap();
        workspace.read("tickets/t.md")
    };
    assert!(answer("n").contains("status: todo"));
    assert!(answer("y").contains("status: done"));
}

#[test]
fn a_file_that_is_being_written_leaves_all_as_they_were() {
    let workspace = Workspace::new();
    workspace.mount();
    for name in ["a", "b", "c"] {
        write(&workspace, name, &Ticket { status: "todo", ..Ticket::default() });
    }
    workspace.ok(&["commit"]);
    let open = fs::OpenOptions::new().append(true).open(workspace.dir.join("tickets/c.md")).unwrap();
    let told = refused(&workspace, &["--write", "--yes", "UPDATE tickets SET status = 'done'"]);
    assert!(told.contains("tickets/c.md is being written by a program; nothing was changed"), "{told}");
    drop(open);
    for name in ["a", "b", "c"] {
        assert!(workspace.read(&format!("tickets/{name}.md")).contains("status: todo"), "{name}");
    }
    assert_eq!(workspace.ok(&["commit"]), "nothing to commit\n");
    workspace.ok(&["sql", "--write", "--yes", "UPDATE tickets SET status = 'done'"]);
    assert_eq!(value(&workspace, "SELECT count(*) FROM tickets WHERE status = 'done'"), 3);
}

// --- the schema -------------------------------------------------------------------------------------------------------

#[test]
fn a_field_that_is_added_to_the_schema_is_there_at_once() {
    let workspace = Workspace::new();
    workspace.mount();
    write(&workspace, "t", &Ticket { status: "todo", ..Ticket::default() });
    workspace.sh("sed -i 's/^fields:/fields:\\n  severity: {type: choice, of: [minor, major]}/' .trackfs/schema.yaml");
    assert_eq!(value(&workspace, "SELECT severity FROM tickets"), Value::Null);
    workspace.ok(&["sql", "--write", "--yes", "UPDATE tickets SET severity = 'major'"]);
    assert_eq!(workspace.ok(&["list", "severity:major"]).lines().count(), 1);
    assert_eq!(workspace.sh("ls views/severity"), "major\nminor\nnone\n");
    workspace
        .sh("mv views/severity/major/t.md views/severity/minor/ && mv views/severity/minor/t.md views/severity/major/");
    assert!(workspace.read("tickets/t.md").contains("severity: major\n"));
    assert!(workspace.ok(&["schema", "check"]).contains("1 ticket checked against 18 fields: nothing is wrong"));
    let shown: Value = serde_json::from_str(&workspace.ok(&["schema", "show", "--json"])).unwrap();
    let severity = json!({"name": "severity", "type": "choice", "required": false, "of": ["minor", "major"]});
    assert_eq!(shown["fields"][0], severity);
    // A narrower schema finds the tickets that break it, and one that cannot be read is told of.
    workspace.sh("sed -i 's/, major]/]/' .trackfs/schema.yaml");
    let output = workspace.trackfs(&["schema", "check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("tickets/t.md:"), "{output:?}");
    workspace.sh("echo 'fields: [' > .trackfs/schema.yaml");
    assert_eq!(workspace.trackfs(&["schema", "check"]).status.code(), Some(1));
    assert!(refused(&workspace, &["SELECT 1"]).contains("the schema is wrong"));
}

#[test]
fn what_the_manual_shows_is_what_happens() {
    let workspace = Workspace::new();
    workspace.sh("git config user.name Ada && git config user.email ada@example.org");
    workspace.mount();
    manual::runs(&workspace, "sql.md");
}
