//! Moving an existing `.git` folder out of the workspace. At every instant `.git` leads to a whole repository.
//!
//! On one filesystem a gitfile is put where the folder shall go, and the two are exchanged in a single step. Across
//! filesystems the folder is copied, synced and compared before the gitfile takes its place.

use super::{
    GitError, durable,
    init::{parent, read_gitfile, remove_if_there, with_suffix, write_gitfile},
    mend, open,
};
use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// In a copy that does not count yet: `.git` is still the repository.
const COPYING: &str = "trackfs-copying";
/// Content of git's `index.lock` while a copy is made.
const HELD: &str = "held by trackfs while it moves the repository\n";
/// Beside `.git`: the folder that a gitfile replaced, to be removed.
const REPLACED: &str = ".trackfs-replaced";

/// Moves the folder `old` to `new` and leaves a gitfile. The user's identity stays what it was, also where it depends on
/// the place of the repository (`includeIf "gitdir:…"`).
pub(super) fn relocate(old: &Path, new: &Path) -> Result<(), GitError> {
    let lock = old.join("index.lock");
    match fs::read_to_string(&lock) {
        Ok(content) if content == HELD => fs::remove_file(&lock)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        _ => return Err(GitError::Locked("index.lock".to_owned())),
    }
    let identity = open::identity(old)?;
    clear_way(new)?;
    move_folder(old, new)?;
    if open::identity(new)? == identity { Ok(()) } else { mend::keep_identity(new, identity) }
}

fn move_folder(old: &Path, new: &Path) -> Result<(), GitError> {
    write_gitfile(new, new)?;
    match exchange(old, new) {
        Ok(()) => {
            durable::sync_folder(parent(new))?;
            Ok(durable::sync_folder(parent(old))?)
        }
        // Another filesystem, or one that cannot exchange.
        Err(_) => {
            let lock = old.join("index.lock");
            // Whatever git would change now, the copy might miss.
            fs::File::create_new(&lock)?.write_all(HELD.as_bytes())?;
            copy_over(old, new).inspect_err(|_| drop(fs::remove_file(&lock)))
        }
    }
}

/// Makes sure that nothing but leftovers of an interrupted run is at `new`.
fn clear_way(new: &Path) -> Result<(), GitError> {
    fs::create_dir_all(parent(new))?;
    let leftover = read_gitfile(new).as_deref() == Some(new) || new.join(COPYING).exists();
    if leftover {
        remove_if_there(new)?;
    } else if fs::read_dir(new).is_ok_and(|mut entries| entries.next().is_none()) {
        fs::remove_dir(new)?;
    } else if new.symlink_metadata().is_ok() {
        let kind = io::ErrorKind::AlreadyExists;
        return Err(io::Error::new(kind, format!("{} is in the way of the repository", new.display())).into());
    }
    Ok(())
}

fn copy_over(old: &Path, new: &Path) -> Result<(), GitError> {
    let incoming = with_suffix(new, ".incoming");
    remove_if_there(&incoming)?;
    copy_tree(old, &incoming)?;
    fs::write(incoming.join(COPYING), "")?;
    durable::sync_filesystem(&incoming)?;
    verify_tree(old, &incoming)?;
    fs::remove_file(incoming.join("index.lock"))?;
    clear_way(new)?;
    fs::rename(&incoming, new)?;
    durable::sync_folder(parent(new))?;
    Ok(swap_in_gitfile(old, new)?)
}

fn swap_in_gitfile(old: &Path, new: &Path) -> io::Result<()> {
    let replaced = with_suffix(old, REPLACED);
    remove_if_there(&replaced)?;
    write_gitfile(&replaced, new)?;
    if exchange(&replaced, old).is_err() {
        // No atomic exchange here: for an instant `.git` is missing; an interrupted run is taken up by the next.
        let gitfile = with_suffix(old, ".trackfs-gitfile");
        fs::rename(&replaced, &gitfile)?;
        fs::rename(old, &replaced)?;
        fs::rename(&gitfile, old)?;
    }
    durable::sync_folder(parent(old))
}

/// Removes what a move leaves behind, and mends what still points to the old place. May be repeated.
pub(super) fn finish(old: &Path, new: &Path) -> Result<(), GitError> {
    remove_if_there(&new.join(COPYING))?;
    remove_if_there(&with_suffix(old, REPLACED))?;
    mend::mend(old, new)
}

/// Exchanges what two names of one filesystem stand for, in a single step.
#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use std::{ffi::CString, os::unix::ffi::OsStrExt};
    let (one, other) = (CString::new(one.as_os_str().as_bytes())?, CString::new(other.as_os_str().as_bytes())?);
    // SAFETY: both are NUL-terminated and live for the whole call.
    let done =
        unsafe { libc::renameat2(libc::AT_FDCWD, one.as_ptr(), libc::AT_FDCWD, other.as_ptr(), libc::RENAME_EXCHANGE) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (entry, kind) = entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind)))?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    fs::set_permissions(to, fs::metadata(from)?.permissions())
}

/// Fails unless every file of `from` is in `to`, byte for byte: git may have written while it was copied.
fn verify_tree(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let (entry, kind) = entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind)))?;
        let copy = to.join(entry.file_name());
        let same = if kind.is_dir() {
            verify_tree(&entry.path(), &copy).is_ok()
        } else if kind.is_file() {
            fs::read(entry.path())? == fs::read(&copy)?
        } else {
            true
        };
        if !same {
            return Err(io::Error::other(format!("{} changed while it was copied", entry.path().display())));
        }
    }
    Ok(())
}
