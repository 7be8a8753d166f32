//! Tells the kernel what to forget, from a thread of its own.
//!
//! A notification waits for requests that are under way, so one that is sent by a thread that serves requests, or under a
//! lock that such a thread needs, would wait for itself. Everybody else only leaves a note here, and this thread holds
//! nothing while it speaks to the kernel.

use crate::{
    domain::path::WsPath,
    fs::{Changes, Fs, Ino, Stale},
};
use parking_lot::{Condvar, Mutex};
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    fd::OwnedFd,
};
use std::{
    collections::HashSet,
    io, mem,
    sync::Arc,
    time::{Duration, Instant},
};

/// What no watch sees is found by comparing everything, so often.
const DOUBT: Duration = Duration::from_secs(60);
/// What belongs together is looked at together, and our own changes when they are over.
const BURST: Duration = Duration::from_millis(1);
/// How long whoever changed a file waits until the kernel was told.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the kernel is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice<'s> {
    /// To answer when whatever it asked for in this folder has arrived.
    Settle(Ino),
    Forget(&'s Stale),
}

/// Notes left for the notifier thread.
pub(super) struct Invalidator {
    notes: Mutex<Notes>,
    /// Readable when there is a note.
    left: OwnedFd,
    /// Notes were dealt with.
    done: Condvar,
}

#[derive(Default)]
struct Notes {
    /// Changed underneath; a path that is noted already is not noted twice.
    paths: HashSet<WsPath>,
    /// Notes ever left, and how many of them were dealt with.
    count: u64,
    dealt_with: u64,
    /// To be called when the notes so far were dealt with.
    afterwards: Vec<Afterwards>,
    stopped: bool,
}

type Afterwards = Box<dyn FnOnce() + Send>;

/// What was noted until the notifier looked.
struct Noted {
    paths: HashSet<WsPath>,
    upto: u64,
    afterwards: Vec<Afterwards>,
}

impl Invalidator {
    pub fn new() -> io::Result<Self> {
        let left = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { notes: Mutex::default(), left, done: Condvar::new() })
    }

    /// A path was changed, perhaps not through the mount. `waits`: returns when the kernel knows, or after a while.
    pub fn changed(&self, path: &WsPath, waits: bool) {
        let mut notes = self.notes.lock();
        if notes.stopped {
            return;
        }
        notes.paths.insert(path.clone());
        notes.count += 1;
        let mine = notes.count;
        self.wake();
        if waits {
            let open = |notes: &mut Notes| notes.dealt_with < mine && !notes.stopped;
            self.done.wait_while_for(&mut notes, open, PATIENCE);
        }
    }

    /// Calls `told`, from the notifier's thread, when the kernel knows what was noted so far: for whoever serves a request,
    /// must not wait, and is not to be answered before.
    pub fn afterwards(&self, told: impl FnOnce() + Send + 'static) {
        let mut notes = self.notes.lock();
        if notes.stopped {
            drop(notes);
            return told();
        }
        notes.afterwards.push(Box::new(told));
        self.wake();
    }

    /// Ends [`Invalidator::run`].
    pub fn stop(&self) {
        let afterwards = {
            let mut notes = self.notes.lock();
            notes.stopped = true;
            mem::take(&mut notes.afterwards)
        };
        self.wake();
        self.done.notify_all();
        afterwards.into_iter().for_each(|told| told());
    }

    fn wake(&self) {
        // It is readable already when this fails.
        let _ = rustix::io::write(&self.left, &1_u64.to_ne_bytes());
    }

    /// Tells what is stale until stopped.
    pub fn run(&self, fs: &Fs, tell: impl Fn(&Notice<'_>)) {
        let mut doubted = Instant::now();
        while let Some(noted) = self.next(fs, doubted + DOUBT) {
            let mut changes = fs.changes();
            noted.paths.iter().for_each(|path| fs.add_path(&mut changes, path));
            if doubted.elapsed() >= DOUBT {
                changes.add_doubt();
                doubted = Instant::now();
            }
            announce(fs, &changes, &tell);
            self.notes.lock().dealt_with = noted.upto;
            self.done.notify_all();
            noted.afterwards.into_iter().for_each(|told| told());
        }
    }

    /// Waits until something was noted or seen, or until `latest`. `None` when stopped.
    fn next(&self, fs: &Fs, latest: Instant) -> Option<Noted> {
        let watches = fs.changes_fd();
        let mut polled = vec![PollFd::new(&self.left, PollFlags::IN)];
        polled.extend(watches.as_ref().map(|watches| PollFd::new(watches, PollFlags::IN)));
        wait(&mut polled, latest.saturating_duration_since(Instant::now()));
        // Whoever left a note may be waiting.
        wait(&mut polled[..1], BURST);
        let _ = rustix::io::read(&self.left, &mut [0_u8; 8]);
        let mut notes = self.notes.lock();
        (!notes.stopped).then(|| Noted {
            paths: mem::take(&mut notes.paths),
            upto: notes.count,
            afterwards: mem::take(&mut notes.afterwards),
        })
    }
}

fn wait(polled: &mut [PollFd<'_>], most: Duration) {
    let timeout = Timespec { tv_sec: most.as_secs() as i64, tv_nsec: most.subsec_nanos().into() };
    // An interrupted wait finds nothing, and waits again.
    let _ = poll(polled, Some(&timeout));
}

/// Answers that are on their way and older than the change must arrive before what they say is taken back.
fn announce(fs: &Fs, changes: &Changes, tell: &impl Fn(&Notice<'_>)) {
    let unsettled = fs.unsettled(changes);
    if unsettled.is_empty() {
        return;
    }
    unsettled.into_iter().for_each(|folder| tell(&Notice::Settle(folder)));
    fs.stale(changes).iter().for_each(|stale| tell(&Notice::Forget(stale)));
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
    use std::thread;

    #[test]
    fn nobody_waits_for_a_notifier_that_has_stopped() {
        let invalidator = Arc::new(Invalidator::new().expect("a descriptor is left"));
        let path = WsPath::new("tickets/t.md").expect("a path");
        let waiting = thread::spawn({
            let (invalidator, path) = (invalidator.clone(), path.clone());
            move || invalidator.changed(&path, true)
        });
        while invalidator.notes.lock().count == 0 {
            thread::yield_now();
        }
        invalidator.stop();
        waiting.join().expect("it returns");
        invalidator.changed(&path, true);
        assert_eq!(invalidator.notes.lock().count, 1, "what is noted afterwards is not kept");
    }

    #[test]
    fn whoever_is_to_be_answered_afterwards_is_answered_when_the_notifier_stops() {
        let invalidator = Invalidator::new().expect("a descriptor is left");
        let (answer, answers) = std::sync::mpsc::channel();
        let later = answer.clone();
        invalidator.afterwards(move || later.send("before").expect("somebody listens"));
        assert!(answers.try_recv().is_err(), "the kernel was not told yet");
        invalidator.stop();
        assert_eq!(answers.try_recv(), Ok("before"));
        invalidator.afterwards(move || answer.send("after").expect("somebody listens"));
        assert_eq!(answers.try_recv(), Ok("after"));
    }
}
