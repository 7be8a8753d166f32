//! One SQLite file: a single writer, a few readers, migrations by `user_version`.

use super::{StoreError, seal::Seal};
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Longest time for which a transaction waits for the one before it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest time for which SQLite waits for another process.
const BUSY: Duration = Duration::from_secs(10);
/// Readers that are kept open for the next call.
const IDLE_READERS: usize = 4;
/// In KiB, as SQLite counts: what it does not keep is in the system's cache.
const READER_CACHE: i64 = -256;

pub(super) struct Database {
    file: PathBuf,
    readers: Mutex<Vec<Connection>>,
    /// Whether SQLite has met a page that cannot be right.
    pub damaged: Arc<AtomicBool>,
    /// Closed last: only a writer can fold the write-ahead log into the file and leave one file.
    writer: Mutex<Connection>,
}

/// What a power cut may take: nothing, or the newest transactions (never consistency).
#[derive(Clone, Copy)]
pub(super) enum Durability {
    Full,
    Normal,
}

impl Database {
    /// Opens or makes the file and brings it to the last of `steps`.
    pub fn open(file: &Path, durability: Durability, steps: &[&str]) -> Result<Self, StoreError> {
        let mut writer = Connection::open(file)?;
        configure(&writer)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        let synchronous = match durability {
            Durability::Full => "FULL",
            Durability::Normal => "NORMAL",
        };
        writer.pragma_update(None, "synchronous", synchronous)?;
        migrate(&mut writer, steps)?;
        // SQLite opens what it must not write all the same: a file of others, or one whose header is damaged.
        if writer.is_readonly(rusqlite::MAIN_DB)? {
            let refused = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
            return Err(rusqlite::Error::SqliteFailure(refused, None).into());
        }
        Ok(Self {
            file: file.to_owned(),
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            damaged: Arc::default(),
        })
    }

    /// Opens or makes what is derived from something else: a damaged file is made anew.
    pub fn open_derived(file: &Path, steps: &[&str]) -> Result<Self, StoreError> {
        match Self::open(file, Durability::Normal, steps) {
            Err(StoreError::Sqlite(error)) if is_damage(&error) => {
                for end in ["", "-wal", "-shm"] {
                    let mut part = file.as_os_str().to_owned();
                    part.push(end);
                    remove(Path::new(&part))?;
                }
                Self::open(file, Durability::Normal, steps)
            }
            opened => opened,
        }
    }

    /// Seals the file when the seal is dropped, which must come after this.
    pub fn seal(&self) -> Seal {
        Seal::new(&self.file, self.damaged.clone())
    }

    /// Whether SQLite finds every page in order, every row in every index of its table, and what a row refers to: a file that
    /// misses some fails only when it is used.
    pub fn is_sound(&self) -> bool {
        let check = |connection: &Connection| {
            let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
            open_all(connection)?;
            Ok(found == "ok" && !connection.prepare("PRAGMA foreign_key_check")?.exists([])?)
        };
        self.read(check).unwrap_or(false)
    }

    /// Whether the tables are those that `steps` make.
    pub fn has_schema(&self, steps: &[&str]) -> bool {
        let fresh = || {
            let mut fresh = Connection::open_in_memory()?;
            migrate(&mut fresh, steps)?;
            tables(&fresh)
        };
        matches!((fresh(), self.read(tables)), (Ok(fresh), Ok(ours)) if fresh == ours)
    }

    /// Runs `work` in one transaction that is committed when it answers `Ok`.
    pub fn write<T>(&self, work: impl FnOnce(&Transaction) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut writer = self.writer.try_lock_for(PATIENCE).ok_or(StoreError::Slow)?;
        let write = || {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = work(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        };
        self.heed(write())
    }

    /// Runs `work` on a connection that sees every transaction committed before the call.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.readers.lock().pop();
        let reader = match idle {
            Some(reader) => reader,
            None => self.reader()?,
        };
        let answer = work(&reader);
        let mut readers = self.readers.lock();
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        self.heed(answer)
    }

    /// Brings everything that is only in the log into the file.
    pub fn fold(&self) -> Result<(), StoreError> {
        Ok(self.writer.lock().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    fn heed<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        if let Err(StoreError::Sqlite(error)) = &answer
            && matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
        {
            self.damaged.store(true, Ordering::Relaxed);
        }
        answer
    }

    fn reader(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Connection::open_with_flags(&self.file, flags)?;
        configure(&reader)?;
        reader.pragma_update(None, "cache_size", READER_CACHE)?;
        Ok(reader)
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, ReadOnly};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase | ReadOnly))
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Puts a cursor on every table and every index. The check of pages finds nothing wrong with an empty one of the wrong kind.
fn open_all(connection: &Connection) -> Result<(), StoreError> {
    let query = "SELECT name, tbl_name, type = 'index', coalesce(sql, '') FROM sqlite_master WHERE rootpage > 0";
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, table, is_index, sql): (String, String, bool, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        // An index of some rows serves a query for those alone.
        let rows = sql.split_once(" WHERE ").filter(|_| is_index).map_or("TRUE", |(_, rows)| rows);
        let by = if is_index { format!("INDEXED BY \"{name}\"") } else { "NOT INDEXED".to_owned() };
        connection.prepare(&format!("SELECT 1 FROM \"{table}\" {by} WHERE {rows}"))?.exists([])?;
    }
    Ok(())
}

/// Tables and indexes as they were declared.
fn tables(connection: &Connection) -> Result<Vec<(String, String, Option<String>)>, StoreError> {
    let mut statement = connection.prepare("SELECT type, name, sql FROM sqlite_master ORDER BY type, name")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn migrate(connection: &mut Connection, steps: &[&str]) -> Result<(), StoreError> {
    // Immediate: two processes that open a new file at once take turns.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let have: usize = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if have > steps.len() {
        return Err(StoreError::TooNew);
    }
    if have == steps.len() {
        return Ok(());
    }
    for step in &steps[have..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", steps.len())?;
    Ok(transaction.commit()?)
}
