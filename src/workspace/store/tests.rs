use super::*;
use crate::domain::{Timestamp, event::Change, op::Actor, path::WsPath};
use std::io::Read;

fn path(text: &str) -> WsPath {
    WsPath::new(text).unwrap()
}

fn entry(action: &str, attempts: u32) -> OutboxEntry {
    OutboxEntry {
        id: 0,
        remote: "linear".into(),
        path: path("tickets/a.md"),
        action: action.into(),
        what: vec!["title".into()],
        intent: Some(uuid::Uuid::from_u128(7)),
        state: OutboxState::Pending,
        attempts,
        last_error: None,
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn changes(count: usize) -> Vec<Change> {
    (0..count).map(|n| Change::BodyChanged { path: path(&format!("tickets/{n}.md")) }).collect()
}

#[test]
fn an_outbox_entry_takes_the_place_of_one_that_still_waits() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let first = store.outbox_put(&entry("update", 1)).unwrap();
    let second = store.outbox_put(&entry("update", 2)).unwrap();
    store.outbox_put(&entry("comment", 3)).unwrap();
    assert_ne!(first, second);
    let attempts: Vec<u32> = store.outbox().unwrap().iter().map(|entry| entry.attempts).collect();
    assert_eq!(attempts, [2, 3]);
}

#[test]
fn a_sent_create_keeps_its_intent_beside_a_newer_one_and_outlives_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let sent = store.outbox_put(&entry("create", 1)).unwrap();
    store.outbox_state(sent, OutboxState::Sent, 1, None).unwrap();
    store.outbox_put(&OutboxEntry { intent: None, ..entry("create", 0) }).unwrap();
    assert_eq!(store.outbox().unwrap().len(), 2);
    store.outbox_state(sent, OutboxState::Pending, 2, Some("timed out")).unwrap();
    let left = store.outbox().unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].id, left[0].intent), (sent, Some(uuid::Uuid::from_u128(7))));
    assert_eq!((left[0].attempts, left[0].last_error.as_deref()), (2, Some("timed out")));
    store.outbox_remove(sent).unwrap();
    assert_eq!(store.outbox().unwrap(), []);
}

#[test]
fn the_event_file_follows_the_log_and_is_made_anew_at_open() {
    let dir = tempfile::tempdir().unwrap();
    let text = |store: &Store| {
        let mut text = String::new();
        std::io::Seek::rewind(&mut &*store.events_file()).unwrap();
        (&*store.events_file()).read_to_string(&mut text).unwrap();
        text
    };
    let store = Store::open(dir.path()).unwrap();
    let events = store.append(Timestamp::UNIX_EPOCH, &Actor::named("vim"), changes(2)).unwrap();
    let lines: String = events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
    assert_eq!(text(&store), lines);
    assert_eq!(store.events(1, 10).unwrap(), events[1..]);
    drop(store);
    std::fs::write(dir.path().join("events.jsonl"), "torn").unwrap();
    assert_eq!(text(&Store::open(dir.path()).unwrap()), lines);
}

#[test]
fn a_second_process_leaves_the_event_file_to_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path()).unwrap();
    let second = Store::open(dir.path()).unwrap();
    second.append(Timestamp::UNIX_EPOCH, &Actor::named("cli"), changes(1)).unwrap();
    first.append(Timestamp::UNIX_EPOCH, &Actor::named("vim"), changes(1)).unwrap();
    let lines = std::fs::read_to_string(dir.path().join("events.jsonl")).unwrap();
    let seqs: Vec<u64> = lines.lines().map(|line| serde_json::from_str::<Event>(line).unwrap().seq).collect();
    assert_eq!(seqs, [1, 2]);
}

#[test]
fn event_numbers_are_never_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let actor = Actor::named("vim");
    let store = Store::open(dir.path()).unwrap();
    store.append(Timestamp::UNIX_EPOCH, &actor, changes(3)).unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.append(Timestamp::UNIX_EPOCH, &actor, changes(1)).unwrap()[0].seq, 4);
}

#[test]
fn state_of_a_newer_program_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let journal = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    journal.pragma_update(None, "user_version", 999).unwrap();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::TooNew)));
}

#[test]
fn notes_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.meta("k").unwrap(), None);
    store.set_meta("k", "1").unwrap();
    store.set_meta("k", "2").unwrap();
    drop(store);
    assert_eq!(Store::open(dir.path()).unwrap().meta("k").unwrap().as_deref(), Some("2"));
}

