//! What the kernel must forget when somebody changes a file underneath the mount.
//!
//! Only what differs from what the kernel was told: a change made through the mount, met again by a watcher, says nothing.

use super::{
    FileKind, Fs, Ino,
    node::{RealNode, id_of},
    types::Attr,
};
use crate::domain::path::WsPath;
use std::{
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

impl Fs {
    /// What a change of this path by others left stale. Not for threads that serve the kernel's requests to act upon.
    pub fn stale(&self, path: &WsPath) -> Vec<Stale> {
        let Some(parent) = path.parent() else { return vec![Stale::Content(Ino::ROOT)] };
        // A folder the kernel does not know has nothing to forget.
        let Some(folder) = self.known_folder(&parent) else { return Vec::new() };
        let name = OsStr::new(path.file_name());
        let known = folder.child(name);
        let Ok(stat) = folder.entry_stat(name) else {
            return self.stale_name(&folder, name, known.is_some());
        };
        let ino = self.nodes.ino_of(id_of(&stat));
        match self.nodes.real(ino) {
            Ok(node) if known == Some(ino) => stale_content(&node, &Attr::new(ino, &stat)),
            _ => self.stale_name(&folder, name, true),
        }
    }

    fn stale_name(&self, folder: &RealNode, name: &OsStr, known: bool) -> Vec<Stale> {
        if !known {
            return Vec::new();
        }
        folder.drop_child(name);
        vec![Stale::Name { parent: folder.ino, name: name.to_owned() }, Stale::Content(folder.ino)]
    }

    fn known_folder(&self, path: &WsPath) -> Option<Arc<RealNode>> {
        if path.is_root() {
            return self.nodes.folder(Ino::ROOT).ok();
        }
        let stat = self.root.stat(path).ok()?;
        self.nodes.folder(self.nodes.ino_of((stat.dev, stat.ino))).ok()
    }
}

fn stale_content(node: &RealNode, attr: &Attr) -> Vec<Stale> {
    // What changes in a folder is announced by the names in it.
    if attr.kind == FileKind::Folder || !node.is_stale(attr) {
        return Vec::new();
    }
    node.untell();
    vec![Stale::Content(node.ino)]
}
