//! Whatever became of the databases, opening them recovers: a damaged file is set aside and said, no file of the
//! workspace is touched, and event numbers go on.
//!
//! An input names a state (closed properly, or crashed with a write-ahead log), then damages of five bytes each: file,
//! kind, offset (two bytes), value.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};
use trackfs::{
    domain::{
        Clock, Timestamp,
        event::Change,
        op::{Actor, Op, OpKind},
        path::WsPath,
        snapshot::ContentHash,
    },
    workspace::{
        config::SettleConfig,
        root::Root,
        settle::Settler,
        store::{OutboxEntry, OutboxState, Store, StoreError},
    },
};

/// Files by name.
type Files = BTreeMap<String, Vec<u8>>;

const JOURNAL: [&str; 2] = ["journal.db", "journal.db-wal"];
const TICKETS: [(&str, &str); 3] = [
    (
        "tickets/login.md",
        "---\ntitle: Login fails\nstatus: todo\nlabels: [bug, auth]\nsync: {linear: ENG-42}\n---\n[[other]]\n",
    ),
    ("tickets/other.md", "---\ntitle: Other\n---\nmore\n"),
    ("tickets/odd.md", "---\ntitle: [\n---\n"),
];

/// A store with something in every table, and the number of the last event that it told.
struct Template {
    closed: Files,
    crashed: Files,
    last: u64,
}

struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

pub fn hold(input: &[u8]) {
    let Some((which, damages)) = input.split_first() else { return };
    let template = template();
    let mut files = if which % 2 == 0 { template.closed.clone() } else { template.crashed.clone() };
    damages.chunks_exact(5).take(16).for_each(|damage| inflict(&mut files, damage));
    let whole = if which % 2 == 0 { &template.closed } else { &template.crashed };
    let is_damaged = |name: &str| files.get(name) != whole.get(name);
    let journal_is_damaged = JOURNAL.into_iter().any(is_damaged);
    // Where both are damaged, nothing tells any more which numbers were given.
    let told = if journal_is_damaged && is_damaged("events.jsonl") { 0 } else { template.last };

    let dir = folder();
    let state = dir.path().join("state");
    fs::create_dir(&state).expect("an empty folder");
    files.iter().for_each(|(name, bytes)| fs::write(state.join(name), bytes).expect("a writable folder"));
    let root = workspace(dir.path());
    let Some(last) = recovers(&state, &root, told, journal_is_damaged) else { return };
    let again = recovers(&state, &root, last, false);
    assert!(again.is_some_and(|again| again > last), "what was recovered once opens again");
    for (path, text) in TICKETS {
        assert_eq!(fs::read_to_string(root.join(path)).ok().as_deref(), Some(text), "the workspace is not touched");
    }
}

/// Opens the store, brings it up to date, and answers the number of its last event; `None` when a newer program seems to
/// have written it, which is refused.
fn recovers(state: &Path, workspace: &Path, told: u64, may_be_damaged: bool) -> Option<u64> {
    let before = asides(state);
    let store = match Store::open(state) {
        Ok(store) => Arc::new(store),
        Err(StoreError::TooNew) if may_be_damaged => return None,
        Err(error) => panic!("neither recovered nor set aside: {error:?}"),
    };
    assert_eq!(store.notes().len(), asides(state), "what is set aside is said");
    let is_set_aside = asides(state) > before;
    assert!(may_be_damaged || !is_set_aside, "a sound journal is not set aside");
    let numbers = numbers(&store);
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "numbers follow each other: {numbers:?}");
    if !is_set_aside {
        assert!(numbers.last().is_none_or(|last| *last >= told), "no event that was told is lost: {numbers:?}");
    }
    let root = Arc::new(Root::open(workspace).expect("the workspace is there"));
    let settler = Settler::new(root, store.clone(), Arc::new(Epoch), SettleConfig::default());
    settler.scan().expect("a scan");
    settler.settle_now().expect("settling");
    for (path, text) in TICKETS {
        let known = store.known(&path_of(path)).expect("what is known");
        assert_eq!(known.content, Some(ContentHash::of(text.as_bytes())), "the file is known as it is");
    }
    let new = store.append(Timestamp::UNIX_EPOCH, &Actor::named("law"), vec![change()]).expect("a new event");
    assert!(new[0].seq > told && numbers.iter().all(|number| *number < new[0].seq), "a number is given twice");
    store.append_ops(&[op()]).expect("a new operation");
    store.outbox_put(&entry("update")).expect("a new entry");
    store.outbox().expect("the outbox");
    store.uncommitted().expect("what is not committed");
    store.problems().expect("problems");
    assert!(store.snapshots().expect("the index").len() >= TICKETS.len());
    Some(new[0].seq)
}

