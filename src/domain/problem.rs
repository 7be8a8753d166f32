//! What is wrong with a document, said so that its author can mend it.

use super::{document::Position, path::WsPath, text::printable};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that is wrong in one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Problem {
    pub path: WsPath,
    /// 1-based line in the file.
    pub line: u32,
    /// 1-based column, in characters.
    pub column: u32,
    pub severity: Severity,
    /// Stable kebab-case name of the kind of problem, e.g. `unknown-status`.
    pub code: String,
    /// What is wrong, naming the field and the value.
    pub message: String,
    /// What is allowed, or the nearest name for a misspelling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Whether the document can still be acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Not synced until mended; a rename onto a ticket, an fsync or a close answers EINVAL.
    Error,
    /// Like an error for sync, but never answered with an errno: git must be able to work (merge markers).
    Blocked,
    /// Shown only.
    Warning,
}

impl Problem {
    /// What is wrong with a file as a whole, and what to do: at its first character.
    pub fn of_file(path: WsPath, severity: Severity, code: &str, message: String, help: String) -> Self {
        let Position { line, column } = Position::START;
        Self { path, line, column, severity, code: code.to_owned(), message, help: Some(help) }
    }

    /// The same at another place in the file.
    pub fn at(self, Position { line, column }: Position) -> Self {
        Self { line, column, ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, message, .. } = self;
        let help = self.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        // Names and values may hold anything, and this is read on terminals.
        f.write_str(&printable(&format!("{path}:{line}:{column}: {message}{help}")))
    }
}
