//! The standard suites, on a mount of the real program: what a disk does, the mount does. Each script counts for itself;
//! the numbers here are what the disk below passes, so that a suite of which nothing ran fails.
//!
//! The longer suites are in `tests/long.sh`; figures of both stand in docs/conformance.md.

mod support;

use std::{fs, path::Path};
use support::{Workspace, have, suites};

/// A mounted workspace, or `None` where a program is missing.
fn mounted(programs: &[&str]) -> Option<Workspace> {
    mounted_with(programs, "{}")
}

/// The same, by a configuration.
fn mounted_with(programs: &[&str], yaml: &str) -> Option<Workspace> {
    if !have(programs) {
        return None;
    }
    let mut workspace = Workspace::new();
    workspace.configure(yaml);
    let path = std::env::var("PATH").unwrap_or_default();
    workspace.variables.push(("PATH", format!("{}:{path}", suites().display())));
    workspace.mount();
    Some(workspace)
}

/// Runs a script of tests/conformance on a folder of the mount: it must pass, with at least so many cases.
#[track_caller]
fn passes(workspace: &Workspace, command: &str, cases: usize) {
    passes_in(workspace, "specs", command, cases);
}

#[track_caller]
fn passes_in(workspace: &Workspace, folder: &str, command: &str, cases: usize) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let folder = workspace.dir.join(folder);
    let script = format!("cd {} && {}", scripts.display(), command.replace("MOUNTDIR", folder.to_str().unwrap()));
    let mut bash = workspace.command("timeout");
    let output = bash.args(["-k", "5", "540", "bash", "-c", &format!("{script} 2>&1")]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let verdict = said.lines().rev().find(|line| line.contains(" passed, ")).unwrap_or_default();
    let passed = verdict.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
    assert!(output.status.success() && passed >= cases, "{command}: at least {cases} must pass\n{said}");
    eprintln!("{command}: {verdict}");
    // Whatever the suite did, the daemon is well, and the mount is what lies under it.
    workspace.ok(&["status"]);
}

#[test]
fn posix_semantics() {
    // The path of a socket has 107 bytes at most. It goes after the workspace, which unmounts it.
    let short = tempfile::Builder::new().prefix("p").tempdir_in("/var/tmp").unwrap();
    let Some(workspace) = mounted(&["pjdfstest"]) else { return };
    workspace.ok(&["unmount"]);
    workspace.ok(&["mount", "--at", short.path().to_str().unwrap()]);
    let command = format!("./pjd_rs.sh {} all --expect pjd_expected.txt", short.path().join("specs").display());
    // The one that is expected to fail passes at times.
    passes(&workspace, &command, 381);
    workspace.ok(&["unmount"]);
}

#[test]
fn random_data_operations() {
    let Some(workspace) = mounted(&["fsx"]) else { return };
    passes(&workspace, "./fsx.sh MOUNTDIR all 8000", 9);
}

#[test]
fn the_same_operations_as_on_a_disk() {
    let Some(workspace) = mounted(&["python3"]) else { return };
    let disk = workspace.outside("disk");
    fs::create_dir(&disk).unwrap();
    for profile in ["plain", "editor", "posix"] {
        let command = format!("python3 difffs.py MOUNTDIR {} --profile {profile} --seeds 15 --ops 300", disk.display());
        passes(&workspace, &command, 15);
    }
}

#[test]
fn editors_save_as_on_a_disk() {
    let programs =
        ["vim", "nvim", "emacs", "nano", "kak", "micro", "ed", "sponge", "rsync", "patch", "node", "python3"];
    let Some(workspace) = mounted(&programs) else { return };
    let trackfs = env!("CARGO_BIN_EXE_trackfs");
    // All that was saved has settled when the tickets are counted: a stray one would be seen while the editor is open.
    let list = workspace.outside("list.sh");
    let dir = workspace.dir.display();
    fs::write(&list, format!("cd {dir}\n{trackfs} commit >/dev/null\n{trackfs} status --json | jq .tickets\n"))
        .unwrap();
    let ticket = workspace.outside("ticket.md");
    fs::write(&ticket, "---\ntitle: Fix the flux\nstatus: todo\n---\n\nBody line 1\nBody line 2 \u{e9}\u{4e2d}\n")
        .unwrap();
    let command = format!(
        "python3 editors.py MOUNTDIR --group fast --template {} --list-cmd 'bash {}'",
        ticket.display(),
        list.display()
    );
    passes_in(&workspace, "tickets", &command, 46);
}

