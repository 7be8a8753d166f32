//! Attributes, extended attributes and sizes of the whole.

use super::{
    Errno, Fs, ROOT_NAMES, Result,
    node::{Node, RealNode},
    types::{Attr, Caller, Fh, FileKind, Ino, Lasts, SetAttr, SetTime, StatFs},
    views::Virtual,
};
use crate::domain::{op::OpKind, view::BUILT_IN};
use rustix::{
    fs::{self, AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, Uid, XattrFlags},
    io::Errno as SysErrno,
};
use std::{ffi::OsStr, os::unix::ffi::OsStrExt, sync::atomic::Ordering};

/// Why a file is not synced; read-only, and there only while it is so.
const PROBLEM: &str = "user.trackfs.problem";
/// Access control lists are refused: kept as mere bytes they would take the place of the mode that tools mean by them.
const ACL: &[u8] = b"system.posix_acl_";
/// Where the kernel uses labels it answers by itself; refused here, `ls -l` asks once and not for every file.
const LABEL: &str = "security.selinux";
const BLOCK: u64 = 512;

impl Fs {
    pub fn getattr(&self, ino: Ino) -> Result<Attr> {
        match self.node(ino)? {
            Node::Real(node) => node.attr(),
            Node::Virtual(node) => self.virtual_attr(&node),
        }
    }

    /// Changes attributes, through the handle where the caller had one.
    pub fn setattr(&self, caller: &Caller, ino: Ino, fh: Option<Fh>, set: &SetAttr) -> Result<Attr> {
        let node = self.nodes.real(ino)?;
        if let Some(len) = set.size {
            self.truncate(caller, &node, fh, len)?;
        }
        if set.mode.is_some() || set.uid.is_some() {
            self.open_all_of(&node);
        }
        set_owner(&node, set)?;
        if let Some(mode) = set.mode {
            fs::chmodat(fs::CWD, node.handle()?.proc_path(), Mode::from_raw_mode(mode & 0o7777), AtFlags::empty())?;
        }
        set_times(&node, set)?;
        if (SetAttr { size: None, ..*set }) != SetAttr::default() {
            self.record_by(caller, node.path(), OpKind::Setattr);
        }
        node.own_attr()
    }

    fn truncate(&self, caller: &Caller, node: &RealNode, fh: Option<Fh>, len: u64) -> Result<()> {
        let _pass = self.root.gate().pass();
        if let Some(fh) = fh {
            let open = self.file(fh)?;
            let file = open.as_real()?;
            self.begin(caller, file, len == 0)?;
            fs::ftruncate(file.fd()?, len)?;
            self.changed(caller, file, OpKind::Truncate { len });
            return Ok(());
        }
        let file = node.reopen(OFlags::WRONLY)?;
        drop_set_id(caller, node)?;
        self.about_to_change(caller, node, len == 0)?;
        fs::ftruncate(file, len)?;
        self.saved_by(self.actors.of(caller).pid, node);
        node.own_change();
        // Who has it open for writing will close it; otherwise this was all.
        let open = self.root.gate().writers(node.id.0, node.id.1) > 0;
        if !open {
            self.saved_whole(node)?;
        }
        node.modified.fetch_or(open, Ordering::AcqRel);
        self.record_by(caller, node.path(), OpKind::Truncate { len });
        Ok(())
    }

