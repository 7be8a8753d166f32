//! The thread that keeps history in step: woken by each commit, and by whoever needs it now.

use super::History;
use parking_lot::{Condvar, Mutex};
use std::time::{Duration, Instant};

#[derive(Default)]
pub(super) struct Pace {
    state: Mutex<State>,
    /// Told when something is wanted, and when it was done.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    wanted: bool,
    stopped: bool,
    /// Times that it was brought in step, or failed to be.
    rounds: u64,
}

impl History {
    /// There may be new commits.
    pub fn wake(&self) {
        self.pace.state.lock().wanted = true;
        self.pace.changed.notify_all();
    }

    pub fn stop(&self) {
        self.pace.state.lock().stopped = true;
        self.pace.changed.notify_all();
    }

    /// Brings it in step whenever it is woken, until [`History::stop`]; sleeps without polling.
    pub fn run(&self) {
        while self.wait_for_work() {
            let goes_on = |_| !self.pace.state.lock().stopped;
            if let Err(error) = self.catch_up(goes_on) {
                tracing::warn!("history is not in step: {error:#}");
            }
            self.pace.state.lock().rounds += 1;
            self.pace.changed.notify_all();
        }
    }

    /// Whether it is in step, within this time; for threads that somebody waits for.
    pub fn is_in_step_within(&self, patience: Duration) -> anyhow::Result<bool> {
        if self.is_in_step()? {
            return Ok(true);
        }
        let until = Instant::now() + patience;
        let mut state = self.pace.state.lock();
        let before = state.rounds;
        state.wanted = true;
        self.pace.changed.notify_all();
        // A round that was under way may have begun before the newest commit.
        while state.rounds < before + 2 && !state.stopped {
            if self.pace.changed.wait_until(&mut state, until).timed_out() {
                break;
            }
            let in_step = parking_lot::MutexGuard::unlocked(&mut state, || self.is_in_step())?;
            if in_step {
                return Ok(true);
            }
        }
        drop(state);
        self.is_in_step()
    }

    fn wait_for_work(&self) -> bool {
        let mut state = self.pace.state.lock();
        while !state.wanted && !state.stopped {
            self.pace.changed.wait(&mut state);
        }
        state.wanted = false;
        !state.stopped
    }
}
