//! The engine against a simulated tracker: files, index, git and remote are the real ones, on a temporary folder.

#[path = "support/world.rs"]
mod world;

use proptest::prelude::*;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use trackfs::{
    domain::{
        document::Document,
        event::Change,
        issue::{Capabilities, Field, FieldValue, IssueFields, ObjectKind, RemoteComment, RemoteIssue},
    },
    remote::{
        Budget, Lost, Page, PageToken, Patch, Provider, RemoteError, Search,
        simulator::{Fault, Flavour, Simulator},
    },
    sync::{Action, HealthState, Options, Report, Side, SyncError, Syncer, Word},
    workspace::{
        config::{RemoteConfig, RemoteKind, SyncConfig},
        store::OutboxState,
    },
};
use uuid::Uuid;
use world::{World, ws};

fn linear() -> Arc<Simulator> {
    Arc::new(Simulator::new("linear", Flavour::Linear { team: "ENG".into() }))
}

fn github() -> Arc<Simulator> {
    Arc::new(Simulator::new("github", Flavour::Github))
}

fn titled(title: &str) -> IssueFields {
    IssueFields::from([(Field::Title, FieldValue::text(title))])
}

fn text(issue: &RemoteIssue, field: Field) -> &str {
    issue.fields[&field].as_text().unwrap_or_default()
}

fn only(simulator: &Simulator) -> RemoteIssue {
    let mut issues = simulator.issues();
    assert_eq!(issues.len(), 1, "{issues:?}");
    issues.remove(0)
}

fn set(simulator: &Simulator, key: &str, field: Field, value: &str) {
    simulator.edit(key, |issue| drop(issue.fields.insert(field, FieldValue::text(value)))).expect("the issue is there");
}

/// A linked ticket, in step.
fn linked(world: &World, simulator: &Arc<Simulator>, name: &str) -> (Syncer, String) {
    let syncer = world.remote(name, simulator);
    let mut fields = titled("Login fails");
    fields.insert(Field::Body, FieldValue::text("one\n\ntwo\n\nthree"));
    let key = simulator.add(&fields).key;
    world.cycle(&syncer);
    world.cycle(&syncer);
    (syncer, key)
}

#[test]
fn a_pulled_issue_is_edited_and_pushed() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    let file = format!("tickets/{key}.md");
    assert!(world.read(&file).contains(&format!("sync: {{linear: {key}}}")), "{}", world.read(&file));
    assert!(simulator.writes().is_empty(), "{:?}", simulator.writes());

    world.edit(&file, "Login fails", "Sign-in fails");
    world.edit(&file, "two", "two and a half");
    let report = world.cycle(&syncer);
    let issue = only(&simulator);
    assert_eq!(text(&issue, Field::Title), "Sign-in fails");
    assert_eq!(text(&issue, Field::Body), "one\n\ntwo and a half\n\nthree");
    assert_eq!(report.pushed[0].what, ["title", "body"]);
    assert!(
        world.events().iter().any(|event| matches!(event, Change::Pushed { what, .. } if what == &["title", "body"]))
    );
}

/// The default schema without, and with, a field.
fn schema(line: &str) -> [String; 2] {
    let with = trackfs::domain::schema::DEFAULT_SCHEMA.to_owned();
    assert!(with.contains(line));
    [with.replace(line, ""), with]
}

#[test]
fn a_field_that_the_schema_gets_later_is_taken_and_not_cleared() {
    let (world, simulator) = (World::new(), linear());
    let [without, with] = schema("  due: date\n");
    world.write(".trackfs/schema.yaml", &without);
    world.settle();
    let (syncer, key) = linked(&world, &simulator, "linear");
    let file = format!("tickets/{key}.md");
    set(&simulator, &key, Field::Due, "2026-12-01");
    world.edit(&file, "Login fails", "Sign-in fails");
    world.cycle(&syncer);
    world.cycle(&syncer);
    assert!(!world.read(&file).contains("due:"), "{}", world.read(&file));
    assert_eq!(text(&only(&simulator), Field::Due), "2026-12-01");

    world.write(".trackfs/schema.yaml", &with);
    world.cycle(&syncer);
    world.cycle(&syncer);
    assert!(world.read(&file).contains("due: 2026-12-01"), "{}", world.read(&file));
    assert_eq!(simulator.writes(), [format!("update {key}: title")]);

    // What happened to it while the schema did without it is heard when the schema has it again, after a restart too: the
    // file has a date, the remote another, and nothing is agreed.
    world.write(".trackfs/schema.yaml", &without);
    world.cycle(&syncer);
    set(&simulator, &key, Field::Due, "2027-01-01");
    world.cycle(&syncer);
    world.write(".trackfs/schema.yaml", &with);
    let syncer = world.remote("linear", &simulator);
    world.cycle(&syncer);
    let conflicts = syncer.conflicts().unwrap();
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!((&conflicts[0].field[..], &conflicts[0].theirs), ("due", &FieldValue::text("2027-01-01")));
}

#[test]
fn what_a_ticket_is_filed_under_crosses_both_ways_and_only_where_it_can_be_said() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    let hub = github();
    let beside = world.remote("github", &hub);
    let file = format!("tickets/{key}.md");
    let filed = |simulator: &Simulator| {
        let issue = only(simulator);
        let named = |field| issue.fields.get(&field).and_then(FieldValue::as_text).unwrap_or("-").to_owned();
        [Field::Project, Field::Milestone, Field::Cycle].map(named)
    };
    let with_hub = format!("sync: {{linear: {key}, github: new}}");
    world.edit(
        &file,
        &format!("sync: {{linear: {key}}}"),
        &format!("project: launch\nmilestone: v1\ncycle: 2\n{with_hub}"),
    );
    world.cycle(&syncer);
    world.cycle(&beside);
    assert_eq!(filed(&simulator), ["Launch", "v1", "2"]);
    assert_eq!(filed(&hub), ["-", "v1", "-"], "GitHub has milestones alone");
    assert!(world.read(&file).contains("project: launch\nmilestone: v1\ncycle: 2\n"), "{}", world.read(&file));

    set(&simulator, &key, Field::Cycle, "3");
    set(&hub, "1", Field::Milestone, "v2");
    for _ in 0..2 {
        world.cycle(&beside);
        world.cycle(&syncer);
    }
    assert!(world.read(&file).contains("project: launch\nmilestone: v2\ncycle: 3\n"), "{}", world.read(&file));
    assert_eq!(filed(&simulator), ["Launch", "v2", "3"]);

    world.edit(&file, "milestone: v2\ncycle: 3\n", "");
    world.cycle(&beside);
    world.cycle(&syncer);
    assert_eq!(
        (filed(&simulator), filed(&hub)),
        (["Launch", "-", "-"].map(str::to_owned), ["-"; 3].map(str::to_owned))
    );
    assert_eq!((world.cycle(&syncer), world.cycle(&beside)), (Report::default(), Report::default()));
}

fn parent(simulator: &Simulator, title: &str) -> String {
    let titled = |issue: &&RemoteIssue| text(issue, Field::Title) == title;
    let issues = simulator.issues();
    text(issues.iter().find(titled).expect("there is such an issue"), Field::Parent).to_owned()
}

fn key(simulator: &Simulator, title: &str) -> String {
    let issues = simulator.issues();
    issues.iter().find(|issue| text(issue, Field::Title) == title).expect("there is such an issue").key.clone()
}

#[test]
fn a_parent_crosses_both_ways_and_is_called_by_its_file() {
    for simulator in [linear(), github()] {
        let world = World::new();
        let syncer = world.remote("there", &simulator);
        world.write("tickets/a-part.md", "---\ntitle: Part\nstatus: todo\nparent: epic\n---\n");
        world.write("tickets/epic.md", "---\ntitle: Epic\nstatus: todo\nparent: roadmap\n---\n");
        world.write("tickets/roadmap.md", "---\ntitle: Roadmap\nstatus: todo\n---\n");
        world.cycle(&syncer);
        assert_eq!(simulator.writes().len(), 3, "parents go first, so that nothing is sent twice");
        assert_eq!(parent(&simulator, "Part"), key(&simulator, "Epic"));
        assert_eq!(parent(&simulator, "Epic"), key(&simulator, "Roadmap"));
        assert_eq!(world.cycle(&syncer), Report::default());

        world.edit("tickets/epic.md", "parent: roadmap\n", "");
        set(&simulator, &key(&simulator, "Part"), Field::Parent, &key(&simulator, "Roadmap"));
        world.cycle(&syncer);
        assert_eq!(parent(&simulator, "Epic"), "");
        assert!(world.read("tickets/a-part.md").contains("parent: roadmap\n"), "{}", world.read("tickets/a-part.md"));
        assert_eq!(world.cycle(&syncer), Report::default());
    }
}

#[test]
fn a_parent_that_is_not_on_the_remote_stays_here_and_clears_nothing_there() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, part) = linked(&world, &simulator, "linear");
    let epic = simulator.add(&titled("Epic")).key;
    world.cycle(&syncer);
    world.cycle(&syncer);
    let file = format!("tickets/{part}.md");
    world.write("tickets/plan.md", "---\ntitle: Plan\nsync: {linear: none}\n---\n");
    world.edit(&file, "title:", "parent: plan\ntitle:");
    world.cycle(&syncer);
    assert_eq!(parent(&simulator, "Login fails"), "");

    // Somebody there sets a parent, and takes it off again.
    set(&simulator, &part, Field::Parent, &epic);
    world.cycle(&syncer);
    assert!(world.read(&file).contains(&format!("parent: {epic}\n")), "{}", world.read(&file));
    world.edit(&file, &epic, "plan");
    world.cycle(&syncer);
    assert_eq!(parent(&simulator, "Login fails"), epic, "what cannot be said there clears nothing there");
    simulator.edit(&part, |issue| drop(issue.fields.insert(Field::Parent, FieldValue::Text(None)))).unwrap();
    world.cycle(&syncer);
    assert!(world.read(&file).contains("parent: plan\n"), "{}", world.read(&file));

    // Once the parent is there, its children are told of it, although their files say what they said.
    world.edit("tickets/plan.md", "none", "new");
    world.cycle(&syncer);
    world.cycle(&syncer);
    assert_eq!(parent(&simulator, "Login fails"), key(&simulator, "Plan"));
    assert_eq!(world.cycle(&syncer), Report::default());
}

