//! Git: commits with compare-and-set, history, tracking refs, text merge. The only place that names gix.
//!
//! The repository is the user's: the branch moves only from the tip that was read, only the given paths change, and
//! what the user staged stays staged. The work tree is never reached through its path (a mount may cover it), so
//! everything here works on the git directory alone. What a method reports as done is on the disk.

mod commit;
mod durable;
mod gc;
mod history;
mod index;
mod init;
mod mend;
mod merge;
mod open;
mod past;
mod relocate;
mod tracking;
mod turn;
mod unified;

pub use gc::Tidying;
pub use init::discover;
pub use merge::merge_text;
pub use past::{Blob, FileChange, FolderChange, Revision, Told, TreeEntry, TreeEntryKind};
pub use unified::unified;

use crate::{
    domain::{Timestamp, issue::RemoteIssue, path::WsPath},
    workspace::{root::Stat, store::StoreError},
};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

pub use crate::domain::merge::TextMerge;

/// The workspace's repository. `Send + Sync`; every method takes `&self`.
pub struct Repo {
    git_dir: PathBuf,
    /// Holds objects and shared refs; differs from `git_dir` in a linked worktree.
    common_dir: PathBuf,
    shared: gix::ThreadSafeRepository,
    object_hash: gix::hash::Kind,
    /// A leaf: nothing is locked while it is held.
    tracked: Mutex<tracking::Cache>,
}

#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The branch kept moving between reading it and updating it: try again later.
    #[error("the branch moved meanwhile")]
    Moved,
    #[error("another program holds {0}; it is tried again")]
    Locked(String),
    /// The user is in the middle of a merge, rebase, cherry-pick, revert or bisect; nothing was committed.
    #[error("a {0} is in progress; commits wait until it is finished")]
    InProgress(String),
    /// No repository may hold such a name (`.git`, `GIT~1`); nothing was committed.
    #[error("git does not allow the path {0}")]
    IllegalPath(WsPath),
    #[error("git: {0}")]
    Git(String),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<GitError> for StoreError {
    fn from(error: GitError) -> Self {
        Self::Source(error.to_string())
    }
}

impl From<gix::Error> for GitError {
    fn from(error: gix::Error) -> Self {
        let message = || error.iter_errors().map(ToString::to_string).collect::<Vec<_>>().join(": ");
        if error.is_conflict() {
            Self::Moved
        } else if error.is_retryable() {
            Self::Locked(format!("a lock ({})", message()))
        } else {
            Self::Git(message())
        }
    }
}

/// A path as it shall be in the next commit.
#[derive(Clone, Debug)]
pub struct PathChange {
    pub path: WsPath,
    /// `None`: removed.
    pub content: Option<FileContent>,
}

#[derive(Clone, Debug)]
pub struct FileContent {
    /// The file's bytes; of a symlink, its target.
    pub bytes: Vec<u8>,
    pub mode: FileMode,
    /// For git's index, so that `git status` need not read the file.
    pub stat: Stat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileMode {
    Plain,
    Executable,
    Symlink,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    pub id: String,
    /// `Name <email>`.
    pub author: String,
    pub at: Timestamp,
    /// Whole message.
    pub message: String,
}

/// A file that a commit changed, by blob id; `None`: not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobChange {
    pub path: WsPath,
    pub old: Option<String>,
    pub new: Option<String>,
}

/// What a remote last said: the base of every three-way comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracking {
    /// By [`RemoteIssue::id`].
    pub issues: BTreeMap<String, RemoteIssue>,
    /// Greatest `updated_at` whose page was applied whole.
    pub cursor: Option<String>,
    /// What sync must know besides, by `kind/name`: it survives a lost index, and its history shows what it was.
    pub notes: BTreeMap<String, serde_json::Value>,
}

/// A change of a [`Tracking`].
#[derive(Clone, Copy, Debug, Default)]
pub struct TrackingUpdate<'a> {
    pub issues: &'a [RemoteIssue],
    /// `None`: as it is.
    pub cursor: Option<&'a str>,
    /// By `kind/name`; `None` removes one.
    pub notes: &'a [(String, Option<serde_json::Value>)],
}

impl Repo {
    /// Makes a repository at `git_dir` whose work tree is `workspace`, with a gitfile in it; or, where `workspace`
    /// already has a `.git` folder, moves that folder to `git_dir` and leaves the gitfile. History and index are kept.
    /// Where `workspace` has a gitfile already (linked worktree, submodule), that repository is used as it stands:
    /// ask [`Repo::git_dir`]. May be repeated at any time; heals what an interrupted run left.
    pub fn init(workspace: &Path, git_dir: &Path) -> Result<Self, GitError> {
        Self::open(&init::init(workspace, git_dir)?)
    }

