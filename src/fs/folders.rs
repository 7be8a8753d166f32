//! Open folders: a listing is taken once and read by position, so that entries which come or go meanwhile neither hide
//! nor repeat others.

use super::{
    Errno, Fs, ROOT_NAMES, Result,
    node::{Node, RealNode},
    types::{DirEntry, DirSink, Fh, FileKind, Ino},
    views::Virtual,
};
use parking_lot::Mutex;
use rustix::{
    fd::OwnedFd,
    fs::{self, AtFlags, Dir, FileType, Mode, OFlags},
};
use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    sync::Arc,
};

/// What a folder handle stands for.
pub(super) struct OpenFolder {
    node: Node,
    /// Of a real folder: open for reading.
    fd: Option<OwnedFd>,
    listing: Mutex<Option<Arc<Vec<Listed>>>>,
}

struct Listed {
    name: OsString,
    ino: Ino,
    kind: FileKind,
}

impl Fs {
    /// Answers, too, whether the kernel may keep the listing: until what changes in the folder is announced.
    pub fn opendir(&self, ino: Ino) -> Result<(Fh, bool)> {
        let node = self.node(ino)?;
        let lasts = matches!(&node, Node::Real(folder) if folder.is_watched());
        let fd = match &node {
            Node::Real(folder) => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                Some(fs::openat(folder.handle()?, ".", flags, Mode::empty())?)
            }
            Node::Virtual(node) if node.kind() == FileKind::Folder => None,
            Node::Virtual(_) => return Err(Errno::NOTDIR),
        };
        let fh = self.next_fh();
        self.folders.insert(fh.0, Arc::new(OpenFolder { node, fd, listing: Mutex::default() }));
        Ok((fh, lasts))
    }

    /// Names from position `offset` on. Position 0 takes the listing anew.
    pub fn readdir(&self, fh: Fh, offset: u64, sink: &mut dyn DirSink) -> Result<()> {
        let folder = self.open_folder(fh)?;
        for (offset, listed) in self.listing(&folder, offset)?.iter().enumerate().skip(offset as usize) {
            if !sink.add(listed.entry(offset)) {
                break;
            }
        }
        Ok(())
    }

    /// As [`Fs::readdir`], with a lookup of each entry that has attributes.
    pub fn readdirplus(&self, fh: Fh, offset: u64, sink: &mut dyn DirSink) -> Result<()> {
        let folder = self.open_folder(fh)?;
        let mut taken_any = false;
        for (offset, listed) in self.listing(&folder, offset)?.iter().enumerate().skip(offset as usize) {
            let attr = match self.look_up_listed(&folder, listed) {
                // It is gone already.
                Err(Errno::NOENT) => continue,
                // What was taken so far is an answer; the error comes back with the next read.
                Err(_) if taken_any => break,
                found => found?,
            };
            let entry = listed.entry(offset);
            let taken =
                sink.add(DirEntry { ino: attr.map_or(entry.ino, |attr| attr.ino), attr: attr.as_ref(), ..entry });
            if !taken {
                attr.inspect(|attr| self.forget(attr.ino, 1));
                break;
            }
            taken_any = true;
        }
        Ok(())
    }

    pub fn releasedir(&self, fh: Fh) {
        self.folders.remove(fh.0);
    }

    pub fn fsyncdir(&self, fh: Fh) -> Result<()> {
        match &self.open_folder(fh)?.fd {
            Some(fd) => fs::fsync(fd)?,
            None => return Ok(()),
        }
        Ok(self.host.durable()?)
    }

    fn open_folder(&self, fh: Fh) -> Result<Arc<OpenFolder>> {
        self.folders.get(fh.0).ok_or(Errno::BADF)
    }

    /// `None` for the dots, of which the kernel counts no lookup, and for what is in the mount only: the kernel would
    /// forget it at once, since the next look may find another.
    fn look_up_listed(&self, folder: &OpenFolder, listed: &Listed) -> Result<Option<super::Attr>> {
        match &folder.node {
            Node::Real(folder) if !listed.is_dot() && !listed.ino.is_virtual() => {
                self.enter(folder, &listed.name).map(|(_, attr)| Some(attr))
            }
            Node::Real(_) | Node::Virtual(_) => Ok(None),
        }
    }

    fn listing(&self, folder: &OpenFolder, offset: u64) -> Result<Arc<Vec<Listed>>> {
        let mut listing = folder.listing.lock();
        match &*listing {
            Some(listing) if offset != 0 => Ok(listing.clone()),
            _ => {
                let fresh = Arc::new(self.list(folder)?);
                *listing = Some(fresh.clone());
                Ok(fresh)
            }
        }
    }

    fn list(&self, folder: &OpenFolder) -> Result<Vec<Listed>> {
        match (&folder.node, &folder.fd) {
            (Node::Virtual(node), _) => self.list_virtual(node),
            (Node::Real(node), Some(fd)) => self.list_real(node, fd),
            (Node::Real(_), None) => Err(Errno::BADF),
        }
    }

    fn list_real(&self, node: &RealNode, fd: &OwnedFd) -> Result<Vec<Listed>> {
        let up = node.place().map_or(Ino::ROOT, |place| place.parent.ino);
        let mut listing = dots(node.ino, up);
        // Read from the start, whoever read this descriptor before.
        for entry in Dir::read_from(fd)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                let kind = kind_of(fd, name, entry.file_type());
                listing.push(Listed::real(name, Ino(entry.ino()), kind));
            }
        }
        if node.ino == Ino::ROOT {
            let real: Vec<&str> =
                ROOT_NAMES.into_iter().filter(|name| !listing.iter().any(|entry| entry.name == *name)).collect();
            listing.extend(real.into_iter().map(|name| Listed::of(name, &Virtual::Folder(name.to_owned()))));
        }
        Ok(listing)
    }

    fn list_virtual(&self, node: &Virtual) -> Result<Vec<Listed>> {
        let entries = match node {
            Virtual::Folder(path) => {
                self.shown(|shown| shown.folder(path).map(|folder| shown.entries(path, &folder))).unwrap_or_default()
            }
            Virtual::Past(past) => self.list_past(past)?,
            Virtual::Link { .. } | Virtual::File(_) => Vec::new(),
        };
        let mut listing = dots(node.ino(), Ino::ROOT);
        listing.extend(entries.iter().map(|entry| Listed::of(&entry.name, &entry.node)));
        Ok(listing)
    }
}

impl Listed {
    fn real(name: &OsStr, ino: Ino, kind: FileKind) -> Self {
        Self { name: OsString::from_vec(name.as_bytes().to_vec()), ino, kind }
    }

    fn of(name: &str, node: &Virtual) -> Self {
        Self { name: name.into(), ino: node.ino(), kind: node.kind() }
    }

    fn is_dot(&self) -> bool {
        self.name == "." || self.name == ".."
    }

    fn entry(&self, position: usize) -> DirEntry<'_> {
        DirEntry { ino: self.ino, offset: position as u64 + 1, kind: self.kind, name: &self.name, attr: None }
    }
}

fn dots(here: Ino, up: Ino) -> Vec<Listed> {
    let dot = |name: &str, ino| Listed::real(OsStr::new(name), ino, FileKind::Folder);
    vec![dot(".", here), dot("..", up)]
}

/// Some disks do not say in the listing.
fn kind_of(folder: &OwnedFd, name: &OsStr, listed: FileType) -> FileKind {
    match listed {
        FileType::Unknown => fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_or(FileKind::File, |stat| FileKind::of_mode(stat.st_mode)),
        known => known.into(),
    }
}
