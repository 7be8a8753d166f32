//! What only GitHub does.

use crate::{
    emulators::start_github,
    fixture::{self, github_at, response},
    laws::lost,
};
use serde_json::json;
use trackfs::{
    domain::{
        issue::{Field, FieldValue, IssueFields, RemoteIssue},
        path::WsPath,
    },
    remote::{Patch, Place, RemoteError, Search, connect, places},
    workspace::config::{RemoteConfig, RemoteKind, TokenSource},
};
use uuid::Uuid;

fn assigned(remote: &fixture::Fixture, issue: &RemoteIssue, login: Option<&str>) -> Result<RemoteIssue, RemoteError> {
    let value = FieldValue::Text(login.map(str::to_owned));
    remote.provider.update(&issue.id, &Patch { fields: [(Field::Assignee, value)].into(), base: issue.fields.clone() })
}

fn listed(number: u64, more: serde_json::Value) -> serde_json::Value {
    let mut issue = json!({
        "number": number, "title": "T", "state": "open", "comments": 0, "html_url": "https://github.com/o/r/issues/1",
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"
    });
    issue.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    issue
}

#[test]
fn pull_requests_are_not_issues() {
    let Some(remote) = fixture::github() else { return };
    remote.answer_next(response("200 OK", "", "{}"));
    remote.answer_next(response("200 OK", "", "[]"));
    let listing = json!([listed(1, json!({})), listed(2, json!({ "pull_request": { "url": "x" } }))]);
    remote.answer_next(response("200 OK", "", &listing.to_string()));
    let page = remote.provider.changed_since(None, None).unwrap();
    assert_eq!(page.issues.iter().map(|issue| issue.key.as_str()).collect::<Vec<_>>(), ["1"]);
    remote.answer_next(response("200 OK", "", &listing[1].to_string()));
    assert_eq!(remote.provider.fetch("2").unwrap(), None);
}

#[test]
fn a_page_on_another_host_is_not_followed() {
    let Some(remote) = fixture::github() else { return };
    let link = "link: <https://evil.example/repositories/1/issues?page=2>; rel=\"next\"\r\n";
    remote.answer_next(response("200 OK", "", "{}"));
    remote.answer_next(response("200 OK", "", "[]"));
    remote.answer_next(response("200 OK", link, &json!([listed(1, json!({}))]).to_string()));
    let error = remote.provider.changed_since(None, None).unwrap_err();
    assert!(matches!(&error, RemoteError::Server { reason, .. } if reason.contains("another host")), "{error:?}");
}

#[test]
fn an_issue_that_moved_to_another_repository_is_absent() {
    let Some(remote) = fixture::github() else { return };
    remote.answer_next(response("200 OK", "", &listed(9, json!({})).to_string()));
    assert_eq!(remote.provider.fetch("1").unwrap(), None);
}

#[test]
fn a_repository_that_cannot_be_seen_is_an_error_and_not_an_absence() {
    let Some(server) = start_github() else { return };
    let provider = github_at(&server.url, "alice/hidden");
    assert!(matches!(provider.fetch("1"), Err(RemoteError::NotFound { .. })));
    assert!(matches!(provider.account(), Err(RemoteError::NotFound { .. })));
}

#[test]
fn people_assigned_besides_stay() {
    let Some(remote) = fixture::github() else { return };
    let issue = remote.create("Shared");
    let issue = assigned(&remote, &issue, Some("alice")).unwrap();
    let (server, path) = remote.github_path(&issue.id);
    server.post(&format!("{path}/assignees"), "ghp_bob", &json!({ "assignees": ["bob"] }));
    let issue = assigned(&remote, &issue, None).unwrap();
    assert_eq!(issue.fields[&Field::Assignee], FieldValue::text("bob"));
}

