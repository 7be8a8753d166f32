//! Full text: keeps `search.db` in step with what settles, and answers `trackfs search` and the words of queries.

use super::{Engine, bell::Bell, memory, report::SearchReport};
use crate::{
    domain::{
        document::Document,
        path::WsPath,
        query::Query,
        snapshot,
        texts::{self, MARKS, Words},
    },
    workspace::{
        root::Root,
        store::{Found, Store, Text, Texts},
    },
};
use anyhow::{Context, bail};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    fmt,
    io::Read,
    path::Path,
    sync::Arc,
    time::Duration,
};

/// Files that are taken over in one transaction.
const BATCH: usize = 500;
/// Bytes of a file that are searched.
const MAX_TEXT: u64 = 1 << 20;
/// Answers that are kept.
const KEPT: usize = 64;
/// How long the thread waits for more: a save must not wait for it.
const PAUSE: Duration = Duration::from_millis(200);

/// What is written in the workspace.
pub(super) struct Search {
    texts: Texts,
    store: Arc<Store>,
    root: Arc<Root>,
    /// Whoever takes files over.
    taking_over: Mutex<()>,
    /// Which tickets have the words that views ask for again and again.
    known: Mutex<HashMap<Words, Arc<HashSet<WsPath>>>>,
    bell: Bell,
}

impl Search {
    pub fn open(state: &Path, store: &Arc<Store>, root: &Arc<Root>) -> anyhow::Result<Self> {
        let texts = Texts::open(state, store).context("search.db cannot be opened")?;
        let (store, root) = (store.clone(), root.clone());
        Ok(Self { texts, store, root, taking_over: Mutex::default(), known: Mutex::default(), bell: Bell::default() })
    }

    /// Takes over every file that has settled; answers how many there were. `goes_on` is asked after each batch.
    pub fn take_over(&self, goes_on: impl Fn() -> bool) -> anyhow::Result<usize> {
        let _one_at_a_time = self.taking_over.lock();
        let mut taken = 0;
        loop {
            let due = self.store.unsearched(BATCH)?;
            if due.is_empty() {
                return Ok(taken);
            }
            taken += due.len();
            let files: Result<Vec<_>, _> = due.iter().map(|(_, path)| Ok((path.clone(), self.read(path)?))).collect();
            self.texts.put(&files.map_err(|error: anyhow::Error| error.context("a text cannot be searched"))?)?;
            self.known.lock().clear();
            let notes: Vec<_> = due.into_iter().map(|(note, _)| note).collect();
            self.store.searched(&notes)?;
            if !goes_on() {
                return Ok(taken);
            }
        }
    }

    /// What a file says, if it is one that is searched and is there.
    fn read(&self, path: &WsPath) -> anyhow::Result<Option<Text>> {
        let Some(file) = self.store.snapshot(path)? else { return Ok(None) };
        if !snapshot::is_text(&file.kind, path) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        if let Err(error) = self.root.open_file(path).and_then(|opened| opened.take(MAX_TEXT).read_to_end(&mut bytes)) {
            // The others are not held up. One that is gone by now settles again.
            tracing::debug!("{path} cannot be searched: {error}");
            return Ok(None);
        }
        let document = Document::parse(&bytes);
        let before = &bytes[..bytes.len() - document.body().len()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let body = String::from_utf8_lossy(document.body()).replace(MARKS, " ");
        Ok(Some(Text { kind: file.kind, title: file.title, body, line }))
    }
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").finish_non_exhaustive()
    }
}

impl texts::Texts for Search {
    fn having(&self, words: &Words) -> Arc<HashSet<WsPath>> {
        if let Some(known) = self.known.lock().get(words) {
            return known.clone();
        }
        let found = self.texts.tickets(words).unwrap_or_else(|error| {
            tracing::warn!("search.db does not answer: {error}");
            HashSet::new()
        });
        let found = Arc::new(found);
        let mut known = self.known.lock();
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(words.clone(), found.clone());
        found
    }
}

impl Engine {
    /// What is written; not yet in step with what settled last.
    pub(super) fn texts(&self) -> anyhow::Result<Arc<Search>> {
        self.search.get(|| Search::open(&self.at.state, &self.store, &self.root))
    }

    /// Something has settled.
    pub(super) fn wake_search(&self) {
        self.search.if_open().iter().for_each(|search| search.bell.ring());
    }

    pub(super) fn stop_search(&self) {
        self.search.if_open().iter().for_each(|search| search.bell.stop());
    }

    /// Keeps the texts in step, whenever something has settled, until [`Engine::stop_search`]. The first time waits for the
    /// index to be whole, which is needed more.
    pub(super) fn keep_searchable(&self, search: &Search) {
        let work = || {
            if self.is_caught_up() && self.take_over(search, || !search.bell.is_stopped())? >= BATCH {
                memory::give_back();
            }
            Ok(())
        };
        search.bell.answer(PAUSE, work, "new texts are not found yet");
    }

    /// Brings the words that a query asks for in step.
    pub(super) fn ready_for(&self, query: &Query) -> anyhow::Result<()> {
        let sought = query.sought();
        if !sought.all.is_empty() || !sought.none.is_empty() {
            self.take_over(&*self.texts()?, || true)?;
        }
        Ok(())
    }

    /// As [`Search::take_over`]; views that ask for words look again.
    fn take_over(&self, search: &Search, goes_on: impl Fn() -> bool) -> anyhow::Result<usize> {
        let taken = search.take_over(goes_on)?;
        if taken > 0 {
            self.shelf.texts_changed();
        }
        Ok(taken)
    }

    /// Files in which the words stand, the best first, so many at most. What else is asked for is asked of the ticket that a
    /// file is, or is a comment on.
    pub(super) fn search(&self, text: &str, at_most: usize) -> anyhow::Result<SearchReport> {
        let query = self.parse(text)?;
        let sought = query.sought();
        if sought.all.is_empty() {
            bail!("no word to look for: say one (`trackfs search login status:todo`); `trackfs list` needs none");
        }
        // What was saved is found.
        self.settler.settle_now()?;
        self.ready_for(&query)?;
        let search = self.texts()?;
        let mut found = match query.without_words() {
            None => search.texts.find(&sought, at_most.saturating_add(1))?,
            Some(rest) => self.those_of(search.texts.find(&sought, usize::MAX)?, &rest, at_most.saturating_add(1)),
        };
        let more = found.len() > at_most;
        found.truncate(at_most);
        Ok(SearchReport { hits: search.texts.excerpts(&sought, &found)?, more })
    }

    /// The files of tickets that are asked for, so many at most.
    fn those_of(&self, found: Vec<Found>, query: &Query, at_most: usize) -> Vec<Found> {
        let (catalog, moment) = (self.catalog(), self.moment());
        let is_meant = |found: &Found| {
            let card = found.ticket.as_ref().and_then(|ticket| catalog.get(ticket));
            card.is_some_and(|card| query.holds(&catalog, card, &moment))
        };
        found.into_iter().filter(is_meant).take(at_most).collect()
    }
}
