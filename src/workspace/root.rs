//! The workspace directory, held by descriptor: still reachable while a mount covers its path.
//!
//! Nothing here follows a symlink or leaves the directory (`openat2` with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS; where
//! the kernel has none, every name is opened by itself with O_NOFOLLOW).

mod buffers;
mod bulk;
mod gate;
mod lease;
mod open;
mod replace;
mod saves;
mod walk;

pub use buffers::{Buffers, StaleSave, Version};
pub use gate::WriteGate;
pub use open::leave_access_time;
pub use saves::{Before, FileId, Found, Making, Saves, Verdict};

use crate::domain::path::WsPath;
use open::{Confined, OPEN_FOLDER};
use parking_lot::RwLock;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{self, AtFlags, Dir, FileType, Mode, OFlags},
};
use std::{fs::File, io, io::Read, path::Path, sync::Arc};

/// Longer files are never read whole.
pub const MAX_BYTES: u64 = 64 << 20;

type Listener = Arc<dyn Fn(&WsPath) + Send + Sync>;

/// An open workspace directory.
pub struct Root {
    folder: Confined,
    /// Device of the directory: what is mounted below it is not the workspace's.
    dev: u64,
    gate: WriteGate,
    buffers: Buffers,
    saves: Saves,
    listeners: RwLock<Vec<Listener>>,
}

/// What `stat` says, as far as settling, git's index and invalidation need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub dev: u64,
    pub ino: u64,
    /// `st_mode`, type bits included.
    pub mode: u32,
    pub nlink: u64,
    pub uid: u32,
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Seconds and nanoseconds.
    pub mtime: (i64, u32),
    pub ctime: (i64, u32),
}

impl Stat {
    pub fn is_file(&self) -> bool {
        self.file_type() == FileType::RegularFile
    }

    pub fn is_dir(&self) -> bool {
        self.file_type() == FileType::Directory
    }

    pub fn is_symlink(&self) -> bool {
        self.file_type() == FileType::Symlink
    }

    /// Whether its owner may execute it: the one permission that git keeps.
    pub fn is_executable(&self) -> bool {
        self.is_file() && self.mode & 0o100 != 0
    }

    fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.mode)
    }
}

#[expect(clippy::unnecessary_cast, reason = "the widths of stat's fields differ between platforms")]
impl From<fs::Stat> for Stat {
    fn from(stat: fs::Stat) -> Self {
        Self {
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            mode: stat.st_mode as u32,
            nlink: stat.st_nlink as u64,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: stat.st_size as u64,
            mtime: (stat.st_mtime as i64, stat.st_mtime_nsec as u32),
            ctime: (stat.st_ctime as i64, stat.st_ctime_nsec as u32),
        }
    }
}

/// Why [`Root::replace`] left the file as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// A writer holds it open: come back when it has closed.
    #[error("a process is writing it")]
    Busy,
    /// The file is not what the caller read: read it again and merge.
    #[error("it was changed meanwhile")]
    Changed,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Root {
    pub fn open(dir: &Path) -> io::Result<Self> {
        let folder = fs::open(dir, OPEN_FOLDER & !OFlags::NOFOLLOW, Mode::empty())?;
        let dev = Stat::from(fs::fstat(&folder)?).dev;
        Ok(Self {
            folder: Confined::new(folder),
            dev,
            gate: WriteGate::default(),
            buffers: Buffers::default(),
            saves: Saves::default(),
            listeners: RwLock::default(),
        })
    }

    /// Notes saves in flight there.
    pub fn noting_saves(self, saves: Saves) -> Self {
        Self { saves, ..self }
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// The bytes of a regular file. `NotFound` when there is none, `InvalidInput` when it is no regular file,
    /// `FileTooLarge` beyond [`MAX_BYTES`].
    pub fn read(&self, path: &WsPath) -> io::Result<Vec<u8>> {
        read_all(&self.open_file(path)?, MAX_BYTES)
    }

    /// `lstat`.
    pub fn stat(&self, path: &WsPath) -> io::Result<Stat> {
        let (folder, name) = self.open_parent(path)?;
        Ok(fs::statat(folder.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW)?.into())
    }

    /// The target of a symlink, as bytes.
    pub fn read_link(&self, path: &WsPath) -> io::Result<Vec<u8>> {
        let (folder, name) = self.open_parent(path)?;
        Ok(fs::readlinkat(folder.as_fd(), name, Vec::new())?.into_bytes())
    }

    /// A regular file for reading; errors as [`Root::read`].
    pub fn open_file(&self, path: &WsPath) -> io::Result<File> {
        // NONBLOCK: a FIFO must not make the daemon wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let not_regular = || io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
        if path.is_root() {
            return Err(not_regular());
        }
        let file = match self.folder.open(path.as_str(), flags, Mode::empty()) {
            Err(error) if error == rustix::io::Errno::LOOP => return Err(not_regular()),
            opened => File::from(opened?),
        };
        if !Stat::from(fs::fstat(&file)?).is_file() {
            return Err(not_regular());
        }
        leave_access_time(&file);
        Ok(file)
    }

    /// Names in a folder, with `d_type`'s answer whether each is a folder; unsorted. Names that are not UTF-8 cannot be
    /// paths of a workspace and are left out.
    pub fn list(&self, path: &WsPath) -> io::Result<Vec<(String, bool)>> {
        let mut names = Vec::new();
        let folder = self.open_folder(path)?;
        leave_access_time(&folder);
        for entry in Dir::new(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name != "." && name != ".." {
                names.push((name.to_owned(), entry.file_type() == FileType::Directory));
            }
        }
        Ok(names)
    }

    /// The folder, for those who read by path: nothing read through it changes an access time. Needs to be root.
    pub fn quiet_view(&self) -> io::Result<OwnedFd> {
        Ok(open::quiet_view(self.fd())?)
    }

    /// Registers somebody who must know of changes that did not come through the mount (the kernel's caches).
    /// Called from whatever thread made the change, without any lock held.
    pub fn on_foreign_change(&self, listener: Box<dyn Fn(&WsPath) + Send + Sync>) {
        self.listeners.write().push(listener.into());
    }

    /// Tells the listeners that a path changed underneath the mount.
    pub fn notify_foreign(&self, path: &WsPath) {
        let listeners = self.listeners.read().clone();
        listeners.iter().for_each(|listener| listener(path));
    }

    /// The door that mount writers and [`Root::replace`] share.
    pub fn gate(&self) -> &WriteGate {
        &self.gate
    }

    /// Which versions of texts the processes have that use the mount.
    pub fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// The saves in flight.
    pub fn saves(&self) -> &Saves {
        &self.saves
    }

    fn open_folder(&self, path: &WsPath) -> io::Result<OwnedFd> {
        let name = if path.is_root() { "." } else { path.as_str() };
        Ok(self.folder.open(name, OPEN_FOLDER, Mode::empty())?)
    }

    /// The folder that holds `path`, and its name there (`.` for the root).
    fn open_parent<'p>(&self, path: &'p WsPath) -> io::Result<(OwnedFd, &'p str)> {
        match path.parent() {
            None => Ok((self.open_folder(path)?, ".")),
            Some(parent) => Ok((self.open_folder(&parent)?, path.file_name())),
        }
    }
}

/// Everything from where the file stands, if it is not more than `most` bytes.
fn read_all(file: &File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests;
