//! The index: what every file was when it last settled.

use super::{
    Store, StoreError,
    database::Database,
    history::{collect, json, kind, path},
};
use crate::{
    domain::{
        Timestamp, Value,
        catalog::Times,
        event::{Change, Event},
        layout::Kind,
        op::Actor,
        path::WsPath,
        problem::Problem,
        snapshot::{ContentHash, Snapshot},
        tie::Tie,
    },
    fault,
    workspace::root::Stat,
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::{collections::BTreeMap, sync::atomic::Ordering};

/// One path as a settling pass leaves it.
#[derive(Clone, Debug)]
pub struct Settled {
    pub path: WsPath,
    /// `None`: there is nothing to know at this path any more. The stat is left out when the file was too fresh for it
    /// to tell a later change.
    pub now: Option<(Snapshot, Option<Stat>)>,
    pub actor: Actor,
    pub changes: Vec<Change>,
    /// Bytes or mode differ from what settled before: to be committed.
    pub edited: bool,
}

/// What is known of a path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// The index's snapshot; older than `content`, or missing, after a crash or when the index was deleted.
    pub snapshot: Option<Snapshot>,
    /// Hash of the content that the events so far have told of.
    pub content: Option<ContentHash>,
    /// What the file was then; of a journal that an older trackfs wrote it may not be known.
    kind: Option<Kind>,
}

impl Known {
    /// Whether events have told of a file at this path.
    pub fn is_some(&self) -> bool {
        self.content.is_some()
    }

    /// The snapshot, if it is the one that the events told of.
    pub fn current(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref().filter(|snapshot| Some(&snapshot.content) == self.content.as_ref())
    }

    /// What the file was when it last settled, as far as anybody knows.
    pub fn kind(&self) -> Option<&Kind> {
        self.kind.as_ref().or(self.snapshot.as_ref().map(|snapshot| &snapshot.kind))
    }
}

/// The part of a [`Stat`] that changes whenever a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::workspace) struct Fingerprint {
    ino: i64,
    size: i64,
    mtime: i64,
    ctime: i64,
}

impl From<&Stat> for Fingerprint {
    fn from(stat: &Stat) -> Self {
        let nanoseconds = |(seconds, nanoseconds): (i64, u32)| {
            seconds.wrapping_mul(1_000_000_000).wrapping_add(i64::from(nanoseconds))
        };
        Self {
            ino: stat.ino.cast_signed(),
            size: stat.size.cast_signed(),
            mtime: nanoseconds(stat.mtime),
            ctime: nanoseconds(stat.ctime),
        }
    }
}

impl Store {
    pub fn snapshot(&self, path: &WsPath) -> Result<Option<Snapshot>, StoreError> {
        self.index.read(|connection| snapshot(connection, path))
    }

    /// Every settled file, ordered by path.
    pub fn snapshots(&self) -> Result<Vec<(WsPath, Snapshot)>, StoreError> {
        self.snapshots_under(&WsPath::root())
    }

    /// Every settled file below a folder, ordered by path.
    pub fn snapshots_under(&self, folder: &WsPath) -> Result<Vec<(WsPath, Snapshot)>, StoreError> {
        let (from, to) = range(folder);
        self.index.read(|connection| {
            let query = "SELECT path, snapshot FROM snapshots WHERE path >= ? AND path < ? ORDER BY path";
            let mut statement = connection.prepare_cached(query)?;
            collect(statement.query([from, to])?, |row| Ok((path(row, 0)?, json(row, 1)?)))
        })
    }

    pub fn problems(&self) -> Result<Vec<Problem>, StoreError> {
        self.index.read(|connection| {
            let query = "SELECT problem FROM problems ORDER BY path, line";
            collect(connection.prepare_cached(query)?.query([])?, |row| json(row, 0))
        })
    }

    /// Finds the ticket that `sync:` ties to a remote object.
    pub fn ticket_by_key(&self, remote: &str, key: &str) -> Result<Option<WsPath>, StoreError> {
        self.index.read(|connection| {
            let query = "SELECT path FROM keys WHERE remote = ? AND key = ? ORDER BY path LIMIT 1";
            let mut statement = connection.prepare_cached(query)?;
            let found: Option<String> = statement.query_row([remote, key], |row| row.get(0)).optional()?;
            Ok(found.map(WsPath::new).transpose()?)
        })
    }

