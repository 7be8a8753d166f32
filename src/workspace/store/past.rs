//! `history.db`: what git's history says, as tables: derived, kept in step commit by commit, made anew when it is missing.
//!
//! Rows are of commits and never change: a branch that was left keeps its rows, marked as out of reach.

use super::{
    StoreError,
    database::Database,
    files::range,
    history::{collect, json, path},
    schema,
};
use crate::domain::{
    Timestamp, Value,
    past::{FieldChange, Version},
    path::WsPath,
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::{fs, path::Path};

const FILE: &str = "history.db";
/// The note of the commit whose files `files_latest` has.
const HEAD: &str = "head";

/// History in tables. Several processes may have it open.
pub struct Past {
    database: Database,
}

/// A commit as it is kept; its files follow one by one.
#[derive(Clone, Debug)]
pub struct PastCommit<'c> {
    pub id: &'c str,
    pub parents: &'c [String],
    pub tree: &'c str,
    /// `Name <email>`.
    pub author: &'c str,
    pub actors: &'c [String],
    pub at: Timestamp,
    pub message: &'c str,
    /// Trees that are new in it, the root among them.
    pub trees: Vec<&'c str>,
}

/// A file that a commit made, changed, moved or removed.
#[derive(Clone, Debug)]
pub struct PastFile<'c> {
    pub path: &'c WsPath,
    pub moved_from: Option<&'c WsPath>,
    pub old: Option<&'c str>,
    pub new: Option<PastBlob<'c>>,
    pub changes: &'c [FieldChange],
}

#[derive(Clone, Debug)]
pub struct PastBlob<'c> {
    pub hash: &'c str,
    /// Bytes.
    pub size: u64,
    pub executable: bool,
}

/// Takes over commits, in one transaction.
pub struct Chronicler<'t>(&'t Transaction<'t>);

/// What differs between two moments of the whole workspace. `None`: gone.
#[derive(Clone, Debug, Default)]
pub struct Latest {
    /// With the blob.
    pub files: Vec<(WsPath, Option<String>)>,
    /// With the tree.
    pub folders: Vec<(WsPath, Option<String>)>,
}

impl Past {
    /// Opens or makes it in `dir`. It is made anew when it is damaged or of another version.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(dir)?;
        let file = dir.join(FILE);
        Ok(Self { database: Database::open_derived(&file, schema::PAST)? })
    }

    pub fn knows(&self, commit: &str) -> Result<bool, StoreError> {
        self.database.read(|connection| knows(connection, commit))
    }

    /// The commit that was HEAD when this was last brought in step; `None` at first.
    pub fn head(&self) -> Result<Option<String>, StoreError> {
        self.database.read(head)
    }

    /// Runs `work`, which takes over commits, parents before children, in one transaction.
    pub fn write(&self, work: impl FnOnce(&Chronicler<'_>) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.database.write(|transaction| work(&Chronicler(transaction)))
    }

    /// HEAD is this commit now, and differs so from what it was when [`Past::head`] answered `from`. Nothing happens when
    /// another process was faster.
    pub fn move_head(&self, from: Option<&str>, to: &str, latest: &Latest) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            if head(transaction)?.as_deref() != from {
                return Ok(());
            }
            transaction.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [HEAD, to])?;
            mark_reach(transaction, from, to)?;
            put_latest(transaction, "files_latest", &latest.files)?;
            put_latest(transaction, "directories_latest", &latest.folders)
        })
    }

    /// Every version of a file within reach, oldest first, followed through its moves.
    pub fn versions(&self, file: &WsPath) -> Result<Vec<Version>, StoreError> {
        self.database.read(|connection| {
            let (mut newest_first, mut at, mut before) = (Vec::new(), file.clone(), i64::MAX);
            // A file that was moved in circles ends where the numbers do.
            loop {
                let rows = rows_of(connection, &at, before)?;
                let moved = rows.iter().position(|(_, version)| version.moved_from.is_some());
                let (last, rest) = (moved.map(|index| index + 1), rows);
                let taken = last.unwrap_or(rest.len());
                let next = moved.map(|index| (rest[index].0, rest[index].1.moved_from.clone()));
                newest_first.extend(rest.into_iter().take(taken));
                let Some((n, Some(from))) = next else { break };
                (at, before) = (from, n);
            }
            newest_first.reverse();
            for (index, (n, version)) in newest_first.iter_mut().enumerate() {
                version.number = index + 1;
                version.changes = changes(connection, *n, &version.path)?;
            }
            Ok(newest_first.into_iter().map(|(_, version)| version).collect())
        })
    }

    /// The blob that HEAD has at a path.
    pub fn latest(&self, file: &WsPath) -> Result<Option<String>, StoreError> {
        self.database.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT hash FROM files_latest WHERE path = ?")?;
            Ok(statement.query_row([file.as_str()], |row| row.get(0)).optional()?)
        })
    }

    /// Whether a path was ever a file.
    pub fn was_file(&self, file: &WsPath) -> Result<bool, StoreError> {
        self.database.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT 1 FROM changes WHERE path = ? LIMIT 1")?;
            Ok(statement.exists([file.as_str()])?)
        })
    }

    /// Whether a path ever was a folder with something in it.
    pub fn was_folder(&self, folder: &WsPath) -> Result<bool, StoreError> {
        let (from, to) = range(folder);
        self.database.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT 1 FROM changes WHERE path >= ? AND path < ? LIMIT 1")?;
            Ok(statement.exists([from, to])?)
        })
    }

    /// The newest commit within reach that is not younger than this.
    pub fn commit_at(&self, at: Timestamp) -> Result<Option<String>, StoreError> {
        self.database.read(|connection| {
            let query = "SELECT hash FROM commits WHERE reachable AND at <= ? ORDER BY at DESC, n DESC LIMIT 1";
            let mut statement = connection.prepare_cached(query)?;
            Ok(statement.query_row([at.as_second()], |row| row.get(0)).optional()?)
        })
    }

    /// Names in a folder that something ever had, sorted: one look in the index for each, however many versions it has.
    pub fn names_in(&self, folder: &WsPath) -> Result<Vec<String>, StoreError> {
        let prefix = if folder.is_root() { String::new() } else { format!("{}/", folder.as_str()) };
        self.database.read(|connection| {
            let mut next = connection.prepare_cached("SELECT min(path) FROM changes WHERE path >= ?")?;
            let (mut names, mut from) = (Vec::new(), prefix.clone());
            loop {
                let path: Option<String> = next.query_row([&from], |row| row.get(0))?;
                let Some(rest) = path.as_deref().and_then(|path| path.strip_prefix(&prefix)) else { break };
                let name = rest.split('/').next().unwrap_or_default().to_owned();
                // `NAME` itself comes before `NAME-x`, and that before `NAME/x`: all of `NAME/…` is one name.
                from =
                    if rest.len() > name.len() { format!("{prefix}{name}0") } else { format!("{prefix}{name}\u{1}") };
                names.push(name);
            }
            names.sort();
            names.dedup();
            Ok(names)
        })
    }

    /// How many commits there are.
    pub fn count(&self) -> Result<usize, StoreError> {
        self.database.read(|connection| Ok(connection.query_row("SELECT count(*) FROM commits", [], |row| row.get(0))?))
    }
}

