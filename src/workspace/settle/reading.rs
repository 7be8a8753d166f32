//! Reading a file that others may be writing.

use crate::{
    domain::{path::WsPath, snapshot::ContentHash},
    workspace::root::{MAX_BYTES, Root, Stat},
};
use rustix::fs;
use std::{
    fs::File,
    io::{self, Read},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Times a file is read again because it changed meanwhile.
const TRIES: usize = 3;
/// A file that changed less than this ago may change again without its times showing it: they have the kernel's tick.
const TICK: Duration = Duration::from_millis(50);

/// What a path holds.
pub(super) struct Content {
    pub bytes: Bytes,
    pub stat: Stat,
    /// Whether a later change must show in the stat.
    pub telling: bool,
}

pub(super) enum Bytes {
    Whole(Vec<u8>),
    /// Target of a symlink.
    Link(Vec<u8>),
    /// Not read at all: reading it could take for ever. In place of its content's hash one of what `stat` says.
    TooLarge(ContentHash),
}

/// Reads a regular file or a symlink. `None`: it kept changing while it was read, and `unsteady` is not good enough.
pub(super) fn read(root: &Root, path: &WsPath, unsteady: bool) -> io::Result<Option<Content>> {
    let stat = root.stat(path)?;
    if stat.is_symlink() {
        let bytes = Bytes::Link(root.read_link(path)?);
        return Ok(Some(Content { bytes, stat, telling: is_past(&stat) }));
    }
    for turn in 1..=TRIES {
        let mut file = root.open_file(path)?;
        let before = Stat::from(fs::fstat(&file)?);
        let telling = is_past(&before);
        let bytes = read_open(&mut file, &before)?;
        let after = Stat::from(fs::fstat(&file)?);
        let steady = (before.size, before.mtime) == (after.size, after.mtime);
        if steady || (unsteady && turn == TRIES) {
            return Ok(Some(Content { bytes, stat: after, telling: telling && before == after }));
        }
    }
    Ok(None)
}

fn read_open(file: &mut File, stat: &Stat) -> io::Result<Bytes> {
    if stat.size > MAX_BYTES {
        let identity = format!("{} {} {:?}", stat.ino, stat.size, stat.mtime);
        return Ok(Bytes::TooLarge(ContentHash::of(identity.as_bytes())));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(stat.size).expect("at most MAX_BYTES"));
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(Bytes::Whole(bytes))
}

/// Whether the last change is further back than the resolution of the file's own times. Their clock is the kernel's, so
/// it is compared with the kernel's, not with the one that stamps events.
fn is_past(stat: &Stat) -> bool {
    let (Ok(seconds), Ok(now)) = (u64::try_from(stat.ctime.0), SystemTime::now().duration_since(UNIX_EPOCH)) else {
        return false;
    };
    Duration::new(seconds, stat.ctime.1) + TICK < now
}
