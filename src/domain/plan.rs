//! Planning: what must happen so that a ticket and its remote object agree again.
//!
//! [`plan`] is pure and total: every combination of base, local and remote that exists has an answer, and the table in
//! docs/sync.md lists them. Absence is judged against the base; no clock is asked; a plan never clears a field because
//! a document could not be read.

use super::{
    issue::{Capabilities, Field, FieldValue, IssueFields, RemoteComment, RemoteIssue},
    markdown::{self, Style},
    merge::{self, MergeText, Outcome, Rules},
    schema::StatusKind,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A ticket in its remote's terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Local {
    /// A field that is absent says nothing: it may be pulled, and is never pushed. `Text(None)` clears.
    pub fields: IssueFields,
    #[serde(default)]
    pub comments: Vec<LocalComment>,
    /// The remote's ids of own comments whose files are known to be removed; one that is merely not there is not among them.
    #[serde(default)]
    pub removed_comments: Vec<String>,
    /// False while the document has an error: nothing is read from it and nothing is written into it.
    #[serde(default = "valid")]
    pub valid: bool,
}

fn valid() -> bool {
    true
}

/// A comment file of the ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalComment {
    /// Names the file; opaque to planning.
    pub name: String,
    /// The remote's id of it; `None`: written here and not sent yet.
    #[serde(default)]
    pub remote_id: Option<String>,
    pub body: String,
}

/// What happens to the ticket and to its remote object as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Nothing here and nothing there that asks for anything.
    #[default]
    Nothing,
    /// The remote's issue is new here: write a file for it.
    Write,
    /// The ticket is new: create it on the remote.
    Create,
    /// Both are there: merge by field.
    Merge,
    /// The ticket was removed, the remote did not change: put the remote's object away.
    Archive,
    /// The ticket was removed, and the remote changed since: the file comes back; removing it again archives.
    Restore,
    /// The remote's object is archived: the file stays, takes what changed, and sends nothing.
    Archived,
    /// The remote's object no longer exists: the file stays; only the fact is recorded.
    Gone,
    /// The document has an error: wait until it is mended.
    Wait,
}

/// What one comment needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommentStep {
    /// Send this file.
    Create { name: String },
    /// Write a file for this comment.
    Write(RemoteComment),
    /// The file takes this text; `id` is the remote's.
    Update { name: String, id: String, body: String },
    /// The remote's comment takes this text.
    Edit { name: String, id: String, body: String },
    /// The remote's comment is deleted: it is our own, and its file was removed.
    Delete { id: String },
    /// Edited here, and somebody else's: it cannot be sent.
    NotOurs { name: String, author: String },
    /// Both edited it, and only a person can say which holds.
    Conflict { name: String, id: String },
}

impl CommentStep {
    /// Whether it changes the remote, or would.
    fn is_sent(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Edit { .. } | Self::Delete { .. } | Self::NotOurs { .. })
    }
}

/// The answer of [`plan`]. Fields that agree are not listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub presence: Presence,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<Field, Outcome>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<CommentStep>,
}

impl Plan {
    /// Whether nothing has to be written or sent.
    pub fn is_empty(&self) -> bool {
        let at_rest =
            !matches!(self.presence, Presence::Write | Presence::Create | Presence::Archive | Presence::Restore);
        at_rest && self.fields.is_empty() && self.comments.is_empty()
    }

    /// What the ticket takes.
    pub fn pulls(&self) -> impl Iterator<Item = (Field, &FieldValue)> {
        self.fields.iter().filter_map(|(field, outcome)| Some((*field, outcome.pull()?)))
    }

    /// What the remote takes.
    pub fn pushes(&self) -> impl Iterator<Item = (Field, &FieldValue)> {
        self.fields.iter().filter_map(|(field, outcome)| Some((*field, outcome.push()?)))
    }

    /// Field, local value, remote value.
    pub fn conflicts(&self) -> impl Iterator<Item = (Field, &FieldValue, &FieldValue)> {
        self.fields.iter().filter_map(|(field, outcome)| match outcome {
            Outcome::Conflict { local, remote } => Some((*field, local, remote)),
            _ => None,
        })
    }

    /// The base after everything that comes from `remote` was written: what it says, but for what is in conflict,
    /// where the last agreement still holds.
    pub fn base_after_pull(&self, base: Option<&RemoteIssue>, remote: &RemoteIssue) -> RemoteIssue {
        let mut next = remote.clone();
        for (field, _, _) in self.conflicts() {
            match base.and_then(|base| base.fields.get(&field)) {
                Some(agreed) => next.fields.insert(field, agreed.clone()),
                None => next.fields.remove(&field),
            };
        }
        for step in &self.comments {
            let CommentStep::Conflict { id, .. } = step else { continue };
            let agreed = base.and_then(|base| base.comments.iter().find(|comment| comment.id == *id));
            if let (Some(agreed), Some(slot)) = (agreed, next.comments.iter_mut().find(|comment| comment.id == *id)) {
                slot.clone_from(agreed);
            }
        }
        next
    }
}

