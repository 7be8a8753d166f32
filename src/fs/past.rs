//! `.history/`: what was, as folders and files. It is not listed in the root, so that whoever walks the workspace meets each
//! file once.
//!
//! A place in the past never changes: a folder that a branch names is the tree that the branch had when it was looked up.
//! So the kernel may keep everything but the names that move on.

use super::{
    Errno, Fs, Result, StatusContent,
    types::{FileKind, Lasts, Time},
    views::{Entry, Virtual},
};
use crate::domain::{Timestamp, path::WsPath};
use std::sync::Arc;

/// Its name in the root of the mount. A real entry of that name wins.
pub const HISTORY: &str = ".history";

/// Something in the past.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// `.history`.
    Top,
    /// `at/`: everything that names a commit is a folder in it.
    Moments,
    /// A folder as a commit has it, by its tree.
    Folder {
        tree: String,
        at: Timestamp,
    },
    /// A file as a commit has it.
    File {
        blob: String,
        executable: bool,
        at: Timestamp,
    },
    Link {
        target: String,
        at: Timestamp,
    },
    /// `file/…`: what had this path, version by version, and what was below it.
    Former(WsPath),
}

/// A place, and where in the mount it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Past {
    pub path: String,
    pub place: Place,
}

impl Past {
    pub(super) fn top() -> Virtual {
        Virtual::Past(Self { path: HISTORY.to_owned(), place: Place::Top })
    }

    pub fn kind(&self) -> FileKind {
        match self.place {
            Place::File { .. } => FileKind::File,
            Place::Link { .. } => FileKind::Symlink,
            Place::Top | Place::Moments | Place::Folder { .. } | Place::Former(_) => FileKind::Folder,
        }
    }

    pub(super) fn mode(&self) -> u16 {
        match &self.place {
            Place::File { executable: false, .. } => 0o444,
            Place::Link { .. } => 0o777,
            _ => 0o555,
        }
    }

    /// When it was so; `None`: at no time of its own.
    pub(super) fn time(&self) -> Option<Time> {
        match &self.place {
            Place::Top | Place::Moments | Place::Former(_) => None,
            Place::Folder { at, .. } | Place::File { at, .. } | Place::Link { at, .. } => {
                Some((at.as_second(), at.subsec_nanosecond().unsigned_abs()))
            }
        }
    }

    /// For how long its name stands for it.
    pub(super) fn name_lasts(&self) -> Lasts {
        let names: Vec<&str> = self.path.split('/').collect();
        match (&names[..], &self.place) {
            (_, Place::Top | Place::Moments) | ([_, "file"], _) => Lasts::UntilAnnounced,
            // A branch goes on.
            ([_, "at", name], _) if !is_id(name) => Lasts::Not,
            ([_, "at", ..], _) => Lasts::UntilAnnounced,
            _ => Lasts::Moment,
        }
    }
}

/// Whether a name is a commit's whole id.
fn is_id(name: &str) -> bool {
    matches!(name.len(), 40 | 64) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Fs {
    pub(super) fn look_up_past(&self, folder: &Past, name: &str) -> Result<Virtual> {
        let place = match (&folder.place, name) {
            (Place::Top, "at") => Place::Moments,
            (Place::Top, "file") => Place::Former(WsPath::root()),
            (Place::Top, _) => return Err(Errno::NOENT),
            (Place::File { .. } | Place::Link { .. }, _) => return Err(Errno::NOTDIR),
            (place, name) => self.host.past(place, name)?.ok_or(Errno::NOENT)?,
        };
        Ok(Virtual::Past(Past { path: format!("{}/{name}", folder.path), place }))
    }

    pub(super) fn list_past(&self, folder: &Past) -> Result<Vec<Entry>> {
        let found = match &folder.place {
            Place::Top => {
                vec![("at".to_owned(), Place::Moments), ("file".to_owned(), Place::Former(WsPath::root()))]
            }
            Place::File { .. } | Place::Link { .. } => return Err(Errno::NOTDIR),
            place => self.host.past_in(place)?,
        };
        let entry = |(name, place)| {
            let path = format!("{}/{name}", folder.path);
            Entry::new(name, Virtual::Past(Past { path, place }))
        };
        Ok(found.into_iter().map(entry).collect())
    }

    pub(super) fn past_size(&self, past: &Past) -> Result<u64> {
        match &past.place {
            Place::File { blob, .. } => self.host.past_size(blob),
            Place::Link { target, .. } => Ok(target.len() as u64),
            _ => Ok(0),
        }
    }

    pub(super) fn past_content(&self, blob: &str) -> Result<StatusContent> {
        Ok(StatusContent::Bytes(Arc::from(self.host.past_bytes(blob)?)))
    }
}
