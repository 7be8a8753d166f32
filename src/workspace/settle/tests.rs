use super::*;
use crate::domain::{Timestamp, op::OpKind};
use std::{fs, path::PathBuf, sync::atomic::AtomicUsize, sync::atomic::Ordering};

mod adopting;
mod unindexed;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }
}

struct Place {
    state: tempfile::TempDir,
    dir: tempfile::TempDir,
    root: Arc<Root>,
    store: Arc<Store>,
    settler: Arc<Settler>,
}

impl Place {
    fn new() -> Self {
        Self::with(SettleConfig { quiet_ms: 20, removal_ms: 200, open_ms: 400 })
    }

    fn with(config: SettleConfig) -> Self {
        let (state, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = Arc::new(Root::open(dir.path()).unwrap());
        let store = Arc::new(Store::open(state.path()).unwrap());
        let settler = Arc::new(Settler::new(root.clone(), store.clone(), Arc::new(Noon), config));
        Self { state, dir, root, store, settler }
    }

    /// The daemon stops, something happens to its state, and it starts again with a scan.
    fn restart(self, meanwhile: impl FnOnce(&std::path::Path)) -> Self {
        let place = self.reopen(meanwhile);
        place.settler.scan().unwrap();
        place
    }

    fn reopen(self, meanwhile: impl FnOnce(&std::path::Path)) -> Self {
        let Self { state, dir, root, store, settler } = self;
        drop((store, settler));
        meanwhile(state.path());
        let store = Arc::new(Store::open(state.path()).unwrap());
        let config = SettleConfig { quiet_ms: 20, removal_ms: 200, open_ms: 400 };
        let settler = Arc::new(Settler::new(root.clone(), store.clone(), Arc::new(Noon), config));
        Self { state, dir, root, store, settler }
    }

    fn real(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn op(&self, path_: &str, kind: OpKind) {
        self.settler.record(Op { at: Noon.now(), actor: Actor::named("vim"), path: path(path_), kind });
    }

    /// A file written and closed, as the mount would report it.
    fn save(&self, path: &str, text: &str) {
        fs::create_dir_all(self.real(path).parent().unwrap()).unwrap();
        fs::write(self.real(path), text).unwrap();
        self.op(path, OpKind::Write { offset: 0, len: text.len() as u64 });
        self.op(path, OpKind::Close);
    }

    fn rename(&self, from: &str, to: &str) {
        fs::create_dir_all(self.real(to).parent().unwrap()).unwrap();
        fs::rename(self.real(from), self.real(to)).unwrap();
        self.op(from, OpKind::Rename { to: path(to), exchange: false });
    }

    fn unlink(&self, path: &str) {
        fs::remove_file(self.real(path)).unwrap();
        self.op(path, OpKind::Unlink);
    }

    fn settle(&self) -> Vec<Change> {
        self.settler.settle_now().unwrap().into_iter().map(|event| event.change).collect()
    }

    fn log(&self) -> Vec<Change> {
        self.store.events(0, 10_000).unwrap().into_iter().map(|event| event.change).collect()
    }
}

fn path(text: &str) -> WsPath {
    WsPath::new(text).unwrap()
}

fn ticket(title: &str) -> String {
    format!("---\ntitle: {title}\nstatus: todo\n---\nBody.\n")
}

fn created(at: &str, title: &str) -> Change {
    Change::TicketCreated { path: path(at), title: title.into() }
}

fn moved(from: &str, to: &str) -> Change {
    Change::TicketMoved { path: path(to), from: path(from) }
}

fn retitled(at: &str, from: &str, to: &str) -> Change {
    Change::FieldChanged { path: path(at), field: "title".into(), from: from.into(), to: to.into() }
}

fn removed(at: &str, title: &str) -> Change {
    Change::TicketRemoved { path: path(at), title: title.into() }
}

#[test]
fn a_new_ticket_is_created_once_and_saving_it_unchanged_says_nothing() {
    let place = Place::new();
    place.save("tickets/a.md", &ticket("A"));
    assert_eq!(place.settle(), [created("tickets/a.md", "A")]);
    place.save("tickets/a.md", &ticket("A"));
    place.op("tickets/a.md", OpKind::Setattr);
    assert_eq!(place.settle(), []);
}

#[test]
fn an_event_names_who_did_it() {
    let place = Place::new();
    place.save("tickets/a.md", &ticket("A"));
    place.settler.touch(&path("tickets/a.md"), &Actor::named(EXTERNAL));
    assert_eq!(place.settler.settle_now().unwrap()[0].actor.name, "vim");
    fs::write(place.real("tickets/a.md"), ticket("B")).unwrap();
    place.settler.touch(&path("tickets/a.md"), &Actor::named(EXTERNAL));
    assert_eq!(place.settler.settle_now().unwrap()[0].actor.name, EXTERNAL);
}

#[test]
fn a_rename_is_a_move_with_its_field_changes_and_never_a_removal() {
    let place = Place::new();
    place.save("tickets/a.md", &ticket("A"));
    place.settle();
    place.rename("tickets/a.md", "tickets/sub/b.md");
    place.save("tickets/sub/b.md", &ticket("B"));
    assert_eq!(place.settle(), [moved("tickets/a.md", "tickets/sub/b.md"), retitled("tickets/sub/b.md", "A", "B")]);
    assert_eq!(place.store.snapshot(&path("tickets/a.md")).unwrap(), None);
    assert_eq!(place.store.uncommitted().unwrap(), [path("tickets/a.md"), path("tickets/sub/b.md")]);
}

#[test]
fn a_move_nobody_saw_is_told_by_the_bytes_or_by_the_remote_identity() {
    let place = Place::new();
    let synced = |title: &str| format!("---\ntitle: {title}\nstatus: todo\nsync: {{linear: ENG-1}}\n---\n");
    place.save("tickets/a.md", &ticket("A"));
    place.save("tickets/b.md", &synced("B"));
    place.settle();
    fs::rename(place.real("tickets/a.md"), place.real("tickets/a2.md")).unwrap();
    fs::remove_file(place.real("tickets/b.md")).unwrap();
    fs::write(place.real("tickets/b2.md"), synced("B again")).unwrap();
    place.settler.scan().unwrap();
    assert_eq!(
        place.settle(),
        [
            moved("tickets/a.md", "tickets/a2.md"),
            moved("tickets/b.md", "tickets/b2.md"),
            retitled("tickets/b2.md", "B", "B again"),
        ]
    );
}

#[test]
fn a_folder_moves_with_every_ticket_in_it() {
    let place = Place::new();
    for name in ["x", "y", "deep/z"] {
        place.save(&format!("tickets/old/{name}.md"), &ticket("Same"));
    }
    place.settle();
    place.rename("tickets/old", "tickets/new");
    let mut changes = place.settle();
    changes.sort_by_key(|change| format!("{change:?}"));
    assert_eq!(
        changes,
        [
            moved("tickets/old/deep/z.md", "tickets/new/deep/z.md"),
            moved("tickets/old/x.md", "tickets/new/x.md"),
            moved("tickets/old/y.md", "tickets/new/y.md"),
        ]
    );
}

#[test]
fn removing_a_folder_removes_every_ticket_in_it() {
    let place = Place::new();
    place.save("tickets/old/x.md", &ticket("X"));
    place.save("tickets/old/y.md", &ticket("Y"));
    place.settle();
    fs::remove_dir_all(place.real("tickets/old")).unwrap();
    place.settler.touch(&path("tickets/old"), &Actor::named(EXTERNAL));
    assert_eq!(place.settle(), [removed("tickets/old/x.md", "X"), removed("tickets/old/y.md", "Y")]);
}

#[test]
fn renaming_a_ticket_away_to_a_scratch_name_is_not_a_move() {
    let place = Place::new();
    place.save("tickets/a.md", &ticket("A"));
    place.settle();
    place.rename("tickets/a.md", "tickets/a.md~");
    assert_eq!(place.settle(), [removed("tickets/a.md", "A")]);
    place.rename("tickets/a.md~", "tickets/a.md");
    assert_eq!(place.settle(), [created("tickets/a.md", "A")]);
}

#[test]
fn ignored_files_are_never_known_and_known_files_are_never_forgotten_for_being_ignored() {
    let place = Place::new();
    place.save(".gitignore", "tickets/private-*\n");
    place.save("tickets/private-a.md", &ticket("P"));
    place.save("tickets/a.md", &ticket("A"));
    assert_eq!(
        place.settle(),
        [Change::SpecChanged { path: path(".gitignore"), what: "added".into() }, created("tickets/a.md", "A")]
    );
    place.save(".gitignore", "tickets/a.md\n");
    assert_eq!(
        place.settle(),
        [Change::SpecChanged { path: path(".gitignore"), what: "edited".into() }, created("tickets/private-a.md", "P"),]
    );
    place.save("tickets/a.md", &ticket("A2"));
    assert_eq!(place.settle(), [retitled("tickets/a.md", "A", "A2")]);
}

#[test]
fn a_new_schema_is_in_force_at_once_and_every_ticket_is_checked_again() {
    let place = Place::new();
    place.save("tickets/a.md", &ticket("A"));
    place.settle();
    let statuses = crate::domain::schema::DEFAULT_SCHEMA.replace("todo", "open");
    place.save(SCHEMA_PATH, &statuses);
    let changes = place.settle();
    assert!(place.settler.schema().status("open").is_some());
    assert!(
        changes
            .iter()
            .any(|change| matches!(change, Change::ProblemFound { path: at, .. } if *at == path("tickets/a.md"))),
        "{changes:?}"
    );
    place.save(SCHEMA_PATH, "statuses: [");
    place.settle();
    assert!(place.settler.schema().status("open").is_some(), "the last valid schema stays in force");
    fs::remove_file(place.real(SCHEMA_PATH)).unwrap();
    place.op(SCHEMA_PATH, OpKind::Unlink);
    let changes = place.settle();
    assert!(changes.iter().any(|change| matches!(change, Change::ProblemCleared { .. })), "{changes:?}");
}

#[test]
fn a_comment_without_its_ticket_is_never_a_ticket() {
    let place = Place::new();
    let comment = "tickets/a/comments/1.md";
    place.save(comment, "Looks good.");
    assert_eq!(place.settle(), [Change::CommentAdded { path: path(comment), ticket: path("tickets/a.md") }]);
    place.save("tickets/a.md", &ticket("A"));
    place.settle();
    place.unlink("tickets/a.md");
    place.save(comment, "Looks good to me.");
    place.settle();
    let kind = place.store.snapshot(&path(comment)).unwrap().unwrap().kind;
    assert_eq!(kind, Kind::Comment { ticket: path("tickets/a.md") });
}

#[test]
fn a_save_is_refused_only_where_it_would_break_a_ticket() {
    let place = Place::new();
    let broken = b"---\ntitle: A\nstatus: no-such-status\n---\n";
    let problem = place.settler.check(&path("tickets/a.md"), broken).unwrap();
    assert_eq!((problem.severity, problem.line), (Severity::Error, 3));
    for other in ["specs/a.md", "inbox/a.md", "tickets/a.md~", "tickets/a.txt"] {
        assert_eq!(place.settler.check(&path(other), broken), None, "{other}");
    }
    assert_eq!(place.settler.check(&path("tickets/a.md"), ticket("A").as_bytes()), None);
}

#[test]
fn a_link_is_versioned_and_never_read_through() {
    let place = Place::new();
    fs::create_dir(place.real("tickets")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", place.real("tickets/link.md")).unwrap();
    place.op("tickets/link.md", OpKind::Symlink);
    assert_eq!(place.settle(), [Change::SpecChanged { path: path("tickets/link.md"), what: "added".into() }]);
    let snapshot = place.store.snapshot(&path("tickets/link.md")).unwrap().unwrap();
    assert_eq!(snapshot.content, crate::domain::snapshot::ContentHash::of(b"/etc/passwd"));
}

#[test]
fn a_file_too_large_to_version_is_shown_and_not_committed() {
    let place = Place::new();
    fs::File::create(place.real("big.bin")).unwrap().set_len(crate::workspace::root::MAX_BYTES + 1).unwrap();
    place.op("big.bin", OpKind::Close);
    place.settle();
    assert_eq!(place.store.problems().unwrap()[0].code, "too-large");
    assert_eq!(place.store.uncommitted().unwrap(), []);
}

#[test]
fn a_file_at_which_trackfs_fails_is_shown_and_costs_no_other_anything() {
    let Place { root, store, dir, .. } = Place::new();
    let fails = |path: &WsPath, _| if path.file_name() == "bad.md" { panic!("a defect") } else { true };
    let settler = Settler::new(root, store.clone(), Arc::new(Noon), SettleConfig::default()).holding(fails);
    fs::create_dir(dir.path().join("tickets")).unwrap();
    for name in ["bad", "good"] {
        fs::write(dir.path().join(format!("tickets/{name}.md")), "---\ntitle: A\n---\n").unwrap();
    }
    settler.scan().unwrap();
    settler.settle_now().unwrap();
    let problems = store.problems().unwrap();
    assert_eq!((problems.len(), problems[0].code.as_str(), problems[0].path.file_name()), (1, "internal", "bad.md"));
    assert!(store.snapshot(&path("tickets/good.md")).unwrap().unwrap().is_ticket());
    assert_eq!(store.uncommitted().unwrap(), [path("tickets/bad.md"), path("tickets/good.md")]);
}

#[test]
fn bytes_that_mean_nothing_new_are_committed_and_wake_the_listener() {
    let place = Place::new();
    place.save("tickets/a.md", &ticket("A"));
    place.settle();
    let mark = place.store.mark().unwrap();
    place.store.committed(&place.store.uncommitted().unwrap(), mark).unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    place.settler.on_events(Box::new(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    }));
    place.save("tickets/a.md", &ticket("A").replace("title: A", "title: A # a comment"));
    assert_eq!(place.settle(), []);
    assert_eq!((calls.load(Ordering::Relaxed), place.store.uncommitted().unwrap()), (1, vec![path("tickets/a.md")]));
}

#[test]
fn a_scan_reads_nothing_that_its_stat_says_is_unchanged() {
    let place = Place::new();
    place.save("tickets/a.md", &ticket("A"));
    place.save("tickets/b.md", &ticket("B"));
    std::thread::sleep(Duration::from_millis(80));
    place.settle();
    assert_eq!(place.settler.scan().unwrap(), ScanReport { files: 2, changed: 0, gone: 0 });
    fs::write(place.real("tickets/a.md"), ticket("C")).unwrap();
    fs::remove_file(place.real("tickets/b.md")).unwrap();
    assert_eq!(place.settler.scan().unwrap(), ScanReport { files: 1, changed: 2, gone: 1 });
}

#[test]
fn a_missing_ticket_is_removed_only_when_it_stays_missing() {
    let place = Place::new();
    place.save("tickets/a.md", &ticket("A"));
    place.settle();
    std::thread::scope(|scope| {
        scope.spawn(|| place.settler.run());
        let _stop = Stop(&place.settler);
        place.unlink("tickets/a.md");
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(place.log().len(), 1, "not yet: quiet for less than removal_ms");
        place.save("tickets/a.md", &ticket("A2"));
        wait_for(|| place.log().len() == 2);
        assert_eq!(place.log()[1], retitled("tickets/a.md", "A", "A2"));
        place.unlink("tickets/a.md");
        wait_for(|| place.log().len() == 3);
        assert_eq!(place.log()[2], removed("tickets/a.md", "A2"));
    });
}

#[test]
fn a_save_does_not_wait_for_a_removal_that_is_not_sure_yet() {
    let place = Place::with(SettleConfig { quiet_ms: 20, removal_ms: 60_000, open_ms: 60_000 });
    place.save("tickets/a.md", &ticket("A"));
    place.settle();
    std::thread::scope(|scope| {
        scope.spawn(|| place.settler.run());
        let _stop = Stop(&place.settler);
        place.unlink("tickets/a.md");
        std::thread::sleep(Duration::from_millis(100));
        place.save("tickets/b.md", &ticket("B"));
        wait_for(|| place.log().len() == 2);
    });
}

#[test]
fn a_file_that_never_is_quiet_settles_now_and_then() {
    let place = Place::with(SettleConfig { quiet_ms: 800, removal_ms: 1000, open_ms: 1000 });
    std::thread::scope(|scope| {
        scope.spawn(|| place.settler.run());
        let _stop = Stop(&place.settler);
        place.save("tickets/a.md", &ticket("A"));
        let started = Instant::now();
        while place.log().is_empty() && started.elapsed() < Duration::from_secs(10) {
            place.op("tickets/a.md", OpKind::Setattr);
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(place.log(), [created("tickets/a.md", "A")]);
    });
}

#[test]
fn a_schema_that_changed_while_nobody_watched_is_found_and_a_broken_one_leaves_the_last_valid_in_force() {
    let place = Place::new();
    place.save("tickets/a.md", &ticket("A"));
    place.save(SCHEMA_PATH, crate::domain::schema::DEFAULT_SCHEMA);
    place.settle();
    let open = crate::domain::schema::DEFAULT_SCHEMA.replace("todo", "open");
    fs::write(place.real(SCHEMA_PATH), open).unwrap();
    let place = place.restart(|_| ());
    let changes = place.settle();
    assert!(changes.iter().any(|change| matches!(change, Change::ProblemFound { .. })), "{changes:?}");
    fs::write(place.real(SCHEMA_PATH), "statuses: [").unwrap();
    let place = place.restart(|_| ());
    assert!(place.settler.schema().status("open").is_some());
}

#[test]
fn a_file_being_written_settles_when_it_is_closed_synced_or_long_quiet() {
    let place = Place::new();
    place.save("tickets/a.md", &ticket("A"));
    place.settle();
    let stat = place.root.stat(&path("tickets/a.md")).unwrap();
    let write = |title: &str| {
        fs::write(place.real("tickets/a.md"), ticket(title)).unwrap();
        place.op("tickets/a.md", OpKind::Write { offset: 0, len: 1 });
    };
    std::thread::scope(|scope| {
        scope.spawn(|| place.settler.run());
        let _stop = Stop(&place.settler);
        place.root.gate().opened(stat.dev, stat.ino);
        write("B");
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(place.log().len(), 1, "a half-written file is not looked at");
        place.op("tickets/a.md", OpKind::Fsync);
        wait_for(|| place.log().len() == 2);
        write("C");
        wait_for(|| place.log().len() == 3);
        write("D");
        place.root.gate().closed(stat.dev, stat.ino);
        place.op("tickets/a.md", OpKind::Close);
        wait_for(|| place.log().len() == 4);
    });
}

#[test]
fn listeners_may_ask_the_settler_and_find_everything_durable() {
    let place = Place::new();
    let (settler, store) = (place.settler.clone(), place.store.clone());
    let found = Arc::new(AtomicUsize::new(0));
    let counter = found.clone();
    place.settler.on_events(Box::new(move |events| {
        settler.settle_now().unwrap();
        counter.fetch_add(store.events(events[0].seq - 1, 10).unwrap().len(), Ordering::Relaxed);
    }));
    place.save("tickets/a.md", &ticket("A"));
    place.settle();
    place.settler.emit(&Actor::named("trackfs"), vec![Change::BodyChanged { path: path("x") }]).unwrap();
    assert_eq!(found.load(Ordering::Relaxed), 2);
}

/// Ends the run also when an assertion fails: the scope waits for its threads.
struct Stop<'s>(&'s Settler);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn wait_for(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "it did not happen within 10 s");
        std::thread::sleep(Duration::from_millis(5));
    }
}
