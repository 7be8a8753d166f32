//! One cycle: what was read at its start, and what it has to leave behind at its end.

use super::{
    Action, Conflict, Done, Parts, Report, Row, SyncError, Syncer, Trouble,
    backoff::Wait,
    intents::{self, Sent},
    memory::{Memory, fingerprint},
    outbox::Outbox,
    tickets::{Ticket, Tickets},
};
use crate::{
    domain::{
        Timestamp, Value,
        event::Change,
        issue::{Capabilities, Field, FieldValue, ObjectKind, RemoteIssue},
        mapping::{self, Mapping},
        names::Names,
        op::Actor,
        path::WsPath,
        plan::{self, Local, Plan},
        schema::Schema,
        snapshot::ContentHash,
        tie::Tie,
    },
    fault,
    git::{Tracking, TrackingUpdate},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use uuid::Uuid;

/// What is known only while the process lives; losing it costs time, nothing else.
#[derive(Default)]
pub(super) struct Volatile {
    /// Fingerprint of the files of each object that had nothing to send, by id.
    pub in_step: BTreeMap<String, ContentHash>,
    /// Entries that failed are not tried before these are over.
    pub waits: BTreeMap<(WsPath, Action), Wait>,
    /// Linked keys that a full listing did not explain.
    pub unknown_keys: BTreeSet<String>,
    /// What the remote can do, once it was heard: so that an offline cycle still knows what waits to be sent.
    pub capabilities: Option<Capabilities>,
    /// The schema that `in_step` was found under.
    pub schema: Option<Arc<Schema>>,
    /// What the last cycle had read and left as it was.
    kept: Option<Kept>,
    /// What a push had nothing to do for.
    pub at_rest: Option<Stamp>,
}

/// The state of the index and of the tracking ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    index: u64,
    tip: Option<String>,
}

struct Kept {
    stamp: Stamp,
    tracking: Tracking,
    tickets: Tickets,
    memory: Memory,
    names: Names,
}

impl Kept {
    fn load(parts: &Parts, stamp: Stamp) -> Result<Self, SyncError> {
        let tracking = parts.repo.tracking(&parts.name)?;
        let tickets = Tickets::load(&parts.store, &parts.name)?;
        let issues = tracking.issues.values();
        let keys = issues.flat_map(|issue| std::iter::once(issue.key.as_str()).chain(issue.linked_keys()));
        let names = tickets.names(&parts.name, keys);
        Ok(Self { stamp, tracking, tickets, names, memory: Memory::load(&parts.store, &parts.name)? })
    }
}

pub(super) struct Cycle<'a> {
    pub sync: &'a Syncer,
    pub volatile: &'a mut Volatile,
    /// A person waits for it: nothing is put off because it failed lately.
    pub asked: bool,
    /// Without the fields that the schema does not have.
    pub capabilities: Capabilities,
    pub mapping: Mapping,
    pub tracking: Tracking,
    pub memory: Memory,
    pub tickets: Tickets,
    pub outbox: Outbox,
    pub report: Report,
    /// As it was at the beginning; `None` once this cycle has moved the tracking ref.
    pub stamp: Option<Stamp>,
    /// Something has to be looked at again although nothing of this changes: a removal that is not committed.
    pub is_unsettled: bool,
    /// The memory as it is stored.
    stored: Memory,
    /// What was asked and not answered, or not linked, yet.
    pub sent: BTreeMap<Uuid, Sent>,
    /// Issues whose new base is not in git yet, notes that are not, and the events that tell of them.
    batch: Vec<RemoteIssue>,
    pub notes: Vec<(String, Option<Value>)>,
    /// Issues of this page that get files of their own.
    pub fresh: Vec<RemoteIssue>,
    events: Vec<Change>,
}

