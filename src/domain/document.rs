//! A Markdown file with YAML frontmatter, kept byte for byte.
//!
//! Parsing never fails: `Document::parse(b).bytes() == b` for every `b`. What could not be read is in [`Document::faults`].
//! [`Document::set`] changes the lines of one field and no other byte: the edited file is parsed again, and the edit is
//! refused unless exactly that field came out changed.

mod edit;
mod lines;
pub(in crate::domain) mod scalar;
mod splice;
mod split;
pub(in crate::domain) mod yaml;

use super::{Fields, Value};
use split::Split;
use std::ops::Range;
use yaml::{Content, Node, YamlError};

/// A frontmatter block beyond this many bytes is not read.
const MAX_FRONTMATTER: usize = 256 * 1024;

/// A parsed file. Bytes that are no legal document are kept all the same.
#[derive(Clone, Debug)]
pub struct Document {
    bytes: Vec<u8>,
    split: Split,
    root: Option<Node>,
    fields: Fields,
    faults: Vec<Fault>,
}

/// Why a field cannot be edited in place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("the frontmatter cannot be read: {0}")]
    Unreadable(String),
    #[error("`{0}` is written in a form that cannot be edited without touching other lines")]
    NotEditable(String),
}

/// 1-based line and column (characters) in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

impl Position {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// What kept a document from being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub position: Position,
    pub kind: FaultKind,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    Empty,
    NulBytes,
    NotUtf8,
    /// No `---` block at the top.
    NoFrontmatter,
    /// `---` opened and never closed.
    Unclosed,
    /// The block is no YAML mapping, has duplicate keys, or exceeds a bound (size, depth, nodes, aliases).
    Yaml,
    /// `<<<<<<<`, `=======`, `>>>>>>>` lines, in this order. Reported alone: what they did to the rest is no news.
    MergeMarkers,
}

impl Document {
    pub fn parse(bytes: &[u8]) -> Self {
        Self::from_bytes(bytes.to_vec())
    }

    /// A new document: frontmatter in the order given, then the body.
    pub fn new(fields: &Fields, body: &str) -> Self {
        let lines: String = fields.iter().map(|(key, value)| splice::new_lines("", key, value, "\n")).collect();
        Self::from_bytes(format!("---\n{lines}---\n{body}").into_bytes())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The frontmatter; empty when there is none or it cannot be read.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.fields.get(key)
    }

    /// Where the key of a top-level field stands.
    pub fn position(&self, key: &str) -> Option<Position> {
        let (key, _) = self.entry(key)?;
        Some(self.in_file(key.at))
    }

    /// Where the value of a top-level field stands; of an empty value, its key.
    pub fn value_position(&self, key: &str) -> Option<Position> {
        let (key, node) = self.entry(key)?;
        Some(self.in_file(if node.style == yaml::Style::Absent { key.at } else { node.at }))
    }

    /// Where the `index`th item of a list stands.
    pub fn item_position(&self, key: &str, index: usize) -> Option<Position> {
        match &self.entry(key)?.1.content {
            Content::List(items) => items.get(index).map(|item| self.in_file(item.at)),
            _ => None,
        }
    }

    /// Whether the file has a `---` block that is closed, readable or not.
    pub fn has_frontmatter(&self) -> bool {
        matches!(self.split, Split::Closed { .. })
    }

    /// Everything after the frontmatter block; when there is none, the whole file but its byte order mark.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body_start()..]
    }

    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Replaces the body, keeping the frontmatter's bytes.
    pub fn set_body(&mut self, body: &[u8]) {
        let mut bytes = self.bytes[..self.body_start()].to_vec();
        if self.has_frontmatter() && !body.is_empty() {
            bytes.extend_from_slice(self.missing_end(body));
        }
        bytes.extend_from_slice(body);
        *self = Self::from_bytes(bytes);
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        let split = Split::of(&bytes);
        let mut document = Self { bytes, split, root: None, fields: Fields::new(), faults: Vec::new() };
        let yaml = document.read_frontmatter();
        document.faults = document.find_faults(yaml);
        document
    }

    fn read_frontmatter(&mut self) -> Result<(), YamlError> {
        let Some(block) = self.block() else { return Ok(()) };
        let Ok(text) = std::str::from_utf8(&self.bytes[block]) else { return Ok(()) };
        let start = Position::START;
        if text.len() > MAX_FRONTMATTER {
            return Err(YamlError { at: start, message: format!("the block is larger than {MAX_FRONTMATTER} bytes") });
        }
        let Some(root) = yaml::read(text)? else { return Ok(()) };
        let Some(entries) = root.entries() else {
            return Err(YamlError { at: root.at, message: "expected `name: value` lines".to_owned() });
        };
        self.fields = yaml::fields(entries);
        self.root = Some(root);
        Ok(())
    }

    fn find_faults(&self, yaml: Result<(), YamlError>) -> Vec<Fault> {
        if let Some(fault) = split::merge_markers(&self.bytes) {
            return vec![fault];
        }
        let mut faults = split::faults(&self.bytes, &self.split);
        if let Err(YamlError { at, message }) = yaml {
            faults.push(Fault { position: self.in_file(at), kind: FaultKind::Yaml, message });
        }
        faults
    }

    /// The lines between the markers.
    fn block(&self) -> Option<Range<usize>> {
        match &self.split {
            Split::Closed { block, .. } => Some(block.clone()),
            _ => None,
        }
    }

    fn body_start(&self) -> usize {
        match self.split {
            Split::Closed { body, .. } => body,
            Split::Absent | Split::Unclosed if self.bytes.starts_with(split::BOM) => split::BOM.len(),
            Split::Absent | Split::Unclosed => 0,
        }
    }

    /// What the closing line of the block needs so that this body begins a line of its own.
    fn missing_end(&self, body: &[u8]) -> &'static [u8] {
        match self.bytes[..self.body_start()].last() {
            Some(b'\n') => b"",
            // The line feed would be taken for the other half of this carriage return.
            Some(b'\r') if body.starts_with(b"\n") => b"\n",
            Some(b'\r') => b"",
            _ if self.eol() == "\r" && body.starts_with(b"\n") => b"\r\n",
            _ => self.eol().as_bytes(),
        }
    }

    fn entry(&self, key: &str) -> Option<&(yaml::Key, Node)> {
        self.root.as_ref()?.entries()?.iter().find(|(candidate, _)| candidate.text == key)
    }

    /// The block begins on the second line of the file.
    fn in_file(&self, at: Position) -> Position {
        Position { line: at.line.saturating_add(1), column: at.column }
    }

    /// How the file ends its first line.
    fn eol(&self) -> &'static str {
        lines::line_end_of(&self.bytes)
    }
}

#[cfg(test)]
mod tests;
