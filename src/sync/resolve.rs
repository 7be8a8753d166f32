//! Settling a conflict by a person's word: the base moves so that one side counts as unchanged.
//!
//! The value that gives way is written into the message of the commit that moves the base, so it can always be found:
//! `git log refs/trackfs/remotes/<remote>`.

use super::{
    SyncError,
    conflict::{comment, comment_field},
    cycle::Cycle,
    files::WriteError,
    tickets::{Found, Ticket},
};
use crate::domain::{
    issue::{Field, FieldValue, RemoteIssue},
    path::WsPath,
    plan::CommentStep,
};

/// Which side of a conflict holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What the file says; the remote follows with the next push.
    Local,
    /// What the remote says; the file follows with the next pull.
    Remote,
}

/// A person's word on a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word<'w> {
    Side(Side),
    /// A value of its own, in the remote's terms: the file takes it now, and the remote follows.
    Value(&'w str),
}

/// A conflict that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub field: String,
    /// What gave way.
    pub lost: FieldValue,
}

impl Cycle<'_> {
    pub fn resolve(&mut self, path: &WsPath, field: Option<&str>, word: Word<'_>) -> Result<Vec<Settled>, SyncError> {
        let Found::Ticket(ticket) = self.read(path) else { return Ok(Vec::new()) };
        let of_this = |issue: &&RemoteIssue| self.locate(&issue.id, &[&issue.key]).as_ref() == Some(path);
        let Some(remote) = self.memory.unapplied.values().find(of_this).cloned() else { return Ok(Vec::new()) };
        let base = self.tracking.issues.get(&remote.id).cloned();
        let local = self.said(&ticket, &remote.id, base.as_ref())?;
        let plan = self.plan(base.as_ref(), Some(&local), Some(&remote));
        let mut next = base.unwrap_or_else(|| plan.base_after_pull(None, &remote));
        let chosen = |name: &str| field.is_none_or(|field| field == name);
        let mut settled = Vec::new();
        for (field, ours, theirs) in plan.conflicts().filter(|(field, ..)| chosen(field.name())) {
            if let Word::Value(text) = word {
                self.set_in_file(&ticket, field, text).map_err(|error| unfit(field, &error))?;
            }
            let (agreed, lost) = outcome(word, ours, theirs);
            next.fields.insert(field, agreed);
            settled.push(Settled { field: field.name().to_owned(), lost });
        }
        for step in &plan.comments {
            let CommentStep::Conflict { name, id } = step else { continue };
            let ours = local.comments.iter().find(|comment| comment.name == *name);
            let (Some(ours), Some(theirs), true) = (ours, comment(&remote, id), chosen(&comment_field(name))) else {
                continue;
            };
            if let Word::Value(text) = word {
                self.update_comment(name, text).map_err(|error| unfit(Field::Body, &error))?;
            }
            let (agreed, lost) = outcome(word, &FieldValue::text(&*ours.body), &FieldValue::text(&*theirs.body));
            if let Some(slot) = next.comments.iter_mut().find(|comment| comment.id == *id) {
                slot.body = agreed.as_text().unwrap_or_default().to_owned();
            }
            settled.push(Settled { field: comment_field(name), lost });
        }
        if !settled.is_empty() {
            let left = self.memory.conflicts.iter().filter(|known| known.path == *path && !chosen(&known.field));
            let left = left.cloned().collect();
            self.note_conflicts(path, left, &remote.key);
            self.settle(next, &message(&remote.key, word, &settled))?;
        }
        Ok(settled)
    }

    fn set_in_file(&self, ticket: &Ticket, field: Field, text: &str) -> Result<(), WriteError> {
        // A value before this one may be in the file already.
        let bytes = self.sync.parts.root.read(&ticket.path).map_err(crate::workspace::root::ReplaceError::Io)?;
        let mut document = crate::domain::document::Document::parse(&bytes);
        self.take_one(&mut document, field, &FieldValue::text(text))?;
        self.write(&ticket.path, Some(&bytes), &document).map(drop)
    }
}

/// What both sides count as having agreed on, and the value that gives way.
fn outcome(word: Word<'_>, ours: &FieldValue, theirs: &FieldValue) -> (FieldValue, FieldValue) {
    match word {
        Word::Side(Side::Remote) => (ours.clone(), ours.clone()),
        Word::Side(Side::Local) | Word::Value(_) => (theirs.clone(), theirs.clone()),
    }
}

fn unfit(field: Field, error: &WriteError) -> SyncError {
    SyncError::Unfit { field: field.name(), reason: error.to_string() }
}

fn message(key: &str, word: Word<'_>, settled: &[Settled]) -> String {
    let fields: Vec<&str> = settled.iter().map(|settled| settled.field.as_str()).collect();
    let holds = match word {
        Word::Side(Side::Local) => "ours holds",
        Word::Side(Side::Remote) => "theirs holds",
        Word::Value(_) => "edited by hand",
    };
    let mut message = format!("settle {} of {key}: {holds}\n", fields.join(", "));
    for Settled { field, lost } in settled {
        let lost = lost.as_text().unwrap_or_default().trim_end();
        message += &format!("\nThe {field} that gave way:\n\n{lost}\n");
    }
    message
}