/// The keys that a field of an issue holds, in a row.
fn keys(simulator: &Simulator, title: &str, field: Field) -> String {
    let issue = simulator.issues().into_iter().find(|issue| text(issue, Field::Title) == title).unwrap();
    issue.fields[&field].members().join(" ")
}

#[test]
fn relations_cross_both_ways_by_members_and_are_called_by_their_files() {
    let (world, simulator) = (World::new(), linear());
    let syncer = world.remote("linear", &simulator);
    let relations = "blocked_by: [first, second]\nrelated: [second]\nduplicate_of: first\n";
    world.write("tickets/part.md", &format!("---\ntitle: Part\nstatus: todo\n{relations}---\n"));
    for (name, title) in [("first", "First"), ("second", "Second")] {
        world.write(&format!("tickets/{name}.md"), &format!("---\ntitle: {title}\nstatus: todo\n---\n"));
    }
    (0..3).for_each(|_| drop(world.cycle(&syncer)));
    let [first, second] = ["First", "Second"].map(|title| key(&simulator, title));
    assert_eq!(keys(&simulator, "Part", Field::BlockedBy), format!("{first} {second}"));
    assert_eq!(keys(&simulator, "Part", Field::Related), second);
    assert_eq!(keys(&simulator, "Part", Field::DuplicateOf), first);
    assert!(world.read("tickets/part.md").contains(relations), "{}", world.read("tickets/part.md"));
    assert!(world.read("tickets/second.md").contains("related: [part]"), "{}", world.read("tickets/second.md"));
    assert_eq!(world.cycle(&syncer), Report::default());

    // Each side takes one off and adds one.
    let third = simulator.add(&titled("Third")).key;
    world.edit("tickets/part.md", "[first, second]", "[first]");
    let theirs = FieldValue::Set([second, third.clone()].into());
    simulator.edit(&key(&simulator, "Part"), |issue| drop(issue.fields.insert(Field::BlockedBy, theirs))).unwrap();
    (0..2).for_each(|_| drop(world.cycle(&syncer)));
    assert!(
        world.read("tickets/part.md").contains(&format!("blocked_by: [{third}]")),
        "{}",
        world.read("tickets/part.md")
    );
    assert_eq!(keys(&simulator, "Part", Field::BlockedBy), third);
    assert_eq!(world.cycle(&syncer), Report::default());
}

#[test]
fn a_link_that_means_nothing_there_stays_here_and_takes_nothing_off_there() {
    let (world, simulator) = (World::new(), github());
    let syncer = world.remote("hub", &simulator);
    let ticket = |title: &str, more: &str| format!("---\ntitle: {title}\nstatus: todo\n{more}---\n");
    world.write("tickets/part.md", &ticket("Part", "blocked_by: [first, secret]\n"));
    world.write("tickets/first.md", &ticket("First", ""));
    world.write("tickets/secret.md", &ticket("Secret", "sync: {hub: none}\n"));
    (0..3).for_each(|_| drop(world.cycle(&syncer)));
    let first = key(&simulator, "First");
    assert_eq!(keys(&simulator, "Part", Field::BlockedBy), first);
    assert!(syncer.problems().unwrap().is_empty());

    // Two files of that name: which is meant is not clear, so nothing is taken off.
    world.write("tickets/sub/first.md", &ticket("Another first", "sync: {hub: none}\n"));
    (0..2).for_each(|_| drop(world.cycle(&syncer)));
    assert_eq!(keys(&simulator, "Part", Field::BlockedBy), first);
    world.remove("tickets/sub/first.md");
    world.cycle(&syncer);

    // What another repository has is a key like any other once the remote has said it.
    let foreign = FieldValue::Set([first, "o/plans#4".to_owned()].into());
    simulator.edit(&key(&simulator, "Part"), |issue| drop(issue.fields.insert(Field::BlockedBy, foreign))).unwrap();
    (0..2).for_each(|_| drop(world.cycle(&syncer)));
    let read = world.read("tickets/part.md");
    assert!(read.contains("blocked_by: [first, secret, o/plans#4]"), "{read}");
    world.edit("tickets/part.md", "[first, secret, o/plans#4]", "[secret]");
    (0..2).for_each(|_| drop(world.cycle(&syncer)));
    assert_eq!(keys(&simulator, "Part", Field::BlockedBy), "");
    assert_eq!(world.cycle(&syncer), Report::default());
}

#[test]
fn a_milestone_that_is_not_there_is_a_problem_that_names_those_that_are() {
    let (world, simulator) = (World::new(), github());
    let (syncer, key) = linked(&world, &simulator, "github");
    let file = format!("tickets/{key}.md");
    world.edit(&file, "title: Login fails", "milestone: v9\ntitle: Sign-in fails");
    let report = world.cycle(&syncer);
    assert_eq!(text(&only(&simulator), Field::Title), "Sign-in fails", "the other fields go without it");
    let reason = "github refused milestone: \"v9\" is not one of: v1, v2";
    assert_eq!(report.refused.iter().map(|trouble| trouble.reason.as_str()).collect::<Vec<_>>(), [reason]);
    assert!(world.read(&file).contains("milestone: v9"));
    world.edit(&file, "v9", "v1");
    world.cycle(&syncer);
    assert_eq!(text(&only(&simulator), Field::Milestone), "v1");
}

#[test]
fn a_quiet_workspace_sends_and_writes_nothing() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    let file = format!("tickets/{key}.md");
    world.edit(&file, "one", "- one  \n- uno");
    world.cycle(&syncer);
    let (text, writes) = (world.read(&file), simulator.writes());
    for _ in 0..3 {
        let report = world.cycle(&syncer);
        assert_eq!(report, Report::default());
    }
    assert_eq!((world.read(&file), simulator.writes()), (text, writes));
}

#[test]
fn a_remote_edit_changes_only_its_lines() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    let file = format!("tickets/{key}.md");
    world.write(
        &file,
        &format!("---\n# why\ntitle: 'Login fails'   # quoted\nstatus: backlog\nsync: {{linear: {key}}}\nmine: kept\n---\n\n+ one  \n\n\ntwo\n"),
    );
    world.cycle(&syncer);
    world.cycle(&syncer);
    let before = world.read(&file);
    simulator.edit(&key, |issue| {
        issue.fields.insert(Field::Status, FieldValue::text("Todo"));
        let body = text(issue, Field::Body).replace("two", "two, later");
        issue.fields.insert(Field::Body, FieldValue::text(body));
    });
    world.cycle(&syncer);
    let expected = before.replace("status: backlog", "status: todo").replace("two\n", "two, later\n");
    assert_eq!(world.read(&file), expected);
}

#[test]
fn edits_of_different_fields_cross() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    let file = format!("tickets/{key}.md");
    world.edit(&file, "Login fails", "Sign-in fails");
    set(&simulator, &key, Field::Assignee, "alice");
    world.cycle(&syncer);
    world.cycle(&syncer);
    assert!(world.read(&file).contains("assignee: alice"));
    assert!(world.read(&file).contains("title: Sign-in fails"));
    let issue = only(&simulator);
    assert_eq!((text(&issue, Field::Title), text(&issue, Field::Assignee)), ("Sign-in fails", "alice"));
}

#[test]
fn edits_of_different_paragraphs_merge() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    let file = format!("tickets/{key}.md");
    world.edit(&file, "one", "ONE");
    set(&simulator, &key, Field::Body, "one\n\ntwo\n\nTHREE");
    world.cycle(&syncer);
    world.cycle(&syncer);
    assert!(world.read(&file).ends_with("ONE\n\ntwo\n\nTHREE\n"), "{}", world.read(&file));
    assert_eq!(text(&only(&simulator), Field::Body), "ONE\n\ntwo\n\nTHREE");
}

#[test]
fn a_conflict_keeps_both_sides_until_somebody_decides() {
    for side in [Some(Side::Local), Some(Side::Remote), None] {
        let (world, simulator) = (World::new(), linear());
        let (syncer, key) = linked(&world, &simulator, "linear");
        let file = format!("tickets/{key}.md");
        world.edit(&file, "Login fails", "Ours");
        set(&simulator, &key, Field::Title, "Theirs");
        for _ in 0..3 {
            world.cycle(&syncer);
            assert!(world.read(&file).contains("title: Ours"));
            assert_eq!(text(&only(&simulator), Field::Title), "Theirs");
        }
        let conflicts = syncer.conflicts().unwrap();
        assert_eq!((conflicts.len(), conflicts[0].field.as_str()), (1, "title"));
        assert_eq!(syncer.health().unwrap().conflicts, 1);
        assert_eq!(world.events().iter().filter(|event| matches!(event, Change::Conflict { .. })).count(), 1);

        match side {
            Some(side) => assert_eq!(syncer.resolve(&ws(&file), Some("title"), Word::Side(side)).unwrap().len(), 1),
            None => world.edit(&file, "Ours", "Theirs"),
        }
        world.cycle(&syncer);
        world.cycle(&syncer);
        let holds = if side == Some(Side::Local) { "Ours" } else { "Theirs" };
        assert!(world.read(&file).contains(&format!("title: {holds}")), "{side:?}: {}", world.read(&file));
        assert_eq!(text(&only(&simulator), Field::Title), holds);
        assert!(syncer.conflicts().unwrap().is_empty());
    }
}

