//! One pass: the touched paths are looked at together, so that what moved is seen at both ends.

use super::{
    EXTERNAL, Settler, meaning,
    moves::{Moves, Vanished},
    queue::{Touch, Touched},
    reading::{self, Bytes, Content},
};
use crate::{
    domain::{
        event::{Change, Event},
        layout::Kind,
        op::Actor,
        path::WsPath,
        schema::{DEFAULT_SCHEMA, Schema},
        snapshot::{ContentHash, Snapshot},
    },
    workspace::{
        ignored::{GITIGNORE, Ignored},
        root::Stat,
        store::{Known, Settled, StoreError},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

/// Whether what is not quiet yet may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    WhenQuiet,
    Now,
}

/// What a pass made durable.
#[derive(Default)]
pub(super) struct Outcome {
    pub events: Vec<Event>,
    /// Whether there is something new to commit.
    pub edited: bool,
    /// What is in the index anew.
    pub paths: Vec<WsPath>,
}

/// A file as it is now.
pub(super) struct Found {
    pub snapshot: Snapshot,
    /// Where it was renamed from.
    pub origin: Option<WsPath>,
    pub empty: bool,
    stat: Option<Stat>,
}

enum Look {
    Found(Box<Found>),
    /// Nothing that is versioned stands here.
    Gone,
    /// Nothing stands here; it must stay so until then to count as removed.
    Missing(Instant),
    /// Somebody is at it: look again then.
    Later(Instant),
}

/// A touched path with all that is needed to judge it.
struct Case {
    touch: Touch,
    known: Known,
    look: Look,
}

impl Case {
    /// Whether the path is judged now, and not looked at once more.
    fn is_seen(&self) -> bool {
        matches!(self.look, Look::Found(_) | Look::Gone)
    }
}

pub(super) struct Pass<'s> {
    settler: &'s Settler,
    haste: Haste,
    schema: Arc<Schema>,
    ignored: Ignored<'s>,
}

impl<'s> Pass<'s> {
    pub fn new(settler: &'s Settler, haste: Haste) -> Self {
        Self { settler, haste, schema: settler.schema(), ignored: Ignored::new(&settler.root) }
    }

    pub fn run(mut self, touched: Touched) -> Result<Outcome, StoreError> {
        self.settler.adopt_touched(&touched)?;
        let mut touched = self.expand(touched)?;
        self.reload(&mut touched)?;
        let noted = self.settler.root.saves().turn();
        let cases = self.look_at_all(touched)?;
        let seen: BTreeSet<WsPath> =
            cases.iter().filter(|(_, case)| case.is_seen()).map(|(path, _)| path.clone()).collect();
        let settled = self.judge(cases)?;
        let at = self.settler.clock.now();
        let events = self.settler.store.put_settled(at, &settled)?;
        if let Err(error) = self.settler.root.saves_settled(&seen, noted, self.haste == Haste::WhenQuiet) {
            tracing::warn!(%error, "notes about saves stay; the next start looks at them");
        }
        if let Err(error) = self.follow(&settled) {
            // What settled is durable and must be told of; the next scan finds what was to follow.
            tracing::error!(%error, "what follows from a change of rules has to wait");
        }
        let edited = settled.iter().any(|settled| settled.edited);
        Ok(Outcome { events, edited, paths: settled.into_iter().map(|settled| settled.path).collect() })
    }

    /// Adds what differs below touched folders, and below names where a folder may have been.
    fn expand(&self, touched: Touched) -> Result<Touched, StoreError> {
        let mut all = touched.clone();
        for (path, touch) in touched {
            let is_file = self.settler.root.stat(&path).is_ok_and(|stat| !stat.is_dir());
            // One that stands where a folder was says nothing of the files that were in it.
            if is_file && !self.settler.store.has_below(&path)? {
                continue;
            }
            self.settler.differing(&path, |below| {
                all.entry(below).or_insert_with(|| touch.clone());
            })?;
        }
        Ok(all)
    }

