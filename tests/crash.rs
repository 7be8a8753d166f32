//! Killed at any step, nothing accepted is lost and nothing is told or sent twice.
//!
//! A child process plays a script on the whole engine, filesystem included, and is killed at the N-th fault point, for
//! every N until the script ends. After each the workspace is opened again and looked through.
#![cfg(all(feature = "fuse", target_os = "linux"))]

mod support;

use jiff::SignedDuration;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};
use support::{Workspace, eventually, have, is_mounted};
use trackfs::{
    daemon::{Engine, EngineHost, Location},
    domain::{
        Clock, Timestamp,
        document::Document,
        event::Change,
        issue::{Field, FieldValue, IssueFields, RemoteComment},
        op::Actor,
        path::WsPath,
    },
    fault,
    fs::{Caller, Fh, Fs, Host, Ino, SetAttr},
    git::Repo,
    remote::simulator::{Flavour, Simulator},
    workspace::{config::SettleConfig, root::Root, settle::Settler, store::Store},
};

/// Where the child finds its scene.
const SCENE: &str = "TRACKFS_CRASH_SCENE";
/// The first fault point at which the child is killed; 1 where nothing is said.
const FROM: &str = "TRACKFS_CRASH_FROM";
/// Longer than a tracker's listings lag behind.
const LISTINGS_LAG: SignedDuration = SignedDuration::from_mins(5);
/// Threads that kill children.
const KILLERS: u64 = 3;

/// A workspace, its repository and its tracker, in one folder.
struct Scene(tempfile::TempDir);

impl Scene {
    /// In memory where that can be had: a killed process leaves the same there as on a disk, a hundred times sooner.
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let home = if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
        let scene = Self(tempfile::Builder::new().prefix("crash-").tempdir_in(home).unwrap());
        for folder in ["ws/tickets", "ws/.trackfs", "tracker"] {
            fs::create_dir_all(scene.dir().join(folder)).unwrap();
        }
        Repo::init(&scene.dir().join("ws"), &scene.dir().join("git")).unwrap();
        let tracker = scene.dir().join("tracker");
        let config =
            format!("remotes: {{sim: {{type: simulator, repo: a/b, url: {}, folder: tickets}}}}\n", tracker.display());
        fs::write(scene.dir().join("ws/.trackfs/config.yaml"), config).unwrap();
        simulator(scene.dir()).add(&IssueFields::from([
            (Field::Title, FieldValue::text("Found elsewhere")),
            (Field::Body, FieldValue::text("As they say.\n")),
        ]));
        scene
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }
}

fn location(dir: &Path) -> Location {
    let git_dir = dir.join("git");
    Location { dir: dir.join("ws"), state: git_dir.join("trackfs"), git_dir }
}

fn simulator(dir: &Path) -> Simulator {
    Simulator::new("sim", Flavour::Github).in_folder(&dir.join("tracker")).unwrap()
}

/// Of this machine, but for what a test lets pass.
#[derive(Default)]
struct Passing(Mutex<SignedDuration>);

impl Passing {
    fn pass(&self, time: SignedDuration) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for Passing {
    fn now(&self) -> Timestamp {
        Timestamp::now() + *self.0.lock().unwrap()
    }
}

fn engine(dir: &Path, clock: Arc<Passing>) -> Arc<Engine> {
    let engine = Engine::alone_by(&location(dir), clock).unwrap().expect("nobody else has it");
    engine.catch_up().unwrap();
    Arc::new(engine)
}

// --- the child ---------------------------------------------------------------------------------------------------------

/// A process that works in the mount, as the kernel would put it. What it was promised stands in the file `acks`.
struct Process {
    dir: PathBuf,
    engine: Arc<Engine>,
    host: Arc<EngineHost>,
    fs: Fs,
    me: Caller,
    /// Another process with the same files open.
    other: Caller,
}

/// A ticket's text: no two versions have a line in common, and one that is cut off misses its end.
fn text(title: &str, version: u32) -> String {
    let lines = format!("line of {version}\n").repeat(20);
    format!("---\ntitle: {title}\nstatus: todo\n---\n{lines}end of {version}\n")
}

impl Process {
    fn new(dir: &Path) -> Self {
        let engine = engine(dir, Arc::default());
        let host = Arc::new(EngineHost::new(engine.clone()));
        let fs = Fs::new(engine.root.clone(), host.clone()).unwrap();
        let caller = |pid| Caller { uid: 0, gid: 0, pid };
        let (me, other) = (caller(std::process::id()), caller(std::os::unix::process::parent_id()));
        Self { dir: dir.to_owned(), engine, host, fs, me, other }
    }

