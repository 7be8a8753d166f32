//! Where a workspace keeps what is not in it: the git directory, and in that `trackfs/` (databases, socket, lock, log).

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// A workspace on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The folder with `.trackfs/`, absolute.
    pub dir: PathBuf,
    /// The repository, outside of `dir`.
    pub git_dir: PathBuf,
    /// `git_dir/trackfs`.
    pub state: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    #[error("{} is not in a trackfs workspace: neither it nor a folder above it has .trackfs; `trackfs init` makes one", .0.display())]
    NotAWorkspace(PathBuf),
    #[error("{} has no git repository; `trackfs init` makes one", .0.display())]
    NoRepository(PathBuf),
    #[error("the git directory of {} lies inside it; `trackfs init` moves it out and keeps all history", .0.display())]
    RepositoryInside(PathBuf),
    #[error("{} is a dead mount: its daemon is gone; `trackfs mount` heals it, `trackfs unmount` removes it", .0.display())]
    DeadMount(PathBuf),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl Location {
    /// Finds the workspace that holds `start`, looking upwards.
    pub fn discover(start: &Path) -> Result<Self, LocationError> {
        // A dead mount has a path, but nothing behind it. The kernel may still remember what `stat` said, but never this.
        let real = start.canonicalize().and_then(|real| Ok(rustix::fs::statfs(&real).map(|_| real)?));
        let start = real.map_err(|source| match source.raw_os_error() {
            Some(libc::ENOTCONN) => LocationError::DeadMount(start.to_owned()),
            _ => LocationError::Io { path: start.to_owned(), source },
        })?;
        let dir = start
            .ancestors()
            .find(|dir| dir.join(".trackfs").is_dir())
            .ok_or_else(|| LocationError::NotAWorkspace(start.clone()))?;
        Self::of(dir)
    }

    /// The workspace in exactly this folder.
    fn of(dir: &Path) -> Result<Self, LocationError> {
        let dot_git = dir.join(".git");
        if dot_git.is_dir() {
            return Err(LocationError::RepositoryInside(dir.to_owned()));
        }
        let gitfile = match fs::read_to_string(&dot_git) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LocationError::NoRepository(dir.to_owned()));
            }
            Err(source) => return Err(LocationError::Io { path: dot_git, source }),
        };
        let target = gitfile.strip_prefix("gitdir:").map(str::trim);
        let target = target.ok_or_else(|| LocationError::NoRepository(dir.to_owned()))?;
        let git_dir = dir.join(target);
        let git_dir = git_dir.canonicalize().map_err(|source| LocationError::Io { path: git_dir, source })?;
        if git_dir.starts_with(dir) {
            return Err(LocationError::RepositoryInside(dir.to_owned()));
        }
        Ok(Self { dir: dir.to_owned(), state: git_dir.join("trackfs"), git_dir })
    }

    /// Makes the state folder, readable by its owner alone: it holds the socket.
    pub fn make_state(&self) -> Result<(), LocationError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.state)
            .map_err(|source| LocationError::Io { path: self.state.clone(), source })
    }

    /// Whether the workspace's daemon answers. One that was killed holds its socket until its last thread has ended.
    pub fn is_live(&self) -> bool {
        super::control::connect(self).is_ok() && !super::lock::holder_is_dying(self)
    }

    pub fn lock_file(&self) -> PathBuf {
        self.state.join("engine.lock")
    }

    pub fn log_file(&self) -> PathBuf {
        self.state.join("daemon.log")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(gitfile: Option<&str>) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("work/.trackfs")).unwrap();
        fs::create_dir_all(dir.path().join("work/tickets/deep")).unwrap();
        fs::create_dir_all(dir.path().join("git")).unwrap();
        if let Some(text) = gitfile {
            fs::write(dir.path().join("work/.git"), text).unwrap();
        }
        dir
    }

    #[test]
    fn a_workspace_is_found_from_a_folder_below_it() {
        let dir = workspace(Some("gitdir: ../git\n"));
        let found = Location::discover(&dir.path().join("work/tickets/deep")).unwrap();
        assert!(found.dir.ends_with("work"));
        assert!(found.state.ends_with("git/trackfs"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let none = tempfile::tempdir().unwrap();
        assert!(matches!(Location::discover(none.path()), Err(LocationError::NotAWorkspace(_))));
        let bare = workspace(None);
        assert!(matches!(Location::discover(&bare.path().join("work")), Err(LocationError::NoRepository(_))));
        let inside = workspace(None);
        fs::create_dir(inside.path().join("work/.git")).unwrap();
        assert!(matches!(Location::discover(&inside.path().join("work")), Err(LocationError::RepositoryInside(_))));
    }
}
