//! What a commit did to a file, field by field: values in, values out.
//!
//! A version that cannot be read means what the last readable one meant, as it does for events: so a broken save clears
//! nothing, and what changed meanwhile shows where the document is mended.

mod named;
mod renames;

pub use named::{number_of, version_name};
pub use renames::{Placed, pair};

use super::{
    Fields, Timestamp, Value,
    diff::means_the_same,
    document::{Document, FaultKind},
    path::WsPath,
    snapshot::ContentHash,
};
use serde::{Deserialize, Serialize};

/// One field of a Markdown file, as a commit changed it. Null: not there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// `None`: the text below the frontmatter.
    pub field: Option<String>,
    pub from: Value,
    pub to: Value,
}

/// A file as one commit left it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Counted from 1, the oldest.
    pub number: usize,
    pub commit: String,
    /// `Name <email>`.
    pub author: String,
    /// Who saved it, as the commit says: `vim`, `claude`.
    pub actors: Vec<String>,
    pub at: Timestamp,
    /// The commit's first line.
    pub subject: String,
    /// Where the file was then.
    pub path: WsPath,
    /// Where it was before, when this commit moved it.
    pub moved_from: Option<WsPath>,
    /// Blob before the commit; `None`: it was made.
    pub before: Option<String>,
    /// Blob; `None`: it was removed.
    pub blob: Option<String>,
    pub executable: bool,
    pub changes: Vec<FieldChange>,
}

/// What a Markdown file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meaning {
    fields: Fields,
    body: Option<ContentHash>,
}

impl Meaning {
    /// `None` for what cannot be read.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let document = Document::parse(bytes);
        // A file without a block is a text.
        let is_unreadable = document.faults().iter().any(|fault| fault.kind != FaultKind::NoFrontmatter);
        let body = ContentHash::of(document.body());
        (!is_unreadable).then(|| Self { fields: document.fields().clone(), body: Some(body) })
    }

    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// What differs in `new`, in its order; what went comes last, and the body after all fields. Of a file that was made
    /// (`self` is nothing), every field.
    pub fn changes(&self, new: &Self) -> Vec<FieldChange> {
        let gone = self.fields.keys().filter(|name| !new.fields.contains_key(*name));
        let value = |fields: &Fields, name: &str| fields.get(name).cloned().unwrap_or(Value::Null);
        let changes = new.fields.keys().chain(gone).filter_map(|name| {
            let (from, to) = (value(&self.fields, name), value(&new.fields, name));
            (!means_the_same(name, &from, &to)).then(|| FieldChange { field: Some(name.clone()), from, to })
        });
        let body = self.body.is_some() && self.body != new.body;
        changes.chain(body.then_some(FieldChange { field: None, from: Value::Null, to: Value::Null })).collect()
    }
}

/// What became of a file, in a word: `created`, `removed` or `edited`; and, of Markdown, field by field. What is removed
/// says nothing more.
pub fn difference(path: &WsPath, old: Option<&[u8]>, new: Option<&[u8]>) -> (&'static str, Vec<FieldChange>) {
    let what = match (old, new) {
        (None, _) => "created",
        (_, None) => "removed",
        _ => "edited",
    };
    let is_text = path.extension() == Some("md");
    let changes = new.filter(|_| is_text).and_then(Meaning::of).map(|new| {
        let old = old.and_then(Meaning::of).unwrap_or_default();
        old.changes(&new)
    });
    (what, changes.unwrap_or_default())
}

/// Who saved what a commit has, as its message says.
pub fn actors(message: &str) -> Vec<String> {
    message.lines().filter_map(|line| line.strip_prefix("Trackfs-Actor: ")).map(str::to_owned).collect()
}

impl Version {
    /// Whether its commit made the file.
    pub fn is_first(&self) -> bool {
        self.before.is_none() && self.moved_from.is_none()
    }

    /// The author's name without the address.
    pub fn author_name(&self) -> &str {
        self.author.split(" <").next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn changes(old: &str, new: &str) -> Vec<String> {
        let meaning =
            |text: &str| if text.is_empty() { Meaning::default() } else { Meaning::of(text.as_bytes()).unwrap() };
        let told = |change: FieldChange| match change.field {
            Some(field) => format!("{field} {} {}", change.from, change.to),
            None => "body".to_owned(),
        };
        meaning(old).changes(&meaning(new)).into_iter().map(told).collect()
    }

    #[test]
    fn a_new_file_sets_each_field_and_an_edit_what_it_changes() {
        let first = "---\ntitle: A\nlabels: [a, b]\n---\nbody\n";
        assert_eq!(changes("", first), ["title null \"A\"", "labels null [\"a\",\"b\"]"]);
        let next = "---\ntitle: A\nstatus: done\n---\nmore\n";
        assert_eq!(changes(first, next), ["status null \"done\"", "labels [\"a\",\"b\"] null", "body"]);
        assert_eq!(changes(first, &first.replace("[a, b]", "[b, 'a'] # same")), [""; 0]);
    }

    #[test]
    fn what_cannot_be_read_means_nothing_and_a_plain_text_has_a_body() {
        for broken in ["---\ntitle: [\n---\n", "---\nopen\n", "a\0b", "<<<<<<< a\n=======\n>>>>>>> b\n"] {
            assert_eq!(Meaning::of(broken.as_bytes()), None, "{broken:?}");
        }
        assert_eq!(changes("# Spec\none\n", "# Spec\ntwo\n"), ["body"]);
    }

    #[test]
    fn the_actors_are_those_of_the_trailers() {
        assert_eq!(
            actors("login: edited\n\nTrackfs-Actor: vim\nTrackfs-Actor: sed\nTrackfs-Events: 2\n"),
            ["vim", "sed"]
        );
        assert_eq!(actors("by hand\n"), [""; 0]);
        let value = json!(FieldChange { field: None, from: json!(1), to: json!(null) });
        assert_eq!(value, json!({"field": null, "from": 1, "to": null}));
    }
}
