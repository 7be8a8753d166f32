//! Saves in flight, so that a crash in the middle of one leaves the whole old text or the whole new one.
//!
//! Before a save empties a ticket, or makes its file anew, a note says what stood there; it is on disk before the file is
//! touched. It is closed with the save, and goes when the new text is on disk. A start that finds a note looks what
//! became of its save ([`recover`]).

mod note;
mod recover;

pub use note::Before;
pub use recover::{Found, Verdict};

use super::Root;
use crate::{
    domain::{path::WsPath, snapshot::ContentHash},
    fault,
};
use note::{About, Head, Slot, Stage};
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// Longer texts are no tickets; their saves are as safe as the disk makes them.
const TEXT: usize = 4 << 20;
/// Files kept for the next notes.
const SPARE: usize = 64;
/// Files made at once when there is none: to bring them to the disk costs little more than to bring one.
const BATCH: usize = 8;
/// How far the time in a note may lag behind the writes to its file, in milliseconds.
const LAG: u64 = 250;
/// A note that is younger may be of a save that began while its path was looked at, in milliseconds.
const QUIET: u64 = 1000;
/// Files that are synced one by one; for more of them the whole filesystem is.
const ONE_BY_ONE: usize = 4;

/// Device and inode.
pub type FileId = (u64, u64);

/// The saves in flight of one workspace. A leaf: nothing is locked while its lock is held, and no disk is waited for.
#[derive(Default)]
pub struct Saves {
    /// Where notes are kept; `None`: nowhere, and nothing is noted.
    folder: Option<PathBuf>,
    /// How many there are: without any, nobody has to ask.
    active: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The newest of each file.
    notes: HashMap<FileId, Note>,
    /// Tickets that were renamed to a scratch name, as vim does before it makes them anew.
    away: HashMap<WsPath, FileId>,
    spare: Vec<Slot>,
    turn: u64,
    /// Name of the newest slot.
    slots: u64,
}

struct Note {
    path: WsPath,
    before: Before,
    head: Head,
    slot: Slot,
}

/// The note of a file that is not there yet.
pub struct Making {
    note: Note,
    text: Vec<u8>,
}

impl Saves {
    /// Keeps notes in this folder. Those that are there are handed out, newest first; each stays until [`Saves::forget`].
    pub fn open(folder: &Path) -> io::Result<(Self, Vec<Found>)> {
        std::fs::create_dir_all(folder)?;
        let (mut state, mut found) = (State::default(), Vec::new());
        for entry in std::fs::read_dir(folder)? {
            let name = entry?.path();
            let Some(number) = name.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
            state.slots = state.slots.max(number);
            let slot = Slot::open(name)?;
            match slot.read()? {
                Some((head, about, text)) => found.push(Found { head, about, text, slot }),
                None => state.spare.push(slot),
            }
        }
        found.sort_by_key(|found| std::cmp::Reverse(found.head.turn));
        state.turn = found.first().map_or(0, |found| found.head.turn);
        let saves = Self { folder: Some(folder.to_owned()), state: Mutex::new(state), ..Self::default() };
        if saves.with(|state| state.spare.is_empty()) {
            saves.make_slots(folder)?;
        }
        Ok((saves, found))
    }

    /// A note that was handed out has been seen to.
    pub fn forget(&self, found: Found) -> io::Result<()> {
        self.free(found.slot, true)
    }

    /// What stands at a path is about to be replaced through this file. Returns when it can be brought back; of several
    /// writers of one file, what stood there before the first.
    pub fn begin(&self, id: FileId, path: &WsPath, before: Before, text: &[u8]) -> io::Result<()> {
        if self.with(|state| state.notes.get(&id).is_some_and(Note::is_open)) {
            return Ok(());
        }
        let about = About { path: path.clone(), ino: Some(id.1), before };
        let Some(note) = self.write(about, text)? else { return Ok(()) };
        fault::point("save.noted");
        self.keep(id, note)
    }

    /// A file is about to be made where there is none; `text` is of the ticket that was renamed away from there. To be
    /// followed by [`Saves::made`], or [`Saves::not_made`].
    pub fn making(&self, path: &WsPath, text: Option<Vec<u8>>) -> io::Result<Option<Making>> {
        let before = if text.is_some() { Before::Text } else { Before::Nothing };
        let text = text.unwrap_or_default();
        let note = self.write(About { path: path.clone(), ino: None, before }, &text)?;
        Ok(note.map(|note| Making { note, text }))
    }

