//! Open files: read, write, and what makes a save.

use super::{
    Errno, Fs, Past, Place, Result, StatusContent,
    attributes::drop_set_id,
    node::{Node, RealNode},
    types::{Attr, Caching, Caller, Fh, FileKind, Ino, OpenReply},
    views::Virtual,
};
use crate::{
    domain::{
        layout,
        op::{Actor, OpKind},
        path::WsPath,
    },
    fault,
    workspace::root::leave_access_time,
};
use parking_lot::Mutex;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{self, FallocateFlags, OFlags, SeekFrom},
    io,
};
use std::{
    fs::File,
    io::Read,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// Longer than any ticket: such a file is not judged at a save, only when it settles.
const MAX_JUDGED: u64 = 4 << 20;
/// The kernel takes the count of a copy as 32 bits.
const MAX_COPY: u64 = 1 << 30;

/// What a file handle stands for.
pub(super) enum OpenFile {
    Real(RealFile),
    Generated(StatusContent),
}

pub(super) struct RealFile {
    pub node: Arc<RealNode>,
    /// Empty until something is read: mostly the kernel has the pages.
    fd: OnceLock<OwnedFd>,
    writer: bool,
    /// Written to since the last time this handle saved.
    unsaved: AtomicBool,
    /// Truncated or written to since then: a save is under way.
    begun: AtomicBool,
    /// Who wrote last: the one to name when the handle is released, which the kernel does on its own account.
    actor: Mutex<Option<(Caller, Actor)>>,
}

impl OpenFile {
    pub fn real(node: Arc<RealNode>, fd: Option<OwnedFd>, writer: bool) -> Self {
        Self::Real(RealFile {
            node,
            fd: fd.map_or_else(OnceLock::new, OnceLock::from),
            writer,
            unsaved: AtomicBool::new(false),
            begun: AtomicBool::new(false),
            actor: Mutex::default(),
        })
    }

    /// Of a handle that can write, what it writes to.
    pub fn written_ino(&self) -> Option<Ino> {
        match self {
            Self::Real(file) if file.writer => Some(file.node.ino),
            Self::Real(_) | Self::Generated(_) => None,
        }
    }

    pub fn as_real(&self) -> Result<&RealFile> {
        match self {
            Self::Real(file) => Ok(file),
            Self::Generated(_) => Err(Errno::ROFS),
        }
    }
}

impl RealFile {
    pub fn fd(&self) -> Result<BorrowedFd<'_>> {
        if self.fd.get().is_none() {
            // Of two that open it at once, the first is kept.
            let _ = self.fd.set(self.node.reopen(OFlags::RDONLY)?);
        }
        self.fd.get().map(AsFd::as_fd).ok_or(Errno::BADF)
    }
}

impl Fs {
    /// `flags` as of `open`, without O_CREAT. O_APPEND is the kernel's business: it says where to write.
    pub fn open(&self, caller: &Caller, ino: Ino, flags: i32) -> Result<OpenReply> {
        match self.node(ino)? {
            Node::Real(node) => self.open_real(caller, &node, flags),
            Node::Virtual(node) => self.open_virtual(&node, flags),
        }
    }

    pub(super) fn open_virtual(&self, node: &Virtual, flags: i32) -> Result<OpenReply> {
        match node {
            Virtual::File(_) if flags & libc::O_ACCMODE != libc::O_RDONLY => Err(Errno::ROFS),
            Virtual::File(file) => {
                let (content, ..) = self.generated_now(file)?;
                let fh = self.next_fh();
                self.files.insert(fh.0, Arc::new(OpenFile::Generated(content)));
                Ok(OpenReply { fh, caching: Caching::Direct, quiet: true })
            }
            Virtual::Past(Past { place: Place::File { blob, .. }, .. }) => {
                if flags & libc::O_ACCMODE != libc::O_RDONLY {
                    return Err(Errno::ROFS);
                }
                let content = self.past_content(blob)?;
                let fh = self.next_fh();
                self.files.insert(fh.0, Arc::new(OpenFile::Generated(content)));
                Ok(OpenReply { fh, caching: Caching::Keep, quiet: true })
            }
            Virtual::Past(Past { place: Place::Link { .. }, .. }) => Err(Errno(libc::ELOOP)),
            Virtual::Folder(_) | Virtual::Past(_) => Err(Errno::ISDIR),
            Virtual::Link { .. } => Err(Errno(libc::ELOOP)),
        }
    }

