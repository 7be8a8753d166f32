//! Tickets and their trackers as a person has them in hand: conflicts to settle, tickets to link, new ones to make.
//! The trackers are simulators with a folder each; editing a file there is what a colleague does.

mod support;

use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt};
use support::{Workspace, checked, eventually, have};

/// A workspace with two trackers, `eng` and `web`.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    for (name, flavour) in [("eng", ["--team", "ENG"]), ("web", ["--repo", "acme/web"])] {
        let url = workspace.outside(name);
        fs::create_dir(&url).unwrap();
        let add = ["remote", "add", name, "--type", "simulator", "--url", url.to_str().unwrap()];
        workspace.ok(&[&add[..], &flavour].concat());
    }
    workspace.sh(r"sed -i 's/^    folder:/    create_labels: true\n&/' .trackfs/config.yaml");
    workspace
}

fn issues(workspace: &Workspace, tracker: &str) -> Vec<Value> {
    let files = fs::read_dir(workspace.outside(tracker)).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect();
    paths.sort();
    paths.into_iter().map(|path| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()).collect()
}

/// What a colleague does in the tracker.
fn edit(workspace: &Workspace, tracker: &str, key: &str, field: &str, value: impl Into<Value>) {
    let path = workspace.outside(tracker).join(format!("{key}.json"));
    let mut issue: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    issue["fields"][field] = value.into();
    fs::write(path, issue.to_string()).unwrap();
}

/// A ticket whose title both sides changed.
fn in_conflict() -> Workspace {
    let workspace = workspace();
    workspace.ok(&["new", "Login fails", "--remote", "eng"]);
    workspace.sh("sed -i 's/Login fails/Ours/' tickets/eng/login-fails.md");
    edit(&workspace, "eng", "ENG-1", "title", "Theirs");
    workspace.ok(&["sync"]);
    assert_eq!(workspace.json(&["status"])["conflicts"].as_array().unwrap().len(), 1);
    workspace
}

#[test]
fn a_conflict_is_settled_for_one_side_and_what_gave_way_is_in_git() {
    for (side, holds, lost) in [("--ours", "Ours", "Theirs"), ("--theirs", "Theirs", "Ours")] {
        let workspace = in_conflict();
        let said = workspace.ok(&["resolve", "login-fails", side, "--field", "title"]);
        assert!(said.contains(&format!("title is settled with eng; {lost:?} gave way")), "{said}");
        assert!(workspace.read("tickets/eng/login-fails.md").contains(&format!("title: {holds}\n")));
        assert_eq!(issues(&workspace, "eng")[0]["fields"]["title"], holds);
        assert_eq!(workspace.json(&["status"])["conflicts"], json!([]));
        let log = workspace.sh("git log refs/trackfs/remotes/eng");
        assert!(log.contains(&format!("settle title of ENG-1: {}", &side[2..])) && log.contains(lost), "{log}");
        if lost == "Ours" {
            assert!(workspace.sh("git log -p -- tickets/eng/login-fails.md").contains("title: Ours"));
        }
    }
}

#[test]
fn making_the_file_equal_to_the_tracker_ends_a_conflict() {
    let workspace = in_conflict();
    workspace.sh("sed -i 's/title: Ours/title: Theirs/' tickets/eng/login-fails.md");
    workspace.ok(&["sync"]);
    assert_eq!(workspace.json(&["status"])["conflicts"], json!([]));
    let ended = workspace.events(0).into_iter().filter(|event| event["event"] == "conflict.ended").count();
    assert_eq!(ended, 1);
}

