//! The bytes of an index (gitformat-index(5), versions 2 and 3): entries that need not be decoded to be copied.

use gix::{
    ObjectId,
    index::entry::{Mode, Stat},
};
use std::ops::Range;

pub(super) const ID: usize = 20;
/// Device to size: what git compares with `stat`.
const STAT: usize = 40;
const MTIME: (usize, usize) = (8, 12);
const MODE: usize = 24;
const SIZE: Range<usize> = 36..40;
const FLAGS: usize = STAT + ID;
const NAME: usize = FLAGS + 2;
const HEADER: usize = 12;
const EXTENDED: u16 = 0x4000;
const STAGE: u16 = 0x3000;
/// Names that are longer say so here, and end with a NUL.
const LONG_NAME: u16 = 0x0fff;

/// An index as it stands in its file, without the hash at its end.
#[derive(Clone, Copy)]
pub(super) struct Index<'i> {
    pub body: &'i [u8],
    pub hash: &'i [u8],
    pub version: u32,
    pub count: u32,
}

impl<'i> Index<'i> {
    /// `None`: torn, or of a version whose entries cannot be copied one by one.
    pub fn new(file: &'i [u8]) -> Option<Self> {
        let (body, hash) = file.split_at_checked(file.len().checked_sub(ID)?)?;
        let (version, count) = (number(body, 4)?, number(body, 8)?);
        // No more than there is room for: whoever makes a list of them can trust the number.
        let fits = count as usize <= body.len() / NAME;
        (body.starts_with(b"DIRC") && matches!(version, 2 | 3) && fits).then_some(Self { body, hash, version, count })
    }

    pub fn entries(&self) -> Entries<'i> {
        Entries { body: self.body, left: self.count, at: HEADER }
    }

    /// What comes after the entries.
    pub fn rest(&self) -> &'i [u8] {
        let mut entries = self.entries();
        entries.by_ref().for_each(drop);
        entries.rest()
    }

    /// Whose number of entries is another.
    pub fn header(version: u32, count: u32) -> Vec<u8> {
        [&b"DIRC"[..], &version.to_be_bytes(), &count.to_be_bytes()].concat()
    }
}

/// Reads one entry after the other; `None` is a torn one, and the last.
#[derive(Clone, Default)]
pub(super) struct Entries<'i> {
    body: &'i [u8],
    left: u32,
    at: usize,
}

impl<'i> Entries<'i> {
    /// What comes after the entries read so far: when all are, the extensions.
    pub fn rest(&self) -> &'i [u8] {
        &self.body[self.at..]
    }
}

impl<'i> Iterator for Entries<'i> {
    type Item = Option<Entry<'i>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let entry = Entry::read(self.body, self.at);
        match &entry {
            Some(entry) => self.at += entry.size(),
            None => self.left = 0,
        }
        Some(entry)
    }
}

/// Where an entry stands; those of a shared file are known by their position in it.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// In the index itself.
    Own,
    /// In the shared file of a split index.
    Shared(usize),
    /// In the index itself, in the place of one of the shared file.
    Replaced(usize),
}

pub(super) struct Entry<'i> {
    pub place: Place,
    /// Where it begins in its file.
    pub at: usize,
    /// All before the name.
    pub head: &'i [u8],
    pub name: &'i [u8],
}

impl<'i> Entry<'i> {
    fn read(body: &'i [u8], at: usize) -> Option<Self> {
        let rest = body.get(at..)?;
        let flags = flags(rest)?;
        let (head, rest) = rest.split_at_checked(if flags & EXTENDED == 0 { NAME } else { NAME + 2 })?;
        let length = match flags & LONG_NAME {
            LONG_NAME => rest.iter().position(|&byte| byte == 0)?,
            length => length.into(),
        };
        // Whole only with its padding.
        rest.get(..padded(head.len() + length) - head.len())?;
        Some(Self { place: Place::Own, at, head, name: &rest[..length] })
    }

    /// In the file, in bytes.
    pub fn size(&self) -> usize {
        padded(self.head.len() + self.name.len())
    }

    pub fn stage(&self) -> u16 {
        flags(self.head).unwrap_or_default() & STAGE
    }

    /// Neither unmerged nor with flags that only newer versions have.
    pub fn is_ordinary(&self) -> bool {
        flags(self.head).is_some_and(|flags| flags & (EXTENDED | STAGE) == 0)
    }

    pub fn is(&self, content: Option<(Mode, ObjectId)>) -> bool {
        content.is_some_and(|(mode, id)| {
            number(self.head, MODE) == Some(mode.bits()) && self.head[STAT..FLAGS] == *id.as_slice()
        })
    }

    /// Whether the file may have changed in the very moment in which the index was written.
    pub fn is_racy(&self, written: (u32, u32)) -> bool {
        (number(self.head, MTIME.0), number(self.head, MTIME.1)) >= (Some(written.0), Some(written.1))
    }

    /// The same, of a size that makes git compare the content.
    pub fn smudged(&self) -> Vec<u8> {
        let mut head = self.head.to_vec();
        head[SIZE].fill(0);
        head
    }

    /// The same path with other content. What the user told git of it (`--assume-unchanged`) stays.
    pub fn with(&self, mode: Mode, id: ObjectId, stat: &Stat) -> Vec<u8> {
        head(mode, id, stat, flags(self.head).unwrap_or_default())
    }
}

/// All before the name of a new entry.
pub(super) fn new_head(mode: Mode, id: ObjectId, stat: &Stat, name: &[u8]) -> Vec<u8> {
    head(mode, id, stat, u16::try_from(name.len()).unwrap_or(u16::MAX).min(LONG_NAME))
}

fn head(mode: Mode, id: ObjectId, stat: &Stat, flags: u16) -> Vec<u8> {
    let numbers = [
        stat.ctime.secs,
        stat.ctime.nsecs,
        stat.mtime.secs,
        stat.mtime.nsecs,
        stat.dev,
        stat.ino,
        mode.bits(),
        stat.uid,
        stat.gid,
        stat.size,
    ];
    let mut head: Vec<u8> = numbers.into_iter().flat_map(u32::to_be_bytes).collect();
    head.extend_from_slice(id.as_slice());
    head.extend(flags.to_be_bytes());
    head
}

/// An entry as it stands in a file.
pub(super) fn whole(mut head: Vec<u8>, name: &[u8]) -> Vec<u8> {
    head.extend_from_slice(name);
    head.resize(padded(head.len()), 0);
    head
}

/// An entry as it stands where the shared file tells the name.
pub(super) fn nameless(mut head: Vec<u8>) -> Vec<u8> {
    let flags = flags(&head).unwrap_or_default() & !LONG_NAME;
    head[FLAGS..NAME].copy_from_slice(&flags.to_be_bytes());
    whole(head, b"")
}

/// Entries end with one to eight NULs.
fn padded(length: usize) -> usize {
    (length + 8) & !7
}

fn flags(head: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(head.get(FLAGS..NAME)?.try_into().ok()?))
}

pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
