//! Content and times of the files in `status/`.
//!
//! A generated file's time moves only when its content does: editors and agents take a moved time for a change.

use super::{Fs, StatusContent, StatusFile, types::Time};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    io,
    os::unix::fs::{FileExt, MetadataExt},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// What was last seen in each file, and since when.
#[derive(Default)]
pub(super) struct Generated {
    seen: Mutex<HashMap<StatusFile, Seen>>,
}

struct Seen {
    bytes: Arc<[u8]>,
    since: Time,
}

impl Generated {
    /// The length of a content in bytes, and the time it changed.
    fn len_and_time(&self, file: &StatusFile, content: &StatusContent) -> io::Result<(u64, Time)> {
        Ok(match content {
            StatusContent::Growing(file) => {
                let metadata = file.metadata()?;
                (metadata.len(), (metadata.mtime(), metadata.mtime_nsec() as u32))
            }
            StatusContent::Bytes(bytes) => (bytes.len() as u64, self.since(file, bytes)),
        })
    }

    fn since(&self, file: &StatusFile, bytes: &Arc<[u8]>) -> Time {
        let mut seen = self.seen.lock();
        match seen.get(file) {
            Some(known) if known.bytes == *bytes => known.since,
            _ => {
                let since = now();
                seen.insert(file.clone(), Seen { bytes: bytes.clone(), since });
                since
            }
        }
    }
}

impl Fs {
    /// The present content with its length in bytes and the time it changed.
    pub(super) fn generated_now(&self, file: &StatusFile) -> io::Result<(StatusContent, u64, Time)> {
        let content = match file {
            StatusFile::Refused => StatusContent::Bytes(self.refusals.page().into_bytes().into()),
            file => self.host.status_file(file.clone()),
        };
        let (len, time) = self.generated.len_and_time(file, &content)?;
        Ok((content, len, time))
    }
}

impl StatusContent {
    /// Fills as much of the buffer as there is at `offset`; short at the end only.
    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => {
                let rest = bytes.get(offset as usize..).unwrap_or_default();
                let len = rest.len().min(buffer.len());
                buffer[..len].copy_from_slice(&rest[..len]);
                Ok(len)
            }
            Self::Growing(file) => file.read_at(buffer, offset),
        }
    }
}

pub(super) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs() as i64, since.subsec_nanos())
}
