//! History as tables: brings `history.db` in step with git, and answers what was.

mod meanings;
#[cfg(all(feature = "fuse", target_os = "linux"))]
mod places;

use super::{bell::Bell, memory};
use crate::{
    domain::{
        past::{self, Placed, Version},
        path::WsPath,
    },
    git::{Blob, FileChange, FileMode, GitError, Repo, Revision},
    workspace::store::{Chronicler, Latest, Past, PastBlob, PastCommit, PastFile, StoreError},
};
use anyhow::{Context, anyhow};
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use meanings::Meanings;
use parking_lot::Mutex;
use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

/// Commits that are taken over in one transaction.
const BATCH: usize = 200;

/// What git's history says, in tables.
pub struct History {
    pub repo: Arc<Repo>,
    past: Past,
    /// Whoever brings it in step.
    catching_up: Mutex<()>,
    bell: Bell,
    #[cfg(all(feature = "fuse", target_os = "linux"))]
    shown: places::Shown,
}

/// How far taking over is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub done: usize,
    /// Commits that were not known at the beginning.
    pub of: usize,
}

impl History {
    /// Of the repository whose state is kept in `state`.
    pub fn open(repo: Arc<Repo>, state: &Path) -> anyhow::Result<Self> {
        let past = Past::open(state).context("history.db cannot be opened")?;
        Ok(Self {
            repo,
            past,
            catching_up: Mutex::default(),
            bell: Bell::default(),
            #[cfg(all(feature = "fuse", target_os = "linux"))]
            shown: places::Shown::default(),
        })
    }

    /// Whether it says what HEAD says.
    pub fn is_in_step(&self) -> anyhow::Result<bool> {
        Ok(self.repo.head()? == self.past.head()?)
    }

    /// There may be new commits.
    pub fn wake(&self) {
        self.bell.ring();
    }

    pub fn stop(&self) {
        self.bell.stop();
    }

    /// Brings it in step whenever it is woken, until [`History::stop`].
    pub fn run(&self) {
        let work = || self.catch_up(|_| !self.bell.is_stopped());
        self.bell.answer(Duration::ZERO, work, "history is not in step");
    }

    /// Takes over the commits that are new. `progress` is told after each batch, and ends it by answering false: what was
    /// taken over stays.
    pub fn catch_up(&self, mut progress: impl FnMut(Progress) -> bool) -> anyhow::Result<()> {
        if self.is_in_step()? {
            return Ok(());
        }
        let _one_at_a_time = self.catching_up.lock();
        let (from, Some(to)) = (self.past.head()?, self.repo.head()?) else { return Ok(()) };
        let new = self.repo.unknown(|commit| self.past.knows(commit).map_err(anyhow::Error::from))?;
        let mut meanings = Meanings::default();
        for (batch, commits) in new.chunks(BATCH).enumerate() {
            self.past.write(|chronicler| self.take_over(chronicler, commits, &mut meanings))?;
            let done = batch * BATCH + commits.len();
            if !progress(Progress { done, of: new.len() }) {
                return Ok(());
            }
        }
        drop(meanings);
        if new.len() >= BATCH {
            memory::give_back();
        }
        Ok(self.past.move_head(from.as_deref(), &to, &self.difference(from.as_deref(), &to)?)?)
    }

    fn take_over(
        &self,
        chronicler: &Chronicler<'_>,
        commits: &[String],
        meanings: &mut Meanings,
    ) -> Result<(), StoreError> {
        self.repo.tell(commits, |told| {
            let trees = told.folders.iter().filter_map(|folder| folder.new.as_deref());
            let commit = PastCommit {
                id: &told.id,
                parents: &told.parents,
                tree: &told.tree,
                author: &told.author,
                actors: &past::actors(&told.message),
                at: told.at,
                message: &told.message,
                trees: trees.chain([told.tree.as_str()]).collect(),
            };
            let Some(n) = chronicler.commit(&commit)? else { return Ok(()) };
            let origins = self.origins(&told.files)?;
            for file in &told.files {
                let origin = origins.get(&file.path).copied();
                let old = origin.map_or((&file.path, file.old.as_ref()), |gone| (&gone.path, gone.old.as_ref()));
                let new = file.new.as_ref().map(|blob| (&file.path, blob));
                let changes = meanings.changes(&self.repo, chronicler, (old.0, old.1), new)?;
                chronicler.file(
                    n,
                    &PastFile {
                        path: &file.path,
                        moved_from: origin.map(|gone| &gone.path),
                        old: old.1.map(|blob| blob.id.as_str()),
                        new: file.new.as_ref().map(|blob| self.past_blob(blob)).transpose()?,
                        changes: &changes,
                    },
                )?;
            }
            Ok(())
        })
    }