    /// Opens by git directory alone. Afterwards the work tree is never touched through its path; opening itself looks
    /// at it in a linked worktree or where `core.worktree` is set, so open before mounting.
    pub fn open(git_dir: &Path) -> Result<Self, GitError> {
        let git_dir = std::path::absolute(git_dir)?;
        let shared = open::open(&git_dir)?;
        let common_dir = shared.common_dir.clone().unwrap_or_else(|| git_dir.clone());
        let repo = shared.to_thread_local();
        let object_hash = repo.object_hash();
        index::release_left_over(&repo)?;
        Ok(Self { git_dir, common_dir, shared, object_hash, tracked: Mutex::default() })
    }

    /// Where the repository is: HEAD and index, private to this work tree.
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// Whether a repository may have a file, or a symlink, of this path.
    pub fn may_hold(path: &WsPath, symlink: bool) -> bool {
        commit::is_legal(path, symlink)
    }

    /// Hides these paths (in `.gitignore`'s notation) from `git status` in this clone, by `info/exclude`.
    pub fn exclude(&self, patterns: &[&str]) -> Result<(), GitError> {
        Ok(init::exclude(&self.common_dir, patterns)?)
    }

    /// Size in bytes of git's index where nobody said whether it shall be split (`core.splitIndex`): each commit writes it whole.
    pub fn whole_index(&self) -> Option<u64> {
        index::size_of_whole(&self.local())
    }

    /// Name of the current branch (`main`), or `None` when HEAD is detached.
    pub fn branch(&self) -> Result<Option<String>, GitError> {
        Ok(self.local().head_name()?.map(|name| name.shorten().to_string()))
    }

    /// Id of HEAD's commit; `None` before the first.
    pub fn head(&self) -> Result<Option<String>, GitError> {
        Ok(commit::tip(&self.local())?.map(|id| id.to_string()))
    }

    /// Commits these paths on top of whatever HEAD is now, moving the branch by compare-and-set, and brings git's index
    /// in step for those paths unless the user staged something else there. Answers the new commit's id, or `None`
    /// when the tree would not change. Durable when it returns.
    ///
    /// Waits about two seconds for locks that the user's git holds, then answers [`GitError::Locked`].
    pub fn commit(&self, changes: &[PathChange], message: &str) -> Result<Option<String>, GitError> {
        Ok(commit::commit(&self.fresh()?, changes, message)?.map(|id| id.to_string()))
    }

    /// Blob ids of every path in HEAD's tree, for telling what was never committed.
    pub fn head_tree(&self) -> Result<BTreeMap<WsPath, String>, GitError> {
        let repo = self.local();
        match commit::tip(&repo)? {
            Some(tip) => history::files(&repo, tip),
            None => Ok(BTreeMap::new()),
        }
    }

    /// Blob ids of every path at a revision (`HEAD~3`, a commit id); `None` when there is no such revision.
    pub fn tree_at(&self, revision: &str) -> Result<Option<BTreeMap<WsPath, String>>, GitError> {
        let repo = self.local();
        history::resolve(&repo, revision).map(|id| history::files(&repo, id)).transpose()
    }

    /// Git's blob id of these bytes.
    pub fn blob_id(&self, bytes: &[u8]) -> String {
        let id = gix::objs::compute_hash(self.object_hash, gix::objs::Kind::Blob, bytes);
        id.expect("fails only on an engineered SHA-1 collision").to_string()
    }

    /// The bytes of a blob, by id.
    pub fn blob(&self, id: &str) -> Result<Vec<u8>, GitError> {
        let id = gix::ObjectId::from_hex(id.as_bytes()).map_err(|error| GitError::Git(error.to_string()))?;
        Ok(self.local().find_blob(id)?.take_data())
    }

    /// A file's bytes at a revision (`HEAD`, a commit id); `None` when the revision or the file in it does not exist.
    pub fn read_at(&self, revision: &str, path: &WsPath) -> Result<Option<Vec<u8>>, GitError> {
        history::read_at(&self.local(), revision, path)
    }

    /// Newest first; with a path, only commits that changed it or something below it.
    pub fn log(&self, path: Option<&WsPath>, limit: usize) -> Result<Vec<CommitInfo>, GitError> {
        history::log(&self.local(), path, limit)
    }

    /// The files that a commit changed against its first parent, by path.
    pub fn changes(&self, commit: &str) -> Result<Vec<BlobChange>, GitError> {
        history::changes(&self.local(), commit)
    }

