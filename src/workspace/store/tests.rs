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
fn state_of_an_older_program_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let journal = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    journal.execute_batch(schema::JOURNAL[0]).unwrap();
    journal.pragma_update(None, "user_version", 1).unwrap();
    journal.execute("INSERT INTO settled (path, content) VALUES ('tickets/a.md', 'hash')", []).unwrap();
    drop(journal);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.notes(), [""; 0]);
    let known = store.known(&path("tickets/a.md")).unwrap();
    assert_eq!((known.content.as_ref().map(|hash| &*hash.0), known.kind()), (Some("hash"), None));
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
fn what_is_written_after_the_seal_breaks_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.seal().unwrap();
    assert!(Seal::break_open(&dir.path().join("index.db")), "nothing happened since");
    store.seal().unwrap();
    store.index.write(|transaction| Ok(transaction.execute_batch("CREATE TABLE later (x)")?)).unwrap();
    assert!(!Seal::break_open(&dir.path().join("index.db")));
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
        store.index_settled(None, &[settled]).unwrap();
        assert!(store.known(&path("tickets/a.md")).unwrap().current().is_some());
        assert_eq!(store.events(0, 10).unwrap().len(), 1);
    }

    #[test]
    fn an_index_that_is_behind_the_journal_is_not_of_the_generation_that_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.put_settled(Timestamp::UNIX_EPOCH, &[settled("tickets/a.md", TICKET)]).unwrap();
        let newer = [settled("tickets/a.md", "---\ntitle: B\nstatus: done\n---\n")];
        store.journal_settled(Timestamp::UNIX_EPOCH, &newer).unwrap();
        let seen = (store.generation(), store.snapshot(&path("tickets/a.md")).unwrap().unwrap().title);
        store.index_settled(None, &newer).unwrap();
        assert_eq!(seen.1, "A");
        assert_ne!(store.generation(), seen.0);
        let seen = store.generation();
        store.append(Timestamp::UNIX_EPOCH, &Actor::named("vim"), changes(1)).unwrap();
        assert_eq!(store.generation(), seen, "an event changes no file");
    }

    #[test]
    fn an_index_with_rows_of_a_file_that_it_does_not_have_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let settled = [settled("tickets/a.md", TICKET)];
        Store::open(dir.path()).unwrap().put_settled(Timestamp::UNIX_EPOCH, &settled).unwrap();
        // As a flipped bit does it: every page is in order.
        let index = rusqlite::Connection::open(dir.path().join("index.db")).unwrap();
        index.execute_batch("PRAGMA foreign_keys = OFF; UPDATE files SET path = 'tickets/b.md'").unwrap();
        drop(index);
        let store = Store::open(dir.path()).unwrap();
        assert!(dir.path().join("index.db.damaged").exists());
        store.index_settled(None, &settled).unwrap();
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

mod damaged {
    use super::*;
    use rusqlite::Connection;