    /// When the file was changed underneath since the kernel was told of it, ESTALE makes the kernel look it up anew and
    /// try again: nobody opens a file with an old size or old pages. It does so once, and then tells its caller; so a
    /// thread that was sent back comes through with its next open, however often that file has changed meanwhile.
    fn look_again_if_stale(&self, caller: &Caller, node: &RealNode, attr: &Attr) -> Result<()> {
        let was_sent_back = self.sent_back.take(caller);
        if was_sent_back || !node.told.is_stale(attr) || !self.sent_back.put(caller) {
            return Ok(());
        }
        Err(Errno::STALE)
    }

    pub(super) fn open_real(&self, caller: &Caller, node: &Arc<RealNode>, flags: i32) -> Result<OpenReply> {
        let flags = OFlags::from_bits_truncate(flags as u32);
        match flags & (OFlags::ACCMODE | OFlags::TRUNC) {
            OFlags::RDONLY => self.open_to_read(caller, node),
            _ => self.open_to_write(caller, node, flags),
        }
    }

    fn open_to_read(&self, caller: &Caller, node: &Arc<RealNode>) -> Result<OpenReply> {
        // Whoever holds the inode can open it later, too, whatever becomes of its name.
        let fd = if node.is_held() { None } else { Some(node.reopen(OFlags::RDONLY)?) };
        let attr = node.peek()?;
        self.look_again_if_stale(caller, node, &attr)?;
        self.opened_by(caller, node, &attr);
        let caching = if node.told.is_stale(&attr) { Caching::Fresh } else { Caching::Keep };
        let fh = self.add_file(node.clone(), fd, OFlags::RDONLY);
        Ok(OpenReply { fh, caching, quiet: true })
    }

    fn open_to_write(&self, caller: &Caller, node: &Arc<RealNode>, flags: OFlags) -> Result<OpenReply> {
        self.look_again_if_stale(caller, node, &node.peek()?)?;
        let access = flags & OFlags::ACCMODE;
        let truncates = flags.contains(OFlags::TRUNC);
        let pass = self.root.gate().pass();
        if truncates {
            drop_set_id(caller, node)?;
            self.about_to_change(caller, node, true)?;
        }
        let fd = node.reopen(access | flags & OFlags::TRUNC)?;
        let fh = self.add_file(node.clone(), Some(fd), access);
        drop(pass);
        fault::point("save.opened");
        if truncates {
            let open = self.file(fh)?;
            let file = open.as_real()?;
            file.begun.store(true, Ordering::Relaxed);
            self.changed(caller, file, OpKind::Truncate { len: 0 });
        }
        let attr = node.peek()?;
        if access != OFlags::WRONLY && !truncates {
            self.opened_by(caller, node, &attr);
        }
        let caching = if node.told.is_stale(&attr) { Caching::Fresh } else { Caching::Keep };
        Ok(OpenReply { fh, caching, quiet: access == OFlags::RDONLY })
    }

    /// Fills the buffer from `offset`; short only at the end of the file.
    pub fn read(&self, fh: Fh, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        match &*self.file(fh)? {
            OpenFile::Generated(content) => Ok(content.read_at(offset, buffer)?),
            OpenFile::Real(file) => {
                let (fd, mut filled) = (file.fd()?, 0);
                while filled < buffer.len() {
                    match io::pread(fd, &mut buffer[filled..], offset + filled as u64) {
                        Ok(0) => break,
                        Ok(count) => filled += count,
                        Err(io::Errno::INTR) => {}
                        Err(errno) => return Err(errno.into()),
                    }
                }
                Ok(filled)
            }
        }
    }

