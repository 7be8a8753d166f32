//! Who keeps a mount busy, as `fuser -vm` would tell it.
//!
//! No request is sent to the mount that is asked about: with no attribute wanted and `AT_STATX_DONT_SYNC`, the kernel
//! answers from memory which device an open file is on. So a daemon may ask about its own mount, and anybody about one
//! that does not answer.

use super::mountinfo::MountEntry;
use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::mpsc::{self, Sender},
    thread,
    time::{Duration, Instant},
};

/// A process that is being started or debugged can keep a look at its memory waiting.
const PATIENCE: Duration = Duration::from_secs(5);

/// One thing of the mount that one process has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    pub pid: u32,
    /// The process's name; empty when it is gone already.
    pub command: String,
    pub hold: Hold,
    /// From the mount point; empty: the mount point itself.
    pub path: PathBuf,
}

/// In which way a process holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    OpenFile,
    CurrentDirectory,
    RootDirectory,
    /// It runs this file.
    Program,
    /// In its memory, although no descriptor is open any more, perhaps.
    Mapped,
}

/// Everybody who was found.
#[derive(Clone, Debug, Default)]
pub struct Holders {
    /// By process.
    pub found: Vec<Holder>,
    /// Processes of other users, which may not be looked at.
    pub unseen: usize,
}

impl Holders {
    /// Whether these processes alone keep the mount busy, and only by standing in it.
    pub(super) fn only_stand(&self, pids: &[u32]) -> bool {
        let stands = |holder: &Holder| holder.hold == Hold::CurrentDirectory && pids.contains(&holder.pid);
        !self.found.is_empty() && self.found.iter().all(stands)
    }
}

enum Found {
    Holder(Holder),
    Unseen,
}

/// Everybody who holds something of this mount, this process apart. Takes a few seconds at most: who is not found by
/// then is left out.
pub(super) fn holders(mount: &MountEntry, dir: &Path) -> Holders {
    let Some(device) = mount.device() else { return Holders::default() };
    let (sender, receiver) = mpsc::channel();
    let dir = dir.to_owned();
    // A thread of its own, that can be left behind.
    thread::spawn(move || look_at_all(device, &dir, &sender));
    let until = Instant::now() + PATIENCE;
    let (mut found, mut unseen) = (BTreeSet::new(), 0);
    while let Ok(next) = receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
        match next {
            Found::Holder(holder) => drop(found.insert(holder)),
            Found::Unseen => unseen += 1,
        }
    }
    Holders { found: found.into_iter().collect(), unseen }
}

fn look_at_all(device: u64, dir: &Path, found: &Sender<Found>) {
    let Ok(processes) = fs::read_dir("/proc") else { return };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids.filter(|pid| *pid != std::process::id()) {
        let process = Process { pid, device, dir, found };
        match process.look() {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !is_kernel_thread(pid) => {
                process.tell(Found::Unseen);
            }
            // It ended meanwhile, or has no memory.
            _ => {}
        }
    }
}

/// One process, and what it is asked.
struct Process<'a> {
    pid: u32,
    device: u64,
    dir: &'a Path,
    found: &'a Sender<Found>,
}

impl Process<'_> {
    fn look(&self) -> io::Result<()> {
        let base = PathBuf::from(format!("/proc/{}", self.pid));
        for (name, hold) in [("cwd", Hold::CurrentDirectory), ("root", Hold::RootDirectory), ("exe", Hold::Program)] {
            self.link(&base.join(name), hold);
        }
        for descriptor in fs::read_dir(base.join("fd"))?.flatten() {
            self.link(&descriptor.path(), Hold::OpenFile);
        }
        for line in fs::read_to_string(base.join("maps"))?.lines() {
            if let Some((device, path)) = mapping(line)
                && device == self.device
            {
                self.holds(Hold::Mapped, Path::new(path));
            }
        }
        Ok(())
    }

    fn link(&self, link: &Path, hold: Hold) {
        if device_behind(link) == Some(self.device)
            && let Ok(target) = fs::read_link(link)
        {
            self.holds(hold, &target);
        }
    }

    fn holds(&self, hold: Hold, path: &Path) {
        let path = path.strip_prefix(self.dir).unwrap_or(path).to_owned();
        let command = fs::read_to_string(format!("/proc/{}/comm", self.pid)).unwrap_or_default();
        self.tell(Found::Holder(Holder { pid: self.pid, command: command.trim_end().to_owned(), hold, path }));
    }

    fn tell(&self, found: Found) {
        // Nobody listens any more: it took too long.
        let _ = self.found.send(found);
    }
}

/// The device of what a link in /proc leads to.
fn device_behind(link: &Path) -> Option<u64> {
    let stat = statx(CWD, link, AtFlags::STATX_DONT_SYNC, StatxFlags::empty()).ok()?;
    Some(makedev(stat.stx_dev_major, stat.stx_dev_minor))
}

/// Device and path of a line of `/proc/PID/maps`.
fn mapping(line: &str) -> Option<(u64, &str)> {
    let mut fields = line.splitn(6, ' ');
    let (major, minor) = fields.nth(3)?.split_once(':')?;
    let device = makedev(u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?);
    let path = fields.nth(1)?.trim_start();
    path.starts_with('/').then_some((device, path))
}

/// The process and all above it.
pub fn with_ancestors(pid: u32) -> Vec<u32> {
    let parents = std::iter::successors(Some(pid), |pid| parent_of(*pid).filter(|parent| *parent > 0));
    // More cannot be a chain.
    parents.take(64).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; after it come the state and the parent.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn is_kernel_thread(pid: u32) -> bool {
    const KTHREADD: u32 = 2;
    pid == KTHREADD || parent_of(pid) == Some(KTHREADD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_told_by_its_device_and_path() {
        let line = "7f0a1c000000-7f0a1c021000 rw-s 00001000 00:2d 1234    /mnt/my notes/a.db (deleted)";
        assert_eq!(mapping(line), Some((makedev(0, 0x2d), "/mnt/my notes/a.db (deleted)")));
        assert_eq!(mapping("7ffd1000-7ffd2000 rw-p 00000000 00:00 0                  [stack]"), None);
        assert_eq!(mapping("7ffd1000-7ffd2000 rw-p 00000000 00:00 0"), None);
    }

    #[test]
    fn a_process_has_itself_and_those_above_it() {
        let chain = with_ancestors(std::process::id());
        assert_eq!(chain[..2], [std::process::id(), std::os::unix::process::parent_id()]);
    }

    #[test]
    fn the_device_of_an_open_file_is_that_of_the_file() {
        use std::os::{fd::AsRawFd, unix::fs::MetadataExt};
        let file = tempfile::tempfile().unwrap();
        let link = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        assert_eq!(device_behind(&link), Some(file.metadata().unwrap().dev()));
    }

    #[test]
    fn who_only_stands_there_does_not_count_if_it_is_forgiven() {
        let at = |pid, hold| Holder { pid, command: "sh".into(), hold, path: PathBuf::new() };
        let held = |found: &[Holder]| Holders { found: found.to_vec(), unseen: 0 };
        let (stands, opens) = (at(1, Hold::CurrentDirectory), at(1, Hold::OpenFile));
        assert!(held(std::slice::from_ref(&stands)).only_stand(&[1, 2]));
        assert!(!held(std::slice::from_ref(&stands)).only_stand(&[2]));
        assert!(!held(&[stands, opens]).only_stand(&[1]));
        assert!(!held(&[]).only_stand(&[1]), "somebody unseen is no reason to go ahead");
    }
}
