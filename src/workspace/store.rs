//! SQLite: the journal (durable) and the index (derived, rebuilt when missing).
//!
//! `journal.db` has what must survive: raw operations, events, what every path was when its events were written, what is
//! not committed, the outbox. `index.db` has the snapshots, for questions. The journal is written first; an index that
//! is older than it is caught up by the next scan, and no event is told twice. A damaged file is set aside.

mod database;
mod files;
mod history;
mod log;
mod outbox;
mod past;
mod recovery;
mod schema;
mod seal;
pub mod sql;
mod texts;

pub(in crate::workspace) use files::{Fingerprint, sync_keys};
pub use files::{Known, Settled};
pub use outbox::{OutboxEntry, OutboxState};
pub use past::{Chronicler, Latest, Past, PastBlob, PastCommit, PastFile};
pub use texts::{Excerpt, Found, Text, Texts};

use crate::{domain::event::Event, fault};
use database::Database;
use log::EventLog;
use parking_lot::Mutex;
use rusqlite::OptionalExtension;
use seal::Seal;
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

/// Events that `events.jsonl` starts with.
const LOGGED_EVENTS: usize = 10_000;

/// Both databases of one workspace. Cheap to share: `Arc<Store>`; every method takes `&self`.
pub struct Store {
    dir: PathBuf,
    /// Taken before the journal's writer, so that lines stand in the order of their numbers.
    log: Mutex<EventLog>,
    /// Read without the lock, which is held while the disk is waited for.
    log_reader: Arc<File>,
    journal: Database,
    index: Database,
    /// How often the index has taken something over since it was opened.
    generation: AtomicU64,
    /// Put when the databases are closed: fields are dropped in this order.
    seals: Vec<Seal>,
    /// Locked for as long as this process is the one that keeps the derived files.
    _owner: Option<File>,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the index is damaged or locked: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("a stored value cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    #[error("a stored path cannot be read: {0}")]
    Path(#[from] crate::domain::path::BadPath),
    #[error("the workspace's state was written by a newer trackfs")]
    TooNew,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the disk under the workspace's state is too slow: others have waited for it for long")]
    Slow,
    /// A defect of trackfs, which the log has told of.
    #[error("trackfs failed inside; its log says where")]
    Panicked,
    /// Whoever handed over what git has could not read it.
    #[error("git's history cannot be read: {0}")]
    Source(String),
}

impl Store {
    /// Opens (making or migrating) `journal.db` and `index.db` in `dir`. A damaged one is set aside and made anew.
    /// Several processes may have a store open; the first keeps `events.jsonl` short.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(dir)?;
        let owner = own(dir)?;
        let journal = recovery::open_journal(dir, owner.is_some())?;
        let index = recovery::open_index(dir, owner.is_some())?;
        let seals = owner.iter().flat_map(|_| [journal.seal(), index.seal()]).collect();
        let newest = match owner {
            Some(_) => Some(history::newest(&journal, LOGGED_EVENTS)?),
            None => None,
        };
        let log = EventLog::open(dir, newest.as_deref())?;
        let log_reader = Arc::new(log.reader()?);
        Ok(Self {
            dir: dir.to_owned(),
            log: Mutex::new(log),
            log_reader,
            journal,
            index,
            generation: AtomicU64::default(),
            seals,
            _owner: owner,
        })
    }

    /// What a person should know of the store: a journal that was set aside.
    pub fn notes(&self) -> Vec<String> {
        recovery::notes(&self.dir)
    }

    /// Spares the next start a check of everything. For a process that ends without dropping this, as its last act.
    pub fn seal(&self) -> Result<(), StoreError> {
        if !self.seals.is_empty() {
            self.journal.fold()?;
            self.index.fold()?;
        }
        Ok(self.seals.iter().try_for_each(Seal::put)?)
    }

    /// `events.jsonl`: the newest events, and every new one as it comes.
    pub fn events_file(&self) -> Arc<File> {
        self.log_reader.clone()
    }

    /// A durable note of some other layer's; `None` when it was never set.
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.journal.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?")?;
            Ok(statement.query_row([key], |row| row.get(0)).optional()?)
        })
    }

    pub fn set_meta(&self, key: &str, value: &str) -> Result<(), StoreError> {
        self.journal.write(|transaction| history::note(transaction, key, value))
    }

    /// Runs `work`, which answers events that are durable by then, and appends these to `events.jsonl`.
    fn logged(&self, work: impl FnOnce() -> Result<Vec<Event>, StoreError>) -> Result<Vec<Event>, StoreError> {
        let mut log = self.log.lock();
        let events = work()?;
        fault::point("events.durable");
        if !events.is_empty() {
            log.append(&events);
        }
        Ok(events)
    }
}

/// The lock file, if no other process has it.
fn own(dir: &Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(dir.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests;
