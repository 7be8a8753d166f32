//! The simulated tracker's data, and its rules for changing it.
//!
//! Time is a count of changes, so that a test is the same on every run; no two changes share an instant, unless
//! timestamps are cut to whole seconds, as GitHub's are.

use super::{
    Flavour,
    folder::{Folder, Listing},
    markdown::rewritten,
};
use crate::{
    domain::{
        Timestamp,
        issue::{Capabilities, Field, FieldValue, IssueFields, MergeKind, ObjectKind, RemoteComment, RemoteIssue},
        pull::RemotePull,
        schema::StatusKind,
        timeline::Happening,
    },
    remote::{Patch, text},
};
use jiff::SignedDuration;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};
use uuid::Uuid;

/// Four changes fit into one second, so that timestamps cut to seconds do collide.
const TICK: SignedDuration = SignedDuration::from_millis(250);
const EPOCH: &str = "2026-01-01T00:00:00Z";
/// Who a comment or an issue made through the provider is by.
pub(super) const ACCOUNT: &str = "you";

pub(super) struct State {
    flavour: Flavour,
    pub(super) whole_seconds: bool,
    pub(super) refuses_new_labels: bool,
    /// By key.
    issues: BTreeMap<String, RemoteIssue>,
    /// The order of each listing that is not read to its end: the keys not delivered yet.
    pub(super) listings: BTreeMap<u64, Vec<String>>,
    pub(super) listings_begun: u64,
    pub(super) folder: Option<Folder>,
    changed: BTreeSet<String>,
    clock: Timestamp,
    last_number: u64,
    last_comment: u64,
    /// The title that each issue was made with through the provider, by key.
    made: BTreeMap<String, String>,
    /// By number; only in memory.
    pulls: BTreeMap<u64, RemotePull>,
    /// By key; only in memory.
    pub(super) happenings: BTreeMap<String, Vec<Happening>>,
}

impl State {
    pub(super) fn new(flavour: Flavour) -> Self {
        Self {
            flavour,
            whole_seconds: false,
            refuses_new_labels: false,
            issues: BTreeMap::new(),
            listings: BTreeMap::new(),
            listings_begun: 0,
            folder: None,
            changed: BTreeSet::new(),
            clock: EPOCH.parse().expect("the epoch is a timestamp"),
            last_number: 0,
            last_comment: 0,
            made: BTreeMap::new(),
            pulls: BTreeMap::new(),
            happenings: BTreeMap::new(),
        }
    }

    pub(super) fn flavour(&self) -> &Flavour {
        &self.flavour
    }

    pub(super) fn issues(&self) -> impl Iterator<Item = &RemoteIssue> {
        self.issues.values()
    }

    pub(super) fn get(&self, id: &str) -> Option<&RemoteIssue> {
        self.issues.values().find(|issue| issue.id == id)
    }

    pub(super) fn remember_maker(&mut self, issue: &RemoteIssue) {
        let title = issue.fields.get(&Field::Title).and_then(FieldValue::as_text).unwrap_or_default();
        self.made.insert(issue.key.clone(), title.to_owned());
    }

    /// The title that an issue was made with; `None` where somebody else made it.
    pub(super) fn made_as(&self, key: &str) -> Option<&str> {
        self.made.get(key).map(String::as_str)
    }

    pub(super) fn by_key(&self, key: &str) -> Option<&RemoteIssue> {
        self.issues.get(key)
    }

