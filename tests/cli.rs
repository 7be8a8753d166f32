//! The command line as its users meet it: workspaces made in every kind of folder, remotes, exit codes, streams.

mod support;

use assert_cmd::{Command, assert::Assert};
use predicates::{prelude::*, str::contains};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
};
use support::{Workspace, eventually, is_dead, is_mounted};

impl Workspace {
    /// Runs trackfs; what it did is up for assertions.
    fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Assert {
        Command::from_std(self.command(env!("CARGO_BIN_EXE_trackfs"))).args(arguments).assert()
    }

    /// Standard output of a git command that has to succeed.
    fn git(&self, command: &str) -> String {
        self.sh(&format!("git {command}")).trim().to_owned()
    }

    fn config(&self) -> String {
        self.read(".trackfs/config.yaml")
    }
}

fn json(done: Assert) -> serde_json::Value {
    serde_json::from_slice(&done.get_output().stdout).unwrap()
}

// --- init ---------------------------------------------------------------------------------------------------------------

#[test]
fn an_empty_folder_becomes_a_workspace_with_one_clean_commit() {
    let workspace = Workspace::bare();
    let report = json(workspace.run(["init", "--json"]).success());
    let made: Vec<_> = report["made"].as_array().unwrap().iter().filter_map(|path| path.as_str()).collect();
    for path in ["tickets/", "specs/", "inbox/", ".trackfs/config.yaml", ".trackfs/schema.yaml", "AGENTS.md", ".ignore"]
    {
        assert!(made.contains(&path) && workspace.dir.join(path).exists(), "{path}");
    }
    assert_eq!(workspace.git("status --porcelain"), "");
    assert_eq!(workspace.git("rev-list --count HEAD"), "1");
    assert_eq!(workspace.git("rev-parse HEAD"), report["commit"].as_str().unwrap());
}

#[test]
fn the_repository_is_outside_the_workspace() {
    let workspace = Workspace::new();
    assert!(workspace.dir.join(".git").is_file());
    let git_dir = PathBuf::from(workspace.git("rev-parse --absolute-git-dir"));
    assert!(git_dir.starts_with(workspace.outside("data/trackfs")), "{git_dir:?}");
}

#[test]
fn a_second_init_changes_nothing_and_keeps_what_was_edited() {
    let workspace = Workspace::new();
    fs::write(workspace.dir.join(".trackfs/config.yaml"), "validation: off\n").unwrap();
    let before = workspace.git("rev-parse HEAD");
    workspace.run(["init"]).success().stdout(contains("nothing was missing"));
    assert_eq!(workspace.config(), "validation: off\n");
    assert_eq!(workspace.git("rev-parse HEAD"), before);
}

#[test]
fn files_that_are_there_stay_and_are_not_committed_by_init() {
    let workspace = Workspace::bare();
    let dir = &workspace.dir;
    fs::create_dir(dir.join("tickets")).unwrap();
    fs::write(dir.join("tickets/mine.md"), "# Mine\n").unwrap();
    fs::write(dir.join("AGENTS.md"), "# House rules\n").unwrap();
    workspace.run(["init"]).success().stdout(contains("AGENTS.md was there"));
    assert_eq!(fs::read_to_string(dir.join("AGENTS.md")).unwrap(), "# House rules\n");
    assert!(dir.join(".trackfs/AGENTS.md").is_file());
    assert_eq!(workspace.git("status --porcelain"), "?? AGENTS.md\n?? tickets/");
}

#[test]
fn a_git_repository_keeps_its_history_and_what_is_staged() {
    let workspace = Workspace::bare();
    let dir = &workspace.dir;
    workspace.git("init -q -b trunk");
    fs::write(dir.join("README.md"), "one\n").unwrap();
    workspace.git("add README.md");
    workspace.git("commit -q -m first");
    fs::write(dir.join("README.md"), "two\n").unwrap();
    workspace.git("add README.md");
    workspace.run(["init"]).success().stdout(contains("history and index kept"));
    assert_eq!(workspace.git("log --format=%s"), "Start a trackfs workspace\nfirst");
    assert_eq!(workspace.git("symbolic-ref --short HEAD"), "trunk");
    assert_eq!(workspace.git("status --porcelain"), "M  README.md");
    assert_eq!(workspace.git("fsck --no-progress"), "");
}

