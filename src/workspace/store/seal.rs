//! Whether the index was closed in good order and is as it was then: to check every page of a large one takes seconds.
//!
//! The seal is a note beside the index that says what its file was when it was closed. Opening breaks it. After a crash,
//! a damaged page that was met, or a change by somebody else, it is missing or does not fit, and the index is checked.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Seals the index when it is dropped, which must come after the last connection.
pub(super) struct Seal {
    index: PathBuf,
    damaged: Arc<AtomicBool>,
}

impl Seal {
    /// `damaged` says by then whether something was wrong with it.
    pub fn new(index: &Path, damaged: Arc<AtomicBool>) -> Self {
        Self { index: index.to_owned(), damaged }
    }

    /// Breaks the seal of a closed index; answers whether it was whole.
    pub fn break_open(index: &Path) -> bool {
        let was = fs::read_to_string(note(index));
        let broken = fs::remove_file(note(index));
        let is_open = index.with_extension("db-wal").exists();
        broken.is_ok() && !is_open && was.ok().zip(print(index).ok()).is_some_and(|(was, is)| was == is)
    }

    fn put(&self) -> io::Result<()> {
        fs::write(note(&self.index), print(&self.index)?)
    }
}

impl Drop for Seal {
    fn drop(&mut self) {
        // Another process may have it open; and without a seal it is only checked.
        if !self.damaged.load(Ordering::Relaxed) && !self.index.with_extension("db-wal").exists() {
            let _ = self.put();
        }
    }
}

fn note(index: &Path) -> PathBuf {
    index.with_extension("seal")
}

fn print(index: &Path) -> io::Result<String> {
    let found = fs::metadata(index)?;
    Ok(format!("{} {} {}.{:09}\n", found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}
