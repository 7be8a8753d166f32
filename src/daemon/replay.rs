//! Tells the events of the past again, from git, when the journal that held them is lost.

use super::Engine;
use crate::{
    domain::{Timestamp, event::Change, op::Actor},
    git::{BlobChange, CommitInfo},
};

/// Newest commits whose events are told again; what is older stays in git alone.
const COMMITS: usize = 1000;
/// Files that these may have changed together: one commit can bring in a hundred thousand.
const FILES: usize = 10_000;

/// The changes of one commit.
pub type Told = (Timestamp, Actor, Vec<Change>);

/// The events of the newest commits, oldest first, as far as git knows them: one per change of a committed file.
pub fn past(engine: &Engine) -> anyhow::Result<Vec<Told>> {
    let mut past = Vec::new();
    let mut files = 0;
    for commit in engine.repo.log(None, COMMITS)? {
        let blobs = engine.repo.changes(&commit.id)?;
        files += blobs.len();
        if files > FILES {
            break;
        }
        past.push(told(engine, commit, blobs)?);
    }
    past.reverse();
    Ok(past)
}

fn told(engine: &Engine, commit: CommitInfo, blobs: Vec<BlobChange>) -> anyhow::Result<Told> {
    let actor = actor(&commit);
    let mut changes = Vec::new();
    let mut paths = Vec::new();
    for blob in blobs {
        changes.extend(meaning(engine, &blob)?);
        paths.push(blob.path);
    }
    let message = commit.message.lines().next().unwrap_or_default().to_owned();
    changes.push(Change::Committed { commit: commit.id, message, paths });
    Ok((commit.at, actor, changes))
}

fn meaning(engine: &Engine, blob: &BlobChange) -> anyhow::Result<Vec<Change>> {
    let read = |id: &Option<String>| id.as_ref().map(|id| engine.repo.blob(id)).transpose();
    let (old, new) = (read(&blob.old)?, read(&blob.new)?);
    Ok(engine.settler.meaning_of(&blob.path, old.as_deref(), new.as_deref()))
}

/// Who saved it: the trailer of our own commits, else the author.
fn actor(commit: &CommitInfo) -> Actor {
    let trailer = commit.message.lines().find_map(|line| line.strip_prefix("Trackfs-Actor: "));
    let author = commit.author.split(" <").next().unwrap_or_default();
    Actor::named(trailer.unwrap_or(author))
}
