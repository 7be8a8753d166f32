//! No request to the mount waits for the network, a git commit, or for ever.

mod support;

use std::{
    fs,
    io::Write,
    process::{Child, Output, Stdio},
};
use support::{Workspace, eventually};

const TICKET: &str = "---\ntitle: Login fails\nstatus: todo\n---\nBody\n";

impl Workspace {
    /// Runs a script in the mount, and ends it after half a minute: what still runs then waits for somebody.
    fn in_time(&self, script: &str) -> Output {
        self.command("timeout").args(["-s", "KILL", "30", "bash", "-euc", script]).output().unwrap()
    }

    #[track_caller]
    fn answers(&self, script: &str) {
        let output = self.in_time(script);
        assert!(output.status.success(), "{script}: {output:?}");
    }

    fn state(&self) -> String {
        self.read(".git").trim_start_matches("gitdir:").trim().to_owned() + "/trackfs"
    }
}

/// What every program does to files, and every generated file.
const EVERYDAY: &str = "
    cat status/problems.md status/health.json status/outbox.jsonl status/events.jsonl > /dev/null
    ls -l views/status/todo status tickets > /dev/null
    printf '%s\\n' --- 'title: New' 'status: todo' --- > tickets/new.md
    mv tickets/new.md tickets/newer.md && cat tickets/newer.md > /dev/null && rm tickets/newer.md
    mkdir specs/d && rmdir specs/d";

#[test]
fn a_token_that_does_not_come_keeps_nothing_in_the_mount_waiting() {
    let workspace = Workspace::new();
    let (asked, go) = (workspace.outside("asked"), workspace.outside("go"));
    let wait = format!("touch {}; until [ -e {} ]; do sleep 0.1; done", asked.display(), go.display());
    workspace.configure(&format!(
        "commit: {{idle: 0.1, max: 1}}\nremotes: {{far: {{type: github, repo: a/b, url: 'http://127.0.0.1:9', folder: tickets, token: {{command: '{wait}'}}}}}}"
    ));
    workspace.mount();
    eventually("the token is asked for", || asked.exists().then_some(()));
    workspace.answers(EVERYDAY);
    assert!(workspace.json(&["status"])["remotes"][0]["state"].is_string());
    fs::write(go, "").unwrap();
}

#[test]
fn a_commit_that_waits_for_git_keeps_nothing_in_the_mount_waiting() {
    let workspace = Workspace::new();
    workspace.configure("commit: {idle: 0.1, max: 0.2}");
    workspace.mount();
    let lock = format!("{}/../index.lock", workspace.state());
    fs::write(&lock, "").unwrap();
    for round in 0..20 {
        workspace.write(&format!("tickets/{round}.md"), TICKET);
        workspace.answers(EVERYDAY);
    }
    fs::remove_file(lock).unwrap();
    workspace.ok(&["commit"]);
}

/// Another process that has a database for itself until it is dropped.
struct Hog(Child);

impl Hog {
    fn of(workspace: &Workspace, database: &str) -> Self {
        let script = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1],isolation_level=None)\nc.execute('BEGIN IMMEDIATE')\nprint(flush=True)\nsys.stdin.read()";
        let mut command = workspace.command("python3");
        command.args(["-c", script, &format!("{}/{database}", workspace.state())]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        use std::io::{BufRead, BufReader};
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        Self(child)
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_journal_that_cannot_be_written_is_said_by_fsync_and_by_status_and_stops_nothing_else() {
    let workspace = Workspace::new();
    workspace.mount();
    workspace.write("tickets/a.md", TICKET);
    eventually("the ticket in its view", || workspace.dir.join("views/status/todo/a.md").exists().then_some(()));
    let hog = Hog::of(&workspace, "journal.db");
    workspace.answers(EVERYDAY);
    let mut file = fs::OpenOptions::new().append(true).open(workspace.dir.join("tickets/a.md")).unwrap();
    file.write_all(b"more\n").unwrap();
    assert_eq!(file.sync_all().unwrap_err().raw_os_error(), Some(libc::EIO));
    drop(file);
    assert!(workspace.read("tickets/a.md").ends_with("more\n"));
    workspace.answers(EVERYDAY);
    let notes = eventually("a note", || {
        Some(workspace.json(&["status"])["notes"].to_string()).filter(|notes| notes.contains("journal"))
    });
    assert!(notes.contains("locked"), "{notes}");
    drop(hog);
    workspace.ok(&["commit"]);
    assert!(workspace.sh("git show HEAD:tickets/a.md").ends_with("more\n"));
    assert!(!workspace.json(&["status"])["notes"].to_string().contains("journal"));
}

#[test]
fn an_index_that_is_locked_stops_nothing() {
    let workspace = Workspace::new();
    workspace.mount();
    let hog = Hog::of(&workspace, "index.db");
    workspace.write("tickets/a.md", TICKET);
    workspace.answers(EVERYDAY);
    drop(hog);
    eventually("the ticket in its view", || workspace.dir.join("views/status/todo/a.md").exists().then_some(()));
}

// --- what an earlier daemon left ----------------------------------------------------------------------------------------

#[test]
fn what_is_left_of_a_daemon_from_before_a_reboot_stops_no_new_one() {
    let workspace = Workspace::new();
    let state = workspace.state();
    fs::create_dir_all(&state).unwrap();
    // The number in the lock belongs to some process of today, and nobody listens on the socket.
    fs::write(format!("{state}/engine.lock"), "1\n").unwrap();
    drop(std::os::unix::net::UnixListener::bind(format!("{state}/socket")).unwrap());
    workspace.mount();
    assert_ne!(workspace.daemon(), Some(1));
    let second = workspace.trackfs(&["watch"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("already mounted or watched"), "{second:?}");
    workspace.ok(&["unmount"]);
    // Not even when somebody put something else there.
    fs::write(format!("{state}/socket"), "no socket").unwrap();
    workspace.mount();
}

#[test]
fn a_full_state_folder_is_said_and_leaves_nothing_behind() {
    // SAFETY: takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("SKIPPED: only root can make a small disk");
        return;
    }
    let workspace = Workspace::new();
    let state = workspace.state();
    fs::create_dir_all(&state).unwrap();
    workspace.sh(&format!("mount -t tmpfs -o size=64k none {state}; head -c 100000 /dev/zero > {state}/fill || true"));
    let refused = workspace.trackfs(&["mount"]);
    let (code, said) = (refused.status.code(), String::from_utf8_lossy(&refused.stderr).into_owned());
    let mounted = support::is_mounted(&workspace.dir);
    workspace.sh(&format!("umount {state}"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("No space left") || said.contains("full"), "{said}");
    assert!(!mounted);
    workspace.mount();
}