#[test]
fn a_new_ticket_is_created_once_and_linked() {
    for simulator in [linear(), github()] {
        let world = World::new();
        let syncer = world.remote("there", &simulator);
        world.write("tickets/fix-login.md", "---\ntitle: Fix login\nstatus: todo\nlabels: [bug]\n---\nText.\n");
        world.cycle(&syncer);
        let issue = only(&simulator);
        assert_eq!((text(&issue, Field::Title), text(&issue, Field::Body)), ("Fix login", "Text."));
        let linked = world.read("tickets/fix-login.md");
        assert!(linked.starts_with("---\ntitle: Fix login\nstatus: todo\nlabels: [bug]\nsync: {there: "), "{linked}");
        let writes = simulator.writes();
        assert_eq!(world.cycle(&syncer), Report::default());
        assert_eq!(world.files("tickets"), ["fix-login.md"]);
        assert_eq!(simulator.writes(), writes);
    }
}

/// Every step after which a create can be cut off.
const CREATE_STEPS: [&str; 4] = ["create.sent", "create.answered", "create.tracked", "create.linked"];

#[test]
fn a_create_cut_off_anywhere_makes_exactly_one_object() {
    for simulator in [linear as fn() -> Arc<Simulator>, github] {
        for step in CREATE_STEPS {
            let (world, simulator) = (World::new(), simulator());
            world.write("tickets/new.md", "---\ntitle: New\nstatus: todo\n---\nText.\n");
            world.settle();
            cut_off(world.remote("there", &simulator), step, Options::default());

            let syncer = world.remote("there", &simulator);
            for _ in 0..3 {
                world.later(150);
                world.cycle(&syncer);
            }
            let key = only(&simulator).key;
            assert!(world.read("tickets/new.md").contains(&key), "{step}: {}", world.read("tickets/new.md"));
            assert_eq!(world.files("tickets"), ["new.md"], "{step}");
            assert!(world.store.outbox().unwrap().is_empty(), "{step}");
        }
    }
}

/// Runs a cycle that ends after `step` as if the process had died there.
fn cut_off(syncer: Syncer, step: &'static str, options: Options) {
    let reached = Arc::new(AtomicBool::new(false));
    let seen = reached.clone();
    let syncer = syncer.with_fault_point(Box::new(move |now| now == step && !seen.swap(true, Ordering::SeqCst)));
    let outcome = syncer.sync(options);
    assert!(matches!(&outcome, Err(SyncError::CutOff(at)) if at == step), "{step}: {outcome:?}");
    assert!(reached.load(Ordering::SeqCst), "{step} is never reached");
}

#[test]
fn a_create_whose_answer_is_lost_makes_exactly_one_object() {
    for simulator in [linear as fn() -> Arc<Simulator>, github] {
        for fault in [Fault::AfterApply, Fault::Before, Fault::Server] {
            let (world, simulator) = (World::new(), simulator());
            let syncer = world.remote("there", &simulator);
            world.cycle(&syncer);
            world.write("tickets/new.md", "---\ntitle: New\nstatus: todo\n---\nText.\n");
            world.settle();
            simulator.inject(fault);
            let _ = syncer.push();
            for _ in 0..3 {
                world.later(150);
                world.cycle(&syncer);
            }
            assert!(world.read("tickets/new.md").contains(&only(&simulator).key), "{fault:?}");
            assert_eq!(world.files("tickets"), ["new.md"], "{fault:?}");
        }
    }
}

#[test]
fn a_lost_create_that_was_renamed_since_is_found_even_without_the_index() {
    for index_is_lost in [false, true] {
        for simulator in [linear(), github()] {
            let world = World::new();
            let syncer = world.remote("there", &simulator);
            world.cycle(&syncer);
            world.write("tickets/new.md", "---\ntitle: New\nstatus: todo\n---\nText.\n");
            world.settle();
            simulator.inject(Fault::AfterApply);
            syncer.push().unwrap();
            set(&simulator, &only(&simulator).key, Field::Title, "Renamed");
            if index_is_lost {
                world.store.set_meta("sync.there", "{}").unwrap();
                world.store.outbox().unwrap().iter().for_each(|entry| world.store.outbox_remove(entry.id).unwrap());
            }
            let syncer = world.remote("there", &simulator);
            for _ in 0..3 {
                world.later(200);
                world.cycle(&syncer);
            }
            assert!(world.read("tickets/new.md").contains(&only(&simulator).key), "{index_is_lost}");
            assert!(world.read("tickets/new.md").contains("title: Renamed"));
            assert_eq!(world.files("tickets"), ["new.md"]);
        }
    }
}

#[test]
fn a_lost_create_is_not_repeated_while_a_listing_may_not_show_it_yet() {
    let (world, simulator) = (World::new(), github());
    let syncer = world.remote("there", &simulator);
    world.write("tickets/new.md", "---\ntitle: New\nstatus: todo\n---\n");
    world.settle();
    simulator.inject(Fault::Before);
    for _ in 0..3 {
        world.cycle(&syncer);
        world.later(90);
    }
    assert!(simulator.issues().is_empty(), "a person asked for it three times, and it is too early all the same");
    world.later(60);
    world.cycle(&syncer);
    assert!(world.read("tickets/new.md").contains(&only(&simulator).key));
}

/// A workspace in step, and a create whose answer never came: a request that GitHub may carry out yet.
fn asked_and_unanswered(world: &World, simulator: &Arc<Simulator>) -> Syncer {
    let syncer = world.remote("hub", simulator);
    simulator.add(&titled("There before"));
    world.cycle(&syncer);
    world.write("tickets/new.md", "---\ntitle: New\nstatus: todo\n---\nText.\n");
    world.settle();
    simulator.inject(Fault::Before);
    syncer.push().unwrap();
    syncer
}

/// What GitHub makes of a request, however late.
fn carry_out(simulator: &Simulator, title: &str, body: &str) -> String {
    let fields = [(Field::Title, FieldValue::text(title)), (Field::Body, FieldValue::text(body))];
    simulator.create(Uuid::new_v4(), ObjectKind::Issue, &fields.into()).unwrap().key
}

#[test]
fn a_lost_create_is_known_by_its_first_request_however_the_ticket_and_the_tracker_went_on() {
    let (world, simulator) = (World::new(), github());
    let syncer = asked_and_unanswered(&world, &simulator);
    world.edit("tickets/new.md", "title: New", "title: Newer");
    simulator.add(&titled("Heard meanwhile"));
    world.later(400);
    simulator.inject(Fault::Before);
    world.cycle(&syncer);
    let key = carry_out(&simulator, "New", "Text.");
    set(&simulator, &key, Field::Body, "Text, and more of it.");
    (0..3).for_each(|_| {
        world.later(400);
        world.cycle(&syncer);
    });
    assert_eq!(simulator.issues().len(), 3, "{:?}", simulator.issues());
    let ticket = world.read("tickets/new.md");
    assert!(ticket.contains(&format!("hub: \"{key}\"")) && ticket.contains("and more of it"), "{ticket}");
    let made = simulator.issues().into_iter().find(|issue| issue.key == key).unwrap();
    assert_eq!(text(&made, Field::Title), "Newer");
}

#[test]
fn what_could_not_be_looked_for_is_not_sent_again() {
    let (world, simulator) = (World::new(), github());
    let syncer = asked_and_unanswered(&world, &simulator);
    carry_out(&simulator, "New", "Text.");
    world.later(400);
    simulator.inject(Fault::Server);
    syncer.push().unwrap();
    assert_eq!(simulator.issues().len(), 2, "the search failed, and the create may be carried out long since");
    (0..2).for_each(|_| drop(world.cycle(&syncer)));
    assert!(world.read("tickets/new.md").contains("hub: \"2\""), "{}", world.read("tickets/new.md"));

    world.write("tickets/new/comments/mine.md", "Said.\n");
    world.settle();
    simulator.inject(Fault::Before);
    syncer.push().unwrap();
    simulator.comment("2", Uuid::new_v4(), "Said.").unwrap();
    world.later(400);
    simulator.inject(Fault::Server);
    syncer.push().unwrap();
    (0..2).for_each(|_| drop(world.cycle(&syncer)));
    assert_eq!(simulator.issues()[1].comments.len(), 1);
    assert!(world.store.outbox().unwrap().is_empty());
}

#[test]
fn a_lost_comment_that_was_edited_before_it_was_found_is_taken_as_it_became() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    let file = format!("tickets/{key}/comments/mine.md");
    world.write(&file, "Said.\n");
    world.settle();
    simulator.inject(Fault::AfterApply);
    syncer.push().unwrap();
    simulator.edit(&key, |issue| issue.comments[0].body = "Said, and more.".to_owned()).unwrap();
    (0..3).for_each(|_| drop(world.cycle(&syncer)));
    assert!(world.read(&file).ends_with("Said, and more.\n"), "{}", world.read(&file));
    assert_eq!(world.files(&format!("tickets/{key}/comments")), ["mine.md"]);
    assert_eq!(only(&simulator).comments[0].body, "Said, and more.");
    assert_eq!(world.cycle(&syncer), Report::default());
}

#[test]
fn what_was_never_sent_is_asked_for_as_the_ticket_says_now() {
    let (world, simulator) = (World::new(), github());
    let syncer = world.remote("hub", &simulator);
    world.cycle(&syncer);
    world.write("tickets/new.md", "---\ntitle: New\nstatus: todo\n---\n");
    world.settle();
    simulator.inject(Fault::Offline);
    syncer.push().unwrap_err();
    world.edit("tickets/new.md", "title: New", "title: Newer");
    world.cycle(&syncer);
    world.cycle(&syncer);
    assert_eq!(text(&only(&simulator), Field::Title), "Newer");
    assert_eq!(simulator.writes(), ["create 1"], "and not renamed after it was made");
}

