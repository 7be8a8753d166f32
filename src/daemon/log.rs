//! The log of a daemon in the background: its standard error, in a file that is put away when it has grown long.

use parking_lot::Mutex;
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Bytes from which on a log is put away, as the one before. Twice as many are kept.
const LONG: u64 = 1 << 20;

/// Where standard error goes, if it is a log of ours.
static OURS: Mutex<Option<Log>> = Mutex::new(None);

struct Log {
    path: PathBuf,
    length: u64,
}

/// The log at this path, to be added to.
pub fn open(path: &Path) -> io::Result<File> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > LONG => fs::rename(path, path.with_extension("log.1"))?,
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    OpenOptions::new().create(true).append(true).read(true).open(path)
}

/// Keeps the log at this path short from now on, if it is where this process's standard error goes.
pub fn adopt(path: &Path) {
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let length = || {
        let stderr = rustix::fs::fstat(rustix::stdio::stderr()).ok()?;
        let log = fs::metadata(path).ok()?;
        let length = log.len();
        (id(log) == (stderr.st_dev, stderr.st_ino)).then_some(length)
    };
    *OURS.lock() = length().map(|length| Log { path: path.to_owned(), length });
}

/// Hears what was written to standard error. Whoever calls holds its lock, so that nothing is written meanwhile.
pub fn wrote(bytes: usize) {
    let mut ours = OURS.lock();
    let Some(log) = ours.as_mut() else { return };
    log.length += bytes as u64;
    // Where it cannot be put away (a full disk), it goes on; so much later it is tried again.
    if log.length > LONG {
        log.length = 0;
        let _ = open(&log.path).and_then(|new| Ok(rustix::stdio::dup2_stderr(new)?));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_put_away_when_it_is_opened_and_a_short_one_is_added_to() {
        let dir = tempfile::tempdir().unwrap();
        let (path, before) = (dir.path().join("daemon.log"), dir.path().join("daemon.log.1"));
        open(&path).unwrap();
        fs::write(&path, "short").unwrap();
        assert_eq!(open(&path).unwrap().metadata().unwrap().len(), 5);
        File::options().write(true).open(&path).unwrap().set_len(LONG + 1).unwrap();
        assert_eq!(open(&path).unwrap().metadata().unwrap().len(), 0);
        assert_eq!(fs::metadata(before).unwrap().len(), LONG + 1);
    }
}
