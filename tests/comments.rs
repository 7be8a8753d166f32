//! Comments after they were made: edited and deleted by whoever wrote them, and by nobody else.

#[path = "support/world.rs"]
mod world;

use std::sync::Arc;
use trackfs::{
    domain::{
        document::Document,
        event::Change,
        issue::{Field, FieldValue, IssueFields, RemoteComment},
    },
    remote::simulator::{Flavour, Simulator},
    sync::{Action, Options, Report, SyncError, Syncer},
    workspace::config::SyncConfig,
};
use world::{World, ws};

fn linear() -> Arc<Simulator> {
    Arc::new(Simulator::new("there", Flavour::Linear { team: "ENG".into() }))
}

fn github() -> Arc<Simulator> {
    Arc::new(Simulator::new("there", Flavour::Github))
}

/// A ticket in step with its issue, under which we and bob have said something.
struct Discussion {
    world: World,
    simulator: Arc<Simulator>,
    syncer: Syncer,
    key: String,
}

impl Discussion {
    fn on(simulator: Arc<Simulator>) -> Self {
        Self::within(simulator, SyncConfig::default())
    }

    fn within(simulator: Arc<Simulator>, limits: SyncConfig) -> Self {
        let world = World::new();
        let syncer = world.remote_in("there", &simulator, "tickets", limits);
        let key = simulator.add(&IssueFields::from([(Field::Title, FieldValue::text("Login fails"))])).key;
        simulator.edit(&key, |issue| issue.comments.push(by_bob("Seen on Safari too."))).unwrap();
        world.cycle(&syncer);
        world.write(&format!("tickets/{key}/comments/mine.md"), "one\n\ntwo\n\nthree\n");
        let discussion = Self { world, simulator, syncer, key };
        discussion.rest();
        discussion
    }

    fn file(&self, name: &str) -> String {
        format!("tickets/{}/comments/{name}", self.key)
    }

    fn rest(&self) {
        (0..3).for_each(|_| drop(self.world.cycle(&self.syncer)));
    }

    /// What the tracker has: author and text of each comment.
    fn there(&self) -> Vec<(String, String)> {
        let issue = self.simulator.issues().remove(0);
        issue.comments.into_iter().map(|comment| (comment.author, comment.body)).collect()
    }

    fn writes(&self) -> Vec<String> {
        self.simulator.writes()
    }

    fn edit_ours_there(&self, from: &str, to: &str) {
        self.simulator.edit(&self.key, |issue| {
            let ours = issue.comments.iter_mut().find(|comment| comment.author == "you").unwrap();
            ours.body = ours.body.replace(from, to);
        });
    }
}

fn by_bob(body: &str) -> RemoteComment {
    let at = "2026-01-01T00:00:00Z".to_owned();
    RemoteComment { id: "bobs".into(), author: "bob".into(), created_at: at.clone(), updated_at: at, body: body.into() }
}

#[test]
fn an_own_comment_follows_its_file() {
    for simulator in [linear(), github()] {
        let scene = Discussion::on(simulator);
        scene.world.edit(&scene.file("mine.md"), "two", "two and a half");
        let report = scene.world.cycle(&scene.syncer);
        assert_eq!(report.pushed[0].what, ["comment edited"]);
        assert_eq!(scene.there()[1], ("you".into(), "one\n\ntwo and a half\n\nthree".into()));
        assert_eq!(scene.world.cycle(&scene.syncer), Report::default());
        assert_eq!(scene.writes().iter().filter(|write| write.starts_with("edit comment")).count(), 1);
    }
}

#[test]
fn edits_of_different_paragraphs_of_an_own_comment_merge() {
    for simulator in [linear(), github()] {
        let scene = Discussion::on(simulator);
        scene.world.edit(&scene.file("mine.md"), "one", "one here");
        scene.edit_ours_there("three", "three there");
        scene.rest();
        assert_eq!(scene.there()[1].1, "one here\n\ntwo\n\nthree there");
        assert!(scene.world.read(&scene.file("mine.md")).ends_with("---\none here\n\ntwo\n\nthree there\n"));
        assert_eq!(scene.world.cycle(&scene.syncer), Report::default());
    }
}

