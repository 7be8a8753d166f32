//! Opening by relative path without following a symlink or leaving a directory.

use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{self, Mode, OFlags, ResolveFlags},
    io::{Errno, Result},
};
use std::sync::atomic::{AtomicBool, Ordering};

/// Flags that open a folder for listing and for `*at` calls.
pub(super) const OPEN_FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Lets reads through a descriptor leave the access time as it is: who looks for their own purposes is no reader. Only the
/// owner of a file, and root, may; for others it stays as it was.
pub fn leave_access_time(file: impl AsFd) {
    #[cfg(target_os = "linux")]
    let _ = fs::fcntl_setfl(file, OFlags::NOATIME);
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// The folder as a mount of its own, which is nowhere, in which no reading changes an access time: for those who read by
/// path and cannot be told to leave it. Only root may have one.
#[cfg(target_os = "linux")]
pub(super) fn quiet_view(folder: impl AsFd) -> Result<OwnedFd> {
    use rustix::mount::{OpenTreeFlags, open_tree};
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let view = open_tree(folder, "", flags)?;
    let set = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_NOATIME,
        attr_clr: libc::MOUNT_ATTR__ATIME,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: the descriptor and the path are valid, and `set` is as long as it says.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            std::os::fd::AsRawFd::as_raw_fd(&view),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const set,
            size_of::<libc::mount_attr>(),
        )
    };
    if answer == 0 {
        Ok(view)
    } else {
        Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn quiet_view(_: impl AsFd) -> Result<OwnedFd> {
    Err(Errno::NOSYS)
}

/// A directory below which every open stays.
pub(super) struct Confined {
    folder: OwnedFd,
    /// Set once `openat2` was answered "no such call" (an old kernel, or a seccomp filter).
    by_component: AtomicBool,
}

impl Confined {
    pub fn new(folder: OwnedFd) -> Self {
        Self { folder, by_component: AtomicBool::new(!cfg!(target_os = "linux")) }
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// Opens a relative path of legal names (or `.`). ELOOP where a symlink is met.
    pub fn open(&self, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        if !self.by_component.load(Ordering::Relaxed) {
            match open_beneath(&self.folder, path, flags, mode) {
                Err(Errno::NOSYS | Errno::PERM) => self.by_component.store(true, Ordering::Relaxed),
                answer => return answer,
            }
        }
        open_by_component(&self.folder, path, flags, mode)
    }
}

#[cfg(target_os = "linux")]
fn open_beneath(folder: &OwnedFd, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    loop {
        // EAGAIN: something was renamed while the kernel walked the path, and it could not prove that it stayed below.
        match fs::openat2(folder, path, flags, mode, resolve) {
            Err(Errno::AGAIN | Errno::INTR) => continue,
            answer => return answer,
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn open_beneath(_: &OwnedFd, _: &str, _: OFlags, _: Mode) -> Result<OwnedFd> {
    Err(Errno::NOSYS)
}

fn open_by_component(folder: &OwnedFd, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let Some((parents, name)) = path.rsplit_once('/') else {
        return fs::openat(folder, path, flags | OFlags::NOFOLLOW, mode);
    };
    let mut parent: Option<OwnedFd> = None;
    for step in parents.split('/') {
        let from = parent.as_ref().map_or(folder.as_fd(), |opened| opened.as_fd());
        parent = Some(fs::openat(from, step, OPEN_FOLDER, Mode::empty())?);
    }
    let parent = parent.expect("split yields at least one name");
    fs::openat(&parent, name, flags | OFlags::NOFOLLOW, mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn both_ways_of_opening_refuse_symlinks_and_find_files() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::write(dir.path().join("a/b/f"), "x").unwrap();
        symlink("a", dir.path().join("link")).unwrap();
        symlink("/etc/passwd", dir.path().join("out")).unwrap();
        let folder = fs::open(dir.path(), OPEN_FOLDER, Mode::empty()).unwrap();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        for open in [open_beneath, open_by_component] {
            assert!(open(&folder, "a/b/f", flags, Mode::empty()).is_ok());
            assert!(open(&folder, ".", OPEN_FOLDER, Mode::empty()).is_ok());
            assert_eq!(open(&folder, "a/none", flags, Mode::empty()).unwrap_err(), Errno::NOENT);
            assert_eq!(open(&folder, "out", flags, Mode::empty()).unwrap_err(), Errno::LOOP);
            let through_link = open(&folder, "link/b/f", flags, Mode::empty()).unwrap_err();
            assert!(matches!(through_link, Errno::LOOP | Errno::NOTDIR), "{through_link}");
        }
    }
}