#[test]
fn a_page_that_somebody_damaged_is_found_although_the_index_was_closed_in_good_order() {
    let dir = tempfile::tempdir().unwrap();
    let index = dir.path().join("index.db");
    for whole in [true, false] {
        drop(Store::open(dir.path()).unwrap());
        assert!(dir.path().join("index.seal").exists());
        if !whole {
            let mut bytes = std::fs::read(&index).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle..].fill(7);
            std::fs::write(&index, bytes).unwrap();
        }
        let store = Store::open(dir.path()).unwrap();
        assert!(!dir.path().join("index.seal").exists(), "while it is open a crash must show");
        assert_eq!(store.snapshots().unwrap(), []);
        assert_eq!(dir.path().join("index.db.damaged").exists(), !whole);
    }
}

#[test]
fn a_page_that_turned_out_to_be_damaged_leaves_no_seal() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let met = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), None);
    assert!(store.index.read(|_| Err::<(), _>(met.into())).is_err());
    drop(store);
    assert!(!dir.path().join("index.seal").exists());
}

mod settled {
    use super::*;
    use crate::domain::{
        layout::Kind,
        schema::Schema,
        snapshot::{self, Snapshot},
    };

    fn snapshot(at: &str, text: &str) -> Snapshot {
        snapshot::read(&path(at), Kind::Ticket, text.as_bytes(), false, &Schema::default(), None)
    }

    fn settled(at: &str, text: &str) -> Settled {
        let now = snapshot(at, text);
        let changes = vec![Change::TicketCreated { path: path(at), title: now.title.clone() }];
        Settled { path: path(at), now: Some((now, None)), actor: Actor::named("vim"), changes, edited: true }
    }

    const TICKET: &str = "---\ntitle: A\nstatus: todo\nsync: {linear: ENG-42, github: 145}\n---\n[[other]]\n";

    #[test]
    fn a_crash_between_the_two_files_shows_as_an_index_that_is_not_current() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let settled = settled("tickets/a.md", TICKET);
        store.journal_settled(Timestamp::UNIX_EPOCH, std::slice::from_ref(&settled)).unwrap();
        drop(store);
        let store = Store::open(dir.path()).unwrap();
        let known = store.known(&path("tickets/a.md")).unwrap();
        assert!(known.is_some() && known.current().is_none());
        assert_eq!(store.uncommitted().unwrap(), [path("tickets/a.md")]);
        store.index_settled(&[settled]).unwrap();
        assert!(store.known(&path("tickets/a.md")).unwrap().current().is_some());
        assert_eq!(store.events(0, 10).unwrap().len(), 1);
    }

    #[test]
    fn a_ticket_is_found_by_its_keys_until_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.put_settled(Timestamp::UNIX_EPOCH, &[settled("tickets/a.md", TICKET)]).unwrap();
        assert_eq!(store.ticket_by_key("linear", "ENG-42").unwrap(), Some(path("tickets/a.md")));
        assert_eq!(store.ticket_by_key("github", "145").unwrap(), Some(path("tickets/a.md")));
        assert_eq!(store.ticket_by_key("github", "ENG-42").unwrap(), None);
        let gone = Settled { now: None, changes: Vec::new(), ..settled("tickets/a.md", TICKET) };
        store.put_settled(Timestamp::UNIX_EPOCH, &[gone]).unwrap();
        assert_eq!(store.ticket_by_key("linear", "ENG-42").unwrap(), None);
    }

    #[test]
    fn what_is_below_a_folder_is_not_what_only_starts_like_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let all = ["a.md", "a/1.md", "a/b/2.md", "a0.md", "ab/3.md"].map(|at| settled(at, TICKET));
        store.put_settled(Timestamp::UNIX_EPOCH, &all).unwrap();
        let under = |folder: &str| -> Vec<String> {
            store.snapshots_under(&path(folder)).unwrap().iter().map(|(path, _)| path.to_string()).collect()
        };
        assert_eq!(under("a"), ["a/1.md", "a/b/2.md"]);
        assert_eq!(under("").len(), 5);
    }

    #[test]
    fn what_settles_again_after_it_was_read_stays_uncommitted() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.put_settled(Timestamp::UNIX_EPOCH, &[settled("b.md", TICKET), settled("a.md", TICKET)]).unwrap();
        let (mark, paths) = (store.mark().unwrap(), store.uncommitted().unwrap());
        assert_eq!(paths, [path("a.md"), path("b.md")]);
        store.put_settled(Timestamp::UNIX_EPOCH, &[settled("a.md", TICKET)]).unwrap();
        store.committed(&paths, mark).unwrap();
        assert_eq!(store.uncommitted().unwrap(), [path("a.md")]);
    }
}
