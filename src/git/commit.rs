//! Committing: objects first, then under git's index lock the branch by compare-and-set, then the index.
//!
//! Nobody's commit is lost: the tree is built from the tip that was read, and the branch moves only from that tip.

use super::{
    FileMode, GitError, PathChange, durable, index::IndexLock, init::with_suffix, open::LOCK_WAIT, turn::take_turn,
};
use crate::{domain::path::WsPath, fault};
use gix::{
    ObjectId, Repository,
    actor::Signature,
    date::parse::TimeBuf,
    lock::acquire::Fail,
    objs::{
        Commit, Kind, Tree, WriteTo,
        tree::{Editor, EntryKind},
    },
    refs::{
        FullName, Target,
        transaction::{PreviousValue, RefEdit},
    },
    validate::path::component,
};
use std::{io, path::PathBuf, thread, time::Duration};

/// How often a commit is built anew because the branch moved under it.
const ATTEMPTS: usize = 20;

/// A path as the next tree shall have it.
pub(super) struct Edit {
    pub path: WsPath,
    /// `None`: not there.
    pub entry: Option<(EntryKind, ObjectId)>,
}

/// A commit whose objects are written, and that no ref names yet.
pub(super) struct Draft {
    pub id: ObjectId,
    pub parent: Option<ObjectId>,
    pub old_tree: ObjectId,
    pub tree: ObjectId,
    /// What it needs that may not be durable yet.
    written: Vec<ObjectId>,
    signature: Signature,
    subject: String,
}

pub(super) fn commit(repo: &Repository, changes: &[PathChange], message: &str) -> Result<Option<ObjectId>, GitError> {
    changes.iter().try_for_each(legal)?;
    let _turn = take_turn(repo)?;
    let edits = changes.iter().map(|change| write_blob(repo, change)).collect::<Result<Vec<_>, _>>()?;
    fault::step("commit.blobs")?;
    for _ in 0..ATTEMPTS {
        refuse_in_progress(repo)?;
        let Some(draft) = Draft::new(repo, tip(repo)?, &edits, message)? else { return Ok(None) };
        match publish(repo, &draft, changes, &edits) {
            Err(GitError::Moved) => {}
            result => return result.map(|()| Some(draft.id)),
        }
    }
    Err(GitError::Moved)
}

/// HEAD's commit.
pub(super) fn tip(repo: &Repository) -> Result<Option<ObjectId>, GitError> {
    Ok(repo.head()?.try_peel_to_id()?.map(gix::Id::detach))
}

fn legal(change: &PathChange) -> Result<(), GitError> {
    let symlink = change.content.as_ref().is_some_and(|content| content.mode == FileMode::Symlink);
    if is_legal(&change.path, symlink) { Ok(()) } else { Err(GitError::IllegalPath(change.path.clone())) }
}

/// Whether git allows a file, or a symlink, of this path in a tree.
pub(super) fn is_legal(path: &WsPath, symlink: bool) -> bool {
    let options = component::Options { protect_windows: false, protect_hfs: true, protect_ntfs: true };
    let names: Vec<_> = path.names().collect();
    let legal = |(depth, name): (usize, &&str)| {
        let mode = (symlink && depth + 1 == names.len()).then_some(component::Mode::Symlink);
        gix::validate::path::component((*name).into(), mode, options).is_ok()
    };
    !names.is_empty() && names.iter().enumerate().all(legal)
}

fn refuse_in_progress(repo: &Repository) -> Result<(), GitError> {
    use gix::state::InProgress::*;
    let name = match repo.state() {
        None => return Ok(()),
        Some(Merge) => "merge",
        Some(Rebase | RebaseInteractive | ApplyMailboxRebase) => "rebase",
        Some(ApplyMailbox) => "mailbox import",
        Some(CherryPick | CherryPickSequence) => "cherry-pick",
        Some(Revert | RevertSequence) => "revert",
        Some(Bisect) => "bisect",
    };
    Err(GitError::InProgress(name.to_owned()))
}

fn write_blob(repo: &Repository, change: &PathChange) -> Result<Edit, GitError> {
    let entry = match &change.content {
        None => None,
        Some(content) => {
            let kind = match content.mode {
                FileMode::Plain => EntryKind::Blob,
                FileMode::Executable => EntryKind::BlobExecutable,
                FileMode::Symlink => EntryKind::Link,
            };
            Some((kind, durable::write_object(repo, Kind::Blob, &content.bytes)?))
        }
    };
    Ok(Edit { path: change.path.clone(), entry })
}

