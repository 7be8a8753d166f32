//! Idle commits: one commit for a burst of saves, of exactly the paths that settled.

use super::{Engine, engine::myself, report::CommitReport, told::Told};
use crate::{
    domain::{event::Change, message::commit_message, path::WsPath, problem::Problem, secrets, snapshot::ContentHash},
    fault,
    git::{FileContent, FileMode, PathChange, Repo},
    workspace::config::CommitConfig,
};
use anyhow::anyhow;
use parking_lot::{Condvar, Mutex};
use std::{
    collections::HashSet,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

/// Commits every path that settled since the last commit. A path that changed again and has not settled stays for the
/// next one. Answers an empty report when there was nothing to do.
pub fn commit(engine: &Engine, message: Option<&str>) -> anyhow::Result<CommitReport> {
    let _one_at_a_time = engine.committing.lock();
    let mark = engine.store.mark()?;
    let through = engine.store.last_event()?;
    let settled = engine.store.uncommitted()?;
    let (mut changes, mut held) = (Vec::with_capacity(settled.len()), Vec::new());
    for path in &settled {
        match as_settled(engine, path) {
            Ok(Settled::As(change)) => changes.push(change),
            Ok(Settled::Held(secret)) => held.push(secret),
            Ok(Settled::Touched) => {}
            // One file that cannot be read keeps no other from being committed.
            Err(error) => tracing::warn!("{path} cannot be read and is not committed yet: {error:#}"),
        }
    }
    if changes.is_empty() {
        return Ok(CommitReport { held, ..CommitReport::default() });
    }
    let paths: Vec<WsPath> = changes.iter().map(|change| change.path.clone()).collect();
    engine.tidier.make_way();
    let told = Told::read(&engine.store)?;
    let message = with_message(message, commit_message(&told.news(&engine.store, through, &paths)?));
    let commit = engine.repo.commit(&changes, &message)?;
    fault::point("commit.made");
    let told = {
        let committed: HashSet<&WsPath> = paths.iter().collect();
        told.after(through, settled.iter().filter(|path| !committed.contains(path)))
    };
    let Some(id) = commit else {
        engine.store.committed(&paths, mark)?;
        told.write(&engine.store)?;
        return Ok(CommitReport { held, ..CommitReport::default() });
    };
    let subject = message.lines().next().unwrap_or_default().to_owned();
    let change = Change::Committed { commit: id.clone(), message: subject.clone(), paths: paths.clone() };
    let (key, value) = told.note()?;
    engine.settler.committed(&myself(), change, mark, (key, &value))?;
    Ok(CommitReport { commit: Some(id), message: Some(subject), paths, held })
}

/// Tells of HEAD's commit, if it is ours and a crash came between it and its event.
pub fn tell_untold(engine: &Engine) -> anyhow::Result<()> {
    let Some(head) = engine.repo.log(None, 1)?.pop().filter(|head| head.message.contains("\nTrackfs-Events: ")) else {
        return Ok(());
    };
    if engine.store.has_told_of_commit(&head.id)? {
        return Ok(());
    }
    let paths = engine.repo.changes(&head.id)?.into_iter().map(|change| change.path).collect();
    let message = head.message.lines().next().unwrap_or_default().to_owned();
    engine.settler.emit(&myself(), vec![Change::Committed { commit: head.id, message, paths }])?;
    Ok(())
}

/// Every event so far has been in a commit.
pub fn all_told(engine: &Engine) -> anyhow::Result<()> {
    Ok(Told::all(engine.store.last_event()?).write(&engine.store)?)
}

/// The user's message in place of ours, with our trailers.
fn with_message(given: Option<&str>, ours: String) -> String {
    match given {
        None => ours,
        Some(given) => {
            let trailers: Vec<_> = ours.lines().filter(|line| line.starts_with("Trackfs-")).collect();
            format!("{}\n\n{}\n", given.trim_end(), trailers.join("\n"))
        }
    }
}

/// A path that settled, as a commit finds it.
enum Settled {
    As(PathChange),
    /// It is something else by now: it has been touched again and will settle.
    Touched,
    /// It has what looks like a token.
    Held(Problem),
}

fn as_settled(engine: &Engine, path: &WsPath) -> anyhow::Result<Settled> {
    let snapshot = engine.store.snapshot(path)?;
    let problems = snapshot.iter().flat_map(|snapshot| &snapshot.problems);
    if let Some(secret) = problems.into_iter().find(|problem| problem.code == secrets::CODE) {
        return Ok(Settled::Held(secret.clone()));
    }
    let stat = match engine.root.stat(path) {
        Ok(stat) => Some(stat).filter(|stat| stat.is_file() || stat.is_symlink()),
        Err(error) if is_absent(&error) => None,
        Err(error) => return Err(error.into()),
    };
    let (snapshot, stat) = match (snapshot, stat) {
        (Some(snapshot), Some(stat)) => (snapshot, stat),
        (None, None) => return Ok(Settled::As(PathChange { path: path.clone(), content: None })),
        _ => return Ok(Settled::Touched),
    };
    let symlink = stat.is_symlink();
    if !Repo::may_hold(path, symlink) {
        return Ok(Settled::Touched);
    }
    let bytes = match if symlink { engine.root.read_link(path) } else { engine.root.read(path) } {
        Ok(bytes) => bytes,
        Err(error) if is_absent(&error) => return Ok(Settled::Touched),
        Err(error) => return Err(error.into()),
    };
    if ContentHash::of(&bytes) != snapshot.content {
        return Ok(Settled::Touched);
    }
    let mode = match (symlink, snapshot.executable) {
        (true, _) => FileMode::Symlink,
        (false, true) => FileMode::Executable,
        (false, false) => FileMode::Plain,
    };
    Ok(Settled::As(PathChange { path: path.clone(), content: Some(FileContent { bytes, mode, stat }) }))
}

/// Not there any more, or now a folder or something else that is not versioned, or too much.
fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, InvalidInput, NotADirectory, NotFound};
    // ELOOP: a folder above it is a symlink now.
    matches!(error.kind(), NotFound | NotADirectory | InvalidInput | FileTooLarge)
        || error.raw_os_error() == Some(libc::ELOOP)
}

