//! Keeps tickets and a remote in step: executes plans, and can be stopped at any instruction.
//!
//! The base of every comparison is the remote's tracking ref; what has to be done follows from states, never from flags.
//! A base moves only after what it describes is in the file or was answered by the remote, and an intent is durable
//! before its request. So whatever happens between two steps, the next cycle finds it and nothing happens twice.

mod backoff;
mod comments;
mod conflict;
mod create;
mod cycle;
mod files;
mod import;
mod intents;
mod memory;
pub mod names;
mod outbox;
mod problems;
mod pull;
mod push;
mod readings;
mod resolve;
mod send;
mod tickets;
mod tracker;

pub use conflict::conflicts;
pub use memory::Conflict;
pub use problems::problems;
pub use resolve::{Settled, Side, Word};

use crate::{
    domain::{Clock, Timestamp, merge::MergeText, path::WsPath, problem::Problem},
    git::{GitError, Repo},
    remote::{Budget, Provider, RemoteError},
    workspace::{
        config::{RemoteConfig, SyncConfig},
        root::Root,
        settle::Settler,
        store::{OutboxState, Store, StoreError},
    },
};
use backoff::Wait;
use cycle::{Cycle, Volatile};
use jiff::SignedDuration;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Within this all trackers renew their limits: a time beyond it is another clock's.
const LIMIT_PERIOD: SignedDuration = SignedDuration::from_hours(1);

/// What a [`Syncer`] is made of.
pub struct Parts {
    /// The remote's name in the configuration and in `sync:`.
    pub name: String,
    pub config: RemoteConfig,
    /// The other remotes of the workspace; with a folder, those that make objects of its new tickets.
    pub others: BTreeMap<String, Option<WsPath>>,
    pub limits: SyncConfig,
    pub provider: Arc<dyn Provider>,
    pub root: Arc<Root>,
    pub store: Arc<Store>,
    pub settler: Arc<Settler>,
    pub repo: Arc<Repo>,
    pub clock: Arc<dyn Clock>,
    /// [`crate::git::merge_text`].
    pub merge_text: MergeText,
}

/// The engine for one remote. Shared by threads; one cycle runs at a time, and blocks on the network.
pub struct Syncer {
    parts: Parts,
    /// Told of every step that a crash could follow; an answer of `true` ends the cycle there.
    fault: Option<FaultPoint>,
    /// Held for a whole cycle. Locked before `health`.
    cycle: Mutex<Volatile>,
    health: Mutex<RemoteHealth>,
    /// While everything that changed is being listed.
    listing: Mutex<Option<Listing>>,
}

/// How far a listing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Entries that were taken so far.
    pub listed: usize,
    /// About how many there are, where the remote says.
    pub of: Option<usize>,
}

