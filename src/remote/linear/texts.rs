//! Texts that Linear keeps beside its issues: documents, and the descriptions of projects.

use super::{
    Linear, absent_is_none,
    client::{Document, document},
    wire,
};
use crate::{
    domain::issue::{Field, IssueFields, ObjectKind, RemoteIssue},
    remote::{Patch, RemoteError},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub(super) const DOCUMENT: Document = document!(Read, "document.graphql", "document_fields.graphql");
pub(super) const DOCUMENT_CREATE: Document = document!(Write, "document_create.graphql");
pub(super) const DOCUMENT_UPDATE: Document = document!(Write, "document_update.graphql");
pub(super) const DOCUMENT_DELETE: Document = document!(Write, "document_delete.graphql");
pub(super) const PROJECT: Document = document!(Read, "project.graphql", "project_fields.graphql");
pub(super) const PROJECT_UPDATE: Document = document!(Write, "project_update.graphql");

impl Linear {
    /// A document by Linear's own id.
    pub(super) fn document(&self, id: &str) -> Result<Option<RemoteIssue>, RemoteError> {
        #[derive(Deserialize)]
        struct Data {
            document: wire::Text,
        }
        let found = absent_is_none(self.client.run::<Data>(DOCUMENT, json!({ "id": id })))?;
        Ok(found.map(|data| data.document.into_document()))
    }

    /// A project by Linear's own id.
    pub(super) fn project(&self, id: &str) -> Result<Option<RemoteIssue>, RemoteError> {
        #[derive(Deserialize)]
        struct Data {
            project: wire::Text,
        }
        let found = absent_is_none(self.client.run::<Data>(PROJECT, json!({ "id": id })))?;
        Ok(found.map(|data| data.project.into_project()))
    }

    /// Makes a document with the id `intent`, or finds the one that an earlier attempt made.
    pub(super) fn create_document(&self, intent: Uuid, fields: &IssueFields) -> Result<RemoteIssue, RemoteError> {
        let mut input = self.document_input(fields)?;
        input.retain(|_, value| !value.is_null());
        input.insert("id".into(), json!(intent));
        self.insert(DOCUMENT_CREATE, Value::Object(input), || self.document(&intent.to_string()))
    }

    /// Sends what of a document or a project a patch changes.
    pub(super) fn update_text(&self, kind: ObjectKind, id: &str, patch: &Patch) -> Result<(), RemoteError> {
        let (document, input) = match kind {
            ObjectKind::Project => (PROJECT_UPDATE, project_input(&patch.fields)),
            _ => (DOCUMENT_UPDATE, self.document_input(&patch.fields)?),
        };
        self.client.run::<Value>(document, json!({ "id": kind.own(id), "input": input })).map(drop)
    }

    /// Puts a document into Linear's trash, where it stays for thirty days.
    pub(super) fn trash_document(&self, id: &str) -> Result<(), RemoteError> {
        self.client.run::<Value>(DOCUMENT_DELETE, json!({ "id": ObjectKind::Document.own(id) })).map(drop)
    }

    fn document_input(&self, fields: &IssueFields) -> Result<Map<String, Value>, RemoteError> {
        let mut input = Map::new();
        for (field, value) in fields {
            let text = value.as_text();
            let (name, value) = match field {
                Field::Body => ("content", json!(text.unwrap_or_default())),
                Field::Parent => ("issueId", json!(text.map(|key| self.id_of(*field, key)).transpose()?)),
                _ => match self.input_of(*field, text)? {
                    Some(member) => member,
                    None => continue,
                },
            };
            input.insert(name.to_owned(), value);
        }
        Ok(input)
    }
}

fn project_input(fields: &IssueFields) -> Map<String, Value> {
    let member = |(field, name): (Field, &str)| {
        let value = fields.get(&field)?;
        Some((name.to_owned(), json!(value.as_text().unwrap_or_default())))
    };
    [(Field::Title, "name"), (Field::Body, "content")].into_iter().filter_map(member).collect()
}
