//! What an issue of the simulated tracker can refer to: it is there or it is not, and no issue makes it.

use super::{Flavour, state::State};
use crate::{
    domain::issue::{Field, FieldValue, IssueFields, RemoteIssue},
    remote::{RemoteError, text},
};
use std::collections::BTreeSet;

const PROJECTS: [&str; 1] = ["Launch"];
const MILESTONES: [&str; 2] = ["v1", "v2"];
const CYCLES: [&str; 2] = ["1", "2"];

impl State {
    /// The fields with the tracker's own spelling of what it has; a refusal of what it does not have. `issue` is what they
    /// are for, as it is now.
    pub(super) fn catalogued(
        &self,
        remote: &str,
        fields: &IssueFields,
        issue: Option<&RemoteIssue>,
    ) -> Result<IssueFields, RemoteError> {
        let mut known = fields.clone();
        for field in [Field::Project, Field::Milestone, Field::Cycle] {
            let Some(name) = fields.get(&field).and_then(FieldValue::as_text) else { continue };
            if field == Field::Milestone && !self.has_project(fields, issue) {
                return Err(text::invalid(remote, field, text::NO_PROJECT));
            }
            let names: Vec<String> = self.names_of(field).into_iter().collect();
            known.insert(field, FieldValue::text(text::named(remote, field, name, &names, String::as_str)?));
        }
        for (field, value) in fields.iter().filter(|(field, _)| field.is_link()) {
            let present = issue.and_then(|issue| issue.fields.get(field)).map(FieldValue::members).unwrap_or_default();
            let is_missing = |key: &&str| self.by_key(key).is_none() && !present.contains(key);
            if let Some(key) = value.members().into_iter().find(is_missing) {
                return Err(text::no_issue(remote, *field, key));
            }
        }
        Ok(known)
    }

    /// In Linear a milestone belongs to a project, in GitHub to the repository.
    fn has_project(&self, fields: &IssueFields, issue: Option<&RemoteIssue>) -> bool {
        let now = || issue.and_then(|issue| issue.fields.get(&Field::Project));
        let project = fields.get(&Field::Project).or_else(now);
        *self.flavour() == Flavour::Github || project.and_then(FieldValue::as_text).is_some()
    }

    /// What was there at first, and what somebody else used since.
    fn names_of(&self, field: Field) -> BTreeSet<String> {
        let first: &[&str] = match field {
            Field::Project => &PROJECTS,
            Field::Milestone => &MILESTONES,
            _ => &CYCLES,
        };
        let used = self.issues().filter_map(|issue| issue.fields.get(&field)?.as_text());
        first.iter().copied().chain(used).map(str::to_owned).collect()
    }
}