impl Draft {
    /// `None` when the tree would stay as it is.
    pub(super) fn new(
        repo: &Repository,
        parent: Option<ObjectId>,
        edits: &[Edit],
        message: &str,
    ) -> Result<Option<Self>, GitError> {
        let old_tree = match parent {
            Some(parent) => repo.find_commit(parent)?.tree_id()?.detach(),
            None => ObjectId::empty_tree(repo.object_hash()),
        };
        let mut written: Vec<_> = edits.iter().filter_map(|edit| Some(edit.entry?.1)).collect();
        let tree = edit_tree(repo, old_tree, edits, &mut written)?;
        if tree == old_tree {
            return Ok(None);
        }
        let signature = committer(repo);
        let id = write_commit(repo, parent, tree, &signature, message)?;
        written.push(id);
        let subject = message.lines().next().unwrap_or_default().to_owned();
        Ok(Some(Self { id, parent, old_tree, tree, written, signature, subject }))
    }

    /// Makes its objects durable. Before a ref names it.
    pub(super) fn sync(&self, repo: &Repository) -> io::Result<()> {
        durable::sync_objects(&repo.common_dir().join("objects"), &self.written)
    }

    /// Points `name` (through symbolic refs) at this commit, provided it still is at the parent. Not durable yet.
    pub(super) fn move_ref(&self, repo: &Repository, name: &str) -> Result<(), GitError> {
        let full_name = FullName::try_from(name).map_err(|error| GitError::Git(error.to_string()))?;
        let previous = match self.parent {
            Some(parent) => PreviousValue::MustExistAndMatch(Target::Object(parent)),
            None => PreviousValue::MustNotExist,
        };
        let edit = RefEdit::update(full_name, self.id, previous, format!("commit: {}", self.subject)).with_deref(true);
        let mut time = TimeBuf::default();
        let wait = Fail::AfterDurationWithBackoff(Duration::from_millis(LOCK_WAIT));
        let prepared = repo.refs.transaction().prepare([edit], wait, wait).map_err(|error| not_moved(name, error))?;
        // What the ref will be stands in its lock now: synced before it gets the ref's name, it is never torn.
        sync_locks(repo, name)?;
        prepared.commit(Some(self.signature.to_ref(&mut time))).map_err(|error| not_moved(name, error))?;
        fault::point("commit.moved");
        Ok(())
    }
}

/// Why a ref stays where it is.
fn not_moved(name: &str, error: gix::Error) -> GitError {
    if error.is_not_found() {
        // Removed meanwhile, by `git branch -m` say.
        GitError::Moved
    } else if error.is_retryable() {
        GitError::Locked(format!("the lock of {name}"))
    } else {
        error.into()
    }
}

/// Brings the locks of a ref, and of the branch that HEAD stands for, to the disk.
fn sync_locks(repo: &Repository, name: &str) -> Result<(), GitError> {
    let files = if name == "HEAD" { refs_of_head(repo)? } else { vec![repo.common_dir().join(name)] };
    Ok(files.iter().try_for_each(|file| durable::sync_if_there(&with_suffix(file, ".lock")))?)
}

/// The files in which HEAD stands: of the branch, unless it is detached, and its own.
pub(super) fn refs_of_head(repo: &Repository) -> Result<Vec<PathBuf>, GitError> {
    let branch = repo.head_name()?.map(|name| repo.common_dir().join(name.as_bstr().to_string()));
    Ok(branch.into_iter().chain([repo.git_dir().join("HEAD")]).collect())
}

/// The tree with the edits applied; ids of new trees are added to `written`.
fn edit_tree(
    repo: &Repository,
    base: ObjectId,
    edits: &[Edit],
    written: &mut Vec<ObjectId>,
) -> Result<ObjectId, GitError> {
    let root: Tree = repo.find_tree(base)?.decode()?.into();
    let mut editor = Editor::new(root, &repo.objects, repo.object_hash());
    // A file may make room for a folder of its name, or the other way round.
    for edit in edits.iter().filter(|edit| edit.entry.is_none()) {
        editor.remove_if_leaf(names(&edit.path))?;
    }
    for edit in edits {
        if let Some((kind, id)) = edit.entry {
            editor.upsert(names(&edit.path), kind, id)?;
        }
    }
    editor.write(|tree| {
        let id = write_object(repo, tree)?;
        written.push(id);
        Ok(id)
    })
}

