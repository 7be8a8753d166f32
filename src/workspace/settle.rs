//! Settling: what is this path now, compared with what was last known?
//!
//! Events say when, states say what: whoever touches a path (mount, watcher, scan, sync) only wakes the settler, which
//! compares the file with its last snapshot. A lost wake-up, a replay or an echo is harmless.

mod adopt;
mod meaning;
mod moves;
mod pass;
mod progress;
mod queue;
mod reading;
mod scan;
mod stale;

use super::{
    config::SettleConfig,
    journal::Journal,
    root::Root,
    store::{Store, StoreError},
};
use crate::domain::{
    Clock, diff,
    event::{Change, Event},
    layout::Kind,
    merge::MergeText,
    op::{Actor, Op},
    path::WsPath,
    problem::{Problem, Severity},
    schema::Schema,
    snapshot::{self, Snapshot},
    view,
};
use adopt::Baseline;
pub use adopt::Content;
use parking_lot::{Mutex, RwLock};
use pass::{Haste, Pass};
pub use progress::Progress;
use progress::Work;
use queue::{Queue, Touched};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

/// Where the schema stands in a workspace.
pub const SCHEMA_PATH: &str = ".trackfs/schema.yaml";
/// Where the configuration stands in a workspace.
pub const CONFIG_PATH: &str = ".trackfs/config.yaml";
/// The name of an actor who is not known: the change was found, not seen.
pub const EXTERNAL: &str = "external";

/// The note in the store that keeps the text of the last valid schema.
const SCHEMA_NOTE: &str = "schema";
/// Before what could not be settled is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Passes of one `settle_now`: a pass can touch more (a schema, a `.gitignore`), but not for ever.
const ROUNDS: usize = 8;

/// Turns touched paths into domain events and snapshots. Shared by all threads; one thread runs [`Settler::run`].
pub struct Settler {
    root: Arc<Root>,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    config: SettleConfig,
    journal: Journal,
    /// How stale saves are merged; `None`: they are taken as they are.
    merge_text: Option<MergeText>,
    /// Whether history can hold a file (or, with `true`, a symlink) of this path.
    may_hold: fn(&WsPath, bool) -> bool,
    /// One pass at a time. Taken before every other lock here; not held while listeners are called.
    passing: Mutex<()>,
    /// While a new index is filled. A leaf.
    baseline: Mutex<Option<Baseline>>,
    progress: Work,
    queue: Queue,
    schema: RwLock<Arc<Schema>>,
    listeners: RwLock<Vec<Arc<Listener>>>,
    followers: RwLock<Vec<Arc<Follower>>>,
}

/// Is told of every batch of events, after they are durable, on the thread that made them, with no lock held. The batch
/// is empty when bytes settled that changed nothing in the workspace's terms: they are to be committed all the same.
pub type Listener = Box<dyn Fn(&[Event]) + Send + Sync>;

/// Is told of every path whose place in the index changed, also where no event says so (a lost index that is filled
/// again), before the events are told; on the thread that settled them, with no lock held.
pub type Follower = Box<dyn Fn(&[WsPath]) + Send + Sync>;

/// What a scan found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Files met that can be versioned.
    pub files: usize,
    /// Differ from their snapshot, or are gone.
    pub changed: usize,
    /// Known, and not there.
    pub gone: usize,
}

impl Settler {
    /// Reads the schema; touches nothing else until [`Settler::scan`] or [`Settler::touch`].
    pub fn new(root: Arc<Root>, store: Arc<Store>, clock: Arc<dyn Clock>, config: SettleConfig) -> Self {
        let last_valid = store.meta(SCHEMA_NOTE).unwrap_or_default();
        let schema = meaning::first_schema(&root, last_valid.as_deref());
        Self {
            journal: Journal::new(store.clone()),
            queue: Queue::new(&config),
            root,
            store,
            clock,
            config,
            merge_text: None,
            may_hold: |_, _| true,
            passing: Mutex::default(),
            baseline: Mutex::default(),
            progress: Work::default(),
            schema: RwLock::new(Arc::new(schema)),
            listeners: RwLock::default(),
            followers: RwLock::default(),
        }
    }

    /// Merges saves from stale buffers, too.
    pub fn merging(self, merge_text: MergeText) -> Self {
        Self { merge_text: Some(merge_text), ..self }
    }

