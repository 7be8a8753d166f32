//! Temporary files beside the links of a view: `sed -i` writes one and renames it over the link.
//!
//! The file is a real one, in the root of the workspace under the name of a scratch file, and is shown in the view for as
//! long as it is there. What is renamed over a link becomes the text of its ticket; the link stays what it is.

use super::{
    Errno, Fs, Result,
    refused::Refused,
    types::{Attr, Caller, Ino, Lasts, OpenReply},
};
use crate::domain::{layout::is_scratch, path::WsPath};
use parking_lot::Mutex;
use std::{collections::HashMap, ffi::OsStr};

/// The names of the real files, by the paths at which they are shown. A leaf.
#[derive(Default)]
pub(super) struct StandIns(Mutex<HashMap<String, String>>);

impl StandIns {
    /// The name, in the root, of the file that is shown in a view.
    pub fn get(&self, folder: &str, name: &str) -> Option<String> {
        self.0.lock().get(&format!("{folder}/{name}")).cloned()
    }

    fn remove(&self, folder: &str, name: &str) {
        self.0.lock().remove(&format!("{folder}/{name}"));
    }
}

/// Whether a program gives such a name to a file that is to take the place of another.
fn is_temporary(name: &str) -> bool {
    let is_sed = name.strip_prefix("sed").is_some_and(|random| random.len() == 6);
    (is_sed || is_scratch(name)) && !name.contains('/')
}

impl Fs {
    pub(super) fn create_stand_in(
        &self,
        caller: &Caller,
        (folder, name): (&str, &str),
        mode: u32,
        flags: i32,
    ) -> Result<(Attr, OpenReply)> {
        let is_list = self.shown(|shown| shown.folder(folder).is_some_and(|folder| folder.is_list()));
        if !is_list || !is_temporary(name) {
            return Err(Errno::ROFS);
        }
        let real = format!(".{:x}-{name}.tmp", self.next_fh().0);
        let (attr, reply) = self.create(caller, Ino::ROOT, OsStr::new(&real), mode, flags)?;
        self.stand_ins.0.lock().insert(format!("{folder}/{name}"), real);
        Ok((for_now(attr), reply))
    }

    pub(super) fn look_up_stand_in(&self, real: &str) -> Result<Attr> {
        self.lookup(Ino::ROOT, OsStr::new(real)).map(for_now)
    }

    pub(super) fn remove_stand_in(&self, caller: &Caller, (folder, name): (&str, &str), real: &str) -> Result<()> {
        self.stand_ins.remove(folder, name);
        self.unlink(caller, Ino::ROOT, OsStr::new(real))
    }

    /// The file becomes the text of the ticket whose link it takes the place of.
    pub(super) fn replace_by_stand_in(
        &self,
        caller: &Caller,
        from: (&str, &str),
        real: &str,
        to: (&str, &str),
    ) -> Result<()> {
        let ticket = self.shown(|shown| shown.ticket(to.0, &shown.folder(to.0)?, to.1).map(|card| card.path.clone()));
        let path = WsPath::new(real).map_err(|_| Errno::INVAL)?;
        let said = || format!("mv '{}/{}' '{}/{}'", from.0, from.1, to.0, to.1);
        let done = match ticket {
            None => Err(Refused::new(Errno::PERM, "there is no link that it could take the place of")),
            Some(ticket) => self.host.set_text(&self.actors.of(caller), &ticket, &self.root.read(&path)?),
        };
        self.answer(caller, said(), done)?;
        self.remove_stand_in(caller, from, real)
    }
}

/// The next look at its name may find the link.
fn for_now(attr: Attr) -> Attr {
    Attr { name_lasts: Lasts::Not, ..attr }
}