    /// Every ticket, ordered by path.
    pub fn ticket_paths(&self) -> Result<Vec<WsPath>, StoreError> {
        self.index.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT path FROM files WHERE kind = 'ticket'")?;
            collect(statement.query([])?, |row| path(row, 0))
        })
    }

    /// Tickets that `sync:` ties to an object with this key, on whatever remote.
    pub fn tickets_with_key(&self, key: &str) -> Result<Vec<WsPath>, StoreError> {
        self.index.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT DISTINCT path FROM keys WHERE key = ?")?;
            collect(statement.query([key])?, |row| path(row, 0))
        })
    }

    /// Whether events have told of files below a path.
    pub fn has_below(&self, folder: &WsPath) -> Result<bool, StoreError> {
        let (from, to) = range(folder);
        self.journal.read(|connection| {
            let query = "SELECT EXISTS (SELECT 1 FROM settled WHERE path >= ? AND path < ?)";
            Ok(connection.prepare_cached(query)?.query_row([from, to], |row| row.get(0))?)
        })
    }

    /// What is known of a path, from both databases.
    pub fn known(&self, path: &WsPath) -> Result<Known, StoreError> {
        let told = self.journal.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT content, kind FROM settled WHERE path = ?")?;
            let mut rows = statement.query([path.as_str()])?;
            rows.next()?.map(|row| Ok((ContentHash(row.get(0)?), kind(row, 1)?))).transpose()
        })?;
        let (content, kind) = told.map_or((None, None), |(content, kind)| (Some(content), kind));
        Ok(Known { snapshot: self.snapshot(path)?, content, kind })
    }

    /// Of every path below `folder` that either database knows: what a stat must say for the file to be as it settled.
    /// `None`: it must be read.
    pub(in crate::workspace) fn fingerprints(
        &self,
        folder: &WsPath,
    ) -> Result<BTreeMap<WsPath, Option<Fingerprint>>, StoreError> {
        let (from, to) = range(folder);
        let mut known: BTreeMap<_, _> = self.journal.read(|connection| {
            let query = "SELECT path FROM settled WHERE path >= ? AND path < ?";
            let mut statement = connection.prepare_cached(query)?;
            Ok(collect(statement.query([&from, &to])?, |row| Ok((path(row, 0)?, None)))?.into_iter().collect())
        })?;
        let indexed = self.index.read(|connection| {
            let query = "SELECT path, ino, size, mtime, ctime FROM files WHERE path >= ? AND path < ?";
            let mut statement = connection.prepare_cached(query)?;
            collect(statement.query([&from, &to])?, |row| Ok((path(row, 0)?, fingerprint(row)?)))
        })?;
        // A file that only one of them knows is read: the index is not current.
        let indexed = indexed.into_iter().map(|(path, print)| {
            let print = print.filter(|_| known.contains_key(&path));
            (path, print)
        });
        let indexed: Vec<_> = indexed.collect();
        known.extend(indexed);
        Ok(known)
    }

    /// Makes a pass durable, and answers its events. The journal goes first: a crash between the two files leaves an
    /// older index, which the next scan catches up with without telling the events again.
    pub fn put_settled(&self, at: Timestamp, settled: &[Settled]) -> Result<Vec<Event>, StoreError> {
        let events = self.logged(|| self.journal_settled(at, settled))?;
        fault::step("settle.journalled")?;
        self.index_settled(Some(at), settled)?;
        fault::point("settle.indexed");
        Ok(events)
    }

    /// Takes files as known without telling of them: they are what the last commit says. The stat is for those that are
    /// on the disk as they were committed.
    pub fn adopt(&self, files: Vec<(WsPath, Snapshot, Option<Stat>)>) -> Result<(), StoreError> {
        let settle = |(path, snapshot, stat)| Settled {
            path,
            now: Some((snapshot, stat)),
            actor: Actor::default(),
            changes: Vec::new(),
            edited: false,
        };
        let settled: Vec<_> = files.into_iter().map(settle).collect();
        self.journal_adopted(&settled)?;
        self.index_settled(None, &settled)
    }

    /// Hands over every ticket and every text in the inbox, ordered by path, with the times that queries ask for.
    pub fn each_ticket(&self, mut take: impl FnMut(WsPath, Snapshot, Times)) -> Result<(), StoreError> {
        self.index.read(|connection| {
            let query = "SELECT path, snapshot, created, updated FROM files JOIN snapshots USING (path)
                         WHERE kind IN ('ticket', 'inbox') ORDER BY path";
            let mut statement = connection.prepare_cached(query)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                take(path(row, 0)?, json(row, 1)?, times(row, 2)?);
            }
            Ok(())
        })
    }

    /// When a file was first known, and when it was last changed.
    pub fn times(&self, path: &WsPath) -> Result<Times, StoreError> {
        self.index.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT created, updated FROM files WHERE path = ?")?;
            let mut rows = statement.query([path.as_str()])?;
            rows.next()?.map_or_else(|| Ok(Times::default()), |row| times(row, 0))
        })
    }

    pub fn ticket_count(&self) -> Result<usize, StoreError> {
        self.index.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT count(*) FROM files WHERE kind = 'ticket'")?;
            Ok(statement.query_row([], |row| row.get(0))?)
        })
    }

    /// `at`: when they settled, where it was seen.
    pub(super) fn index_settled(&self, at: Option<Timestamp>, settled: &[Settled]) -> Result<(), StoreError> {
        if settled.is_empty() {
            return Ok(());
        }
        self.index.write(|transaction| {
            // Before anything goes: a file that moved is as old as it was.
            let created: Vec<_> =
                settled.iter().map(|settled| created(transaction, settled)).collect::<Result<_, _>>()?;
            for (settled, created) in settled.iter().zip(created) {
                transaction.prepare_cached("DELETE FROM files WHERE path = ?")?.execute([settled.path.as_str()])?;
                if let Some((snapshot, stat)) = &settled.now {
                    let fingerprint = stat.as_ref().map(Fingerprint::from);
                    // A file that is too fresh to be told by its times was changed just now.
                    let updated = fingerprint.map(|print| print.mtime).or(at.map(nanoseconds));
                    insert(transaction, &settled.path, snapshot, fingerprint, (created.or(updated), updated))?;
                }
                let query = "INSERT OR REPLACE INTO unsearched (path) VALUES (?)";
                transaction.prepare_cached(query)?.execute([settled.path.as_str()])?;
            }
            Ok(())
        })?;
        self.generation.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// Which state of the index this is, while the store is open. Read before the files: they are then of this state, or newer,
    /// and never of an older one. (The mark is the journal's, which is ahead of the index while something settles.)
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

/// When a file was first known: under its own name, or the one that it moved from.
fn created(transaction: &Transaction, settled: &Settled) -> Result<Option<i64>, StoreError> {
    let from = settled.changes.iter().find_map(|change| match change {
        Change::TicketMoved { from, .. } => Some(from),
        _ => None,
    });
    let mut statement = transaction.prepare_cached("SELECT created FROM files WHERE path = ?")?;
    for path in [Some(&settled.path), from].into_iter().flatten() {
        let known: Option<Option<i64>> = statement.query_row([path.as_str()], |row| row.get(0)).optional()?;
        if let Some(Some(created)) = known {
            return Ok(Some(created));
        }
    }
    Ok(None)
}

fn nanoseconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}

