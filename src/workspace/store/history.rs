//! The journal: raw operations, events, and what is not committed yet.

use super::{Settled, Store, StoreError, database::Database};
use crate::domain::{
    Timestamp,
    event::{Change, Event},
    layout::Kind,
    op::{Actor, Op},
    path::WsPath,
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, types::ValueRef};

/// Raw operations that are kept: enough to tell what happened lately, and a bound on the disk they take.
const KEPT_OPS: i64 = 100_000;

/// The note that an index is being filled from the last commit.
const ADOPTING: &str = "adopting";

impl Store {
    // --- events ----------------------------------------------------------------------------------------------------

    /// Appends to the log; answers the events with their sequence numbers.
    pub fn append(&self, at: Timestamp, actor: &Actor, changes: Vec<Change>) -> Result<Vec<Event>, StoreError> {
        let changes: Vec<_> = changes.into_iter().map(|change| (actor, change)).collect();
        self.logged(|| self.journal.write(|transaction| insert(transaction, at, changes)))
    }

    /// Events after `since`, oldest first, at most `limit`.
    pub fn events(&self, since: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.journal.read(|connection| {
            let query = "SELECT seq, at, actor, change FROM events WHERE seq > ? ORDER BY seq LIMIT ?";
            let mut statement = connection.prepare_cached(query)?;
            collect(statement.query(params![since, limit])?, event)
        })
    }

    /// Whether there is an event about this commit; looked for from the newest on.
    pub fn has_told_of_commit(&self, id: &str) -> Result<bool, StoreError> {
        self.journal.read(|connection| {
            let query = "SELECT 1 FROM events WHERE change ->> 'event' = 'committed' AND change ->> 'commit' = ?
                         ORDER BY seq DESC LIMIT 1";
            let mut statement = connection.prepare_cached(query)?;
            Ok(statement.exists([id])?)
        })
    }

    /// Writes what settled to the journal: events, what each path is now, what is to be committed. One transaction.
    pub(super) fn journal_settled(&self, at: Timestamp, settled: &[Settled]) -> Result<Vec<Event>, StoreError> {
        let news = || settled.iter().filter(|settled| settled.edited || !settled.changes.is_empty());
        if news().next().is_none() {
            return Ok(Vec::new());
        }
        self.journal.write(|transaction| {
            let mark = next_mark(transaction)?;
            let mut changes = Vec::new();
            for settled in news() {
                remember(transaction, settled)?;
                if settled.edited {
                    mark_uncommitted(transaction, &settled.path, mark)?;
                }
                changes.extend(settled.changes.iter().map(|change| (&settled.actor, change.clone())));
            }
            insert(transaction, at, changes)
        })
    }

    /// Whether the index has to be filled from the last commit: the workspace is new, its journal was lost, or filling it
    /// did not come to its end.
    pub fn needs_adoption(&self) -> Result<bool, StoreError> {
        self.journal.read(|connection| {
            let query = "SELECT NOT EXISTS (SELECT 1 FROM settled) OR EXISTS (SELECT 1 FROM meta WHERE key = ?)";
            Ok(connection.query_row(query, [ADOPTING], |row| row.get(0))?)
        })
    }

    /// Whether filling it has begun, and so the past is told.
    pub fn is_adopting(&self) -> Result<bool, StoreError> {
        Ok(self.meta(ADOPTING)?.is_some())
    }

    /// Begins to fill a new index, and tells what is known of the past, in one transaction.
    pub fn begin_adoption(&self, past: Vec<(Timestamp, Actor, Vec<Change>)>) -> Result<(), StoreError> {
        let tell = |transaction: &Transaction| {
            let mut events = Vec::new();
            for (at, actor, changes) in past {
                let changes = changes.into_iter().map(|change| (&actor, change)).collect();
                events.extend(insert(transaction, at, changes)?);
            }
            transaction.execute("INSERT INTO meta VALUES (?, '')", [ADOPTING])?;
            Ok(events)
        };
        self.logged(|| self.journal.write(tell)).map(drop)
    }

    pub(in crate::workspace) fn end_adoption(&self) -> Result<(), StoreError> {
        self.journal.write(|transaction| {
            transaction.execute("DELETE FROM meta WHERE key = ?", [ADOPTING])?;
            Ok(())
        })
    }

