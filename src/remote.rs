//! Remotes: one interface, three providers, and the errors they classify themselves.
//!
//! A provider speaks its tracker's vocabulary and decides nothing: what to write is planned in `domain`, when to try
//! again is the engine's. What a provider owes is the truth about an outcome, above all "it may have happened".

mod github;
mod http;
mod linear;
pub mod simulator;
mod text;
mod token;
pub mod webhook;

use crate::{
    domain::{
        Timestamp,
        issue::{Capabilities, Field, FieldValue, IssueFields, ObjectKind, RemoteComment, RemoteIssue},
        pull::RemotePull,
        timeline::Happening,
    },
    workspace::config::{RemoteConfig, RemoteKind},
};
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use token::Secret;
pub use token::keep;
use uuid::Uuid;

/// Opens the remote that `config` describes. Finds its token, but sends nothing yet.
///
/// A simulator with a `repo` behaves like GitHub, any other like Linear; its `url` is the folder of its state.
pub fn connect(name: &str, config: &RemoteConfig) -> Result<Box<dyn Provider>, RemoteError> {
    let url = config.url.as_deref();
    Ok(match config.kind {
        RemoteKind::Github => {
            let repo = setting(name, "repo", "owner/name", config.repo.as_deref())?;
            Box::new(github::Github::new(name, config, repo)?)
        }
        RemoteKind::Linear => {
            let team = setting(name, "team", "the team's key, as in ENG-42", config.team.as_deref())?;
            let tokens = Arc::new(token::find(name, config.kind, &config.token)?);
            Box::new(linear::Linear::new(name, config, team, tokens)?)
        }
        RemoteKind::Simulator => {
            let flavour = match &config.repo {
                Some(_) => simulator::Flavour::Github,
                None => simulator::Flavour::Linear { team: config.team.clone().unwrap_or_else(|| "SIM".into()) },
            };
            let simulator = simulator::Simulator::new(name, flavour);
            if !config.create_labels {
                simulator.refuse_new_labels();
            }
            let simulator = if config.documents.is_some() { simulator.with_documents() } else { simulator };
            Box::new(match url {
                Some(folder) => simulator.in_folder(Path::new(folder))?,
                None => simulator,
            })
        }
    })
}

/// Where issues are kept on a tracker: what a person chooses from when a remote is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As `repo` or `team` says it: `acme/app`, `ENG`.
    pub name: String,
    /// For people; empty: nothing.
    pub about: String,
}

/// The places that a remote's token can see, those that were used last first, as far as that is known; a hundred at most. Of
/// `config` the kind, the address and the token count.
pub fn places(name: &str, config: &RemoteConfig) -> Result<Vec<Place>, RemoteError> {
    match config.kind {
        RemoteKind::Github => github::places(name, config),
        RemoteKind::Linear => {
            let tokens = Arc::new(token::find(name, config.kind, &config.token)?);
            linear::places(name, config.url.as_deref(), tokens)
        }
        RemoteKind::Simulator => Ok(Vec::new()),
    }
}

/// A setting that this kind of remote cannot do without.
fn setting<'a>(remote: &str, key: &str, form: &str, value: Option<&'a str>) -> Result<&'a str, RemoteError> {
    value.filter(|value| !value.trim().is_empty()).ok_or_else(|| RemoteError::Invalid {
        remote: remote.to_owned(),
        field: Some(key.to_owned()),
        message: format!("`remotes.{remote}.{key}` is missing in .trackfs/config.yaml; it is {form}"),
    })
}

/// A tracker. Every method blocks, with a deadline of its own; none is ever called on a filesystem thread.
///
/// Providers are admitted by the conformance suite in `tests/providers.rs`.
pub trait Provider: Send + Sync {
    /// Learns what the remote can do (states, priorities). Cached by the provider after the first success.
    fn capabilities(&self) -> Result<Capabilities, RemoteError>;

    /// Checks the token and names the account it belongs to.
    fn account(&self) -> Result<String, RemoteError>;

    /// One page of the issues updated at or after `since` (the remote's own time), archived ones included, each with
    /// all its comments; and, where the configuration has a folder for them, of the documents and projects. The order may
    /// be any; pages may overlap. `since` is the same for every page of a listing.
    fn changed_since(&self, since: Option<&str>, page: Option<&PageToken>) -> Result<Page, RemoteError>;