    /// Takes up what was edited in the folder. A file that cannot be read as an issue counts as not edited (yet).
    pub(super) fn refresh(&mut self) -> io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let listing = folder.read()?;
        self.issues.retain(|key, _| listing.contains_key(key));
        self.adopt(listing);
        self.flush()
    }

    fn adopt(&mut self, listing: Listing) {
        for (key, issue) in listing {
            let Some(mut issue) = issue.filter(|issue| self.issues.get(&key) != Some(issue)) else { continue };
            self.clock = self.clock.max(issue.updated_at.parse().unwrap_or(self.clock));
            self.last_number = self.last_number.max(number_of(&key));
            let comments = issue.comments.iter().filter_map(|comment| comment.id.parse().ok());
            self.last_comment = self.last_comment.max(comments.max().unwrap_or(0));
            // A copied file is a new issue; a file from an earlier run is not an edit.
            let is_copy = issue.key != key || self.get(&issue.id).is_some_and(|other| other.key != key);
            if is_copy {
                issue.id = self.new_id(&key, Uuid::new_v4());
                issue.key = key.clone();
            }
            if is_copy || self.issues.contains_key(&key) {
                issue.updated_at = self.tick();
                self.changed.insert(key.clone());
            }
            self.issues.insert(key, issue);
        }
    }

    /// Writes what changed to the folder, if there is one.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let changed = std::mem::take(&mut self.changed);
        let Some(folder) = &self.folder else { return Ok(()) };
        changed.iter().filter_map(|key| self.issues.get(key)).try_for_each(|issue| folder.write(issue))
    }

    /// Makes an object with every field of its kind, those not given at their defaults.
    pub(super) fn create(
        &mut self,
        capabilities: &Capabilities,
        intent: Uuid,
        kind: ObjectKind,
        fields: &IssueFields,
    ) -> RemoteIssue {
        self.last_number += 1;
        let key = match kind {
            ObjectKind::Issue => self.flavour.key(self.last_number),
            text => text.id(self.last_number),
        };
        let mut fields = self.completed(capabilities, fields);
        fields.retain(|field, _| kind.has(*field));
        let issue = RemoteIssue {
            id: kind.id(self.new_id(&key, intent)),
            url: format!("https://simulator.invalid/{key}"),
            updated_at: self.tick(),
            archived: false,
            fields,
            comments: Vec::new(),
            reactions: Default::default(),
            key,
        };
        self.store(issue)
    }

    /// Applies a patch: single values replace, sets change by members. Only a real change moves the time.
    pub(super) fn update(&mut self, id: &str, patch: &Patch) -> Option<RemoteIssue> {
        let mut issue = self.get(id)?.clone();
        for (field, value) in &patch.fields {
            let value = match issue.fields.get(field) {
                Some(FieldValue::Set(now)) => FieldValue::Set(self.with_delta(*field, now, patch)),
                _ => self.stored(*field, value),
            };
            issue.fields.insert(*field, value);
        }
        // A milestone stays behind in its project.
        let moved = issue.fields.get(&Field::Project) != self.get(id)?.fields.get(&Field::Project);
        if moved && issue.kind().has(Field::Milestone) && !patch.fields.contains_key(&Field::Milestone) {
            issue.fields.insert(Field::Milestone, FieldValue::Text(None));
        }
        Some(self.touch(issue))
    }

    pub(super) fn archive(&mut self, id: &str) -> Option<RemoteIssue> {
        let mut issue = self.get(id)?.clone();
        match self.flavour {
            Flavour::Linear { .. } => issue.archived = true,
            Flavour::Github if is_open(&issue) => {
                issue.fields.insert(Field::Status, FieldValue::text("closed:not_planned"));
            }
            Flavour::Github => {}
        }
        Some(self.touch(issue))
    }

    pub(super) fn comment(&mut self, id: &str, intent: Uuid, body: &str) -> Option<RemoteComment> {
        let mut issue = self.get(id)?.clone();
        let now = self.tick();
        self.last_comment += 1;
        let comment = RemoteComment {
            id: self.comment_id(intent),
            author: ACCOUNT.to_owned(),
            created_at: now.clone(),
            updated_at: now.clone(),
            body: self.stored_body(body),
        };
        issue.comments.push(comment.clone());
        issue.updated_at = now;
        self.store(issue);
        Some(comment)
    }

    pub(super) fn edit_comment(&mut self, id: &str, comment: &str, body: &str) -> Option<RemoteComment> {
        let (mut issue, body, now) = (self.get(id)?.clone(), self.stored_body(body), self.tick());
        let edited = issue.comments.iter_mut().find(|known| known.id == comment)?;
        edited.body = body;
        edited.updated_at.clone_from(&now);
        let edited = edited.clone();
        issue.updated_at = now;
        self.store(issue);
        Some(edited)
    }

    /// Leaves the issue's own time as it is: that a deletion moves it is promised by nobody.
    pub(super) fn delete_comment(&mut self, id: &str, comment: &str) {
        let Some(mut issue) = self.get(id).cloned() else { return };
        issue.comments.retain(|known| known.id != comment);
        self.store(issue);
    }

    /// Somebody else's change.
    pub(super) fn edit(&mut self, key: &str, change: impl FnOnce(&mut RemoteIssue)) -> Option<RemoteIssue> {
        let mut issue = self.issues.get(key)?.clone();
        change(&mut issue);
        Some(self.touch(issue))
    }

    pub(super) fn propose(&mut self, pull: RemotePull) {
        let updated_at = self.tick();
        self.pulls.insert(pull.number, RemotePull { updated_at, ..pull });
    }

    pub(super) fn pulls_since(&self, since: Option<&str>) -> Vec<RemotePull> {
        let recent = |pull: &&RemotePull| since.is_none_or(|since| pull.updated_at.as_str() >= since);
        self.pulls.values().filter(recent).cloned().collect()
    }

    /// Removes an issue without a trace, as an administrator can.
    pub(super) fn destroy(&mut self, key: &str) -> io::Result<()> {
        self.issues.remove(key);
        self.folder.as_ref().map_or(Ok(()), |folder| folder.remove(key))
    }

    /// Stores the issue with a new time if it differs from what is there.
    fn touch(&mut self, mut issue: RemoteIssue) -> RemoteIssue {
        if self.issues.get(&issue.key) != Some(&issue) {
            issue.updated_at = self.tick();
        }
        let before = self.issues.get(&issue.key).map(related).unwrap_or_default();
        let issue = self.store(issue);
        for key in before.symmetric_difference(&related(&issue)) {
            self.relate_back(key, &issue);
        }
        issue
    }

    /// What is related is so both ways.
    fn relate_back(&mut self, key: &str, issue: &RemoteIssue) {
        let Some(mut other) = self.issues.get(key).cloned() else { return };
        let Some(FieldValue::Set(keys)) = other.fields.get_mut(&Field::Related) else { return };
        match related(issue).contains(key) {
            true => keys.insert(issue.key.clone()),
            false => keys.remove(&issue.key),
        };
        self.touch(other);
    }

    fn store(&mut self, issue: RemoteIssue) -> RemoteIssue {
        self.changed.insert(issue.key.clone());
        self.issues.insert(issue.key.clone(), issue.clone());
        issue
    }

    fn tick(&mut self) -> String {
        self.clock += TICK;
        let clock = self.clock;
        if self.whole_seconds {
            Timestamp::from_second(clock.as_second()).map_or(clock, |cut| cut).to_string()
        } else {
            format!("{clock:.3}")
        }
    }

    fn new_id(&self, key: &str, intent: Uuid) -> String {
        match self.flavour {
            Flavour::Linear { .. } => intent.to_string(),
            Flavour::Github => key.to_owned(),
        }
    }

    fn comment_id(&self, intent: Uuid) -> String {
        match self.flavour {
            Flavour::Linear { .. } => intent.to_string(),
            Flavour::Github => self.last_comment.to_string(),
        }
    }

    fn completed(&self, capabilities: &Capabilities, fields: &IssueFields) -> IssueFields {
        let first = capabilities.states.iter().min_by_key(|state| state.kind).map(|state| state.name.clone());
        let initial = |field| match field {
            Field::Body => FieldValue::text(""),
            Field::Status => FieldValue::Text(first.clone()),
            field if field.merge_kind() == MergeKind::Set => FieldValue::Set(BTreeSet::new()),
            _ => FieldValue::Text(None),
        };
        let value = |field: Field| fields.get(&field).map_or_else(|| initial(field), |value| self.stored(field, value));
        capabilities.fields.iter().map(|field| (*field, value(*field))).collect()
    }

    /// A value as the tracker keeps it.
    fn stored(&self, field: Field, value: &FieldValue) -> FieldValue {
        match (field, value) {
            (Field::Body, FieldValue::Text(text)) => FieldValue::text(self.stored_body(text.as_deref().unwrap_or(""))),
            (Field::Labels, FieldValue::Set(names)) => {
                FieldValue::Set(names.iter().map(|name| self.label(name)).collect())
            }
            _ => value.clone(),
        }
    }

    fn stored_body(&self, body: &str) -> String {
        match self.flavour {
            Flavour::Linear { .. } => rewritten(body),
            Flavour::Github => text::with_lf(body),
        }
    }

    fn with_delta(&self, field: Field, now: &BTreeSet<String>, patch: &Patch) -> BTreeSet<String> {
        let (added, removed) = patch.delta(field);
        let stays = |name: &&String| !removed.iter().any(|gone| text::same_name(gone, name));
        let added = added.into_iter().map(|name| if field == Field::Labels { self.label(&name) } else { name });
        now.iter().filter(stays).cloned().chain(added).collect()
    }

    /// Every label that an issue has.
    pub(super) fn labels(&self) -> BTreeSet<&str> {
        let sets = self.issues.values().filter_map(|issue| issue.fields.get(&Field::Labels));
        let names = sets.flat_map(|value| match value {
            FieldValue::Set(names) => names.iter().map(String::as_str).collect(),
            FieldValue::Text(_) => Vec::new(),
        });
        names.collect()
    }

    /// The label of this name in the spelling that is there.
    fn label(&self, name: &str) -> String {
        let known = self.labels().into_iter().find(|known| text::same_name(known, name));
        known.unwrap_or(name).to_owned()
    }
}

