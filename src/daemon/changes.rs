//! Changes of many tickets at once, told beforehand: all of them are made, or none.

use super::{
    Engine,
    control::Expected,
    engine::myself,
    report::{ChangeReport, TicketChange},
    tickets::names,
};
use crate::{
    domain::{
        Fields, Timestamp, Value,
        document::Document,
        edit::{Edit, NewValue},
        layout::{Facts, Kind, classify},
        op::{Op, OpKind},
        past::difference,
        path::WsPath,
        snapshot::ContentHash,
        text::scalar_text,
    },
    fault,
    workspace::root::ReplaceError,
};
use anyhow::{Context, anyhow, bail};
use std::{collections::BTreeMap, io};

/// Wrong tickets that are named.
const NAMED: usize = 10;

/// What a file is, and what it is to be. `None`: it is not there.
struct Planned {
    old: Option<Vec<u8>>,
    new: Option<Vec<u8>>,
}

type Plan = BTreeMap<WsPath, Planned>;

impl Engine {
    /// Works out what these edits make of the files. With `expected`, what an earlier answer called `before`, also makes it: as
    /// one commit, if the files are still those.
    pub(super) fn change(&self, edits: &[Edit], expected: Option<&Expected>) -> anyhow::Result<ChangeReport> {
        let Some(expected) = expected else {
            self.settle_all()?;
            return Ok(self.report(&self.plan(edits)?));
        };
        self.change_if(edits, |now| expected.get(&now.path).map(Option::as_ref) == Some(now.before.as_ref()))
    }

    /// Makes of the files what these edits say, as one commit, if every one of them `is_expected`.
    pub(super) fn change_if(
        &self,
        edits: &[Edit],
        is_expected: impl Fn(&TicketChange) -> bool,
    ) -> anyhow::Result<ChangeReport> {
        self.whole_index()?;
        // What was saved before is a commit of its own.
        self.settle_and_commit(None)?;
        let plan = self.plan(edits)?;
        let mut report = self.report(&plan);
        if let Some(TicketChange { path, .. }) = report.changes.iter().find(|change| !is_expected(change)) {
            bail!("{path} was changed meanwhile; nothing was written: look at it again");
        }
        self.settler.as_one(|| self.make(&plan))?;
        report.commit = self.settle_and_commit(None)?.1.commit;
        Ok(report)
    }

    fn report(&self, plan: &Plan) -> ChangeReport {
        let changes: Vec<_> = plan.iter().filter_map(|(path, planned)| change(path, planned)).collect();
        let removals = changes.iter().filter(|change| change.what == "removed").count();
        ChangeReport { changes, removals, max_removals: self.config().sync.max_removals, commit: None }
    }

    fn plan(&self, edits: &[Edit]) -> anyhow::Result<Plan> {
        let mut plan = Plan::new();
        edits.iter().try_for_each(|edit| self.add(&mut plan, edit))?;
        let wrong: Vec<_> = plan.iter().filter_map(|(path, planned)| self.wrong(path, planned)).collect();
        if wrong.is_empty() {
            return Ok(plan);
        }
        let more = wrong.len().saturating_sub(NAMED);
        let mut said: Vec<_> = wrong.into_iter().take(NAMED).collect();
        said.extend((more > 0).then(|| format!("and {more} others")));
        bail!("nothing was changed, since these tickets would be wrong:\n{}", said.join("\n"))
    }

    fn add(&self, plan: &mut Plan, edit: &Edit) -> anyhow::Result<()> {
        match edit {
            Edit::Make { path, values } => {
                let path = match path {
                    Some(path) if self.is_free(plan, path)? => path.clone(),
                    Some(path) => bail!("{path} is there already; nothing was changed"),
                    None => self.free_path(plan, values)?,
                };
                if classify(&path, Facts::default()) != Kind::Ticket {
                    bail!("{path} would be no ticket; nothing was changed");
                }
                let new = self.made(values)?;
                plan.insert(path, Planned { old: None, new: Some(new) });
            }
            Edit::Change { path, values } => {
                let planned = self.planned(plan, path)?;
                let now = planned.new.as_deref().ok_or_else(|| anyhow!("{path} is to be removed and changed"))?;
                let mut document = Document::parse(now);
                for value in values {
                    set(&mut document, value).with_context(|| format!("{path}; nothing was changed"))?;
                }
                planned.new = Some(document.bytes().to_vec());
            }
            Edit::Remove { path } => self.planned(plan, path)?.new = None,
        }
        Ok(())
    }