    /// Every path of which something settled, or waits to be committed.
    pub(in crate::workspace) fn journalled(&self) -> Result<Vec<WsPath>, StoreError> {
        self.journal.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT path FROM settled UNION SELECT path FROM uncommitted")?;
            collect(statement.query([])?, |row| path(row, 0))
        })
    }

    pub(super) fn journal_adopted(&self, settled: &[Settled]) -> Result<(), StoreError> {
        self.journal.write(|transaction| settled.iter().try_for_each(|settled| remember(transaction, settled)))
    }

    /// Number of the newest event; 0 before the first.
    pub fn last_event(&self) -> Result<u64, StoreError> {
        self.journal.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT coalesce(max(seq), 0) FROM events")?;
            Ok(statement.query_row([], |row| row.get(0))?)
        })
    }

    // --- operations ------------------------------------------------------------------------------------------------

    /// Appends raw operations in one durable transaction; the oldest beyond a bound are dropped.
    pub fn append_ops(&self, ops: &[Op]) -> Result<(), StoreError> {
        self.journal.write(|transaction| {
            let mut insert = transaction.prepare_cached("INSERT INTO ops (op) VALUES (?)")?;
            for op in ops {
                insert.execute([serde_json::to_string(op)?])?;
            }
            let oldest = transaction.last_insert_rowid() - KEPT_OPS;
            transaction.prepare_cached("DELETE FROM ops WHERE id <= ?")?.execute([oldest])?;
            Ok(())
        })
    }

    /// Raw operations after row `since`, oldest first, at most `limit`, with their row numbers.
    pub fn ops(&self, since: u64, limit: usize) -> Result<Vec<(u64, Op)>, StoreError> {
        self.journal.read(|connection| {
            let query = "SELECT id, op FROM ops WHERE id > ? ORDER BY id LIMIT ?";
            let mut statement = connection.prepare_cached(query)?;
            collect(statement.query(params![since, limit])?, |row| Ok((row.get(0)?, json(row, 1)?)))
        })
    }

    // --- uncommitted -----------------------------------------------------------------------------------------------

    /// Paths that settled and are not committed yet, oldest first.
    pub fn uncommitted(&self) -> Result<Vec<WsPath>, StoreError> {
        self.journal.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT path FROM uncommitted ORDER BY since, path")?;
            collect(statement.query([])?, |row| path(row, 0))
        })
    }

    /// The present mark: whatever settles later is marked with a greater one. Read it before [`Store::uncommitted`].
    pub fn mark(&self) -> Result<u64, StoreError> {
        self.journal.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = 'mark'")?;
            let mark: Option<String> = statement.query_row([], |row| row.get(0)).optional()?;
            Ok(mark.and_then(|mark| mark.parse().ok()).unwrap_or(0))
        })
    }

    /// These paths are in a commit as they were when [`Store::mark`] answered `mark`, or newer. One that settled again
    /// since then stays uncommitted.
    pub fn committed(&self, paths: &[WsPath], mark: u64) -> Result<(), StoreError> {
        self.journal.write(|transaction| forget_uncommitted(transaction, paths, mark))
    }

    /// The same with the event that tells of the commit, and a note, in one transaction.
    pub(in crate::workspace) fn append_commit(
        &self,
        at: Timestamp,
        actor: &Actor,
        commit: Change,
        mark: u64,
        (key, value): (&str, &str),
    ) -> Result<Vec<Event>, StoreError> {
        let write = |transaction: &Transaction| {
            if let Change::Committed { paths, .. } = &commit {
                forget_uncommitted(transaction, paths, mark)?;
            }
            note(transaction, key, value)?;
            insert(transaction, at, vec![(actor, commit)])
        };
        self.logged(|| self.journal.write(write))
    }
}

fn forget_uncommitted(transaction: &Transaction, paths: &[WsPath], mark: u64) -> Result<(), StoreError> {
    let mut delete = transaction.prepare_cached("DELETE FROM uncommitted WHERE path = ? AND mark <= ?")?;
    for path in paths {
        delete.execute(params![path.as_str(), mark])?;
    }
    Ok(())
}

/// Sets a note of some other layer's.
pub(super) fn note(transaction: &Transaction, key: &str, value: &str) -> Result<(), StoreError> {
    transaction
        .prepare_cached("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value")?
        .execute(params![key, value])?;
    Ok(())
}

pub(super) fn newest(journal: &Database, limit: usize) -> Result<Vec<Event>, StoreError> {
    journal.read(|connection: &Connection| {
        let query = "SELECT seq, at, actor, change FROM
                     (SELECT * FROM events ORDER BY seq DESC LIMIT ?) ORDER BY seq";
        collect(connection.prepare_cached(query)?.query([limit])?, event)
    })
}

/// The numbers of a log.
pub(super) struct Numbers {
    first: u64,
    greatest: u64,
    count: u64,
    /// What SQLite believes to have given last.
    given: u64,
    pub last: u64,
}

