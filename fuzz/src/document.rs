//! A file is kept byte for byte, whatever it holds, and what is said of it is true.

use super::lines::at;
use trackfs::domain::{
    document::{Document, FaultKind, Position},
    layout::Kind,
    links::references,
    path::WsPath,
    schema::Schema,
    snapshot,
};

/// Laws of one document.
pub fn hold(input: &[u8]) {
    let document = Document::parse(input);
    assert_eq!(document.bytes(), input, "a document is its bytes");
    assert!(input.ends_with(document.body()), "the body is the end of the file");
    assert!(document.has_frontmatter() || document.fields().is_empty());
    let again = Document::parse(document.bytes());
    assert_eq!((document.fields(), document.faults()), (again.fields(), again.faults()), "parsing is a function");
    faults_are_in_the_file(&document);
    fields_are_where_they_are_said_to_be(&document);
    what_is_made_of_it_is_total(&document);
}

fn faults_are_in_the_file(document: &Document) {
    let text = document.bytes();
    document.faults().iter().for_each(|fault| drop(is_in(text, fault.position)));
    let has = |kind| document.faults().iter().any(|fault| fault.kind == kind);
    if has(FaultKind::MergeMarkers) {
        assert_eq!(document.faults().len(), 1, "conflict markers are reported alone");
        return;
    }
    assert_eq!(has(FaultKind::NotUtf8), std::str::from_utf8(text).is_err() && !has(FaultKind::Empty));
    assert_eq!(has(FaultKind::NulBytes), text.contains(&0));
    assert!(document.faults().is_empty() || !has(FaultKind::Yaml) || document.fields().is_empty());
}

fn fields_are_where_they_are_said_to_be(document: &Document) {
    let text = document.bytes();
    for (key, value) in document.fields() {
        assert_eq!(document.get(key), Some(value));
        let at = document.position(key).expect("a field has a place");
        let rest = after_marks(text, at);
        let is_quoted = rest.starts_with(['\'', '"', '!', '&', '|', '>']);
        assert!(is_quoted || may_begin(key, &rest), "{key:?} is not at {at:?}");
        is_in(text, document.value_position(key).expect("a field's value has a place"));
        for index in 0..value.as_array().map_or(0, Vec::len) {
            document.item_position(key, index).into_iter().for_each(|at| drop(is_in(text, at)));
        }
        assert_eq!(document.item_position(key, usize::MAX), None);
    }
    assert_eq!(document.position("\u{0}no such field"), None);
}

/// Whether a key that is written without quotes may begin where this begins. Of a text in a block, the empty lines that it
/// begins with stand before, and its first line may be indented more than the block.
fn may_begin(key: &str, rest: &str) -> bool {
    let blank = key.chars().take_while(|c| c.is_whitespace()).count();
    let first = rest.chars().next();
    if key.is_empty() { first.is_none() } else { key.chars().take(blank + 1).any(|c| first == Some(c)) }
}

fn is_in(text: &[u8], position: Position) -> String {
    at(text, position.line, position.column)
}

/// What stands at a place of the block, where byte order marks before the first field are in no column.
fn after_marks(text: &[u8], position: Position) -> String {
    let marks = at(text, position.line, 1).chars().take_while(|&c| c == '\u{feff}').count();
    at(text, position.line, position.column + marks as u32)
}

fn what_is_made_of_it_is_total(document: &Document) {
    let path = WsPath::new("tickets/t.md").expect("a legal path");
    let schema = Schema::default();
    for problem in schema.check(&path, document) {
        is_in(document.bytes(), Position { line: problem.line, column: problem.column });
    }
    let one = snapshot::read(&path, Kind::Ticket, document.bytes(), false, &schema, None);
    assert!(!one.title.is_empty() && !one.title.contains(char::is_control), "{:?}", one.title);
    assert_eq!(snapshot::problems_of_ticket(&path, document.bytes(), &schema, None), one.problems);
    let body = String::from_utf8_lossy(document.body());
    let found = references(&body);
    for name in found.tags.iter().chain(&found.links) {
        assert!(!name.is_empty() && body.contains(name.as_str()), "{name:?}");
    }
}