fn knows(connection: &Connection, commit: &str) -> Result<bool, StoreError> {
    Ok(connection.prepare_cached("SELECT 1 FROM commits WHERE hash = ?")?.exists([commit])?)
}

fn head(connection: &Connection) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?")?;
    Ok(statement.query_row([HEAD], |row| row.get(0)).optional()?)
}

impl Chronicler<'_> {
    /// The number of a commit that is new; `None` when another process was faster.
    pub fn commit(&self, commit: &PastCommit<'_>) -> Result<Option<i64>, StoreError> {
        if knows(self.0, commit.id)? {
            return Ok(None);
        }
        let query =
            "INSERT INTO commits (hash, tree, author, actors, at, message, reachable) VALUES (?, ?, ?, ?, ?, ?, 0)";
        let n = self.0.prepare_cached(query)?.insert(params![
            commit.id,
            commit.tree,
            commit.author,
            serde_json::to_string(commit.actors)?,
            commit.at.as_second(),
            commit.message,
        ])?;
        let mut parent = self.0.prepare_cached("INSERT INTO parents VALUES (?, ?, ?)")?;
        for (position, hash) in commit.parents.iter().enumerate() {
            parent.execute(params![n, position, hash])?;
        }
        let mut tree = self.0.prepare_cached("INSERT OR IGNORE INTO trees VALUES (?, ?)")?;
        commit.trees.iter().try_for_each(|hash| tree.execute(params![hash, n]).map(drop))?;
        Ok(Some(n))
    }

    /// A file that the commit of this number changed.
    pub fn file(&self, n: i64, file: &PastFile<'_>) -> Result<(), StoreError> {
        let blob = file.new.as_ref();
        self.0.prepare_cached("INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?)")?.execute(params![
            file.path.as_str(),
            n,
            file.moved_from.map(WsPath::as_str),
            file.old,
            blob.map(|blob| blob.hash),
            blob.is_some_and(|blob| blob.executable),
        ])?;
        if let Some(PastBlob { hash, size, .. }) = blob {
            let mut insert = self.0.prepare_cached("INSERT OR IGNORE INTO blobs VALUES (?, ?, ?)")?;
            insert.execute(params![hash, size, n])?;
        }
        let mut insert = self.0.prepare_cached("INSERT INTO field_changes VALUES (?, ?, ?, ?, ?, ?)")?;
        for (position, FieldChange { field, from, to }) in file.changes.iter().enumerate() {
            let json = |value: &Value| (!value.is_null()).then(|| value.to_string());
            insert.execute(params![file.path.as_str(), n, position, field, json(from), json(to)])?;
        }
        Ok(())
    }

    /// Where a file was, and its blob, before the newest change that made it `blob`.
    pub fn before(&self, file: &WsPath, blob: &str) -> Result<Option<(WsPath, String)>, StoreError> {
        let query = "SELECT coalesce(moved_from, path), old FROM changes
                     WHERE path = ? AND hash = ? AND old IS NOT NULL ORDER BY n DESC LIMIT 1";
        let mut statement = self.0.prepare_cached(query)?;
        let mut rows = statement.query([file.as_str(), blob])?;
        rows.next()?.map(|row| Ok((path(row, 0)?, row.get(1)?))).transpose()
    }
}

