//! A daemon that has nothing to do does nothing: no thread of it wakes up.

mod support;

use std::{
    fs, thread,
    time::{Duration, Instant},
};
use support::Workspace;

/// How often the threads of a process gave the processor away, which each does when it has woken up: by thread.
fn wakings(pid: i32) -> Vec<(String, u64)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let mut wakings: Vec<_> = tasks
        .filter_map(|task| {
            let status = fs::read_to_string(task.unwrap().path().join("status")).ok()?;
            let field = |name: &str| Some(status.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned());
            let voluntary = field("voluntary_ctxt_switches:")?.parse::<u64>().unwrap();
            Some((field("Name:")?, voluntary))
        })
        .collect();
    wakings.sort();
    wakings
}

/// Waits until no thread wakes for three seconds.
fn assert_sleeps(pid: i32) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut before = wakings(pid);
    loop {
        thread::sleep(Duration::from_secs(3));
        let now = wakings(pid);
        if now == before {
            return;
        }
        assert!(Instant::now() < deadline, "something wakes again and again:\n{before:?}\n{now:?}");
        before = now;
    }
}

#[test]
fn a_mount_that_nobody_uses_sleeps() {
    let workspace = Workspace::new();
    workspace.mount();
    workspace.write("tickets/a.md", "---\ntitle: A\nstatus: todo\n---\n");
    workspace.ok(&["commit"]);
    let daemon = workspace.daemon().unwrap();
    assert_sleeps(daemon);
    let children = fs::read_to_string(format!("/proc/{daemon}/task/{daemon}/children")).unwrap();
    assert_ne!(children, "", "the supervisor is there");
    for child in children.split_whitespace() {
        assert_sleeps(child.parse().unwrap());
    }
}

#[test]
fn a_watch_over_plain_files_sleeps() {
    let workspace = Workspace::new();
    let mut watch = workspace.command(env!("CARGO_BIN_EXE_trackfs"));
    let mut watch = watch.arg("watch").stdout(std::process::Stdio::null()).spawn().unwrap();
    support::eventually("the daemon answers", || workspace.daemon());
    workspace.write("specs/a.md", "A\n");
    workspace.ok(&["commit"]);
    let slept = std::panic::catch_unwind(|| assert_sleeps(i32::try_from(watch.id()).unwrap()));
    workspace.ok(&["unmount"]);
    watch.wait().unwrap();
    slept.unwrap();
}
