//! What the filesystem asks of the engine: the journal, validation, the catalog of the views, the files in `status/`.

use super::Engine;
use crate::{
    domain::{
        op::{Actor, Op},
        path::WsPath,
        problem::Problem,
        text::printable,
    },
    fs::{Catalog, CatalogTicket, Host, StatusContent, StatusFile},
    workspace::config::Validation,
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, fmt::Write, io, sync::Arc};

/// The engine, seen by the filesystem.
pub struct EngineHost {
    engine: Arc<Engine>,
    shelf: Mutex<Shelf>,
}

/// The tickets in memory, so that a view costs no query.
#[derive(Default)]
struct Shelf {
    tickets: BTreeMap<WsPath, CatalogTicket>,
    published: Arc<Catalog>,
    /// Whether the index had every file when the tickets were read from it; `None`: nobody has looked at a view yet.
    filled: Option<bool>,
    stale: bool,
}

impl EngineHost {
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine, shelf: Mutex::default() }
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
        let snapshot = self.engine.store.snapshot(path)?;
        match snapshot.filter(|snapshot| snapshot.is_ticket()) {
            Some(snapshot) => shelf.tickets.insert(path.clone(), shelved(path.clone(), &snapshot)),
            None => shelf.tickets.remove(path),
        };
        shelf.stale = true;
        Ok(())
    }

    /// Takes over what is in the index; once more when it has every file. Events that come meanwhile wait for the lock.
    fn fill(&self, shelf: &mut Shelf) -> anyhow::Result<()> {
        let whole = self.engine.is_caught_up();
        if shelf.filled.is_some_and(|was_whole| was_whole || !whole) {
            return Ok(());
        }
        let tickets = self.engine.store.tickets()?.into_iter();
        let shelved = tickets.map(|(path, title, status)| (path.clone(), CatalogTicket { path, title, status }));
        (shelf.tickets, shelf.filled, shelf.stale) = (shelved.collect(), Some(whole), true);
        Ok(())
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
        Ok(problems_page(&self.engine.problems()?, &self.engine.store.notes()))
    }
}

fn shelved(path: WsPath, snapshot: &crate::domain::snapshot::Snapshot) -> CatalogTicket {
    CatalogTicket {
        path,
        title: snapshot.title.clone(),
        status: snapshot.text("status").unwrap_or_default().to_owned(),
    }
}

/// `status/problems.md`: what is wrong with the workspace's own state, then file by file.
fn problems_page(problems: &[Problem], notes: &[String]) -> String {
    if problems.is_empty() && notes.is_empty() {
        return "# Problems\n\nNone.\n".to_owned();
    }
    let mut page = format!(
        "# Problems\n\n{} in all. A file with an error is kept and versioned, and not synced.\n",
        problems.len() + notes.len()
    );
    if !notes.is_empty() {
        page.push_str("\n## The workspace\n\n");
        notes.iter().for_each(|note| page.extend(["- ", note, "\n"]));
    }
    let mut current = None;
    for problem in problems {
        if current != Some(&problem.path) {
            let _ = write!(page, "\n## {}\n\n", printable(problem.path.as_str()));
            current = Some(&problem.path);
        }
        let help = problem.help.as_ref().map(|help| format!(" — {help}")).unwrap_or_default();
        let Problem { line, column, message, code, .. } = problem;
        let told = format!("- line {line}, column {column}: {message}{help} `{code}`");
        let _ = writeln!(page, "{}", printable(&told));
    }
    page
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
        super::field::set(&self.engine, actor, path, field, from, to)?;
        // The views show it before it has settled: whoever moved a link looks for it where it went.
        let mut shelf = self.shelf.lock();
        if field == "status"
            && let Some(ticket) = shelf.tickets.get_mut(path)
        {
            ticket.status = to.to_owned();
            shelf.stale = true;
        }
        Ok(())
    }

    fn catalog(&self) -> Arc<Catalog> {
        let mut shelf = self.shelf.lock();
        if let Err(error) = self.fill(&mut shelf) {
            tracing::warn!("the views cannot be read from the index: {error}");
        }
        if shelf.stale {
            let schema = self.engine.settler.schema();
            shelf.published = Arc::new(Catalog {
                version: shelf.published.version + 1,
                statuses: schema.statuses.iter().map(|status| status.name.clone()).collect(),
                tickets: shelf.tickets.values().cloned().collect(),
            });
            shelf.stale = false;
        }
        shelf.published.clone()
    }

    fn status_file(&self, file: StatusFile) -> StatusContent {
        let text = match file {
            StatusFile::Events => return StatusContent::Growing(self.engine.store.events_file()),
            StatusFile::Problems => self.problems(),
            StatusFile::Outbox => self.outbox(),
            StatusFile::Health => self.health(),
        };
        let text = text.unwrap_or_else(|error| format!("trackfs cannot say: {error:#}\n"));
        StatusContent::Bytes(text.into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::problem::Severity;

    #[test]
    fn the_problems_page_groups_by_file() {
        let problem = |path: &str, line| Problem {
            path: WsPath::new(path).unwrap(),
            line,
            column: 9,
            severity: Severity::Error,
            code: "unknown-status".into(),
            message: "status `dome` is not known".into(),
            help: Some("did you mean `done`?".into()),
        };
        let page =
            problems_page(&[problem("tickets/a.md", 3), problem("tickets/a.md", 5), problem("tickets/b.md", 2)], &[]);
        assert_eq!(page.matches("## tickets/").count(), 2);
        assert!(
            page.contains("- line 3, column 9: status `dome` is not known — did you mean `done`? `unknown-status`")
        );
        assert!(problems_page(&[], &[]).contains("None."));
        assert!(problems_page(&[], &["damaged".into()]).ends_with("## The workspace\n\n- damaged\n"));
    }
}
