//! Changing a file so that no accepted byte is lost: neither to a crash, nor to somebody who writes at the same moment.
//!
//! The new content is complete on disk before it gets the name. It gets the name by an exchange, so that what was there
//! is still in our hands, is looked at once more, and goes back if it is not what the caller had read.

use super::{Making, ReplaceError, Root, Stat, Version, lease::has_writer, read_all};
use crate::{domain::path::WsPath, fault};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{self, AtFlags, Gid, Mode, OFlags, RenameFlags, Uid, XattrFlags},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Seek, Write},
    os::unix::fs::FileExt,
    sync::Arc,
};

impl Root {
    /// Atomically makes the file `new`, provided it still is `expected` (`None`: does not exist) and nobody holds it open
    /// for writing. Keeps mode, owner and xattrs; makes missing folders; fsyncs before the rename. A file with several
    /// hard links is written in place, so that they stay one file: of these alone, a power cut can leave a part.
    /// Listeners of [`Root::on_foreign_change`] are told.
    pub fn replace(&self, path: &WsPath, expected: Option<&[u8]>, new: &[u8]) -> Result<(), ReplaceError> {
        match expected {
            None => self.create(path, new)?,
            Some(expected) => self.exchange(path, expected, new)?,
        }
        self.notify_foreign(path);
        Ok(())
    }

    /// Removes a file, provided it still is `expected`, under the same rule as [`Root::replace`].
    pub fn remove(&self, path: &WsPath, expected: &[u8]) -> Result<(), ReplaceError> {
        let old = Target::open(self, path)?;
        let closed = self.gate.close();
        old.check(self, expected)?;
        let mut scratch = Scratch::name(self, path, &old.folder, Some((old.stat.ino, expected)))?;
        rename_new(&old.folder, &old.name, &old.folder, &scratch.name)?;
        if let Err(refused) = old.recheck(&scratch.name, expected) {
            scratch.keep = true;
            rename_new(&old.folder, &scratch.name, &old.folder, &old.name)?;
            return Err(refused);
        }
        drop(closed);
        fault::point("torn.removing");
        scratch.unlink()?;
        fs::fsync(&old.folder).map_err(io::Error::from)?;
        self.notify_foreign(path);
        Ok(())
    }

    /// Renames a file or folder to a name that is free (`AlreadyExists` otherwise); makes missing folders; tells listeners.
    pub fn rename(&self, from: &WsPath, to: &WsPath) -> io::Result<()> {
        if let Some(parent) = to.parent() {
            self.make_dir(&parent)?;
        }
        let (old, old_name) = self.open_parent(from)?;
        let (new, new_name) = self.open_parent(to)?;
        {
            let _closed = self.gate.close();
            rename_new(&old, old_name, &new, new_name)?;
        }
        fs::fsync(&new)?;
        fs::fsync(&old)?;
        self.notify_foreign(from);
        self.notify_foreign(to);
        Ok(())
    }

    /// Unlinks a scratch file; one that is gone is fine.
    pub fn discard(&self, path: &WsPath) -> io::Result<()> {
        let (folder, name) = self.open_parent(path)?;
        match fs::unlinkat(&folder, name, AtFlags::empty()) {
            Err(error) if error != Errno::NOENT => Err(error.into()),
            _ => Ok(fs::fsync(&folder)?),
        }
    }

    /// Makes a folder and the folders above it; one that exists is left as it is.
    pub fn make_dir(&self, path: &WsPath) -> io::Result<()> {
        self.make_dir_and(path, |parent| Ok(fs::fsync(parent)?))
    }

    /// As [`Root::make_dir`]; `sync` makes durable what was made in a folder.
    pub(super) fn make_dir_and(&self, path: &WsPath, sync: fn(&OwnedFd) -> io::Result<()>) -> io::Result<()> {
        match self.open_folder(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            answer => return answer.map(drop),
        }
        let parent = path.parent().unwrap_or_default();
        self.make_dir_and(&parent, sync)?;
        let folder = self.open_folder(&parent)?;
        match fs::mkdirat(&folder, path.file_name(), Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        sync(&folder)?;
        self.notify_foreign(path);
        Ok(())
    }

    fn create(&self, path: &WsPath, new: &[u8]) -> Result<(), ReplaceError> {
        let parent = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.make_dir(&parent)?;
        let folder = Arc::new(self.open_folder(&parent)?);
        let (scratch, mut file) = Scratch::create(self, path, &folder, 0o666, None)?;
        fill(&mut file, new)?;
        fault::point("create.filled");
        scratch.give_name(path.file_name())?;
        fault::point("create.named");
        fs::fsync(&folder).map_err(io::Error::from)?;
        Ok(())
    }

    fn exchange(&self, path: &WsPath, expected: &[u8], new: &[u8]) -> Result<(), ReplaceError> {
        let old = Target::open(self, path)?;
        self.buffers.superseded(path, Version::from(&old.stat), expected);
        if old.stat.nlink > 1 {
            return self.overwrite(&old, expected, new);
        }
        let (mut scratch, mut file) = Scratch::create(self, path, &old.folder, 0o600, Some((old.stat.ino, expected)))?;
        match carry_over(&old.file, &old.stat, &file) {
            // Not ours to give away: the owner can only be kept by keeping the inode.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return self.overwrite(&old, expected, new);
            }
            carried => carried?,
        }
        fill(&mut file, new)?;
        let ours = Stat::from(fs::fstat(&file).map_err(io::Error::from)?);
        drop(file);
        fault::point("replace.filled");

        let closed = self.gate.close();
        old.check(self, expected)?;
        if !swap(&old.folder, &scratch.name, &old.name)? {
            scratch.keep = true;
        } else if let Err(refused) = old.recheck(&scratch.name, expected) {
            scratch.keep = true;
            swap_back(&old.folder, &mut scratch, &old.name, ours.ino)?;
            return Err(refused);
        }
        drop(closed);
        fault::point("replace.swapped");
        fs::fsync(&old.folder).map_err(io::Error::from)?;
        scratch.unlink()?;
        fault::point("replace.done");
        Ok(())
    }

