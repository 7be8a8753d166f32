//! The engine of one workspace: everything that is not a thread or a mount.

use super::{
    Location,
    control::{Request, Response},
    lazily::Lazily,
    lock::Lock,
    past::History,
    remotes::Remotes,
    report::{CommitReport, FlushReport, Status, SyncReport},
    search::Search,
    settings,
    shelf::Shelf,
    tidy::Tidier,
    torn,
};
use crate::{
    domain::{Clock, Timestamp, event::Event, nearest::nearest, op::Actor, problem::Problem},
    git::{self, Repo},
    workspace::{
        config::Config,
        root::{Root, Saves},
        settle::{self, Settler},
        store::{Store, StoreError},
    },
};
use anyhow::{Context, bail};
use parking_lot::{Condvar, Mutex, RwLock};
use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Everything that acts on one workspace. Exactly one exists per workspace: it holds the lock.
pub struct Engine {
    pub at: Location,
    config: RwLock<Arc<Config>>,
    pub root: Arc<Root>,
    pub store: Arc<Store>,
    pub settler: Arc<Settler>,
    pub repo: Arc<Repo>,
    pub remotes: Remotes,
    pub(super) shelf: Shelf,
    pub(super) clock: Arc<dyn Clock>,
    /// Held while a commit is made: the committer, `commit` and `flush` may ask at the same time.
    pub(super) committing: Mutex<()>,
    pub(super) tidier: Tidier,
    history: Lazily<History>,
    pub(super) search: Lazily<Search>,
    pub(super) role: RwLock<Role>,
    /// Whether the index has every file, once that is known.
    caught_up: (Mutex<Option<bool>>, Condvar),
    _lock: Lock,
}

/// What the process that holds the engine is there for.
#[derive(Clone, Debug, Default)]
pub struct Role {
    /// `mounted`, `watching`, or `stopped` (a single command).
    pub running: &'static str,
    pub mountpoint: Option<PathBuf>,
    pub notes: Vec<String>,
}

/// The clock of this machine.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// What HEAD had when the index was begun.
struct Committed(Arc<Repo>);

impl settle::Content for Committed {
    fn id_of(&self, bytes: &[u8]) -> String {
        self.0.blob_id(bytes)
    }

    fn read(&self, id: &str) -> Result<Vec<u8>, StoreError> {
        Ok(self.0.blob(id)?)
    }
}

/// Why nothing can be written in this folder, in the system's words; the index only knows that it failed, once it has.
fn disk_trouble(folder: &Path) -> Option<String> {
    let probe = tempfile::tempfile_in(folder).and_then(|mut file| file.write_all(&[0; 1 << 12]));
    probe.err().map(|error| format!("nothing can be written in {}: {error}", folder.display()))
}

/// Who the engine's own events are by.
pub(super) fn myself() -> Actor {
    Actor { name: "trackfs".into(), pid: std::process::id(), uid: 0 }
}

impl Engine {
    /// Opens the workspace's files by descriptor, so that a mount may later cover them.
    pub fn open(at: &Location, lock: Lock) -> anyhow::Result<Self> {
        Self::open_by(at, lock, Arc::new(SystemClock))
    }

    /// As [`Engine::open`], by another clock than this machine's.
    fn open_by(at: &Location, lock: Lock, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let root = Root::open(&at.dir).with_context(|| format!("cannot open {}", at.dir.display()))?;
        let (saves, cut_off) = Saves::open(&at.state.join("saves"))?;
        let root = Arc::new(root.noting_saves(saves));
        let store = Arc::new(Store::open(&at.state)?);
        let config = settings::first(&root, &store)?;
        let repo = Arc::new(Repo::open(&at.git_dir)?);
        let settler = Settler::new(root.clone(), store.clone(), clock.clone(), config.settle.clone());
        let settler = Arc::new(settler.merging(git::merge_text).holding(Repo::may_hold));
        let remotes = Remotes::open(&config, &root, &store, &settler, &repo, &clock);
        let engine = Self {
            at: at.clone(),
            config: RwLock::new(Arc::new(config)),
            root,
            store,
            settler,
            repo,
            remotes,
            shelf: Shelf::default(),
            clock,
            committing: Mutex::new(()),
            tidier: Tidier::default(),
            history: Lazily::default(),
            search: Lazily::default(),
            role: RwLock::new(Role { running: "stopped", ..Role::default() }),
            caught_up: Default::default(),
            _lock: lock,
        };
        torn::recover(&engine, cut_off);
        engine.adopt_if_new()?;
        super::commit::tell_untold(&engine)?;
        Ok(engine)
    }

    /// Opens it in a process that has no threads running for it.
    pub fn alone(at: &Location) -> anyhow::Result<Option<Self>> {
        Self::alone_by(at, Arc::new(SystemClock))
    }

