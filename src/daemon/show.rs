//! One ticket at a time: shows it whole, sets its fields, comments on it.

use super::{
    Engine,
    conflicts::only_one,
    control::{SetTo, TicketName},
    engine::myself,
    report::{ChangeReport, CommentReport, ShowReport},
};
use crate::{
    domain::{
        Value,
        cell::{Cell, value_of},
        document::Document,
        edit::{Edit, NewValue},
        nearest::nearest,
        path::WsPath,
        schema::FieldKind,
        text::scalar_text,
        tie::Tie,
    },
    sync::names,
    workspace::root::ReplaceError,
};
use anyhow::{anyhow, bail};
use std::collections::BTreeMap;

impl Engine {
    /// The ticket that a person means.
    pub(super) fn ticket(&self, name: &TicketName) -> anyhow::Result<WsPath> {
        if let Some(path) = &name.path
            && self.store.snapshot(path)?.is_some_and(|file| file.is_ticket())
        {
            return Ok(path.clone());
        }
        let (paths, keyed) = (self.store.ticket_paths()?, self.store.tickets_with_key(&name.said)?);
        let called = paths.iter().filter(|path| name.means(path, None));
        if let Some(path) = only_one(&name.said, called.chain(&keyed).collect())? {
            return Ok(path);
        }
        let near = nearest(&name.said, paths.iter().map(WsPath::stem));
        let near = near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
        bail!("there is no ticket {}{near}; say its path, its name or its key", name.said)
    }

    /// The same, or the spec with this path: both can be on a tracker.
    pub(super) fn ticket_or_spec(&self, name: &TicketName) -> anyhow::Result<WsPath> {
        match &name.path {
            Some(path) if self.is_spec(path)? => Ok(path.clone()),
            _ => self.ticket(name),
        }
    }

    pub(super) fn is_spec(&self, path: &WsPath) -> anyhow::Result<bool> {
        Ok(self.store.snapshot(path)?.is_some_and(|file| file.is_spec()))
    }

    pub(super) fn show(&self, name: &TicketName) -> anyhow::Result<ShowReport> {
        self.settler.settle_now()?;
        let path = self.ticket_or_spec(name)?;
        let file = self.store.snapshot(&path)?.ok_or_else(|| anyhow!("{path} is gone"))?;
        let document = Document::parse(&self.root.read(&path)?);
        let mut urls = BTreeMap::new();
        let sync = file.fields.get("sync");
        for remote in sync.and_then(Value::as_object).into_iter().flat_map(|ties| ties.keys()) {
            let Some(Tie::Key(key)) = Tie::of(sync, remote) else { continue };
            let tracking = self.repo.tracking(remote)?;
            let issue = tracking.issues.into_values().find(|issue| issue.key == key);
            urls.extend(issue.map(|issue| (remote.clone(), issue.url)));
        }
        Ok(ShowReport {
            title: file.title,
            fields: file.fields,
            body: String::from_utf8_lossy(document.body()).into_owned(),
            comments: self.comments(&path)?,
            problems: file.problems,
            urls,
            path,
        })
    }

    /// In the order of the numbers that their names begin with, which is the one in which they were written.
    fn comments(&self, ticket: &WsPath) -> anyhow::Result<Vec<CommentReport>> {
        let folder = names::comments_folder(ticket)?;
        let mut comments = Vec::new();
        for (path, file) in self.store.snapshots_under(&folder)? {
            // Gone since it settled.
            let Ok(bytes) = self.root.read(&path) else { continue };
            let said = |field: &str| file.fields.get(field).and_then(scalar_text);
            let body = String::from_utf8_lossy(Document::parse(&bytes).body()).into_owned();
            comments.push(CommentReport { author: said("author"), created: said("created"), path, body });
        }
        let number = |path: &WsPath| path.stem().split('-').next().and_then(|number| number.parse::<u64>().ok());
        comments.sort_by_key(|comment| number(&comment.path).unwrap_or(u64::MAX));
        Ok(comments)
    }

    /// Sets fields of a ticket; what it is afterwards is committed.
    pub(super) fn set(&self, name: &TicketName, sets: &[SetTo]) -> anyhow::Result<ChangeReport> {
        self.settler.settle_now()?;
        let path = self.ticket(name)?;
        let mut fields = Document::parse(&self.root.read(&path)?).fields().clone();
        let mut values = Vec::new();
        for set in sets {
            let value = self.value(fields.get(&set.field), set)?;
            // A second word on the same field goes on from there.
            fields.insert(set.field.clone(), value.clone());
            values.push(NewValue { field: Some(set.field.clone()), value });
        }
        // Nobody has looked at what would become of it.
        self.change_if(&[Edit::Change { path, values }], |_| true)
    }

    /// What a field that is `now` so is to be.
    fn value(&self, now: Option<&Value>, SetTo { field, how, value }: &SetTo) -> anyhow::Result<Value> {
        let schema = self.settler.schema();
        let Some(def) = schema.field(field) else {
            let near = nearest(field, schema.fields.iter().map(|field| field.name.as_str()));
            let near = near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
            bail!("the schema has no field `{field}`{near}; `trackfs schema show` shows what there is");
        };
        let is_list = matches!(def.kind, FieldKind::Set | FieldKind::Links);
        // As in queries: the user.
        let me = || self.me().into_iter().next();
        let value = &match value.as_str() {
            "@me" => me().ok_or_else(|| anyhow!("nobody says who you are: set `me` in .trackfs/config.yaml"))?,
            said => said.to_owned(),
        };
        let words = || value.split(',').map(str::trim).filter(|word| !word.is_empty()).map(Value::from);
        Ok(match how.as_str() {
            "=" if value.is_empty() => Value::Null,
            "=" if is_list && !value.starts_with('[') => Value::Array(words().collect()),
            "=" => value_of(&def.kind, &Cell::Text(value.clone())).map_err(|why| anyhow!("`{field}` {why}"))?,
            _ if !is_list => bail!("`{field}` is no list: {field}=VALUE sets it"),
            sign => {
                let mut items = match now {
                    Some(Value::Array(items)) => items.clone(),
                    Some(Value::Null) | None => Vec::new(),
                    Some(one) => vec![one.clone()],
                };
                items.retain(|item| !words().any(|word| scalar_text(item).map(Value::from) == Some(word)));
                items.extend(words().filter(|_| sign == "+="));
                if items.is_empty() { Value::Null } else { Value::Array(items) }
            }
        })
    }

    /// A new comment by the user.
    pub(super) fn comment(&self, name: &TicketName, text: &str) -> anyhow::Result<CommentReport> {
        self.settler.settle_now()?;
        let ticket = self.ticket(name)?;
        let body = format!("{}\n", text.trim_end());
        let author = self.me().into_iter().next().unwrap_or_else(|| "me".to_owned());
        let number = self.store.snapshots_under(&names::comments_folder(&ticket)?)?.len() + 1;
        for path in names::comment_paths(&ticket, number, &author) {
            match self.root.replace(&path, None, body.as_bytes()) {
                Err(ReplaceError::Changed) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    self.wrote(&myself(), &path, body.len());
                    self.settler.settle_now()?;
                    return Ok(CommentReport { path, author: Some(author.clone()), created: None, body });
                }
            }
        }
        bail!("no file name is free for a comment on {ticket}")
    }
}
