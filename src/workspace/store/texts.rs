//! `search.db`: what is written in tickets, comments and specs, by its words (SQLite's FTS5). Derived from the files, some time
//! after they settle: `index.db` notes which are due, so nothing is looked at twice and nothing is missed.

use super::{
    Store, StoreError,
    database::Database,
    files::kind_name,
    history::{collect, path},
    schema,
};
use crate::domain::{
    layout::Kind,
    path::WsPath,
    texts::{MARKS, Sought, Words},
};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, fs, path::Path};

const FILE: &str = "search.db";
/// Words of an excerpt.
const EXCERPT: i64 = 20;

/// What is written, by its words.
pub struct Texts {
    database: Database,
}

/// What one file says.
#[derive(Clone, Debug)]
pub struct Text {
    pub kind: Kind,
    pub title: String,
    pub body: String,
    /// Of the file, at which the body begins; from 1.
    pub line: usize,
}

/// A file that has the words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    id: i64,
    /// The ticket that it is, or is a comment on.
    pub ticket: Option<WsPath>,
}

/// Where the words stand in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    pub path: WsPath,
    /// `ticket`, `inbox`, `comment` or `spec`.
    pub kind: String,
    /// The ticket that it is, or is a comment on.
    pub ticket: Option<WsPath>,
    /// Of the file, at which the first of the words stands; 1 where they are in the title only.
    pub line: usize,
    pub title: String,
    /// A part of the body; each of the words stands between [`MARKS`].
    pub text: String,
}

impl Texts {
    /// Opens or makes it in `dir`, for the files of this store.
    pub fn open(dir: &Path, store: &Store) -> Result<Self, StoreError> {
        fs::create_dir_all(dir)?;
        let texts = Self { database: Database::open_derived(&dir.join(FILE), schema::TEXTS)? };
        let index = store.identity()?;
        if texts.follows()?.as_deref() != Some(index.as_str()) {
            // First, so that a crash in between does it once more.
            store.all_unsearched()?;
            texts.database.write(|transaction| {
                transaction.execute_batch("DELETE FROM texts; DELETE FROM follows")?;
                transaction.execute("INSERT INTO follows VALUES (?)", [index])?;
                Ok(())
            })?;
        }
        Ok(texts)
    }

    fn follows(&self) -> Result<Option<String>, StoreError> {
        self.database
            .read(|connection| Ok(connection.query_row("SELECT id FROM follows", [], |row| row.get(0)).optional()?))
    }

