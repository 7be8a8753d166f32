//! `log`, `blame`, `diff` and `restore`, with a mount and without.

use crate::{
    mounted::workspace,
    support::{Workspace, manual},
};
use serde_json::Value;
use std::fs;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn log_of_a_file_tells_each_field() {
    let workspace = workspace();
    let log = workspace.ok(&["log", "tickets/auth/sign-in.md"]);
    let indented: Vec<_> = log.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    let expected = [
        "status: in-progress → done",
        "moved from tickets/login.md",
        "body edited",
        "status: todo → in-progress",
        "created",
        "title: Login",
        "status: todo",
    ];
    assert_eq!(indented, expected, "{log}");
    assert!(log.lines().next().unwrap().ends_with("(Test <test@example.org> by sed)"), "{log}");
    let json = lines(&workspace.ok(&["log", "--json", "-n", "1", "tickets/auth/sign-in.md"]));
    let change = serde_json::json!({"field": "status", "from": "in-progress", "to": "done"});
    assert_eq!((json.len(), &json[0]["changes"][0], &json[0]["number"]), (1, &change, &Value::from(5)));
    // What is gone has a history, too; a folder's is its commits.
    assert!(workspace.ok(&["log", "tickets/login.md"]).contains("    removed"));
    assert_eq!(workspace.ok(&["log", "tickets"]).lines().count(), 5);
}

