//! What is in the mount only: `views/` (folders of links to tickets) and `status/` (generated files).
//!
//! Nothing of it is kept. A folder is what its path says, a list is asked for when it is opened, and a link is looked up by
//! the name that its ticket has in every view; so what is shown is what the catalog says, whenever somebody looks. The number
//! of a virtual inode follows from what it is: a link whose target changes is another inode, and nothing stale can be read
//! from it.

mod folder;
mod groups;
mod list;
mod status;

pub(super) use folder::{Entry, Folder, QUERY};
pub(super) use groups::{Group, Made, View, is_own_name};
pub(super) use list::Lists;

use super::{
    Past, StatusFile,
    types::{FileKind, Ino},
};
use crate::domain::{catalog::Catalog, path::WsPath, query::Moment};
use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
};

/// Virtual names in the root of the mount. A real entry of the same name wins.
pub const ROOT_NAMES: [&str; 2] = ["status", "views"];

/// Something that is in the mount only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Virtual {
    /// By its path in the mount.
    Folder(String),
    /// Its own path, and a target relative to its folder.
    Link {
        path: String,
        target: String,
    },
    File(StatusFile),
    Past(Past),
}

impl Virtual {
    pub fn ino(&self) -> Ino {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        Ino(hasher.finish() | Ino::VIRTUAL)
    }

    pub fn kind(&self) -> FileKind {
        match self {
            Self::Folder(_) => FileKind::Folder,
            Self::Link { .. } => FileKind::Symlink,
            Self::File(_) => FileKind::File,
            Self::Past(past) => past.kind(),
        }
    }
}

/// Everything that the virtual folders are made of, at one moment.
pub(super) struct Shown<'s> {
    pub catalog: &'s Catalog,
    pub conflicts: &'s BTreeSet<WsPath>,
    pub made: &'s Made,
    pub lists: &'s Lists,
    pub moment: Moment,
}

#[cfg(test)]
mod tests;
