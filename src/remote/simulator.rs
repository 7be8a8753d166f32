//! A tracker in this process, for the demo and for tests: stricter than the real ones, and able to fail on request.
//!
//! It refuses what Linear or GitHub refuse, lists in no useful order with overlapping pages, and never looks at a clock.
//! With a folder it keeps one JSON file per issue there; a file that somebody edits is an edit on the remote.

mod catalogue;
mod folder;
mod markdown;
mod state;

use super::{Lost, Page, PageToken, Patch, Provider, RemoteError, Search, http::Effect, text};
use crate::domain::{
    issue::{Capabilities, Field, FieldValue, IssueFields, ObjectKind, RemoteComment, RemoteIssue},
    pull::RemotePull,
    timeline::Happening,
};
use folder::Folder;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use state::State;
use std::{io, path::Path, time::Duration};
use uuid::Uuid;

/// Issues a page, unless a test wants another size.
const PAGE: usize = 50;

/// Which tracker is imitated: keys, fields, states, limits, and how it takes a repeated create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Keys `TEAM-1`, an intent makes one object however often it is sent, Markdown is rewritten.
    Linear { team: String },
    /// Keys `1`, a repeated create makes a second object, removed means closed as not planned.
    Github,
}

/// One failure to come. Each is used up by the first call that it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No connection.
    Offline,
    /// The next write is carried out and its answer is lost.
    AfterApply,
    /// The next write is lost on its way; its sender cannot tell that from [`Fault::AfterApply`].
    Before,
    RateLimited(Duration),
    /// A 5xx that certainly changed nothing.
    Server,
    Unauthorized,
    /// The answer takes this long.
    Slow(Duration),
}

/// A simulated tracker.
pub struct Simulator {
    name: String,
    flavour: Flavour,
    page: usize,
    documents: bool,
    faults: Mutex<Vec<Fault>>,
    writes: Mutex<Vec<String>>,
    /// Taken last, and never while waiting.
    state: Mutex<State>,
}

impl Simulator {
    /// An empty tracker that errors call `name`.
    pub fn new(name: &str, flavour: Flavour) -> Self {
        let state = Mutex::new(State::new(flavour.clone()));
        let (faults, writes) = Default::default();
        Self { name: name.to_owned(), flavour, page: PAGE, documents: false, faults, writes, state }
    }

    /// Keeps the state in `folder`, starting with what is there.
    pub fn in_folder(self, folder: &Path) -> Result<Self, RemoteError> {
        let opened = Folder::open(folder).map_err(|error| self.broken(&error))?;
        self.state.lock().folder = Some(opened);
        self.state.lock().refresh().map_err(|error| self.broken(&error))?;
        Ok(self)
    }

    /// Lists this many issues a page; at least two, because pages overlap by one.
    pub fn with_page_size(self, page: usize) -> Self {
        Self { page: page.max(2), ..self }
    }

    /// Cuts timestamps to whole seconds, as GitHub does: changes made shortly after each other share one.
    pub fn with_whole_seconds(self) -> Self {
        self.state.lock().whole_seconds = true;
        self
    }

    /// Lists documents and projects, too.
    pub fn with_documents(self) -> Self {
        Self { documents: true, ..self }
    }

    /// From now on a label that no issue has is refused.
    pub fn refuse_new_labels(&self) {
        self.state.lock().refuses_new_labels = true;
    }

    /// Lets a later call fail. Faults are used up in the order they were given.
    pub fn inject(&self, fault: Fault) {
        self.faults.lock().push(fault);
    }

    /// Changes an issue as somebody else would, and returns it; `None` when there is no such key.
    pub fn edit(&self, key: &str, change: impl FnOnce(&mut RemoteIssue)) -> Option<RemoteIssue> {
        self.directly(|state| state.edit(key, change))
    }

    /// Makes an issue as somebody else would. Fields that are not given get their defaults.
    pub fn add(&self, fields: &IssueFields) -> RemoteIssue {
        let capabilities = self.flavour.capabilities();
        self.directly(|state| state.create(&capabilities, Uuid::new_v4(), ObjectKind::Issue, fields))
    }

    /// Makes a document or a project, as [`Simulator::add`] an issue.
    pub fn add_text(&self, kind: ObjectKind, fields: &IssueFields) -> RemoteIssue {
        let capabilities = self.flavour.capabilities();
        self.directly(|state| state.create(&capabilities, Uuid::new_v4(), kind, fields))
    }

