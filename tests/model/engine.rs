//! The same, with the whole engine behind the filesystem: what settles, what is told of it, and what is committed.

use super::{
    ops::{self, Op, Worldly},
    scratch,
    tree::Body,
    world::World,
};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    sync::Arc,
};
use trackfs::{
    daemon::{Engine, EngineHost, Location, Lock},
    domain::{
        event::{Change, Event},
        layout::{self, Kind},
        op::Actor,
        path::WsPath,
        snapshot::ContentHash,
    },
    fs::Host,
    workspace::settle::EXTERNAL,
};

#[derive(Clone, Debug)]
pub enum Step {
    Op(Op),
    Settle,
    Commit,
    /// `git checkout` of one of the commits so far, underneath.
    Checkout(usize),
    /// The daemon is killed and starts again, perhaps without its index.
    Restart {
        index_lost: bool,
    },
}

pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => ops::op().prop_map(Step::Op),
        3 => Just(Step::Settle),
        2 => Just(Step::Commit),
        1 => (0..4_usize).prop_map(Step::Checkout),
        1 => any::<bool>().prop_map(|index_lost| Step::Restart { index_lost }),
    ]
}

/// What is versioned, by its path.
type Files = BTreeMap<String, Stored>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    /// Of a link, its target.
    bytes: Vec<u8>,
    link: bool,
    executable: bool,
}

struct Office {
    _place: tempfile::TempDir,
    at: Location,
    running: Option<Running>,
    /// What had settled last, and the last event then.
    settled: Files,
    told: u64,
    commits: Vec<String>,
    /// Whether a file has had several names since.
    had_links: bool,
    /// What had settled when the index was lost, until something settles again: of it no more than hash and kind is known,
    /// so a change of it is told without the values before.
    unvalued: BTreeSet<String>,
}

struct Running {
    world: World,
    engine: Arc<Engine>,
    host: Arc<EngineHost>,
}

/// Takes these steps in a new workspace, and settles and commits in the end.
pub fn play(steps: &[Step]) {
    let mut office = Office::new();
    for step in steps {
        office.take(step);
    }
    office.commit();
    let mut running = office.running.take().expect("it runs");
    running.world.compare();
    running.world.end();
}

impl Office {
    fn new() -> Self {
        let place = scratch();
        let dir = place.path().join("work");
        let mut init = Command::new(env!("CARGO_BIN_EXE_trackfs"));
        init.arg("init").arg(&dir).arg("--git-dir").arg(place.path().join("git")).env("HOME", place.path());
        assert!(init.output().unwrap().status.success());
        // What a save may be refused for is told by the filesystem's own model.
        std::fs::write(dir.join(".trackfs/config.yaml"), "validation: off\n").unwrap();
        let at = Location::discover(&dir).unwrap();
        at.make_state().unwrap();
        let running = Some(Running::start(&at));
        let mut office = Self {
            _place: place,
            at,
            running,
            settled: Files::new(),
            told: 0,
            commits: Vec::new(),
            had_links: false,
            unvalued: BTreeSet::new(),
        };
        office.running().engine.catch_up().unwrap();
        office.settled = Files::new();
        office.running().engine.settler.settle_now().unwrap();
        office.settled = office.versioned();
        office.told = office.running().engine.store.last_event().unwrap();
        office.commit();
        office
    }

    fn modes_changed(&mut self) -> bool {
        let now = self.versioned();
        now.iter().any(|(path, new)| self.settled.get(path).is_some_and(|old| old.executable != new.executable))
    }

    fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("it runs")
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Op(op) => {
                let engine = self.running().engine.clone();
                let announce = |path: &WsPath| engine.settler.touch(path, &Actor::named(EXTERNAL));
                ops::take(&mut Worldly { world: &mut self.running().world, announce: &announce }, op);
                self.had_links |= self.running().world.has_hard_links();
            }
            Step::Settle => self.settle(),
            Step::Commit => self.commit(),
            Step::Checkout(number) => self.checkout(*number),
            Step::Restart { index_lost } => self.restart(*index_lost),
        }
    }

    /// What is on the disk and belongs to the workspace's history.
    fn versioned(&mut self) -> Files {
        let tree = &self.running().world.tree;
        let files = tree.walk().into_iter().filter(|entry| !tree.is_folder(entry.3) && !is_scratch(&entry.0));
        let stored = |id| match &tree.inode(id).body {
            Body::Link(target) => Stored { bytes: target.clone().into_bytes(), link: true, executable: false },
            _ => Stored { bytes: tree.bytes(id).clone(), link: false, executable: tree.inode(id).mode & 0o100 != 0 },
        };
        files.map(|(path, _, _, id)| (path, stored(id))).collect()
    }

    fn settle(&mut self) {
        let now = self.versioned();
        let engine = self.running().engine.clone();
        let has_links = self.running().world.has_hard_links();
        if std::mem::replace(&mut self.had_links, has_links) {
            // A write is known by one name, which may be gone by now; the others are found by the watcher, or a scan.
            engine.settler.scan().unwrap();
        }
        engine.settler.settle_now().unwrap();
        let indexed: BTreeMap<String, String> = snapshots(&engine).map(|(path, _, hash)| (path, hash)).collect();
        let expected: BTreeMap<String, String> =
            now.iter().map(|(path, stored)| (path.clone(), ContentHash::of(&stored.bytes).0)).collect();
        assert_eq!(indexed, expected, "what is known, and what there is");
        self.check_tickets(&engine, &now);
        let events = engine.store.events(self.told, 100_000).unwrap();
        check_events(&self.settled, &now, &events, &std::mem::take(&mut self.unvalued));
        self.told = engine.store.last_event().unwrap();
        self.settled = now;
        self.running().world.compare();
    }

    /// The tickets are the Markdown files below `tickets/`, in the index, in the views, and by what was ever told.
    fn check_tickets(&mut self, engine: &Engine, now: &Files) {
        let tickets: BTreeSet<String> =
            snapshots(engine).filter(|(_, kind, _)| *kind == Kind::Ticket).map(|(path, ..)| path).collect();
        for (path, _) in now.iter().filter(|(path, stored)| is_ticket_for_sure(path, stored)) {
            assert!(tickets.contains(path), "{path} is a ticket");
        }
        for path in &tickets {
            assert!(path.starts_with("tickets/") && path.ends_with(".md") && !is_scratch(path), "{path} is no ticket");
        }
        let running = self.running();
        let shown: BTreeSet<String> = running
            .host
            .catalog()
            .cards()
            .filter(|card| !card.is_note())
            .map(|card| card.path.as_str().to_owned())
            .collect();
        assert_eq!(shown, tickets, "the views");
        let mut told = BTreeSet::new();
        for event in engine.store.events(0, 1_000_000).unwrap() {
            match event.change {
                Change::TicketCreated { path, .. } => assert!(told.insert(path.clone()), "{path} was created twice"),
                Change::TicketRemoved { path, .. } => assert!(told.remove(&path), "{path} was removed twice"),
                Change::TicketMoved { path, from } => {
                    assert!(told.remove(&from), "{from} moved from nowhere");
                    assert!(told.insert(path.clone()), "{path} was moved onto");
                }
                _ => {}
            }
        }
        assert_eq!(told.into_iter().map(|path| path.as_str().to_owned()).collect::<BTreeSet<_>>(), tickets);
    }

    fn commit(&mut self) {
        self.settle();
        let engine = self.running().engine.clone();
        if let Some(commit) = engine.commit(None).unwrap().commit {
            self.commits.push(commit);
        }
        self.told = engine.store.last_event().unwrap();
        let committed = engine.repo.head_tree().unwrap();
        let blobs = committed.into_iter().map(|(path, id)| (path.as_str().to_owned(), engine.repo.blob(&id).unwrap()));
        let expected: BTreeMap<String, Vec<u8>> =
            self.settled.iter().map(|(path, stored)| (path.clone(), stored.bytes.clone())).collect();
        assert_eq!(blobs.collect::<BTreeMap<_, _>>(), expected, "the commit");
        assert!(engine.store.uncommitted().unwrap().is_empty());
        let status = git(&self.at, &["status", "--porcelain", "-z", "--untracked-files=all"]);
        let unclean: Vec<&str> = status
            .split('\0')
            .filter(|line| !line.is_empty() && !line.strip_prefix("?? ").is_some_and(is_scratch))
            .collect();
        assert!(unclean.is_empty(), "git status after a commit: {unclean:?}");
    }

    fn checkout(&mut self, number: usize) {
        if self.commits.is_empty() {
            return;
        }
        self.commit();
        let commit = self.commits[number % self.commits.len()].clone();
        let at = self.at.clone();
        let engine = self.running().engine.clone();
        let announce = |path: &WsPath| engine.settler.touch(path, &Actor::named(EXTERNAL));
        self.running().world.foreign(&announce, |_| {
            git(&at, &["checkout", "-q", "--detach", &commit]);
            Ok(())
        });
        // What git brought and somebody takes away before it settled was never known, and is still in HEAD.
        self.settle();
    }

    fn restart(&mut self, index_lost: bool) {
        if index_lost && self.modes_changed() {
            // Of these the journal alone does not know.
            self.settle();
        }
        drop(self.running.take());
        if index_lost {
            std::fs::remove_file(self.at.state.join("index.db")).unwrap();
            self.unvalued = self.settled.keys().cloned().collect();
        }
        self.running = Some(Running::start(&self.at));
        self.running().engine.catch_up().unwrap();
    }
}

