//! A simulator's state on disk: one JSON file per issue, which a person can read and edit.

use crate::domain::issue::RemoteIssue;
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

pub(super) struct Folder(PathBuf);

/// What a folder holds: an issue by key, or `None` for a file that is not (yet) readable as one.
pub(super) type Listing = BTreeMap<String, Option<RemoteIssue>>;

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self(path.to_owned()))
    }

    pub(super) fn read(&self) -> io::Result<Listing> {
        let mut listing = Listing::new();
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            let key = path.file_stem().and_then(OsStr::to_str).filter(|key| !key.starts_with('.'));
            let Some(key) = key.filter(|_| path.extension() == Some(OsStr::new("json"))) else { continue };
            listing.insert(key.to_owned(), serde_json::from_slice(&fs::read(&path)?).ok());
        }
        Ok(listing)
    }

    /// Replaces the issue's file whole, so that no reader sees half of it.
    pub(super) fn write(&self, issue: &RemoteIssue) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
        serde_json::to_writer_pretty(&mut file, issue)?;
        file.write_all(b"\n")?;
        file.persist(self.0.join(format!("{}.json", issue.key)))?;
        Ok(())
    }

    pub(super) fn remove(&self, key: &str) -> io::Result<()> {
        match fs::remove_file(self.0.join(format!("{key}.json"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
