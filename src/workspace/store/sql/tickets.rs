//! The table `tickets`: a column for each field of the schema, read from the index a few hundred tickets at a time. A statement
//! that writes changes nothing here: it says what would change, ticket by ticket.

use super::sources::Sources;
use crate::domain::{
    Timestamp, Value,
    cell::{Cell, cell_of, value_of},
    edit::{Edit, NewValue},
    path::WsPath,
    schema::FieldKind,
    snapshot::Snapshot,
    text::scalar_text,
};
use rusqlite::{
    Error, Result,
    types::{Value as SqlValue, ValueRef},
    vtab::{
        Context, CreateVTab, Filters, IndexConstraintOp, IndexInfo, Inserts, Module, UpdateVTab, Updates, VTab,
        VTabConnection, VTabCursor, VTabKind, sqlite3_vtab, sqlite3_vtab_cursor,
    },
};
use std::{
    borrow::Cow,
    collections::VecDeque,
    ffi::{CStr, CString, c_int},
    sync::Arc,
};

/// Tickets that are read at once.
const BATCH: usize = 400;

pub(super) const MODULE: Module<'static, Tickets> = Module::update_module();

/// A column of `tickets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Path,
    Name,
    Title,
    Field(String, FieldKind),
    Tags,
    Body,
    Created,
    Updated,
    /// Hidden: one of the labels, for questions.
    Label,
}

impl Column {
    pub fn name(&self) -> &str {
        match self {
            Self::Path => "path",
            Self::Name => "name",
            Self::Title => "title",
            Self::Field(name, _) => name,
            Self::Tags => "tags",
            Self::Body => "body",
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Label => "label",
        }
    }

    /// Whether a statement may give it a value.
    fn is_written(&self) -> bool {
        matches!(self, Self::Title | Self::Body) || matches!(self, Self::Field(_, kind) if *kind != FieldKind::Sync)
    }
}

#[repr(C)]
pub(super) struct Tickets {
    base: sqlite3_vtab,
    sources: Arc<Sources>,
}

#[repr(C)]
pub(super) struct Cursor {
    base: sqlite3_vtab_cursor,
    sources: Arc<Sources>,
    /// `None`: any.
    wanted: Wanted,
    batch: VecDeque<Row>,
    /// The last path of the batch; `None`: there is no more.
    after: Option<String>,
}

#[derive(Default)]
struct Wanted {
    path: Option<String>,
    labels: Option<Vec<String>>,
}

struct Row {
    path: WsPath,
    file: Snapshot,
    created: Option<i64>,
    updated: Option<i64>,
    /// The label that was asked for.
    label: Option<String>,
}

/// What `best_index` tells `filter`: which arguments there are, in this order.
const BY_PATH: c_int = 1;
const BY_LABEL: c_int = 2;
/// The label is one of several.
const BY_LABELS: c_int = 4;

// SAFETY: the base comes first, and the layout is C's.
unsafe impl VTab<'_> for Tickets {
    type Aux = Arc<Sources>;
    type Cursor = Cursor;

    fn connect(
        _: &mut VTabConnection,
        sources: Option<&Arc<Sources>>,
        _: &[u8],
        _: &[u8],
        _: &[u8],
        _: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        let sources = sources.expect("the module is registered with its sources").clone();
        let columns: Vec<_> = sources.columns.iter().map(declared).collect();
        let declaration = CString::new(format!("CREATE TABLE tickets ({})", columns.join(", ")))?;
        Ok((declaration.into(), Self { base: sqlite3_vtab::default(), sources }))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let column = |index: c_int| self.sources.columns.get(usize::try_from(index).ok()?);
        let mut by = 0;
        let mut arguments = Vec::new();
        let equal = |constraint: &rusqlite::vtab::IndexConstraint<'_>| {
            constraint.operator() == IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ
        };
        let found: Vec<_> = info
            .constraints()
            .enumerate()
            .filter(|(_, constraint)| constraint.is_usable() && equal(constraint))
            .filter_map(|(index, constraint)| Some((index, column(constraint.column())?.clone())))
            .collect();
        for (wanted, flag) in [(Column::Path, BY_PATH), (Column::Label, BY_LABEL)] {
            let Some((index, _)) = found.iter().find(|(_, column)| *column == wanted) else { continue };
            by |= flag;
            if wanted == Column::Label && info.set_in_constraint(*index, true)? {
                by |= BY_LABELS;
            }
            arguments.push(*index);
        }
        for (argument, index) in arguments.into_iter().enumerate() {
            let mut usage = info.constraint_usage(index);
            usage.set_argv_index(c_int::try_from(argument).unwrap_or(c_int::MAX) + 1);
            usage.set_omit(true);
        }
        info.set_idx_num(by);
        info.set_estimated_cost(if by & BY_PATH != 0 { 1.0 } else { 100_000.0 });
        info.set_estimated_rows(if by & BY_PATH != 0 { 1 } else { 100_000 });
        Ok(true)
    }

    fn open(&mut self) -> Result<Cursor> {
        Ok(Cursor {
            base: sqlite3_vtab_cursor::default(),
            sources: self.sources.clone(),
            wanted: Wanted::default(),
            batch: VecDeque::new(),
            after: None,
        })
    }
}