#[test]
fn a_merge_in_progress_is_left_alone() {
    let workspace = Workspace::bare();
    let dir = &workspace.dir;
    workspace.git("init -q -b main");
    fs::write(dir.join("a"), "base\n").unwrap();
    workspace.git("add a");
    workspace.git("commit -q -m base");
    workspace.git("checkout -q -b other");
    fs::write(dir.join("a"), "other\n").unwrap();
    workspace.git("commit -q -am other");
    workspace.git("checkout -q main");
    fs::write(dir.join("a"), "main\n").unwrap();
    workspace.git("commit -q -am main");
    workspace.sh("! git merge -q other");
    let before = workspace.git("rev-parse HEAD");
    let report = json(workspace.run(["init", "--json"]).success());
    assert!(report["commit"].is_null() && report["notes"].to_string().contains("a merge is in progress"), "{report}");
    assert_eq!(workspace.git("rev-parse HEAD"), before);
    workspace.git("rev-parse MERGE_HEAD");
}

#[test]
fn a_git_dir_of_choice_is_used_and_one_inside_the_workspace_is_refused() {
    let workspace = Workspace::bare();
    workspace.run(["init", "--git-dir", "store/git"]).code(1).stderr(contains("inside the workspace"));
    assert!(!workspace.dir.join(".trackfs").exists(), "a refused init leaves no trace");
    workspace.run(["init", "--git-dir", "../store/planning.git"]).success();
    assert_eq!(PathBuf::from(workspace.git("rev-parse --absolute-git-dir")), workspace.outside("store/planning.git"));
    workspace.run(["init", "--git-dir", "../other"]).code(1).stderr(contains("has its repository in"));
}

#[test]
fn the_home_folder_and_folders_of_another_workspace_are_refused() {
    let workspace = Workspace::new();
    workspace.run(["init", ".."]).code(1).stderr(contains("everything in it would be versioned"));
    workspace.run(["init", "tickets/inner"]).code(1).stderr(contains("is inside the workspace"));
}

#[test]
fn a_gitfile_whose_repository_is_gone_is_not_replaced() {
    let workspace = Workspace::new();
    fs::rename(workspace.outside("data"), workspace.outside("gone")).unwrap();
    let gitfile = fs::read_to_string(workspace.dir.join(".git")).unwrap();
    workspace.run(["init"]).code(1).stderr(contains("does not lead to a repository").and(contains("next:")));
    assert_eq!(fs::read_to_string(workspace.dir.join(".git")).unwrap(), gitfile);
}

// --- remote -------------------------------------------------------------------------------------------------------------

#[test]
fn a_remote_is_added_listed_and_removed_and_the_rest_of_the_file_stays() {
    let workspace = Workspace::new();
    let before = workspace.config();
    workspace.run(["remote", "list"]).success().stdout(contains("no remotes"));
    workspace
        .run(["remote", "add", "linear", "--type", "linear", "--team", "ENG", "--token-env", "WORK_KEY"])
        .success();
    workspace
        .run(["remote", "list"])
        .success()
        .stdout("linear: linear ENG, tickets in tickets/linear, token from $WORK_KEY\n");
    let listed = json(workspace.run(["remote", "list", "--json"]).success());
    assert_eq!((listed["name"].as_str(), listed["team"].as_str()), (Some("linear"), Some("ENG")));
    workspace.run(["remote", "add", "linear", "--type", "linear", "--team", "X"]).code(1).stderr(contains("already"));
    workspace.run(["remote", "remove", "linear"]).code(1).stderr(contains("--yes"));
    workspace.run(["remote", "remove", "linear", "--yes"]).success();
    assert_eq!(workspace.config(), before);
    workspace.run(["remote", "remove", "linear", "--yes"]).code(1).stderr(contains("no remote linear"));
}

#[test]
fn a_token_never_gets_into_the_configuration_or_onto_the_screen() {
    let workspace = Workspace::new();
    let before = workspace.config();
    for token in ["ghp_0123456789abcdefghij", "github_pat_11ABC", "lin_api_0123456789", "ghs_x1"] {
        for option in ["--token-env", "--token-command", "--url", "--repo"] {
            let repo = if option == "--repo" { vec![] } else { vec!["--repo", "acme/app"] };
            let args = ["remote", "add", "gh", "--type", "github", option, token];
            workspace
                .run(args.into_iter().chain(repo))
                .code(1)
                .stderr(contains(token).not().and(contains("GITHUB_TOKEN")))
                .stdout(contains(token).not());
        }
    }
    assert_eq!(workspace.config(), before);
}