/// Answers whether the cycle is to be cut off after the named step.
pub type FaultPoint = Box<dyn Fn(&str) -> bool + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Git(#[from] GitError),
    /// The token was refused before; nothing is sent until somebody asks for a sync.
    #[error("{remote} is stopped, because it refused the token: mend it, then run `trackfs sync`")]
    Stopped { remote: String },
    /// The remote asked to wait, or could not be reached.
    #[error("{remote} is not asked again before {until}")]
    Waiting { remote: String, until: Timestamp },
    /// A value that a person chose, and that the file cannot take.
    #[error("the ticket cannot take this {field}: {reason}")]
    Unfit { field: &'static str, reason: String },
    /// A fault point cut the cycle off, as a crash would.
    #[error("cut off after {0}")]
    CutOff(String),
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Only say what would happen.
    pub dry_run: bool,
    /// Send what is beyond the limits too.
    pub yes: bool,
}

/// What a cycle did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    pub pulled: Vec<Done>,
    pub pushed: Vec<Done>,
    /// Writes beyond a limit; they wait for a yes.
    pub held: Vec<Row>,
    /// Of a dry run: what would happen.
    pub planned: Vec<Row>,
    /// Left for a later cycle: being written, not settled yet, or the remote failed in a way that passes.
    pub deferred: Vec<Trouble>,
    /// Needs somebody: the remote or the ticket must change.
    pub refused: Vec<Trouble>,
    pub conflicts: Vec<Conflict>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Done {
    pub path: WsPath,
    pub key: String,
    /// `created`, `archived`, `restored`, `comment`, `comment edited`, `comment deleted`, or names of fields.
    pub what: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trouble {
    pub path: Option<WsPath>,
    pub reason: String,
}

/// One line of a preview.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub remote: String,
    pub path: WsPath,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    pub action: Action,
    /// Names of fields; empty where the action says it all.
    pub what: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A new file for a remote issue.
    Write,
    /// Fields into a file.
    Pull,
    Restore,
    Conflict,
    Create,
    /// Fields to the remote.
    Update,
    Archive,
    Comment,
    /// Of a comment: its text to the remote.
    Edit,
    /// Of a comment, on the remote.
    Delete,
}

impl Action {
    /// Whether something disappears from the remote.
    fn is_removal(self) -> bool {
        matches!(self, Self::Archive | Self::Delete)
    }
}

/// How a remote is doing, for `status`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RemoteHealth {
    pub name: String,
    pub state: HealthState,
    pub last_contact: Option<Timestamp>,
    pub last_error: Option<String>,
    /// Until it is over nothing is asked.
    pub waiting: Option<Wait>,
    /// Remaining and whole rate limit.
    pub budget: Option<(u64, u64)>,
    pub pending: usize,
    pub held: usize,
    pub refused: usize,
    pub conflicts: usize,
    /// Cycles that failed since the last that did not.
    pub failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Not asked yet.
    Unknown,
    Ok,
    /// It could not be reached, or failed.
    Waiting,
    /// It asked to wait.
    Limited,
    /// The token was refused.
    Stopped,
    /// Something here failed: the index or git.
    Failed,
}

impl Syncer {
    pub fn new(parts: Parts) -> Self {
        let health = Mutex::new(RemoteHealth::new(&parts.name));
        Self { parts, fault: None, cycle: Mutex::default(), health, listing: Mutex::default() }
    }

    /// Installs a fault point: for tests of what a crash leaves behind.
    #[must_use]
    pub fn with_fault_point(mut self, fault: FaultPoint) -> Self {
        self.fault = Some(fault);
        self
    }

    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// Brings what changed on the remote into the files. The last of a rate limit is left for what people write.
    pub fn pull(&self) -> Result<Report, SyncError> {
        match self.scarce_until() {
            Some(until) => Err(SyncError::Waiting { remote: self.parts.name.clone(), until }),
            None => self.run(false, |cycle| cycle.pull()),
        }
    }

    /// Sends what settled tickets say and the remote does not. Call it after a commit.
    pub fn push(&self) -> Result<Report, SyncError> {
        self.run(false, |cycle| cycle.push(Options::default()))
    }

    /// Pull, then push. What a pull wrote is looked at again only after it has settled.
    pub fn sync(&self, options: Options) -> Result<Report, SyncError> {
        if options.dry_run {
            let planned = self.plan()?;
            return Ok(Report { planned, ..Report::default() });
        }
        self.run(true, |cycle| {
            cycle.pull()?;
            cycle.push(options)
        })
    }

    /// What [`Syncer::sync`] would do. Reads from the remote and writes nothing.
    pub fn plan(&self) -> Result<Vec<Row>, SyncError> {
        self.run(true, |cycle| cycle.preview()).map(|report| report.planned)
    }

    /// Settles conflicts of a ticket (of one field, or all). The file or the remote follows in the next cycle.
    pub fn resolve(&self, path: &WsPath, field: Option<&str>, word: Word<'_>) -> Result<Vec<Settled>, SyncError> {
        let mut volatile = self.cycle.lock();
        let mut cycle = Cycle::begin(self, &mut volatile, true)?;
        let settled = cycle.resolve(path, field, word);
        cycle.end(Ok(()))?;
        settled
    }

    /// Fields that both sides changed, as of the last cycle.
    pub fn conflicts(&self) -> Result<Vec<Conflict>, SyncError> {
        Ok(conflict::conflicts(&self.parts.store, &self.parts.name)?)
    }

