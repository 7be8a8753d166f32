//! A tiny process that outlives a crash of the daemon just long enough to take its dead mount away.
//!
//! It holds the reading end of a pipe, from before the mount is made. A byte is a goodbye: the daemon unmounted by itself,
//! or never mounted. The end of the pipe without one means that the daemon is gone, and that a mount of its would answer
//! ENOTCONN to everybody.
//!
//! A daemon may be killed while it announces a change: then that thread waits in the kernel for a folder whose lock is held by
//! somebody who waits for the daemon. It cannot die, so neither the pipe nor the connection is ever closed, and whoever uses
//! the mount would wait for ever. The supervisor hears that the daemon's first thread is dead, and cuts the connection.

use super::mountinfo::{MountEntry, is_dead, mounted_at, unmount_lazily};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    io::retry_on_intr,
    mount::{UnmountFlags, unmount},
    process::{Pid, PidfdFlags, getppid, pidfd_open},
};
use std::{
    fs,
    fs::File,
    io::{self, Read, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long the kernel may take to notice that the daemon is gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a helper may take to finish the mount that a daemon had asked it for.
const HELPER: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);
/// How long the threads of a daemon that was killed may take to end.
const DYING: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// What the daemon says: its mount stands, and goodbye.
const MOUNTED: &[u8] = b"m";
const GOODBYE: &[u8] = b"q";

/// The daemon's side. Dropping it says goodbye.
pub struct Supervisor {
    child: Child,
}

impl Supervisor {
    /// Starts this program again as `supervise --fd 0 --mountpoint DIR`; call it before mounting.
    pub fn start(mountpoint: &Path) -> io::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args(["supervise", "--fd", "0", "--mountpoint"])
            .arg(mountpoint)
            .current_dir("/")
            // Of its own: Ctrl-C and a kill of the daemon's group are not for it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child })
    }
}

impl Supervisor {
    /// Says that the mount stands.
    pub fn mounted(&mut self) {
        self.say(MOUNTED);
    }

    fn say(&mut self, word: &[u8]) {
        if let Some(pipe) = &mut self.child.stdin {
            // It may have been killed; then there is nobody to say it to.
            let _ = pipe.write_all(word);
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.say(GOODBYE);
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The supervisor's whole life. `fd` is the reading end of the pipe.
pub fn supervise_main(fd: i32, mountpoint: &Path) -> io::Result<()> {
    let mut pipe = File::open(format!("/proc/self/fd/{fd}"))?;
    let daemon = getppid().and_then(first_thread);
    let mut ours = None;
    loop {
        match hear(&mut pipe, daemon.as_ref())? {
            News::Said(word) if word == MOUNTED => ours = mounted_at(mountpoint).filter(MountEntry::is_ours),
            News::Said(_) => return Ok(()),
            News::Closed => return take_away(mountpoint),
            News::Stuck => {
                return match ours.filter(|ours| mounted_at(mountpoint).as_ref() == Some(ours)) {
                    // Without its connection nobody may look whether the mount is dead.
                    Some(ours) => cut(&ours, mountpoint)
                        .and_then(|()| take_away(mountpoint))
                        .or_else(|_| unmount_lazily(mountpoint)),
                    None => Ok(()),
                };
            }
        }
    }
}

/// What is heard of the daemon.
enum News {
    Said([u8; 1]),
    /// All of it is gone.
    Closed,
    /// It is dead, but for a thread that cannot end.
    Stuck,
}

fn hear(pipe: &mut File, daemon: Option<&OwnedFd>) -> io::Result<News> {
    let mut polled = vec![PollFd::new(&*pipe, PollFlags::IN)];
    polled.extend(daemon.map(|daemon| PollFd::new(daemon, PollFlags::IN)));
    retry_on_intr(|| poll(&mut polled, None))?;
    if polled[0].revents().is_empty() && retry_on_intr(|| poll(&mut polled[..1], Some(&DYING)))? == 0 {
        return Ok(News::Stuck);
    }
    let mut word = [0];
    Ok(if pipe.read(&mut word)? > 0 { News::Said(word) } else { News::Closed })
}

/// Becomes readable when the first thread of a process ends, whether or not the others do. Kernels before 6.9 do not tell.
fn first_thread(process: Pid) -> Option<OwnedFd> {
    pidfd_open(process, PidfdFlags::from_bits_retain(libc::O_EXCL as u32)).ok()
}

/// Ends a connection as the kernel does when its last descriptor is closed: everybody who waits is answered.
fn cut(mount: &MountEntry, mountpoint: &Path) -> io::Result<()> {
    let number = mount.id.1.rsplit(':').next().unwrap_or_default();
    let aborted = fs::write(format!("/sys/fs/fuse/connections/{number}/abort"), "1");
    // Where that control is not mounted, root's forced unmounting does the same.
    aborted.or_else(|_| Ok(unmount(mountpoint, UnmountFlags::FORCE | UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)?))
}

fn take_away(mountpoint: &Path) -> io::Result<()> {
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        match mounted_at(mountpoint).filter(MountEntry::is_ours) {
            None if since.elapsed() > HELPER => break,
            // A live one is the next daemon's, or the kernel has not noticed yet.
            Some(_) if is_dead(mountpoint) => return unmount_lazily(mountpoint),
            _ => thread::sleep(PAUSE),
        }
    }
    Ok(())
}
