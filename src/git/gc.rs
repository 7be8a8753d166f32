//! Packing: gix only ever adds loose objects, so git itself is asked to tidy up, where it is installed.

use super::GitError;
use std::{
    io,
    path::Path,
    process::{Command, Stdio},
};

/// Loose objects whose ids begin with `17`, from which on the whole repository holds some thousands: git's own estimate.
const ENOUGH: usize = 27;

/// Runs git's maintenance to its end, unless there is little to do or no git. Touches no work tree and runs no hooks.
pub(super) fn auto(git_dir: &Path, common_dir: &Path) -> Result<bool, GitError> {
    let loose = std::fs::read_dir(common_dir.join("objects/17")).map_or(0, Iterator::count);
    if loose < ENOUGH {
        return Ok(false);
    }
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
        command.env_remove(name);
    }
    let status = command
        .args(["-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false", "-c", "core.hooksPath=/dev/null"])
        .args(["maintenance", "run", "--auto", "--quiet"])
        .current_dir(git_dir)
        .env("GIT_DIR", git_dir)
        // Any folder but the real work tree, which a mount may cover.
        .env("GIT_WORK_TREE", git_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(true),
        Ok(status) => Err(GitError::Git(format!("maintenance ended with {status}"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}
