//! Changes of tickets that are told before they are made.

use super::{Value, path::WsPath};
use serde::{Deserialize, Serialize};

/// What is to be done to one ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum Edit {
    /// Without a path, the title names the file.
    Make {
        path: Option<WsPath>,
        values: Vec<NewValue>,
    },
    Change {
        path: WsPath,
        values: Vec<NewValue>,
    },
    Remove {
        path: WsPath,
    },
}

/// What a field is to hold; null: nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewValue {
    /// `None`: the text.
    pub field: Option<String>,
    pub value: Value,
}