/// Two columns; what is not known is as old as can be.
fn times(row: &Row, column: usize) -> Result<Times, StoreError> {
    let time = |column| -> Result<Timestamp, StoreError> {
        let nanoseconds: Option<i64> = row.get(column)?;
        Ok(Timestamp::from_nanosecond(nanoseconds.unwrap_or_default().into()).unwrap_or_default())
    };
    Ok(Times { created: time(column)?, updated: time(column + 1)? })
}

/// Reads every row as queries do. SQLite finds nothing wrong with bytes in a row that are no text, or no JSON.
pub(super) fn read_through(index: &Database) -> Result<(), StoreError> {
    index.read(|connection| {
        let each = |query: &str, read: fn(&Row) -> Result<(), StoreError>| {
            let mut statement = connection.prepare(query)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                read(row)?;
            }
            Ok(())
        };
        each("SELECT path, ino, size, mtime, ctime, title, status, created, updated FROM files", |row| {
            let (_, _): (String, String) = (row.get(5)?, row.get(6)?);
            path(row, 0).and(fingerprint(row)).and(times(row, 7)).map(drop)
        })?;
        each("SELECT path, snapshot FROM snapshots", |row| path(row, 0).and(json::<Snapshot>(row, 1)).map(drop))?;
        each("SELECT path FROM keys", |row| path(row, 0).map(drop))?;
        each("SELECT path FROM unsearched", |row| path(row, 0).map(drop))?;
        each("SELECT problem FROM problems", |row| json::<Problem>(row, 0).map(drop))
    })
}

