//! GitHub issues, over REST.
//!
//! An issue's id is its number: it is what every endpoint takes, and it never changes within a repository. GitHub has no
//! version check and no idempotency key, so updates name only what changed, sets go as members added and removed, and a
//! create whose answer was lost is looked for among the newest issues of the same author.

mod app;
mod blockers;
mod bulk;
mod fields;
mod listing;
mod timeline;
mod wire;

use super::{
    Budget, Lost, Page, PageToken, Patch, Place, Provider, RemoteError, Search,
    http::{Effect, Http, Reply, bearer},
    text,
    token::{self, Tokens},
};
use crate::{
    domain::{
        issue::{Capabilities, Field, FieldValue, IssueFields, ObjectKind, RemoteComment, RemoteIssue, RemoteState},
        schema::StatusKind,
        timeline::Happening,
    },
    workspace::config::{RemoteConfig, TokenSource},
};
use app::App;
use listing::Listings;
use reqwest::{
    Method, Url,
    header::{ACCEPT, HeaderMap, HeaderName, HeaderValue},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

const API: &str = "https://api.github.com";
const MAX_TITLE: usize = 256;
/// GitHub says 65,536 today and said 65,535 once; whether it counts characters is not documented.
const MAX_BODY: usize = 65_535;
/// How many pages of the author's newest issues are searched for a lost create.
const CREATED_PAGES: usize = 10;

/// One repository.
pub(super) struct Github {
    http: Http,
    /// What it is entered as, where that is no account.
    app: Option<Arc<App>>,
    owner: String,
    repo: String,
    /// Whether a label that the repository does not have is made.
    create_labels: bool,
    /// Whether pull requests are listed.
    pulls: bool,
    /// Whether reactions are read.
    timeline: bool,
    login: OnceLock<Option<String>>,
    types: OnceLock<Vec<String>>,
    listings: Listings,
}

fn headers() -> HeaderMap {
    HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
        (HeaderName::from_static("x-github-api-version"), HeaderValue::from_static("2022-11-28")),
    ])
}

/// Repositories with issues that a token can see.
pub(super) fn places(remote: &str, config: &RemoteConfig) -> Result<Vec<Place>, RemoteError> {
    let tokens = Arc::new(token::find(remote, config.kind, &config.token)?);
    let http = Http::new(remote, config.url.as_deref().unwrap_or(API), bearer, tokens, headers())?;
    let url = with_query(http.url(&["user", "repos"]), &[("sort", "pushed"), ("per_page", "100")]);
    let reply = http.send(Effect::Read, Method::GET, url, None)?;
    if !reply.is_success() {
        return Err(http.failure(Effect::Read, &reply, wire::explain(reply.body())));
    }
    let repositories: Vec<wire::Repository> = http.json(Effect::Read, &reply)?;
    Ok(repositories.into_iter().filter_map(wire::Repository::into_place).collect())
}

impl Github {
    /// `repo` is `owner/name`; the configured URL is the API's root where it is not the public one. Finds the token, or the
    /// key of the app that gets one.
    pub(super) fn new(remote: &str, config: &RemoteConfig, repo: &str) -> Result<Self, RemoteError> {
        let parts = repo.split_once('/').filter(|(owner, name)| !owner.is_empty() && !name.is_empty());
        let (owner, name) = parts.filter(|(_, name)| !name.contains('/')).ok_or_else(|| RemoteError::Invalid {
            remote: remote.to_owned(),
            field: Some("repo".into()),
            message: format!("{repo:?} is not owner/name (`remotes.{remote}.repo` in .trackfs/config.yaml)"),
        })?;
        let headers = headers();
        let api = config.url.as_deref().unwrap_or(API);
        let app = match &config.token {
            TokenSource::App(app) => Some(Arc::new(App::new(remote, api, headers.clone(), app, (owner, name))?)),
            _ => None,
        };
        let tokens: Arc<dyn Tokens> = match &app {
            Some(app) => Arc::clone(app) as _,
            None => Arc::new(token::find(remote, config.kind, &config.token)?),
        };
        let http = Http::new(remote, api, bearer, tokens, headers)?;
        let (owner, repo) = (owner.to_owned(), name.to_owned());
        let (create_labels, pulls, timeline) = (config.create_labels, config.pulls, config.timeline);
        let (login, types, listings) = Default::default();
        Ok(Self { http, app, owner, repo, create_labels, pulls, timeline, login, types, listings })
    }

    fn url(&self, below: &[&str]) -> Url {
        self.http.url(&[&["repos", &self.owner, &self.repo], below].concat())
    }

    fn send(&self, effect: Effect, method: Method, url: Url, body: Option<Value>) -> Result<Reply, RemoteError> {
        self.successful(effect, self.http.send(effect, method, url, body.as_ref())?)
    }

