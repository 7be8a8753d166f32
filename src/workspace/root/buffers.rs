//! Which version of a text each process has in its buffer, so that a save from an old one is not taken for a reversal of
//! what came since.
//!
//! A process has the version that it last opened to read, or saved since; who never read a text has no buffer of it. When
//! a text is about to be replaced, it is kept for as long as another process that is still there has it; when its replacer
//! has an older one, the save is noted as stale, and the settler merges it. Versions are told apart by `stat`; everything is bounded, and what falls out only is not merged.

use super::Stat;
use crate::domain::path::WsPath;
use parking_lot::Mutex;
use rustix::{
    process::{Pid, test_kill_process},
    time::{ClockId, clock_gettime},
};
use std::{
    collections::{HashMap, VecDeque},
    fs,
    sync::Arc,
};

/// Processes remembered at a time; first the ended ones are forgotten.
const PROCESSES: usize = 256;
/// A process that opens more files is no editor.
const FILES: usize = 1024;
/// Of the texts that are kept, altogether.
const BYTES: usize = 16 << 20;
/// Texts beyond this are not kept.
const TEXT: u64 = 1 << 20;
/// Of the kernel's clock in `/proc/PID/stat`.
const TICKS: f64 = 100.0;

/// What tells two versions of a text apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    pub ino: u64,
    /// Bytes.
    pub size: u64,
    /// Seconds and nanoseconds.
    pub mtime: (i64, u32),
}

impl From<&Stat> for Version {
    fn from(stat: &Stat) -> Self {
        Self { ino: stat.ino, size: stat.size, mtime: stat.mtime }
    }
}

/// A save from an old version.
#[derive(Clone, Debug)]
pub struct StaleSave {
    /// Who saved.
    pub pid: u32,
    /// What it had opened.
    pub base: Arc<str>,
    /// What the file held just before.
    pub present: Arc<str>,
}

/// See the module. A leaf: nothing is locked while its lock is held.
#[derive(Default)]
pub struct Buffers {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    processes: HashMap<u32, Process>,
    /// Oldest first.
    texts: VecDeque<Text>,
    kept: usize,
    stale: HashMap<WsPath, StaleSave>,
}

struct Process {
    /// Seconds after the start of the machine at which it was first seen.
    seen: f64,
    versions: HashMap<WsPath, Version>,
}

struct Text {
    path: WsPath,
    version: Version,
    text: Arc<str>,
}

impl Buffers {
    /// The process read this version.
    pub fn has(&self, pid: u32, path: &WsPath, version: Version) {
        let mut state = self.state.lock();
        state.make_room_for(pid);
        let process =
            state.processes.entry(pid).or_insert_with(|| Process { seen: since_boot(), versions: HashMap::new() });
        if process.versions.len() >= FILES && !process.versions.contains_key(path) {
            process.versions.clear();
        }
        process.versions.insert(path.clone(), version);
    }

    /// The process wrote this version: what it has from now on, if it had read the text. A shell that writes a file twice
    /// did not go on from what it wrote the first time.
    pub fn saved(&self, pid: u32, path: &WsPath, version: Version) {
        let mut state = self.state.lock();
        if let Some(had) = state.processes.get_mut(&pid).and_then(|process| process.versions.get_mut(path)) {
            *had = version;
        }
    }

    /// The process is about to change the text at a path, which is this version now; all of it when `whole`. `read` is
    /// called when the present text has to be kept.
    pub fn changing(
        &self,
        pid: u32,
        path: &WsPath,
        version: Version,
        whole: bool,
        read: impl FnOnce() -> Option<String>,
    ) {
        if version.size > TEXT {
            return;
        }
        let (others, base) = {
            let state = self.state.lock();
            (state.is_had_by_another(pid, path, version), state.stale_base(pid, path, version).filter(|_| whole))
        };
        let base = base.filter(|(seen, _)| has_run_since(pid, *seen)).map(|(_, base)| base);
        if !others && base.is_none() {
            return;
        }
        let Some(present) = read() else { return };
        let mut state = self.state.lock();
        let present = state.keep(path, version, &present);
        if let Some(base) = base {
            // An editor that moves the file away and then writes it anew changes it once.
            state.stale.entry(path.clone()).or_insert(StaleSave { pid, base, present });
        }
    }

    /// The text at a path was replaced by trackfs itself.
    pub(super) fn superseded(&self, path: &WsPath, version: Version, text: &[u8]) {
        let mut state = self.state.lock();
        if version.size <= TEXT
            && state.is_had_by_another(0, path, version)
            && let Ok(text) = std::str::from_utf8(text)
        {
            state.keep(path, version, text);
        }
    }

    /// The stale save that is to be merged at this path, if there is one.
    pub fn stale(&self, path: &WsPath) -> Option<StaleSave> {
        self.state.lock().stale.get(path).cloned()
    }

    /// It was merged, or is none any more.
    pub fn settled(&self, path: &WsPath) {
        self.state.lock().stale.remove(path);
    }
}

impl State {
    fn make_room_for(&mut self, pid: u32) {
        if self.processes.len() < PROCESSES || self.processes.contains_key(&pid) {
            return;
        }
        self.processes.retain(|pid, _| is_alive(*pid));
        if self.processes.len() >= PROCESSES
            && let Some(oldest) =
                self.processes.iter().min_by(|a, b| a.1.seen.total_cmp(&b.1.seen)).map(|(pid, _)| *pid)
        {
            self.processes.remove(&oldest);
        }
    }

    fn is_had_by_another(&self, pid: u32, path: &WsPath, version: Version) -> bool {
        let has = |process: &Process| process.versions.get(path) == Some(&version);
        self.processes.iter().any(|(other, process)| *other != pid && has(process) && is_alive(*other))
    }

