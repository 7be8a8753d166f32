//! Making what gix wrote survive a power cut: it never syncs anything itself.
//!
//! A sync of the whole filesystem costs about as much as one of a single file, and a commit writes a dozen.

use gix::ObjectId;
use std::{
    fs::File,
    io,
    path::Path,
    time::{Duration, SystemTime},
};

/// `git gc` prunes what no ref names once it is two weeks old, or whatever its user configured.
const YOUNG: Duration = Duration::from_secs(60 * 60);

/// Keeps git from pruning objects that were there already, unused, before a ref names them.
pub(super) fn freshen(objects: &Path, ids: &[ObjectId]) -> io::Result<()> {
    for hex in ids.iter().map(ToString::to_string) {
        let file = match File::open(objects.join(&hex[..2]).join(&hex[2..])) {
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