    fn successful(&self, effect: Effect, reply: Reply) -> Result<Reply, RemoteError> {
        if reply.is_success() {
            return Ok(reply);
        }
        Err(self.http.failure(effect, &reply, wire::explain(reply.body())))
    }

    fn get<T: DeserializeOwned>(&self, url: Url) -> Result<(T, Reply), RemoteError> {
        let reply = self.send(Effect::Read, Method::GET, url, None)?;
        Ok((self.http.json(Effect::Read, &reply)?, reply))
    }

    fn write<T: DeserializeOwned>(&self, method: Method, url: Url, body: Value) -> Result<T, RemoteError> {
        let reply = self.send(Effect::Write, method, url, Some(body))?;
        self.http.json(Effect::Write, &reply)
    }

    /// Hands on everything in a listing, in its order, a hundred a request.
    fn each<T: DeserializeOwned>(&self, url: Url, mut take: impl FnMut(T)) -> Result<(), RemoteError> {
        let mut url = Some(with_query(url, &[("per_page", "100")]));
        while let Some(page) = url {
            let (listed, reply) = self.get::<Vec<T>>(page)?;
            listed.into_iter().for_each(&mut take);
            url = self.next(&reply)?;
        }
        Ok(())
    }

    /// Every comment of an issue, oldest first.
    fn comments(&self, number: &str) -> Result<Vec<RemoteComment>, RemoteError> {
        let mut comments = Vec::new();
        let url = self.url(&["issues", number, "comments"]);
        self.each(url, |comment: wire::Comment| comments.push(comment.into_remote()))?;
        Ok(comments)
    }

    /// The issue with its comments and what blocks it.
    fn complete(&self, issue: wire::Issue) -> Result<RemoteIssue, RemoteError> {
        let comments = if issue.comments > 0 { self.comments(&issue.number.to_string())? } else { Vec::new() };
        self.with_blockers(issue, comments)
    }

    /// The issue as it is; `None` when it is gone, was moved to another repository, or is a pull request.
    fn look_up(&self, number: &str) -> Result<Option<wire::Issue>, RemoteError> {
        match self.get::<wire::Issue>(self.url(&["issues", number])) {
            Ok((issue, _)) => Ok(Some(issue).filter(|it| it.number.to_string() == number && it.pull_request.is_none())),
            Err(RemoteError::NotFound { .. }) => self.check_repository().map(|()| None),
            Err(error) => Err(error),
        }
    }

    /// Tells a missing issue from a repository the token cannot see: GitHub answers 404 to both.
    fn check_repository(&self) -> Result<(), RemoteError> {
        self.repository().map(drop)
    }

    fn repository(&self) -> Result<Reply, RemoteError> {
        self.send(Effect::Read, Method::GET, self.url(&[]), None)
    }

    /// Refuses a token that GitHub says cannot write issues. Of fine-grained tokens and of apps' it says nothing here.
    fn check_scopes(&self, scopes: &str) -> Result<(), RemoteError> {
        let is_enough = |scope: &str| matches!(scope.trim(), "repo" | "public_repo");
        if scopes.trim().is_empty() || scopes.split(',').any(is_enough) {
            return Ok(());
        }
        let scopes = text::quotable(scopes);
        let reason =
            format!("the token has the scopes {scopes}: it needs `repo`, or `public_repo` where that is enough");
        Err(RemoteError::Unauthorized { remote: self.http.remote().to_owned(), reason })
    }

    fn missing(&self, number: &str) -> RemoteError {
        RemoteError::NotFound { remote: self.http.remote().to_owned(), what: format!("issue {number}") }
    }

    /// The login of the account, or of the app; `None` for an app's token that came from elsewhere, which does not say whose
    /// it is.
    fn login(&self) -> Result<Option<&str>, RemoteError> {
        if let Some(login) = self.login.get() {
            return Ok(login.as_deref());
        }
        let login = match &self.app {
            Some(app) => Some(app.login()?),
            None => self.user()?,
        };
        Ok(self.login.get_or_init(|| login).as_deref())
    }

