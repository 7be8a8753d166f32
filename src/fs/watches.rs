//! Watches on the folders that the kernel knows, so that it may believe for long what it was told of what is in them.
//!
//! A watch is placed on the folder itself, wherever it is moved, and before anything in it is answered for: a change that
//! comes after an answer is always seen. A folder that cannot be watched says so, and nothing in it is believed for long.

use super::{
    node::proc_path,
    types::{Ino, Result},
};
use parking_lot::Mutex;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
};
use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    mem::MaybeUninit,
    os::unix::ffi::OsStrExt,
};

/// Whatever changes what `stat`, a read or a listing answers. A mapping that is written to is told of when it ends.
const CHANGES: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ONLYDIR);

/// What changes the folder, too.
const NAMES: ReadFlags =
    ReadFlags::CREATE.union(ReadFlags::DELETE).union(ReadFlags::MOVED_FROM).union(ReadFlags::MOVED_TO);

/// Something was changed, by whomever.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Change {
    /// What a folder has under this name.
    Entry(Ino, OsString),
    /// A folder itself: its attributes or its listing.
    Folder(Ino),
    /// The queue was full: it could be anything.
    Lost,
    /// Nothing was seen, and is doubted.
    Doubted,
}

/// A watch that was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Watch(i32);

pub(super) struct Watches {
    /// `None` where the system has none left: then no folder can be watched.
    inotify: Option<OwnedFd>,
    folders: Mutex<HashMap<Watch, Ino>>,
}

impl Watches {
    pub fn new() -> Self {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        if let Err(error) = &inotify {
            tracing::warn!(%error, "folders cannot be watched: the kernel asks again for every name after a second");
        }
        Self { inotify: inotify.ok(), folders: Mutex::default() }
    }

    /// Ready to read when something was changed.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Watches a folder from now on; `None` when that is not possible.
    pub fn add(&self, ino: Ino, folder: BorrowedFd<'_>) -> Option<Watch> {
        // Held while the watch is placed: its first event finds whose it is.
        let mut folders = self.folders.lock();
        let watch = inotify::add_watch(self.inotify.as_ref()?, proc_path(folder), CHANGES);
        let watch = Watch(watch.inspect_err(|error| tracing::debug!(%error, "a folder cannot be watched")).ok()?);
        folders.insert(watch, ino);
        Some(watch)
    }

    pub fn remove(&self, watch: Watch) {
        if self.folders.lock().remove(&watch).is_some()
            && let Some(inotify) = &self.inotify
        {
            // It went by itself when the folder was removed.
            let _ = inotify::remove_watch(inotify, watch.0);
        }
    }

    /// What was changed since the last call; waits for nothing.
    pub fn changes(&self) -> Result<HashSet<Change>> {
        let Some(inotify) = &self.inotify else { return Ok(HashSet::new()) };
        let mut buffer = [MaybeUninit::uninit(); 1 << 14];
        let mut events = Reader::new(inotify, &mut buffer);
        let mut changes = HashSet::new();
        loop {
            match events.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                    self.take_in(&mut changes, Watch(event.wd()), event.events(), name);
                }
                Err(rustix::io::Errno::AGAIN) => return Ok(changes),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn take_in(&self, changes: &mut HashSet<Change>, watch: Watch, events: ReadFlags, name: Option<&OsStr>) {
        if events.contains(ReadFlags::QUEUE_OVERFLOW) {
            changes.insert(Change::Lost);
        }
        let Some(folder) = self.folders.lock().get(&watch).copied() else { return };
        let is_named = name.is_some();
        changes.extend(name.map(|name| Change::Entry(folder, name.to_owned())));
        if !is_named || events.intersects(NAMES) {
            changes.insert(Change::Folder(folder));
        }
    }
}
