//! A GitHub App: it signs for itself, and is given tokens for the repositories where it is installed.
//!
//! A token lives for an hour, in memory only. It is asked for when the first request needs it, a little before it expires,
//! and when GitHub refuses it.

mod signer;

use super::wire;
use crate::{
    domain::Timestamp,
    remote::{
        RemoteError, Secret,
        http::{Effect, Http, Reply, bearer},
        token::Tokens,
    },
    workspace::config::AppConfig,
};
use parking_lot::Mutex;
use reqwest::{Method, Url, header::HeaderMap};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use signer::Signer;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long before it expires a token is replaced: longer than any request takes.
const SPARE: Duration = Duration::from_secs(5 * 60);

/// An app, where it is installed for one repository.
pub(super) struct App {
    /// Sends what the app says as itself.
    http: Http,
    id: String,
    owner: String,
    repo: String,
    installation: Option<u64>,
    /// Held while GitHub is asked, so that whoever else needs a token waits for the same one.
    granted: Mutex<Option<Granted>>,
}

/// A token with what it allows.
struct Granted {
    token: Secret,
    permissions: BTreeMap<String, String>,
    replace_at: Instant,
}

#[derive(Deserialize)]
struct Grant {
    token: String,
    expires_at: Timestamp,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct Named {
    slug: String,
}

impl App {
    /// `api` is the API's root. Finds the app's key, but sends nothing yet.
    pub(super) fn new(
        remote: &str,
        api: &str,
        headers: HeaderMap,
        config: &AppConfig,
        (owner, repo): (&str, &str),
    ) -> Result<Self, RemoteError> {
        let http = Http::new(remote, api, bearer, Arc::new(Signer::new(remote, config)?), headers)?;
        let (id, installation) = (config.id.clone(), config.installation);
        Ok(Self { http, id, owner: owner.into(), repo: repo.into(), installation, granted: Mutex::default() })
    }

    /// The login that everything done with its tokens shows.
    pub(super) fn login(&self) -> Result<String, RemoteError> {
        let reply = self.ask(Method::GET, self.http.url(&["app"]), "there is no such app")?;
        let Named { slug } = self.read(&reply)?;
        Ok(format!("{slug}[bot]"))
    }

    /// Refuses an installation that lacks a right which the remote needs.
    pub(super) fn check_rights(&self, pulls: bool) -> Result<(), RemoteError> {
        let needed = [("issues", &["write", "admin"][..]), ("pull_requests", &["read", "write", "admin"][..])];
        self.with_token(|granted| {
            for (right, levels) in needed.into_iter().take(if pulls { 2 } else { 1 }) {
                if granted.permissions.get(right).is_none_or(|level| !levels.contains(&level.as_str())) {
                    return Err(self.refused_because(format!(
                        "the app {} lacks `{right}: {}` in {}/{}; give it that right on its page, under Permissions & \
                         events, and accept it where the app is installed",
                        self.id, levels[0], self.owner, self.repo
                    )));
                }
            }
            Ok(())
        })
    }

    /// Hands on the token that is good now; it is asked for where there is none.
    fn with_token<T>(&self, take: impl FnOnce(&Granted) -> Result<T, RemoteError>) -> Result<T, RemoteError> {
        let mut granted = self.granted.lock();
        let present = granted.take().filter(|granted| Instant::now() < granted.replace_at);
        let present = present.map_or_else(|| self.ask_for_token(), Ok)?;
        take(granted.insert(present))
    }

    fn ask_for_token(&self) -> Result<Granted, RemoteError> {
        let installation = self.installation.map_or_else(|| self.find_installation(), Ok)?.to_string();
        let url = self.http.url(&["app", "installations", &installation, "access_tokens"]);
        let missing = format!(
            "the app {} has no installation {installation}; leave `remotes.{}.token.app.installation` out, and it is found",
            self.id,
            self.http.remote()
        );
        let reply = self.ask(Method::POST, url, &missing)?;
        let Grant { token, expires_at, permissions } = self.read(&reply)?;
        // By GitHub's clock, whatever ours says.
        let lives = Duration::try_from(expires_at.duration_since(reply.now())).unwrap_or_default();
        let replace_at = Instant::now() + lives.saturating_sub(SPARE);
        Ok(Granted { token: Secret::new(token), permissions, replace_at })
    }

    /// The installation for the repository: looked for each time, since it is another one after the app was installed anew.
    fn find_installation(&self) -> Result<u64, RemoteError> {
        let url = self.http.url(&["repos", &self.owner, &self.repo, "installation"]);
        let missing = format!(
            "the app {} is not installed for {}/{}, or there is no such repository; install it there (on its page, under \
             Install App)",
            self.id, self.owner, self.repo
        );
        let reply = self.ask(Method::GET, url, &missing)?;
        self.read(&reply).map(|Installation { id }| id)
    }

    /// Sends what changes nothing that matters: a token whose answer was lost is used by nobody. `missing` says what it
    /// means, and what to do, when there is nothing at that address.
    fn ask(&self, method: Method, url: Url, missing: &str) -> Result<Reply, RemoteError> {
        let body = (method == Method::POST).then(|| json!({}));
        let reply = self.http.send(Effect::Read, method, url, body.as_ref())?;
        if reply.is_success() {
            return Ok(reply);
        }
        Err(match self.http.failure(Effect::Read, &reply, wire::explain(reply.body())) {
            RemoteError::Unauthorized { reason, .. } if reply.status == 401 => self.refused_because(format!(
                "{reason}; see that `id` and `key` of `remotes.{}.token.app` are of one app, and that the key is not revoked",
                self.http.remote()
            )),
            // To whoever asked for an issue, these would say something about the issue.
            RemoteError::NotFound { .. } => self.refused_because(missing.to_owned()),
            RemoteError::Invalid { message, .. } => self.refused_because(message),
            error => error,
        })
    }

    /// Reads an answer, of which no error says a word: it may hold a token.
    fn read<T: DeserializeOwned>(&self, reply: &Reply) -> Result<T, RemoteError> {
        let promised = |_| RemoteError::Server {
            remote: self.http.remote().to_owned(),
            reason: "what it answers the app is not what the API promises".into(),
        };
        serde_json::from_slice(reply.body()).map_err(promised)
    }

    fn refused_because(&self, reason: String) -> RemoteError {
        RemoteError::Unauthorized { remote: self.http.remote().to_owned(), reason }
    }
}

impl Tokens for App {
    fn token(&self) -> Result<Secret, RemoteError> {
        self.with_token(|granted| Ok(granted.token.clone()))
    }

    fn refused(&self, token: &Secret, _now: Timestamp) -> bool {
        let mut granted = self.granted.lock();
        // Where another thread was refused the same, the new one is here already.
        if granted.as_ref().is_some_and(|granted| granted.token == *token) {
            *granted = None;
        }
        true
    }
}