fn numbers(store: &Store) -> Vec<u64> {
    store.events(0, 10_000).expect("the log can be read").iter().map(|event| event.seq).collect()
}

fn asides(state: &Path) -> usize {
    let names = fs::read_dir(state).expect("a folder").filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.starts_with("journal.db.damaged") && !name.contains('-')).count()
}

fn inflict(files: &mut Files, damage: &[u8]) {
    let [file, kind, high, low, value] = *damage else { return };
    let names: Vec<String> = files.keys().cloned().collect();
    let Some(name) = names.get(usize::from(file) % names.len().max(1)) else { return };
    let bytes = files.get_mut(name).expect("one of its names");
    // The whole file can be reached, whatever its length.
    let at = usize::from(u16::from_be_bytes([high, low])) % bytes.len().max(1);
    match kind % 6 {
        0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= value),
        1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = value),
        2 => bytes.truncate(at),
        3 => bytes.extend(std::iter::repeat_n(value, at % 8192)),
        4 => bytes.iter_mut().skip(at).take(4096).for_each(|byte| *byte = value),
        _ => drop(files.remove(name)),
    }
}

fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let dir = folder();
        let (state, workspace) = (dir.path().join("state"), workspace(dir.path()));
        let store = Arc::new(Store::open(&state).expect("a new store"));
        let root = Arc::new(Root::open(&workspace).expect("the workspace is there"));
        let settler = Settler::new(root, store.clone(), Arc::new(Epoch), SettleConfig::default());
        settler.scan().expect("a scan");
        settler.settle_now().expect("settling");
        store.append(Timestamp::UNIX_EPOCH, &Actor::named("law"), vec![change(); 3]).expect("events");
        store.append_ops(&[op(), op()]).expect("operations");
        store.outbox_put(&entry("create")).expect("an entry");
        store.set_meta("note", "kept").expect("a note");
        let last = store.last_event().expect("a number");
        let crashed = read(&state);
        drop((settler, store));
        Template { closed: read(&state), crashed, last }
    })
}

/// The files of a store, but for what SQLite makes anew and the lock.
fn read(state: &Path) -> Files {
    let names = ["events.jsonl", "index.db", "index.db-wal", "journal.db", "journal.db-wal"];
    names.into_iter().filter_map(|name| Some((name.to_owned(), fs::read(state.join(name)).ok()?))).collect()
}

/// In memory where there is a place for it: nothing here is about the disk.
fn folder() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    let dir = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
    dir.expect("a temporary folder")
}

fn workspace(dir: &Path) -> PathBuf {
    let workspace = dir.join("workspace");
    fs::create_dir_all(workspace.join("tickets")).expect("a writable folder");
    TICKETS.iter().for_each(|(path, text)| fs::write(workspace.join(path), text).expect("a writable folder"));
    workspace
}

fn path_of(path: &str) -> WsPath {
    WsPath::new(path).expect("a legal path")
}

fn change() -> Change {
    Change::BodyChanged { path: path_of("tickets/login.md") }
}

fn op() -> Op {
    let (at, actor) = (Timestamp::UNIX_EPOCH, Actor::named("vim"));
    Op { at, actor, path: path_of("tickets/login.md"), kind: OpKind::Write { offset: 0, len: 4 } }
}

fn entry(action: &str) -> OutboxEntry {
    OutboxEntry {
        id: 0,
        remote: "linear".into(),
        path: path_of("tickets/login.md"),
        action: action.into(),
        what: vec!["title".into()],
        intent: None,
        state: OutboxState::Sent,
        attempts: 1,
        last_error: None,
        created_at: Timestamp::UNIX_EPOCH,
    }
}
