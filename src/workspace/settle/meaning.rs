//! What bytes at a path mean: the domain's functions, given the facts that only the directory has.

use super::{CONFIG_PATH, SCHEMA_PATH};
use crate::{
    domain::{
        diff,
        document::{Document, FaultKind},
        event::Change,
        layout::{self, Facts, Kind},
        path::WsPath,
        problem::{Problem, Severity},
        schema::Schema,
        secrets,
        snapshot::{self, ContentHash, Snapshot},
        view::{self, SavedView},
    },
    workspace::{
        config::Config,
        ignored::{GITIGNORE, MAX_BYTES, MAX_LINES},
        root::{Root, Stat},
        store::Known,
    },
};

const TOO_LARGE: &str = "too-large";
const ILLEGAL_NAME: &str = "illegal-name";
const FAILED: &str = "internal";

/// Whether a file of this path is transient, whatever it holds.
pub(super) fn is_scratch(path: &WsPath) -> bool {
    layout::classify(path, Facts::default()) == Kind::Scratch
}

/// What these bytes at this path are. `was` is what the path was when it last settled.
pub(super) fn kind(root: &Root, path: &WsPath, bytes: &[u8], was: Option<&Kind>) -> Kind {
    let sibling_ticket = layout::owners(path).iter().any(|ticket| root.stat(ticket).is_ok_and(|stat| stat.is_file()));
    let has_frontmatter = sibling_ticket && has_frontmatter(bytes);
    layout::classify(path, Facts { sibling_ticket, has_frontmatter, was: was.cloned() })
}

fn has_frontmatter(bytes: &[u8]) -> bool {
    let absent = |kind| matches!(kind, FaultKind::NoFrontmatter | FaultKind::Empty);
    !Document::parse(bytes).faults().iter().any(|fault| absent(fault.kind))
}

/// What these bytes at this path say; `previous` is what the path was when it last settled.
pub(super) fn read(
    path: &WsPath,
    kind: Kind,
    bytes: &[u8],
    executable: bool,
    schema: &Schema,
    previous: Option<&Snapshot>,
) -> Snapshot {
    let mut snapshot = snapshot::read(path, kind, bytes, executable, schema, previous);
    if path.as_str() == CONFIG_PATH {
        snapshot.problems.extend(bad_config(path, bytes));
    }
    if view::name_of(path).is_some() {
        snapshot.problems.extend(SavedView::parse(path, bytes, schema).err().into_iter().flatten());
    }
    snapshot.problems.extend(secrets::problem(path, bytes));
    if path.file_name() == GITIGNORE {
        snapshot.problems.extend(too_many_rules(path, bytes));
    }
    snapshot
}

fn too_many_rules(path: &WsPath, bytes: &[u8]) -> Option<Problem> {
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
    (bytes.len() > MAX_BYTES || lines > MAX_LINES).then(|| {
        let message = format!("only the first {MAX_LINES} lines and {MAX_BYTES} bytes ignore something");
        problem(path, Severity::Warning, "too-many-rules", message, "say it with fewer patterns")
    })
}

fn bad_config(path: &WsPath, bytes: &[u8]) -> Option<Problem> {
    let message = Config::parse(&String::from_utf8_lossy(bytes)).err()?;
    Some(problem(path, Severity::Error, "bad-config", message, "the last valid configuration stays in force"))
}

/// A file that is too large to be read.
pub(super) fn too_large(
    path: &WsPath,
    kind: Kind,
    content: ContentHash,
    stat: &Stat,
    was: Option<&Snapshot>,
) -> Snapshot {
    let message = format!("{} MiB are too many for a version of it to be kept", stat.size >> 20);
    let help = "up to 64 MiB are versioned; .gitignore hides it";
    unread(path, kind, content, stat, was, problem(path, Severity::Blocked, TOO_LARGE, message, help))
}