#[test]
fn what_a_tracker_refuses_is_a_problem_of_the_ticket_until_it_is_mended() {
    let workspace = workspace();
    let long = "long ".repeat(100);
    workspace.write("tickets/eng/a.md", &format!("---\nstatus: todo\ntitle: {long}\n---\n"));
    workspace.ok(&["sync"]);
    let status = workspace.json(&["status"]);
    let problem = &status["problems"][0];
    assert_eq!(
        (&problem["path"], &problem["code"]),
        (&json!("tickets/eng/a.md"), &json!("remote-refused")),
        "{status}"
    );
    let said = workspace.ok(&["status"]);
    assert!(said.contains("tickets/eng/a.md") && said.contains("eng did not take the create: "), "{said}");

    workspace.write("tickets/eng/a.md", "---\nstatus: todo\ntitle: Short\n---\n");
    workspace.ok(&["sync"]);
    assert_eq!(workspace.json(&["status"])["problems"], json!([]));
    assert_eq!(issues(&workspace, "eng").len(), 1);
}

#[test]
fn what_has_no_conflict_or_no_terminal_is_said() {
    let workspace = in_conflict();
    for (arguments, reason) in [
        (&["resolve", "nothing", "--ours"][..], "nothing has no such conflict"),
        (&["resolve", "login-fails", "--ours", "--field", "body"], "no such conflict"),
        (&["resolve", "login-fails", "--edit"], "--edit needs a terminal"),
    ] {
        let output = workspace.trackfs(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains(reason), "{arguments:?}: {said}");
    }
    assert_eq!(workspace.json(&["status"])["conflicts"].as_array().unwrap().len(), 1);
}

#[test]
fn both_values_come_together_in_the_users_editor() {
    if !have(&["script"]) {
        return;
    }
    let mut workspace = in_conflict();
    let editor = workspace.outside("editor");
    fs::write(&editor, "#!/bin/sh\ncp \"$1\" \"$0.seen\"\n[ -e \"$0.keep\" ] || echo 'Ours and theirs' > \"$1\"\n")
        .unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    workspace.variables = vec![("EDITOR", editor.to_str().unwrap().to_owned())];
    let on_a_terminal = |command: &str| {
        let mut script = workspace.command("script");
        script.args(["-qec", &format!("{} {command}", env!("CARGO_BIN_EXE_trackfs")), "/dev/null"]).output().unwrap()
    };

    let keep = workspace.outside("editor.keep");
    fs::write(&keep, "").unwrap();
    let left = on_a_terminal("resolve login-fails --edit");
    let said = String::from_utf8_lossy(&left.stdout).into_owned();
    assert!(!left.status.success() && said.contains("still has conflict markers"), "{said}");
    fs::remove_file(keep).unwrap();

    checked("resolve --edit", &on_a_terminal("resolve login-fails --edit"));
    let seen = fs::read_to_string(workspace.outside("editor.seen")).unwrap();
    assert_eq!(seen, "<<<<<<< local\nOurs\n=======\nTheirs\n>>>>>>> remote\n");
    assert!(workspace.read("tickets/eng/login-fails.md").contains("title: Ours and theirs\n"));
    assert_eq!(issues(&workspace, "eng")[0]["fields"]["title"], "Ours and theirs");
}

