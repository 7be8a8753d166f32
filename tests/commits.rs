//! What a commit says of itself when something goes on while it is made.

mod support;

use std::sync::Arc;
use support::Workspace;
use trackfs::{
    daemon::{Engine, Location, Lock},
    domain::{op::Actor, path::WsPath},
};

/// A workspace whose engine this process has.
struct Office {
    workspace: Workspace,
    engine: Arc<Engine>,
}

impl Office {
    fn new() -> Self {
        let workspace = Workspace::new();
        let at = Location::discover(&workspace.dir).unwrap();
        at.make_state().unwrap();
        let lock = Lock::wait(&at, || false).unwrap().expect("nobody else has it");
        let engine = Arc::new(Engine::open(&at, lock).unwrap());
        engine.catch_up().unwrap();
        let office = Self { workspace, engine };
        office.engine.settler.settle_now().unwrap();
        office.commit();
        office
    }

    fn write(&self, path: &str, text: &str) {
        self.workspace.write(path, text);
        self.engine.settler.touch(&WsPath::new(path).unwrap(), &Actor::named("vim"));
    }

    /// Answers the whole message; empty where nothing was committed.
    fn commit(&self) -> String {
        let commit = self.engine.commit(None).unwrap().commit;
        commit.map(|_| self.engine.repo.log(None, 1).unwrap().remove(0).message).unwrap_or_default()
    }
}

fn ticket(title: &str) -> String {
    format!("---\ntitle: {title}\n---\n")
}

#[test]
fn what_was_touched_again_before_a_commit_is_told_by_the_next() {
    let office = Office::new();
    office.write("tickets/a.md", &ticket("One"));
    office.write("tickets/b.md", &ticket("Other"));
    office.engine.settler.settle_now().unwrap();
    office.write("tickets/a.md", &ticket("Two"));
    let first = office.commit();
    assert!(first.contains("Other") && !first.contains("One"), "{first}");
    office.engine.settler.settle_now().unwrap();
    office.write("tickets/b.md", &ticket("Another"));
    office.engine.settler.settle_now().unwrap();
    let second = office.commit();
    assert!(second.starts_with("new ticket a: Two; b: title Other → Another\n"), "{second}");
    assert!(second.contains("Trackfs-Events: 3"), "made, renamed, and the other renamed: {second}");
    assert_eq!(office.commit(), "");
}

#[test]
fn what_may_not_be_committed_yet_is_told_when_it_may() {
    let office = Office::new();
    let token = ["ghp", "_", "0123456789abcdefghijABCDEFGHIJ012345"].concat();
    office.write("tickets/a.md", &format!("{}{token}\n", ticket("Held")));
    office.write("tickets/b.md", &ticket("Other"));
    office.engine.settler.settle_now().unwrap();
    let first = office.commit();
    assert!(first.contains("Other") && !first.contains("Held"), "{first}");
    office.write("tickets/a.md", &ticket("Held"));
    office.engine.settler.settle_now().unwrap();
    let second = office.commit();
    assert!(second.contains("Held") && !second.contains("Other"), "{second}");
}