#[test]
fn edits_of_one_line_of_an_own_comment_are_a_conflict_and_nothing_is_sent() {
    let scene = Discussion::on(github());
    scene.world.edit(&scene.file("mine.md"), "two", "two here");
    scene.edit_ours_there("two", "two there");
    let before = scene.writes();
    scene.rest();
    assert_eq!(scene.syncer.conflicts().unwrap()[0].field, "comments/mine.md");
    assert_eq!(scene.writes(), before);
}

#[test]
fn somebody_elses_comment_that_was_edited_here_is_a_problem_and_never_sent() {
    for simulator in [linear(), github()] {
        let scene = Discussion::on(simulator);
        let (theirs, before) = (scene.file("1-bob.md"), scene.writes());
        scene.world.edit(&theirs, "Seen", "Never seen");
        let report = scene.world.cycle(&scene.syncer);
        assert!(report.refused[0].reason.contains("the comment is by bob"), "{report:?}");
        assert_eq!(scene.world.cycle(&scene.syncer), Report::default(), "it is told once");
        let problem = scene.syncer.problems().unwrap().remove(0);
        assert_eq!(problem.path, ws(&theirs));
        assert!(problem.message.contains("only its author changes it"), "{problem}");
        assert_eq!((scene.there()[0].1.as_str(), scene.writes()), ("Seen on Safari too.", before));

        scene.world.edit(&theirs, "Never seen", "Seen");
        scene.rest();
        assert_eq!((scene.syncer.problems().unwrap(), scene.world.store.outbox().unwrap()), (vec![], vec![]));
    }
}

#[test]
fn an_own_comment_whose_file_is_removed_is_deleted_when_that_is_committed() {
    for simulator in [linear(), github()] {
        let scene = Discussion::on(simulator);
        scene.world.remove(&scene.file("mine.md"));
        scene.world.settler.settle_now().unwrap();
        scene.syncer.sync(Options::default()).unwrap();
        assert_eq!(scene.there().len(), 2, "the file may come back before the next commit");

        let report = scene.world.cycle(&scene.syncer);
        assert_eq!(report.pushed[0].what, ["comment deleted"]);
        assert_eq!(scene.there(), [("bob".to_owned(), "Seen on Safari too.".to_owned())]);
        scene.rest();
        assert_eq!(scene.world.files(&scene.file("").replace("comments/", "comments")), ["1-bob.md"]);
        assert_eq!(scene.writes().iter().filter(|write| write.starts_with("delete comment")).count(), 1);
        assert_eq!(scene.world.store.outbox().unwrap(), []);
    }
}

#[test]
fn somebody_elses_comment_that_is_removed_here_stays_there_and_stays_away() {
    for simulator in [linear(), github()] {
        let scene = Discussion::on(simulator);
        scene.world.remove(&scene.file("1-bob.md"));
        scene.rest();
        scene.simulator.edit(&scene.key, |issue| issue.comments[0].body = "Seen on Firefox too.".into());
        scene.rest();
        assert_eq!(scene.there()[0].1, "Seen on Firefox too.");
        assert!(!scene.world.exists(&scene.file("1-bob.md")));
        assert_eq!(scene.world.store.outbox().unwrap(), []);
    }
}

#[test]
fn an_own_comment_removed_here_and_edited_there_comes_back() {
    let scene = Discussion::on(linear());
    scene.world.remove(&scene.file("mine.md"));
    scene.edit_ours_there("two", "two there");
    scene.rest();
    assert_eq!(scene.there().len(), 2);
    let back = scene.file("2-you.md");
    assert!(scene.world.read(&back).ends_with("---\none\n\ntwo there\n\nthree\n"));

    scene.world.remove(&back);
    scene.rest();
    assert_eq!(scene.there().len(), 1, "removing it again deletes it");
}

