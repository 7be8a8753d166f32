//! A note about a save, in a file that is used again and again.
//!
//! The first sector says what state the save is in and what the rest must hash to; a note that does not is none: the
//! file that it was to be about was not touched before the note was whole.

use crate::domain::{path::WsPath, snapshot::ContentHash};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read, Seek},
    os::unix::fs::FileExt,
    path::PathBuf,
};

/// Bytes of the head: one sector, which a disk writes whole or not at all.
const HEAD: usize = 512;
/// Size of a new file: room for most tickets. To overwrite blocks that are there, and sync them, changes nothing in the
/// filesystem's own books, and so costs a hundredth of what a new file costs.
const ROOM: usize = 16 << 10;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    /// Grows from note to note.
    pub turn: u64,
    pub stage: Stage,
    /// Milliseconds since the epoch, by the clock of files' times: the file was last written to about then.
    pub touched: u64,
    /// Of all that follows the head.
    length: usize,
    hash: ContentHash,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// The save is under way.
    Open,
    /// It was closed with this text; the disk may not have all of it.
    Closed { text: ContentHash, mtime: (i64, u32) },
}

/// What the save is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct About {
    pub path: WsPath,
    /// `None`: of a file that is about to be made.
    pub ino: Option<u64>,
    pub before: Before,
}

/// What stood at the path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Before {
    Nothing,
    /// A text, which the note has.
    Text,
    /// A ticket that was renamed to this scratch name, and has not been made anew yet.
    Away(WsPath),
    /// What the note has the hash of, or nothing. trackfs itself replaces it, by way of this scratch name.
    Replaced {
        scratch: WsPath,
    },
}

/// A file for one note.
pub(super) struct Slot {
    file: File,
    name: PathBuf,
}

impl Slot {
    /// A new one, not on the disk yet.
    pub fn create(name: PathBuf) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(&name)?;
        file.write_all_at(&[0; ROOM], 0)?;
        Ok(Self { file, name })
    }

    pub fn open(name: PathBuf) -> io::Result<Self> {
        Ok(Self { file: File::options().read(true).write(true).open(&name)?, name })
    }

    /// The note and its text, if there is one.
    pub fn read(&self) -> io::Result<Option<(Head, About, Vec<u8>)>> {
        let mut bytes = Vec::new();
        let mut file = &self.file;
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        Ok(parse(&bytes))
    }

    /// Writes a new note; answers its head.
    pub fn write(&self, turn: u64, touched: u64, about: &About, text: &[u8]) -> io::Result<Head> {
        let mut rest = serde_json::to_vec(about)?;
        rest.push(b'\n');
        rest.extend_from_slice(text);
        let head = Head { turn, stage: Stage::Open, touched, length: rest.len(), hash: ContentHash::of(&rest) };
        let mut bytes = sector(&head)?;
        bytes.extend(rest);
        self.file.write_all_at(&bytes, 0)?;
        Ok(head)
    }

    pub fn write_head(&self, head: &Head) -> io::Result<()> {
        self.file.write_all_at(&sector(head)?, 0)
    }

    pub fn clear(&self) -> io::Result<()> {
        self.file.write_all_at(&[0; HEAD], 0)
    }

    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub fn remove(self) -> io::Result<()> {
        std::fs::remove_file(self.name)
    }
}

fn sector(head: &Head) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(head)?;
    bytes.resize(HEAD, b' ');
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Option<(Head, About, Vec<u8>)> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let head: Head = serde_json::from_slice(head).ok()?;
    let rest = rest.get(..head.length).filter(|rest| ContentHash::of(rest) == head.hash)?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    Some((head, serde_json::from_slice(&rest[..end]).ok()?, rest[end + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_back_and_half_of_one_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let slot = Slot::create(dir.path().join("1")).unwrap();
        assert_eq!(slot.read().unwrap(), None);
        let about = About { path: WsPath::new("tickets/a.md").unwrap(), ino: Some(7), before: Before::Text };
        let mut head = slot.write(3, 1000, &about, b"old\ntext").unwrap();
        assert_eq!(slot.read().unwrap(), Some((head.clone(), about.clone(), b"old\ntext".to_vec())));
        head.stage = Stage::Closed { text: ContentHash::of(b"new"), mtime: (i64::MAX, u32::MAX) };
        (head.turn, head.touched) = (u64::MAX, u64::MAX);
        slot.write_head(&head).unwrap();
        assert_eq!(slot.read().unwrap().unwrap().0, head, "the longest head fits its sector");
        slot.file.write_all_at(b"X", HEAD as u64 + 5).unwrap();
        assert_eq!(slot.read().unwrap(), None);
        slot.write(4, 1001, &about, b"old").unwrap();
        slot.clear().unwrap();
        assert_eq!(slot.read().unwrap(), None);
    }
}