/// Decides when: `idle` after the last change, at most `max` after the first.
pub struct Committer {
    config: Mutex<CommitConfig>,
    burst: Mutex<Burst>,
    wake: Condvar,
}

#[derive(Default)]
struct Burst {
    first: Option<Instant>,
    last: Option<Instant>,
    stopped: bool,
}

/// Wait before a commit that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

impl Committer {
    pub fn new(config: CommitConfig) -> Self {
        Self { config: Mutex::new(config), burst: Mutex::default(), wake: Condvar::new() }
    }

    /// Something settled that is to be committed.
    pub fn changed(&self) {
        let now = Instant::now();
        let mut burst = self.burst.lock();
        burst.first.get_or_insert(now);
        burst.last = Some(now);
        self.wake.notify_one();
    }

    /// Other pauses, from the burst on that is under way.
    pub fn reconfigure(&self, config: CommitConfig) {
        *self.config.lock() = config;
        self.wake.notify_one();
    }

    pub fn stop(&self) {
        self.burst.lock().stopped = true;
        self.wake.notify_one();
    }

    /// Calls `commit` when a burst is over, until [`Committer::stop`]; sleeps without polling.
    pub fn run(&self, commit: impl Fn() -> anyhow::Result<()>) {
        while self.wait_for_quiet() {
            // A defect that one burst meets must not end the thread that commits all others.
            let outcome = catch_unwind(AssertUnwindSafe(&commit)).unwrap_or_else(|_| Err(anyhow!("trackfs failed")));
            if let Err(error) = outcome {
                tracing::warn!("the commit is tried again in {} s: {error:#}", RETRY.as_secs());
                let mut burst = self.burst.lock();
                if !burst.stopped {
                    self.wake.wait_for(&mut burst, RETRY);
                }
                let now = Instant::now();
                burst.first.get_or_insert(now);
                burst.last.get_or_insert(now);
            }
        }
    }

    /// Returns true when a burst is over, false when stopped.
    fn wait_for_quiet(&self) -> bool {
        let mut burst = self.burst.lock();
        loop {
            if burst.stopped {
                return false;
            }
            let Some((first, last)) = burst.first.zip(burst.last) else {
                self.wake.wait(&mut burst);
                continue;
            };
            let due = {
                let config = self.config.lock();
                (last + config.idle()).min(first + config.max())
            };
            if Instant::now() >= due {
                (burst.first, burst.last) = (None, None);
                return true;
            }
            self.wake.wait_until(&mut burst, due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn run_with(config: CommitConfig, script: impl FnOnce(&Committer)) -> usize {
        let committer = Committer::new(config);
        let commits = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                committer.run(|| {
                    commits.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                });
            });
            script(&committer);
            committer.stop();
        });
        commits.into_inner()
    }

    #[test]
    fn a_burst_makes_one_commit() {
        let commits = run_with(CommitConfig { idle: 0.05, max: 60.0 }, |committer| {
            (0..10).for_each(|_| committer.changed());
            std::thread::sleep(Duration::from_millis(400));
        });
        assert_eq!(commits, 1);
    }

    #[test]
    fn endless_changes_are_committed_all_the_same() {
        let commits = run_with(CommitConfig { idle: 60.0, max: 0.05 }, |committer| {
            for _ in 0..20 {
                committer.changed();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        assert!(commits >= 2, "{commits}");
    }

    #[test]
    fn no_change_makes_no_commit() {
        let commits = run_with(CommitConfig { idle: 0.01, max: 0.01 }, |_| {
            std::thread::sleep(Duration::from_millis(50));
        });
        assert_eq!(commits, 0);
    }

    #[test]
    fn a_message_given_by_hand_keeps_the_trailers() {
        let ours = "login: edited\n\nTrackfs-Actor: vim\nTrackfs-Events: 1\n".to_owned();
        let message = with_message(Some("Close login\n"), ours);
        assert_eq!(message, "Close login\n\nTrackfs-Actor: vim\nTrackfs-Events: 1\n");
    }
}