#[test]
fn a_ticket_that_is_moved_or_mended_while_its_create_is_open_makes_one_object() {
    for moved in [true, false] {
        let (world, simulator) = (World::new(), github());
        let syncer = asked_and_unanswered(&world, &simulator);
        let ticket = if moved { "tickets/renamed.md" } else { "tickets/new.md" };
        if moved {
            world.rename("tickets/new.md", ticket);
        } else {
            world.edit(ticket, "status: todo", "status: [");
        }
        world.later(if moved { 60 } else { 400 });
        world.cycle(&syncer);
        let key = carry_out(&simulator, "New", "Text.");
        if !moved {
            world.edit(ticket, "status: [", "status: todo");
        }
        (0..2).for_each(|_| drop(world.cycle(&syncer)));
        assert!(world.read(ticket).contains(&format!("hub: \"{key}\"")), "{moved}: {}", world.read(ticket));
        assert_eq!((simulator.issues().len(), world.store.outbox().unwrap()), (2, vec![]), "{moved}");
    }
}

/// An unanswered create, and two issues of its title that were edited since: it may have made either.
fn unclear(world: &World, simulator: &Arc<Simulator>) -> (Syncer, [String; 2]) {
    let syncer = asked_and_unanswered(world, simulator);
    let keys = ["one", "two"].map(|body| {
        let key = carry_out(simulator, "New", "Text.");
        set(simulator, &key, Field::Body, body);
        key
    });
    world.later(400);
    (0..3).for_each(|_| drop(world.cycle(&syncer)));
    (syncer, keys)
}

#[test]
fn a_create_that_several_issues_may_have_come_from_waits_for_a_persons_word() {
    let (world, simulator) = (World::new(), github());
    let (syncer, keys) = unclear(&world, &simulator);
    assert_eq!(simulator.issues().len(), 3);
    assert_eq!((syncer.health().unwrap().held, world.files("tickets").len()), (1, 2), "neither is pulled");
    let [problem] = &syncer.problems().unwrap()[..] else { panic!("{:?}", syncer.problems()) };
    let said = problem.to_string();
    for part in ["tickets/new.md", "hub did not answer, and 2 or 3 may be what it made"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(problem.help.as_ref().unwrap().contains("`trackfs link new hub:KEY`"), "{problem:?}");
    let writes = simulator.writes();
    world.later(100_000);
    syncer.push().unwrap();
    assert_eq!(simulator.writes(), writes, "time alone does not tell");

    world.edit("tickets/new.md", "status: todo", &format!("status: todo\nsync: {{hub: {}}}", keys[0]));
    (0..3).for_each(|_| drop(world.cycle(&syncer)));
    assert_eq!(
        (simulator.writes(), world.files("tickets")),
        (writes, ["1.md", "3.md", "new.md"].map(str::to_owned).into())
    );
    assert!(world.store.outbox().unwrap().is_empty() && syncer.problems().unwrap().is_empty());
}

#[test]
fn a_yes_means_that_none_of_several_issues_came_from_the_create() {
    let (world, simulator) = (World::new(), github());
    let (syncer, _) = unclear(&world, &simulator);
    syncer.sync(Options { yes: true, ..Options::default() }).unwrap();
    (0..2).for_each(|_| drop(world.cycle(&syncer)));
    assert!(world.read("tickets/new.md").contains("hub: \"4\""), "{}", world.read("tickets/new.md"));
    assert_eq!(world.files("tickets"), ["1.md", "2.md", "3.md", "new.md"]);
    assert!(world.store.outbox().unwrap().is_empty() && syncer.problems().unwrap().is_empty());
}

#[test]
fn a_twin_that_is_accounted_for_is_not_taken_for_a_lost_create() {
    let (world, simulator) = (World::new(), github());
    let syncer = world.remote("there", &simulator);
    world.cycle(&syncer);
    let twin = "---\ntitle: Twin\nstatus: todo\n---\n";
    world.write("tickets/first.md", twin);
    world.settle();
    simulator.inject(Fault::Before);
    syncer.push().unwrap();
    world.write("tickets/second.md", twin);
    for _ in 0..4 {
        world.cycle(&syncer);
        world.later(200);
    }
    assert_eq!(simulator.issues().len(), 2);
    assert_ne!(world.read("tickets/first.md"), world.read("tickets/second.md"));
}

#[test]
fn what_others_did_to_an_object_before_its_create_was_answered_is_pulled() {
    let (world, simulator) = (World::new(), linear());
    let syncer = world.remote("linear", &simulator);
    world.cycle(&syncer);
    world.write("tickets/new.md", "---\ntitle: New\nstatus: todo\n---\n");
    world.settle();
    simulator.inject(Fault::AfterApply);
    syncer.push().unwrap();
    set(&simulator, &only(&simulator).key, Field::Title, "Renamed");
    world.cycle(&syncer);
    world.cycle(&syncer);
    assert!(world.read("tickets/new.md").contains("title: Renamed"));
    assert_eq!(text(&only(&simulator), Field::Title), "Renamed");
}

#[test]
fn a_ticket_moved_before_it_was_linked_keeps_its_object() {
    let (world, simulator) = (World::new(), linear());
    world.write("tickets/new.md", "---\ntitle: New\nstatus: todo\n---\nText.\n");
    world.settle();
    cut_off(world.remote("there", &simulator), "create.tracked", Options::default());
    world.rename("tickets/new.md", "tickets/renamed.md");
    let syncer = world.remote("there", &simulator);
    world.cycle(&syncer);
    world.cycle(&syncer);
    assert!(world.read("tickets/renamed.md").contains(&only(&simulator).key));
    assert_eq!(world.files("tickets"), ["renamed.md"]);
}

#[test]
fn an_update_and_a_comment_cut_off_anywhere_arrive_once() {
    let steps = ["update.sent", "update.answered", "update.tracked"];
    let comment_steps = ["comment.sent", "comment.answered", "comment.tracked", "comment.linked"];
    for simulator in [linear as fn() -> Arc<Simulator>, github] {
        for step in steps.into_iter().chain(comment_steps) {
            let (world, simulator) = (World::new(), simulator());
            let (_, key) = linked(&world, &simulator, "there");
            world.edit(&format!("tickets/{key}.md"), "Login fails", "Sign-in fails");
            world.write(&format!("tickets/{key}/comments/mine.md"), "Still broken.\n");
            world.settle();
            cut_off(world.remote("there", &simulator), step, Options::default());
            let syncer = world.remote("there", &simulator);
            for _ in 0..3 {
                world.later(150);
                world.cycle(&syncer);
            }
            let issue = only(&simulator);
            assert_eq!(text(&issue, Field::Title), "Sign-in fails", "{step}");
            assert_eq!(issue.comments.len(), 1, "{step}");
            assert_eq!(world.files(&format!("tickets/{key}/comments")), ["mine.md"], "{step}");
            assert!(world.read(&format!("tickets/{key}/comments/mine.md")).contains(&issue.comments[0].id));
            assert!(world.store.outbox().unwrap().is_empty(), "{step}");
        }
    }
}

#[test]
fn a_pull_cut_off_anywhere_is_taken_up_again() {
    for step in ["file", "page"] {
        let (world, simulator) = (World::new(), Arc::new(Simulator::new("s", Flavour::Github).with_page_size(2)));
        let keys: Vec<String> = (0..5).map(|n| simulator.add(&titled(&format!("Issue {n}"))).key).collect();
        cut_off(world.remote("there", &simulator), step, Options::default());
        let syncer = world.remote("there", &simulator);
        world.cycle(&syncer);
        world.cycle(&syncer);
        let mut expected: Vec<String> = keys.iter().map(|key| format!("{key}.md")).collect();
        expected.sort();
        assert_eq!(world.files("tickets"), expected, "{step}");
        assert!(simulator.writes().is_empty());
    }
}

#[test]
fn comments_cross_both_ways() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    simulator.edit(&key, |issue| {
        issue.comments.push(RemoteComment {
            id: "theirs-1".into(),
            author: "../Bob".into(),
            created_at: "2026-01-01T00:00:00Z".into(),
            updated_at: "2026-01-01T00:00:00Z".into(),
            body: "Seen on Safari too.".into(),
        });
    });
    let folder = format!("tickets/{key}/comments");
    world.write(&format!("{folder}/mine.md"), "Looking.\n");
    world.cycle(&syncer);
    world.cycle(&syncer);
    let issue = only(&simulator);
    let bodies: Vec<&str> = issue.comments.iter().map(|comment| comment.body.as_str()).collect();
    assert_eq!(bodies, ["Seen on Safari too.", "Looking."]);
    assert_eq!(world.files(&folder), ["1-Bob.md", "mine.md"]);
    assert!(world.read(&format!("{folder}/1-Bob.md")).ends_with("---\nSeen on Safari too.\n"));
    assert_eq!(world.cycle(&syncer), Report::default());
}

#[test]
fn a_removed_ticket_is_archived_only_when_its_removal_is_committed() {
    for simulator in [linear(), github()] {
        let world = World::new();
        let (syncer, key) = linked(&world, &simulator, "there");
        world.remove(&format!("tickets/{key}.md"));
        world.settler.settle_now().unwrap();
        syncer.sync(Options::default()).unwrap();
        assert!(simulator.writes().is_empty(), "{:?}", simulator.writes());

        let report = world.cycle(&syncer);
        assert_eq!(report.pushed[0].what, ["archived"]);
        for _ in 0..2 {
            assert_eq!(world.cycle(&syncer), Report::default());
        }
        assert_eq!(simulator.writes().len(), 1);
        assert!(!world.exists(&format!("tickets/{key}.md")));
    }
}

#[test]
fn an_archive_cut_off_anywhere_is_nobodys_wish_to_have_the_ticket_back() {
    for simulator in [linear as fn() -> Arc<Simulator>, github] {
        for step in ["archive.sent", "archive.answered", "archive.tracked"] {
            let (world, simulator) = (World::new(), simulator());
            let (syncer, key) = linked(&world, &simulator, "there");
            world.remove(&format!("tickets/{key}.md"));
            world.settle();
            drop(syncer);
            cut_off(world.remote("there", &simulator), step, Options::default());

            let syncer = world.remote("there", &simulator);
            for _ in 0..3 {
                world.cycle(&syncer);
            }
            assert!(!world.exists(&format!("tickets/{key}.md")), "{step}");
            assert_eq!(simulator.writes().len(), 1, "{step}: {:?}", simulator.writes());
            let told = world.events().into_iter().filter(|change| matches!(change, Change::Pushed { .. })).count();
            assert_eq!(told, 1, "{step}");
            assert!(world.store.outbox().unwrap().is_empty(), "{step}");
        }
    }
}