    /// Commits below HEAD that `is_known` does not know, parents first. What lies below a known one is not looked at.
    pub fn unknown<E: From<GitError>>(&self, is_known: impl FnMut(&str) -> Result<bool, E>) -> Result<Vec<String>, E> {
        past::unknown(&self.local(), is_known)
    }

    /// Tells what each of these commits did, one after the other.
    pub fn tell<E: From<GitError>>(
        &self,
        commits: &[String],
        take: impl FnMut(Told) -> Result<(), E>,
    ) -> Result<(), E> {
        past::tell(&mut self.local(), commits, take)
    }

    /// Files and folders that differ between two trees, each by path; `old` is `None` for nothing.
    pub fn between(&self, old: Option<&str>, new: &str) -> Result<(Vec<FileChange>, Vec<FolderChange>), GitError> {
        let old = old.map(past::object_id).transpose()?;
        past::between(&self.local(), old, past::object_id(new)?)
    }

    /// What is in a tree.
    pub fn tree(&self, id: &str) -> Result<Vec<TreeEntry>, GitError> {
        past::entries(&self.local(), id)
    }

    /// The commit that a branch, a tag, an id or an expression (`HEAD~3`) names; `None` when it names none.
    pub fn revision(&self, name: &str) -> Result<Option<Revision>, GitError> {
        past::revision(&self.local(), name)
    }

    /// The file that a commit has at a path, if it has one.
    pub fn blob_at(&self, commit: &str, path: &WsPath) -> Result<Option<Blob>, GitError> {
        past::blob_at(&self.local(), commit, path)
    }

    /// The tree that has nothing in it.
    pub fn empty_tree(&self) -> String {
        gix::ObjectId::empty_tree(self.object_hash).to_string()
    }

    /// Branches and tags.
    pub fn names(&self) -> Result<Vec<String>, GitError> {
        past::names(&self.local())
    }

    /// Bytes of a blob.
    pub fn blob_size(&self, id: &str) -> Result<u64, GitError> {
        Ok(self.local().find_header(past::object_id(id)?)?.size())
    }

    /// Reads `refs/trackfs/remotes/<remote>`; empty when there is none.
    pub fn tracking(&self, remote: &str) -> Result<Tracking, GitError> {
        tracking::read(&self.local(), remote, &self.tracked)
    }

    /// Remotes that there is a [`Repo::tracking`] of.
    pub fn tracked(&self) -> Result<Vec<String>, GitError> {
        tracking::remotes(&self.local())
    }

    /// The commit that [`Repo::tracking`] would read; `None` when there is none.
    pub fn tracking_tip(&self, remote: &str) -> Result<Option<String>, GitError> {
        tracking::tip_of(&self.local(), remote)
    }

    /// Commits changed issues (and the cursor, when given) to `refs/trackfs/remotes/<remote>`, by compare-and-set.
    /// Durable when it returns.
    pub fn track(
        &self,
        remote: &str,
        issues: &[RemoteIssue],
        cursor: Option<&str>,
        message: &str,
    ) -> Result<(), GitError> {
        self.update_tracking(remote, TrackingUpdate { issues, cursor, notes: &[] }, message)
    }

    /// [`Repo::track`] with notes, in one commit.
    pub fn update_tracking(&self, remote: &str, update: TrackingUpdate<'_>, message: &str) -> Result<(), GitError> {
        tracking::write(&self.local(), remote, update, message)
    }

    /// Lets git pack what has piled up, when it is installed and there is enough; `None`: there is nothing to do.
    /// Takes seconds on a large repository: call it when idle, from a thread that nobody waits for.
    pub fn tidy(&self) -> Result<Option<Tidying>, GitError> {
        gc::start(&self.git_dir, &self.common_dir)
    }

    /// What the user says they are called in tickets: `git config trackfs.me`.
    pub fn said_user(&self) -> Result<Option<String>, GitError> {
        let said = self.fresh()?.config_snapshot().string("trackfs.me");
        Ok(said.map(|name| name.to_string()).filter(|name| !name.is_empty()))
    }

    /// Name and address of the user, as far as git knows them.
    pub fn user(&self) -> Result<Vec<String>, GitError> {
        let known = open::identity(&self.git_dir)?;
        Ok(known.into_iter().flatten().map(|name| name.to_string()).filter(|name| !name.is_empty()).collect())
    }

    fn local(&self) -> gix::Repository {
        self.shared.to_thread_local()
    }

    /// With the configuration as it is now, so that an identity set meanwhile counts.
    fn fresh(&self) -> Result<gix::Repository, GitError> {
        // Opening looks at a configured work tree, which a mount may cover by now.
        let reopen = self.shared.work_dir().is_none();
        if reopen { Ok(open::open(&self.git_dir)?.to_thread_local()) } else { Ok(self.local()) }
    }
}
