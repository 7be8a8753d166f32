//! The remotes of a workspace: connected when first needed, each on a thread of its own in a daemon.

use super::{
    alarm::{Alarm, Errand},
    pace::{Outcome, Pace},
    report::{ConflictReport, ListingReport, RemoteReport, RemoteStatus, SettledReport, SyncRow},
};
use crate::{
    domain::{Clock, issue::FieldValue, path::WsPath, problem::Problem},
    git::{self, Repo},
    remote,
    sync::{self, HealthState, Listing, Options, Parts, RemoteHealth, Report, Settled, SyncError, Syncer, Word},
    workspace::{
        config::{Config, RemoteConfig, SyncConfig},
        root::Root,
        settle::Settler,
        store::Store,
    },
};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// All remotes, in the order of their names. They follow the configuration while the engine runs.
pub struct Remotes {
    tools: Tools,
    list: RwLock<Vec<Arc<Remote>>>,
    /// By name: a remote whose configuration changes does not begin while what it was before has something under way.
    turns: Mutex<HashMap<String, Arc<Mutex<()>>>>,
    /// One for each remote that was ever started; `None` where no threads are wanted.
    threads: Mutex<Option<Vec<JoinHandle<()>>>>,
}

/// One remote and its place in time.
pub struct Remote {
    pub name: String,
    config: RemoteConfig,
    others: BTreeMap<String, Option<WsPath>>,
    limits: SyncConfig,
    tools: Tools,
    /// Held while anything is asked of the remote. Taken before every other lock here.
    turn: Arc<Mutex<()>>,
    /// Made at the first contact: the token may not be there yet.
    syncer: Mutex<Option<Arc<Syncer>>>,
    /// What kept it from being made.
    trouble: Mutex<Option<String>>,
    /// The trouble that the log has told last.
    told: Mutex<Option<String>>,
    alarm: Alarm,
}

/// What every remote works on.
#[derive(Clone)]
struct Tools {
    root: Arc<Root>,
    store: Arc<Store>,
    settler: Arc<Settler>,
    repo: Arc<Repo>,
    clock: Arc<dyn Clock>,
}

impl Remotes {
    pub fn open(
        config: &Config,
        root: &Arc<Root>,
        store: &Arc<Store>,
        settler: &Arc<Settler>,
        repo: &Arc<Repo>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let tools = Tools {
            root: root.clone(),
            store: store.clone(),
            settler: settler.clone(),
            repo: repo.clone(),
            clock: clock.clone(),
        };
        let remotes = Self { tools, list: RwLock::default(), turns: Mutex::default(), threads: Mutex::default() };
        *remotes.list.write() = remotes.configured(config);
        remotes
    }

    /// What the configuration names. A remote of which nothing changed stays the same one.
    fn configured(&self, config: &Config) -> Vec<Arc<Remote>> {
        let known = self.list.read();
        let turn = |name: &String| self.turns.lock().entry(name.clone()).or_default().clone();
        let one = |(name, remote): (&String, &RemoteConfig)| {
            let next = Remote::new(name, remote, config, &self.tools, turn(name));
            known.iter().find(|known| known.is(&next)).cloned().unwrap_or_else(|| Arc::new(next))
        };
        config.remotes.iter().map(one).collect()
    }

    /// Begins a thread for each remote, now and as they come.
    pub fn start(&self) -> io::Result<()> {
        self.threads.lock().get_or_insert_default();
        self.current().iter().try_for_each(|remote| self.start_one(remote))
    }

    fn start_one(&self, remote: &Arc<Remote>) -> io::Result<()> {
        if let Some(threads) = &mut *self.threads.lock() {
            let (name, remote) = (format!("sync-{}", remote.name), remote.clone());
            threads.push(thread::Builder::new().name(name).spawn(move || remote.run())?);
        }
        Ok(())
    }

    /// Takes over a changed configuration: remotes that are new begin, and those that are gone end, after what they
    /// have under way.
    pub fn follow(&self, config: &Config) -> io::Result<()> {
        let next = self.configured(config);
        let last = std::mem::replace(&mut *self.list.write(), next.clone());
        let missing = |from: &[Arc<Remote>], in_: &[Arc<Remote>]| -> Vec<Arc<Remote>> {
            from.iter().filter(|remote| !in_.iter().any(|other| Arc::ptr_eq(other, remote))).cloned().collect()
        };
        missing(&last, &next).iter().for_each(|gone| gone.alarm.stop());
        for new in missing(&next, &last) {
            self.start_one(&new)?;
            new.alarm.ring();
        }
        Ok(())
    }

    pub fn names(&self) -> Vec<String> {
        self.current().iter().map(|remote| remote.name.clone()).collect()
    }

    fn current(&self) -> Vec<Arc<Remote>> {
        self.list.read().clone()
    }