    /// Destroys an issue, as an administrator can.
    pub fn destroy(&self, key: &str) {
        self.directly(|state| state.destroy(key)).expect("the simulator's folder can be written");
    }

    /// Opens a pull request, or changes the one of that number.
    pub fn propose(&self, pull: RemotePull) {
        self.directly(|state| state.propose(pull));
    }

    /// Lets this have happened to an issue.
    pub fn narrate(&self, key: &str, happenings: Vec<Happening>) {
        self.directly(|state| state.happenings.insert(key.to_owned(), happenings));
    }

    /// Every issue as it is now, by key.
    pub fn issues(&self) -> Vec<RemoteIssue> {
        self.directly(|state| state.issues().cloned().collect())
    }

    /// The writes that were carried out through the provider, oldest first: `create SIM-1`, `update SIM-1: title`.
    pub fn writes(&self) -> Vec<String> {
        self.writes.lock().clone()
    }

    /// Looks at or changes the state past the provider.
    fn directly<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        state.refresh().expect("the simulator's folder can be read");
        let result = act(&mut state);
        state.flush().expect("the simulator's folder can be written");
        result
    }

    /// One call of the provider, with the fault that is due.
    fn call<T>(
        &self,
        effect: Effect,
        act: impl FnOnce(&mut State) -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        let fault = self.fault_for(effect);
        if let Some(fault) = fault {
            self.fail_first(fault)?;
        }
        let result = {
            let mut state = self.state.lock();
            state.refresh().map_err(|error| self.broken(&error))?;
            let result = act(&mut state)?;
            state.flush().map_err(|error| self.broken(&error))?;
            result
        };
        if fault == Some(Fault::AfterApply) { Err(self.lost()) } else { Ok(result) }
    }

    fn fault_for(&self, effect: Effect) -> Option<Fault> {
        let mut faults = self.faults.lock();
        let fits = |fault: &Fault| effect == Effect::Write || !matches!(fault, Fault::AfterApply | Fault::Before);
        let index = faults.iter().position(fits)?;
        Some(faults.remove(index))
    }

    /// The faults that strike before anything is done.
    fn fail_first(&self, fault: Fault) -> Result<(), RemoteError> {
        let remote = self.name.clone();
        match fault {
            Fault::Offline => Err(RemoteError::Offline { remote, reason: "connection refused".into() }),
            Fault::Before => Err(self.lost()),
            Fault::RateLimited(wait) => Err(RemoteError::RateLimited { remote, wait }),
            Fault::Server => Err(RemoteError::Server { remote, reason: "HTTP 500".into() }),
            Fault::Unauthorized => Err(RemoteError::Unauthorized { remote, reason: "bad credentials".into() }),
            Fault::Slow(time) => {
                std::thread::sleep(time);
                Ok(())
            }
            Fault::AfterApply => Ok(()),
        }
    }

    fn lost(&self) -> RemoteError {
        RemoteError::Ambiguous { remote: self.name.clone(), reason: "the connection was closed".into() }
    }

    fn broken(&self, error: &io::Error) -> RemoteError {
        RemoteError::Server { remote: self.name.clone(), reason: format!("its folder cannot be used: {error}") }
    }

    fn missing(&self, id: &str) -> RemoteError {
        RemoteError::NotFound { remote: self.name.clone(), what: format!("issue {id}") }
    }

    fn check(&self, fields: &IssueFields) -> Result<(), RemoteError> {
        text::check(&self.name, &self.flavour.capabilities(), fields)
    }

    /// The key of the issue that has this comment of ours; `None` where there is no such comment.
    fn own_comment(&self, state: &State, issue: &str, comment: &str) -> Result<Option<String>, RemoteError> {
        let on = state.get(issue).ok_or_else(|| self.missing(issue))?;
        match on.comments.iter().find(|known| known.id == comment) {
            Some(known) if known.author != state::ACCOUNT => Err(text::not_ours(&self.name, &known.author)),
            found => Ok(found.map(|_| on.key.clone())),
        }
    }

    fn check_labels<'n>(&self, state: &State, names: impl IntoIterator<Item = &'n String>) -> Result<(), RemoteError> {
        let known = state.labels();
        let is_new = |name: &&String| !known.iter().any(|known| text::same_name(known, name));
        match names.into_iter().find(is_new).filter(|_| state.refuses_new_labels) {
            Some(name) => Err(text::unknown_label(&self.name, "the simulator", name, known)),
            None => Ok(()),
        }
    }

    fn note(&self, write: String) {
        self.writes.lock().push(write);
    }

    /// Begins a listing: everything that changed, in an order that no caller may rely on.
    fn begin_listing(&self, state: &mut State, since: Option<&str>) -> u64 {
        state.listings_begun += 1;
        let listing = state.listings_begun;
        let listed = state.issues().filter(|issue| self.documents || !issue.kind().is_text());
        let recent = listed.filter(|issue| since.is_none_or(|since| issue.updated_at.as_str() >= since));
        let mut keys: Vec<_> = recent.map(|issue| issue.key.clone()).collect();
        keys.sort_by_cached_key(|key| Sha256::digest(format!("{listing} {key}")));
        state.listings.insert(listing, keys);
        listing
    }

    fn next_page(&self, state: &mut State, listing: u64) -> Option<Page> {
        let keys = state.listings.remove(&listing)?;
        let rest = keys.len() > self.page;
        let issues = keys.iter().take(self.page).filter_map(|key| state.by_key(key).cloned()).collect();
        if rest {
            state.listings.insert(listing, keys[self.page - 1..].to_vec());
        }
        // Of a later page it is what is left, which nobody reads.
        let (listed, of) = (keys.len().min(self.page), Some(keys.len()));
        Some(Page {
            issues,
            pulls: Vec::new(),
            latest: None,
            next: rest.then(|| PageToken(listing.to_string())),
            listed,
            of,
        })
    }
}

