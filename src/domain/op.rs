//! Raw operations: what a process did to a file, as the filesystem saw it, before anybody asks what it meant.

use super::{Timestamp, path::WsPath};
use serde::{Deserialize, Serialize};

/// Who did something: a process of this machine, or a remote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// Process name (`comm`), or the name of a remote, or `trackfs`.
    pub name: String,
    /// Process id; 0 when it was no process of this machine, or is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pid: u32,
    /// User id of the process.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uid: u32,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Actor {
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// One operation on one path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Op {
    pub at: Timestamp,
    pub actor: Actor,
    pub path: WsPath,
    #[serde(flatten)]
    pub kind: OpKind,
}

/// What was done. Offsets and lengths are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum OpKind {
    Create,
    Mkdir,
    Symlink,
    /// A hard link named `path` to the file that is also `to`.
    Link {
        to: WsPath,
    },
    Write {
        offset: u64,
        len: u64,
    },
    Truncate {
        len: u64,
    },
    Setattr,
    Setxattr,
    /// `path` became `to`; with `exchange` both swapped.
    Rename {
        to: WsPath,
        exchange: bool,
    },
    Unlink,
    Rmdir,
    Fsync,
    /// The last handle that could write was closed.
    Close,
    /// Somebody changed the file underneath; what they did is not known.
    Foreign,
}