    pub fn write(&self, caller: &Caller, fh: Fh, offset: u64, bytes: &[u8]) -> Result<usize> {
        let open = self.file(fh)?;
        let file = open.as_real()?;
        self.begin(caller, file, false)?;
        let fd = file.fd()?;
        let count = io::retry_on_intr(|| io::pwrite(fd, bytes, offset))?;
        fault::point("save.written");
        self.written(caller, file, offset, count as u64);
        Ok(count)
    }

    /// One `close` of the handle: a save if it wrote since its last one. EINVAL: the bytes are kept, and are no ticket.
    pub fn flush(&self, fh: Fh) -> Result<()> {
        let open = self.file(fh)?;
        let OpenFile::Real(file) = &*open else { return Ok(()) };
        self.judge(file)
    }

    /// The last close: the handle is gone whatever this answers.
    pub fn release(&self, fh: Fh) {
        let Some(open) = self.files.remove(fh.0) else { return };
        let OpenFile::Real(file) = &*open else { return };
        if !file.writer {
            return;
        }
        // Where the close said nothing, and the file has another name by now, this is all that tells of the save.
        let _ = self.judge(file);
        let remaining = self.root.gate().closed(file.node.id.0, file.node.id.1);
        if remaining == 0
            && let Err(error) = self.saved_whole(&file.node)
        {
            tracing::error!(%error, "a closed save may be taken for one that a crash cut off");
        }
        if remaining == 0 && file.node.modified.swap(false, Ordering::AcqRel) {
            let actor = file.actor.lock().take().map(|(_, actor)| actor).unwrap_or_default();
            self.record(actor, file.node.path(), OpKind::Close);
        }
    }

    /// A save, durable when it returns. EINVAL as of [`Fs::flush`], with the bytes on the disk.
    pub fn fsync(&self, caller: &Caller, fh: Fh, data_only: bool) -> Result<()> {
        let open = self.file(fh)?;
        let OpenFile::Real(file) = &*open else { return Ok(()) };
        if file.unsaved.load(Ordering::Relaxed) {
            self.record(self.actor_of(file, caller), file.node.path(), OpKind::Fsync);
        }
        // What happens under a scratch name means nothing until the name is another one.
        let journalled = !file.node.path().is_some_and(|path| layout::is_scratch(path.file_name()));
        if journalled {
            // The file and the journal go to the disk at the same time.
            self.host.hasten();
        }
        let fd = file.fd()?;
        if data_only {
            fs::fdatasync(fd)?
        } else {
            fs::fsync(fd)?
        }
        fault::point("save.synced");
        if journalled {
            self.host.durable()?;
        }
        self.judge(file)
    }

    pub fn fallocate(&self, caller: &Caller, fh: Fh, offset: u64, len: u64, mode: i32) -> Result<()> {
        let open = self.file(fh)?;
        let file = open.as_real()?;
        let mode = FallocateFlags::from_bits(mode as u32).ok_or(Errno::NOTSUP)?;
        self.begin(caller, file, false)?;
        fs::fallocate(file.fd()?, mode, offset, len)?;
        self.written(caller, file, offset, len);
        Ok(())
    }

    /// `whence` is SEEK_DATA or SEEK_HOLE; the kernel does the others itself.
    pub fn lseek(&self, fh: Fh, offset: i64, whence: i32) -> Result<i64> {
        let offset = u64::try_from(offset).map_err(|_| Errno::NXIO)?;
        let from = match whence {
            libc::SEEK_DATA => SeekFrom::Data(offset),
            libc::SEEK_HOLE => SeekFrom::Hole(offset),
            _ => return Err(Errno::INVAL),
        };
        match &*self.file(fh)? {
            OpenFile::Real(file) => Ok(fs::seek(file.fd()?, from)? as i64),
            OpenFile::Generated(_) => Err(Errno::INVAL),
        }
    }