/// A file at which trackfs itself failed.
pub(super) fn failed_at(
    path: &WsPath,
    kind: Kind,
    content: ContentHash,
    stat: &Stat,
    was: Option<&Snapshot>,
) -> Snapshot {
    let message = "trackfs failed while it read this file; its bytes are kept".to_owned();
    let help = "please report it with the file; the log says where it failed";
    unread(path, kind, content, stat, was, problem(path, Severity::Blocked, FAILED, message, help))
}

/// A file that is known by its hash alone, and says what it last said.
fn unread(
    path: &WsPath,
    kind: Kind,
    content: ContentHash,
    stat: &Stat,
    was: Option<&Snapshot>,
    problem: Problem,
) -> Snapshot {
    let last = was.filter(|was| was.kind == kind).cloned();
    let last = last.unwrap_or_else(|| snapshot::read(path, Kind::Other, b"", false, &Schema::default(), None));
    Snapshot { kind, content, executable: stat.is_executable(), problems: vec![problem], ..last }
}

/// Says of a file that no commit can have it.
pub(super) fn not_for_history(path: &WsPath, snapshot: Snapshot) -> Snapshot {
    let message = "git allows no file of this name, so no version of it is kept".to_owned();
    let problem = problem(path, Severity::Blocked, ILLEGAL_NAME, message, "rename it, or its folder");
    Snapshot { problems: vec![problem], ..snapshot }
}

/// Whether a file is shown and never committed.
pub(super) fn is_unversioned(snapshot: &Snapshot) -> bool {
    snapshot.problems.iter().any(|problem| [TOO_LARGE, ILLEGAL_NAME].contains(&problem.code.as_str()))
}

fn problem(path: &WsPath, severity: Severity, code: &str, message: String, help: &str) -> Problem {
    Problem::of_file(path.clone(), severity, code, message, help.to_owned())
}

pub(super) fn diff(path: &WsPath, old: Option<&Snapshot>, new: &Snapshot) -> Vec<Change> {
    diff::diff(path, old, Some(new))
}

pub(super) fn moved(from: &WsPath, to: &WsPath, old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    diff::moved(from, to, old, new)
}

/// What is said of a file that changed while the index did not know what it said before, but for its kind at best.
pub(super) fn unknown_edit(path: &WsPath, was: Option<&Kind>, new: &Snapshot, schema: &Schema) -> Vec<Change> {
    if let Some(kind) = was.filter(|kind| **kind != new.kind) {
        return diff::diff(path, Some(&unknown(path, kind.clone(), schema)), Some(new));
    }
    let path = path.clone();
    match &new.kind {
        Kind::Ticket => vec![Change::BodyChanged { path }],
        Kind::Comment { ticket } => vec![Change::CommentChanged { path, ticket: ticket.clone() }],
        _ => vec![Change::SpecChanged { path, what: "edited".to_owned() }],
    }
}

/// What is said of a file that is gone. One of which nobody knows what it was is judged by its path alone.
pub(super) fn removal(root: &Root, path: &WsPath, known: &Known, schema: &Schema) -> Vec<Change> {
    match known.current() {
        Some(old) => diff::diff(path, Some(old), None),
        None => {
            let kind = known.kind().cloned().unwrap_or_else(|| kind(root, path, b"", None));
            diff::diff(path, Some(&unknown(path, kind, schema)), None)
        }
    }
}

/// A file of which no more than its kind is known.
fn unknown(path: &WsPath, kind: Kind, schema: &Schema) -> Snapshot {
    Snapshot { problems: Vec::new(), ..snapshot::read(path, kind, b"", false, schema, None) }
}

pub(super) fn schema_path() -> WsPath {
    WsPath::new(SCHEMA_PATH).expect("a constant that is a legal path")
}

/// The schema to start with: the file's, else the last one that was valid, else the default.
pub(super) fn first_schema(root: &Root, last_valid: Option<&str>) -> Schema {
    let parse = |yaml: &str| Schema::parse(&schema_path(), yaml).ok();
    match root.read(&schema_path()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Schema::default(),
        Err(_) => last_valid.and_then(parse).unwrap_or_default(),
        Ok(bytes) => parse(&String::from_utf8_lossy(&bytes)).or_else(|| last_valid.and_then(parse)).unwrap_or_default(),
    }
}
