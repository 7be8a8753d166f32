//! A workspace on the disk, and the real git to look at it.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output},
};
use trackfs::{
    domain::path::WsPath,
    git::{FileContent, FileMode, PathChange, Repo},
    workspace::root::Stat,
};

/// A workspace with its repository beside it, in a folder of its own.
pub struct Bench {
    pub root: PathBuf,
    /// `None`: somebody else's.
    pub _dir: Option<tempfile::TempDir>,
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bench = Self { root: dir.path().canonicalize().unwrap(), _dir: Some(dir) };
        fs::create_dir(bench.ws()).unwrap();
        bench
    }

    /// With a repository that trackfs made.
    pub fn fresh() -> (Self, Repo) {
        let bench = Self::new();
        let repo = bench.init();
        bench.identify();
        (bench, repo)
    }

    pub fn identify(&self) {
        self.git(&["config", "user.name", "Ada Lovelace"]);
        self.git(&["config", "user.email", "ada@example.com"]);
    }

    pub fn init(&self) -> Repo {
        Repo::init(&self.ws(), &self.git_dir()).unwrap()
    }

    pub fn ws(&self) -> PathBuf {
        self.root.join("ws")
    }

    pub fn git_dir(&self) -> PathBuf {
        self.root.join("state/repo.git")
    }

    pub fn git(&self, args: &[&str]) -> String {
        git(&self.ws(), args)
    }

    pub fn try_git(&self, args: &[&str]) -> Output {
        command(&self.ws(), args).output().unwrap()
    }

    /// Writes a file and says so.
    pub fn put(&self, path: &str, content: &str) -> PathChange {
        let file = self.ws().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        self.change(path)
    }

    /// The file as it is now.
    pub fn change(&self, path: &str) -> PathChange {
        let file = self.ws().join(path);
        let path = WsPath::new(path).unwrap();
        let Ok(meta) = file.symlink_metadata() else { return PathChange { path, content: None } };
        let (bytes, mode) = if meta.is_symlink() {
            (fs::read_link(&file).unwrap().into_os_string().into_encoded_bytes(), FileMode::Symlink)
        } else if meta.permissions().mode() & 0o100 != 0 {
            (fs::read(&file).unwrap(), FileMode::Executable)
        } else {
            (fs::read(&file).unwrap(), FileMode::Plain)
        };
        PathChange { path, content: Some(FileContent { bytes, mode, stat: stat(&meta) }) }
    }

    pub fn remove(&self, path: &str) -> PathChange {
        fs::remove_file(self.ws().join(path)).unwrap();
        self.change(path)
    }

    pub fn assert_clean(&self) {
        assert_eq!(self.git(&["status", "--porcelain", "--untracked-files=all"]), "");
        self.assert_sound();
    }

    pub fn assert_sound(&self) {
        let check = self.try_git(&["fsck", "--strict", "--no-dangling"]);
        assert!(check.status.success(), "{check:?}");
    }
}

pub fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(["-c", "protocol.file.allow=always"]).args(args).current_dir(dir);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_EDITOR", "true");
    command
}

pub fn git(dir: &Path, args: &[&str]) -> String {
    let output = command(dir, args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

pub fn stat(meta: &fs::Metadata) -> Stat {
    Stat {
        dev: meta.dev(),
        ino: meta.ino(),
        mode: meta.mode(),
        nlink: meta.nlink(),
        uid: meta.uid(),
        gid: meta.gid(),
        size: meta.size(),
        mtime: (meta.mtime(), meta.mtime_nsec() as u32),
        ctime: (meta.ctime(), meta.ctime_nsec() as u32),
    }
}

pub fn path(path: &str) -> WsPath {
    WsPath::new(path).unwrap()
}