    /// Takes over a changed schema before anything is read, and then reads everything again that it says something of.
    fn reload(&mut self, touched: &mut Touched) -> Result<(), StoreError> {
        let path = meaning::schema_path();
        let Some(touch) = touched.get(&path).cloned() else { return Ok(()) };
        let Some(bytes) = self.settler.root.read(&path).ok() else { return Ok(()) };
        if self.settler.store.known(&path)?.content == Some(ContentHash::of(&bytes)) {
            return Ok(());
        }
        let yaml = String::from_utf8_lossy(&bytes);
        if let Ok(schema) = Schema::parse(&path, &yaml) {
            self.schema = self.settler.take_over(schema, &yaml)?;
            for path in self.settler.schematic()? {
                touched.entry(path).or_insert_with(|| touch.clone());
            }
        }
        Ok(())
    }

    /// What these files mean for others: a schema that is gone for all tickets, changed rules for what they left out, a
    /// new ticket for what stands in its folder already.
    fn follow(&self, settled: &[Settled]) -> Result<(), StoreError> {
        let schema = meaning::schema_path();
        if let Some(gone) = settled.iter().find(|settled| settled.path == schema && settled.now.is_none()) {
            self.settler.take_over(Schema::default(), DEFAULT_SCHEMA)?;
            self.settler.schematic()?.iter().for_each(|ticket| self.settler.touch(ticket, &gone.actor));
        }
        if settled.iter().any(|settled| settled.path.file_name() == GITIGNORE) {
            self.settler.touch_differing()?;
        }
        for (folder, actor) in settled.iter().filter_map(new_ticket_folder) {
            for (below, _) in self.settler.store.snapshots_under(&folder)? {
                self.settler.touch(&below, actor);
            }
        }
        Ok(())
    }

    fn look_at_all(&mut self, touched: Touched) -> Result<BTreeMap<WsPath, Case>, StoreError> {
        let mut cases = BTreeMap::new();
        for (path, touch) in touched {
            if meaning::is_scratch(&path) {
                continue;
            }
            let known = self.settler.store.known(&path)?;
            let look = catch_unwind(AssertUnwindSafe(|| self.look(&path, &touch, &known)));
            let look = match look.unwrap_or_else(|_| self.failed_at(&path, &known)) {
                Ok(look) => look,
                Err(error) => {
                    // Not readable is not gone: what is known stays as it is until somebody touches it again.
                    tracing::warn!(%path, %error, "cannot be read");
                    continue;
                }
            };
            cases.insert(path, Case { touch, known, look });
        }
        Ok(cases)
    }

    fn look(&mut self, path: &WsPath, touch: &Touch, known: &Known) -> io::Result<Look> {
        let stat = match self.settler.root.stat(path) {
            Err(error) if is_absent(&error) => return Ok(self.absent(touch)),
            stat => stat?,
        };
        if !stat.is_file() && !stat.is_symlink() {
            return Ok(self.absent(touch));
        }
        if known.content.is_none() && self.ignored.file(path) {
            return Ok(Look::Gone);
        }
        let wait = self.after(touch, self.settler.config.open_ms);
        if !touch.saved && wait > Instant::now() && self.settler.root.gate().writers(stat.dev, stat.ino) > 0 {
            return Ok(Look::Later(wait));
        }
        match reading::read(&self.settler.root, path, self.haste == Haste::Now) {
            Err(error) if is_absent(&error) => Ok(self.absent(touch)),
            Err(error) => Err(error),
            Ok(None) => Ok(self.soon()),
            Ok(Some(content)) => match self.settler.merged(path, touch, content)? {
                None => Ok(self.soon()),
                Some(content) => Ok(Look::Found(Box::new(self.found(path, known, content)?))),
            },
        }
    }

    /// A defect of trackfs that this file brought out is shown at it, and costs no other file anything.
    fn failed_at(&self, path: &WsPath, known: &Known) -> io::Result<Look> {
        tracing::error!(%path, "trackfs failed at this file");
        self.settler.root.buffers().settled(path);
        let Some(Content { bytes, stat, .. }) = reading::read(&self.settler.root, path, true)? else {
            return Ok(self.soon());
        };
        let content = match bytes {
            Bytes::Whole(bytes) | Bytes::Link(bytes) => ContentHash::of(&bytes),
            Bytes::TooLarge(identity) => identity,
        };
        let was = known.snapshot.as_ref();
        let kind = meaning::kind(&self.settler.root, path, b"", known.kind());
        let snapshot = meaning::failed_at(path, kind, content, &stat, was);
        Ok(Look::Found(Box::new(Found { snapshot, origin: None, empty: false, stat: Some(stat) })))
    }

