//! The writes of objects that are there: update and archive; new ones are in `create`, comments in `comments`. Each is a
//! chain of steps that a crash may follow at any point.
//!
//! outbox → request → answer in git → outbox entry removed. Whatever is missing after a crash is done by the next cycle, which
//! compares states again.

use super::{
    Action, SyncError, Trouble,
    cycle::{Cycle, names},
    memory::fingerprint,
    tickets::{Found, Ticket},
};
use crate::{
    domain::{
        issue::{Field, FieldValue, IssueFields, RemoteIssue},
        merge,
        path::WsPath,
        plan::{self, Presence},
    },
    remote::{Patch, RemoteError},
    workspace::store::{OutboxEntry, OutboxState},
};

/// A request that was answered.
pub(super) struct Request<'r> {
    pub path: &'r WsPath,
    /// What was sent.
    pub fields: &'r IssueFields,
    /// What the remote held before.
    pub before: &'r IssueFields,
    /// The answer came with the request; otherwise others may have changed the object since.
    pub at_once: bool,
}

/// What became of a value that was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Taken,
    /// Kept, in a form of the remote's own.
    Rendered,
    /// Not kept, without an error.
    Dropped,
}

impl Cycle<'_> {
    pub fn update(&mut self, id: &str, entry: &OutboxEntry) -> Result<(), SyncError> {
        let Some((ticket, remote)) = self.refresh(id)? else { return Ok(()) };
        let base = self.tracking.issues[id].clone();
        let local = self.said(&ticket, id, Some(&base))?;
        let plan = self.plan(Some(&base), Some(&local), Some(&remote));
        let mut fields: IssueFields = plan.pushes().map(|(field, value)| (field, value.clone())).collect();
        if fields.is_empty() {
            return Ok(self.outbox.remove(entry.id)?);
        }
        self.outbox.set(entry.id, OutboxState::Sent, None)?;
        self.step("update.sent")?;
        let tracker = self.tracker();
        let send =
            |fields: &IssueFields| tracker.update(id, &Patch { fields: fields.clone(), base: remote.fields.clone() });
        let (answer, refusal) = with_the_rest(&mut fields, send)?;
        self.step("update.answered")?;
        let key = answer.key.clone();
        let request = Request { path: &ticket.path, fields: &fields, before: &remote.fields, at_once: true };
        let dropped = self.answered(&request, &base, answer);
        self.pushed(&ticket.path, &key, names(fields.iter().map(|(field, value)| (*field, value))));
        self.flush()?;
        self.step("update.tracked")?;
        if let Some(refusal) = refusal {
            return Err(refusal.into());
        }
        if dropped.is_empty() {
            return Ok(self.outbox.remove(entry.id)?);
        }
        let reason = format!("{} kept its own {}", self.name(), dropped.join(", "));
        self.outbox.remove(entry.id)?;
        self.report.refused.push(Trouble { path: Some(ticket.path.clone()), reason });
        Ok(())
    }

    /// Looks at the object as it is now, and first brings what changed there into the file. `None`: not to be sent now.
    pub fn refresh(&mut self, id: &str) -> Result<Option<(Ticket, RemoteIssue)>, SyncError> {
        let base = self.tracking.issues[id].clone();
        let Some(remote) = self.tracker().fetch(id)? else {
            self.gone(base)?;
            return Ok(None);
        };
        if remote != base {
            self.apply(remote.clone())?;
            self.flush()?;
        }
        // What the pull has just written is read again only when it has settled.
        match self.find(&remote, Some(&base))? {
            Found::Ticket(ticket) if ticket.local.valid => Ok(Some((*ticket, remote))),
            _ => Ok(None),
        }
    }

    /// Makes the remote's answer the base of what was sent, and of nothing else. Answers the fields it did not keep.
    pub fn answered(&mut self, request: &Request<'_>, base: &RemoteIssue, answer: RemoteIssue) -> Vec<String> {
        let (fields, comments) = (base.fields.clone(), base.comments.clone());
        let mut next = RemoteIssue { fields, comments, ..answer.clone() };
        let mut rendered = self.memory.rendered.remove(&answer.id).unwrap_or_default();
        let mut dropped = Vec::new();
        for (field, sent) in request.fields {
            let Some(got) = answer.fields.get(field) else { continue };
            let verdict = self.judge(request, *field, sent, got);
            let agreed = if verdict == Answer::Taken && !self.same(*field, sent, got) { sent } else { got };
            next.fields.insert(*field, agreed.clone());
            rendered.remove(field);
            if verdict != Answer::Taken
                && let Some(said) = self.says(request.path, *field).filter(|said| self.same(*field, said, sent))
            {
                rendered.insert(*field, fingerprint(&said));
            }
            if verdict == Answer::Dropped {
                dropped.push(field.name().to_owned());
            }
        }
        // A new object's defaults (its state, above all) are what it says, not what was asked for.
        if base.fields.is_empty() {
            for (field, value) in &answer.fields {
                next.fields.entry(*field).or_insert_with(|| self.unsaid_default(request.path, *field, value));
            }
        }
        if !rendered.is_empty() {
            self.memory.rendered.insert(answer.id.clone(), rendered);
        }
        if next == answer {
            self.memory.unapplied.remove(&answer.id);
        } else {
            self.memory.unapplied.insert(answer.id.clone(), answer);
        }
        self.track(next);
        dropped
    }

    /// The base of a field that a create did not send: what the ticket says if it says so, so that the default is pulled; of
    /// what it is told later the default, so that what the ticket says is an update that is due.
    fn unsaid_default(&self, path: &WsPath, field: Field, default: &FieldValue) -> FieldValue {
        if field.is_told_later() {
            return default.clone();
        }
        self.says(path, field).unwrap_or_else(|| match default {
            FieldValue::Text(_) => FieldValue::Text(None),
            FieldValue::Set(_) => FieldValue::Set(Default::default()),
        })
    }

    fn says(&self, path: &WsPath, field: Field) -> Option<FieldValue> {
        match self.read(path) {
            Found::Ticket(ticket) => ticket.local.fields.get(&field).cloned(),
            _ => None,
        }
    }

    /// `Taken` with another value than was sent means: somebody has changed it since, or added to it.
    fn judge(&self, request: &Request<'_>, field: Field, sent: &FieldValue, got: &FieldValue) -> Answer {
        if let (FieldValue::Set(sent), FieldValue::Set(got)) = (sent, got) {
            let has = |member: &String| got.iter().any(|other| other.to_lowercase() == member.to_lowercase());
            return if sent.iter().all(has) { Answer::Taken } else { Answer::Dropped };
        }
        let kept_its_own = || request.before.get(&field).is_some_and(|before| self.same(field, before, got));
        if self.same(field, sent, got) {
            Answer::Taken
        } else if merge::is_empty(got) || kept_its_own() {
            Answer::Dropped
        } else if request.at_once {
            Answer::Rendered
        } else {
            Answer::Taken
        }
    }

    fn same(&self, field: Field, a: &FieldValue, b: &FieldValue) -> bool {
        merge::same(field, a, b, plan::style(&self.capabilities))
    }

    pub fn archive(&mut self, id: &str, entry: &OutboxEntry) -> Result<(), SyncError> {
        let base = self.tracking.issues[id].clone();
        let Some(remote) = self.tracker().fetch(id)? else {
            self.gone(base)?;
            return Ok(self.outbox.remove(entry.id)?);
        };
        if self.plan(Some(&base), None, Some(&remote)).presence != Presence::Archive {
            self.apply(remote)?;
            return Ok(self.outbox.remove(entry.id)?);
        }
        self.outbox.set(entry.id, OutboxState::Sent, None)?;
        self.step("archive.sent")?;
        self.sync.parts.provider.archive(id)?;
        self.step("archive.answered")?;
        let after = self.tracker().fetch(id)?.unwrap_or(RemoteIssue { archived: true, ..base });
        self.archived(entry, after)
    }

    /// Finds out what became of archives that were not answered, so that a pull does not take them for somebody's wish to
    /// have the ticket back.
    pub fn recover_archives(&mut self) -> Result<(), SyncError> {
        for entry in self.outbox.sent(Action::Archive) {
            let is_its = |base: &&RemoteIssue| self.removed_path(base).as_ref() == Some(&entry.path);
            let Some(base) = self.tracking.issues.values().find(is_its).cloned() else { continue };
            match self.tracker().fetch(&base.id) {
                // It was told of, or never carried out.
                Ok(Some(remote)) if remote == base => self.outbox.remove(entry.id)?,
                Ok(Some(remote)) if plan::was_archived(&base, &remote, &self.capabilities) => {
                    self.archived(&entry, remote)?;
                }
                Ok(_) => {}
                Err(error) => self.only_this(Some(&entry.path), error)?,
            }
        }
        Ok(())
    }

    fn archived(&mut self, entry: &OutboxEntry, after: RemoteIssue) -> Result<(), SyncError> {
        self.pushed(&entry.path, &after.key, vec!["archived".to_owned()]);
        self.memory.unapplied.remove(&after.id);
        self.track(after);
        self.flush()?;
        self.step("archive.tracked")?;
        Ok(self.outbox.remove(entry.id)?)
    }
}

/// Sends fields; where one of several is refused, the others without it. Answers the refusal, too.
pub(super) fn with_the_rest(
    fields: &mut IssueFields,
    send: impl Fn(&IssueFields) -> Result<RemoteIssue, RemoteError>,
) -> Result<(RemoteIssue, Option<RemoteError>), RemoteError> {
    match send(fields) {
        Err(error) if leave_out(&error, fields) => Ok((send(fields)?, Some(error))),
        answer => Ok((answer?, None)),
    }
}

/// Takes out the field that was refused, which a title cannot be; answers whether there is something left to send.
fn leave_out(error: &RemoteError, fields: &mut IssueFields) -> bool {
    let RemoteError::Invalid { field: Some(name), .. } = error else { return false };
    let refused = fields.keys().copied().find(|field| field.name() == name && *field != Field::Title);
    refused.is_some_and(|field| fields.remove(&field).is_some() && !fields.is_empty())
}
