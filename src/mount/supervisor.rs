//! A tiny process that outlives a crash of the daemon just long enough to take its dead mount away.
//!
//! It holds the reading end of a pipe, from before the mount is made. A byte is a goodbye: the daemon unmounted by itself,
//! or never mounted. The end of the pipe without one means that the daemon is gone, and that a mount of its would answer
//! ENOTCONN to everybody.
//!
//! A daemon may be killed while it announces a change: then that thread waits in the kernel for a folder whose lock is held by
//! somebody who waits for the daemon. It cannot die, so neither the pipe nor the connection is ever closed, and whoever uses
//! the mount would wait for ever. The kernel signals the supervisor that the daemon's first thread is dead, and the supervisor
//! cuts the connection. (A descriptor of the process says nothing before its last thread has ended.)

use super::mountinfo::{MountEntry, is_dead, mounted_at, unmount_lazily};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::retry_on_intr,
    mount::{MountFlags, UnmountFlags, unmount},
    process::{Signal, getppid, set_parent_process_death_signal},
};
use signal_hook::{consts::SIGUSR1, low_level::pipe};
use std::{
    fs,
    fs::File,
    io::{self, Read, Write},
    os::unix::{net::UnixStream, process::CommandExt},
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
const DYING: Timespec = Timespec { tv_sec: 0, tv_nsec: 300_000_000 };
/// Where the kernel's controls of FUSE connections are.
const CONNECTIONS: &str = "/sys/fs/fuse/connections";

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
    let death = death_of_parent()?;
    let mut ours = None;
    loop {
        match hear(&mut pipe, &death)? {
            News::Said(word) if word == MOUNTED => ours = mounted_at(mountpoint).filter(MountEntry::is_ours),
            News::Said(_) => return Ok(()),
            News::Closed => return take_away(mountpoint),
            News::Stuck => {
                // Before its connection is cut, who looks whether the mount is dead would wait with the others.
                ours.as_ref().map_or(Ok(()), |ours| cut(ours, mountpoint))?;
                return take_away(mountpoint);
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

fn hear(pipe: &mut File, death: &UnixStream) -> io::Result<News> {
    let mut polled = [PollFd::new(&*pipe, PollFlags::IN), PollFd::new(death, PollFlags::IN)];
    retry_on_intr(|| poll(&mut polled, None))?;
    if polled[0].revents().is_empty() && retry_on_intr(|| poll(&mut polled[..1], Some(&DYING)))? == 0 {
        return Ok(News::Stuck);
    }
    let mut word = [0];
    Ok(if pipe.read(&mut word)? > 0 { News::Said(word) } else { News::Closed })
}

/// Becomes readable when the thread that started this process is dead: the daemon's first, which ends with it.
fn death_of_parent() -> io::Result<UnixStream> {
    let (death, signalled) = UnixStream::pair()?;
    let parent = getppid();
    pipe::register(SIGUSR1, signalled.try_clone()?)?;
    set_parent_process_death_signal(Some(Signal::USR1))?;
    // It may have died before it could be asked for a sign.
    if parent.is_none_or(|parent| is_dead_process(parent.as_raw_nonzero().get())) {
        (&signalled).write_all(GOODBYE)?;
    }
    Ok(death)
}

fn is_dead_process(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything; the state follows it.
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// Ends a connection as the kernel does when its last descriptor is closed: everybody who waits is answered. The mount may
/// have been detached since; as long as a thread of the daemon is left, its number is nobody else's.
fn cut(mount: &MountEntry, mountpoint: &Path) -> io::Result<()> {
    let number = mount.id.1.rsplit(':').next().unwrap_or_default();
    let abort = || fs::write(format!("{CONNECTIONS}/{number}/abort"), "1");
    abort().or_else(|_| {
        if mounted_at(mountpoint).as_ref() == Some(mount) {
            // Forced unmounting, which is root's, does the same.
            return Ok(unmount(mountpoint, UnmountFlags::FORCE | UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)?);
        }
        // Where nobody mounted the kernel's controls of FUSE at their place yet, root may.
        mount_controls()?;
        abort()
    })
}

fn mount_controls() -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(rustix::mount::mount("fusectl", CONNECTIONS, "fusectl", flags, None)?)
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