impl Running {
    fn start(at: &Location) -> Self {
        let lock = Lock::wait(at, || false).unwrap().expect("nobody else has it");
        let engine = Arc::new(Engine::open(at, lock).unwrap());
        let host = Arc::new(EngineHost::new(engine.clone()));
        let listener = Arc::downgrade(&engine);
        engine.settler.on_settled(Box::new(move |paths| {
            if let Some(engine) = listener.upgrade() {
                engine.reshelve(paths);
            }
        }));
        let world = World::new(&at.dir, engine.root.clone(), host.clone(), |_, _| false);
        Self { world, engine, host }
    }
}

fn snapshots(engine: &Engine) -> impl Iterator<Item = (String, Kind, String)> {
    let all = engine.store.snapshots().unwrap().into_iter();
    all.map(|(path, snapshot)| (path.as_str().to_owned(), snapshot.kind, snapshot.content.0))
}

fn is_scratch(path: &str) -> bool {
    path.split('/').any(|name| name == ".git" || layout::is_scratch(name))
}

/// Below another ticket's own folder the content and the past count too.
fn is_ticket_for_sure(path: &str, stored: &Stored) -> bool {
    !stored.link && path.starts_with("tickets/") && path.ends_with(".md") && path.matches('/').count() == 1
}

fn git(at: &Location, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.arg("--git-dir").arg(&at.git_dir).arg("--work-tree").arg(&at.dir).args(arguments).current_dir(&at.dir);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = git.output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Every path that differs is told of, by what happened to it; nothing else is. Of `unvalued` paths no value is known.
fn check_events(before: &Files, now: &Files, events: &[Event], unvalued: &BTreeSet<String>) {
    let of = |path: &str| -> Vec<&Change> {
        let about =
            |event: &&Event| event.change.is_of_a_file() && event.change.paths().any(|told| told.as_str() == path);
        events.iter().filter(about).map(|event| &event.change).collect()
    };
    for path in before.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
        let told = of(path);
        let count = |wanted: fn(&&Change) -> bool| told.iter().filter(|change| wanted(change)).count();
        let ticket = |files: &Files| files.get(path).filter(|stored| is_ticket_for_sure(path, stored)).cloned();
        let what = format!("{path}: {told:#?}");
        match (ticket(before), ticket(now)) {
            _ if before.get(path) == now.get(path) => {
                let judged_by_its_place = path.matches('/').count() > 1;
                assert!(told.is_empty() || judged_by_its_place, "nothing changed at {what}");
            }
            (Some(old), Some(new)) => {
                if let (Some(old), Some(new)) = (plain(&old.bytes), plain(&new.bytes))
                    && old != new
                {
                    let as_known = match unvalued.contains(path) {
                        true => matches!(*told, [Change::BodyChanged { .. }]),
                        false => is_one_edit(&told, old, new),
                    };
                    assert!(as_known, "one save at {what}");
                }
            }
            (None, Some(_)) => {
                let came =
                    |change: &&Change| matches!(change, Change::TicketCreated { .. } | Change::TicketMoved { .. });
                assert_eq!(count(came), 1, "a ticket came at {what}");
            }
            (Some(_), None) => {
                let went =
                    |change: &&Change| matches!(change, Change::TicketRemoved { .. } | Change::TicketMoved { .. });
                assert_eq!(count(went), 1, "a ticket went from {what}");
            }
            (None, None) => {}
        }
    }
    for event in events.iter().filter(|event| event.change.is_of_a_file()) {
        for path in event.change.paths() {
            assert!(!is_scratch(path.as_str()), "{event:?}");
            let known = before.contains_key(path.as_str()) || now.contains_key(path.as_str());
            assert!(known, "of a file that never settled: {event:?}");
        }
    }
}

/// The number of a text of [`ops::text`] that is a valid ticket.
fn plain(bytes: &[u8]) -> Option<usize> {
    (0..5).find(|number| ops::text(*number).as_bytes() == bytes)
}

/// Exactly the title and the body changed, each told once.
fn is_one_edit(told: &[&Change], old: usize, new: usize) -> bool {
    let title = |number: usize| trackfs::domain::Value::from(format!("T{number}"));
    match told {
        [Change::FieldChanged { field, from, to, .. }, Change::BodyChanged { .. }] => {
            field == "title" && *from == title(old) && *to == title(new)
        }
        _ => false,
    }
}