impl Flavour {
    fn key(&self, number: u64) -> String {
        match self {
            Self::Linear { team } => format!("{team}-{number}"),
            Self::Github => number.to_string(),
        }
    }

    /// What planning must know, stricter than the real tracker where that one is not documented.
    pub(super) fn capabilities(&self) -> Capabilities {
        match self {
            Self::Github => crate::remote::github::capabilities(),
            Self::Linear { .. } => crate::remote::linear::capabilities(linear_states()),
        }
    }
}

fn linear_states() -> Vec<crate::domain::issue::RemoteState> {
    let states = [
        ("Backlog", StatusKind::Backlog),
        ("Todo", StatusKind::Unstarted),
        ("In Progress", StatusKind::Started),
        ("In Review", StatusKind::Started),
        ("Done", StatusKind::Completed),
        ("Canceled", StatusKind::Canceled),
    ];
    states.map(|(name, kind)| crate::domain::issue::RemoteState { name: name.to_owned(), kind }).into()
}

fn related(issue: &RemoteIssue) -> BTreeSet<String> {
    let keys = issue.fields.get(&Field::Related).map(FieldValue::members).unwrap_or_default();
    keys.into_iter().map(str::to_owned).collect()
}

fn is_open(issue: &RemoteIssue) -> bool {
    issue.fields.get(&Field::Status).and_then(FieldValue::as_text) == Some("open")
}

/// The number in a key: 42 in `SIM-42`.
fn number_of(key: &str) -> u64 {
    key.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
