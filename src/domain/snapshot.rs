//! What a path was when it last settled: enough to tell what a save changed, without keeping its bytes.
//!
//! While a ticket's document is invalid, its snapshot keeps the meaning of the last valid one (title, fields, body, tags
//! and links) beside the content and the problems of the present one. So a broken save clears nothing, and what changed
//! meanwhile shows when the document is mended.

use super::{
    Fields,
    document::{Document, FaultKind},
    layout::Kind,
    links::{self, References},
    path::WsPath,
    problem::{Problem, Severity},
    schema::{self, Schema},
    text::{one_line, scalar_text, shortened},
};
use serde::{Deserialize, Serialize};

/// Bytes of a line that are looked at for a title.
const LINE: usize = 4096;

/// SHA-256 of some bytes, in hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentHash(pub String);

impl ContentHash {
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::{Digest, Sha256};
        Self(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// The settled state of one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub kind: Kind,
    /// Hash of the whole file.
    pub content: ContentHash,
    /// Executable bit: git keeps it.
    pub executable: bool,
    /// Title as it is shown: the `title` field, else the first heading or line of the body.
    pub title: String,
    /// Frontmatter, `sync` included; of the last valid document while the present one cannot be read.
    pub fields: Fields,
    /// Hash of the body alone.
    pub body: ContentHash,
    /// `#tag`s of the body.
    pub tags: Vec<String>,
    /// Targets of `[[name]]` and `+name` links in the body.
    pub links: Vec<String>,
    pub problems: Vec<Problem>,
}

impl Snapshot {
    pub fn is_ticket(&self) -> bool {
        self.kind == Kind::Ticket
    }

    pub fn is_spec(&self) -> bool {
        self.kind == Kind::Spec
    }

    /// A field's value where it is text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// Whether something keeps the document from being acted on.
    pub fn is_invalid(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity != Severity::Warning)
    }
}

/// The snapshot of these bytes at this path. `previous` is what the path was before, valid or not; of another kind, it
/// does not count.
pub fn read(
    path: &WsPath,
    kind: Kind,
    bytes: &[u8],
    executable: bool,
    schema: &Schema,
    previous: Option<&Snapshot>,
) -> Snapshot {
    let content = ContentHash::of(bytes);
    if !is_text(&kind, path) {
        let (title, body, problems) = (path.file_name().to_owned(), content.clone(), config_problems(path, bytes));
        let (fields, tags, links) = Default::default();
        return Snapshot { kind, content, executable, title, fields, body, tags, links, problems };
    }
    let document = Document::parse(bytes);
    let previous = previous.filter(|snapshot| snapshot.kind == kind);
    let problems = problems(path, &kind, &document, schema, previous);
    let References { tags, links } = links::references(&String::from_utf8_lossy(document.body()));
    let snapshot = Snapshot {
        kind,
        content,
        executable,
        title: title(path, &document),
        fields: document.fields().clone(),
        body: ContentHash::of(document.body()),
        tags,
        links,
        problems,
    };
    match previous {
        Some(previous) if snapshot.is_invalid() => snapshot.with_meaning_of(previous),
        _ => snapshot,
    }
}

/// What is wrong with a ticket of these bytes, for which little of what they say has to be read. `previous` as for [`read`].
pub fn problems_of_ticket(path: &WsPath, bytes: &[u8], schema: &Schema, previous: Option<&Snapshot>) -> Vec<Problem> {
    let kind = Kind::Ticket;
    let previous = previous.filter(|snapshot| snapshot.kind == kind);
    problems(path, &kind, &Document::parse(bytes), schema, previous)
}

impl Snapshot {
    fn with_meaning_of(self, last: &Snapshot) -> Self {
        let Self { kind, content, executable, problems, .. } = self;
        Self { kind, content, executable, problems, ..last.clone() }
    }
}

/// Whether a file is read as Markdown; of all others only the bytes count.
pub fn is_text(kind: &Kind, path: &WsPath) -> bool {
    match kind {
        Kind::Ticket | Kind::Comment { .. } | Kind::Inbox => true,
        Kind::Spec => path.extension() == Some("md"),
        Kind::Config | Kind::Other | Kind::Scratch => false,
    }
}

fn problems(
    path: &WsPath,
    kind: &Kind,
    document: &Document,
    schema: &Schema,
    previous: Option<&Snapshot>,
) -> Vec<Problem> {
    let unreadable = |kind| matches!(kind, FaultKind::NulBytes | FaultKind::NotUtf8 | FaultKind::MergeMarkers);
    match kind {
        Kind::Ticket => {
            let mut problems = schema.check(path, document);
            problems.extend(previous.and_then(|previous| bad_transition(path, document, schema, previous)));
            problems
        }
        Kind::Comment { .. } | Kind::Inbox => schema::faults(path, document, unreadable),
        Kind::Spec | Kind::Config | Kind::Other | Kind::Scratch => Vec::new(),
    }
}

/// A change of status that the schema does not allow.
fn bad_transition(path: &WsPath, document: &Document, schema: &Schema, previous: &Snapshot) -> Option<Problem> {
    let from = scalar_text(previous.fields.get("status")?)?;
    let to = scalar_text(document.get("status")?)?;
    if schema.status(&to).is_none() || schema.transition_allowed(&from, &to) {
        return None;
    }
    let next = &schema.status(&from)?.next;
    let message = format!("`status` cannot go from `{from}` to `{to}`");
    let help = format!("what may follow `{from}`: {}", next.join(", "));
    let at = document.value_position("status")?;
    Some(schema::problem(path, at, Severity::Error, "bad-transition", message, Some(help)))
}

