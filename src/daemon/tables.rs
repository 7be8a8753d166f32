//! The workspace as tables, for `trackfs sql`.

use super::{Location, past::History};
use crate::{
    domain::{issue::Field, path::WsPath, schema::Schema},
    git::{FileMode, Repo, TreeEntryKind},
    workspace::{
        root::Root,
        settle::SCHEMA_PATH,
        store::sql::{Objects, RemoteObject, Sql},
    },
};
use anyhow::{Context, anyhow};
use serde_json::json;
use std::{io, sync::Arc};

/// Git's objects as the tables ask for them.
struct GitObjects(Arc<Repo>);

impl Objects for GitObjects {
    fn blob(&self, hash: &str) -> Option<Vec<u8>> {
        self.0.blob(hash).ok()
    }

    fn tree(&self, hash: &str) -> Option<String> {
        let entries = self.0.tree(hash).ok()?.into_iter().map(|entry| {
            let kind = match entry.kind {
                TreeEntryKind::Folder => "directory",
                TreeEntryKind::File(FileMode::Symlink) => "symlink",
                TreeEntryKind::File(_) => "file",
                TreeEntryKind::Submodule => "submodule",
            };
            json!({ "name": entry.name, "kind": kind, "hash": entry.id })
        });
        Some(serde_json::Value::from_iter(entries).to_string())
    }
}

/// The schema as its file says it now; the default where there is none. The error says what is wrong with it.
pub fn schema(at: &Location) -> anyhow::Result<Schema> {
    read_schema(&root(at)?)
}

fn root(at: &Location) -> anyhow::Result<Root> {
    Root::open(&at.dir).with_context(|| format!("cannot open {}", at.dir.display()))
}

fn read_schema(root: &Root) -> anyhow::Result<Schema> {
    let path = WsPath::new(SCHEMA_PATH)?;
    let text = match root.read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Schema::default()),
        Err(error) => return Err(error).with_context(|| format!("{path} cannot be read")),
    };
    Schema::parse(&path, &String::from_utf8_lossy(&text)).map_err(|problems| {
        let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
        anyhow!("the schema is wrong:\n{}", said.join("\n"))
    })
}

/// Opens the tables; what is to be seen in them has settled. What trackers said last is read only for a statement that asks
/// for it.
pub fn open(at: &Location, history: &History, statement: &str) -> anyhow::Result<Sql> {
    let root = Arc::new(root(at)?);
    let schema = Arc::new(read_schema(&root)?);
    let sql = Sql::open(&at.state, root, schema, Arc::new(GitObjects(history.repo.clone())))?;
    if statement.contains("remote_objects") {
        for remote in history.repo.tracked()? {
            let tracking = history.repo.tracking(&remote)?;
            sql.put_objects(tracking.issues.into_values().map(|issue| {
                let text = |field: Field| issue.fields.get(&field).and_then(|value| value.as_text()).map(str::to_owned);
                RemoteObject {
                    remote: remote.clone(),
                    title: text(Field::Title),
                    status: text(Field::Status),
                    fields: serde_json::to_string(&issue.fields).unwrap_or_default(),
                    id: issue.id,
                    key: issue.key,
                    url: issue.url,
                    archived: issue.archived,
                    updated: issue.updated_at,
                }
            }))?;
        }
    }
    Ok(sql)
}
