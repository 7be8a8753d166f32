//! A tiny process that outlives a crash of the daemon just long enough to take its dead mount away.
//!
//! It holds the reading end of a pipe, from before the mount is made. A byte is a goodbye: the daemon unmounted by itself,
//! or never mounted. The end of the pipe without one means that the daemon is gone, and that a mount of its would answer
//! ENOTCONN to everybody.

use super::mountinfo::{is_dead, mounted_at, unmount_lazily};
use std::{
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

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.child.stdin.take() {
            // It may have been killed; then there is nobody to say goodbye to.
            let _ = pipe.write_all(b"q");
        }
        let _ = self.child.wait();
    }
}

/// The supervisor's whole life. `fd` is the reading end of the pipe.
pub fn supervise_main(fd: i32, mountpoint: &Path) -> io::Result<()> {
    let mut pipe = File::open(format!("/proc/self/fd/{fd}"))?;
    let said_goodbye = pipe.read(&mut [0])? > 0;
    if said_goodbye {
        return Ok(());
    }
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        match mounted_at(mountpoint).filter(|mount| mount.is_ours()) {
            None if since.elapsed() > HELPER => break,
            // A live one is the next daemon's, or the kernel has not noticed yet.
            Some(_) if is_dead(mountpoint) => return unmount_lazily(mountpoint),
            _ => thread::sleep(PAUSE),
        }
    }
    Ok(())
}
