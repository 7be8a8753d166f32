//! Looking at the whole tree, by every way that leads to it.

use super::{
    tree::{Answer, Body, Id, ROOT},
    world::{Open, World},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ffi::OsStr,
};
use trackfs::fs::{Attr, DirEntry, DirSink, Errno, Fh, FileKind, Ino, ROOT_NAMES};

impl World {
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Inodes that have a name or are open.
    pub(super) fn live(&self) -> HashSet<Id> {
        let named = self.tree.walk().into_iter().map(|entry| entry.3);
        named.chain(self.open.iter().map(|open| open.id)).chain([ROOT]).collect()
    }

    pub(super) fn looked_up(&mut self, attr: &Attr) {
        *self.lookups.entry(attr.ino).or_default() += 1;
    }

    pub(super) fn look_up(&mut self, folder: Ino, name: &str) -> Result<Attr, Errno> {
        let attr = self.fs.lookup(folder, OsStr::new(name))?;
        self.looked_up(&attr);
        Ok(attr)
    }

    /// Walks to an inode by one of its names.
    pub(super) fn ino(&mut self, id: Id) -> Ino {
        if id == ROOT {
            return Ino::ROOT;
        }
        let path = self.tree.paths(id).into_iter().next().expect("a name leads to it");
        path.split('/').fold(Ino::ROOT, |folder, name| {
            self.look_up(folder, name).unwrap_or_else(|errno| panic!("{name} of {path}: {errno}")).ino
        })
    }

    #[track_caller]
    pub(super) fn agree<E, G>(&self, what: &str, expected: Answer<E>, got: Result<G, Errno>) -> Answer<(E, G)> {
        match (expected, got) {
            (Ok(expected), Ok(got)) => Ok((expected, got)),
            (Err(expected), Err(got)) => {
                assert_eq!(got, Errno(expected), "{what}");
                Err(expected)
            }
            (Ok(_), Err(got)) => panic!("{what}: {got}"),
            (Err(expected), Ok(_)) => panic!("{what} succeeded, where a disk says {}", Errno(expected)),
        }
    }

    /// The whole tree, by every way that leads to it.
    pub fn compare(&mut self) {
        self.calls += 1;
        let mut numbers = HashMap::new();
        self.compare_folder(ROOT, Ino::ROOT, "", &mut numbers);
        for at in 0..self.open.len() {
            self.compare_open(at);
        }
    }

    fn compare_folder(&mut self, id: Id, ino: Ino, path: &str, numbers: &mut HashMap<Ino, Id>) {
        let listed = self.list(ino);
        let entries = self.tree.entries(id).clone();
        let shown: Vec<&String> = listed.keys().filter(|name| id != ROOT || !ROOT_NAMES.contains(&&***name)).collect();
        assert_eq!(shown, entries.keys().collect::<Vec<_>>(), "names in {path:?}");
        for (name, child) in entries {
            let path = format!("{path}/{name}");
            let attr = self.look_up(ino, &name).unwrap_or_else(|errno| panic!("{path}: {errno}"));
            assert_eq!(listed[&name], (attr.ino, attr.kind), "{path} as it is listed");
            self.compare_attr(child, &attr, &path);
            assert_eq!(*numbers.entry(attr.ino).or_insert(child), child, "{path} has the number of another file");
            match &self.tree.inode(child).body {
                Body::Folder(_) => self.compare_folder(child, attr.ino, &path, numbers),
                Body::Link(target) => assert_eq!(self.fs.readlink(attr.ino).unwrap(), target.as_bytes(), "{path}"),
                Body::File(_) => self.compare_bytes(child, attr.ino, &path),
            }
        }
    }

    fn compare_attr(&mut self, id: Id, attr: &Attr, path: &str) {
        let inode = self.tree.inode(id);
        assert_eq!(*self.inos.entry(id).or_insert(attr.ino), attr.ino, "the number of {path}");
        assert_eq!(attr.perm, inode.mode, "mode of {path}");
        let kind = match &inode.body {
            Body::Folder(_) => FileKind::Folder,
            Body::File(bytes) => {
                assert_eq!(attr.size, bytes.len() as u64, "size of {path}");
                FileKind::File
            }
            Body::Link(target) => {
                assert_eq!(attr.size, target.len() as u64, "size of {path}");
                FileKind::Symlink
            }
        };
        assert_eq!(attr.kind, kind, "{path}");
        if kind != FileKind::Folder {
            assert_eq!(attr.nlink as usize, self.tree.links(id), "links of {path}");
        }
    }

    fn compare_bytes(&mut self, id: Id, ino: Ino, path: &str) {
        let fh = self.open_as_kernel(id, ino, libc::O_RDONLY);
        let read = self.read(fh);
        self.fs.release(fh);
        assert_eq!(&read, self.tree.bytes(id), "bytes of {path}");
    }

    fn compare_open(&mut self, at: usize) {
        let Open { id, ino, fh, .. } = self.open[at];
        let attr = self.fs.getattr(ino).unwrap_or_else(|errno| panic!("fstat of an open file: {errno}"));
        self.compare_attr(id, &attr, "an open file");
        if self.open[at].reads {
            assert_eq!(&self.read(fh), self.tree.bytes(id), "bytes of an open file");
        }
    }

    fn read(&self, fh: Fh) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 14];
        let count = self.fs.read(fh, 0, &mut bytes).unwrap();
        bytes.truncate(count);
        bytes
    }

    /// A listing, taken a few entries at a time; every other one with look-ups.
    fn list(&mut self, folder: Ino) -> BTreeMap<String, (Ino, FileKind)> {
        let plus = self.calls.is_multiple_of(2);
        let (fh, _) = self.fs.opendir(folder).unwrap();
        let (mut names, mut offset) = (BTreeMap::new(), 0);
        loop {
            let mut page = Page { entries: Vec::new(), room: 3 };
            let read =
                if plus { self.fs.readdirplus(fh, offset, &mut page) } else { self.fs.readdir(fh, offset, &mut page) };
            read.unwrap();
            let Some(last) = page.entries.last() else { break };
            offset = last.offset;
            for entry in page.entries {
                entry.attr.inspect(|attr| self.looked_up(attr));
                if entry.name != "." && entry.name != ".." {
                    let twice = names.insert(entry.name, (entry.ino, entry.kind));
                    assert!(twice.is_none(), "{twice:?} is listed twice");
                }
            }
        }
        self.fs.releasedir(fh);
        names
    }

    /// Closes what is open and gives back every look-up: nothing may be left.
    pub fn end(mut self) {
        for open in std::mem::take(&mut self.open) {
            self.fs.release(open.fh);
        }
        assert_eq!(self.fs.open_files(), 0);
        for (ino, count) in std::mem::take(&mut self.lookups) {
            self.fs.forget(ino, count);
            assert_eq!(self.fs.getattr(ino), Err(Errno::STALE), "{ino:?} is still known");
        }
    }
}

struct Page {
    entries: Vec<Listed>,
    room: usize,
}

struct Listed {
    name: String,
    ino: Ino,
    kind: FileKind,
    offset: u64,
    attr: Option<Attr>,
}

impl DirSink for Page {
    fn add(&mut self, entry: DirEntry<'_>) -> bool {
        let taken = self.entries.len() < self.room;
        if taken {
            let DirEntry { ino, offset, kind, name, attr } = entry;
            let name = name.to_str().unwrap().to_owned();
            self.entries.push(Listed { name, ino, kind, offset, attr: attr.copied() });
        }
        taken
    }
}
