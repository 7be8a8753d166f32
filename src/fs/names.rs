//! Operations on names: look up, make, remove, link and rename.

use super::{
    Errno, Fs, HISTORY, Past, Place, ROOT_NAMES, Result,
    node::{HANDLE_ONLY, Node, RealNode, proc_path},
    regroup::{path_of, text},
    told::Known,
    types::{Attr, Caching, Caller, Fh, FileKind, Ino, Lasts, OpenReply},
    views::Virtual,
};
use crate::{
    domain::{layout, op::OpKind},
    fault,
};
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{self, AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, Uid},
};
use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path, sync::Arc};

const SETGID: u32 = 0o2000;

impl Fs {
    /// Finds a name in a folder; each success is one lookup that [`Fs::forget`] gives back.
    pub fn lookup(&self, parent: Ino, name: &OsStr) -> Result<Attr> {
        match self.node(parent)? {
            Node::Virtual(folder) => self.lookup_virtual(&folder, name),
            Node::Real(folder) => match self.enter(&folder, name) {
                Err(Errno::NOENT) if parent == Ino::ROOT => self.lookup_in_root(name),
                found => found.map(|(_, attr)| attr),
            },
        }
    }

    /// For how long the kernel may believe that a name is missing, which [`Fs::lookup`] just answered.
    pub fn missing_lasts(&self, parent: Ino, name: &OsStr) -> Lasts {
        match self.nodes.folder(parent) {
            Err(_) => Lasts::Not,
            Ok(folder) if folder.names.put_missing(name) && folder.is_watched() => Lasts::UntilAnnounced,
            Ok(_) => Lasts::Moment,
        }
    }

    /// Gives back `count` lookups.
    pub fn forget(&self, ino: Ino, count: u64) {
        self.nodes.forget(ino, count);
    }