#[test]
fn a_removed_ticket_comes_back_when_the_remote_changed_it() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    let file = format!("tickets/{key}.md");
    world.edit(&file, "title:", "mine: kept\ntitle:");
    world.settle();
    world.remove(&file);
    set(&simulator, &key, Field::Title, "Still wanted");
    let report = world.cycle(&syncer);
    assert_eq!(report.pulled[0].what, ["restored"]);
    let text = world.read(&file);
    assert!(text.contains("title: Still wanted") && text.contains("mine: kept"), "{text}");
    assert!(simulator.writes().is_empty());

    world.remove(&file);
    world.cycle(&syncer);
    assert!(only(&simulator).archived);
}

#[test]
fn a_new_ticket_in_the_place_of_a_removed_one_is_a_new_ticket() {
    for simulator in [linear(), github()] {
        let world = World::new();
        let syncer = world.remote("there", &simulator);
        world.write("tickets/a.md", "---\ntitle: First\nstatus: done\n---\n");
        world.write("tickets/b.md", "---\ntitle: Second\nstatus: todo\n---\n");
        world.cycle(&syncer);
        for name in ["a", "b"] {
            world.remove(&format!("tickets/{name}.md"));
            world.cycle(&syncer);
            world.cycle(&syncer);
            world.write(&format!("tickets/{name}.md"), &format!("---\ntitle: New {name}\nstatus: todo\n---\n"));
            world.cycle(&syncer);
        }
        let mut titles: Vec<String> = simulator.issues().iter().map(|i| text(i, Field::Title).to_owned()).collect();
        titles.sort();
        assert_eq!(titles, ["First", "New a", "New b", "Second"]);
    }
}

#[test]
fn a_moved_ticket_leaves_its_place_to_a_new_one() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    let file = format!("tickets/{key}.md");
    world.rename(&file, "tickets/moved.md");
    world.cycle(&syncer);
    world.write(&file, "---\ntitle: Another\nstatus: todo\n---\n");
    world.cycle(&syncer);
    assert_eq!(simulator.issues().len(), 2);
    assert!(!world.read(&file).contains(&format!("linear: {key}}}")));
}

#[test]
fn a_rewritten_ticket_without_its_link_keeps_its_object() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    let file = format!("tickets/{key}.md");
    world.write(&file, "---\ntitle: Rewritten by a tool\nstatus: todo\n---\nAll new.\n");
    world.cycle(&syncer);
    world.cycle(&syncer);
    assert!(world.read(&file).contains(&format!("sync: {{linear: {key}}}")));
    assert_eq!(text(&only(&simulator), Field::Title), "Rewritten by a tool");
}

/// A tracker that takes some values in a form of its own, and drops others without a word.
struct Stubborn(Arc<Simulator>, Option<Budget>);

impl Provider for Stubborn {
    fn update(&self, id: &str, patch: &Patch) -> Result<RemoteIssue, RemoteError> {
        let mut patch = patch.clone();
        patch.fields.remove(&Field::Assignee);
        if let Some(FieldValue::Text(Some(title))) = patch.fields.get_mut(&Field::Title) {
            *title = title.to_uppercase();
        }
        self.0.update(id, &patch)
    }

    fn capabilities(&self) -> Result<Capabilities, RemoteError> {
        self.0.capabilities()
    }

    fn account(&self) -> Result<String, RemoteError> {
        self.0.account()
    }

    fn changed_since(&self, since: Option<&str>, page: Option<&PageToken>) -> Result<Page, RemoteError> {
        self.0.changed_since(since, page)
    }

    fn fetch(&self, id: &str) -> Result<Option<RemoteIssue>, RemoteError> {
        self.0.fetch(id)
    }

    fn create(&self, intent: Uuid, kind: ObjectKind, fields: &IssueFields) -> Result<RemoteIssue, RemoteError> {
        self.0.create(intent, kind, fields)
    }

    fn find_created(&self, lost: &Lost<'_>) -> Result<Search, RemoteError> {
        self.0.find_created(lost)
    }

    fn archive(&self, id: &str) -> Result<(), RemoteError> {
        self.0.archive(id)
    }

    fn comment(&self, issue: &str, intent: Uuid, body: &str) -> Result<RemoteComment, RemoteError> {
        self.0.comment(issue, intent, &body.to_uppercase())
    }

    fn find_comment(&self, issue: &str, lost: &Lost<'_>) -> Result<Option<RemoteComment>, RemoteError> {
        self.0.find_comment(issue, lost)
    }

    fn edit_comment(&self, issue: &str, comment: &str, body: &str) -> Result<RemoteComment, RemoteError> {
        self.0.edit_comment(issue, comment, &body.to_uppercase())
    }

    fn delete_comment(&self, issue: &str, comment: &str) -> Result<(), RemoteError> {
        self.0.delete_comment(issue, comment)
    }

    fn budget(&self) -> Option<Budget> {
        self.1
    }
}

#[test]
fn the_last_of_a_rate_limit_is_kept_for_what_people_write() {
    let (world, simulator) = (World::new(), linear());
    let reset = Some("2026-11-21T12:10:00Z".parse().unwrap());
    let scarce = Stubborn(simulator.clone(), Some(Budget { remaining: 9, limit: 100, reset }));
    let syncer = world.remote_of("linear", Arc::new(scarce), "tickets", SyncConfig::default());
    assert!(matches!(syncer.pull(), Err(SyncError::Waiting { .. })));
    world.write("tickets/a.md", "---\ntitle: Written\nstatus: todo\n---\n");
    world.settle();
    assert_eq!(syncer.push().unwrap().pushed.len(), 1);
    world.later(601);
    syncer.pull().unwrap();
}

#[test]
fn a_remote_that_asks_to_wait_is_not_asked_before_by_anybody() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    simulator.inject(Fault::RateLimited(std::time::Duration::from_secs(90)));
    assert!(syncer.pull().is_err());
    set(&simulator, &key, Field::Title, "Changed there");
    world.later(89);
    assert!(matches!(syncer.sync(Options::default()), Err(SyncError::Waiting { .. })));
    assert!(matches!(syncer.push(), Err(SyncError::Waiting { .. })));
    world.later(2);
    assert_eq!(syncer.pull().unwrap().pulled.len(), 1);
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_waiting() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    const DAY: i64 = 86_400;
    world.later(DAY);
    simulator.inject(Fault::RateLimited(std::time::Duration::from_secs(90)));
    assert!(syncer.pull().is_err());
    assert!(matches!(syncer.pull(), Err(SyncError::Waiting { .. })));
    world.later(-DAY);
    set(&simulator, &key, Field::Title, "Changed there");
    assert_eq!(syncer.pull().unwrap().pulled.len(), 1);
}

#[test]
fn a_comment_that_the_remote_renders_is_neither_echoed_nor_sent_again() {
    let (world, simulator) = (World::new(), linear());
    let (_, key) = linked(&world, &simulator, "linear");
    let stubborn = Stubborn(simulator.clone(), None);
    let syncer = world.remote_of("linear", Arc::new(stubborn), "tickets", SyncConfig::default());
    let file = format!("tickets/{key}/comments/mine.md");
    world.write(&file, "Looking.\n");
    for (here, there, writes) in [("Looking.", "LOOKING.", 1), ("Looked.", "LOOKED.", 2)] {
        (0..4).for_each(|_| drop(world.cycle(&syncer)));
        assert_eq!(only(&simulator).comments[0].body, there);
        assert!(world.read(&file).ends_with(&format!("---\n{here}\n")), "{}", world.read(&file));
        assert_eq!(simulator.writes().len(), writes, "{:?}", simulator.writes());
        assert_eq!(world.cycle(&syncer), Report::default());
        world.write(&file, &world.read(&file).replace("Looking.", "Looked."));
    }
}

#[test]
fn a_network_that_was_away_for_long_is_noticed_within_half_a_minute() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    for _ in 0..12 {
        simulator.inject(Fault::Offline);
        assert!(matches!(syncer.pull(), Err(SyncError::Remote(_))));
        world.later(31);
    }
    set(&simulator, &key, Field::Title, "Changed there");
    assert_eq!(syncer.pull().unwrap().pulled.len(), 1);

    for _ in 0..12 {
        simulator.inject(Fault::Server);
        match syncer.pull() {
            Err(SyncError::Waiting { .. }) => return,
            failed => assert!(matches!(failed, Err(SyncError::Remote(_)))),
        }
        world.later(31);
    }
    panic!("a remote that fails is asked less and less often");
}

#[test]
fn what_the_remote_renders_or_drops_is_neither_echoed_nor_reverted() {
    let (world, simulator) = (World::new(), linear());
    let syncer =
        world.remote_of("linear", Arc::new(Stubborn(simulator.clone(), None)), "tickets", SyncConfig::default());
    let key = simulator.add(&titled("login")).key;
    world.cycle(&syncer);
    let file = format!("tickets/{key}.md");
    world.edit(&file, "title: login", "title: sign-in\nassignee: alice");
    let report = world.cycle(&syncer);
    assert!(report.refused[0].reason.contains("assignee"), "{report:?}");
    let (text_now, writes) = (world.read(&file), simulator.writes());
    for _ in 0..3 {
        world.cycle(&syncer);
    }
    assert!(text_now.contains("title: sign-in\nassignee: alice"));
    assert_eq!((world.read(&file), simulator.writes()), (text_now, writes));
    assert_eq!(text(&only(&simulator), Field::Title), "SIGN-IN");

    world.edit(&file, "sign-in", "log-in");
    world.cycle(&syncer);
    assert_eq!(text(&only(&simulator), Field::Title), "LOG-IN");
    set(&simulator, &key, Field::Title, "Log in!");
    world.cycle(&syncer);
    assert!(world.read(&file).contains("title: Log in!"));
}