#[test]
fn a_form_that_cannot_be_edited_by_lines_is_left_to_its_author() {
    let workspace = Workspace::new();
    let flow = "remotes: {a: {type: linear, team: ENG, folder: tickets/a}}\n";
    fs::write(workspace.dir.join(".trackfs/config.yaml"), flow).unwrap();
    let add = ["remote", "add", "gh", "--type", "github", "--repo", "acme/app"];
    workspace.run(add).code(1).stderr(contains("edit it by hand"));
    assert_eq!(workspace.config(), flow);
}

#[test]
fn a_broken_configuration_is_named_with_its_line() {
    let workspace = Workspace::new();
    fs::write(workspace.dir.join(".trackfs/config.yaml"), "validation: on\ncomit: {}\n").unwrap();
    workspace.run(["remote", "list"]).code(1).stderr(contains("config.yaml").and(contains("comit")));
}

// --- log, events --------------------------------------------------------------------------------------------------------

#[test]
fn log_shows_commits_of_everything_or_of_one_path() {
    let workspace = Workspace::new();
    fs::write(workspace.dir.join("tickets/a.md"), "---\ntitle: A\n---\n").unwrap();
    workspace.git("add tickets");
    workspace.git("commit -q -m 'by hand'");
    let all = workspace.run(["log"]).success().get_output().stdout.clone();
    assert_eq!(String::from_utf8(all).unwrap().lines().count(), 2);
    workspace.run(["-C", "tickets", "log", "a.md"]).success().stdout(contains("by hand").and(contains("Start").not()));
    let newest = json(workspace.run(["log", "-n", "1", "--json"]).success());
    assert_eq!(newest["id"].as_str().unwrap(), workspace.git("rev-parse HEAD"));
    workspace.run(["log", "/etc/passwd"]).code(1).stderr(contains("is not in the workspace"));
}

#[test]
fn a_workspace_where_nothing_happened_has_no_events() {
    Workspace::new().run(["events"]).success().stdout("");
}

// --- exit codes and streams ---------------------------------------------------------------------------------------------

#[test]
fn a_wrong_command_line_exits_with_two_and_says_how_it_should_be() {
    let workspace = Workspace::bare();
    let wrong: [&[&str]; 6] = [
        &["frobnicate"],
        &["status", "--frobnicate"],
        &["remote", "add", "x"],
        &["remote", "add", "x", "--type", "github"],
        &["remote", "add", "x", "--type", "gitlab"],
        &["events", "--follow", "--ops"],
    ];
    for args in wrong {
        workspace.run(args.iter().copied()).code(2).stdout("").stderr(contains("--help"));
    }
}

#[test]
fn outside_of_a_workspace_a_command_fails_with_one_and_says_what_to_do() {
    let workspace = Workspace::bare();
    for command in ["status", "commit", "flush", "sync", "log", "events"] {
        workspace.run([command]).code(1).stdout("").stderr(contains("trackfs init"));
    }
    workspace.run(["-C", "nowhere", "status"]).code(1).stderr(contains("nowhere").and(contains("why:")));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let workspace = Workspace::new();
    let mut child = workspace
        .command(env!("CARGO_BIN_EXE_trackfs"))
        .arg("log")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
}

#[test]
fn help_shows_examples() {
    let workspace = Workspace::bare();
    for command in ["init", "sync", "log", "events"] {
        workspace.run([command, "--help"]).success().stdout(contains("Examples:"));
    }
    workspace.run(["--version"]).success().stdout(contains(env!("CARGO_PKG_VERSION")));
}

// --- demo, dead mounts --------------------------------------------------------------------------------------------------

/// Runs the demo until its tour is shown, looks, and interrupts it.
fn demo(arguments: &[&str], look: impl FnOnce(&Path)) {
    demo_by(&[env!("CARGO_BIN_EXE_trackfs")], arguments, look);
}

/// As [`demo`], started by a program that changes what it may do.
fn demo_by(program: &[&str], arguments: &[&str], look: impl FnOnce(&Path)) {
    let outside = Workspace::bare();
    let dir = outside.outside("demo");
    let mut demo = outside.command(program[0]);
    demo.args(&program[1..]).args(["demo", "--dir"]).arg(&dir).args(arguments);
    let mut demo = demo.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("Ctrl-C here")), "the tour was shown");
    look(&dir.join("work"));
    // SAFETY: kill takes no pointers.
    unsafe { libc::kill(i32::try_from(demo.id()).unwrap(), libc::SIGINT) };
    assert!(demo.wait().unwrap().success());
    assert!(!dir.exists(), "everything is removed");
}