impl Provider for Simulator {
    fn capabilities(&self) -> Result<Capabilities, RemoteError> {
        let account = Some(state::ACCOUNT.to_owned());
        self.call(Effect::Read, |_| Ok(Capabilities { account, ..self.flavour.capabilities() }))
    }

    fn account(&self) -> Result<String, RemoteError> {
        self.call(Effect::Read, |_| Ok(state::ACCOUNT.to_owned()))
    }

    fn changed_since(&self, since: Option<&str>, page: Option<&PageToken>) -> Result<Page, RemoteError> {
        self.call(Effect::Read, |state| {
            let listing = match page {
                Some(PageToken(listing)) => listing.parse().unwrap_or_default(),
                None => self.begin_listing(state, since),
            };
            let pulls = if page.is_none() { state.pulls_since(since) } else { Vec::new() };
            let page = self.next_page(state, listing).ok_or_else(|| self.missing("page"))?;
            Ok(Page { pulls, ..page })
        })
    }

    fn timeline(&self, issue: &str) -> Result<Vec<Happening>, RemoteError> {
        self.call(Effect::Read, |state| {
            let key = &state.get(issue).ok_or_else(|| self.missing(issue))?.key;
            Ok(state.happenings.get(key).cloned().unwrap_or_default())
        })
    }

    fn fetch(&self, id: &str) -> Result<Option<RemoteIssue>, RemoteError> {
        self.call(Effect::Read, |state| Ok(state.get(id).cloned()))
    }

    fn create(&self, intent: Uuid, kind: ObjectKind, fields: &IssueFields) -> Result<RemoteIssue, RemoteError> {
        self.check(fields)?;
        text::check_kind(&self.name, kind, fields)?;
        let capabilities = self.flavour.capabilities();
        if !fields.contains_key(&Field::Title) {
            return Err(text::invalid(&self.name, Field::Title, "it is missing"));
        }
        self.call(Effect::Write, |state| {
            if let Some(made) = state.get(&kind.id(intent)) {
                return Ok(made.clone());
            }
            let fields = state.catalogued(&self.name, fields, None)?;
            if let Some(FieldValue::Set(names)) = fields.get(&Field::Labels) {
                self.check_labels(state, names)?;
            }
            let issue = state.create(&capabilities, intent, kind, &fields);
            state.remember_maker(&issue);
            self.note(format!("create {}", issue.key));
            Ok(issue)
        })
    }

