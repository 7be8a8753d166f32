//! Three-way merge of text with git's own algorithm.

use super::TextMerge;
use gix::{
    diff::blob::{Algorithm, InternedInput},
    merge::blob::{
        Resolution,
        builtin_driver::text::{Conflict, Labels, Merge},
    },
};

/// Merges by lines with git's own driver.
pub fn merge_text(base: &str, ours: &str, theirs: &str) -> TextMerge {
    let mut input = InternedInput::default();
    let merge = Merge::new(&mut input, ours.as_bytes(), base.as_bytes(), theirs.as_bytes(), Algorithm::Myers);
    let labels = Labels { ancestor: Some("base".into()), current: Some("local".into()), other: Some("remote".into()) };
    let mut merged = Vec::new();
    let resolution = merge.run(&mut merged, labels, Conflict::default());
    let merged = String::from_utf8(merged).expect("made of whole lines of UTF-8 texts");
    if resolution == Resolution::Conflict { TextMerge::Conflict(merged) } else { TextMerge::Clean(merged) }
}
