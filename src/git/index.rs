//! Git's index, kept in step with a commit: entries of the committed paths follow, what the user staged stays.
//!
//! The new index is complete before the branch moves. A crash in between leaves `index.lock` with a second name that
//! says for which commit it was made: the next commit finishes or drops it, so that git is never left locked.

mod splice;

use super::{
    GitError, PathChange,
    commit::{Draft, Edit, take_turn},
    init::with_suffix,
    open::LOCK_WAIT,
};
use crate::workspace::root::Stat;
use gix::{
    ObjectId, Repository,
    bstr::{BStr, BString, ByteSlice},
    index::{
        File, State,
        entry::{self, Flags, Mode, Stage},
        extension::Tree as CachedTree,
        write,
    },
    objs::tree::EntryMode,
};
use sha1::{Digest, Sha1};
use std::{
    collections::{BTreeMap, HashSet},
    fs,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    time::{Duration, Instant},
};

const OWN_NAME: &str = "trackfs-index-";

/// Git's `index.lock`, held by us.
pub(super) struct IndexLock {
    index: PathBuf,
    lock: PathBuf,
    /// The second name of `lock`: tells ours from the user's after a crash.
    own: PathBuf,
}

impl IndexLock {
    /// Waits about two seconds for git to release it. Only one process at a time may be here.
    pub(super) fn acquire(repo: &Repository, commit: ObjectId) -> Result<Self, GitError> {
        recover(repo)?;
        let file = |name: &str| repo.git_dir().join(name);
        let held = Self { index: file("index"), lock: file("index.lock"), own: file(&format!("{OWN_NAME}{commit}")) };
        fs::File::create(&held.own)?;
        let deadline = Instant::now() + Duration::from_millis(LOCK_WAIT);
        let mut pause = Duration::from_millis(2);
        loop {
            match fs::hard_link(&held.own, &held.lock) {
                Ok(()) => return Ok(held),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(held.give_up(error.into())),
                Err(_) if Instant::now() >= deadline => {
                    return Err(held.give_up(GitError::Locked("index.lock".to_owned())));
                }
                Err(_) => std::thread::sleep(pause),
            }
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    /// The lock is somebody else's: leaves it alone.
    fn give_up(self, error: GitError) -> GitError {
        let _ = fs::remove_file(&self.own);
        std::mem::forget(self);
        error
    }

    /// Writes the index as it shall be once HEAD is `draft`, durably.
    pub(super) fn update(
        &self,
        repo: &Repository,
        draft: &Draft,
        changes: &[PathChange],
        edits: &[Edit],
    ) -> Result<(), GitError> {
        let skip_hash = repo.config_snapshot().boolean("index.skipHash").unwrap_or(false);
        let file = fs::File::create(&self.own)?;
        if !self.splice(repo, draft, changes, edits, skip_hash, &file)? {
            let index = self.rebuild(repo, draft, changes, edits)?;
            let mut out = io::BufWriter::new(&file);
            index.write_to(&mut out, write::Options { skip_hash, ..Default::default() })?;
            out.flush()?;
        }
        Ok(file.sync_all()?)
    }

    /// Copies the index with the few entries changed. `false`, and nothing written, where that cannot be done.
    fn splice(
        &self,
        repo: &Repository,
        draft: &Draft,
        changes: &[PathChange],
        edits: &[Edit],
        skip_hash: bool,
        mut to: &fs::File,
    ) -> Result<bool, GitError> {
        let Some(changes) = spliceable(repo, draft, changes, edits)? else { return Ok(false) };
        let (Ok(old), Ok(metadata)) = (fs::read(&self.index), fs::metadata(&self.index)) else { return Ok(false) };
        let written = (metadata.mtime() as u32, metadata.mtime_nsec() as u32);
        let Some(spliced) = splice::splice(&old, written, &changes) else { return Ok(false) };
        // It guards against a bad disk, not against forgers: as in git, without the costly search for collisions.
        let mut hasher = (!skip_hash).then(Sha1::new);
        for piece in spliced.pieces() {
            to.write_all(piece)?;
            hasher.iter_mut().for_each(|hasher| hasher.update(piece));
        }
        let hash = hasher.map_or([0; splice::ID], |hasher| hasher.finalize().into());
        to.write_all(&hash)?;
        Ok(true)
    }

    /// The index, decoded and brought in step.
    fn rebuild(
        &self,
        repo: &Repository,
        draft: &Draft,
        changes: &[PathChange],
        edits: &[Edit],
    ) -> Result<File, GitError> {
        let mut index = self.read(repo, draft)?;
        smudge_racy(&mut index);
        let trees = Trees { old: repo.find_tree(draft.old_tree)?, new: repo.find_tree(draft.tree)? };
        let mut plan = Plan::default();
        for (edit, change) in edits.iter().zip(changes) {
            plan.add(&index, &trees, edit, stat_of(change));
        }
        plan.apply(&mut index);
        Ok(index)
    }

    fn read(&self, repo: &Repository, draft: &Draft) -> Result<File, GitError> {
        // Lost, or emptied by a power cut.
        if fs::metadata(&self.index).map_or(0, |found| found.len()) == 0 {
            return Ok(repo.index_from_tree(&draft.old_tree)?);
        }
        // git does not verify the checksum on reading either.
        Ok(File::at(&self.index, repo.object_hash(), true, Default::default())?)
    }

    /// Makes it the index and releases the lock.
    pub(super) fn publish(self) -> io::Result<()> {
        fs::rename(&self.lock, &self.index)?;
        let released = fs::remove_file(&self.own);
        std::mem::forget(self);
        released
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.lock);
        let _ = fs::remove_file(&self.own);
    }
}

/// Frees git's locks from a process of ours that was killed.
pub(super) fn release_left_over(repo: &Repository) -> Result<(), GitError> {
    if left_over(repo)?.is_empty() {
        return Ok(());
    }
    let _turn = take_turn(repo)?;
    recover(repo)
}

/// Second names of index locks, and the commits they were for. Without having the turn, they may be in use.
fn left_over(repo: &Repository) -> io::Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(repo.git_dir())? {
        let entry = entry?;
        if let Some(commit) = entry.file_name().to_str().and_then(|name| name.strip_prefix(OWN_NAME)) {
            found.push((entry.path(), commit.to_owned()));
        }
    }
    Ok(found)
}

