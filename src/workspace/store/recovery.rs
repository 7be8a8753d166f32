//! Opening databases that may be damaged: what cannot be trusted is set aside, said, and made anew.
//!
//! The index is derived, so it only has to be sound. Of the journal more is asked: its tables are ours, every number in its
//! log follows the one before, and the events that were told are in it. A new journal begins with the number after the
//! greatest that was ever given, and takes over the outbox as far as it can be read.

use super::{
    StoreError,
    database::{Database, Durability},
    files, history, log, outbox, schema,
    seal::Seal,
};
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

const JOURNAL: &str = "journal.db";
const ASIDE: &str = "journal.db.damaged";
/// No log grows to this: a greater number was not given by us. JSON readers tell all numbers up to it apart.
const MAX_NUMBER: u64 = 1 << 53;

/// Opens the index; a damaged one is set aside and begun anew.
pub(super) fn open_index(dir: &Path, may_set_aside: bool) -> Result<Database, StoreError> {
    let file = dir.join("index.db");
    let open = || Database::open(&file, Durability::Normal, schema::INDEX);
    let sealed = may_set_aside && Seal::break_open(&file);
    match open() {
        Ok(index) if !may_set_aside || sealed || is_whole(&index) => Ok(index),
        // One of a newer trackfs, too: nothing is in it that cannot be made again.
        Err(error) if !may_set_aside || !(is_damage(&error, &file) || matches!(error, StoreError::TooNew)) => {
            Err(error)
        }
        damaged => {
            drop(damaged);
            // Only the newest is kept: nothing is in it that the files do not say.
            let aside = file.with_extension("db.damaged");
            set_aside(&file, &aside)?;
            tracing::warn!(file = %aside.display(), "the index was damaged; it is rebuilt from the files");
            open()
        }
    }
}

fn is_whole(index: &Database) -> bool {
    index.is_sound() && index.has_schema(schema::INDEX) && files::read_through(index).is_ok()
}

/// Opens the journal; a damaged one is set aside, and the new one goes on with its numbers and its outbox.
pub(super) fn open_journal(dir: &Path, may_set_aside: bool) -> Result<Database, StoreError> {
    let file = dir.join(JOURNAL);
    let told = log::last_number(dir).filter(|number| *number <= MAX_NUMBER).unwrap_or(0);
    let open = || Database::open(&file, Durability::Full, schema::JOURNAL);
    if !may_set_aside {
        return open();
    }
    if file.metadata().map_or(0, |metadata| metadata.len()) == 0 {
        let journal = open()?;
        begin_after(&journal, told)?;
        return Ok(journal);
    }
    let sealed = Seal::break_open(&file);
    let judge = |journal: &Database| if sealed { Ok(None) } else { judge(journal, told) };
    match open().and_then(|journal| judge(&journal).map(|fault| (journal, fault))) {
        Ok((journal, None)) => return Ok(journal),
        Err(error) if !is_damage(&error, &file) => return Err(error),
        Ok((_, Some(fault))) => tracing::error!("the journal is damaged: {fault}"),
        Err(error) => tracing::error!("the journal is damaged: {error}"),
    }
    let aside = free_name(dir);
    set_aside(&file, &aside)?;
    tracing::error!(file = %aside.display(), "it is set aside; a new one is built from git and the files");
    let journal = open()?;
    take_over(&journal, &aside, told)?;
    Ok(journal)
}

/// What a person should know of journals that were set aside, for as long as they are there.
pub(super) fn notes(dir: &Path) -> Vec<String> {
    let named = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
    let entries = fs::read_dir(dir).into_iter().flatten();
    let is_journal = |name: &String| name.starts_with(ASIDE) && !name.ends_with("-wal") && !name.ends_with("-shm");
    let mut names: Vec<String> = entries.filter_map(named).filter(is_journal).collect();
    names.sort();
    let told = |name: String| {
        let file = dir.join(name);
        format!(
            "the journal was damaged, and built anew from git and the files; the old one is kept as {} until you remove it",
            file.display()
        )
    };
    names.into_iter().map(told).collect()
}

/// What is wrong with a journal that SQLite opens, if anything.
fn judge(journal: &Database, told: u64) -> Result<Option<&'static str>, StoreError> {
    if !journal.is_sound() {
        return Ok(Some("SQLite finds pages out of order"));
    }
    if !journal.has_schema(schema::JOURNAL) {
        return Ok(Some("its tables are not ours"));
    }
    let numbers = history::numbers(journal)?;
    if !numbers.is_unbroken() || numbers.last > MAX_NUMBER {
        return Ok(Some("numbers of events are missing"));
    }
    if numbers.last < told {
        return Ok(Some("events that were told are missing"));
    }
    history::newest(journal, super::LOGGED_EVENTS)?;
    history::read_through(journal)?;
    Ok(None)
}

/// Whether an error comes of what stands in the file, and not of the disk, the permissions or another process.
fn is_damage(error: &StoreError, file: &Path) -> bool {
    match error {
        StoreError::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => match failure.code {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch => true,
            // Statements that fit the schema fail on another one.
            ErrorCode::Unknown | ErrorCode::ConstraintViolation => true,
            // The header can say so, too.
            ErrorCode::ReadOnly | ErrorCode::CannotOpen => File::options().write(true).open(file).is_ok(),
            _ => false,
        },
        StoreError::Sqlite(_) | StoreError::Json(_) | StoreError::Path(_) => true,
        StoreError::TooNew | StoreError::Slow | StoreError::Panicked | StoreError::Io(_) | StoreError::Source(_) => {
            false
        }
    }
}

fn free_name(dir: &Path) -> PathBuf {
    let numbered = (2..).map(|n| format!("{ASIDE}.{n}"));
    let names = std::iter::once(ASIDE.to_owned()).chain(numbered);
    names.map(|name| dir.join(name)).find(|path| !path.exists()).expect("the numbers do not end")
}

/// Moves a database away, with the log of what is not in its file yet.
fn set_aside(file: &Path, aside: &Path) -> io::Result<()> {
    let beside = |path: &Path, ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    fs::rename(file, aside)?;
    for ending in ["-wal", "-shm"] {
        match fs::rename(beside(file, ending), beside(aside, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Brings what can still be read of the old journal into the new one.
fn take_over(journal: &Database, aside: &Path, told: u64) -> Result<(), StoreError> {
    let old = Connection::open_with_flags(aside, OpenFlags::SQLITE_OPEN_READ_ONLY).ok();
    let number = |query: &str| {
        let number = old.as_ref()?.query_row(query, [], |row| row.get::<_, u64>(0)).ok();
        number.filter(|number| *number <= MAX_NUMBER)
    };
    let given =
        number("SELECT max(seq) FROM events").max(number("SELECT seq FROM sqlite_sequence WHERE name = 'events'"));
    begin_after(journal, told.max(given.unwrap_or(0)))?;
    for entry in old.as_ref().map(outbox::readable).unwrap_or_default() {
        if let Err(error) = journal.write(|transaction| outbox::insert(transaction, &entry)) {
            tracing::warn!(%error, path = %entry.path, "an entry of the outbox is not taken over");
        }
    }
    Ok(())
}

/// Lets a log without events go on after a number.
fn begin_after(journal: &Database, last: u64) -> Result<(), StoreError> {
    journal.write(|transaction| {
        transaction.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)", params![last])?;
        Ok(())
    })
}
