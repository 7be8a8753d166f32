//! Saves that come while a new index is filled.

use super::*;
use crate::{domain::snapshot::ContentHash, workspace::settle::adopt::AT_ONCE};
use std::collections::{BTreeMap, HashMap};

/// What a commit holds, named by hash.
struct Commit(HashMap<String, Vec<u8>>);

impl Content for Commit {
    fn id_of(&self, bytes: &[u8]) -> String {
        ContentHash::of(bytes).0
    }

    fn read(&self, id: &str) -> Result<Vec<u8>, StoreError> {
        Ok(self.0[id].clone())
    }
}

/// Puts these tickets into the work tree, as they were committed.
fn committed(place: &Place, names: &[String]) -> (BTreeMap<WsPath, String>, Arc<Commit>) {
    let mut commit = Commit(HashMap::new());
    let mut files = BTreeMap::new();
    for name in names {
        let text = ticket(name).into_bytes();
        let file = format!("tickets/{name}.md");
        fs::create_dir_all(place.real(&file).parent().unwrap()).unwrap();
        fs::write(place.real(&file), &text).unwrap();
        files.insert(path(&file), commit.id_of(&text));
        commit.0.insert(commit.id_of(&text), text);
    }
    (files, Arc::new(commit))
}

fn adopting(place: &Place, files: &BTreeMap<WsPath, String>, commit: &Arc<Commit>) {
    if !place.store.is_adopting().unwrap() {
        place.store.begin_adoption(Vec::new()).unwrap();
    }
    place.settler.adopt(files.clone(), commit.clone()).unwrap();
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{}/t{number}", number % 3)).collect()
}

#[test]
fn a_file_of_the_last_commit_is_never_told_of_as_new_however_early_it_is_saved() {
    let place = Place::new();
    let (files, commit) = committed(&place, &names(30));
    adopting(&place, &files, &commit);
    place.save("tickets/0/t0.md", &ticket("edited"));
    place.unlink("tickets/0/t3.md");
    place.rename("tickets/0/t6.md", "tickets/0/u.md");
    place.rename("tickets/1", "tickets/one");
    place.save("tickets/new.md", &ticket("new"));
    let mut changes = place.settle();
    let moved_away = changes.extract_if(.., |change| matches!(change, Change::TicketMoved { .. })).count();
    assert_eq!(moved_away, 11, "ten with their folder, and one");
    assert_eq!(
        changes,
        [
            retitled("tickets/0/t0.md", "0/t0", "edited"),
            removed("tickets/0/t3.md", "0/t3"),
            created("tickets/new.md", "new")
        ]
    );
    let told = place.log().len();
    fs::write(place.real("tickets/2/t2.md"), ticket("edited before")).unwrap();
    place.settler.catch_up().unwrap();
    assert_eq!(place.settle(), [retitled("tickets/2/t2.md", "2/t2", "edited before")]);
    assert_eq!(place.log().len(), told + 1);
    assert_eq!(place.store.ticket_count().unwrap(), 30);
    assert!(!place.store.needs_adoption().unwrap());
}

#[test]
fn an_adoption_that_was_interrupted_goes_on_and_tells_nothing_twice() {
    let place = Place::new();
    let (files, commit) = committed(&place, &names(2 * AT_ONCE));
    adopting(&place, &files, &commit);
    place.save("tickets/2/t2.md", &ticket("edited"));
    place.unlink("tickets/1/t1.md");
    place.settle();
    place.settler.interrupt();
    place.settler.catch_up().unwrap();
    assert!(place.store.needs_adoption().unwrap());
    assert_eq!(place.store.ticket_count().unwrap(), 1);
    let place = place.reopen(|_| ());
    adopting(&place, &files, &commit);
    place.settler.catch_up().unwrap();
    assert_eq!(place.settle(), []);
    let log = place.log();
    assert_eq!(log.len(), 2);
    assert_eq!(log, [removed("tickets/1/t1.md", "1/t1"), retitled("tickets/2/t2.md", "2/t2", "edited")]);
    assert_eq!(place.store.ticket_count().unwrap(), 2 * AT_ONCE - 1);
}

#[test]
fn many_new_files_are_told_once_each_while_some_of_them_are_saved() {
    let place = Place::new();
    let names = names(3 * AT_ONCE);
    committed(&place, &names);
    std::thread::scope(|scope| {
        scope.spawn(|| place.settler.run());
        let _stop = Stop(&place.settler);
        let scan = scope.spawn(|| place.settler.scan().unwrap());
        for name in names.iter().step_by(100) {
            place.save(&format!("tickets/{name}.md"), &ticket(&format!("{name} saved")));
        }
        assert_eq!(scan.join().unwrap().gone, 0);
        wait_for(|| place.store.ticket_count().unwrap() == names.len());
    });
    let log = place.log();
    let created: Vec<_> = log.iter().filter(|change| matches!(change, Change::TicketCreated { .. })).collect();
    assert_eq!(created.len(), names.len());
    let mut saved = 0;
    place.store.each_ticket(|_, ticket, _| saved += usize::from(ticket.title.ends_with("saved"))).unwrap();
    assert_eq!(saved, names.len() / 100);
}

#[test]
fn how_far_it_is_can_be_asked_while_it_is_under_way() {
    let place = Place::new();
    let (files, commit) = committed(&place, &names(2 * AT_ONCE));
    adopting(&place, &files, &commit);
    assert_eq!(place.settler.indexing(), None);
    std::thread::scope(|scope| {
        let _passing = place.settler.passing.lock();
        let work = scope.spawn(|| place.settler.catch_up().unwrap());
        wait_for(|| place.settler.indexing() == Some(Progress { done: 0, total: 2 * AT_ONCE }));
        drop(_passing);
        work.join().unwrap();
    });
    assert_eq!(place.settler.indexing(), None);
}