    fn user(&self) -> Result<Option<String>, RemoteError> {
        match self.get::<wire::Account>(self.http.url(&["user"])) {
            Ok((account, _)) => Ok(Some(account.login)),
            Err(RemoteError::Unauthorized { .. }) if self.check_repository().is_ok() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Refuses a comment of somebody else: whoever may write to a repository could change it.
    fn own_comment(&self, id: &str) -> Result<(), RemoteError> {
        let (comment, _) = self.get::<wire::Comment>(self.url(&["issues", "comments", id]))?;
        let comment = comment.into_remote();
        match self.login()? {
            Some(login) if login == comment.author => Ok(()),
            _ => Err(text::not_ours(self.http.remote(), &comment.author)),
        }
    }

    fn with_types(&self) -> Result<Capabilities, RemoteError> {
        let mut with = Capabilities { types: self.types()?.to_vec(), ..capabilities() };
        with.fields.extend((!with.types.is_empty()).then_some(Field::Type));
        Ok(with)
    }

    /// Refuses, before anything is sent, what no issue here can say.
    fn check(&self, fields: &IssueFields) -> Result<(), RemoteError> {
        let rules = if fields.contains_key(&Field::Type) { self.with_types()? } else { capabilities() };
        text::check(self.http.remote(), &rules, fields)
    }

    /// The types of the organization's issues. A user's repositories have none, and where they may not be seen there are none.
    fn types(&self) -> Result<&[String], RemoteError> {
        if let Some(types) = self.types.get() {
            return Ok(types);
        }
        let types = match self.get::<Vec<wire::IssueType>>(self.http.url(&["orgs", &self.owner, "issue-types"])) {
            Ok((types, _)) => types.into_iter().filter_map(wire::IssueType::name_in_use).collect(),
            Err(RemoteError::NotFound { .. } | RemoteError::Unauthorized { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(self.types.get_or_init(|| types))
    }

    fn patch(&self, number: &str, body: Value) -> Result<wire::Issue, RemoteError> {
        self.write(Method::PATCH, self.url(&["issues", number]), body)
    }

    /// The title that an issue was made with: what its first renaming replaced, else the present one.
    fn first_title(&self, issue: &wire::Issue) -> Result<String, RemoteError> {
        let url = with_query(self.url(&["issues", &issue.number.to_string(), "events"]), &[("per_page", "100")]);
        let (events, _) = self.get::<Vec<wire::Happening>>(url)?;
        let renamed = events.into_iter().find_map(|event| event.rename);
        Ok(renamed.map_or_else(|| issue.title.clone(), |rename| rename.from))
    }

    /// One page of this author's issues, newest first.
    fn newest(&self, not_before: Option<&str>) -> Result<Url, RemoteError> {
        let mut query = vec![("state", "all"), ("sort", "created"), ("direction", "desc"), ("per_page", "100")];
        query.extend(self.login()?.map(|login| ("creator", login)));
        query.extend(not_before.map(|time| ("since", time)));
        Ok(with_query(self.url(&["issues"]), &query))
    }
}

impl Provider for Github {
    fn capabilities(&self) -> Result<Capabilities, RemoteError> {
        Ok(Capabilities { account: self.login()?.map(str::to_owned), ..self.with_types()? })
    }

    fn account(&self) -> Result<String, RemoteError> {
        self.check_scopes(self.repository()?.header("x-oauth-scopes").unwrap_or_default())?;
        self.app.as_ref().map_or(Ok(()), |app| app.check_rights(self.pulls))?;
        Ok(self.login()?.unwrap_or("a GitHub App").to_owned())
    }

    fn changed_since(&self, since: Option<&str>, page: Option<&PageToken>) -> Result<Page, RemoteError> {
        self.list(since, page)
    }

    fn timeline(&self, issue: &str) -> Result<Vec<Happening>, RemoteError> {
        self.timeline_of(issue)
    }

    fn fetch(&self, id: &str) -> Result<Option<RemoteIssue>, RemoteError> {
        self.look_up(id)?.map(|issue| self.complete(issue)).transpose()
    }

    fn create(&self, _intent: Uuid, kind: ObjectKind, fields: &IssueFields) -> Result<RemoteIssue, RemoteError> {
        if kind.is_text() {
            return Err(text::refused(self.http.remote(), "there are no documents there"));
        }
        self.check(fields)?;
        if let Some(FieldValue::Set(names)) = fields.get(&Field::Labels) {
            self.check_labels(names)?;
        }
        let mut body = self.plain_fields(fields)?;
        body.extend(wire::labels_and_assignee(fields));
        let issue: wire::Issue = self.write(Method::POST, self.url(&["issues"]), Value::Object(body))?;
        let number = issue.number.to_string();
        let created = issue.into_remote();
        let closed = fields.get(&Field::Status).and_then(FieldValue::as_text).filter(|status| *status != "open");
        let parent = fields.get(&Field::Parent).filter(|_| created.fields.contains_key(&Field::Parent));
        if closed.is_none() && parent.is_none() {
            return Ok(created);
        }
        // The issue exists now and must be known, whatever else fails: what is missing is found by the next comparison.
        let has_parent = parent.map_or(Ok(()), |parent| self.set_parent(&number, parent));
        let is_closed = closed.map_or(Ok(()), |status| self.set_status(&number, status));
        let now = is_closed.and_then(|()| self.look_up(&number));
        let mut made = now.ok().flatten().map_or(created, wire::Issue::into_remote);
        if has_parent.is_err() {
            made.fields.remove(&Field::Parent);
        }
        Ok(made)
    }

    fn find_created(&self, lost: &Lost<'_>) -> Result<Search, RemoteError> {
        let mut url = Some(self.newest(lost.not_before)?);
        let mut changed = Vec::new();
        for _ in 0..CREATED_PAGES {
            let Some(page) = url.take() else { break };
            let (issues, reply) = self.get::<Vec<wire::Issue>>(page)?;
            for issue in issues.into_iter().filter(|issue| issue.may_be(lost)) {
                if issue.is_what_was_sent(lost.fields) {
                    return Ok(Search::of(Some(self.complete(issue)?), Vec::new()));
                }
                if self.first_title(&issue)?.trim() == lost.text(Field::Title).trim() {
                    changed.push(self.complete(issue)?);
                }
            }
            url = self.next(&reply)?;
        }
        Ok(Search::of(None, changed))
    }

    fn update(&self, id: &str, patch: &Patch) -> Result<RemoteIssue, RemoteError> {
        self.check(&patch.fields)?;
        // Before the first of several requests, so that a refusal changes nothing.
        self.check_labels(&patch.delta(Field::Labels).0)?;
        let blockers = self.new_blockers(patch)?;
        let plain = self.plain_fields(&patch.fields)?;
        if !plain.is_empty() {
            self.patch(id, Value::Object(plain))?;
        }
        self.change_labels(id, patch)?;
        self.change_assignee(id, patch)?;
        if let Some(status) = patch.fields.get(&Field::Status).and_then(FieldValue::as_text) {
            self.set_status(id, status)?;
        }
        if let Some(parent) = patch.fields.get(&Field::Parent) {
            self.set_parent(id, parent)?;
        }
        self.change_blockers(id, patch, &blockers)?;
        self.fetch(id)?.ok_or_else(|| self.missing(id))
    }

    fn archive(&self, id: &str) -> Result<(), RemoteError> {
        let issue = self.look_up(id)?.ok_or_else(|| self.missing(id))?;
        if issue.state == "closed" { Ok(()) } else { self.patch(id, wire::state_of("closed:not_planned")).map(drop) }
    }

    fn comment(&self, issue: &str, _intent: Uuid, body: &str) -> Result<RemoteComment, RemoteError> {
        text::check_comment(self.http.remote(), &capabilities(), body)?;
        let url = self.url(&["issues", issue, "comments"]);
        self.write(Method::POST, url, json!({ "body": body })).map(wire::Comment::into_remote)
    }

    fn find_comment(&self, issue: &str, lost: &Lost<'_>) -> Result<Option<RemoteComment>, RemoteError> {
        let login = self.login()?;
        let body = text::with_lf(lost.text(Field::Body));
        let mine =
            |comment: &RemoteComment| login.is_none_or(|login| comment.author == login) && !(lost.known)(&comment.id);
        let comments = self.comments(issue)?.into_iter().rev();
        Ok(comments.filter(mine).find(|comment| comment.body.trim() == body.trim()))
    }

    fn edit_comment(&self, _issue: &str, comment: &str, body: &str) -> Result<RemoteComment, RemoteError> {
        text::check_comment(self.http.remote(), &capabilities(), body)?;
        self.own_comment(comment)?;
        let url = self.url(&["issues", "comments", comment]);
        self.write(Method::PATCH, url, json!({ "body": body })).map(wire::Comment::into_remote)
    }

    fn delete_comment(&self, _issue: &str, comment: &str) -> Result<(), RemoteError> {
        let url = self.url(&["issues", "comments", comment]);
        let deleted =
            self.own_comment(comment).and_then(|()| self.send(Effect::Write, Method::DELETE, url, None).map(drop));
        match deleted {
            Err(RemoteError::NotFound { .. }) => self.check_repository(),
            other => other,
        }
    }

    fn budget(&self) -> Option<Budget> {
        self.http.budget()
    }
}

/// What GitHub can do in every repository and for every account.
pub(super) fn capabilities() -> Capabilities {
    let state = |name: &str, kind| RemoteState { name: name.to_owned(), kind };
    Capabilities {
        fields: [
            Field::Title,
            Field::Body,
            Field::Status,
            Field::Labels,
            Field::Assignee,
            Field::Milestone,
            Field::Parent,
            Field::BlockedBy,
        ]
        .into(),
        states: vec![
            state("open", StatusKind::Unstarted),
            state("closed", StatusKind::Completed),
            state("closed:not_planned", StatusKind::Canceled),
            state("closed:duplicate", StatusKind::Canceled),
        ],
        priorities: Vec::new(),
        types: Vec::new(),
        comments: true,
        account: None,
        idempotent_create: false,
        max_title: MAX_TITLE,
        max_body: MAX_BODY,
        rewrites_markdown: false,
    }
}

fn with_query(mut url: Url, query: &[(&str, &str)]) -> Url {
    url.query_pairs_mut().extend_pairs(query);
    url
}
