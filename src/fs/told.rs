//! What the kernel was told: versions of files, and names in folders.
//!
//! It remembers both for an hour, so everything that others change has to be announced, once. What the kernel itself asked
//! to be changed is seen by a watch, too, and says nothing. Each lock here is held by itself and for a moment.

use super::types::{Attr, Ino, Result, Time};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    sync::Arc,
};

/// Missing names remembered of one folder: beyond, the kernel asks again.
const MISSING: usize = 4096;

/// As much of `stat` as tells that somebody changed a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    size: u64,
    mtime: Time,
    ctime: Time,
}

impl From<&Attr> for Version {
    fn from(attr: &Attr) -> Self {
        Self { size: attr.size, mtime: attr.mtime, ctime: attr.ctime }
    }
}

/// The versions of one file.
#[derive(Default)]
pub(super) struct Told(Mutex<Versions>);

#[derive(Default)]
struct Versions {
    /// What the kernel was last told; `None` when it was told to forget it.
    last: Option<Version>,
    /// The version that needs no announcement: it came of a change by the kernel, or was announced.
    known: Option<Version>,
}

impl Told {
    /// The kernel is about to be told what `stat` says. Under the lock, so that the last to look is the last to be noted.
    pub fn say(&self, stat: impl FnOnce() -> Result<Attr>) -> Result<Attr> {
        let mut versions = self.0.lock();
        let attr = stat()?;
        versions.last = Some(Version::from(&attr));
        Ok(attr)
    }

    /// As [`Told::say`], after a change that the kernel asked for.
    pub fn own(&self, stat: impl FnOnce() -> Result<Attr>) -> Result<Attr> {
        let mut versions = self.0.lock();
        let attr = stat()?;
        versions.last = Some(Version::from(&attr));
        versions.known = versions.last;
        Ok(attr)
    }

    /// Whether the file differs from what the kernel was last told.
    pub fn is_stale(&self, attr: &Attr) -> bool {
        self.0.lock().last.is_some_and(|last| last != Version::from(attr))
    }

    /// Whether others made it what it is, and the kernel was not told to forget what it was.
    pub fn is_foreign(&self, attr: &Attr) -> bool {
        self.0.lock().known != Some(Version::from(attr))
    }

    /// The kernel is being told to forget what it knows of the versions before this one.
    pub fn announce(&self, attr: &Attr) {
        *self.0.lock() = Versions { last: None, known: Some(Version::from(attr)) };
    }
}

/// What the kernel may know of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    As(Ino),
    Missing,
}

/// The names in a folder of which the kernel was told; it may have forgotten some.
#[derive(Default)]
pub(super) struct Names(Mutex<Table>);

#[derive(Default)]
struct Table {
    names: HashMap<Arc<OsStr>, Known>,
    missing: usize,
}

impl Names {
    pub fn get(&self, name: &OsStr) -> Option<Known> {
        self.0.lock().names.get(name).copied()
    }

    /// The name stands for this inode; answers the name in a form that is kept once.
    pub fn put(&self, name: &OsStr, ino: Ino) -> Arc<OsStr> {
        let mut table = self.0.lock();
        let name = table.names.get_key_value(name).map_or_else(|| Arc::from(name), |(kept, _)| kept.clone());
        if table.names.insert(name.clone(), Known::As(ino)) == Some(Known::Missing) {
            table.missing -= 1;
        }
        name
    }

    /// Nothing has the name; answers whether that is remembered.
    pub fn put_missing(&self, name: &OsStr) -> bool {
        let mut table = self.0.lock();
        if table.names.get(name) == Some(&Known::Missing) {
            return true;
        }
        if table.missing >= MISSING {
            table.names.remove(name);
            return false;
        }
        table.names.insert(Arc::from(name), Known::Missing);
        table.missing += 1;
        true
    }

    /// The kernel no longer knows the name.
    pub fn forget(&self, name: &OsStr) {
        let mut table = self.0.lock();
        if table.names.remove(name) == Some(Known::Missing) {
            table.missing -= 1;
        }
    }

    /// The kernel no longer knows this inode, by which the name was known.
    pub fn forget_inode(&self, name: &OsStr, ino: Ino) {
        let mut table = self.0.lock();
        if table.names.get(name) == Some(&Known::As(ino)) {
            table.names.remove(name);
        }
    }

    pub fn all(&self) -> Vec<OsString> {
        self.0.lock().names.keys().map(|name| OsString::from(&**name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_names_are_remembered_up_to_a_bound_and_files_beyond_it() {
        let names = Names::default();
        let name = |n: usize| OsString::from(n.to_string());
        (0..MISSING).for_each(|n| assert!(names.put_missing(&name(n))));
        assert!(!names.put_missing(&name(MISSING)));
        names.put(&name(MISSING), Ino(7));
        assert_eq!(names.get(&name(MISSING)), Some(Known::As(Ino(7))));
        names.put(&name(0), Ino(8));
        assert!(names.put_missing(&name(MISSING + 1)), "a name that is no longer missing makes room");
        names.forget(&name(1));
        assert!(names.put_missing(&name(MISSING + 2)));
        names.forget_inode(&name(0), Ino(9));
        assert_eq!(names.get(&name(0)), Some(Known::As(Ino(8))), "another inode has the name");
        names.forget_inode(&name(0), Ino(8));
        assert_eq!(names.get(&name(0)), None);
    }
}
