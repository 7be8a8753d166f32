//! A new index made of pieces of the old one.

use super::{
    entry::{Entry, Index, whole},
    splice::{Changes, Extensions, Sink, splice},
};
use std::ops::Range;

/// Pieces that make up the new index, without the hash at its end.
pub(super) struct Spliced<'i> {
    old: &'i [u8],
    pieces: Vec<Piece>,
}

enum Piece {
    Kept(Range<usize>),
    New(Vec<u8>),
}

impl<'i> Spliced<'i> {
    /// The index `old`, that was written at `written` (seconds, nanoseconds), with these changes by path.
    pub fn new(old: &Index<'i>, written: (u32, u32), changes: &Changes<'_>) -> Option<Self> {
        let mut entries = old.entries();
        let start = old.body.len() - entries.rest().len();
        let mut to = Pieces { made: Vec::new(), kept: start, at: start, count: old.count };
        splice(entries.by_ref(), written, changes, &mut to)?;
        let extensions = Extensions::read(entries.rest())?;
        if extensions.link.is_some() {
            return None;
        }
        to.made.push(Piece::Kept(to.kept..to.at));
        to.made.push(Piece::New(extensions.tree_after(changes)?));
        to.made.insert(0, Piece::New(Index::header(old.version, to.count)));
        Some(Self { old: old.body, pieces: to.made })
    }

    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| match piece {
            Piece::Kept(range) => &self.old[range.clone()],
            Piece::New(bytes) => bytes,
        })
    }
}

struct Pieces {
    made: Vec<Piece>,
    /// Up to here everything is in a piece.
    kept: usize,
    /// Up to here every entry was seen.
    at: usize,
    count: u32,
}

impl Pieces {
    /// Puts `new` in the place of the old bytes in `range`.
    fn replace(&mut self, range: Range<usize>, new: Vec<u8>) {
        self.made.push(Piece::Kept(self.kept..range.start));
        self.made.push(Piece::New(new));
        self.kept = range.end;
        self.at = range.end;
    }

    fn range(entry: &Entry<'_>) -> Range<usize> {
        entry.at..entry.at + entry.size()
    }
}

impl Sink for Pieces {
    fn keep(&mut self, entry: &Entry<'_>) {
        self.at = Self::range(entry).end;
    }

    fn set(&mut self, entry: &Entry<'_>, head: Vec<u8>) {
        self.replace(Self::range(entry), whole(head, entry.name));
    }

    fn drop(&mut self, entry: &Entry<'_>) {
        self.count -= 1;
        self.replace(Self::range(entry), Vec::new());
    }

    fn insert(&mut self, head: Vec<u8>, name: &[u8]) {
        self.count += 1;
        self.replace(self.at..self.at, whole(head, name));
    }
}