    /// Makes a problem of names that the history cannot hold, in place of a commit.
    pub fn holding(self, may_hold: fn(&WsPath, bool) -> bool) -> Self {
        Self { may_hold, ..self }
    }

    /// The schema in force; reloaded when `.trackfs/schema.yaml` settles (the last valid one stays while it is broken).
    pub fn schema(&self) -> Arc<Schema> {
        self.schema.read().clone()
    }

    pub fn on_events(&self, listener: Listener) {
        self.listeners.write().push(Arc::new(listener));
    }

    pub fn on_settled(&self, follower: Follower) {
        self.followers.write().push(Arc::new(follower));
    }

    /// Journals a raw operation and touches its path. Cheap: memory only.
    pub fn record(&self, op: Op) {
        self.queue.record(&op);
        self.journal.record(op);
    }

    /// Says that [`Settler::durable`] will be asked for what was recorded so far. Cheap.
    pub fn hasten(&self) {
        self.journal.hasten();
    }

    /// Returns when every operation recorded before the call is on disk.
    pub fn durable(&self) -> Result<(), StoreError> {
        self.journal.flush()
    }

    /// Marks a path (and, of a folder, everything in it) to be looked at. The actor [`EXTERNAL`] never takes the place of
    /// one that was recorded.
    pub fn touch(&self, path: &WsPath, actor: &Actor) {
        self.queue.touch(path, actor);
    }

    /// Makes the index what the files are: adopts what is left of [`Settler::adopt`], then scans. Saves settle meanwhile.
    pub fn catch_up(&self) -> Result<ScanReport, StoreError> {
        let _working = self.progress.begin();
        self.adopt_all()?;
        if self.progress.is_interrupted() { Ok(ScanReport::default()) } else { self.scan() }
    }

    /// Ends [`Settler::catch_up`] and long scans soon, and for good; what is left is found at the next start.
    pub fn interrupt(&self) {
        self.progress.interrupt();
    }

    /// Whether nothing is left to be adopted: every file of the last commit is in the index.
    pub fn is_whole(&self) -> bool {
        self.baseline.lock().is_none()
    }

    /// How far the index is, while it is being caught up.
    pub fn indexing(&self) -> Option<Progress> {
        self.progress.get()
    }

    /// What keeps the newest operations from reaching the disk, if anything does.
    pub fn trouble(&self) -> Option<String> {
        self.journal.trouble().map(|reason| format!("the newest operations are not in the journal: {reason}"))
    }

    /// What a file's change from `old` to `new` means (`None`: not there), by the schema in force.
    pub fn meaning_of(&self, path: &WsPath, old: Option<&[u8]>, new: Option<&[u8]>) -> Vec<Change> {
        if meaning::is_scratch(path) {
            return Vec::new();
        }
        let schema = self.schema();
        let read = |bytes: &[u8], before: Option<&Snapshot>| {
            let kind = meaning::kind(&self.root, path, bytes, before.map(|before| &before.kind));
            meaning::read(path, kind, bytes, false, &schema, before)
        };
        let old = old.map(|bytes| read(bytes, None));
        let new = new.map(|bytes| read(bytes, old.as_ref()));
        diff::diff(path, old.as_ref(), new.as_ref())
    }

    /// Looks at everything touched, whether quiet or not, removals included, and returns when it is in the index.
    /// Files that a writer still holds open are looked at too.
    pub fn settle_now(&self) -> Result<Vec<Event>, StoreError> {
        self.journal.flush()?;
        let mut events = Vec::new();
        for _ in 0..ROUNDS {
            let settled = {
                let _passing = self.passing.lock();
                match self.queue.take_all() {
                    touched if touched.is_empty() => break,
                    touched => self.pass(touched, Haste::Now)?,
                }
            };
            self.tell(&settled);
            events.extend(settled.events);
        }
        Ok(events)
    }

    /// Appends events that did not come from a file (`committed`, `pushed`, `pulled`, `conflict`) and tells listeners.
    pub fn emit(&self, actor: &Actor, changes: Vec<Change>) -> Result<Vec<Event>, StoreError> {
        let events = self.store.append(self.clock.now(), actor, changes)?;
        if !events.is_empty() {
            self.call(&events);
        }
        Ok(events)
    }

