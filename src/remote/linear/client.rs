//! GraphQL over HTTP, and how Linear's errors are told apart.
//!
//! Linear reports failures in the body, with status 200 or 400 and a code in `extensions`; a missing object has no code
//! of its own and is known by its message.

use crate::remote::{
    Budget, RemoteError, Secret,
    http::{Effect, Explanation, Http, Reply},
    token::Tokens,
};
use reqwest::{Method, Url, header::HeaderMap};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::sync::Arc;

const API: &str = "https://api.linear.app/graphql";

/// One GraphQL operation with its fragments.
#[derive(Clone, Copy)]
pub(super) struct Document {
    pub(super) text: &'static str,
    pub(super) effect: Effect,
}

/// The operation and fragments in these files, all of `graphql/`. Paths are absolute because `include_str!` resolves
/// them against the file that uses the macro.
macro_rules! document {
    ($effect:ident, $($file:literal),+) => {
        $crate::remote::linear::client::Document {
            text: concat!($(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/remote/linear/graphql/", $file)), "\n"),+),
            effect: $crate::remote::http::Effect::$effect,
        }
    };
}
pub(super) use document;

/// What became of an insert with an id of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    Now,
    /// The server says that the id is taken, which an earlier attempt may have done.
    IdTaken,
}

pub(super) struct Client {
    http: Http,
    url: Url,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<Error>,
}

#[derive(Deserialize)]
struct Error {
    #[serde(default)]
    message: String,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Extensions {
    code: Option<String>,
    r#type: Option<String>,
    user_presentable_message: Option<String>,
}

impl Client {
    pub(super) fn new(remote: &str, url: Option<&str>, tokens: Arc<dyn Tokens>) -> Result<Self, RemoteError> {
        // A personal key stands alone in the header; Linear refuses it as a bearer token.
        let scheme = |token: &Secret| if token.expose().starts_with("lin_api_") { "" } else { "Bearer " };
        let http = Http::new(remote, url.unwrap_or(API), scheme, tokens, HeaderMap::new())?;
        let url = http.url(&[]);
        Ok(Self { http, url })
    }

    pub(super) fn remote(&self) -> &str {
        self.http.remote()
    }

    pub(super) fn budget(&self) -> Option<Budget> {
        self.http.budget()
    }

    /// Runs an operation and reads its data.
    pub(super) fn run<T: DeserializeOwned>(&self, document: Document, variables: Value) -> Result<T, RemoteError> {
        let effect = document.effect;
        let (reply, answer) = self.ask(document, variables)?;
        if let Some(error) = answer.errors.first() {
            return Err(self.failure(effect, &reply, error));
        }
        let broken = |reason: String| self.http.uncertain(effect, format!("the answer lacks its data: {reason}"));
        let data = answer.data.ok_or_else(|| broken("there is none".into()))?;
        serde_json::from_value(data).map_err(|error| broken(error.to_string()))
    }

    /// Runs a create whose input carries an id of ours.
    pub(super) fn insert(&self, document: Document, input: Value) -> Result<Inserted, RemoteError> {
        let (reply, answer) = self.ask(document, json!({ "input": input }))?;
        match answer.errors.first() {
            None => Ok(Inserted::Now),
            Some(error) if error.is_conflict() => Ok(Inserted::IdTaken),
            Some(error) => Err(self.failure(document.effect, &reply, error)),
        }
    }

    /// Sends an operation; what comes back is an answer in GraphQL's form, with or without errors.
    fn ask(&self, document: Document, variables: Value) -> Result<(Reply, Answer), RemoteError> {
        let body = json!({ "query": document.text, "variables": variables });
        let reply = self.http.send(document.effect, Method::POST, self.url.clone(), Some(&body))?;
        match serde_json::from_slice::<Answer>(reply.body()) {
            Ok(answer) if reply.is_success() || !answer.errors.is_empty() => Ok((reply, answer)),
            Err(_) if reply.is_success() => self.http.json(document.effect, &reply).map(|answer| (reply, answer)),
            _ => Err(self.http.failure(document.effect, &reply, Explanation::default())),
        }
    }

    fn failure(&self, effect: Effect, reply: &Reply, error: &Error) -> RemoteError {
        let remote = self.remote().to_owned();
        let message = self.http.shown(error.shown());
        match error.kind() {
            _ if error.is("RATELIMITED") => RemoteError::RateLimited { remote, wait: reply.wait() },
            _ if reply.status >= 500 => self.http.uncertain(effect, format!("HTTP {}: {message}", reply.status)),
            "authentication error" | "forbidden" | "feature not accessible" => {
                RemoteError::Unauthorized { remote, reason: message }
            }
            _ if matches!(reply.status, 401 | 403) => RemoteError::Unauthorized { remote, reason: message },
            "internal error" | "lock timeout" | "network error" => self.http.uncertain(effect, message),
            _ if error.message.starts_with("Entity not found") => RemoteError::NotFound { remote, what: message },
            _ => RemoteError::Invalid { remote, field: error.field(), message },
        }
    }
}

impl Error {
    fn kind(&self) -> &str {
        self.extensions.r#type.as_deref().unwrap_or_default()
    }

    fn is(&self, code: &str) -> bool {
        self.extensions.code.as_deref() == Some(code) || self.kind().eq_ignore_ascii_case(code)
    }

    fn is_conflict(&self) -> bool {
        self.message.to_lowercase().contains("conflict on insert")
    }

    /// The message meant for people, where there is one.
    fn shown(&self) -> &str {
        let message = self.extensions.user_presentable_message.as_deref();
        message.filter(|message| !message.is_empty()).unwrap_or(&self.message)
    }

    /// The ticket's field that a validation message begins with.
    fn field(&self) -> Option<String> {
        let fields = [
            ("title", "title"),
            ("description", "body"),
            ("stateId", "status"),
            ("labelIds", "labels"),
            ("addedLabelIds", "labels"),
            ("removedLabelIds", "labels"),
            ("assigneeId", "assignee"),
            ("priority", "priority"),
            ("estimate", "estimate"),
            ("dueDate", "due"),
        ];
        let first = self.shown().split_whitespace().next()?;
        fields.iter().find(|(theirs, _)| *theirs == first).map(|(_, ours)| (*ours).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: Value) -> Error {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_validation_message_names_our_field() {
        let error = error(json!({"message": "Argument Validation Error",
            "extensions": {"userPresentableMessage": "dueDate must be a date"}}));
        assert_eq!(error.field().as_deref(), Some("due"));
    }

    #[test]
    fn a_conflict_is_known_by_the_message_and_not_by_what_is_shown() {
        let conflict = error(json!({"message": "conflict on insert of Issue: Entity Issue with id 1 already exists",
            "extensions": {"userPresentableMessage": "Something went wrong"}}));
        assert!(conflict.is_conflict());
        assert!(!error(json!({"message": "Entity not found: Issue"})).is_conflict());
    }
}
