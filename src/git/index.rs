//! Git's index, kept in step with a commit: entries of the committed paths follow, what the user staged stays.
//!
//! The new index is complete before the branch moves. A crash in between leaves `index.lock` with a second name that
//! says for which commit it was made: the next commit finishes or drops it, so that git is never left locked.

mod decoded;
mod entry;
mod lock;
mod splice;
mod split;
#[cfg(test)]
mod tests;
mod whole;

pub(super) use lock::{IndexLock, release_left_over};

use self::{
    entry::{ID, Index},
    splice::{Change, Changes},
    split::Split,
    whole::Spliced,
};
use super::{
    GitError, PathChange,
    commit::{Draft, Edit},
    durable::{sync_files, write_pieces},
};
use crate::{fault, workspace::root::Stat};
use gix::{
    ObjectId, Repository,
    bstr::ByteSlice,
    index::{
        entry::{self as fields, Mode},
        write,
    },
    objs::tree::EntryMode,
};
use sha1::{Digest, Sha1};
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    slice, thread,
    time::{Duration, SystemTime},
};

const SHARED: &str = "sharedindex.";
/// `splitIndex.maxPercentChange` where the user says nothing, as in git.
const PERCENT: u8 = 20;
/// `splitIndex.sharedIndexExpire` where the user says nothing, as in git.
const EXPIRE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

impl IndexLock {
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
        let spliced = match spliceable(repo, draft, changes, edits)? {
            Some(changes) => self.splice(repo, &changes, skip_hash, &file)?,
            None => false,
        };
        if !spliced {
            let index = decoded::in_step(&self.index, repo, draft, changes, edits)?;
            let mut out = io::BufWriter::new(&file);
            index.write_to(&mut out, write::Options { skip_hash, ..Default::default() })?;
            out.flush()?;
        }
        Ok(file.sync_all()?)
    }

    /// Writes the index with the few entries changed. `false`, and nothing written, where that cannot be done.
    fn splice(&self, repo: &Repository, changes: &Changes<'_>, skip_hash: bool, to: &fs::File) -> io::Result<bool> {
        let (Ok(file), Ok(metadata)) = (fs::read(&self.index), fs::metadata(&self.index)) else { return Ok(false) };
        let Some(old) = Index::new(&file) else { return Ok(false) };
        let written = (metadata.mtime() as u32, metadata.mtime_nsec() as u32);
        // As git does: an index stays split or whole unless the user asks for something else.
        let split = match (split::shared(&old), repo.config_snapshot().boolean("core.splitIndex")) {
            (Some(_), Some(false)) => return Ok(false),
            (Some(id), _) => self.split_further(repo, &old, id, written, changes)?,
            (None, Some(true)) => self.split(repo, &old, written, changes)?,
            (None, _) => None,
        };
        if let Some(split) = split {
            return write_hashed(&[&split], skip_hash, to).map(|()| true);
        }
        match Spliced::new(&old, written, changes) {
            Some(whole) => write_hashed(&whole.pieces().collect::<Vec<_>>(), skip_hash, to).map(|()| true),
            None => Ok(false),
        }
    }

    /// The split index `old` with these changes.
    fn split_further(
        &self,
        repo: &Repository,
        old: &Index<'_>,
        id: ObjectId,
        written: (u32, u32),
        changes: &Changes<'_>,
    ) -> io::Result<Option<Vec<u8>>> {
        let path = shared_file(&self.index, id);
        let Ok(shared) = fs::read(&path) else { return Ok(None) };
        // git deletes shared files that nobody has needed for weeks. Another user's are theirs to keep.
        let _ = fs::File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        let split = Index::new(&shared).and_then(|shared| Split::read(old, shared));
        Ok(split.and_then(|split| split.splice(written, changes, most_changes(repo))))
    }

    /// The whole index `old` as a split one, with these changes. From here on its file is the shared one as well.
    fn split(
        &self,
        repo: &Repository,
        old: &Index<'_>,
        written: (u32, u32),
        changes: &Changes<'_>,
    ) -> io::Result<Option<Vec<u8>>> {
        let split = Split::of_whole(old);
        let spliced = split.and_then(|split| Some((split.id(), split.splice(written, changes, most_changes(repo))?)));
        let Some((id, spliced)) = spliced else { return Ok(None) };
        let shared = shared_file(&self.index, id);
        match fs::hard_link(&self.index, &shared) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => sync_files(slice::from_ref(&shared), repo.git_dir())?,
        }
        fault::point("commit.shared");
        if repo.config_snapshot().string("splitIndex.sharedIndexExpire").is_none() {
            remove_old_shared(repo, &shared);
        }
        Ok(Some(spliced))
    }
}

