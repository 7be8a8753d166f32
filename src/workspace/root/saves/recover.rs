//! What became of a save that a crash may have cut off.
//!
//! A file that somebody changed after the crash, or that is another one by now, is theirs. What is left is whole or torn:
//! a closed save is whole if it hashes to what was closed, an open one is torn. A crash of the machine may have lost what
//! was written; a file that is empty or has NUL bytes where a text was is torn whatever its times say.

use super::{
    LAG,
    note::{About, Before, Head, Slot, Stage},
};
use crate::{
    domain::{Timestamp, path::WsPath, snapshot::ContentHash},
    workspace::root::{Root, Stat},
};
use std::io;

/// Whoever edits the file after a crash needs longer than this to get at it, in milliseconds.
const REACTION: u64 = 1000;

/// A note that was there at the start.
pub struct Found {
    pub(super) head: Head,
    pub(super) about: About,
    pub(super) text: Vec<u8>,
    pub(super) slot: Slot,
}

/// What a crash left of a save.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The path holds a whole text, or what somebody else made of it.
    Whole,
    /// It holds nothing, for the file was not made yet; an older note may know more.
    NotMade,
    /// It holds a part of one.
    Torn { torn: Vec<u8>, before: Option<Vec<u8>> },
    /// Nothing stands there: the ticket still has the scratch name to which its editor renamed it.
    Away(WsPath),
    /// trackfs was replacing the file itself, and this scratch file is left; `bytes` if they are not what was replaced.
    LeftOver { scratch: WsPath, bytes: Option<Vec<u8>> },
}

impl Found {
    pub fn path(&self) -> &WsPath {
        &self.about.path
    }

    /// About when the save was last heard of.
    pub fn began(&self) -> Timestamp {
        i64::try_from(self.head.touched).ok().and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or_default()
    }

    /// Looks at the path as it is now.
    pub fn verdict(&self, root: &Root) -> io::Result<Verdict> {
        let About { path, ino, before } = &self.about;
        if let Before::Replaced { scratch } = before {
            return self.left_over(root, scratch);
        }
        if let Before::Away(to) = before {
            let is_there = root.stat(to).is_ok_and(|stat| Some(stat.ino) == *ino);
            let is_free = root.stat(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
            return Ok(if is_there && is_free { Verdict::Away(to.clone()) } else { Verdict::Whole });
        }
        let stat = match root.stat(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(if ino.is_none() { Verdict::NotMade } else { Verdict::Whole });
            }
            stat => stat?,
        };
        if !stat.is_file() || ino.is_some_and(|ino| ino != stat.ino) {
            return Ok(Verdict::Whole);
        }
        let torn = root.read(path)?;
        if self.is_whole(&stat, &torn) {
            return Ok(Verdict::Whole);
        }
        let before = (*before == Before::Text).then(|| self.text.clone());
        Ok(Verdict::Torn { torn, before })
    }

    /// The exchange of two names leaves the old file under the scratch name. Whoever wrote to that in the last moment, without
    /// trackfs, has their bytes there alone.
    fn left_over(&self, root: &Root, scratch: &WsPath) -> io::Result<Verdict> {
        let stat = match root.stat(scratch) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Verdict::NotMade),
            stat => stat?,
        };
        let is_the_old_one = Some(stat.ino) == self.about.ino;
        let bytes = if is_the_old_one { Some(root.read(scratch)?) } else { None };
        let bytes = bytes.filter(|bytes| ContentHash::of(bytes).0.as_bytes() != self.text);
        Ok(Verdict::LeftOver { scratch: scratch.clone(), bytes })
    }

    fn is_whole(&self, stat: &Stat, bytes: &[u8]) -> bool {
        if self.about.before == Before::Text && bytes == self.text {
            return true;
        }
        match &self.head.stage {
            Stage::Closed { text, mtime } => *text == ContentHash::of(bytes) || stat.mtime > *mtime,
            Stage::Open => !is_damaged(bytes) && milliseconds(stat.mtime) > self.head.touched + LAG + REACTION,
        }
    }
}

fn is_damaged(bytes: &[u8]) -> bool {
    bytes.is_empty() || bytes.contains(&0)
}

fn milliseconds((seconds, nanoseconds): (i64, u32)) -> u64 {
    u64::try_from(seconds).unwrap_or(0).saturating_mul(1000) + u64::from(nanoseconds / 1_000_000)
}
