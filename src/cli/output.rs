//! Standard output: lines for people, or JSON for programs.
//!
//! Titles and messages can come from a remote, so no control character reaches the terminal as such.

use crate::domain::Timestamp;
use serde::Serialize;
use std::{
    fmt::Display,
    io::{self, Write},
};

/// Where a command prints, and in which form.
pub struct Output<'a> {
    to: &'a mut dyn Write,
    json: bool,
}

impl<'a> Output<'a> {
    pub fn new(to: &'a mut dyn Write, json: bool) -> Self {
        Self { to, json }
    }

    /// Whether a program reads it.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// One line for people.
    pub fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.to, "{}", printable(&text.to_string()))
    }

    /// One line of JSON.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let line = serde_json::to_string(value).map_err(io::Error::other)?;
        writeln!(self.to, "{line}")
    }

    /// A value in whichever form is wanted.
    pub fn value<T: Serialize>(
        &mut self,
        value: &T,
        human: impl FnOnce(&T, &mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.json { self.json(value) } else { human(value, self) }
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The text with control characters escaped.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\t' {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A moment in the reader's own time zone.
pub fn local_time(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `1 ticket`, `2 tickets`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_cannot_drive_the_terminal() {
        let mut bytes = Vec::new();
        Output::new(&mut bytes, false).line("a\u{1b}[2Jb\tc\rd").unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), "a\\u{1b}[2Jb\tc\\rd\n");
    }
}
