//! A network between a provider's users and a simulated tracker that does its worst: it drops, delays, repeats and reorders,
//! and fails before or after the effect. Whatever a tracker cannot undo it does not do: no create is carried out twice by it.

use crate::world::Hands;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use trackfs::{
    domain::{
        Clock, Timestamp,
        issue::{Capabilities, IssueFields, ObjectKind, RemoteComment, RemoteIssue},
    },
    remote::{Lost, Page, PageToken, Patch, Provider, RemoteError, Search, simulator::Simulator},
};
use uuid::Uuid;

/// Numbers that are the same for the same seed (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((x ^ (x >> 31)) % bound as u64).unwrap()
    }

    pub fn pick<'t, T>(&mut self, of: &'t [T]) -> Option<&'t T> {
        if of.is_empty() { None } else { of.get(self.below(of.len())) }
    }
}

/// What becomes of a request.
enum Fate {
    Answered,
    /// Nothing happens, and the error says so or does not.
    Fails(RemoteError),
    /// It is carried out, and then this comes back.
    FailsAfter(RemoteError),
    /// It is carried out when its sender has long given up.
    Late,
    Twice,
}

/// How long a listing may not show what was made.
const LAG: i64 = 60;

type Request = Box<dyn FnOnce(&Simulator) + Send>;

pub struct Storm {
    pub inner: Arc<Simulator>,
    idempotent: bool,
    clock: Arc<Hands>,
    dice: Mutex<Dice>,
    raging: AtomicBool,
    late: Mutex<Vec<(Timestamp, Request)>>,
    /// When each issue was made, by id.
    made: Mutex<BTreeMap<String, Timestamp>>,
    /// What listings last said.
    listed: Mutex<BTreeMap<String, RemoteIssue>>,
}

impl Storm {
    pub fn over(inner: Arc<Simulator>, seed: u64, clock: Arc<Hands>) -> Self {
        let idempotent = inner.capabilities().unwrap().idempotent_create;
        Self {
            inner,
            idempotent,
            clock,
            dice: Mutex::new(Dice(seed)),
            raging: AtomicBool::new(true),
            late: Mutex::default(),
            made: Mutex::default(),
            listed: Mutex::default(),
        }
    }

    /// From now on everything is answered. What was under way arrives.
    pub fn calm(&self) {
        self.raging.store(false, Ordering::SeqCst);
        for (_, request) in std::mem::take(&mut *self.late.lock().unwrap()) {
            request(&self.inner);
        }
    }

    fn below(&self, bound: usize) -> usize {
        self.dice.lock().unwrap().below(bound)
    }

    fn after(&self, seconds: i64) -> Timestamp {
        self.clock.now().checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap()
    }

    /// What was under way arrives, when it is its time.
    pub fn arrive(&self) {
        let now = self.clock.now();
        let (due, rest) = std::mem::take(&mut *self.late.lock().unwrap()).into_iter().partition(|(at, _)| *at <= now);
        *self.late.lock().unwrap() = rest;
        let due: Vec<(Timestamp, Request)> = due;
        for (at, request) in due {
            request(&self.inner);
            self.note_made(at);
        }
    }

    fn error(&self) -> RemoteError {
        let remote = "storm".to_owned();
        match self.below(3) {
            0 => RemoteError::Ambiguous { remote, reason: "timed out".into() },
            1 => RemoteError::Server { remote, reason: "HTTP 500".into() },
            _ => RemoteError::RateLimited { remote, wait: Duration::from_secs(5) },
        }
    }

    fn fate(&self, is_write: bool, may_be_late: bool, repeatable: bool) -> Fate {
        self.arrive();
        if !self.raging.load(Ordering::SeqCst) {
            return Fate::Answered;
        }
        match self.below(100) {
            0..8 => Fate::Fails(RemoteError::Offline { remote: "storm".into(), reason: "no route".into() }),
            8..12 => Fate::Fails(self.error()),
            12..28 if is_write => Fate::FailsAfter(self.error()),
            28..36 if may_be_late => Fate::Late,
            36..46 if repeatable => Fate::Twice,
            _ => Fate::Answered,
        }
    }

    fn read<T>(&self, act: impl FnOnce(&Simulator) -> Result<T, RemoteError>) -> Result<T, RemoteError> {
        match self.fate(false, false, false) {
            Fate::Fails(error) => Err(error),
            _ => act(&self.inner),
        }
    }

