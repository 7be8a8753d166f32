//! A save from a stale buffer: what its author changed is brought into what the file has become since.
//!
//! `base` is the text that the author had opened, `saved` what they wrote, `present` what the file held just before.

use super::{
    Value,
    document::Document,
    merge::{MergeText, TextMerge},
};
use std::collections::BTreeSet;

/// What the file is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    Clean(String),
    /// Both changed the same thing in different ways: both texts stand there, between conflict markers.
    Overlap(String),
}

impl Merged {
    pub fn text(&self) -> &str {
        match self {
            Self::Clean(text) | Self::Overlap(text) => text,
        }
    }
}

/// Merges a save: by lines where that gives a document that can be read, else field by field and the body by lines.
/// Total; the same whatever the texts are documents of.
pub fn merge_save(base: &str, saved: &str, present: &str, merge_text: MergeText) -> Merged {
    if saved == present || present == base {
        return Merged::Clean(saved.to_owned());
    }
    if saved == base {
        return Merged::Clean(present.to_owned());
    }
    let [base_read, saved_read, present_read] = [base, saved, present].map(|text| Document::parse(text.as_bytes()));
    let is_sound = |text: &str| Document::parse(text.as_bytes()).faults().is_empty() || !saved_read.faults().is_empty();
    let lines = merge_text(base, saved, present);
    if let TextMerge::Clean(text) = &lines
        && is_sound(text)
    {
        return Merged::Clean(text.clone());
    }
    let documents = [&base_read, &saved_read, &present_read];
    if documents.iter().all(|document| document.faults().is_empty())
        && let Some(merged) = by_fields(documents, merge_text)
    {
        return merged;
    }
    match lines {
        TextMerge::Conflict(text) => Merged::Overlap(named(&text)),
        TextMerge::Clean(_) => Merged::Overlap(both_whole(saved, present)),
    }
}

/// The saved document with the other's fields and lines; `None` when a field was changed by both, or cannot be edited.
fn by_fields([base, saved, present]: [&Document; 3], merge_text: MergeText) -> Option<Merged> {
    let mut merged = saved.clone();
    let keys: BTreeSet<&String> = base.fields().keys().chain(present.fields().keys()).collect();
    for key in keys {
        let [base, saved, present] = [base, saved, present].map(|document| document.get(key));
        match merge_field(base, saved, present)? {
            Some(value) => merged.set(key, &value).ok()?,
            None => merged.remove(key).ok()?,
        }
    }
    let [base, saved, present] = [base, saved, present].map(|document| std::str::from_utf8(document.body()).ok());
    let (body, clean) = match merge_text(base?, saved?, present?) {
        TextMerge::Clean(body) => (body, true),
        TextMerge::Conflict(body) => (named(&body), false),
    };
    merged.set_body(body.as_bytes());
    let text = String::from_utf8(merged.bytes().to_vec()).ok()?;
    Some(if clean { Merged::Clean(text) } else { Merged::Overlap(text) })
}

/// The field as it is to be (`None`: not there); the outer `None`: both changed it.
fn merge_field(base: Option<&Value>, saved: Option<&Value>, present: Option<&Value>) -> Option<Option<Value>> {
    match (base, saved, present) {
        (base, saved, present) if present == base || present == saved => Some(saved.cloned()),
        (base, saved, present) if saved == base => Some(present.cloned()),
        (base, Some(Value::Array(saved)), Some(Value::Array(present))) => {
            Some(Some(Value::Array(merge_members(base, saved, present))))
        }
        _ => None,
    }
}

/// By members added and removed, in the order of the save.
fn merge_members(base: Option<&Value>, saved: &[Value], present: &[Value]) -> Vec<Value> {
    let none = Vec::new();
    let base = base.and_then(Value::as_array).unwrap_or(&none);
    let kept = saved.iter().filter(|member| present.contains(member) || !base.contains(member));
    let added = present.iter().filter(|member| !saved.contains(member) && !base.contains(member));
    kept.chain(added).cloned().collect()
}

/// The markers say whose text is whose.
fn named(text: &str) -> String {
    let mut named = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (content, end) = line.strip_suffix('\n').map_or((line, ""), |content| (content, "\n"));
        let (bare, cr) = content.strip_suffix('\r').map_or((content, ""), |bare| (bare, "\r"));
        match bare {
            "<<<<<<< local" => named.extend(["<<<<<<< this save", cr, end]),
            ">>>>>>> remote" => named.extend([">>>>>>> was there before it", cr, end]),
            _ => named.push_str(line),
        }
    }
    named
}

fn both_whole(saved: &str, present: &str) -> String {
    let line = |text: &str| if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    format!("<<<<<<< this save\n{}=======\n{}>>>>>>> was there before it\n", line(saved), line(present))
}
