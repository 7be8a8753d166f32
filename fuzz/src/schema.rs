//! A schema is read or refused with places, and judges any document.
//!
//! An input is a schema and, after a byte 0xff, a document; a schema that cannot be read is judged by the default one.

use super::{DIVIDER, lines::at};
use trackfs::domain::{
    document::Document,
    layout::Kind,
    path::WsPath,
    schema::{Schema, StatusKind},
    snapshot,
};

pub fn hold(input: &[u8]) {
    let mut parts = input.splitn(2, |&byte| byte == DIVIDER);
    let yaml = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let path = WsPath::new(".trackfs/schema.yaml").expect("a legal path");
    let parsed = Schema::parse(&path, &yaml);
    assert_eq!(parsed, Schema::parse(&path, &yaml), "parsing is a function");
    let schema = match parsed {
        Ok(schema) => schema,
        Err(problems) => {
            assert!(!problems.is_empty(), "a refusal has a reason");
            for problem in &problems {
                at(yaml.as_bytes(), problem.line, problem.column);
                assert!(!problem.message.contains(['\n', '\r']), "{problem}");
            }
            let places: Vec<_> = problems.iter().map(|problem| (problem.line, problem.column)).collect();
            assert!(places.is_sorted(), "problems stand in the order of the file");
            Schema::default()
        }
    };
    is_consistent(&schema);
    judges(&schema, parts.next().unwrap_or_default());
}

fn is_consistent(schema: &Schema) {
    assert!(!schema.statuses.is_empty() && !schema.fields.is_empty());
    for (index, status) in schema.statuses.iter().enumerate() {
        let first = schema.statuses.iter().position(|other| other.name == status.name);
        assert_eq!(first, Some(index), "a name is declared once");
        assert!(schema.transition_allowed(&status.name, &status.name));
        for next in &status.next {
            assert!(schema.status(next).is_some() && schema.transition_allowed(&status.name, next));
        }
        assert!(schema.first_of(status.kind).is_some_and(|first| first.kind == status.kind));
    }
    for kind in [StatusKind::Backlog, StatusKind::Unstarted, StatusKind::Started, StatusKind::Completed] {
        assert_eq!(schema.first_of(kind).is_some(), schema.statuses.iter().any(|status| status.kind == kind));
    }
    for (index, field) in schema.fields.iter().enumerate() {
        assert_eq!(schema.fields.iter().position(|other| other.name == field.name), Some(index));
    }
}

fn judges(schema: &Schema, text: &[u8]) {
    let path = WsPath::new("tickets/t.md").expect("a legal path");
    let document = Document::parse(text);
    let problems = schema.check(&path, &document);
    assert_eq!(problems, schema.check(&path, &document), "judging is a function");
    assert!(document.faults().is_empty() || !problems.is_empty(), "a fault is a problem");
    let one = snapshot::read(&path, Kind::Ticket, text, false, schema, None);
    assert_eq!(one.problems, problems);
    // The transitions, too: from what the default document says to what this one says.
    let before = b"---\ntitle: t\nstatus: todo\n---\n";
    let before = snapshot::read(&path, Kind::Ticket, before, false, schema, None);
    let after = snapshot::read(&path, Kind::Ticket, text, false, schema, Some(&before));
    for problem in problems.iter().chain(&after.problems) {
        at(text, problem.line, problem.column);
        assert_eq!(problem.path, path);
        assert!(!problem.message.contains(['\n', '\r']), "{problem}");
    }
}
