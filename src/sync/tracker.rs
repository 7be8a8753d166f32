//! The remote as far as the schema has fields for it.
//!
//! A field that is not read here has no base. So when the schema gets it later, the ticket takes what the remote says, and
//! its lack of the field is not mistaken for somebody's having cleared it.

use super::cycle::Cycle;
use crate::{
    domain::issue::{Field, IssueFields, ObjectKind, RemoteIssue},
    remote::{Lost, Page, PageToken, Patch, Provider, RemoteError, Search},
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The calls of a [`Provider`] that answer issues, each without the fields that are not wanted.
pub(super) struct Tracker<'c> {
    provider: &'c dyn Provider,
    fields: &'c BTreeSet<Field>,
}

impl Cycle<'_> {
    pub fn tracker(&self) -> Tracker<'_> {
        Tracker { provider: &*self.sync.parts.provider, fields: &self.capabilities.fields }
    }
}

impl Tracker<'_> {
    pub fn changed_since(&self, since: Option<&str>, page: Option<&PageToken>) -> Result<Page, RemoteError> {
        let answer = self.provider.changed_since(since, page)?;
        Ok(Page { issues: answer.issues.into_iter().map(|issue| self.only(issue)).collect(), ..answer })
    }

    pub fn fetch(&self, id: &str) -> Result<Option<RemoteIssue>, RemoteError> {
        Ok(self.provider.fetch(id)?.map(|issue| self.only(issue)))
    }

    pub fn create(&self, intent: Uuid, kind: ObjectKind, fields: &IssueFields) -> Result<RemoteIssue, RemoteError> {
        self.provider.create(intent, kind, fields).map(|issue| self.only(issue))
    }

    pub fn find_created(&self, lost: &Lost<'_>) -> Result<Search, RemoteError> {
        Ok(match self.provider.find_created(lost)? {
            Search::Found(issue) => Search::Found(Box::new(self.only(*issue))),
            other => other,
        })
    }

    pub fn update(&self, id: &str, patch: &Patch) -> Result<RemoteIssue, RemoteError> {
        self.provider.update(id, patch).map(|issue| self.only(issue))
    }

    fn only(&self, mut issue: RemoteIssue) -> RemoteIssue {
        issue.fields.retain(|field, _| self.fields.contains(field));
        issue
    }
}
