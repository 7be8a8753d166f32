//! GitHub's JSON: how it reads in trackfs's terms, and how it is written.

use crate::{
    domain::{
        issue::{Field, FieldValue, IssueFields, RemoteComment, RemoteIssue},
        pull::{RemotePull, closed_by},
    },
    remote::{
        Lost, Place,
        http::Explanation,
        text::{same_name, with_lf},
    },
};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

#[derive(Deserialize)]
pub(super) struct Issue {
    /// Only sub-issues are known by it.
    #[serde(default)]
    pub(super) id: u64,
    pub(super) number: u64,
    html_url: String,
    pub(super) title: String,
    #[serde(default)]
    pub(super) body: Option<String>,
    pub(super) state: String,
    #[serde(default)]
    state_reason: Option<String>,
    #[serde(default)]
    labels: Vec<Label>,
    #[serde(default)]
    assignees: Vec<Account>,
    #[serde(default)]
    milestone: Option<Milestone>,
    /// `null`: none; where there is no such key, the server does not know types.
    #[serde(default, rename = "type", deserialize_with = "present")]
    kind: Option<Option<Named>>,
    #[serde(default)]
    repository_url: String,
    #[serde(default)]
    pub(super) parent_issue_url: Option<String>,
    /// Where there is none, the server does not know sub-issues.
    #[serde(default)]
    sub_issues_summary: Option<serde::de::IgnoredAny>,
    /// Where there is none, the server does not know dependencies.
    #[serde(default)]
    issue_dependencies_summary: Option<Dependencies>,
    #[serde(default)]
    pub(super) comments: u64,
    #[serde(default)]
    pub(super) reactions: Option<BTreeMap<String, Value>>,
    pub(super) created_at: String,
    pub(super) updated_at: String,
    /// Present on pull requests, which the issue endpoints list too.
    #[serde(default)]
    pub(super) pull_request: Option<serde::de::IgnoredAny>,
}

/// How many issues block this one, whether they are open or not.
#[derive(Deserialize)]
struct Dependencies {
    total_blocked_by: u64,
}

/// A label is an object everywhere but in old webhooks and some lists.
#[derive(Deserialize)]
#[serde(untagged)]
enum Label {
    Object { name: String },
    Name(String),
}

/// A label of the repository, of which only the name matters.
#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
}

/// What is there, be it `null`.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A type of issues of an organization.
#[derive(Deserialize)]
pub(super) struct IssueType {
    name: String,
    #[serde(default = "yes")]
    is_enabled: bool,
}

impl IssueType {
    pub(super) fn name_in_use(self) -> Option<String> {
        Some(self.name).filter(|_| self.is_enabled)
    }
}

#[derive(Deserialize)]
pub(super) struct Milestone {
    pub(super) number: u64,
    pub(super) title: String,
}

#[derive(Deserialize)]
pub(super) struct Repository {
    full_name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default = "yes")]
    has_issues: bool,
    #[serde(default)]
    archived: bool,
}

fn yes() -> bool {
    true
}

impl Repository {
    /// `None`: nobody can write issues there.
    pub(super) fn into_place(self) -> Option<Place> {
        let is_used = self.has_issues && !self.archived;
        is_used.then(|| Place { name: self.full_name, about: self.description.unwrap_or_default() })
    }
}

#[derive(Deserialize)]
pub(super) struct Account {
    pub(super) login: String,
}

#[derive(Deserialize)]
pub(super) struct Comment {
    id: u64,
    #[serde(default)]
    issue_url: String,
    #[serde(default)]
    user: Option<Account>,
    #[serde(default)]
    body: Option<String>,
    created_at: String,
    updated_at: String,
}

/// The body of a refusal.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Failure {
    message: String,
    errors: Vec<Detail>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Detail {
    Object {
        #[serde(default)]
        field: Option<String>,
        #[serde(default)]
        code: Option<String>,
        #[serde(default)]
        message: Option<String>,
    },
    Text(String),
}

impl Issue {
    /// The issue without its comments and without the issues that block it, which have endpoints of their own.
    pub(super) fn into_remote(self) -> RemoteIssue {
        let (status, parent) = (self.status(), self.parent());
        let labels = self.labels.into_iter().map(|(Label::Object { name } | Label::Name(name))| name).collect();
        let assignee = self.assignees.into_iter().next().map(|account| account.login);
        let mut fields = IssueFields::from([
            (Field::Title, FieldValue::text(self.title)),
            (Field::Body, FieldValue::text(with_lf(self.body.as_deref().unwrap_or_default()))),
            (Field::Status, FieldValue::text(status)),
            (Field::Labels, FieldValue::Set(labels)),
            (Field::Assignee, FieldValue::Text(assignee)),
            (Field::Milestone, FieldValue::Text(self.milestone.map(|milestone| milestone.title))),
        ]);
        if parent.is_some() || self.sub_issues_summary.is_some() {
            fields.insert(Field::Parent, FieldValue::Text(parent));
        }
        if let Some(kind) = self.kind {
            fields.insert(Field::Type, FieldValue::Text(kind.map(|kind| kind.name)));
        }
        if self.issue_dependencies_summary.is_some() {
            fields.insert(Field::BlockedBy, FieldValue::Set(Default::default()));
        }
        RemoteIssue {
            id: self.number.to_string(),
            key: self.number.to_string(),
            url: self.html_url,
            updated_at: self.updated_at,
            archived: false,
            fields,
            comments: Vec::new(),
            reactions: Default::default(),
        }
    }

