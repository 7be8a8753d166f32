//! A provider with a remote behind it, and what others do there.

use crate::{
    documented,
    emulators::{Server, start_github, start_linear},
    proxy::{Proxy, Spoil},
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use trackfs::{
    domain::{
        issue::{Field, FieldValue, IssueFields, ObjectKind, RemoteComment, RemoteIssue},
        path::WsPath,
    },
    remote::{
        Provider, RemoteError, connect,
        simulator::{Fault, Flavour, Simulator},
    },
    workspace::config::{RemoteConfig, RemoteKind, TokenSource},
};
use uuid::Uuid;

/// What happens to the next request.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// The write is carried out and the answer is lost.
    LostAnswer,
    /// The write is lost.
    LostRequest,
    BadToken,
    /// The remote asks to wait seven seconds.
    RateLimit,
    /// 503 with a page of HTML.
    Broken,
}

pub struct Fixture {
    pub provider: Box<dyn Provider>,
    /// Accounts that can be assigned.
    pub people: [&'static str; 2],
    /// A state in which work is over, other than the archive's.
    pub done: &'static str,
    /// Under which an issue can be filed: the two milestones of the project `Launch`, or of the repository.
    pub milestones: [&'static str; 2],
    /// As its issues show it.
    pub cycle: &'static str,
    /// The emulator drops `state_reason: duplicate`; GitHub's own description of its API has it.
    pub without_states: &'static [&'static str],
    /// The emulator has no sub-issues and no dependencies.
    pub without_fields: &'static [Field],
    /// How many issues make three pages.
    pub three_pages: usize,
    behind: Behind,
}

enum Behind {
    Simulator(Arc<Simulator>),
    Github { server: &'static Server, proxy: Proxy, repo: String },
    Linear { server: &'static Server, proxy: Proxy },
}

/// Whatever a law was about, GitHub has been sent nothing that it does not document.
impl Drop for Behind {
    fn drop(&mut self) {
        if let (Self::Github { proxy, .. }, false) = (&*self, std::thread::panicking()) {
            let faults: Vec<String> = proxy.sent().iter().filter_map(|request| documented::fault(request)).collect();
            assert!(faults.is_empty(), "{faults:#?}");
        }
    }
}

impl Fixture {
    /// The fields that can be tried here.
    pub fn fields(&self) -> BTreeSet<Field> {
        let mut fields = self.provider.capabilities().expect("the remote says what it can do").fields;
        fields.retain(|field| !self.without_fields.contains(field));
        fields
    }

    /// Makes an issue with a title and nothing else.
    pub fn create(&self, title: &str) -> RemoteIssue {
        self.provider.create(Uuid::new_v4(), ObjectKind::Issue, &titled(title)).expect("an issue can be made")
    }

    pub fn fetch(&self, id: &str) -> RemoteIssue {
        self.provider.fetch(id).expect("an issue can be fetched").expect("the issue exists")
    }

    /// Answers the next request with this instead of the server.
    pub fn answer_next(&self, answer: String) {
        self.proxy().spoil(Spoil::Answer(answer));
    }

    /// The address that the provider sends to, and what it has sent.
    pub fn wire(&self) -> (&str, Vec<String>) {
        match &self.behind {
            Behind::Simulator(_) => unreachable!("a simulator speaks no HTTP"),
            Behind::Github { proxy, .. } | Behind::Linear { proxy, .. } => (&proxy.origin, proxy.sent()),
        }
    }

    /// Where GitHub's issue of this number is, for requests past the provider.
    pub fn github_path(&self, number: &str) -> (&'static Server, String) {
        match &self.behind {
            Behind::Github { server, repo, .. } => (server, format!("/repos/{repo}/issues/{number}")),
            _ => unreachable!("only GitHub has repositories"),
        }
    }

    /// Lets the next fitting request fail.
    pub fn trouble(&self, trouble: Trouble) {
        match &self.behind {
            Behind::Simulator(simulator) => simulator.inject(fault(trouble)),
            Behind::Github { proxy, .. } => proxy.spoil(spoil(trouble, github_answer)),
            Behind::Linear { proxy, .. } => proxy.spoil(spoil(trouble, linear_answer)),
        }
    }

    /// Requests that went over the wire, where there is one.
    pub fn requests(&self) -> usize {
        match &self.behind {
            Behind::Simulator(simulator) => simulator.writes().len(),
            Behind::Github { proxy, .. } | Behind::Linear { proxy, .. } => proxy.requests(),
        }
    }

    /// What stands between the provider and its server.
    pub fn proxy(&self) -> &Proxy {
        match &self.behind {
            Behind::Github { proxy, .. } | Behind::Linear { proxy, .. } => proxy,
            Behind::Simulator(_) => unreachable!("a simulator speaks no HTTP"),
        }
    }

    /// The same provider with nothing at the other end.
    pub fn unplugged(&self) -> Result<String, RemoteError> {
        match &self.behind {
            Behind::Simulator(simulator) => {
                simulator.inject(Fault::Offline);
                simulator.account()
            }
            Behind::Github { repo, .. } => github_at("http://127.0.0.1:9", repo).account(),
            Behind::Linear { .. } => linear_at("http://127.0.0.1:9/graphql").account(),
        }
    }

    /// The same remote by a provider that makes no labels.
    pub fn without_new_labels(&self) -> Box<dyn Provider> {
        match &self.behind {
            Behind::Simulator(simulator) => {
                simulator.refuse_new_labels();
                Box::new(Arc::clone(simulator))
            }
            Behind::Github { proxy, repo, .. } => {
                connected("hub", &RemoteConfig { create_labels: false, ..github_config(&proxy.origin, repo) })
            }
            Behind::Linear { proxy, .. } => {
                let url = format!("{}/graphql", proxy.origin);
                connected("line", &RemoteConfig { create_labels: false, ..linear_config("lin_api_admin", &url) })
            }
        }
    }

    /// Somebody else says something.
    pub fn somebody_comments(&self, issue: &RemoteIssue, body: &str) {
        match &self.behind {
            Behind::Simulator(simulator) => {
                let at = issue.updated_at.clone();
                let (id, author, body) = ("theirs".to_owned(), "bob".to_owned(), body.to_owned());
                let comment = RemoteComment { id, author, created_at: at.clone(), updated_at: at, body };
                simulator.edit(&issue.key, |issue| issue.comments.push(comment)).expect("the issue exists");
            }
            Behind::Github { server, repo, .. } => {
                let path = format!("/repos/{repo}/issues/{}/comments", issue.id);
                server.post(&path, "ghp_bob", &json!({ "body": body }));
            }
            Behind::Linear { server, .. } => {
                let input = json!({ "issueId": issue.id, "body": body });
                server.post("/_double/comment", "", &json!({ "input": input }));
            }
        }
    }

    /// Somebody else gives the issue a title and a label.
    pub fn somebody_edits(&self, issue: &RemoteIssue, title: &str, label: &str) {
        match &self.behind {
            Behind::Simulator(simulator) => {
                let edited = simulator.edit(&issue.key, |issue| {
                    issue.fields.insert(Field::Title, FieldValue::text(title));
                    let Some(FieldValue::Set(labels)) = issue.fields.get_mut(&Field::Labels) else { return };
                    labels.insert(label.to_owned());
                });
                edited.expect("the issue exists");
            }
            // The emulator takes PATCH only as PATCH, so bob goes through a provider of his own.
            Behind::Github { server, repo, .. } => {
                let path = format!("/repos/{repo}/issues/{}/labels", issue.id);
                server.post(&path, "ghp_bob", &json!({ "labels": [label] }));
                let patch = trackfs::remote::Patch { fields: titled(title), base: issue.fields.clone() };
                github_at(&server.url, repo).update(&issue.id, &patch).expect("an issue can be edited");
            }
            Behind::Linear { server, .. } => {
                let state = server.post("/_double/state", "", &json!({}));
                let labels = state["labels"].as_array().expect("the server lists labels");
                let known = labels.iter().find(|known| known["name"] == label).expect("the server has this label");
                let input = json!({ "title": title, "addedLabelIds": [known["id"]] });
                server.post("/_double/edit", "", &json!({ "id": issue.id, "input": input }));
            }
        }
    }
}

pub fn titled(title: &str) -> IssueFields {
    [(Field::Title, FieldValue::text(title))].into()
}

/// Strict about time: changes that follow each other share a timestamp.
pub fn simulated_github() -> Fixture {
    let simulator = Simulator::new("hub", Flavour::Github).with_whole_seconds();
    Fixture { people: ["alice", "bob"], done: "closed", ..simulated(simulator) }
}

pub fn simulated_linear() -> Fixture {
    simulated(Simulator::new("line", Flavour::Linear { team: "SIM".into() }))
}

fn simulated(simulator: Simulator) -> Fixture {
    let simulator = Arc::new(simulator.with_page_size(4));
    Fixture {
        provider: Box::new(Arc::clone(&simulator)),
        people: ["admin", "dev"],
        done: "Done",
        milestones: ["v1", "v2"],
        cycle: "2",
        without_states: &[],
        without_fields: &[],
        three_pages: 10,
        behind: Behind::Simulator(simulator),
    }
}

pub fn github() -> Option<Fixture> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    static REPOSITORIES: AtomicUsize = AtomicUsize::new(0);
    let server = SERVER.get_or_init(start_github).as_ref()?;
    let name = format!("laws-{}", REPOSITORIES.fetch_add(1, Ordering::SeqCst));
    server.post("/user/repos", "ghp_alice", &json!({ "name": name }));
    let (repo, proxy) = (format!("alice/{name}"), Proxy::before(&server.origin));
    for (title, state) in [("v1", "open"), ("v2", "closed")] {
        let milestone = json!({ "title": title, "state": state });
        server.post(&format!("/repos/{repo}/milestones"), "ghp_alice", &milestone);
    }
    Some(Fixture {
        provider: github_at(&proxy.origin, &repo),
        people: ["alice", "bob"],
        done: "closed",
        milestones: ["v1", "v2"],
        cycle: "",
        without_states: &["closed:duplicate"],
        without_fields: &[Field::Parent, Field::BlockedBy],
        three_pages: 205,
        behind: Behind::Github { server, proxy, repo },
    })
}

pub fn linear() -> Option<Fixture> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(start_linear).as_ref()?;
    let proxy = Proxy::before(&server.origin);
    Some(Fixture {
        provider: linear_at(&format!("{}/graphql", proxy.origin)),
        people: ["admin", "dev"],
        done: "Done",
        milestones: ["v1", "v2"],
        cycle: "Cycle 1",
        without_states: &[],
        without_fields: &[],
        three_pages: 105,
        behind: Behind::Linear { server, proxy },
    })
}

pub fn github_at(url: &str, repo: &str) -> Box<dyn Provider> {
    connected("hub", &github_config(url, repo))
}

/// A repository whose labels are made when they are missing.
fn github_config(url: &str, repo: &str) -> RemoteConfig {
    RemoteConfig { repo: Some(repo.to_owned()), ..config(RemoteKind::Github, "ghp_alice", url) }
}

pub fn linear_at(url: &str) -> Box<dyn Provider> {
    linear_with("lin_api_admin", url)
}

pub fn linear_with(token: &str, url: &str) -> Box<dyn Provider> {
    connected("line", &linear_config(token, url))
}

/// The team `SYN`, whose labels are made when they are missing.
pub fn linear_config(token: &str, url: &str) -> RemoteConfig {
    RemoteConfig { team: Some("SYN".to_owned()), ..config(RemoteKind::Linear, token, url) }
}

fn config(kind: RemoteKind, token: &str, url: &str) -> RemoteConfig {
    RemoteConfig {
        url: Some(url.to_owned()),
        token: TokenSource::Command(format!("echo {token}")),
        create_labels: true,
        ..RemoteConfig::new(kind, WsPath::new("tickets").expect("a plain path"))
    }
}

fn connected(name: &str, config: &RemoteConfig) -> Box<dyn Provider> {
    connect(name, config).expect("the remote can be opened")
}

fn fault(trouble: Trouble) -> Fault {
    match trouble {
        Trouble::LostAnswer => Fault::AfterApply,
        Trouble::LostRequest => Fault::Before,
        Trouble::BadToken => Fault::Unauthorized,
        Trouble::RateLimit => Fault::RateLimited(Duration::from_secs(7)),
        Trouble::Broken => Fault::Server,
    }
}

fn spoil(trouble: Trouble, answer: fn(Trouble) -> String) -> Spoil {
    match trouble {
        Trouble::LostAnswer => Spoil::LoseAnswer,
        Trouble::LostRequest => Spoil::LoseRequest,
        Trouble::Broken => Spoil::Answer(response("503 Service Unavailable", "", "<html>busy</html>")),
        Trouble::BadToken | Trouble::RateLimit => Spoil::Answer(answer(trouble)),
    }
}

/// The emulator takes any token for alice's and has no secondary limit: these are GitHub's own answers.
fn github_answer(trouble: Trouble) -> String {
    match trouble {
        Trouble::RateLimit => response(
            "403 Forbidden",
            "retry-after: 7\r\n",
            r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#,
        ),
        _ => response("401 Unauthorized", "", r#"{"message":"Bad credentials ghp_alice"}"#),
    }
}

fn linear_answer(trouble: Trouble) -> String {
    let (status, headers, kind, code) = match trouble {
        Trouble::RateLimit => ("400 Bad Request", "retry-after: 7\r\n", "ratelimited", "RATELIMITED"),
        _ => ("401 Unauthorized", "", "authentication error", "AUTHENTICATION_ERROR"),
    };
    let error = json!({ "message": "no: lin_api_admin", "extensions": { "type": kind, "code": code } });
    response(status, headers, &json!({ "errors": [error] }).to_string())
}

pub fn response(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
}
