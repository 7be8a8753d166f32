//! `show`, `set`, `comment` and `open`, with a mount and without; completions and man pages.

mod support;

use serde_json::{Value, json};
use support::{Workspace, manual};

const LOGIN: &str = "---\ntitle: Login fails   # on Safari\nstatus: todo\nlabels: [bug, ui]\nestimate: 3\nsync: {hub: H-7}\n---\n\nSee [[tokens]].\n";

fn workspace(mounted: bool) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("tickets/web/login.md", LOGIN);
    workspace.write("tickets/tokens.md", "---\ntitle: Tokens\nstatus: todo\n---\n");
    workspace.write("tickets/a/same.md", "---\ntitle: Same\nstatus: todo\n---\n");
    workspace.write("tickets/b/same.md", "---\ntitle: Same\nstatus: todo\n---\n");
    if mounted {
        workspace.mount();
    }
    workspace.ok(&["commit"]);
    workspace
}

#[track_caller]
fn refused(workspace: &Workspace, arguments: &[&str]) -> String {
    let output = workspace.trackfs(arguments);
    assert!(!output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_ticket_is_shown_whole_by_path_name_or_key() {
    for mounted in [false, true] {
        let workspace = workspace(mounted);
        workspace.ok(&["comment", "login", "It is so on iOS, too."]);
        let whole = "Login fails\ntickets/web/login.md\n  status    todo\n  labels    bug, ui\n  estimate  3\n  sync      hub: H-7\n\nSee [[tokens]].\n\n-- tickets/web/login/comments/1-Test.md\n\nIt is so on iOS, too.\n";
        for name in ["login", "login.md", "tickets/web/login.md", "H-7"] {
            assert_eq!(workspace.ok(&["show", name]), whole, "{name}");
        }
        let shown = workspace.json(&["show", "H-7"]);
        assert_eq!((&shown["fields"]["estimate"], &shown["body"]), (&json!(3), &json!("\nSee [[tokens]].\n")));
        assert_eq!(shown["comments"][0]["path"], "tickets/web/login/comments/1-Test.md");
        assert!(refused(&workspace, &["show", "same"]).contains("tickets/a/same.md, tickets/b/same.md; say its path"));
        assert!(refused(&workspace, &["show", "nothing"]).contains("there is no ticket nothing"));
    }
}

#[test]
fn comments_are_shown_in_the_order_in_which_they_were_made() {
    let workspace = workspace(false);
    for number in 1..=11 {
        workspace.ok(&["comment", "login", &format!("number {number}")]);
    }
    let shown = workspace.json(&["show", "login"]);
    let bodies: Vec<_> = shown["comments"].as_array().unwrap().iter().map(|comment| comment["body"].clone()).collect();
    assert_eq!(bodies, (1..=11).map(|number| json!(format!("number {number}\n"))).collect::<Vec<Value>>());
    assert!(refused(&workspace, &["comment", "login", "  "]).contains("the comment is empty"));
    assert!(refused(&workspace, &["comment", "login"]).contains("nobody is there to write the comment"));
    assert_eq!(workspace.json(&["show", "login"])["comments"].as_array().unwrap().len(), 11);
}

#[test]
fn fields_are_set_in_their_own_lines() {
    for mounted in [false, true] {
        let workspace = workspace(mounted);
        let told = workspace.ok(&[
            "set",
            "login",
            "status=done",
            "labels+=auth,bug",
            "labels-=ui",
            "estimate=",
            "due=2026-12-01",
        ]);
        assert_eq!(
            told,
            "tickets/web/login.md  status: todo → done; labels: +auth −ui; due: 2026-12-01; estimate: 3 → nothing\n"
        );
        let expected = LOGIN
            .replace("todo", "done")
            .replace("[bug, ui]", "[auth, bug]")
            .replace("estimate: 3\n", "")
            .replace("sync: ", "due: 2026-12-01\nsync: ");
        let text = workspace.read("tickets/web/login.md");
        let lines = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(&text), lines(&expected), "{text}");
        assert_eq!(workspace.sh("git show --format= --name-only HEAD"), "tickets/web/login.md\n");
        assert_eq!(workspace.ok(&["set", "login", "status=done"]), "it is so already\n");
        for (field, why) in [
            ("status=tdoo", "did you mean `todo`?"),
            ("statsu=done", "no field `statsu` (did you mean `status`?)"),
            ("estimate=many", "`estimate` is a number"),
            ("status+=x", "`status` is no list"),
            ("sync=x", "`sync` is written by trackfs"),
        ] {
            assert!(refused(&workspace, &["set", "login", field]).contains(why), "{field}");
        }
        assert_eq!(workspace.trackfs(&["set", "login", "status"]).status.code(), Some(2));
        assert_eq!(workspace.read("tickets/web/login.md"), text);
    }
}

#[test]
fn a_ticket_is_opened_in_the_editor_or_on_the_web() {
    let workspace = workspace(true);
    let mut open = workspace.command(env!("CARGO_BIN_EXE_trackfs"));
    let output = open.args(["open", "login"]).env("VISUAL", "sed -i s/todo/in-progress/").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(workspace.read("tickets/web/login.md").contains("status: in-progress"));
    assert!(refused(&workspace, &["open", "tokens", "--web"]).contains("is on no tracker"));
    let mut failing = workspace.command(env!("CARGO_BIN_EXE_trackfs"));
    let output = failing.args(["open", "login"]).env("VISUAL", "false").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("false failed"), "{output:?}");
}