/// Finishes or drops what a process left that died while it held the lock. Call it with the turn taken.
fn recover(repo: &Repository) -> Result<(), GitError> {
    let lock = repo.git_dir().join("index.lock");
    for (own, commit) in left_over(repo)? {
        let inode = fs::metadata(&own)?.ino();
        if fs::metadata(&lock).is_ok_and(|lock| lock.ino() == inode) {
            remove_ref_locks(repo, &commit)?;
            let head = super::commit::tip(repo)?.map(|id| id.to_string());
            let complete = || File::at(&lock, repo.object_hash(), false, Default::default()).is_ok();
            if head.as_ref() == Some(&commit) && complete() {
                fs::rename(&lock, repo.git_dir().join("index"))?;
            } else {
                fs::remove_file(&lock)?;
            }
        }
        fs::remove_file(own)?;
    }
    Ok(())
}

/// The locks under which the dead process was moving HEAD to `commit`. Whoever else moves HEAD holds the index lock first,
/// so what is empty, or says `commit`, is not theirs.
fn remove_ref_locks(repo: &Repository, commit: &str) -> Result<(), GitError> {
    let branch = repo.head_name()?.map(|name| repo.common_dir().join(name.as_bstr().to_string()));
    for name in branch.into_iter().chain([repo.git_dir().join("HEAD")]) {
        let lock = with_suffix(&name, ".lock");
        let ours = |content: &str| content.trim_end() == commit || content.is_empty();
        if fs::read_to_string(&lock).is_ok_and(|content| ours(&content)) {
            fs::remove_file(&lock)?;
        }
    }
    Ok(())
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

/// The changes by path, with what HEAD had there; `None` where a path was a folder.
fn spliceable<'c>(
    repo: &Repository,
    draft: &Draft,
    changes: &[PathChange],
    edits: &'c [Edit],
) -> Result<Option<BTreeMap<&'c [u8], splice::Change>>, GitError> {
    if repo.object_hash() != gix::hash::Kind::Sha1 {
        return Ok(None);
    }
    let mut spliceable: BTreeMap<_, _> = edits
        .iter()
        .zip(changes)
        .map(|(edit, change)| {
            let new = edit.entry.map(|(kind, id)| (index_mode(kind.into()), id, stat_of(change)));
            (edit.path.as_str().as_bytes(), splice::Change { old: None, new })
        })
        .collect();
    let paths: Vec<_> = spliceable.keys().map(|path| (*path, *path)).collect();
    let mut found = Vec::new();
    find_all(repo, draft.old_tree, &paths, &mut found)?;
    if found.iter().any(|(_, mode, _)| mode.is_tree()) {
        return Ok(None);
    }
    for (path, mode, id) in found {
        spliceable.get_mut(path).expect("only these were looked for").old = Some((index_mode(mode), id));
    }
    Ok(Some(spliceable))
}