    fn note(&self, what: &str, path: &str, text: Option<&str>) {
        let mut acks = fs::File::options().create(true).append(true).open(self.dir.join("acks")).unwrap();
        writeln!(acks, "{}", json!({"what": what, "path": path, "text": text})).unwrap();
    }

    /// Does what ends with the path holding this text (`None`: with nothing there).
    fn promised(&self, path: &str, text: Option<&str>, work: impl FnOnce()) {
        self.note("begin", path, text);
        work();
        self.note("done", path, text);
    }

    fn ino(&self, path: &str) -> Ino {
        let names = path.split('/').filter(|name| !name.is_empty());
        names.fold(Ino::ROOT, |folder, name| self.fs.lookup(folder, OsStr::new(name)).unwrap().ino)
    }

    fn at<'p>(&self, path: &'p str) -> (Ino, &'p OsStr) {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        (self.ino(folder), OsStr::new(name))
    }

    fn create(&self, path: &str) -> Fh {
        let (folder, name) = self.at(path);
        self.fs.create(&self.me, folder, name, 0o644, libc::O_WRONLY).unwrap().1.fh
    }

    /// In two writes, so that a kill can fall between them.
    fn fill(&self, caller: &Caller, fh: Fh, text: &str) {
        let (one, other) = text.as_bytes().split_at(text.len() / 2);
        self.fs.write(caller, fh, 0, one).unwrap();
        self.fs.write(caller, fh, one.len() as u64, other).unwrap();
    }

    fn close(&self, fh: Fh) {
        self.fs.flush(fh).unwrap();
        self.fs.release(fh);
    }

    fn make(&self, path: &str, text: &str) {
        self.promised(path, Some(text), || {
            let fh = self.create(path);
            self.fill(&self.me, fh, text);
            self.close(fh);
        });
    }

    /// As `echo > path`, whose first close comes before its first write.
    fn redirect(&self, caller: &Caller, path: &str, text: &str) {
        self.promised(path, Some(text), || {
            let fh = self.fs.open(caller, self.ino(path), libc::O_WRONLY | libc::O_TRUNC).unwrap().fh;
            self.fs.flush(fh).unwrap();
            self.fill(caller, fh, text);
            self.close(fh);
        });
    }

    /// As most editors save: emptied, written, synced.
    fn save(&self, path: &str, text: &str) {
        self.promised(path, Some(text), || {
            let ino = self.ino(path);
            let fh = self.fs.open(&self.me, ino, libc::O_WRONLY).unwrap().fh;
            let empty = SetAttr { size: Some(0), ..SetAttr::default() };
            self.fs.setattr(&self.me, ino, Some(fh), &empty).unwrap();
            self.fill(&self.me, fh, text);
            self.fs.fsync(&self.me, fh, false).unwrap();
            self.close(fh);
        });
    }

    /// As vim saves.
    fn save_like_vim(&self, path: &str, text: &str) {
        let away = format!("{path}~");
        self.promised(path, Some(text), || {
            self.fs.rename(&self.me, self.at(path), self.at(&away), 0).unwrap();
            let fh = self.create(path);
            self.fill(&self.me, fh, text);
            self.fs.fsync(&self.me, fh, false).unwrap();
            self.close(fh);
            let (folder, name) = self.at(&away);
            self.fs.unlink(&self.me, folder, name).unwrap();
        });
    }

    /// As `sed -i` saves.
    fn save_like_sed(&self, path: &str, text: &str) {
        self.promised(path, Some(text), || {
            let fh = self.create("tickets/sedAbc123");
            self.fill(&self.me, fh, text);
            self.close(fh);
            self.fs.rename(&self.me, self.at("tickets/sedAbc123"), self.at(path), 0).unwrap();
        });
    }

    fn look(&self, caller: &Caller, path: &str) {
        let fh = self.fs.open(caller, self.ino(path), libc::O_RDONLY).unwrap().fh;
        self.fs.release(fh);
    }

    fn commit(&self) {
        self.engine.settler.settle_now().unwrap();
        self.engine.commit(None).unwrap();
    }

    /// Commits so far wrote git's index whole; from here on it is split, and made whole again where much differs.
    fn ask_for_a_split_index(&self) {
        for setting in [["core.splitIndex", "true"], ["splitIndex.maxPercentChange", "70"]] {
            let git =
                Command::new("git").arg("--git-dir").arg(self.dir.join("git")).arg("config").args(setting).status();
            assert!(git.unwrap().success());
        }
    }

