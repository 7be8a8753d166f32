//! Tells the kernel what to forget, from a thread of its own.
//!
//! A notification sent by a thread that serves requests, or under a lock that such a thread needs, would wait for itself.
//! So everybody only leaves a note here, and this thread holds nothing while it speaks to the kernel.

use crate::{
    domain::path::WsPath,
    fs::{Fs, Stale},
};
use parking_lot::{Condvar, Mutex};
use std::{collections::HashSet, mem, sync::Arc};

/// Notes left for the notifier thread.
#[derive(Default)]
pub(super) struct Invalidator {
    notes: Mutex<Notes>,
    wake: Condvar,
}

#[derive(Default)]
struct Notes {
    /// Changed underneath; a path that is noted already is not noted twice.
    paths: HashSet<WsPath>,
    stopped: bool,
}

impl Invalidator {
    /// A path was changed, perhaps not through the mount.
    pub fn changed(&self, path: &WsPath) {
        self.note(|notes| {
            notes.paths.insert(path.clone());
        });
    }

    /// Ends [`Invalidator::run`].
    pub fn stop(&self) {
        self.note(|notes| notes.stopped = true);
    }

    fn note(&self, write: impl FnOnce(&mut Notes)) {
        write(&mut self.notes.lock());
        self.wake.notify_one();
    }

    /// Sends what is stale until stopped.
    pub fn run(&self, fs: &Fs, send: impl Fn(&Stale)) {
        while let Some(notes) = self.next() {
            // Two paths can make the same thing stale (the folder they are in).
            let stale: HashSet<Stale> = notes.paths.iter().flat_map(|path| fs.stale(path)).collect();
            stale.iter().for_each(&send);
        }
    }

    /// All notes so far; `None` when stopped.
    fn next(&self) -> Option<Notes> {
        let mut notes = self.notes.lock();
        while notes.paths.is_empty() && !notes.stopped {
            self.wake.wait(&mut notes);
        }
        (!notes.stopped).then(|| mem::take(&mut *notes))
    }
}

/// Stops the notifier thread when dropped.
pub(super) struct Notifying(pub Arc<Invalidator>);

impl Drop for Notifying {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_noted_once_and_nothing_is_left_after_it_was_taken() {
        let invalidator = Invalidator::default();
        let path = WsPath::new("tickets/t.md").expect("a path");
        invalidator.changed(&path);
        invalidator.changed(&path);
        assert_eq!(invalidator.next().expect("not stopped").paths, HashSet::from([path]));
        invalidator.stop();
        assert!(invalidator.next().is_none());
    }
}
