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

/// Seals the database: when it is dropped, which must come after the last connection, or before that by [`Seal::put`].
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
        let same = || was.ok().zip(print(file).ok()).is_some_and(|(was, is)| was == is);
        broken.is_ok() && !is_written(file) && same()
    }

    /// Seals a database of which everything is in its file. Whatever is written later breaks it.
    pub fn put(&self) -> io::Result<()> {
        // Another process may be writing; and without a seal it is only checked.
        if self.damaged.load(Ordering::Relaxed) || is_written(&self.file) {
            return Ok(());
        }
        fs::write(note(&self.file), print(&self.file)?)
    }
}

impl Drop for Seal {
    fn drop(&mut self) {
        let _ = self.put();
    }
}

/// Whether SQLite's log holds something that is not in the file.
fn is_written(file: &Path) -> bool {
    fs::metadata(file.with_extension("db-wal")).is_ok_and(|log| log.len() > 0)
}

fn note(file: &Path) -> PathBuf {
    file.with_extension("seal")
}

fn print(file: &Path) -> io::Result<String> {
    let found = fs::metadata(file)?;
    Ok(format!("{} {} {}.{:09}\n", found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}
