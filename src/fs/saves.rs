//! Tells the workspace which saves are under way, so that a crash in the middle of one leaves a whole text.

use super::{
    Fs, Result,
    buffers::is_text,
    node::{RealNode, id_of},
};
use crate::{
    domain::{layout, path::WsPath},
    workspace::root::{Before, Making},
};
use rustix::fs::OFlags;
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read},
};

/// Of a text that is read to secure it. A longer one is none, and not secured.
const LONGEST: u64 = 5 << 20;

impl Fs {
    /// The text of a file is about to go. Returns when a start after a crash would have it.
    pub(super) fn secure(&self, node: &RealNode, path: &WsPath) -> Result<()> {
        let saves = self.root.saves();
        if !saves.are_noted() {
            return Ok(());
        }
        // What may not be read is as safe as the disk makes it.
        let Ok(file) = node.reopen(OFlags::RDONLY) else { return Ok(()) };
        let mut text = Vec::new();
        File::from(file).take(LONGEST).read_to_end(&mut text)?;
        Ok(saves.begin(node.id, path, Before::Text, &text)?)
    }

    /// The process is about to make a file and write to it. Where the ticket of this name was renamed away a moment ago, this
    /// is its save.
    pub(super) fn makes_anew(&self, folder: &RealNode, name: &OsStr) -> Option<Making> {
        let saves = self.root.saves();
        let path = folder.path_of(name).filter(|path| saves.are_noted() && is_text(path))?;
        let old = saves.away(&path).and_then(|to| self.root.read(&to).ok());
        saves.making(&path, old).inspect_err(|error| unnoted(&path, error)).ok()?
    }

    /// It was made (`None`: it was not).
    pub(super) fn made_anew(&self, making: Option<Making>, node: Option<&RealNode>) {
        let (saves, Some(making)) = (self.root.saves(), making) else { return };
        let noted = match node {
            Some(node) => saves.made(making, node.id),
            None => saves.not_made(making),
        };
        if let Err(error) = noted {
            tracing::warn!(%error, "a note about a save stays");
        }
    }

    /// The process closed or synced what it wrote: a crash leaves it as it is from here on.
    pub(super) fn saved_whole(&self, node: &RealNode) -> Result<()> {
        let read =
            || node.reopen(OFlags::RDONLY).map(File::from).map_err(|errno| io::Error::from_raw_os_error(errno.0));
        Ok(self.root.saves().whole(node.id, read)?)
    }

    /// A file is about to be renamed. A ticket that gets a scratch name may be made anew in a moment.
    pub(super) fn goes_away(&self, folder: &RealNode, name: &OsStr, from: Option<&WsPath>, to: Option<&WsPath>) {
        if let Some((from, to)) = from.filter(|from| is_text(from)).zip(to)
            && layout::is_scratch(to.file_name())
            && let Ok(stat) = folder.entry_stat(name)
            && let Err(error) = self.root.saves().went_away(id_of(&stat), from, to)
        {
            unnoted(from, &error);
        }
    }

    /// There is a file at this path again, or still.
    pub(super) fn came_back(&self, path: &WsPath) {
        if let Err(error) = self.root.saves().came_back(path) {
            unnoted(path, &error);
        }
    }
}

fn unnoted(path: &WsPath, error: &io::Error) {
    tracing::warn!(%path, %error, "a crash may leave a part of this save: it cannot be noted");
}
