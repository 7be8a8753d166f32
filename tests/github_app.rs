//! A remote that is entered as a GitHub App, against a stand-in that checks what the app signs and counts what it grants.

#[path = "support/example_key.rs"]
mod example_key;
#[path = "support/hub.rs"]
mod hub;

use hub::Hub;
use serde_json::json;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use trackfs::{
    domain::{
        issue::{Field, FieldValue, IssueFields, ObjectKind},
        path::WsPath,
    },
    remote::{Lost, Provider, RemoteError, Search, connect},
    workspace::config::{AppConfig, KeySource, RemoteConfig, RemoteKind, TokenSource},
};
use uuid::Uuid;

/// A remote that is opened with this key, and the folder that the key lies in.
fn opened(
    hub: &Hub,
    key: &str,
    change: impl FnOnce(&mut RemoteConfig),
) -> Result<(Box<dyn Provider>, TempDir), RemoteError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.pem");
    std::fs::write(&file, key).unwrap();
    let app = AppConfig { id: "12345".into(), key: KeySource::File(file.display().to_string()), installation: None };
    let mut config = RemoteConfig {
        repo: Some("o/r".into()),
        url: Some(hub.origin.clone()),
        token: TokenSource::App(app),
        ..RemoteConfig::new(RemoteKind::Github, WsPath::new("tickets").unwrap())
    };
    change(&mut config);
    connect("hub", &config).map(|provider| (provider, folder))
}

fn provider(hub: &Hub) -> Box<dyn Provider> {
    opened(hub, &example_key::pkcs1(), |_| {}).unwrap().0
}

