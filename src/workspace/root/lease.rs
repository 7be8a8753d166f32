//! Asking the kernel whether anybody, in this process or another, holds a file open for writing.

use rustix::fd::BorrowedFd;

/// Whether a descriptor or mapping that can write to this file exists anywhere. `file` is open for reading alone.
/// `false` where the filesystem or the platform cannot tell.
#[cfg(target_os = "linux")]
pub(super) fn has_writer(file: BorrowedFd<'_>) -> bool {
    use std::os::fd::AsRawFd;
    /// `fcntl` command that names the signal of a lease; the libc crate has no constant for it.
    const F_SETSIG: libc::c_int = 10;
    let file = file.as_raw_fd();
    // A read lease is granted only on a file that nobody can write to. It is given back at once; an open that falls
    // into that moment makes the kernel signal us: SIGURG is ignored by default, where SIGIO would end the process.
    // SAFETY: plain fcntl calls on a descriptor that is borrowed, so open, for their duration.
    unsafe {
        libc::fcntl(file, F_SETSIG, libc::SIGURG);
        let refused = libc::fcntl(file, libc::F_SETLEASE, libc::F_RDLCK) == -1
            && std::io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN);
        libc::fcntl(file, libc::F_SETLEASE, libc::F_UNLCK);
        refused
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn has_writer(_: BorrowedFd<'_>) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, os::fd::AsFd};

    #[cfg(target_os = "linux")]
    #[test]
    fn a_writer_is_seen_for_as_long_as_it_is_open() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let reader = File::open(file.path()).unwrap();
        assert!(has_writer(reader.as_fd()));
        let path = file.into_temp_path();
        assert!(!has_writer(reader.as_fd()));
        drop(path);
    }
}