#[test]
fn too_many_removals_are_held_for_a_yes() {
    let (world, simulator) = (World::new(), linear());
    let limits = SyncConfig { max_removals: 2, ..SyncConfig::default() };
    let syncer = world.remote_in("linear", &simulator, "tickets", limits);
    let keys: Vec<String> = (0..3).map(|n| simulator.add(&titled(&format!("Issue {n}"))).key).collect();
    world.cycle(&syncer);
    keys.iter().for_each(|key| world.remove(&format!("tickets/{key}.md")));
    let report = world.cycle(&syncer);
    assert_eq!((report.held.len(), report.pushed.len()), (3, 0));
    assert!(report.held.iter().all(|row| row.action == Action::Archive));
    assert_eq!(syncer.health().unwrap().held, 3);
    assert!(simulator.issues().iter().all(|issue| !issue.archived));

    syncer.sync(Options { yes: true, ..Options::default() }).unwrap();
    assert!(simulator.issues().iter().all(|issue| issue.archived));
    assert_eq!(syncer.health().unwrap().held, 0);
}

#[test]
fn too_many_changes_are_held_for_a_yes() {
    let (world, simulator) = (World::new(), linear());
    let limits = SyncConfig { max_changes: 2, ..SyncConfig::default() };
    let syncer = world.remote_in("linear", &simulator, "tickets", limits);
    for n in 0..3 {
        world.write(&format!("tickets/new-{n}.md"), &format!("---\ntitle: New {n}\nstatus: todo\n---\n"));
    }
    assert_eq!(world.cycle(&syncer).held.len(), 3);
    assert!(simulator.issues().is_empty());
    syncer.sync(Options { yes: true, ..Options::default() }).unwrap();
    assert_eq!(simulator.issues().len(), 3);
}

#[test]
fn what_could_not_be_sent_offline_is_sent_later() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    world.edit(&format!("tickets/{key}.md"), "Login fails", "Sign-in fails");
    world.settle();
    simulator.inject(Fault::Offline);
    assert!(matches!(syncer.push(), Err(SyncError::Remote(_))));
    let health = syncer.health().unwrap();
    assert_eq!((health.state, health.pending), (HealthState::Waiting, 1));
    assert!(matches!(syncer.push(), Err(SyncError::Waiting { .. })));

    world.later(60);
    syncer.push().unwrap();
    assert_eq!(text(&only(&simulator), Field::Title), "Sign-in fails");
    assert_eq!(syncer.health().unwrap().state, HealthState::Ok);
}

#[test]
fn a_refused_token_stops_the_remote_until_somebody_asks() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, _) = linked(&world, &simulator, "linear");
    simulator.inject(Fault::Unauthorized);
    assert!(syncer.pull().is_err());
    assert_eq!(syncer.health().unwrap().state, HealthState::Stopped);
    world.later(100_000);
    assert!(matches!(syncer.pull(), Err(SyncError::Stopped { .. })));
    syncer.sync(Options::default()).unwrap();
    syncer.pull().unwrap();
}

#[test]
fn what_the_remote_refuses_is_shown_and_stops_nothing_else() {
    let (world, simulator) = (World::new(), linear());
    let syncer = world.remote("linear", &simulator);
    world.write("tickets/a.md", &format!("---\ntitle: {}\nstatus: todo\n---\n", "long ".repeat(100)));
    world.write("tickets/b.md", "---\ntitle: Fine\nstatus: todo\n---\n");
    let report = world.cycle(&syncer);
    assert_eq!((report.refused.len(), report.pushed.len()), (1, 1), "{report:?}");
    assert_eq!(syncer.problems().unwrap()[0].path, ws("tickets/a.md"));
    let entry = world.store.outbox().unwrap().remove(0);
    assert_eq!(entry.state, OutboxState::Refused);
    world.cycle(&syncer);
    assert_eq!(world.store.outbox().unwrap()[0].attempts, entry.attempts);

    world.write("tickets/a.md", "---\ntitle: Short\nstatus: todo\n---\n");
    world.cycle(&syncer);
    assert_eq!(simulator.issues().len(), 2);
    assert!(syncer.problems().unwrap().is_empty());
}

#[test]
fn an_unknown_label_is_a_problem_at_the_labels_and_the_other_fields_go() {
    for simulator in [linear(), github()] {
        let (world, labelled) = (World::new(), [(Field::Labels, FieldValue::Set(["urgent".to_owned()].into()))]);
        let (syncer, key) = linked(&world, &simulator, "there");
        let other = simulator.add(&titled("Labelled").into_iter().chain(labelled).collect()).key;
        world.cycle(&syncer);
        simulator.refuse_new_labels();
        let file = format!("tickets/{key}.md");
        world.edit(&file, "title: Login fails", "labels: [urgnet]\ntitle: Sign-in fails");
        world.write("tickets/new.md", "---\ntitle: New\nstatus: todo\nlabels: [novel]\n---\n");
        (0..3).for_each(|_| drop(world.cycle(&syncer)));

        let there = |title: &str| {
            let issues = simulator.issues();
            issues.into_iter().find(|issue| text(issue, Field::Title) == title).unwrap_or_else(|| panic!("no {title}"))
        };
        let none = FieldValue::Set(Default::default());
        assert_eq!(
            ["Sign-in fails", "New"].map(|title| there(title).fields[&Field::Labels].clone()),
            [none.clone(), none]
        );
        let problems = syncer.problems().unwrap();
        let shown: Vec<_> = problems.iter().map(|it| (it.path.as_str(), it.line, it.column)).collect();
        let line = world.read(&file).lines().position(|line| line.starts_with("labels:")).unwrap() + 1;
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(shown.contains(&(file.as_str(), u32::try_from(line).unwrap(), 9)), "{shown:?}");
        let said: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
        assert!(said.contains("\"urgnet\" is no label of") && said.contains("did you mean \"urgent\"?"), "{said}");
        let writes = simulator.writes();
        world.cycle(&syncer);
        assert_eq!(simulator.writes(), writes, "it is not sent again while the ticket says the same");

        world.edit(&file, "urgnet", "Urgent");
        world.edit("tickets/new.md", "novel", "urgent");
        (0..2).for_each(|_| drop(world.cycle(&syncer)));
        let label = there("Labelled").fields[&Field::Labels].clone();
        assert_eq!(
            ["Sign-in fails", "New"].map(|title| there(title).fields[&Field::Labels].clone()),
            [label.clone(), label]
        );
        assert!(syncer.problems().unwrap().is_empty(), "{other}");
    }
}

/// A ticket whose label was refused by a tracker that keeps its issues in a folder.
fn refused_label(world: &World) -> (Syncer, impl Fn(bool) -> Syncer) {
    let folder = world.dir.path().join("tracker");
    std::fs::create_dir(&folder).unwrap();
    let url = folder.to_str().unwrap().to_owned();
    let open = move |create_labels: bool| {
        let (url, repo) = (Some(url.clone()), Some("o/r".to_owned()));
        RemoteConfig { url, repo, create_labels, ..RemoteConfig::new(RemoteKind::Simulator, ws("tickets")) }
    };
    let connected = |config: RemoteConfig| {
        let provider = Arc::from(trackfs::remote::connect("hub", &config).unwrap());
        world.syncer_of("hub", config, provider, SyncConfig::default(), Default::default())
    };
    let syncer = connected(open(false));
    world.write("tickets/new.md", "---\ntitle: New\nstatus: todo\nlabels: [novel]\n---\n");
    (0..3).for_each(|_| drop(world.cycle(&syncer)));
    assert_eq!(syncer.problems().unwrap().len(), 1);
    (syncer, move |create_labels| connected(open(create_labels)))
}

#[test]
fn what_was_refused_is_sent_again_when_the_cause_may_be_gone() {
    let world = World::new();
    let (syncer, open) = refused_label(&world);
    let said = world.read("tickets/new.md");
    // Somebody makes the label there, which nothing tells of.
    let another = trackfs::remote::connect(
        "hub",
        &RemoteConfig {
            url: Some(world.dir.path().join("tracker").to_str().unwrap().to_owned()),
            repo: Some("o/r".to_owned()),
            create_labels: true,
            ..RemoteConfig::new(RemoteKind::Simulator, ws("elsewhere"))
        },
    );
    let labels = FieldValue::Set(["novel".to_owned()].into());
    another
        .unwrap()
        .create(
            Uuid::new_v4(),
            ObjectKind::Issue,
            &titled("Other").into_iter().chain([(Field::Labels, labels.clone())]).collect(),
        )
        .unwrap();
    world.later(3_500);
    world.cycle(&syncer);
    assert_eq!(syncer.problems().unwrap().len(), 1, "not so soon");
    world.later(200);
    world.cycle(&syncer);
    assert!(syncer.problems().unwrap().is_empty());
    assert_eq!(world.read("tickets/new.md"), said);
    assert_eq!(open(false).pull().unwrap(), Report::default());
}

#[test]
fn what_was_refused_is_sent_again_when_the_configuration_changes() {
    let world = World::new();
    let (syncer, open) = refused_label(&world);
    drop(syncer);
    let syncer = open(true);
    syncer.push().unwrap();
    assert!(syncer.problems().unwrap().is_empty(), "{:?}", syncer.problems());
    assert!(world.store.outbox().unwrap().is_empty());
}

