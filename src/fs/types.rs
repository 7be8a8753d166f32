//! The vocabulary of the filesystem: what operations take and answer. None of it is FUSE's or the disk's.

use rustix::fs::{FileType, Stat};
use std::{ffi::OsStr, io};

/// The number by which the kernel and programs know an inode.
///
/// Of a file on the workspace's device it is the disk's own number, so that `ls -i` agrees inside and outside the mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ino(pub u64);

impl Ino {
    pub const ROOT: Self = Self(1);
    /// Files on other devices than the workspace's, numbered as they are met.
    pub(crate) const FOREIGN: u64 = 1 << 62;
    /// Virtual folders, links and generated files.
    pub(crate) const VIRTUAL: u64 = 1 << 63;

    pub fn is_virtual(self) -> bool {
        self.0 & Self::VIRTUAL != 0
    }
}

/// An open file or folder, by the number that the kernel brings back with each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fh(pub u64);

/// The process on whose behalf an operation runs. `pid` 0: the kernel itself, or a process of another pid namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Caller {
    pub uid: u32,
    pub gid: u32,
    pub pid: u32,
}

/// An error as the caller of a system call sees it: a positive `errno`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", io::Error::from_raw_os_error(self.0))]
pub struct Errno(pub i32);

impl Errno {
    pub const PERM: Self = Self(libc::EPERM);
    pub const NOENT: Self = Self(libc::ENOENT);
    pub const NXIO: Self = Self(libc::ENXIO);
    pub const ACCES: Self = Self(libc::EACCES);
    pub const BADF: Self = Self(libc::EBADF);
    pub const EXIST: Self = Self(libc::EEXIST);
    pub const NOTDIR: Self = Self(libc::ENOTDIR);
    pub const ISDIR: Self = Self(libc::EISDIR);
    pub const INVAL: Self = Self(libc::EINVAL);
    pub const ROFS: Self = Self(libc::EROFS);
    pub const NODATA: Self = Self(libc::ENODATA);
    pub const NOTSUP: Self = Self(libc::EOPNOTSUPP);
    pub const STALE: Self = Self(libc::ESTALE);
}

impl From<rustix::io::Errno> for Errno {
    fn from(errno: rustix::io::Errno) -> Self {
        Self(errno.raw_os_error())
    }
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

/// For how long the kernel may believe an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lasts {
    /// It asks each time.
    Not,
    /// Changes are not seen, or not all: it soon asks again.
    Moment,
    /// Every change is seen, and announced.
    UntilAnnounced,
}

pub type Result<T, E = Errno> = std::result::Result<T, E>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    File,
    Folder,
    Symlink,
    Fifo,
    Socket,
    CharDevice,
    BlockDevice,
}

impl FileKind {
    /// By the type bits of `st_mode`.
    pub fn of_mode(mode: u32) -> Self {
        Self::from(FileType::from_raw_mode(mode))
    }
}

impl From<FileType> for FileKind {
    fn from(kind: FileType) -> Self {
        match kind {
            FileType::Directory => Self::Folder,
            FileType::Symlink => Self::Symlink,
            FileType::Fifo => Self::Fifo,
            FileType::Socket => Self::Socket,
            FileType::CharacterDevice => Self::CharDevice,
            FileType::BlockDevice => Self::BlockDevice,
            FileType::RegularFile | FileType::Unknown => Self::File,
        }
    }
}

/// Seconds and nanoseconds since the epoch.
pub type Time = (i64, u32);

/// What `stat` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attr {
    pub ino: Ino,
    pub kind: FileKind,
    /// Permission, set-id and sticky bits; no type.
    pub perm: u16,
    /// Bytes.
    pub size: u64,
    /// Of 512 bytes.
    pub blocks: u64,
    pub atime: Time,
    pub mtime: Time,
    pub ctime: Time,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u32,
    pub blksize: u32,
    /// For how long this may be believed.
    pub lasts: Lasts,
    /// For how long that the name it was reached by stands for this inode.
    pub name_lasts: Lasts,
}

impl Attr {
    #[expect(clippy::unnecessary_cast, reason = "the widths of stat's fields differ between platforms")]
    pub(crate) fn new(ino: Ino, stat: &Stat) -> Self {
        Self {
            ino,
            kind: FileKind::of_mode(stat.st_mode),
            perm: (stat.st_mode & 0o7777) as u16,
            size: stat.st_size as u64,
            blocks: stat.st_blocks as u64,
            atime: (stat.st_atime as i64, stat.st_atime_nsec as u32),
            mtime: (stat.st_mtime as i64, stat.st_mtime_nsec as u32),
            ctime: (stat.st_ctime as i64, stat.st_ctime_nsec as u32),
            nlink: stat.st_nlink as u32,
            uid: stat.st_uid,
            gid: stat.st_gid,
            rdev: stat.st_rdev as u32,
            blksize: stat.st_blksize as u32,
            lasts: Lasts::Moment,
            name_lasts: Lasts::Moment,
        }
    }
}

/// A time to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    Now,
    To(Time),
}

/// What to change of an inode; `None` leaves a field as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetAttr {
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub size: Option<u64>,
    pub atime: Option<SetTime>,
    pub mtime: Option<SetTime>,
}

/// How the kernel may cache what it reads through a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Pages from before the open still hold.
    Keep,
    /// Pages from before the open are dropped.
    Fresh,
    /// None: every read and write comes here as the process does it.
    Direct,
}

/// An opened file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenReply {
    pub fh: Fh,
    pub caching: Caching,
    /// Closing it says nothing: it cannot write, or what it writes means nothing yet.
    pub quiet: bool,
}

/// Takes the entries of a folder, as many as fit.
pub trait DirSink {
    /// `false`: full, and this entry was not taken. `offset` is where the next read goes on; without `attr` the kernel
    /// is not told more than the name.
    fn add(&mut self, entry: DirEntry<'_>) -> bool;
}

/// One entry of a listing.
#[derive(Clone, Copy, Debug)]
pub struct DirEntry<'a> {
    pub ino: Ino,
    pub offset: u64,
    pub kind: FileKind,
    pub name: &'a OsStr,
    pub attr: Option<&'a Attr>,
}

/// What `statfs` answers; sizes in blocks of `frsize` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatFs {
    pub blocks: u64,
    pub bfree: u64,
    pub bavail: u64,
    pub files: u64,
    pub ffree: u64,
    pub bsize: u32,
    pub namelen: u32,
    pub frsize: u32,
}
