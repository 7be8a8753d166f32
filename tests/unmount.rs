//! Unmounting: polite to whoever has files open, final when told so, and nothing accepted is lost either way.

mod support;

use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
use serde_json::Value;
use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Write},
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};
use support::{Workspace, eventually, is_mounted};

const TICKET: &str = "---\ntitle: Login fails\nstatus: todo\n---\nBody\n";

fn mounted() -> Workspace {
    let workspace = Workspace::new();
    workspace.mount();
    workspace.write("tickets/a.md", TICKET);
    workspace
}

/// A shell script that runs in the workspace until it is dropped.
struct Running(Child);

impl Running {
    /// Starts it; returns when it has printed a line.
    fn start(workspace: &Workspace, script: &str) -> Self {
        let mut command = workspace.command("bash");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "\n", "{script}");
        Self(child)
    }

    fn pid(&self) -> u64 {
        self.0.id().into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Asks for the unmount from outside the mount.
fn unmount(workspace: &Workspace, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let mut command = workspace.command(env!("CARGO_BIN_EXE_trackfs"));
    command.current_dir("/").args(["unmount", "--json"]).args(arguments).arg(&workspace.dir);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or(Value::Null), said)
}

fn holds(report: &Value, pid: u64) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let holders = report["holders"].as_array().unwrap().iter().filter(|holder| holder["pid"] == pid);
    holders.map(|holder| (text(&holder["hold"]), text(&holder["path"]))).collect()
}

fn hold(how: &str, path: &str) -> (String, String) {
    (how.to_owned(), path.to_owned())
}

#[test]
fn a_mount_with_open_files_stays_and_says_who_has_them() {
    let workspace = mounted();
    let holder = Running::start(&workspace, "cd tickets; exec 5<a.md; echo; read");
    let (code, report, said) = unmount(&workspace, &[]);
    assert_eq!((code, &report["outcome"]), (Some(1), &"in-use".into()), "{said}");
    assert_eq!(holds(&report, holder.pid()), [hold("open file", "tickets/a.md"), hold("current directory", "tickets")]);
    assert!(said.contains("in use by one process, and stays mounted") && said.contains("next: close them"), "{said}");
    assert!(is_mounted(&workspace.dir));
    workspace.write("tickets/b.md", TICKET);
    let table = workspace.trackfs(&["unmount"]);
    let shown = String::from_utf8(table.stdout).unwrap();
    let row = format!("{:>9}  bash", holder.pid());
    assert!(shown.lines().any(|line| line.starts_with(&row) && line.ends_with("tickets/a.md")), "{shown}");
    drop(holder);
    let (code, report, said) = unmount(&workspace, &[]);
    assert_eq!((code, &report["outcome"]), (Some(0), &"unmounted".into()), "{said}");
    assert!(!is_mounted(&workspace.dir));
    assert_eq!(workspace.sh("git status --porcelain; git show HEAD:tickets/b.md"), TICKET);
}

#[test]
fn a_mapping_without_a_descriptor_and_a_running_program_keep_a_mount() {
    let workspace = mounted();
    let script = "import mmap,sys\nf=open('tickets/a.md','r+b')\nm=mmap.mmap(f.fileno(),0)\nf.close()\nprint(flush=True)\nsys.stdin.read()";
    workspace.sh("cp \"$(command -v sleep)\" specs/doze");
    // Python's mmap keeps a duplicate of the descriptor: closed by hand, only the mapping is left.
    let closing = script.replace("f.close()", "f.close()\nimport os\n[os.close(int(d)) for d in os.listdir('/proc/self/fd') if int(d)>2 and os.path.exists('/proc/self/fd/'+d)]");
    fs::write(workspace.outside("map.py"), closing).unwrap();
    let mapping = Running::start(&workspace, &format!("exec python3 {}", workspace.outside("map.py").display()));
    let running = Running::start(&workspace, "echo; cd /; exec \"$OLDPWD/specs/doze\" 1000");
    let report = eventually("both are found", || {
        let (_, report, _) = unmount(&workspace, &[]);
        (!holds(&report, running.pid()).is_empty()).then_some(report)
    });
    assert!(holds(&report, mapping.pid()).contains(&hold("mapped file", "tickets/a.md")), "{report}");
    assert!(holds(&report, running.pid()).contains(&hold("running program", "specs/doze")), "{report}");
}

