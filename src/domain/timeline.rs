//! What happened to an issue, which is only ever looked at: how that reads as a file.

use super::{Fields, Value, document::Document, issue::RemoteIssue, path::WsPath};
use serde::{Deserialize, Serialize};

/// One thing that happened to an issue, in the remote's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// The remote's time, verbatim.
    pub at: String,
    /// Who did it; empty: nobody says.
    pub by: String,
    /// On one line: `labeled bug`, `closed as completed`.
    pub what: String,
}

/// `remotes/<remote>/timeline/<key>.md`
pub fn path(remote: &str, key: &str) -> Option<WsPath> {
    WsPath::new(format!("remotes/{remote}/timeline/{key}.md")).ok()
}

/// The file: whose it is and how people reacted in its YAML block, what happened in its text, oldest first.
pub fn document(issue: &RemoteIssue, ticket: Option<&WsPath>, happenings: &[Happening]) -> Document {
    let mut fields = Fields::new();
    if let Some(ticket) = ticket {
        fields.insert("ticket".to_owned(), Value::from(ticket.as_str()));
    }
    fields.insert("url".to_owned(), Value::from(issue.url.as_str()));
    if !issue.reactions.is_empty() {
        let reactions = issue.reactions.iter().map(|(name, count)| (name.clone(), Value::from(*count)));
        fields.insert("reactions".to_owned(), Value::Object(reactions.collect()));
    }
    let line = |Happening { at, by, what }: &Happening| {
        let by = if by.is_empty() { String::new() } else { format!("{by} ") };
        format!("- {at} {by}{what}\n")
    };
    Document::new(&fields, &happenings.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_reads_as_a_list_below_the_reactions() {
        let issue = RemoteIssue {
            id: "7".into(),
            key: "7".into(),
            url: "https://github.com/o/r/issues/7".into(),
            updated_at: String::new(),
            archived: false,
            fields: Default::default(),
            comments: Vec::new(),
            reactions: [("+1".to_owned(), 3), ("heart".to_owned(), 1)].into(),
        };
        let happening =
            |by: &str, what: &str| Happening { at: "2026-11-20T14:03:00Z".into(), by: by.into(), what: what.into() };
        let happenings = [happening("alice", "labeled bug"), happening("", "transferred")];
        let document = document(&issue, Some(&WsPath::new("tickets/7.md").unwrap()), &happenings);
        let read = Document::parse(document.bytes());
        assert_eq!(read.get("reactions"), Some(&serde_json::json!({"+1": 3, "heart": 1})));
        assert_eq!(read.get("ticket"), Some(&Value::from("tickets/7.md")));
        let body = "- 2026-11-20T14:03:00Z alice labeled bug\n- 2026-11-20T14:03:00Z transferred\n";
        assert_eq!(std::str::from_utf8(read.body()).unwrap(), body);
        assert_eq!(path("hub", "7").unwrap().as_str(), "remotes/hub/timeline/7.md");
        assert_eq!(path("hub", "../7"), None);
    }
}
