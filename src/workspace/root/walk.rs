//! Walking the real directory.

use super::{Root, Stat, leave_access_time};
use crate::domain::path::WsPath;
use rustix::fs::{self, AtFlags, Dir};
use std::io;

impl Root {
    /// Visits everything below `folder`, in no order: each entry once, folders before what is in them. `visit` answers
    /// whether a folder shall be entered. Skips `.git`, other devices, names that are not UTF-8, what vanishes meanwhile,
    /// and folders that cannot be read; symlinks are entries, never followed.
    pub fn walk(&self, folder: &WsPath, mut visit: impl FnMut(&WsPath, &Stat) -> bool) -> io::Result<()> {
        let mut folders = vec![folder.clone()];
        while let Some(folder) = folders.pop() {
            match self.walk_one(&folder, &mut folders, &mut visit) {
                Err(error) if is_gone(&error) => {}
                // Of all other folders the caller learns all the same.
                Err(error) if !folder.is_root() => tracing::warn!(%folder, %error, "a folder cannot be read"),
                walked => walked?,
            }
        }
        Ok(())
    }

    fn walk_one(
        &self,
        folder: &WsPath,
        folders: &mut Vec<WsPath>,
        visit: &mut impl FnMut(&WsPath, &Stat) -> bool,
    ) -> io::Result<()> {
        let opened = self.open_folder(folder)?;
        leave_access_time(&opened);
        let mut entries = Dir::new(opened)?;
        while let Some(entry) = entries.read() {
            let entry = entry?;
            let Some(path) = entry.file_name().to_str().ok().and_then(|name| path_of(folder, name)) else { continue };
            let stat = match fs::statat(entries.fd()?, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => Stat::from(stat),
                Err(error) if is_gone(&error.into()) => continue,
                Err(error) => return Err(error.into()),
            };
            if stat.dev == self.dev && visit(&path, &stat) && stat.is_dir() {
                folders.push(path);
            }
        }
        Ok(())
    }
}

fn path_of(folder: &WsPath, name: &str) -> Option<WsPath> {
    if name == ".git" { None } else { folder.join(name).ok() }
}

/// Whether the error says that something else stands there now, or nothing.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory) || error.raw_os_error() == Some(libc::ELOOP)
}