impl CreateVTab<'_> for Tickets {
    const KIND: VTabKind = VTabKind::Default;
}

fn declared(column: &Column) -> String {
    let kind = match column {
        Column::Field(_, FieldKind::Number | FieldKind::Bool) => " NUMERIC",
        Column::Label => " TEXT HIDDEN",
        _ => " TEXT",
    };
    format!("\"{}\"{kind}", column.name().replace('"', "\"\""))
}

// SAFETY: the base comes first, and the layout is C's.
unsafe impl VTabCursor for Cursor {
    fn filter(&mut self, by: c_int, _: Option<&str>, arguments: &Filters<'_>) -> Result<()> {
        let mut next = 0..arguments.len();
        let mut wanted = Wanted::default();
        if by & BY_PATH != 0 {
            let path = next.next().map(|index| arguments.get::<SqlValue>(index)).transpose()?;
            wanted.path = Some(path.and_then(text_of).unwrap_or_default());
        }
        if by & BY_LABELS != 0 {
            use rusqlite::fallible_iterator::FallibleIterator as _;
            let index = next.next().unwrap_or_default();
            let values = arguments.in_values(index)?.map(|value| Ok(SqlValue::try_from(value).ok()));
            wanted.labels = Some(values.collect::<Vec<_>>()?.into_iter().flatten().filter_map(text_of).collect());
        } else if by & BY_LABEL != 0 {
            let label = next.next().map(|index| arguments.get::<SqlValue>(index)).transpose()?;
            wanted.labels = Some(label.and_then(text_of).into_iter().collect());
        }
        (self.wanted, self.batch, self.after) = (wanted, VecDeque::new(), Some(String::new()));
        self.fill()
    }

    fn next(&mut self) -> Result<()> {
        self.batch.pop_front();
        self.fill()
    }

    fn eof(&self) -> bool {
        self.batch.is_empty()
    }

    fn column(&self, context: &mut Context, index: c_int) -> Result<()> {
        // What an UPDATE leaves as it is need not be read.
        if context.no_change() {
            return Ok(());
        }
        let column = usize::try_from(index).ok().and_then(|index| self.sources.columns.get(index));
        let (Some(row), Some(column)) = (self.batch.front(), column) else { return Ok(()) };
        context.set_result(to_sql(self.cell(row, column)?))
    }

    fn rowid(&self) -> Result<i64> {
        Ok(self.batch.front().map_or(0, |row| self.sources.number_of(&row.path)))
    }
}

impl Cursor {
    /// Reads on until there is a row, or no more.
    fn fill(&mut self) -> Result<()> {
        while self.batch.is_empty() {
            let Some(after) = self.after.take() else { return Ok(()) };
            let rows = self.sources.tickets(&after, self.wanted.path.as_deref(), BATCH).map_err(other)?;
            if rows.len() == BATCH && self.wanted.path.is_none() {
                self.after = rows.last().map(|(path, ..)| path.as_str().to_owned());
            }
            for (path, file, created, updated) in rows {
                let Some(label) = self.label(&file) else { continue };
                self.batch.push_back(Row { path, file, created, updated, label });
            }
        }
        Ok(())
    }

    /// The label that was asked for, if any was; `None`: the ticket has none of those.
    #[expect(clippy::option_option, reason = "whether it is wanted, and by which label")]
    fn label(&self, file: &Snapshot) -> Option<Option<String>> {
        let Some(wanted) = &self.wanted.labels else { return Some(None) };
        let labels = file.fields.get("labels")?;
        let has = |label: &String| match labels {
            Value::Array(items) => items.iter().any(|item| scalar_text(item).as_ref() == Some(label)),
            value => scalar_text(value).as_ref() == Some(label),
        };
        wanted.iter().find(|label| has(label)).map(|label| Some(label.clone()))
    }