    /// The file was made.
    pub fn made(&self, making: Making, id: FileId) -> io::Result<()> {
        let Making { mut note, text } = making;
        let about = About { path: note.path.clone(), ino: Some(id.1), before: note.before.clone() };
        note.head = note.slot.write(note.head.turn, now(), &about, &text)?;
        self.came_back(&note.path)?;
        self.keep(id, note)
    }

    pub fn not_made(&self, making: Making) -> io::Result<()> {
        self.free(making.note.slot, false)
    }

    /// trackfs is about to replace the file of this inode (`None`: to make one) by way of a scratch name. To be followed by
    /// [`Saves::not_made`] when that name is gone.
    pub(super) fn replacing(
        &self,
        path: WsPath,
        ino: Option<u64>,
        scratch: WsPath,
        expected: &[u8],
    ) -> io::Result<Option<Making>> {
        let about = About { path, ino, before: Before::Replaced { scratch } };
        let note = self.write(about, ContentHash::of(expected).0.as_bytes())?;
        Ok(note.map(|note| Making { note, text: Vec::new() }))
    }

    /// A note on disk that is nobody's yet; `None` where nothing is noted.
    fn write(&self, about: About, text: &[u8]) -> io::Result<Option<Note>> {
        let Some(folder) = self.folder.as_ref().filter(|_| text.len() <= TEXT) else { return Ok(None) };
        let take = || {
            self.with(|state| {
                let slot = state.spare.pop()?;
                state.turn += 1;
                Some((state.turn, slot))
            })
        };
        let (turn, slot) = loop {
            match take() {
                Some(taken) => break taken,
                None => self.make_slots(folder)?,
            }
        };
        let written = slot.write(turn, now(), &about, text);
        let synced = written.and_then(|head| match about.before {
            Before::Text => slot.sync().map(|()| head),
            Before::Nothing | Before::Away(_) | Before::Replaced { .. } => Ok(head),
        });
        match synced {
            Ok(head) => Ok(Some(Note { path: about.path, before: about.before, head, slot })),
            Err(error) => {
                self.free(slot, false)?;
                Err(error)
            }
        }
    }

    /// A ticket was renamed to a scratch name, and may be made anew in a moment.
    pub fn went_away(&self, id: FileId, path: &WsPath, to: &WsPath) -> io::Result<()> {
        self.begin(id, path, Before::Away(to.clone()), b"")?;
        self.with(|state| state.away.insert(path.clone(), id));
        Ok(())
    }

    /// Where the ticket of this path went.
    pub fn away(&self, path: &WsPath) -> Option<WsPath> {
        if self.is_idle() {
            return None;
        }
        self.with(|state| match &state.notes.get(state.away.get(path)?)?.before {
            Before::Away(to) => Some(to.clone()),
            Before::Nothing | Before::Text | Before::Replaced { .. } => None,
        })
    }

    /// There is a file at this path again.
    pub fn came_back(&self, path: &WsPath) -> io::Result<()> {
        if self.is_idle() {
            return Ok(());
        }
        let note = self.with(|state| state.notes.remove(&state.away.remove(path)?));
        note.map_or(Ok(()), |note| self.free(note.slot, false))
    }

    /// The file is written to.
    pub fn goes_on(&self, id: FileId) {
        if self.is_idle() {
            return;
        }
        self.with(|state| {
            let (note, now) = (state.notes.get_mut(&id), now());
            if let Some(note) = note.filter(|note| note.is_open() && now.abs_diff(note.head.touched) >= LAG) {
                note.head.touched = now;
                // With an older time a torn file stays where it is: no reason to refuse the write.
                let _ = note.slot.write_head(&note.head);
            }
        });
    }

    /// The save is whole: it was closed, or synced. Returns when a start would know.
    pub fn whole(&self, id: FileId, file: impl FnOnce() -> io::Result<File>) -> io::Result<()> {
        if self.is_idle() {
            return Ok(());
        }
        let is_save = |note: &Note| note.is_open() && !matches!(note.before, Before::Away(_));
        let note = self.with(|state| if is_save(state.notes.get(&id)?) { state.notes.remove(&id) } else { None });
        let Some(mut note) = note else { return Ok(()) };
        fault::point("save.closing");
        if note.before == Before::Nothing {
            return self.free(note.slot, false);
        }
        let Ok(stage) = file().and_then(closed) else {
            // What may not be read is taken for whole.
            return self.free(note.slot, true);
        };
        let mut head = note.head.clone();
        head.stage = stage;
        let noted = note.slot.write_head(&head).and_then(|()| note.slot.sync());
        if noted.is_ok() {
            note.head = head;
        }
        fault::point("save.closed");
        self.keep(id, note).and(noted)
    }