    /// Pulls and pushes one remote, or all, each after the other.
    pub fn sync(&self, only: Option<&str>, dry_run: bool, yes: bool) -> Vec<RemoteReport> {
        let options = Options { dry_run, yes };
        let chosen = self.current().into_iter().filter(|remote| only.is_none_or(|name| name == remote.name));
        chosen.map(|remote| remote.attempt(|syncer| syncer.sync(options))).collect()
    }

    /// Pushes what is pending.
    pub fn push(&self) -> Vec<RemoteReport> {
        self.current().iter().map(|remote| remote.attempt(Syncer::push)).collect()
    }

    pub fn status(&self) -> Vec<RemoteStatus> {
        self.current().iter().map(|remote| remote.status()).collect()
    }

    /// How far those are that are being read.
    pub fn listings(&self) -> Vec<ListingReport> {
        self.current().iter().filter_map(|remote| remote.listing()).collect()
    }

    /// By remote and ticket, as of the last cycles.
    pub fn conflicts(&self) -> Vec<ConflictReport> {
        self.current().iter().flat_map(|remote| remote.conflicts()).collect()
    }

    /// What people should know about files and their remotes.
    pub fn problems(&self) -> anyhow::Result<Vec<Problem>> {
        let mut problems = Vec::new();
        for remote in self.current() {
            problems.extend(sync::problems(&self.tools.root, &self.tools.store, &remote.name, &remote.config)?);
        }
        Ok(problems)
    }

    /// Settles a ticket's conflicts with one remote; answers how, and what each that was settled gave up.
    pub fn resolve(
        &self,
        remote: &str,
        path: &WsPath,
        field: Option<&str>,
        word: Word<'_>,
    ) -> Result<Vec<SettledReport>, String> {
        let current = self.current();
        let remote = current.iter().find(|known| known.name == remote).ok_or("that remote is not configured")?;
        let _turn = remote.turn.lock();
        let settled = remote.syncer()?.resolve(path, field, word).map_err(|error| error.to_string())?;
        let report = |settled: Settled| SettledReport {
            remote: remote.name.clone(),
            field: settled.field,
            lost: shown(&settled.lost),
        };
        Ok(settled.into_iter().map(report).collect())
    }

    /// There may be something to push; the first call lets the threads begin.
    pub fn wake(&self) {
        self.current().iter().for_each(|remote| remote.alarm.ring());
    }

    /// Something changed at a remote: its thread pulls at once. `false`: it has no thread.
    pub fn pull_soon(&self, name: &str) -> bool {
        let remote = self.current().into_iter().find(|remote| remote.name == name);
        let has_thread = self.threads.lock().is_some();
        remote.filter(|_| has_thread).map(|remote| remote.alarm.ring_for(Errand::Pull)).is_some()
    }

    /// Asks the threads to end.
    pub fn stop(&self) {
        self.current().iter().for_each(|remote| remote.alarm.stop());
    }