    /// A closed store with three events, an entry in its outbox and a note.
    fn store() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.append(Timestamp::UNIX_EPOCH, &Actor::named("vim"), changes(3)).unwrap();
        store.outbox_put(&entry("create", 1)).unwrap();
        store.set_meta("k", "1").unwrap();
        dir
    }

    fn in_journal(dir: &Path, statements: &str) {
        let journal = Connection::open(dir.join("journal.db")).unwrap();
        journal.execute_batch(statements).unwrap();
    }

    /// Opens what was damaged; answers the number of its next event.
    #[track_caller]
    fn next_number(dir: &Path) -> u64 {
        let store = Store::open(dir).unwrap();
        store.append(Timestamp::UNIX_EPOCH, &Actor::named("vim"), changes(1)).unwrap()[0].seq
    }

    #[track_caller]
    fn is_set_aside(dir: &Path) {
        assert_eq!(next_number(dir), 4, "numbers go on");
        let store = Store::open(dir).unwrap();
        assert!(dir.join("journal.db.damaged").exists());
        assert!(store.notes()[0].contains("journal.db.damaged"), "{:?}", store.notes());
        assert!(store.needs_adoption().unwrap());
        assert_eq!(store.events(0, 10).unwrap().iter().map(|event| event.seq).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn a_journal_whose_event_has_another_number_is_set_aside() {
        let dir = store();
        in_journal(dir.path(), "UPDATE events SET seq = 9 WHERE seq = 3");
        assert_eq!(next_number(dir.path()), 10, "a number that may have been seen is not given again");
        assert!(dir.path().join("journal.db.damaged").exists());
    }

    #[test]
    fn a_journal_that_lost_events_or_has_what_cannot_be_read_is_set_aside() {
        for statements in [
            "DELETE FROM events WHERE seq = 2",
            "DELETE FROM events WHERE seq = 3; UPDATE sqlite_sequence SET seq = 2 WHERE name = 'events'",
            "UPDATE events SET change = '{' WHERE seq = 1",
            "UPDATE outbox SET entry = 'x'",
            "INSERT INTO settled VALUES ('../up', '', NULL)",
            "INSERT INTO settled VALUES ('a.md', '', 'ticket')",
            "DROP INDEX outbox_waiting",
        ] {
            let dir = store();
            in_journal(dir.path(), statements);
            is_set_aside(dir.path());
        }
    }

    #[test]
    fn the_outbox_is_taken_over() {
        let dir = store();
        in_journal(dir.path(), "DELETE FROM events WHERE seq = 2");
        let entries = Store::open(dir.path()).unwrap().outbox().unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].intent, entries[0].attempts), (Some(uuid::Uuid::from_u128(7)), 1));
    }

    #[test]
    fn a_journal_that_is_no_database_or_is_cut_off_is_set_aside() {
        for keep in [0..1, 0..100, 0..4096, 0..9000, 7..5000] {
            let dir = store();
            let file = dir.path().join("journal.db");
            let bytes = std::fs::read(&file).unwrap();
            std::fs::write(&file, &bytes[keep]).unwrap();
            is_set_aside(dir.path());
        }
    }

    #[test]
    fn a_journal_with_a_table_or_an_index_of_the_wrong_kind_is_set_aside() {
        const PAGE: usize = 4096;
        let first_pages = |dir: &Path| -> Vec<usize> {
            let journal = Connection::open(dir.join("journal.db")).unwrap();
            let mut statement = journal.prepare("SELECT rootpage FROM sqlite_master WHERE rootpage > 0").unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let pages = first_pages(store().path());
        assert!(pages.len() > 5);
        for page in pages {
            let dir = store();
            in_journal(dir.path(), "DELETE FROM outbox");
            let file = dir.path().join("journal.db");
            let mut bytes = std::fs::read(&file).unwrap();
            // A leaf of a table is one of an index, and the other way round; most of them are empty.
            bytes[(page - 1) * PAGE] ^= 0x0a ^ 0x0d;
            std::fs::write(&file, bytes).unwrap();
            is_set_aside(dir.path());
        }
    }

    #[test]
    fn numbers_go_on_when_the_journal_is_gone() {
        let dir = store();
        std::fs::remove_file(dir.path().join("journal.db")).unwrap();
        drop(Store::open(dir.path()).unwrap());
        assert_eq!(next_number(dir.path()), 4);
        assert!(Store::open(dir.path()).unwrap().notes().is_empty());
    }

    #[test]
    fn every_journal_that_is_set_aside_is_kept() {
        let dir = store();
        for count in 1..=2 {
            std::fs::write(dir.path().join("journal.db"), "no database").unwrap();
            assert_eq!(Store::open(dir.path()).unwrap().notes().len(), count);
        }
    }

    #[test]
    fn a_second_process_sets_nothing_aside() {
        let dir = store();
        let first = Store::open(dir.path()).unwrap();
        in_journal(dir.path(), "UPDATE events SET seq = 9 WHERE seq = 3");
        drop(Store::open(dir.path()).unwrap());
        assert!(first.notes().is_empty());
    }
}
