//! What a tracker shows and nobody changes here, pull requests and what happened to issues, as files: written by the pull, and
//! never sent.

#[path = "support/world.rs"]
mod world;

use std::sync::Arc;
use trackfs::{
    domain::{
        document::Document,
        issue::{Field, FieldValue, IssueFields},
        pull::RemotePull,
        timeline::Happening,
    },
    remote::simulator::{Flavour, Simulator},
    sync::{Report, Syncer},
    workspace::config::{RemoteConfig, RemoteKind, SyncConfig},
};
use world::{World, ws};

const FILE: &str = "remotes/hub/pulls/7.md";

fn pull(state: &str) -> RemotePull {
    RemotePull {
        number: 7,
        title: "Sign-in: works".into(),
        state: state.into(),
        branch: "fix/login".into(),
        url: "https://github.com/o/r/pull/7".into(),
        updated_at: String::new(),
        closes: vec!["1".into(), "99".into()],
    }
}

/// A workspace with the issue 1, and an open pull request that closes it.
fn scene(pulls: bool) -> (World, Arc<Simulator>, Syncer) {
    let (world, simulator) = (World::new(), Arc::new(Simulator::new("hub", Flavour::Github)));
    let config = RemoteConfig { pulls, ..RemoteConfig::new(RemoteKind::Simulator, ws("tickets")) };
    let syncer = world.syncer_of("hub", config, simulator.clone(), SyncConfig::default(), Default::default());
    simulator.add(&IssueFields::from([(Field::Title, FieldValue::text("Login fails"))]));
    (0..2).for_each(|_| drop(world.cycle(&syncer)));
    simulator.propose(pull("open"));
    (0..2).for_each(|_| drop(world.cycle(&syncer)));
    (world, simulator, syncer)
}

#[test]
fn a_pull_request_is_a_file_that_names_its_branch_and_the_tickets_it_closes() {
    let (world, simulator, syncer) = scene(true);
    let document = Document::parse(world.read(FILE).as_bytes());
    let said = ["title", "state", "branch", "url"].map(|field| document.get(field).and_then(|value| value.as_str()));
    let expected = ["Sign-in: works", "open", "fix/login", "https://github.com/o/r/pull/7"];
    assert_eq!(said, expected.map(Some));
    assert_eq!(document.get("tickets"), Some(&serde_json::json!(["tickets/1.md"])));

    simulator.propose(pull("merged"));
    let report = world.cycle(&syncer);
    assert_eq!((report.pulled[0].path.as_str(), &report.pulled[0].what[..]), (FILE, &["pull request".to_owned()][..]));
    assert!(world.read(FILE).contains("state: merged"), "{}", world.read(FILE));
    assert_eq!(world.cycle(&syncer), Report::default());
}

#[test]
fn an_edit_of_its_file_is_a_problem_is_not_sent_and_gives_way_to_the_next_change() {
    let (world, simulator, syncer) = scene(true);
    assert!(syncer.problems().unwrap().is_empty());
    world.edit(FILE, "state: open", "state: closed");
    assert_eq!(world.cycle(&syncer), Report::default());
    assert!(world.read(FILE).contains("state: closed"), "nothing changed there");
    let problem = syncer.problems().unwrap().remove(0);
    assert_eq!((problem.path.as_str(), problem.code.as_str()), (FILE, "read-only"));
    assert!(simulator.writes().is_empty() && simulator.issues().len() == 1);

    simulator.propose(pull("merged"));
    (0..2).for_each(|_| drop(world.cycle(&syncer)));
    assert!(world.read(FILE).contains("state: merged"));
    assert!(syncer.problems().unwrap().is_empty());
}

#[test]
fn without_the_setting_there_are_no_files() {
    let (world, _, _) = scene(false);
    assert!(!world.exists("remotes"));
}

const TIMELINE: &str = "remotes/hub/timeline/1.md";

fn happening(what: &str) -> Happening {
    Happening { at: "2026-11-20T14:03:00Z".into(), by: "alice".into(), what: what.into() }
}

/// A workspace with issues whose timelines are shown.
fn told(issues: usize) -> (World, Arc<Simulator>, Syncer) {
    let (world, simulator) = (World::new(), Arc::new(Simulator::new("hub", Flavour::Github)));
    let config = RemoteConfig { timeline: true, ..RemoteConfig::new(RemoteKind::Simulator, ws("tickets")) };
    let syncer = world.syncer_of("hub", config, simulator.clone(), SyncConfig::default(), Default::default());
    for number in 1..=issues {
        simulator.add(&IssueFields::from([(Field::Title, FieldValue::text(format!("Issue {number}")))]));
        simulator.narrate(&number.to_string(), vec![happening("labeled bug")]);
    }
    (world, simulator, syncer)
}

#[test]
fn what_happened_to_an_issue_and_how_people_reacted_is_a_file_that_follows_it() {
    let (world, simulator, syncer) = told(1);
    (0..2).for_each(|_| drop(world.cycle(&syncer)));
    let text = world.read(TIMELINE);
    assert!(text.contains("ticket: tickets/1.md\n") && !text.contains("reactions"), "{text}");
    assert!(text.ends_with("- 2026-11-20T14:03:00Z alice labeled bug\n"), "{text}");
    assert_eq!(world.cycle(&syncer), Report::default());

    simulator.narrate("1", vec![happening("labeled bug"), happening("closed as completed")]);
    simulator.edit("1", |issue| issue.reactions = [("heart".to_owned(), 2)].into());
    (0..2).for_each(|_| drop(world.cycle(&syncer)));
    let text = world.read(TIMELINE);
    assert!(text.contains("reactions: {heart: 2}\n") && text.contains("closed as completed\n"), "{text}");

    world.edit(TIMELINE, "labeled bug", "did nothing");
    assert_eq!(world.cycle(&syncer), Report::default());
    let problem = syncer.problems().unwrap().remove(0);
    assert_eq!((problem.path.as_str(), problem.code.as_str()), (TIMELINE, "read-only"));
    assert!(simulator.writes().is_empty());
}

#[test]
fn the_timelines_of_many_issues_come_over_several_cycles_each_once() {
    let (world, _, syncer) = told(60);
    let came: Vec<usize> = (0..4)
        .map(|_| {
            world.cycle(&syncer);
            world.files("remotes/hub/timeline").len()
        })
        .collect();
    assert_eq!(came, [25, 50, 60, 60]);
    assert_eq!(world.cycle(&syncer), Report::default());
}
