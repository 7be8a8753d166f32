//! The life of a daemon: open, start threads, mount or watch, wait for a reason to end, and end cleanly.

use super::{
    Engine, Location,
    commit::Committer,
    control::{Request, Response, ask, close, connect, send},
    lock::Lock,
    log, memory,
    report::UnmountReport,
    serve::{Feed, Server},
};
use crate::{
    domain::event::{Change, Event},
    workspace::{settle::CONFIG_PATH, watch::Watcher},
};
use anyhow::anyhow;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    io,
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long an ending daemon waits for its first look at the files, and for requests to remotes that are under way.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a beginning daemon looks at the files before it says that it is ready: a workspace of usual size has all its tickets in
/// its views then.
const WELCOME: Duration = Duration::from_millis(250);

/// How to mount.
#[derive(Clone, Debug, Default)]
pub struct MountArgs {
    /// Another place than the workspace itself.
    pub at: Option<PathBuf>,
    /// Where mounting is not possible, watch the plain files instead.
    pub or_watch: bool,
    /// As `mount.fast_reads` in the configuration.
    pub fast_reads: bool,
}

/// Why a daemon ends.
pub enum Stop {
    Signal(i32),
    /// `trackfs unmount`.
    Asked(Asked),
    /// Somebody unmounted it by hand.
    Unmounted,
}

/// A wish to unmount. It is answered on its own connection, when everything is done or when it is refused.
pub struct Asked {
    pub stream: UnixStream,
    /// Also when somebody uses the mount.
    pub force: bool,
    /// The process that asks.
    pub by: u32,
}

impl Asked {
    pub(super) fn answer(mut self, response: &Response) {
        if let Err(error) = send(&mut self.stream, response) {
            tracing::debug!("whoever asked for the end is gone: {error}");
        }
    }
}

/// The engine with all its threads running.
pub struct Session {
    pub engine: Arc<Engine>,
    feed: Arc<Feed>,
    committer: Arc<Committer>,
    threads: Vec<JoinHandle<()>>,
    catching_up: Option<JoinHandle<()>>,
    stopper: SyncSender<Stop>,
    stops: Receiver<Stop>,
    watcher: Watcher,
}

impl Session {
    /// Takes the lock, opens the engine and starts everything but a mount.
    pub fn start(at: &Location, running: &'static str) -> anyhow::Result<Self> {
        memory::be_frugal();
        at.make_state()?;
        log::adopt(&at.log_file());
        let lock = Lock::wait(at, || at.is_live())?;
        let lock = lock.ok_or_else(|| anyhow!("{} is already mounted or watched", at.dir.display()))?;
        let engine = Arc::new(Engine::open(at, lock)?);
        engine.role.write().running = running;
        let (stopper, stops) = sync_channel(8);
        let feed = Arc::new(Feed::default());
        let committer = Arc::new(Committer::new(engine.config().commit.clone()));
        listen_to_events(&engine, &feed, &committer);
        forward_signals(stopper.clone())?;
        let threads = start_threads(&engine, &committer)?;
        let watcher = Watcher::start(&engine.root, engine.settler.clone(), &at.state.join("marks"))?;
        Server { engine: engine.clone(), feed: feed.clone(), stop: stopper.clone() }.start()?;
        Ok(Self { engine, feed, committer, threads, catching_up: None, stopper, stops, watcher })
    }

    /// Picks up what was changed while nobody looked, in the background; then the remotes begin. Returns when it is done, or
    /// takes longer than a moment.
    pub fn catch_up(&mut self) -> io::Result<()> {
        let (engine, committer) = (self.engine.clone(), self.committer.clone());
        let catch_up = move || {
            if let Err(error) = engine.catch_up() {
                tracing::error!("the workspace could not be scanned: {error}");
            }
            if engine.store.uncommitted().is_ok_and(|paths| !paths.is_empty()) {
                committer.changed();
            }
            if engine.is_caught_up() {
                if let Err(error) = engine.remotes.start() {
                    tracing::error!("the remotes are not kept in step: {error}");
                }
                engine.remotes.wake();
            }
            engine.wake_history();
            engine.wake_search();
            engine.fill_shelf();
            memory::give_back();
        };
        self.catching_up = Some(thread::Builder::new().name("catch-up".into()).spawn(catch_up)?);
        self.engine.caught_up_within(WELCOME);
        Ok(())
    }

