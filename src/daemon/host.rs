//! What the filesystem asks of the engine: the journal, validation, the catalog of the views, the files in `status/`.

use super::{Engine, pages};
use crate::{
    domain::{
        event::{Change, Event},
        op::{Actor, Op},
        path::WsPath,
        problem::Problem,
        snapshot::{ContentHash, Snapshot},
    },
    fs::{Catalog, CatalogTicket, Host, StatusContent, StatusFile},
    workspace::config::Validation,
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write,
    io,
    sync::Arc,
};

/// The engine, seen by the filesystem.
pub struct EngineHost {
    engine: Arc<Engine>,
    shelf: Mutex<Shelf>,
}

/// The tickets in memory, so that a view costs no query; once, for there may be many.
#[derive(Default)]
struct Shelf {
    conflicts: BTreeSet<WsPath>,
    /// Whether the conflicts are others than what was published.
    conflicts_changed: bool,
    published: Arc<Catalog>,
    /// What is newer than that; `None`: no ticket any more.
    changed: BTreeMap<WsPath, Option<CatalogTicket>>,
    /// Tickets that a view has moved, until the index has that.
    moved: HashMap<WsPath, Moved>,
    /// Whether the index had every file when the tickets were read from it; `None`: nobody has looked at a view yet.
    filled: Option<bool>,
}

/// A ticket's status that is in its file, and not in the index yet.
#[derive(Default)]
struct Moved {
    status: String,
    /// What the file was before: as long as the index has one of these, it knows less than we do.
    before: Vec<ContentHash>,
}

impl Shelf {
    /// Takes over what the index says of a path, unless that is from before a view has moved it.
    fn take_over(&mut self, path: &WsPath, snapshot: Option<&Snapshot>) {
        let ticket = snapshot.filter(|snapshot| snapshot.is_ticket()).map(|snapshot| shelved(path.clone(), snapshot));
        let is_older = |moved: &&Moved| snapshot.is_some_and(|snapshot| moved.before.contains(&snapshot.content));
        let ticket = match self.moved.get(path).filter(is_older) {
            Some(moved) => ticket.map(|ticket| CatalogTicket { status: moved.status.clone(), ..ticket }),
            None => {
                self.moved.remove(path);
                ticket
            }
        };
        self.changed.insert(path.clone(), ticket);
    }

    /// A view has moved a ticket that was this before.
    fn moves(&mut self, path: &WsPath, status: &str, before: ContentHash) {
        let Some(ticket) = self.get(path).cloned() else { return };
        self.changed.insert(path.clone(), Some(CatalogTicket { status: status.to_owned(), ..ticket }));
        let moved = self.moved.entry(path.clone()).or_default();
        status.clone_into(&mut moved.status);
        moved.before.push(before);
    }

    /// The ticket as the next catalog has it.
    fn get(&self, path: &WsPath) -> Option<&CatalogTicket> {
        let published = || {
            let at = self.published.tickets.binary_search_by(|ticket| ticket.path.cmp(path)).ok()?;
            Some(&self.published.tickets[at])
        };
        self.changed.get(path).map_or_else(published, Option::as_ref)
    }

    /// Publishes what changed. A catalog that nobody holds any more is changed where it is.
    fn publish(&mut self, statuses: Vec<String>) {
        let Catalog { version, tickets, .. } = Arc::unwrap_or_clone(std::mem::take(&mut self.published));
        let tickets = merged(tickets, std::mem::take(&mut self.changed));
        let conflicts = self.conflicts.iter().cloned().collect();
        self.published = Arc::new(Catalog { version: version + 1, statuses, tickets, conflicts });
        self.conflicts_changed = false;
    }
}

fn merged(old: Vec<CatalogTicket>, changed: BTreeMap<WsPath, Option<CatalogTicket>>) -> Vec<CatalogTicket> {
    let mut merged = Vec::with_capacity(old.len() + changed.len());
    let mut changed = changed.into_iter().peekable();
    for ticket in old {
        while let Some((_, new)) = changed.next_if(|(path, _)| *path < ticket.path) {
            merged.extend(new);
        }
        match changed.next_if(|(path, _)| *path == ticket.path) {
            Some((_, new)) => merged.extend(new),
            None => merged.push(ticket),
        }
    }
    merged.extend(changed.filter_map(|(_, new)| new));
    merged
}

