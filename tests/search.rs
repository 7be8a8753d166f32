//! Full text: what `trackfs search`, `list` and views find, against what a naive reading of the files finds.

mod support;

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};
use support::{Workspace, eventually, manual};

/// Words that are their own stems, and that no other one begins with, but for `kilometre`.
const VOCABULARY: [&str; 8] = ["alfa", "bravo", "delta", "foxtrot", "kilo", "kilometr", "oscar", "tango"];
const PATHS: [&str; 8] = [
    "tickets/one.md",
    "tickets/two.md",
    "tickets/sub/three.md",
    "tickets/one/comments/c1.md",
    "tickets/one/comments/c2.md",
    "tickets/sub/three/comments/c1.md",
    "specs/four.md",
    "inbox/five.md",
];

/// Path to title and text.
type Files = BTreeMap<&'static str, (Vec<&'static str>, Vec<&'static str>)>;

fn found(workspace: &Workspace, query: &str) -> BTreeSet<String> {
    let told = workspace.ok(&["search", "--json", "-n", "1000", query]);
    told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["path"].as_str().unwrap().to_owned()).collect()
}

fn listed(workspace: &Workspace, query: &str) -> BTreeSet<String> {
    let told = workspace.ok(&["list", "--json", query]);
    told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["path"].as_str().unwrap().to_owned()).collect()
}

fn random_words(rng: &mut StdRng, most: usize) -> Vec<&'static str> {
    (0..rng.random_range(1..=most)).map(|_| *VOCABULARY.choose(rng).unwrap()).collect()
}

/// One random change, in the workspace and in the model.
fn change(rng: &mut StdRng, workspace: &Workspace, files: &mut Files) {
    let path = *PATHS.choose(rng).unwrap();
    let is_ticket = path.starts_with("tickets/") && !path.contains("/comments/");
    match rng.random_range(0..5) {
        0 if files.remove(path).is_some() => fs::remove_file(workspace.dir.join(path)).unwrap(),
        _ if is_ticket => {
            let (title, body) = (random_words(rng, 2), random_words(rng, 12));
            let text = format!("---\ntitle: {}\nstatus: todo\n---\n{}\n", title.join(" "), body.join(" "));
            workspace.write(path, &text);
            files.insert(path, (title, body));
        }
        _ => {
            let body = random_words(rng, 12);
            workspace.write(path, &format!("{}\n", body.join(" ")));
            // Its first line is its title: it is its text, once more.
            files.insert(path, (body.clone(), body));
        }
    }
}

fn has(words: &[&str], sought: &str) -> bool {
    let sought: Vec<_> = sought.split(' ').collect();
    words.windows(sought.len()).any(|window| {
        window.iter().zip(&sought).all(|(word, sought)| match sought.strip_suffix('*') {
            Some(begun) => word.starts_with(begun),
            None => word == sought,
        })
    })
}

impl Naive<'_> {
    /// Files that have all of these and none of those.
    fn files(&self, all: &[&str], none: &[&str]) -> BTreeSet<String> {
        let has_words = |(title, body): &(Vec<&str>, Vec<&str>), words: &str| has(title, words) || has(body, words);
        let is_found = |file: &(Vec<&str>, Vec<&str>)| {
            all.iter().all(|words| has_words(file, words)) && !none.iter().any(|words| has_words(file, words))
        };
        self.0.iter().filter(|(_, file)| is_found(file)).map(|(path, _)| (*path).to_owned()).collect()
    }

    /// Tickets in which, or in whose comments, a word stands.
    fn tickets(&self, word: &str) -> BTreeSet<String> {
        let ticket = |path: &str| match path.split_once("/comments/") {
            Some((ticket, _)) => format!("{ticket}.md"),
            None => path.to_owned(),
        };
        let is_there = |path: &String| path.starts_with("tickets/") && self.0.contains_key(path.as_str());
        self.files(&[word], &[]).iter().map(|path| ticket(path)).filter(is_there).collect()
    }
}

struct Naive<'f>(&'f Files);