    fn sync(&self) {
        let report = self.engine.sync(None, false, false).unwrap();
        let failed = report.remotes.iter().find_map(|remote| remote.error.as_ref());
        assert!(failed.is_none(), "{failed:?}");
    }

    /// Somebody changes the title of the issue that a ticket is linked to.
    fn edit_elsewhere(&self, path: &str, title: &str) {
        let document = Document::parse(&fs::read(self.dir.join("ws").join(path)).unwrap());
        let key = document.get("sync").and_then(|sync| sync.get("sim")).expect("a linked ticket").to_string();
        let tracker = simulator(&self.dir);
        let change = |issue: &mut trackfs::domain::issue::RemoteIssue| {
            issue.fields.insert(Field::Title, FieldValue::text(title));
        };
        tracker.edit(key.trim_matches('"'), change).expect("the issue is there");
    }

    /// Somebody writes a comment to the issue that was there from the beginning.
    fn comment_elsewhere(&self) {
        let tracker = simulator(&self.dir);
        let title = Some(FieldValue::text("Found elsewhere"));
        let found = tracker.issues().into_iter().find(|issue| issue.fields.get(&Field::Title) == title.as_ref());
        let at = "2026-11-25T12:00:00Z".to_owned();
        let comment = RemoteComment {
            id: "bobs".into(),
            author: "bob".into(),
            created_at: at.clone(),
            updated_at: at,
            body: "Me too.\n".into(),
        };
        tracker.edit(&found.expect("it stays").key, |issue| issue.comments.push(comment));
    }

    fn play(&self) {
        self.make("tickets/a.md", &text("Alpha", 1));
        self.save("tickets/a.md", &text("Alpha", 2));
        self.make("tickets/b.md", &text("Beta", 1));
        self.make("tickets/c.md", &text("Gamma", 1));
        self.commit();
        self.ask_for_a_split_index();
        self.redirect(&self.me, "tickets/a.md", &text("Alpha", 3));
        self.save_like_vim("tickets/b.md", &text("Beta", 2));
        self.save_like_sed("tickets/c.md", &text("Gamma", 2));
        let (folder, name) = self.at("tickets/a");
        self.fs.mkdir(&self.me, folder, name, 0o755).unwrap();
        let (folder, name) = self.at("tickets/a/comments");
        self.fs.mkdir(&self.me, folder, name, 0o755).unwrap();
        self.make("tickets/a/comments/1.md", "Why not tomorrow?\n");
        self.commit();
        self.sync();
        self.edit_elsewhere("tickets/b.md", "Better");
        self.comment_elsewhere();
        self.sync();
        let b = WsPath::new("tickets/b.md").unwrap();
        self.host.set_field(&Actor::named("mv"), &b, "status", "todo", "in-progress").unwrap();
        self.commit();
        self.look(&self.other, "tickets/c.md");
        self.look(&self.me, "tickets/c.md");
        let three = fs::read_to_string(self.dir.join("ws/tickets/c.md")).unwrap();
        self.redirect(&self.me, "tickets/c.md", &three.replacen("line", "first line", 1));
        self.redirect(&self.other, "tickets/c.md", &three.replace("end of 2", "end of 3"));
        self.commit();
        self.rename("tickets/b.md", "tickets/best.md");
        self.remove("tickets/c.md");
        self.save(
            "tickets/a.md",
            &fs::read_to_string(self.dir.join("ws/tickets/a.md")).unwrap().replace(" of 3", " of 4"),
        );
        let said = fs::read_to_string(self.dir.join("ws/tickets/a/comments/1.md")).unwrap();
        self.save("tickets/a/comments/1.md", &said.replace("tomorrow", "today"));
        self.commit();
        self.sync();
        self.remove("tickets/a/comments/1.md");
        self.commit();
        self.sync();
    }

    fn rename(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.dir.join("ws").join(from)).unwrap();
        self.note("begin", from, None);
        self.promised(to, Some(&text), || {
            self.fs.rename(&self.me, self.at(from), self.at(to), 0).unwrap();
        });
        self.note("done", from, None);
    }

    fn remove(&self, path: &str) {
        self.promised(path, None, || {
            let (folder, name) = self.at(path);
            self.fs.unlink(&self.me, folder, name).unwrap();
        });
    }
}