impl EngineHost {
    pub fn new(engine: Arc<Engine>) -> Self {
        let conflicts = Self::in_conflict(&engine);
        Self {
            engine,
            shelf: Mutex::new(Shelf { conflicts_changed: !conflicts.is_empty(), conflicts, ..Shelf::default() }),
        }
    }

    fn in_conflict(engine: &Engine) -> BTreeSet<WsPath> {
        engine.remotes.conflicts().into_iter().map(|conflict| conflict.path).collect()
    }

    /// Takes over which tickets are in conflict, when that changed.
    pub fn told(&self, events: &[Event]) {
        let of_conflict =
            |event: &Event| matches!(event.change, Change::Conflict { .. } | Change::ConflictEnded { .. });
        if events.iter().any(of_conflict) {
            let conflicts = Self::in_conflict(&self.engine);
            let mut shelf = self.shelf.lock();
            (shelf.conflicts, shelf.conflicts_changed) = (conflicts, true);
        }
    }

    /// Takes over what settled. Before the views are asked for there is nothing to keep in step.
    pub fn settled(&self, paths: &[WsPath]) {
        for path in paths {
            if let Err(error) = self.refresh(path) {
                tracing::warn!("the views miss a change of {path}: {error}");
            }
        }
    }

    fn refresh(&self, path: &WsPath) -> anyhow::Result<()> {
        let mut shelf = self.shelf.lock();
        if shelf.filled.is_none() {
            return Ok(());
        }
        shelf.take_over(path, self.engine.store.snapshot(path)?.as_ref());
        Ok(())
    }

    /// Takes over what is in the index; once more when it has every file. Events that come meanwhile wait for the lock.
    fn fill(&self, shelf: &mut Shelf) -> anyhow::Result<()> {
        let whole = self.engine.is_caught_up();
        if shelf.filled.is_some_and(|was_whole| was_whole || !whole) {
            return Ok(());
        }
        let tickets = self.engine.store.tickets()?.into_iter();
        let tickets = tickets.map(|(path, title, status)| CatalogTicket { path, title, status }).collect();
        let version = shelf.published.version + 1;
        shelf.published = Arc::new(Catalog {
            version,
            statuses: self.statuses(),
            tickets,
            conflicts: shelf.conflicts.iter().cloned().collect(),
        });
        shelf.conflicts_changed = false;
        shelf.changed.clear();
        shelf.filled = Some(whole);
        for path in shelf.moved.keys().cloned().collect::<Vec<_>>() {
            shelf.take_over(&path, self.engine.store.snapshot(&path)?.as_ref());
        }
        Ok(())
    }

    fn statuses(&self) -> Vec<String> {
        self.engine.settler.schema().statuses.iter().map(|status| status.name.clone()).collect()
    }

    fn outbox(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        for entry in self.engine.store.outbox()? {
            writeln!(text, "{}", serde_json::to_string(&entry)?)?;
        }
        Ok(text)
    }

    fn health(&self) -> anyhow::Result<String> {
        let mut text = serde_json::to_string_pretty(&self.engine.status()?)?;
        text.push('\n');
        Ok(text)
    }

    fn problems(&self) -> anyhow::Result<String> {
        Ok(pages::problems(&self.engine.problems()?, &self.engine.store.notes()))
    }
}

fn shelved(path: WsPath, snapshot: &Snapshot) -> CatalogTicket {
    CatalogTicket {
        path,
        title: snapshot.title.clone(),
        status: snapshot.text("status").unwrap_or_default().to_owned(),
    }
}

impl Host for EngineHost {
    fn record(&self, op: Op) {
        self.engine.settler.record(op);
    }

    fn hasten(&self) {
        self.engine.settler.hasten();
    }

    fn durable(&self) -> io::Result<()> {
        self.engine.settler.durable().map_err(io::Error::other)
    }

    fn check(&self, path: &WsPath, bytes: &[u8]) -> Option<Problem> {
        match self.engine.config().validation {
            Validation::On => self.engine.settler.check(path, bytes),
            Validation::Off => None,
        }
    }

