//! Threads whose open was answered ESTALE, so that the kernel looks the name up anew and repeats it.

use super::types::Caller;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// A repetition comes at once; when none comes (the name is gone), the thread may be sent back again after this.
const BELIEVED: Duration = Duration::from_secs(1);
const MOST: usize = 1024;

/// Who was sent back, and when. A caller is a thread: it waits for its own open.
#[derive(Default)]
pub(super) struct SentBack {
    threads: Mutex<HashMap<u32, Instant>>,
}

impl SentBack {
    /// Whether the thread was sent back and comes again.
    pub fn take(&self, caller: &Caller) -> bool {
        self.threads.lock().remove(&caller.pid).is_some_and(|since| since.elapsed() < BELIEVED)
    }

    /// Notes that the thread is sent back; `false` when it must not be, since it could not be known again.
    pub fn put(&self, caller: &Caller) -> bool {
        let mut threads = self.threads.lock();
        if threads.len() >= MOST {
            threads.retain(|_, since| since.elapsed() < BELIEVED);
        }
        // All threads of another pid namespace are 0.
        let may_be = caller.pid != 0 && threads.len() < MOST;
        if may_be {
            threads.insert(caller.pid, Instant::now());
        }
        may_be
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(pid: u32) -> Caller {
        Caller { pid, ..Caller::default() }
    }

    #[test]
    fn each_thread_comes_through_at_its_second_try() {
        let sent_back = SentBack::default();
        assert!(!sent_back.take(&thread(1)));
        assert!(sent_back.put(&thread(1)) && sent_back.put(&thread(2)));
        assert!(sent_back.take(&thread(1)) && sent_back.take(&thread(2)));
        assert!(!sent_back.take(&thread(1)));
    }

    #[test]
    fn who_cannot_be_known_again_is_not_sent_back() {
        let sent_back = SentBack::default();
        assert!(!sent_back.put(&thread(0)));
        assert!((1..=2 * MOST as u32).filter(|pid| sent_back.put(&thread(*pid))).count() == MOST);
    }
}
