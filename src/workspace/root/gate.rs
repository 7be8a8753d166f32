//! The door between mount writers and [`Root::replace`](super::Root::replace).

use parking_lot::{Mutex, RwLock, RwLockWriteGuard};
use std::collections::HashMap;

/// Keeps [`Root::replace`] from swapping a file that a mount writer is about to write to.
///
/// Opening for writing, truncating by path, renaming and unlinking go through [`WriteGate::pass`]; `replace` closes the gate
/// for the moment between its check and its rename. A pass is not re-entrant: a thread that holds one takes no second.
///
/// [`Root::replace`]: super::Root::replace
#[derive(Default)]
pub struct WriteGate {
    door: RwLock<()>,
    /// Taken while a pass may be held, never the other way round.
    writers: Mutex<HashMap<(u64, u64), usize>>,
}

impl WriteGate {
    /// Held by a mount operation while it opens, renames, unlinks or truncates.
    pub fn pass(&self) -> impl Drop + '_ {
        self.door.read()
    }

    /// Waits until no pass is held, and lets none through until the guard is dropped.
    pub(super) fn close(&self) -> RwLockWriteGuard<'_, ()> {
        self.door.write()
    }

    /// A handle that can write was opened on this inode.
    pub fn opened(&self, dev: u64, ino: u64) {
        *self.writers.lock().entry((dev, ino)).or_default() += 1;
    }

    /// Such a handle was closed; answers how many remain.
    pub fn closed(&self, dev: u64, ino: u64) -> usize {
        let mut writers = self.writers.lock();
        let Some(count) = writers.get_mut(&(dev, ino)) else { return 0 };
        *count -= 1;
        let remaining = *count;
        if remaining == 0 {
            writers.remove(&(dev, ino));
        }
        remaining
    }

    /// Handles that can write to this inode.
    pub fn writers(&self, dev: u64, ino: u64) -> usize {
        self.writers.lock().get(&(dev, ino)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::mpsc, thread, time::Duration};

    #[test]
    fn handles_are_counted_per_inode() {
        let gate = WriteGate::default();
        gate.opened(1, 2);
        gate.opened(1, 2);
        gate.opened(1, 3);
        assert_eq!((gate.writers(1, 2), gate.writers(1, 3), gate.writers(9, 9)), (2, 1, 0));
        assert_eq!((gate.closed(1, 2), gate.closed(1, 2), gate.closed(1, 2)), (1, 0, 0));
    }

    #[test]
    fn a_closed_gate_holds_passers_back_and_an_open_one_lets_them_in_together() {
        let gate = WriteGate::default();
        let (sender, entered) = mpsc::channel();
        thread::scope(|scope| {
            let closed = gate.close();
            scope.spawn(|| {
                let _pass = gate.pass();
                sender.send(()).unwrap();
            });
            assert!(entered.recv_timeout(Duration::from_millis(50)).is_err());
            drop(closed);
            entered.recv_timeout(Duration::from_secs(5)).unwrap();
        });
    }
}