    pub fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        match self.node(ino)? {
            Node::Real(node) => Ok(fs::readlinkat(node.handle()?, "", Vec::new())?.into_bytes()),
            Node::Virtual(node) => match &*node {
                Virtual::Link { target, .. } => Ok(target.clone().into_bytes()),
                Virtual::Past(Past { place: Place::Link { target, .. }, .. }) => Ok(target.clone().into_bytes()),
                Virtual::Folder(_) | Virtual::File(_) | Virtual::Past(_) => Err(Errno::INVAL),
            },
        }
    }

    /// Makes a file of any kind but a folder or symlink; `mode` includes the type.
    pub fn mknod(&self, caller: &Caller, parent: Ino, name: &OsStr, mode: u32, rdev: u32) -> Result<Attr> {
        let folder = self.folder_for(parent, name)?;
        let _pass = self.root.gate().pass();
        fs::mknodat(folder.handle()?, name, FileType::from_raw_mode(mode), Mode::from_raw_mode(mode), rdev.into())?;
        let made = self.adopt(caller, &folder, name, mode)?;
        if FileKind::of_mode(mode) == FileKind::File {
            self.record_by(caller, folder.path_of(name), OpKind::Create);
        }
        Ok(made)
    }

    pub fn mkdir(&self, caller: &Caller, parent: Ino, name: &OsStr, mode: u32) -> Result<Attr> {
        if let Node::Virtual(folder) = self.node(parent)? {
            return self.make_group(caller, &folder, name);
        }
        let folder = self.folder_for(parent, name)?;
        fs::mkdirat(folder.handle()?, name, Mode::from_raw_mode(mode))?;
        let made = self.adopt(caller, &folder, name, mode)?;
        self.record_by(caller, folder.path_of(name), OpKind::Mkdir);
        Ok(made)
    }

    pub fn symlink(&self, caller: &Caller, parent: Ino, name: &OsStr, target: &Path) -> Result<Attr> {
        if let Node::Virtual(folder) = self.node(parent)? {
            return self.add_to_group(caller, &folder, name, target);
        }
        let folder = self.folder_for(parent, name)?;
        fs::symlinkat(target, folder.handle()?, name)?;
        let made = self.adopt(caller, &folder, name, 0o777)?;
        self.record_by(caller, folder.path_of(name), OpKind::Symlink);
        Ok(made)
    }

    /// Makes a file, or opens it when it exists after all and `flags` do not forbid that.
    pub fn create(
        &self,
        caller: &Caller,
        parent: Ino,
        name: &OsStr,
        mode: u32,
        flags: i32,
    ) -> Result<(Attr, OpenReply)> {
        if let Node::Virtual(folder) = self.node(parent)? {
            return self.create_stand_in(caller, (path_of(&folder)?, text(name)?), mode, flags);
        }
        let folder = self.folder_for(parent, name)?;
        let access = OFlags::from_bits_truncate(flags as u32) & OFlags::ACCMODE;
        let pass = self.root.gate().pass();
        let note = if access == OFlags::RDONLY { None } else { self.makes_anew(&folder, name) };
        let making = access | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match fs::openat(folder.handle()?, name, making, Mode::from_raw_mode(mode)) {
            Ok(file) => file,
            Err(errno) => {
                drop(pass);
                self.made_anew(note, None);
                return match errno {
                    rustix::io::Errno::EXIST if flags & libc::O_EXCL == 0 => {
                        self.open_existing(caller, &folder, name, flags)
                    }
                    errno => Err(errno.into()),
                };
            }
        };
        let handle = fs::open(proc_path(file.as_fd()), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        self.give_to(caller, handle.as_fd(), &folder, mode)?;
        let (node, _) = self.nodes.enter(handle, &folder, name)?;
        let attr = node.own_attr()?;
        folder.own_change();
        fault::point("save.made");
        self.made_by(caller, &node);
        self.made_anew(note, Some(&node));
        let fh = self.add_file(node, Some(file), access);
        drop(pass);
        self.record_by(caller, folder.path_of(name), OpKind::Create);
        Ok((attr, made(fh, access, name)))
    }

    /// Somebody else made the file since the kernel looked.
    fn open_existing(
        &self,
        caller: &Caller,
        folder: &Arc<RealNode>,
        name: &OsStr,
        flags: i32,
    ) -> Result<(Attr, OpenReply)> {
        let (node, attr) = self.enter(folder, name)?;
        let opened = match node.kind {
            FileKind::File => self.open_real(caller, &node, flags),
            // The kernel looks again and does what it does for a link, a folder or a device.
            _ => Err(Errno::STALE),
        };
        match opened.and_then(|reply| Ok((node.attr()?, reply))) {
            Ok((attr, reply)) => Ok((attr, reply)),
            Err(errno) => {
                self.forget(attr.ino, 1);
                Err(errno)
            }
        }
    }

    pub fn unlink(&self, caller: &Caller, parent: Ino, name: &OsStr) -> Result<()> {
        if let Node::Virtual(folder) = self.node(parent)? {
            return self.remove_from_group(caller, &folder, name);
        }
        self.remove(caller, parent, name, AtFlags::empty(), OpKind::Unlink)
    }

    pub fn rmdir(&self, caller: &Caller, parent: Ino, name: &OsStr) -> Result<()> {
        if let Node::Virtual(folder) = self.node(parent)? {
            return self.unmake_group(caller, &folder, name);
        }
        self.remove(caller, parent, name, AtFlags::REMOVEDIR, OpKind::Rmdir)
    }

    fn remove(&self, caller: &Caller, parent: Ino, name: &OsStr, flags: AtFlags, kind: OpKind) -> Result<()> {
        let folder = self.nodes.folder(parent)?;
        let path = folder.path_of(name);
        self.hold_child(&folder, name);
        {
            let _pass = self.root.gate().pass();
            if kind == OpKind::Unlink {
                self.about_to_rename(caller, &folder, name, path.as_ref());
            }
            fs::unlinkat(folder.handle()?, name, flags).map_err(|errno| self.if_virtual(parent, name, errno.into()))?;
        }
        self.name_lost(&folder, name);
        folder.own_change();
        self.record_by(caller, path, kind);
        Ok(())
    }

    /// Gives a file one more name.
    pub fn link(&self, caller: &Caller, ino: Ino, parent: Ino, name: &OsStr) -> Result<Attr> {
        let node = self.nodes.real(ino)?;
        let folder = self.folder_for(parent, name)?;
        let old = node.path();
        {
            let _pass = self.root.gate().pass();
            fs::linkat(fs::CWD, node.handle()?.proc_path(), folder.handle()?, name, AtFlags::SYMLINK_FOLLOW)?;
        }
        let (node, _) = self.enter(&folder, name)?;
        let attr = node.own_attr()?;
        folder.own_change();
        let path = folder.path_of(name);
        match old {
            Some(to) => self.record_by(caller, path, OpKind::Link { to }),
            None => self.record_by(caller, path, OpKind::Create),
        }
        Ok(attr)
    }

    /// `flags` as of `renameat2`. A file that would become an invalid ticket stays where it is: EINVAL.
    pub fn rename(&self, caller: &Caller, from: (Ino, &OsStr), to: (Ino, &OsStr), flags: u32) -> Result<()> {
        let flags = RenameFlags::from_bits(flags).ok_or(Errno::INVAL)?;
        if flags.contains(RenameFlags::WHITEOUT) {
            return Err(Errno::INVAL);
        }
        if let (Node::Virtual(source), Node::Virtual(target)) = (self.node(from.0)?, self.node(to.0)?) {
            return self.regroup(caller, (&source, from.1), (&target, to.1), flags.bits());
        }
        let (source, target) = (self.nodes.folder(from.0)?, self.nodes.folder(to.0)?);
        if self.is_virtual_name(to.0, to.1) {
            return Err(Errno::EXIST);
        }
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        self.hold_child(&source, from.1);
        self.hold_child(&target, to.1);
        let (old, new) = (source.path_of(from.1), target.path_of(to.1));
        {
            let _pass = self.root.gate().pass();
            self.refuse_bad_ticket(&source, from.1, new.as_ref())?;
            if exchange {
                self.refuse_bad_ticket(&target, to.1, old.as_ref())?;
            }
            self.about_to_rename(caller, &source, from.1, old.as_ref());
            self.about_to_rename(caller, &target, to.1, new.as_ref());
            if !exchange {
                self.goes_away(&source, from.1, old.as_ref(), new.as_ref());
            }
            fs::renameat_with(source.handle()?, from.1, target.handle()?, to.1, flags).map_err(|errno| {
                old.iter().for_each(|old| self.came_back(old));
                self.if_virtual(from.0, from.1, errno.into())
            })?;
            fault::point("save.renamed");
        }
        self.renamed((&source, from.1), (&target, to.1), exchange);
        if let Some(path) = &new {
            self.renamed_by(caller, &target, to.1, path);
            self.came_back(path);
        }
        match (old, new) {
            (Some(path), Some(to)) => self.record_by(caller, Some(path), OpKind::Rename { to, exchange }),
            // One side has a name that is not UTF-8: for the workspace a file appeared or went away.
            (Some(path), None) => self.record_by(caller, Some(path), OpKind::Unlink),
            (None, path) => self.record_by(caller, path, OpKind::Create),
        }
        Ok(())
    }

    fn refuse_bad_ticket(
        &self,
        folder: &RealNode,
        name: &OsStr,
        path: Option<&crate::domain::path::WsPath>,
    ) -> Result<()> {
        match path.filter(|path| self.may_be_refused(path)) {
            None => Ok(()),
            Some(path) => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                // What cannot be opened here cannot be judged: the rename says what is wrong with it, if anything.
                let Ok(file) = fs::openat(folder.handle()?, name, flags, Mode::empty()) else { return Ok(()) };
                self.refuse_bad_bytes(path, file)
            }
        }
    }

    fn renamed(&self, from: (&Arc<RealNode>, &OsStr), to: (&Arc<RealNode>, &OsStr), exchange: bool) {
        let moved = self.known_child(from.0, from.1);
        let replaced = self.known_child(to.0, to.1);
        from.0.names.put_missing(from.1);
        to.0.names.forget(to.1);
        if let Some(node) = replaced {
            node.leave(to.0, to.1);
            if exchange {
                node.put(from.0, from.1);
            }
            node.own_change();
        }
        if let Some(node) = moved {
            node.put(to.0, to.1);
            node.own_change();
        }
        from.0.own_change();
        to.0.own_change();
    }

    fn name_lost(&self, folder: &Arc<RealNode>, name: &OsStr) {
        let node = self.known_child(folder, name);
        folder.names.put_missing(name);
        if let Some(node) = node {
            node.leave(folder, name);
            node.own_change();
        }
    }

    /// Whoever has the file open must reach it while and after its name goes.
    fn hold_child(&self, folder: &RealNode, name: &OsStr) {
        if let Some(node) = self.known_child(folder, name) {
            self.nodes.hold(&node);
        }
    }

    fn known_child(&self, folder: &RealNode, name: &OsStr) -> Option<Arc<RealNode>> {
        match folder.names.get(name)? {
            Known::As(ino) => self.nodes.real(ino).ok(),
            Known::Missing => None,
        }
    }

    /// Counts a lookup of an entry of a real folder.
    pub(super) fn enter(&self, folder: &Arc<RealNode>, name: &OsStr) -> Result<(Arc<RealNode>, Attr)> {
        if name.as_bytes().contains(&b'/') {
            return Err(Errno::INVAL);
        }
        let fd = fs::openat(folder.handle()?, name, HANDLE_ONLY, Mode::empty())?;
        self.nodes.enter(fd, folder, name)
    }

    /// Enters what the caller just made, in their name.
    fn adopt(&self, caller: &Caller, folder: &Arc<RealNode>, name: &OsStr, mode: u32) -> Result<Attr> {
        let fd = fs::openat(folder.handle()?, name, HANDLE_ONLY, Mode::empty())?;
        self.give_to(caller, fd.as_fd(), folder, mode)?;
        let (node, _) = self.nodes.enter(fd, folder, name)?;
        let attr = node.own_attr()?;
        folder.own_change();
        Ok(attr)
    }

    /// Makes a new file its caller's own: owner, group (a set-group-id folder's own) and exactly the mode asked for,
    /// whatever umask the daemon has.
    fn give_to(&self, caller: &Caller, fd: BorrowedFd<'_>, folder: &RealNode, mode: u32) -> Result<()> {
        let made = fs::fstat(fd)?;
        let parent = fs::fstat(folder.handle()?)?;
        let inherits = parent.st_mode & SETGID != 0;
        let gid = if inherits { parent.st_gid } else { caller.gid };
        let is_folder = FileKind::of_mode(made.st_mode) == FileKind::Folder;
        if (made.st_uid, made.st_gid) != (caller.uid, gid) && rustix::process::geteuid().is_root() {
            let owner = (Some(Uid::from_raw(caller.uid)), Some(Gid::from_raw(gid)));
            fs::chownat(fd, "", owner.0, owner.1, AtFlags::EMPTY_PATH)?;
        }
        let wanted = mode & 0o7777 | if inherits && is_folder { SETGID } else { 0 };
        let is_symlink = FileKind::of_mode(made.st_mode) == FileKind::Symlink;
        if !is_symlink && fs::fstat(fd)?.st_mode & 0o7777 != wanted {
            fs::chmodat(fs::CWD, proc_path(fd), Mode::from_raw_mode(wanted), AtFlags::empty())?;
        }
        Ok(())
    }

    fn lookup_in_root(&self, name: &OsStr) -> Result<Attr> {
        match name.to_str().filter(|name| ROOT_NAMES.contains(name)) {
            Some(name) => self.enter_virtual(Arc::new(Virtual::Folder(name.to_owned()))),
            None if name == HISTORY => self.enter_virtual(Arc::new(Past::top())),
            None => Err(Errno::NOENT),
        }
    }

    fn lookup_virtual(&self, folder: &Virtual, name: &OsStr) -> Result<Attr> {
        let name = name.to_str().ok_or(Errno::NOENT)?;
        let path = match folder {
            Virtual::Folder(path) => path,
            Virtual::Past(past) => return self.enter_virtual(Arc::new(self.look_up_past(past, name)?)),
            Virtual::Link { .. } | Virtual::File(_) => return Err(Errno::NOTDIR),
        };
        if let Some(real) = self.stand_ins.get(path, name) {
            return self.look_up_stand_in(&real);
        }
        let found = self.shown(|shown| shown.entry(path, &shown.folder(path)?, name));
        self.enter_virtual(Arc::new(found.ok_or(Errno::NOENT)?))
    }

    pub(super) fn enter_virtual(&self, node: Arc<Virtual>) -> Result<Attr> {
        let attr = self.virtual_attr(&node)?;
        self.nodes.enter_virtual(node);
        Ok(attr)
    }

    /// A real folder in which `name` may be made.
    fn folder_for(&self, parent: Ino, name: &OsStr) -> Result<Arc<RealNode>> {
        let folder = self.nodes.folder(parent)?;
        if self.is_virtual_name(parent, name) { Err(Errno::EXIST) } else { Ok(folder) }
    }

    fn is_virtual_name(&self, parent: Ino, name: &OsStr) -> bool {
        parent == Ino::ROOT
            && name
                .to_str()
                .is_some_and(|name| (ROOT_NAMES.contains(&name) || name == HISTORY) && !self.is_real_in_root(name))
    }

    /// Virtual folders cannot be removed or moved: the disk only says that they are not there.
    fn if_virtual(&self, parent: Ino, name: &OsStr, errno: Errno) -> Errno {
        if errno == Errno::NOENT && self.is_virtual_name(parent, name) { Errno::ROFS } else { errno }
    }

    pub(super) fn add_file(&self, node: Arc<RealNode>, file: Option<OwnedFd>, access: OFlags) -> Fh {
        let writer = access != OFlags::RDONLY;
        if writer {
            self.root.gate().opened(node.id.0, node.id.1);
        }
        let fh = self.next_fh();
        self.files.insert(fh.0, Arc::new(super::files::OpenFile::real(node, file, writer)));
        fh
    }
}

/// How a file that was just made is open. Of one that is only written, under a scratch name, nobody has to be told that it is
/// closed: what is in it means nothing before it has another name, and no mapping can have changed it. Without pages the
/// kernel sends what is written as it is, and does not ask for `security.capability` first.
fn made(fh: Fh, access: OFlags, name: &OsStr) -> OpenReply {
    let in_passing = access == OFlags::WRONLY && name.to_str().is_some_and(layout::is_scratch);
    let caching = if in_passing { Caching::Direct } else { Caching::Fresh };
    OpenReply { fh, caching, quiet: in_passing || access == OFlags::RDONLY }
}
