//! A new index made of pieces of the old one. A commit changes few of a hundred thousand entries; to decode and encode
//! the others costs many times what copying them does.
//!
//! Only the ordinary is done here: entries that are as HEAD had them are replaced or dropped, new ones are put in.
//! Wherever something unusual stands in the way (staged by the user, unmerged, sparse, split, another format), the answer
//! is `None`, and the index is decoded.

use gix::{
    ObjectId,
    index::entry::{Mode, Stat},
};
use std::{collections::BTreeMap, ops::Range};

/// Device to size: what git compares with `stat`.
const STAT: usize = 40;
/// Where the size stands in an entry.
const SIZE: Range<usize> = 36..40;
/// Mode in an entry.
const MODE: Range<usize> = 24..28;
pub(super) const ID: usize = 20;
const FLAGS: usize = STAT + ID;
const NAME: usize = FLAGS + 2;
const EXTENDED: u16 = 0x4000;
const STAGE: u16 = 0x3000;
/// Names that are longer say so here, and end with a NUL.
const LONG_NAME: u16 = 0x0fff;

/// What becomes of one path.
pub(super) struct Change {
    /// As HEAD had it before; `None`: not there.
    pub old: Option<(Mode, ObjectId)>,
    /// As HEAD has it now, with the file's stat.
    pub new: Option<(Mode, ObjectId, Stat)>,
}

/// Pieces that make up the new index, without the hash at its end.
pub(super) struct Spliced<'i> {
    old: &'i [u8],
    pieces: Vec<Piece>,
}

enum Piece {
    Kept(Range<usize>),
    New(Vec<u8>),
}

impl Spliced<'_> {
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| match piece {
            Piece::Kept(range) => &self.old[range.clone()],
            Piece::New(bytes) => bytes,
        })
    }
}

/// The index `old`, that was written at `written` (seconds, nanoseconds), with these changes by path.
pub(super) fn splice<'i>(
    old: &'i [u8],
    written: (u32, u32),
    changes: &'i BTreeMap<&'i [u8], Change>,
) -> Option<Spliced<'i>> {
    let body = old.get(..old.len().checked_sub(ID)?)?;
    let version = number(body, 4)?;
    if body.get(..4)? != b"DIRC" || !matches!(version, 2 | 3) {
        return None;
    }
    let count = number(body, 8)?;
    let mut splicer = Splicer { body, written, changes, pieces: Vec::new(), kept: 12, count };
    let mut todo = changes.iter().peekable();
    let mut obstacles = obstacles(changes).into_iter().peekable();
    let mut at = 12;
    for _ in 0..count {
        let entry = Entry::at(body, at)?;
        while let Some((path, change)) = todo.next_if(|(path, _)| **path < entry.name) {
            splicer.absent(at, path, change)?;
        }
        while obstacles.next_if(|obstacle| obstacle.is_before(entry.name)).is_some() {}
        if obstacles.peek().is_some_and(|obstacle| obstacle.is(entry.name)) {
            return None;
        }
        match todo.next_if(|(path, _)| **path == entry.name) {
            Some((_, change)) => splicer.present(&entry, change)?,
            None => splicer.keep(&entry),
        }
        at = entry.range.end;
    }
    for (path, change) in todo {
        splicer.absent(at, path, change)?;
    }
    splicer.finish(at)
}

/// One entry, where it stands.
struct Entry<'i> {
    range: Range<usize>,
    bytes: &'i [u8],
    flags: u16,
    name: &'i [u8],
}

impl<'i> Entry<'i> {
    fn at(body: &'i [u8], at: usize) -> Option<Self> {
        let rest = body.get(at..)?;
        let flags = u16::from_be_bytes(rest.get(FLAGS..NAME)?.try_into().ok()?);
        let start = if flags & EXTENDED == 0 { NAME } else { NAME + 2 };
        let length = match flags & LONG_NAME {
            LONG_NAME => rest.get(start..)?.iter().position(|&byte| byte == 0)?,
            length => length.into(),
        };
        let end = padded(start + length);
        Some(Self { range: at..at + end, bytes: rest.get(..end)?, flags, name: &rest[start..start + length] })
    }

    fn is(&self, content: Option<(Mode, ObjectId)>) -> bool {
        content.is_some_and(|(mode, id)| {
            number(self.bytes, MODE.start) == Some(mode.bits()) && self.bytes[STAT..FLAGS] == *id.as_slice()
        })
    }