    /// What the process has, where that is another version and its text was kept; and since when the process is known.
    fn stale_base(&self, pid: u32, path: &WsPath, present: Version) -> Option<(f64, Arc<str>)> {
        let process = self.processes.get(&pid)?;
        let had = process.versions.get(path).filter(|had| **had != present)?;
        let kept = self.texts.iter().find(|kept| kept.path == *path && kept.version == *had)?;
        Some((process.seen, kept.text.clone()))
    }

    fn keep(&mut self, path: &WsPath, version: Version, text: &str) -> Arc<str> {
        if let Some(kept) = self.texts.iter().find(|kept| kept.path == *path && kept.version == version) {
            return kept.text.clone();
        }
        let text: Arc<str> = text.into();
        self.kept += text.len();
        self.texts.push_back(Text { path: path.clone(), version, text: text.clone() });
        while self.kept > BYTES {
            self.kept -= self.texts.pop_front().map_or(self.kept, |oldest| oldest.text.len());
        }
        text
    }
}

fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// Whether the process is the one that was seen then, and not a later one of the same number.
fn has_run_since(pid: u32, seen: f64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything; after it the start is the 20th field.
    let started = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(19)?.parse::<f64>().ok());
    started.is_some_and(|started| started / TICKS <= seen + 0.1)
}

fn since_boot() -> f64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(ino: u64, size: u64) -> Version {
        Version { ino, size, mtime: (ino as i64, 0) }
    }

    fn path() -> WsPath {
        WsPath::new("tickets/a.md").unwrap()
    }

    /// This process, and one that is alive as long as it.
    fn two() -> (u32, u32) {
        (std::process::id(), std::os::unix::process::parent_id())
    }

    #[test]
    fn a_save_from_what_another_replaced_is_stale_and_has_both_texts() {
        let (buffers, (first, second)) = (Buffers::default(), two());
        buffers.has(first, &path(), version(1, 3));
        buffers.has(second, &path(), version(1, 3));
        buffers.changing(first, &path(), version(1, 3), true, || Some("old".into()));
        buffers.saved(first, &path(), version(2, 3));
        assert!(buffers.stale(&path()).is_none(), "the first had the present version");
        buffers.changing(second, &path(), version(2, 3), true, || Some("new".into()));
        let stale = buffers.stale(&path()).expect("the second had not");
        assert_eq!((stale.pid, &*stale.base, &*stale.present), (second, "old", "new"));
        buffers.settled(&path());
        assert!(buffers.stale(&path()).is_none());
    }

    #[test]
    fn who_read_again_or_never_read_is_not_stale() {
        let (buffers, (first, second)) = (Buffers::default(), two());
        buffers.has(second, &path(), version(1, 3));
        buffers.changing(first, &path(), version(1, 3), true, || Some("old".into()));
        assert!(buffers.stale(&path()).is_none(), "the first never read it");
        buffers.has(second, &path(), version(2, 3));
        buffers.changing(second, &path(), version(2, 3), true, || Some("new".into()));
        assert!(buffers.stale(&path()).is_none(), "the second read it again");
    }

    #[test]
    fn who_wrote_a_text_without_reading_it_has_no_buffer() {
        let (buffers, (first, second)) = (Buffers::default(), two());
        buffers.saved(first, &path(), version(1, 3));
        buffers.has(second, &path(), version(1, 3));
        buffers.changing(second, &path(), version(1, 3), true, || Some("old".into()));
        buffers.saved(second, &path(), version(2, 3));
        buffers.changing(first, &path(), version(2, 3), true, || Some("new".into()));
        assert!(buffers.stale(&path()).is_none());
    }

    #[test]
    fn a_part_that_is_written_in_place_is_no_save_of_a_buffer() {
        let (buffers, (first, second)) = (Buffers::default(), two());
        buffers.has(second, &path(), version(1, 3));
        buffers.changing(first, &path(), version(1, 3), true, || Some("old".into()));
        buffers.changing(second, &path(), version(2, 3), false, || Some("new".into()));
        assert!(buffers.stale(&path()).is_none());
    }

    #[test]
    fn nothing_is_read_or_kept_while_nobody_else_has_the_text() {
        let (buffers, (first, _)) = (Buffers::default(), two());
        buffers.has(first, &path(), version(1, 3));
        buffers.has(i32::MAX as u32, &path(), version(1, 3));
        buffers.changing(first, &path(), version(1, 3), true, || panic!("the other one has ended"));
        buffers.superseded(&path(), version(9, 3), b"new");
        assert_eq!(buffers.state.lock().kept, 0);
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let (buffers, (first, second)) = (Buffers::default(), two());
        for n in 0..40 {
            buffers.has(second, &path(), version(n, TEXT));
            buffers.changing(first, &path(), version(n, TEXT), true, || Some("x".repeat(TEXT as usize)));
        }
        assert!(buffers.state.lock().kept <= BYTES);
        (0..3 * FILES)
            .for_each(|n| buffers.has(first, &WsPath::new(format!("tickets/{n}.md")).unwrap(), version(1, 1)));
        (0..2 * PROCESSES).for_each(|n| buffers.has(1 << 22 | n as u32, &path(), version(1, 1)));
        let state = buffers.state.lock();
        assert!(state.processes.len() <= PROCESSES && state.processes[&first].versions.len() <= FILES);
    }

    #[test]
    fn a_process_is_told_from_a_later_one_of_its_number() {
        let now = since_boot();
        assert!(has_run_since(std::process::id(), now));
        assert!(!has_run_since(std::process::id(), 0.0) || now < 1.0);
    }
}
