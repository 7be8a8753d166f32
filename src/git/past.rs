//! History for those who keep it in tables, and for `.history/`: commits that are new, what each did, trees one by one.

use super::{
    GitError,
    history::{self, info, ws_path},
};
use crate::domain::{Timestamp, path::WsPath};
use gix::{
    ObjectId, Repository,
    bstr::ByteSlice,
    diff::tree::recorder::Change,
    objs::tree::{EntryKind, EntryMode},
};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

/// Memory for trees and commits that are read again and again while many commits are told, in bytes.
const OBJECT_CACHE: usize = 16 << 20;

/// A commit, and what it did to files and folders. Of a merge: what it has unlike all of its parents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub id: String,
    /// Those that this repository has.
    pub parents: Vec<String>,
    /// Its one root tree.
    pub tree: String,
    /// `Name <email>`.
    pub author: String,
    pub at: Timestamp,
    pub message: String,
    pub files: Vec<FileChange>,
    /// Trees that it has and its first parent has not in their place; its root is not among them.
    pub folders: Vec<FolderChange>,
}

/// `None`: not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    pub path: WsPath,
    pub old: Option<Blob>,
    pub new: Option<Blob>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderChange {
    pub path: WsPath,
    pub new: Option<String>,
}

/// A file's content in git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    pub id: String,
    pub mode: FileMode,
}

pub use super::FileMode;

/// Something in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    pub name: String,
    pub id: String,
    pub kind: TreeEntryKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeEntryKind {
    Folder,
    File(FileMode),
    /// A commit of another repository.
    Submodule,
}

/// What a revision names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    pub commit: String,
    pub tree: String,
    pub at: Timestamp,
}

/// Commits below HEAD of which `is_known` says no, parents first, older ones before younger where both could be next. What is
/// below a known commit is not looked at.
pub(super) fn unknown<E: From<GitError>>(
    repo: &Repository,
    mut is_known: impl FnMut(&str) -> Result<bool, E>,
) -> Result<Vec<String>, E> {
    let mut waiting = HashMap::new();
    let mut ahead: Vec<_> = super::commit::tip(repo)?.into_iter().collect();
    while let Some(id) = ahead.pop() {
        if waiting.contains_key(&id) || is_known(&id.to_string())? {
            continue;
        }
        let commit = repo.find_commit(id).map_err(GitError::from)?;
        let seconds = commit.time().map_err(GitError::from)?.seconds;
        let parents: Vec<_> = commit.parent_ids().map(gix::Id::detach).filter(|id| repo.has_object(id)).collect();
        ahead.extend(&parents);
        waiting.insert(id, (seconds, parents));
    }
    Ok(parents_first(waiting).into_iter().map(|id| id.to_string()).collect())
}

fn parents_first(commits: HashMap<ObjectId, (i64, Vec<ObjectId>)>) -> Vec<ObjectId> {
    let mut children: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
    let mut missing: HashMap<ObjectId, usize> = HashMap::new();
    for (id, (_, parents)) in &commits {
        let parents: BTreeSet<_> = parents.iter().filter(|parent| commits.contains_key(*parent)).collect();
        missing.insert(*id, parents.len());
        parents.into_iter().for_each(|parent| children.entry(*parent).or_default().push(*id));
    }
    let by_age = |id: ObjectId| std::cmp::Reverse((commits[&id].0, id));
    let mut ready: BinaryHeap<_> = missing.iter().filter(|(_, n)| **n == 0).map(|(id, _)| by_age(*id)).collect();
    let mut sorted = Vec::with_capacity(commits.len());
    while let Some(std::cmp::Reverse((_, id))) = ready.pop() {
        sorted.push(id);
        for child in children.remove(&id).unwrap_or_default() {
            let left = missing.get_mut(&child).expect("every commit is counted");
            *left -= 1;
            if *left == 0 {
                ready.push(by_age(child));
            }
        }
    }
    sorted
}

/// Tells these commits one after the other.
pub(super) fn tell<E: From<GitError>>(
    repo: &mut Repository,
    commits: &[String],
    mut take: impl FnMut(Told) -> Result<(), E>,
) -> Result<(), E> {
    repo.object_cache_size_if_unset(OBJECT_CACHE);
    commits.iter().try_for_each(|id| take(told(repo, object_id(id)?)?))
}

fn told(repo: &Repository, id: ObjectId) -> Result<Told, GitError> {
    let commit = repo.find_commit(id)?;
    let parents: Vec<_> = commit.parent_ids().map(gix::Id::detach).filter(|id| repo.has_object(id)).collect();
    let tree = commit.tree_id()?.detach();
    let trees = parents.iter().map(|parent| Ok(repo.find_commit(*parent)?.tree_id()?.detach()));
    let trees = trees.collect::<Result<Vec<_>, GitError>>()?;
    let (mut files, folders) = between(repo, trees.first().copied(), tree)?;
    for parent in trees.iter().skip(1) {
        let changed: BTreeSet<_> =
            between(repo, Some(*parent), tree)?.0.into_iter().map(|change| change.path).collect();
        files.retain(|change| changed.contains(&change.path));
    }
    let super::CommitInfo { id, author, at, message } = info(&commit)?;
    let parents = parents.iter().map(ToString::to_string).collect();
    Ok(Told { id, parents, tree: tree.to_string(), author, at, message, files, folders })
}