#[test]
fn an_invalid_ticket_is_neither_sent_nor_written() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    let file = format!("tickets/{key}.md");
    let good = world.read(&file);
    for bad in ["", "no frontmatter\n", "---\ntitle: [\n---\n", "---\ntitle: x\nstatus: nonsense\n---\n"] {
        world.write(&file, bad);
        set(&simulator, &key, Field::Assignee, "alice");
        world.cycle(&syncer);
        world.cycle(&syncer);
        assert_eq!(world.read(&file), bad);
        assert_eq!(text(&only(&simulator), Field::Title), "Login fails");
        assert!(simulator.writes().is_empty(), "{bad:?}: {:?}", simulator.writes());
    }
    world.write(&file, &good);
    world.cycle(&syncer);
    world.cycle(&syncer);
    assert!(world.read(&file).contains("assignee: alice"));
}

#[test]
fn a_file_that_a_writer_holds_open_is_left_alone_and_taken_later() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    let file = format!("tickets/{key}.md");
    let stat = world.root.stat(&ws(&file)).unwrap();
    world.root.gate().opened(stat.dev, stat.ino);
    set(&simulator, &key, Field::Title, "Changed there");
    let before = world.read(&file);
    assert_eq!(syncer.pull().unwrap().deferred.len(), 1);
    assert_eq!(world.read(&file), before);
    world.root.gate().closed(stat.dev, stat.ino);
    world.cycle(&syncer);
    assert!(world.read(&file).contains("Changed there"));
}

#[test]
fn a_copied_ticket_does_not_fight_over_its_object() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    let original = world.read(&format!("tickets/{key}.md"));
    world.write("tickets/a-copy.md", &original.replace("Login fails", "A copy"));
    world.cycle(&syncer);
    world.cycle(&syncer);
    assert_eq!(text(&only(&simulator), Field::Title), "Login fails");
}

#[test]
fn a_lost_index_loses_no_agreement() {
    let (world, simulator) = (World::new(), linear());
    let (_, key) = linked(&world, &simulator, "linear");
    let file = format!("tickets/{key}.md");
    world.edit(&file, "Login fails", "Ours");
    set(&simulator, &key, Field::Title, "Theirs");
    world.settle();
    world.store.set_meta("sync.linear", "{}").unwrap();
    let syncer = world.remote("linear", &simulator);
    world.cycle(&syncer);
    world.cycle(&syncer);
    assert!(world.read(&file).contains("Ours"));
    assert_eq!(text(&only(&simulator), Field::Title), "Theirs");
    assert_eq!(syncer.conflicts().unwrap().len(), 1);
}

#[test]
fn an_object_that_is_gone_leaves_its_file() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    simulator.destroy(&key);
    world.later(2 * 24 * 60 * 60);
    world.cycle(&syncer);
    world.edit(&format!("tickets/{key}.md"), "Login fails", "Mine now");
    assert_eq!(world.cycle(&syncer).pushed, []);
    assert!(simulator.issues().is_empty());
    assert!(world.exists(&format!("tickets/{key}.md")));
}

/// One ticket on two trackers, in step.
fn on_two(world: &World) -> (Syncer, Syncer, Arc<Simulator>, Arc<Simulator>) {
    let (ours, theirs) = (linear(), github());
    let one = world.remote_in("linear", &ours, "tickets/eng", SyncConfig::default());
    let two = world.remote_in("github", &theirs, "tickets/web", SyncConfig::default());
    let sync = "sync: {linear: new, github: new}";
    world.write("tickets/both.md", &format!("---\ntitle: Both\nstatus: todo\n{sync}\n---\none\n\ntwo\n\nthree\n"));
    for _ in 0..3 {
        world.cycle(&one);
        world.cycle(&two);
    }
    assert_eq!((ours.issues().len(), theirs.issues().len()), (1, 1));
    assert!(
        world.read("tickets/both.md").contains(r#"sync: {linear: ENG-1, github: "1"}"#),
        "{}",
        world.read("tickets/both.md")
    );
    (one, two, ours, theirs)
}

#[test]
fn a_change_on_one_remote_reaches_the_other_once_and_is_not_echoed() {
    let world = World::new();
    let (one, two, ours, theirs) = on_two(&world);
    let (before_ours, before_theirs) = (ours.writes().len(), theirs.writes().len());
    set(&theirs, "1", Field::Title, "Renamed there");
    for _ in 0..4 {
        world.cycle(&two);
        world.cycle(&one);
    }
    assert_eq!(ours.writes()[before_ours..], ["update ENG-1: title"]);
    assert_eq!(text(&only(&ours), Field::Title), "Renamed there");
    set(&ours, "ENG-1", Field::Body, "one\n\n2\n\nthree");
    for _ in 0..4 {
        world.cycle(&one);
        world.cycle(&two);
    }
    assert_eq!(theirs.writes()[before_theirs..], ["update 1: body"]);
    assert_eq!(ours.writes().len(), before_ours + 1);
}

#[test]
fn what_two_remotes_changed_is_merged_or_shown_against_each_base() {
    let world = World::new();
    let (one, two, ours, theirs) = on_two(&world);
    set(&ours, "ENG-1", Field::Body, "ONE\n\ntwo\n\nthree");
    set(&theirs, "1", Field::Body, "one\n\ntwo\n\nTHREE");
    set(&ours, "ENG-1", Field::Title, "From Linear");
    set(&theirs, "1", Field::Title, "From GitHub");
    for _ in 0..4 {
        world.cycle(&one);
        world.cycle(&two);
    }
    for issue in [only(&ours), only(&theirs)] {
        assert_eq!(text(&issue, Field::Body), "ONE\n\ntwo\n\nTHREE");
    }
    assert!(world.read("tickets/both.md").contains("title: From Linear"));
    let conflict = two.conflicts().unwrap().remove(0);
    assert_eq!((conflict.base, conflict.theirs), (Some(FieldValue::text("Both")), FieldValue::text("From GitHub")));
    assert!(one.conflicts().unwrap().is_empty());

    two.resolve(&ws("tickets/both.md"), None, Word::Side(Side::Remote)).unwrap();
    for _ in 0..3 {
        world.cycle(&two);
        world.cycle(&one);
    }
    assert_eq!(text(&only(&ours), Field::Title), "From GitHub");
    assert!(two.conflicts().unwrap().is_empty());
    let ended = |change: &Change| matches!(change, Change::ConflictEnded { remote, .. } if remote == "github");
    assert_eq!(world.events().iter().filter(|change| ended(change)).count(), 1);
}

#[test]
fn a_new_ticket_in_overlapping_folders_becomes_one_object() {
    for first in ["linear", "github"] {
        let world = World::new();
        let (ours, theirs) = (linear(), github());
        let rival = |folder| Some(ws(folder));
        let one = world.remote_beside("linear", ours.clone(), "tickets", [("github", rival("tickets/web"))]);
        let two = world.remote_beside("github", theirs.clone(), "tickets/web", [("linear", rival("tickets"))]);
        world.write("tickets/web/deep.md", "---\ntitle: Deep\nstatus: todo\n---\n");
        world.write("tickets/flat.md", "---\ntitle: Flat\nstatus: todo\n---\n");
        for _ in 0..3 {
            let order = if first == "linear" { [&one, &two] } else { [&two, &one] };
            order.iter().for_each(|syncer| drop(world.cycle(syncer)));
        }
        assert_eq!(text(&only(&ours), Field::Title), "Flat", "{first} goes first");
        assert_eq!(text(&only(&theirs), Field::Title), "Deep", "{first} goes first");
    }
}

#[test]
fn a_comment_goes_to_the_first_remote_that_its_ticket_names() {
    let world = World::new();
    let (one, two, ours, theirs) = on_two(&world);
    world.write("tickets/both/comments/mine.md", "Looking.\n");
    for _ in 0..3 {
        world.cycle(&two);
        world.cycle(&one);
    }
    assert_eq!((only(&ours).comments.len(), only(&theirs).comments.len()), (1, 0));
}

#[test]
fn an_unlinked_ticket_and_its_object_go_separate_ways_until_they_are_linked_again() {
    for simulator in [linear(), github()] {
        let world = World::new();
        let (syncer, key) = linked(&world, &simulator, "there");
        let file = format!("tickets/{key}.md");
        world.write(&file, &world.read(&file).replace("\"", "").replace(&format!("there: {key}"), "there: none"));
        world.cycle(&syncer);
        world.edit(&file, "Login fails", "Mine");
        set(&simulator, &key, Field::Title, "Theirs");
        let writes = simulator.writes();
        for _ in 0..3 {
            world.cycle(&syncer);
            world.later(2 * 24 * 60 * 60);
        }
        assert_eq!((world.files("tickets"), simulator.writes()), (vec![format!("{key}.md")], writes));
        assert!(world.read(&file).contains("title: Mine"));

        world.edit(&file, "there: none", &format!("there: {key}"));
        world.cycle(&syncer);
        assert_eq!(syncer.conflicts().unwrap()[0].base, None, "nothing is agreed between them");
        assert!(world.read(&file).contains("title: Mine"));
        assert_eq!(text(&only(&simulator), Field::Title), "Theirs");
    }
}

#[test]
fn a_comment_that_both_sides_edited_is_a_conflict_until_somebody_decides() {
    for side in [Side::Local, Side::Remote] {
        let (world, simulator) = (World::new(), linear());
        let (syncer, key) = linked(&world, &simulator, "linear");
        world.write(&format!("tickets/{key}/comments/mine.md"), "Looking.\n");
        world.cycle(&syncer);
        world.cycle(&syncer);
        let file = format!("tickets/{key}/comments/mine.md");
        world.edit(&file, "Looking.", "Looking here.");
        simulator.edit(&key, |issue| issue.comments[0].body = "Looking there.".into());
        world.cycle(&syncer);
        let conflict = syncer.conflicts().unwrap().remove(0);
        assert_eq!((conflict.field.as_str(), conflict.base), ("comments/mine.md", Some(FieldValue::text("Looking."))));
        let path = ws(&format!("tickets/{key}.md"));
        let settled = syncer.resolve(&path, Some("comments/mine.md"), Word::Side(side)).unwrap();
        let lost = if side == Side::Local { "there" } else { "here" };
        assert_eq!(settled[0].lost.as_text().unwrap().trim(), format!("Looking {lost}."));
        world.cycle(&syncer);
        world.cycle(&syncer);
        let holds = if side == Side::Local { "here" } else { "there" };
        assert!(world.read(&file).contains(&format!("Looking {holds}.")), "{side:?} {}", world.read(&file));
        assert!(syncer.conflicts().unwrap().is_empty());
    }
}

#[test]
fn a_value_of_ones_own_settles_a_conflict_on_both_sides() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    let file = format!("tickets/{key}.md");
    world.edit(&file, "Login fails", "Ours");
    set(&simulator, &key, Field::Title, "Theirs");
    world.cycle(&syncer);
    syncer.resolve(&ws(&file), Some("title"), Word::Value("Both of ours")).unwrap();
    world.cycle(&syncer);
    assert!(world.read(&file).contains("title: Both of ours"));
    assert_eq!(text(&only(&simulator), Field::Title), "Both of ours");
}

