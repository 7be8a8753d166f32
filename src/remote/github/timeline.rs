//! What happened to an issue, as GitHub's timeline tells it.

use super::{Github, wire};
use crate::{
    domain::timeline::Happening,
    remote::{RemoteError, text::quotable},
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What nobody asks a timeline for: who is told of the issue.
const UNTOLD: [&str; 3] = ["mentioned", "subscribed", "unsubscribed"];

impl Github {
    pub(super) fn timeline_of(&self, number: &str) -> Result<Vec<Happening>, RemoteError> {
        let mut happenings = Vec::new();
        let tell = |event: Event| happenings.extend(event.is_told().then(|| event.into_happening()));
        self.each(self.url(&["issues", number, "timeline"]), tell)?;
        Ok(happenings)
    }
}

/// How many people reacted how; nothing of reactions that nobody had.
pub(super) fn reactions(counts: Option<BTreeMap<String, serde_json::Value>>) -> BTreeMap<String, u64> {
    const KINDS: [&str; 8] = ["+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes"];
    let counted = |(kind, count): (String, serde_json::Value)| Some((kind, count.as_u64().filter(|count| *count > 0)?));
    counts.into_iter().flatten().filter(|(kind, _)| KINDS.contains(&kind.as_str())).filter_map(counted).collect()
}

/// An entry of a timeline; each kind has some of these.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    event: String,
    actor: Option<wire::Account>,
    /// Of a comment, or a review.
    user: Option<wire::Account>,
    created_at: Option<String>,
    submitted_at: Option<String>,
    label: Option<wire::Named>,
    assignee: Option<wire::Account>,
    milestone: Option<Titled>,
    rename: Option<Rename>,
    commit_id: Option<String>,
    state_reason: Option<String>,
    source: Option<Source>,
    reactions: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Deserialize)]
struct Titled {
    title: String,
}

#[derive(Deserialize)]
struct Rename {
    from: String,
    to: String,
}

/// Where an issue was mentioned.
#[derive(Deserialize)]
struct Source {
    issue: Option<Mentioning>,
}

#[derive(Deserialize)]
struct Mentioning {
    html_url: String,
}

impl Event {
    fn is_told(&self) -> bool {
        !UNTOLD.contains(&self.event.as_str()) && (self.created_at.is_some() || self.submitted_at.is_some())
    }

    fn into_happening(self) -> Happening {
        let what = format!("{}{}", self.event.replace(['_', '-'], " "), self.detail());
        let by = self.actor.or(self.user).map(|account| account.login).unwrap_or_default();
        let at = self.created_at.or(self.submitted_at).unwrap_or_default();
        Happening { at: quotable(&at), by: quotable(&by), what: quotable(&what) }
    }

    /// What it was about, with a space before it.
    fn detail(&self) -> String {
        let named = self.label.as_ref().map(|label| &label.name);
        let named = named.or(self.assignee.as_ref().map(|account| &account.login));
        let named = named.or(self.milestone.as_ref().map(|milestone| &milestone.title));
        let mut detail = named.map_or_else(String::new, |name| format!(" {name}"));
        if let Some(Rename { from, to }) = &self.rename {
            detail += &format!(" from {from:?} to {to:?}");
        }
        if let Some(reason) = &self.state_reason {
            detail += &format!(" as {}", reason.replace('_', " "));
        }
        if let Some(commit) = &self.commit_id {
            detail += &format!(" by commit {}", commit.chars().take(10).collect::<String>());
        }
        if let Some(url) = self.source.as_ref().and_then(|source| source.issue.as_ref()).map(|issue| &issue.html_url) {
            detail += &format!(" by {url}");
        }
        for (kind, count) in reactions(self.reactions.clone()) {
            detail += &format!(", {kind} {count}");
        }
        detail
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(event: serde_json::Value) -> Option<String> {
        let event: Event = serde_json::from_value(event).unwrap();
        event.is_told().then(|| event.into_happening()).map(|Happening { at, by, what }| format!("{at} {by} {what}"))
    }

    #[test]
    fn every_kind_is_told_in_a_line() {
        let event = |event: &str, more: serde_json::Value| {
            let mut all = json!({ "event": event, "actor": { "login": "alice" }, "created_at": "T" });
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            told(all)
        };
        for (kind, more, expected) in [
            ("labeled", json!({ "label": { "name": "bug" } }), "T alice labeled bug"),
            ("assigned", json!({ "assignee": { "login": "bob" } }), "T alice assigned bob"),
            ("milestoned", json!({ "milestone": { "title": "v1" } }), "T alice milestoned v1"),
            (
                "renamed",
                json!({ "rename": { "from": "a", "to": "b\n- c" } }),
                r#"T alice renamed from "a" to "b\n- c""#,
            ),
            ("closed", json!({ "state_reason": "not_planned", "commit_id": null }), "T alice closed as not planned"),
            ("referenced", json!({ "commit_id": "0123456789abcdef" }), "T alice referenced by commit 0123456789"),
            (
                "cross-referenced",
                json!({ "source": { "issue": { "html_url": "https://github.com/o/r/pull/9" } } }),
                "T alice cross referenced by https://github.com/o/r/pull/9",
            ),
            (
                "commented",
                json!({ "body": "x", "reactions": { "url": "…", "total_count": 2, "+1": 2, "heart": 0 } }),
                "T alice commented, +1 2",
            ),
            ("converted_to_discussion", json!({}), "T alice converted to discussion"),
        ] {
            assert_eq!(event(kind, more).as_deref(), Some(expected));
        }
        assert_eq!(event("subscribed", json!({})), None);
        let review = json!({ "event": "reviewed", "user": { "login": "bob" }, "submitted_at": "U" });
        assert_eq!(told(review).as_deref(), Some("U bob reviewed"));
    }

    #[test]
    fn what_somebody_is_called_stays_on_its_line() {
        let event =
            json!({ "event": "labeled", "label": { "name": "a\n- T root deleted everything" }, "created_at": "T" });
        assert_eq!(told(event).as_deref(), Some("T  labeled a - T root deleted everything"));
    }
}
