//! The tickets in memory, for views and queries: read from the index when somebody first asks, then kept in step, one by one.

use super::Engine;
use crate::{
    domain::{
        catalog::{Catalog, Times},
        layout::Kind,
        path::WsPath,
        query::Moment,
        snapshot::{self, ContentHash, Snapshot},
        view::{self, SavedView},
    },
    workspace::{
        settle::SCHEMA_PATH,
        store::{Store, StoreError},
    },
};
use parking_lot::{MappedRwLockReadGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Tickets that take some twenty megabytes in memory.
const FEW: usize = 20_000;

/// The catalog, and what it has that the index does not have yet.
#[derive(Default)]
pub(super) struct Shelf(RwLock<Held>);

#[derive(Default)]
struct Held {
    catalog: Catalog,
    /// Tickets that a view has changed, until the index has that.
    edited: HashMap<WsPath, Edited>,
    /// Whether the index had every file when the tickets were read from it; `None`: nobody has asked yet.
    filled: Option<bool>,
}

/// What a ticket's file says, and the index does not yet.
struct Edited {
    now: Snapshot,
    times: Times,
    /// What the file was before: as long as the index has one of these, it knows less than we do.
    before: Vec<ContentHash>,
}

impl Held {
    /// Takes over what the index says of a path, unless that is from before a view has changed it.
    fn take_over(&mut self, path: &WsPath, file: Option<&Snapshot>, times: Times) {
        let is_older = |edited: &&Edited| file.is_some_and(|file| edited.before.contains(&file.content));
        match self.edited.get(path).filter(is_older) {
            Some(Edited { now, times, .. }) => self.catalog.put(path, Some(now), *times),
            None => {
                self.edited.remove(path);
                self.catalog.put(path, file, times);
            }
        }
    }

    fn take_over_from(&mut self, store: &Store, path: &WsPath) -> Result<(), StoreError> {
        let file = store.snapshot(path)?;
        // Most of what settles is of no concern to views.
        let times = if file.is_some() { store.times(path)? } else { Times::default() };
        self.take_over(path, file.as_ref(), times);
        Ok(())
    }

    /// A view has made `now` of a file that was `before`.
    #[cfg_attr(not(all(feature = "fuse", target_os = "linux")), allow(dead_code, reason = "only a mount has views"))]
    fn edited(&mut self, path: &WsPath, now: Snapshot, times: Times, before: ContentHash) {
        self.catalog.put(path, Some(&now), times);
        let mut hashes = self.edited.remove(path).map_or_else(Vec::new, |edited| edited.before);
        hashes.push(before);
        self.edited.insert(path.clone(), Edited { now, times, before: hashes });
    }
}

impl Shelf {
    /// Views that ask for words may show other tickets.
    pub fn texts_changed(&self) {
        self.0.write().catalog.texts_changed();
    }
}

impl Engine {
    /// The tickets as they last settled, or as a view has made them since.
    pub(super) fn catalog(&self) -> MappedRwLockReadGuard<'_, Catalog> {
        let whole = self.is_caught_up();
        let is_filled = |held: &Held| held.filled.is_some_and(|was_whole| was_whole || !whole);
        let mut held = self.shelf.0.read();
        if !is_filled(&held) {
            drop(held);
            let mut filling = self.shelf.0.write();
            if !is_filled(&filling)
                && let Err(error) = self.fill(&mut filling, whole)
            {
                tracing::warn!("the views cannot be read from the index: {error}");
            }
            held = RwLockWriteGuard::downgrade(filling);
        }
        RwLockReadGuard::map(held, |held| &held.catalog)
    }

    /// Reads the tickets before somebody asks for them, where they are not so many that their memory would be missed.
    pub(super) fn fill_shelf(&self) {
        if self.is_caught_up() && self.store.ticket_count().is_ok_and(|tickets| tickets <= FEW) {
            drop(self.catalog());
        }
    }

    /// Reads every ticket from the index; once more when that has every file.
    fn fill(&self, held: &mut Held, whole: bool) -> Result<(), StoreError> {
        held.catalog.clear();
        held.catalog.set_schema(self.settler.schema());
        held.catalog.set_me(&self.me());
        held.catalog.set_saved(self.saved_views());
        match self.texts() {
            Ok(texts) => held.catalog.set_texts(texts),
            Err(error) => tracing::warn!("words are looked for in titles only: {error:#}"),
        }
        self.store.each_ticket(|path, file, times| held.take_over(&path, Some(&file), times))?;
        held.filled = Some(whole);
        Ok(())
    }

    /// Takes over what settled. Before somebody asks for the tickets there is nothing to keep in step.
    pub fn reshelve(&self, paths: &[WsPath]) {
        let mut held = self.shelf.0.write();
        if held.filled.is_none() {
            return;
        }
        let has_new_schema = !Arc::ptr_eq(held.catalog.schema(), &self.settler.schema());
        if has_new_schema {
            held.catalog.set_schema(self.settler.schema());
        }
        if has_new_schema || paths.iter().any(|path| view::name_of(path).is_some() || path.as_str() == SCHEMA_PATH) {
            held.catalog.set_saved(self.saved_views());
        }
        for path in paths {
            if let Err(error) = held.take_over_from(&self.store, path) {
                tracing::warn!("the views miss a change of {path}: {error}");
            }
        }
    }

    /// Shows at once what a view has made of a ticket's file: whoever moved a link looks for it where it went.
    #[cfg_attr(not(all(feature = "fuse", target_os = "linux")), allow(dead_code, reason = "only a mount has views"))]
    pub(super) fn show_edited(&self, path: &WsPath, before: &[u8], now: &[u8]) {
        let now = snapshot::read(path, Kind::Ticket, now, false, &self.settler.schema(), None);
        let mut held = self.shelf.0.write();
        let created = held.catalog.get(path).map(|card| card.times.created);
        let updated = self.clock.now();
        let times = Times { created: created.unwrap_or(updated), updated };
        held.edited(path, now, times, ContentHash::of(before));
    }

    /// Another configuration may say another name of the user.
    pub(super) fn rename_me(&self) {
        self.shelf.0.write().catalog.set_me(&self.me());
    }

    /// Names of the user: what they say in git's configuration, else what the workspace's says, else what git knows.
    pub(super) fn me(&self) -> Vec<String> {
        let said = self.repo.said_user().map(|name| name.map_or_else(|| self.config().me.names(), |name| vec![name]));
        let known = said.and_then(|said| if said.is_empty() { self.repo.user() } else { Ok(said) });
        known.unwrap_or_else(|error| {
            tracing::warn!("git does not say who the user is: {error}");
            Vec::new()
        })
    }

    /// The saved queries that can be read; of the others there is a problem.
    fn saved_views(&self) -> BTreeMap<String, Arc<SavedView>> {
        let folder = WsPath::new(view::FOLDER).expect("a legal path");
        let files = self.store.snapshots_under(&folder).unwrap_or_else(|error| {
            tracing::warn!("the saved views cannot be read from the index: {error}");
            Vec::new()
        });
        let schema = self.settler.schema();
        let saved = files.iter().filter_map(|(path, _)| {
            let view = SavedView::parse(path, &self.root.read(path).ok()?, &schema).ok()?;
            Some((view::name_of(path)?.to_owned(), Arc::new(view)))
        });
        saved.collect()
    }

    /// Now, where this machine is.
    pub(super) fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), zone: jiff::tz::TimeZone::system() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::schema::Schema;

    #[test]
    fn a_ticket_that_was_moved_stays_where_it_is_until_the_index_knows_more() {
        let path = WsPath::new("tickets/a.md").unwrap();
        let settled =
            |text: &str| snapshot::read(&path, Kind::Ticket, text.as_bytes(), false, &Schema::default(), None);
        let [first, second, third, fourth] = ["todo", "doing", "done", "todo # again"]
            .map(|status| settled(&format!("---\ntitle: A\nstatus: {status}\n---\n")));
        let (mut held, times) = (Held::default(), Times::default());
        held.take_over(&path, Some(&first), times);
        held.edited(&path, second.clone(), times, first.content.clone());
        held.edited(&path, third.clone(), times, second.content.clone());
        for (snapshot, status) in [(&first, "done"), (&second, "done"), (&third, "done"), (&fourth, "todo")] {
            held.take_over(&path, Some(snapshot), times);
            assert_eq!(held.catalog.get(&path).unwrap().value("status"), status);
        }
        assert!(held.edited.is_empty());
        held.take_over(&path, None, times);
        assert_eq!(held.catalog.cards().count(), 0);
    }
}