    fn problem(&self, path: &WsPath) -> Option<String> {
        let snapshot = self.engine.store.snapshot(path).ok()??;
        snapshot.problems.first().map(Problem::to_string)
    }

    fn set_field(&self, actor: &Actor, path: &WsPath, field: &str, from: &str, to: &str) -> io::Result<()> {
        let before = super::field::set(&self.engine, actor, path, field, from, to)?;
        // The views show it before it has settled: whoever moved a link looks for it where it went.
        if field == "status" {
            self.shelf.lock().moves(path, to, before);
        }
        Ok(())
    }

    fn catalog(&self) -> Arc<Catalog> {
        let mut shelf = self.shelf.lock();
        if let Err(error) = self.fill(&mut shelf) {
            tracing::warn!("the views cannot be read from the index: {error}");
        }
        if !shelf.changed.is_empty() || shelf.conflicts_changed {
            shelf.publish(self.statuses());
        }
        shelf.published.clone()
    }

    fn status_file(&self, file: StatusFile) -> StatusContent {
        let text = match file {
            StatusFile::Events => return StatusContent::Growing(self.engine.store.events_file()),
            StatusFile::Problems => self.problems(),
            StatusFile::Outbox => self.outbox(),
            StatusFile::Health => self.health(),
            StatusFile::Conflicts(ticket) => Ok(pages::conflicts(&ticket, &self.engine.remotes.conflicts())),
        };
        let text = text.unwrap_or_else(|error| format!("trackfs cannot say: {error:#}\n"));
        StatusContent::Bytes(text.into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{layout::Kind, schema::Schema, snapshot};

    #[test]
    fn a_catalog_is_what_was_published_with_what_changed_since() {
        let path = |name: &str| WsPath::new(name).unwrap();
        let ticket = |name: &str, status: &str| CatalogTicket {
            path: path(name),
            title: String::new(),
            status: status.to_owned(),
        };
        let old = ["b", "d", "f"].map(|name| ticket(name, "todo")).to_vec();
        let published = Arc::new(Catalog { version: 7, tickets: old, ..Catalog::default() });
        let mut shelf = Shelf { published: published.clone(), ..Shelf::default() };
        for (name, status) in [("a", Some("new")), ("b", None), ("c", None), ("d", Some("done")), ("g", Some("new"))] {
            shelf.changed.insert(path(name), status.map(|status| ticket(name, status)));
        }
        let get = |name: &str| shelf.get(&path(name)).map(|ticket| ticket.status.as_str());
        assert_eq!(["a", "b", "d", "f", "x"].map(get), [Some("new"), None, Some("done"), Some("todo"), None]);
        shelf.publish(vec!["todo".to_owned()]);
        let expected = [ticket("a", "new"), ticket("d", "done"), ticket("f", "todo"), ticket("g", "new")];
        assert_eq!((shelf.published.version, &shelf.published.tickets[..]), (8, &expected[..]));
        assert_eq!((published.version, published.tickets.len()), (7, 3), "whoever holds an older one keeps it");
    }

    #[test]
    fn a_ticket_that_was_moved_stays_where_it_is_until_the_index_knows_more() {
        let path = WsPath::new("tickets/a.md").unwrap();
        let settled =
            |text: &str| snapshot::read(&path, Kind::Ticket, text.as_bytes(), false, &Schema::default(), None);
        let [first, second, third, fourth] = ["todo", "doing", "done", "todo # again"]
            .map(|status| settled(&format!("---\ntitle: A\nstatus: {status}\n---\n")));
        let mut shelf = Shelf::default();
        shelf.take_over(&path, Some(&first));
        shelf.moves(&path, "doing", first.content.clone());
        shelf.moves(&path, "done", second.content.clone());
        for (snapshot, status) in [(&first, "done"), (&second, "done"), (&third, "done"), (&fourth, "todo")] {
            shelf.take_over(&path, Some(snapshot));
            assert_eq!(shelf.get(&path).unwrap().status, status);
        }
        assert!(shelf.moved.is_empty());
    }
}