fn compare(rng: &mut StdRng, workspace: &Workspace, files: &Files) {
    let naive = Naive(files);
    let mut word = || *VOCABULARY.choose(rng).unwrap();
    let (a, b, c) = (word(), word(), word());
    assert_eq!(found(workspace, a), naive.files(&[a], &[]), "{a}");
    assert_eq!(found(workspace, &format!("{a} {b}")), naive.files(&[a, b], &[]), "{a} {b}");
    assert_eq!(found(workspace, &format!("{a} -{c}")), naive.files(&[a], &[c]), "{a} -{c}");
    let phrase = format!("{a} {b}");
    assert_eq!(found(workspace, &format!("\"{phrase}\"")), naive.files(&[&phrase], &[]), "{phrase}");
    assert_eq!(found(workspace, "kilo*"), naive.files(&["kilo*"], &[]));
    // A part of a word in a title is found, too, by what lists tickets: none of these is a part of another but `kilo`.
    if a != "kilo" {
        assert_eq!(listed(workspace, a), naive.tickets(a), "{a}");
    }
}

#[test]
fn what_is_found_is_what_is_written() {
    let mut rng = StdRng::seed_from_u64(1);
    for mounted in [false, true] {
        let (workspace, mut files) = (Workspace::new(), Files::new());
        if mounted {
            workspace.mount();
        }
        for round in 0..20 {
            (0..4).for_each(|_| change(&mut rng, &workspace, &mut files));
            if round % 2 == 0 {
                workspace.ok(&["commit"]);
            }
            compare(&mut rng, &workspace, &files);
        }
    }
}

#[test]
fn what_is_derived_is_made_anew_when_it_is_gone_or_damaged() {
    let workspace = Workspace::new();
    workspace.write("tickets/a.md", "---\ntitle: A\nstatus: todo\n---\nAlfa\n");
    workspace.write("tickets/b.md", "---\ntitle: B\nstatus: todo\n---\nAlfa\n");
    let both = BTreeSet::from(["tickets/a.md".to_owned(), "tickets/b.md".to_owned()]);
    assert_eq!(found(&workspace, "alfa"), both);
    let state = workspace.sh("git rev-parse --absolute-git-dir").trim().to_owned() + "/trackfs";
    for damage in [
        "rm search.db*",
        "rm index.db* index.seal",
        "rm search.db*; echo no database, but long enough to be one by its size: it has no header > search.db",
    ] {
        workspace.sh(&format!("cd {state} && {damage}"));
        assert_eq!(found(&workspace, "alfa"), both, "{damage}");
    }
    // What went while the index was gone is not found any more.
    workspace.sh(&format!("rm {state}/index.db* {state}/index.seal tickets/b.md"));
    assert_eq!(found(&workspace, "alfa"), BTreeSet::from(["tickets/a.md".to_owned()]));
}

#[test]
fn a_folder_that_is_a_question_follows_what_is_written() {
    let workspace = Workspace::new();
    workspace.write("tickets/login.md", "---\ntitle: Login\nstatus: todo\n---\nIn Safari.\n");
    workspace.write("tickets/other.md", "---\ntitle: Other\nstatus: todo\n---\n");
    workspace.write(".trackfs/views/safari.yaml", "query: safari is:open\nlimit: 5\n");
    workspace.mount();
    workspace.sh("mkdir 'views/?safari'");
    for view in ["views/?safari", "views/safari"] {
        let shows = |expected: &str| {
            let names = || Some(workspace.sh(&format!("ls '{view}'"))).filter(|names| names == expected);
            eventually(&format!("{view} shows {expected:?}"), || names().map(drop));
        };
        shows("login.md\n");
        // In a comment, from inside the mount and from outside of it.
        workspace.write("tickets/other/comments/1.md", "The same in Safari\n");
        shows("login.md\nother.md\n");
        workspace.sh("rm tickets/other/comments/1.md && sed -i s/Safari/Firefox/ tickets/login.md");
        shows("");
        workspace.sh("sed -i s/Firefox/Safari/ tickets/login.md");
        shows("login.md\n");
    }
    assert_eq!(workspace.sh("grep -c Safari 'views/?safari/login.md'"), "1\n");
}

