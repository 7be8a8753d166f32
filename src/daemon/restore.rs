//! Makes files again what they were: edits that any editor could make, on top of everything that is there.

use super::{Engine, control::RestoreFile, engine::myself, report::RestoreReport};
use crate::{domain::path::WsPath, workspace::root::ReplaceError};
use anyhow::{Context, bail};
use std::{fmt::Write, io};

impl Engine {
    /// What the files are now is committed first, so nothing is lost by it.
    pub(super) fn restore(&self, commit: &str, files: &[RestoreFile]) -> anyhow::Result<RestoreReport> {
        self.whole_index()?;
        self.settle_and_commit(None)?;
        let mut report = RestoreReport { from: commit.to_owned(), ..RestoreReport::default() };
        let outcome = files.iter().try_for_each(|file| {
            let changed = self.restore_file(file)?;
            if changed { &mut report.restored } else { &mut report.unchanged }.push(file.path.clone());
            Ok::<_, anyhow::Error>(())
        });
        // What was restored before one failed is committed, too.
        if !report.restored.is_empty() {
            report.commit = self.settle_and_commit(Some(&message(commit, &report.restored)))?.1.commit;
        }
        outcome.map(|()| report)
    }

    /// Whether it had to be changed.
    fn restore_file(&self, RestoreFile { path, blob }: &RestoreFile) -> anyhow::Result<bool> {
        let bytes = self.repo.blob(blob)?;
        let old = match self.root.read(path) {
            Ok(old) if old == bytes => return Ok(false),
            Ok(old) => Some(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("{path} cannot be read")),
        };
        match self.root.replace(path, old.as_deref(), &bytes) {
            Ok(()) => self.wrote(&myself(), path, bytes.len()),
            Err(ReplaceError::Busy | ReplaceError::Changed) => {
                bail!("{path} is being written by a program; close it there and try again")
            }
            Err(error) => return Err(error).with_context(|| format!("{path} cannot be restored")),
        }
        Ok(true)
    }
}

fn message(commit: &str, restored: &[WsPath]) -> String {
    let short = commit.get(..7).unwrap_or(commit);
    match restored {
        [path] => format!("restored {path} from {short}"),
        paths => {
            let mut message = format!("restored {} files from {short}\n\n", paths.len());
            paths.iter().for_each(|path| writeln!(message, "- {path}").expect("a string takes everything"));
            message
        }
    }
}