    /// A sender for other reasons to end.
    pub fn stopper(&self) -> SyncSender<Stop> {
        self.stopper.clone()
    }

    /// Blocks until there is a reason to end.
    pub fn wait(&self) -> Stop {
        self.stops.recv().expect("the session holds a sender itself")
    }

    /// Settles, commits and ends the threads. What is unpushed stays in the outbox: ending waits for no network. What takes
    /// long to be found for the first time is left to the next start.
    pub fn end(self) -> anyhow::Result<()> {
        close(&self.engine.at)?;
        if self.catching_up.is_some() {
            self.engine.caught_up_within(FAREWELL);
        }
        self.engine.settler.interrupt();
        if let Some(catching_up) = self.catching_up {
            join(catching_up);
        }
        self.engine.remotes.stop();
        if !self.watcher.drain() {
            self.engine.settler.scan()?;
        }
        let settled = self.engine.settler.settle_now();
        let committed = settled.map_err(Into::into).and_then(|_| self.engine.commit(None));
        self.committer.stop();
        self.engine.tidier.stop();
        self.engine.stop_history();
        self.engine.stop_search();
        self.engine.settler.stop();
        self.feed.close();
        self.threads.into_iter().for_each(join);
        self.engine.remotes.wait(FAREWELL);
        if let Err(error) = self.engine.store.seal() {
            tracing::warn!("the index is checked at the next start: {error}");
        }
        committed.map(drop)
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread had panicked; see above");
    }
}

fn listen_to_events(engine: &Arc<Engine>, feed: &Arc<Feed>, committer: &Arc<Committer>) {
    // Weak: the engine owns the settler, which owns this listener.
    let (weak, feed, committer) = (Arc::downgrade(engine), feed.clone(), committer.clone());
    engine.settler.on_events(Box::new(move |events: &[Event]| {
        feed.publish(events);
        // An empty batch: bytes settled that mean nothing new.
        if events.is_empty() || events.iter().any(|event| event.change.is_of_a_file()) {
            committer.changed();
        }
        let Some(engine) = weak.upgrade() else { return };
        if events.iter().any(|event| matches!(event.change, Change::Committed { .. })) {
            engine.remotes.wake();
            engine.tidier.committed();
            engine.wake_history();
        }
        if events.iter().any(|event| event.change.paths().any(|path| path.as_str() == CONFIG_PATH)) {
            reconfigure(&engine, &committer);
        }
    }));
    let weak = Arc::downgrade(engine);
    engine.settler.on_settled(Box::new(move |paths| {
        if let Some(engine) = weak.upgrade() {
            engine.reshelve(paths);
            engine.wake_search();
        }
    }));
}

fn reconfigure(engine: &Engine, committer: &Committer) {
    match engine.reconfigure() {
        Ok(()) => committer.reconfigure(engine.config().commit.clone()),
        Err(error) => tracing::error!("the changed configuration is not in force: {error:#}"),
    }
}

