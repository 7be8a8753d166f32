//! Tells the events of the past again, from git, when the journal that held them is lost.

use super::Engine;
use crate::{
    domain::{event::Change, op::Actor},
    git::{BlobChange, CommitInfo},
};

/// Newest commits whose events are told again; what is older stays in git alone.
const COMMITS: usize = 1000;

/// Appends the events of the newest commits, oldest first, as far as git knows them: one per change of a committed file.
pub fn replay(engine: &Engine) -> anyhow::Result<()> {
    let mut commits = engine.repo.log(None, COMMITS)?;
    commits.reverse();
    for commit in commits {
        let mut changes = Vec::new();
        let mut paths = Vec::new();
        for blob in engine.repo.changes(&commit.id)? {
            changes.extend(meaning(engine, &blob)?);
            paths.push(blob.path);
        }
        let actor = actor(&commit);
        let subject = commit.message.lines().next().unwrap_or_default().to_owned();
        changes.push(Change::Committed { commit: commit.id, message: subject, paths });
        engine.store.append(commit.at, &actor, changes)?;
    }
    Ok(())
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
