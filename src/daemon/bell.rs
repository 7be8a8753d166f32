//! Wakes a thread that keeps something derived in step: it sleeps without polling until there is something to do.

use parking_lot::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

#[derive(Default)]
pub struct Bell {
    state: Mutex<State>,
    /// Told when something is wanted, and when it was done.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    wanted: bool,
    stopped: bool,
    /// Times that the work was done, or failed.
    rounds: u64,
}

impl Bell {
    /// There may be something to do.
    pub fn ring(&self) {
        self.state.lock().wanted = true;
        self.changed.notify_all();
    }

    pub fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }

    pub fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// Does the work whenever it rings, until it is stopped. What comes within `pause` of a ring is done together.
    pub fn answer(&self, pause: Duration, work: impl Fn() -> anyhow::Result<()>, failed: &str) {
        while self.waits_for_work(pause) {
            if let Err(error) = work() {
                tracing::warn!("{failed}: {error:#}");
            }
            self.state.lock().rounds += 1;
            self.changed.notify_all();
        }
    }

    /// Rings, and waits until the work is done as `is_done` says; answers whether it was, within this time.
    #[cfg_attr(
        not(all(feature = "fuse", target_os = "linux")),
        expect(dead_code, reason = "only a mount has somebody who waits")
    )]
    pub fn done_within(&self, patience: Duration, is_done: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<bool> {
        if is_done()? {
            return Ok(true);
        }
        let until = Instant::now() + patience;
        let mut state = self.state.lock();
        let before = state.rounds;
        state.wanted = true;
        self.changed.notify_all();
        // A round that was under way may have begun too early.
        while state.rounds < before + 2 && !state.stopped {
            if self.changed.wait_until(&mut state, until).timed_out() {
                break;
            }
            if MutexGuard::unlocked(&mut state, &is_done)? {
                return Ok(true);
            }
        }
        drop(state);
        is_done()
    }

    fn waits_for_work(&self, pause: Duration) -> bool {
        let mut state = self.state.lock();
        while !state.wanted && !state.stopped {
            self.changed.wait(&mut state);
        }
        let until = Instant::now() + pause;
        while !state.stopped && !self.changed.wait_until(&mut state, until).timed_out() {}
        state.wanted = false;
        !state.stopped
    }
}
