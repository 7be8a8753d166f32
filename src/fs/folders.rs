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
    node: Option<Arc<Virtual>>,
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
            Node::Virtual(node) if matches!(**node, Virtual::Folder(_)) => None,
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

    /// `None` for the dots: the kernel counts no lookup of them.
    fn look_up_listed(&self, folder: &OpenFolder, listed: &Listed) -> Result<Option<super::Attr>> {
        if listed.name == "." || listed.name == ".." {
            return Ok(None);
        }
        match (&folder.node, &listed.node) {
            (_, Some(node)) => self.enter_virtual(node.clone()).map(Some),
            (Node::Real(folder), None) => self.enter(folder, &listed.name).map(|(_, attr)| Some(attr)),
            (Node::Virtual(_), None) => Ok(None),
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
            (Node::Virtual(node), _) => Ok(self.list_virtual(node)),
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
            listing.extend(real.into_iter().map(|name| Listed::of(name, &Arc::new(Virtual::Folder(name.to_owned())))));
        }
        Ok(listing)
    }

    fn list_virtual(&self, node: &Virtual) -> Vec<Listed> {
        let tree = self.tree();
        let folder = match node {
            Virtual::Folder(path) => tree.folder(path),
            Virtual::Link { .. } | Virtual::File(_) => None,
        };
        let entries = folder.into_iter().flat_map(|folder| &folder.entries);
        let mut listing = dots(node.ino(), Ino::ROOT);
        listing.extend(entries.map(|(name, node)| Listed::of(name, node)));
        listing
    }
}

impl Listed {
    fn real(name: &OsStr, ino: Ino, kind: FileKind) -> Self {
        Self { name: OsString::from_vec(name.as_bytes().to_vec()), ino, kind, node: None }
    }

    fn of(name: &str, node: &Arc<Virtual>) -> Self {
        let kind = match **node {
            Virtual::Folder(_) => FileKind::Folder,
            Virtual::Link { .. } => FileKind::Symlink,
            Virtual::File(_) => FileKind::File,
        };
        Self { name: name.into(), ino: node.ino(), kind, node: Some(node.clone()) }
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
