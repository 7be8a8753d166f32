//! Divides a query into its terms: words, and pairs of a name and its values.

use super::error;
use crate::domain::query::QueryError;
use std::{iter::Peekable, str::Chars};

/// A piece of the query, and at which character it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub text: String,
    /// From 1.
    pub column: usize,
    /// Written between quotes: nothing in it has a meaning.
    pub quoted: bool,
}

/// One of the values of a pair.
pub(super) type Item = Text;

pub(super) enum Part {
    Words { not: bool, words: Text },
    Pair { not: bool, name: Text, items: Vec<Item> },
}

impl Part {
    pub fn column(&self) -> usize {
        match self {
            Self::Words { words, .. } => words.column,
            Self::Pair { name, .. } => name.column,
        }
    }
}

pub(super) fn parts(query: &str) -> Result<Vec<Part>, QueryError> {
    let mut reader = Reader { rest: query.chars().peekable(), column: 1 };
    let mut parts = Vec::new();
    loop {
        reader.skip(char::is_whitespace);
        if reader.peek().is_none() {
            return Ok(parts);
        }
        parts.push(reader.part()?);
    }
}

struct Reader<'q> {
    rest: Peekable<Chars<'q>>,
    /// Of the next character.
    column: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        self.column += 1;
        self.rest.next()
    }

    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&is_skipped) {
            self.next();
        }
    }

    fn part(&mut self) -> Result<Part, QueryError> {
        let start = self.column;
        let not = self.peek() == Some('-');
        if not {
            self.next();
        }
        let words = self.text(|c| c == ':')?;
        if self.peek() != Some(':') || words.quoted {
            if words.text.is_empty() {
                return Err(error(start, "nothing stands here that could be looked for".to_owned(), None));
            }
            return Ok(Part::Words { not, words });
        }
        self.next();
        Ok(Part::Pair { not, name: words, items: self.items()? })
    }

    /// Values, with commas between them.
    fn items(&mut self) -> Result<Vec<Item>, QueryError> {
        let mut items = Vec::new();
        loop {
            let item = self.text(|c| c == ',')?;
            if item.text.is_empty() && !item.quoted {
                let help = "a value with spaces stands in quotes; `no:FIELD` is for tickets without one";
                return Err(error(item.column, "a value is missing".to_owned(), Some(help.to_owned())));
            }
            items.push(item);
            match self.peek() {
                Some(',') => self.next(),
                _ => return Ok(items),
            };
        }
    }

    /// Up to white space or an end, or what stands between quotes.
    fn text(&mut self, is_end: impl Fn(char) -> bool) -> Result<Text, QueryError> {
        let column = self.column;
        if self.peek() == Some('"') {
            return self.quoted(column);
        }
        let mut text = String::new();
        while let Some(c) = self.peek().filter(|c| !c.is_whitespace() && !is_end(*c)) {
            text.push(c);
            self.next();
        }
        Ok(Text { text, column, quoted: false })
    }

    fn quoted(&mut self, column: usize) -> Result<Text, QueryError> {
        self.next();
        let mut text = String::new();
        while let Some(c) = self.next() {
            match c {
                '"' => return Ok(Text { text, column, quoted: true }),
                '\\' => text.extend(self.next()),
                c => text.push(c),
            }
        }
        Err(error(column, "the quote that begins here does not end".to_owned(), None))
    }
}
