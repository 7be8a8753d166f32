//! What is wrong with a ticket's document, by the schema.

use super::{FieldDef, FieldKind, Schema};
use crate::domain::{
    Value,
    document::{Document, Fault, FaultKind, Position, scalar::is_date},
    nearest::nearest,
    path::WsPath,
    problem::{Problem, Severity},
    snapshot::first_line,
    text::{one_line, scalar_text, shortened, shown},
};

/// Characters of a message.
const LONGEST: usize = 500;
/// Names of a choice that are told.
const LISTED: usize = 20;

/// What is wrong with one value.
struct Complaint {
    code: &'static str,
    /// Ends a sentence that begins with the field's name.
    message: String,
    help: Option<String>,
    /// Which item of a list.
    item: Option<usize>,
}

pub(super) fn check(schema: &Schema, path: &WsPath, document: &Document) -> Vec<Problem> {
    if !document.faults().is_empty() {
        return faults(path, document, |_| true);
    }
    let mut problems: Vec<Problem> = document
        .fields()
        .iter()
        .filter_map(|(name, value)| match schema.field(name) {
            Some(field) => check_field(schema, path, document, field, value),
            None => misspelling(schema, path, document, name),
        })
        .collect();
    problems.extend(schema.fields.iter().filter_map(|field| missing(path, document, field)));
    problems
}

/// The faults that count, as problems.
pub(in crate::domain) fn faults(
    path: &WsPath,
    document: &Document,
    counts: impl Fn(FaultKind) -> bool,
) -> Vec<Problem> {
    let told = |fault: &Fault| {
        let (code, severity, help) = match fault.kind {
            FaultKind::Empty => {
                ("empty", Severity::Error, "nothing is synced until it has content; to end a ticket, remove its file")
            }
            FaultKind::NulBytes => ("nul-bytes", Severity::Error, "the last good version is in git"),
            FaultKind::NotUtf8 => ("not-utf8", Severity::Error, "save it as UTF-8"),
            FaultKind::NoFrontmatter => ("no-frontmatter", Severity::Error, "begin it with `---`, `title: …`, `---`"),
            FaultKind::Unclosed => ("unclosed-frontmatter", Severity::Error, "end the block with a line `---`"),
            FaultKind::Yaml => {
                ("invalid-yaml", Severity::Error, "one `name: value` per line; quote text that has `: ` or ` #`")
            }
            FaultKind::MergeMarkers => {
                ("merge-markers", Severity::Blocked, "keep what is right and remove the marker lines")
            }
        };
        problem(path, fault.position, severity, code, fault.message.clone(), Some(help.to_owned()))
    };
    document.faults().iter().filter(|fault| counts(fault.kind)).map(told).collect()
}

/// A problem; its words are put on one line and kept short, since keys and values may hold anything.
pub(in crate::domain) fn problem(
    path: &WsPath,
    at: Position,
    severity: Severity,
    code: &str,
    message: String,
    help: Option<String>,
) -> Problem {
    let tidy = |text: &str| shortened(&one_line(text), LONGEST);
    let (line, column, code, message) = (at.line, at.column, code.to_owned(), tidy(&message));
    Problem { path: path.clone(), line, column, severity, code, message, help: help.as_deref().map(tidy) }
}

fn check_field(
    schema: &Schema,
    path: &WsPath,
    document: &Document,
    field: &FieldDef,
    value: &Value,
) -> Option<Problem> {
    let complaint = complain(schema, &field.kind, value)?;
    let item = complaint.item.and_then(|index| document.item_position(&field.name, index));
    let at = item.or_else(|| document.value_position(&field.name)).unwrap_or(Position::START);
    let message = format!("`{}` {}", field.name, complaint.message);
    Some(problem(path, at, Severity::Error, complaint.code, message, complaint.help))
}

/// A key that the schema does not have, when it is close to one that the ticket does not have.
fn misspelling(schema: &Schema, path: &WsPath, document: &Document, name: &str) -> Option<Problem> {
    let absent = schema.fields.iter().map(|field| field.name.as_str()).filter(|name| document.get(name).is_none());
    let meant = nearest(name, absent)?;
    let message = format!("`{}` is no field of the schema", shown(&name.into()));
    let at = document.position(name)?;
    Some(problem(path, at, Severity::Warning, "unknown-field", message, Some(format!("did you mean `{meant}`?"))))
}

/// The title may be left to the body's first line.
fn missing(path: &WsPath, document: &Document, field: &FieldDef) -> Option<Problem> {
    let is_blank = document.get(&field.name).is_none_or(|value| value.is_null() || value == "");
    let is_title = field.name == "title";
    if !field.required || !is_blank || (is_title && first_line(document.body()).is_some()) {
        return None;
    }
    let at = document.position(&field.name).unwrap_or(Position::START);
    let help = if is_title { "write `title: …`, or a first line in the body" } else { "the schema requires it" };
    let code = if is_title { "missing-title" } else { "missing-field" };
    Some(problem(path, at, Severity::Error, code, format!("`{}` is missing", field.name), Some(help.to_owned())))
}

