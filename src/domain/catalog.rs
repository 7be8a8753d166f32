//! The tickets as views and queries see them, in memory: small, and kept in step one ticket at a time.
//!
//! Whatever text stands for a ticket or refers to one (its name in views, its file's name, its keys, what links to it) is
//! found in one table, so that neither a look-up nor a question about neighbours looks at every ticket.

mod card;
mod relations;

pub use card::{Card, MAX_NAME, Times, legal_name, numbered};

use super::{
    path::WsPath,
    schema::Schema,
    snapshot::Snapshot,
    texts::{Texts, Words},
    view::SavedView,
};
use std::{
    borrow::Borrow,
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// A text that many tickets share.
pub type Word = Arc<str>;

/// Everything that the views show.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Grows with every change.
    version: u64,
    schema: Arc<Schema>,
    /// Names of the user, as tickets have them for their assignee; the first is what is written.
    me: Vec<Word>,
    cards: BTreeSet<ByPath>,
    /// By text: which tickets it stands for, and which refer to it.
    texts: HashMap<Word, Vec<(Role, Arc<Card>)>>,
    shared: Shared,
    /// Who knows what is written in the tickets.
    written: Option<Arc<dyn Texts>>,
    saved: BTreeMap<String, Arc<SavedView>>,
}

/// What a text is to a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The name of its file, without the ending.
    Name,
    /// Its name in views, where that is not the file's.
    Shown,
    /// Its key on a remote.
    Key,
    /// It calls its parent so.
    Parent,
    /// It calls so what it waits for.
    Blocker,
    /// It links so to another.
    Link,
}

impl Catalog {
    pub fn new(schema: Arc<Schema>) -> Self {
        Self { schema, ..Self::default() }
    }

    /// Another number means that something changed.
    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Names of the user, the one that is written first.
    pub fn me(&self) -> &[Word] {
        &self.me
    }

    pub fn set_me(&mut self, names: &[String]) {
        self.me = names.iter().map(|name| self.shared.get(name)).collect();
        self.version += 1;
    }

    /// The saved queries by their names.
    pub fn saved(&self) -> &BTreeMap<String, Arc<SavedView>> {
        &self.saved
    }

    pub fn set_saved(&mut self, saved: BTreeMap<String, Arc<SavedView>>) {
        self.saved = saved;
        self.version += 1;
    }

    /// Who is asked for words from now on.
    pub fn set_texts(&mut self, texts: Arc<dyn Texts>) {
        self.written = Some(texts);
        self.version += 1;
    }

    /// What is written in some tickets has changed.
    pub fn texts_changed(&mut self) {
        self.version += 1;
    }

    /// Whether these words are written in a ticket. Without anybody to ask, no.
    pub fn says(&self, card: &Card, words: &Words) -> bool {
        self.written.as_ref().is_some_and(|texts| texts.having(words).contains(&card.path))
    }

    /// Takes over what a file is: a ticket, a text in the inbox, or (`None`, or anything else) nothing that views show.
    pub fn put(&mut self, path: &WsPath, file: Option<&Snapshot>, times: Times) {
        let was = self.remove(path);
        let Some(file) = file.filter(|file| Card::is_of(file)) else { return };
        let number = was.map_or_else(|| self.free_number(path), |was| was.number());
        let card = Card::new(path, file, times, number, &self.schema, &mut self.shared);
        self.add(Arc::new(card));
    }

    /// Forgets every ticket.
    pub fn clear(&mut self) {
        let Self { version, schema, me, saved, written, .. } = std::mem::take(self);
        *self = Self { version: version + 1, schema, me, saved, written, ..Self::default() };
    }

    /// What is read from now on is read by this schema.
    pub fn set_schema(&mut self, schema: Arc<Schema>) {
        self.schema = schema;
        self.version += 1;
    }

    pub fn get(&self, path: &WsPath) -> Option<&Arc<Card>> {
        self.cards.get(path).map(|found| &found.0)
    }

    /// Ordered by path.
    pub fn cards(&self) -> impl Iterator<Item = &Arc<Card>> {
        self.cards.iter().map(|card| &card.0)
    }