    /// The parent's number, with its repository if that is another one.
    fn parent(&self) -> Option<String> {
        let url = self.parent_issue_url.as_deref()?;
        let (repository, number) = url.rsplit_once("/issues/")?;
        key_in(&self.repository_url, repository, number)
    }

    /// What an issue of this repository calls it.
    pub(super) fn key_in(&self, repository: &str) -> String {
        let number = self.number.to_string();
        key_in(repository, &self.repository_url, &number).unwrap_or(number)
    }

    pub(super) fn repository(&self) -> &str {
        &self.repository_url
    }

    /// Whether there are issues that block it.
    pub(super) fn is_blocked(&self) -> bool {
        self.issue_dependencies_summary.as_ref().is_some_and(|summary| summary.total_blocked_by > 0)
    }

    /// Whether a lost create can have made this at all.
    pub(super) fn may_be(&self, lost: &Lost<'_>) -> bool {
        self.pull_request.is_none()
            && lost.not_before.is_none_or(|time| self.created_at.as_str() >= time)
            && !(lost.known)(&self.number.to_string())
    }

    /// Whether this is what a create with these fields makes.
    pub(super) fn is_what_was_sent(&self, fields: &IssueFields) -> bool {
        let sent = |field| with_lf(fields.get(&field).and_then(FieldValue::as_text).unwrap_or_default());
        let body = with_lf(self.body.as_deref().unwrap_or_default());
        self.pull_request.is_none()
            && self.title.trim() == sent(Field::Title).trim()
            && body.trim_end() == sent(Field::Body).trim_end()
    }

    pub(super) fn is_assigned_to(&self, login: &str) -> bool {
        self.assignees.iter().any(|account| same_name(&account.login, login))
    }

    /// State and reason as one token: `open`, `closed` (done), `closed:not_planned`, `closed:duplicate`.
    pub(super) fn status(&self) -> String {
        match (self.state.as_str(), self.state_reason.as_deref()) {
            ("closed", Some(reason @ ("not_planned" | "duplicate"))) => format!("closed:{reason}"),
            (state, _) => state.to_owned(),
        }
    }
}

/// An issue's number, with its repository if that is not the one that it is seen `from`.
fn key_in(from: &str, repository: &str, number: &str) -> Option<String> {
    if repository == from {
        return Some(number.to_owned());
    }
    let (_, name) = repository.rsplit_once("/repos/")?;
    Some(format!("{name}#{number}"))
}

#[derive(Deserialize)]
pub(super) struct Pull {
    number: u64,
    html_url: String,
    title: String,
    #[serde(default)]
    body: Option<String>,
    state: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    merged_at: Option<String>,
    head: Head,
    pub(super) updated_at: String,
}

#[derive(Deserialize)]
struct Head {
    r#ref: String,
}

impl Pull {
    pub(super) fn into_remote(self) -> RemotePull {
        let state = match (self.merged_at, self.state.as_str(), self.draft) {
            (Some(_), ..) => "merged",
            (None, "open", true) => "draft",
            (None, state, _) => state,
        };
        RemotePull {
            number: self.number,
            title: self.title,
            state: state.to_owned(),
            branch: self.head.r#ref,
            url: self.html_url,
            updated_at: self.updated_at,
            closes: closed_by(self.body.as_deref().unwrap_or_default()),
        }
    }
}

/// Something that happened to an issue; of all kinds only a new title matters.
#[derive(Deserialize)]
pub(super) struct Happening {
    #[serde(default)]
    pub(super) rename: Option<Rename>,
}

#[derive(Deserialize)]
pub(super) struct Rename {
    pub(super) from: String,
}

impl Comment {
    /// The number of the issue it stands under.
    pub(super) fn issue(&self) -> Option<u64> {
        self.issue_url.rsplit('/').next()?.parse().ok()
    }

    pub(super) fn into_remote(self) -> RemoteComment {
        RemoteComment {
            id: self.id.to_string(),
            // GitHub shows the comments of deleted accounts as those of a user named so.
            author: self.user.map_or_else(|| "ghost".into(), |user| user.login),
            created_at: self.created_at,
            updated_at: self.updated_at,
            body: with_lf(self.body.as_deref().unwrap_or_default()),
        }
    }
}

/// The state and its reason that a status token stands for.
pub(super) fn state_of(status: &str) -> Value {
    match status.split_once(':') {
        Some((state, reason)) => json!({ "state": state, "state_reason": reason }),
        None if status == "closed" => json!({ "state": "closed", "state_reason": "completed" }),
        None => json!({ "state": status }),
    }
}

