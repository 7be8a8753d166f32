//! Watches the real files, for changes that do not come through the mount.
//!
//! The watches are placed through the root's descriptor, so they stay on the real files while a mount covers their path.
//! What the kernel cannot tell (a full queue, no watches left) is found by a scan: nothing is lost, only later.

use super::{
    root::Root,
    settle::{EXTERNAL, Settler},
};
use crate::domain::{op::Actor, path::WsPath};
use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{Flag, ModifyKind},
};
use parking_lot::{Condvar, Mutex};
use std::{
    ffi::OsStr,
    io,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Between scans, once not every folder can be watched.
const SCAN_INTERVAL: Duration = Duration::from_secs(30);
/// How long a change takes to be told, at most; after that nothing is known of it.
const PATIENCE: Duration = Duration::from_secs(2);
/// A file that is written to on and on is told of once in this time: the kernel makes one event of those that wait.
const AGAIN: Duration = Duration::from_millis(1);
/// Names of our own temporary files, which are nobody's change.
const OUR_PREFIX: &str = ".trackfs-";
const OUR_SUFFIX: &str = ".tmp";

/// Stops watching when dropped.
pub struct Watcher {
    /// First to go: with it goes the last sender but ours.
    watcher: Option<RecommendedWatcher>,
    needs: Option<Sender<Need>>,
    scanner: Option<JoinHandle<()>>,
    marks: PathBuf,
    state: Arc<State>,
}

/// What the watcher and its scanner know of each other.
#[derive(Default)]
struct State {
    /// Scans that were asked for and are not done. Regular scans are never done.
    scans: AtomicUsize,
    /// A file whose making shows that everything before it was told.
    mark: Mutex<Option<PathBuf>>,
    told: Condvar,
}

/// What the scanner is asked for.
enum Need {
    /// Events were lost.
    Scan,
    /// Some folders are not watched.
    RegularScans,
}

impl Watcher {
    /// Touches every path that changes. When the kernel's queue overflows, or a watch cannot be placed, it scans instead of
    /// losing anything. `marks` is a folder for its own use, outside of the workspace.
    pub fn start(root: &Root, settler: Arc<Settler>, marks: &Path) -> io::Result<Self> {
        let (needs, asked) = mpsc::channel();
        // Whoever makes a folder may set its times at once, and the watcher looks into each that is new.
        let folder = root.quiet_view().or_else(|_| root.fd().try_clone_to_owned())?;
        let base = PathBuf::from(format!("/proc/self/fd/{}/.", folder.as_raw_fd()));
        let state = Arc::<State>::default();
        let scans = state.clone();
        let handler = Handler {
            base: base.clone(),
            _folder: Arc::new(folder),
            settler: settler.clone(),
            needs: needs.clone(),
            state,
            written: None,
        };
        let (state, first) = (handler.state.clone(), handler.clone());
        // A daemon that was killed may have left one.
        let _ = std::fs::remove_dir_all(marks);
        std::fs::create_dir_all(marks)?;
        let mut watcher = notify::recommended_watcher(handler).map_err(io::Error::other)?;
        if let Err(error) = watcher.watch(&base, RecursiveMode::Recursive) {
            first.ask(need_after(&error));
        }
        if let Err(error) = watcher.watch(marks, RecursiveMode::NonRecursive) {
            tracing::debug!(%error, "what was not told yet is found by a scan");
        }
        let scan = move || scan_when_asked(&settler, &asked, &scans);
        let scanner = thread::Builder::new().name("scan".into()).spawn(scan)?;
        Ok(Self { watcher: Some(watcher), needs: Some(needs), scanner: Some(scanner), marks: marks.to_owned(), state })
    }

    /// Returns when everything that happened before the call is touched. `false`: that cannot be known, scan.
    ///
    /// The kernel tells in order, so it is enough to wait for the making of a file, wherever it is watched.
    pub fn drain(&self) -> bool {
        let mut mark = self.state.mark.lock();
        let Ok(file) = tempfile::NamedTempFile::new_in(&self.marks) else { return false };
        *mark = Some(file.path().to_owned());
        let waited = self.state.told.wait_while_for(&mut mark, |mark| mark.is_some(), PATIENCE);
        !waited.timed_out() && self.state.scans.load(Ordering::Acquire) == 0
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.watcher.take());
        drop(self.needs.take());
        if let Some(scanner) = self.scanner.take() {
            // It panics only if a scan did, and has told the panic hook.
            let _ = scanner.join();
        }
    }
}

