//! Domain events: what a save meant.

use super::{Timestamp, Value, op::Actor, path::WsPath};
use serde::{Deserialize, Serialize};

/// One thing that happened, in the order of `seq`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Position in the log, from 1; never reused.
    pub seq: u64,
    pub at: Timestamp,
    pub actor: Actor,
    #[serde(flatten)]
    pub change: Change,
}

/// What happened. The wire names (`ticket.created`, …) are stable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum Change {
    #[serde(rename = "ticket.created")]
    TicketCreated { path: WsPath, title: String },
    #[serde(rename = "ticket.field_changed")]
    FieldChanged { path: WsPath, field: String, from: Value, to: Value },
    #[serde(rename = "ticket.body_changed")]
    BodyChanged { path: WsPath },
    #[serde(rename = "ticket.moved")]
    TicketMoved { path: WsPath, from: WsPath },
    #[serde(rename = "ticket.removed")]
    TicketRemoved { path: WsPath, title: String },
    /// A spec, or any other versioned file that is no ticket; `what` is `added`, `edited` or `removed`.
    #[serde(rename = "spec.changed")]
    SpecChanged { path: WsPath, what: String },
    #[serde(rename = "comment.added")]
    CommentAdded { path: WsPath, ticket: WsPath },
    #[serde(rename = "comment.changed")]
    CommentChanged { path: WsPath, ticket: WsPath },
    #[serde(rename = "comment.removed")]
    CommentRemoved { path: WsPath, ticket: WsPath },
    #[serde(rename = "problem.found")]
    ProblemFound { path: WsPath, line: u32, code: String, message: String },
    #[serde(rename = "problem.cleared")]
    ProblemCleared { path: WsPath, code: String },
    #[serde(rename = "committed")]
    Committed { commit: String, message: String, paths: Vec<WsPath> },
    #[serde(rename = "pushed")]
    Pushed { remote: String, path: WsPath, key: String, what: Vec<String> },
    #[serde(rename = "pulled")]
    Pulled { remote: String, path: WsPath, key: String, what: Vec<String> },
    #[serde(rename = "conflict")]
    Conflict { remote: String, path: WsPath, field: String, local: Value, theirs: Value },
    /// Both sides say the same again, or one of them gave way.
    #[serde(rename = "conflict.ended")]
    ConflictEnded { remote: String, path: WsPath, field: String },
}

impl Change {
    /// The file it is about; `None` for a commit.
    pub fn path(&self) -> Option<&WsPath> {
        match self {
            Self::TicketCreated { path, .. }
            | Self::FieldChanged { path, .. }
            | Self::BodyChanged { path }
            | Self::TicketMoved { path, .. }
            | Self::TicketRemoved { path, .. }
            | Self::SpecChanged { path, .. }
            | Self::CommentAdded { path, .. }
            | Self::CommentChanged { path, .. }
            | Self::CommentRemoved { path, .. }
            | Self::ProblemFound { path, .. }
            | Self::ProblemCleared { path, .. }
            | Self::Pushed { path, .. }
            | Self::Pulled { path, .. }
            | Self::Conflict { path, .. }
            | Self::ConflictEnded { path, .. } => Some(path),
            Self::Committed { .. } => None,
        }
    }

    /// Every file whose state it may have changed.
    pub fn paths(&self) -> impl Iterator<Item = &WsPath> {
        let from = match self {
            Self::TicketMoved { from, .. } => Some(from),
            _ => None,
        };
        self.path().into_iter().chain(from)
    }

    /// Whether it says that a file changed, rather than what was done about it.
    pub fn is_of_a_file(&self) -> bool {
        !matches!(
            self,
            Self::Committed { .. }
                | Self::Pushed { .. }
                | Self::Pulled { .. }
                | Self::Conflict { .. }
                | Self::ConflictEnded { .. }
        )
    }
}