/// What is below HEAD is within reach. Where HEAD only went on, that is what it had and what is new.
fn mark_reach(transaction: &Transaction, from: Option<&str>, to: &str) -> Result<(), StoreError> {
    const BELOW: &str = "WITH RECURSIVE below (n) AS (
            SELECT n FROM commits WHERE hash = ?1 AND NOT reachable
            UNION
            SELECT commits.n FROM below JOIN parents USING (n) JOIN commits ON commits.hash = parents.parent
            WHERE NOT commits.reachable
        )";
    let went_on = match from {
        None => true,
        Some(from) => {
            let query = format!(
                "{BELOW} SELECT ?1 = ?2 OR EXISTS (SELECT 1 FROM below JOIN parents USING (n) WHERE parent = ?2)"
            );
            transaction.prepare_cached(&query)?.query_row([to, from], |row| row.get(0))?
        }
    };
    if !went_on {
        transaction.execute("UPDATE commits SET reachable = 0 WHERE reachable", [])?;
    }
    let query = format!("{BELOW} UPDATE commits SET reachable = 1 WHERE n IN below");
    transaction.prepare_cached(&query)?.execute([to])?;
    Ok(())
}

fn put_latest(transaction: &Transaction, table: &str, latest: &[(WsPath, Option<String>)]) -> Result<(), StoreError> {
    for (path, hash) in latest {
        match hash {
            Some(hash) => transaction
                .prepare_cached(&format!("INSERT OR REPLACE INTO {table} VALUES (?, ?)"))?
                .execute([path.as_str(), hash])?,
            None => {
                transaction.prepare_cached(&format!("DELETE FROM {table} WHERE path = ?"))?.execute([path.as_str()])?
            }
        };
    }
    Ok(())
}

/// What happened to a path before the commit numbered so, newest first.
fn rows_of(connection: &Connection, path: &WsPath, before: i64) -> Result<Vec<(i64, Version)>, StoreError> {
    let query = "SELECT n, commits.hash, author, actors, at, message, moved_from, old, changes.hash, executable, path
                 FROM changes JOIN commits USING (n) WHERE path = ? AND n < ? AND reachable ORDER BY n DESC";
    let mut statement = connection.prepare_cached(query)?;
    collect(statement.query(params![path.as_str(), before])?, |row| Ok((row.get(0)?, version(row)?)))
}

fn version(row: &Row) -> Result<Version, StoreError> {
    let message: String = row.get(5)?;
    let moved_from: Option<String> = row.get(6)?;
    Ok(Version {
        number: 0,
        commit: row.get(1)?,
        author: row.get(2)?,
        actors: json(row, 3)?,
        at: Timestamp::from_second(row.get(4)?).unwrap_or_default(),
        subject: message.lines().next().unwrap_or_default().to_owned(),
        path: path(row, 10)?,
        moved_from: moved_from.map(WsPath::new).transpose()?,
        before: row.get(7)?,
        blob: row.get(8)?,
        executable: row.get(9)?,
        changes: Vec::new(),
    })
}

fn changes(connection: &Connection, n: i64, path: &WsPath) -> Result<Vec<FieldChange>, StoreError> {
    let query = "SELECT field, old, new FROM field_changes WHERE path = ? AND n = ? ORDER BY position";
    let mut statement = connection.prepare_cached(query)?;
    let value = |row: &Row, column| -> Result<_, StoreError> {
        let text: Option<String> = row.get(column)?;
        Ok(text.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default())
    };
    collect(statement.query(params![path.as_str(), n])?, |row| {
        Ok(FieldChange { field: row.get(0)?, from: value(row, 1)?, to: value(row, 2)? })
    })
}
