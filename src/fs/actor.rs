//! Who does something: the name of a process, from its number.

use super::types::Caller;
use crate::domain::op::Actor;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read},
    time::{Duration, Instant},
};

/// A process may `exec` another program, or end and its number be reused: a name is believed for this long.
const BELIEVED: Duration = Duration::from_millis(200);
const MOST: usize = 256;
/// More than the system says of a process.
const STATUS: usize = 4096;

/// Names of the processes seen a moment ago.
#[derive(Default)]
pub(super) struct Actors {
    recent: Mutex<HashMap<Caller, (Instant, Actor)>>,
}

impl Actors {
    pub fn of(&self, caller: &Caller) -> Actor {
        if let Some((since, actor)) = self.recent.lock().get(caller)
            && since.elapsed() < BELIEVED
        {
            return actor.clone();
        }
        let actor = look_up(caller);
        let mut recent = self.recent.lock();
        if recent.len() >= MOST {
            recent.retain(|_, (since, _)| since.elapsed() < BELIEVED);
        }
        if recent.len() >= MOST {
            recent.clear();
        }
        recent.insert(*caller, (Instant::now(), actor.clone()));
        actor
    }
}

/// FUSE names the thread that called; the actor is its process.
fn look_up(caller: &Caller) -> Actor {
    let unknown = Actor { name: String::new(), pid: caller.pid, uid: caller.uid };
    let Ok(status) = read_at_once(&format!("/proc/{}/status", caller.pid)) else { return unknown };
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let pid = field("Tgid:").and_then(|pid| pid.parse().ok()).unwrap_or(caller.pid);
    let name = match pid == caller.pid {
        true => field("Name:").unwrap_or_default().to_owned(),
        false => read_at_once(&format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned(),
    };
    Actor { name, pid, uid: caller.uid }
}

/// These files say that they are empty, and would be read in pieces.
fn read_at_once(path: &str) -> io::Result<String> {
    let mut text = String::with_capacity(STATUS);
    File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_answers_for_its_process() {
        let process = std::process::id();
        // Tests run on threads of their own.
        let thread = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        assert_ne!(thread, process);
        let actor = Actors::default().of(&Caller { uid: 7, gid: 7, pid: thread });
        assert_eq!((actor.pid, actor.uid), (process, 7));
        assert!(!actor.name.is_empty());
    }

    #[test]
    fn a_process_that_cannot_be_seen_has_no_name() {
        let actor = Actors::default().of(&Caller { uid: 1, gid: 1, pid: 0 });
        assert_eq!((actor.name.as_str(), actor.pid), ("", 0));
    }
}
