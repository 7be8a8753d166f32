//! `log`: the commits of the workspace or of a folder, or of one file with each field that they changed.

use super::{
    ask::locate,
    failure, history,
    output::{Output, local_time},
    report::short_id,
};
use crate::{
    daemon::Location,
    domain::path::WsPath,
    git::{CommitInfo, Repo},
};
use clap::Args;
use serde_json::json;
use std::{
    io,
    path::{Component, Path, PathBuf},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs log                              the newest commits
  trackfs log tickets/fix-login.md         how one ticket came to be, field by field, through its moves
  trackfs log tickets                      the commits that changed something in a folder
  trackfs log --json -n 1000 | jq -r .message")]
pub struct LogArgs {
    /// A file or folder of the workspace
    path: Option<PathBuf>,
    /// Show at most this many
    #[arg(short, long, value_name = "NUMBER", default_value_t = 20)]
    number: usize,
}

pub fn run(args: &LogArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(None)?;
    let path = args.path.as_deref().map(|path| workspace_path(&at, path)).transpose()?;
    if let Some(path) = path.as_ref().filter(|path| !path.is_root()) {
        let history = history::open(&at)?;
        if history.was_file(path)? {
            return Ok(of_file(&history.versions(path)?, args.number, out)?);
        }
    }
    let commits = Repo::open(&at.git_dir)?.log(path.as_ref(), args.number)?;
    if let Some(path) = path.filter(|_| commits.is_empty()) {
        return Err(failure::advise(format!("{path} is in no commit"), history::NOT_COMMITTED));
    }
    Ok(commits.iter().try_for_each(|commit| print(commit, out))?)
}

fn of_file(versions: &[crate::domain::past::Version], number: usize, out: &mut Output) -> io::Result<()> {
    for version in versions.iter().rev().take(number) {
        if out.is_json() {
            out.json(version)?;
        } else {
            out.line(history::headline(version))?;
            history::changes(version, out)?;
        }
    }
    Ok(())
}

fn print(commit: &CommitInfo, out: &mut Output) -> io::Result<()> {
    let CommitInfo { id, author, at, message } = commit;
    if out.is_json() {
        return out.json(&json!({ "id": id, "author": author, "at": at, "message": message }));
    }
    let subject = message.lines().next().unwrap_or_default();
    out.line(format!("{} {}  {subject}  ({author})", short_id(id), local_time(*at)))
}

/// What the user calls `path`, standing where the process stands, as a path inside the workspace. It need not exist.
pub fn workspace_path(at: &Location, path: &Path) -> anyhow::Result<WsPath> {
    let absolute = lexical(&std::env::current_dir()?.join(path));
    let inside = absolute.strip_prefix(&at.dir).ok().and_then(Path::to_str);
    inside.and_then(|inside| WsPath::new(inside).ok()).ok_or_else(|| {
        failure::advise(
            format!("{} is not in the workspace {}", path.display(), at.dir.display()),
            "name a path inside it, or choose another workspace with -C",
        )
    })
}

/// The path without `.` and `..`, by its text: what was removed has a history, too.
fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_from_where_the_user_stands() {
        let here = std::env::current_dir().unwrap();
        let at = Location { dir: here.clone(), git_dir: here.clone(), state: here.clone() };
        assert_eq!(workspace_path(&at, Path::new("./a/../tickets/x.md")).unwrap().as_str(), "tickets/x.md");
        assert_eq!(workspace_path(&at, &here).unwrap(), WsPath::root());
        assert!(workspace_path(&at, Path::new("../elsewhere")).is_err());
    }
}