    /// What `stat` says of something that is in the mount only; it belongs to the owner of the workspace.
    pub(super) fn virtual_attr(&self, node: &Virtual) -> Result<Attr> {
        let owner = fs::fstat(self.root.fd())?;
        let (kind, perm, size, time) = match node {
            Virtual::Folder(path) => (FileKind::Folder, folder_mode(path), 0, self.started),
            Virtual::Link { target, .. } => (FileKind::Symlink, 0o777, target.len() as u64, self.started),
            Virtual::File(file) => {
                let (_, len, time) = self.generated_now(file)?;
                (FileKind::File, 0o444, len, time)
            }
            Virtual::Past(past) => {
                (past.kind(), past.mode(), self.past_size(past)?, past.time().unwrap_or(self.started))
            }
        };
        Ok(Attr {
            ino: node.ino(),
            kind,
            perm,
            size,
            blocks: size.div_ceil(BLOCK),
            atime: time,
            mtime: time,
            ctime: time,
            nlink: if kind == FileKind::Folder { 2 } else { 1 },
            uid: owner.st_uid,
            gid: owner.st_gid,
            rdev: 0,
            blksize: 4096,
            // What a folder is never changes, nor where a link leads (another target is another inode), nor the past.
            lasts: if matches!(node, Virtual::File(_)) { Lasts::Not } else { Lasts::UntilAnnounced },
            name_lasts: name_lasts(node),
        })
    }

    pub fn getxattr(&self, ino: Ino, name: &OsStr) -> Result<Vec<u8>> {
        let node = self.xattr_node(ino)?;
        if name == PROBLEM {
            let problem = node.path().and_then(|path| self.host.problem(&path));
            return problem.map(String::into_bytes).ok_or(Errno::NODATA);
        }
        refuse_acl(name)?;
        let handle = node.handle()?;
        let path = handle.proc_path();
        grow(|buffer| fs::getxattr(&path, name, buffer))
    }

    /// Names, each ended by a NUL.
    pub fn listxattr(&self, ino: Ino) -> Result<Vec<u8>> {
        let node = match self.node(ino)? {
            Node::Real(node) => node,
            Node::Virtual(_) => return Ok(Vec::new()),
        };
        let handle = node.handle()?;
        let path = handle.proc_path();
        let names = grow(|buffer| fs::listxattr(&path, buffer))?;
        let shown = |name: &&[u8]| !name.is_empty() && !name.starts_with(ACL) && *name != PROBLEM.as_bytes();
        let mut list: Vec<u8> =
            names.split(|byte| *byte == 0).filter(shown).flat_map(|name| [name, b"\0"].concat()).collect();
        if node.path().is_some_and(|path| self.host.problem(&path).is_some()) {
            list.extend(PROBLEM.bytes().chain([0]));
        }
        Ok(list)
    }

    /// `flags` as of `setxattr`.
    pub fn setxattr(&self, caller: &Caller, ino: Ino, name: &OsStr, value: &[u8], flags: i32) -> Result<()> {
        self.change_xattr(caller, ino, name, |path| {
            fs::setxattr(path, name, value, XattrFlags::from_bits_retain(flags as u32))
        })
    }

    pub fn removexattr(&self, caller: &Caller, ino: Ino, name: &OsStr) -> Result<()> {
        self.change_xattr(caller, ino, name, |path| fs::removexattr(path, name))
    }

    fn change_xattr(
        &self,
        caller: &Caller,
        ino: Ino,
        name: &OsStr,
        change: impl FnOnce(&str) -> Result<(), SysErrno>,
    ) -> Result<()> {
        let node = self.nodes.real(ino)?;
        if name == PROBLEM {
            return Err(Errno::PERM);
        }
        refuse_acl(name)?;
        change(&node.handle()?.proc_path())?;
        node.own_change();
        self.record_by(caller, node.path(), OpKind::Setxattr);
        Ok(())
    }

    fn xattr_node(&self, ino: Ino) -> Result<std::sync::Arc<RealNode>> {
        self.nodes.real(ino).map_err(|errno| if errno == Errno::ROFS { Errno::NODATA } else { errno })
    }

    pub fn statfs(&self) -> Result<StatFs> {
        let disk = fs::fstatvfs(self.root.fd())?;
        Ok(StatFs {
            blocks: disk.f_blocks,
            bfree: disk.f_bfree,
            bavail: disk.f_bavail,
            files: disk.f_files,
            ffree: disk.f_ffree,
            bsize: disk.f_bsize as u32,
            namelen: disk.f_namemax as u32,
            frsize: disk.f_frsize as u32,
        })
    }
}