/// What differs between two trees, files and folders apart, each by path.
pub(super) fn between(
    repo: &Repository,
    old: Option<ObjectId>,
    new: ObjectId,
) -> Result<(Vec<FileChange>, Vec<FolderChange>), GitError> {
    let (mut files, mut folders) = (BTreeMap::new(), BTreeMap::new());
    if old == Some(new) {
        return Ok(Default::default());
    }
    for change in history::tree_changes(repo, old, new)? {
        let (path, old, new) = sides(change);
        let Some(path) = ws_path(path.as_ref()) else { continue };
        let is_folder = |side: &Option<(EntryMode, ObjectId)>| side.is_some_and(|(mode, _)| mode.is_tree());
        // A folder in place of a file is told in two parts.
        if is_folder(&old) || is_folder(&new) {
            let id = new.filter(|(mode, _)| mode.is_tree()).map(|(_, id)| id.to_string());
            let change = folders.entry(path.clone()).or_insert(FolderChange { path: path.clone(), new: None });
            change.new = id.or(change.new.take());
        }
        let [old, new] = [old, new].map(|side| side.and_then(|(mode, id)| blob(mode, id)));
        if old.is_some() || new.is_some() {
            let change = files.entry(path.clone()).or_insert(FileChange { path, old: None, new: None });
            change.old = old.or(change.old.take());
            change.new = new.or(change.new.take());
        }
    }
    Ok((files.into_values().collect(), folders.into_values().collect()))
}

type Side = Option<(EntryMode, ObjectId)>;

fn sides(change: Change) -> (gix::bstr::BString, Side, Side) {
    match change {
        Change::Addition { entry_mode, oid, path, .. } => (path, None, Some((entry_mode, oid))),
        Change::Deletion { entry_mode, oid, path, .. } => (path, Some((entry_mode, oid)), None),
        Change::Modification { previous_entry_mode, previous_oid, entry_mode, oid, path } => {
            (path, Some((previous_entry_mode, previous_oid)), Some((entry_mode, oid)))
        }
    }
}

fn blob(mode: EntryMode, id: ObjectId) -> Option<Blob> {
    Some(Blob { id: id.to_string(), mode: file_mode(mode)? })
}

fn file_mode(mode: EntryMode) -> Option<FileMode> {
    match mode.kind() {
        EntryKind::Blob => Some(FileMode::Plain),
        EntryKind::BlobExecutable => Some(FileMode::Executable),
        EntryKind::Link => Some(FileMode::Symlink),
        EntryKind::Tree | EntryKind::Commit => None,
    }
}

/// What is in a tree, by name. Names that are no UTF-8 are left out.
pub(super) fn entries(repo: &Repository, tree: &str) -> Result<Vec<TreeEntry>, GitError> {
    let tree = repo.find_tree(object_id(tree)?)?;
    let mut entries = Vec::new();
    for entry in tree.iter() {
        let entry = entry?;
        let Ok(name) = entry.filename().to_str() else { continue };
        let kind = match (entry.mode().kind(), file_mode(entry.mode())) {
            (EntryKind::Tree, _) => TreeEntryKind::Folder,
            (_, Some(mode)) => TreeEntryKind::File(mode),
            (_, None) => TreeEntryKind::Submodule,
        };
        entries.push(TreeEntry { name: name.to_owned(), id: entry.object_id().to_string(), kind });
    }
    Ok(entries)
}

/// `None`: nothing of this name, or no commit.
pub(super) fn revision(repo: &Repository, name: &str) -> Result<Option<Revision>, GitError> {
    let Some(id) = history::resolve(repo, name) else { return Ok(None) };
    let Ok(commit) = repo.find_object(id)?.peel_to_commit() else { return Ok(None) };
    let at = Timestamp::from_second(commit.time()?.seconds).unwrap_or_default();
    Ok(Some(Revision { commit: commit.id.to_string(), tree: commit.tree_id()?.to_string(), at }))
}

pub(super) fn blob_at(repo: &Repository, commit: &str, path: &WsPath) -> Result<Option<Blob>, GitError> {
    let tree = repo.find_object(object_id(commit)?)?.peel_to_tree()?;
    let entry = tree.lookup_entry(path.names())?;
    Ok(entry.and_then(|entry| blob(entry.mode(), entry.object_id())))
}

/// Names of branches and tags, sorted.
pub(super) fn names(repo: &Repository) -> Result<Vec<String>, GitError> {
    let platform = repo.references()?;
    let mut names = BTreeSet::new();
    for reference in platform.local_branches()?.chain(platform.tags()?) {
        let Ok(reference) = reference else { continue };
        names.extend(reference.name().shorten().to_str().ok().map(str::to_owned));
    }
    Ok(names.into_iter().collect())
}

pub(super) fn object_id(id: &str) -> Result<ObjectId, GitError> {
    ObjectId::from_hex(id.as_bytes()).map_err(|error| GitError::Git(error.to_string()))
}
