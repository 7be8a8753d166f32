//! `diff`: what differs between two moments, or between one and the files as they are.

use super::{ask::locate, history, log::workspace_path, output::Output};
use crate::{
    daemon::{
        self, Location,
        control::{Request, Response},
        past::History,
    },
    domain::{
        past::{FieldChange, difference},
        path::WsPath,
    },
    git::{FileChange, Revision, unified},
};
use clap::Args;
use serde::Serialize;
use std::{collections::BTreeSet, fs, io, path::PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs diff                                   what is not committed yet
  trackfs diff tickets/fix-login.md --from 2026-11-20
  trackfs diff --from HEAD~10 --to HEAD tickets
  trackfs diff --json --from yesterday-tag | jq -r '.path + \" \" + (.changes[].field // \"text\")'

A moment is a commit's id, a branch, a tag, HEAD~3, a day (2026-11-20: its end) or a time (2026-11-20T14:00).")]
pub struct DiffArgs {
    /// A file or folder of the workspace [default: everything]
    path: Option<PathBuf>,
    /// The earlier moment
    #[arg(long, value_name = "MOMENT", default_value = "HEAD")]
    from: String,
    /// The later moment [default: the files as they are now]
    #[arg(long, value_name = "MOMENT")]
    to: Option<String>,
}

/// A file that differs.
#[derive(Debug, Serialize)]
struct Differs<'d> {
    path: &'d WsPath,
    /// `created`, `removed` or `edited`.
    what: &'d str,
    /// Of Markdown files.
    changes: Vec<FieldChange>,
}

/// What is compared.
struct Sides<'s> {
    at: &'s Location,
    history: &'s History,
    /// `None`: the files.
    to: Option<Revision>,
}

pub fn run(args: &DiffArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(None)?;
    let within = args.path.as_deref().map(|path| workspace_path(&at, path)).transpose()?.unwrap_or_else(WsPath::root);
    let history = history::open(&at)?;
    let from = history::revision(&history, &args.from)?;
    let to = args.to.as_deref().map(|to| history::revision(&history, to)).transpose()?;
    let sides = Sides { at: &at, history: &history, to };
    for change in sides.changed(&from)? {
        if change.path.is_within(&within) {
            sides.print(&change, out)?;
        }
    }
    Ok(())
}

impl Sides<'_> {
    /// Files that differ, and perhaps some that do not.
    fn changed(&self, from: &Revision) -> anyhow::Result<Vec<FileChange>> {
        let repo = &self.history.repo;
        if let Some(to) = &self.to {
            return Ok(repo.between(Some(&from.tree), &to.tree)?.0);
        }
        // The files are HEAD's, apart from those that are not committed yet.
        let Response::Status(status) = daemon::ask(self.at, &Request::Settle)? else { unreachable!("status answers") };
        let head = repo.revision("HEAD")?;
        let mut changed = match &head {
            Some(head) => repo.between(Some(&from.tree), &head.tree)?.0,
            None => Vec::new(),
        };
        let known: BTreeSet<WsPath> = changed.iter().map(|change| change.path.clone()).collect();
        for path in status.uncommitted.into_iter().filter(|path| !known.contains(path)) {
            let old = repo.blob_at(&from.commit, &path)?;
            changed.push(FileChange { path, old, new: None });
        }
        changed.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(changed)
    }

    fn print(&self, change: &FileChange, out: &mut Output) -> anyhow::Result<()> {
        let old = change.old.as_ref().map(|blob| self.history.repo.blob(&blob.id)).transpose()?;
        let new = self.new_bytes(change)?;
        if old == new {
            return Ok(());
        }
        if out.is_json() {
            let (what, changes) = difference(&change.path, old.as_deref(), new.as_deref());
            return Ok(out.json(&Differs { path: &change.path, what, changes })?);
        }
        let path = change.path.as_str();
        let text = unified(old.as_deref().map(|bytes| (path, bytes)), new.as_deref().map(|bytes| (path, bytes)));
        Ok(text.lines().try_for_each(|line| out.line(line))?)
    }

    fn new_bytes(&self, change: &FileChange) -> anyhow::Result<Option<Vec<u8>>> {
        if self.to.is_some() {
            return Ok(change.new.as_ref().map(|blob| self.history.repo.blob(&blob.id)).transpose()?);
        }
        let file = self.at.dir.join(change.path.as_str());
        match fs::symlink_metadata(&file).and_then(|metadata| match metadata.is_symlink() {
            true => fs::read_link(&file).map(|target| target.into_os_string().into_encoded_bytes()),
            false => fs::read(&file),
        }) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