/// Title and body, as far as they are among the fields.
pub(super) fn texts(fields: &IssueFields) -> Map<String, Value> {
    let text = |field, name: &str| {
        fields.get(&field).map(|value| (name.to_owned(), Value::from(value.as_text().unwrap_or_default())))
    };
    [text(Field::Title, "title"), text(Field::Body, "body")].into_iter().flatten().collect()
}

/// Labels and assignee, which only a create sends whole.
pub(super) fn labels_and_assignee(fields: &IssueFields) -> Map<String, Value> {
    let mut body = Map::new();
    if let Some(FieldValue::Set(labels)) = fields.get(&Field::Labels) {
        body.insert("labels".into(), json!(labels));
    }
    if let Some(login) = fields.get(&Field::Assignee).and_then(FieldValue::as_text) {
        body.insert("assignees".into(), json!([login]));
    }
    body
}

/// What a refusal's body says, as far as it can be read.
pub(super) fn explain(body: &[u8]) -> Explanation {
    let failure: Failure = serde_json::from_slice(body).unwrap_or_default();
    match failure.errors.into_iter().next() {
        Some(Detail::Object { field, code, message }) => {
            let detail = message.or(code).unwrap_or_default();
            let field = field.map(|field| ticket_field(&field).map_or(field, |field| field.name().to_owned()));
            Explanation { field, message: join(&failure.message, &detail) }
        }
        Some(Detail::Text(detail)) => Explanation { field: None, message: join(&failure.message, &detail) },
        None => Explanation { field: None, message: failure.message },
    }
}

/// The ticket's field behind a name in GitHub's messages.
fn ticket_field(name: &str) -> Option<Field> {
    match name {
        "state" | "state_reason" => Some(Field::Status),
        "assignee" | "assignees" => Some(Field::Assignee),
        "labels" => Some(Field::Labels),
        "milestone" => Some(Field::Milestone),
        "type" => Some(Field::Type),
        _ => None,
    }
}

fn join(message: &str, detail: &str) -> String {
    if detail.is_empty() { message.to_owned() } else { format!("{message}: {detail}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_field_and_the_reason() {
        let body = br#"{"message":"Validation Failed","errors":[{"resource":"Issue","code":"custom","field":"body",
            "message":"body is too long (maximum is 65536 characters)"}],"documentation_url":"https://docs.github.com"}"#;
        let explanation = explain(body);
        assert_eq!(explanation.field.as_deref(), Some("body"));
        assert_eq!(explanation.message, "Validation Failed: body is too long (maximum is 65536 characters)");
        assert_eq!(explain(br#"{"message":"Validation failed","errors":["no"]}"#).message, "Validation failed: no");
        assert_eq!(explain(b"<html>").message, "");
    }

    #[test]
    fn a_parent_is_a_number_here_a_path_elsewhere_and_unknown_where_there_are_no_sub_issues() {
        let parent = |more: serde_json::Value| {
            let mut json = serde_json::json!({ "number": 7, "html_url": "", "title": "T", "state": "open",
                "repository_url": "https://api.github.com/repos/o/r", "created_at": "", "updated_at": "" });
            json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value::<Issue>(json).unwrap().into_remote().fields.remove(&Field::Parent)
        };
        let at = |url: &str| parent(serde_json::json!({ "parent_issue_url": url }));
        assert_eq!(at("https://api.github.com/repos/o/r/issues/3"), Some(FieldValue::text("3")));
        assert_eq!(at("https://api.github.com/repos/o/plans/issues/3"), Some(FieldValue::text("o/plans#3")));
        assert_eq!(parent(serde_json::json!({ "sub_issues_summary": { "total": 0 } })), Some(FieldValue::Text(None)));
        assert_eq!(parent(serde_json::json!({})), None);
    }

    #[test]
    fn an_issue_reads_in_our_terms() {
        let json = serde_json::json!({
            "number": 7, "html_url": "https://github.com/o/r/issues/7", "title": "T", "body": "a\r\nb", "state": "closed",
            "state_reason": "not_planned", "labels": [{"name": "bug"}, "auth"],
            "assignees": [{"login": "alice"}, {"login": "bob"}], "milestone": {"number": 3, "title": "v1"}, "comments": 0,
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-02T00:00:00Z"
        });
        let issue = serde_json::from_value::<Issue>(json).unwrap().into_remote();
        assert_eq!((issue.id.as_str(), issue.key.as_str()), ("7", "7"));
        assert_eq!(issue.fields[&Field::Body], FieldValue::text("a\nb"));
        assert_eq!(issue.fields[&Field::Status], FieldValue::text("closed:not_planned"));
        assert_eq!(issue.fields[&Field::Assignee], FieldValue::text("alice"));
        assert_eq!(issue.fields[&Field::Milestone], FieldValue::text("v1"));
        assert_eq!(issue.fields[&Field::Labels], FieldValue::Set(["auth".into(), "bug".into()].into()));
    }
}
