//! What a tracker shows and nobody here changes, as files to read: pull requests, `remotes/<remote>/pulls/<number>.md`, and
//! what happened to issues, `remotes/<remote>/timeline/<key>.md`. A pull writes them, and nothing of them is ever sent.
//!
//! A file is written when what it shows changed, over whatever stands there. What was written is remembered, so that an
//! edit shows as a problem until then.

use super::{SyncError, Trouble, cycle::Cycle, memory::fingerprint};
use crate::{
    domain::{document::Document, issue::RemoteIssue, path::WsPath, pull::RemotePull, snapshot::ContentHash, timeline},
    remote::RemoteError,
};

/// Timelines that are asked for in one cycle, a request each: those of a large repository come over many.
const TIMELINES: usize = 25;

impl Cycle<'_> {
    /// Writes the files of pull requests that changed.
    pub fn take_pulls(&mut self, pulls: Vec<RemotePull>) -> Result<(), SyncError> {
        for pull in pulls.iter().filter(|_| self.sync.parts.config.pulls) {
            let Some(path) = pull.path(self.name()) else { continue };
            let paths = pull.closes.iter().filter_map(|key| self.tickets.linked_to(key, None).cloned());
            let document = pull.document(&paths.collect::<Vec<_>>());
            self.write_reading(path, &document, &pull.number.to_string(), "pull request")?;
        }
        Ok(())
    }

    /// Asks what happened to the issues that changed since their timelines were written, those that changed last first.
    pub fn take_timelines(&mut self) -> Result<(), SyncError> {
        if !self.sync.parts.config.timeline {
            return Ok(());
        }
        let is_due = |issue: &&RemoteIssue| {
            let is_there = !issue.archived && !issue.is_let_go();
            is_there && self.memory.timelines.get(&issue.id) != Some(&stamp(issue))
        };
        let mut due: Vec<RemoteIssue> = self.tracking.issues.values().filter(is_due).cloned().collect();
        due.sort_by(|a, b| b.updated_at.cmp(&a.updated_at));
        for issue in due.into_iter().take(TIMELINES) {
            match self.sync.parts.provider.timeline(&issue.id) {
                Ok(happenings) => {
                    let Some(path) = timeline::path(self.name(), &issue.key) else { continue };
                    // One that was written just now is not in the index yet.
                    let written = || self.memory.paths.get(&issue.id).cloned();
                    let ticket = self.locate(&issue.id, &[&issue.key]).or_else(written);
                    let document = timeline::document(&issue, ticket.as_ref(), &happenings);
                    self.write_reading(path, &document, &issue.key, "timeline")?;
                }
                // A server without timelines, or an issue that is gone: asked again when the issue changes.
                Err(RemoteError::NotFound { .. }) => {}
                Err(error) => {
                    self.only_this(None, error)?;
                    continue;
                }
            }
            self.memory.timelines.insert(issue.id.clone(), stamp(&issue));
        }
        Ok(())
    }

    /// One that cannot be written is tried again when it changes, or by the next listing of everything.
    fn write_reading(&mut self, path: WsPath, document: &Document, key: &str, what: &str) -> Result<(), SyncError> {
        let written = ContentHash::of(document.bytes());
        if self.memory.readings.get(&path) == Some(&written) {
            return Ok(());
        }
        let there = self.sync.parts.root.read(&path).ok();
        match self.write(&path, there.as_deref(), document) {
            Ok(wrote) => {
                self.step("file")?;
                if wrote {
                    self.pulled(&path, key, vec![what.to_owned()]);
                }
                self.memory.readings.insert(path, written);
            }
            Err(error) => self.report.deferred.push(Trouble { path: Some(path), reason: error.to_string() }),
        }
        Ok(())
    }
}

/// What a timeline was written for.
fn stamp(issue: &RemoteIssue) -> ContentHash {
    fingerprint(&(&issue.updated_at, &issue.reactions))
}