    /// As [`Engine::alone`], by another clock than this machine's.
    pub fn alone_by(at: &Location, clock: Arc<dyn Clock>) -> anyhow::Result<Option<Self>> {
        at.make_state()?;
        let lock = Lock::wait(at, || at.is_live()).context("nobody answers on the workspace's socket")?;
        lock.map(|lock| Self::open_by(at, lock, clock)).transpose()
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.config.read().clone()
    }

    /// Takes over what the configuration's file says by now; while it is broken, what was in force stays. How to settle
    /// and to mount is asked once, at the start.
    pub(super) fn reconfigure(&self) -> anyhow::Result<()> {
        let Some(config) = settings::read(&self.root, &self.store)? else { return Ok(()) };
        self.remotes.follow(&config)?;
        *self.config.write() = Arc::new(config);
        self.rename_me();
        Ok(())
    }

    /// Where the index is new, takes what HEAD says for known, and tells what git knows of the past. After that only what
    /// differs from HEAD is news; [`Engine::catch_up`] finds it.
    fn adopt_if_new(&self) -> anyhow::Result<()> {
        if !self.store.needs_adoption()? {
            return Ok(());
        }
        if !self.store.is_adopting()? {
            self.store.begin_adoption(super::replay::past(self)?)?;
            super::commit::all_told(self)?;
        }
        let files = self.repo.head_tree()?;
        tracing::info!(files = files.len(), "building the index from the last commit");
        Ok(self.settler.adopt(files, Arc::new(Committed(self.repo.clone())))?)
    }

    /// Picks up what changed while nobody looked, and lets go of whoever waits in `whole_index`.
    pub fn catch_up(&self) -> anyhow::Result<()> {
        let caught_up = self.settler.catch_up();
        *self.caught_up.0.lock() = Some(self.settler.is_whole());
        self.caught_up.1.notify_all();
        Ok(caught_up.map(drop)?)
    }

    pub(super) fn is_caught_up(&self) -> bool {
        *self.caught_up.0.lock() == Some(true)
    }

    /// Waits until what was changed while nobody looked is picked up, or until that was given up.
    fn after_catching_up(&self) {
        self.caught_up.1.wait_while(&mut self.caught_up.0.lock(), |caught_up| caught_up.is_none());
    }

    /// As [`Engine::after_catching_up`], and not for longer than this.
    pub(super) fn caught_up_within(&self, most: Duration) {
        let mut caught_up = self.caught_up.0.lock();
        self.caught_up.1.wait_while_for(&mut caught_up, |caught_up| caught_up.is_none(), most);
    }

    /// Waits until the index has every file: to sync, what is not in it yet would look as if it were gone.
    pub(super) fn whole_index(&self) -> anyhow::Result<()> {
        self.after_catching_up();
        if self.is_caught_up() { Ok(()) } else { bail!("the index is not complete; `trackfs mount` goes on with it") }
    }

    /// Brings into the index what was saved until now.
    pub(super) fn settle_all(&self) -> anyhow::Result<()> {
        self.whole_index()?;
        self.settler.settle_now()?;
        Ok(())
    }

    /// Answers one request in a process that has no threads running: looks at the files first.
    pub(super) fn answer_alone(&self, request: &Request) -> anyhow::Result<Response> {
        match request {
            Request::Follow { .. } | Request::Unmount { .. } => bail!("nothing runs on {}", self.at.dir.display()),
            _ => {
                self.catch_up()?;
                self.settler.settle_now()?;
                self.answer(request)
            }
        }
    }

    /// Answers a request that needs no process state.
    pub(super) fn answer(&self, request: &Request) -> anyhow::Result<Response> {
        Ok(match request {
            Request::Settle => {
                self.settle_all()?;
                Response::Status(self.status()?)
            }
            Request::Status => Response::Status(self.status()?),
            Request::Commit { message } => {
                // Whoever asks means all that was saved, also before the daemon started.
                self.after_catching_up();
                Response::Commit(self.settle_and_commit(message.as_deref())?.1)
            }
            Request::Flush => Response::Flush(self.flush()?),
            Request::Sync { remote, dry_run, yes } => Response::Sync(self.sync(remote.as_deref(), *dry_run, *yes)?),
            Request::Pull { remote } => {
                // Without threads nobody else would do it.
                if !self.remotes.pull_soon(remote) {
                    self.sync(Some(remote), false, false)?;
                }
                Response::Done
            }
            Request::Resolve { ticket, remote, field, to } => {
                Response::Resolve(self.resolve(ticket, remote.as_deref(), field.as_deref(), to)?)
            }
            Request::Link { ticket, remote, key } => Response::Tie(self.link(ticket, remote, key.as_deref())?),
            Request::Unlink { ticket, remote } => Response::Tie(self.unlink(ticket, remote)?),
            Request::Listings => Response::Listings(self.remotes.listings()),
            Request::List { query } => Response::List(self.list(query)?),
            Request::Search { query, at_most } => Response::Search(self.search(query, *at_most)?),
            Request::Change { edits, expected } => Response::Change(self.change(edits, expected.as_ref())?),
            Request::Show { ticket } => Response::Show(Box::new(self.show(ticket)?)),
            Request::Set { ticket, to } => Response::Change(self.set(ticket, to)?),
            Request::Comment { ticket, text } => Response::Comment(self.comment(ticket, text)?),
            Request::Restore { commit, files } => Response::Restore(self.restore(commit, files)?),
            Request::New(ticket) => Response::Tie(self.new_ticket(ticket)?),
            Request::Follow { .. } | Request::Unmount { .. } => bail!("only a running daemon can do that"),
        })
    }

