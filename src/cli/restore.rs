//! `restore`: makes files again what they were.

use super::{
    ask::{ask, locate},
    failure, history,
    log::workspace_path,
    output::Output,
};
use crate::{
    daemon::{
        control::{Request, RestoreFile},
        past::History,
    },
    domain::path::WsPath,
    git::{FileMode, Revision},
};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs restore tickets/fix-login.md --at 2026-11-20T14:00
  trackfs restore tickets --at HEAD~3           each file that was there then; others stay
  trackfs restore tickets/fix-login.md --at HEAD --dry-run

What the files are now is committed first: nothing is lost, and another `restore` takes it back.")]
pub struct RestoreArgs {
    /// A file or folder of the workspace, as it is called now or was then
    path: PathBuf,
    /// A commit's id, a branch, a tag, HEAD~3, a day (its end) or a time
    #[arg(long, value_name = "MOMENT")]
    at: String,
    /// Only say which files
    #[arg(long, short = 'n')]
    dry_run: bool,
}

pub fn run(args: &RestoreArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(None)?;
    let path = workspace_path(&at, &args.path)?;
    let history = history::open(&at)?;
    let then = history::revision(&history, &args.at)?;
    let files = files(&history, &path, &then)?;
    if files.is_empty() {
        let next = format!("`trackfs log {path}` shows since when there is something");
        return Err(failure::advise(format!("{path} was not there at {}", args.at), next));
    }
    if args.dry_run {
        for RestoreFile { path, blob } in &files {
            let line = serde_json::json!({ "path": path, "blob": blob });
            out.value(&line, |_, out| out.line(format!("{path} would be as it was in {}", &then.commit[..8])))?;
        }
        return Ok(());
    }
    ask(&at, &Request::Restore { commit: then.commit, files }, out)
}

/// The file as it was, under whatever name; of a folder, every file in it.
fn files(history: &History, path: &WsPath, then: &Revision) -> anyhow::Result<Vec<RestoreFile>> {
    let tree = history.repo.between(None, &then.tree)?.0;
    let is_there = |file: &&crate::git::FileChange| file.path.is_within(path);
    let blob = |file: &crate::git::FileChange| {
        let blob = file.new.as_ref().filter(|blob| blob.mode != FileMode::Symlink)?;
        Some(blob.id.clone())
    };
    let there: Vec<_> = tree
        .iter()
        .filter(is_there)
        .filter_map(|file| Some(RestoreFile { path: file.path.clone(), blob: blob(file)? }))
        .collect();
    if !there.is_empty() {
        return Ok(there);
    }
    // It had another name then.
    let versions = history.versions(path)?;
    let former = versions.iter().rev().filter(|version| version.at <= then.at).map(|version| &version.path);
    let found = former.filter_map(|former| blob(tree.iter().find(|file| file.path == *former)?)).next();
    Ok(found.map(|blob| RestoreFile { path: path.clone(), blob }).into_iter().collect())
}