    /// The ticket that has this name in views.
    pub fn shown_as(&self, name: &str) -> Option<&Arc<Card>> {
        let known_as = |text: &str, role: Role| {
            let entries = self.texts.get(text).map_or(&[][..], Vec::as_slice);
            entries.iter().find(|(found, card)| *found == role && card.shown() == name).map(|(_, card)| card)
        };
        let stem = || known_as(name.strip_suffix(".md")?, Role::Name);
        known_as(name, Role::Shown).or_else(stem)
    }

    /// The tickets that a link may mean: those whose file has the name or, if there are none, those with such a key.
    pub fn meant_by(&self, link: &str) -> impl Iterator<Item = &Arc<Card>> {
        meant(self.texts.get(link).map_or(&[][..], Vec::as_slice))
    }

    fn remove(&mut self, path: &WsPath) -> Option<Arc<Card>> {
        self.version += 1;
        let card = self.cards.take(path)?.0;
        for (_, text) in roles(&card) {
            if let Some(entries) = self.texts.get_mut(text) {
                entries.retain(|(_, other)| !Arc::ptr_eq(other, &card));
                if entries.is_empty() {
                    self.texts.remove(text);
                }
            }
        }
        Some(card)
    }

    fn add(&mut self, card: Arc<Card>) {
        for (role, text) in roles(&card) {
            let text = self.shared.get(text);
            self.texts.entry(text).or_insert_with(|| Vec::with_capacity(1)).push((role, card.clone()));
        }
        self.cards.insert(ByPath(card));
        self.shared.sweep();
    }

    /// A number that gives the file a name of its own in views. It keeps it for as long as it is there: a name that
    /// somebody has read never comes to mean another ticket.
    fn free_number(&self, path: &WsPath) -> u32 {
        let is_free = |number: &u32| self.shown_as(&card::shown(path, *number)).is_none();
        let namesakes = self.texts.get(path.stem()).map_or(0, Vec::len) as u32;
        std::iter::once(1).chain(namesakes + 1..).find(is_free).expect("the numbers do not end")
    }
}

/// Of those that one text is something to, the tickets that a link with it may mean.
fn meant(entries: &[(Role, Arc<Card>)]) -> impl Iterator<Item = &Arc<Card>> {
    let role = if entries.iter().any(|(role, _)| *role == Role::Name) { Role::Name } else { Role::Key };
    entries.iter().filter(move |(found, _)| *found == role).map(|(_, card)| card)
}

/// Every text under which a card is found.
fn roles(card: &Card) -> impl Iterator<Item = (Role, &str)> {
    let shown = card.has_own_name().then(|| (Role::Shown, card.shown()));
    std::iter::once((Role::Name, card.path.stem()))
        .chain(shown)
        .chain(card.keys().map(|(_, key)| (Role::Key, key)))
        .chain(card.values("parent").map(|name| (Role::Parent, name)))
        .chain(card.values("blocked_by").map(|name| (Role::Blocker, name)))
        .chain(card.links().map(|name| (Role::Link, name)))
}

/// Texts that are kept once.
#[derive(Debug, Default)]
struct Shared {
    kept: HashSet<Word>,
    /// At this many, those that nobody needs any more go.
    limit: usize,
}

impl Shared {
    fn get(&mut self, text: &str) -> Word {
        match self.kept.get(text) {
            Some(word) => word.clone(),
            None => {
                let word = Word::from(text);
                self.kept.insert(word.clone());
                word
            }
        }
    }

    fn sweep(&mut self) {
        if self.kept.len() > self.limit {
            self.kept.retain(|word| Arc::strong_count(word) > 1);
            self.limit = (self.kept.len() * 2).max(1024);
        }
    }
}

/// A card where its path is looked for.
#[derive(Debug)]
struct ByPath(Arc<Card>);

impl Borrow<WsPath> for ByPath {
    fn borrow(&self) -> &WsPath {
        &self.0.path
    }
}

impl Ord for ByPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.path.cmp(&other.0.path)
    }
}

impl PartialOrd for ByPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByPath {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByPath {}
