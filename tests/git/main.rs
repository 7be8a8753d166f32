//! The git layer against the real `git`: what trackfs writes, git must take for its own.

mod commit;
mod history;
mod index;
mod locks;
mod merge;
mod setup;
mod support;
mod tracking;

use trackfs::git::Repo;

/// Shared by the threads of the daemon.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Repo>();
};
