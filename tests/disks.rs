//! A disk that fills up, turns read-only or goes away, and a table of descriptors that is exhausted: a clear errno, a line
//! in `status`, and all that was accepted is there afterwards.
#![cfg(all(feature = "fuse", target_os = "linux"))]

mod support;

use std::{
    fs::{self, File},
    io::{self, Write},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::mpsc,
    thread,
    time::Duration,
};
use support::{Workspace, eventually};

fn ticket(title: &str) -> String {
    format!("---\ntitle: {title}\nstatus: todo\n---\nBody\n")
}

/// A small ext4 of its own; the workspace on it is to be dropped first.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// `None`, and a word about it, where no such disk can be made.
    fn new(mebibytes: u64) -> Option<Self> {
        // SAFETY: takes nothing and cannot fail.
        if unsafe { libc::geteuid() } != 0 || !support::have(&["mkfs.ext4", "losetup"]) {
            eprintln!("SKIPPED: a disk needs root, mkfs.ext4 and losetup");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("disk-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let disk = Self { folder };
        File::create(disk.image()).unwrap().set_len(mebibytes << 20).unwrap();
        run(Command::new("mkfs.ext4").arg("-q").arg(disk.image()));
        fs::create_dir(disk.at()).unwrap();
        if !disk.mount().status.success() {
            eprintln!("SKIPPED: this system has no loop devices");
            return None;
        }
        Some(disk)
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn at(&self) -> PathBuf {
        self.folder.path().join("at")
    }

    fn attach(&self) {
        support::checked("mount", &self.mount());
    }

    fn mount(&self) -> Output {
        Command::new("mount").args(["-o", "loop"]).arg(self.image()).arg(self.at()).output().unwrap()
    }

    fn detach(&self) {
        // Whoever ended a moment ago may still be about to let go of it.
        eventually("the disk is let go", || {
            Command::new("umount").arg(self.at()).status().unwrap().success().then_some(())
        });
    }

    /// Everything fails from here on that is not in memory, as if the cable were pulled.
    fn pull_out(&self) {
        const EXT4_IOC_SHUTDOWN: libc::c_ulong = 0x8004_587d;
        let without_flush = 2_u32;
        let disk = File::open(self.at()).unwrap();
        // SAFETY: the request reads the number that the pointer leads to.
        let answer = unsafe { libc::ioctl(disk.as_raw_fd(), EXT4_IOC_SHUTDOWN, &raw const without_flush) };
        assert_eq!(answer, 0, "{}", io::Error::last_os_error());
    }

    fn workspace(&self) -> Workspace {
        let workspace = Workspace::bare_in(&self.at());
        workspace.ok(&["init"]);
        workspace.mount();
        workspace
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.at()).stderr(std::process::Stdio::null()).status();
    }
}

#[track_caller]
fn run(command: &mut Command) {
    support::checked(&format!("{command:?}"), &command.output().unwrap());
}

/// Saves durably.
fn save(workspace: &Workspace, path: &str, text: &str) -> io::Result<()> {
    let mut file = File::create(workspace.dir.join(path))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn errno(outcome: io::Result<()>) -> Option<i32> {
    outcome.err().and_then(|error| error.raw_os_error())
}

fn notes(workspace: &Workspace) -> String {
    workspace.json(&["status"])["notes"].to_string()
}

#[test]
fn a_full_disk_is_said_and_nothing_accepted_is_lost() {
    let Some(disk) = Disk::new(24) else { return };
    let workspace = disk.workspace();
    save(&workspace, "tickets/before.md", &ticket("Before")).unwrap();
    let mut accepted = vec!["before".to_owned()];
    let mut fill = File::create(workspace.dir.join("specs/fill")).unwrap();
    let full = (0..).map(|_| fill.write_all(&[7; 1 << 16])).find_map(errno).unwrap();
    assert_eq!(full, libc::ENOSPC);
    drop(fill);
    for n in 0..20 {
        let name = format!("full-{n}");
        match errno(save(&workspace, &format!("tickets/{name}.md"), &ticket(&name))) {
            None => accepted.push(name),
            Some(errno) => {
                assert!([libc::ENOSPC, libc::EIO].contains(&errno), "{}", io::Error::from_raw_os_error(errno))
            }
        }
    }
    workspace.trackfs(&["commit"]);
    let said = notes(&workspace);
    assert!(said.contains("full") || said.contains("space"), "{said}");
    fs::remove_file(workspace.dir.join("specs/fill")).unwrap();
    // What the file had is free when the kernel has let go of it.
    eventually("there is room", || save(&workspace, "tickets/after.md", &ticket("after")).ok());
    accepted.push("after".to_owned());
    workspace.ok(&["commit"]);
    for name in accepted {
        assert!(workspace.sh(&format!("git show HEAD:tickets/{name}.md")).ends_with("Body\n"), "{name}");
    }
    workspace.sh("git fsck --strict --no-dangling");
    assert_eq!(notes(&workspace), "[]");
}

#[test]
fn a_disk_that_turns_read_only_is_said_and_what_was_accepted_is_there() {
    let Some(disk) = Disk::new(24) else { return };
    let workspace = disk.workspace();
    save(&workspace, "tickets/before.md", &ticket("Before")).unwrap();
    let daemon = workspace.daemon().unwrap();
    // What the kernel does after an error on the disk.
    run(Command::new("mount").args(["-o", "remount,abort,errors=remount-ro"]).arg(disk.at()));
    let refused = errno(save(&workspace, "tickets/after.md", &ticket("After"))).unwrap();
    assert!([libc::EROFS, libc::EIO].contains(&refused), "{}", io::Error::from_raw_os_error(refused));
    assert_eq!(workspace.read("tickets/before.md"), ticket("Before"));
    let said = eventually("a word about it", || Some(notes(&workspace)).filter(|notes| notes != "[]"));
    assert!(said.contains("Read-only"), "{said}");
    goes_on(&disk, workspace, daemon);
}

#[test]
fn a_disk_that_goes_away_is_said_and_what_was_accepted_is_there() {
    let Some(disk) = Disk::new(24) else { return };
    let workspace = disk.workspace();
    save(&workspace, "tickets/before.md", &ticket("Before")).unwrap();
    let daemon = workspace.daemon().unwrap();
    disk.pull_out();
    assert_eq!(errno(save(&workspace, "tickets/after.md", &ticket("After"))), Some(libc::EIO));
    let said = workspace.trackfs(&["status"]);
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&said.stderr).contains("Input/output error"), "{said:?}");
    goes_on(&disk, workspace, daemon);
}