    /// Tells of a commit, and that its paths are in it as they were at `mark`, with a note: all of it or nothing is durable.
    pub fn committed(
        &self,
        actor: &Actor,
        commit: Change,
        mark: u64,
        note: (&str, &str),
    ) -> Result<Vec<Event>, StoreError> {
        let events = self.store.append_commit(self.clock.now(), actor, commit, mark, note)?;
        self.call(&events);
        Ok(events)
    }

    /// Runs `work` while nothing settles: what it does settles together.
    pub fn as_one<T>(&self, work: impl FnOnce() -> T) -> T {
        let _passing = self.passing.lock();
        work()
    }

    /// What a save of these bytes at this path would be refused for: the first [`Severity::Error`] problem of a ticket.
    /// `None` for anything that is no ticket. A status that must not follow the present one counts.
    pub fn check(&self, path: &WsPath, bytes: &[u8]) -> Option<Problem> {
        // An index that cannot be read now says the same when the save settles.
        let was = self.store.snapshot(path).ok().flatten();
        let kind = meaning::kind(&self.root, path, bytes, was.as_ref().map(|was| &was.kind));
        if kind != Kind::Ticket {
            return None;
        }
        let problems = snapshot::problems_of_ticket(path, bytes, &self.schema(), was.as_ref());
        problems.into_iter().find(|problem| problem.severity == Severity::Error)
    }

    /// Settles what is due until [`Settler::stop`]; sleeps without polling. The journal is written here too.
    pub fn run(&self) {
        std::thread::scope(|scope| {
            scope.spawn(|| self.journal.run());
            while self.queue.wait() {
                self.settle_due();
            }
            if let Err(error) = self.settle_now() {
                tracing::error!(%error, "not everything settled; the next start finds it");
            }
            self.journal.stop();
        });
        if let Err(error) = self.journal.flush() {
            tracing::error!(%error, "the newest operations are not in the journal");
        }
    }

    /// Ends [`Settler::run`] after what is already touched has settled.
    pub fn stop(&self) {
        self.queue.stop();
    }

    fn settle_due(&self) {
        let settled = {
            let _passing = self.passing.lock();
            let due = self.queue.take_due(Instant::now());
            if due.is_empty() {
                return;
            }
            self.pass(due, Haste::WhenQuiet)
        };
        match settled {
            Ok(settled) => self.tell(&settled),
            Err(error) => tracing::error!(%error, "cannot settle; it is tried again"),
        }
    }

    /// Looks at these paths together. What could not be looked at is touched again.
    fn pass(&self, touched: Touched, haste: Haste) -> Result<pass::Outcome, StoreError> {
        let again = touched.clone();
        // A defect that one file meets must not end the thread that settles all others.
        let outcome = catch_unwind(AssertUnwindSafe(|| Pass::new(self, haste).run(touched)));
        let outcome = outcome.unwrap_or(Err(StoreError::Panicked));
        if outcome.is_err() {
            let later = Instant::now() + RETRY;
            again.into_iter().for_each(|(path, touch)| self.queue.put_back(path, touch, later));
        }
        outcome
    }

    /// Puts a schema in force, also for the next start should its file be broken then.
    fn take_over(&self, schema: Schema, yaml: &str) -> Result<Arc<Schema>, StoreError> {
        self.store.set_meta(SCHEMA_NOTE, yaml)?;
        let schema = Arc::new(schema);
        *self.schema.write() = schema.clone();
        Ok(schema)
    }

    /// Every file that is read by the schema: tickets, and saved queries.
    fn schematic(&self) -> Result<Vec<WsPath>, StoreError> {
        let is_read =
            |path: &WsPath, kind: &Kind| matches!(kind, Kind::Ticket | Kind::Inbox) || view::name_of(path).is_some();
        let snapshots = self.store.snapshots()?.into_iter();
        Ok(snapshots.filter(|(path, snapshot)| is_read(path, &snapshot.kind)).map(|(path, _)| path).collect())
    }

    fn tell(&self, settled: &pass::Outcome) {
        if !settled.paths.is_empty() {
            let followers = self.followers.read().clone();
            followers.iter().for_each(|follower| follower(&settled.paths));
        }
        if settled.edited || !settled.events.is_empty() {
            self.call(&settled.events);
        }
    }

    fn call(&self, events: &[Event]) {
        let listeners = self.listeners.read().clone();
        listeners.iter().for_each(|listener| listener(events));
    }
}

#[cfg(test)]
mod tests;
