//! Webhooks from the servers that stand in for GitHub and Linear, to `trackfs serve`, to a file in an open mount.

#[path = "support/emulators.rs"]
mod emulators;
mod support;

use emulators::Server;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};
use support::{Workspace, eventually};

const SECRET: &str = "s3cret-of-the-test";

/// `trackfs serve`, ended with its handle.
struct Serving {
    process: Child,
    /// Where deliveries for the one remote go.
    url: String,
}

impl Serving {
    fn start(workspace: &Workspace) -> Self {
        let mut command = workspace.command(env!("CARGO_BIN_EXE_trackfs"));
        command.args(["serve", "--webhooks", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split([' ', ';']).find(|word| word.starts_with("http://")).expect("it says where").to_owned();
        Self { process, url }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A mounted workspace that has pulled once and polls no more.
fn mounted(remote: &[&str], variables: Vec<(&'static str, String)>) -> Workspace {
    let mut workspace = Workspace::new();
    workspace.variables = variables;
    workspace.configure("commit: {idle: 0.3, max: 5}\nsync: {interval: 86400}");
    workspace.ok(&[&["remote", "add"], remote].concat());
    workspace.mount();
    eventually("the first pull", || (workspace.json(&["status"])["remotes"][0]["state"] == "ok").then_some(()));
    workspace
}

fn find(workspace: &Workspace, text: &str) -> String {
    eventually("the change is in a file", || {
        let found = workspace.sh(&format!("grep -rl --exclude='.*' '{text}' tickets || true"));
        found.lines().next().map(str::to_owned)
    })
}

/// Posts from a file, as a body may be long; answers the status and the text.
fn post(workspace: &Workspace, url: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let file = workspace.outside("body");
    std::fs::write(&file, body).unwrap();
    let mut curl = workspace.command("curl");
    curl.args(["-sS", "--noproxy", "*", "-w", "%{http_code}", "--data-binary", &format!("@{}", file.display()), url]);
    curl.args(headers.iter().map(|(name, value)| format!("-H{name}: {value}")));
    let text = support::checked("curl", &curl.output().unwrap());
    let (text, status) = text.split_at(text.len() - 3);
    (status.parse().unwrap(), text.to_owned())
}

#[test]
fn what_somebody_writes_on_github_is_in_the_mount_without_a_poll() {
    let Some(server) = emulators::start_github() else { return };
    let arguments =
        ["github", "--type", "github", "--repo", "alice/tracker", "--url", &server.url, "--folder", "tickets/gh"];
    let variables = [("GITHUB_TOKEN", "ghp_alice"), ("GITHUB_WEBHOOK_SECRET", SECRET)];
    let workspace = mounted(&arguments, variables.map(|(name, value)| (name, value.to_owned())).to_vec());
    let serving = Serving::start(&workspace);
    let hook = json!({"events": ["*"], "config": {"url": serving.url, "secret": SECRET, "content_type": "json"}});
    server.post("/repos/alice/tracker/hooks", "ghp_alice", &hook);

    let made = server.post("/repos/alice/tracker/issues", "ghp_bob", &json!({"title": "Seen at once"}));
    let path = find(&workspace, "Seen at once");
    server.post(
        &format!("/repos/alice/tracker/issues/{}/comments", made["number"]),
        "ghp_bob",
        &json!({"body": "Me too"}),
    );
    let comment = find(&workspace, "Me too");
    assert!(comment.starts_with(path.trim_end_matches(".md")), "{comment} belongs to {path}");
}

#[test]
fn what_somebody_writes_in_linear_is_in_the_mount_without_a_poll() {
    let Some(server) = emulators::start_linear() else { return };
    let arguments = ["linear", "--type", "linear", "--team", "SYN", "--url", &server.url, "--folder", "tickets/linear"];
    let variables = [("LINEAR_API_KEY", "lin_api_dev"), ("LINEAR_WEBHOOK_SECRET", SECRET)];
    let workspace = mounted(&arguments, variables.map(|(name, value)| (name, value.to_owned())).to_vec());
    let serving = Serving::start(&workspace);
    let team = team_of(&server);
    let create = include_str!("emulators/graphql/webhook_create.graphql");
    let input = json!({"url": serving.url, "secret": SECRET, "teamId": team, "resourceTypes": ["Issue", "Comment"]});
    let made = graphql(&server, &json!({"query": create, "variables": {"input": input}}));
    assert_eq!(made["data"]["webhookCreate"]["success"], true, "{made}");

    let input = json!({"input": {"title": "Seen at once", "description": "First words", "teamId": team}});
    server.post("/_double/create", "", &input);
    let path = find(&workspace, "First words");
    let key = path.rsplit('/').next().unwrap().trim_end_matches(".md");
    server.post("/_double/edit", "", &json!({"id": key, "input": {"description": "Second thoughts"}}));
    assert_eq!(find(&workspace, "Second thoughts"), path);
}

fn team_of(server: &Server) -> Value {
    let state = server.post("/_double/state", "", &json!({}));
    state["teams"].as_array().unwrap().iter().find(|team| team["key"] == "SYN").unwrap()["id"].clone()
}

/// As an admin: nobody else may make a webhook.
fn graphql(server: &Server, body: &Value) -> Value {
    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    client.post(&server.url).header("Authorization", "lin_api_admin").json(body).send().unwrap().json().unwrap()
}

#[test]
fn a_stranger_is_turned_away_and_a_repeated_delivery_is_known() {
    let mut workspace = Workspace::new();
    workspace.variables =
        vec![("GITHUB_TOKEN", "t".into()), ("GITHUB_WEBHOOK_SECRET", "It's a Secret to Everybody".into())];
    workspace.ok(&["remote", "add", "gh", "--type", "github", "--repo", "a/b", "--url", "http://127.0.0.1:9"]);
    let serving = Serving::start(&workspace);
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let signed = [("X-Hub-Signature-256", signature), ("X-GitHub-Delivery", "one"), ("X-GitHub-Event", "issues")];
    let text = "Hello, World!";
    assert_eq!(post(&workspace, &serving.url, &signed, text), (200, "thanks\n".into()));
    assert_eq!(post(&workspace, &serving.url, &signed, text), (200, "known\n".into()));
    let ping = [signed[0], ("X-GitHub-Delivery", "two"), ("X-GitHub-Event", "ping")];
    assert_eq!(post(&workspace, &serving.url, &ping, text), (200, "pong\n".into()));
    assert_eq!(post(&workspace, &serving.url, &signed, "Hello, World?").0, 401);
    assert_eq!(post(&workspace, &serving.url, &signed[1..], text).0, 401);
    assert_eq!(post(&workspace, &serving.url, &signed, &"x".repeat(3 << 20)).0, 413);
    assert_eq!(post(&workspace, &format!("{}x", serving.url), &signed, text).0, 404);
}

#[test]
fn without_a_secret_nothing_is_listened_for() {
    let workspace = Workspace::new();
    workspace.ok(&["remote", "add", "gh", "--type", "github", "--repo", "a/b", "--url", "http://127.0.0.1:9"]);
    let refused = workspace.trackfs(&["serve", "--webhooks", "127.0.0.1:0"]);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(text.contains("GITHUB_WEBHOOK_SECRET") && text.contains("`remotes.gh.webhook_secret`"), "{text}");
}