/// Size in bytes of an index of which nobody said whether it shall be split.
pub(super) fn size_of_whole(repo: &Repository) -> Option<u64> {
    let said = repo.config_snapshot().boolean("core.splitIndex");
    let size = || fs::metadata(repo.git_dir().join("index")).ok().map(|index| index.len());
    said.map_or_else(size, |_| None)
}

/// The file of that name beside an index.
fn shared_file(index: &Path, id: ObjectId) -> PathBuf {
    index.with_file_name(format!("{SHARED}{id}"))
}

/// Percent of the entries that may differ from the shared file.
fn most_changes(repo: &Repository) -> u8 {
    let set = repo.config_snapshot().integer("splitIndex.maxPercentChange");
    set.and_then(|percent| u8::try_from(percent).ok()).filter(|percent| *percent <= 100).unwrap_or(PERCENT)
}

/// Shared files that no index has needed for weeks, but for `current`. What cannot be removed is in nobody's way.
fn remove_old_shared(repo: &Repository, current: &Path) {
    for entry in fs::read_dir(repo.git_dir()).into_iter().flatten().flatten() {
        let unused = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
        let is_shared = entry.file_name().to_str().is_some_and(|name| name.starts_with(SHARED));
        if is_shared && entry.path() != current && unused().is_some_and(|unused| unused > EXPIRE) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes the pieces of an index, and its hash. It guards against a bad disk, not against forgers: as in git, without the
/// costly search for collisions.
fn write_hashed(pieces: &[&[u8]], skip_hash: bool, mut to: &fs::File) -> io::Result<()> {
    let hash = || {
        let mut hasher = Sha1::new();
        pieces.iter().for_each(|piece| hasher.update(piece));
        hasher.finalize().into()
    };
    // Of a large index each takes some milliseconds: hashing, writing, and what the disk does.
    thread::scope(|scope| {
        let hashing = (!skip_hash).then(|| scope.spawn(hash));
        write_pieces(to, pieces)?;
        let hash = hashing.map_or([0; ID], |hashing| hashing.join().expect("it cannot panic"));
        to.write_all(&hash)
    })
}

/// The changes by path, with what HEAD had there; `None` where a path was a folder.
fn spliceable<'c>(
    repo: &Repository,
    draft: &Draft,
    changes: &[PathChange],
    edits: &'c [Edit],
) -> Result<Option<Changes<'c>>, GitError> {
    if repo.object_hash() != gix::hash::Kind::Sha1 {
        return Ok(None);
    }
    let mut spliceable: Changes<'_> = edits
        .iter()
        .zip(changes)
        .map(|(edit, change)| {
            let new = edit.entry.map(|(kind, id)| (index_mode(kind.into()), id, stat_of(change)));
            (edit.path.as_str().as_bytes(), Change { old: None, new })
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

fn stat_of(change: &PathChange) -> fields::Stat {
    change.content.as_ref().map(|content| index_stat(&content.stat)).unwrap_or_default()
}

/// git keeps the low 32 bits.
fn index_stat(stat: &Stat) -> fields::Stat {
    let time = |(seconds, nsecs): (i64, u32)| fields::stat::Time { secs: seconds as u32, nsecs };
    fields::Stat {
        mtime: time(stat.mtime),
        ctime: time(stat.ctime),
        dev: stat.dev as u32,
        ino: stat.ino as u32,
        uid: stat.uid,
        gid: stat.gid,
        size: stat.size as u32,
    }
}

fn index_mode(mode: EntryMode) -> Mode {
    Mode::from_bits_truncate(mode.value().into())
}
