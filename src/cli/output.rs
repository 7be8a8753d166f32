//! Standard output: lines for people, or JSON for programs.
//!
//! Names, titles and messages can come from anybody, so nothing that drives a terminal reaches it as such.

use crate::{
    daemon::log,
    domain::{
        Timestamp,
        text::{printable, printable_json},
        texts::MARKS,
    },
};
use serde::Serialize;
use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

/// Where a command prints, and in which form.
pub struct Output<'a> {
    to: &'a mut dyn Write,
    json: bool,
    is_terminal: bool,
    /// Whether what matters is shown bold.
    emphasis: bool,
}

impl<'a> Output<'a> {
    pub fn new(to: &'a mut dyn Write, json: bool) -> Self {
        Self { to, json, is_terminal: false, emphasis: false }
    }

    /// For standard output: if it is a terminal and nobody objects, what matters is bold.
    pub fn for_stdout(self) -> Self {
        let objects = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_terminal = io::stdout().is_terminal();
        Self { is_terminal, emphasis: is_terminal && !objects && !is_dumb, ..self }
    }

    /// Whether a program reads it.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// One line for people.
    pub fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.to, "{}", printable(&text.to_string()))
    }

    /// One line for people, in which [`MARKS`] stand around what matters.
    pub fn marked(&mut self, text: impl Display) -> io::Result<()> {
        const BOLD: [&str; 2] = ["\u{1b}[1m", "\u{1b}[0m"];
        let text = text.to_string();
        let mut line = String::new();
        for part in text.split_inclusive(MARKS) {
            let mark = MARKS.iter().position(|mark| part.ends_with(*mark));
            line.push_str(&printable(part.trim_end_matches(MARKS)));
            line.push_str(mark.filter(|_| self.emphasis).map_or("", |mark| BOLD[mark]));
        }
        writeln!(self.to, "{line}")
    }

    /// Lines for programs, byte for byte, but for what would drive a terminal that reads them.
    pub fn exactly(&mut self, text: &str) -> io::Result<()> {
        if !self.is_terminal {
            return self.to.write_all(text.as_bytes());
        }
        text.lines().try_for_each(|line| self.line(line))
    }

    /// One line of JSON.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let line = serde_json::to_string(value).map_err(io::Error::other)?;
        writeln!(self.to, "{}", printable_json(&line))
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

/// Columns of the terminal, where there is one.
pub fn width() -> Option<usize> {
    if let Some(columns) = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()) {
        return Some(columns);
    }
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then(|| size.ws_col.into())
}

/// A moment in the reader's own time zone.
pub fn local_time(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `1 ticket`, `2 tickets`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Standard error for the log: one line an event, whatever is told in it. An event that cannot be written is lost without a
/// word: the logger would panic over it, and the disk of the log may be what is failing.
pub struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = format!("{}\n", printable(line));
        let mut stderr = io::stderr().lock();
        if stderr.write_all(line.as_bytes()).is_ok() {
            log::wrote(line.len());
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
