//! A split index (gitformat-index(5)): the entries stand in a shared file that stays as it is, and the index itself says
//! which of them no longer hold. However many entries there are, a commit writes those that changed.
//!
//! A shared file is an index like any other, named after the hash at its end: a whole index is split by giving it that
//! name, and beginning an index of which nothing differs.

use super::{
    entry::{Entries, Entry, ID, Index, Place, nameless, whole},
    splice::{Changes, Extensions, Sink, extension, splice},
};
use gix::ObjectId;
use gix_bitmap::ewah;
use std::iter::Peekable;

/// The shared file that an index refers to. `None`: it refers to none.
pub(super) fn shared(index: &Index<'_>) -> Option<ObjectId> {
    let id = Extensions::read(index.rest())?.link?.get(..ID)?;
    Some(ObjectId::from_bytes_or_panic(id)).filter(|id| !id.is_null())
}

/// An index and the shared file that it refers to.
pub(super) struct Split<'i> {
    id: ObjectId,
    shared: Index<'i>,
    version: u32,
    /// Of the entries of the shared file: which are gone, and which stand in the index itself.
    deleted: Vec<bool>,
    replaced: Vec<bool>,
    own: Entries<'i>,
    extensions: Extensions<'i>,
}

impl<'i> Split<'i> {
    /// `None`: not sound, or not of this shared file.
    pub fn read(index: &Index<'i>, shared: Index<'i>) -> Option<Self> {
        let (own, extensions) = (index.entries(), Extensions::read(index.rest())?);
        let (id, bitmaps) = extensions.link?.split_at_checked(ID)?;
        let (mut deleted, mut replaced) = (vec![false; shared.count as usize], vec![false; shared.count as usize]);
        if !bitmaps.is_empty() {
            let rest = set_bits(bitmaps, &mut deleted)?;
            set_bits(rest, &mut replaced)?.is_empty().then_some(())?;
        }
        let id = ObjectId::from_bytes_or_panic(id);
        let version = index.version.max(shared.version);
        (shared.hash == id.as_slice()).then_some(Self { id, shared, version, deleted, replaced, own, extensions })
    }

    /// Of which nothing differs from this index once it is the shared file. `None`: it has no hash to be named after.
    pub fn of_whole(index: &Index<'i>) -> Option<Self> {
        let (id, extensions) = (ObjectId::from_bytes_or_panic(index.hash), Extensions::read(index.rest())?);
        if extensions.link.is_some() || id.is_null() {
            return None;
        }
        let (none, version) = (vec![false; index.count as usize], index.version);
        let (deleted, replaced, own) = (none.clone(), none, Entries::default());
        Some(Self { id, shared: *index, version, deleted, replaced, own, extensions })
    }

    /// The name of the shared file after `sharedindex.`.
    pub fn id(&self) -> ObjectId {
        self.id
    }

    /// The index with these changes by path, without the hash at its end. `None` where that cannot be done, or where more
    /// than `at_most` percent of the entries would differ from the shared file.
    pub fn splice(&self, written: (u32, u32), changes: &Changes<'_>, at_most: u8) -> Option<Vec<u8>> {
        let replaced = vec![false; self.replaced.len()];
        let mut to = Differences { deleted: self.deleted.clone(), replaced, ..Default::default() };
        splice(self.entries(), written, changes, &mut to)?;
        let limit = u64::from(self.shared.count) * u64::from(at_most) / 100;
        if to.count() as u64 > limit {
            return None;
        }
        let mut link = self.id.as_slice().to_vec();
        for bits in [&to.deleted, &to.replaced] {
            ewah::Vec::from_bits(bits)?.write_to(&mut link).ok()?;
        }
        let count = u32::try_from(to.in_place.len() + to.added.len()).ok()?;
        let entries = to.in_place.into_iter().chain(to.added).flatten();
        let mut index = Index::header(self.version, count);
        index.extend(entries);
        index.extend(extension(b"link", &link));
        index.extend(self.extensions.tree_after(changes)?);
        Some(index)
    }

    /// All entries that hold, in order.
    fn entries(&self) -> Merged<impl Iterator<Item = Option<Entry<'i>>>, impl Iterator<Item = Option<Entry<'i>>>> {
        let in_place = self.replaced.iter().filter(|replaced| **replaced).count();
        let mut replacements = self.own.clone().take(in_place);
        let holds = |position: usize| !self.deleted[position] || self.replaced[position];
        let shared = self.shared.entries().enumerate().filter(move |(position, _)| holds(*position));
        let shared = shared.map(move |(position, entry)| {
            let (entry, replaced) = (entry?, self.replaced[position]);
            if !replaced {
                return Some(Entry { place: Place::Shared(position), ..entry });
            }
            let own = replacements.next().flatten().filter(|own| own.name.is_empty() && !self.deleted[position])?;
            Some(Entry { place: Place::Replaced(position), name: entry.name, ..own })
        });
        Merged { shared: shared.peekable(), added: self.own.clone().skip(in_place).peekable() }
    }
}

/// Sets those of `bits` that a bitmap has, and returns what follows it.
fn set_bits<'b>(bitmap: &'b [u8], bits: &mut [bool]) -> Option<&'b [u8]> {
    let (bitmap, rest) = ewah::decode(bitmap).ok()?;
    bitmap.for_each_set_bit(|position| {
        *bits.get_mut(position)? = true;
        Some(())
    })?;
    Some(rest)
}

/// The entries of both files by name and stage.
struct Merged<S: Iterator, A: Iterator> {
    shared: Peekable<S>,
    added: Peekable<A>,
}

impl<'i, S, A> Iterator for Merged<S, A>
where
    S: Iterator<Item = Option<Entry<'i>>>,
    A: Iterator<Item = Option<Entry<'i>>>,
{
    type Item = Option<Entry<'i>>;

    fn next(&mut self) -> Option<Self::Item> {
        let key = |entry: &Option<Entry<'i>>| entry.as_ref().map(|entry| (entry.name, entry.stage()));
        match (self.shared.peek(), self.added.peek()) {
            (Some(shared), Some(added)) if key(added) < key(shared) => self.added.next(),
            (None, _) => self.added.next(),
            _ => self.shared.next(),
        }
    }
}

/// What differs from the shared file.
#[derive(Default)]
struct Differences {
    deleted: Vec<bool>,
    replaced: Vec<bool>,
    in_place: Vec<Vec<u8>>,
    added: Vec<Vec<u8>>,
}

impl Differences {
    fn count(&self) -> usize {
        self.in_place.len() + self.added.len() + self.deleted.iter().filter(|deleted| **deleted).count()
    }
}

impl Sink for Differences {
    fn keep(&mut self, entry: &Entry<'_>) {
        if !matches!(entry.place, Place::Shared(_)) {
            self.set(entry, entry.head.to_vec());
        }
    }

    fn set(&mut self, entry: &Entry<'_>, head: Vec<u8>) {
        match entry.place {
            Place::Own => self.insert(head, entry.name),
            Place::Shared(position) | Place::Replaced(position) => {
                self.replaced[position] = true;
                self.in_place.push(nameless(head));
            }
        }
    }

    fn drop(&mut self, entry: &Entry<'_>) {
        if let Place::Shared(position) | Place::Replaced(position) = entry.place {
            self.deleted[position] = true;
        }
    }

    fn insert(&mut self, head: Vec<u8>, name: &[u8]) {
        self.added.push(whole(head, name));
    }
}
