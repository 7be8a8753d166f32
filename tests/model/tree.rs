//! The reference: a tree of inodes as a disk would hold it, in plain data, with the answers that POSIX prescribes.

use std::collections::BTreeMap;

/// An inode for as long as the model lives; never given to another one.
pub type Id = usize;

pub const ROOT: Id = 0;

/// What a system call answers.
pub type Answer<T = ()> = Result<T, i32>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Folder(BTreeMap<String, Id>),
    File(Vec<u8>),
    Link(String),
}

#[derive(Clone, Debug)]
pub struct Inode {
    pub body: Body,
    pub mode: u16,
}

/// How `renameat2` is asked to treat its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onto {
    Anything,
    Nothing,
    Exchange,
}

#[derive(Clone, Debug)]
pub struct Tree {
    inodes: Vec<Inode>,
}

impl Tree {
    pub fn new() -> Self {
        Self { inodes: vec![Inode { body: Body::Folder(BTreeMap::new()), mode: 0o755 }] }
    }

    pub fn inode(&self, id: Id) -> &Inode {
        &self.inodes[id]
    }

    pub fn add(&mut self, body: Body, mode: u16) -> Id {
        self.inodes.push(Inode { body, mode });
        self.inodes.len() - 1
    }

    pub fn set(&mut self, id: Id, body: Body, mode: u16) {
        self.inodes[id] = Inode { body, mode };
    }

    pub fn bytes(&self, id: Id) -> &Vec<u8> {
        match &self.inodes[id].body {
            Body::File(bytes) => bytes,
            other => panic!("{other:?} is no file"),
        }
    }

    pub fn bytes_mut(&mut self, id: Id) -> &mut Vec<u8> {
        match &mut self.inodes[id].body {
            Body::File(bytes) => bytes,
            other => panic!("{other:?} is no file"),
        }
    }

    pub fn is_folder(&self, id: Id) -> bool {
        matches!(self.inodes[id].body, Body::Folder(_))
    }

    pub fn is_file(&self, id: Id) -> bool {
        matches!(self.inodes[id].body, Body::File(_))
    }

    pub fn entries(&self, folder: Id) -> &BTreeMap<String, Id> {
        match &self.inodes[folder].body {
            Body::Folder(entries) => entries,
            other => panic!("{other:?} is no folder"),
        }
    }

    pub fn entries_mut(&mut self, folder: Id) -> &mut BTreeMap<String, Id> {
        match &mut self.inodes[folder].body {
            Body::Folder(entries) => entries,
            other => panic!("{other:?} is no folder"),
        }
    }

    pub fn get(&self, folder: Id, name: &str) -> Option<Id> {
        self.entries(folder).get(name).copied()
    }

    /// Every entry below the root, folders before what is in them: its path, its folder, its name, its inode.
    pub fn walk(&self) -> Vec<(String, Id, String, Id)> {
        let mut found = Vec::new();
        self.walk_in("", ROOT, &mut found);
        found
    }

    fn walk_in(&self, path: &str, folder: Id, found: &mut Vec<(String, Id, String, Id)>) {
        for (name, id) in self.entries(folder) {
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            found.push((path.clone(), folder, name.clone(), *id));
            if self.is_folder(*id) {
                self.walk_in(&path, *id, found);
            }
        }
    }

    /// Every name of an inode.
    pub fn paths(&self, id: Id) -> Vec<String> {
        self.walk().into_iter().filter(|entry| entry.3 == id).map(|entry| entry.0).collect()
    }

    pub fn links(&self, id: Id) -> usize {
        self.paths(id).len()
    }

    /// Whether `below` is `above` or lies in it.
    fn is_within(&self, below: Id, above: Id) -> bool {
        below == above
            || self.is_folder(above) && self.entries(above).values().any(|child| self.is_within(below, *child))
    }

    pub fn make(&mut self, folder: Id, name: &str, body: Body, mode: u16) -> Answer<Id> {
        if self.get(folder, name).is_some() {
            return Err(libc::EEXIST);
        }
        let id = self.add(body, mode);
        self.entries_mut(folder).insert(name.to_owned(), id);
        Ok(id)
    }

    pub fn unlink(&mut self, folder: Id, name: &str) -> Answer {
        match self.get(folder, name) {
            None => Err(libc::ENOENT),
            Some(id) if self.is_folder(id) => Err(libc::EISDIR),
            Some(_) => self.forget(folder, name),
        }
    }

    pub fn rmdir(&mut self, folder: Id, name: &str) -> Answer {
        match self.get(folder, name) {
            None => Err(libc::ENOENT),
            Some(id) if !self.is_folder(id) => Err(libc::ENOTDIR),
            Some(id) if !self.entries(id).is_empty() => Err(libc::ENOTEMPTY),
            Some(_) => self.forget(folder, name),
        }
    }

    fn forget(&mut self, folder: Id, name: &str) -> Answer {
        self.entries_mut(folder).remove(name);
        Ok(())
    }

    pub fn link(&mut self, id: Id, folder: Id, name: &str) -> Answer {
        if self.get(folder, name).is_some() {
            return Err(libc::EEXIST);
        }
        if self.is_folder(id) {
            return Err(libc::EPERM);
        }
        self.entries_mut(folder).insert(name.to_owned(), id);
        Ok(())
    }

    /// In the order in which Linux asks.
    pub fn rename(&mut self, from: (Id, &str), to: (Id, &str), onto: Onto) -> Answer {
        let source = self.get(from.0, from.1).ok_or(libc::ENOENT)?;
        let target = self.get(to.0, to.1);
        match (onto, target) {
            (Onto::Nothing, Some(_)) => return Err(libc::EEXIST),
            (Onto::Exchange, None) => return Err(libc::ENOENT),
            _ => {}
        }
        if self.is_folder(source) && self.is_within(to.0, source) {
            return Err(libc::EINVAL);
        }
        if let Some(target) = target
            && self.is_folder(target)
            && self.is_within(from.0, target)
        {
            return Err(if onto == Onto::Exchange { libc::EINVAL } else { libc::ENOTEMPTY });
        }
        let Some(target) = target else {
            self.forget(from.0, from.1)?;
            self.entries_mut(to.0).insert(to.1.to_owned(), source);
            return Ok(());
        };
        if source == target {
            return Ok(());
        }
        if onto == Onto::Exchange {
            self.entries_mut(from.0).insert(from.1.to_owned(), target);
            self.entries_mut(to.0).insert(to.1.to_owned(), source);
            return Ok(());
        }
        match (self.is_folder(source), self.is_folder(target)) {
            (true, false) => return Err(libc::ENOTDIR),
            (false, true) => return Err(libc::EISDIR),
            (true, true) if !self.entries(target).is_empty() => return Err(libc::ENOTEMPTY),
            _ => {}
        }
        self.forget(from.0, from.1)?;
        self.entries_mut(to.0).insert(to.1.to_owned(), source);
        Ok(())
    }

    /// Bytes beyond the end are zero.
    pub fn write(&mut self, id: Id, offset: usize, bytes: &[u8]) {
        let text = self.bytes_mut(id);
        let end = offset + bytes.len();
        text.resize(text.len().max(end), 0);
        text[offset..end].copy_from_slice(bytes);
    }

    pub fn truncate(&mut self, id: Id, length: usize) {
        self.bytes_mut(id).resize(length, 0);
    }

    pub fn chmod(&mut self, id: Id, mode: u16) {
        self.inodes[id].mode = mode;
    }
}
