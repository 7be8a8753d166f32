//! What a write sends: fields by Linear's names, and by UUID what people name.

use super::{Linear, wire};
use crate::{
    domain::issue::{Field, FieldValue, IssueFields},
    remote::{Patch, RemoteError, text},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

impl Linear {
    /// The input of a create.
    pub(super) fn creation(&self, intent: Uuid, fields: &IssueFields) -> Result<Value, RemoteError> {
        let team = self.directory.team(&self.client, &self.team)?;
        let mut input = self.input(fields)?;
        self.milestone_input(fields, &mut input, || Ok(None))?;
        input.retain(|_, value| !value.is_null());
        if let Some(FieldValue::Set(names)) = fields.get(&Field::Labels) {
            let ids = names.iter().map(|name| self.directory.label_id(&self.client, team, name));
            input.insert("labelIds".into(), json!(ids.collect::<Result<Vec<_>, _>>()?));
        }
        input.insert("id".into(), json!(intent));
        input.insert("teamId".into(), json!(team.id));
        Ok(Value::Object(input))
    }

    /// The input of an update.
    pub(super) fn changes(&self, id: &str, patch: &Patch) -> Result<Map<String, Value>, RemoteError> {
        let mut input = self.input(&patch.fields)?;
        self.label_input(patch, &mut input)?;
        self.milestone_input(&patch.fields, &mut input, || {
            let issue = self.issue_page(id, None)?.ok_or_else(|| self.missing(id))?;
            Ok(issue.project.map(|project| project.id))
        })?;
        Ok(input)
    }

    /// The values of `fields` as Linear's input, but for those that depend on more than their value: labels, milestone and relations.
    fn input(&self, fields: &IssueFields) -> Result<Map<String, Value>, RemoteError> {
        let mut input = Map::new();
        for (field, value) in fields {
            if let Some((name, value)) = self.input_of(*field, value.as_text())? {
                input.insert(name.to_owned(), value);
            }
        }
        Ok(input)
    }

    /// The input's member for one single-valued field. The values were checked before.
    pub(super) fn input_of(
        &self,
        field: Field,
        text: Option<&str>,
    ) -> Result<Option<(&'static str, Value)>, RemoteError> {
        let (directory, client) = (&self.directory, &self.client);
        let team = || directory.team(client, &self.team);
        Ok(Some(match field {
            Field::Title => ("title", json!(text)),
            Field::Body => ("description", json!(text.unwrap_or_default())),
            Field::Status => ("stateId", json!(text.map(|name| self.state_id(name)).transpose()?)),
            Field::Assignee => ("assigneeId", json!(text.map(|name| directory.user_id(client, name)).transpose()?)),
            Field::Priority => {
                let rank = wire::PRIORITIES.iter().position(|name| Some(*name) == text);
                ("priority", json!(rank.map_or(0, |rank| rank + 1)))
            }
            Field::Estimate => ("estimate", json!(text.and_then(|points| points.parse::<i32>().ok()))),
            Field::Due => ("dueDate", json!(text)),
            Field::Project => {
                ("projectId", json!(text.map(|name| directory.project_id(client, team()?, name)).transpose()?))
            }
            Field::Cycle => ("cycleId", json!(text.map(|name| directory.cycle_id(client, team()?, name)).transpose()?)),
            Field::Parent => ("parentId", json!(text.map(|key| self.id_of(field, key)).transpose()?)),
            Field::Labels
            | Field::Type
            | Field::Milestone
            | Field::BlockedBy
            | Field::Related
            | Field::DuplicateOf
            | Field::Attachments => return Ok(None),
        }))
    }

    fn state_id(&self, name: &str) -> Result<&str, RemoteError> {
        let team = self.directory.team(&self.client, &self.team)?;
        let refused =
            || text::invalid(self.client.remote(), Field::Status, format!("{name:?} is no state of the team"));
        team.state_id(name).ok_or_else(refused)
    }

    /// The id of the issue that a link of `field` means.
    pub(super) fn id_of(&self, field: Field, key: &str) -> Result<String, RemoteError> {
        let refused = || text::no_issue(self.client.remote(), field, key);
        Ok(self.issue_page(key, None)?.ok_or_else(refused)?.id)
    }

    /// Adds the milestone, of the project that the issue comes into, or else is in (`present`).
    fn milestone_input(
        &self,
        fields: &IssueFields,
        input: &mut Map<String, Value>,
        present: impl FnOnce() -> Result<Option<String>, RemoteError>,
    ) -> Result<(), RemoteError> {
        let Some(milestone) = fields.get(&Field::Milestone) else { return Ok(()) };
        let id = match milestone.as_text() {
            None => None,
            Some(name) => {
                let project = match input.get("projectId") {
                    Some(project) => project.as_str().map(str::to_owned),
                    None => present()?,
                };
                let refused = || text::invalid(self.client.remote(), Field::Milestone, text::NO_PROJECT);
                Some(self.directory.milestone_id(&self.client, &project.ok_or_else(refused)?, name)?)
            }
        };
        input.insert("projectMilestoneId".into(), json!(id));
        Ok(())
    }

    /// Adds the labels that a patch adds, by id, making those that do not exist; removes what it removes.
    fn label_input(&self, patch: &Patch, input: &mut Map<String, Value>) -> Result<(), RemoteError> {
        let (added, removed) = patch.delta(Field::Labels);
        let team = self.directory.team(&self.client, &self.team)?;
        if !added.is_empty() {
            let ids = added.iter().map(|name| self.directory.label_id(&self.client, team, name));
            input.insert("addedLabelIds".into(), json!(ids.collect::<Result<Vec<_>, _>>()?));
        }
        if !removed.is_empty() {
            let ids = removed.iter().map(|name| self.directory.label_ids(&self.client, team, name));
            input.insert("removedLabelIds".into(), json!(ids.collect::<Result<Vec<_>, _>>()?.concat()));
        }
        Ok(())
    }
}
