//! Pushing: what settled tickets say and the remote does not.
//!
//! What is to be sent follows from comparing states. Each write looks at the remote first, is in the outbox before its
//! request and until its answer is in git and in the file, and is one field-wise patch of what really changed.

use super::{
    Action, Options, Parts, Row, SyncError, Trouble,
    backoff::{self, Wait},
    conflict::States,
    cycle::{Cycle, names},
    memory::{Refusal, fingerprint},
    names::object_paths,
    seed,
    tickets::{Absence, Found, Ticket, kind_of},
};
use crate::{
    domain::{
        issue::{Field, IssueFields, ObjectKind, RemoteIssue},
        merge,
        path::WsPath,
        plan::{self, Presence},
        problem::Severity,
        snapshot::{ContentHash, Snapshot},
        tie::Tie,
    },
    remote::RemoteError,
    workspace::store::{OutboxEntry, OutboxState},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Ancestors of a new ticket that are looked at, so that circles end; below that, a parent may come after its child.
const DEEPEST: usize = 100;

/// How long what was refused is not sent again, if nothing changes here: what is missing may be made on the tracker, which
/// nothing tells of.
const REFUSED_FOR: Duration = Duration::from_secs(60 * 60);

/// One write, and the object that it is for; a create has none yet.
pub(super) struct Job {
    pub id: Option<String>,
    pub row: Row,
    /// Why it cannot be sent, whoever tries.
    pub refusal: Option<String>,
}

impl Cycle<'_> {
    pub fn push(&mut self, options: Options) -> Result<(), SyncError> {
        let nothing_waits = self.memory.unapplied.is_empty() && self.sent.is_empty() && self.outbox.is_empty();
        if nothing_waits && self.stamp.is_some() && self.stamp == self.volatile.at_rest {
            return Ok(());
        }
        self.recover_creates(options.yes)?;
        self.recover_comments()?;
        self.recover_archives()?;
        self.link_pending()?;
        let jobs = self.jobs()?;
        let is_idle = jobs.is_empty() && nothing_waits && self.report.deferred.is_empty();
        self.volatile.at_rest = self.stamp.clone().filter(|_| is_idle && !self.is_unsettled);
        let rows: Vec<Row> = jobs.iter().map(|job| job.row.clone()).collect();
        self.outbox.keep_only(&rows, &self.sent)?;
        let idle = self.sent.keys().filter(|intent| !self.outbox.has_intent(**intent)).copied();
        idle.collect::<Vec<_>>().into_iter().for_each(|intent| self.change_intent(intent, None));
        let limits = Limits::of(&jobs, self, options);
        let mut due = Vec::new();
        for job in jobs {
            if let Some(entry) = self.schedule(&job, &limits, options)? {
                due.push((job, entry));
            }
        }
        due.into_iter().try_for_each(|(job, entry)| self.send(&job, &entry))?;
        self.flush()
    }

    /// What a push would send.
    pub fn rows(&mut self) -> Result<Vec<Row>, SyncError> {
        Ok(self.jobs()?.into_iter().filter(|job| job.refusal.is_none()).map(|job| job.row).collect())
    }

    fn jobs(&mut self) -> Result<Vec<Job>, SyncError> {
        let mut jobs = Vec::new();
        let ids: Vec<String> = self.tracking.issues.keys().cloned().collect();
        for id in ids {
            self.jobs_of(&id, &mut jobs)?;
        }
        let fresh = self.new_tickets();
        jobs.extend(fresh.iter().map(|ticket| self.create_job(ticket)));
        Ok(jobs)
    }

    /// What one tracked object needs. An object whose files are as they were when it needed nothing is not looked at.
    fn jobs_of(&mut self, id: &str, jobs: &mut Vec<Job>) -> Result<(), SyncError> {
        let base = &self.tracking.issues[id];
        let path = self.locate(id, &[&base.key]);
        let files = match &path {
            Some(path) => self.tickets.fingerprint(path, &self.mapping.names),
            None => Some(ContentHash::of(b"")),
        };
        let at_rest = files.is_some() && self.volatile.in_step.get(id) == files.as_ref();
        let is_idle = at_rest && !self.memory.unapplied.contains_key(id) || (path.is_none() && base.archived);
        if is_idle || !self.is_synced(base.kind()) {
            return Ok(());
        }
        let (base, before) = (base.clone(), jobs.len());
        let settled = match self.find(&base, None)? {
            Found::Ticket(ticket) => {
                self.ticket_jobs(&base, &ticket, jobs)?;
                ticket.local.valid && !self.awaits_removal(&ticket.local, &base)?
            }
            // Nobody puts a project away by removing what is said about it here.
            Found::Absent(Absence::Removed) if base.kind() == ObjectKind::Project => {
                self.part_from(id);
                true
            }
            Found::Absent(Absence::Removed) => {
                self.removal_job(&base, jobs);
                if jobs.len() == before {
                    self.memory.paths.remove(id);
                }
                true
            }
            Found::Absent(absence) => absence == Absence::Unknown,
            Found::Busy(..) => false,
        };
        self.is_unsettled |= !settled;
        if let Some(files) = files.filter(|_| settled && jobs.len() == before) {
            self.volatile.in_step.insert(id.to_owned(), files);
        }
        Ok(())
    }

    fn ticket_jobs(&mut self, base: &RemoteIssue, ticket: &Ticket, jobs: &mut Vec<Job>) -> Result<(), SyncError> {
        let remote = self.latest(base);
        self.follow_comments(base, ticket);
        let local = self.said(ticket, &base.id, Some(base))?;
        let plan = self.plan(Some(base), Some(&local), Some(&remote));
        if plan.presence != Presence::Wait {
            let states = States { base: Some(base), local: &local, remote: &remote };
            self.note_conflicts(&ticket.path, self.conflicts(&ticket.path, states, &plan), &base.key);
        }
        let what = names(plan.pushes());
        if !what.is_empty() {
            let row = self.row(Action::Update, &ticket.path, Some(&base.key), what);
            jobs.push(Job { id: Some(base.id.clone()), row, refusal: None });
        }
        jobs.extend(plan.comments.iter().filter_map(|step| self.comment_job(base, step)));
        Ok(())
    }

    fn removal_job(&self, base: &RemoteIssue, jobs: &mut Vec<Job>) {
        let remote = self.latest(base);
        let path = self.removed_path(base);
        if let (Presence::Archive, Some(path)) = (self.plan(Some(base), None, Some(&remote)).presence, &path) {
            jobs.push(Job {
                id: Some(base.id.clone()),
                row: self.row(Action::Archive, path, Some(&base.key), Vec::new()),
                refusal: None,
            });
        }
    }

    /// Where the ticket of an object was.
    pub fn removed_path(&self, base: &RemoteIssue) -> Option<WsPath> {
        let path = self.memory.paths.get(&base.id).cloned();
        path.or_else(|| object_paths(&self.sync.parts.config, base).next())
    }

    fn create_job(&self, ticket: &Ticket) -> Job {
        let plan = self.plan(None, Some(&ticket.local), None);
        let row = self.row(Action::Create, &ticket.path, None, names(plan.pushes()));
        Job { id: None, row, refusal: None }
    }

    /// Whether a new file at this path becomes an object of this remote, and of no other: of folders of tickets that overlap, the
    /// deepest counts, of remotes with one folder the first by name. Folders of documents do not overlap.
    fn is_home_of(&self, path: &WsPath) -> bool {
        if self.sync.parts.config.documents.as_ref().is_some_and(|folder| path.is_within(folder)) {
            return self.sync.parts.config.create;
        }
        let Parts { name, config, others, .. } = &self.sync.parts;
        let rank = |folder: &WsPath| folder.names().count();
        let comes_first = |(other, folder): (&String, &WsPath)| {
            path.is_within(folder) && (rank(folder), name.as_str()) > (rank(&config.folder), other.as_str())
        };
        let mut rivals = others.iter().filter_map(|(other, folder)| Some((other, folder.as_ref()?)));
        config.create && path.is_within(&config.folder) && !rivals.any(comes_first)
    }

    /// Tickets that are to become objects of this remote, parents before their children.
    pub fn new_tickets(&self) -> Vec<Ticket> {
        let taken: BTreeSet<&WsPath> = self.memory.paths.values().collect();
        let is_wanted = |path: &WsPath| match self.tickets.tie(path, self.name()) {
            Some(tie) => tie == Tie::New,
            None => self.is_home_of(path) && !self.is_elsewhere(path),
        };
        let is_fit = |path: &WsPath, snapshot: &Snapshot| {
            kind_of(path, snapshot).is_some_and(|kind| self.is_synced(kind))
                && snapshot.problems.iter().all(|problem| problem.severity == Severity::Warning)
        };
        let read = |path: &WsPath| match self.read(path) {
            Found::Ticket(ticket) if ticket.local.valid && ticket.local.fields.contains_key(&Field::Title) => {
                Some(*ticket)
            }
            _ => None,
        };
        // What costs least is asked first: most files are comments, and most tickets are linked.
        let fit = self.tickets.files.iter().filter(|(path, snapshot)| is_fit(path, snapshot)).map(|(path, _)| path);
        let new = fit.filter(|path| !taken.contains(path) && is_wanted(path));
        let mut fresh: Vec<Ticket> = new.filter_map(read).collect();
        let parents: BTreeMap<String, Option<String>> =
            fresh.iter().map(|ticket| (ticket.path.stem().to_owned(), self.tickets.parent(&ticket.path))).collect();
        let parent = |name: &String| parents.get(name).cloned().flatten();
        let depth = |ticket: &Ticket| {
            std::iter::successors(parent(&ticket.path.stem().to_owned()), parent).take(DEEPEST).count()
        };
        fresh.sort_by_cached_key(depth);
        fresh
    }

    /// Writes links that are missing: after an editor had the file open, after a crash, and where a new file is an object's
    /// ticket that was moved before it was linked.
    fn link_pending(&mut self) -> Result<(), SyncError> {
        for ticket in self.new_tickets() {
            if let Some(id) = self.orphan_like(&ticket) {
                self.memory.paths.insert(id, ticket.path);
            }
        }
        let unlinked: Vec<(String, WsPath)> = self
            .memory
            .paths
            .iter()
            .filter(|(_, path)| self.tickets.files.contains_key(path) && !self.tickets.has_key(path, self.name()))
            .map(|(id, path)| (id.clone(), path.clone()))
            .collect();
        for (id, path) in unlinked {
            let Some(key) = self.tracking.issues.get(&id).map(|issue| issue.key.clone()) else { continue };
            if let Found::Ticket(ticket) = self.read(&path)
                && let Err(error) = self.link(&ticket, &key)
            {
                self.report.deferred.push(Trouble { path: Some(path), reason: error.to_string() });
            }
        }
        self.remember()
    }

    /// A tracked object without a file that says what this ticket says.
    fn orphan_like(&self, ticket: &Ticket) -> Option<String> {
        let fits = |issue: &RemoteIssue| !issue.archived && issue.kind() == ticket.kind;
        let like = |issue: &&RemoteIssue| fits(issue) && self.is_said(&issue.fields, ticket);
        let alone = |issue: &&RemoteIssue| self.locate(&issue.id, &[&issue.key]).is_none();
        self.tracking.issues.values().filter(like).find(alone).map(|issue| issue.id.clone())
    }

    /// Whether a ticket has this title and this body.
    pub fn is_said(&self, fields: &IssueFields, ticket: &Ticket) -> bool {
        let style = plan::style(&self.capabilities);
        [Field::Title, Field::Body].into_iter().all(|field| {
            match (fields.get(&field), ticket.local.fields.get(&field)) {
                (None, Some(ours)) => merge::is_empty(ours),
                (Some(theirs), Some(ours)) => merge::same(field, theirs, ours, style),
                (_, None) => false,
            }
        })
    }

    /// Puts a job into the outbox; answers the entry if it is to be sent now.
    fn schedule(&mut self, job: &Job, limits: &Limits, options: Options) -> Result<Option<OutboxEntry>, SyncError> {
        let (row, now) = (&job.row, self.now());
        if let Some(reason) = &job.refusal {
            return self.refuse(row, reason).map(|()| None);
        }
        if self.is_refused(&row.path) && !options.yes {
            let known = self.outbox.get(&row.path, row.action).map(|entry| entry.state);
            if known != Some(OutboxState::Refused) {
                self.outbox.put(row, OutboxState::Refused, now)?;
            }
            return Ok(None);
        }
        self.memory.refusals.remove(&row.path);
        // What became of it is open: whoever looks for it says when it may be sent again.
        let was_asked = |entry: &&OutboxEntry| entry.intent.is_some_and(|intent| self.sent.contains_key(&intent));
        match self.outbox.get(&row.path, row.action).filter(was_asked).map(|entry| entry.state) {
            Some(OutboxState::Sent) => return Ok(None),
            Some(OutboxState::Held) => {
                self.report.held.push(row.clone());
                return Ok(None);
            }
            _ => {}
        }
        if limits.holds(row.action) {
            self.outbox.put(row, OutboxState::Held, now)?;
            self.report.held.push(row.clone());
            return Ok(None);
        }
        let entry = self.outbox.put(row, OutboxState::Pending, now)?;
        let wait = self.volatile.waits.get(&(row.path.clone(), row.action));
        match wait.and_then(|wait| wait.until(now)) {
            Some(until) if !self.asked => {
                self.report
                    .deferred
                    .push(Trouble { path: Some(row.path.clone()), reason: format!("tried again at {until}") });
                Ok(None)
            }
            _ => Ok(Some(entry)),
        }
    }

    /// Whether what a ticket says was refused, and would be again as far as can be known.
    fn is_refused(&self, path: &WsPath) -> bool {
        let is_recent = |refusal: &&Refusal| self.now().duration_since(refusal.at).unsigned_abs() < REFUSED_FOR;
        let refusal = self.memory.refusals.get(path).filter(is_recent);
        refusal.is_some_and(|refusal| self.cause(path).as_ref() == Some(&refusal.cause))
    }

    /// What a refusal follows from, as far as it is here.
    fn cause(&self, path: &WsPath) -> Option<ContentHash> {
        let files = self.tickets.fingerprint(path, &self.mapping.names)?;
        Some(fingerprint(&(files, &self.sync.parts.config)))
    }

    /// Shows why something cannot be sent; told once.
    fn refuse(&mut self, row: &Row, reason: &str) -> Result<(), SyncError> {
        let entry = self.outbox.put(row, OutboxState::Refused, self.now())?;
        if entry.last_error.as_deref() != Some(reason) {
            self.outbox.set(entry.id, OutboxState::Refused, Some(reason))?;
            self.report.refused.push(Trouble { path: Some(row.path.clone()), reason: reason.to_owned() });
        }
        Ok(())
    }

    /// Sends one job. Only what concerns the remote as a whole ends the cycle.
    fn send(&mut self, job: &Job, entry: &OutboxEntry) -> Result<(), SyncError> {
        let outcome = match (job.row.action, &job.id) {
            (Action::Create, _) => self.create(entry),
            (Action::Update, Some(id)) => self.update(id, entry),
            (Action::Archive, Some(id)) => self.archive(id, entry),
            (Action::Comment, Some(id)) => self.comment(id, entry),
            (Action::Edit, Some(id)) => self.edit_comment(id, entry),
            (Action::Delete, Some(id)) => self.delete_comment(id, entry),
            _ => Ok(()),
        };
        match outcome {
            Err(SyncError::Remote(error)) => self.failed(job, entry, error),
            other => other,
        }
    }

    /// Notes a failure that concerns one object; what concerns the whole remote ends the cycle.
    pub fn only_this(&mut self, path: Option<&WsPath>, error: RemoteError) -> Result<(), SyncError> {
        if concerns_all(&error) {
            return Err(error.into());
        }
        self.report.deferred.push(Trouble { path: path.cloned(), reason: error.to_string() });
        Ok(())
    }

    fn failed(&mut self, job: &Job, entry: &OutboxEntry, error: RemoteError) -> Result<(), SyncError> {
        let (row, text) = (&job.row, error.to_string());
        let trouble = Trouble { path: Some(row.path.clone()), reason: text.clone() };
        match error {
            error if concerns_all(&error) => {
                let is_open = entry.intent.is_some_and(|intent| self.sent.contains_key(&intent));
                let state = match error {
                    RemoteError::Offline { .. } if !is_open => OutboxState::Pending,
                    _ => self.outbox.get(&row.path, row.action).map_or(OutboxState::Pending, |entry| entry.state),
                };
                self.outbox.set(entry.id, state, Some(&text))?;
                return Err(error.into());
            }
            RemoteError::NotFound { .. } | RemoteError::Invalid { .. } => {
                self.outbox.set(entry.id, OutboxState::Refused, Some(&text))?;
                if let RemoteError::Invalid { field: Some(field), .. } = error {
                    self.outbox.put(&Row { what: vec![field], ..row.clone() }, OutboxState::Refused, self.now())?;
                }
                if let Some(cause) = self.cause(&row.path) {
                    self.memory.refusals.insert(row.path.clone(), Refusal { cause, at: self.now() });
                }
                if let Some(intent) = entry.intent {
                    self.change_intent(intent, None);
                }
                self.report.refused.push(trouble);
            }
            _ => {
                let state = self.outbox.get(&row.path, row.action).map_or(OutboxState::Sent, |entry| entry.state);
                self.outbox.set(entry.id, state, Some(&text))?;
                let wait = backoff::delay(entry.attempts + 1, seed(row.path.as_str()));
                let wait = Wait::new(self.now(), wait);
                self.volatile.waits.insert((row.path.clone(), row.action), wait);
                self.report.deferred.push(trouble);
            }
        }
        Ok(())
    }
}

/// Whether every other request would fail in the same way.
fn concerns_all(error: &RemoteError) -> bool {
    matches!(error, RemoteError::Offline { .. } | RemoteError::RateLimited { .. } | RemoteError::Unauthorized { .. })
}

/// Writes beyond these are held.
struct Limits {
    removals: bool,
    changes: bool,
}

impl Limits {
    /// When there are too many of a kind, all of them are held: which of them are meant is a person's to say.
    fn of(jobs: &[Job], cycle: &Cycle<'_>, options: Options) -> Self {
        let limits = &cycle.sync.parts.limits;
        let changes = jobs.iter().filter(|job| job.refusal.is_none());
        let removals = changes.clone().filter(|job| job.row.action.is_removal()).count();
        Self {
            removals: !options.yes && removals > limits.max_removals,
            changes: !options.yes && changes.count() > limits.max_changes,
        }
    }

    fn holds(&self, action: Action) -> bool {
        self.changes || (self.removals && action.is_removal())
    }
}