#[test]
fn the_demo_on_plain_files_has_both_trackers_in_step_and_leaves_nothing() {
    demo(&["--watch"], |work| {
        assert!(work.join("tickets/web/1.md").is_file() && work.join("tickets/eng/ENG-1.md").is_file());
        assert!(fs::read_to_string(work.join("tickets/eng/eng-epic.md")).unwrap().contains("linear: ENG-"));
    });
}

#[test]
fn the_demo_on_a_mount_has_views_and_leaves_nothing() {
    demo(&[], |work| {
        assert!(is_mounted(work));
        assert!(fs::read_dir(work.join("views/status/todo")).unwrap().count() > 20);
    });
}

#[test]
fn the_demo_runs_on_plain_files_where_mounting_is_forbidden() {
    let without_the_right = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];
    demo_by(&[&without_the_right[..], &[env!("CARGO_BIN_EXE_trackfs")]].concat(), &[], |work| {
        assert!(!is_mounted(work));
        assert!(work.join("tickets/web/1.md").is_file());
    });
}

#[test]
fn the_demo_takes_no_folder_that_is_there() {
    let workspace = Workspace::new();
    workspace.run(["demo", "--dir", "."]).code(1).stderr(contains("removes its folder"));
    assert!(workspace.dir.join(".trackfs").is_dir());
}

/// A mounted workspace whose daemon and supervisor were killed.
fn dead_mount() -> Workspace {
    let workspace = Workspace::new();
    workspace.mount();
    workspace.kill();
    eventually("the mount is dead", || is_dead(&workspace.dir).then_some(()));
    workspace
}

/// Runs trackfs from outside of the workspace, where a dead mount lets nobody stand.
fn from_outside(workspace: &Workspace, command: &str) -> Assert {
    let mut trackfs = workspace.command(env!("CARGO_BIN_EXE_trackfs"));
    trackfs.current_dir("/").arg(command).arg(&workspace.dir);
    Command::from_std(trackfs).assert()
}

#[test]
fn a_dead_mount_is_named_and_mounting_again_heals_it() {
    let workspace = dead_mount();
    from_outside(&workspace, "status").code(1).stderr(contains("dead mount"));
    from_outside(&workspace, "mount").success();
    assert!(is_mounted(&workspace.dir) && workspace.dir.join("status/health.json").exists());
}

#[test]
fn unmounting_takes_a_dead_mount_away() {
    let workspace = dead_mount();
    from_outside(&workspace, "unmount").success();
    assert!(!is_mounted(&workspace.dir) && workspace.dir.join(".trackfs").is_dir());
}

// --- mount-scripts ------------------------------------------------------------------------------------------------------

fn mount_helper(args: &[&str]) -> Assert {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("mount-scripts/mount.trackfs");
    let bin = Path::new(env!("CARGO_BIN_EXE_trackfs")).parent().unwrap();
    let path = format!("{}:/usr/sbin:/usr/bin:/bin", bin.display());
    Command::new("sh").arg(script).args(args).env("PATH", path).assert()
}

#[test]
fn the_fstab_helper_runs_the_daemon_as_the_owner_of_the_workspace() {
    mount_helper(&["/w", "/mnt/w", "-fv", "-o", "rw,noauto,setuid=ada,x-systemd.automount"])
        .success()
        .stderr(contains("runuser -u ada -- ").and(contains("trackfs mount /w --at /mnt/w")));
}

#[test]
fn the_scripts_mount_and_unmount_a_workspace() {
    let workspace = Workspace::new();
    let dir = workspace.dir.to_str().unwrap();
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/mount-scripts");
    let bin = Path::new(env!("CARGO_BIN_EXE_trackfs")).parent().unwrap().display();
    workspace.sh(&format!("PATH={bin}:$PATH; sh {scripts}/mount.trackfs {dir} {dir} -o rw,noauto >&2"));
    assert!(is_mounted(&workspace.dir));
    workspace.sh(&format!("PATH={bin}:$PATH; cd /; sh {scripts}/unmount.sh {dir}"));
    assert!(!is_mounted(&workspace.dir));
}

#[test]
fn the_fstab_helper_refuses_options_it_does_not_know() {
    mount_helper(&["/w", "/mnt/w", "-f", "-o", "rw,frobnicate"]).code(1).stderr(contains("frobnicate"));
    mount_helper(&["/w", "/mnt/w", "-fs", "-o", "rw,frobnicate"]).success();
    mount_helper(&["/w", "/mnt/w", "-f", "-o", "ro"]).code(1).stderr(contains("read-only"));
    mount_helper(&["/w"]).code(1).stderr(contains("usage"));
}
