//! What only Linear does, and how it fails.

use crate::{
    emulators::{Server, start_linear},
    fixture::{linear_at, linear_with, titled},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use trackfs::{
    domain::{
        issue::{Field, FieldValue, RemoteIssue},
        path::WsPath,
    },
    remote::{Patch, Provider, RemoteError, places},
    workspace::config::{RemoteConfig, RemoteKind, TokenSource},
};
use uuid::Uuid;

fn start() -> Option<(Server, Box<dyn Provider>)> {
    let server = start_linear()?;
    let provider = linear_at(&server.url);
    Some((server, provider))
}

fn fail(server: &Server, operation: &str, mode: &str, times: usize) {
    let fault = json!({ "match": operation, "mode": mode, "times": times });
    server.post("/_double/faults", "", &json!({ "faults": [fault] }));
}

fn create(provider: &dyn Provider, title: &str) -> Result<RemoteIssue, RemoteError> {
    provider.create(Uuid::new_v4(), &titled(title))
}

fn assign(provider: &dyn Provider, issue: &RemoteIssue, name: &str) -> Result<RemoteIssue, RemoteError> {
    let fields = [(Field::Assignee, FieldValue::text(name))].into();
    provider.update(&issue.id, &Patch { fields, base: issue.fields.clone() })
}

/// What the server has, past its lists.
fn issues(server: &Server) -> Vec<Value> {
    server.post("/_double/state", "", &json!({}))["issues"].as_array().unwrap().clone()
}

#[test]
fn an_issue_with_more_relations_than_it_carries_has_them_all() {
    let Some((_server, remote)) = start() else { return };
    let create = |title: &str| remote.create(Uuid::new_v4(), &titled(title)).unwrap();
    let keys: BTreeSet<String> = (0..7).map(|number| create(&format!("Before {number}")).key).collect();
    let issue = create("Much blocked");
    for field in [Field::BlockedBy, Field::Related] {
        let patch = Patch { fields: [(field, FieldValue::Set(keys.clone()))].into(), base: issue.fields.clone() };
        let now = remote.update(&issue.id, &patch).unwrap();
        assert_eq!(now.fields[&field], FieldValue::Set(keys.clone()));
    }
    let page = remote.changed_since(Some(&issue.updated_at), None).unwrap();
    let listed = page.issues.iter().find(|listed| listed.id == issue.id).expect("it was just made");
    assert_eq!(listed.fields, remote.fetch(&issue.id).unwrap().unwrap().fields);
}

#[test]
fn a_write_that_failed_in_the_server_may_have_happened() {
    let Some((server, provider)) = start() else { return };
    for mode in ["504-after", "drop-after", "drop-before", "502", "html503", "internal"] {
        fail(&server, "issueCreate", mode, 1);
        let error = create(&*provider, mode).unwrap_err();
        assert!(matches!(error, RemoteError::Ambiguous { .. }), "{mode}: {error:?}");
    }
    assert_eq!(issues(&server).len(), 2, "the two that were carried out");
}

#[test]
fn a_read_that_failed_in_the_server_is_passing() {
    let Some((server, provider)) = start() else { return };
    for mode in ["502", "html503", "internal"] {
        fail(&server, "issues", mode, 1);
        let error = provider.changed_since(None, None).unwrap_err();
        assert!(matches!(error, RemoteError::Server { .. }), "{mode}: {error:?}");
    }
    fail(&server, "issues", "drop-before", 1);
    assert!(matches!(provider.changed_since(None, None), Err(RemoteError::Offline { .. })));
}

#[test]
fn a_create_whose_answer_was_lost_is_repeated_without_a_second_issue() {
    let Some((server, provider)) = start() else { return };
    let intent = Uuid::new_v4();
    fail(&server, "issueCreate", "504-after", 1);
    provider.create(intent, &titled("Once")).unwrap_err();
    let made = provider.create(intent, &titled("Once")).unwrap();
    assert_eq!(made.id, intent.to_string());
    assert_eq!(issues(&server).len(), 1);
}

#[test]
fn an_id_taken_by_nothing_is_tried_again_for_a_while() {
    let Some((server, provider)) = start() else { return };
    fail(&server, "issueCreate", "phantom-conflict", 1);
    create(&*provider, "Second try").unwrap();
    fail(&server, "issueCreate", "phantom-conflict", 9);
    let error = create(&*provider, "Never").unwrap_err();
    assert!(matches!(error, RemoteError::Ambiguous { .. }), "{error:?}");
    assert_eq!(issues(&server).len(), 1);
}

#[test]
fn a_rate_limit_is_known_whatever_status_it_comes_with() {
    let Some((server, provider)) = start() else { return };
    for status in [200, 400, 429] {
        server.post("/_double/opt", "", &json!({ "rateStatus": status }));
        fail(&server, "viewer", "ratelimited", 1);
        let error = provider.account().unwrap_err();
        assert!(matches!(error, RemoteError::RateLimited { wait, .. } if wait == Duration::from_secs(2)), "{error:?}");
    }
}

#[test]
fn an_exhausted_budget_says_when_it_is_refilled() {
    let Some((server, provider)) = start() else { return };
    server.post("/_double/opt", "", &json!({ "cxLimit": 3 }));
    let error = (0..9).find_map(|_| provider.account().err()).expect("three points are soon spent");
    let RemoteError::RateLimited { wait, .. } = error else { panic!("{error:?}") };
    assert!(wait > Duration::from_secs(3000), "the budget is refilled within the hour, not in {wait:?}");
    assert_eq!(provider.budget().map(|budget| (budget.remaining, budget.limit)), Some((0, 3)));
}

#[test]
fn lists_that_lag_do_not_hide_a_write_from_its_author() {
    let Some((server, provider)) = start() else { return };
    server.post("/_double/opt", "", &json!({ "lagMs": 60_000 }));
    let issue = create(&*provider, "Fresh").unwrap();
    assert!(provider.changed_since(None, None).unwrap().issues.is_empty(), "the list lags in this test");
    let fields = titled("Fresh, edited");
    let edited = provider.update(&issue.id, &Patch { fields, base: issue.fields.clone() }).unwrap();
    assert_eq!(edited.fields[&Field::Title], FieldValue::text("Fresh, edited"));
}

#[test]
fn an_issue_keeps_its_id_when_it_moves_to_another_team() {
    let Some((server, provider)) = start() else { return };
    let issue = create(&*provider, "Wanders").unwrap();
    let input = json!({ "teamId": "00000000-0000-4000-8000-00000000000b" });
    server.post("/_double/edit", "", &json!({ "id": issue.id, "input": input }));
    let moved = provider.fetch(&issue.id).unwrap().expect("it is still there");
    assert_eq!((issue.key.as_str(), moved.key.as_str()), ("SYN-1", "OPS-1"));
    assert_eq!(moved.id, issue.id);
}

#[test]
fn people_are_known_by_display_name_address_and_full_name() {
    let Some((_server, provider)) = start() else { return };
    let issue = create(&*provider, "For dev").unwrap();
    for name in ["dev", "dev@example.com", "Dev User", "DEV"] {
        let assigned = assign(&*provider, &issue, name).unwrap();
        assert_eq!(assigned.fields[&Field::Assignee], FieldValue::text("dev"), "{name}");
    }
    match assign(&*provider, &issue, "nobody") {
        Err(RemoteError::Invalid { field: Some(field), message, .. }) => {
            assert_eq!(field, "assignee");
            assert!(message.contains("nobody"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

fn change(provider: &dyn Provider, issue: &RemoteIssue, fields: &[(Field, &str)]) -> Result<RemoteIssue, RemoteError> {
    let value = |text: &str| FieldValue::Text(Some(text.to_owned()).filter(|text| !text.is_empty()));
    let fields = fields.iter().map(|(field, text)| (*field, value(text))).collect();
    provider.update(&issue.id, &Patch { fields, base: issue.fields.clone() })
}

#[test]
fn a_milestone_is_looked_for_in_the_project_of_its_issue() {
    let Some((_server, provider)) = start() else { return };
    let issue = create(&*provider, "Planned").unwrap();
    let refusal = |fields: &[(Field, &str)]| change(&*provider, &issue, fields).unwrap_err().to_string();
    let without_project = refusal(&[(Field::Milestone, "v1")]);
    assert!(without_project.contains("milestone: a milestone belongs to a project"), "{without_project}");
    let elsewhere = refusal(&[(Field::Project, "Polish"), (Field::Milestone, "v2")]);
    assert!(elsewhere.contains("\"v2\" is not one of: ") && elsewhere.contains("final"), "{elsewhere}");

    let planned = change(&*provider, &issue, &[(Field::Project, "Polish"), (Field::Milestone, "final")]).unwrap();
    assert_eq!(planned.fields[&Field::Milestone], FieldValue::text("final"));
    let moved = change(&*provider, &planned, &[(Field::Project, "Launch")]).unwrap();
    assert_eq!(moved.fields[&Field::Milestone], FieldValue::Text(None), "it stays behind in its project");
    let both = change(&*provider, &moved, &[(Field::Milestone, "v2")]).unwrap();
    assert_eq!(both.fields[&Field::Project], FieldValue::text("Launch"));
    assert_eq!(both.fields[&Field::Milestone], FieldValue::text("v2"));
}

#[test]
fn a_cycle_goes_by_its_name_or_its_number() {
    let Some((_server, provider)) = start() else { return };
    let issue = create(&*provider, "Scheduled").unwrap();
    for (written, shown) in [("1", "Cycle 1"), ("2", "2"), ("cycle 1", "Cycle 1")] {
        let scheduled = change(&*provider, &issue, &[(Field::Cycle, written)]).unwrap();
        assert_eq!(scheduled.fields[&Field::Cycle], FieldValue::text(shown), "{written}");
    }
    let error = change(&*provider, &issue, &[(Field::Cycle, "7")]).unwrap_err();
    assert!(matches!(&error, RemoteError::Invalid { field: Some(field), .. } if field == "cycle"), "{error:?}");
}

#[test]
fn a_label_of_the_workspace_is_used_before_one_is_made() {
    let Some((server, provider)) = start() else { return };
    let issue = create(&*provider, "Labelled").unwrap();
    let fields = [(Field::Labels, FieldValue::Set(["Workspace-Wide".into()].into()))].into();
    let labelled = provider.update(&issue.id, &Patch { fields, base: issue.fields.clone() }).unwrap();
    assert_eq!(labelled.fields[&Field::Labels], FieldValue::Set(["workspace-wide".into()].into()));
    let log = server.post("/_double/log", "", &json!({}));
    assert!(log.as_array().unwrap().iter().all(|entry| entry["op"] != "issueLabelCreate"));
}

#[test]
fn more_comments_than_a_page_holds_are_all_read() {
    let Some((_server, provider)) = start() else { return };
    let issue = create(&*provider, "Much discussed").unwrap();
    for number in 0..105 {
        provider.comment(&issue.id, Uuid::new_v4(), &number.to_string()).unwrap();
    }
    let fetched = provider.fetch(&issue.id).unwrap().unwrap();
    let listed = provider.changed_since(None, None).unwrap().issues;
    assert_eq!(listed.as_slice(), std::slice::from_ref(&fetched));
    let bodies: Vec<_> = fetched.comments.iter().map(|comment| comment.body.clone()).collect();
    assert_eq!(bodies, (0..105).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn an_oauth_token_goes_as_a_bearer_token_and_a_key_alone() {
    let Some((server, _provider)) = start() else { return };
    for (token, name) in [("lin_oauth_app", "admin"), ("lin_api_dev", "dev")] {
        assert_eq!(linear_with(token, &server.url).account().unwrap(), name);
    }
    let error = linear_with("lin_api_wrong", &server.url).account().unwrap_err();
    assert!(matches!(error, RemoteError::Unauthorized { .. }), "{error:?}");
}

#[test]
fn an_unknown_team_is_named() {
    let Some((server, _provider)) = start() else { return };
    let folder = trackfs::domain::path::WsPath::new("tickets").unwrap();
    let config = RemoteConfig {
        team: Some("NOPE".into()),
        url: Some(server.url.clone()),
        token: TokenSource::Command("echo lin_api_admin".into()),
        ..RemoteConfig::new(RemoteKind::Linear, folder)
    };
    let error = trackfs::remote::connect("line", &config).unwrap().capabilities().unwrap_err();
    assert_eq!(error.to_string(), "line has no such object: team NOPE");
}

#[test]
fn no_operation_is_invalid_or_dear() {
    let Some((server, provider)) = start() else { return };
    let issue = create(&*provider, "Priced").unwrap();
    provider.comment(&issue.id, Uuid::new_v4(), "why?").unwrap();
    assign(&*provider, &issue, "dev").unwrap();
    change(&*provider, &issue, &[(Field::Project, "Launch"), (Field::Milestone, "v1"), (Field::Cycle, "1")]).unwrap();
    provider.changed_since(Some(&issue.updated_at), None).unwrap();
    provider.archive(&issue.id).unwrap();
    provider.account().unwrap();
    for entry in server.post("/_double/log", "", &json!({})).as_array().unwrap() {
        assert_eq!(entry["invalid"], json!([]), "{entry}");
        assert!(entry["cx"].as_u64().unwrap() < 1000, "a tenth of what a query may cost: {entry}");
    }
}

#[test]
fn the_teams_can_be_chosen_from() {
    let Some(server) = start_linear() else { return };
    let at = |token: &str| RemoteConfig {
        url: Some(server.url.clone()),
        token: TokenSource::Command(format!("echo {token}")),
        ..RemoteConfig::new(RemoteKind::Linear, WsPath::new("tickets").unwrap())
    };
    let seen = places("line", &at("lin_api_admin")).unwrap();
    assert!(seen.iter().any(|place| place.name == "SYN" && !place.about.is_empty()), "{seen:?}");
    assert!(matches!(places("line", &at("nobody")), Err(RemoteError::Unauthorized { .. })));
}
