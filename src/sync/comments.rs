//! Comments: a new file becomes a comment, an own comment follows its file, and is deleted when its file was removed.
//!
//! Only what the token's own account wrote is changed or deleted. Each write is a chain of steps that a crash may follow at
//! any point; making one needs an intent, because it may not happen twice, and changing or deleting one does not.

use super::{
    Action, Row, SyncError, Trouble, conflict,
    cycle::Cycle,
    files::WriteError,
    intents::Sent,
    memory::fingerprint,
    push::Job,
    tickets::{Absence, Ticket, text},
};
use crate::{
    domain::{
        issue::{Field, FieldValue, ObjectKind, RemoteComment, RemoteIssue},
        markdown,
        path::WsPath,
        plan::{self, CommentStep, Local, LocalComment},
        snapshot::Snapshot,
    },
    remote::Lost,
    workspace::{
        root::ReplaceError,
        store::{OutboxEntry, OutboxState},
    },
};
use std::io;
use uuid::Uuid;

impl Cycle<'_> {
    /// What a step of the plan sends, or why it cannot be sent.
    pub fn comment_job(&self, base: &RemoteIssue, step: &CommentStep) -> Option<Job> {
        let job = |action, path: &WsPath, refusal| {
            let row: Row = self.row(action, path, Some(&base.key), Vec::new());
            Some(Job { id: Some(base.id.clone()), row, refusal })
        };
        match step {
            CommentStep::Create { name } => job(Action::Comment, &path_of(name), None),
            CommentStep::Edit { name, .. } => job(Action::Edit, &path_of(name), None),
            CommentStep::Delete { id } => job(Action::Delete, self.memory.comments.get(id)?, None),
            CommentStep::NotOurs { name, author } => {
                let reason = format!(
                    "the comment is by {author}, and only its author changes it: put the text back, or answer in a comment of your own"
                );
                job(Action::Edit, &path_of(name), Some(reason))
            }
            CommentStep::Write(_) | CommentStep::Update { .. } | CommentStep::Conflict { .. } => None,
        }
    }

    /// Remembers where the file of a comment is, if it is an own one.
    pub fn remember_comment(&mut self, comment: &RemoteComment, path: WsPath) {
        if self.capabilities.is_own(comment) {
            self.memory.comments.insert(comment.id.clone(), path);
        }
    }

    /// Remembers where the files of own comments are now.
    pub fn follow_comments(&mut self, base: &RemoteIssue, ticket: &Ticket) {
        for comment in &base.comments {
            if let Some(file) = file_of(&ticket.local, &comment.id) {
                self.remember_comment(comment, path_of(&file.name));
            }
        }
    }

    /// Own comments of this base whose files were removed, and the removal is committed.
    pub fn removed_comments(&self, local: &Local, base: &RemoteIssue) -> Result<Vec<String>, SyncError> {
        let missing = self.missing_comments(local, base)?;
        Ok(missing.into_iter().filter(|(_, absence)| *absence == Absence::Removed).map(|(id, _)| id).collect())
    }

    /// Whether a comment's file is missing, and may come back before the next commit.
    pub fn awaits_removal(&self, local: &Local, base: &RemoteIssue) -> Result<bool, SyncError> {
        Ok(self.missing_comments(local, base)?.iter().any(|(_, absence)| *absence == Absence::Settling))
    }

    /// Own comments of this base whose files were known and are nowhere now.
    fn missing_comments(&self, local: &Local, base: &RemoteIssue) -> Result<Vec<(String, Absence)>, SyncError> {
        let mut missing = Vec::new();
        for comment in base.comments.iter().filter(|comment| self.capabilities.is_own(comment)) {
            let is_there = file_of(local, &comment.id).is_some();
            let Some(path) = self.memory.comments.get(&comment.id).filter(|_| !is_there) else { continue };
            let on_disk = self.sync.parts.root.read(path);
            if on_disk.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) && !self.lies_elsewhere(&comment.id)
            {
                missing.push((comment.id.clone(), self.absence_of(path)?));
            }
        }
        Ok(missing)
    }

    /// Whether another file says that it is this comment: it was moved.
    fn lies_elsewhere(&self, id: &str) -> bool {
        let says = |snapshot: &Snapshot| {
            snapshot.text("remote") == Some(self.name())
                && snapshot.fields.get("remote_id").and_then(text).as_deref() == Some(id)
        };
        self.tickets.files.values().any(says)
    }

    /// Puts the remote's own form in the place of every comment text that it answers.
    pub fn render_comments(&self, local: &mut Local, base: &RemoteIssue) {
        for file in &mut local.comments {
            let Some(id) = &file.remote_id else { continue };
            let is_answered = self.memory.rendered_comments.get(id) == Some(&fingerprint(&file.body));
            if let Some(agreed) = conflict::comment(base, id).filter(|_| is_answered) {
                file.body.clone_from(&agreed.body);
            }
        }
    }

    /// Remembers the text of a file that the remote took in a form of its own, so that it is not sent again.
    fn note_rendered(&mut self, path: &WsPath, sent: &str, answer: &RemoteComment) {
        let style = plan::style(&self.capabilities);
        self.memory.rendered_comments.remove(&answer.id);
        if markdown::same(sent, &answer.body, style) {
            return;
        }
        if let Some(file) = self.comment_file(path).filter(|file| markdown::same(sent, &file.body, style)) {
            self.memory.rendered_comments.insert(answer.id.clone(), fingerprint(&file.body));
        }
    }

    pub fn edit_comment(&mut self, id: &str, entry: &OutboxEntry) -> Result<(), SyncError> {
        let Some((plan, base)) = self.fresh_plan(id)? else { return Ok(()) };
        let edit = plan.comments.into_iter().find_map(|step| match step {
            CommentStep::Edit { name, id, body } if name == entry.path.as_str() => Some((id, body)),
            _ => None,
        });
        let Some((comment, body)) = edit else { return Ok(self.outbox.remove(entry.id)?) };
        self.outbox.set(entry.id, OutboxState::Sent, None)?;
        self.step("edit.sent")?;
        let answer = self.sync.parts.provider.edit_comment(id, &comment, &body)?;
        self.step("edit.answered")?;
        self.note_rendered(&entry.path, &body, &answer);
        let put = |issue: &mut RemoteIssue| {
            issue.comments.iter_mut().filter(|known| known.id == comment).for_each(|known| known.clone_from(&answer));
        };
        self.comment_changed(base, put, entry, "comment edited")?;
        self.step("edit.tracked")?;
        Ok(self.outbox.remove(entry.id)?)
    }

    pub fn delete_comment(&mut self, id: &str, entry: &OutboxEntry) -> Result<(), SyncError> {
        let Some((plan, base)) = self.fresh_plan(id)? else { return Ok(()) };
        let delete = plan.comments.into_iter().find_map(|step| match step {
            CommentStep::Delete { id } if self.memory.comments.get(&id) == Some(&entry.path) => Some(id),
            _ => None,
        });
        let Some(comment) = delete else { return Ok(self.outbox.remove(entry.id)?) };
        self.outbox.set(entry.id, OutboxState::Sent, None)?;
        self.step("delete.sent")?;
        self.sync.parts.provider.delete_comment(id, &comment)?;
        self.step("delete.answered")?;
        self.comment_changed(
            base,
            |issue| issue.comments.retain(|known| known.id != comment),
            entry,
            "comment deleted",
        )?;
        self.step("delete.tracked")?;
        self.memory.comments.remove(&comment);
        self.memory.rendered_comments.remove(&comment);
        Ok(self.outbox.remove(entry.id)?)
    }

    /// What an object needs now, after looking at it; `None`: not to be sent now.
    fn fresh_plan(&mut self, id: &str) -> Result<Option<(plan::Plan, RemoteIssue)>, SyncError> {
        let Some((ticket, remote)) = self.refresh(id)? else { return Ok(None) };
        let base = self.tracking.issues[id].clone();
        let local = self.said(&ticket, id, Some(&base))?;
        Ok(Some((self.plan(Some(&base), Some(&local), Some(&remote)), base)))
    }

    /// Makes what the remote answered the base, and its latest word.
    fn comment_changed(
        &mut self,
        mut base: RemoteIssue,
        change: impl Fn(&mut RemoteIssue),
        entry: &OutboxEntry,
        what: &str,
    ) -> Result<(), SyncError> {
        change(&mut base);
        if let Some(unapplied) = self.memory.unapplied.get_mut(&base.id) {
            change(unapplied);
        }
        self.pushed(&entry.path, &base.key, vec![what.to_owned()]);
        self.track(base);
        self.flush()
    }

    /// Finds out what became of comments that were not answered, so that a pull does not write them a second file.
    pub fn recover_comments(&mut self) -> Result<(), SyncError> {
        for (entry, intent) in self.outbox.asked(Action::Comment, &self.sent) {
            let sent = self.sent.get(&intent).cloned();
            let Some(sent @ Sent { issue: Some(id), .. }) = &sent else {
                self.outbox.set(entry.id, OutboxState::Pending, None)?;
                continue;
            };
            let Some(issue) = self.tracking.issues.get(id) else {
                self.outbox.set(entry.id, OutboxState::Pending, None)?;
                continue;
            };
            if let Some(made) = conflict::comment(issue, sent.made.as_deref().unwrap_or_default()).cloned() {
                self.commented(id, &entry, intent, made, false)?;
                continue;
            }
            let known = |comment: &str| issue.comments.iter().any(|known| known.id == comment);
            let lost = Lost { intent, kind: sent.kind, fields: &sent.fields, not_before: None, known: &known };
            match self.sync.parts.provider.find_comment(id, &lost) {
                Ok(Some(comment)) => self.commented(id, &entry, intent, comment, false)?,
                Ok(None) if self.is_open(sent) => self.leave_open(&entry)?,
                Ok(None) => self.outbox.set(entry.id, OutboxState::Pending, None)?,
                Err(error) => {
                    self.keep_open(&entry)?;
                    self.only_this(Some(&entry.path), error)?;
                }
            }
        }
        Ok(())
    }

    pub fn comment(&mut self, id: &str, entry: &OutboxEntry) -> Result<(), SyncError> {
        let intent = entry.intent.expect("a comment gets its intent with its entry");
        let Some(comment) = self.comment_file(&entry.path) else { return Ok(()) };
        self.outbox.set(entry.id, OutboxState::Sent, None)?;
        let before = self.sent.get(&intent).cloned();
        // As of a create, an earlier request for it may still have been carried out.
        let sent = before.clone().unwrap_or_else(|| Sent {
            action: Action::Comment,
            kind: ObjectKind::of(id),
            path: entry.path.clone(),
            fields: [(Field::Body, FieldValue::text(markdown::for_remote(&comment.body)))].into(),
            not_before: None,
            at: self.now(),
            issue: Some(id.to_owned()),
            made: None,
        });
        let body = sent.fields[&Field::Body].as_text().unwrap_or_default().to_owned();
        self.intend(intent, Sent { at: self.now(), ..sent })?;
        self.step("comment.sent")?;
        let answer = self.sync.parts.provider.comment(id, intent, &body);
        let comment = self.take_back(intent, before.is_none(), answer)?;
        self.step("comment.answered")?;
        self.commented(id, entry, intent, comment, true)
    }

    /// Somebody changed a comment before its answer was known: the next pull takes that.
    fn heard_edited(&mut self, base: &RemoteIssue, comment: &RemoteComment) {
        let mut latest = self.latest(base);
        latest.comments.retain(|known| known.id != comment.id);
        latest.comments.push(comment.clone());
        self.memory.unapplied.insert(latest.id.clone(), latest);
    }

    fn commented(
        &mut self,
        id: &str,
        entry: &OutboxEntry,
        intent: Uuid,
        comment: RemoteComment,
        at_once: bool,
    ) -> Result<(), SyncError> {
        let sent = self.sent.get(&intent).and_then(|sent| sent.fields.get(&Field::Body)?.as_text().map(str::to_owned));
        let sent = sent.unwrap_or_default();
        let is_edited = !at_once && !markdown::same(&sent, &comment.body, plan::style(&self.capabilities));
        let mut next = self.tracking.issues[id].clone();
        if next.comments.iter().all(|known| known.id != comment.id) {
            if is_edited {
                self.heard_edited(&next, &comment);
            }
            let body = if is_edited { sent.clone() } else { comment.body.clone() };
            next.comments.push(RemoteComment { body, ..comment.clone() });
            self.pushed(&entry.path, &next.key, vec!["comment".to_owned()]);
            self.track(next);
        }
        if let Some(sent) = self.sent.get(&intent).cloned() {
            self.change_intent(intent, Some(Sent { made: Some(comment.id.clone()), ..sent }));
        }
        if !is_edited {
            self.note_rendered(&entry.path, &sent, &comment);
        }
        self.flush()?;
        self.step("comment.tracked")?;
        match self.link_comment(entry.path.as_str(), &comment.id) {
            Ok(_) => self.step("comment.linked")?,
            // Its file was removed meanwhile: there is nothing left to link.
            Err(WriteError::Replace(ReplaceError::Io(error))) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                self.report.deferred.push(Trouble { path: Some(entry.path.clone()), reason: error.to_string() });
                return Ok(());
            }
        }
        self.outbox.remove(entry.id)?;
        self.change_intent(intent, None);
        self.remember()
    }
}

/// The file that is this comment.
fn file_of<'l>(local: &'l Local, id: &str) -> Option<&'l LocalComment> {
    local.comments.iter().find(|file| file.remote_id.as_deref() == Some(id))
}

fn path_of(name: &str) -> WsPath {
    WsPath::new(name).expect("comment files are named by their paths")
}
