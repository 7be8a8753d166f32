//! A tracker's documents and projects as specs: found by identity, merged as tickets are, and never mistaken for them.

#[path = "support/world.rs"]
mod world;

use std::sync::Arc;
use trackfs::{
    domain::issue::{Field, FieldValue, IssueFields, ObjectKind, RemoteIssue},
    remote::simulator::{Flavour, Simulator},
    sync::{Report, Syncer},
    workspace::config::{RemoteConfig, RemoteKind, SyncConfig},
};
use world::{World, ws};

const DOCUMENT: &str = "specs/eng/launch/sign-in.md";
const PROJECT: &str = "specs/eng/launch.md";

struct Scene {
    world: World,
    simulator: Arc<Simulator>,
    eng: Syncer,
}

fn fields(title: &str, body: &str, project: Option<&str>) -> IssueFields {
    let fields = [(Field::Title, FieldValue::text(title)), (Field::Body, FieldValue::text(body))];
    fields.into_iter().chain(project.map(|name| (Field::Project, FieldValue::text(name)))).collect()
}

impl Scene {
    /// A document of the project Launch, and that project; nothing is pulled yet.
    fn new() -> Self {
        let simulator = Simulator::new("eng", Flavour::Linear { team: "ENG".into() }).with_documents();
        let (world, simulator) = (World::new(), Arc::new(simulator));
        simulator.add_text(ObjectKind::Document, &fields("Sign-in", "* one\n* two\n\nEnd.", Some("Launch")));
        simulator.add_text(ObjectKind::Project, &fields("Launch", "What it is about.", None));
        let eng = Self::syncer(&world, &simulator, Some("specs/eng"));
        Self { world, simulator, eng }
    }

    fn pulled() -> Self {
        let scene = Self::new();
        (0..2).for_each(|_| drop(scene.cycle()));
        scene
    }

    fn syncer(world: &World, simulator: &Arc<Simulator>, documents: Option<&str>) -> Syncer {
        let documents = documents.map(ws);
        let config = RemoteConfig { documents, ..RemoteConfig::new(RemoteKind::Simulator, ws("tickets")) };
        world.syncer_of("eng", config, simulator.clone(), SyncConfig::default(), Default::default())
    }

    fn cycle(&self) -> Report {
        self.world.cycle(&self.eng)
    }

    fn there(&self, key: &str) -> RemoteIssue {
        self.simulator.issues().into_iter().find(|object| object.key == key).unwrap_or_else(|| panic!("no {key}"))
    }

    fn text(&self, key: &str, field: Field) -> String {
        self.there(key).fields[&field].as_text().unwrap_or_default().to_owned()
    }

    fn edit_there(&self, key: &str, field: Field, text: &str) {
        self.simulator.edit(key, |object| drop(object.fields.insert(field, FieldValue::text(text)))).unwrap();
    }
}

#[test]
fn documents_and_projects_are_specs_with_their_titles_for_names() {
    let scene = Scene::pulled();
    let (document, project) = (scene.world.read(DOCUMENT), scene.world.read(PROJECT));
    assert_eq!(
        document, "---\ntitle: Sign-in\nproject: Launch\nsync: {eng: doc-1}\n---\n* one\n* two\n\nEnd.\n",
        "{document}"
    );
    assert_eq!(project, "---\ntitle: Launch\nsync: {eng: project-2}\n---\nWhat it is about.\n", "{project}");
    assert!(scene.world.files("tickets").is_empty());
    assert_eq!(scene.cycle(), Report::default());
    assert!(scene.simulator.writes().is_empty());
}

#[test]
fn an_edit_on_either_side_crosses_and_edits_of_both_are_merged() {
    let scene = Scene::pulled();
    scene.world.edit(DOCUMENT, "End.", "Ende.");
    scene.edit_there("doc-1", Field::Body, "* eins\n* two\n\nEnd.");
    (0..2).for_each(|_| drop(scene.cycle()));
    assert!(scene.world.read(DOCUMENT).ends_with("---\n* eins\n* two\n\nEnde.\n"), "{}", scene.world.read(DOCUMENT));
    assert_eq!(scene.text("doc-1", Field::Body), "* eins\n* two\n\nEnde.");

    scene.world.edit(PROJECT, "title: Launch", "title: Liftoff");
    scene.edit_there("project-2", Field::Body, "All about it.");
    (0..2).for_each(|_| drop(scene.cycle()));
    assert_eq!(scene.text("project-2", Field::Title), "Liftoff");
    assert!(scene.world.read(PROJECT).contains("All about it."));
    assert_eq!(scene.simulator.writes(), ["update doc-1: body", "update project-2: title"]);
}

#[test]
fn what_both_changed_differently_is_a_conflict_as_of_a_ticket() {
    let scene = Scene::pulled();
    scene.world.edit(DOCUMENT, "title: Sign-in", "title: Logging in");
    scene.edit_there("doc-1", Field::Title, "Login");
    let report = scene.cycle();
    let conflict = &report.conflicts[0];
    assert_eq!((conflict.path.as_str(), &*conflict.key, &*conflict.field), (DOCUMENT, "doc-1", "title"));
    assert!(scene.world.read(DOCUMENT).contains("title: Logging in"));
    assert_eq!(scene.text("doc-1", Field::Title), "Login");
}

