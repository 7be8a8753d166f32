//! The workspace as tables, for questions in SQL, and for changes that a statement tells.
//!
//! Nothing is made for a question: the tables are views of the databases that are there anyway, git's objects are read when a row
//! asks for one, and `tickets` reads snapshots. A statement can neither write to a database nor reach another file: what it may
//! do is decided by SQLite's authorizer, action by action, and anything that is not known to be harmless is refused.

mod sources;
mod tables;
mod tickets;

pub use tables::Table;

use super::StoreError;
use crate::{
    domain::{cell::Cell, edit::Edit, nearest::nearest, path::WsPath, schema::Schema},
    workspace::root::Root,
};
use rusqlite::{
    Connection, Error, OpenFlags,
    functions::{Context, FunctionFlags},
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
    params,
};
use sources::Sources;
use std::{
    io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tickets::{Column, cell_from, other};

/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 20_000;
/// The databases, as the views call them.
const DATABASES: [(&str, &str); 3] = [("idx", "index.db"), ("journal", "journal.db"), ("history", "history.db")];

/// Reads git's objects.
pub trait Objects: Send + Sync + 'static {
    /// The content of a blob; `None`: there is none.
    fn blob(&self, hash: &str) -> Option<Vec<u8>>;
    /// The entries of a tree as a JSON list of objects with `name`, `kind` and `hash`.
    fn tree(&self, hash: &str) -> Option<String>;
}

/// A row of `remote_objects`.
#[derive(Clone, Debug, Default)]
pub struct RemoteObject {
    pub remote: String,
    pub id: String,
    pub key: String,
    pub url: String,
    pub title: Option<String>,
    pub status: Option<String>,
    pub archived: bool,
    pub updated: String,
    /// JSON.
    pub fields: String,
}

/// The tables of one workspace, open for statements.
pub struct Sql {
    connection: Connection,
    sources: Arc<Sources>,
    schema: Arc<Schema>,
}

/// What a statement may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub time: Duration,
    /// Whether it may tell changes of tickets.
    pub write: bool,
}

