//! One engine for a workspace at a time: an advisory lock that dies with its holder.

use super::Location;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

/// Held as long as the engine lives.
pub struct Lock {
    _file: File,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another trackfs{} works on this workspace", pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Held { pid: Option<u32> },
    #[error("the workspace's lock cannot be taken: {0}")]
    Io(#[from] io::Error),
}

/// How long a command waits for another command, or for a daemon that is starting or ending.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether the process that holds the lock is dead, but for threads that have not ended yet.
pub(super) fn holder_is_dying(at: &Location) -> bool {
    let holder = fs::read_to_string(at.lock_file()).unwrap_or_default();
    let stat = fs::read_to_string(format!("/proc/{}/stat", holder.trim())).unwrap_or_default();
    // The name, in parentheses, may hold anything; the state follows it.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
}

impl Lock {
    /// Takes the lock, waiting for a holder that will not have it for long. `give_up` is asked before every try.
    pub fn wait(at: &Location, give_up: impl Fn() -> bool) -> Result<Option<Self>, LockError> {
        let started = Instant::now();
        loop {
            if give_up() {
                return Ok(None);
            }
            match Self::take(at) {
                Err(LockError::Held { .. }) if started.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
                taken => return taken.map(Some),
            }
        }
    }

    /// Takes the lock or answers at once who has it.
    fn take(at: &Location) -> Result<Self, LockError> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(at.lock_file())?;
        // SAFETY: flock takes no pointers; the descriptor is open.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::WouldBlock {
                return Err(error.into());
            }
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            return Err(LockError::Held { pid: text.trim().parse().ok() });
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}