    fn soon(&self) -> Look {
        Look::Later(Instant::now() + Duration::from_millis(self.settler.config.quiet_ms))
    }

    fn absent(&self, touch: &Touch) -> Look {
        let until = self.after(touch, self.settler.config.removal_ms);
        if until > Instant::now() { Look::Missing(until) } else { Look::Gone }
    }

    /// When a path touched so has been quiet for that long; never in the future when there is haste.
    fn after(&self, touch: &Touch, milliseconds: u64) -> Instant {
        match self.haste {
            Haste::Now => touch.last,
            Haste::WhenQuiet => touch.last + Duration::from_millis(milliseconds),
        }
    }

    fn found(&self, path: &WsPath, known: &Known, content: Content) -> io::Result<Found> {
        let root = &self.settler.root;
        let origin = if known.content.is_none() { self.settler.queue.origin(path) } else { None };
        let before = match (&known.snapshot, &origin) {
            (Some(snapshot), _) => Some(snapshot.clone()),
            (None, Some(origin)) => self.settler.store.snapshot(origin).map_err(io::Error::other)?,
            (None, None) => None,
        };
        let was = known.kind().or(before.as_ref().map(|snapshot| &snapshot.kind));
        let (snapshot, empty) = match &content.bytes {
            Bytes::Whole(bytes) => {
                let kind = meaning::kind(root, path, bytes, was);
                let executable = content.stat.is_executable();
                (meaning::read(path, kind, bytes, executable, &self.schema, before.as_ref()), bytes.is_empty())
            }
            Bytes::Link(target) => (meaning::read(path, Kind::Other, target, false, &self.schema, None), false),
            Bytes::TooLarge(hash) => {
                let kind = meaning::kind(root, path, b"", was);
                (meaning::too_large(path, kind, hash.clone(), &content.stat, before.as_ref()), false)
            }
        };
        let may_be_held = (self.settler.may_hold)(path, content.stat.is_symlink());
        let snapshot = if may_be_held { snapshot } else { meaning::not_for_history(path, snapshot) };
        Ok(Found { snapshot, origin, empty, stat: content.telling.then_some(content.stat) })
    }

    /// Decides what every case means. What has to wait is put back into the queue.
    fn judge(&self, cases: BTreeMap<WsPath, Case>) -> Result<Vec<Settled>, StoreError> {
        let moves = self.moves(&cases)?;
        let sources: BTreeSet<&WsPath> = moves.values().map(|(from, _)| from).collect();
        let mut settled = Vec::new();
        for (path, case) in cases.into_iter().filter(|(path, _)| !sources.contains(path)) {
            match case.look {
                Look::Later(due) => self.settler.queue.put_back(path, case.touch, due),
                Look::Missing(due) if case.known.is_some() => self.settler.queue.put_back(path, case.touch, due),
                // An index that has it all the same is older than the journal.
                Look::Missing(_) => settled.extend(self.removed(path, case.touch.actor, &case.known)),
                Look::Gone => {
                    self.settler.root.buffers().settled(&path);
                    settled.extend(self.removed(path, case.touch.actor, &case.known));
                }
                Look::Found(found) => match moves.get(&path) {
                    Some((from, old)) => settled.extend(self.moved(path, case.touch.actor, from, old, *found)),
                    None => settled.push(self.updated(path, case.touch.actor, &case.known, *found)),
                },
            }
        }
        Ok(settled)
    }

    fn moves(&self, cases: &BTreeMap<WsPath, Case>) -> Result<Moves, StoreError> {
        let new = cases.iter().filter(|(_, case)| !case.known.is_some()).filter_map(|(path, case)| match &case.look {
            Look::Found(found) => Some((path, &**found)),
            _ => None,
        });
        let new: Vec<_> = new.collect();
        if new.is_empty() { Ok(Moves::new()) } else { Ok(self.vanished(cases)?.pair(&new)) }
    }

