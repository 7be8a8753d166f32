//! The comments of a whole repository, read ahead for a listing of everything.
//!
//! They serve an issue only if nothing can have happened to its comments since they were read: a new or edited comment
//! moves the issue's time, and a deleted one changes its count.

use super::wire;
use crate::domain::{Timestamp, issue::RemoteComment};
use std::collections::HashMap;

#[derive(Default)]
pub(super) struct Bulk {
    /// The remote's time before the first comment was read.
    begun: Option<Timestamp>,
    by_issue: HashMap<u64, Vec<RemoteComment>>,
}

impl Bulk {
    /// A bulk whose reading begins at this time of the remote.
    pub(super) fn begun_at(time: Timestamp) -> Self {
        Self { begun: Some(time), by_issue: HashMap::new() }
    }

    /// Adds a comment; they come oldest first.
    pub(super) fn add(&mut self, comment: wire::Comment) {
        let issue = comment.issue().unwrap_or_default();
        self.by_issue.entry(issue).or_default().push(comment.into_remote());
    }

    /// Takes out the comments of an issue, if they are certainly all it has now.
    pub(super) fn take(&mut self, issue: &wire::Issue) -> Option<Vec<RemoteComment>> {
        let comments = self.by_issue.remove(&issue.number).unwrap_or_default();
        let updated: Timestamp = issue.updated_at.parse().ok()?;
        let is_untouched = self.begun.is_some_and(|begun| updated < begun);
        (is_untouched && comments.len() as u64 == issue.comments).then_some(comments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn issue(comments: u64, updated_at: &str) -> wire::Issue {
        let issue = json!({ "number": 7, "title": "T", "state": "open", "comments": comments, "html_url": "",
            "created_at": "2026-01-01T00:00:00Z", "updated_at": updated_at });
        serde_json::from_value(issue).unwrap()
    }

    fn bulk() -> Bulk {
        let mut bulk = Bulk::begun_at("2026-01-02T00:00:00Z".parse().unwrap());
        let comment = json!({ "id": 1, "issue_url": "https://api.github.com/repos/o/r/issues/7", "body": "b",
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z" });
        bulk.add(serde_json::from_value(comment).unwrap());
        bulk
    }

    #[test]
    fn comments_that_may_have_changed_do_not_serve() {
        assert!(bulk().take(&issue(1, "2026-01-01T23:59:59Z")).is_some());
        assert!(bulk().take(&issue(1, "2026-01-02T00:00:00Z")).is_none(), "one may have been edited");
        assert!(bulk().take(&issue(2, "2026-01-01T00:00:00Z")).is_none(), "one is missing");
        assert!(Bulk::default().take(&issue(0, "2026-01-01T00:00:00Z")).is_none(), "nothing was read");
    }
}
