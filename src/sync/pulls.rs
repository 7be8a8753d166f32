//! Pull requests as files to read: `remotes/<remote>/pulls/<number>.md`, written by the pull and never sent.
//!
//! A file is written when the pull request changed, over whatever stands there. What was written is remembered, so that an
//! edit shows as a problem until then.

use super::{SyncError, cycle::Cycle, files::WriteError};
use crate::domain::{path::WsPath, pull::RemotePull, snapshot::ContentHash};

impl Cycle<'_> {
    /// Writes the files of pull requests that changed.
    pub fn take_pulls(&mut self, pulls: Vec<RemotePull>) -> Result<(), SyncError> {
        for pull in pulls.iter().filter(|_| self.sync.parts.config.pulls) {
            let Some(path) = pull.path(self.name()) else { continue };
            let paths = pull.closes.iter().filter_map(|key| self.tickets.linked_to(key, None).cloned());
            let document = pull.document(&paths.collect::<Vec<_>>());
            let written = ContentHash::of(document.bytes());
            if self.memory.pulls.get(&path) == Some(&written) {
                continue;
            }
            let there = self.sync.parts.root.read(&path).ok();
            match self.write(&path, there.as_deref(), &document) {
                Ok(wrote) => {
                    self.step("file")?;
                    if wrote {
                        self.pulled(&path, &pull.number.to_string(), vec!["pull request".to_owned()]);
                    }
                    self.memory.pulls.insert(path, written);
                }
                Err(error) => self.pull_not_written(path, &error),
            }
        }
        Ok(())
    }

    /// The next listing of everything tries again, or the next change.
    fn pull_not_written(&mut self, path: WsPath, error: &WriteError) {
        let reason = error.to_string();
        self.report.deferred.push(super::Trouble { path: Some(path), reason });
    }
}
