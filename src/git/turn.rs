//! Turns of those who write to a repository.

use super::GitError;
use gix::Repository;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The right to write to a repository, until it is dropped or the process ends.
pub(super) struct Turn {
    _lock: fs::File,
    /// There for as long as somebody writes: found at the next turn, it tells of one that never ended.
    note: PathBuf,
}

/// One writer of this repository at a time, across threads and processes; the kernel ends the turn of one that dies.
/// Comes before every lock of git's: whoever has the turn knows that no other trackfs holds them.
pub(super) fn take_turn(repo: &Repository) -> Result<Turn, GitError> {
    let lock = fs::File::create(repo.common_dir().join("trackfs.lock"))?;
    lock.lock()?;
    let note = repo.common_dir().join("trackfs.writing");
    if note.exists() {
        remove_empty_objects(&repo.common_dir().join("objects"))?;
    }
    fs::File::create(&note)?;
    Ok(Turn { _lock: lock, note })
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.note);
    }
}

/// Objects get their names before they are synced, so that a power cut may leave names of nothing, which git complains of.
fn remove_empty_objects(objects: &Path) -> io::Result<()> {
    for folder in fs::read_dir(objects)? {
        let folder = folder?;
        if folder.file_name().len() != 2 {
            continue;
        }
        for object in fs::read_dir(folder.path())? {
            let object = object?;
            // What git is about to write has a name of another kind.
            let is_named =
                object.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_hexdigit()));
            if is_named && object.metadata()?.len() == 0 {
                fs::remove_file(object.path())?;
            }
        }
    }
    Ok(())
}