#[test]
fn a_dry_run_says_what_would_happen_and_does_nothing() {
    let (world, simulator) = (World::new(), linear());
    let (syncer, key) = linked(&world, &simulator, "linear");
    let added = simulator.add(&titled("Another")).key;
    world.edit(&format!("tickets/{key}.md"), "Login fails", "Sign-in fails");
    world.write("tickets/new.md", "---\ntitle: New\nstatus: todo\n---\n");
    world.settle();
    let planned = syncer.sync(Options { dry_run: true, ..Options::default() }).unwrap().planned;
    let mut rows: Vec<(Action, &str)> = planned.iter().map(|row| (row.action, row.path.as_str())).collect();
    rows.sort();
    let (new_file, edited) = (format!("tickets/{added}.md"), format!("tickets/{key}.md"));
    assert_eq!(
        rows,
        [(Action::Write, new_file.as_str()), (Action::Create, "tickets/new.md"), (Action::Update, edited.as_str())]
    );
    assert!(!world.exists(&new_file) && simulator.writes().is_empty() && world.store.outbox().unwrap().is_empty());
}

#[test]
fn untrusted_keys_stay_in_their_folder() {
    let (world, simulator) = (World::new(), linear());
    let syncer = world.remote("linear", &simulator);
    let title = "../../etc/passwd\n---\nsync: {linear: ENG-1}";
    simulator.add(&titled(title));
    world.cycle(&syncer);
    world.cycle(&syncer);
    assert_eq!(world.files("tickets").len(), 1);
    assert!(!Path::new("/tmp/etc").exists());
    assert_eq!(text(&only(&simulator), Field::Title), title);
}

/// Something that happens to a workspace or its tracker.
#[derive(Clone, Debug)]
enum Happening {
    NewTicket(u8),
    NewIssue(u8),
    /// Ticket, line of the file, new text.
    LocalEdit(usize, Field, u8),
    RemoteEdit(usize, Field, u8),
    LocalComment(usize, u8),
    RemoteComment(usize, u8),
    Settle,
    Sync,
    /// A sync that ends after a step, and a new process.
    CutOff(&'static str),
    Fails(Fault),
}

fn happening() -> impl Strategy<Value = Happening> {
    let field = || prop::sample::select(vec![Field::Title, Field::Body, Field::Assignee]);
    let steps = ["file", "page", "create.sent", "create.answered", "create.tracked", "create.linked", "update.sent"]
        .into_iter()
        .chain(["update.answered", "update.tracked", "comment.sent", "comment.answered", "comment.tracked"]);
    prop_oneof![
        1 => (0..4_u8).prop_map(Happening::NewTicket),
        1 => (0..4_u8).prop_map(Happening::NewIssue),
        3 => (0..4_usize, field(), 0..4_u8).prop_map(|(n, field, value)| Happening::LocalEdit(n, field, value)),
        3 => (0..4_usize, field(), 0..4_u8).prop_map(|(n, field, value)| Happening::RemoteEdit(n, field, value)),
        1 => (0..4_usize, 0..4_u8).prop_map(|(n, body)| Happening::LocalComment(n, body)),
        1 => (0..4_usize, 0..4_u8).prop_map(|(n, body)| Happening::RemoteComment(n, body)),
        2 => Just(Happening::Settle),
        3 => Just(Happening::Sync),
        4 => prop::sample::select(steps.collect::<Vec<_>>()).prop_map(Happening::CutOff),
        2 => prop::sample::select(vec![Fault::Offline, Fault::AfterApply, Fault::Before, Fault::Server])
            .prop_map(Happening::Fails),
    ]
}

impl World {
    fn happen(&self, happening: &Happening, simulator: &Arc<Simulator>, count: &mut usize) {
        let ticket = |n: usize| {
            let files = self.files("tickets");
            (!files.is_empty()).then(|| format!("tickets/{}", files[n % files.len()]))
        };
        let key = |n: usize| {
            let issues = simulator.issues();
            (!issues.is_empty()).then(|| issues[n % issues.len()].key.clone())
        };
        *count += 1;
        match happening {
            // Titles are unique, so that twins can be told from duplicates.
            Happening::NewTicket(n) => {
                self.write(
                    &format!("tickets/new-{count}.md"),
                    &format!("---\ntitle: Local {n} {count}\nstatus: todo\n---\nx\n\ny\n"),
                );
            }
            Happening::NewIssue(n) => drop(simulator.add(&titled(&format!("Remote {n} {count}")))),
            Happening::LocalEdit(n, field, value) => {
                let Some(path) = ticket(*n) else { return };
                let mut document = Document::parse(self.read(&path).as_bytes());
                match field {
                    Field::Body => document.set_body(format!("x\n\n{value}\n\ny\n").as_bytes()),
                    field => document.set(field.name(), &format!("ours {value}").into()).unwrap(),
                }
                self.write(&path, std::str::from_utf8(document.bytes()).unwrap());
            }
            Happening::RemoteEdit(n, field, value) => {
                let Some(key) = key(*n) else { return };
                let value =
                    if *field == Field::Body { format!("x\n\ny\n\n{value}") } else { format!("theirs {value}") };
                set(simulator, &key, *field, &value);
            }
            Happening::LocalComment(n, body) => {
                let Some(path) = ticket(*n) else { return };
                self.write(
                    &format!("{}/comments/{count}.md", path.trim_end_matches(".md")),
                    &format!("Ours {body} {count}\n"),
                );
            }
            Happening::RemoteComment(n, body) => {
                let Some(key) = key(*n) else { return };
                let comment = RemoteComment {
                    id: format!("remote-{count}"),
                    author: "bob".into(),
                    created_at: "2026-01-01T00:00:00Z".into(),
                    updated_at: "2026-01-01T00:00:00Z".into(),
                    body: format!("Theirs {body} {count}"),
                };
                simulator.edit(&key, |issue| issue.comments.push(comment));
            }
            Happening::Settle => self.settle(),
            // A failure is the point of some happenings; what it leaves behind is judged at the end.
            Happening::Sync => drop(self.remote("there", simulator).sync(Options::default())),
            Happening::CutOff(step) => {
                let step = *step;
                let syncer = self.remote("there", simulator).with_fault_point(Box::new(move |now| now == step));
                drop(syncer.sync(Options::default()));
            }
            Happening::Fails(fault) => simulator.inject(*fault),
        }
    }

    /// Syncs until nothing moves; answers the syncer.
    fn come_to_rest(&self, simulator: &Arc<Simulator>) -> Syncer {
        let syncer = self.remote("there", simulator);
        let mut quiet = 0;
        for _ in 0..20 {
            self.settle();
            self.later(200);
            let report = syncer.sync(Options::default());
            self.settle();
            let is_quiet = report.is_ok_and(|report| Report { conflicts: Vec::new(), ..report } == Report::default());
            quiet = if is_quiet { quiet + 1 } else { 0 };
            // A link that was only written is told nowhere, and what else the ticket says is sent after it.
            if quiet == 2 {
                return syncer;
            }
        }
        panic!("it never comes to rest: {:?}", syncer.sync(Options::default()));
    }
}

/// Each case is a whole workspace on a disk: few of them, unless `PROPTEST_CASES` asks for more.
fn few() -> ProptestConfig {
    let default = ProptestConfig { max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() { default } else { ProptestConfig { cases: 24, ..default } }
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn whatever_happens_both_sides_end_with_the_same_or_with_a_conflict(
        happenings in prop::collection::vec(happening(), 1..25), rewrites: bool,
    ) {
        let (world, simulator) = (World::new(), if rewrites { linear() } else { github() });
        let mut count = 0;
        happenings.iter().for_each(|happening| world.happen(happening, &simulator, &mut count));
        let syncer = world.come_to_rest(&simulator);

        let (files, issues, conflicts) = (world.files("tickets"), simulator.issues(), syncer.conflicts().unwrap());
        prop_assert_eq!(files.len(), issues.len(), "{:?} {:?}", files, issues);
        prop_assert!(world.store.outbox().unwrap().is_empty());
        for file in files {
            let path = format!("tickets/{file}");
            let document = Document::parse(world.read(&path).as_bytes());
            let key = document.get("sync").and_then(|sync| sync["there"].as_str()).expect("every ticket is linked").to_owned();
            let issue = issues.iter().find(|issue| issue.key == key).expect("to an object of its own");
            let in_conflict = |field: &str| conflicts.iter().any(|conflict| conflict.key == key && conflict.field == field);
            let title = document.get("title").and_then(|title| title.as_str()).unwrap_or_default();
            prop_assert!(title == text(issue, Field::Title) || in_conflict("title"));
            let body = String::from_utf8(document.body().to_vec()).unwrap();
            prop_assert!(body.trim() == text(issue, Field::Body).trim() || in_conflict("body"), "{body:?} {issue:?}");
            let comments = world.files(&format!("tickets/{}/comments", file.trim_end_matches(".md")));
            prop_assert_eq!(comments.len(), issue.comments.len(), "{:?} {:?}", comments, issue.comments);
        }
    }
}