    /// What a person should know about files and this remote.
    pub fn problems(&self) -> Result<Vec<Problem>, SyncError> {
        let Parts { root, store, name, config, .. } = &self.parts;
        Ok(problems(root, store, name, config)?)
    }

    /// How far the listing is that is under way, if one is.
    pub fn listing(&self) -> Option<Listing> {
        *self.listing.lock()
    }

    pub fn health(&self) -> Result<RemoteHealth, SyncError> {
        let mut health = self.health.lock().clone();
        let entries = self.parts.store.outbox()?;
        let count = |states: &[OutboxState]| {
            entries.iter().filter(|entry| entry.remote == self.parts.name && states.contains(&entry.state)).count()
        };
        health.pending = count(&[OutboxState::Pending, OutboxState::Sent]);
        health.held = count(&[OutboxState::Held]);
        health.refused = count(&[OutboxState::Refused]);
        health.conflicts = self.conflicts()?.len();
        health.budget = self.parts.provider.budget().map(|Budget { remaining, limit, .. }| (remaining, limit));
        Ok(health)
    }

    /// One cycle. `asked` by a person: waits and a stop are over.
    fn run(
        &self,
        asked: bool,
        work: impl FnOnce(&mut Cycle<'_>) -> Result<(), SyncError>,
    ) -> Result<Report, SyncError> {
        let mut volatile = self.cycle.lock();
        self.may_run(asked)?;
        let outcome = Cycle::begin(self, &mut volatile, asked).and_then(|mut cycle| {
            let outcome = work(&mut cycle);
            cycle.end(outcome)
        });
        self.note(&outcome);
        outcome
    }

    /// When there is more than the last tenth of the rate limit again, if there is not now.
    fn scarce_until(&self) -> Option<Timestamp> {
        let Budget { remaining, limit, reset } = self.parts.provider.budget()?;
        let is_scarce = remaining.saturating_mul(10) < limit;
        let now = self.parts.clock.now();
        let is_ahead = |left: SignedDuration| left.is_positive() && left <= LIMIT_PERIOD;
        reset.filter(|reset| is_scarce && is_ahead(reset.duration_since(now)))
    }

    fn may_run(&self, asked: bool) -> Result<(), SyncError> {
        let health = self.health.lock();
        let remote = self.parts.name.clone();
        let until = health.waiting.and_then(|wait| wait.until(self.parts.clock.now()));
        match (health.state, until) {
            // Who goes on asking is shut out for longer.
            (HealthState::Limited, Some(until)) => Err(SyncError::Waiting { remote, until }),
            _ if asked => Ok(()),
            (HealthState::Stopped, _) => Err(SyncError::Stopped { remote }),
            (_, Some(until)) => Err(SyncError::Waiting { remote, until }),
            _ => Ok(()),
        }
    }

    fn note(&self, outcome: &Result<Report, SyncError>) {
        let now = self.parts.clock.now();
        let mut health = self.health.lock();
        let Err(error) = outcome else {
            *health =
                RemoteHealth { state: HealthState::Ok, last_contact: Some(now), ..RemoteHealth::new(&self.parts.name) };
            return;
        };
        health.last_error = Some(error.to_string());
        health.waiting = None;
        health.state = match error {
            SyncError::Remote(RemoteError::Unauthorized { .. }) => HealthState::Stopped,
            SyncError::Remote(error) => {
                health.failures += 1;
                let backoff = backoff::delay(health.failures, seed(&self.parts.name));
                let (wait, state) = match error {
                    RemoteError::RateLimited { wait, .. } => (*wait, HealthState::Limited),
                    // It costs the remote nothing, and the network may be back at any time.
                    RemoteError::Offline { .. } => (backoff.min(backoff::RECONNECT), HealthState::Waiting),
                    _ => (backoff, HealthState::Waiting),
                };
                health.waiting = Some(Wait::new(now, wait));
                state
            }
            _ => HealthState::Failed,
        };
    }
}

impl RemoteHealth {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: HealthState::Unknown,
            last_contact: None,
            last_error: None,
            waiting: None,
            budget: None,
            pending: 0,
            held: 0,
            refused: 0,
            conflicts: 0,
            failures: 0,
        }
    }
}

/// Spreads the waits of different things.
fn seed(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