#[test]
fn a_power_cut_amid_commits_leaves_all_that_were_acknowledged_and_an_index_of_the_branch() {
    const TICKETS: usize = 60;
    let Some(disk) = Disk::new(48) else { return };
    let workspace = Workspace::bare_in(&disk.at());
    workspace.ok(&["init"]);
    let write = |number: usize| {
        let path = format!("tickets/{}.md", number % TICKETS);
        fs::create_dir_all(workspace.dir.join("tickets"))?;
        save(&workspace, &path, &ticket(&format!("Number {number}"))).map(|()| path)
    };
    (0..TICKETS).for_each(|number| drop(write(number).unwrap()));
    workspace.ok(&["commit"]);
    let mut number = TICKETS;
    for (round, split) in [false, true, false, true, true, true].into_iter().enumerate() {
        workspace.sh(&format!("git config core.splitIndex {split}; git config splitIndex.maxPercentChange 50"));
        let (first, has_begun) = mpsc::channel();
        let acknowledged = thread::scope(|scope| {
            let commits = scope.spawn(|| {
                let mut acknowledged = Vec::new();
                loop {
                    number += 1;
                    let Ok(path) = write(number) else { return acknowledged };
                    if !workspace.trackfs(&["commit"]).status.success() {
                        return acknowledged;
                    }
                    acknowledged.push((path, ticket(&format!("Number {number}"))));
                    first.send(()).unwrap();
                }
            });
            let _ = has_begun.recv_timeout(Duration::from_secs(30));
            thread::sleep(Duration::from_millis(50 + 37 * round as u64));
            disk.pull_out();
            commits.join().unwrap()
        });
        disk.detach();
        disk.attach();
        workspace.ok(&["commit"]);
        let (path, text) = acknowledged.last().expect("a commit before the power was gone");
        assert_eq!(workspace.sh(&format!("git show HEAD:{path}")), *text, "round {round}");
        assert_eq!(
            workspace.sh("git diff --cached --name-only; git fsck --strict --no-dangling 2>&1"),
            "",
            "round {round}"
        );
        let entries = "git ls-files --format='%(objectname) %(path)'";
        let committed = "git ls-tree -r --format='%(objectname) %(path)' HEAD";
        assert_eq!(workspace.sh(entries), workspace.sh(committed), "round {round}");
        let git_dir = workspace.sh("git rev-parse --absolute-git-dir");
        assert!(!Path::new(git_dir.trim()).join("index.lock").exists(), "round {round}");
    }
}

