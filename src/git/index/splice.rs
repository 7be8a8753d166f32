//! A commit changes few of a hundred thousand entries; to decode and encode the others costs many times what leaving them
//! as they are does.
//!
//! Only the ordinary is done here: entries that are as HEAD had them are replaced or dropped, new ones are put in.
//! Wherever something unusual stands in the way (staged by the user, unmerged, sparse, another format), the answer is
//! `None`, and the index is decoded.

use super::entry::{Entry, ID, new_head, number};
use gix::{
    ObjectId,
    index::entry::{Mode, Stat},
};
use std::collections::BTreeMap;

/// What becomes of one path.
pub(super) struct Change {
    /// As HEAD had it before; `None`: not there.
    pub old: Option<(Mode, ObjectId)>,
    /// As HEAD has it now, with the file's stat.
    pub new: Option<(Mode, ObjectId, Stat)>,
}

pub(super) type Changes<'c> = BTreeMap<&'c [u8], Change>;

/// What the entries of the new index are written to, in order. A head is all of an entry before its name.
pub(super) trait Sink {
    fn keep(&mut self, entry: &Entry<'_>);
    fn set(&mut self, entry: &Entry<'_>, head: Vec<u8>);
    fn drop(&mut self, entry: &Entry<'_>);
    fn insert(&mut self, head: Vec<u8>, name: &[u8]);
}

/// Tells `to` what becomes of the `entries` of an index that was written at `written` (seconds, nanoseconds).
pub(super) fn splice<'i>(
    entries: impl Iterator<Item = Option<Entry<'i>>>,
    written: (u32, u32),
    changes: &Changes<'_>,
    to: &mut impl Sink,
) -> Option<()> {
    let mut todo = changes.iter().peekable();
    let mut obstacles = obstacles(changes).into_iter().peekable();
    for entry in entries {
        let entry = entry?;
        while let Some((path, change)) = todo.next_if(|(path, _)| **path < entry.name) {
            absent(path, change, to)?;
        }
        while obstacles.next_if(|obstacle| obstacle.is_before(entry.name)).is_some() {}
        if obstacles.peek().is_some_and(|obstacle| obstacle.is(entry.name)) {
            return None;
        }
        match todo.next_if(|(path, _)| **path == entry.name) {
            Some((_, change)) => present(&entry, change, to)?,
            // Once the index is rewritten, its time would no longer warn of a change in the very moment in which the old
            // one was.
            None if entry.is_racy(written) => to.set(&entry, entry.smudged()),
            None => to.keep(&entry),
        }
    }
    todo.try_for_each(|(path, change)| absent(path, change, to))
}

fn absent(path: &[u8], change: &Change, to: &mut impl Sink) -> Option<()> {
    match (&change.new, &change.old) {
        (Some((mode, id, stat)), None) => to.insert(new_head(*mode, *id, stat, path), path),
        // The user removed it from the index.
        (Some(_), Some(_)) => return None,
        (None, _) => {}
    }
    Some(())
}

fn present(entry: &Entry<'_>, change: &Change, to: &mut impl Sink) -> Option<()> {
    let new = change.new.map(|(mode, id, _)| (mode, id));
    if !entry.is_ordinary() || !(entry.is(change.old) || entry.is(new)) {
        return None;
    }
    match &change.new {
        Some((mode, id, stat)) => to.set(entry, entry.with(*mode, *id, stat)),
        None => to.drop(entry),
    }
    Some(())
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
fn obstacles(changes: &Changes<'_>) -> Vec<Obstacle> {
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

/// What follows the entries.
#[derive(Default)]
pub(super) struct Extensions<'i> {
    /// Ids of trees that are known.
    tree: Option<&'i [u8]>,
    /// Of a split index: the shared file and what holds of its entries.
    pub link: Option<&'i [u8]>,
}

impl<'i> Extensions<'i> {
    pub fn read(mut rest: &'i [u8]) -> Option<Self> {
        let mut found = Self::default();
        while !rest.is_empty() {
            let (name, size) = (rest.get(..4)?, number(rest, 4)? as usize);
            let content = rest.get(8..)?.get(..size)?;
            match name {
                b"TREE" => found.tree = Some(content),
                b"link" => found.link = Some(content),
                // Whoever does not know it must not touch the index.
                _ if !name[0].is_ascii_uppercase() => return None,
                _ => {}
            }
            rest = &rest[8 + size..];
        }
        Some(found)
    }

    /// Of what need not be there, the ids of trees are worth keeping, where they still hold.
    pub fn tree_after(&self, changes: &Changes<'_>) -> Option<Vec<u8>> {
        let Some(old) = self.tree else { return Some(Vec::new()) };
        let touched: Vec<&[u8]> = changes.keys().copied().collect();
        let mut tree = Vec::with_capacity(old.len());
        copy_tree(&mut &*old, &mut tree, &touched)?;
        Some(extension(b"TREE", &tree))
    }
}

pub(super) fn extension(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).expect("an index has less than four gigabytes");
    [&name[..], &size.to_be_bytes(), content].concat()
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
}
