//! What is mounted where, as `/proc/self/mountinfo` tells it, and how to take a mount away.

use rustix::{
    fs::statfs,
    io::Errno,
    mount::{UnmountFlags, unmount},
};
use std::{
    ffi::OsString,
    fs, io,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The name that our mounts have in the table.
pub(super) const FS_NAME: &str = "trackfs";

/// One mount. Two are the same while the file system behind them is alive; numbers are reused soon after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MountEntry {
    /// Mount number and device.
    pub id: (String, String),
    kind: String,
    source: String,
}

impl MountEntry {
    pub fn is_ours(&self) -> bool {
        self.kind.starts_with("fuse") && self.source == FS_NAME
    }

    /// The device number that `stat` reports of everything in it.
    pub fn device(&self) -> Option<u64> {
        let (major, minor) = self.id.1.split_once(':')?;
        Some(rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?))
    }
}

/// The topmost mount at exactly this path, which must be absolute and without symlinks.
pub(super) fn mounted_at(path: &Path) -> Option<MountEntry> {
    let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
    table.lines().rev().filter_map(parse).find(|(at, _)| at == path).map(|(_, entry)| entry)
}

fn parse(line: &str) -> Option<(PathBuf, MountEntry)> {
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<&str> = left.split(' ').collect();
    let mut right = right.split(' ');
    let id = ((*left.first()?).to_owned(), (*left.get(2)?).to_owned());
    let (kind, source) = (right.next()?.to_owned(), right.next()?.to_owned());
    Some((unescape(left.get(4)?), MountEntry { id, kind, source }))
}

/// Blanks and backslashes are written as three octal digits.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|_| *byte == b'\\');
        let code = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(code.unwrap_or(*byte));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// Takes away the topmost mount at a path, if nobody uses it.
pub(super) fn unmount_idle(path: &Path) -> io::Result<()> {
    match unmount(path, UnmountFlags::NOFOLLOW) {
        Err(Errno::PERM) => unmount_by_helper(path, &["-u", "-q", "--"]),
        done => Ok(done?),
    }
}

/// Detaches the topmost mount at a path: gone from the tree at once, and for good when the last file is closed.
pub(super) fn unmount_lazily(path: &Path) -> io::Result<()> {
    match unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        Err(Errno::PERM) => unmount_by_helper(path, &["-u", "-q", "-z", "--"]),
        done => Ok(done?),
    }
}

/// Users may only unmount through the set-uid helper.
fn unmount_by_helper(path: &Path, arguments: &[&str]) -> io::Result<()> {
    let status = Command::new("fusermount3")
        .args(arguments)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("fusermount3 ended with {status}"))) }
}

/// Whether the daemon behind a mount is gone. What `stat` says of its root the kernel may still remember.
pub(super) fn is_dead(path: &Path) -> bool {
    statfs(path).is_err_and(|error| error == Errno::NOTCONN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_read_with_its_escapes() {
        let line = r"36 35 0:45 / /mnt/my\040notes\134x rw,nosuid shared:1 - fuse.trackfs trackfs rw,user_id=0";
        let (path, entry) = parse(line).unwrap();
        assert_eq!(path, Path::new(r"/mnt/my notes\x"));
        assert_eq!(entry.id, ("36".into(), "0:45".into()));
        assert!(entry.is_ours());
    }

    #[test]
    fn another_file_system_is_not_ours() {
        let (_, entry) = parse("1 2 8:1 / / rw - ext4 /dev/sda1 rw").unwrap();
        assert!(!entry.is_ours());
    }
}