#[test]
#[ignore = "played by the other tests, in a process of its own"]
fn child() {
    let Some(dir) = std::env::var_os(SCENE) else { return };
    fault::arm();
    Process::new(Path::new(&dir)).play();
}

/// Plays the script until the fault; answers the point at which it was killed, or `None` when it came to its end.
fn play(scene: &Scene, fault: &str) -> Option<String> {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"]);
    let output = child.env(SCENE, scene.dir()).env("TRACKFS_FAULT", fault).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        return None;
    }
    assert_eq!(
        output.status.signal(),
        Some(libc::SIGKILL),
        "{fault}: {said}{}",
        String::from_utf8_lossy(&output.stdout)
    );
    Some(said.lines().rev().find_map(|line| line.split_once("killed at ")).expect("it says where").1.to_owned())
}

// --- what must hold afterwards -----------------------------------------------------------------------------------------

/// Starts again, lets everything settle and arrive, and looks through all of it.
fn check(scene: &Scene) {
    let dir = scene.dir();
    let clock = Arc::<Passing>::default();
    let engine = engine(dir, clock.clone());
    for _ in 0..2 {
        engine.settler.scan().unwrap();
        engine.settler.settle_now().unwrap();
        engine.commit(None).unwrap();
        let report = engine.sync(None, false, false).unwrap();
        assert!(report.remotes.iter().all(|remote| remote.error.is_none()), "{report:?}");
        // A create that nobody finds may still come to light until listings have caught up.
        clock.pass(LISTINGS_LAG);
    }
    saves_are_whole(dir, &engine);
    numbers_have_no_gap(dir, &engine);
    events_are_told_once(&engine);
    git_is_sound(dir);
    the_index_agrees_with_the_files(&engine);
    nothing_was_sent_twice(dir, &engine);
}

/// What may stand at each path: what was promised last, or what was under way.
fn promises(dir: &Path) -> BTreeMap<String, Vec<Option<String>>> {
    let mut may = BTreeMap::<String, Vec<Option<String>>>::new();
    let Ok(file) = fs::File::open(dir.join("acks")) else { return may };
    for line in BufReader::new(file).lines() {
        let note: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let text = note["text"].as_str().map(str::to_owned);
        let texts = may.entry(note["path"].as_str().unwrap().to_owned()).or_insert_with(|| vec![None]);
        if note["what"] == "done" {
            texts.clear();
        }
        texts.push(text);
    }
    may
}

/// Without the frontmatter, which the tracker and the views write to as well.
fn body(text: &str) -> String {
    String::from_utf8(Document::parse(text.as_bytes()).body().to_vec()).unwrap()
}

fn saves_are_whole(dir: &Path, engine: &Engine) {
    for (path, may) in promises(dir) {
        let found = fs::read_to_string(dir.join("ws").join(&path)).ok();
        let found_body = found.as_deref().map(body);
        let mut bodies = may.iter().map(|text| text.as_deref().map(body));
        // The script saves this one from an old buffer: both changes are in it once it was merged.
        let merged = |body: &str| body.contains("first line of 2") && body.contains("end of 3");
        let is_merged = path == "tickets/c.md" && found_body.as_deref().is_some_and(merged);
        assert!(is_merged || bodies.any(|body| body == found_body), "{path} holds {found:?}, and may hold {may:?}");
        if let Some(text) = found.filter(|text| text.starts_with("---")) {
            assert!(Document::parse(text.as_bytes()).faults().is_empty(), "{path}: {text}");
        }
    }
    let torn = |problem: &trackfs::domain::problem::Problem| problem.code == "torn-save";
    for problem in engine.problems().unwrap().iter().filter(|problem| torn(problem)) {
        let help = problem.help.as_ref().unwrap();
        let aside = help.split("is in ").nth(1).unwrap().split(": copy").next().unwrap();
        assert!(!fs::read(aside).unwrap().is_empty(), "{help}");
    }
}

fn numbers_have_no_gap(dir: &Path, engine: &Engine) {
    let ops: Vec<u64> = engine.store.ops(0, 100_000).unwrap().into_iter().map(|(id, _)| id).collect();
    assert!(ops.iter().copied().eq(1..=ops.len() as u64), "operations: {ops:?}");
    let events = engine.store.events(0, 100_000).unwrap();
    assert!(events.iter().map(|event| event.seq).eq(1..=events.len() as u64), "events: {events:#?}");
    let log = fs::read_to_string(location(dir).state.join("events.jsonl")).unwrap();
    let lines: Vec<String> = events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    assert!(log.lines().eq(lines.iter().map(String::as_str)), "events.jsonl is not what the journal says:\n{log}");
}