fn reason(error: RemoteError) -> String {
    match error {
        RemoteError::Unauthorized { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_app_signs_with_a_key_of_either_form_and_works_with_one_token() {
    for key in [example_key::pkcs1(), example_key::pkcs8()] {
        let hub = Hub::start();
        let (provider, _folder) = opened(&hub, &key, |_| {}).unwrap();
        assert_eq!(provider.account().unwrap(), "tracker[bot]");
        assert_eq!(provider.fetch("1").unwrap().unwrap().key, "1");
        assert_eq!(provider.capabilities().unwrap().account.as_deref(), Some("tracker[bot]"));
        assert_eq!(hub.granted(), 1);
        assert_eq!(hub.asked("GET /app "), 1, "who it is does not change");
    }
}

#[test]
fn a_configured_installation_is_not_looked_for() {
    let hub = Hub::start();
    let installed = |id| {
        let set = move |config: &mut RemoteConfig| match &mut config.token {
            TokenSource::App(app) => app.installation = Some(id),
            _ => unreachable!("it is entered as an app"),
        };
        opened(&hub, &example_key::pkcs1(), set).unwrap().0
    };
    installed(77).account().unwrap();
    let error = reason(installed(78).account().unwrap_err());
    assert!(error.contains("no installation 78") && error.contains("`remotes.hub.token.app.installation`"), "{error}");
    assert_eq!(hub.asked("/installation "), 0);
}

#[test]
fn a_token_is_replaced_five_minutes_before_it_expires() {
    let hub = Hub::start();
    let provider = provider(&hub);
    hub.lifetime(299);
    provider.fetch("1").unwrap();
    provider.fetch("1").unwrap();
    assert_eq!(hub.granted(), 2, "none of these is good for longer");
    hub.lifetime(3600);
    provider.fetch("1").unwrap();
    provider.fetch("1").unwrap();
    assert_eq!(hub.granted(), 3);
}

#[test]
fn a_refused_token_is_replaced_once_and_the_write_is_made_once() {
    let hub = Hub::start();
    let provider = provider(&hub);
    provider.fetch("1").unwrap();
    hub.revoke();
    provider.comment("1", Uuid::new_v4(), "Said").unwrap();
    assert_eq!((hub.granted(), hub.asked("POST /repos/o/r/issues/1/comments ")), (2, 2));

    hub.accept_none();
    let error = provider.comment("1", Uuid::new_v4(), "Said").unwrap_err();
    assert_eq!(
        error.to_string(),
        "hub refused the token: Bad credentials for ***",
        "it is sent once more, and no oftener"
    );
    assert_eq!((hub.granted(), hub.asked("POST /repos/o/r/issues/1/comments ")), (3, 4));
}

#[test]
fn threads_share_a_token_and_never_ask_for_two() {
    let hub = Hub::start();
    let provider = provider(&hub);
    hub.slow(Duration::from_millis(100));
    for granted in [1, 2] {
        std::thread::scope(|scope| {
            (0..8).for_each(|_| drop(scope.spawn(|| provider.fetch("1").unwrap())));
        });
        assert_eq!(hub.granted(), granted);
        hub.revoke();
    }
}

#[test]
fn what_the_bot_wrote_is_its_own_and_a_lost_issue_of_its_is_found() {
    let hub = Hub::start();
    let provider = provider(&hub);
    assert_eq!(provider.edit_comment("1", "5", "Better").unwrap().author, "tracker[bot]");
    assert!(matches!(provider.edit_comment("1", "6", "Better"), Err(RemoteError::Invalid { .. })), "it is alice's");
    assert_eq!(hub.asked("PATCH /repos/o/r/issues/comments/6 "), 0);

    let fields = IssueFields::from([(Field::Title, FieldValue::text("Login fails"))]);
    let lost =
        Lost { intent: Uuid::new_v4(), kind: ObjectKind::Issue, fields: &fields, not_before: None, known: &|_| false };
    let found = provider.find_created(&lost).unwrap();
    assert!(matches!(&found, Search::Found(issue) if issue.id == "1"), "{found:?}");
}

#[test]
fn a_clock_that_is_wrong_is_set_by_githubs() {
    for ahead in [-7200, 7200] {
        let hub = Hub::start();
        hub.ahead(ahead);
        let provider = provider(&hub);
        provider.fetch("1").unwrap();
        provider.fetch("1").unwrap();
        assert_eq!((hub.granted(), hub.asked("/installation ")), (1, 2), "the first word was dated by our clock");
    }
}

#[test]
fn an_app_that_is_not_known_or_not_installed_is_told_what_to_do_and_never_taken_for_a_missing_issue() {
    let hub = Hub::start();
    let another = |config: &mut RemoteConfig| match &mut config.token {
        TokenSource::App(app) => app.id = "999".into(),
        _ => unreachable!("it is entered as an app"),
    };
    let (unknown, _folder) = opened(&hub, &example_key::pkcs1(), another).unwrap();
    let error = reason(unknown.fetch("1").unwrap_err());
    assert!(error.starts_with("A JSON web token could not be decoded; see that `id` and `key`"), "{error}");
    assert_eq!(hub.asked(""), 1, "our clock was right, so nothing was tried again");

    let (elsewhere, _folder) =
        opened(&hub, &example_key::pkcs1(), |config| config.repo = Some("o/other".into())).unwrap();
    let error = reason(elsewhere.fetch("1").unwrap_err());
    assert!(error.contains("the app 12345 is not installed for o/other") && error.contains("Install App"), "{error}");
}

#[test]
fn a_right_that_is_missing_is_named() {
    let hub = Hub::start();
    let account = |pulls| {
        let opened = opened(&hub, &example_key::pkcs1(), |config| config.pulls = pulls).unwrap();
        opened.0.account()
    };
    hub.permit(json!({ "metadata": "read", "issues": "write" }));
    account(false).unwrap();
    let error = reason(account(true).unwrap_err());
    assert!(error.contains("lacks `pull_requests: read`"), "{error}");
    hub.permit(json!({ "metadata": "read", "issues": "read" }));
    let error = reason(account(false).unwrap_err());
    assert!(error.contains("lacks `issues: write` in o/r") && error.contains("Permissions & events"), "{error}");
}

#[test]
fn what_is_no_rsa_key_is_refused_before_anything_is_sent_and_not_quoted() {
    let hub = Hub::start();
    let body = example_key::pkcs1().lines().nth(1).unwrap().to_owned();
    let public = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
    let torn = format!("-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\n");
    for key in ["", "hush-hush", public.as_str(), torn.as_str()] {
        let error = reason(opened(&hub, key, |_| {}).map(drop).unwrap_err());
        assert!(
            error.contains("`remotes.hub.token.app.key`") && error.contains("RSA") | error.contains("PEM"),
            "{error}"
        );
        assert!(!error.contains(&body) && !error.contains("hush"), "{error}");
    }
    assert_eq!(hub.asked(""), 0);
}

#[test]
fn nothing_that_github_answers_the_app_is_quoted() {
    let hub = Hub::start();
    hub.answer_grants_with(r#""ghs_secret""#);
    let error = provider(&hub).fetch("1").unwrap_err();
    assert!(matches!(error, RemoteError::Server { .. }) && !error.to_string().contains("ghs_"), "{error}");
}

#[test]
fn a_token_that_cannot_be_had_leaves_nothing_written() {
    let hub = Hub::start();
    let (offline, _folder) =
        opened(&hub, &example_key::pkcs1(), |config| config.url = Some("http://127.0.0.1:9".into())).unwrap();
    let begun = Instant::now();
    let error = offline.comment("1", Uuid::new_v4(), "Said").unwrap_err();
    assert!(matches!(error, RemoteError::Offline { .. }), "nothing was sent: {error:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}