#[test]
fn the_mount_has_a_page_for_each_conflict_while_it_lasts() {
    let workspace = in_conflict();
    workspace.mount();
    assert_eq!(workspace.sh("ls status/conflicts").trim(), "login-fails.md");
    let page = workspace.sh("cat status/conflicts/login-fails.md");
    for part in ["# Conflicts of tickets/eng/login-fails.md", "Login fails", "Ours", "Theirs", "--theirs --field title"]
    {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
    let refused = workspace.sh("rm -f status/conflicts/login-fails.md 2>&1 || echo refused");
    assert!(refused.contains("refused"), "{refused}");
    workspace.ok(&["resolve", "login-fails", "--theirs"]);
    eventually("the page is gone", || workspace.sh("ls status/conflicts").is_empty().then_some(()));
}

#[test]
fn a_new_ticket_is_made_on_every_tracker_that_is_named_and_a_change_reaches_all() {
    let workspace = workspace();
    let new =
        ["new", "Login fails: Safari", "--remote", "eng,web", "--field", "labels=[bug, auth]", "--body", "It hangs."];
    let report = workspace.json(&new);
    assert_eq!(report["path"], "tickets/eng/login-fails-safari.md");
    assert_eq!(report["sync"], json!({"eng": "ENG-1", "web": "1"}));
    edit(&workspace, "web", "1", "title", "Login fails everywhere");
    workspace.ok(&["sync", "web"]);
    workspace.ok(&["sync", "eng"]);
    let title = |tracker: &str| issues(&workspace, tracker)[0]["fields"]["title"].clone();
    assert_eq!((title("eng"), title("web")), (json!("Login fails everywhere"), json!("Login fails everywhere")));
    assert_eq!(workspace.json(&["sync", "--dry-run"])["remotes"][0]["rows"], json!([]));
    assert_eq!(issues(&workspace, "eng")[0]["fields"]["labels"], json!(["auth", "bug"]));
}

#[test]
fn a_ticket_is_linked_to_an_issue_that_exists_or_has_one_made_and_is_unlinked() {
    let workspace = workspace();
    workspace.ok(&["new", "Login fails"]);
    workspace.ok(&["new", "There already", "--remote", "web"]);
    workspace.ok(&["unlink", "there-already", "web"]);
    workspace.ok(&["sync"]);

    let said = workspace.ok(&["link", "tickets/login-fails.md", "web:1"]);
    assert!(said.contains("1 on web"), "{said}");
    let status = workspace.json(&["status"]);
    assert_eq!(status["conflicts"][0]["field"], "title", "their titles differ, and nothing was agreed: {status}");
    workspace.ok(&["resolve", "login-fails", "--ours"]);
    assert_eq!(issues(&workspace, "web")[0]["fields"]["title"], "Login fails");
    workspace.ok(&["link", "login-fails", "eng"]);
    assert_eq!(issues(&workspace, "eng")[0]["fields"]["title"], "Login fails");

    for (arguments, reason) in [
        (&["link", "there-already", "web:1"][..], "tickets/login-fails.md already"),
        (&["link", "login-fails", "web:2"], "is 1 on web already"),
        (&["link", "there-already", "web:77"], "web has no 77"),
        (&["link", "there-already", "nowhere"], "there is no remote"),
        (&["link", "missing", "web"], "there is no ticket missing"),
    ] {
        let output = workspace.trackfs(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains(reason), "{arguments:?}: {said}");
    }
    assert_eq!(issues(&workspace, "web").len(), 1, "nothing was made by the way");
}

#[test]
fn a_field_of_ones_own_goes_as_labels_and_comes_back_as_the_field() {
    let workspace = workspace();
    workspace.sh("sed -i 's|^    folder: tickets/web|&\\n    as_labels: {severity: severity/, areas: \"area:\"}|' .trackfs/config.yaml");
    let own = "  severity: {type: choice, of: [high, low]}\\n  areas: set";
    workspace.sh(&format!("sed -i 's/^  labels: set/&\\n{own}/' .trackfs/schema.yaml"));
    workspace.ok(&["new", "Login fails", "--remote", "web", "--field", "severity=high", "--field", "labels=[bug]"]);
    workspace.ok(&["set", "login-fails", "areas+=api"]);
    workspace.ok(&["sync"]);
    assert_eq!(issues(&workspace, "web")[0]["fields"]["labels"], json!(["area:api", "bug", "severity/high"]));
    let file = workspace.read("tickets/web/login-fails.md");
    assert!(file.contains("labels: [bug]\n") && file.contains("severity: high\n"), "{file}");
    // A colleague, who knows labels only.
    edit(&workspace, "web", "1", "labels", json!(["area:api", "area:web", "severity/low", "severity/odd"]));
    workspace.ok(&["sync"]);
    let file = workspace.read("tickets/web/login-fails.md");
    assert!(file.contains("severity: low\n") && file.contains("areas: [api, web]\n"), "{file}");
    assert!(file.contains("labels: [severity/odd]\n"), "{file}");
    assert!(workspace.ok(&["sync"]).contains("web: in step"));
    workspace.ok(&["set", "login-fails", "severity="]);
    workspace.ok(&["sync"]);
    assert_eq!(issues(&workspace, "web")[0]["fields"]["labels"], json!(["area:api", "area:web", "severity/odd"]));
}
