//! `events.jsonl`: the newest events as lines of JSON, for `tail -f`. Derived from the journal; a failure to write it
//! never fails an event.

use crate::domain::{event::Event, text::printable_json};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

pub(super) struct EventLog {
    file: PathBuf,
    append: File,
}

impl EventLog {
    /// The file as it stands now, and grows.
    pub fn reader(&self) -> io::Result<File> {
        File::open(&self.file)
    }

    /// Opens the file in `dir`. With `newest`, its content is these events; without, it stays as another process keeps it.
    pub fn open(dir: &Path, newest: Option<&[Event]>) -> io::Result<Self> {
        let file = dir.join("events.jsonl");
        if let Some(events) = newest {
            let fresh = dir.join("events.jsonl.tmp");
            std::fs::write(&fresh, lines(events)?)?;
            std::fs::rename(&fresh, &file)?;
        }
        let append = OpenOptions::new().create(true).append(true).open(&file)?;
        Ok(Self { file, append })
    }

    pub fn append(&mut self, events: &[Event]) {
        // One write: a reader never meets half of a line that was written whole.
        let written = lines(events).and_then(|lines| self.append.write_all(&lines));
        if let Err(error) = written {
            tracing::warn!(file = %self.file.display(), %error, "cannot append to the event log; the journal has the events");
        }
    }
}

fn lines(events: &[Event]) -> io::Result<Vec<u8>> {
    let mut lines = String::new();
    for event in events {
        // People look at the file on terminals.
        lines.push_str(&printable_json(&serde_json::to_string(event)?));
        lines.push('\n');
    }
    Ok(lines.into_bytes())
}
