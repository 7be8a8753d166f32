//! What only Linear does, and how it fails.

use crate::{
    emulators::{Server, start_linear},
    fixture::{linear_at, linear_config, linear_with, titled},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use trackfs::{
    domain::{
        issue::{Field, FieldValue, IssueFields, ObjectKind, RemoteIssue},
        path::WsPath,
    },
    remote::{Lost, Patch, Provider, RemoteError, Search, connect, places},
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
    provider.create(Uuid::new_v4(), ObjectKind::Issue, &titled(title))
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
    let create = |title: &str| remote.create(Uuid::new_v4(), ObjectKind::Issue, &titled(title)).unwrap();
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
    provider.create(intent, ObjectKind::Issue, &titled("Once")).unwrap_err();
    let made = provider.create(intent, ObjectKind::Issue, &titled("Once")).unwrap();
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

/// A provider that lists documents and projects, too.
fn start_with_documents() -> Option<(Server, Box<dyn Provider>)> {
    let server = start_linear()?;
    let documents = Some(WsPath::new("specs/eng").unwrap());
    let config = RemoteConfig { documents, ..linear_config("lin_api_admin", &server.url) };
    let provider = connect("line", &config).unwrap();
    Some((server, provider))
}

fn document(title: &str, body: &str) -> IssueFields {
    let text = FieldValue::text;
    [(Field::Title, text(title)), (Field::Body, text(body)), (Field::Project, text("Launch"))].into()
}

/// Everything that a listing shows, and the requests it took.
fn listed(remote: &dyn Provider, since: Option<&str>) -> (Vec<RemoteIssue>, usize) {
    let (mut objects, mut token, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = remote.changed_since(since, token.as_ref()).unwrap();
        objects.extend(page.issues);
        pages += 1;
        token = page.next;
        if token.is_none() {
            return (objects, pages);
        }
    }
}

#[test]
fn a_document_is_made_once_changed_by_field_and_put_into_the_trash() {
    let Some((server, remote)) = start_with_documents() else { return };
    let (intent, made) =
        (Uuid::new_v4(), |fields: &IssueFields, intent| remote.create(intent, ObjectKind::Document, fields));
    let first = made(&document("Sign-in", "* one\n\nEnd."), intent).unwrap();
    assert_eq!(first.fields, {
        let mut fields = document("Sign-in", "* one\n\nEnd.");
        fields.insert(Field::Parent, FieldValue::Text(None));
        fields
    });
    assert_eq!((first.kind(), first.id.clone()), (ObjectKind::Document, ObjectKind::Document.id(intent)));
    assert!(first.key.starts_with("doc-") && first.url.starts_with("https://"), "{first:?}");
    assert_eq!(made(&document("Sign-in", "* one\n\nEnd."), intent).unwrap(), first, "asked again, nothing is made");

    server.post("/_double/document", "", &json!({ "id": intent, "input": { "title": "Login" } }));
    let patch = Patch { fields: [(Field::Body, FieldValue::text("Short."))].into(), base: first.fields.clone() };
    let now = remote.update(&first.id, &patch).unwrap();
    let said = [Field::Title, Field::Body].map(|field| now.fields[&field].as_text().unwrap());
    assert_eq!(said, ["Login", "Short."], "what was not sent is as somebody else left it");

    (0..2).for_each(|_| remote.archive(&first.id).unwrap());
    assert!(remote.fetch(&first.id).unwrap().unwrap().archived);
    let (objects, _) = listed(&*remote, None);
    assert!(objects.iter().any(|object| object.id == first.id && object.archived), "the trash is listed");
}

#[test]
fn a_lost_answer_to_a_document_is_found_by_its_intent() {
    let Some((server, remote)) = start_with_documents() else { return };
    let (intent, fields) = (Uuid::new_v4(), document("Once", ""));
    fail(&server, "documentCreate", "drop-after", 1);
    assert!(matches!(remote.create(intent, ObjectKind::Document, &fields), Err(RemoteError::Ambiguous { .. })));
    let lost = |kind| Lost { intent, kind, fields: &fields, not_before: None, known: &|_| false };
    let Search::Found(found) = remote.find_created(&lost(ObjectKind::Document)).unwrap() else { panic!("it was made") };
    assert_eq!(found.id, ObjectKind::Document.id(intent));
    assert_eq!(remote.find_created(&lost(ObjectKind::Issue)).unwrap(), Search::Nothing);
}

#[test]
fn a_document_in_no_project_and_a_new_project_are_refused_before_anything_is_sent() {
    let Some((_server, remote)) = start_with_documents() else { return };
    let refused = |kind, fields| match remote.create(Uuid::new_v4(), kind, &fields) {
        Err(RemoteError::Invalid { field, message, .. }) => (field, message),
        other => panic!("{other:?}"),
    };
    let (field, message) = refused(ObjectKind::Document, titled("Nowhere"));
    assert!(field.as_deref() == Some("project") && message.contains("`parent:`"), "{message}");
    assert!(refused(ObjectKind::Project, titled("New")).1.contains("not here"));
    let (projects, _) = listed(&*remote, None);
    let project = projects.iter().find(|object| object.kind() == ObjectKind::Project).unwrap();
    assert!(matches!(remote.archive(&project.id), Err(RemoteError::Invalid { .. })));
}

#[test]
fn a_project_has_its_name_and_its_description_and_takes_both() {
    let Some((server, remote)) = start_with_documents() else { return };
    let (objects, _) = listed(&*remote, None);
    let launch = objects.iter().find(|object| object.key == "project-launch").unwrap();
    assert_eq!(launch.fields[&Field::Body], FieldValue::text("What Launch is about."));
    let fields = [(Field::Title, FieldValue::text("Liftoff")), (Field::Body, FieldValue::text("- up"))];
    let now = remote.update(&launch.id, &Patch { fields: fields.into(), base: launch.fields.clone() }).unwrap();
    let said = [Field::Title, Field::Body].map(|field| now.fields[&field].as_text().unwrap());
    assert_eq!(said, ["Liftoff", "* up"], "Linear writes Markdown in its own way");
    let id = ObjectKind::Project.own(&launch.id);
    server.post("/_double/project", "", &json!({ "id": id, "input": { "content": "Down." } }));
    let (changed, _) = listed(&*remote, Some(&now.updated_at));
    let seen = changed.iter().find(|object| object.id == launch.id).unwrap();
    assert_eq!(seen.fields[&Field::Body], FieldValue::text("Down."));
}

#[test]
fn a_cycle_in_which_nothing_changed_is_one_request_whatever_is_listed() {
    let Some((server, remote)) = start_with_documents() else { return };
    let project = listed(&*remote, None).0.into_iter().find(|object| object.key == "project-launch").unwrap();
    for number in 0..60 {
        let input = json!({ "title": format!("Page {number}"), "projectId": ObjectKind::Project.own(&project.id) });
        server.post("/_double/document", "", &json!({ "input": input }));
    }
    create(&*remote, "An issue").unwrap();
    let (objects, pages) = listed(&*remote, None);
    let of = |kind| objects.iter().filter(|object| object.kind() == kind).count();
    assert_eq!((of(ObjectKind::Document), of(ObjectKind::Project), of(ObjectKind::Issue), pages), (60, 2, 1, 2));
    assert_eq!(listed(&*remote, Some("2999-01-01T00:00:00.000Z")), (Vec::new(), 1));
    // Who does not ask for them is not shown them.
    let issues = listed(&*linear_at(&server.url), None).0;
    assert!(issues.iter().all(|object| object.kind() == ObjectKind::Issue), "{issues:?}");
}

#[test]
fn an_attachment_that_is_there_already_keeps_its_title_and_what_is_no_address_is_refused() {
    let Some((server, remote)) = start() else { return };
    let issue = create(&*remote, "Attached").unwrap();
    let url = "https://example.org/design";
    server.post("/_double/attach", "", &json!({ "input": { "issueId": issue.id, "url": url, "title": "The design" } }));
    let attach = |urls: &[&str]| {
        let urls = FieldValue::Set(urls.iter().map(|url| (*url).to_owned()).collect());
        remote.update(&issue.id, &Patch { fields: [(Field::Attachments, urls)].into(), base: issue.fields.clone() })
    };
    let now = attach(&[url, "https://example.org/logs"]).unwrap();
    assert_eq!(now.fields[&Field::Attachments].members(), [url, "https://example.org/logs"]);
    let links = server.post("/_double/log", "", &json!({})).to_string().matches("attachmentLinkURL").count();
    assert_eq!(links, 1, "only the new one is sent");
    let error = attach(&["see the wiki"]).unwrap_err();
    assert!(matches!(&error, RemoteError::Invalid { field: Some(field), .. } if field == "attachments"), "{error}");
}