fn config_problems(path: &WsPath, bytes: &[u8]) -> Vec<Problem> {
    if path.as_str() != ".trackfs/schema.yaml" {
        return Vec::new();
    }
    Schema::parse(path, &String::from_utf8_lossy(bytes)).err().unwrap_or_default()
}

/// The `title` field, else the body's first line, else the file's name.
fn title(path: &WsPath, document: &Document) -> String {
    let field = document.get("title").and_then(scalar_text).map(|text| one_line(&text)).filter(|text| !text.is_empty());
    field.or_else(|| first_line(document.body())).unwrap_or_else(|| path.stem().to_owned())
}

/// The first line of a text that says something, without the marks of a heading; at most 200 characters.
pub(super) fn first_line(body: &[u8]) -> Option<String> {
    // The beginning of a line is enough: it may be the whole of a large file.
    let begun = |line: &[u8]| String::from_utf8_lossy(&line[..line.len().min(LINE)]).into_owned();
    let lines = body.split(|byte| matches!(byte, b'\n' | b'\r')).map(begun);
    let said = lines.map(|line| one_line(line.trim_start_matches(['#', '\u{feff}', ' '])));
    said.map(|line| shortened(&line, 200)).find(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(text: &str, previous: Option<&Snapshot>) -> Snapshot {
        let path = WsPath::new("tickets/login.md").unwrap();
        read(&path, Kind::Ticket, text.as_bytes(), false, &Schema::default(), previous)
    }

    #[test]
    fn the_title_is_the_field_else_the_first_line_else_the_name() {
        assert_eq!(ticket("---\ntitle: Login  fails\n---\n# Other\n", None).title, "Login fails");
        assert_eq!(ticket("---\nstatus: todo\n---\n\n## Login *fails*\nmore\n", None).title, "Login *fails*");
        assert_eq!(ticket("\u{feff}Just text\r\n", None).title, "Just text");
        assert_eq!(ticket("", None).title, "login");
        assert_eq!(ticket("---\ntitle: \"a\\nTrackfs-Actor: b\"\n---\n", None).title, "a Trackfs-Actor: b");
    }

    #[test]
    fn a_broken_save_keeps_the_meaning_of_the_last_valid_one() {
        let valid = ticket("---\ntitle: A\nstatus: todo\n---\n#x [[y]]\n", None);
        for broken in ["", "---\ntitle: B\n", "\0\0\0", "---\ntitle: B\nstatus: nope\n---\n", "no block"] {
            let now = ticket(broken, Some(&valid));
            assert!(now.is_invalid(), "{broken:?}");
            assert_eq!((&now.title, &now.fields, &now.body), (&valid.title, &valid.fields, &valid.body));
            assert_eq!((&now.tags[..], &now.links[..]), (&["x".to_owned()][..], &["y".to_owned()][..]));
            assert_ne!(now.content, valid.content);
        }
        let mended = ticket("---\ntitle: B\n---\n", Some(&ticket("", Some(&valid))));
        assert_eq!((mended.title.as_str(), mended.fields.len(), mended.is_invalid()), ("B", 1, false));
    }

    #[test]
    fn a_transition_that_the_schema_does_not_allow_is_a_problem() {
        let yaml = "statuses:\n  a: {kind: backlog, next: [b]}\n  b: {kind: started}\n  c: {kind: completed}\nfields:\n  title: text\n  status: status\n";
        let schema = Schema::parse(&WsPath::root(), yaml).unwrap();
        let path = WsPath::new("tickets/t.md").unwrap();
        let at = |status: &str, previous: Option<&Snapshot>| {
            let text = format!("---\ntitle: t\nstatus: {status}\n---\n");
            read(&path, Kind::Ticket, text.as_bytes(), false, &schema, previous)
        };
        let first = at("a", None);
        assert!(!at("b", Some(&first)).is_invalid());
        let jumped = at("c", Some(&first));
        let expected = "tickets/t.md:3:9: `status` cannot go from `a` to `c` (what may follow `a`: b)";
        assert_eq!(jumped.problems[0].to_string(), expected);
        assert!(at("c", Some(&jumped)).is_invalid(), "saving it again does not make it legal");
    }

    #[test]
    fn files_that_are_no_tickets_are_kept_as_they_are() {
        let schema = Schema::default();
        let of =
            |path: &str, kind: Kind, bytes: &[u8]| read(&WsPath::new(path).unwrap(), kind, bytes, true, &schema, None);
        let image = of("tickets/a/b.png", Kind::Other, b"\x89PNG\0");
        assert_eq!((image.title.as_str(), image.problems.len(), image.executable), ("b.png", 0, true));
        let spec = of("specs/a.md", Kind::Spec, b"# Login\n#auth [[login]]\n");
        assert_eq!(
            (spec.title.as_str(), &spec.tags[..], &spec.links[..]),
            ("Login", &["auth".into()][..], &["login".into()][..])
        );
        assert_eq!(of("inbox/idea", Kind::Inbox, b"Buy milk\n").title, "Buy milk");
        assert_eq!(of(".trackfs/schema.yaml", Kind::Config, b"x").problems[0].code, "invalid-schema");
        assert!(of(".trackfs/config.yaml", Kind::Config, b"x").problems.is_empty());
    }
}
