//! Raw operations on their way to disk, committed in groups.
//!
//! Recording is a push in memory. Whoever needs them durable writes everything that waits in one transaction, and those
//! who came meanwhile find theirs written: many fsyncs share one.

use super::store::{Store, StoreError};
use crate::{
    domain::op::{Op, OpKind},
    fault,
};
use parking_lot::{Condvar, Mutex};
use std::{sync::Arc, time::Duration};

/// Longest time for which an operation waits in memory.
const DELAY: Duration = Duration::from_millis(50);
/// After a disk that refused.
const RETRY: Duration = Duration::from_secs(1);
/// Longest time for which a flush waits for others: whoever calls fsync gets an answer.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Journal {
    store: Arc<Store>,
    /// Held while a group is written; taken before `waiting`.
    written: Mutex<u64>,
    waiting: Mutex<Waiting>,
    wake: Condvar,
    /// What keeps the newest operations from being written.
    trouble: Mutex<Option<String>>,
}

#[derive(Default)]
struct Waiting {
    ops: Vec<Op>,
    /// Operations ever taken in.
    count: u64,
    /// Somebody is about to ask for what waits.
    hurry: bool,
    stopping: bool,
}

impl Journal {
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            written: Mutex::new(0),
            waiting: Mutex::default(),
            wake: Condvar::new(),
            trouble: Mutex::default(),
        }
    }

    pub fn record(&self, op: Op) {
        let mut waiting = self.waiting.lock();
        if waiting.ops.last_mut().is_some_and(|last| extend(last, &op)) {
            return;
        }
        waiting.ops.push(op);
        waiting.count += 1;
        if waiting.ops.len() == 1 {
            self.wake.notify_one();
        }
    }

    /// Begins to write what waits, so that a [`Journal::flush`] soon has less to wait for.
    pub fn hasten(&self) {
        let mut waiting = self.waiting.lock();
        waiting.hurry = !waiting.ops.is_empty();
        self.wake.notify_all();
    }

    /// Returns when everything recorded before the call is on disk, or why it is not: after a bounded time.
    pub fn flush(&self) -> Result<(), StoreError> {
        let outcome = self.write();
        *self.trouble.lock() = outcome.as_ref().err().map(ToString::to_string);
        outcome
    }

    /// Why the last flush failed, if it did.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    fn write(&self) -> Result<(), StoreError> {
        let wanted = self.waiting.lock().count;
        let mut written = self.written.try_lock_for(PATIENCE).ok_or(StoreError::Slow)?;
        if *written >= wanted {
            return Ok(());
        }
        let (ops, count) = {
            let mut waiting = self.waiting.lock();
            waiting.hurry = false;
            (std::mem::take(&mut waiting.ops), waiting.count)
        };
        if let Err(error) =
            fault::step("journal.write").map_err(StoreError::from).and_then(|()| self.store.append_ops(&ops))
        {
            self.waiting.lock().ops.splice(0..0, ops);
            return Err(error);
        }
        *written = count;
        fault::point("journal.written");
        Ok(())
    }

    /// Writes what nobody waits for, a moment later, until [`Journal::stop`].
    pub fn run(&self) {
        while self.wait_for_work() {
            if let Err(error) = self.flush() {
                tracing::error!(%error, "the journal cannot be written; it is tried again");
                self.pause(RETRY);
            }
        }
    }

    /// Ends [`Journal::run`], now or when it is next called.
    pub fn stop(&self) {
        self.waiting.lock().stopping = true;
        self.wake.notify_all();
    }

    /// `false` when it is time to stop.
    fn wait_for_work(&self) -> bool {
        let mut waiting = self.waiting.lock();
        while waiting.ops.is_empty() && !waiting.stopping {
            self.wake.wait(&mut waiting);
        }
        if waiting.stopping {
            return false;
        }
        self.wake.wait_while_for(&mut waiting, |waiting| !waiting.stopping && !waiting.hurry, DELAY);
        true
    }

    fn pause(&self, time: Duration) {
        let mut waiting = self.waiting.lock();
        self.wake.wait_while_for(&mut waiting, |waiting| !waiting.stopping, time);
    }
}

/// Lets one write take in the next, if the same process went on where it had stopped.
fn extend(last: &mut Op, next: &Op) -> bool {
    let same = last.path == next.path && last.actor == next.actor;
    match (&mut last.kind, &next.kind) {
        (OpKind::Write { offset, len }, OpKind::Write { offset: from, len: more })
            if same && *offset + *len == *from =>
        {
            *len += more;
            last.at = next.at;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Timestamp, op::Actor, path::WsPath};
    use std::thread;

    fn write(name: &str, offset: u64, len: u64) -> Op {
        Op {
            at: Timestamp::UNIX_EPOCH,
            actor: Actor::named("vim"),
            path: WsPath::new(name).unwrap(),
            kind: OpKind::Write { offset, len },
        }
    }

    fn journal() -> (tempfile::TempDir, Journal) {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(dir.path()).unwrap());
        (dir, Journal::new(store))
    }

    #[test]
    fn writes_that_go_on_where_one_stopped_are_one_row() {
        let (_dir, journal) = journal();
        for op in [write("a", 0, 4), write("a", 4, 4), write("a", 9, 1), write("b", 10, 1), write("b", 10, 1)] {
            journal.record(op);
        }
        journal.flush().unwrap();
        let kinds: Vec<_> = journal.store.ops(0, 10).unwrap().into_iter().map(|(_, op)| op.kind).collect();
        let write = |offset, len| OpKind::Write { offset, len };
        assert_eq!(kinds, [write(0, 8), write(9, 1), write(10, 1), write(10, 1)]);
    }

    #[test]
    fn whoever_waits_for_durability_finds_its_own_operations_on_disk() {
        let (_dir, journal) = journal();
        thread::scope(|scope| {
            scope.spawn(|| journal.run());
            let workers: Vec<_> = (0..4)
                .map(|worker| {
                    let journal = &journal;
                    scope.spawn(move || {
                        for round in 0..25 {
                            let op = write(&format!("{worker}-{round}"), 0, 1);
                            journal.record(op.clone());
                            journal.flush().unwrap();
                            assert!(journal.store.ops(0, 1000).unwrap().iter().any(|(_, stored)| *stored == op));
                        }
                    })
                })
                .collect();
            workers.into_iter().for_each(|worker| worker.join().unwrap());
            journal.stop();
        });
        assert_eq!(journal.store.ops(0, 1000).unwrap().len(), 100);
    }

    #[test]
    fn what_is_about_to_be_asked_for_is_written_without_delay() {
        let (_dir, journal) = journal();
        thread::scope(|scope| {
            scope.spawn(|| journal.run());
            for n in 0..20 {
                journal.record(write("a", n * 10, 1));
                journal.hasten();
                let deadline = std::time::Instant::now() + Duration::from_secs(10);
                while *journal.written.lock() <= n && std::time::Instant::now() < deadline {
                    thread::yield_now();
                }
                assert_eq!(*journal.written.lock(), n + 1);
            }
            journal.stop();
        });
    }

    #[test]
    fn what_nobody_waits_for_is_written_soon() {
        let (_dir, journal) = journal();
        thread::scope(|scope| {
            scope.spawn(|| journal.run());
            journal.record(write("a", 0, 1));
            let deadline = std::time::Instant::now() + Duration::from_secs(10);
            while journal.store.ops(0, 1).unwrap().is_empty() && std::time::Instant::now() < deadline {
                thread::sleep(Duration::from_millis(5));
            }
            journal.stop();
        });
        assert_eq!(journal.store.ops(0, 10).unwrap().len(), 1);
    }
}
