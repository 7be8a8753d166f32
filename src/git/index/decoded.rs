//! The index decoded, brought in step and encoded: whatever stands in it, and at a hundred times the cost of
//! [`super::splice`].

use super::{entry::Index, index_mode, shared_file, split, stat_of};
use crate::git::{
    GitError, PathChange,
    commit::{Draft, Edit},
};
use gix::{
    ObjectId, Repository,
    bstr::{BStr, BString, ByteSlice},
    index::{
        File, State,
        entry::{Flags, Mode, Stage, Stat},
        extension::Tree as CachedTree,
    },
    objs::tree::EntryMode,
};
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

/// The index at `path` as it shall be once HEAD is `draft`.
pub(super) fn in_step(
    path: &Path,
    repo: &Repository,
    draft: &Draft,
    changes: &[PathChange],
    edits: &[Edit],
) -> Result<File, GitError> {
    let mut index = read(path, repo, draft)?;
    smudge_racy(&mut index);
    let trees = Trees { old: repo.find_tree(draft.old_tree)?, new: repo.find_tree(draft.tree)? };
    let mut plan = Plan::default();
    for (edit, change) in edits.iter().zip(changes) {
        plan.add(&index, &trees, edit, stat_of(change));
    }
    plan.apply(&mut index);
    Ok(index)
}

fn read(path: &Path, repo: &Repository, draft: &Draft) -> Result<File, GitError> {
    // Lost, or emptied by a power cut.
    let is_lost = |file: &Path| fs::metadata(file).map_or(0, |found| found.len()) == 0;
    if is_lost(path) || shared_of(path).is_some_and(|shared| is_lost(&shared)) {
        return Ok(repo.index_from_tree(&draft.old_tree)?);
    }
    // git does not verify the checksum on reading either.
    Ok(File::at(path, repo.object_hash(), true, Default::default())?)
}

/// The file that a split index shares.
fn shared_of(index: &Path) -> Option<PathBuf> {
    let file = fs::read(index).ok()?;
    split::shared(&Index::new(&file)?).map(|id| shared_file(index, id))
}

/// Entries as young as the index itself could hide a change of the same size once the index is rewritten; a size of
/// zero makes git compare their content, as it would have done.
fn smudge_racy(index: &mut File) {
    let written = index.timestamp();
    let written = (written.unix_seconds(), written.nanoseconds());
    for entry in index.entries_mut() {
        if (i64::from(entry.stat.mtime.secs), entry.stat.mtime.nsecs) >= written {
            entry.stat.size = 0;
        }
    }
}

/// What happens to the entries, by position in the index as it was read.
#[derive(Default)]
struct Plan {
    set: Vec<(usize, Content)>,
    drop: HashSet<usize>,
    insert: Vec<(BString, Content)>,
    touched: Vec<BString>,
}

#[derive(Clone, Copy)]
struct Content {
    mode: Mode,
    id: ObjectId,
    stat: Stat,
}

impl Plan {
    /// Leaves the index alone where it differs from the old HEAD: the user staged something there.
    fn add(&mut self, index: &State, trees: &Trees<'_>, edit: &Edit, stat: Stat) {
        let path: &BStr = edit.path.as_str().into();
        self.touched.push(path.to_owned());
        let at = index.entry_index_by_path_and_stage(path, Stage::Unconflicted);
        match (sparse_folder(index, path), edit.entry, at) {
            (Some(folder), ..) => self.add_sparse(index, trees, folder),
            (None, None, at) => self.drop.extend(at.filter(|&at| trees.has_old(index, at))),
            (None, Some((kind, id)), at) => {
                let content = Content { mode: index_mode(kind.into()), id, stat };
                match at {
                    Some(at) => self.replace(index, trees, at, content),
                    None => self.insert(index, trees, path, content),
                }
            }
        }
    }

    fn replace(&mut self, index: &State, trees: &Trees<'_>, at: usize, content: Content) {
        let entry = index.entry(at);
        let placeholder = entry.flags.contains(Flags::INTENT_TO_ADD);
        let same = (entry.mode, entry.id) == (content.mode, content.id);
        if placeholder || same || trees.has_old(index, at) {
            self.set.push((at, content));
        }
    }