    /// One issue as it is now, by `id`; `None` when it does not exist (any more). Never served from a lagging index.
    fn fetch(&self, id: &str) -> Result<Option<RemoteIssue>, RemoteError>;

    /// Makes an issue, or a document. `intent` was stored before the call; where the provider is idempotent, a repeated call with
    /// the same intent returns what the first call made. Relations are not among the fields: the issue is told of them by an update.
    fn create(&self, intent: Uuid, kind: ObjectKind, fields: &IssueFields) -> Result<RemoteIssue, RemoteError>;

    /// Looks for what an earlier [`create`](Self::create) with an unknown outcome made, even when somebody changed it since.
    /// Never by a search index.
    fn find_created(&self, lost: &Lost<'_>) -> Result<Search, RemoteError>;

    /// Changes the named fields and no others, and returns the issue as the remote has it afterwards.
    /// Sets are applied as members added and removed against `patch.base`.
    fn update(&self, id: &str, patch: &Patch) -> Result<RemoteIssue, RemoteError>;

    /// Archives (Linear) or closes as not planned (GitHub), puts a document into the trash; never destroys. A project is refused as
    /// [`RemoteError::Invalid`]. Doing it twice is no error.
    fn archive(&self, id: &str) -> Result<(), RemoteError>;

    fn comment(&self, issue: &str, intent: Uuid, body: &str) -> Result<RemoteComment, RemoteError>;

    /// Finds the comment that an earlier [`comment`](Self::comment) with an unknown outcome made, if any.
    fn find_comment(&self, issue: &str, lost: &Lost<'_>) -> Result<Option<RemoteComment>, RemoteError>;

    /// Gives a comment of the account's own another body, and returns it as the remote has it afterwards. Somebody else's is
    /// refused as [`RemoteError::Invalid`] before anything is sent.
    fn edit_comment(&self, issue: &str, comment: &str, body: &str) -> Result<RemoteComment, RemoteError>;

    /// Deletes a comment of the account's own; doing it twice is no error. Somebody else's is refused as
    /// [`RemoteError::Invalid`] before anything is sent.
    fn delete_comment(&self, issue: &str, comment: &str) -> Result<(), RemoteError>;

    /// What happened to an issue, oldest first, where the remote tells.
    fn timeline(&self, _issue: &str) -> Result<Vec<Happening>, RemoteError> {
        Ok(Vec::new())
    }

    /// What the last answer said about the rate limit; of several limits the scarcest.
    fn budget(&self) -> Option<Budget> {
        None
    }
}

/// A remote's rate limit, in its own units (requests, or points of complexity).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub remaining: u64,
    pub limit: u64,
    /// When `remaining` is back at `limit`.
    pub reset: Option<Timestamp>,
}

/// A shared provider is a provider: the engine holds one while a test or `status` looks at the same.
impl<P: Provider + ?Sized> Provider for Arc<P> {
    fn capabilities(&self) -> Result<Capabilities, RemoteError> {
        (**self).capabilities()
    }

    fn account(&self) -> Result<String, RemoteError> {
        (**self).account()
    }

    fn changed_since(&self, since: Option<&str>, page: Option<&PageToken>) -> Result<Page, RemoteError> {
        (**self).changed_since(since, page)
    }

    fn fetch(&self, id: &str) -> Result<Option<RemoteIssue>, RemoteError> {
        (**self).fetch(id)
    }

    fn create(&self, intent: Uuid, kind: ObjectKind, fields: &IssueFields) -> Result<RemoteIssue, RemoteError> {
        (**self).create(intent, kind, fields)
    }

    fn find_created(&self, lost: &Lost<'_>) -> Result<Search, RemoteError> {
        (**self).find_created(lost)
    }

    fn update(&self, id: &str, patch: &Patch) -> Result<RemoteIssue, RemoteError> {
        (**self).update(id, patch)
    }

    fn archive(&self, id: &str) -> Result<(), RemoteError> {
        (**self).archive(id)
    }

    fn comment(&self, issue: &str, intent: Uuid, body: &str) -> Result<RemoteComment, RemoteError> {
        (**self).comment(issue, intent, body)
    }

