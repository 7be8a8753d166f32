//! Making what gix wrote survive a power cut: it never syncs anything itself.
//!
//! A commit writes a dozen files. They are synced one by one, several at a time, so that the disk can do it in one go and
//! nobody else's unwritten data is waited for. Many files are left to a sync of their whole filesystem.

use super::GitError;
use gix::{
    ObjectId, Repository,
    objs::{Kind, Write, compute_hash},
};
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Write as _},
    ops::Range,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

/// `git gc` prunes what no ref names once it is two weeks old, or whatever its user configured.
const YOUNG: Duration = Duration::from_secs(60 * 60);

/// With more files than this, a sync of everything is cheaper, even beside others who write.
const FEW: usize = 16;
/// Syncs under way at a time: they share what the disk does.
const AT_ONCE: usize = 8;
/// Bytes that are written before the disk begins with them.
const PART: usize = 2 << 20;
const PAGE: usize = 4096;

/// Writes an object that is not there yet. One that a power cut left empty, or a part of, before it was synced is written
/// anew: by its name alone it would be taken for the whole one.
pub(super) fn write_object(repo: &Repository, kind: Kind, bytes: &[u8]) -> Result<ObjectId, GitError> {
    let id = compute_hash(repo.object_hash(), kind, bytes)?;
    match repo.try_find_object(id) {
        Ok(Some(_)) => Ok(id),
        Ok(None) | Err(_) => Ok(repo.objects.write_buf(kind, bytes)?),
    }
}

/// Makes loose objects durable, and keeps them from being pruned before a ref names them.
pub(super) fn sync_objects(objects: &Path, ids: &[ObjectId]) -> io::Result<()> {
    freshen(objects, ids)?;
    let files = ids.iter().map(|id| loose_file(objects, *id));
    sync_files(&files.collect::<Vec<_>>(), objects)
}

/// Where a loose object stands.
pub(super) fn loose_file(objects: &Path, id: ObjectId) -> PathBuf {
    let hex = id.to_string();
    objects.join(&hex[..2]).join(&hex[2..])
}

/// Makes the content of files durable and their names in all folders up to `base`. What is not there is left out: an
/// object may be in a pack, a ref may have no log.
pub(super) fn sync_files(files: &[PathBuf], base: &Path) -> io::Result<()> {
    if files.len() > FEW {
        return sync_filesystem(base);
    }
    let folders = files.iter().flat_map(|file| file.ancestors().skip(1).take_while(|folder| folder.starts_with(base)));
    let all: BTreeSet<&Path> = files.iter().map(PathBuf::as_path).chain(folders).collect();
    let todo = Mutex::new(all.into_iter());
    let work = || {
        loop {
            // The lock is free again while the disk works.
            let Some(path) = todo.lock().next() else { return Ok(()) };
            sync_if_there(path)?;
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("it cannot panic"))
    })
}

pub(super) fn sync_if_there(path: &Path) -> io::Result<()> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        file => file?.sync_all(),
    }
}

/// Keeps git from pruning objects that were there already, unused, before a ref names them.
fn freshen(objects: &Path, ids: &[ObjectId]) -> io::Result<()> {
    for id in ids {
        let file = match File::open(loose_file(objects, *id)) {
            // Packed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        if file.metadata()?.modified()?.elapsed().is_ok_and(|age| age > YOUNG) {
            // Refused where the object is another user's; then pruning is theirs to time.
            let _ = file.set_modified(SystemTime::now());
        }
    }
    Ok(())
}

/// Writes the pieces of a file. The disk begins with it meanwhile, so that its sync has less to wait for.
pub(super) fn write_pieces(mut file: &File, pieces: &[&[u8]]) -> io::Result<()> {
    let (mut begun, mut written) = (0, 0);
    for part in pieces.iter().flat_map(|piece| piece.chunks(PART)) {
        file.write_all(part)?;
        written += part.len();
        if written - begun >= PART {
            // The last page is not full yet.
            let full = written - written % PAGE;
            begin_sync(file, begun..full);
            begun = full;
        }
    }
    Ok(())
}

/// Lets the disk begin with these bytes of a file. Nothing is durable by it.
#[cfg(target_os = "linux")]
fn begin_sync(file: &File, bytes: Range<usize>) {
    use std::os::fd::AsRawFd;
    let (Ok(at), Ok(length)) = (bytes.start.try_into(), bytes.len().try_into()) else { return };
    // SAFETY: the descriptor is open for the whole call.
    unsafe { libc::sync_file_range(file.as_raw_fd(), at, length, libc::SYNC_FILE_RANGE_WRITE) };
}

#[cfg(not(target_os = "linux"))]
fn begin_sync(_file: &File, _bytes: Range<usize>) {}

/// Brings a file's content and its name to the disk.
pub(super) fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Brings the names in a folder to the disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Brings everything on the filesystem that holds `path` to the disk.
#[cfg(target_os = "linux")]
pub(super) fn sync_filesystem(path: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let file = File::open(path)?;
    // SAFETY: the descriptor is open for the whole call.
    if unsafe { libc::syncfs(file.as_raw_fd()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn sync_filesystem(_path: &Path) -> io::Result<()> {
    // SAFETY: has no preconditions.
    unsafe { libc::sync() };
    Ok(())
}