#[test]
fn a_new_spec_in_the_folder_becomes_a_document_once_and_only_where_it_can_be_one() {
    let scene = Scene::pulled();
    scene.world.write("specs/eng/rollout.md", "---\nproject: Launch\n---\n# Rollout\n\nSlowly.\n");
    scene.world.write("specs/elsewhere.md", "# Stays here\n");
    scene.world.write("specs/asked.md", "---\nproject: Launch\nsync: {eng: new}\n---\n# Asked for\n");
    scene.world.write("specs/eng/nowhere.md", "# In no project\n");
    scene.world.write("specs/eng/figures.csv", "---\nproject: Launch\n---\na,b\n");
    let report = scene.cycle();
    assert_eq!(report.refused.len(), 1, "{report:?}");
    let refused = &report.refused[0];
    assert_eq!(refused.path.as_ref().map(|path| path.as_str()), Some("specs/eng/nowhere.md"));
    assert!(refused.reason.contains("project"), "{refused:?}");
    (0..3).for_each(|_| drop(scene.cycle()));
    assert_eq!(scene.simulator.writes(), ["create doc-3", "create doc-4"]);
    assert!(
        scene.world.read("specs/asked.md").contains("sync: {eng: doc-3}"),
        "{}",
        scene.world.read("specs/asked.md")
    );
    assert!(scene.world.read("specs/eng/rollout.md").contains("sync: {eng: doc-4}"));
    assert_eq!(scene.text("doc-4", Field::Title), "Rollout");
    assert_eq!(scene.world.read("specs/elsewhere.md"), "# Stays here\n");
}

#[test]
fn a_document_belongs_to_the_issue_that_its_spec_names() {
    let scene = Scene::pulled();
    scene.world.write("tickets/login.md", "---\ntitle: Login fails\nstatus: todo\n---\n");
    scene.world.write("specs/eng/why.md", "---\ntitle: Why\nparent: login\n---\nBecause.\n");
    (0..3).for_each(|_| drop(scene.cycle()));
    let issue = scene.simulator.issues().into_iter().find(|object| !object.kind().is_text()).unwrap();
    assert_eq!(scene.text("doc-4", Field::Parent), issue.key);
    assert!(scene.world.read("specs/eng/why.md").contains("parent: login\n"));
    assert_eq!(scene.cycle(), Report::default());
}

#[test]
fn a_removed_spec_puts_its_document_into_the_trash_and_leaves_its_project_alone() {
    let scene = Scene::pulled();
    scene.world.remove(DOCUMENT);
    scene.world.remove(PROJECT);
    (0..3).for_each(|_| drop(scene.cycle()));
    assert_eq!(scene.simulator.writes(), ["archive doc-1"]);
    assert!(scene.there("doc-1").archived && !scene.there("project-2").archived);
    // It was parted from: what happens to it there is no reason to write its file again.
    scene.edit_there("project-2", Field::Body, "Changed since.");
    (0..2).for_each(|_| drop(scene.cycle()));
    assert!(!scene.world.exists(PROJECT) && !scene.world.exists(DOCUMENT));
}

#[test]
fn a_moved_spec_keeps_its_document_and_one_among_the_tickets_waits() {
    let scene = Scene::pulled();
    scene.world.rename(DOCUMENT, "specs/how-to-log-in.md");
    scene.cycle();
    scene.edit_there("doc-1", Field::Body, "New.");
    scene.cycle();
    assert!(scene.world.read("specs/how-to-log-in.md").ends_with("New.\n"));
    scene.world.rename("specs/how-to-log-in.md", "tickets/how-to-log-in.md");
    scene.edit_there("doc-1", Field::Body, "Newer.");
    let report = scene.cycle();
    assert!(report.deferred.iter().any(|trouble| trouble.reason.contains("no specs are")), "{report:?}");
    assert!(!scene.world.read("tickets/how-to-log-in.md").contains("Newer"));
    assert!(scene.simulator.writes().is_empty());
    scene.world.rename("tickets/how-to-log-in.md", DOCUMENT);
    (0..2).for_each(|_| drop(scene.cycle()));
    assert!(scene.world.read(DOCUMENT).ends_with("Newer.\n"));
}

#[test]
fn without_the_setting_nothing_of_them_is_read_sent_or_taken_for_removed() {
    let scene = Scene::pulled();
    let quiet = Arc::new(Simulator::new("eng", Flavour::Linear { team: "ENG".into() }));
    let without = Scene::syncer(&scene.world, &quiet, None);
    scene.world.edit(DOCUMENT, "End.", "Ende.");
    scene.world.remove(PROJECT);
    scene.world.later(60 * 60 * 48);
    (0..2).for_each(|_| drop(scene.world.cycle(&without)));
    assert!(quiet.writes().is_empty());
    // Switched on again, everything goes on as it was left.
    (0..2).for_each(|_| drop(scene.cycle()));
    assert_eq!(scene.simulator.writes(), ["update doc-1: body"]);
}

#[test]
fn what_is_there_when_the_setting_comes_is_read_although_nothing_changed_since() {
    let scene = Scene::new();
    let quiet = Simulator::new("eng", Flavour::Linear { team: "ENG".into() });
    let issue = quiet.add(&fields("Later than all", "", None));
    let without = Scene::syncer(&scene.world, &Arc::new(quiet), None);
    scene.world.cycle(&without);
    assert!(scene.world.exists(&format!("tickets/{}.md", issue.key)) && !scene.world.exists("specs/eng"));
    scene.cycle();
    assert!(scene.world.exists(DOCUMENT) && scene.world.exists(PROJECT));
}
