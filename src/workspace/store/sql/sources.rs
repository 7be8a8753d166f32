//! Where the tables come from, and what a statement would do to them.

use super::{
    Objects,
    tickets::{Column, other},
};
use crate::{
    domain::{
        cell::Cell,
        document::Document,
        edit::Edit,
        path::WsPath,
        schema::{FieldKind, Schema},
        snapshot::Snapshot,
    },
    workspace::{
        root::Root,
        store::{
            StoreError,
            history::{collect, json, path},
        },
    },
};
use parking_lot::Mutex;
use rusqlite::{Connection, Error, Result, params};
use std::{collections::HashMap, sync::Arc};

/// Bytes of a file whose text is shown; a larger one could not be written back.
const MAX_TEXT: u64 = 16 << 20;

/// What the table `tickets` and the functions are made of.
pub struct Sources {
    pub columns: Vec<Column>,
    index: Mutex<Connection>,
    root: Arc<Root>,
    pub objects: Arc<dyn Objects>,
    numbers: Mutex<Numbers>,
    edits: Mutex<Vec<Edit>>,
}

/// Tickets by number, as SQLite calls rows.
#[derive(Default)]
struct Numbers {
    paths: Vec<WsPath>,
    known: HashMap<WsPath, i64>,
}

/// Selects the tickets whose path is so, in order.
macro_rules! tickets {
    ($path_is_so:literal) => {
        concat!(
            "SELECT path, snapshot, created, updated FROM files JOIN snapshots USING (path) WHERE kind = 'ticket' AND ",
            $path_is_so,
            " ORDER BY path LIMIT ?2"
        )
    };
}

/// A ticket, with the times of its file in nanoseconds.
pub type Ticket = (WsPath, Snapshot, Option<i64>, Option<i64>);

impl Sources {
    pub fn new(index: Connection, root: Arc<Root>, schema: &Schema, objects: Arc<dyn Objects>) -> Self {
        let (numbers, edits) = Default::default();
        Self { columns: columns(schema), index: Mutex::new(index), root, objects, numbers, edits }
    }

    /// So many tickets after a path, or the one at a path.
    pub fn tickets(&self, after: &str, only: Option<&str>, at_most: usize) -> Result<Vec<Ticket>, StoreError> {
        let connection = self.index.lock();
        // One path is one look into the table.
        let (path_is, query) = match only {
            Some(only) => (only, tickets!("path = ?1")),
            None => (after, tickets!("path > ?1")),
        };
        let mut statement = connection.prepare_cached(query)?;
        collect(statement.query(params![path_is, i64::try_from(at_most).unwrap_or(i64::MAX)])?, |row| {
            Ok((path(row, 0)?, json(row, 1)?, row.get(2)?, row.get(3)?))
        })
    }

    /// The text of a ticket, comment or spec below its frontmatter; `None`: it is not there, or too large to be a cell.
    pub fn body(&self, path: &WsPath) -> Option<String> {
        use std::io::Read;
        if !matches!(path.names().next(), Some("tickets" | "specs" | "inbox")) {
            return None;
        }
        let mut bytes = Vec::new();
        self.root.open_file(path).ok()?.take(MAX_TEXT + 1).read_to_end(&mut bytes).ok()?;
        let fits = bytes.len() as u64 <= MAX_TEXT;
        fits.then(|| String::from_utf8_lossy(Document::parse(&bytes).body()).into_owned())
    }

    pub fn number_of(&self, path: &WsPath) -> i64 {
        let mut numbers = self.numbers.lock();
        if let Some(number) = numbers.known.get(path) {
            return *number;
        }
        numbers.paths.push(path.clone());
        let number = i64::try_from(numbers.paths.len()).unwrap_or(i64::MAX);
        numbers.known.insert(path.clone(), number);
        number
    }

    pub fn path_of(&self, number: i64) -> Result<WsPath> {
        let numbers = self.numbers.lock();
        let path = usize::try_from(number - 1).ok().and_then(|index| numbers.paths.get(index));
        path.cloned().ok_or_else(|| other("there is no such ticket"))
    }

    /// The path of a ticket to be made.
    pub fn legal_path(&self, cell: &Cell) -> Result<WsPath> {
        let wrong = |why: String| Error::ModuleError(format!("`path` {why}"));
        let Cell::Text(text) = cell else { return Err(wrong("is a text, as tickets/web/login.md".to_owned())) };
        let path = WsPath::new(text.as_str()).map_err(|error| wrong(format!("cannot be `{text}`: {error}")))?;
        let is_ticket = path.names().next() == Some("tickets") && path.extension() == Some("md");
        if is_ticket { Ok(path) } else { Err(wrong(format!("is in tickets/ and ends in .md, unlike `{text}`"))) }
    }

    /// Notes what a statement would do.
    pub fn plan(&self, edit: Edit) {
        self.edits.lock().push(edit);
    }

    pub fn take_edits(&self) -> Vec<Edit> {
        std::mem::take(&mut self.edits.lock())
    }
}

/// One for each field of the schema, and what else is known of a ticket.
pub fn columns(schema: &Schema) -> Vec<Column> {
    let fields = schema.fields.iter().filter(|field| field.name != "title");
    let fields: Vec<_> = fields.map(|field| Column::Field(field.name.clone(), field.kind.clone())).collect();
    let has_labels = schema.field("labels").is_some_and(|field| field.kind == FieldKind::Set);
    let label = Some(Column::Label).filter(|_| has_labels);
    // A field of the schema goes before what else has its name: that name is what tickets say.
    let is_free = |column: &Column| schema.fields.iter().all(|field| field.name != column.name());
    let head = [Column::Path, Column::Name].into_iter().filter(is_free).chain([Column::Title]);
    let last = [Column::Tags, Column::Created, Column::Updated, Column::Body].into_iter().chain(label).filter(is_free);
    head.chain(fields).chain(last).collect()
}
