//! FUSE requests: convert, call, reply.

mod convert;

use super::{invalidate::Invalidator, session::Ended};
use crate::fs::{DirEntry, DirSink, Errno, Fh, FileKind, Fs, Ino, Lasts, SetAttr};
use convert::{GENERATION, caller, enter, errno, file_attr, file_type, fopen, missing, send_xattr, set_time, ttl};
use fuser::{
    BsdFileFlags, CopyFileRangeFlags, FileAttr, FileHandle, Filesystem, FopenFlags, INodeNo, InitFlags, IoctlFlags,
    KernelConfig, LockOwner, OpenFlags, PollEvents, PollFlags, PollNotifier, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen,
    ReplyPoll, ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use std::{
    cell::{Cell, RefCell},
    ffi::OsStr,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
    time::SystemTime,
};

const MAX_BACKGROUND: u16 = 64;

/// Each of these only where the kernel offers it. Listings always come with attributes: they last, and whoever lists a
/// folder mostly goes on to what is in it, which would be a look-up for each file.
const WANTED: [InitFlags; 7] = [
    InitFlags::FUSE_PARALLEL_DIROPS,
    InitFlags::FUSE_DO_READDIRPLUS,
    InitFlags::FUSE_ATOMIC_O_TRUNC,
    InitFlags::FUSE_CACHE_SYMLINKS,
    InitFlags::FUSE_AUTO_INVAL_DATA,
    InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP,
    InitFlags::FUSE_HANDLE_KILLPRIV_V2,
];

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static SERVING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is serving a request of the kernel.
pub(super) fn is_serving() -> bool {
    SERVING.get()
}

/// The kernel's view of [`Fs`].
pub(super) struct Adapter {
    fs: Arc<Fs>,
    ended: Arc<Ended>,
    invalidator: Arc<Invalidator>,
    /// OPEN, CREATE and FLUSH are answered ENOSYS: the kernel never asks again, and every file comes without a handle.
    unopened: bool,
}

impl Adapter {
    pub fn new(fs: Arc<Fs>, ended: Arc<Ended>, invalidator: Arc<Invalidator>, unopened: bool) -> Self {
        Self { fs, ended, invalidator, unopened }
    }

    fn reading<T>(&self, ino: INodeNo, fh: FileHandle, work: impl FnOnce(Fh) -> Result<T, Errno>) -> Result<T, Errno> {
        if self.unopened { self.fs.reading(Ino(ino.0), work) } else { work(Fh(fh.0)) }
    }

    fn writing<T>(&self, ino: INodeNo, fh: FileHandle, work: impl FnOnce(Fh) -> Result<T, Errno>) -> Result<T, Errno> {
        if self.unopened { self.fs.writing(Ino(ino.0), work) } else { work(Fh(fh.0)) }
    }

    /// Answers a change of a name in this folder. In a view it changed a ticket's file, which the next read must show; the
    /// kernel is told by another thread.
    fn when_told(&self, folder: Ino, answer: impl FnOnce() + Send + 'static) {
        if folder.is_virtual() { self.invalidator.afterwards(answer) } else { answer() }
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        self.ended.set();
    }
}

/// A panic costs its own request an EIO (a reply that is dropped says so), never the mount.
fn guarded(request: impl FnOnce()) {
    // Such a thread does nothing else.
    SERVING.set(true);
    if catch_unwind(AssertUnwindSafe(request)).is_err() {
        tracing::error!("a file system request panicked");
    }
}

/// Replies `ok` with the value, or the error.
macro_rules! answer {
    ($reply:ident, $result:expr, $value:pat => $ok:expr) => {
        guarded(move || match $result {
            Ok($value) => $ok,
            Err(error) => $reply.error(errno(error)),
        })
    };
}

impl Filesystem for Adapter {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        // Without OPEN, a truncation has to come by itself.
        let wanted = WANTED.into_iter().filter(|flag| !self.unopened || *flag != InitFlags::FUSE_ATOMIC_O_TRUNC);
        for flag in wanted {
            // An older kernel does without.
            let _ = config.add_capabilities(flag);
        }
        let _ = config.set_max_background(MAX_BACKGROUND);
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let parent = Ino(parent.0);
        guarded(|| match self.fs.lookup(parent, name) {
            Ok(attr) => enter(reply, &attr),
            Err(Errno::NOENT) if !parent.is_virtual() => {
                reply.entry(&ttl(self.fs.missing_lasts(parent, name)), &missing(), GENERATION);
            }
            Err(error) => reply.error(errno(error)),
        });
    }

    fn forget(&self, _request: &Request, ino: INodeNo, lookups: u64) {
        guarded(|| self.fs.forget(Ino(ino.0), lookups));
    }

    fn getattr(&self, _request: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        answer!(reply, self.fs.getattr(Ino(ino.0)), attr => reply.attr(&ttl(attr.lasts), &file_attr(&attr)));
    }

    fn setattr(
        &self,
        request: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let set = SetAttr { mode, uid, gid, size, atime: atime.map(set_time), mtime: mtime.map(set_time) };
        let with = |fh| self.fs.setattr(&caller(request), Ino(ino.0), fh, &set);
        let changed = || match fh {
            _ if self.unopened && size.is_some() => self.fs.writing(Ino(ino.0), |fh| with(Some(fh))),
            fh => with(fh.map(|fh| Fh(fh.0)).filter(|_| !self.unopened)),
        };
        // The kernel takes this answer in even if a change was announced meanwhile.
        answer!(reply, changed(), attr => reply.attr(&ttl(attr.lasts.min(Lasts::Moment)), &file_attr(&attr)));
    }

    fn readlink(&self, _request: &Request, ino: INodeNo, reply: ReplyData) {
        answer!(reply, self.fs.readlink(Ino(ino.0)), target => reply.data(&target));
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        let is_file = FileKind::of_mode(mode) == FileKind::File;
        let made = || match self.unopened && is_file {
            true => self.fs.make_unopened(&caller(request), Ino(parent.0), name, mode),
            false => self.fs.mknod(&caller(request), Ino(parent.0), name, mode, rdev),
        };
        answer!(reply, made(), attr => enter(reply, &attr));
    }

    fn mkdir(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, _umask: u32, reply: ReplyEntry) {
        answer!(reply, self.fs.mkdir(&caller(request), Ino(parent.0), name, mode), attr => enter(reply, &attr));
    }

    fn unlink(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let parent = Ino(parent.0);
        answer!(reply, self.fs.unlink(&caller(request), parent, name), () => self.when_told(parent, || reply.ok()));
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(reply, self.fs.rmdir(&caller(request), Ino(parent.0), name), () => reply.ok());
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let parent = Ino(parent.0);
        let made = || self.fs.symlink(&caller(request), parent, name, target);
        answer!(reply, made(), attr => self.when_told(parent, move || enter(reply, &attr)));
    }

    fn rename(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (from, to) = ((Ino(parent.0), name), (Ino(newparent.0), newname));
        let renamed = || self.fs.rename(&caller(request), from, to, flags.bits());
        answer!(reply, renamed(), () => self.when_told(from.0, || reply.ok()));
    }

    fn link(&self, request: &Request, ino: INodeNo, newparent: INodeNo, newname: &OsStr, reply: ReplyEntry) {
        let linked = || self.fs.link(&caller(request), Ino(ino.0), Ino(newparent.0), newname);
        answer!(reply, linked(), attr => enter(reply, &attr));
    }

    fn open(&self, request: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        if self.unopened {
            return reply.error(fuser::Errno::ENOSYS);
        }
        let opened = || self.fs.open(&caller(request), Ino(ino.0), flags.0);
        answer!(reply, opened(), open => reply.opened(FileHandle(open.fh.0), fopen(&open)));
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        if self.unopened {
            // The kernel then makes the file with MKNOD.
            return reply.error(fuser::Errno::ENOSYS);
        }
        let created = || self.fs.create(&caller(request), Ino(parent.0), name, mode, flags);
        answer!(reply, created(), (attr, open) => {
            reply.created(&ttl(attr.lasts.min(attr.name_lasts)), &file_attr(&attr), GENERATION, FileHandle(open.fh.0), fopen(&open));
        });
    }

    fn read(
        &self,
        _request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        guarded(|| {
            BUFFER.with_borrow_mut(|buffer| {
                buffer.resize(buffer.len().max(size as usize), 0);
                let buffer = &mut buffer[..size as usize];
                match self.reading(ino, fh, |fh| self.fs.read(fh, offset, buffer)) {
                    Ok(count) => reply.data(&buffer[..count]),
                    Err(error) => reply.error(errno(error)),
                }
            });
        });
    }

    fn write(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = || self.writing(ino, fh, |fh| self.fs.write(&caller(request), fh, offset, data));
        answer!(reply, written(), count => reply.written(count as u32));
    }

    fn flush(&self, _request: &Request, _ino: INodeNo, fh: FileHandle, _lock_owner: LockOwner, reply: ReplyEmpty) {
        if self.unopened {
            return reply.error(fuser::Errno::ENOSYS);
        }
        answer!(reply, self.fs.flush(Fh(fh.0)), () => reply.ok());
    }

    fn release(
        &self,
        _request: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        guarded(|| {
            self.fs.release(Fh(fh.0));
            reply.ok();
        });
    }

    fn fsync(&self, request: &Request, ino: INodeNo, fh: FileHandle, datasync: bool, reply: ReplyEmpty) {
        let saved = || match self.unopened {
            true => self.fs.sync_unopened(&caller(request), Ino(ino.0), datasync),
            false => self.fs.fsync(&caller(request), Fh(fh.0), datasync),
        };
        answer!(reply, saved(), () => reply.ok());
    }

    fn opendir(&self, _request: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        let cached = FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE;
        answer!(reply, self.fs.opendir(Ino(ino.0)), (fh, lasts) => {
            reply.opened(FileHandle(fh.0), if lasts { cached } else { FopenFlags::empty() });
        });
    }

    fn readdir(&self, _request: &Request, _ino: INodeNo, fh: FileHandle, offset: u64, reply: ReplyDirectory) {
        guarded(|| {
            let mut sink = Names(reply);
            match self.fs.readdir(Fh(fh.0), offset, &mut sink) {
                Ok(()) => sink.0.ok(),
                Err(error) => sink.0.error(errno(error)),
            }
        });
    }

    fn readdirplus(&self, _request: &Request, _ino: INodeNo, fh: FileHandle, offset: u64, reply: ReplyDirectoryPlus) {
        guarded(|| {
            let mut sink = NamesAndAttrs(reply);
            match self.fs.readdirplus(Fh(fh.0), offset, &mut sink) {
                Ok(()) => sink.0.ok(),
                Err(error) => sink.0.error(errno(error)),
            }
        });
    }

    fn releasedir(&self, _request: &Request, _ino: INodeNo, fh: FileHandle, _flags: OpenFlags, reply: ReplyEmpty) {
        guarded(|| {
            self.fs.releasedir(Fh(fh.0));
            reply.ok();
        });
    }

    fn fsyncdir(&self, _request: &Request, _ino: INodeNo, fh: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        answer!(reply, self.fs.fsyncdir(Fh(fh.0)), () => reply.ok());
    }

    fn statfs(&self, _request: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        answer!(reply, self.fs.statfs(), s => {
            reply.statfs(s.blocks, s.bfree, s.bavail, s.files, s.ffree, s.bsize, s.namelen, s.frsize);
        });
    }

    fn setxattr(
        &self,
        request: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        answer!(reply, self.fs.setxattr(&caller(request), Ino(ino.0), name, value, flags), () => reply.ok());
    }

    fn getxattr(&self, _request: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        answer!(reply, self.fs.getxattr(Ino(ino.0), name), value => send_xattr(reply, size, &value));
    }

    fn listxattr(&self, _request: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        answer!(reply, self.fs.listxattr(Ino(ino.0)), names => send_xattr(reply, size, &names));
    }

    fn removexattr(&self, request: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(reply, self.fs.removexattr(&caller(request), Ino(ino.0), name), () => reply.ok());
    }

    fn fallocate(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let done = || self.writing(ino, fh, |fh| self.fs.fallocate(&caller(request), fh, offset, length, mode));
        answer!(reply, done(), () => reply.ok());
    }

    fn lseek(&self, _request: &Request, ino: INodeNo, fh: FileHandle, offset: i64, whence: i32, reply: ReplyLseek) {
        let found = || self.reading(ino, fh, |fh| self.fs.lseek(fh, offset, whence));
        answer!(reply, found(), offset => reply.offset(offset));
    }

    fn copy_file_range(
        &self,
        request: &Request,
        ino_in: INodeNo,
        fh_in: FileHandle,
        offset_in: u64,
        ino_out: INodeNo,
        fh_out: FileHandle,
        offset_out: u64,
        len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        let copy = |from, to| self.fs.copy_file_range(&caller(request), (from, offset_in), (to, offset_out), len);
        let copied = || self.reading(ino_in, fh_in, |from| self.writing(ino_out, fh_out, |to| copy(from, to)));
        answer!(reply, copied(), count => reply.written(count as u32));
    }

    fn ioctl(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _flags: IoctlFlags,
        _cmd: u32,
        _in_data: &[u8],
        _out_size: u32,
        reply: ReplyIoctl,
    ) {
        reply.error(fuser::Errno::ENOTTY);
    }

    fn poll(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _notifier: PollNotifier,
        _events: PollEvents,
        _flags: PollFlags,
        reply: ReplyPoll,
    ) {
        // The kernel then answers by itself that files are always ready.
        reply.error(fuser::Errno::ENOSYS);
    }
}

struct Names(ReplyDirectory);

impl DirSink for Names {
    fn add(&mut self, entry: DirEntry<'_>) -> bool {
        !self.0.add(INodeNo(entry.ino.0), entry.offset, file_type(entry.kind), entry.name)
    }
}

struct NamesAndAttrs(ReplyDirectoryPlus);

impl DirSink for NamesAndAttrs {
    fn add(&mut self, entry: DirEntry<'_>) -> bool {
        let (ttl, attr) = match entry.attr {
            // One time for both the name and the attributes.
            Some(attr) => (ttl(attr.lasts.min(attr.name_lasts)), file_attr(attr)),
            None => (ttl(Lasts::Not), FileAttr { ino: INodeNo(entry.ino.0), kind: file_type(entry.kind), ..missing() }),
        };
        // Without a node the kernel takes in the name alone.
        let node = if entry.attr.is_some() { entry.ino.0 } else { 0 };
        !self.0.add(INodeNo(node), entry.offset, entry.name, &ttl, &attr, GENERATION)
    }
}