    /// Whether the file may have changed in the very moment in which the index was written.
    fn is_racy(&self, written: (u32, u32)) -> bool {
        (number(self.bytes, 8), number(self.bytes, 12)) >= (Some(written.0), Some(written.1))
    }
}

/// Entries end with one to eight NULs.
fn padded(length: usize) -> usize {
    (length + 8) & !7
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// What must not be in an index together with a new file.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Obstacle {
    path: Vec<u8>,
    /// Anything below the path, and not the path itself.
    below: bool,
}

impl Obstacle {
    fn is_before(&self, name: &[u8]) -> bool {
        self.path.as_slice() < name && !self.is(name)
    }

    fn is(&self, name: &[u8]) -> bool {
        if self.below { name.starts_with(&self.path) } else { name == self.path }
    }
}

/// Files that would be folders of new files, and files below those.
fn obstacles(changes: &BTreeMap<&[u8], Change>) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    for (path, _) in changes.iter().filter(|(_, change)| change.new.is_some() && change.old.is_none()) {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        obstacles.extend(ends.map(|(end, _)| Obstacle { path: path[..end].to_vec(), below: false }));
        obstacles.push(Obstacle { path: [*path, b"/"].concat(), below: true });
    }
    obstacles.sort();
    obstacles.dedup();
    obstacles
}

struct Splicer<'i> {
    body: &'i [u8],
    written: (u32, u32),
    changes: &'i BTreeMap<&'i [u8], Change>,
    pieces: Vec<Piece>,
    /// Up to here everything is in a piece.
    kept: usize,
    count: u32,
}

impl<'i> Splicer<'i> {
    /// Puts `new` in the place of the old bytes in `range`.
    fn replace(&mut self, range: Range<usize>, new: Vec<u8>) {
        self.pieces.push(Piece::Kept(self.kept..range.start));
        self.pieces.push(Piece::New(new));
        self.kept = range.end;
    }

    /// An entry that nobody changed. Once the index is rewritten, its time would no longer warn of a change in the very
    /// moment in which the old one was: a size of zero makes git compare the content.
    fn keep(&mut self, entry: &Entry<'_>) {
        if entry.is_racy(self.written) {
            let at = entry.range.start;
            self.replace(at + SIZE.start..at + SIZE.end, vec![0; SIZE.len()]);
        }
    }

    fn absent(&mut self, at: usize, path: &[u8], change: &Change) -> Option<()> {
        match (&change.new, &change.old) {
            (Some((mode, id, stat)), None) => {
                let length = u16::try_from(path.len()).unwrap_or(u16::MAX).min(LONG_NAME);
                self.replace(at..at, encode(*mode, *id, stat, length, path));
                self.count += 1;
                Some(())
            }
            // The user removed it from the index.
            (Some(_), Some(_)) => None,
            (None, _) => Some(()),
        }
    }

    fn present(&mut self, entry: &Entry<'_>, change: &Change) -> Option<()> {
        let new = change.new.map(|(mode, id, _)| (mode, id));
        let ordinary = entry.flags & (EXTENDED | STAGE) == 0;
        if !ordinary || !(entry.is(change.old) || entry.is(new)) {
            return None;
        }
        let bytes = match &change.new {
            Some((mode, id, stat)) => encode(*mode, *id, stat, entry.flags, entry.name),
            None => Vec::new(),
        };
        self.count -= u32::from(bytes.is_empty());
        self.replace(entry.range.clone(), bytes);
        Some(())
    }

    /// Of what follows the entries, the ids of trees are worth keeping, where they still hold.
    fn finish(mut self, at: usize) -> Option<Spliced<'i>> {
        self.pieces.push(Piece::Kept(self.kept..at));
        let mut rest = &self.body[at..];
        while !rest.is_empty() {
            let (name, size) = (rest.get(..4)?, number(rest, 4)? as usize);
            let content = rest.get(8..)?.get(..size)?;
            if name == b"TREE" {
                let touched: Vec<&[u8]> = self.changes.keys().copied().collect();
                let mut tree = Vec::with_capacity(size);
                copy_tree(&mut &*content, &mut tree, &touched)?;
                let size = u32::try_from(tree.len()).ok()?;
                self.pieces.push(Piece::New([b"TREE", &size.to_be_bytes()[..], &tree].concat()));
            } else if !name[0].is_ascii_uppercase() {
                // Whoever does not know it must not touch the index.
                return None;
            }
            rest = &rest[8 + size..];
        }
        let head = [&self.body[..8], &self.count.to_be_bytes()].concat();
        self.pieces.insert(0, Piece::New(head));
        Some(Spliced { old: self.body, pieces: self.pieces })
    }
}