#[test]
fn everyday_tools() {
    let programs = ["rsync", "rg", "setfacl", "getfattr", "inotifywait", "flock", "python3"];
    let Some(workspace) = mounted(&programs) else { return };
    passes(&workspace, "./tools.sh MOUNTDIR", 38);
}

#[test]
fn archives_builds_and_maps() {
    let programs = ["rsync", "make", "python3", "fdfind", "rg", "inotifywait", "getfattr", "cargo"];
    let Some(mut workspace) = mounted(&programs) else { return };
    // The toolchain is the one that runs this test.
    let home = |name: &str| std::env::home_dir().unwrap_or_default().join(name).display().to_string();
    for (variable, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        let value = std::env::var(variable).unwrap_or_else(|_| home(folder));
        workspace.variables.push((variable, value));
    }
    passes(&workspace, "./programs.sh MOUNTDIR", 23);
}

/// A request that waits for another one would never end here.
#[test]
fn one_thread_serves_everybody() {
    let programs = ["rsync", "rg", "setfacl", "getfattr", "inotifywait", "flock", "python3", "git", "sqlite3"];
    let Some(workspace) = mounted_with(&programs, "mount: {threads: 1}") else { return };
    passes(&workspace, "./tools.sh MOUNTDIR 200", 38);
    passes(&workspace, "./git_in_mount.sh MOUNTDIR", 29);
    passes(&workspace, "./sqlite_in_mount.sh MOUNTDIR", 60);
}

#[test]
fn git_works_in_the_mount() {
    let Some(workspace) = mounted(&["git"]) else { return };
    passes(&workspace, "./git_in_mount.sh MOUNTDIR", 29);
}

#[test]
fn sqlite_works_in_the_mount() {
    let Some(workspace) = mounted(&["sqlite3"]) else { return };
    passes(&workspace, "./sqlite_in_mount.sh MOUNTDIR", 60);
}

#[test]
fn written_data_is_read_back() {
    let Some(workspace) = mounted(&["fio"]) else { return };
    passes(&workspace, "./fio_verify.sh MOUNTDIR", 9);
}

#[test]
fn what_was_written_through_the_mount_lies_under_it() {
    let Some(workspace) = mounted(&["sha256sum"]) else { return };
    workspace.sh("mkdir specs/a; for n in $(seq 200); do head -c $((n * 137)) /dev/urandom > specs/a/$n; done");
    let seen = workspace.sh("cd specs/a; sha256sum $(ls | sort -n)");
    workspace.ok(&["unmount"]);
    assert_eq!(workspace.sh("cd specs/a; sha256sum $(ls | sort -n)"), seen);
}

#[test]
fn a_save_that_a_kill_cuts_off_is_whole() {
    // SAFETY: takes no arguments and cannot fail.
    let is_root = unsafe { libc::geteuid() } == 0;
    if !have(&["python3"]) || !is_root {
        eprintln!("SKIPPED: it kills processes and unmounts as root");
        return;
    }
    let workspace = Workspace::bare();
    let work = workspace.outside("crash");
    let mut crash = workspace.command("timeout");
    crash.args(["-k", "5", "200"]);
    crash.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/crash.sh"));
    crash.arg("kill").arg(&work).args(["--strict", "--rounds", "5"]).env("TRACKFS", env!("CARGO_BIN_EXE_trackfs"));
    let output = crash.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("15 passed, 0 failed"), "{said}");
}
