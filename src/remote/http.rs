//! One HTTP client per remote: deadlines, bounded answers, and what an outcome allows to conclude.
//!
//! The token goes to the origin it was configured for and nowhere else: no redirect carries it away. A write whose answer
//! did not come is [`RemoteError::Ambiguous`], never a plain failure, because the remote may have carried it out.

use super::{Budget, RemoteError, Secret, text::quotable, token::Tokens};
use crate::domain::Timestamp;
use reqwest::{
    Method, Url,
    blocking::{Client, RequestBuilder, Response},
    header::{AUTHORIZATION, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION},
};
use serde::de::DeserializeOwned;
use std::{
    collections::VecDeque,
    error::Error as _,
    io::Read,
    sync::{Arc, Mutex, MutexGuard, Once, PoisonError},
    time::Duration,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// From the first byte sent to the last received.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes after decompression.
const MAX_ANSWER: u64 = 32 * 1024 * 1024;
const MAX_REDIRECTS: usize = 5;
/// What a limit without a stated end costs; GitHub asks for "at least one minute".
const DEFAULT_WAIT: Duration = Duration::from_secs(60);
/// Both trackers refill within the hour; a longer wait is a wrong clock somewhere.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// How many tokens are remembered, to be kept out of messages; a remote speaks of the one it was just sent.
const MAX_SENT: usize = 4;

/// Whether a request changes anything, which decides what a lost answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Read,
    Write,
}

/// What precedes a token in the header: `"Bearer "`, or nothing.
pub(super) type Scheme = fn(&Secret) -> &'static str;

/// The usual one.
pub(super) fn bearer(_: &Secret) -> &'static str {
    "Bearer "
}

/// A client bound to one remote, one origin and one source of tokens.
pub(super) struct Http {
    remote: String,
    client: Client,
    base: Url,
    scheme: Scheme,
    tokens: Arc<dyn Tokens>,
    /// Tokens that were sent last, the newest at the end.
    sent: Mutex<VecDeque<Secret>>,
    budget: Mutex<Option<Budget>>,
}

/// An answer, whatever its status.
pub(super) struct Reply {
    pub(super) status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    /// The path that was asked for, for messages.
    path: String,
}

/// A provider's reading of a failed answer's body: the field it is about, and the message.
#[derive(Debug, Default)]
pub(super) struct Explanation {
    pub(super) field: Option<String>,
    pub(super) message: String,
}

impl Http {
    /// `base` is the API's root.
    pub(super) fn new(
        remote: &str,
        base: &str,
        scheme: Scheme,
        tokens: Arc<dyn Tokens>,
        headers: HeaderMap,
    ) -> Result<Self, RemoteError> {
        let base = api_root(remote, base)?;
        let client = client(&base, headers).map_err(|error| RemoteError::Offline {
            remote: remote.to_owned(),
            reason: format!("no HTTP client could be made: {}", reason(error)),
        })?;
        let remote = remote.to_owned();
        Ok(Self { remote, client, base, scheme, tokens, sent: Mutex::default(), budget: Mutex::default() })
    }

    pub(super) fn remote(&self) -> &str {
        &self.remote
    }

    pub(super) fn budget(&self) -> Option<Budget> {
        *self.budget_slot()
    }

