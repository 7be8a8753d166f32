//! From an editor to a tracker and back, on a real mount, against servers that speak GitHub's and Linear's APIs and are
//! not ours to bend. What arrived is read with curl.

#[path = "support/emulators.rs"]
mod emulators;
mod support;

use emulators::Server;
use serde_json::{Value, json};
use std::fs;
use support::{Workspace, eventually, have};

const LINEAR_TOKEN: &str = "lin_api_dev";
const GITHUB_TOKEN: &str = "ghp_alice";

/// A workspace mounted over itself, with one remote that pulls only when asked to.
fn mounted_with(remote: &[&str], variables: Vec<(&'static str, String)>) -> Workspace {
    let mut workspace = Workspace::new();
    workspace.variables = variables;
    workspace.configure("commit: {idle: 0.3, max: 5}\nsync: {interval: 1}");
    workspace.ok(&[&["remote", "add"], remote].concat());
    workspace.mount();
    workspace
}

fn with_linear(server: &Server) -> Workspace {
    let arguments = ["linear", "--type", "linear", "--team", "SYN", "--url", &server.url, "--folder", "tickets/linear"];
    mounted_with(&arguments, vec![("LINEAR_API_KEY", LINEAR_TOKEN.to_owned())])
}

fn with_github(server: &Server) -> Workspace {
    let arguments =
        ["github", "--type", "github", "--repo", "alice/tracker", "--url", &server.url, "--folder", "tickets/github"];
    mounted_with(&arguments, vec![("GITHUB_TOKEN", GITHUB_TOKEN.to_owned())])
}

fn curl(workspace: &Workspace, arguments: &[&str]) -> Value {
    let output = workspace.command("curl").args(["-sS", "--fail-with-body"]).args(arguments).output().unwrap();
    let text = support::checked(&format!("curl {arguments:?}"), &output);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A GraphQL query about one Linear issue.
fn linear_issue(workspace: &Workspace, server: &Server, key: &str, fields: &str) -> Value {
    let body = json!({"query": format!("query {{ issue(id: \"{key}\") {{ {fields} }} }}")}).to_string();
    let headers = format!("Authorization: {LINEAR_TOKEN}");
    let answer = curl(workspace, &["-H", &headers, "-H", "Content-Type: application/json", "-d", &body, &server.url]);
    answer["data"]["issue"].clone()
}

fn github(workspace: &Workspace, server: &Server, path: &str) -> Value {
    let header = format!("Authorization: Bearer {GITHUB_TOKEN}");
    curl(workspace, &["-H", &header, &format!("{}/repos/alice/tracker/{path}", server.url)])
}

/// The key that a push wrote into the ticket.
fn key_of(workspace: &Workspace, path: &str, remote: &str) -> String {
    eventually("the push writes its link", || {
        let text = workspace.read(path);
        let (_, rest) = text.split_once(&format!("{remote}: "))?;
        Some(rest.split(['}', ',', '\n']).next()?.trim_matches(['\'', '"']).to_owned())
    })
}

#[test]
fn an_edit_in_the_mount_reaches_linear_and_a_remote_edit_is_seen_by_cat() {
    let Some(server) = emulators::start_linear() else { return };
    let state = server.post("/_double/state", "", &json!({}));
    let team = state["teams"].as_array().unwrap().iter().find(|team| team["key"] == "SYN").unwrap()["id"].clone();
    let input = json!({"input": {"title": "Safari cannot log in", "description": "It hangs.", "teamId": team}});
    server.post("/_double/create", "", &input);
    let workspace = with_linear(&server);
    let path = eventually("the issue is a file", || {
        let folder = fs::read_dir(workspace.dir.join("tickets/linear")).ok()?;
        folder.map_while(Result::ok).map(|entry| entry.file_name().into_string().unwrap()).find(|name| {
            name.ends_with(".md") && workspace.read(&format!("tickets/linear/{name}")).contains("Safari cannot log in")
        })
    });
    let (key, path) = (path.trim_end_matches(".md").to_owned(), format!("tickets/linear/{path}"));
    let pulled = workspace.read(&path);
    assert!(pulled.contains("title: Safari cannot log in\n") && pulled.contains("It hangs."), "{pulled}");

    workspace.sh(&format!("sed -i 's/^title: .*/title: Safari logs in at last/; s/^status: .*/status: done/' {path}"));
    workspace.ok(&["flush"]);
    let issue = linear_issue(&workspace, &server, &key, "title state { type }");
    assert_eq!(issue, json!({"title": "Safari logs in at last", "state": {"type": "completed"}}));

    let before = workspace.read(&path);
    server.post("/_double/edit", "", &json!({"id": key, "input": {"description": "It hung, once."}}));
    let after = eventually("cat shows the remote edit", || {
        Some(workspace.sh(&format!("cat {path}"))).filter(|text| text.contains("It hung, once."))
    });
    assert_eq!(after, before.replace("It hangs.", "It hung, once."), "only the changed line differs");
    eventually("the pull is committed", || workspace.sh("git status --porcelain").is_empty().then_some(()));
}

#[test]
fn a_new_ticket_and_a_new_comment_become_one_issue_and_one_comment_in_linear() {
    let Some(server) = emulators::start_linear() else { return };
    let workspace = with_linear(&server);
    let text = "---\ntitle: Written in an editor\nstatus: todo\npriority: high\n---\nBody from here\n";
    workspace.write("tickets/linear/written.md", text);
    workspace.ok(&["flush"]);
    let key = key_of(&workspace, "tickets/linear/written.md", "linear");
    let issue = linear_issue(&workspace, &server, &key, "title description priority");
    assert_eq!(issue, json!({"title": "Written in an editor", "description": "Body from here", "priority": 2}));
    assert!(workspace.read("tickets/linear/written.md").starts_with(text.split_once("---\nBody").unwrap().0));

    workspace.write("tickets/linear/written/comments/first.md", "A comment from a file.\n");
    workspace.ok(&["flush"]);
    workspace.ok(&["flush"]);
    let issue = linear_issue(&workspace, &server, &key, "comments { nodes { body } }");
    assert_eq!(issue["comments"]["nodes"], json!([{"body": "A comment from a file."}]));
    let created = workspace.events(0);
    let pushed =
        |what: &str| created.iter().filter(|event| event["event"] == "pushed" && event["what"][0] == what).count();
    assert_eq!(pushed("created"), 1, "{created:#?}");
}

#[test]
fn an_edit_in_the_mount_reaches_github_and_a_remote_edit_is_seen_by_cat() {
    let Some(server) = emulators::start_github() else { return };
    server.post("/repos/alice/tracker/labels", "ghp_bob", &json!({"name": "fixed", "color": "00ff00"}));
    let issue = json!({"title": "Tabs are lost", "body": "On restart.", "labels": ["bug"]});
    let made = server.post("/repos/alice/tracker/issues", GITHUB_TOKEN, &issue);
    let number = made["number"].to_string();
    let workspace = with_github(&server);
    let path = format!("tickets/github/{number}.md");
    eventually("the issue is a file", || workspace.dir.join(&path).exists().then_some(()));
    assert!(workspace.read(&path).contains("labels: [bug]\n"), "{}", workspace.read(&path));

    workspace.sh(&format!("sed -i 's/^title: .*/title: Tabs stay/; s/^labels: .*/labels: [bug, fixed]/' {path}"));
    workspace.sh(&format!("sed -i 's/^status: .*/status: done/' {path}"));
    workspace.ok(&["flush"]);
    let issue = github(&workspace, &server, &format!("issues/{number}"));
    assert_eq!((&issue["title"], &issue["state"]), (&json!("Tabs stay"), &json!("closed")));
    let labels: Vec<_> = issue["labels"].as_array().unwrap().iter().map(|label| label["name"].clone()).collect();
    assert_eq!(labels, ["bug", "fixed"]);

    let edit = json!({"body": "On restart, sometimes."});
    let header = format!("Authorization: Bearer {GITHUB_TOKEN}");
    let url = format!("{}/repos/alice/tracker/issues/{number}", server.url);
    curl(&workspace, &["-X", "PATCH", "-H", &header, "-d", &edit.to_string(), &url]);
    eventually("cat shows the remote edit", || {
        workspace.sh(&format!("cat {path}")).contains("On restart, sometimes.").then_some(())
    });
}

#[test]
fn a_new_ticket_becomes_one_issue_on_github() {
    let Some(server) = emulators::start_github() else { return };
    let workspace = with_github(&server);
    workspace.write("tickets/github/fresh.md", "---\ntitle: Fresh from the mount\nstatus: todo\n---\nHello\n");
    workspace.ok(&["flush"]);
    let number = key_of(&workspace, "tickets/github/fresh.md", "github");
    workspace.ok(&["flush"]);
    let issue = github(&workspace, &server, &format!("issues/{number}"));
    assert_eq!((&issue["title"], &issue["body"]), (&json!("Fresh from the mount"), &json!("Hello")));
    let all = github(&workspace, &server, "issues?state=all");
    let of_it = all.as_array().unwrap().iter().filter(|issue| issue["title"] == "Fresh from the mount");
    assert_eq!(of_it.count(), 1);
    assert_eq!(workspace.sh("git status --porcelain"), "");
}

#[test]
fn a_token_in_the_keyring_is_asked_for_by_it_used_by_us_and_in_no_file() {
    if !have(&["secret-tool", "gnome-keyring-daemon", "dbus-run-session"]) {
        return;
    }
    let Some(server) = emulators::start_github() else { return };
    let workspace = Workspace::new();
    fs::create_dir_all(workspace.outside("runtime")).unwrap();
    // A session of its own, whose keyring ends with it.
    let session = format!(
        "export XDG_RUNTIME_DIR={runtime} PATH={bin}:$PATH
        printf x | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
        trackfs remote add hub --type github --repo alice/tracker --url {url} --folder tickets --token-keyring
        printf '{GITHUB_TOKEN}' | trackfs remote token hub
        trackfs remote list
        trackfs sync hub >/dev/null",
        runtime = workspace.outside("runtime").display(),
        bin = std::path::Path::new(env!("CARGO_BIN_EXE_trackfs")).parent().unwrap().display(),
        url = server.url,
    );
    let mut command = workspace.command("dbus-run-session");
    let output = command.args(["--", "bash", "-euc", &session]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("not in use yet: ") && said.contains("the keyring has none for hub"), "{said}");
    assert!(said.contains("hub answers, as alice") && said.contains("token from the keyring, as hub"), "{said}");
    assert!(workspace.read(".trackfs/config.yaml").contains("token: {keyring: hub}"));
    assert_eq!(workspace.sh(&format!("grep -rl {GITHUB_TOKEN} . \"$(git rev-parse --absolute-git-dir)\" || true")), "");
    let refused = workspace.trackfs(&["remote", "token", "hubb"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there is no remote hubb"));
}

#[test]
fn a_remote_that_is_down_fails_no_file_operation_and_shows_in_status() {
    let workspace = mounted_with(
        &["linear", "--type", "linear", "--team", "SYN", "--url", "http://127.0.0.1:9/graphql", "--folder", "tickets"],
        vec![("LINEAR_API_KEY", "lin_api_secret_that_must_not_show".to_owned())],
    );
    workspace.write("tickets/a.md", "---\ntitle: Offline\nstatus: todo\n---\n");
    workspace.sh("sed -i s/todo/done/ tickets/a.md; cat tickets/a.md");
    let flushed = workspace.trackfs(&["flush"]);
    assert_eq!(flushed.status.code(), Some(1), "what could not be pushed is a failure of flush");
    let status = eventually("the remote's state", || {
        Some(workspace.json(&["status"])).filter(|status| status["remotes"][0]["last_error"].is_string())
    });
    assert_eq!(status["remotes"][0]["state"], "waiting");
    assert_eq!(workspace.sh("git status --porcelain"), "", "it is committed all the same");
    let state = workspace.read(".git").trim_start_matches("gitdir:").trim().to_owned();
    let leaked = workspace.sh(&format!("grep -rl secret_that_must_not_show . '{state}' || true"));
    assert_eq!(leaked, "", "the token is in a file");
}

#[test]
fn a_spec_is_not_linked_where_no_documents_are_kept() {
    let Some(server) = emulators::start_linear() else { return };
    let workspace = with_linear(&server);
    workspace.write("specs/a.md", "# A\n");
    let output = workspace.trackfs(&["link", "specs/a.md", "linear"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("`remotes.linear.documents`"), "{said}");
    assert_eq!(workspace.read("specs/a.md"), "# A\n");
}

#[test]
fn a_document_of_linear_is_edited_linked_and_parted_from_as_a_spec() {
    let Some(server) = emulators::start_linear() else { return };
    let linear = ["linear", "--type", "linear", "--team", "SYN", "--url", &server.url, "--documents", "specs/linear"];
    let workspace = mounted_with(&linear, vec![("LINEAR_API_KEY", LINEAR_TOKEN.to_owned())]);
    let launch = "specs/linear/launch.md";
    eventually("the project's description is a spec", || workspace.dir.join(launch).exists().then_some(()));
    let project = key_of(&workspace, launch, "linear");
    assert_eq!(project, "project-launch");

    let spec = "---\nproject: Launch\n---\n# How to sign in\n\nWith a password.\n";
    workspace.write("specs/sign-in.md", spec);
    workspace.ok(&["flush"]);
    workspace.ok(&["link", "specs/sign-in.md", "linear"]);
    let key = key_of(&workspace, "specs/sign-in.md", "linear");
    let document = |fields: &str| {
        let query = format!("query {{ documents {{ nodes {{ id slugId {fields} }} }} }}");
        let body = json!({ "query": query }).to_string();
        let headers = format!("Authorization: {LINEAR_TOKEN}");
        let sent = ["-H", &headers, "-H", "Content-Type: application/json", "-d", &body, &server.url];
        let nodes = curl(&workspace, &sent)["data"]["documents"]["nodes"].as_array().unwrap().clone();
        let its = |node: &&Value| key == format!("doc-{}", node["slugId"].as_str().unwrap());
        nodes.iter().find(its).cloned().unwrap_or(Value::Null)
    };
    let made = document("title content");
    assert_eq!(made["title"], json!("How to sign in"));

    workspace.sh("sed -i 's/With a password/With a passkey/' specs/sign-in.md");
    workspace.ok(&["flush"]);
    assert!(document("content")["content"].as_str().unwrap().contains("With a passkey."));
    let content = json!({ "id": made["id"], "input": { "content": "# How to sign in\n\nWith a passkey, or a link." } });
    server.post("/_double/document", "", &content);
    eventually("cat shows what was changed there", || {
        workspace.sh("cat specs/sign-in.md").contains("or a link.").then_some(())
    });
    assert!(workspace.ok(&["show", "specs/sign-in.md"]).contains("How to sign in"));

    workspace.ok(&["unlink", "specs/sign-in.md", "linear"]);
    workspace.sh("sed -i 's/passkey/key/' specs/sign-in.md");
    workspace.ok(&["flush"]);
    assert!(document("content")["content"].as_str().unwrap().contains("With a passkey, or"));
}