fn complain(schema: &Schema, kind: &FieldKind, value: &Value) -> Option<Complaint> {
    if value.is_null() {
        return None;
    }
    let text = scalar_text(value);
    let names = || schema.statuses.iter().map(|status| status.name.as_str());
    match (kind, &text) {
        (FieldKind::Set | FieldKind::Links, _) => complain_of_list(value),
        (FieldKind::Sync, _) => complain_of_sync(value),
        (_, None) => Some(wrong_type(expected(kind), value, unwrapped(value))),
        (FieldKind::Status, Some(name)) => complain_of_choice("unknown-status", name, names()),
        (FieldKind::Choice(of), Some(name)) => complain_of_choice("unknown-value", name, of.iter().map(String::as_str)),
        (FieldKind::Number, Some(number)) => (!is_number(number)).then(|| wrong_type("a number", value, None)),
        (FieldKind::Bool, Some(_)) => (!value.is_boolean()).then(|| wrong_type("true or false", value, None)),
        (FieldKind::Date, Some(date)) => (!is_date(date)).then(|| Complaint {
            code: "bad-date",
            message: format!("is `{}`, which is no date", shown(value)),
            help: Some("write it as YYYY-MM-DD".to_owned()),
            item: None,
        }),
        (FieldKind::Path, Some(text)) => WsPath::new(text.as_str()).is_err().then(|| Complaint {
            code: "bad-path",
            message: format!("is `{}`, which is no path inside this workspace", shown(value)),
            help: Some("write it from the top of the workspace: specs/auth/login.md".to_owned()),
            item: None,
        }),
        (FieldKind::Text | FieldKind::Link, Some(_)) => None,
    }
}

fn expected(kind: &FieldKind) -> &'static str {
    match kind {
        FieldKind::Status => "a status",
        FieldKind::Choice(_) => "one word",
        FieldKind::Number => "a number",
        FieldKind::Bool => "true or false",
        FieldKind::Date => "a date",
        FieldKind::Link => "the name of one ticket",
        FieldKind::Path => "a path",
        FieldKind::Text | FieldKind::Set | FieldKind::Links | FieldKind::Sync => "text",
    }
}

fn wrong_type(expected: &str, value: &Value, help: Option<String>) -> Complaint {
    let message = format!("must be {expected}, and is {}", described(value));
    Complaint { code: "wrong-type", message, help, item: None }
}

fn described(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
        scalar => format!("`{}`", shown(scalar)),
    }
}

/// `[[name]]` in YAML is a list in a list; a list of one was meant as the one.
fn unwrapped(value: &Value) -> Option<String> {
    match value {
        Value::Array(items) if items.len() == 1 => unwrapped(&items[0]),
        Value::Array(_) | Value::Object(_) => None,
        one => Some(format!("write `{}` without brackets", shown(one))),
    }
}

fn complain_of_choice<'a>(
    code: &'static str,
    name: &str,
    allowed: impl Iterator<Item = &'a str> + Clone,
) -> Option<Complaint> {
    if allowed.clone().any(|choice| choice == name) {
        return None;
    }
    let list = format!("one of {}", listed(allowed.clone()));
    let help = nearest(name, allowed).map_or(list.clone(), |near| format!("did you mean `{near}`? {list}"));
    let message = format!("is `{}`, which the schema does not have", shown(&name.into()));
    Some(Complaint { code, message, help: Some(help), item: None })
}