#[test]
fn blame_names_the_commit_that_gave_each_field_its_value() {
    let workspace = workspace();
    let blame = lines(&workspace.ok(&["blame", "--json", "tickets/auth/sign-in.md"]));
    let commit = |revision: &str| workspace.sh(&format!("git rev-parse {revision}")).trim().to_owned();
    let told: Vec<_> =
        blame.iter().map(|line| (line["field"].clone(), line["value"].clone(), line["commit"].clone())).collect();
    let expected = [
        ("title".into(), "Login".into(), commit("HEAD~4").into()),
        ("status".into(), "done".into(), commit("HEAD").into()),
        (Value::Null, Value::Null, commit("HEAD~2").into()),
    ];
    assert_eq!(told, expected);
    let table = workspace.ok(&["blame", "tickets/auth/sign-in.md"]);
    assert!(table.contains("  status  done   Test <test@example.org> by sed\n"), "{table}");
    let refused = workspace.trackfs(&["blame", "tickets/none.md"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("tickets/none.md is not in the last commit"));
}

#[test]
fn blame_of_a_merge_names_the_side_that_won() {
    let workspace = Workspace::new();
    let set = |status: &str| {
        workspace.write("tickets/t.md", &format!("---\ntitle: T\nstatus: {status}\n---\n"));
        workspace.sh(&format!("git add -A && git commit -qm '{status}'"));
    };
    set("todo");
    workspace.sh("git checkout -qb side");
    set("done");
    workspace.sh("git checkout -q main && sleep 1.1");
    set("in-progress");
    workspace.sh("git merge -q -X theirs --no-edit side");
    let blame = lines(&workspace.ok(&["blame", "--json", "tickets/t.md"]));
    assert_eq!(
        (&blame[1]["value"], &blame[1]["commit"]),
        (&"done".into(), &workspace.sh("git rev-parse side").trim().into())
    );
}

#[test]
fn diff_shows_what_is_not_committed_and_what_lies_between_moments() {
    let workspace = workspace();
    assert_eq!(workspace.ok(&["diff"]), "");
    workspace.sh("sed -i 's/^title: .*/title: Sign in/' tickets/auth/sign-in.md; echo text > specs/new.md");
    let shown = workspace.ok(&["diff"]);
    assert!(shown.contains("+++ b/specs/new.md\n@@ -0,0 +1 @@\n+text\n"), "{shown}");
    assert!(shown.contains("-title: Login\n+title: Sign in\n"), "{shown}");
    assert!(!workspace.ok(&["diff", "specs"]).contains("tickets/"));
    let json = lines(&workspace.ok(&["diff", "--json", "tickets"]));
    let expected = serde_json::json!([{"path": "tickets/auth/sign-in.md", "what": "edited",
        "changes": [{"field": "title", "from": "Login", "to": "Sign in"}]}]);
    assert_eq!(Value::from(json), expected);
    // As git says it.
    let between = workspace.ok(&["diff", "--from", "HEAD~4", "--to", "HEAD~2"]);
    let git = workspace.sh("git diff --no-renames HEAD~4 HEAD~2");
    let hunks = |text: &str| {
        text.lines()
            .filter(|line| !line.starts_with("diff ") && !line.starts_with("index "))
            .map(|line| match line.strip_prefix("@@ ") {
                Some(rest) => format!("@@ {}", rest.split(" @@").next().unwrap()),
                None => line.to_owned(),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(hunks(&between), hunks(&git));
    let refused = workspace.trackfs(&["diff", "--from", "nothing"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("nothing is no commit, branch or tag"), "{said}");
}

#[test]
fn restore_brings_files_back_and_can_be_taken_back() {
    for mounted in [true, false] {
        let workspace = workspace();
        if !mounted {
            workspace.ok(&["unmount"]);
        }
        let before = workspace.read("tickets/auth/sign-in.md") + "not committed\n";
        workspace.write("tickets/auth/sign-in.md", &before);
        let named = workspace.ok(&["restore", "tickets/auth/sign-in.md", "--at", "HEAD~3", "--dry-run"]);
        assert!(named.contains("tickets/auth/sign-in.md would be"), "{named}");
        assert_eq!(workspace.read("tickets/auth/sign-in.md"), before);
        // Under the name that it had then, too.
        let report = workspace.json(&["restore", "tickets/auth/sign-in.md", "--at", "HEAD~3"]);
        assert_eq!(report["restored"], serde_json::json!(["tickets/auth/sign-in.md"]));
        assert_eq!(workspace.read("tickets/auth/sign-in.md"), "---\ntitle: Login\nstatus: in-progress\n---\nBody\n");
        assert!(workspace.sh("git log -1 --format=%s").starts_with("restored tickets/auth/sign-in.md from "));
        workspace.ok(&["restore", "tickets/auth/sign-in.md", "--at", "HEAD~1"]);
        assert_eq!(workspace.read("tickets/auth/sign-in.md"), before, "what was not committed is not lost");
        let again = workspace.json(&["restore", "tickets/auth/sign-in.md", "--at", "HEAD"]);
        assert_eq!((&again["unchanged"][0], &again["commit"]), (&"tickets/auth/sign-in.md".into(), &Value::Null));
    }
}

#[test]
fn restore_of_a_folder_brings_back_what_was_removed_and_leaves_what_is_new() {
    let workspace = workspace();
    workspace.write("specs/a.md", "one\n");
    workspace.write("specs/deep/b.md", "two\n");
    workspace.ok(&["commit"]);
    workspace.sh("rm -r specs/a.md specs/deep; echo three > specs/c.md");
    let report = workspace.json(&["restore", "specs", "--at", "HEAD"]);
    assert_eq!(report["restored"], serde_json::json!(["specs/a.md", "specs/deep/b.md"]));
    assert_eq!(workspace.sh("cat specs/a.md specs/deep/b.md specs/c.md"), "one\ntwo\nthree\n");
    assert_eq!(workspace.sh("git status --porcelain"), "");
    let refused = workspace.trackfs(&["restore", "specs/none.md", "--at", "HEAD"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("specs/none.md was not there at HEAD"));
}

#[test]
fn a_file_that_a_program_holds_open_for_writing_is_not_restored() {
    let workspace = workspace();
    let _held = fs::OpenOptions::new().append(true).open(workspace.dir.join("tickets/auth/sign-in.md")).unwrap();
    let refused = workspace.trackfs(&["restore", "tickets/auth/sign-in.md", "--at", "HEAD~3"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("is being written by a program"), "{said}");
}

#[test]
fn what_the_manual_shows_is_what_happens() {
    let workspace = Workspace::new();
    workspace.sh("git config user.name Ada && git config user.email ada@example.org");
    workspace.mount();
    manual::runs(&workspace, "history.md");
}