#[test]
fn the_shell_that_asks_may_stand_in_the_mount_and_others_may_not() {
    let workspace = mounted();
    let other = Running::start(&workspace, "cd specs; echo; read");
    let mut command = workspace.command("bash");
    let shell = |command: &mut std::process::Command| {
        let program = env!("CARGO_BIN_EXE_trackfs");
        command.args(["-c", &format!("cd tickets; {program} unmount; code=$?; exit $code")]).output().unwrap()
    };
    let refused = shell(&mut command);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stdout).contains("current directory"), "{refused:?}");
    drop(other);
    let done = shell(&mut workspace.command("bash"));
    assert!(done.status.success(), "{done:?}");
    assert!(!is_mounted(&workspace.dir));
}

#[test]
fn by_force_what_was_accepted_is_committed_and_later_writes_are_refused() {
    let workspace = mounted();
    let mut open = OpenOptions::new().append(true).open(workspace.dir.join("tickets/a.md")).unwrap();
    open.write_all(b"written\n").unwrap();
    let (code, report, said) = unmount(&workspace, &["--force"]);
    assert_eq!((code, &report["outcome"]), (Some(0), &"unmounted".into()), "{said}");
    assert!(!is_mounted(&workspace.dir));
    let kept = format!("{TICKET}written\n");
    assert_eq!(workspace.read("tickets/a.md"), kept);
    assert_eq!(workspace.sh("git show HEAD:tickets/a.md; git status --porcelain"), kept);
    let refused = eventually("a write is answered", || open.write_all(b"too late\n").err());
    assert_eq!(refused.raw_os_error(), Some(libc::ENOTCONN));
    assert_eq!(workspace.read("tickets/a.md"), kept);
}

#[test]
fn by_force_what_is_only_in_a_mapping_reaches_the_file() {
    let workspace = mounted();
    let script = "import mmap,sys\nf=open('tickets/a.md','r+b')\nm=mmap.mmap(f.fileno(),0)\nm[-5:]=b'BODY\\n'\nprint(flush=True)\nsys.stdin.read()";
    fs::write(workspace.outside("map.py"), script).unwrap();
    let mapping = Running::start(&workspace, &format!("exec python3 {}", workspace.outside("map.py").display()));
    let (code, _, said) = unmount(&workspace, &["--force"]);
    assert_eq!(code, Some(0), "{said}");
    let kept = TICKET.replace("Body", "BODY");
    assert_eq!(workspace.read("tickets/a.md"), kept);
    assert_eq!(workspace.sh("git show HEAD:tickets/a.md"), kept);
    drop(mapping);
}

#[test]
fn a_service_manager_ends_a_busy_mount_and_the_log_says_who_held_it() {
    let workspace = mounted();
    let holder = Running::start(&workspace, "exec 5>>tickets/a.md; echo more >&5; echo; read");
    let daemon = workspace.daemon().unwrap();
    // SAFETY: kill takes no pointers.
    unsafe { libc::kill(daemon, libc::SIGTERM) };
    eventually("the daemon is gone", || (!std::path::Path::new(&format!("/proc/{daemon}")).exists()).then_some(()));
    assert!(!is_mounted(&workspace.dir));
    assert_eq!(workspace.sh("git show HEAD:tickets/a.md"), format!("{TICKET}more\n"));
    let state = workspace.read(".git").trim_start_matches("gitdir:").trim().to_owned() + "/trackfs/daemon.log";
    let log = fs::read_to_string(state).unwrap();
    assert!(log.contains(&format!("bash (process {}) has tickets/a.md as open file", holder.pid())), "{log}");
}

#[test]
fn a_mount_that_does_not_answer_can_be_asked_about() {
    let workspace = mounted();
    let holder = Running::start(&workspace, "exec 5<tickets/a.md; echo; read");
    let device = {
        use std::os::unix::fs::MetadataExt;
        File::open(workspace.dir.join("tickets/a.md")).unwrap().metadata().unwrap().dev()
    };
    let daemon = workspace.daemon().unwrap();
    // SAFETY: kill takes no pointers.
    unsafe { libc::kill(daemon, libc::SIGSTOP) };
    let link = format!("/proc/{}/fd/5", holder.pid());
    let (sender, answer) = mpsc::channel();
    thread::spawn(move || {
        let stat = statx(CWD, &link, AtFlags::STATX_DONT_SYNC, StatxFlags::empty()).unwrap();
        sender.send(makedev(stat.stx_dev_major, stat.stx_dev_minor)).unwrap();
    });
    let found = answer.recv_timeout(Duration::from_secs(20));
    // SAFETY: as above.
    unsafe { libc::kill(daemon, libc::SIGCONT) };
    assert_eq!(found, Ok(device), "the question did not wait for the daemon");
}
