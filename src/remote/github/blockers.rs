//! Dependencies: the issues that block an issue. An issue tells how many there are; which, costs a request.

use super::{Github, timeline::reactions, wire};
use crate::{
    domain::issue::{Field, FieldValue, RemoteComment, RemoteIssue},
    remote::{Patch, RemoteError, http::Effect, text},
};
use reqwest::Method;
use serde_json::json;

impl Github {
    /// The issue with these comments, and with what blocks it.
    pub(super) fn with_blockers(
        &self,
        mut issue: wire::Issue,
        comments: Vec<RemoteComment>,
    ) -> Result<RemoteIssue, RemoteError> {
        let blockers = if issue.is_blocked() { self.blockers(&issue.number.to_string())? } else { Some(Vec::new()) };
        let keys = blockers.map(|all| all.iter().map(|blocker| blocker.key_in(issue.repository())).collect());
        let reactions = if self.timeline { reactions(issue.reactions.take()) } else { Default::default() };
        let mut complete = RemoteIssue { comments, reactions, ..issue.into_remote() };
        match (keys, complete.fields.get_mut(&Field::BlockedBy)) {
            (Some(keys), Some(value)) => *value = FieldValue::Set(keys),
            (None, _) => drop(complete.fields.remove(&Field::BlockedBy)),
            (Some(_), None) => {}
        }
        Ok(complete)
    }

    /// Every issue that blocks this one; `None` where the token may not see them.
    fn blockers(&self, number: &str) -> Result<Option<Vec<wire::Issue>>, RemoteError> {
        let mut blockers = Vec::new();
        match self.each(self.dependencies(number, None), |blocker| blockers.push(blocker)) {
            Err(RemoteError::NotFound { .. }) => Ok(None),
            read => read.map(|()| Some(blockers)),
        }
    }

    /// The ids of the issues that a patch adds, each of which must be there.
    pub(super) fn new_blockers(&self, patch: &Patch) -> Result<Vec<u64>, RemoteError> {
        let (added, _) = patch.delta(Field::BlockedBy);
        let id = |key: &String| match self.look_up(key)? {
            Some(issue) => Ok(issue.id),
            None => Err(text::no_issue(self.http.remote(), Field::BlockedBy, key)),
        };
        added.iter().map(id).collect()
    }

    pub(super) fn change_blockers(&self, number: &str, patch: &Patch, added: &[u64]) -> Result<(), RemoteError> {
        let (_, removed) = patch.delta(Field::BlockedBy);
        if added.is_empty() && removed.is_empty() {
            return Ok(());
        }
        let issue = self.look_up(number)?.ok_or_else(|| self.missing(number))?;
        let present = self.blockers(number)?.unwrap_or_default();
        let about = |error| text::about(Field::BlockedBy, error);
        for id in added.iter().filter(|id| present.iter().all(|blocker| blocker.id != **id)) {
            let body = json!({ "issue_id": id });
            self.send(Effect::Write, Method::POST, self.dependencies(number, None), Some(body)).map_err(about)?;
        }
        for blocker in present.iter().filter(|blocker| removed.contains(&blocker.key_in(issue.repository()))) {
            let url = self.dependencies(number, Some(blocker.id));
            match self.send(Effect::Write, Method::DELETE, url, None) {
                // Somebody took it off before.
                Ok(_) | Err(RemoteError::NotFound { .. }) => {}
                Err(error) => return Err(about(error)),
            }
        }
        Ok(())
    }

    fn dependencies(&self, number: &str, of: Option<u64>) -> reqwest::Url {
        let id = of.map(|id| id.to_string());
        self.url(&[&["issues", number, "dependencies", "blocked_by"], id.as_deref().as_slice()].concat())
    }
}