    /// Writes in place: the inode, with its links and owner, stays.
    fn overwrite(&self, old: &Target, expected: &[u8], new: &[u8]) -> Result<(), ReplaceError> {
        let closed = self.gate.close();
        old.check(self, expected)?;
        if has_writer(old.file.as_fd()) {
            return Err(ReplaceError::Busy);
        }
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(fs::openat(&old.folder, &old.name, flags, Mode::empty()).map_err(io::Error::from)?);
        if fs::fstat(&file).map_err(io::Error::from)?.st_ino != old.stat.ino {
            return Err(ReplaceError::Changed);
        }
        file.write_all_at(new, 0)?;
        file.set_len(new.len() as u64)?;
        drop(closed);
        file.sync_all()?;
        Ok(())
    }
}

/// The file that is to be replaced, as it was when it was opened.
struct Target {
    folder: Arc<OwnedFd>,
    name: String,
    file: File,
    stat: Stat,
}

impl Target {
    fn open(root: &Root, path: &WsPath) -> Result<Self, ReplaceError> {
        let gone = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => ReplaceError::Changed,
            _ => error.into(),
        };
        let file = root.open_file(path).map_err(gone)?;
        let (folder, name) = root.open_parent(path).map_err(gone)?;
        let stat = fs::fstat(&file).map_err(io::Error::from)?.into();
        Ok(Self { folder: Arc::new(folder), name: name.to_owned(), file, stat })
    }

    /// Under the closed gate: no writer of the mount's, and what the caller read.
    fn check(&self, root: &Root, expected: &[u8]) -> Result<(), ReplaceError> {
        if root.gate.writers(self.stat.dev, self.stat.ino) > 0 {
            return Err(ReplaceError::Busy);
        }
        self.is_at(&self.name)?;
        self.holds(expected)
    }

    /// After the exchange, when no path but `name` leads to it any more: nobody can write to it, and nobody has.
    fn recheck(&self, name: &str, expected: &[u8]) -> Result<(), ReplaceError> {
        self.is_at(name)?;
        if has_writer(self.file.as_fd()) {
            return Err(ReplaceError::Busy);
        }
        self.holds(expected)
    }

    fn is_at(&self, name: &str) -> Result<(), ReplaceError> {
        match fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if stat.st_ino == self.stat.ino => Ok(()),
            Ok(_) | Err(Errno::NOENT) => Err(ReplaceError::Changed),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    fn holds(&self, expected: &[u8]) -> Result<(), ReplaceError> {
        (&self.file).rewind()?;
        match read_all(&self.file, expected.len() as u64) {
            Ok(bytes) if bytes == expected => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::FileTooLarge => Err(error.into()),
            Ok(_) | Err(_) => Err(ReplaceError::Changed),
        }
    }
}

/// A scratch name in a folder, unlinked when dropped unless it is to be kept. A crash before that is noted.
pub(super) struct Scratch<'r> {
    root: &'r Root,
    folder: Arc<OwnedFd>,
    name: String,
    keep: bool,
    note: Option<Making>,
}

/// Inode and bytes of the file that is to be replaced.
type Replaced<'b> = Option<(u64, &'b [u8])>;

