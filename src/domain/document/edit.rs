//! Edits of one field that leave every other byte as it is.
//!
//! An edit is one splice of the file's bytes. Several are tried, the least first: the items of a list that differ, the
//! value alone, the field's lines. Each is judged by parsing what it makes, so a notation that a splice does not
//! understand is refused, never mangled.

use super::{
    Document, EditError, FaultKind,
    splice::{Block, Splice, new_lines},
    split::BOM,
    yaml::Style,
};
use crate::domain::{Fields, Value};

impl Document {
    /// Sets one top-level field; adds a line at the end of the block (making the block if the file has none).
    pub fn set(&mut self, key: &str, value: &Value) -> Result<(), EditError> {
        self.check_editable(key)?;
        if self.get(key) == Some(value) {
            return Ok(());
        }
        if !self.has_frontmatter() {
            return self.set_first(key, value);
        }
        let mut wanted = self.fields.clone();
        wanted.insert(key.to_owned(), value.clone());
        let block = Block::of(self);
        let splices = match self.entry(key) {
            None => vec![block.appended(key, value)],
            Some((key, node)) => block.replacements(key, node, value),
        };
        self.apply_first(key, splices, &wanted)
    }

    /// Removes one top-level field with its lines; nothing happens when it is not there.
    pub fn remove(&mut self, key: &str) -> Result<(), EditError> {
        self.check_editable(key)?;
        let Some((found, node)) = self.entry(key) else { return Ok(()) };
        let mut wanted = self.fields.clone();
        wanted.shift_remove(key);
        let splices = Block::of(self).removals(found, node);
        self.apply_first(key, splices, &wanted)
    }

    /// Sets, or with `None` removes, one entry of a field that is a map (`sync: {linear: ENG-42}`). The map is made when
    /// it is missing and goes when its last entry does.
    pub fn set_in(&mut self, map_key: &str, sub_key: &str, value: Option<&Value>) -> Result<(), EditError> {
        let mut map = match self.get(map_key) {
            None | Some(Value::Null) => Fields::new(),
            Some(Value::Object(map)) => map.clone(),
            Some(_) => return Err(EditError::NotEditable(map_key.to_owned())),
        };
        match value {
            Some(value) => map.insert(sub_key.to_owned(), value.clone()),
            None if !map.contains_key(sub_key) => return self.check_editable(map_key),
            None => map.shift_remove(sub_key),
        };
        if map.is_empty() { self.remove(map_key) } else { self.set(map_key, &Value::Object(map)) }
    }

    fn check_editable(&self, key: &str) -> Result<(), EditError> {
        let harmless = |kind| match kind {
            FaultKind::Empty | FaultKind::NoFrontmatter => true,
            FaultKind::MergeMarkers => self.root.is_some(),
            FaultKind::NulBytes | FaultKind::NotUtf8 | FaultKind::Unclosed | FaultKind::Yaml => false,
        };
        if let Some(fault) = self.faults.iter().find(|fault| !harmless(fault.kind)) {
            return Err(EditError::Unreadable(fault.message.clone()));
        }
        match &self.root {
            Some(root) if root.style != Style::Block => Err(EditError::NotEditable(key.to_owned())),
            _ => Ok(()),
        }
    }

    /// Gives a file its block.
    fn set_first(&mut self, key: &str, value: &Value) -> Result<(), EditError> {
        let eol = self.eol();
        let bom = if self.bytes.starts_with(BOM) { BOM.len() } else { 0 };
        let mut bytes = self.bytes[..bom].to_vec();
        let lines = new_lines("", key, value, eol);
        bytes.extend_from_slice(format!("---{eol}{lines}---{eol}").as_bytes());
        bytes.extend_from_slice(&self.bytes[bom..]);
        let wanted = Fields::from_iter([(key.to_owned(), value.clone())]);
        self.replace_if(key, bytes, &wanted)
    }

    fn apply_first(&mut self, key: &str, splices: Vec<Splice>, wanted: &Fields) -> Result<(), EditError> {
        let start = self.block().map_or(0, |block| block.start);
        let mut outcome = Err(EditError::NotEditable(key.to_owned()));
        for Splice { range, text } in splices {
            let mut bytes = self.bytes.clone();
            bytes.splice(start + range.start..start + range.end, text.into_bytes());
            outcome = self.replace_if(key, bytes, wanted);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Becomes `bytes` when these hold exactly the fields that are wanted, and the same body.
    fn replace_if(&mut self, key: &str, bytes: Vec<u8>, wanted: &Fields) -> Result<(), EditError> {
        let next = Document::from_bytes(bytes);
        if !next.has_frontmatter() || next.check_editable(key).is_err() {
            return Err(EditError::NotEditable(key.to_owned()));
        }
        if next.fields != *wanted || next.body() != self.body() {
            return Err(EditError::NotEditable(key.to_owned()));
        }
        *self = next;
        Ok(())
    }
}
