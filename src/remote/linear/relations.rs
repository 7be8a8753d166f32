//! Relations: objects of their own in Linear, each between two issues, and known by its id.
//!
//! An issue carries its first ones; the few that have more are asked for the rest.

use super::{
    Linear,
    client::{Document, document},
    wire::{self, Connection, Relation},
};
use crate::{
    domain::issue::{Field, FieldValue},
    remote::{Patch, RemoteError, text},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

pub(super) const RELATIONS: Document = document!(Read, "relations.graphql");
pub(super) const INVERSE_RELATIONS: Document = document!(Read, "inverse_relations.graphql");
pub(super) const RELATION_CREATE: Document = document!(Write, "relation_create.graphql");
pub(super) const RELATION_DELETE: Document = document!(Write, "relation_delete.graphql");

/// A relation to make, or one to take away.
pub(super) enum Change {
    Make(Field, Value),
    TakeAway(Field, String),
}

impl Linear {
    /// Adds the relations that follow the first ones.
    pub(super) fn read_relations(&self, issue: &mut wire::Issue) -> Result<(), RemoteError> {
        self.read_on(RELATIONS, &issue.id, &mut issue.relations)?;
        self.read_on(INVERSE_RELATIONS, &issue.id, &mut issue.inverse_relations)
    }

    /// Adds what follows the page that is there.
    fn read_on(&self, document: Document, id: &str, page: &mut Connection<Relation>) -> Result<(), RemoteError> {
        #[derive(Deserialize)]
        struct Data {
            issue: Relations,
        }
        #[derive(Deserialize)]
        struct Relations {
            relations: Connection<Relation>,
        }
        while let Some(after) = page.next() {
            let next = self.client.run::<Data>(document, json!({ "id": id, "after": after }))?.issue.relations;
            page.follow(next);
        }
        Ok(())
    }

    /// What is to be done so that the relations are as a patch wants them. Everything it names must be there.
    pub(super) fn relation_changes(&self, id: &str, patch: &Patch) -> Result<Vec<Change>, RemoteError> {
        let mut changes = Vec::new();
        if !patch.fields.keys().any(|field| field.is_relation()) {
            return Ok(changes);
        }
        let mut issue = self.issue_page(id, None)?.ok_or_else(|| self.missing(id))?;
        self.read_relations(&mut issue)?;
        for (field, value) in patch.fields.iter().filter(|(field, _)| field.is_relation()) {
            let (added, removed) = match value {
                FieldValue::Set(_) => patch.delta(*field),
                // One replaces whatever is there.
                FieldValue::Text(key) => {
                    let others = issue.tied(*field).map(Relation::key).filter(|other| Some(other) != key.as_ref());
                    (key.iter().cloned().collect(), others.collect())
                }
            };
            let present: BTreeSet<String> = issue.tied(*field).map(Relation::key).collect();
            for key in added.iter().filter(|key| !present.contains(*key)) {
                let other = self.id_of(*field, key)?;
                changes.push(Change::Make(*field, relation(*field, &issue.id, &other)));
            }
            let over = issue.tied(*field).filter(|relation| removed.contains(&relation.key()));
            changes.extend(over.map(|relation| Change::TakeAway(*field, relation.id.clone())));
        }
        Ok(changes)
    }

    pub(super) fn relate(&self, change: Change) -> Result<(), RemoteError> {
        let (field, sent) = match change {
            Change::Make(field, input) => (field, self.client.run::<Value>(RELATION_CREATE, json!({ "input": input }))),
            Change::TakeAway(field, id) => match self.client.run::<Value>(RELATION_DELETE, json!({ "id": id })) {
                // Somebody took it away before.
                Err(RemoteError::NotFound { .. }) => return Ok(()),
                sent => (field, sent),
            },
        };
        sent.map(drop).map_err(|error| text::about(field, error))
    }
}

/// The input that makes `issue` say so of `other`.
fn relation(field: Field, issue: &str, other: &str) -> Value {
    let (from, to, kind) = match field {
        Field::BlockedBy => (other, issue, "blocks"),
        Field::DuplicateOf => (issue, other, "duplicate"),
        _ => (issue, other, "related"),
    };
    json!({ "id": Uuid::new_v4(), "issueId": from, "relatedIssueId": to, "type": kind })
}