    /// Known files that are missing: of this pass, and of those that still wait for their removal to be sure.
    fn vanished(&self, cases: &BTreeMap<WsPath, Case>) -> Result<Vanished, StoreError> {
        let mut vanished = Vanished::default();
        for (path, case) in cases {
            if let (Look::Gone | Look::Missing(_), Some(snapshot)) = (&case.look, case.known.current()) {
                vanished.insert(path.clone(), snapshot.clone());
            }
        }
        for path in self.expand(self.settler.queue.waiting())?.into_keys() {
            let is_gone = || self.settler.root.stat(&path).is_err_and(|error| is_absent(&error));
            if !cases.contains_key(&path)
                && is_gone()
                && let Some(snapshot) = self.settler.store.known(&path)?.current()
            {
                vanished.insert(path, snapshot.clone());
            }
        }
        Ok(vanished)
    }

    fn removed(&self, path: WsPath, actor: Actor, known: &Known) -> Option<Settled> {
        let content = known.content.as_ref();
        if content.is_none() && known.snapshot.is_none() {
            return None;
        }
        // Without a content its events were told: only the index has to catch up.
        let told_of = content.is_some();
        let changes =
            if told_of { meaning::removal(&self.settler.root, &path, known, &self.schema) } else { Vec::new() };
        let edited = told_of && (self.settler.may_hold)(&path, false);
        Some(Settled { path, now: None, actor, changes, edited })
    }

    fn moved(&self, path: WsPath, actor: Actor, from: &WsPath, old: &Snapshot, mut found: Found) -> Vec<Settled> {
        if old.content == found.snapshot.content {
            // The same bytes say the same; a document that cannot be read still stands for its last valid one.
            let Snapshot { kind, executable, problems, .. } = found.snapshot;
            found.snapshot = Snapshot { kind, executable, problems, ..old.clone() };
        }
        let changes = meaning::moved(from, &path, old, &found.snapshot);
        let edited = !meaning::is_unversioned(&found.snapshot);
        let left = (self.settler.may_hold)(from, false);
        let gone = Settled { path: from.clone(), now: None, actor: actor.clone(), changes: Vec::new(), edited: left };
        vec![gone, Settled { path, now: Some((found.snapshot, found.stat)), actor, changes, edited }]
    }

    fn updated(&self, path: WsPath, actor: Actor, known: &Known, found: Found) -> Settled {
        let Found { snapshot, stat, .. } = found;
        let is_same_kind = |kind: &Kind| *kind == snapshot.kind;
        let (changes, edited) = match (known.current(), &known.content) {
            // Told already, but the index lost it, and with it whether the file could be executed. Where it can, or somebody
            // has touched it since, the commit compares.
            (None, Some(content)) if *content == snapshot.content && known.kind().is_none_or(is_same_kind) => {
                (Vec::new(), snapshot.executable || actor.name != EXTERNAL)
            }
            (None, Some(_)) => (meaning::unknown_edit(&path, known.kind(), &snapshot, &self.schema), true),
            (old, _) => {
                let same = |old: &Snapshot| (&old.content, old.executable) == (&snapshot.content, snapshot.executable);
                (meaning::diff(&path, old, &snapshot), !old.is_some_and(same))
            }
        };
        let edited = edited && !meaning::is_unversioned(&snapshot);
        Settled { path, now: Some((snapshot, stat)), actor, changes, edited }
    }
}

/// The folder of a ticket that was not there before.
fn new_ticket_folder(settled: &Settled) -> Option<(WsPath, &Actor)> {
    let is_new = |change: &Change| matches!(change, Change::TicketCreated { .. } | Change::TicketMoved { .. });
    let folder = settled.changes.iter().any(is_new).then(|| settled.path.parent())??;
    Some((folder.join(settled.path.stem()).ok()?, &settled.actor))
}

/// Whether the error says that nothing of the workspace stands there: no file, or a symlink on the way.
fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory) || error.raw_os_error() == Some(libc::ELOOP)
}