#[test]
fn completions_and_man_pages_come_from_the_command_line() {
    let workspace = Workspace::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = workspace.ok(&["completions", shell]);
        assert!(script.contains("restore") && script.contains("json"), "{shell}");
        // The one shell that is everywhere reads its own.
        if shell == "bash" {
            let file = workspace.outside(shell);
            std::fs::write(&file, script).unwrap();
            let checked = workspace.command(shell).arg("-n").arg(&file).output().unwrap();
            assert!(checked.status.success(), "{checked:?}");
        }
    }
    let dir = workspace.outside("man");
    workspace.ok(&["man", dir.to_str().unwrap()]);
    let pages = std::fs::read_dir(&dir).unwrap().count();
    assert!(pages > 25, "{pages}");
    let page = std::fs::read_to_string(dir.join("trackfs-sql.1")).unwrap();
    assert!(page.contains("remove\\-many"), "{page}");
}

#[test]
fn a_workspace_is_mounted_at_login_by_systemd() {
    let workspace = Workspace::new();
    // Stands in for systemd: it notes what it is asked, and starts what it is told to.
    let bin = workspace.outside("bin");
    std::fs::create_dir(&bin).unwrap();
    let fake = "#!/bin/sh\necho \"$@\" >> \"$HOME/asked\"\n[ ! -e \"$HOME/broken\" ]\n";
    for name in ["systemctl", "journalctl"] {
        std::fs::write(bin.join(name), fake).unwrap();
        std::fs::set_permissions(bin.join(name), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let run = |arguments: &[&str]| {
        let mut command = workspace.command(env!("CARGO_BIN_EXE_trackfs"));
        command.args(arguments).env("PATH", &path).env_remove("XDG_CONFIG_HOME").output().unwrap()
    };
    let home = bin.parent().unwrap();
    let asked = || std::fs::read_to_string(home.join("asked")).unwrap_or_default();
    assert!(!run(&["service", "status"]).status.success());
    let installed = run(&["service", "install"]);
    assert!(installed.status.success(), "{installed:?}");
    let units = home.join(".config/systemd/user");
    let unit = std::fs::read_dir(&units).unwrap().next().unwrap().unwrap();
    let (name, text) = (unit.file_name().into_string().unwrap(), std::fs::read_to_string(unit.path()).unwrap());
    assert!(text.contains(&format!("mount --foreground \"{}\"\n", workspace.dir.display())), "{text}");
    assert_eq!(asked(), format!("--user daemon-reload\n--user enable --now {name}\n"));
    // On a machine with systemd, it has the last word on what its units may say.
    if std::path::Path::new("/usr/bin/systemd-analyze").exists() {
        let checked = workspace
            .command("systemd-analyze")
            .args(["--user", "verify"])
            .arg(unit.path())
            .env("XDG_RUNTIME_DIR", home)
            .output()
            .unwrap();
        assert!(checked.status.success(), "{checked:?}");
    }
    run(&["logs", "-f", "-n", "5"]);
    assert!(asked().ends_with(&format!("--user-unit {name} --no-pager -n 5 -f\n")));
    assert!(run(&["service", "uninstall"]).status.success());
    assert!(asked().ends_with(&format!("--user disable --now {name}\n--user daemon-reload\n")));
    assert_eq!(std::fs::read_dir(&units).unwrap().count(), 0);
    // Where there is no systemd, the error says what else to do.
    std::fs::write(home.join("broken"), "").unwrap();
    let refused = String::from_utf8(run(&["service", "install"]).stderr).unwrap();
    assert!(
        refused.contains("failed (exit status: 1)") && refused.contains("`trackfs mount` in a login script"),
        "{refused}"
    );
    std::fs::remove_file(units.join(&name)).unwrap();
    workspace.mount();
    let refused = String::from_utf8(run(&["service", "install"]).stderr).unwrap();
    assert!(refused.contains("is mounted or watched already"), "{refused}");
}

#[test]
fn a_daemon_says_what_it_logged_and_a_long_log_is_put_away() {
    let workspace = Workspace::new();
    assert!(refused(&workspace, &["logs"]).contains("nothing was logged yet"));
    workspace.mount();
    let log = workspace.sh("git rev-parse --absolute-git-dir").trim().to_owned() + "/trackfs/daemon.log";
    std::fs::write(&log, "one\ntwo\nthree\n").unwrap();
    assert_eq!(workspace.ok(&["logs", "-n", "2"]), "two\nthree\n");
    workspace.ok(&["unmount"]);
    std::fs::write(&log, "line\n".repeat(300_000)).unwrap();
    workspace.mount();
    assert!(std::fs::metadata(&log).unwrap().len() < 1000);
    assert_eq!(std::fs::metadata(format!("{log}.1")).unwrap().len(), 1_500_000);
}

#[test]
fn the_log_of_a_daemon_that_runs_for_long_is_put_away_while_it_runs() {
    let mut workspace = Workspace::new();
    workspace.variables.push(("TRACKFS_LOG", "trace".to_owned()));
    workspace.write("tickets/t.md", "---\ntitle: T\n---\n");
    workspace.mount();
    let log = workspace.sh("git rev-parse --absolute-git-dir").trim().to_owned() + "/trackfs/daemon.log";
    let put_away = format!("{log}.1");
    let mut rounds = 0;
    while !std::fs::exists(&put_away).unwrap() {
        workspace.sh("for i in $(seq 200); do stat -c %s tickets/t.md specs nothing; cat tickets/t.md; done >/dev/null 2>&1 || true");
        rounds += 1;
        assert!(rounds < 200, "{} bytes after {rounds} rounds", std::fs::metadata(&log).unwrap().len());
    }
    // What comes after goes into the new one, and neither is much longer than it may be.
    let begun = std::fs::metadata(&log).unwrap().len();
    workspace.sh("cat tickets/t.md; touch specs/x");
    assert!(std::fs::metadata(&log).unwrap().len() > begun);
    assert!(std::fs::metadata(&put_away).unwrap().len() < 1_200_000);
    assert_ne!(workspace.ok(&["logs", "-n", "3"]), "");
}

#[test]
fn what_the_manual_shows_is_what_happens() {
    let workspace = Workspace::new();
    workspace.configure("me: ada");
    manual::runs(&workspace, "everyday.md");
}