/// Plans one object. `local: None` must mean that the ticket is known to be removed (or never was), and `remote: None` that
/// the object is known not to exist (any more): what is merely not known is not to be planned.
pub fn plan(
    base: Option<&RemoteIssue>,
    local: Option<&Local>,
    remote: Option<&RemoteIssue>,
    capabilities: &Capabilities,
    merge_text: MergeText,
) -> Plan {
    let style = style(capabilities);
    let just = |presence| Plan { presence, ..Plan::default() };
    match (base, local, remote) {
        (_, Some(local), _) if !local.valid => just(Presence::Wait),
        (None, None, None) | (Some(_), None, None) => just(Presence::Nothing),
        (None, None, Some(remote)) => just(if remote.archived { Presence::Nothing } else { Presence::Write }),
        (None, Some(local), None) => create(local, capabilities),
        (Some(_), Some(_), None) => just(Presence::Gone),
        (Some(base), None, Some(_)) if base.is_let_go() => just(Presence::Nothing),
        (Some(base), None, Some(remote)) => just(removed(base, remote, capabilities)),
        (base, Some(local), Some(remote)) => merge_both(base, local, remote, capabilities, Rules { style, merge_text }),
    }
}

/// How a provider's texts are compared.
pub fn style(capabilities: &Capabilities) -> Style {
    if capabilities.rewrites_markdown { Style::Rewritten } else { Style::Verbatim }
}

fn create(local: &Local, capabilities: &Capabilities) -> Plan {
    let says = |(field, value): &(&Field, &FieldValue)| {
        capabilities.fields.contains(field) && !merge::is_empty(value) && !field.is_told_later()
    };
    let fields =
        local.fields.iter().filter(says).map(|(field, value)| (*field, Outcome::Push(outgoing(*field, value))));
    Plan { presence: Presence::Create, fields: fields.collect(), comments: new_comments(local, capabilities).collect() }
}

fn outgoing(field: Field, value: &FieldValue) -> FieldValue {
    match (field, value) {
        (Field::Body, FieldValue::Text(Some(body))) => FieldValue::text(markdown::for_remote(body)),
        _ => value.clone(),
    }
}

fn removed(base: &RemoteIssue, remote: &RemoteIssue, capabilities: &Capabilities) -> Presence {
    if remote.archived {
        return Presence::Nothing;
    }
    if base.archived || !unchanged(base, remote, capabilities) {
        return Presence::Restore;
    }
    let status = remote.fields.get(&Field::Status).and_then(FieldValue::as_text);
    let state = capabilities.states.iter().find(|state| Some(state.name.as_str()) == status);
    // Finished work is left as it was finished: closing it again as "not planned" would rewrite its history.
    if state.is_some_and(|state| state.kind.is_closed()) { Presence::Nothing } else { Presence::Archive }
}

/// Whether an object differs from what it was only by what archiving does to it: it is archived, or canceled.
pub fn was_archived(base: &RemoteIssue, remote: &RemoteIssue, capabilities: &Capabilities) -> bool {
    let status = remote.fields.get(&Field::Status).and_then(FieldValue::as_text);
    let state = capabilities.states.iter().find(|state| Some(state.name.as_str()) == status);
    let is_canceled = state.is_some_and(|state| state.kind == StatusKind::Canceled);
    let mut open = remote.clone();
    if let Some(status) = base.fields.get(&Field::Status) {
        open.fields.insert(Field::Status, status.clone());
    }
    (remote.archived || is_canceled) && unchanged(base, &open, capabilities)
}

/// Whether the remote says the same in the fields that are synced as when it was last agreed with, and in its comments.
fn unchanged(base: &RemoteIssue, remote: &RemoteIssue, capabilities: &Capabilities) -> bool {
    let style = style(capabilities);
    let synced = |issue: &RemoteIssue| {
        let mut fields = issue.fields.clone();
        fields.retain(|field, _| capabilities.fields.contains(field));
        fields
    };
    let (before, now) = (synced(base), synced(remote));
    let fields = before.keys().eq(now.keys())
        && before.iter().all(|(field, value)| merge::same(*field, value, &now[field], style));
    let comment = |comment: &RemoteComment| {
        base.comments.iter().any(|known| known.id == comment.id && markdown::same(&known.body, &comment.body, style))
    };
    fields && remote.comments.iter().all(comment)
}

