//! A remote object as its provider describes it, in the provider's own vocabulary, and what a provider can do.
//!
//! These are the values that three-way planning compares: the base (what was last agreed, kept in git), the local
//! ticket put into the same terms, and what the remote says now.

use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use super::schema::{Schema, StatusKind};

/// A field that crosses between a ticket and a remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    Title,
    Body,
    Status,
    Labels,
    Assignee,
    Priority,
    Estimate,
    Due,
    Project,
    Milestone,
    Cycle,
    /// By the parent's key.
    Parent,
    /// The keys of the issues that must be over first.
    BlockedBy,
    /// Keys; it holds both ways.
    Related,
    /// By the key of the issue that says the same.
    DuplicateOf,
    /// Bug, feature, task: what the organization has.
    Type,
    /// Addresses of what belongs to it elsewhere.
    Attachments,
}

/// How two edits of one field come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeKind {
    /// Three-way; both changed to different values is a conflict.
    Scalar,
    /// By members added and removed; never a conflict.
    Set,
    /// By lines; overlapping edits are a conflict.
    Lines,
}

impl Field {
    pub const ALL: [Field; 17] = [
        Field::Title,
        Field::Body,
        Field::Status,
        Field::Labels,
        Field::Assignee,
        Field::Priority,
        Field::Estimate,
        Field::Due,
        Field::Project,
        Field::Milestone,
        Field::Cycle,
        Field::Parent,
        Field::BlockedBy,
        Field::Related,
        Field::DuplicateOf,
        Field::Type,
        Field::Attachments,
    ];

    pub fn merge_kind(self) -> MergeKind {
        match self {
            Field::Body => MergeKind::Lines,
            Field::Labels | Field::BlockedBy | Field::Related | Field::Attachments => MergeKind::Set,
            _ => MergeKind::Scalar,
        }
    }

    /// Whether its value is other objects, by their keys.
    pub fn is_link(self) -> bool {
        self == Self::Parent || self.is_relation()
    }

    /// Whether it ties two objects that are both there.
    pub fn is_relation(self) -> bool {
        matches!(self, Self::BlockedBy | Self::Related | Self::DuplicateOf)
    }

    /// Whether a new object is told of it only once it is made.
    pub fn is_told_later(self) -> bool {
        self.is_relation() || self == Self::Attachments
    }

    /// Whether a ticket of this schema has the field. Every ticket has a title, a body and a status.
    pub fn is_in(self, schema: &Schema) -> bool {
        matches!(self, Self::Title | Self::Body | Self::Status) || schema.field(self.name()).is_some()
    }

    /// The name of the field in a ticket's frontmatter (the body has none) and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Field::Title => "title",
            Field::Body => "body",
            Field::Status => "status",
            Field::Labels => "labels",
            Field::Assignee => "assignee",
            Field::Priority => "priority",
            Field::Estimate => "estimate",
            Field::Due => "due",
            Field::Project => "project",
            Field::Milestone => "milestone",
            Field::Cycle => "cycle",
            Field::Parent => "parent",
            Field::BlockedBy => "blocked_by",
            Field::Related => "related",
            Field::DuplicateOf => "duplicate_of",
            Field::Type => "type",
            Field::Attachments => "attachments",
        }
    }
}

/// A field's value in remote terms. Numbers and dates are text in the provider's canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FieldValue {
    Text(Option<String>),
    Set(BTreeSet<String>),
}

impl FieldValue {
    pub fn text(value: impl Into<String>) -> Self {
        Self::Text(Some(value.into()))
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.as_deref(),
            Self::Set(_) => None,
        }
    }

    /// The members of a set, or the text, if there is one.
    pub fn members(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => text.as_deref().into_iter().collect(),
            Self::Set(members) => members.iter().map(String::as_str).collect(),
        }
    }
}

/// The fields of one object. A field that is absent is one its provider does not have.
pub type IssueFields = BTreeMap<Field, FieldValue>;

/// What an object is on its remote. It is part of the object's id, so that whoever knows the one knows the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// Work: a ticket here.
    #[default]
    Issue,
    /// Text: a spec here.
    Document,
    /// A project with its description: a spec here, too. It is neither made nor put away from here.
    Project,
}

