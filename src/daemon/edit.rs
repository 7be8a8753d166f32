//! Changes files as any editor would, for commands and for whoever moves a link in a view, and journals it.

use super::Engine;
use crate::{
    domain::{
        Timestamp,
        op::{Actor, Op, OpKind},
        path::WsPath,
    },
    fault,
    workspace::root::ReplaceError,
};
use std::io;

/// Times a file is read again because somebody else changed it meanwhile.
const TRIES: usize = 5;

impl Engine {
    /// Replaces what a file holds by what `change` makes of it; answers both. `change` is asked again when somebody
    /// else was faster; [`ReplaceError::Changed`] is the error when that was so every time.
    pub(super) fn edit<E: From<io::Error> + From<ReplaceError>>(
        &self,
        actor: &Actor,
        path: &WsPath,
        change: impl Fn(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<(Vec<u8>, Vec<u8>), E> {
        for _ in 0..TRIES {
            let old = self.root.read(path)?;
            let new = change(&old)?;
            if new == old {
                return Ok((old, new));
            }
            match self.root.replace(path, Some(&old), &new) {
                Err(ReplaceError::Changed) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    fault::point("field.set");
                    self.wrote(actor, path, new.len());
                    return Ok((old, new));
                }
            }
        }
        Err(ReplaceError::Changed.into())
    }

    /// Journals that a file was written as a whole.
    pub(super) fn wrote(&self, actor: &Actor, path: &WsPath, len: usize) {
        let kind = OpKind::Write { offset: 0, len: len as u64 };
        self.settler.record(Op { at: Timestamp::now(), actor: actor.clone(), path: path.clone(), kind });
    }
}