fn names(path: &WsPath) -> impl Iterator<Item = &gix::bstr::BStr> {
    path.names().map(Into::into)
}

fn write_commit(
    repo: &Repository,
    parent: Option<ObjectId>,
    tree: ObjectId,
    signature: &Signature,
    message: &str,
) -> Result<ObjectId, GitError> {
    let commit = Commit {
        tree,
        parents: parent.into_iter().collect(),
        author: Signature { time: signature.time, ..author(repo, signature) },
        committer: signature.clone(),
        encoding: None,
        // git refuses a commit whose message holds a NUL.
        message: format!("{}\n", message.trim_end().replace('\0', "")).into(),
        extra_headers: Vec::new(),
    };
    write_object(repo, &commit)
}

fn write_object(repo: &Repository, object: &impl WriteTo) -> Result<ObjectId, GitError> {
    let mut bytes = Vec::new();
    object.write_to(&mut bytes)?;
    durable::write_object(repo, object.kind(), &bytes)
}

/// The user as git knows them, now.
fn committer(repo: &Repository) -> Signature {
    let known = repo.committer().and_then(Result::ok);
    let (name, email) = known.map_or(("trackfs".into(), "trackfs@localhost".into()), |known| (known.name, known.email));
    Signature { name: name.to_owned(), email: email.to_owned(), time: gix::date::Time::now_local_or_utc() }
}

fn author(repo: &Repository, otherwise: &Signature) -> Signature {
    let known = repo.author().and_then(Result::ok);
    known.map_or_else(
        || otherwise.clone(),
        |known| Signature { name: known.name.to_owned(), email: known.email.to_owned(), time: otherwise.time },
    )
}

fn publish(repo: &Repository, draft: &Draft, changes: &[PathChange], edits: &[Edit]) -> Result<(), GitError> {
    let lock = IndexLock::acquire(repo, draft.id)?;
    fault::point("commit.locked");
    // git takes the same lock before it merges, rebases or commits: from here on it does not.
    refuse_in_progress(repo)?;
    if tip(repo)? != draft.parent {
        return Err(GitError::Moved);
    }
    let objects = repo.common_dir().join("objects");
    // The disk and the processor have work at the same time.
    thread::scope(|scope| {
        let syncing = scope.spawn(|| durable::sync_objects(&objects, &draft.written));
        let updated = lock.update(repo, draft, changes, edits);
        syncing.join().expect("it cannot panic")?;
        updated
    })?;
    fault::point("commit.indexed");
    draft.move_ref(repo, "HEAD")?;
    lock.publish()?;
    fault::point("commit.published");
    Ok(durable::sync_files(&files_of_head(repo)?, repo.common_dir())?)
}

/// The files that moving HEAD writes, and the index.
fn files_of_head(repo: &Repository) -> Result<Vec<PathBuf>, GitError> {
    let (own, common) = (repo.git_dir(), repo.common_dir());
    let mut files = vec![own.join("index"), own.join("logs/HEAD")];
    match repo.head_name()? {
        Some(branch) => {
            let branch = branch.as_bstr().to_string();
            files.extend([common.join(&branch), common.join("logs").join(branch)]);
        }
        None => files.push(own.join("HEAD")),
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Repo;

    fn draft(repo: &Repository, content: &str) -> Draft {
        let blob = repo.write_blob(content).unwrap().detach();
        let edit = Edit { path: WsPath::new("a").unwrap(), entry: Some((EntryKind::Blob, blob)) };
        Draft::new(repo, tip(repo).unwrap(), &[edit], content).unwrap().unwrap()
    }

    #[test]
    fn a_branch_moves_only_from_the_tip_that_was_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("ws")).unwrap();
        let repo = Repo::init(&dir.path().join("ws"), &dir.path().join("repo.git")).unwrap().local();
        for round in ["as the first commit", "on top of one"] {
            let (one, other) = (draft(&repo, &format!("one {round}")), draft(&repo, &format!("other {round}")));
            one.move_ref(&repo, "HEAD").unwrap();
            assert!(matches!(other.move_ref(&repo, "HEAD"), Err(GitError::Moved)), "{round}");
            assert_eq!(tip(&repo).unwrap(), Some(one.id), "{round}");
        }
        let orphan = draft(&repo, "the branch is gone");
        std::fs::remove_file(dir.path().join("repo.git/refs/heads/main")).unwrap();
        assert!(matches!(orphan.move_ref(&repo, "HEAD"), Err(GitError::Moved)));
    }
}