/// Why a statement has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    #[error("{message}")]
    Statement {
        message: String,
        /// Bytes of the statement before what is wrong.
        at: Option<usize>,
        help: Option<String>,
    },
    #[error("the statement took longer than {0:?}")]
    Slow(Duration),
    #[error("the statement reads and writes nothing but the tables of the workspace")]
    Forbidden,
    #[error(transparent)]
    Output(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Sql {
    /// Opens what is in `state`, which must be there.
    pub fn open(
        state: &Path,
        root: Arc<Root>,
        schema: Arc<Schema>,
        objects: Arc<dyn Objects>,
    ) -> Result<Self, StoreError> {
        let index = Connection::open_with_flags(state.join("index.db"), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let sources = Arc::new(Sources::new(index, root, &schema, objects));
        let connection = Connection::open_in_memory()?;
        for (name, file) in DATABASES {
            let file = state.join(file);
            connection.execute(&format!("ATTACH ? AS {name}"), [file.to_string_lossy()])?;
        }
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        add_functions(&connection, &sources)?;
        connection.create_module("tickets", &tickets::MODULE, Some(sources.clone()))?;
        connection.execute_batch(
            "CREATE VIRTUAL TABLE temp.tickets USING tickets;
             CREATE TABLE temp.objects (remote, id, key, url, title, status, archived, updated, fields)",
        )?;
        for table in tables::others(&schema) {
            connection.execute_batch(&format!("CREATE TEMP VIEW {} AS {}", table.name, table.query))?;
        }
        Ok(Self { connection, sources, schema })
    }

    /// What trackers said last, for `remote_objects`.
    pub fn put_objects(&self, objects: impl IntoIterator<Item = RemoteObject>) -> Result<(), StoreError> {
        let mut insert = self.connection.prepare("INSERT INTO temp.objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
        for object in objects {
            let RemoteObject { remote, id, key, url, title, status, archived, updated, fields } = object;
            insert.execute(params![remote, id, key, url, title, status, archived, updated, fields])?;
        }
        Ok(())
    }

    /// Every table, with what it means.
    pub fn tables(&self) -> Vec<Table> {
        let columns = self.sources.columns.iter().map(|column| (column.name().to_owned(), meaning(column)));
        let about = "tickets, with a column for each field of the schema; written by UPDATE, INSERT and DELETE";
        let tickets = Table { name: "tickets", about, columns: columns.collect(), query: String::new() };
        [tickets].into_iter().chain(tables::others(&self.schema)).collect()
    }

    /// Runs one statement. `row` is told the names of the columns and each row; the answer is what the statement would change.
    pub fn run(
        &mut self,
        statement: &str,
        limits: Limits,
        mut row: impl FnMut(&[String], Vec<Cell>) -> io::Result<()>,
    ) -> Result<Vec<Edit>, SqlError> {
        let until = Instant::now() + limits.time;
        self.connection.progress_handler(STEPS, Some(move || Instant::now() > until)).map_err(StoreError::from)?;
        let may = move |context: AuthContext<'_>| authorize(&context.action, limits.write);
        self.connection.authorizer(Some(may)).map_err(StoreError::from)?;
        self.sources.take_edits();
        let wrong = |error| self.explained(error, limits);
        let mut prepared = self.connection.prepare(statement).map_err(wrong)?;
        let names: Vec<String> = prepared.column_names().map(str::to_owned).collect();
        let mut rows = prepared.query([]).map_err(wrong)?;
        while let Some(found) = rows.next().map_err(wrong)? {
            let cells = (0..names.len()).map(|index| found.get_ref(index).map(cell_from));
            row(&names, cells.collect::<Result<_, _>>().map_err(wrong)?)?;
        }
        Ok(self.sources.take_edits())
    }

    fn explained(&self, error: Error, limits: Limits) -> SqlError {
        use rusqlite::ErrorCode::{AuthorizationForStatementDenied, OperationInterrupted};
        match error {
            Error::SqliteFailure(failure, _) if failure.code == OperationInterrupted => SqlError::Slow(limits.time),
            Error::SqliteFailure(failure, _) if failure.code == AuthorizationForStatementDenied => SqlError::Forbidden,
            Error::SqlInputError { error, .. } if error.code == AuthorizationForStatementDenied => SqlError::Forbidden,
            Error::SqlInputError { msg, offset, .. } => {
                let help = self.meant(&msg);
                SqlError::Statement { message: msg, at: usize::try_from(offset).ok(), help }
            }
            Error::SqliteFailure(_, Some(message)) => {
                let help = self.meant(&message);
                SqlError::Statement { message, at: None, help }
            }
            Error::MultipleStatement => SqlError::Statement {
                message: "there is more than one statement".to_owned(),
                at: None,
                help: Some("say one at a time".to_owned()),
            },
            error => SqlError::Statement { message: error.to_string(), at: None, help: None },
        }
    }

    /// What somebody meant by a name that is not there.
    fn meant(&self, message: &str) -> Option<String> {
        let tables = self.tables();
        let (word, names): (_, Vec<&str>) = if let Some(word) = message.strip_prefix("no such table: ") {
            (word, tables.iter().map(|table| table.name).collect())
        } else {
            let word = message.strip_prefix("no such column: ")?;
            (word, tables.iter().flat_map(|table| &table.columns).map(|(name, _)| name.as_str()).collect())
        };
        let word = word.rsplit('.').next().unwrap_or(word);
        nearest(word, names).map(|name| format!("did you mean `{name}`?"))
    }
}

/// What a statement may do: read, compute, and tell changes of tickets.
fn authorize(action: &AuthAction<'_>, write: bool) -> Authorization {
    match action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => Authorization::Allow,
        AuthAction::Function { function_name } if *function_name != "load_extension" => Authorization::Allow,
        AuthAction::Update { table_name, .. }
        | AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
            if write && *table_name == "tickets" =>
        {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }
}

fn add_functions(connection: &Connection, sources: &Arc<Sources>) -> Result<(), Error> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let from = sources.clone();
    connection.create_scalar_function("body", 1, flags, move |context| {
        let path = context.get::<String>(0)?;
        Ok(WsPath::new(path.as_str()).ok().and_then(|path| from.body(&path)))
    })?;
    let from = sources.clone();
    connection.create_scalar_function("git_blob", 1, flags, move |context| {
        let content = from.objects.blob(&context.get::<String>(0)?);
        Ok(content.map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => rusqlite::types::Value::Text(text),
            Err(error) => rusqlite::types::Value::Blob(error.into_bytes()),
        }))
    })?;
    let from = sources.clone();
    connection.create_scalar_function("git_tree", 1, flags, move |context| {
        Ok(from.objects.tree(&context.get::<String>(0)?).unwrap_or_else(|| "[]".to_owned()))
    })?;
    connection.create_scalar_function("list_add", 2, flags, |context| {
        let (mut items, item) = list_and_item(context)?;
        if !items.contains(&item) {
            items.push(item);
        }
        serde_json::to_string(&items).map_err(other)
    })?;
    connection.create_scalar_function("list_remove", 2, flags, |context| {
        let (mut items, item) = list_and_item(context)?;
        items.retain(|known| *known != item);
        serde_json::to_string(&items).map_err(other)
    })
}

/// The arguments of `list_add` and `list_remove`.
fn list_and_item(context: &Context<'_>) -> Result<(Vec<serde_json::Value>, serde_json::Value), Error> {
    let list = context.get::<Option<String>>(0)?;
    let items = match list.as_deref().map(serde_json::from_str) {
        None => Vec::new(),
        Some(Ok(serde_json::Value::Array(items))) => items,
        Some(_) => list.map(serde_json::Value::from).into_iter().collect(),
    };
    Ok((items, context.get::<String>(1)?.into()))
}

fn meaning(column: &Column) -> String {
    use crate::domain::schema::FieldKind;
    let said = match column {
        Column::Path => "its file",
        Column::Name => "the name of its file, without .md",
        Column::Title => "as it is shown",
        Column::Tags => "#tags of the text, as JSON",
        Column::Body => "its text, read from the file",
        Column::Created => "when its file was made, in UTC",
        Column::Updated => "when its file was changed, in UTC",
        Column::Label => "one of its labels: label = 'bug', label IN ('bug', 'auth')",
        Column::Field(_, kind) => match kind {
            FieldKind::Text => "a text",
            FieldKind::Status => "one of the statuses",
            FieldKind::Choice(of) => return format!("one of {}", of.join(", ")),
            FieldKind::Number => "a number",
            FieldKind::Bool => "1 or 0",
            FieldKind::Date => "a date: 2026-12-01",
            FieldKind::Set => "words, as JSON; list_add(labels, 'bug') and list_remove(…)",
            FieldKind::Link => "a ticket, by its name or key",
            FieldKind::Links => "tickets, as JSON",
            FieldKind::Path => "a file of the workspace",
            FieldKind::Sync => "remote to key, as JSON; written by trackfs",
        },
    };
    said.to_owned()
}