    /// Number of the newest note.
    pub fn turn(&self) -> u64 {
        self.with(|state| state.turn)
    }

    /// Whether saves are noted at all.
    pub fn are_noted(&self) -> bool {
        self.folder.is_some()
    }

    fn is_idle(&self) -> bool {
        self.active.load(Ordering::Acquire) == 0
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let answer = work(&mut state);
        self.active.store(state.notes.len(), Ordering::Release);
        answer
    }

    /// Makes this the note of the file, unless there is a newer one.
    fn keep(&self, id: FileId, note: Note) -> io::Result<()> {
        let older = self.with(|state| match state.notes.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(note);
                None
            }
            Entry::Occupied(entry) if entry.get().head.turn > note.head.turn => Some(note),
            Entry::Occupied(mut entry) => Some(entry.insert(note)),
        });
        older.map_or(Ok(()), |older| self.free(older.slot, false))
    }

    fn make_slots(&self, folder: &Path) -> io::Result<()> {
        let names: Vec<PathBuf> = self.with(|state| {
            state.slots += BATCH as u64;
            (state.slots - BATCH as u64..state.slots).map(|number| folder.join((number + 1).to_string())).collect()
        });
        let slots = names.into_iter().map(Slot::create).collect::<io::Result<Vec<_>>>()?;
        rustix::fs::syncfs(File::open(folder)?)?;
        self.with(|state| state.spare.extend(slots));
        Ok(())
    }

    /// Ends a note; for good, when `durable`.
    fn free(&self, slot: Slot, durable: bool) -> io::Result<()> {
        slot.clear()?;
        if durable {
            slot.sync()?;
        }
        let surplus = self.with(|state| {
            state.spare.push(slot);
            if state.spare.len() > SPARE { state.spare.pop() } else { None }
        });
        surplus.map_or(Ok(()), Slot::remove)
    }
}

impl Note {
    fn is_open(&self) -> bool {
        self.head.stage == Stage::Open
    }
}

impl Root {
    /// These paths were looked at after [`Saves::turn`] answered `upto`, and what they hold is known: nothing older will
    /// be brought back. Their notes go, after their files are on disk; that of a save under way only if it was `quiet`.
    pub fn saves_settled(&self, paths: &BTreeSet<WsPath>, upto: u64, quiet: bool) -> io::Result<()> {
        if self.saves.is_idle() {
            return Ok(());
        }
        let is_done = |note: &Note| {
            let is_still = || quiet && now().abs_diff(note.head.touched) > QUIET;
            note.head.turn <= upto && paths.contains(&note.path) && (!note.is_open() || is_still())
        };
        let notes = self.saves.with(|state| {
            let ids: Vec<FileId> = state.notes.iter().filter(|(_, note)| is_done(note)).map(|(id, _)| *id).collect();
            ids.into_iter().filter_map(|id| state.notes.remove(&id)).collect::<Vec<_>>()
        });
        self.sync_files(notes.iter().filter(|note| note.before == Before::Text).map(|note| &note.path))?;
        fault::point("save.settled");
        notes.into_iter().try_for_each(|note| self.saves.free(note.slot, true))
    }

    fn sync_files<'p>(&self, paths: impl Iterator<Item = &'p WsPath> + Clone) -> io::Result<()> {
        if paths.clone().count() > ONE_BY_ONE {
            return Ok(rustix::fs::syncfs(self.fd())?);
        }
        for path in paths {
            match self.open_file(path) {
                Ok(file) => file.sync_all()?,
                // Gone, or not ours to read: then it was not what settled.
                Err(error) => tracing::debug!(%path, %error, "not synced"),
            }
        }
        Ok(())
    }
}

fn closed(mut file: File) -> io::Result<Stage> {
    let stat = super::Stat::from(rustix::fs::fstat(&file)?);
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(Stage::Closed { text: ContentHash::of(&text), mtime: stat.mtime })
}

/// Milliseconds since the epoch. The kernel's clock and not the one that stamps events: it is compared with files' times.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