impl ObjectKind {
    /// What begins the ids and the keys of such objects.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Issue => "",
            Self::Document => "doc-",
            Self::Project => "project-",
        }
    }

    /// Of an object, by its id.
    pub fn of(id: &str) -> Self {
        let such = |kind: &Self| id.starts_with(kind.prefix());
        [Self::Document, Self::Project].into_iter().find(such).unwrap_or_default()
    }

    /// The id of an object that its remote knows by `own`.
    pub fn id(self, own: impl Display) -> String {
        format!("{}{own}", self.prefix())
    }

    /// What the remote itself knows the object by.
    pub fn own(self, id: &str) -> &str {
        id.strip_prefix(self.prefix()).unwrap_or(id)
    }

    /// Whether it is text to read, a spec and no ticket.
    pub fn is_text(self) -> bool {
        self != Self::Issue
    }

    /// Whether such objects have a field, where their remote has it at all.
    pub fn has(self, field: Field) -> bool {
        match self {
            Self::Issue => true,
            Self::Document => matches!(field, Field::Title | Field::Body | Field::Project | Field::Parent),
            Self::Project => matches!(field, Field::Title | Field::Body),
        }
    }
}

/// An issue, or a text that the tracker keeps beside its issues, as the remote last described it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteIssue {
    /// Identity that never changes (Linear's UUID, GitHub's issue id), with its [`ObjectKind::prefix`].
    pub id: String,
    /// What people call it, and what `sync:` holds: `ENG-42`, `145`, `doc-8f2c1d9a7b3e`.
    pub key: String,
    pub url: String,
    /// The remote's `updated_at`, verbatim: compared for equality and order, never with a local clock.
    pub updated_at: String,
    /// Archived, trashed, or gone.
    #[serde(default)]
    pub archived: bool,
    pub fields: IssueFields,
    /// In the order they were written.
    #[serde(default)]
    pub comments: Vec<RemoteComment>,
    /// How many people reacted how, where that is shown; nobody here changes it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reactions: BTreeMap<String, u64>,
}

impl RemoteIssue {
    pub fn kind(&self) -> ObjectKind {
        ObjectKind::of(&self.id)
    }

    /// What is left of an object that its ticket was unlinked from: nothing is agreed, and it is not wanted as a file
    /// until a ticket names its key again.
    pub fn let_go(&self) -> Self {
        Self { fields: IssueFields::new(), comments: Vec::new(), reactions: BTreeMap::new(), ..self.clone() }
    }

    pub fn is_let_go(&self) -> bool {
        self.fields.is_empty()
    }

    /// Keys of the objects that it is tied to.
    pub fn linked_keys(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(|(field, _)| field.is_link()).flat_map(|(_, value)| value.members())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteComment {
    pub id: String,
    pub author: String,
    pub created_at: String,
    pub updated_at: String,
    pub body: String,
}

/// A state of the remote's workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteState {
    /// What [`Field::Status`] holds for it: `In Progress`, `closed:not_planned`.
    pub name: String,
    pub kind: StatusKind,
}

/// What a provider can do, as far as planning must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Fields it stores.
    pub fields: BTreeSet<Field>,
    /// Workflow states, in order.
    pub states: Vec<RemoteState>,
    /// Priority names it stores, highest first; empty: no priority.
    pub priorities: Vec<String>,
    /// Types of issues it stores; empty: no type.
    pub types: Vec<String>,
    pub comments: bool,
    /// The account that it writes as: comments of this author can be edited and deleted. `None`: of nobody.
    pub account: Option<String>,
    /// A create repeated with the same intent makes one object (Linear's client UUID).
    pub idempotent_create: bool,
    /// Longest title and body it takes, in characters.
    pub max_title: usize,
    pub max_body: usize,
    /// It rewrites Markdown (bullets, trailing space): bodies are compared by normal form.
    pub rewrites_markdown: bool,
}

impl Capabilities {
    /// Whether a comment is by the account that the provider writes as.
    pub fn is_own(&self, comment: &RemoteComment) -> bool {
        self.account.as_deref() == Some(comment.author.as_str())
    }
}
