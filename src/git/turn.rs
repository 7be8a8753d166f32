//! Turns of those who write to a repository.

use super::{GitError, durable::loose_file};
use gix::{ObjectId, Repository, odb::loose};
use std::{
    fs, io,
    path::PathBuf,
    time::{Duration, SystemTime},
};

/// By how much the times of files of one turn may differ from the order in which they were written.
const CLOCK: Duration = Duration::from_secs(2);

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
    if let Ok(begun) = fs::metadata(&note).and_then(|note| note.modified())
        && let Err(error) = remove_torn_objects(repo, begun - CLOCK)
    {
        // They are in nobody's way: what a commit needs is written anew.
        tracing::warn!(%error, "what an interrupted commit may have left of objects stays");
    }
    fs::File::create(&note)?;
    Ok(Turn { _lock: lock, note })
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.note);
    }
}

/// Objects get their names before they are synced, so that a power cut may leave names of nothing, or of a part of what was
/// written, which git complains of. No ref needs them: a branch moves once its objects are on the disk.
fn remove_torn_objects(repo: &Repository, begun: SystemTime) -> Result<(), GitError> {
    let loose = loose::Store::at(repo.common_dir().join("objects"), repo.object_hash());
    for id in loose.iter() {
        let id = id.map_err(io::Error::from)?;
        let file = loose_file(loose.path(), id);
        let found = fs::metadata(&file)?;
        if found.len() == 0 || (found.modified()? >= begun && is_torn(&loose, id)) {
            fs::remove_file(file)?;
        }
    }
    Ok(())
}

/// Whether the content of a loose object is not what its id was made of. One that cannot be read now is not judged.
fn is_torn(loose: &loose::Store, id: ObjectId) -> bool {
    match loose.try_find(&id, &mut Vec::new()) {
        Ok(object) => object.is_some_and(|object| object.verify_checksum(&id).is_err()),
        Err(error) => error.is_corrupted(),
    }
}