#[derive(Clone)]
struct Handler {
    base: PathBuf,
    /// The descriptor in `base`.
    _folder: Arc<OwnedFd>,
    settler: Arc<Settler>,
    needs: Sender<Need>,
    state: Arc<State>,
    /// The file of the last event, if that was a write.
    written: Option<PathBuf>,
}

impl notify::EventHandler for Handler {
    fn handle_event(&mut self, event: notify::Result<notify::Event>) {
        let event = match event {
            Ok(event) => event,
            Err(error) => return self.ask(need_after(&error)),
        };
        if event.attrs.flag() == Some(Flag::Rescan) {
            return self.ask(Need::Scan);
        }
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        self.look_for_mark(&event);
        for path in event.paths.iter().filter_map(|path| relative(&self.base, path)) {
            self.settler.touch(&path, &Actor::named(EXTERNAL));
        }
        let is_write = matches!(event.kind, EventKind::Modify(ModifyKind::Data(_)));
        let written = event.paths.into_iter().next().filter(|_| is_write);
        if written.is_some() && written == self.written {
            thread::sleep(AGAIN);
        }
        self.written = written;
    }
}

impl Handler {
    fn look_for_mark(&self, event: &notify::Event) {
        let mut mark = self.state.mark.lock();
        if mark.as_ref().is_some_and(|mark| event.paths.contains(mark)) {
            *mark = None;
            self.state.told.notify_all();
        }
    }

    fn ask(&self, need: Need) {
        self.state.scans.fetch_add(1, Ordering::Release);
        // The scanner is gone only when we are about to go too.
        let _ = self.needs.send(need);
    }
}

fn need_after(error: &notify::Error) -> Need {
    match error.kind {
        // A folder that went before it could be watched needs no watch; its parent has told of it.
        notify::ErrorKind::PathNotFound => Need::Scan,
        _ => {
            tracing::debug!(%error, "a folder cannot be watched");
            Need::RegularScans
        }
    }
}

/// The path in the workspace. `None` for git's own files, for our temporary ones, and for what no workspace path can name.
fn relative(base: &Path, path: &Path) -> Option<WsPath> {
    let ours = is_ours(path);
    let path = WsPath::new(path.strip_prefix(base).ok()?.to_str()?).ok()?;
    (!ours && path.names().all(|name| name != ".git")).then_some(path)
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    name.is_some_and(|name| name.starts_with(OUR_PREFIX) && name.ends_with(OUR_SUFFIX))
}