    pub fn copy_file_range(&self, caller: &Caller, from: (Fh, u64), to: (Fh, u64), len: u64) -> Result<usize> {
        let (source, target) = (self.file(from.0)?, self.file(to.0)?);
        let (source, target) = (source.as_real().map_err(|_| Errno::NOTSUP)?, target.as_real()?);
        let (mut read_at, mut write_at) = (from.1, to.1);
        let len = len.min(MAX_COPY) as usize;
        self.begin(caller, target, false)?;
        let count = fs::copy_file_range(source.fd()?, Some(&mut read_at), target.fd()?, Some(&mut write_at), len)?;
        if count > 0 {
            self.written(caller, target, to.1, count as u64);
        }
        Ok(count)
    }

    pub(super) fn file(&self, fh: Fh) -> Result<Arc<OpenFile>> {
        self.files.get(fh.0).ok_or(Errno::BADF)
    }

    /// A save begins with the first change through a handle; a buffer's with dropping everything that was there.
    pub(super) fn begin(&self, caller: &Caller, file: &RealFile, whole: bool) -> Result<()> {
        drop_set_id(caller, &file.node)?;
        self.root.saves().goes_on(file.node.id);
        if file.begun.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        self.about_to_change(caller, &file.node, whole).inspect_err(|_| file.begun.store(false, Ordering::Relaxed))
    }

    /// Opens what is only going to be opened: soon that may no longer be allowed.
    pub(super) fn open_all_of(&self, node: &RealNode) {
        let of_node = |file: &Arc<OpenFile>| match &**file {
            OpenFile::Real(real) if real.node.ino == node.ino => Some(file.clone()),
            _ => None,
        };
        for file in self.files.filter_map(of_node) {
            // Who may not read it now will be told so when it reads.
            let _ = file.as_real().and_then(|file| file.fd().map(drop));
        }
    }

    /// Content was changed through a handle.
    pub(super) fn changed(&self, caller: &Caller, file: &RealFile, kind: OpKind) {
        file.node.modified.store(true, Ordering::Release);
        file.node.own_change();
        self.record(self.actor_of(file, caller), file.node.path(), kind);
    }

    /// As [`Fs::changed`], by what the next save is about.
    fn written(&self, caller: &Caller, file: &RealFile, offset: u64, len: u64) {
        file.unsaved.store(true, Ordering::Relaxed);
        self.changed(caller, file, OpKind::Write { offset, len });
    }

    fn actor_of(&self, file: &RealFile, caller: &Caller) -> Actor {
        if let Some((known, actor)) = &*file.actor.lock()
            && known == caller
        {
            return actor.clone();
        }
        let actor = self.actors.of(caller);
        *file.actor.lock() = Some((*caller, actor.clone()));
        actor
    }

    fn judge(&self, file: &RealFile) -> Result<()> {
        if file.begun.swap(false, Ordering::Relaxed)
            && let Some((_, actor)) = &*file.actor.lock()
        {
            self.saved_by(actor.pid, &file.node);
        }
        if !file.unsaved.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        self.saved_whole(&file.node)?;
        match file.node.path().filter(|path| self.may_be_refused(path)) {
            // What may not be read back is judged when it has settled.
            Some(path) => file.node.reopen(OFlags::RDONLY).map_or(Ok(()), |file| self.refuse_bad_bytes(&path, file)),
            None => Ok(()),
        }
    }

    /// Whether the host is worth asking: tickets and comments are `*.md`, and nothing else is refused.
    pub(super) fn may_be_refused(&self, path: &WsPath) -> bool {
        path.extension() == Some("md")
    }

    pub(super) fn refuse_bad_bytes(&self, path: &WsPath, file: OwnedFd) -> Result<()> {
        let stat = fs::fstat(&file)?;
        if FileKind::of_mode(stat.st_mode) != FileKind::File || stat.st_size as u64 > MAX_JUDGED {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(stat.st_size as usize);
        leave_access_time(&file);
        File::from(file).read_to_end(&mut bytes)?;
        match self.host.check(path, &bytes) {
            Some(_) => Err(Errno::INVAL),
            None => Ok(()),
        }
    }
}
