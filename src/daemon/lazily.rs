//! Something that is opened by whoever asks for it first.

use parking_lot::Mutex;
use std::sync::Arc;

pub(super) struct Lazily<T>(Mutex<Option<Arc<T>>>);

impl<T> Default for Lazily<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Lazily<T> {
    /// Whoever fails to open it leaves that to the next.
    pub fn get(&self, open: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<Arc<T>> {
        let mut held = self.0.lock();
        if let Some(open) = &*held {
            return Ok(open.clone());
        }
        Ok(held.insert(Arc::new(open()?)).clone())
    }

    /// `None`: nobody has asked yet.
    pub fn if_open(&self) -> Option<Arc<T>> {
        self.0.lock().clone()
    }
}