impl<'a> Cycle<'a> {
    pub fn begin(sync: &'a Syncer, volatile: &'a mut Volatile, asked: bool) -> Result<Self, SyncError> {
        let parts = &sync.parts;
        let mut capabilities = match volatile.capabilities.take() {
            Some(known) => known,
            None => parts.provider.capabilities()?,
        };
        volatile.capabilities = Some(capabilities.clone());
        let schema = parts.settler.schema();
        capabilities.fields.retain(|field| field.is_in(&schema));
        if volatile.schema.as_ref() != Some(&schema) {
            volatile.in_step.clear();
            volatile.at_rest = None;
        }
        let stamp = Stamp { index: parts.store.generation(), tip: parts.repo.tracking_tip(&parts.name)? };
        let kept = volatile.kept.take().filter(|kept| kept.stamp == stamp);
        let is_new = kept.is_none();
        let Kept { tracking, tickets, memory, names, .. } = match kept {
            Some(kept) => kept,
            None => Kept::load(parts, stamp.clone())?,
        };
        let mapping = Mapping::new(&schema, &capabilities, &parts.config.statuses, names)
            .with_labelled(&schema, &parts.config.as_labels);
        volatile.schema = Some(schema);
        let mut cycle = Self {
            sync,
            volatile,
            asked,
            capabilities,
            mapping,
            sent: intents::load(&tracking.notes),
            tracking,
            stored: memory.clone(),
            memory,
            tickets,
            outbox: Outbox::load(&parts.store, &parts.name)?,
            report: Report::default(),
            stamp: Some(stamp),
            is_unsettled: false,
            batch: Vec::new(),
            notes: Vec::new(),
            fresh: Vec::new(),
            events: Vec::new(),
        };
        let Self { memory, capabilities, .. } = &mut cycle;
        memory.fields.retain(|field| capabilities.fields.contains(field));
        if is_new {
            cycle.follow_moves();
            cycle.let_go();
            cycle.reconcile_intents()?;
        }
        Ok(cycle)
    }

    /// Links travel with the files: remembers where each object's ticket is now, and forgets those that are put away, so
    /// that a new file in the old place is a new ticket.
    fn follow_moves(&mut self) {
        let name = self.name();
        for issue in self.tracking.issues.values() {
            match self.tickets.linked_to(&issue.key, self.memory.paths.get(&issue.id)) {
                Some(path) => drop(self.memory.paths.insert(issue.id.clone(), path.clone())),
                None if issue.archived => drop(self.memory.paths.remove(&issue.id)),
                None => {}
            }
        }
        let (tickets, events) = (&self.tickets, &mut self.events);
        self.memory.conflicts.retain(|conflict| {
            let stays = tickets.has_key(&conflict.path, name);
            events.extend((!stays).then(|| ended(conflict)));
            stays
        });
    }

    /// Parts from the objects whose tickets say `none`: ticket and object stay as they are, each by itself.
    fn let_go(&mut self) {
        let says_none = |path: &WsPath| self.tickets.tie(path, self.name()) == Some(Tie::Never);
        let parted = self.memory.paths.iter().filter(|(_, path)| says_none(path)).map(|(id, _)| id.clone());
        parted.collect::<Vec<_>>().iter().for_each(|id| self.part_from(id));
    }

    /// Forgets an object but for its identity: nothing crosses any more.
    pub fn part_from(&mut self, id: &str) {
        self.memory.paths.remove(id);
        self.memory.unapplied.remove(id);
        self.memory.rendered.remove(id);
        if let Some(issue) = self.tracking.issues.get(id).map(RemoteIssue::let_go) {
            self.track(issue);
        }
    }

    /// Whether documents and projects are specs here.
    pub fn has_texts(&self) -> bool {
        self.sync.parts.config.documents.is_some()
    }

    /// Whether such objects are kept in step at all.
    pub fn is_synced(&self, kind: ObjectKind) -> bool {
        self.has_texts() || !kind.is_text()
    }