    /// A file that is there, as it is planned so far.
    fn planned<'p>(&self, plan: &'p mut Plan, path: &WsPath) -> anyhow::Result<&'p mut Planned> {
        if !plan.contains_key(path) {
            let old = self.root.read(path).with_context(|| format!("{path} cannot be read; nothing was changed"))?;
            plan.insert(path.clone(), Planned { old: Some(old.clone()), new: Some(old) });
        }
        Ok(plan.get_mut(path).expect("it is there, or was just put there"))
    }

    fn is_free(&self, plan: &Plan, path: &WsPath) -> anyhow::Result<bool> {
        match self.root.stat(path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(!plan.contains_key(path))
            }
            found => found.map(|_| false).with_context(|| format!("{path} cannot be looked at")),
        }
    }

    fn free_path(&self, plan: &Plan, values: &[NewValue]) -> anyhow::Result<WsPath> {
        let title = values.iter().find(|value| value.field.as_deref() == Some("title"));
        let title = title.and_then(|title| scalar_text(&title.value));
        let title = title.ok_or_else(|| anyhow!("a new ticket needs a `title` (or a `path`); nothing was changed"))?;
        let folder = WsPath::new("tickets")?;
        for name in names(&title) {
            let path = folder.join(&name)?;
            if self.is_free(plan, &path)? {
                return Ok(path);
            }
        }
        bail!("no file name is free for {title:?} in {folder}; nothing was changed")
    }

    /// The text of a new ticket, its fields in the order of the schema.
    fn made(&self, values: &[NewValue]) -> anyhow::Result<Vec<u8>> {
        let schema = self.settler.schema();
        let value =
            |name: &str| values.iter().find(|value| value.field.as_deref() == Some(name)).map(|found| &found.value);
        let mut fields = Fields::new();
        for field in &schema.fields {
            let first = || (field.name == "status").then(|| schema.statuses.first()).flatten();
            let value = value(&field.name).cloned().or_else(|| Some(Value::from(first()?.name.as_str())));
            fields.extend(value.filter(|value| !value.is_null()).map(|value| (field.name.clone(), value)));
        }
        let body = values.iter().find(|value| value.field.is_none()).and_then(|body| body.value.as_str());
        let body = body.map_or_else(String::new, |body| format!("{}\n", body.trim_end_matches('\n')));
        Ok(Document::new(&fields, &body).bytes().to_vec())
    }

    /// Why the ticket cannot be so.
    fn wrong(&self, path: &WsPath, planned: &Planned) -> Option<String> {
        let new = planned.new.as_deref().filter(|new| Some(*new) != planned.old.as_deref())?;
        let problem = self.settler.check(path, new)?;
        let help = problem.help.map_or_else(String::new, |help| format!(" ({help})"));
        Some(format!("{path}: {}{help}", problem.message))
    }

    /// Writes all files. Where one cannot be written, those before it become again what they were.
    fn make(&self, plan: &Plan) -> anyhow::Result<()> {
        let files: Vec<_> = plan.iter().filter(|(_, planned)| planned.old != planned.new).collect();
        for (index, (path, Planned { old, new })) in files.iter().enumerate() {
            let Err(error) = self.put(path, old.as_deref(), new.as_deref()) else { continue };
            for (path, Planned { old, new }) in files[..index].iter().rev() {
                if let Err(error) = self.put(path, new.as_deref(), old.as_deref()) {
                    tracing::error!("{path} stays changed: {error}");
                }
            }
            let why = match error {
                ReplaceError::Busy | ReplaceError::Changed => "is being written by a program".to_owned(),
                error => format!("cannot be written: {error}"),
            };
            bail!("{path} {why}; nothing was changed: try again");
        }
        Ok(())
    }

    fn put(&self, path: &WsPath, old: Option<&[u8]>, new: Option<&[u8]>) -> Result<(), ReplaceError> {
        match (old, new) {
            (old, Some(new)) => {
                self.root.replace(path, old, new)?;
                fault::point("field.set");
                self.wrote(&myself(), path, new.len());
            }
            (Some(old), None) => {
                self.root.remove(path, old)?;
                let (at, actor) = (Timestamp::now(), myself());
                self.settler.record(Op { at, actor, path: path.clone(), kind: OpKind::Unlink });
            }
            (None, None) => {}
        }
        Ok(())
    }
}

fn set(document: &mut Document, NewValue { field, value }: &NewValue) -> anyhow::Result<()> {
    match field {
        None => document.set_body(value.as_str().unwrap_or_default().as_bytes()),
        Some(field) if value.is_null() => document.remove(field)?,
        // What means the same stays as it is written.
        Some(field) if document.get(field) == Some(value) => {}
        Some(field) => document.set(field, value)?,
    }
    Ok(())
}

/// What a person is told of one file; `None`: it stays as it is.
fn change(path: &WsPath, Planned { old, new }: &Planned) -> Option<TicketChange> {
    if old == new {
        return None;
    }
    let (what, changes) = difference(path, old.as_deref(), new.as_deref());
    let before = old.as_deref().map(ContentHash::of);
    Some(TicketChange { path: path.clone(), what: what.to_owned(), changes, before })
}
