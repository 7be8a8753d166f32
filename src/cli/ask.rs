//! `status`, `commit`, `flush`, `sync`: what the engine is asked, wherever it runs.

use super::{
    failure,
    output::Output,
    progress,
    report::{self, Outcome},
};
use crate::daemon::{
    self, Location,
    control::{Request, Response},
    report::RemoteReport,
};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// A folder of the workspace [default: here]
    dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CommitArgs {
    /// The commit's message [default: what changed]
    #[arg(short, long)]
    message: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs sync --dry-run          what would be pulled and pushed
  trackfs sync linear             one remote only
  trackfs sync --yes              also what was held because it is a lot (sync.max_removals, sync.max_changes)")]
pub struct SyncArgs {
    /// Name of one remote [default: all]
    remote: Option<String>,
    /// Only say what would be done
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Carry out what is held for a yes, too
    #[arg(long, short)]
    yes: bool,
}

pub fn status(args: &StatusArgs, out: &mut Output) -> anyhow::Result<()> {
    ask(&locate(args.dir.as_deref())?, &Request::Status, out)
}

pub fn commit(args: CommitArgs, out: &mut Output) -> anyhow::Result<()> {
    ask(&locate(None)?, &Request::Commit { message: args.message }, out)
}

pub fn flush(out: &mut Output) -> anyhow::Result<()> {
    ask(&locate(None)?, &Request::Flush, out)
}

pub fn sync(args: SyncArgs, out: &mut Output) -> anyhow::Result<()> {
    let request = Request::Sync { remote: args.remote, dry_run: args.dry_run, yes: args.yes };
    answered(&progress::ask(&locate(None)?, &request)?, out)
}

/// The workspace around `start`, or around the current folder.
pub fn locate(start: Option<&Path>) -> anyhow::Result<Location> {
    Ok(Location::discover(start.unwrap_or(Path::new(".")))?)
}

pub fn ask(at: &Location, request: &Request, out: &mut Output) -> anyhow::Result<()> {
    answered(&daemon::ask(at, request)?, out)
}

fn answered(response: &Response, out: &mut Output) -> anyhow::Result<()> {
    report::print(response, out)?;
    match report::outcome(response) {
        Outcome::Done => Ok(()),
        Outcome::Refused(message) => Err(anyhow::anyhow!(message)),
        Outcome::Incomplete(remotes) => Err(incomplete(&remotes, response)),
    }
}

fn incomplete(remotes: &[&RemoteReport], response: &Response) -> anyhow::Error {
    let reasons =
        remotes.iter().map(|remote| format!("{}: {}", remote.remote, remote.error.as_deref().unwrap_or("failed")));
    let what = reasons.collect::<Vec<_>>().join("; ");
    match response {
        Response::Flush(_) => failure::advise(what, "what is pending stays in the outbox and is tried again"),
        _ => {
            failure::advise(what, "nothing is lost: `trackfs sync` tries again, `trackfs status` shows what is pending")
        }
    }
}