    /// Leaves everything durable, unless the cycle was cut off as a crash would.
    pub fn end(mut self, outcome: Result<(), SyncError>) -> Result<Report, SyncError> {
        if let Err(SyncError::CutOff(step)) = outcome {
            return Err(SyncError::CutOff(step));
        }
        let flushed = self.flush();
        outcome.and(flushed)?;
        self.report.conflicts = self.memory.conflicts.clone();
        let Self { volatile, tracking, tickets, memory, report, stamp, mapping, .. } = self;
        volatile.kept = stamp.map(|stamp| Kept { stamp, tracking, tickets, memory, names: mapping.names });
        Ok(report)
    }

    pub fn name(&self) -> &'a str {
        &self.sync.parts.name
    }

    pub fn actor(&self) -> Actor {
        Actor::named(self.name())
    }

    pub fn now(&self) -> Timestamp {
        self.sync.parts.clock.now()
    }

    /// A point after which a crash is tested.
    pub fn step(&self, name: &'static str) -> Result<(), SyncError> {
        fault::point(name);
        match &self.sync.fault {
            Some(fault) if fault(name) => Err(SyncError::CutOff(name.to_owned())),
            _ => Ok(()),
        }
    }

    /// Makes this the base of the object, in git with the next [`Cycle::flush`].
    pub fn track(&mut self, issue: RemoteIssue) {
        self.volatile.in_step.remove(&issue.id);
        issue.linked_keys().for_each(|key| self.mapping.names.add_key(key));
        if self.tracking.issues.get(&issue.id) != Some(&issue) {
            self.batch.retain(|other| other.id != issue.id);
            self.batch.push(issue.clone());
            self.tracking.issues.insert(issue.id.clone(), issue);
        }
    }

    /// Writes tracked issues to git, then the memory, then the events that tell of them.
    pub fn flush(&mut self) -> Result<(), SyncError> {
        self.flush_as(None)
    }

    pub fn flush_as(&mut self, message: Option<&str>) -> Result<(), SyncError> {
        let parts = &self.sync.parts;
        if !self.batch.is_empty() || !self.notes.is_empty() {
            let message = message.map_or_else(|| tracked(&self.batch), str::to_owned);
            self.stamp = None;
            let update = TrackingUpdate { issues: &self.batch, cursor: None, notes: &self.notes };
            parts.repo.update_tracking(&parts.name, update, &message)?;
            self.batch.clear();
            self.notes.clear();
        }
        fault::point("sync.tracked");
        self.remember()?;
        fault::point("sync.remembered");
        if !self.events.is_empty() {
            parts.settler.emit(&self.actor(), std::mem::take(&mut self.events))?;
        }
        Ok(())
    }

    /// Makes this the base at once, with a commit that tells why.
    pub fn settle(&mut self, issue: RemoteIssue, message: &str) -> Result<(), SyncError> {
        self.flush()?;
        self.stamp = None;
        let parts = &self.sync.parts;
        parts.repo.track(&parts.name, std::slice::from_ref(&issue), None, message)?;
        self.volatile.in_step.remove(&issue.id);
        self.tracking.issues.insert(issue.id.clone(), issue);
        Ok(())
    }

    /// Forgets whatever this cycle would have left behind.
    pub fn discard(&mut self) {
        self.memory = self.stored.clone();
        self.stamp = None;
        self.batch.clear();
        self.notes.clear();
        self.events.clear();
    }

    /// Stores the memory if it changed.
    pub fn remember(&mut self) -> Result<(), SyncError> {
        if self.memory != self.stored {
            self.memory.save(&self.sync.parts.store, self.name())?;
            self.stored = self.memory.clone();
        }
        Ok(())
    }

    pub fn plan(&self, base: Option<&RemoteIssue>, local: Option<&Local>, remote: Option<&RemoteIssue>) -> Plan {
        plan::plan(base, local, remote, &self.capabilities, self.sync.parts.merge_text)
    }

    /// The remote's latest word on an object, as far as it was heard.
    pub fn latest(&self, base: &RemoteIssue) -> RemoteIssue {
        self.memory.unapplied.get(&base.id).unwrap_or(base).clone()
    }

    pub fn pulled(&mut self, path: &WsPath, key: &str, what: Vec<String>) {
        let (remote, path, key) = (self.name().to_owned(), path.clone(), key.to_owned());
        self.report.pulled.push(Done { path: path.clone(), key: key.clone(), what: what.clone() });
        self.events.push(Change::Pulled { remote, path, key, what });
    }

    pub fn pushed(&mut self, path: &WsPath, key: &str, what: Vec<String>) {
        let (remote, path, key) = (self.name().to_owned(), path.clone(), key.to_owned());
        self.report.pushed.push(Done { path: path.clone(), key: key.clone(), what: what.clone() });
        self.events.push(Change::Pushed { remote, path, key, what });
    }

    /// Keeps the remote's word until the file can take it.
    pub fn put_off(&mut self, remote: RemoteIssue, path: Option<WsPath>, reason: impl ToString) {
        self.memory.unapplied.insert(remote.id.clone(), remote);
        self.report.deferred.push(Trouble { path, reason: reason.to_string() });
    }

    /// Replaces what is known of a ticket's conflicts; tells of those that are new, and of those that are over.
    pub fn note_conflicts(&mut self, path: &WsPath, found: Vec<Conflict>, key: &str) {
        let all = std::mem::take(&mut self.memory.conflicts);
        let (known, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|known| known.key == key || known.path == *path);
        for conflict in found.iter().filter(|conflict| !known.contains(conflict)) {
            self.events.push(Change::Conflict {
                remote: self.name().to_owned(),
                path: path.clone(),
                field: conflict.field.clone(),
                local: value(&conflict.local),
                theirs: value(&conflict.theirs),
            });
        }
        for over in known.iter().filter(|known| found.iter().all(|conflict| conflict.field != known.field)) {
            self.events.push(ended(over));
        }
        self.memory.conflicts = others;
        self.memory.conflicts.extend(found);
    }

    /// What a ticket says, for planning against this base: with the remote's own form of every value that it answers, with
    /// the own comments whose files are gone for good, and without taking off a member that a link in doubt may mean.
    pub fn said(&self, ticket: &Ticket, id: &str, base: Option<&RemoteIssue>) -> Result<Local, SyncError> {
        let mut local = ticket.local.clone();
        let Some(base) = base else { return Ok(local) };
        for (field, hash) in self.memory.rendered.get(id).into_iter().flatten() {
            let unchanged = local.fields.get(field).is_some_and(|value| fingerprint(value) == *hash);
            if let Some(agreed) = base.fields.get(field).filter(|_| unchanged) {
                local.fields.insert(*field, agreed.clone());
            }
        }
        for (field, value) in &mut local.fields {
            let links = ticket.document.get(field.name()).filter(|_| field.is_link()).and_then(mapping::words);
            let in_doubt = links.into_iter().flatten().any(|link| self.mapping.names.is_doubtful(&link));
            if let (FieldValue::Set(ours), Some(FieldValue::Set(agreed)), true) =
                (value, base.fields.get(field), in_doubt)
            {
                ours.extend(agreed.iter().cloned());
            }
        }
        self.render_comments(&mut local, base);
        local.removed_comments = self.removed_comments(&local, base)?;
        Ok(local)
    }

    pub fn row(&self, action: Action, path: &WsPath, key: Option<&str>, what: Vec<String>) -> Row {
        Row { remote: self.name().to_owned(), path: path.clone(), key: key.map(str::to_owned), action, what }
    }
}

pub(super) fn names<'v>(fields: impl Iterator<Item = (Field, &'v FieldValue)>) -> Vec<String> {
    fields.map(|(field, _)| field.name().to_owned()).collect()
}

fn ended(conflict: &Conflict) -> Change {
    let Conflict { remote, path, field, .. } = conflict.clone();
    Change::ConflictEnded { remote, path, field }
}

fn value(field: &FieldValue) -> Value {
    serde_json::to_value(field).expect("a field value is text or a list of texts")
}

fn tracked(batch: &[RemoteIssue]) -> String {
    match batch {
        [] => "forget what was answered".to_owned(),
        [only] => format!("track {}", only.key),
        many => format!("track {} issues", many.len()),
    }
}