    /// Takes over what files say; `None`: nothing that is searched.
    pub fn put(&self, files: &[(WsPath, Option<Text>)]) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            let mut remove = transaction.prepare_cached("DELETE FROM texts WHERE path = ?")?;
            let query = "INSERT INTO texts (path, kind, ticket, line, title, body) VALUES (?, ?, ?, ?, ?, ?)";
            let mut insert = transaction.prepare_cached(query)?;
            for (path, text) in files {
                remove.execute([path.as_str()])?;
                let Some(Text { kind, title, body, line }) = text else { continue };
                let ticket = match kind {
                    Kind::Ticket | Kind::Inbox => Some(path),
                    Kind::Comment { ticket } => Some(ticket),
                    _ => None,
                };
                let ticket = ticket.map(WsPath::as_str);
                insert.execute(params![path.as_str(), kind_name(kind), ticket, line, title, body])?;
            }
            Ok(())
        })
    }

    /// The tickets that have these words, be it in a comment.
    pub fn tickets(&self, words: &Words) -> Result<HashSet<WsPath>, StoreError> {
        self.database.read(|connection| {
            let query = "SELECT ticket FROM texts
                         WHERE id IN (SELECT rowid FROM words WHERE words MATCH ?) AND ticket IS NOT NULL";
            let mut statement = connection.prepare_cached(query)?;
            Ok(collect(statement.query([phrase(words)])?, |row| path(row, 0))?.into_iter().collect())
        })
    }

    /// The files that have the words, the best first, so many at most.
    pub fn find(&self, sought: &Sought, at_most: usize) -> Result<Vec<Found>, StoreError> {
        let Some(expression) = expression(sought) else { return Ok(Vec::new()) };
        self.database.read(|connection| {
            // The best are chosen before their texts are looked at.
            let query = "SELECT best.rowid, ticket FROM (
                             SELECT rowid, rank FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?
                         ) AS best JOIN texts ON texts.id = best.rowid ORDER BY best.rank, path";
            let mut statement = connection.prepare_cached(query)?;
            let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
            collect(statement.query(params![expression, at_most])?, |row| {
                let is_of_ticket = row.get::<_, Option<String>>(1)?.is_some();
                Ok(Found { id: row.get(0)?, ticket: is_of_ticket.then(|| path(row, 1)).transpose()? })
            })
        })
    }

    /// Where the words stand in these files.
    pub fn excerpts(&self, sought: &Sought, found: &[Found]) -> Result<Vec<Excerpt>, StoreError> {
        let Some(expression) = expression(sought) else { return Ok(Vec::new()) };
        self.database.read(|connection| {
            let query = "SELECT path, kind, line, texts.title,
                             snippet(words, 1, char(2), char(3), '…', ?3), highlight(words, 1, char(2), char(3))
                         FROM words JOIN texts ON texts.id = words.rowid WHERE words MATCH ?1 AND words.rowid = ?2";
            let mut statement = connection.prepare_cached(query)?;
            let mut excerpts = Vec::new();
            for Found { id, ticket } in found {
                let mut rows = statement.query(params![expression, id, EXCERPT])?;
                // A file that settled meanwhile has another number.
                let Some(row) = rows.next()? else { continue };
                let (begins, body): (usize, String) = (row.get(2)?, row.get(5)?);
                let before = body.split_once(MARKS[0]).map(|(before, _)| before);
                excerpts.push(Excerpt {
                    path: path(row, 0)?,
                    kind: row.get(1)?,
                    ticket: ticket.clone(),
                    line: before.map_or(1, |before| begins + before.matches('\n').count()),
                    title: row.get(3)?,
                    text: row.get(4)?,
                });
            }
            Ok(excerpts)
        })
    }
}

/// In FTS5's language; `None`: nothing is sought.
fn expression(sought: &Sought) -> Option<String> {
    if sought.all.is_empty() {
        return None;
    }
    let all = sought.all.iter().map(phrase).collect::<Vec<_>>().join(" AND ");
    Some(sought.none.iter().fold(format!("({all})"), |so_far, words| format!("{so_far} NOT {}", phrase(words))))
}

/// A string in which nothing has a meaning.
fn phrase(Words { text, goes_on }: &Words) -> String {
    format!("\"{}\"{}", text.replace('"', "\"\"").replace('\0', ""), if *goes_on { " *" } else { "" })
}

impl Store {
    /// Which index this is: another one after it was made anew.
    fn identity(&self) -> Result<String, StoreError> {
        self.index.read(|connection| Ok(connection.query_row("SELECT id FROM identity", [], |row| row.get(0))?))
    }

    /// Notes every file as one whose text is due.
    fn all_unsearched(&self) -> Result<(), StoreError> {
        self.index.write(|transaction| {
            transaction.execute("INSERT OR IGNORE INTO unsearched (path) SELECT path FROM files ORDER BY path", [])?;
            Ok(())
        })
    }

    /// Files that have settled since `search.db` took them over, the first first, so many at most; each with the number of
    /// its note, for [`Store::searched`].
    pub fn unsearched(&self, at_most: usize) -> Result<Vec<(i64, WsPath)>, StoreError> {
        self.index.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT n, path FROM unsearched ORDER BY n LIMIT ?")?;
            collect(statement.query([i64::try_from(at_most).unwrap_or(i64::MAX)])?, |row| {
                Ok((row.get(0)?, path(row, 1)?))
            })
        })
    }

    /// How many files that are.
    pub fn unsearched_count(&self) -> Result<usize, StoreError> {
        self.index.read(|connection| Ok(connection.query_row("SELECT count(*) FROM unsearched", [], |row| row.get(0))?))
    }

    /// These notes are done. A file that settled again has another one.
    pub fn searched(&self, notes: &[i64]) -> Result<(), StoreError> {
        self.index.write(|transaction| {
            let mut done = transaction.prepare_cached("DELETE FROM unsearched WHERE n = ?")?;
            notes.iter().try_for_each(|note| done.execute([note]).map(drop))?;
            Ok(())
        })
    }
}