fn listed<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    let told = names.clone().take(LISTED).collect::<Vec<_>>().join(", ");
    match names.skip(LISTED).count() {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

fn complain_of_list(value: &Value) -> Option<Complaint> {
    let Value::Array(items) = value else {
        let help = scalar_text(value).map(|_| format!("write `[{}]`", shown(value)));
        return Some(wrong_type("a list", value, help));
    };
    let index = items.iter().position(|item| scalar_text(item).is_none_or(|text| text.is_empty()))?;
    let message = format!("must list words, and item {} is {}", index + 1, described(&items[index]));
    let help = unwrapped(&items[index]).filter(|_| items[index].is_array());
    Some(Complaint { code: "wrong-type", message, help, item: Some(index) })
}

fn complain_of_sync(value: &Value) -> Option<Complaint> {
    let is_key = |value: &Value| scalar_text(value).is_some_and(|text| !text.is_empty());
    let legal = value.as_object().is_some_and(|map| map.values().all(is_key));
    (!legal).then(|| wrong_type("remote names with keys", value, Some("write `{linear: ENG-42}`".to_owned())))
}

/// Decimal, as people write it; `1.50` is one although it is kept as text.
fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || c == '-') && text.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let path = WsPath::new("t.md").unwrap();
        let schema = Schema::default();
        let found = check(&schema, &path, &Document::parse(text.as_bytes()));
        found.iter().map(|problem| format!("{:?} {} {problem}", problem.severity, problem.code)).collect()
    }

    #[track_caller]
    fn check_fields(lines: &str, expected: &[&str]) {
        assert_eq!(problems(&format!("---\ntitle: x\n{lines}\n---\n")), expected, "{lines}");
    }

    #[test]
    fn a_ticket_with_every_field_has_no_problem() {
        check_fields(
            "status: in-progress\npriority: high\nassignee: alice\nlabels: [bug, 2]\nparent: auth-epic\nblocked_by: [ENG-7, 145]\nspec: specs/auth/login.md\ndue: 2026-12-01\nestimate: 3\nsync: {linear: ENG-42, github: 145}\nmine: {any: [thing]}",
            &[],
        );
        check_fields("status:\npriority: ~\nlabels: []\ndue: null\nestimate: 1.50\nassignee: 7", &[]);
    }

    #[test]
    fn a_problem_names_its_place_what_is_allowed_and_what_was_meant() {
        check_fields(
            "status: in_progres",
            &[
                "Error unknown-status t.md:3:9: `status` is `in_progres`, which the schema does not have (did you mean `in-progress`? one of backlog, todo, in-progress, in-review, done, canceled)",
            ],
        );
        check_fields(
            "priority: asap",
            &[
                "Error unknown-value t.md:3:11: `priority` is `asap`, which the schema does not have (one of urgent, high, medium, low)",
            ],
        );
        check_fields(
            "due: 2026-13-01",
            &["Error bad-date t.md:3:6: `due` is `2026-13-01`, which is no date (write it as YYYY-MM-DD)"],
        );
        check_fields("estimate: big", &["Error wrong-type t.md:3:11: `estimate` must be a number, and is `big`"]);
        check_fields(
            "labels: bug",
            &["Error wrong-type t.md:3:9: `labels` must be a list, and is `bug` (write `[bug]`)"],
        );
        check_fields(
            "labels:\n  - a\n  - [b]",
            &["Error wrong-type t.md:5:5: `labels` must list words, and item 2 is a list (write `b` without brackets)"],
        );
        check_fields(
            "parent: [[auth-epic]]",
            &[
                "Error wrong-type t.md:3:9: `parent` must be the name of one ticket, and is a list (write `auth-epic` without brackets)",
            ],
        );
        check_fields(
            "status: [todo]",
            &["Error wrong-type t.md:3:9: `status` must be a status, and is a list (write `todo` without brackets)"],
        );
        check_fields(
            "spec: ../secret",
            &[
                "Error bad-path t.md:3:7: `spec` is `../secret`, which is no path inside this workspace (write it from the top of the workspace: specs/auth/login.md)",
            ],
        );
        check_fields(
            "sync: ENG-42",
            &[
                "Error wrong-type t.md:3:7: `sync` must be remote names with keys, and is `ENG-42` (write `{linear: ENG-42}`)",
            ],
        );
    }

    #[test]
    fn an_unknown_key_is_reported_only_when_it_looks_like_a_misspelling() {
        check_fields(
            "stauts: todo",
            &["Warning unknown-field t.md:3:1: `stauts` is no field of the schema (did you mean `status`?)"],
        );
        check_fields("component: web", &[]);
        check_fields("status: todo\nstatuss: x", &[]);
    }

    #[test]
    fn a_title_may_be_left_to_the_first_line_of_the_body() {
        let text = "Error missing-title t.md:1:1: `title` is missing (write `title: …`, or a first line in the body)";
        assert_eq!(problems("---\nstatus: todo\n---\n\n"), [text]);
        assert_eq!(problems("---\ntitle:\n---\n"), [text.replace(":1:1", ":2:1")]);
        assert!(problems("---\nstatus: todo\n---\n\n# Login fails\n").is_empty());
    }

    #[test]
    fn a_document_that_cannot_be_read_says_only_that() {
        let codes = |text: &str| {
            problems(text).iter().map(|p| p.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(codes(""), ["Error empty"]);
        assert_eq!(codes("hello"), ["Error no-frontmatter"]);
        assert_eq!(codes("---\ntitle: x\n"), ["Error unclosed-frontmatter"]);
        assert_eq!(codes("---\ntitle: x\0\n---\n"), ["Error nul-bytes", "Error invalid-yaml"]);
        assert_eq!(codes("---\nstatus: x\nstatus: y\n---\n"), ["Error invalid-yaml"]);
        assert_eq!(
            codes("---\n<<<<<<< ours\nstatus: a\n=======\nstatus: b\n>>>>>>> theirs\n---\n"),
            ["Blocked merge-markers"]
        );
    }
}