/// In most folders of `views/` the owner of the workspace may do something.
fn folder_mode(path: &str) -> u16 {
    let mut names = path.split('/');
    match (names.next(), names.next()) {
        (Some("views"), Some("links" | "backlinks" | "tree" | "tag")) => 0o555,
        (Some("views"), _) => 0o755,
        _ => 0o555,
    }
}

/// For how long a name stands for this: a file and a link are looked up each time, so that nobody meets one that has moved.
/// A folder that goes is an empty one for a moment; what trackfs has itself stays.
fn name_lasts(node: &Virtual) -> Lasts {
    match node {
        Virtual::Folder(path) if is_built_in(path) => Lasts::UntilAnnounced,
        Virtual::Folder(_) => Lasts::Moment,
        Virtual::Link { .. } | Virtual::File(_) => Lasts::Not,
        Virtual::Past(past) => past.name_lasts(),
    }
}

fn is_built_in(path: &str) -> bool {
    let view = path.strip_prefix("views/");
    ROOT_NAMES.contains(&path) || path == "status/conflicts" || view.is_some_and(|view| BUILT_IN.contains(&view))
}

/// Takes the set-user-id and set-group-id bits from a file before its content changes, as the kernel would do on a disk
/// for everybody but root. It leaves that to us, and for that spares every write a question about `security.capability`,
/// which the disk drops by itself.
pub(super) fn drop_set_id(caller: &Caller, node: &RealNode) -> Result<()> {
    if caller.uid == 0 {
        return Ok(());
    }
    let handle = node.handle()?;
    let mode = Mode::from_raw_mode(fs::fstat(&handle)?.st_mode & 0o7777);
    let mut dropped = mode & Mode::SUID;
    if mode.contains(Mode::XGRP) {
        dropped |= mode & Mode::SGID;
    }
    if !dropped.is_empty() {
        fs::chmodat(fs::CWD, handle.proc_path(), mode - dropped, AtFlags::empty())?;
    }
    Ok(())
}

/// Before the mode: a new owner costs the set-id bits, and the kernel may send both at once.
fn set_owner(node: &RealNode, set: &SetAttr) -> Result<()> {
    if set.uid.is_none() && set.gid.is_none() {
        return Ok(());
    }
    let owner = (set.uid.map(Uid::from_raw), set.gid.map(Gid::from_raw));
    Ok(fs::chownat(node.handle()?, "", owner.0, owner.1, AtFlags::EMPTY_PATH)?)
}

fn set_times(node: &RealNode, set: &SetAttr) -> Result<()> {
    if set.atime.is_none() && set.mtime.is_none() {
        return Ok(());
    }
    let spec = |time: Option<SetTime>| match time {
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        Some(SetTime::Now) => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        Some(SetTime::To((tv_sec, nanoseconds))) => Timespec { tv_sec, tv_nsec: nanoseconds.into() },
    };
    let times = Timestamps { last_access: spec(set.atime), last_modification: spec(set.mtime) };
    Ok(fs::utimensat(node.handle()?, "", &times, AtFlags::EMPTY_PATH)?)
}

fn refuse_acl(name: &OsStr) -> Result<()> {
    if name.as_bytes().starts_with(ACL) || name == LABEL { Err(Errno::NOTSUP) } else { Ok(()) }
}

/// Reads into a buffer that is as large as needed.
fn grow(mut read: impl FnMut(&mut [u8]) -> Result<usize, SysErrno>) -> Result<Vec<u8>> {
    let mut buffer = vec![0; 256];
    loop {
        match read(&mut buffer) {
            Ok(len) => {
                buffer.truncate(len);
                return Ok(buffer);
            }
            Err(SysErrno::RANGE) if buffer.len() < 1 << 20 => buffer.resize(buffer.len() * 4, 0),
            Err(errno) => return Err(errno.into()),
        }
    }
}