    fn find_created(&self, lost: &Lost<'_>) -> Result<Search, RemoteError> {
        let says = |issue: &RemoteIssue, field| {
            issue.fields.get(&field).and_then(FieldValue::as_text).map(str::trim) == Some(lost.text(field).trim())
        };
        self.call(Effect::Read, |state| {
            if let Flavour::Linear { .. } = self.flavour {
                return Ok(Search::of(state.get(&lost.kind.id(lost.intent)).cloned(), Vec::new()));
            }
            let is_recent = |issue: &&RemoteIssue| lost.not_before.is_none_or(|time| issue.updated_at.as_str() >= time);
            let is_as_sent = |issue: &&RemoteIssue| says(issue, Field::Title) && says(issue, Field::Body);
            let was_it = |issue: &&RemoteIssue| state.made_as(&issue.key) == Some(lost.text(Field::Title));
            let unknown = || state.issues().filter(is_recent).filter(|issue| !(lost.known)(&issue.id));
            let exact = unknown().filter(is_as_sent).max_by_key(|issue| issue.key.parse::<u64>().unwrap_or(0));
            Ok(Search::of(exact.cloned(), unknown().filter(was_it).cloned().collect()))
        })
    }

    fn update(&self, id: &str, patch: &Patch) -> Result<RemoteIssue, RemoteError> {
        self.check(&patch.fields)?;
        self.call(Effect::Write, |state| {
            let now = state.get(id).ok_or_else(|| self.missing(id))?;
            let fields = state.catalogued(&self.name, &patch.fields, Some(now))?;
            let patch = Patch { fields, base: patch.base.clone() };
            self.check_labels(state, &patch.delta(Field::Labels).0)?;
            let issue = state.update(id, &patch).ok_or_else(|| self.missing(id))?;
            let names: Vec<_> = patch.fields.keys().map(|field| field.name()).collect();
            self.note(format!("update {}: {}", issue.key, names.join(", ")));
            Ok(issue)
        })
    }

    fn archive(&self, id: &str) -> Result<(), RemoteError> {
        text::check_archived(&self.name, id)?;
        self.call(Effect::Write, |state| {
            let issue = state.archive(id).ok_or_else(|| self.missing(id))?;
            self.note(format!("archive {}", issue.key));
            Ok(())
        })
    }

    fn comment(&self, issue: &str, intent: Uuid, body: &str) -> Result<RemoteComment, RemoteError> {
        text::check_comment(&self.name, &self.flavour.capabilities(), body)?;
        self.call(Effect::Write, |state| {
            let on = state.get(issue).ok_or_else(|| self.missing(issue))?;
            if let Some(made) = on.comments.iter().find(|comment| comment.id == intent.to_string()) {
                return Ok(made.clone());
            }
            self.note(format!("comment {}", on.key));
            state.comment(issue, intent, body).ok_or_else(|| self.missing(issue))
        })
    }

    fn find_comment(&self, issue: &str, lost: &Lost<'_>) -> Result<Option<RemoteComment>, RemoteError> {
        self.call(Effect::Read, |state| {
            let on = state.get(issue).ok_or_else(|| self.missing(issue))?;
            let (intended, body) = (lost.intent.to_string(), lost.text(Field::Body).trim());
            let is_made = |comment: &&RemoteComment| match self.flavour {
                Flavour::Linear { .. } => comment.id == intended,
                Flavour::Github => {
                    comment.author == state::ACCOUNT && comment.body.trim() == body && !(lost.known)(&comment.id)
                }
            };
            Ok(on.comments.iter().rev().find(is_made).cloned())
        })
    }

    fn edit_comment(&self, issue: &str, comment: &str, body: &str) -> Result<RemoteComment, RemoteError> {
        text::check_comment(&self.name, &self.flavour.capabilities(), body)?;
        self.call(Effect::Write, |state| {
            let key = self.own_comment(state, issue, comment)?.ok_or_else(|| self.missing(comment))?;
            self.note(format!("edit comment {key}"));
            state.edit_comment(issue, comment, body).ok_or_else(|| self.missing(comment))
        })
    }

    fn delete_comment(&self, issue: &str, comment: &str) -> Result<(), RemoteError> {
        self.call(Effect::Write, |state| {
            if let Some(key) = self.own_comment(state, issue, comment)? {
                self.note(format!("delete comment {key}"));
                state.delete_comment(issue, comment);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
