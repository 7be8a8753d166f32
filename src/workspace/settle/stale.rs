//! A save from a stale buffer is merged before it is looked at.

use super::{
    Settler,
    queue::Touch,
    reading::{self, Bytes, Content},
};
use crate::{
    domain::{
        path::WsPath,
        save::{Merged, merge_save},
    },
    fault,
    workspace::root::ReplaceError,
};
use std::io;

impl Settler {
    /// What the path holds after a stale save of it was merged with what it had overwritten; `None`: not yet, somebody is
    /// at it.
    pub(super) fn merged(&self, path: &WsPath, touch: &Touch, content: Content) -> io::Result<Option<Content>> {
        let buffers = self.root.buffers();
        let Some((stale, merge_text)) = buffers.stale(path).zip(self.merge_text) else { return Ok(Some(content)) };
        let saved = match &content.bytes {
            // Somebody else has saved since, who knew what they did.
            _ if stale.pid != touch.actor.pid => None,
            Bytes::Whole(bytes) => std::str::from_utf8(bytes).ok(),
            Bytes::Link(_) | Bytes::TooLarge(_) => None,
        };
        let Some(saved) = saved else {
            buffers.settled(path);
            return Ok(Some(content));
        };
        let merged = merge_save(&stale.base, saved, &stale.present, merge_text);
        if merged.text() != saved {
            match self.root.replace(path, Some(saved.as_bytes()), merged.text().as_bytes()) {
                Ok(()) => fault::point("stale.merged"),
                Err(ReplaceError::Busy | ReplaceError::Changed) => return Ok(None),
                Err(ReplaceError::Io(error)) => return Err(error),
            }
            let overlap = matches!(merged, Merged::Overlap(_));
            tracing::info!(%path, overlap, "a save from an older version was merged with what came since");
        }
        buffers.settled(path);
        reading::read(&self.root, path, true)
    }
}
