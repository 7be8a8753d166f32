//! Pulling: what the remote changed goes into the files, and then becomes the base.
//!
//! The cursor moves only after a complete listing was heard. What a file could not take yet is remembered and tried
//! again, so that no page has to be listed twice for it.

use super::{
    Action, Conflict, Listing, SyncError, Trouble,
    conflict::States,
    cycle::{Cycle, names},
    files::{HeldBack, WriteError},
    memory::Extent,
    names::object_paths,
    tickets::{Absence, Found, Ticket},
};
use crate::domain::{
    Timestamp,
    issue::RemoteIssue,
    path::WsPath,
    plan::{CommentStep, Plan, Presence},
};
use std::{collections::BTreeSet, time::Duration};

/// How far before the cursor a listing starts: trackers' own indexes lag, and their timestamps are coarse.
const OVERLAP: Duration = Duration::from_secs(120);
/// How often everything is listed, to find what a cursor cannot.
const FULL: Duration = Duration::from_secs(24 * 60 * 60);
/// Objects that a full listing did not show and that are asked for by id, in one cycle.
const MISSING: usize = 50;

impl Cycle<'_> {
    pub fn pull(&mut self) -> Result<(), SyncError> {
        self.recover_creates(false)?;
        self.recover_comments()?;
        self.recover_archives()?;
        let heard = self.listing(Self::hear);
        *self.sync.listing.lock() = None;
        let heard = heard?;
        let left: Vec<RemoteIssue> =
            self.memory.unapplied.values().filter(|issue| !heard.contains(&issue.id)).cloned().collect();
        left.into_iter().try_for_each(|issue| self.apply(issue))?;
        self.take_timelines()?;
        self.flush()
    }

    /// Hears everything since the cursor, a page at a time; each page is durable before the next is asked for. Answers the
    /// ids that were heard.
    fn listing(
        &mut self,
        mut hear: impl FnMut(&mut Self, RemoteIssue) -> Result<(), SyncError>,
    ) -> Result<BTreeSet<String>, SyncError> {
        let full = self.is_full_due();
        let since = if full { None } else { self.tracking.cursor.as_deref().map(before) };
        let (mut page, mut heard, mut newest) = (None, BTreeSet::new(), self.tracking.cursor.clone());
        let mut listing = Listing::default();
        loop {
            *self.sync.listing.lock() = Some(listing);
            let answer = self.tracker().changed_since(since.as_deref(), page.as_ref())?;
            let next = Listing { listed: listing.listed + answer.listed, of: listing.of.or(answer.of) };
            newest = answer.latest.iter().fold(newest, |newest, time| newest.max_by_time(time));
            for issue in answer.issues {
                newest = newest.max_by_time(&issue.updated_at);
                heard.insert(issue.id.clone());
                hear(self, issue)?;
            }
            self.write_fresh()?;
            self.take_pulls(answer.pulls)?;
            self.flush()?;
            self.step("page")?;
            listing = next;
            page = answer.next;
            if page.is_none() {
                break;
            }
        }
        if full {
            self.ask_for_missing(&heard)?;
            self.memory.listed = Some(self.now());
            self.memory.fields = self.capabilities.fields.clone();
            self.memory.extent = Extent::of(&self.sync.parts.config);
            self.volatile.unknown_keys = self.unknown_keys();
        }
        self.advance(newest)?;
        Ok(heard)
    }

    /// Everything is listed at first, once a day, when there is a field, or something else, that was not read before, and when a
    /// ticket is linked to a key that was never heard of.
    fn is_full_due(&self) -> bool {
        let due = |listed: Timestamp| self.now().duration_since(listed).unsigned_abs() >= FULL;
        let is_read = self.capabilities.fields.is_subset(&self.memory.fields)
            && self.memory.extent == Extent::of(&self.sync.parts.config);
        !is_read || self.memory.listed.is_none_or(due) || !self.unknown_keys().is_subset(&self.volatile.unknown_keys)
    }

    fn unknown_keys(&self) -> BTreeSet<String> {
        let known = self.tracking.issues.values().filter(|issue| !issue.is_let_go()).map(|issue| &issue.key);
        let known: BTreeSet<&String> = known.collect();
        self.tickets.keys().filter(|key| !known.contains(key)).cloned().collect()
    }

    fn advance(&mut self, cursor: Option<String>) -> Result<(), SyncError> {
        if cursor != self.tracking.cursor {
            self.stamp = None;
            let parts = &self.sync.parts;
            parts.repo.track(&parts.name, &[], cursor.as_deref(), "advance the cursor")?;
            self.tracking.cursor = cursor;
        }
        Ok(())
    }

    fn ask_for_missing(&mut self, heard: &BTreeSet<String>) -> Result<(), SyncError> {
        let is_due = |issue: &RemoteIssue| !issue.archived && !issue.is_let_go() && self.is_synced(issue.kind());
        let missing = |issue: &&RemoteIssue| is_due(issue) && !heard.contains(&issue.id);
        let missing: Vec<RemoteIssue> = self.tracking.issues.values().filter(missing).take(MISSING).cloned().collect();
        for base in missing {
            match self.tracker().fetch(&base.id) {
                Ok(Some(issue)) => self.apply(issue)?,
                Ok(None) => self.gone(base)?,
                Err(error) => self.only_this(None, error)?,
            }
        }
        Ok(())
    }

    /// The object no longer exists: the file stays, and nothing is sent to it.
    pub fn gone(&mut self, base: RemoteIssue) -> Result<(), SyncError> {
        self.memory.unapplied.remove(&base.id);
        if let Some(path) = self.memory.paths.get(&base.id).cloned() {
            let reason = format!("{} is gone from {}; the file stays", base.key, self.name());
            self.report.refused.push(Trouble { path: Some(path), reason });
        }
        self.track(RemoteIssue { archived: true, ..base });
        Ok(())
    }

    /// Takes what a listing says. Listings lag, and times are coarse: what is not newer than the last word, and differs
    /// from it, may be older; then the object itself is asked.
    fn hear(&mut self, heard: RemoteIssue) -> Result<(), SyncError> {
        let Some(base) = self.tracking.issues.get(&heard.id) else {
            return if self.is_fresh(&heard)? { Ok(()) } else { self.apply(heard) };
        };
        let latest = self.memory.unapplied.get(&heard.id).unwrap_or(base);
        if heard == *latest || base.is_let_go() || is_newer(&heard.updated_at, &latest.updated_at) {
            return self.apply(heard);
        }
        let base = base.clone();
        match self.tracker().fetch(&base.id) {
            Ok(Some(now)) => self.apply(now),
            Ok(None) => self.gone(base),
            Err(error) => self.only_this(None, error),
        }
    }

    /// Brings one object's latest word into its file.
    pub fn apply(&mut self, remote: RemoteIssue) -> Result<(), SyncError> {
        let base = self.tracking.issues.get(&remote.id).cloned();
        let ticket = match self.find(&remote, base.as_ref())? {
            Found::Ticket(ticket) => ticket,
            Found::Absent(absence) => return self.apply_absent(base.as_ref(), remote, absence),
            Found::Busy(..) if base.as_ref() == Some(&remote) => return Ok(()),
            Found::Busy(path, reason) => {
                self.put_off(remote, Some(path), reason);
                return Ok(());
            }
        };
        let local = self.said(&ticket, &remote.id, base.as_ref())?;
        let plan = self.plan(base.as_ref(), Some(&local), Some(&remote));
        if plan.presence == Presence::Wait {
            if base.as_ref() != Some(&remote) {
                self.put_off(remote, Some(ticket.path), "the ticket has an error");
            }
            return Ok(());
        }
        let found = self.conflicts(&ticket.path, States { base: base.as_ref(), local: &local, remote: &remote }, &plan);
        self.merge_into(&ticket, &plan, found, base.as_ref(), remote)
    }

    fn apply_absent(
        &mut self,
        base: Option<&RemoteIssue>,
        remote: RemoteIssue,
        absence: Absence,
    ) -> Result<(), SyncError> {
        match self.plan(base, None, Some(&remote)).presence {
            _ if base.is_some_and(RemoteIssue::is_let_go) => drop(self.memory.unapplied.remove(&remote.id)),
            _ if absence == Absence::Settling => self.put_off(remote, None, "its removal is not committed yet"),
            Presence::Write if self.may_be_ours(&remote) => {
                self.put_off(remote, None, "it may be what an unanswered create made");
            }
            Presence::Write => return self.write_file(base, remote, "created"),
            Presence::Restore => return self.write_file(base, remote, "restored"),
            // Left to the push, which looks at the remote once more.
            Presence::Archive => drop(self.memory.unapplied.remove(&remote.id)),
            _ => {
                self.memory.unapplied.remove(&remote.id);
                self.track(remote);
            }
        }
        Ok(())
    }

    /// Whether a create whose outcome is not known may have made this: it may have been changed since, so what it says
    /// tells nothing.
    pub fn may_be_ours(&self, remote: &RemoteIssue) -> bool {
        self.sent.iter().filter(|(_, sent)| sent.action == Action::Create && sent.made.is_none()).any(
            |(intent, sent)| {
                if self.capabilities.idempotent_create {
                    remote.id == sent.kind.id(intent)
                } else {
                    sent.not_before.as_ref().is_none_or(|time| remote.updated_at >= *time)
                }
            },
        )
    }

    fn write_file(&mut self, base: Option<&RemoteIssue>, remote: RemoteIssue, what: &str) -> Result<(), SyncError> {
        let former = self.memory.paths.get(&remote.id).cloned();
        let former = former.or_else(|| object_paths(&self.sync.parts.config, &remote).next());
        let restored = match (base, former) {
            (Some(_), Some(path)) => self.restore(&remote, &path)?.map(|held| (path, held)),
            _ => None,
        };
        let (path, held) = match restored.map_or_else(|| self.write_new(&remote), Ok) {
            Ok(written) => written,
            Err(error) => {
                self.put_off(remote, None, error);
                return Ok(());
            }
        };
        self.step("file")?;
        let steps: Vec<CommentStep> = remote.comments.iter().cloned().map(CommentStep::Write).collect();
        let comments = self.take_comments(&path, &remote, &steps);
        self.has_file(path, remote, held, comments, what);
        Ok(())
    }

    /// An object's file is there, as far as it could be: that becomes the base.
    pub fn has_file(
        &mut self,
        path: WsPath,
        remote: RemoteIssue,
        held: HeldBack,
        comments: Result<usize, WriteError>,
        what: &str,
    ) {
        self.memory.paths.insert(remote.id.clone(), path.clone());
        self.pulled(&path, &remote.key, vec![what.to_owned()]);
        // No base for a field that the file does not hold: it is never taken for one that was cleared.
        let mut next = remote.clone();
        held.iter().for_each(|(field, _)| drop(next.fields.remove(field)));
        self.settle_base(&path, next, remote, held, comments);
    }

    fn merge_into(
        &mut self,
        ticket: &Ticket,
        plan: &Plan,
        conflicts: Vec<Conflict>,
        base: Option<&RemoteIssue>,
        remote: RemoteIssue,
    ) -> Result<(), SyncError> {
        let mut document = ticket.document.clone();
        let held = self.take(&mut document, plan.pulls());
        if ticket.key.as_ref() != Some(&remote.key)
            && let Err(error) = document.set_in("sync", self.name(), Some(&remote.key.as_str().into()))
        {
            self.report.refused.push(Trouble { path: Some(ticket.path.clone()), reason: error.to_string() });
        }
        if let Err(error) = self.write(&ticket.path, Some(&ticket.bytes), &document) {
            self.put_off(remote, Some(ticket.path.clone()), error);
            return Ok(());
        }
        self.step("file")?;
        let comments = self.take_comments(&ticket.path, &remote, &plan.comments);
        let mut what = names(plan.pulls().filter(|(field, _)| !held.iter().any(|(other, _)| other == field)));
        what.extend(comments.as_ref().is_ok_and(|written| *written > 0).then(|| "comments".to_owned()));
        if !what.is_empty() {
            self.pulled(&ticket.path, &remote.key, what);
        }
        self.note_conflicts(&ticket.path, conflicts, &remote.key);
        self.memory.paths.insert(remote.id.clone(), ticket.path.clone());
        let mut next = plan.base_after_pull(base, &remote);
        for (field, _) in &held {
            match base.and_then(|base| base.fields.get(field)) {
                Some(agreed) => next.fields.insert(*field, agreed.clone()),
                None => next.fields.remove(field),
            };
        }
        self.settle_base(&ticket.path, next, remote, held, comments);
        Ok(())
    }

    /// Tracks what is in the file now; remembers the remote's word while that is not all of it.
    fn settle_base(
        &mut self,
        path: &WsPath,
        next: RemoteIssue,
        remote: RemoteIssue,
        held: HeldBack,
        comments: Result<usize, WriteError>,
    ) {
        for (field, error) in held {
            let reason = format!("{} of {}: {error}", field.name(), remote.key);
            self.report.refused.push(Trouble { path: Some(path.clone()), reason });
        }
        if let Err(error) = comments {
            let base = self.tracking.issues.get(&next.id).map(|base| base.comments.clone());
            let next = RemoteIssue { comments: base.unwrap_or_default(), ..next };
            self.track(next);
            return self.put_off(remote, Some(path.clone()), error);
        }
        if next == remote {
            self.memory.unapplied.remove(&remote.id);
        } else {
            self.memory.unapplied.insert(remote.id.clone(), remote);
        }
        self.track(next);
    }

    /// What a sync would do, without doing it.
    pub fn preview(&mut self) -> Result<(), SyncError> {
        let mut page = None;
        let since = if self.is_full_due() { None } else { self.tracking.cursor.as_deref().map(before) };
        let mut heard: Vec<RemoteIssue> = self.memory.unapplied.values().cloned().collect();
        loop {
            let answer = self.tracker().changed_since(since.as_deref(), page.as_ref())?;
            heard.extend(answer.issues);
            page = answer.next;
            if page.is_none() {
                break;
            }
        }
        for issue in heard {
            self.memory.unapplied.insert(issue.id.clone(), issue);
        }
        for issue in self.memory.unapplied.clone().into_values() {
            self.preview_one(&issue)?;
        }
        let sends = self.rows()?;
        self.report.planned.extend(sends);
        self.discard();
        Ok(())
    }

    fn preview_one(&mut self, remote: &RemoteIssue) -> Result<(), SyncError> {
        let base = self.tracking.issues.get(&remote.id).cloned();
        let default = || object_paths(&self.sync.parts.config, remote).next().unwrap_or_default();
        let (path, plan) = match self.find(remote, base.as_ref())? {
            Found::Busy(..) => return Ok(()),
            Found::Absent(_) => {
                let path = self.memory.paths.get(&remote.id).cloned().unwrap_or_else(default);
                (path, self.plan(base.as_ref(), None, Some(remote)))
            }
            Found::Ticket(ticket) => {
                let local = self.said(&ticket, &remote.id, base.as_ref())?;
                (ticket.path, self.plan(base.as_ref(), Some(&local), Some(remote)))
            }
        };
        let mut row = |action, what| {
            let row = self.row(action, &path, Some(&remote.key), what);
            self.report.planned.push(row);
        };
        match plan.presence {
            Presence::Write => row(Action::Write, Vec::new()),
            Presence::Restore => row(Action::Restore, Vec::new()),
            _ => {}
        }
        let pulls = names(plan.pulls());
        if !pulls.is_empty() {
            row(Action::Pull, pulls);
        }
        let conflicts: Vec<String> = plan.conflicts().map(|(field, ..)| field.name().to_owned()).collect();
        if !conflicts.is_empty() {
            row(Action::Conflict, conflicts);
        }
        Ok(())
    }
}

trait Newest {
    fn max_by_time(self, other: &str) -> Self;
}

impl Newest for Option<String> {
    /// The later of two of the remote's times.
    fn max_by_time(self, other: &str) -> Self {
        self.filter(|mine| !is_newer(other, mine)).or_else(|| Some(other.to_owned()))
    }
}

/// Whether one of the remote's times is later than another.
pub(super) fn is_newer(one: &str, other: &str) -> bool {
    match (one.parse::<Timestamp>(), other.parse::<Timestamp>()) {
        (Ok(one), Ok(other)) => one > other,
        _ => one > other,
    }
}

/// The cursor minus the overlap, in the remote's own time.
fn before(cursor: &str) -> String {
    let earlier = cursor.parse::<Timestamp>().ok().and_then(|at| at.checked_sub(OVERLAP).ok());
    earlier.map_or_else(|| cursor.to_owned(), |at| at.to_string())
}
