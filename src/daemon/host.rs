//! What the filesystem asks of the engine: the journal, validation, the tickets of the views, the files in `status/`.

use super::{Engine, field, pages, past::History};
use crate::{
    domain::{
        event::{Change, Event},
        op::{Actor, Op},
        path::WsPath,
        problem::Problem,
    },
    fs::{CatalogRef, Errno, Host, Place, Refused, StatusContent, StatusFile},
    workspace::config::Validation,
};
use parking_lot::Mutex;
use std::{collections::BTreeSet, fmt::Write, io, sync::Arc};

/// The engine, seen by the filesystem.
pub struct EngineHost {
    engine: Arc<Engine>,
    conflicts: Mutex<Arc<BTreeSet<WsPath>>>,
}

impl EngineHost {
    pub fn new(engine: Arc<Engine>) -> Self {
        let conflicts = Mutex::new(Arc::new(Self::in_conflict(&engine)));
        Self { engine, conflicts }
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
            *self.conflicts.lock() = Arc::new(conflicts);
        }
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

    fn look_back<T>(&self, look: impl FnOnce(&History) -> anyhow::Result<T>) -> Result<T, Errno> {
        self.engine.history().and_then(|history| look(&history)).map_err(|error| {
            error.downcast_ref::<Errno>().copied().unwrap_or_else(|| {
                tracing::warn!("the past cannot be read: {error:#}");
                Errno(libc::EIO)
            })
        })
    }

    fn problems(&self) -> anyhow::Result<String> {
        Ok(pages::problems(&self.engine.problems()?, &self.engine.store.notes()))
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

    fn set_field(&self, actor: &Actor, path: &WsPath, field: &str, from: &str, to: &str) -> Result<(), Refused> {
        field::set(&self.engine, actor, path, &field::Change { field, from, to })
    }

    fn set_text(&self, actor: &Actor, path: &WsPath, text: &[u8]) -> Result<(), Refused> {
        field::set_text(&self.engine, actor, path, text)
    }

    fn catalog(&self) -> CatalogRef<'_> {
        self.engine.catalog()
    }

    fn conflicts(&self) -> Arc<BTreeSet<WsPath>> {
        self.conflicts.lock().clone()
    }

    fn past(&self, folder: &Place, name: &str) -> Result<Option<Place>, Errno> {
        self.look_back(|history| history.place(folder, name))
    }

    fn past_in(&self, folder: &Place) -> Result<Vec<(String, Place)>, Errno> {
        self.look_back(|history| history.places(folder))
    }

    fn past_size(&self, blob: &str) -> Result<u64, Errno> {
        self.look_back(|history| Ok(history.repo.blob_size(blob)?))
    }

    fn past_bytes(&self, blob: &str) -> Result<Vec<u8>, Errno> {
        self.look_back(|history| Ok(history.repo.blob(blob)?))
    }

    fn status_file(&self, file: StatusFile) -> StatusContent {
        let text = match file {
            StatusFile::Events => return StatusContent::Growing(self.engine.store.events_file()),
            StatusFile::Problems => self.problems(),
            StatusFile::Outbox => self.outbox(),
            StatusFile::Health => self.health(),
            // The filesystem itself knows what it refused.
            StatusFile::Refused => Ok(String::new()),
            StatusFile::Conflicts(ticket) => Ok(pages::conflicts(&ticket, &self.engine.remotes.conflicts())),
        };
        let text = text.unwrap_or_else(|error| format!("trackfs cannot say: {error:#}\n"));
        StatusContent::Bytes(text.into_bytes().into())
    }
}