    fn write<T>(
        &self,
        may_be_late: bool,
        repeatable: bool,
        act: impl Fn(&Simulator) -> Result<T, RemoteError> + Send + 'static,
    ) -> Result<T, RemoteError> {
        match self.fate(true, may_be_late, repeatable) {
            Fate::Answered => act(&self.inner),
            Fate::Fails(error) => Err(error),
            Fate::FailsAfter(error) => act(&self.inner).and(Err(error)),
            Fate::Twice => act(&self.inner).and_then(|_| act(&self.inner)),
            Fate::Late => {
                let due = self.after(10 + i64::try_from(self.below(80)).unwrap());
                self.late.lock().unwrap().push((due, Box::new(move |simulator| drop(act(simulator)))));
                Err(RemoteError::Ambiguous { remote: "storm".into(), reason: "timed out".into() })
            }
        }
    }

    fn note_made(&self, at: Timestamp) {
        let mut made = self.made.lock().unwrap();
        for issue in self.inner.issues() {
            made.entry(issue.id).or_insert(at);
        }
    }

    /// What a lagging index says: in another order, some things twice, some as they were, some not yet.
    fn disordered(&self, issues: Vec<RemoteIssue>) -> Vec<RemoteIssue> {
        let mut listed = self.listed.lock().unwrap();
        let mut said = Vec::new();
        for issue in issues {
            let before = listed.insert(issue.id.clone(), issue.clone());
            match self.below(10) {
                0 => {}
                1 => said.extend([issue.clone(), issue]),
                2 | 3 => said.push(before.unwrap_or(issue)),
                _ => said.push(issue),
            }
            let (last, other) = (said.len().saturating_sub(1), self.below(said.len().max(1)));
            if last > 0 {
                said.swap(last, other);
            }
        }
        said
    }
}

impl Provider for Storm {
    fn capabilities(&self) -> Result<Capabilities, RemoteError> {
        self.inner.capabilities()
    }

    fn account(&self) -> Result<String, RemoteError> {
        self.inner.account()
    }

    fn changed_since(&self, since: Option<&str>, page: Option<&PageToken>) -> Result<Page, RemoteError> {
        let answer = self.read(|simulator| simulator.changed_since(since, page))?;
        if !self.raging.load(Ordering::SeqCst) {
            return Ok(answer);
        }
        Ok(Page { issues: self.disordered(answer.issues), ..answer })
    }

    fn fetch(&self, id: &str) -> Result<Option<RemoteIssue>, RemoteError> {
        self.read(|simulator| simulator.fetch(id))
    }

    fn create(&self, intent: Uuid, kind: ObjectKind, fields: &IssueFields) -> Result<RemoteIssue, RemoteError> {
        let fields = fields.clone();
        let made = self.write(true, self.idempotent, move |simulator| simulator.create(intent, kind, &fields));
        self.note_made(self.clock.now());
        made
    }

    fn find_created(&self, lost: &Lost<'_>) -> Result<Search, RemoteError> {
        let found = self.read(|simulator| simulator.find_created(lost))?;
        let shows = |issue: &RemoteIssue| {
            let made = self.made.lock().unwrap().get(&issue.id).copied();
            self.idempotent || made.is_none_or(|made| made <= self.after(-LAG))
        };
        match found {
            Search::Found(issue) if self.raging.load(Ordering::SeqCst) && !shows(&issue) => Ok(Search::Nothing),
            found => Ok(found),
        }
    }

    fn update(&self, id: &str, patch: &Patch) -> Result<RemoteIssue, RemoteError> {
        let (id, patch) = (id.to_owned(), patch.clone());
        self.write(false, true, move |simulator| simulator.update(&id, &patch))
    }

    fn archive(&self, id: &str) -> Result<(), RemoteError> {
        let id = id.to_owned();
        self.write(false, true, move |simulator| simulator.archive(&id))
    }

    fn comment(&self, issue: &str, intent: Uuid, body: &str) -> Result<RemoteComment, RemoteError> {
        let (issue, body) = (issue.to_owned(), body.to_owned());
        self.write(true, self.idempotent, move |simulator| simulator.comment(&issue, intent, &body))
    }

    fn find_comment(&self, issue: &str, lost: &Lost<'_>) -> Result<Option<RemoteComment>, RemoteError> {
        self.read(|simulator| simulator.find_comment(issue, lost))
    }

    fn edit_comment(&self, issue: &str, comment: &str, body: &str) -> Result<RemoteComment, RemoteError> {
        let (issue, comment, body) = (issue.to_owned(), comment.to_owned(), body.to_owned());
        self.write(false, true, move |simulator| simulator.edit_comment(&issue, &comment, &body))
    }

    fn delete_comment(&self, issue: &str, comment: &str) -> Result<(), RemoteError> {
        let (issue, comment) = (issue.to_owned(), comment.to_owned());
        self.write(false, true, move |simulator| simulator.delete_comment(&issue, &comment))
    }
}
