//! How far the index is caught up with the files, for whoever waits for it.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};

/// Files looked at, of those that have to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub done: usize,
    pub total: usize,
}

/// A catching-up that may be under way.
#[derive(Default)]
pub(super) struct Work {
    now: Mutex<Option<Progress>>,
    interrupted: AtomicBool,
}

impl Work {
    /// It is under way until the answer is dropped.
    pub fn begin(&self) -> impl Drop + '_ {
        *self.now.lock() = Some(Progress::default());
        Working(self)
    }

    /// Counts, when it is under way.
    pub fn set(&self, done: usize, total: usize) {
        if let Some(now) = &mut *self.now.lock() {
            *now = Progress { done, total };
        }
    }

    pub fn get(&self) -> Option<Progress> {
        *self.now.lock()
    }

    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

struct Working<'w>(&'w Work);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        *self.0.now.lock() = None;
    }
}