fn merge_both(
    base: Option<&RemoteIssue>,
    local: &Local,
    remote: &RemoteIssue,
    capabilities: &Capabilities,
    rules: Rules,
) -> Plan {
    let supported = remote.fields.iter().filter(|(field, _)| capabilities.fields.contains(field));
    let outcomes = supported.map(|(field, theirs)| {
        let agreed = base.and_then(|base| base.fields.get(field));
        let outcome = match local.fields.get(field) {
            Some(ours) => merge::merge(*field, agreed, ours, theirs, rules),
            None => unsaid(*field, agreed, theirs, rules.style),
        };
        (*field, if remote.archived { without_push(outcome) } else { outcome })
    });
    let mut comments = known_comments(base, local, remote, capabilities, rules);
    if remote.archived {
        comments.retain(|step| !step.is_sent());
    } else {
        comments.extend(new_comments(local, capabilities));
    }
    Plan {
        presence: if remote.archived { Presence::Archived } else { Presence::Merge },
        fields: outcomes.filter(|(_, outcome)| *outcome != Outcome::Agreed).collect(),
        comments,
    }
}

/// A field of which the ticket says nothing that the remote could understand: it takes what somebody set there, and is not
/// cleared because it is empty there.
fn unsaid(field: Field, base: Option<&FieldValue>, theirs: &FieldValue, style: Style) -> Outcome {
    let known = merge::is_empty(theirs) || base.is_some_and(|base| merge::same(field, base, theirs, style));
    if known { Outcome::Agreed } else { Outcome::Pull(theirs.clone()) }
}

fn without_push(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Push(_) => Outcome::Agreed,
        Outcome::Both { pull, .. } => Outcome::Pull(pull),
        other => other,
    }
}

fn new_comments<'a>(local: &'a Local, capabilities: &Capabilities) -> impl Iterator<Item = CommentStep> + 'a {
    let takes = capabilities.comments;
    let is_new = move |comment: &&LocalComment| takes && comment.remote_id.is_none() && !comment.body.trim().is_empty();
    local.comments.iter().filter(is_new).map(|comment| CommentStep::Create { name: comment.name.clone() })
}

/// Somebody else's comment that was removed on one side stays on the other. Our own that was removed here is deleted there,
/// unless it was edited there since: then its file comes back.
fn known_comments(
    base: Option<&RemoteIssue>,
    local: &Local,
    remote: &RemoteIssue,
    capabilities: &Capabilities,
    rules: Rules,
) -> Vec<CommentStep> {
    let step = |theirs: &RemoteComment| {
        let agreed = base.and_then(|base| base.comments.iter().find(|comment| comment.id == theirs.id));
        let ours = local.comments.iter().find(|comment| comment.remote_id.as_deref() == Some(&theirs.id));
        match (agreed, ours) {
            (None, None) => Some(CommentStep::Write(theirs.clone())),
            (None, Some(_)) => None,
            (Some(agreed), None) => {
                let is_removed = local.removed_comments.contains(&theirs.id) && capabilities.is_own(theirs);
                is_removed.then(|| removed_comment(agreed, theirs, rules.style))
            }
            (Some(agreed), Some(ours)) => edited(&agreed.body, ours, theirs, capabilities, rules),
        }
    };
    remote.comments.iter().filter_map(step).collect()
}

fn removed_comment(agreed: &RemoteComment, theirs: &RemoteComment, style: Style) -> CommentStep {
    if markdown::same(&agreed.body, &theirs.body, style) {
        CommentStep::Delete { id: theirs.id.clone() }
    } else {
        CommentStep::Write(theirs.clone())
    }
}

/// What both edited, and fits together, is taken first; what of it is ours goes there once the file has it.
fn edited(
    agreed: &str,
    ours: &LocalComment,
    theirs: &RemoteComment,
    capabilities: &Capabilities,
    rules: Rules,
) -> Option<CommentStep> {
    let text = |body: &str| FieldValue::text(body);
    let body = |value: FieldValue| value.as_text().unwrap_or_default().to_owned();
    let (name, id) = (ours.name.clone(), theirs.id.clone());
    match merge::merge(Field::Body, Some(&text(agreed)), &text(&ours.body), &text(&theirs.body), rules) {
        Outcome::Agreed => None,
        Outcome::Push(value) if capabilities.is_own(theirs) => Some(CommentStep::Edit { name, id, body: body(value) }),
        Outcome::Push(_) => Some(CommentStep::NotOurs { name, author: theirs.author.clone() }),
        Outcome::Pull(value) | Outcome::Both { pull: value, .. } => {
            Some(CommentStep::Update { name, id, body: body(value) })
        }
        Outcome::Conflict { .. } => Some(CommentStep::Conflict { name, id }),
    }
}