/// Finds what a tree has at these paths, in order: each whole, and as it is from the tree on. Every folder is read once.
fn find_all<'p>(
    repo: &Repository,
    tree: ObjectId,
    paths: &[(&'p [u8], &'p [u8])],
    found: &mut Vec<(&'p [u8], EntryMode, ObjectId)>,
) -> Result<(), GitError> {
    let object = repo.find_tree(tree)?;
    let tree = object.decode()?;
    let name = |(_, rest): &(&'p [u8], &'p [u8])| rest.split_once_str("/").map_or(*rest, |(name, _)| name);
    for group in paths.chunk_by(|a, b| name(a) == name(b)) {
        let of_name = |is_folder| tree.bisect_entry(name(&group[0]).into(), is_folder);
        let Some(entry) = of_name(true).or_else(|| of_name(false)) else { continue };
        let (leaves, below): (Vec<_>, Vec<_>) = group.iter().copied().partition(|path| !path.1.contains(&b'/'));
        found.extend(leaves.into_iter().map(|(path, _)| (path, entry.mode, entry.oid.to_owned())));
        if entry.mode.is_tree() && !below.is_empty() {
            let below = below.into_iter().map(|(path, rest)| (path, &rest[name(&group[0]).len() + 1..]));
            find_all(repo, entry.oid.to_owned(), &below.collect::<Vec<_>>(), found)?;
        }
    }
    Ok(())
}

fn stat_of(change: &PathChange) -> entry::Stat {
    change.content.as_ref().map(|content| index_stat(&content.stat)).unwrap_or_default()
}

/// git keeps the low 32 bits.
fn index_stat(stat: &Stat) -> entry::Stat {
    let time = |(seconds, nsecs): (i64, u32)| entry::stat::Time { secs: seconds as u32, nsecs };
    entry::Stat {
        mtime: time(stat.mtime),
        ctime: time(stat.ctime),
        dev: stat.dev as u32,
        ino: stat.ino as u32,
        uid: stat.uid,
        gid: stat.gid,
        size: stat.size as u32,
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
    stat: entry::Stat,
}

impl Plan {
    /// Leaves the index alone where it differs from the old HEAD: the user staged something there.
    fn add(&mut self, index: &State, trees: &Trees<'_>, edit: &Edit, stat: entry::Stat) {
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

fn index_mode(mode: EntryMode) -> Mode {
    Mode::from_bits_truncate(mode.value().into())
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