fn events_are_told_once(engine: &Engine) {
    let mut seen = BTreeMap::<String, usize>::new();
    let events = engine.store.events(0, 100_000).unwrap();
    for event in &events {
        let once = match &event.change {
            Change::TicketCreated { path, .. } => format!("created {path}"),
            Change::TicketRemoved { path, .. } => format!("removed {path}"),
            Change::TicketMoved { path, from } => format!("moved {from} {path}"),
            Change::FieldChanged { path, field, from, to } => format!("changed {path} {field} {from:?} {to:?}"),
            Change::CommentAdded { path, .. } => format!("comment {path}"),
            Change::Committed { commit, .. } => format!("committed {commit}"),
            Change::Pulled { path, what, .. } => format!("pulled {path} {what:?}"),
            Change::Pushed { path, what, .. } => format!("pushed {path} {what:?} "),
            _ => continue,
        };
        *seen.entry(once).or_default() += 1;
    }
    // The script updates the same field of an issue twice.
    let twice: Vec<_> = seen.iter().filter(|(what, count)| **count > 1 && !what.ends_with("[\"body\"] ")).collect();
    assert!(twice.is_empty(), "told more than once: {twice:?}\n{events:#?}");
    let told: BTreeSet<String> =
        seen.keys().filter_map(|what| what.strip_prefix("committed ")).map(str::to_owned).collect();
    let made: BTreeSet<String> = engine.repo.log(None, 1000).unwrap().into_iter().map(|commit| commit.id).collect();
    assert_eq!(told, made, "commits that were told of, and that there are");
    for (path, snapshot) in engine.store.snapshots().unwrap() {
        let created = seen.contains_key(&format!("created {path}"));
        let moved = seen.keys().any(|what| what.starts_with("moved") && what.ends_with(&format!(" {path}")));
        assert!(!snapshot.is_ticket() || created || moved, "nobody told of {path}\n{events:#?}");
    }
}

fn git_is_sound(dir: &Path) {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.arg("--git-dir").arg(dir.join("git")).arg("--work-tree").arg(dir.join("ws")).args(arguments);
        let output = git.current_dir(dir.join("ws")).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let complaints = git(&["fsck", "--strict", "--no-progress", "--no-dangling"]);
    assert_eq!(complaints.lines().filter(|line| !line.starts_with("notice:")).count(), 0, "{complaints}");
    // What an editor that was cut off left of its own is no news to anybody.
    let left = |line: &&str| line.ends_with('~') || line.ends_with("sedAbc123");
    let status = git(&["status", "--porcelain", "--", "tickets"]);
    assert_eq!(status.lines().filter(|line| !left(line)).collect::<Vec<_>>(), [""; 0]);
}

fn the_index_agrees_with_the_files(engine: &Engine) {
    struct Noon;
    impl Clock for Noon {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }
    let state = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(state.path()).unwrap());
    let root = Arc::new(Root::open(&engine.at.dir).unwrap());
    let fresh = Settler::new(root, store.clone(), Arc::new(Noon), SettleConfig::default());
    fresh.scan().unwrap();
    fresh.settle_now().unwrap();
    assert_eq!(engine.store.snapshots().unwrap(), store.snapshots().unwrap());
    assert_eq!(engine.store.uncommitted().unwrap(), []);
}

fn nothing_was_sent_twice(dir: &Path, engine: &Engine) {
    let issues = simulator(dir).issues();
    let title = |issue: &trackfs::domain::issue::RemoteIssue| issue.fields[&Field::Title].as_text().unwrap().to_owned();
    let titles: Vec<String> = issues.iter().map(title).collect();
    assert_eq!(titles.len(), titles.iter().collect::<BTreeSet<_>>().len(), "one issue for each ticket: {titles:?}");
    assert!(issues.iter().all(|issue| issue.comments.len() <= 1), "{issues:#?}");
    for (path, snapshot) in engine.store.snapshots().unwrap().iter().filter(|(_, snapshot)| snapshot.is_ticket()) {
        let title = snapshot.text("title").unwrap();
        assert!(titles.iter().any(|known| known == title), "{path} did not arrive: {titles:?}");
        assert!(snapshot.fields.contains_key("sync"), "{path} has no link");
    }
    assert_eq!(engine.store.outbox().unwrap(), []);
}