/// `flags`: with the length of the name.
fn encode(mode: Mode, id: ObjectId, stat: &Stat, flags: u16, name: &[u8]) -> Vec<u8> {
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
    let mut entry: Vec<u8> = numbers.into_iter().flat_map(u32::to_be_bytes).collect();
    entry.extend_from_slice(id.as_slice());
    entry.extend(flags.to_be_bytes());
    entry.extend_from_slice(name);
    entry.resize(padded(entry.len()), 0);
    entry
}

/// Copies one folder of the cached tree with all below it; where a path was touched, its id no longer holds.
fn copy_tree(from: &mut &[u8], to: &mut Vec<u8>, touched: &[&[u8]]) -> Option<()> {
    let name = take_until(from, 0)?;
    let entries = take_until(from, b' ')?;
    let folders = take_until(from, b'\n')?;
    let children: u32 = std::str::from_utf8(folders).ok()?.parse().ok()?;
    let id = if entries.starts_with(b"-") { &[][..] } else { from.split_off(..ID)? };
    let (entries, id) = if touched.is_empty() { (entries, id) } else { (&b"-1"[..], &[][..]) };
    to.extend([name, b"\0", entries, b" ", folders, b"\n", id].concat());
    for _ in 0..children {
        let end = from.iter().position(|&byte| byte == 0)?;
        let child = &from[..end];
        let below = touched.iter().filter_map(|path| path.strip_prefix(child)).collect::<Vec<_>>();
        if below.iter().any(|rest| rest.is_empty()) {
            // A file in the place of a folder.
            return None;
        }
        let below: Vec<_> = below.into_iter().filter_map(|rest| rest.strip_prefix(b"/")).collect();
        copy_tree(from, to, &below)?;
    }
    Some(())
}

