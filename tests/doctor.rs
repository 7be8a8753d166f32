//! `doctor` finds what is wrong, says the remedy, and with `--fix` mends what needs no decision.

#[path = "support/example_key.rs"]
mod example_key;
mod support;

use serde_json::Value;
use std::fs;
use support::{Workspace, eventually, is_dead};

fn findings(workspace: &Workspace, arguments: &[&str]) -> Vec<Value> {
    let output = workspace.trackfs(&[&["doctor", "--json"], arguments].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn finding<'a>(findings: &'a [Value], check: &str) -> &'a Value {
    findings.iter().find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("{check}: {findings:#?}"))
}

#[test]
fn a_workspace_in_order_has_no_errors() {
    let workspace = Workspace::new();
    let said = workspace.ok(&["doctor"]);
    assert!(said.contains("no daemon runs") && !said.contains("error"), "{said}");
    workspace.mount();
    assert!(workspace.ok(&["doctor"]).contains("its daemon runs"));
}

#[test]
fn broken_settings_are_named_with_their_remedy() {
    let workspace = Workspace::new();
    workspace.configure("comit: {}");
    workspace.write(".trackfs/schema.yaml", "statuses: 7\n");
    let output = workspace.trackfs(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("2 things are wrong"));
    let findings = findings(&workspace, &[]);
    assert!(finding(&findings, "config")["found"].as_str().unwrap().contains("comit"));
    for check in ["config", "schema"] {
        assert_eq!(finding(&findings, check)["state"], "error");
        assert!(finding(&findings, check)["remedy"].as_str().unwrap().contains("stays in force"));
    }
}

#[test]
fn a_missing_token_and_a_remote_that_is_away_are_told_apart() {
    let workspace = Workspace::new();
    let remote =
        |token: &str| format!("{{type: github, repo: a/b, folder: tickets/a, url: 'http://127.0.0.1:9', {token}}}");
    workspace.configure(&format!(
        "remotes:\n  locked: {}\n  away: {}",
        remote("token: {env: TRACKFS_NO_SUCH}"),
        remote("token: {command: echo t}")
    ));
    let findings = findings(&workspace, &[]);
    let locked = finding(&findings, "remote locked");
    assert_eq!(locked["state"], "error");
    assert!(locked["found"].as_str().unwrap().contains("TRACKFS_NO_SUCH"), "{locked}");
    let away = finding(&findings, "remote away");
    assert_eq!(away["state"], "warning");
    assert!(away["remedy"].as_str().unwrap().contains("nothing is lost"), "{away}");
    assert_eq!(finding(&self::findings(&workspace, &["--offline"]), "remote away")["state"], "ok");
}

#[test]
fn an_apps_key_is_found_and_what_is_none_is_told_from_it() {
    let workspace = Workspace::new();
    workspace.configure(
        "remotes:\n  bot: {type: github, repo: a/b, folder: tickets/a, token: {app: {id: 12345, key: {env: APP_KEY}}}}",
    );
    let bot = |key: &str| {
        let mut command = workspace.command(env!("CARGO_BIN_EXE_trackfs"));
        let output = command.args(["doctor", "--json", "--offline"]).env("APP_KEY", key).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let findings: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        finding(&findings, "remote bot").clone()
    };
    for key in [example_key::pkcs1(), example_key::pkcs8().replace('\n', "\\n")] {
        assert_eq!(bot(&key)["found"], "github, the app's key is there; not asked");
    }
    let none = bot("hush-hush");
    assert_eq!(none["state"], "error");
    assert!(none["found"].as_str().unwrap().contains("`remotes.bot.token.app.key`"), "{none}");
    assert!(none["remedy"].as_str().unwrap().contains("an app with read and write access"), "{none}");
    assert!(!none.to_string().contains("hush"), "{none}");
}

#[test]
fn a_dead_mount_is_found_and_taken_away_with_fix() {
    let workspace = Workspace::new();
    workspace.mount();
    workspace.kill();
    eventually("the mount is dead", || is_dead(&workspace.dir).then_some(()));
    let doctor = |fix: &[&str]| {
        let mut command = workspace.command(env!("CARGO_BIN_EXE_trackfs"));
        let output = command.current_dir("/").args(["doctor"]).arg(&workspace.dir).args(fix).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (well, said) = doctor(&[]);
    assert!(!well && said.contains("dead mount") && said.contains("`trackfs mount` heals it"), "{said}");
    let (well, said) = doctor(&["--fix"]);
    assert!(well && said.contains("fixed    mount"), "{said}");
    assert!(workspace.dir.join(".trackfs").is_dir());
}

#[test]
fn what_is_left_behind_and_what_cannot_be_read_are_said() {
    let workspace = Workspace::new();
    let git = workspace.sh("git rev-parse --absolute-git-dir");
    let lock = format!("{}/index.lock", git.trim());
    fs::write(&lock, "").unwrap();
    workspace.sh(&format!("touch -d '1 hour ago' '{lock}'"));
    assert_eq!(finding(&findings(&workspace, &[]), "git lock")["state"], "warning");
    fs::remove_file(&lock).unwrap();
    let head = format!("{}/HEAD", git.trim());
    fs::write(&head, "nonsense\n").unwrap();
    assert_eq!(finding(&findings(&workspace, &[]), "repository")["state"], "error");
    fs::write(&head, "ref: refs/heads/main\n").unwrap();
    let away = format!("{}-away", git.trim());
    fs::rename(git.trim(), &away).unwrap();
    assert_eq!(finding(&findings(&workspace, &[]), "workspace")["state"], "error");
    fs::rename(&away, git.trim()).unwrap();
    assert!(workspace.trackfs(&["doctor"]).status.success());
}

#[test]
fn a_large_index_is_said_to_be_written_whole_unless_git_was_told_how() {
    let workspace = Workspace::new();
    let large = || findings(&workspace, &[]).iter().any(|finding| finding["check"] == "git index");
    assert!(!large());
    let entry = r"100644 e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\t%0999d\n";
    workspace.sh(&format!("printf '{entry}' $(seq 2100) | git update-index --index-info"));
    assert!(large());
    assert_eq!(finding(&findings(&workspace, &[]), "git index")["state"], "ok");
    workspace.sh("git config core.splitIndex false");
    assert!(!large());
}

#[test]
fn outside_of_a_workspace_it_says_how_to_make_one() {
    let workspace = Workspace::bare();
    let output = workspace.trackfs(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("→ `trackfs init` makes one"));
}
