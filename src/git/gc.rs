//! Packing: gix only ever adds loose objects, so git itself is asked to tidy up, where it is installed.

use super::GitError;
use parking_lot::{Condvar, Mutex};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::{
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

/// Loose objects whose ids begin with `17`, from which on the whole repository holds some thousands: git's own estimate.
const ENOUGH: usize = 27;

/// Git's maintenance under way. Commits may be made at the same time; it can be stopped at any moment and leaves nothing
/// behind.
pub struct Tidying {
    /// `None` when it has ended: its number may be another process's then.
    child: Mutex<Option<Child>>,
    pid: Pid,
    ended: Condvar,
}

/// Begins git's maintenance, unless there is little to do or no git. It touches no work tree and runs no hooks.
pub(super) fn start(git_dir: &Path, common_dir: &Path) -> Result<Option<Tidying>, GitError> {
    let loose = std::fs::read_dir(common_dir.join("objects/17")).map_or(0, Iterator::count);
    if loose < ENOUGH {
        return Ok(None);
    }
    match maintenance(git_dir).spawn() {
        Ok(child) => {
            Ok(Some(Tidying { pid: Pid::from_child(&child), child: Mutex::new(Some(child)), ended: Condvar::new() }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn maintenance(git_dir: &Path) -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
        command.env_remove(name);
    }
    command
        .args(["-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false", "-c", "core.hooksPath=/dev/null"])
        .args(["maintenance", "run", "--auto", "--quiet"])
        .current_dir(git_dir)
        .env("GIT_DIR", git_dir)
        // Any folder but the real work tree, which a mount may cover.
        .env("GIT_WORK_TREE", git_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // It has children of its own: they are stopped together.
        .process_group(0);
    command
}

impl Tidying {
    /// Returns when it has ended; whether it came to its end, and was not stopped.
    pub fn wait(&self) -> Result<bool, GitError> {
        // Still there for `terminate` until the lock is taken.
        waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).map_err(io::Error::from)?;
        let mut child = self.child.lock();
        let status = child.take().map(|mut child| child.wait()).transpose()?;
        self.ended.notify_all();
        match status {
            Some(status) if status.success() => Ok(true),
            Some(status) if !is_terminated(status) => Err(GitError::Git(format!("maintenance ended with {status}"))),
            _ => Ok(false),
        }
    }

    /// Asks it to end; git takes its locks and temporary files away.
    pub fn terminate(&self) {
        if self.child.lock().is_some() {
            // It fails only when all of them have just ended.
            let _ = kill_process_group(self.pid, Signal::TERM);
        }
    }

    /// Ends it, and returns when it has. Somebody else must be in [`Tidying::wait`].
    pub fn stop(&self) {
        self.terminate();
        self.ended.wait_while(&mut self.child.lock(), |child| child.is_some());
    }
}

fn is_terminated(status: ExitStatus) -> bool {
    status.signal().or(status.code().map(|code| code - 128)) == Some(libc::SIGTERM)
}