impl Numbers {
    /// Whether every number from the first to the last that was given has its event. A log that was begun anew has none.
    pub fn is_unbroken(&self) -> bool {
        self.count == 0 || (self.greatest - self.first + 1 == self.count && self.given == self.greatest)
    }
}

pub(super) fn numbers(journal: &Database) -> Result<Numbers, StoreError> {
    journal.read(|connection| {
        let query = "SELECT coalesce(min(seq), 0), coalesce(max(seq), 0), count(*) FROM events";
        let (first, greatest, count): (u64, u64, u64) =
            connection.query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let query = "SELECT seq FROM sqlite_sequence WHERE name = 'events'";
        let given = connection.query_row(query, [], |row| row.get(0)).optional()?.unwrap_or(0);
        Ok(Numbers { first, greatest, count, given, last: greatest.max(given) })
    })
}

/// Reads what the journal has besides events and operations, so that what cannot be read is known now.
pub(super) fn read_through(journal: &Database) -> Result<(), StoreError> {
    journal.read(|connection| {
        let text = |row: &Row, column| row.get_ref(column)?.as_str().map(drop).map_err(rusqlite::Error::from);
        collect(connection.prepare("SELECT path, content, kind FROM settled")?.query([])?, |row| {
            path(row, 0)?;
            text(row, 1)?;
            kind(row, 2)
        })?;
        collect(connection.prepare("SELECT path FROM uncommitted")?.query([])?, |row| path(row, 0))?;
        collect(connection.prepare("SELECT key, value FROM meta")?.query([])?, |row| {
            Ok(text(row, 0).and(text(row, 1))?)
        })?;
        super::outbox::all(connection).map(drop)
    })
}

fn insert(transaction: &Transaction, at: Timestamp, changes: Vec<(&Actor, Change)>) -> Result<Vec<Event>, StoreError> {
    let mut statement = transaction.prepare_cached("INSERT INTO events (at, actor, change) VALUES (?, ?, ?)")?;
    let mut events = Vec::with_capacity(changes.len());
    for (actor, change) in changes {
        let seq = statement.insert(params![
            at.to_string(),
            serde_json::to_string(actor)?,
            serde_json::to_string(&change)?
        ])?;
        let seq = u64::try_from(seq).expect("SQLite numbers rows from 1");
        events.push(Event { seq, at, actor: actor.clone(), change });
    }
    Ok(events)
}

fn next_mark(transaction: &Transaction) -> Result<u64, StoreError> {
    let query = "INSERT INTO meta VALUES ('mark', '1')
                 ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING CAST(value AS INTEGER)";
    Ok(transaction.prepare_cached(query)?.query_row([], |row| row.get(0))?)
}

fn mark_uncommitted(transaction: &Transaction, path: &WsPath, mark: u64) -> Result<(), StoreError> {
    let query = "INSERT INTO uncommitted VALUES (?1, ?2, ?2) ON CONFLICT DO UPDATE SET mark = excluded.mark";
    transaction.prepare_cached(query)?.execute(params![path.as_str(), mark])?;
    Ok(())
}

fn remember(transaction: &Transaction, settled: &Settled) -> Result<(), StoreError> {
    let path = settled.path.as_str();
    match &settled.now {
        Some((snapshot, _)) => transaction
            .prepare_cached("INSERT OR REPLACE INTO settled (path, content, kind) VALUES (?, ?, ?)")?
            .execute(params![path, snapshot.content.0, serde_json::to_string(&snapshot.kind)?])?,
        None => transaction.prepare_cached("DELETE FROM settled WHERE path = ?")?.execute([path])?,
    };
    Ok(())
}

/// What a settled file was; `None` where that was not kept yet.
pub(super) fn kind(row: &Row, column: usize) -> Result<Option<Kind>, StoreError> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => json(row, column).map(Some),
    }
}

fn event(row: &Row) -> Result<Event, StoreError> {
    let at: String = row.get(1)?;
    let at = at.parse().map_err(|_| rusqlite::Error::InvalidColumnType(1, "at".into(), rusqlite::types::Type::Text))?;
    Ok(Event { seq: row.get(0)?, at, actor: json(row, 2)?, change: json(row, 3)? })
}

pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row, column: usize) -> Result<T, StoreError> {
    Ok(serde_json::from_str(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)?)
}

pub(super) fn path(row: &Row, column: usize) -> Result<WsPath, StoreError> {
    Ok(WsPath::new(row.get::<_, String>(column)?)?)
}

/// Every row, read by `read`.
pub(super) fn collect<T>(
    mut rows: rusqlite::Rows,
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut answer = Vec::new();
    while let Some(row) = rows.next()? {
        answer.push(read(row)?);
    }
    Ok(answer)
}
