//! Words that are looked for in what is written: in titles, texts and comments.

use super::path::WsPath;
use std::{collections::HashSet, fmt, sync::Arc};

/// Before and after a word in an excerpt. The texts themselves have neither.
pub const MARKS: [char; 2] = ['\u{2}', '\u{3}'];

/// One or more words that stand next to each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Words {
    /// In small letters.
    pub text: String,
    /// The last one may go on: `saf*`.
    pub goes_on: bool,
}

/// What a text must have, and must not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    pub all: Vec<Words>,
    pub none: Vec<Words>,
}

/// Finds tickets by what is written in them, which the catalog does not keep.
pub trait Texts: fmt::Debug + Send + Sync {
    /// The tickets that have these words in their title, their text, or a comment.
    fn having(&self, words: &Words) -> Arc<HashSet<WsPath>>;
}

impl Words {
    /// As somebody wrote them; in quotes, nothing in them has a meaning.
    pub fn new(said: &str, quoted: bool) -> Self {
        let begun = said.strip_suffix('*').filter(|begun| !quoted && !begun.is_empty());
        Self { text: begun.unwrap_or(said).to_lowercase(), goes_on: begun.is_some() }
    }

    /// Whether a text has them, be it within longer words.
    pub fn are_part_of(&self, text: &str) -> bool {
        text.to_lowercase().contains(&self.text)
    }
}