    /// Waits for the threads, so long at most: one that still waits for its remote ends with the process, since sync can
    /// be cut off anywhere.
    pub fn wait(&self, most: Duration) {
        let threads = self.threads.lock().take().unwrap_or_default();
        let started = Instant::now();
        while started.elapsed() < most && !threads.iter().all(JoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Remote {
    fn new(name: &str, config: &RemoteConfig, all: &Config, tools: &Tools, turn: Arc<Mutex<()>>) -> Self {
        let others = all.remotes.iter().filter(|(other, _)| *other != name);
        Self {
            turn,
            name: name.to_owned(),
            config: config.clone(),
            others: others.map(|(name, other)| (name.clone(), other.create.then(|| other.folder.clone()))).collect(),
            limits: all.sync.clone(),
            tools: tools.clone(),
            syncer: Mutex::default(),
            trouble: Mutex::default(),
            told: Mutex::default(),
            alarm: Alarm::default(),
        }
    }

    fn is(&self, other: &Self) -> bool {
        let settings = |remote: &Self| (remote.name.clone(), remote.config.clone(), remote.others.clone());
        settings(self) == settings(other) && self.limits == other.limits
    }

    /// Connects when that has not been done; what keeps it from being done is kept for `status`. The caller has the turn:
    /// no lock that `status` needs is held while a token is asked for.
    fn syncer(&self) -> Result<Arc<Syncer>, String> {
        if let Some(syncer) = &*self.syncer.lock() {
            return Ok(syncer.clone());
        }
        let provider = remote::connect(&self.name, &self.config).map_err(|error| {
            let reason = error.to_string();
            *self.trouble.lock() = Some(reason.clone());
            reason
        })?;
        *self.trouble.lock() = None;
        let tools = self.tools.clone();
        let made = Arc::new(Syncer::new(Parts {
            name: self.name.clone(),
            config: self.config.clone(),
            others: self.others.clone(),
            limits: self.limits.clone(),
            provider: provider.into(),
            root: tools.root,
            store: tools.store,
            settler: tools.settler,
            repo: tools.repo,
            clock: tools.clock,
            merge_text: git::merge_text,
        }));
        *self.syncer.lock() = Some(made.clone());
        Ok(made)
    }

    /// One cycle; what goes wrong is part of the report.
    fn attempt(&self, work: impl FnOnce(&Syncer) -> Result<Report, SyncError>) -> RemoteReport {
        let _turn = self.turn.lock();
        let outcome = self.syncer().and_then(|syncer| work(&syncer).map_err(|error| error.to_string()));
        let status = self.status();
        let mut report = RemoteReport {
            remote: self.name.clone(),
            pending: status.pending,
            held: status.held,
            ..RemoteReport::default()
        };
        match outcome {
            Ok(done) => report.rows = SyncRow::all_of(done),
            Err(reason) => report.error = Some(reason),
        }
        report
    }

    /// The remote's thread: pushes when something was committed, pulls as often as the pace says; begins at the first ring.
    pub fn run(&self) {
        let mut pace = Pace::new(Duration::from_secs_f64(self.limits.interval));
        let mut due = None;
        while let Some(errand) = self.alarm.wait(due) {
            // What was written here goes first, but for the very first time: then nothing is known of the remote yet.
            let mut moved = due.is_some() && self.told(Syncer::push).has_moved();
            let mut put_off = false;
            if errand == Errand::Pull || due.is_none_or(|due| Instant::now() >= due) {
                let pulled = self.told(Syncer::pull);
                put_off = pulled.has_pending();
                moved |= pulled.has_moved() | self.told(Syncer::push).has_moved();
            } else if !moved {
                continue;
            }
            let outcome = match (put_off, moved) {
                (true, _) => Outcome::PutOff,
                (false, true) => Outcome::Moved,
                (false, false) => Outcome::Quiet,
            };
            due = Some(Instant::now() + self.retry_in().unwrap_or_else(|| pace.after(outcome)));
        }
    }

    /// One cycle of the thread. What goes wrong is logged when it is news.
    fn told(&self, work: impl FnOnce(&Syncer) -> Result<Report, SyncError>) -> RemoteReport {
        let report = self.attempt(work);
        let trouble = report.error.is_some().then(|| self.status().last_error).flatten();
        let mut told = self.told.lock();
        if let Some(reason) = trouble.as_ref().filter(|_| *told != trouble) {
            tracing::warn!(remote = self.name, "{reason}");
        }
        *told = trouble;
        report
    }

    /// How long the remote is not to be asked, if it is not.
    fn retry_in(&self) -> Option<Duration> {
        self.health()?.waiting?.left(self.tools.clock.now())
    }

    fn listing(&self) -> Option<ListingReport> {
        let Listing { listed, of } = self.syncer.lock().clone()?.listing()?;
        Some(ListingReport { remote: self.name.clone(), listed, of })
    }

    fn health(&self) -> Option<RemoteHealth> {
        self.syncer.lock().clone()?.health().ok()
    }

    fn status(&self) -> RemoteStatus {
        let mut status = RemoteStatus {
            name: self.name.clone(),
            kind: self.config.kind.name().to_owned(),
            state: "never".to_owned(),
            ..RemoteStatus::default()
        };
        if let Some(reason) = &*self.trouble.lock() {
            (status.state, status.last_error) = ("unauthorized".to_owned(), Some(reason.clone()));
        }
        let Some(health) = self.health() else { return status };
        status.state = state_name(health.state).to_owned();
        status.listing = self.listing();
        status.last_contact = health.last_contact.map(|at| at.to_string());
        status.last_error = health.last_error;
        (status.pending, status.held, status.refused) = (health.pending, health.held, health.refused);
        status
    }

    fn conflicts(&self) -> Vec<ConflictReport> {
        let conflicts = sync::conflicts(&self.tools.store, &self.name).unwrap_or_default().into_iter();
        conflicts
            .map(|conflict| ConflictReport {
                remote: self.name.clone(),
                path: conflict.path,
                key: conflict.key,
                field: conflict.field,
                base: conflict.base.as_ref().map(shown),
                local: shown(&conflict.local),
                theirs: shown(&conflict.theirs),
            })
            .collect()
    }
}

fn state_name(state: HealthState) -> &'static str {
    match state {
        HealthState::Unknown => "never",
        HealthState::Ok => "ok",
        HealthState::Waiting | HealthState::Limited => "waiting",
        HealthState::Stopped => "unauthorized",
        HealthState::Failed => "failing",
    }
}

fn shown(value: &FieldValue) -> String {
    match value {
        FieldValue::Text(text) => text.clone().unwrap_or_default(),
        FieldValue::Set(members) => members.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    }
}