    fn cell(&self, row: &Row, column: &Column) -> Result<Cell> {
        let text = |text: &str| Cell::Text(text.to_owned());
        Ok(match column {
            Column::Path => text(row.path.as_str()),
            Column::Name => text(row.path.stem()),
            Column::Title => text(&row.file.title),
            Column::Field(name, _) => row.file.fields.get(name).map_or(Cell::Null, cell_of),
            Column::Tags => Cell::Text(serde_json::to_string(&row.file.tags).map_err(other)?),
            Column::Body => self.sources.body(&row.path).map_or(Cell::Null, Cell::Text),
            Column::Created => time(row.created),
            Column::Updated => time(row.updated),
            Column::Label => match &row.label {
                Some(label) => text(label),
                None => {
                    let help = "`label` can be asked for by = or IN in a condition that must hold; the table `labels` has a row for each label";
                    return Err(Error::ModuleError(help.to_owned()));
                }
            },
        })
    }
}

impl UpdateVTab<'_> for Tickets {
    fn delete(&mut self, number: ValueRef<'_>) -> Result<()> {
        let path = self.sources.path_of(number.as_i64()?)?;
        self.sources.plan(Edit::Remove { path });
        Ok(())
    }

    fn insert(&mut self, values: &Inserts<'_>) -> Result<i64> {
        let (mut path, mut changes) = (None, Vec::new());
        for (column, value) in self.sources.columns.iter().zip(values.iter().skip(2)) {
            let cell = cell_from(value);
            match column {
                _ if cell == Cell::Null => {}
                Column::Path => path = Some(self.sources.legal_path(&cell)?),
                column => changes.push(new_value(column, &cell)?),
            }
        }
        self.sources.plan(Edit::Make { path, values: changes });
        Ok(0)
    }

    fn update(&mut self, values: &Updates<'_>) -> Result<()> {
        let path = self.sources.path_of(values.get::<i64>(0)?)?;
        let mut changes = Vec::new();
        for (index, (column, value)) in self.sources.columns.iter().zip(values.iter().skip(2)).enumerate() {
            if !values.no_change(index + 2) {
                changes.push(new_value(column, &cell_from(value))?);
            }
        }
        self.sources.plan(Edit::Change { path, values: changes });
        Ok(())
    }
}

fn new_value(column: &Column, cell: &Cell) -> Result<NewValue> {
    let refuse = |why: String| Error::ModuleError(format!("`{}` {why}", column.name()));
    if !column.is_written() {
        return Err(refuse(match column {
            Column::Path | Column::Name => "is not written by SQL: `mv` moves a ticket".to_owned(),
            Column::Label => "is for questions: `labels` is written, e.g. labels = list_add(labels, 'bug')".to_owned(),
            Column::Tags => "is what the text says".to_owned(),
            Column::Field(..) => "is written by trackfs: `trackfs link` and `unlink` change it".to_owned(),
            _ => "is not written: it is when the file was made or changed".to_owned(),
        }));
    }
    let (field, kind) = match column {
        Column::Field(name, kind) => (Some(name.clone()), kind.clone()),
        Column::Title => (Some("title".to_owned()), FieldKind::Text),
        _ => (None, FieldKind::Text),
    };
    Ok(NewValue { field, value: value_of(&kind, cell).map_err(refuse)? })
}

/// As SQLite's functions write times, in UTC.
fn time(nanoseconds: Option<i64>) -> Cell {
    let time = nanoseconds.and_then(|nanoseconds| Timestamp::from_nanosecond(nanoseconds.into()).ok());
    time.map_or(Cell::Null, |time| Cell::Text(time.strftime("%Y-%m-%d %H:%M:%S").to_string()))
}

fn text_of(value: SqlValue) -> Option<String> {
    match value {
        SqlValue::Text(text) => Some(text),
        SqlValue::Integer(number) => Some(number.to_string()),
        SqlValue::Real(number) => Some(number.to_string()),
        SqlValue::Null | SqlValue::Blob(_) => None,
    }
}

pub(super) fn to_sql(cell: Cell) -> SqlValue {
    match cell {
        Cell::Null => SqlValue::Null,
        Cell::Integer(integer) => SqlValue::Integer(integer),
        Cell::Real(real) => SqlValue::Real(real),
        Cell::Text(text) => SqlValue::Text(text),
    }
}

/// Bytes that are no text stand as SQL writes them.
pub(super) fn cell_from(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(integer) => Cell::Integer(integer),
        ValueRef::Real(real) => Cell::Real(real),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => {
            Cell::Text(format!("x'{}'", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
        }
    }
}

pub(super) fn other(error: impl ToString) -> Error {
    Error::ModuleError(error.to_string())
}
