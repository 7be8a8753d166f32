//! New objects: a chain of steps that a crash may follow at any point, and that may have to wait for days.
//!
//! intent durable → request → answer in git → link in the file → outbox entry removed. Whatever is missing after a crash
//! is done by the next cycle, which finds out from the remote what became of the request: by the intent, or, where the
//! remote knows no intents, by what a request that was carried out cannot but have left there.

use super::{
    Action, SyncError, Trouble,
    backoff::{self, Wait},
    cycle::Cycle,
    intents::Sent,
    send::{Request, with_the_rest},
    tickets::{Absence, Found, Ticket},
};
use crate::{
    domain::{
        issue::{IssueFields, RemoteIssue},
        path::WsPath,
    },
    remote::{Lost, Search},
    workspace::store::{OutboxEntry, OutboxState},
};
use uuid::Uuid;

impl Cycle<'_> {
    /// Finds out what became of creates that were not answered, and finishes those that were. One that is not found is
    /// repeated only when it is certain that no listing will show it yet; one that several issues may be is held, until a
    /// person links the ticket or says `yes`, which means none of them.
    pub fn recover_creates(&mut self, yes: bool) -> Result<(), SyncError> {
        self.follow_creates()?;
        for (entry, intent) in self.outbox.asked(Action::Create, &self.sent) {
            let Some(sent) = self.sent.get(&intent).cloned() else {
                self.outbox.set(entry.id, OutboxState::Pending, None)?;
                continue;
            };
            if let Some(id) = &sent.made {
                self.finish_create(&entry, intent, id)?;
                continue;
            }
            if self.tickets.has_key(&entry.path, self.name()) {
                self.forget_create(&entry, intent)?;
                continue;
            }
            let wait = self.volatile.waits.get(&(entry.path.clone(), Action::Create));
            if !self.asked && wait.is_some_and(|wait| wait.until(self.now()).is_some()) {
                continue;
            }
            let known = |id: &str| self.tracking.issues.contains_key(id);
            let lost = Lost {
                intent,
                kind: sent.kind,
                fields: &sent.fields,
                not_before: sent.not_before.as_deref(),
                known: &known,
            };
            match self.tracker().find_created(&lost) {
                Ok(Search::Found(issue)) => self.created(&entry, intent, *issue, false)?,
                Ok(Search::Nothing) if self.is_open(&sent) => self.leave_open(&entry)?,
                Ok(_) if self.is_removed(&entry.path)? => self.forget_create(&entry, intent)?,
                Ok(Search::Several(keys)) if !yes => self.hold_create(&entry, &keys)?,
                Ok(_) => self.outbox.set(entry.id, OutboxState::Pending, None)?,
                Err(error) => {
                    self.keep_open(&entry)?;
                    self.only_this(Some(&entry.path), error)?;
                }
            }
        }
        Ok(())
    }

    /// Asked creates whose files were moved since: where no file is left, a new ticket that says what was sent is it.
    fn follow_creates(&mut self) -> Result<(), SyncError> {
        let is_left = |sent: &Sent| self.tickets.files.contains_key(&sent.path) || sent.made.is_some();
        let creates = self.sent.iter().filter(|(_, sent)| sent.action == Action::Create && !is_left(sent));
        for (intent, sent) in creates.map(|(intent, sent)| (*intent, sent.clone())).collect::<Vec<_>>() {
            let mut new = self.new_tickets().into_iter();
            let Some(Ticket { path, .. }) =
                new.find(|ticket| ticket.kind == sent.kind && self.is_said(&sent.fields, ticket))
            else {
                continue;
            };
            let sent = Sent { path, ..sent };
            self.outbox.move_asked(intent, &sent.path)?;
            self.change_intent(intent, Some(sent));
        }
        Ok(())
    }

    /// Leaves to a person which of several issues an unanswered create made, if any: another would be one too many.
    fn hold_create(&mut self, entry: &OutboxEntry, keys: &[String]) -> Result<(), SyncError> {
        self.volatile.waits.insert((entry.path.clone(), Action::Create), Wait::new(self.now(), backoff::LONGEST));
        let reason = format!("{} did not answer, and {} may be what it made", self.name(), keys.join(" or "));
        if (entry.state, entry.last_error.as_deref()) != (OutboxState::Held, Some(&*reason)) {
            self.outbox.set(entry.id, OutboxState::Held, Some(&reason))?;
            self.report.refused.push(Trouble { path: Some(entry.path.clone()), reason });
        }
        Ok(())
    }

    fn is_removed(&self, path: &WsPath) -> Result<bool, SyncError> {
        Ok(!self.tickets.files.contains_key(path) && self.absence_of(path)? == Absence::Removed)
    }

    /// Its ticket is gone, or a person has said which issue it is.
    fn forget_create(&mut self, entry: &OutboxEntry, intent: Uuid) -> Result<(), SyncError> {
        self.change_intent(intent, None);
        self.flush()?;
        Ok(self.outbox.remove(entry.id)?)
    }

    pub fn create(&mut self, entry: &OutboxEntry) -> Result<(), SyncError> {
        let intent = entry.intent.expect("a create gets its intent with its entry");
        let Found::Ticket(ticket) = self.read(&entry.path) else { return Ok(()) };
        self.outbox.set(entry.id, OutboxState::Sent, None)?;
        let before = self.sent.get(&intent).cloned();
        let sent = before.clone().unwrap_or_else(|| self.creation(&ticket));
        // An earlier request may still have made something: it must be known by what is asked now, too.
        let mut fields = sent.fields.clone();
        self.intend(intent, Sent { at: self.now(), ..sent })?;
        self.step("create.sent")?;
        let tracker = self.tracker();
        let answer = with_the_rest(&mut fields, |fields| tracker.create(intent, ticket.kind, fields));
        let (issue, refusal) = self.take_back(intent, before.is_none(), answer)?;
        if let Some(sent) = self.sent.get_mut(&intent).filter(|_| refusal.is_some()) {
            // What was left out is agreed to be as the remote has it, so that it is an update that is due.
            let left_out = sent.fields.iter_mut().filter(|(field, _)| !fields.contains_key(field));
            left_out.for_each(|(field, value)| {
                issue.fields.get(field).into_iter().for_each(|theirs| value.clone_from(theirs));
            });
        }
        self.step("create.answered")?;
        self.created(entry, intent, issue, true)
    }

    /// What a new ticket asks for.
    fn creation(&self, ticket: &Ticket) -> Sent {
        let plan = self.plan(None, Some(&ticket.local), None);
        Sent {
            action: Action::Create,
            kind: ticket.kind,
            path: ticket.path.clone(),
            fields: plan.pushes().map(|(field, value)| (field, value.clone())).collect(),
            not_before: self.tracking.cursor.clone(),
            at: self.now(),
            issue: None,
            made: None,
        }
    }

    fn created(
        &mut self,
        entry: &OutboxEntry,
        intent: Uuid,
        issue: RemoteIssue,
        at_once: bool,
    ) -> Result<(), SyncError> {
        let sent = self.sent.get(&intent).map(|sent| sent.fields.clone()).unwrap_or_default();
        let (id, key) = (issue.id.clone(), issue.key.clone());
        let nothing = RemoteIssue { fields: IssueFields::new(), comments: Vec::new(), ..issue.clone() };
        let request = Request { path: &entry.path, fields: &sent, before: &nothing.fields, at_once };
        self.answered(&request, &nothing, issue);
        self.memory.paths.insert(id.clone(), entry.path.clone());
        self.mapping.names.link(entry.path.stem(), &key);
        if let Some(sent) = self.sent.get(&intent).cloned() {
            self.change_intent(intent, Some(Sent { made: Some(id.clone()), ..sent }));
        }
        self.pushed(&entry.path, &key, vec!["created".to_owned()]);
        self.flush()?;
        self.step("create.tracked")?;
        self.finish_create(entry, intent, &id)
    }

    /// Writes the link; until it is in the file the entry stays.
    fn finish_create(&mut self, entry: &OutboxEntry, intent: Uuid, id: &str) -> Result<(), SyncError> {
        let key = self.tracking.issues.get(id).map(|issue| issue.key.clone()).unwrap_or_default();
        let path = self.locate(id, &[&key]).unwrap_or_else(|| entry.path.clone());
        if !self.tickets.has_key(&path, self.name())
            && let Found::Ticket(ticket) = self.read(&path)
        {
            if let Err(error) = self.link(&ticket, &key) {
                self.report.deferred.push(Trouble { path: Some(path), reason: error.to_string() });
                return Ok(());
            }
            self.step("create.linked")?;
        }
        self.outbox.remove(entry.id)?;
        self.change_intent(intent, None);
        self.remember()
    }
}