impl<'r> Scratch<'r> {
    pub fn create(
        root: &'r Root,
        path: &WsPath,
        folder: &Arc<OwnedFd>,
        mode: u32,
        replaced: Replaced<'_>,
    ) -> io::Result<(Self, File)> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let scratch = Self::name(root, path, folder, replaced)?;
            match fs::openat(folder, &scratch.name, flags, Mode::from_raw_mode(mode as _)) {
                Ok(file) => return Ok((scratch, File::from(file))),
                Err(Errno::EXIST) => scratch.forget(),
                Err(error) => {
                    scratch.forget();
                    return Err(error.into());
                }
            }
        }
    }

    /// A name to rename to; nothing is made.
    fn name(root: &'r Root, path: &WsPath, folder: &Arc<OwnedFd>, replaced: Replaced<'_>) -> io::Result<Self> {
        let name = loop {
            let name = scratch_name();
            match fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(_) => continue,
                Err(Errno::NOENT) => break name,
                Err(error) => return Err(error.into()),
            }
        };
        let at = path.parent().unwrap_or_default().join(&name).map_err(io::Error::other)?;
        let (ino, expected) = replaced.map_or((None, &b""[..]), |(ino, bytes)| (Some(ino), bytes));
        let note = root.saves.replacing(path.clone(), ino, at, expected)?;
        Ok(Self { root, folder: folder.clone(), name, keep: false, note })
    }

    /// It gets this name, which must be free (`Changed` otherwise).
    pub fn give_name(mut self, name: &str) -> Result<(), ReplaceError> {
        let closed = self.root.gate.close();
        rename_new(&self.folder, &self.name, &self.folder, name).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => ReplaceError::Changed,
            _ => error.into(),
        })?;
        drop(closed);
        self.keep = true;
        Ok(())
    }

    fn unlink(mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.keep, true) {
            fs::unlinkat(&self.folder, &self.name, AtFlags::empty())?;
        }
        Ok(())
    }

    /// The name is another's.
    fn forget(mut self) {
        self.keep = true;
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        if !self.keep {
            // What is left over is scratch by its name: nobody will take it for a ticket.
            let _ = fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
        }
        if let Some(note) = self.note.take() {
            // A note that stays leads to nothing, or to what was left over.
            let _ = self.root.saves.not_made(note);
        }
    }
}

fn scratch_name() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    format!(".trackfs-{}.tmp", &id[..6])
}

/// Gives `to` the owner, mode and extended attributes of `from`.
fn carry_over(from: &File, stat: &Stat, to: &File) -> io::Result<()> {
    let made = Stat::from(fs::fstat(to)?);
    if (made.uid, made.gid) != (stat.uid, stat.gid) {
        fs::fchown(to, Some(Uid::from_raw(stat.uid)), Some(Gid::from_raw(stat.gid)))?;
    }
    fs::fchmod(to, Mode::from_raw_mode(stat.mode as _))?;
    match copy_xattrs(from, to) {
        Err(Errno::NOTSUP) => Ok(()),
        copied => Ok(copied?),
    }
}

fn copy_xattrs(from: &File, to: &File) -> rustix::io::Result<()> {
    let mut names = vec![0_u8; fs::flistxattr(from, &mut [0_u8; 0][..])?];
    let length = fs::flistxattr(from, &mut names[..])?;
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0_u8; fs::fgetxattr(from, name, &mut [0_u8; 0][..])?];
        let length = fs::fgetxattr(from, name, &mut value[..])?;
        fs::fsetxattr(to, name, &value[..length], XattrFlags::empty())?;
    }
    Ok(())
}

fn fill(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// Exchanges two names; `false` where the filesystem cannot, and `from` was renamed over `to` instead.
fn swap(folder: &OwnedFd, from: &str, to: &str) -> io::Result<bool> {
    match fs::renameat_with(folder, from, folder, to, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS) => Ok(fs::renameat(folder, from, folder, to).map(|()| false)?),
        Err(error) => Err(error.into()),
    }
}

/// Puts what was swapped out under its name again. The scratch file goes only if it is still our own.
fn swap_back(folder: &OwnedFd, scratch: &mut Scratch<'_>, name: &str, ours: u64) -> io::Result<()> {
    fs::renameat_with(folder, &scratch.name, folder, name, RenameFlags::EXCHANGE)?;
    if fs::statat(folder, &scratch.name, AtFlags::SYMLINK_NOFOLLOW)?.st_ino == ours {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        scratch.keep = has_writer(fs::openat(folder, &scratch.name, flags, Mode::empty())?.as_fd());
        return Ok(());
    }
    // Somebody renamed a newer file over ours in between: theirs keeps the name, and the scratch file stays too.
    fs::renameat_with(folder, &scratch.name, folder, name, RenameFlags::EXCHANGE)?;
    Ok(())
}

/// Renames to a name that must be free: EEXIST otherwise.
fn rename_new(from: &OwnedFd, old: &str, to: &OwnedFd, new: &str) -> io::Result<()> {
    match fs::renameat_with(from, old, to, new, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => {
            fs::linkat(from, old, to, new, AtFlags::empty())?;
            Ok(fs::unlinkat(from, old, AtFlags::empty())?)
        }
        answer => Ok(answer?),
    }
}