#[test]
fn hits_say_where_and_come_best_first() {
    let workspace = Workspace::new();
    let filler = "Something else is said here, and more of it.\n".repeat(40);
    workspace
        .write("tickets/a.md", &format!("---\ntitle: A\nstatus: todo\n---\n{filler}Then Safari was closed.\n{filler}"));
    workspace.write("tickets/b.md", &format!("---\ntitle: Safari crashes\nstatus: done\n---\n{filler}"));
    let told = workspace.ok(&["search", "--json", "safari"]);
    let hits: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&hits[0]["path"], &hits[0]["line"]), (&"tickets/b.md".into(), &1.into()));
    assert_eq!((&hits[1]["path"], &hits[1]["line"]), (&"tickets/a.md".into(), &45.into()));
    let text = hits[1]["text"].as_str().unwrap();
    assert!(text.contains("Then Safari was closed.") && text.len() < 200, "{text}");
    assert_eq!(found(&workspace, "safari status:done"), BTreeSet::from(["tickets/b.md".to_owned()]));
    assert_eq!(
        workspace.ok(&["search", "-n", "1", "safari"]).lines().last(),
        Some("these are the best 1; -n shows more")
    );
    assert_eq!(workspace.ok(&["search", "nowhere"]), "no file has these words\n");
}

#[test]
fn stems_accents_and_beginnings() {
    let workspace = Workspace::new();
    workspace
        .write("tickets/a.md", "---\ntitle: A\nstatus: todo\n---\nUsers are swiping. Café, naïve, Größe, 日本語 C++\n");
    for query in [
        "user",
        "swipe",
        "cafe",
        "CAFÉ",
        "naive",
        "grosse*",
        "größe",
        "日本語",
        "c++",
        "\"are swiping\"",
        "\"cafe naive\"",
    ] {
        assert_eq!(found(&workspace, query).len(), usize::from(query != "grosse*"), "{query}");
    }
}

#[test]
fn nothing_that_is_looked_for_has_a_meaning_to_the_database() {
    let workspace = Workspace::new();
    workspace.write("tickets/a.md", "---\ntitle: A\nstatus: todo\n---\nalfa near title and\n");
    for query in [
        "NEAR(alfa",
        "alfa*bravo",
        "^alfa",
        "{title}",
        "'alfa",
        "alfa'; DROP TABLE texts; --",
        "(",
        "**",
        "\\\"",
        "a\\\"b",
        "+",
    ] {
        let output = workspace.trackfs(&["search", query]);
        assert!(output.status.success(), "{query}: {output:?}");
    }
    assert_eq!(found(&workspace, "NEAR").len(), 1);
    let refused = workspace.trackfs(&["search", "status:todo"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no word to look for"), "{refused:?}");
    let refused = workspace.trackfs(&["search", "alfa", "statsu:todo"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("did you mean `status`?"), "{refused:?}");
}

#[test]
fn what_is_written_cannot_drive_the_terminal() {
    let workspace = Workspace::new();
    workspace.write("tickets/a.md", "---\ntitle: A\nstatus: todo\n---\nalfa \u{1b}[2J \u{2}bold\u{3} \u{202e}txet\n");
    let shown = workspace.ok(&["search", "alfa"]);
    assert!(!shown.contains(['\u{1b}', '\u{2}', '\u{3}', '\u{202e}']), "{shown:?}");
    // In a terminal the word is bold, and nothing else is.
    let script = "script -qec 'stty cols 80; TERM=xterm \"$TRACKFS\" search alfa' /dev/null";
    let output = workspace
        .command("bash")
        .args(["-c", script])
        .env_remove("NO_COLOR")
        .env("TRACKFS", env!("CARGO_BIN_EXE_trackfs"))
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(shown.matches('\u{1b}').count(), 2, "{shown:?}");
    assert!(shown.contains("\u{1b}[1malfa\u{1b}[0m"), "{shown:?}");
}

#[test]
fn a_large_text_is_searched_as_far_as_is_said_and_a_file_without_text_is_none() {
    let workspace = Workspace::new();
    let filler = "nothing to see here\n".repeat((1 << 20) / 20 + 1);
    workspace.write("specs/large.md", &format!("alfa\n{filler}bravo\n"));
    fs::write(workspace.dir.join("specs/picture.png"), b"alfa \xff\x00 charlie").unwrap();
    assert_eq!(found(&workspace, "alfa"), BTreeSet::from(["specs/large.md".to_owned()]));
    assert_eq!((found(&workspace, "bravo").len(), found(&workspace, "charlie").len()), (0, 0));
}

#[test]
fn what_the_manual_shows_is_what_happens() {
    let workspace = Workspace::new();
    let text =
        "---\ntitle: Login fails on Safari\nstatus: todo\n---\n\n\nSince version 18. Steps: open Safari, swipe back.\n";
    workspace.write("tickets/login.md", text);
    workspace.write("tickets/login/comments/1.md", "Swiping twice helps, for a while, most of the time.\n");
    manual::runs(&workspace, "query.md");
}
