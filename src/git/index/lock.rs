//! Git's `index.lock`, with a second name, so that after a crash it is known to be ours and for which commit it was.

use crate::git::{GitError, commit, init::with_suffix, open::LOCK_WAIT, turn::take_turn};
use gix::{ObjectId, Repository, index::File};
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    time::{Duration, Instant},
};

const OWN_NAME: &str = "trackfs-index-";

/// Git's `index.lock`, held by us.
pub(in crate::git) struct IndexLock {
    pub(super) index: PathBuf,
    lock: PathBuf,
    /// The second name of `lock`: tells ours from the user's after a crash.
    pub(super) own: PathBuf,
}

impl IndexLock {
    /// Waits about two seconds for git to release it. Only one process at a time may be here.
    pub(in crate::git) fn acquire(repo: &Repository, commit: ObjectId) -> Result<Self, GitError> {
        recover(repo)?;
        let file = |name: &str| repo.git_dir().join(name);
        let held = Self { index: file("index"), lock: file("index.lock"), own: file(&format!("{OWN_NAME}{commit}")) };
        fs::File::create(&held.own)?;
        let deadline = Instant::now() + Duration::from_millis(LOCK_WAIT);
        let mut pause = Duration::from_millis(2);
        loop {
            match fs::hard_link(&held.own, &held.lock) {
                Ok(()) => return Ok(held),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(held.give_up(error.into())),
                Err(_) if Instant::now() >= deadline => {
                    return Err(held.give_up(GitError::Locked("index.lock".to_owned())));
                }
                Err(_) => std::thread::sleep(pause),
            }
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    /// The lock is somebody else's: leaves it alone.
    fn give_up(self, error: GitError) -> GitError {
        let _ = fs::remove_file(&self.own);
        std::mem::forget(self);
        error
    }

    /// Makes it the index and releases the lock.
    pub(in crate::git) fn publish(self) -> io::Result<()> {
        fs::rename(&self.lock, &self.index)?;
        let released = fs::remove_file(&self.own);
        std::mem::forget(self);
        released
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.lock);
        let _ = fs::remove_file(&self.own);
    }
}

/// Frees git's locks from a process of ours that was killed.
pub(in crate::git) fn release_left_over(repo: &Repository) -> Result<(), GitError> {
    if left_over(repo)?.is_empty() {
        return Ok(());
    }
    let _turn = take_turn(repo)?;
    recover(repo)
}

/// Second names of index locks, and the commits they were for. Without having the turn, they may be in use.
fn left_over(repo: &Repository) -> io::Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(repo.git_dir())? {
        let entry = entry?;
        if let Some(commit) = entry.file_name().to_str().and_then(|name| name.strip_prefix(OWN_NAME)) {
            found.push((entry.path(), commit.to_owned()));
        }
    }
    Ok(found)
}

/// Finishes or drops what a process left that died while it held the lock. Call it with the turn taken.
fn recover(repo: &Repository) -> Result<(), GitError> {
    let lock = repo.git_dir().join("index.lock");
    for (own, commit) in left_over(repo)? {
        let inode = fs::metadata(&own)?.ino();
        if fs::metadata(&lock).is_ok_and(|lock| lock.ino() == inode) {
            remove_ref_locks(repo, &commit)?;
            let head = commit::tip(repo)?.map(|id| id.to_string());
            let complete = || File::at(&lock, repo.object_hash(), false, Default::default()).is_ok();
            if head.as_ref() == Some(&commit) && complete() {
                fs::rename(&lock, repo.git_dir().join("index"))?;
            } else {
                fs::remove_file(&lock)?;
            }
        }
        fs::remove_file(own)?;
    }
    Ok(())
}

/// The locks under which the dead process was moving HEAD to `commit`. Whoever else moves HEAD holds the index lock first,
/// so what is empty, or says `commit`, is not theirs.
fn remove_ref_locks(repo: &Repository, commit: &str) -> Result<(), GitError> {
    for name in commit::refs_of_head(repo)? {
        let lock = with_suffix(&name, ".lock");
        let ours = |content: &str| content.trim_end() == commit || content.is_empty();
        if fs::read_to_string(&lock).is_ok_and(|content| ours(&content)) {
            fs::remove_file(&lock)?;
        }
    }
    Ok(())
}
