//! Pull requests, which are only ever looked at: how one reads as a file.

use super::{Fields, Value, document::Document, path::WsPath};
use serde::{Deserialize, Serialize};

/// A pull request as the remote last described it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemotePull {
    pub number: u64,
    pub title: String,
    /// `draft`, `open`, `closed` or `merged`.
    pub state: String,
    /// The branch that it brings.
    pub branch: String,
    pub url: String,
    /// The remote's `updated_at`, verbatim.
    pub updated_at: String,
    /// Keys of the issues that it closes, by its own words.
    pub closes: Vec<String>,
}

impl RemotePull {
    /// `remotes/<remote>/pulls/<number>.md`
    pub fn path(&self, remote: &str) -> Option<WsPath> {
        WsPath::new(format!("remotes/{remote}/pulls/{}.md", self.number)).ok()
    }

    /// The file: everything stands in its YAML block. `tickets` are those of the issues that it closes.
    pub fn document(&self, tickets: &[WsPath]) -> Document {
        let texts = [("title", &self.title), ("state", &self.state), ("branch", &self.branch), ("url", &self.url)];
        let mut fields: Fields =
            texts.map(|(name, text)| (name.to_owned(), Value::from(text.as_str()))).into_iter().collect();
        let tickets: Vec<Value> = tickets.iter().map(|path| Value::from(path.as_str())).collect();
        fields.insert("tickets".to_owned(), Value::Array(tickets));
        Document::new(&fields, "")
    }
}

/// Words before an issue's number that close it when the pull request is merged.
const CLOSING: [&str; 9] = ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"];

/// The issues of its own repository that a pull request's text closes: `Fixes #12`, `closes: #7`; each once, in order.
pub fn closed_by(text: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let words: Vec<&str> = text.split_whitespace().collect();
    for pair in words.windows(2) {
        let is_closing = CLOSING.iter().any(|word| pair[0].trim_end_matches(':').eq_ignore_ascii_case(word));
        let number = pair[1].strip_prefix('#').map(|rest| rest.trim_end_matches(|c: char| c.is_ascii_punctuation()));
        let key = number.filter(|number| number.parse::<u64>().is_ok()).map(str::to_owned);
        keys.extend(key.filter(|key| is_closing && !keys.contains(key)));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issues_that_a_text_closes_are_those_after_a_closing_word() {
        assert_eq!(closed_by("Fixes #12, and closes: #7.\nSee #3; resolves #12"), ["12", "7"]);
        for none in ["", "fixes", "fixes 12", "fixes #", "prefixes #1", "fixes other/repo#1", "fixes #1x"] {
            assert_eq!(closed_by(none), Vec::<String>::new(), "{none}");
        }
    }

    #[test]
    fn remote_text_cannot_add_fields_to_the_file() {
        let pull = RemotePull {
            number: 3,
            title: "a\nsync: {hub: 1}\n---\n".into(),
            state: "open".into(),
            branch: "x".into(),
            url: "https://github.com/o/r/pull/3".into(),
            updated_at: String::new(),
            closes: Vec::new(),
        };
        let document = Document::parse(pull.document(&[]).bytes());
        assert_eq!(document.get("title").and_then(Value::as_str), Some(pull.title.as_str()));
        assert!(document.get("sync").is_none() && document.body().is_empty());
        assert_eq!(pull.path("hub").unwrap().as_str(), "remotes/hub/pulls/3.md");
    }
}
