//! Touched paths and when they are due.

use super::{EXTERNAL, SettleConfig, moves::Origins};
use crate::domain::{
    op::{Actor, Op, OpKind},
    path::WsPath,
};
use parking_lot::{Condvar, Mutex};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::{Duration, Instant},
};

/// Paths to be looked at together.
pub(super) type Touched = BTreeMap<WsPath, Touch>;

/// That a path changed, who is thought to have done it, and when to look.
#[derive(Clone, Debug)]
pub(super) struct Touch {
    pub actor: Actor,
    /// Whether the actor was seen doing it, and not only supposed.
    recorded: bool,
    /// A writer said with fsync or close that this is a save; nothing was written since.
    pub saved: bool,
    /// The newest touch: quiet is counted from here.
    pub last: Instant,
    /// The oldest touch since it was last looked at: what never is quiet is looked at now and then.
    first: Instant,
    due: Instant,
}

pub(super) struct Queue {
    quiet: Duration,
    /// Longest time for which ever new touches put a look off.
    patience: Duration,
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    touched: Touched,
    origins: Origins,
    /// Until when the sleeper in [`Queue::wait`] sleeps; `None`: until it is woken.
    alarm: Option<Instant>,
    stopping: bool,
}

impl Queue {
    pub fn new(config: &SettleConfig) -> Self {
        let longest = config.quiet_ms.max(config.removal_ms).max(config.open_ms);
        let origins = Origins::new(Duration::from_millis(longest.saturating_mul(4)));
        let state = State { touched: Touched::new(), origins, alarm: None, stopping: false };
        Self {
            quiet: Duration::from_millis(config.quiet_ms),
            patience: Duration::from_millis(config.open_ms.max(config.quiet_ms)),
            state: Mutex::new(state),
            wake: Condvar::new(),
        }
    }

    /// Touches what the operation concerns.
    pub fn record(&self, op: &Op) {
        let mut state = self.state.lock();
        let saved = match &op.kind {
            OpKind::Setxattr => return,
            OpKind::Fsync | OpKind::Close => Some(true),
            OpKind::Write { .. } | OpKind::Truncate { .. } => Some(false),
            OpKind::Rename { to, exchange } => {
                self.touch_one(&mut state, to, &op.actor, None);
                if !exchange {
                    state.origins.renamed(&op.path, to);
                }
                None
            }
            OpKind::Unlink | OpKind::Rmdir => {
                state.origins.removed(&op.path);
                None
            }
            _ => None,
        };
        self.touch_one(&mut state, &op.path, &op.actor, saved);
    }

    pub fn touch(&self, path: &WsPath, actor: &Actor) {
        self.touch_one(&mut self.state.lock(), path, actor, None);
    }

    fn touch_one(&self, state: &mut State, path: &WsPath, actor: &Actor, saved: Option<bool>) {
        let now = Instant::now();
        let recorded = actor.name != EXTERNAL;
        let due = now + self.quiet;
        let due = match state.touched.entry(path.clone()) {
            Entry::Vacant(entry) => {
                let saved = saved.unwrap_or(false);
                entry.insert(Touch { actor: actor.clone(), recorded, saved, last: now, first: now, due }).due
            }
            Entry::Occupied(mut entry) => {
                let touch = entry.get_mut();
                if recorded || !touch.recorded {
                    touch.actor.clone_from(actor);
                    touch.recorded = recorded;
                }
                touch.saved = saved.unwrap_or(touch.saved);
                touch.last = now;
                touch.due = due.min(touch.first + self.patience);
                touch.due
            }
        };
        self.ring(state, due);
    }

    /// Wakes the sleeper if it would sleep longer than until `due`.
    fn ring(&self, state: &State, due: Instant) {
        if state.alarm.is_none_or(|alarm| due < alarm) {
            self.wake.notify_all();
        }
    }

    /// Looks at the path again at `due`, unless it was touched meanwhile.
    pub fn put_back(&self, path: WsPath, touch: Touch, due: Instant) {
        let mut state = self.state.lock();
        match state.touched.entry(path) {
            Entry::Vacant(entry) => {
                entry.insert(Touch { due, first: Instant::now(), ..touch });
            }
            Entry::Occupied(mut entry) => {
                let newer = entry.get_mut();
                if touch.recorded && !newer.recorded {
                    (newer.actor, newer.recorded) = (touch.actor, true);
                }
            }
        }
        self.ring(&state, due);
    }

    pub fn take_due(&self, now: Instant) -> Touched {
        let mut state = self.state.lock();
        let (due, later) = std::mem::take(&mut state.touched).into_iter().partition(|(_, touch)| touch.due <= now);
        state.touched = later;
        due
    }

    pub fn take_all(&self) -> Touched {
        std::mem::take(&mut self.state.lock().touched)
    }

    /// Of these paths, those that wait for no look already, as if they had just been touched.
    pub fn untouched(&self, paths: &[WsPath], actor: &Actor) -> Touched {
        let now = Instant::now();
        let touch = Touch { actor: actor.clone(), recorded: false, saved: false, last: now, first: now, due: now };
        let state = self.state.lock();
        let free = paths.iter().filter(|path| !state.touched.contains_key(*path));
        free.map(|path| (path.clone(), touch.clone())).collect()
    }

    /// What is touched and not taken yet.
    pub fn waiting(&self) -> Touched {
        self.state.lock().touched.clone()
    }

    /// Where the file that is here now was known before, as far as renames tell.
    pub fn origin(&self, path: &WsPath) -> Option<WsPath> {
        self.state.lock().origins.of(path)
    }

    /// Sleeps until something is due; `false` when it is time to stop.
    pub fn wait(&self) -> bool {
        let mut state = self.state.lock();
        loop {
            if state.stopping {
                return false;
            }
            state.alarm = state.touched.values().map(|touch| touch.due).min();
            match state.alarm {
                None => self.wake.wait(&mut state),
                Some(due) if due <= Instant::now() => return true,
                Some(due) => {
                    self.wake.wait_until(&mut state, due);
                }
            }
        }
    }

    pub fn stop(&self) {
        self.state.lock().stopping = true;
        self.wake.notify_all();
    }
}
