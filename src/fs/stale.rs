//! What the kernel must forget when somebody changes a file underneath the mount.
//!
//! Only what others made of it: a change made through the mount, met again by a watch, says nothing. An answer may be on
//! its way to the kernel while its subject changes. So whoever announces first waits, folder by folder, until the kernel
//! has taken in what it asked for there ([`Fs::unsettled`]), and only then looks what is stale ([`Fs::stale`]).

use super::{
    FileKind, Fs, Ino,
    node::{RealNode, id_of},
    told::Known,
    watches::Change,
};
use crate::domain::path::WsPath;
use rustix::fd::BorrowedFd;
use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    sync::Arc,
};

/// Something that the kernel has cached and that no longer holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stale {
    /// The entry `name` of a folder: whether it exists, and what it is.
    Name { parent: Ino, name: OsString },
    /// Attributes, size and pages of a file, or attributes and listing of a folder.
    Content(Ino),
}

/// What was changed since somebody last asked, by whomever.
#[derive(Default)]
pub struct Changes(HashSet<Change>);

impl Changes {
    /// Everything is compared: what no watch sees (a mapping that is still written to, a name elsewhere) is found so.
    pub fn add_doubt(&mut self) {
        self.0.insert(Change::Doubted);
    }
}

/// Finds what is stale: once to know whether anything is, once to act upon it.
struct Comparison<'f> {
    fs: &'f Fs,
    /// Whether what is found is going to be announced.
    announces: bool,
    /// Nobody saw what changed: what the kernel was told last is compared, file by file.
    blind: bool,
    stale: HashSet<Stale>,
    /// Folders whose answers on the way have to arrive first.
    unsettled: HashSet<Ino>,
}

impl Fs {
    /// Readable when [`Fs::changes`] has something to tell. `None` where nothing can be watched.
    pub fn changes_fd(&self) -> Option<BorrowedFd<'_>> {
        self.nodes.watches.fd()
    }

    /// What the watches saw since the last call; waits for nothing.
    pub fn changes(&self) -> Changes {
        match self.nodes.watches.changes() {
            Ok(changes) => Changes(changes),
            Err(error) => {
                tracing::error!(%error, "the watches cannot be read");
                Changes(HashSet::from([Change::Lost]))
            }
        }
    }

    /// Adds a path that somebody says was changed.
    pub fn add_path(&self, changes: &mut Changes, path: &WsPath) {
        let Some(parent) = path.parent() else {
            changes.0.insert(Change::Folder(Ino::ROOT));
            return;
        };
        // A folder the kernel does not know has nothing to forget.
        if let Some(folder) = self.known_folder(&parent) {
            changes.0.extend([Change::Folder(folder.ino), Change::Entry(folder.ino, path.file_name().into())]);
        }
    }

    /// Folders from which an answer may be on its way that is older than these changes, where it matters.
    pub fn unsettled(&self, changes: &Changes) -> HashSet<Ino> {
        self.compared(changes, false).unsettled
    }

    /// What these changes left stale; the caller tells the kernel. Not for threads that serve the kernel's requests.
    pub fn stale(&self, changes: &Changes) -> HashSet<Stale> {
        self.compared(changes, true).stale
    }

    fn compared(&self, changes: &Changes, announces: bool) -> Comparison<'_> {
        let lost = changes.0.contains(&Change::Lost);
        let blind = lost || changes.0.contains(&Change::Doubted);
        let mut comparison =
            Comparison { fs: self, announces, blind, stale: HashSet::new(), unsettled: HashSet::new() };
        if blind {
            let all = self.nodes.all_real();
            all.iter().for_each(|node| comparison.node_and_names(node));
            let folders = all.iter().filter(|node| lost && node.kind == FileKind::Folder);
            comparison.unsettled.extend(folders.map(|node| node.ino));
            return comparison;
        }
        for change in &changes.0 {
            match change {
                Change::Folder(folder) => comparison.content_of(*folder),
                Change::Entry(folder, name) => {
                    if let Ok(folder) = self.nodes.folder(*folder) {
                        comparison.entry(&folder, name);
                    }
                }
                Change::Lost | Change::Doubted => {}
            }
        }
        comparison
    }

    fn known_folder(&self, path: &WsPath) -> Option<Arc<RealNode>> {
        if path.is_root() {
            return self.nodes.folder(Ino::ROOT).ok();
        }
        let stat = self.root.stat(path).ok()?;
        self.nodes.folder(self.nodes.ino_of((stat.dev, stat.ino))).ok()
    }
}

impl Comparison<'_> {
    fn node_and_names(&mut self, node: &Arc<RealNode>) {
        self.content(node);
        for name in node.names.all() {
            self.entry(node, &name);
        }
    }

    /// Whether the name is what the kernel knows it as, and the file what the kernel knows of it.
    fn entry(&mut self, folder: &Arc<RealNode>, name: &OsStr) {
        let known = folder.names.get(name);
        let now = folder.entry_stat(name).ok().map(|stat| self.fs.nodes.ino_of(id_of(&stat)));
        if let Some(Known::As(ino)) = known.filter(|_| !self.blind) {
            self.content_of(ino);
        }
        match (known, now) {
            (Some(Known::As(known)), Some(now)) if known == now => {
                // The kernel knew it once. Should an answer be on its way, it is known when that has arrived.
                if self.fs.nodes.real(now).is_err() && !self.blind {
                    self.unsettled.insert(folder.ino);
                }
            }
            (Some(Known::Missing), None) => {}
            // The same of a name that was never known.
            (None, None) => {
                self.unsettled.insert(folder.ino);
            }
            (_, now) => {
                self.name(folder, name, known);
                now.into_iter().for_each(|ino| self.content_of(ino));
            }
        }
    }

    fn name(&mut self, folder: &Arc<RealNode>, name: &OsStr, known: Option<Known>) {
        self.unsettled.insert(folder.ino);
        self.stale.insert(Stale::Name { parent: folder.ino, name: name.to_owned() });
        if self.announces {
            folder.names.forget(name);
            if let Some(Known::As(ino)) = known
                && let Ok(node) = self.fs.nodes.real(ino)
            {
                node.leave(folder, name);
            }
        }
    }

    fn content_of(&mut self, ino: Ino) {
        if let Ok(node) = self.fs.nodes.real(ino) {
            self.content(&node);
        }
    }

    fn content(&mut self, node: &RealNode) {
        let Ok(attr) = node.peek() else { return };
        let differs = if self.blind { node.told.is_stale(&attr) } else { node.told.is_foreign(&attr) };
        if !differs {
            return;
        }
        self.unsettled.extend(node.place().map(|place| place.parent.ino));
        if node.kind == FileKind::Folder {
            // Its listing may be under way.
            self.unsettled.insert(node.ino);
        }
        self.stale.insert(Stale::Content(node.ino));
        if self.announces {
            node.told.announce(&attr);
        }
    }
}