#[test]
fn somebody_who_cannot_be_assigned_is_refused() {
    let Some(remote) = fixture::github() else { return };
    let issue = remote.create("For nobody");
    match assigned(&remote, &issue, Some("nobody-here")) {
        Err(RemoteError::Invalid { field: Some(field), .. }) => assert_eq!(field, "assignee"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn more_comments_than_a_page_holds_are_all_read() {
    let Some(remote) = fixture::github() else { return };
    let issue = remote.create("Much discussed");
    let bodies: Vec<_> = (0..105).map(|number| number.to_string()).collect();
    for body in &bodies {
        remote.provider.comment(&issue.id, Uuid::new_v4(), body).unwrap();
    }
    let fetched = remote.provider.fetch(&issue.id).unwrap().unwrap();
    assert_eq!(
        fetched.comments.iter().map(|comment| &comment.body).collect::<Vec<_>>(),
        bodies.iter().collect::<Vec<_>>()
    );
}

#[test]
fn a_create_is_not_mistaken_for_an_older_issue_of_the_same_words() {
    let Some(remote) = fixture::github() else { return };
    remote.create("Weekly report");
    std::thread::sleep(std::time::Duration::from_millis(5));
    let later = remote.create("Something else");
    let fields = IssueFields::from([(Field::Title, FieldValue::text("Weekly report"))]);
    let found = remote.provider.find_created(&lost(Uuid::new_v4(), &fields, Some(&later.updated_at))).unwrap();
    assert_eq!(found, Search::Nothing);
}

#[test]
fn a_lost_issue_that_was_renamed_is_known_by_its_first_title() {
    let Some(remote) = fixture::github() else { return };
    let later = json!({ "updated_at": "2026-01-01T00:05:00Z", "title": "Renamed", "body": "Edited" });
    let twin = json!({ "title": "Another", "body": "As sent" });
    let newest = json!([listed(4, later.clone()), listed(3, later), listed(2, twin)]).to_string();
    let renamed =
        |from: &str| json!([{"event": "labeled"}, {"event": "renamed", "rename": {"from": from, "to": "Renamed"}}]);
    let [other, ours] = ["Not this", "As sent"].map(|from| response("200 OK", "", &renamed(from).to_string()));
    let never = response("200 OK", "", "[]");
    let fields = IssueFields::from([(Field::Title, FieldValue::text("As sent"))]);
    let script = [response("200 OK", "", r#"{"login": "alice"}"#), response("200 OK", "", &newest), other, ours, never];
    script.into_iter().for_each(|answer| remote.answer_next(answer));
    let found = remote.provider.find_created(&lost(Uuid::new_v4(), &fields, None)).unwrap();
    assert!(matches!(&found, Search::Found(issue) if issue.id == "3"), "its first title is known: {found:?}");

    // A clock of whole seconds does not tell that one was edited at once.
    let at_once = json!([
        listed(6, json!({ "title": "Tidied by a bot" })),
        listed(5, json!({ "title": "As sent", "body": "more" }))
    ]);
    let renamed = response("200 OK", "", &renamed("As sent").to_string());
    let script = [response("200 OK", "", &at_once.to_string()), renamed, response("200 OK", "", "[]")];
    script.into_iter().for_each(|answer| remote.answer_next(answer));
    let found = remote.provider.find_created(&lost(Uuid::new_v4(), &fields, None)).unwrap();
    assert_eq!(found, Search::Several(vec!["6".into(), "5".into()]), "and which of them it was nobody can tell");

    remote.answer_next(response("200 OK", "", &json!([listed(1, json!({ "title": "As sent" }))]).to_string()));
    let known = trackfs::remote::Lost { known: &|id| id == "1", ..lost(Uuid::new_v4(), &fields, None) };
    assert_eq!(remote.provider.find_created(&known).unwrap(), Search::Nothing, "it is accounted for");
}

#[test]
fn the_budget_is_learnt_from_answers() {
    let Some(remote) = fixture::github() else { return };
    assert_eq!(remote.provider.budget(), None);
    remote.create("One");
    let budget = remote.provider.budget().expect("the emulator counts requests");
    assert_eq!(budget.limit, 5000);
    assert!(budget.remaining < 5000 && budget.reset.is_some(), "{budget:?}");
}

/// The emulator has no sub-issues: these are GitHub's answers.
#[test]
fn a_parent_is_set_and_taken_off_by_the_id_of_the_sub_issue() {
    let Some(remote) = fixture::github() else { return };
    let api = format!("{}/repos/o/r", remote.wire().0);
    let answer_issue = |parent: Option<u64>| {
        let parent = parent.map(|number| format!("{api}/issues/{number}"));
        let more = json!({ "id": 7001, "repository_url": api, "parent_issue_url": parent, "sub_issues_summary": {} });
        remote.answer_next(response("200 OK", "", &listed(7, more).to_string()));
    };
    let update = |parent: FieldValue| {
        let patch = Patch { fields: [(Field::Parent, parent)].into(), ..Patch::default() };
        remote.provider.update("7", &patch)
    };
    // The issue as it is, the write, and the issue as it has become.
    for (before, status, after) in [(None, "201 Created", Some(3)), (Some(3), "200 OK", None)] {
        answer_issue(before);
        remote.answer_next(response(status, "", "{}"));
        answer_issue(after);
        let parent = FieldValue::Text(after.map(|number| number.to_string()));
        assert_eq!(update(parent.clone()).unwrap().fields[&Field::Parent], parent);
    }
    let writes: Vec<_> = remote.wire().1.into_iter().filter(|request| !request.starts_with("GET ")).collect();
    let [set, taken_off] = writes.as_slice() else { panic!("{writes:?}") };
    assert!(set.starts_with("POST /repos/alice/") && set.contains("/issues/3/sub_issues "), "{set}");
    assert!(set.contains("\"sub_issue_id\":7001") && set.contains("\"replace_parent\":true"), "{set}");
    assert!(taken_off.starts_with("DELETE /repos/o/r/issues/3/sub_issue "), "{taken_off}");
    assert!(taken_off.contains("\"sub_issue_id\":7001"), "{taken_off}");

    answer_issue(None);
    remote.answer_next(response("404 Not Found", "", r#"{"message": "Not Found"}"#));
    let error = update(FieldValue::text("99")).unwrap_err();
    assert_eq!(error.to_string(), "hub refused parent: 99 is not there, or takes no sub-issues");
}

#[test]
fn a_token_that_cannot_write_is_told_at_once_and_which_right_it_lacks() {
    for (scopes, is_enough) in [("gist, read:user", false), ("repo, gist", true), ("public_repo", true), ("", true)] {
        let Some(remote) = fixture::github() else { return };
        remote.answer_next(response("200 OK", &format!("x-oauth-scopes: {scopes}\r\n"), "{}"));
        let account = remote.provider.account();
        assert_eq!(account.is_ok(), is_enough, "{scopes}: {account:?}");
        if let Err(error) = account {
            let said = error.to_string();
            assert!(said.contains("the scopes gist, read:user") && said.contains("it needs `repo`"), "{said}");
        }
    }
}

/// The emulator has no types of issues: these are GitHub's answers.
#[test]
fn a_type_is_one_of_the_organizations_and_there_is_none_elsewhere() {
    let Some(remote) = fixture::github() else { return };
    assert!(remote.provider.capabilities().unwrap().types.is_empty(), "alice is a user");
    let Some(remote) = fixture::github() else { return };
    remote.answer_next(response("200 OK", "", r#"{"login": "alice"}"#));
    let types = json!([
        { "id": 1, "name": "Bug", "is_enabled": true },
        { "id": 2, "name": "Feature" },
        { "id": 3, "name": "Old", "is_enabled": false }
    ]);
    remote.answer_next(response("200 OK", "", &types.to_string()));
    let capabilities = remote.provider.capabilities().unwrap();
    assert_eq!(capabilities.types, ["Bug", "Feature"]);
    assert!(capabilities.fields.contains(&Field::Type));

    let issue = |kind: serde_json::Value| response("200 OK", "", &listed(7, json!({ "type": kind })).to_string());
    let update = |kind: Option<&str>| {
        let patch =
            Patch { fields: [(Field::Type, FieldValue::Text(kind.map(Into::into)))].into(), ..Patch::default() };
        remote.provider.update("7", &patch)
    };
    for kind in [json!({ "id": 1, "name": "Bug" }), json!(null)] {
        // The write, and the issue as it has become.
        remote.answer_next(issue(kind.clone()));
        remote.answer_next(issue(kind.clone()));
        let name = kind["name"].as_str();
        assert_eq!(update(name).unwrap().fields[&Field::Type], FieldValue::Text(name.map(str::to_owned)));
        let sent = remote.wire().1.into_iter().rfind(|request| request.starts_with("PATCH ")).unwrap();
        assert!(sent.contains(&format!("{{\"type\":{}}}", json!(name))), "{sent}");
    }
    let before = remote.requests();
    let error = update(Some("Bugg")).unwrap_err();
    assert_eq!(error.to_string(), "hub refused type: \"Bugg\" is not one of: Bug, Feature");
    assert_eq!(remote.requests(), before, "nothing is sent");
    remote.answer_next(response("200 OK", "", &listed(8, json!({})).to_string()));
    assert!(!remote.provider.fetch("8").unwrap().unwrap().fields.contains_key(&Field::Type), "an older server");
}

/// The emulator has no dependencies: these are GitHub's answers.
#[test]
fn what_blocks_an_issue_is_read_where_there_is_some_and_changed_by_ids() {
    let Some(remote) = fixture::github() else { return };
    let api = format!("{}/repos/o/r", remote.wire().0);
    let issue = |number: u64, repository: &str, blocked: u64| {
        let summary = json!({ "blocked_by": 0, "blocking": 0, "total_blocked_by": blocked, "total_blocking": 0 });
        let more = json!({ "id": 7000 + number, "repository_url": repository, "issue_dependencies_summary": summary });
        listed(number, more)
    };
    let answer = |body: serde_json::Value| remote.answer_next(response("200 OK", "", &body.to_string()));
    let elsewhere = api.replace("o/r", "o/plans");
    let blockers = json!([issue(3, &api, 0), issue(4, &elsewhere, 0)]);
    let keys = |keys: &[&str]| FieldValue::Set(keys.iter().map(|key| (*key).to_owned()).collect());
    answer(issue(7, &api, 2));
    answer(blockers.clone());
    let seven = remote.provider.fetch("7").unwrap().unwrap();
    assert_eq!(seven.fields[&Field::BlockedBy], keys(&["3", "o/plans#4"]));
    answer(issue(8, &api, 0));
    let before = remote.requests();
    assert_eq!(remote.provider.fetch("8").unwrap().unwrap().fields[&Field::BlockedBy], keys(&[]));
    assert_eq!(remote.requests() - before, 1, "where nothing blocks, nothing more is asked");

    // The new one is looked up, the issue and what blocks it read, and after the writes the issue as it has become.
    answer(issue(5, &api, 0));
    answer(issue(7, &api, 2));
    answer(blockers);
    remote.answer_next(response("201 Created", "", "{}"));
    answer(json!({}));
    answer(issue(7, &api, 2));
    answer(json!([issue(3, &api, 0), issue(5, &api, 0)]));
    let patch = Patch { fields: [(Field::BlockedBy, keys(&["3", "5"]))].into(), base: seven.fields };
    assert_eq!(remote.provider.update("7", &patch).unwrap().fields[&Field::BlockedBy], keys(&["3", "5"]));
    let writes: Vec<_> = remote.wire().1.into_iter().filter(|request| !request.starts_with("GET ")).collect();
    let [added, removed] = writes.as_slice() else { panic!("{writes:?}") };
    assert!(added.contains("/issues/7/dependencies/blocked_by ") && added.contains("\"issue_id\":7005"), "{added}");
    assert!(removed.starts_with("DELETE ") && removed.contains("/issues/7/dependencies/blocked_by/7004 "), "{removed}");

    answer(issue(7, &api, 1));
    remote.answer_next(response("404 Not Found", "", r#"{"message": "Not Found"}"#));
    let hidden = remote.provider.fetch("7").unwrap().unwrap();
    assert!(!hidden.fields.contains_key(&Field::BlockedBy), "what may not be seen says nothing");
}

/// The emulator lacks the listing of a repository's comments: these are GitHub's answers.
#[test]
fn a_listing_of_everything_reads_comments_in_bulk_and_again_where_they_changed() {
    let Some(remote) = fixture::github() else { return };
    let comment = |id: u64, issue: u64| {
        json!({ "id": id, "issue_url": format!("https://api.github.com/repos/o/r/issues/{issue}"), "body": "b",
            "user": { "login": "bob" }, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z" })
    };
    let issues =
        json!([listed(1, json!({ "comments": 1 })), listed(2, json!({ "comments": 2 })), listed(3, json!({}))]);
    remote.answer_next(response("200 OK", "", "{}"));
    remote.answer_next(response("200 OK", "", &json!([comment(10, 1), comment(20, 2)]).to_string()));
    remote.answer_next(response("200 OK", "", &issues.to_string()));
    remote.answer_next(response("200 OK", "", &json!([comment(20, 2), comment(21, 2)]).to_string()));
    let page = remote.provider.changed_since(None, None).unwrap();
    let ids = |index: usize| page.issues[index].comments.iter().map(|comment| comment.id.as_str()).collect::<Vec<_>>();
    assert_eq!((ids(0), ids(1), ids(2)), (vec!["10"], vec!["20", "21"], vec![]));
    assert_eq!(remote.requests(), 4);
}

/// The issues of a listing since `time`, which fits one page, and the requests that it took.
fn listed_since(remote: &fixture::Fixture, time: &str) -> (Vec<RemoteIssue>, usize) {
    let before = remote.requests();
    let page = remote.provider.changed_since(Some(time), None).unwrap();
    assert!(page.next.is_none());
    (page.issues, remote.requests() - before)
}

/// The emulator has no entity tags: the proxy adds them.
#[test]
fn a_listing_in_which_nothing_changed_is_one_request_that_costs_nothing_and_says_the_same() {
    let Some(remote) = fixture::github() else { return };
    let (first, second) = (remote.create("Discussed"), remote.create("Quiet"));
    remote.provider.comment(&first.id, Uuid::new_v4(), "said").unwrap();
    remote.provider.account().unwrap();
    remote.proxy().tag();
    let (said, requests) = listed_since(&remote, &first.updated_at);
    assert_eq!((said.len(), requests), (2, 2), "the list, and the comments of one of them");
    for answered in 1..4 {
        assert_eq!(listed_since(&remote, &first.updated_at), (said.clone(), 1));
        assert_eq!(remote.proxy().not_modified(), answered);
    }
    remote.somebody_edits(&second, "Not so quiet", "Bug");
    let (heard, _) = listed_since(&remote, &first.updated_at);
    assert!(heard.iter().any(|issue| issue.fields[&Field::Title] == FieldValue::text("Not so quiet")), "{heard:?}");
    let (another, _) = listed_since(&remote, &second.updated_at);
    assert_eq!(remote.proxy().not_modified(), 3, "another time is another listing: {another:?}");
}

/// The emulator leaves pull requests out of its listings: these are GitHub's answers.
#[test]
fn pull_requests_are_read_where_they_are_asked_for_and_only_as_far_as_they_changed() {
    let Some(remote) = fixture::github() else { return };
    let config = |pulls| RemoteConfig {
        repo: Some("o/r".into()),
        url: Some(remote.proxy().origin.clone()),
        token: TokenSource::Command("echo ghp_alice".into()),
        pulls,
        ..RemoteConfig::new(RemoteKind::Github, trackfs::domain::path::WsPath::new("tickets").unwrap())
    };
    let pull = |number: u64, updated_at: &str, more: serde_json::Value| {
        let mut pull =
            listed(number, json!({ "updated_at": updated_at, "head": { "ref": format!("branch-{number}") } }));
        pull.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        pull
    };
    let issues = json!([listed(4, json!({ "pull_request": {}, "updated_at": "2026-01-03T00:00:00Z" }))]);
    let pulls = json!([
        pull(4, "2026-01-03T00:00:00Z", json!({ "draft": true, "body": "Fixes #1" })),
        pull(3, "2026-01-02T00:00:00Z", json!({ "state": "closed", "merged_at": "2026-01-02T00:00:00Z" })),
        pull(2, "2026-01-01T00:00:00Z", json!({ "state": "closed" })),
    ]);
    let older =
        "link: <ORIGIN/repositories/1/pulls?page=2>; rel=\"next\"\r\n".replace("ORIGIN", &remote.proxy().origin);
    remote.answer_next(response("200 OK", "", &issues.to_string()));
    remote.answer_next(response("200 OK", &older, &pulls.to_string()));
    let page = connect("hub", &config(true)).unwrap().changed_since(Some("2026-01-02T00:00:00Z"), None).unwrap();
    let shown: Vec<_> =
        page.pulls.iter().map(|pull| (pull.number, pull.state.as_str(), pull.branch.as_str())).collect();
    assert_eq!(shown, [(4, "draft", "branch-4"), (3, "merged", "branch-3")]);
    assert_eq!((page.pulls[0].closes.clone(), page.issues.len()), (vec!["1".to_owned()], 0));
    assert_eq!(page.latest.as_deref(), Some("2026-01-03T00:00:00Z"), "so that the next listing begins there");
    assert_eq!(remote.requests(), 2, "what is older is not asked for");

    remote.answer_next(response("200 OK", "", &issues.to_string()));
    let page = connect("hub", &config(false)).unwrap().changed_since(Some("2026-01-02T00:00:00Z"), None).unwrap();
    assert_eq!((page.pulls, remote.requests()), (vec![], 3));
}

#[test]
fn the_repositories_that_a_token_can_see_can_be_chosen_from() {
    let Some(remote) = fixture::github() else { return };
    let (_, path) = remote.github_path("1");
    let repo = path.strip_prefix("/repos/").unwrap().strip_suffix("/issues/1").unwrap();
    let (origin, _) = remote.wire();
    let at = |token: &str| RemoteConfig {
        url: Some(origin.to_owned()),
        token: TokenSource::Command(format!("echo {token}")),
        ..RemoteConfig::new(RemoteKind::Github, WsPath::new("tickets").unwrap())
    };
    let seen = places("hub", &at("ghp_alice")).unwrap();
    assert!(seen.iter().any(|place| place.name == repo), "{repo}: {seen:?}");
    remote.answer_next(response("401 Unauthorized", "", "{\"message\": \"Bad credentials\"}"));
    assert!(matches!(places("hub", &at("ghp_old")), Err(RemoteError::Unauthorized { .. })));
    // Where nobody writes issues there is nothing to choose.
    let listed = json!([
        { "full_name": "o/used", "description": "About it", "has_issues": true, "archived": false },
        { "full_name": "o/none", "has_issues": false },
        { "full_name": "o/old", "archived": true },
    ]);
    remote.answer_next(response("200 OK", "", &listed.to_string()));
    let place = Place { name: "o/used".into(), about: "About it".into() };
    assert_eq!(places("hub", &at("ghp_alice")).unwrap(), [place]);
}

#[test]
fn the_timeline_of_an_issue_tells_who_did_what() {
    let Some(remote) = fixture::github() else { return };
    let issue = remote.create("Told");
    let fields = [(Field::Title, FieldValue::text("Told anew")), (Field::Status, FieldValue::text("closed"))].into();
    let now = remote.provider.update(&issue.id, &Patch { fields, base: issue.fields.clone() }).unwrap();
    let told = remote.provider.timeline(&now.id).unwrap();
    let what: Vec<&str> = told.iter().map(|happening| happening.what.as_str()).collect();
    assert!(what.contains(&"opened") && what.iter().any(|what| what.starts_with("closed")), "{what:?}");
    assert!(told.iter().all(|happening| happening.by == "alice" && happening.at.contains('T')), "{told:?}");
    assert!(matches!(remote.provider.timeline("99999"), Err(RemoteError::NotFound { .. })));
}
