//! Packing the repository when nothing else happens: git's own maintenance, after some commits and a long quiet.
//!
//! It makes way: a commit, or the end of the daemon, stops it at once, and it begins again after the next quiet.

use crate::git::{GitError, Tidying};
use parking_lot::{Condvar, Mutex};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Commits after which it is worth a look whether there is much to pack.
const COMMITS: usize = 20;
/// Quiet after the last commit, in idle times of a commit.
const IDLE_TIMES: u32 = 6;

/// Decides when. One thread runs [`Tidier::run`].
#[derive(Default)]
pub struct Tidier {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    /// Since it was last tidied to the end.
    commits: usize,
    last: Option<Instant>,
    running: Option<Arc<Tidying>>,
    stopping: bool,
}

impl Tidier {
    /// A commit was made.
    pub fn committed(&self) {
        let mut state = self.state.lock();
        state.commits += 1;
        state.last = Some(Instant::now());
        self.wake.notify_one();
    }

    /// Stops what is running; returns when it has ended. Whoever holds the turn of [`Tidier::run`] has nothing running
    /// afterwards.
    pub fn make_way(&self) {
        let running = self.state.lock().running.clone();
        if let Some(running) = running {
            running.stop();
        }
    }

    /// Ends [`Tidier::run`].
    pub fn stop(&self) {
        self.state.lock().stopping = true;
        self.wake.notify_one();
        self.make_way();
    }

    /// Starts the maintenance whenever it is time, with the turn taken, until [`Tidier::stop`]; sleeps without polling.
    pub fn run(
        &self,
        turn: &Mutex<()>,
        idle: impl Fn() -> Duration,
        start: impl Fn() -> Result<Option<Tidying>, GitError>,
    ) {
        while self.wait_for_quiet(&idle) {
            let seen = self.state.lock().commits;
            let ended = self.start(turn, &start).and_then(|begun| begun.map_or(Ok(true), |tidying| tidying.wait()));
            let mut state = self.state.lock();
            state.running = None;
            match ended {
                Ok(false) => state.last = Some(Instant::now()),
                Ok(true) => state.commits -= seen,
                Err(error) => {
                    tracing::warn!("the repository could not be packed: {error}");
                    state.commits -= seen;
                }
            }
        }
    }

    fn start(
        &self,
        turn: &Mutex<()>,
        start: &impl Fn() -> Result<Option<Tidying>, GitError>,
    ) -> Result<Option<Arc<Tidying>>, GitError> {
        let _turn = turn.lock();
        let begun = start()?.map(Arc::new);
        let mut state = self.state.lock();
        state.running.clone_from(&begun);
        if state.stopping {
            begun.iter().for_each(|tidying| tidying.terminate());
        }
        Ok(begun)
    }

    /// `false` when it is time to stop.
    fn wait_for_quiet(&self, idle: &impl Fn() -> Duration) -> bool {
        let mut state = self.state.lock();
        loop {
            if state.stopping {
                return false;
            }
            match state.last.filter(|_| state.commits >= COMMITS) {
                None => self.wake.wait(&mut state),
                Some(last) => {
                    let due = last + idle() * IDLE_TIMES;
                    if Instant::now() >= due {
                        return true;
                    }
                    self.wake.wait_until(&mut state, due);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::path::WsPath,
        git::{FileContent, FileMode, PathChange, Repo},
        workspace::root::Root,
    };
    use std::{path::Path, thread};

    /// A repository in which git finds much to pack.
    fn untidy(dir: &Path) -> Repo {
        let workspace = dir.join("ws");
        std::fs::create_dir(&workspace).unwrap();
        let repo = Repo::init(&workspace, &dir.join("git")).unwrap();
        let root = Root::open(&workspace).unwrap();
        let loose =
            (0..).map(|number| format!("{number}\n")).filter(|text| repo.blob_id(text.as_bytes()).starts_with("17"));
        let mut changes = Vec::new();
        for (number, text) in loose.take(30).enumerate() {
            let path = WsPath::new(format!("{number}.md")).unwrap();
            std::fs::write(workspace.join(path.as_str()), &text).unwrap();
            let stat = root.stat(&path).unwrap();
            let content = FileContent { bytes: text.into_bytes(), mode: FileMode::Plain, stat };
            changes.push(PathChange { path, content: Some(content) });
        }
        repo.commit(&changes, "much").unwrap();
        let config = dir.join("git/config");
        let text = std::fs::read_to_string(&config).unwrap() + "[gc]\n\tauto = 10\n";
        std::fs::write(config, text).unwrap();
        repo
    }

    fn packs(dir: &Path) -> usize {
        let files = std::fs::read_dir(dir.join("git/objects/pack")).unwrap().map(Result::unwrap);
        files.filter(|file| file.path().extension().is_some_and(|extension| extension == "pack")).count()
    }

    fn wait_for(condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < deadline, "it did not happen within 20 s");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends the run also when an assertion fails: the scope waits for its threads.
    struct Stop<'t>(&'t Tidier);

    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.stop();
        }
    }

    #[test]
    fn after_enough_commits_and_a_quiet_the_repository_is_packed() {
        let dir = tempfile::tempdir().unwrap();
        let repo = untidy(dir.path());
        let (tidier, turn) = (Tidier::default(), Mutex::new(()));
        thread::scope(|scope| {
            scope.spawn(|| tidier.run(&turn, || Duration::from_millis(20), || repo.tidy()));
            let _stop = Stop(&tidier);
            (1..COMMITS).for_each(|_| tidier.committed());
            thread::sleep(Duration::from_millis(500));
            assert_eq!(packs(dir.path()), 0, "too few commits");
            let committing = turn.lock();
            tidier.committed();
            thread::sleep(Duration::from_millis(500));
            assert_eq!(packs(dir.path()), 0, "a commit is under way");
            drop(committing);
            wait_for(|| packs(dir.path()) == 1);
        });
        assert_eq!(repo.head_tree().unwrap().len(), 30);
    }

    #[test]
    fn it_makes_way_and_begins_again() {
        let dir = tempfile::tempdir().unwrap();
        let repo = untidy(dir.path());
        // Opening a pipe that nobody writes takes for ever, as a slow disk would.
        let pipe = dir.path().join("git/objects/info/alternates");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        let (tidier, turn) = (Tidier::default(), Mutex::new(()));
        let is_running = || tidier.state.lock().running.is_some();
        thread::scope(|scope| {
            scope.spawn(|| tidier.run(&turn, || Duration::from_millis(20), || repo.tidy()));
            let _stop = Stop(&tidier);
            (0..COMMITS).for_each(|_| tidier.committed());
            wait_for(is_running);
            thread::sleep(Duration::from_millis(300));
            assert!(is_running(), "git does not wait for the pipe");
            std::fs::remove_file(&pipe).unwrap();
            let committing = turn.lock();
            tidier.make_way();
            assert_eq!(packs(dir.path()), 0);
            drop(committing);
            wait_for(|| packs(dir.path()) == 1);
        });
    }
}
