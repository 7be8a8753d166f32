//! Opening a repository by its git directory, whatever repository the environment is about.

use super::GitError;
use gix::{
    Repository, ThreadSafeRepository,
    bstr::BString,
    open::{Options, Permissions, permissions::Environment},
    refs::store::WriteReflog,
    sec::{Permission, Trust},
};
use std::path::Path;

/// How long to wait for a lock of the user's git, in milliseconds.
pub(super) const LOCK_WAIT: u64 = 2000;

/// Variables that say which repository a command is about: they come from whatever started this process.
const FOREIGN: [&str; 4] = ["GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_SHALLOW_FILE"];

/// Of the environment, home, identity and the places of configuration count.
pub(super) fn open(git_dir: &Path) -> Result<ThreadSafeRepository, GitError> {
    let foreign = FOREIGN.iter().any(|name| std::env::var_os(name).is_some());
    let git_prefix = if foreign { Permission::Deny } else { Permission::Allow };
    let allow = Permission::Allow;
    let env =
        Environment { identity: allow, home: allow, xdg_config_home: allow, git_prefix, ..Environment::isolated() };
    let options = Options::default()
        .with(Trust::Full)
        .open_path_as_is(true)
        .permissions(Permissions { env, ..Permissions::all() });
    let mut repo = options.open(git_dir)?;
    refuse_other_ref_formats(&repo.to_thread_local())?;
    // By default gix keeps no reflog where it sees no work tree.
    if repo.to_thread_local().config_snapshot().string("core.logAllRefUpdates").is_none() {
        repo.refs.write_reflog = WriteReflog::Normal;
    }
    Ok(repo)
}

/// gix reads refs from files only, and takes a repository with any other storage for an empty one.
fn refuse_other_ref_formats(repo: &Repository) -> Result<(), GitError> {
    match repo.config_snapshot().string("extensions.refStorage") {
        Some(format) if format != "files" => Err(GitError::Git(format!(
            "refs are stored as {format}, which is not supported; convert them by `git refs migrate --ref-format=files`"
        ))),
        _ => Ok(()),
    }
}

/// `user.name` and `user.email` as the configuration of this repository has them.
pub(super) fn identity(git_dir: &Path) -> Result<[Option<BString>; 2], GitError> {
    let repo = open(git_dir)?.to_thread_local();
    let config = repo.config_snapshot();
    Ok(["user.name", "user.email"].map(|key| config.string(key)))
}