fn take_until<'t>(from: &mut &'t [u8], end: u8) -> Option<&'t [u8]> {
    let at = from.iter().position(|&byte| byte == end)?;
    let taken = &from[..at];
    *from = &from[at + 1..];
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gix::{
        bstr::ByteSlice,
        index::{File, State, entry, write},
    };
    use proptest::prelude::*;

    const NAMES: [&[u8]; 9] = [b"a", b"a-b", b"a/b", b"a/b/c", b"a/c", b"b", b"c/d", b"c/e", b"d"];

    /// What an entry holds, by a digit.
    fn content(digit: u8) -> (Mode, ObjectId) {
        (if digit == 9 { Mode::SYMLINK } else { Mode::FILE }, ObjectId::from_bytes_or_panic(&[digit; 20]))
    }

    fn stat(digit: u8) -> Stat {
        let time = entry::stat::Time { secs: digit.into(), nsecs: 5 };
        Stat { mtime: time, ctime: time, dev: 1, ino: digit.into(), uid: 2, gid: 3, size: 7 }
    }

    fn index(entries: &BTreeMap<&[u8], (u8, u16)>) -> Vec<u8> {
        let mut state = State::new(gix::hash::Kind::Sha1);
        for (name, (digit, flags)) in entries {
            let (mode, id) = content(*digit);
            let flags = entry::Flags::from_bits_truncate((*flags).into());
            state.dangerously_push_entry(stat(*digit), id, flags, mode, name.as_bstr());
        }
        let mut bytes = Vec::new();
        File::from_state(state, "index").write_to(&mut bytes, write::Options::default()).unwrap();
        bytes
    }

    fn decoded(mut bytes: Vec<u8>) -> Vec<(Vec<u8>, Mode, ObjectId, Stat)> {
        let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
        hasher.update(&bytes);
        bytes.extend(hasher.try_finalize().unwrap().as_slice());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let state = File::at(file.path(), gix::hash::Kind::Sha1, false, Default::default()).expect("a sound index");
        let entries = state.entries().iter();
        entries.map(|entry| (entry.path(&state).to_vec(), entry.mode, entry.id, entry.stat)).collect()
    }

    proptest! {
        /// An index with the changes made one by one in a map is what the spliced bytes say.
        #[test]
        fn splicing_changes_exactly_the_entries_that_it_should(
            had in prop::collection::btree_map(0..NAMES.len(), 1_u8..4, 0..6),
            wanted in prop::collection::btree_map(0..NAMES.len(), prop::option::of(4_u8..10), 1..4),
        ) {
            let had: BTreeMap<&[u8], (u8, u16)> = had.into_iter().map(|(name, digit)| (NAMES[name], (digit, 0))).collect();
            let changes: BTreeMap<&[u8], Change> = wanted.iter().map(|(name, digit)| {
                let old = had.get(NAMES[*name]).map(|(digit, _)| content(*digit));
                let new = digit.map(|digit| (content(digit).0, content(digit).1, stat(digit)));
                (NAMES[*name], Change { old, new })
            }).collect();
            let mut expected = had.clone();
            for (name, digit) in &wanted {
                match digit {
                    Some(digit) => expected.insert(NAMES[*name], (*digit, 0)),
                    None => expected.remove(NAMES[*name]),
                };
            }
            let old = index(&had);
            if let Some(spliced) = splice(&old, (100, 0), &changes) {
                let bytes: Vec<u8> = spliced.pieces().flatten().copied().collect();
                let expected: Vec<_> = expected.iter().map(|(name, (digit, _))| {
                    (name.to_vec(), content(*digit).0, content(*digit).1, stat(*digit))
                }).collect();
                prop_assert_eq!(decoded(bytes), expected);
            } else {
                // Only where a file would stand beside files below it.
                let nested = |a: &&[u8], b: &&[u8]| b.strip_prefix(*a).is_some_and(|rest| rest.starts_with(b"/"));
                let all: Vec<&&[u8]> = had.keys().chain(changes.keys()).collect();
                prop_assert!(all.iter().any(|a| all.iter().any(|b| nested(a, b))));
            }
        }
    }

    fn one(path: &[u8], old: Option<u8>, new: Option<u8>) -> BTreeMap<&[u8], Change> {
        let new = new.map(|digit| (content(digit).0, content(digit).1, stat(digit)));
        BTreeMap::from([(path, Change { old: old.map(content), new })])
    }

    #[test]
    fn what_the_user_staged_is_left_to_whoever_decodes_the_index() {
        let staged = index(&BTreeMap::from([(&b"a"[..], (2, 0))]));
        let (changed, removed) = (one(b"a", Some(1), Some(3)), one(b"a", Some(1), None));
        assert!(splice(&staged, (100, 0), &changed).is_none());
        assert!(splice(&staged, (100, 0), &removed).is_none());
        let taken_out = one(b"b", Some(1), Some(3));
        assert!(splice(&staged, (100, 0), &taken_out).is_none());
        let same = one(b"a", Some(1), Some(2));
        assert!(splice(&staged, (100, 0), &same).is_some(), "what was staged is what was committed");
    }

    #[test]
    fn the_cached_trees_on_the_way_lose_their_ids_and_the_others_keep_them() {
        let (id, other) = ([1; 20], [2; 20]);
        let tree = [&b"\x003 2\n"[..], &id, b"a\x001 0\n", &id, b"b\x002 1\n", &other, b"c\x001 0\n", &other].concat();
        let mut copied = Vec::new();
        copy_tree(&mut &tree[..], &mut copied, &[b"a/x"]).unwrap();
        let expected = [&b"\x00-1 2\na\x00-1 0\nb\x002 1\n"[..], &other, b"c\x001 0\n", &other].concat();
        assert_eq!(copied, expected);
        assert!(copy_tree(&mut &tree[..], &mut Vec::new(), &[b"a"]).is_none(), "a file where a folder was");
    }

    #[test]
    fn a_torn_or_foreign_index_is_not_touched() {
        let whole = index(&BTreeMap::from([(&b"a/b"[..], (1, 0)), (&b"c"[..], (1, 0))]));
        let changes = one(b"c", Some(1), Some(2));
        assert!(splice(&whole, (100, 0), &changes).is_some());
        for length in 0..whole.len() - ID {
            // Cut between an entry and an extension is not possible to see: there are none.
            assert!(splice(&whole[..length], (100, 0), &changes).is_none(), "{length}");
        }
        let mut split = whole[..whole.len() - ID].to_vec();
        split.extend(b"link\0\0\0\0");
        split.extend([0; ID]);
        assert!(splice(&split, (100, 0), &changes).is_none());
    }
}
