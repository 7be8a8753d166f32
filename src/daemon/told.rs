//! Which events the messages of commits have told of.

use crate::{
    domain::{
        event::{Change, Event},
        op::Actor,
        path::WsPath,
    },
    workspace::store::{Store, StoreError},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// The note's name in the store's table of single values.
const COMMITTED_THROUGH: &str = "committed_through";
/// Events looked at for one message; beyond that the message says how many files changed.
const MESSAGE_EVENTS: usize = 10_000;
/// Paths that are remembered as left out. Of more, what happened to them before this commit is in no message.
const LEFT: usize = 1000;

/// Where the last commit's events ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    /// Of everything but the paths in `left`, the last event that was told.
    through: u64,
    /// Paths that commits left out, since they were touched again or may not be committed, and the last event of theirs that
    /// was told.
    left: BTreeMap<WsPath, u64>,
}

impl Told {
    /// Everything up to this event.
    pub fn all(through: u64) -> Self {
        Self { through, left: BTreeMap::new() }
    }

    pub fn read(store: &Store) -> Result<Self, StoreError> {
        Ok(store.meta(COMMITTED_THROUGH)?.map_or_else(Self::default, |note| Self::parse(&note)))
    }

    /// A note of an older trackfs is a number alone.
    fn parse(note: &str) -> Self {
        serde_json::from_str(note).unwrap_or_else(|_| Self::all(note.parse().unwrap_or_default()))
    }

    pub fn write(&self, store: &Store) -> Result<(), StoreError> {
        let (key, value) = self.note()?;
        store.set_meta(key, &value)
    }

    /// As it stands in the store: key and value.
    pub fn note(&self) -> Result<(&'static str, String), StoreError> {
        Ok((COMMITTED_THROUGH, serde_json::to_string(self)?))
    }

    /// After a commit of what was known at the event `through`, which left out these paths.
    pub fn after<'p>(&self, through: u64, left_out: impl Iterator<Item = &'p WsPath>) -> Self {
        let since = |path: &WsPath| self.left.get(path).copied().unwrap_or(self.through);
        Self { through, left: left_out.take(LEFT).map(|path| (path.clone(), since(path))).collect() }
    }

    /// What happened to these paths up to the event `through`, and is not told yet, in order.
    pub fn news(&self, store: &Store, through: u64, paths: &[WsPath]) -> Result<Vec<(Actor, Change)>, StoreError> {
        let paths: HashSet<&WsPath> = paths.iter().collect();
        let late = self.left.iter().filter(|(path, _)| paths.contains(path)).map(|(_, since)| *since).min();
        let mut events = Vec::new();
        if let Some(since) = late {
            events = store.events(since, MESSAGE_EVENTS)?;
            events.retain(|event| event.seq <= self.through);
        }
        events.extend(store.events(self.through, MESSAGE_EVENTS)?);
        let is_news = |event: &Event| {
            event.seq <= through
                && event.change.path().is_some_and(|path| paths.contains(path) && self.misses(path, event))
        };
        Ok(events.into_iter().filter(is_news).map(|event| (event.actor, event.change)).collect())
    }

    fn misses(&self, path: &WsPath, event: &Event) -> bool {
        event.seq > self.left.get(path).copied().unwrap_or(self.through)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> WsPath {
        WsPath::new(name).unwrap()
    }

    fn append(store: &Store, names: &[&str]) -> u64 {
        let changes = names.iter().map(|name| Change::BodyChanged { path: path(name) }).collect();
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        store.append(at, &Actor::default(), changes).unwrap().last().unwrap().seq
    }

    fn news(told: &Told, store: &Store, through: u64, names: &[&str]) -> Vec<String> {
        let paths: Vec<_> = names.iter().map(|name| path(name)).collect();
        let news = told.news(store, through, &paths).unwrap();
        news.iter().map(|(_, change)| change.path().unwrap().to_string()).collect()
    }

    #[test]
    fn each_event_of_a_path_is_in_the_message_of_the_commit_that_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let first = append(&store, &["a", "b", "a"]);
        let told = Told::read(&store).unwrap();
        assert_eq!(news(&told, &store, first, &["b"]), ["b"]);
        let told = told.after(first, [path("a")].iter());
        let second = append(&store, &["b", "c"]);
        assert_eq!(news(&told, &store, second, &["b", "c"]), ["b", "c"]);
        let told = told.after(second, [path("a")].iter());
        told.write(&store).unwrap();
        let told = Told::read(&store).unwrap();
        let third = append(&store, &["a", "b"]);
        append(&store, &["a"]);
        assert_eq!(news(&told, &store, third, &["a", "b"]), ["a", "a", "a", "b"], "what is newer belongs to the next");
        assert_eq!(told.after(third, [].iter()), Told::all(third));
    }

    #[test]
    fn a_note_of_an_older_trackfs_is_read() {
        assert_eq!(Told::parse("17"), Told::all(17));
        assert_eq!(Told::parse(&Told::all(3).note().unwrap().1), Told::all(3));
    }
}
