//! A workspace with its index and repository, on a temporary folder, and with a clock that a test moves.
#![allow(dead_code, reason = "each test program uses its part")]

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
};
use trackfs::{
    domain::{Clock, Timestamp, event::Change, op::Actor, path::WsPath},
    git::{FileContent, FileMode, PathChange, Repo, merge_text},
    remote::{Provider, simulator::Simulator},
    sync::{Options, Parts, Report, Syncer},
    workspace::{
        config::{RemoteConfig, RemoteKind, SettleConfig, SyncConfig},
        root::Root,
        settle::Settler,
        store::Store,
    },
};

/// A clock that a test moves.
pub struct Hands(pub Mutex<Timestamp>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A workspace, its index and its repository.
pub struct World {
    pub dir: tempfile::TempDir,
    pub root: Arc<Root>,
    pub store: Arc<Store>,
    pub settler: Arc<Settler>,
    pub repo: Arc<Repo>,
    pub clock: Arc<Hands>,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["ws/tickets", "state"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let root = Arc::new(Root::open(&dir.path().join("ws")).unwrap());
        let store = Arc::new(Store::open(&dir.path().join("state")).unwrap());
        let clock = Arc::new(Hands(Mutex::new("2026-11-21T12:00:00Z".parse().unwrap())));
        let repo = Arc::new(Repo::init(&dir.path().join("ws"), &dir.path().join("state/repo.git")).unwrap());
        let settler = Settler::new(Arc::clone(&root), Arc::clone(&store), clock.clone(), SettleConfig::default());
        Self { dir, root, store, settler: Arc::new(settler), repo, clock }
    }

    pub fn path(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join("ws").join(path)
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    pub fn files(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(folder))
            .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
            .unwrap_or_default();
        names.retain(|name| name.ends_with(".md"));
        names.sort();
        names
    }

    pub fn write(&self, path: &str, text: &str) {
        let file = self.path(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        self.touched(path);
    }

    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{from:?} is not in {text:?}");
        self.write(path, &text.replacen(from, to, 1));
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
        self.touched(path);
    }

    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
        self.touched(from);
        self.touched(to);
    }

    pub fn touched(&self, path: &str) {
        self.settler.touch(&ws(path), &Actor::named("vim"));
    }

    /// Lets everything settle and commits it, as the daemon does when it is quiet.
    pub fn settle(&self) {
        self.settler.settle_now().unwrap();
        let mark = self.store.mark().unwrap();
        let paths = self.store.uncommitted().unwrap();
        let change = |path: &WsPath| PathChange {
            path: path.clone(),
            content: self.root.read(path).ok().map(|bytes| FileContent {
                bytes,
                mode: FileMode::Plain,
                stat: self.root.stat(path).unwrap(),
            }),
        };
        self.repo.commit(&paths.iter().map(change).collect::<Vec<_>>(), "quiet").unwrap();
        self.store.committed(&paths, mark).unwrap();
    }

    pub fn later(&self, seconds: i64) {
        let mut now = self.clock.0.lock().unwrap();
        *now = now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
    }

    pub fn remote(&self, name: &str, simulator: &Arc<Simulator>) -> Syncer {
        self.remote_in(name, simulator, "tickets", SyncConfig::default())
    }

    pub fn remote_in(&self, name: &str, simulator: &Arc<Simulator>, folder: &str, limits: SyncConfig) -> Syncer {
        self.remote_of(name, simulator.clone(), folder, limits)
    }

    pub fn remote_of(&self, name: &str, provider: Arc<dyn Provider>, folder: &str, limits: SyncConfig) -> Syncer {
        let others = ["linear", "github"].into_iter().filter(|other| *other != name);
        self.syncer(name, provider, folder, limits, others.map(|name| (name.to_owned(), None)).collect())
    }

    pub fn syncer(
        &self,
        name: &str,
        provider: Arc<dyn Provider>,
        folder: &str,
        limits: SyncConfig,
        others: BTreeMap<String, Option<WsPath>>,
    ) -> Syncer {
        let config = RemoteConfig::new(RemoteKind::Simulator, ws(folder));
        self.syncer_of(name, config, provider, limits, others)
    }

    pub fn syncer_of(
        &self,
        name: &str,
        config: RemoteConfig,
        provider: Arc<dyn Provider>,
        limits: SyncConfig,
        others: BTreeMap<String, Option<WsPath>>,
    ) -> Syncer {
        Syncer::new(Parts {
            name: name.to_owned(),
            config,
            others,
            limits,
            provider,
            root: self.root.clone(),
            store: self.store.clone(),
            settler: self.settler.clone(),
            repo: self.repo.clone(),
            clock: self.clock.clone(),
            merge_text,
        })
    }

    /// A remote that knows of others, with their folders.
    pub fn remote_beside<const N: usize>(
        &self,
        name: &str,
        provider: Arc<dyn Provider>,
        folder: &str,
        others: [(&str, Option<WsPath>); N],
    ) -> Syncer {
        let others = others.map(|(name, folder)| (name.to_owned(), folder));
        self.syncer(name, provider, folder, SyncConfig::default(), BTreeMap::from(others))
    }

    /// Settle, sync, settle: what an idle minute of the daemon does.
    pub fn cycle(&self, syncer: &Syncer) -> Report {
        self.settle();
        let report = syncer.sync(Options::default()).unwrap();
        self.settle();
        report
    }

    pub fn events(&self) -> Vec<Change> {
        self.store.events(0, 10_000).unwrap().into_iter().map(|event| event.change).collect()
    }
}

pub fn ws(path: &str) -> WsPath {
    WsPath::new(path).unwrap()
}