    fn insert(&mut self, index: &State, trees: &Trees<'_>, path: &BStr, content: Content) {
        let removed_by_user = lookup(&trees.old, path).is_some_and(|(mode, _)| !mode.is_tree());
        if removed_by_user || is_unmerged(index, path) {
            return;
        }
        let in_the_way = entries_in_the_way(index, path);
        if in_the_way.iter().all(|&at| trees.has_old(index, at)) {
            self.drop.extend(in_the_way);
            self.insert.push((path.to_owned(), content));
        }
    }

    /// A folder outside the sparse checkout is one entry that names its tree.
    fn add_sparse(&mut self, index: &State, trees: &Trees<'_>, at: usize) {
        if !trees.has_old(index, at) {
            return;
        }
        let entry = index.entry(at);
        match lookup(&trees.new, entry.path(index)).filter(|(mode, _)| mode.is_tree()) {
            Some((_, id)) => self.set.push((at, Content { mode: entry.mode, id, stat: entry.stat })),
            None => self.drop.extend([at]),
        }
    }

    fn apply(self, index: &mut File) {
        for (at, Content { mode, id, stat }) in self.set {
            let entry = &mut index.entries_mut()[at];
            (entry.mode, entry.id, entry.stat) = (mode, id, stat);
            entry.flags.remove(Flags::INTENT_TO_ADD);
        }
        if !self.drop.is_empty() {
            index.remove_entries(|at, _, _| self.drop.contains(&at));
        }
        for (path, Content { mode, id, stat }) in &self.insert {
            index.dangerously_push_entry(*stat, *id, Flags::empty(), *mode, path.as_ref());
        }
        if !self.insert.is_empty() {
            index.sort_entries();
        }
        if let Some(tree) = index.tree_mut() {
            self.touched.iter().for_each(|path| invalidate(tree, path.as_ref()));
        }
    }
}

/// The cached tree ids on the way to `path` no longer hold.
fn invalidate(tree: &mut CachedTree, path: &BStr) {
    tree.num_entries = None;
    match path.split_once_str("/") {
        Some((name, rest)) => {
            let child = tree.children.iter_mut().find(|child| child.name.as_slice() == name);
            child.into_iter().for_each(|child| invalidate(child, rest.into()));
        }
        None => tree.children.retain(|child| child.name.as_slice() != path.as_bytes()),
    }
}

/// HEAD's tree before and after the commit.
struct Trees<'a> {
    old: gix::Tree<'a>,
    new: gix::Tree<'a>,
}

impl Trees<'_> {
    /// Whether the entry is as HEAD had it: nothing is staged there.
    fn has_old(&self, index: &State, at: usize) -> bool {
        let entry = index.entry(at);
        lookup(&self.old, entry.path(index)).is_some_and(|(mode, id)| (index_mode(mode), id) == (entry.mode, entry.id))
    }
}

fn is_unmerged(index: &State, path: &BStr) -> bool {
    [Stage::Base, Stage::Ours, Stage::Theirs]
        .into_iter()
        .any(|stage| index.entry_index_by_path_and_stage(path, stage).is_some())
}

/// Entries that cannot be in an index together with a file at `path`: files that are its folders, files below it.
fn entries_in_the_way(index: &State, path: &BStr) -> Vec<usize> {
    let ends = path.find_iter("/");
    let folders = ends.filter_map(|end| index.entry_index_by_path(path[..end].as_bstr()).ok());
    let mut below = path.to_owned();
    below.push(b'/');
    folders.chain(index.prefixed_entries_range(below.as_ref()).into_iter().flatten()).collect()
}

/// The entry of a folder that holds `path` and is not checked out.
fn sparse_folder(index: &State, path: &BStr) -> Option<usize> {
    if !index.is_sparse() {
        return None;
    }
    path.find_iter("/").find_map(|end| {
        let at = index.entry_index_by_path(path[..=end].as_bstr()).ok()?;
        index.entry(at).mode.is_sparse().then_some(at)
    })
}

/// A file, or a folder; the name of a sparse entry ends with a slash.
fn lookup(tree: &gix::Tree<'_>, path: &BStr) -> Option<(EntryMode, ObjectId)> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let entry = tree.lookup_entry(path.split_str("/")).ok()??;
    Some((entry.mode(), entry.object_id()))
}