    /// For each file that a commit moved here: what it was.
    fn origins<'f>(&self, files: &'f [FileChange]) -> Result<HashMap<&'f WsPath, &'f FileChange>, GitError> {
        let gone: Vec<_> = files.iter().filter(|file| file.new.is_none()).collect();
        let made: Vec<_> = files.iter().filter(|file| file.old.is_none()).collect();
        let placed = |file: &&'f FileChange, blob: &'f Option<Blob>| {
            let blob = &blob.as_ref().expect("a file that is not there on both sides is no change").id;
            Placed { path: &file.path, blob }
        };
        let pairs = past::pair(
            &gone.iter().map(|file| placed(file, &file.old)).collect::<Vec<_>>(),
            &made.iter().map(|file| placed(file, &file.new)).collect::<Vec<_>>(),
            |blob| self.repo.blob(blob),
        )?;
        let moved = made.iter().zip(pairs).filter_map(|(file, pair)| Some((&file.path, gone[pair?])));
        Ok(moved.collect())
    }

    fn past_blob<'b>(&self, blob: &'b Blob) -> Result<PastBlob<'b>, GitError> {
        let executable = blob.mode == FileMode::Executable;
        Ok(PastBlob { hash: &blob.id, size: self.repo.blob_size(&blob.id)?, executable })
    }

    fn difference(&self, from: Option<&str>, to: &str) -> anyhow::Result<Latest> {
        let tree = |commit: &str| {
            let revision = self.repo.revision(commit)?;
            revision.map(|revision| revision.tree).ok_or_else(|| anyhow!("commit {commit} is not there any more"))
        };
        let to = tree(to)?;
        let (files, folders) = self.repo.between(from.map(tree).transpose()?.as_deref(), &to)?;
        let files = files.into_iter().map(|file| (file.path, file.new.map(|blob| blob.id)));
        let folders = folders.into_iter().map(|folder| (folder.path, folder.new)).chain([(WsPath::root(), Some(to))]);
        Ok(Latest { files: files.collect(), folders: folders.collect() })
    }

    /// Every version of a file, oldest first, followed through its moves.
    pub fn versions(&self, file: &WsPath) -> anyhow::Result<Vec<Version>> {
        Ok(self.past.versions(file)?)
    }

    /// The blob that the last commit has at a path.
    pub fn latest(&self, file: &WsPath) -> anyhow::Result<Option<String>> {
        Ok(self.past.latest(file)?)
    }

    /// Whether a path was ever a file.
    pub fn was_file(&self, path: &WsPath) -> anyhow::Result<bool> {
        Ok(self.past.was_file(path)?)
    }

    /// The commit that a person means by a branch, a tag, an id, an expression (`HEAD~3`) or a time: the newest one then.
    pub fn revision(&self, said: &str, zone: &TimeZone) -> anyhow::Result<Option<Revision>> {
        let commit = match moment(said, zone) {
            Some(at) => self.past.commit_at(at)?,
            None => Some(said.to_owned()),
        };
        Ok(commit.map(|commit| self.repo.revision(&commit)).transpose()?.flatten())
    }
}

/// A time as a person writes it: a day means its end, a time without a zone is of `zone`.
fn moment(said: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(at) = said.parse::<Timestamp>() {
        return Some(at);
    }
    // In file names, too.
    let said = said.replace('_', ":");
    let day = said.parse::<Date>().ok().filter(|_| said.len() == "2026-11-20".len());
    let at = match day {
        Some(day) => day.tomorrow().ok()?.at(0, 0, 0, 0).checked_sub(1.second()).ok()?,
        None if said.contains('T') => said.parse::<DateTime>().ok()?,
        None => return None,
    };
    Some(at.to_zoned(zone.clone()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_taken_as_people_write_it() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let at = |said: &str| moment(said, &zone).map(|at| at.to_string());
        assert_eq!(at("2026-11-20T14:00").as_deref(), Some("2026-11-20T13:00:00Z"));
        assert_eq!(at("2026-11-20T14:00:30Z").as_deref(), Some("2026-11-20T14:00:30Z"));
        assert_eq!(at("2026-11-20T14_00").as_deref(), Some("2026-11-20T13:00:00Z"));
        assert_eq!(at("2026-11-20").as_deref(), Some("2026-11-20T22:59:59Z"));
        for other in ["HEAD", "main", "HEAD~3", "20261120", "deadbeef", "v1.2"] {
            assert_eq!(at(other), None, "{other}");
        }
    }
}