#[test]
fn a_comment_that_moves_with_its_ticket_is_not_deleted() {
    let scene = Discussion::on(github());
    scene.world.rename(&format!("tickets/{}.md", scene.key), "tickets/moved.md");
    scene.world.settle();
    std::fs::create_dir_all(scene.world.path("tickets/moved/comments")).unwrap();
    for name in ["mine.md", "1-bob.md"] {
        scene.world.rename(&scene.file(name), &format!("tickets/moved/comments/{name}"));
    }
    scene.rest();
    assert_eq!(scene.there().len(), 2);
    scene.world.edit("tickets/moved/comments/mine.md", "two", "deux");
    scene.rest();
    assert_eq!(scene.there()[1].1, "one\n\ndeux\n\nthree");
}

#[test]
fn deletions_of_comments_count_as_removals() {
    let scene = Discussion::within(linear(), SyncConfig { max_removals: 1, ..SyncConfig::default() });
    scene.world.write(&scene.file("second.md"), "And another thing.\n");
    scene.rest();
    ["mine.md", "second.md"].iter().for_each(|name| scene.world.remove(&scene.file(name)));
    let report = scene.world.cycle(&scene.syncer);
    assert_eq!(report.held.iter().map(|row| row.action).collect::<Vec<_>>(), [Action::Delete, Action::Delete]);
    assert_eq!(scene.there().len(), 3);
    scene.syncer.sync(Options { yes: true, ..Options::default() }).unwrap();
    assert_eq!(scene.there().len(), 1);
}

#[test]
fn an_emptied_comment_is_refused_and_says_how_to_delete_it() {
    let scene = Discussion::on(github());
    let file = scene.file("mine.md");
    let mut document = Document::parse(scene.world.read(&file).as_bytes());
    document.set_body(b"\n");
    scene.world.write(&file, std::str::from_utf8(document.bytes()).unwrap());
    scene.rest();
    assert_eq!(scene.there()[1].1, "one\n\ntwo\n\nthree");
    let problem = scene.syncer.problems().unwrap().remove(0);
    assert!(problem.message.contains("to delete it, remove its file"), "{problem}");
}

#[test]
fn an_edit_and_a_deletion_cut_off_anywhere_happen_once() {
    for simulator in [linear as fn() -> Arc<Simulator>, github] {
        for step in ["edit.sent", "edit.answered", "edit.tracked", "delete.sent", "delete.answered", "delete.tracked"] {
            let scene = Discussion::on(simulator());
            scene.world.write(&scene.file("second.md"), "And another thing.\n");
            scene.rest();
            scene.world.edit(&scene.file("mine.md"), "two", "two and a half");
            scene.world.remove(&scene.file("second.md"));
            scene.world.settle();
            let Discussion { world, simulator, syncer, key } = scene;
            drop(syncer);
            let cut = world.remote("there", &simulator).with_fault_point(Box::new(move |now| now == step));
            assert!(matches!(cut.sync(Options::default()), Err(SyncError::CutOff(at)) if at == step));

            let scene = Discussion { syncer: world.remote("there", &simulator), world, simulator, key };
            scene.rest();
            let expected = [("bob", "Seen on Safari too."), ("you", "one\n\ntwo and a half\n\nthree")];
            assert_eq!(scene.there(), expected.map(|(author, body)| (author.to_owned(), body.to_owned())), "{step}");
            assert_eq!(scene.world.store.outbox().unwrap(), [], "{step}");
            let pushed =
                |change: &Change| matches!(change, Change::Pushed { what, .. } if what[0].starts_with("comment "));
            assert!(scene.world.events().iter().filter(|change| pushed(change)).count() <= 2, "{step}");
            assert_eq!(scene.world.cycle(&scene.syncer), Report::default(), "{step}");
        }
    }
}