    /// Settles, commits and pushes; what a remote refuses or cannot take now stays in the outbox and is reported.
    pub fn flush(&self) -> anyhow::Result<FlushReport> {
        self.whole_index()?;
        let (events, commit) = self.settle_and_commit(None)?;
        let remotes = self.remotes.push();
        // What the push wrote back (`sync:` lines) belongs to the same act.
        self.settle_and_commit(None)?;
        Ok(FlushReport { events, commit, remotes })
    }

    /// Pulls and pushes one remote, or all. What was pulled is committed.
    pub fn sync(&self, remote: Option<&str>, dry_run: bool, yes: bool) -> anyhow::Result<SyncReport> {
        remote.map_or(Ok(()), |name| self.must_know(name))?;
        self.whole_index()?;
        if !dry_run {
            self.settle_and_commit(None)?;
        }
        let remotes = self.remotes.sync(remote, dry_run, yes);
        if !dry_run {
            self.settle_and_commit(None)?;
        }
        Ok(SyncReport { dry_run, remotes })
    }

    pub(super) fn must_know(&self, remote: &str) -> anyhow::Result<()> {
        if self.config().remotes.contains_key(remote) {
            return Ok(());
        }
        let known = self.remotes.names();
        if let Some(near) = nearest(remote, known.iter().map(String::as_str)) {
            bail!("there is no remote {remote:?} (did you mean `{near}`?)")
        }
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        bail!("there is no remote {remote:?}; the workspace has: {known}")
    }

    /// History in tables; not yet in step with what was committed last.
    pub(super) fn history(&self) -> anyhow::Result<Arc<History>> {
        self.history.get(|| History::open(self.repo.clone(), &self.at.state))
    }

    /// There may be new commits.
    pub(super) fn wake_history(&self) {
        self.history.if_open().iter().for_each(|history| history.wake());
    }

    pub(super) fn stop_history(&self) {
        self.history.if_open().iter().for_each(|history| history.stop());
    }

    /// What this process is there for.
    pub fn role(&self) -> Role {
        self.role.read().clone()
    }

    pub fn status(&self) -> anyhow::Result<Status> {
        let role = self.role();
        Ok(Status {
            workspace: self.at.dir.clone(),
            running: role.running.to_owned(),
            pid: (role.running != "stopped").then(std::process::id),
            mountpoint: role.mountpoint,
            branch: self.repo.branch()?,
            head: self.repo.head()?,
            tickets: self.store.ticket_count()?,
            indexing: self.settler.indexing(),
            uncommitted: self.store.uncommitted()?,
            problems: self.problems()?,
            conflicts: self.remotes.conflicts(),
            remotes: self.remotes.status(),
            last_event: self.store.last_event()?,
            notes: role.notes.into_iter().chain(self.trouble()).chain(self.store.notes()).collect(),
        })
    }

    /// Why the newest operations are not in the journal, or the next ones will not be.
    fn trouble(&self) -> impl Iterator<Item = String> {
        [self.settler.trouble(), disk_trouble(&self.at.state)].into_iter().flatten()
    }

    /// What is wrong with files, what a crash left of saves, and what the remotes did not take.
    pub fn problems(&self) -> anyhow::Result<Vec<Problem>> {
        let mut problems = self.store.problems()?;
        problems.extend(torn::problems(&self.at.state));
        problems.extend(self.remotes.problems()?);
        Ok(problems)
    }

    pub(super) fn settle_and_commit(&self, message: Option<&str>) -> anyhow::Result<(Vec<Event>, CommitReport)> {
        let events = self.settler.settle_now()?;
        Ok((events, self.commit(message)?))
    }

    /// Commits what has settled.
    pub fn commit(&self, message: Option<&str>) -> anyhow::Result<CommitReport> {
        super::commit::commit(self, message)
    }
}
