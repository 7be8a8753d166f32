//! Reading history: what a revision holds, which commits changed a path, what a commit changed.

use super::{BlobChange, CommitInfo, GitError};
use crate::domain::{Timestamp, path::WsPath};
use gix::{ObjectId, Repository, bstr::BStr, diff::tree::recorder::Change, objs::tree::EntryMode};
use std::collections::{BTreeMap, BinaryHeap, HashSet};

/// The commit or tree that `revision` names.
pub(super) fn resolve(repo: &Repository, revision: &str) -> Option<ObjectId> {
    repo.rev_parse_single(revision).ok().map(gix::Id::detach)
}

/// Every file of a commit's tree. Submodules and names that are no UTF-8 are left out.
pub(super) fn files(repo: &Repository, id: ObjectId) -> Result<BTreeMap<WsPath, String>, GitError> {
    let tree = repo.find_object(id)?.peel_to_tree()?;
    let entries = tree.traverse().breadthfirst.files()?;
    let files = entries.into_iter().filter(|entry| entry.mode.is_blob_or_symlink());
    Ok(files.filter_map(|entry| Some((ws_path(entry.filepath.as_ref())?, entry.oid.to_string()))).collect())
}

pub(super) fn read_at(repo: &Repository, revision: &str, path: &WsPath) -> Result<Option<Vec<u8>>, GitError> {
    let Some(id) = resolve(repo, revision) else { return Ok(None) };
    let tree = repo.find_object(id)?.peel_to_tree()?;
    match tree.lookup_entry(path.names())? {
        Some(entry) if entry.mode().is_blob_or_symlink() => Ok(Some(repo.find_blob(entry.object_id())?.take_data())),
        _ => Ok(None),
    }
}

/// The walk of `git log [-- path]`: by commit date; at a merge that took the path over from one parent, only there.
pub(super) fn log(repo: &Repository, path: Option<&WsPath>, limit: usize) -> Result<Vec<CommitInfo>, GitError> {
    let mut walk = Walk { repo, queue: BinaryHeap::new(), seen: HashSet::new() };
    if let Some(tip) = super::commit::tip(repo)? {
        walk.push(tip)?;
    }
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(Pending { id, .. }) = walk.queue.pop()
    {
        let commit = repo.find_commit(id)?;
        let parents: Vec<_> = commit.parent_ids().map(gix::Id::detach).filter(|id| repo.has_object(id)).collect();
        let unchanged = path.map_or(Ok(None), |path| same_parent(repo, &commit, &parents, path))?;
        match unchanged {
            Some(Same::Parent(parent)) => walk.push(parent)?,
            Some(Same::Nothing) => {}
            None => {
                found.push(info(&commit)?);
                parents.into_iter().try_for_each(|parent| walk.push(parent))?;
            }
        }
    }
    Ok(found)
}

/// Why a commit did not change a path.
enum Same {
    /// It is there as in this parent.
    Parent(ObjectId),
    /// It is not there, and there is no parent.
    Nothing,
}

fn same_parent(
    repo: &Repository,
    commit: &gix::Commit<'_>,
    parents: &[ObjectId],
    path: &WsPath,
) -> Result<Option<Same>, GitError> {
    let here = entry(commit, path)?;
    for &parent in parents {
        if entry(&repo.find_commit(parent)?, path)? == here {
            return Ok(Some(Same::Parent(parent)));
        }
    }
    Ok((parents.is_empty() && here.is_none()).then_some(Same::Nothing))
}

fn entry(commit: &gix::Commit<'_>, path: &WsPath) -> Result<Option<(EntryMode, ObjectId)>, GitError> {
    let tree = commit.tree()?;
    if path.is_root() {
        return Ok(Some((gix::objs::tree::EntryKind::Tree.into(), tree.id)));
    }
    Ok(tree.lookup_entry(path.names())?.map(|entry| (entry.mode(), entry.object_id())))
}

struct Walk<'a> {
    repo: &'a Repository,
    queue: BinaryHeap<Pending>,
    seen: HashSet<ObjectId>,
}

/// Ordered by date; of equal dates, the one that was found first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Pending {
    seconds: i64,
    found: std::cmp::Reverse<usize>,
    id: ObjectId,
}

impl Walk<'_> {
    fn push(&mut self, id: ObjectId) -> Result<(), GitError> {
        if self.seen.insert(id) {
            let seconds = self.repo.find_commit(id)?.time()?.seconds;
            self.queue.push(Pending { seconds, found: std::cmp::Reverse(self.seen.len()), id });
        }
        Ok(())
    }
}

pub(super) fn info(commit: &gix::Commit<'_>) -> Result<CommitInfo, GitError> {
    let author = commit.author()?.trim();
    Ok(CommitInfo {
        id: commit.id.to_string(),
        author: format!("{} <{}>", author.name, author.email),
        at: Timestamp::from_second(commit.time()?.seconds).unwrap_or_default(),
        message: commit.message_raw_sloppy().to_string(),
    })
}

pub(super) fn changes(repo: &Repository, commit: &str) -> Result<Vec<BlobChange>, GitError> {
    let id = resolve(repo, commit).ok_or_else(|| GitError::Git(format!("there is no commit {commit}")))?;
    let commit = repo.find_object(id)?.peel_to_commit()?;
    let parent = commit.parent_ids().next().map(gix::Id::detach).filter(|id| repo.has_object(id));
    let old = parent.map(|parent| Ok::<_, GitError>(repo.find_commit(parent)?.tree_id()?.detach())).transpose()?;
    let changes = tree_changes(repo, old, commit.tree_id()?.detach())?;
    let mut changes: Vec<_> = changes.into_iter().filter_map(blob_change).collect();
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(changes)
}

/// What differs between two trees, folders included.
pub(super) fn tree_changes(repo: &Repository, old: Option<ObjectId>, new: ObjectId) -> Result<Vec<Change>, GitError> {
    let old = old.map_or_else(|| Ok(repo.empty_tree()), |old| repo.find_tree(old))?;
    let new = repo.find_tree(new)?;
    let mut recorder = gix::diff::tree::Recorder::default();
    let [before, after] = [&old, &new].map(|tree| gix::objs::TreeRefIter::from_bytes(&tree.data, tree.id.kind()));
    gix::diff::tree(before, after, gix::diff::tree::State::default(), &repo.objects, &mut recorder)
        .map_err(|error| GitError::Git(error.to_string()))?;
    Ok(recorder.records)
}

fn blob_change(change: Change) -> Option<BlobChange> {
    let file = |mode: EntryMode, id: ObjectId| mode.is_blob_or_symlink().then(|| id.to_string());
    let (path, old, new) = match change {
        Change::Addition { entry_mode, oid, path, .. } => (path, None, file(entry_mode, oid)),
        Change::Deletion { entry_mode, oid, path, .. } => (path, file(entry_mode, oid), None),
        Change::Modification { previous_entry_mode, previous_oid, entry_mode, oid, path } => {
            (path, file(previous_entry_mode, previous_oid), file(entry_mode, oid))
        }
    };
    let path = ws_path(path.as_ref())?;
    (old.is_some() || new.is_some()).then_some(BlobChange { path, old, new })
}

pub(super) fn ws_path(path: &BStr) -> Option<WsPath> {
    WsPath::new(std::str::from_utf8(path).ok()?).ok()
}