    fn find_comment(&self, issue: &str, lost: &Lost<'_>) -> Result<Option<RemoteComment>, RemoteError> {
        (**self).find_comment(issue, lost)
    }

    fn edit_comment(&self, issue: &str, comment: &str, body: &str) -> Result<RemoteComment, RemoteError> {
        (**self).edit_comment(issue, comment, body)
    }

    fn delete_comment(&self, issue: &str, comment: &str) -> Result<(), RemoteError> {
        (**self).delete_comment(issue, comment)
    }

    fn timeline(&self, issue: &str) -> Result<Vec<Happening>, RemoteError> {
        (**self).timeline(issue)
    }

    fn budget(&self) -> Option<Budget> {
        (**self).budget()
    }
}

/// What is known of a create, or of a comment, whose answer never came.
#[derive(Clone, Copy)]
pub struct Lost<'l> {
    pub intent: Uuid,
    /// What was to be made; of a comment, what it is on.
    pub kind: ObjectKind,
    /// What was sent; of a comment, the body alone.
    pub fields: &'l IssueFields,
    /// The remote's time when the intent was stored, if one was known.
    pub not_before: Option<&'l str>,
    /// Whether an object (of a comment: a comment) has been accounted for already, by id: that one is not it.
    pub known: &'l dyn Fn(&str) -> bool,
}

impl Lost<'_> {
    pub(crate) fn text(&self, field: Field) -> &str {
        self.fields.get(&field).and_then(FieldValue::as_text).unwrap_or_default()
    }
}

/// What became of a lost create, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// It made this.
    Found(Box<RemoteIssue>),
    /// It made nothing that shows.
    Nothing,
    /// Each of these keys may be it, changed since.
    Several(Vec<String>),
}

impl Search {
    /// The issue that was made as what was sent, where one is `exact`, else the only one that may be it, changed since.
    pub(crate) fn of(exact: Option<RemoteIssue>, changed: Vec<RemoteIssue>) -> Self {
        match (exact, <[RemoteIssue; 1]>::try_from(changed)) {
            (Some(made), _) | (None, Ok([made])) => Self::Found(Box::new(made)),
            (None, Err(changed)) if changed.is_empty() => Self::Nothing,
            (None, Err(changed)) => Self::Several(changed.into_iter().map(|issue| issue.key).collect()),
        }
    }
}

/// Where a listing goes on; opaque (a Link URL, a Relay cursor).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageToken(pub String);

/// One page of a listing.
#[derive(Clone, Debug)]
pub struct Page {
    pub issues: Vec<RemoteIssue>,
    /// Pull requests that changed, where the remote has them and the configuration asks for them.
    pub pulls: Vec<RemotePull>,
    /// The remote's time of the last thing that it lists, where that may be something that is not among these.
    pub latest: Option<String>,
    pub next: Option<PageToken>,
    /// How many entries of the listing this page took, whatever they are.
    pub listed: usize,
    /// About how many the whole listing has; said by its first page, where the remote knows.
    pub of: Option<usize>,
}

/// The fields to change, with what each was when the change was planned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    pub fields: BTreeMap<Field, FieldValue>,
    pub base: IssueFields,
}

impl Patch {
    /// Members of a set field that the patch adds to and removes from `base`, compared without regard to case.
    pub(crate) fn delta(&self, field: Field) -> (Vec<String>, Vec<String>) {
        let Some(FieldValue::Set(wanted)) = self.fields.get(&field) else { return Default::default() };
        let none = Default::default();
        let base = match self.base.get(&field) {
            Some(FieldValue::Set(base)) => base,
            _ => &none,
        };
        let missing_in = |names: &std::collections::BTreeSet<String>, other: &std::collections::BTreeSet<String>| {
            let has = |name: &String| other.iter().any(|member| text::same_name(member, name));
            names.iter().filter(|name| !has(name)).cloned().collect()
        };
        (missing_in(wanted, base), missing_in(base, wanted))
    }
}

