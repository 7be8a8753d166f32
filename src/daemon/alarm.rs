//! What wakes a remote's thread.

use parking_lot::{Condvar, Mutex};
use std::time::Instant;

/// What a remote's thread is woken for. A pull includes the push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Errand {
    Push,
    Pull,
}

/// Wakes a remote's thread: now, at a time, or for good.
#[derive(Default)]
pub struct Alarm {
    state: Mutex<AlarmState>,
    changed: Condvar,
}

#[derive(Default)]
struct AlarmState {
    rung: Option<Errand>,
    stopped: bool,
}

impl Alarm {
    pub fn ring(&self) {
        self.ring_for(Errand::Push);
    }

    pub fn ring_for(&self, errand: Errand) {
        let mut state = self.state.lock();
        state.rung = state.rung.max(Some(errand));
        self.changed.notify_one();
    }

    pub fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_one();
    }

    /// Sleeps until rung or until `due` (`None`: only until rung); nothing when stopped.
    pub fn wait(&self, due: Option<Instant>) -> Option<Errand> {
        let mut state = self.state.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(errand) = state.rung.take() {
                return Some(errand);
            }
            match due {
                Some(due) if due <= Instant::now() => return Some(Errand::Pull),
                Some(due) => drop(self.changed.wait_until(&mut state, due)),
                None => self.changed.wait(&mut state),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_rings_at_its_time_when_asked_and_never_after_its_end() {
        let alarm = Alarm::default();
        assert_eq!(alarm.wait(Some(Instant::now())), Some(Errand::Pull));
        alarm.ring();
        assert_eq!(alarm.wait(None), Some(Errand::Push));
        alarm.ring_for(Errand::Pull);
        alarm.ring();
        assert_eq!(alarm.wait(None), Some(Errand::Pull), "a pull that was asked for is not lost to a push");
        alarm.stop();
        alarm.ring();
        assert_eq!(alarm.wait(None), None);
    }
}