/// Ends the daemon however it can be ended, brings the disk back, and looks.
#[track_caller]
fn goes_on(disk: &Disk, workspace: Workspace, daemon: i32) {
    let mut unmount = workspace.command(env!("CARGO_BIN_EXE_trackfs"));
    let ended = unmount.current_dir("/").args(["unmount", "--force"]).arg(&workspace.dir).output().unwrap();
    assert!(!support::is_mounted(&workspace.dir), "{ended:?}");
    eventually("the daemon ends", || (!Path::new(&format!("/proc/{daemon}")).exists()).then_some(()));
    disk.detach();
    let mended = Command::new("fsck.ext4").args(["-p", "-f"]).arg(disk.image()).output().unwrap();
    assert!(mended.status.code().is_some_and(|code| code < 2), "{mended:?}");
    disk.attach();
    workspace.mount();
    assert_eq!(workspace.read("tickets/before.md"), ticket("Before"));
    save(&workspace, "tickets/later.md", &ticket("Later")).unwrap();
    workspace.ok(&["commit"]);
    for (name, title) in [("before", "Before"), ("later", "Later")] {
        assert_eq!(workspace.sh(&format!("git show HEAD:tickets/{name}.md")), ticket(title));
    }
    workspace.sh("git fsck --strict --no-dangling");
}

#[test]
fn an_exhausted_table_of_descriptors_is_said_and_passes() {
    let workspace = Workspace::new();
    workspace.mount();
    (0..300).for_each(|n| workspace.write(&format!("tickets/{n}.md"), &ticket(&n.to_string())));
    workspace.ok(&["commit"]);
    let daemon = workspace.daemon().unwrap();
    let used = fs::read_dir(format!("/proc/{daemon}/fd")).unwrap().count();
    let limit =
        |soft: usize| run(Command::new("prlimit").arg(format!("--pid={daemon}")).arg(format!("--nofile={soft}:")));
    limit(used + 20);
    let open = |n: usize| File::options().append(true).open(workspace.dir.join(format!("tickets/{n}.md")));
    let (mut opened, mut refused) = (Vec::new(), None);
    for n in 0..300 {
        match open(n) {
            // Not the first so many: a descriptor may be free again after one was refused.
            Ok(file) => opened.push((n, file)),
            Err(error) => refused = error.raw_os_error(),
        }
    }
    assert_eq!(refused, Some(libc::EMFILE));
    for (_, file) in &mut opened {
        file.write_all(b"more\n").unwrap();
    }
    let written: Vec<_> = opened.into_iter().map(|(n, _)| n).collect();
    eventually("the daemon answers", || workspace.trackfs(&["status"]).status.success().then_some(()));
    limit(10_000);
    workspace.ok(&["commit"]);
    for n in &written {
        assert!(workspace.sh(&format!("git show HEAD:tickets/{n}.md")).ends_with("more\n"), "{n} of {written:?}");
    }
}