#[test]
fn killed_at_every_step_nothing_is_lost_and_nothing_happens_twice() {
    if !have(&["git"]) {
        return;
    }
    // A failure names its turn: to go on from there saves the way to it.
    let first = std::env::var(FROM).map_or(1, |turn| turn.parse().unwrap());
    let (next, reached) = (AtomicU64::new(first), Mutex::new(BTreeSet::new()));
    let kill = || {
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let scene = Scene::new();
            let point = play(&scene, &format!("*:{turn}"));
            let said = point.as_deref().unwrap_or("the end");
            eprintln!("{turn}: {said}");
            let checked = std::panic::catch_unwind(|| check(&scene));
            if checked.is_err() {
                let kept = scene.0.path().to_owned();
                std::mem::forget(scene);
                panic!("killed at the {turn}. fault point, {said}; see above, and {}", kept.display());
            }
            match point {
                Some(point) => drop(reached.lock().unwrap().insert(point)),
                None => break,
            }
        }
    };
    thread::scope(|scope| {
        for killer in (0..KILLERS).map(|_| scope.spawn(kill)).collect::<Vec<_>>() {
            killer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
    let reached = reached.into_inner().unwrap();
    let missed: Vec<_> = points().difference(&reached).cloned().collect();
    assert!(first > 1 || missed.is_empty(), "the script does not reach {missed:?}");
}

/// The fault points in the source, but for those of a start after a crash.
fn points() -> BTreeSet<String> {
    fn search(dir: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                search(&entry, found);
            } else if !entry.ends_with("src/fault.rs") {
                let source = fs::read_to_string(&entry).unwrap();
                for call in ["fault::point(\"", "fault::step(\"", "self.step(\"", "cycle.step(\""] {
                    found.extend(source.split(call).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    search(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.retain(|point| !point.starts_with("torn."));
    found
}

// --- through a real mount ----------------------------------------------------------------------------------------------

/// Ways to save, as shell commands; `$1` is the ticket and `$2` the text.
const REDIRECT: &str = r#"printf '%s' "$2" > "$1""#;
const IN_PIECES: &str = r#"printf '%s' "$2" | dd of="$1" conv=fsync bs=64 status=none"#;
const ANEW: &str = r#"mv "$1" "$1~"; printf '%s' "$2" > "$1"; sync "$1"; rm "$1~""#;
const BESIDE: &str = r#"printf '%s' "$2" > "$1.tmp"; mv "$1.tmp" "$1""#;

#[test]
fn a_mount_that_dies_in_a_save_has_a_whole_text_when_it_comes_back() {
    if !have(&["git"]) {
        return;
    }
    let mut workspace = Workspace::new();
    let git_dir = workspace.read(".git");
    let log = Path::new(git_dir.trim_start_matches("gitdir:").trim()).join("trackfs/daemon.log");
    let deaths = || fs::read_to_string(&log).unwrap_or_default().matches("killed at").count();
    let (old, new) = (text("Alpha", 1), text("Alpha", 2));
    let ways = [
        (REDIRECT, "save.noted"),
        (REDIRECT, "save.opened"),
        (REDIRECT, "save.closed"),
        (IN_PIECES, "save.written:3"),
        (IN_PIECES, "save.synced"),
        (ANEW, "save.made"),
        (ANEW, "save.written"),
        (ANEW, "save.closing"),
        (BESIDE, "save.written"),
    ];
    for (turn, (way, fault)) in ways.into_iter().enumerate() {
        let path = format!("tickets/{turn}.md");
        fs::write(workspace.dir.join(&path), &old).unwrap();
        workspace.variables = vec![("TRACKFS_FAULT", fault.to_owned())];
        workspace.mount();
        workspace.variables.clear();
        let mut save = workspace.command("bash");
        // It fails when the daemon dies under it.
        let _ = save.args(["-c", way, "save", &path, &new]).stderr(Stdio::null()).status();
        assert_eq!(deaths(), turn + 1, "{fault} is not on the way of {way}");
        eventually("the dead mount is taken away", || (!is_mounted(&workspace.dir)).then_some(()));
        // What is left of the dead daemon may hold its socket for a moment.
        eventually("it is mounted again", || workspace.trackfs(&["mount"]).status.success().then_some(()));
        let found = workspace.read(&path);
        assert!(found == old || found == new, "{way}, {fault}: {found:?}");
        workspace.ok(&["unmount"]);
    }
}