/// Bounds of the paths below a folder: `0` follows `/` in ASCII.
pub(super) fn range(folder: &WsPath) -> (String, String) {
    if folder.is_root() {
        return (String::new(), char::MAX.to_string());
    }
    (format!("{}/", folder.as_str()), format!("{}0", folder.as_str()))
}

fn snapshot(connection: &Connection, path: &WsPath) -> Result<Option<Snapshot>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT snapshot FROM snapshots WHERE path = ?")?;
    let mut rows = statement.query([path.as_str()])?;
    rows.next()?.map(|row| json(row, 0)).transpose()
}

fn fingerprint(row: &Row) -> Result<Option<Fingerprint>, StoreError> {
    let Some(ino) = row.get(1)? else { return Ok(None) };
    Ok(Some(Fingerprint { ino, size: row.get(2)?, mtime: row.get(3)?, ctime: row.get(4)? }))
}

fn insert(
    transaction: &Transaction,
    path: &WsPath,
    snapshot: &Snapshot,
    fingerprint: Option<Fingerprint>,
    (created, updated): (Option<i64>, Option<i64>),
) -> Result<(), StoreError> {
    transaction.prepare_cached("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?.execute(params![
        path.as_str(),
        kind_name(&snapshot.kind),
        snapshot.title,
        snapshot.text("status").unwrap_or_default(),
        fingerprint.map(|print| print.ino),
        fingerprint.map(|print| print.size),
        fingerprint.map(|print| print.mtime),
        fingerprint.map(|print| print.ctime),
        created,
        updated,
    ])?;
    let json = serde_json::to_string(snapshot)?;
    transaction.prepare_cached("INSERT INTO snapshots VALUES (?, ?)")?.execute([path.as_str(), &json])?;
    let mut key = transaction.prepare_cached("INSERT INTO keys VALUES (?, ?, ?)")?;
    for (remote, value) in sync_keys(snapshot) {
        key.execute([remote, &value, path.as_str()])?;
    }
    let mut problem = transaction.prepare_cached("INSERT INTO problems VALUES (?, ?, ?)")?;
    for found in &snapshot.problems {
        problem.execute(params![path.as_str(), found.line, serde_json::to_string(found)?])?;
    }
    Ok(())
}

pub(super) fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Ticket => "ticket",
        Kind::Comment { .. } => "comment",
        Kind::Inbox => "inbox",
        Kind::Spec => "spec",
        Kind::Config => "config",
        Kind::Other => "other",
        Kind::Scratch => "scratch",
    }
}

/// Remote names and keys of `sync:`, of a ticket.
pub(in crate::workspace) fn sync_keys(snapshot: &Snapshot) -> impl Iterator<Item = (&str, String)> {
    let sync = match snapshot.kind {
        Kind::Ticket | Kind::Inbox => snapshot.fields.get("sync").and_then(Value::as_object),
        _ => None,
    };
    let ties = sync
        .into_iter()
        .flat_map(|all| all.keys().map(|remote| (remote, Tie::of(snapshot.fields.get("sync"), remote))));
    ties.filter_map(|(remote, tie)| Some((remote.as_str(), tie?.key()?.to_owned())))
}
