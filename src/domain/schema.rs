//! The metaschema: which fields a ticket has, their types, the statuses and their allowed transitions.
//!
//! It judges and never changes: [`Schema::check`] says what is wrong, where, and what would be right. Keys that it does
//! not know are the user's own.

mod check;
mod parse;

pub(super) use check::{faults, problem};

use super::{document::Document, path::WsPath, problem::Problem};
use serde::{Deserialize, Serialize};

/// What `.trackfs/schema.yaml` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    pub fields: Vec<FieldDef>,
    pub statuses: Vec<StatusDef>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct FieldDef {
    pub name: String,
    pub kind: FieldKind,
    pub required: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    /// One of the statuses.
    Status,
    /// One of these, in this order.
    Choice(Vec<String>),
    Number,
    Bool,
    /// `YYYY-MM-DD`.
    Date,
    /// A set of words: `labels`.
    Set,
    /// The name or remote key of one ticket.
    Link,
    /// Names or remote keys of tickets.
    Links,
    /// A workspace path.
    Path,
    /// `sync`: remote name to key.
    Sync,
}

impl FieldKind {
    /// As `.trackfs/schema.yaml` has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Status => "status",
            Self::Choice(_) => "choice",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Set => "set",
            Self::Link => "link",
            Self::Links => "links",
            Self::Path => "path",
            Self::Sync => "sync",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusDef {
    pub name: String,
    pub kind: StatusKind,
    /// Statuses that may follow; empty: any.
    pub next: Vec<String>,
}

/// What a status means to every tracker. Linear's state types have the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusKind {
    Backlog,
    Unstarted,
    Started,
    Completed,
    Canceled,
}

impl StatusKind {
    /// Whether work in this status is over.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Completed | Self::Canceled)
    }
}

/// The commented default, written by `init`.
pub const DEFAULT_SCHEMA: &str = include_str!("schema/default.yaml");

impl Schema {
    /// Reads a schema file; the problems name line and column.
    pub fn parse(path: &WsPath, yaml: &str) -> Result<Self, Vec<Problem>> {
        parse::parse(path, yaml)
    }

    pub fn field(&self, name: &str) -> Option<&FieldDef> {
        self.fields.iter().find(|field| field.name == name)
    }

    pub fn status(&self, name: &str) -> Option<&StatusDef> {
        self.statuses.iter().find(|status| status.name == name)
    }

    /// The values that are allowed for a field, in order, if it lists any: the statuses, or those of a choice.
    pub fn choices(&self, field: &str) -> Option<impl Iterator<Item = &str>> {
        let (statuses, of) = match &self.field(field)?.kind {
            FieldKind::Status => (&self.statuses[..], &[][..]),
            FieldKind::Choice(of) => (&[][..], &of[..]),
            _ => return None,
        };
        Some(statuses.iter().map(|status| status.name.as_str()).chain(of.iter().map(String::as_str)))
    }

    /// The first status of a kind, in schema order.
    pub fn first_of(&self, kind: StatusKind) -> Option<&StatusDef> {
        self.statuses.iter().find(|status| status.kind == kind)
    }

    /// Whether a ticket may go from one status to another. Of a status that the schema does not know, anywhere.
    pub fn transition_allowed(&self, from: &str, to: &str) -> bool {
        let next = self.status(from).map_or(&[][..], |status| &status.next);
        from == to || next.is_empty() || next.iter().any(|name| name == to)
    }

    /// Everything wrong with a ticket's document, in the order of the file. Transitions are judged by
    /// [`snapshot::read`](super::snapshot::read), which knows the status before.
    pub fn check(&self, path: &WsPath, document: &Document) -> Vec<Problem> {
        check::check(self, path, document)
    }
}

impl Default for Schema {
    /// What [`DEFAULT_SCHEMA`] says.
    fn default() -> Self {
        Self::parse(&WsPath::default(), DEFAULT_SCHEMA).expect("the built-in schema is valid")
    }
}