/// What a remote answered, sorted by what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// No answer, and nothing was sent: try again later.
    #[error("{remote} cannot be reached: {reason}")]
    Offline { remote: String, reason: String },
    /// The request may or may not have been carried out: look before trying again.
    #[error("{remote} did not answer: {reason}")]
    Ambiguous { remote: String, reason: String },
    /// The token is missing, wrong or lacks a right: stop until it is mended.
    #[error("{remote} refused the token: {reason}")]
    Unauthorized { remote: String, reason: String },
    #[error("{remote} has no such object: {what}")]
    NotFound { remote: String, what: String },
    /// The remote will not take this value, however often it is sent.
    #[error("{remote} refused {}: {message}", field.as_deref().unwrap_or("the request"))]
    Invalid { remote: String, field: Option<String>, message: String },
    #[error("{remote} asks to wait {} s", wait.as_secs())]
    RateLimited { remote: String, wait: Duration },
    /// 5xx, or an answer that is not what the API promises.
    #[error("{remote} failed: {reason}")]
    Server { remote: String, reason: String },
}

impl RemoteError {
    /// Whether the same request may succeed later without anybody doing something.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Offline { .. } | Self::Ambiguous { .. } | Self::RateLimited { .. } | Self::Server { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::path::WsPath, workspace::config::TokenSource};

    fn config(kind: RemoteKind) -> RemoteConfig {
        let folder = WsPath::new("tickets").unwrap();
        RemoteConfig { token: TokenSource::Command("echo t".into()), ..RemoteConfig::new(kind, folder) }
    }

    #[test]
    fn a_remote_without_its_place_says_what_is_missing() {
        for (kind, key) in [(RemoteKind::Github, "repo"), (RemoteKind::Linear, "team")] {
            let error = connect("hub", &config(kind)).map(drop).unwrap_err();
            assert!(matches!(&error, RemoteError::Invalid { field: Some(field), .. } if field == key), "{error:?}");
            assert!(error.to_string().contains(&format!("`remotes.hub.{key}`")), "{error}");
        }
        for repo in ["tracker", "a/b/c", "/b", "a/"] {
            let config = RemoteConfig { repo: Some(repo.into()), ..config(RemoteKind::Github) };
            assert!(connect("hub", &config).is_err(), "{repo}");
        }
    }

    #[test]
    fn a_missing_token_is_reported_before_anything_is_sent() {
        let token = TokenSource::Env("TRACKFS_TEST_UNSET".into());
        let config = RemoteConfig { team: Some("ENG".into()), token, ..config(RemoteKind::Linear) };
        let error = connect("line", &config).map(drop).unwrap_err();
        assert!(matches!(error, RemoteError::Unauthorized { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("TRACKFS_TEST_UNSET") && text.contains("`remotes.line.token`"), "{text}");
    }

    #[test]
    fn a_simulator_takes_after_the_tracker_whose_setting_it_has() {
        let key = |config: &RemoteConfig| {
            let fields = [(Field::Title, FieldValue::text("a"))].into();
            connect("sim", config).unwrap().create(Uuid::new_v4(), ObjectKind::Issue, &fields).unwrap().key
        };
        let simulator = || config(RemoteKind::Simulator);
        assert_eq!(key(&simulator()), "SIM-1");
        assert_eq!(key(&RemoteConfig { team: Some("ENG".into()), ..simulator() }), "ENG-1");
        assert_eq!(key(&RemoteConfig { repo: Some("o/r".into()), ..simulator() }), "1");
    }

    #[test]
    fn a_delta_is_the_members_added_and_removed() {
        let set = |names: &[&str]| FieldValue::Set(names.iter().map(|name| (*name).to_owned()).collect());
        let patch = |base: &[&str], wanted: &[&str]| Patch {
            fields: [(Field::Labels, set(wanted))].into(),
            base: [(Field::Labels, set(base))].into(),
        };
        let (added, removed) = patch(&["Bug", "old"], &["bug", "new"]).delta(Field::Labels);
        assert_eq!((added, removed), (vec!["new".to_owned()], vec!["old".to_owned()]));
        let without_base = Patch { base: IssueFields::new(), ..patch(&[], &["a"]) };
        assert_eq!(without_base.delta(Field::Labels), (vec!["a".to_owned()], vec![]));
        assert_eq!(Patch::default().delta(Field::Labels), (vec![], vec![]));
    }
}
