//! Fields that GitHub changes through endpoints of their own, or that name something which must be there.

use super::{Github, wire, with_query};
use crate::{
    domain::issue::{Field, FieldValue, IssueFields},
    remote::{Patch, RemoteError, http::Effect, text},
};
use reqwest::Method;
use serde_json::{Map, Value, json};

impl Github {
    /// Title, body, milestone and type, as far as they are among the fields: what both a create and an update carry.
    pub(super) fn plain_fields(&self, fields: &IssueFields) -> Result<Map<String, Value>, RemoteError> {
        let mut body = wire::texts(fields);
        if let Some(milestone) = fields.get(&Field::Milestone) {
            let number = milestone.as_text().map(|title| self.milestone(title)).transpose()?;
            body.insert("milestone".into(), json!(number));
        }
        if let Some(kind) = fields.get(&Field::Type) {
            body.insert("type".into(), json!(kind.as_text()));
        }
        Ok(body)
    }

    /// The number of the repository's milestone of this title, open or closed.
    fn milestone(&self, title: &str) -> Result<u64, RemoteError> {
        let mut milestones = Vec::new();
        let mut url = Some(with_query(self.url(&["milestones"]), &[("state", "all"), ("per_page", "100")]));
        while let Some(page) = url {
            let (listed, reply) = self.get::<Vec<wire::Milestone>>(page)?;
            milestones.extend(listed);
            url = self.next(&reply)?;
        }
        let found = text::named(self.http.remote(), Field::Milestone, title, &milestones, |known| &known.title);
        found.map(|milestone| milestone.number)
    }

    /// Brings the issue into `status`. GitHub heeds a reason only when the state changes, so a closed issue whose reason
    /// stays as it was is opened and closed again.
    pub(super) fn set_status(&self, number: &str, status: &str) -> Result<(), RemoteError> {
        if self.patch(number, wire::state_of(status))?.status() == status || status == "open" {
            return Ok(());
        }
        self.patch(number, wire::state_of("open"))?;
        self.patch(number, wire::state_of(status)).map(drop)
    }

    /// Refuses labels that the repository does not have, unless they may be made: GitHub makes them without a word.
    pub(super) fn check_labels<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> Result<(), RemoteError> {
        if self.create_labels {
            return Ok(());
        }
        for name in names {
            match self.get::<wire::Named>(self.url(&["labels", name])) {
                Ok(_) => {}
                Err(RemoteError::NotFound { .. }) => {
                    let (known, place) = (self.labels()?, format!("{}/{}", self.owner, self.repo));
                    let known = known.iter().map(String::as_str);
                    return Err(text::unknown_label(self.http.remote(), &place, name, known));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The name of every label of the repository.
    fn labels(&self) -> Result<Vec<String>, RemoteError> {
        let mut names = Vec::new();
        let mut url = Some(with_query(self.url(&["labels"]), &[("per_page", "100")]));
        while let Some(page) = url {
            let (labels, reply) = self.get::<Vec<wire::Named>>(page)?;
            names.extend(labels.into_iter().map(|label| label.name));
            url = self.next(&reply)?;
        }
        Ok(names)
    }

    pub(super) fn change_labels(&self, number: &str, patch: &Patch) -> Result<(), RemoteError> {
        let (added, removed) = patch.delta(Field::Labels);
        if !added.is_empty() {
            let url = self.url(&["issues", number, "labels"]);
            let sent = self.send(Effect::Write, Method::POST, url, Some(json!({ "labels": added })));
            sent.map_err(|error| text::about(Field::Labels, error))?;
        }
        for label in removed {
            match self.send(Effect::Write, Method::DELETE, self.url(&["issues", number, "labels", &label]), None) {
                // Somebody took it off before.
                Ok(_) | Err(RemoteError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Replaces the assignee that the ticket showed; people assigned besides stay.
    pub(super) fn change_assignee(&self, number: &str, patch: &Patch) -> Result<(), RemoteError> {
        let Some(wanted) = patch.fields.get(&Field::Assignee) else { return Ok(()) };
        let url = self.url(&["issues", number, "assignees"]);
        let old = patch.base.get(&Field::Assignee).and_then(FieldValue::as_text);
        if let Some(login) = wanted.as_text() {
            let issue = self.write::<wire::Issue>(Method::POST, url.clone(), json!({ "assignees": [login] }));
            // GitHub leaves out whoever cannot be assigned, and says nothing.
            if !issue.map_err(|error| text::about(Field::Assignee, error))?.is_assigned_to(login) {
                let message = format!("{login} cannot be assigned in {}/{}", self.owner, self.repo);
                return Err(text::invalid(self.http.remote(), Field::Assignee, message));
            }
        }
        if let Some(login) = old.filter(|login| !wanted.as_text().is_some_and(|wanted| text::same_name(wanted, login)))
        {
            self.send(Effect::Write, Method::DELETE, url, Some(json!({ "assignees": [login] })))?;
        }
        Ok(())
    }
    /// Makes the issue a sub-issue of its parent, or of none.
    pub(super) fn set_parent(&self, number: &str, parent: &FieldValue) -> Result<(), RemoteError> {
        let issue = self.look_up(number)?.ok_or_else(|| self.missing(number))?;
        let refused = |message: String| text::invalid(self.http.remote(), Field::Parent, message);
        let sent = match (parent.as_text(), &issue.parent_issue_url) {
            (Some(parent), _) => {
                let url = self.url(&["issues", parent, "sub_issues"]);
                let body = json!({ "sub_issue_id": issue.id, "replace_parent": true });
                self.send(Effect::Write, Method::POST, url, Some(body))
            }
            (None, Some(present)) => {
                let url = self.http.own_url(&format!("{present}/sub_issue"));
                let url = url.ok_or_else(|| refused("its parent is on another host".into()))?;
                self.send(Effect::Write, Method::DELETE, url, Some(json!({ "sub_issue_id": issue.id })))
            }
            (None, None) => return Ok(()),
        };
        match sent {
            Err(RemoteError::NotFound { .. }) => {
                let there = parent.as_text().unwrap_or("its parent");
                Err(refused(format!("{there} is not there, or takes no sub-issues")))
            }
            sent => sent.map(drop).map_err(|error| text::about(Field::Parent, error)),
        }
    }
}