fn scan_when_asked(settler: &Settler, needs: &Receiver<Need>, state: &State) {
    let mut regularly = false;
    loop {
        let need = if regularly { needs.recv_timeout(SCAN_INTERVAL) } else { needs.recv().map_err(Into::into) };
        match need {
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) | Ok(Need::Scan) => {}
            Ok(Need::RegularScans) if regularly => continue,
            Ok(Need::RegularScans) => {
                tracing::warn!(
                    "not every folder can be watched (fs.inotify.max_user_watches); changes made outside the mount \
                     are found by a scan every {} s",
                    SCAN_INTERVAL.as_secs()
                );
                regularly = true;
            }
        }
        if let Err(error) = settler.scan() {
            tracing::error!(%error, "the scan failed");
        } else if !regularly {
            state.scans.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Clock, Timestamp},
        workspace::{config::SettleConfig, store::Store},
    };
    use std::time::Instant;

    #[test]
    fn paths_are_told_relative_to_the_workspace_and_gits_own_and_ours_not_at_all() {
        let base = Path::new("/proc/self/fd/7/.");
        for (path, expected) in [
            ("/proc/self/fd/7/./tickets/a.md", Some("tickets/a.md")),
            ("/proc/self/fd/7/.", Some("")),
            ("/proc/self/fd/7/./.git", None),
            ("/proc/self/fd/7/./a/.git/index", None),
            ("/proc/self/fd/7/./a/.trackfs-1a2b3c.tmp", None),
            ("/elsewhere/a", None),
        ] {
            let found = relative(base, Path::new(path));
            assert_eq!(found.as_ref().map(WsPath::as_str), expected, "{path}");
        }
    }

    /// Runs a workspace with a watcher while `act` changes its real files; answers what was told.
    fn watched(act: impl FnOnce(&Path), enough: usize) -> Vec<String> {
        let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = Arc::new(Root::open(dir.path()).unwrap());
        let store = Arc::new(Store::open(state.path()).unwrap());
        let config = SettleConfig { quiet_ms: 50, removal_ms: 300, open_ms: 1000 };
        let settler = Arc::new(Settler::new(root.clone(), store.clone(), Arc::new(Now), config));
        let watcher = Watcher::start(&root, settler.clone(), &state.path().join("marks")).unwrap();
        let events = || store.events(0, 100).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| settler.run());
            act(dir.path());
            let deadline = Instant::now() + Duration::from_secs(10);
            while events().len() < enough && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(10));
            }
            settler.stop();
        });
        drop(watcher);
        events().iter().map(|event| format!("{} {:?}", event.actor.name, event.change)).collect()
    }

    struct Now;

    impl Clock for Now {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    const TICKET: &str = "---\ntitle: A\nstatus: todo\n---\n";

    #[test]
    fn a_file_in_a_folder_made_a_moment_ago_is_found() {
        let told = watched(
            |dir| {
                std::fs::create_dir_all(dir.join("tickets/deep/deeper")).unwrap();
                std::fs::write(dir.join("tickets/deep/deeper/a.md"), TICKET).unwrap();
            },
            1,
        );
        assert_eq!(told, ["external TicketCreated { path: WsPath(\"tickets/deep/deeper/a.md\"), title: \"A\" }"]);
    }

    #[test]
    fn a_move_seen_from_outside_is_a_move() {
        let told = watched(
            |dir| {
                std::fs::create_dir_all(dir.join("tickets/sub")).unwrap();
                std::fs::write(dir.join("tickets/a.md"), TICKET).unwrap();
                thread::sleep(Duration::from_millis(500));
                std::fs::rename(dir.join("tickets/a.md"), dir.join("tickets/sub/b.md")).unwrap();
            },
            2,
        );
        assert_eq!(
            told[1..],
            ["external TicketMoved { path: WsPath(\"tickets/sub/b.md\"), from: WsPath(\"tickets/a.md\") }"]
        );
    }

    #[test]
    fn what_happened_before_a_drain_is_touched_when_it_returns() {
        let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = Arc::new(Root::open(dir.path()).unwrap());
        let store = Arc::new(Store::open(state.path()).unwrap());
        let settler = Arc::new(Settler::new(root.clone(), store, Arc::new(Now), SettleConfig::default()));
        let marks = state.path().join("marks");
        let watcher = Watcher::start(&root, settler.clone(), &marks).unwrap();
        for round in 0..50 {
            std::fs::write(dir.path().join("a.md"), format!("{round}\n")).unwrap();
            std::fs::create_dir_all(dir.path().join(format!("{round}/deep"))).unwrap();
            std::fs::write(dir.path().join(format!("{round}/deep/b.md")), "b\n").unwrap();
            assert!(watcher.drain());
            assert_eq!(settler.settle_now().unwrap().len(), 2, "round {round}");
        }
        let entries = |dir: &Path| std::fs::read_dir(dir).unwrap().count();
        assert_eq!((entries(dir.path()), entries(&marks)), (51, 0), "the mark does not stay");
        std::fs::remove_dir_all(&marks).unwrap();
        assert!(!watcher.drain(), "where no mark can be made, nothing is known");
    }

    #[test]
    fn lost_events_are_made_good_by_a_scan() {
        let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = Arc::new(Root::open(dir.path()).unwrap());
        let store = Arc::new(Store::open(state.path()).unwrap());
        let settler = Arc::new(Settler::new(root.clone(), store, Arc::new(Now), SettleConfig::default()));
        std::fs::write(dir.path().join("a.md"), "x").unwrap();
        let (needs, asked) = mpsc::channel();
        let base = PathBuf::from("/proc/self/fd/0/.");
        let state = Arc::<State>::default();
        let mut handler = Handler {
            base,
            _folder: Arc::new(root.fd().try_clone_to_owned().unwrap()),
            settler: settler.clone(),
            needs,
            state: state.clone(),
            written: None,
        };
        let overflow = notify::Event::new(EventKind::Other).set_flag(Flag::Rescan);
        notify::EventHandler::handle_event(&mut handler, Ok(overflow));
        drop(handler);
        assert_eq!(state.scans.load(Ordering::Relaxed), 1);
        scan_when_asked(&settler, &asked, &state);
        assert_eq!(state.scans.load(Ordering::Relaxed), 0);
        assert_eq!(settler.settle_now().unwrap().len(), 1);
    }
}
