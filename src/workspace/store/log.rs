//! `events.jsonl`: the newest events as lines of JSON, for `tail -f`. Derived from the journal; a failure to write it
//! never fails an event.

use crate::domain::{event::Event, text::printable_json};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// The end of the file that is asked for its last number: many lines, whatever they hold.
const TAIL: u64 = 1 << 20;

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
    /// So it does while there are none: it may be all that tells which numbers were given before the journal was lost.
    pub fn open(dir: &Path, newest: Option<&[Event]>) -> io::Result<Self> {
        let file = dir.join("events.jsonl");
        if let Some(events) = newest.filter(|events| !events.is_empty()) {
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

/// The number of the last event that the file in `dir` tells of. A number that does not follow the one on the line before is
/// not believed.
pub(super) fn last_number(dir: &Path) -> Option<u64> {
    let mut file = File::open(dir.join("events.jsonl")).ok()?;
    let end = file.seek(SeekFrom::End(0)).ok()?;
    file.seek(SeekFrom::Start(end.saturating_sub(TAIL))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).ok()?;
    let number = |line: &[u8]| serde_json::from_slice::<Event>(line).ok().map(|event| event.seq);
    let numbers: Vec<u64> = tail.split(|&byte| byte == b'\n').filter_map(number).collect();
    let follows = |pair: &&[u64]| pair[0].checked_add(1) == Some(pair[1]);
    match numbers.as_slice() {
        [only] => Some(*only),
        many => many.windows(2).rev().find(follows).map(|pair| pair[1]),
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