fn start_threads(engine: &Arc<Engine>, committer: &Arc<Committer>) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let settling = engine.settler.clone();
    let mut threads = vec![thread::Builder::new().name("settle".into()).spawn(move || settling.run())?];
    let (committer, committing) = (committer.clone(), engine.clone());
    let run = move || committer.run(|| committing.commit(None).map(drop));
    threads.push(thread::Builder::new().name("commit".into()).spawn(run)?);
    let tidying = engine.clone();
    let tidy = move || {
        tidying.tidier.run(&tidying.committing, || tidying.config().commit.idle(), || tidying.repo.tidy());
    };
    threads.push(thread::Builder::new().name("tidy".into()).spawn(tidy)?);
    // Without it there are no views of the past; everything else goes on.
    match engine.history() {
        Ok(history) => threads.push(thread::Builder::new().name("history".into()).spawn(move || history.run())?),
        Err(error) => tracing::warn!("{error:#}"),
    }
    match engine.texts() {
        Ok(search) => {
            let searching = engine.clone();
            let run = move || searching.keep_searchable(&search);
            threads.push(thread::Builder::new().name("search".into()).spawn(run)?);
        }
        Err(error) => tracing::warn!("{error:#}"),
    }
    Ok(threads)
}

fn forward_signals(stopper: SyncSender<Stop>) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            if stopper.send(Stop::Signal(signal)).is_err() {
                break;
            }
        }
    })?;
    Ok(())
}

/// Gives everything but the virtual folders, on plain files. Returns when told to stop.
pub fn watch(at: &Location, ready: impl FnOnce(&Engine)) -> anyhow::Result<()> {
    let mut session = Session::start(at, "watching")?;
    session.catch_up()?;
    ready(&session.engine);
    let stop = session.wait();
    answer(stop, "ended", session.end())
}

/// Mounts and stays. `ready` is called when the mount can be used. Returns when told to stop.
#[cfg(all(feature = "fuse", target_os = "linux"))]
pub fn mount(at: &Location, args: &MountArgs, ready: impl FnOnce(&Engine)) -> anyhow::Result<()> {
    use crate::mount as fuse;
    let mountpoint = args.at.clone().unwrap_or_else(|| at.dir.clone());
    let mut session = Session::start(at, "mounted")?;
    let mounted = match fuse::usable()
        .map_err(|reason| anyhow!(reason))
        .and_then(|()| super::mounting::mount(&session, &mountpoint, args.fast_reads))
    {
        Ok(mounted) => Some(mounted),
        Err(reason) if args.or_watch => {
            let mut role = session.engine.role.write();
            role.running = "watching";
            role.notes.push(format!("not mounted: {reason:#}"));
            None
        }
        // The next one who wants the workspace finds it free.
        Err(error) => return session.end().and(Err(error)),
    };
    session.catch_up()?;
    ready(&session.engine);
    let (stop, ended) = match &mounted {
        Some(mounted) => (super::mounting::until_unmounted(&session, mounted), "unmounted"),
        None => (session.wait(), "ended"),
    };
    answer(stop, ended, session.end())
}

#[cfg(not(all(feature = "fuse", target_os = "linux")))]
pub fn mount(at: &Location, args: &MountArgs, ready: impl FnOnce(&Engine)) -> anyhow::Result<()> {
    if args.or_watch {
        return watch(at, ready);
    }
    Err(anyhow!("this trackfs was built without FUSE; `trackfs watch` gives everything but the virtual folders"))
}

/// Tells whoever asked for the end how it went.
fn answer(stop: Stop, ended: &str, outcome: anyhow::Result<()>) -> anyhow::Result<()> {
    if let Stop::Asked(asked) = stop {
        asked.answer(&match &outcome {
            Ok(()) => Response::Unmount(UnmountReport { outcome: ended.into(), ..UnmountReport::default() }),
            Err(error) => Response::Failed { message: format!("{error:#}") },
        });
    }
    outcome
}

/// Ends the daemon of a workspace: settled, committed, unmounted; without `force` only if nobody uses the mount.
pub fn unmount(at: &Location, force: bool) -> anyhow::Result<UnmountReport> {
    if connect(at).is_err() {
        return Ok(UnmountReport { outcome: "not-mounted".into(), ..UnmountReport::default() });
    }
    match ask(at, &Request::Unmount { force, by: std::process::id() })? {
        Response::Unmount(report) => Ok(report),
        other => Err(anyhow!("unexpected answer {other:?}")),
    }
}
