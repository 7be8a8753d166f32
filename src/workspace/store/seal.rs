//! Whether a database was closed in good order and is as it was then: to check every page of a large one takes seconds.
//!
//! The seal is a note beside the database that says what its file was when it was closed. Opening breaks it. After a crash,
//! a damaged page that was met, or a change by somebody else, it is missing or does not fit, and the database is checked.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Seals the database when it is dropped, which must come after the last connection.
pub(super) struct Seal {
    file: PathBuf,
    damaged: Arc<AtomicBool>,
}

impl Seal {
    /// `damaged` says by then whether something was wrong with it.
    pub fn new(file: &Path, damaged: Arc<AtomicBool>) -> Self {
        Self { file: file.to_owned(), damaged }
    }

    /// Breaks the seal of a closed database; answers whether it was whole.
    pub fn break_open(file: &Path) -> bool {
        let was = fs::read_to_string(note(file));
        let broken = fs::remove_file(note(file));
        let is_open = file.with_extension("db-wal").exists();
        broken.is_ok() && !is_open && was.ok().zip(print(file).ok()).is_some_and(|(was, is)| was == is)
    }

    fn put(&self) -> io::Result<()> {
        fs::write(note(&self.file), print(&self.file)?)
    }
}

impl Drop for Seal {
    fn drop(&mut self) {
        // Another process may have it open; and without a seal it is only checked.
        if !self.damaged.load(Ordering::Relaxed) && !self.file.with_extension("db-wal").exists() {
            let _ = self.put();
        }
    }
}

fn note(file: &Path) -> PathBuf {
    file.with_extension("seal")
}

fn print(file: &Path) -> io::Result<String> {
    let found = fs::metadata(file)?;
    Ok(format!("{} {} {}.{:09}\n", found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}
