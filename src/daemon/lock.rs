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

/// Whether the process that holds the lock is dead, or as good as that: some of its threads may still wait for a disk.
pub(super) fn holder_is_dying(at: &Location) -> bool {
    let holder = fs::read_to_string(at.lock_file()).unwrap_or_default();
    let about = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", holder.trim())).unwrap_or_default();
    is_ending(&about("stat")) || is_being_killed(&about("status"))
}

/// By `/proc/PID/stat`: a zombie, or on its way there.
fn is_ending(stat: &str) -> bool {
    const PF_EXITING: u64 = 4;
    // The name, in parentheses, may hold anything.
    let Some((_, rest)) = stat.rsplit_once(") ") else { return false };
    let flags = rest.split(' ').nth(6).and_then(|flags| flags.parse::<u64>().ok());
    rest.starts_with(['Z', 'X']) || flags.is_some_and(|flags| flags & PF_EXITING != 0)
}

/// By `/proc/PID/status`: SIGKILL was sent, and waits for a system call to return.
fn is_being_killed(status: &str) -> bool {
    let pending = |line: &str| {
        let mask = line.strip_prefix("SigPnd:").or_else(|| line.strip_prefix("ShdPnd:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    };
    status.lines().filter_map(pending).any(|mask| mask & (1 << (libc::SIGKILL - 1)) != 0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_was_killed_is_dying_whatever_it_waits_for() {
        let stat = |state: char, flags: u32| format!("42 (a ) b) {state} 1 42 42 0 -1 {flags} 1 0\n");
        let ending = [('S', 0x40_0040), ('D', 0x40_0044), ('Z', 0x40_0040), ('R', 4)];
        assert_eq!(ending.map(|(state, flags)| is_ending(&stat(state, flags))), [false, true, true, true]);
        let status = |pending: &str, shared: &str| format!("Name:\ttrackfs\nSigPnd:\t{pending}\nShdPnd:\t{shared}\n");
        for (pending, shared, killed) in
            [("0", "0", false), ("0000000000000100", "0", true), ("0", "100", true), ("0", "4000", false)]
        {
            assert_eq!(is_being_killed(&status(pending, shared)), killed, "{pending} {shared}");
        }
        assert!(!is_ending("") && !is_being_killed(""));
    }
}