    /// The address of `segments` below the API's root, each escaped as one path segment.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("an http URL has a path").pop_if_empty().extend(segments);
        url
    }

    /// Reads an address that the remote sent; `None` when it leads to another origin.
    pub(super) fn own_url(&self, address: &str) -> Option<Url> {
        self.base.join(address).ok().filter(|url| url.origin() == self.base.origin())
    }

    /// Sends a request and reads the whole answer. Fails only when there is no answer to be had.
    pub(super) fn send(
        &self,
        effect: Effect,
        method: Method,
        url: Url,
        body: Option<&serde_json::Value>,
    ) -> Result<Reply, RemoteError> {
        self.follow(effect, url, |url| self.request(&method, url, body))
    }

    /// Reads an address unless it still answers what `etag` stands for: then the reply [is not modified](Reply::is_not_modified).
    pub(super) fn get_if_modified(&self, url: Url, etag: Option<&HeaderValue>) -> Result<Reply, RemoteError> {
        self.follow(Effect::Read, url, |url| {
            let request = self.request(&Method::GET, url, None);
            match etag {
                Some(etag) => request.header(IF_NONE_MATCH, etag),
                None => request,
            }
        })
    }

    fn follow(
        &self,
        effect: Effect,
        mut url: Url,
        request: impl Fn(&Url) -> RequestBuilder,
    ) -> Result<Reply, RemoteError> {
        for _ in 0..=MAX_REDIRECTS {
            let reply = self.authorized(effect, &url, &request)?;
            match self.redirect(effect, &reply) {
                Some(next) => url = next,
                None => return Ok(reply),
            }
        }
        Err(RemoteError::Server { remote: self.remote.clone(), reason: "it redirects in a circle".into() })
    }

    /// Sends with the token of now, and once more where that is refused and there may be another: a refused request was not
    /// carried out.
    fn authorized(
        &self,
        effect: Effect,
        url: &Url,
        request: &impl Fn(&Url) -> RequestBuilder,
    ) -> Result<Reply, RemoteError> {
        let token = self.tokens.token()?;
        let reply = self.send_once(effect, self.with(&token, request(url))?, url)?;
        if reply.status != 401 || !self.tokens.refused(&token, reply.now()) {
            return Ok(reply);
        }
        let token = self.tokens.token()?;
        self.send_once(effect, self.with(&token, request(url))?, url)
    }

    /// The request with the token, which is remembered.
    fn with(&self, token: &Secret, request: RequestBuilder) -> Result<RequestBuilder, RemoteError> {
        let refused = |_| RemoteError::Unauthorized {
            remote: self.remote.clone(),
            reason: "the token has characters that no token has".into(),
        };
        let value = format!("{}{}", (self.scheme)(token), token.expose());
        let mut authorization = HeaderValue::from_str(&value).map_err(refused)?;
        authorization.set_sensitive(true);
        let mut sent = self.sent_slot();
        if !sent.contains(token) {
            sent.push_back(token.clone());
        }
        if sent.len() > MAX_SENT {
            sent.pop_front();
        }
        Ok(request.header(AUTHORIZATION, authorization))
    }

    /// Sorts a failed answer by what can be done about it.
    pub(super) fn failure(&self, effect: Effect, reply: &Reply, explanation: Explanation) -> RemoteError {
        let remote = self.remote.clone();
        let message = self.shown(&explanation.message);
        let said = |status: u16| if message.is_empty() { format!("HTTP {status}") } else { message.clone() };
        match reply.status {
            429 => RemoteError::RateLimited { remote, wait: reply.wait() },
            403 if reply.is_rate_limited(&message) => RemoteError::RateLimited { remote, wait: reply.wait() },
            status @ (401 | 403) => RemoteError::Unauthorized { remote, reason: said(status) },
            404 | 410 => RemoteError::NotFound { remote, what: reply.path.clone() },
            status @ 400..=499 => RemoteError::Invalid { remote, field: explanation.field, message: said(status) },
            status @ 300..=399 => {
                RemoteError::Server { remote, reason: format!("HTTP {status} leads away from {}", reply.path) }
            }
            status => self.uncertain(effect, format!("HTTP {status}")),
        }
    }

    /// The request arrived, and what became of it is not known.
    pub(super) fn uncertain(&self, effect: Effect, reason: String) -> RemoteError {
        let (remote, reason) = (self.remote.clone(), self.shown(&reason));
        match effect {
            Effect::Read => RemoteError::Server { remote, reason },
            Effect::Write => RemoteError::Ambiguous { remote, reason },
        }
    }

    /// Reads the body as `T`. A write that was answered with something else may still have happened.
    pub(super) fn json<T: DeserializeOwned>(&self, effect: Effect, reply: &Reply) -> Result<T, RemoteError> {
        serde_json::from_slice(&reply.body)
            .map_err(|error| self.uncertain(effect, format!("the answer is not what the API promises: {error}")))
    }

    /// A remote's words, fit for a message and without the token.
    pub(super) fn shown(&self, text: &str) -> String {
        let text = self.sent_slot().iter().fold(text.to_owned(), |text, token| token.scrub(&text));
        quotable(&text)
    }

    fn request(&self, method: &Method, url: &Url, body: Option<&serde_json::Value>) -> RequestBuilder {
        let request = self.client.request(method.clone(), url.clone());
        match body {
            Some(body) => request.json(body),
            None => request,
        }
    }

    fn send_once(&self, effect: Effect, request: RequestBuilder, url: &Url) -> Result<Reply, RemoteError> {
        let response = request.send().map_err(|error| self.lost(effect, error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if let Some(budget) = scarcest(&headers) {
            *self.budget_slot() = Some(budget);
        }
        let body = self.read(effect, response)?;
        Ok(Reply { status, headers, body, path: url.path().to_owned() })
    }

    fn read(&self, effect: Effect, response: Response) -> Result<Vec<u8>, RemoteError> {
        let mut body = Vec::new();
        match response.take(MAX_ANSWER + 1).read_to_end(&mut body) {
            Ok(_) if body.len() as u64 > MAX_ANSWER => Err(self.uncertain(effect, "the answer is too long".into())),
            Ok(_) => Ok(body),
            Err(error) => Err(self.cut_off(effect, format!("the answer broke off: {error}"))),
        }
    }

    /// Where to go on, if the answer is a redirect that may be followed: within the origin, and for a write only where
    /// the standard keeps method and body.
    fn redirect(&self, effect: Effect, reply: &Reply) -> Option<Url> {
        let follow = match reply.status {
            307 | 308 => true,
            301..=303 => effect == Effect::Read,
            _ => false,
        };
        self.own_url(reply.header(LOCATION.as_str())?).filter(|_| follow)
    }

    fn lost(&self, effect: Effect, error: reqwest::Error) -> RemoteError {
        let sent = !(error.is_connect() || error.is_builder());
        // A request that was not sent changed nothing, whatever it was.
        self.cut_off(if sent { effect } else { Effect::Read }, reason(error))
    }

    /// The connection failed after the request may have been sent.
    fn cut_off(&self, effect: Effect, reason: String) -> RemoteError {
        let (remote, reason) = (self.remote.clone(), self.shown(&reason));
        match effect {
            Effect::Read => RemoteError::Offline { remote, reason },
            Effect::Write => RemoteError::Ambiguous { remote, reason },
        }
    }

    fn sent_slot(&self) -> MutexGuard<'_, VecDeque<Secret>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn budget_slot(&self) -> MutexGuard<'_, Option<Budget>> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reply {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn is_not_modified(&self) -> bool {
        self.status == 304
    }

    pub(super) fn etag(&self) -> Option<&HeaderValue> {
        self.headers.get(ETAG)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// How long the remote asks to wait, by the remote's own clock.
    pub(super) fn wait(&self) -> Duration {
        let after = self.header("retry-after").and_then(|value| value.trim().parse().ok()).map(Duration::from_secs);
        let wait = after.or_else(|| self.until_reset()).unwrap_or(DEFAULT_WAIT);
        wait.clamp(Duration::from_secs(1), MAX_WAIT)
    }

    fn until_reset(&self) -> Option<Duration> {
        let empty = budgets(&self.headers).filter(|budget| budget.remaining == 0);
        let reset = empty.filter_map(|budget| budget.reset).max()?;
        Duration::try_from(reset.duration_since(self.now())).ok()
    }

    /// The remote's time, or ours where it does not tell.
    pub(super) fn now(&self) -> Timestamp {
        let date = self.header("date").and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        date.map_or_else(Timestamp::now, |date| date.timestamp())
    }

    /// Whether a 403 is about the rate and not about rights.
    fn is_rate_limited(&self, message: &str) -> bool {
        let message = message.to_lowercase();
        self.header("retry-after").is_some()
            || budgets(&self.headers).any(|budget| budget.remaining == 0)
            || message.contains("rate limit")
            || message.contains("abuse detection")
    }
}

/// Reads the API's root. Plain HTTP is for this machine only: it would show the token to the network.
fn api_root(remote: &str, base: &str) -> Result<Url, RemoteError> {
    let invalid = |message: String| RemoteError::Invalid {
        remote: remote.to_owned(),
        field: Some("url".into()),
        message: format!("{message} (`remotes.{remote}.url` in .trackfs/config.yaml)"),
    };
    let url = Url::parse(base).map_err(|error| invalid(format!("{base:?} is no URL: {error}")))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(invalid(format!("{base:?} would send the token unencrypted; use https"))),
        _ => Err(invalid(format!("{base:?} is no https URL"))),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn client(base: &Url, headers: HeaderMap) -> reqwest::Result<Client> {
    static TLS: Once = Once::new();
    // Whoever installed a provider first is as good: only having none is an error.
    TLS.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let builder = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TOTAL_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("trackfs/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers);
    // A proxy cannot reach this machine's loopback.
    if is_loopback(base) { builder.no_proxy().build() } else { builder.build() }
}

/// An error with its causes, without the URL (a query may hold what was searched for).
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Every rate limit an answer speaks of. GitHub counts requests; Linear counts requests and complexity.
fn budgets(headers: &HeaderMap) -> impl Iterator<Item = Budget> {
    let names = [("x-ratelimit", 1000), ("x-ratelimit-requests", 1), ("x-ratelimit-complexity", 1)];
    names.into_iter().filter_map(|(name, to_milliseconds)| {
        let number =
            |part| headers.get(format!("{name}-{part}"))?.to_str().ok()?.trim().parse::<f64>().ok().map(|n| n as i64);
        let reset = number("reset").and_then(|at| Timestamp::from_millisecond(at.checked_mul(to_milliseconds)?).ok());
        let count = |part| number(part).and_then(|count| u64::try_from(count).ok());
        Some(Budget { remaining: count("remaining")?, limit: count("limit")?, reset })
    })
}

fn scarcest(headers: &HeaderMap) -> Option<Budget> {
    budgets(headers).min_by_key(|budget| u128::from(budget.remaining) * 1_000_000 / u128::from(budget.limit.max(1)))
}

#[cfg(test)]
mod tests;
