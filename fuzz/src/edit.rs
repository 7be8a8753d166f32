//! An edit of a document changes what it says it changes, and no other byte.
//!
//! An input is a document, then edits, each after a byte 0xff: what it does, to which field, the kind of value, the value.

use super::{
    DIVIDER,
    lines::{ending, lines, starts},
};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use trackfs::domain::{Fields, document::Document};

/// Fields that a document may lack.
const NEW: [&str; 4] = ["status", "labels", "sync", "a b: #"];
const LONGEST: usize = 16 * 1024;

pub fn hold(input: &[u8]) {
    let mut parts = input.split(|&byte| byte == DIVIDER);
    let mut document = Document::parse(parts.next().unwrap_or_default());
    for part in parts.take(8).filter(|_| input.len() <= LONGEST) {
        if let [what, which, rest @ ..] = part {
            edit(&mut document, *what, *which, rest);
        }
    }
}

fn edit(document: &mut Document, what: u8, which: u8, rest: &[u8]) {
    let keys: Vec<String> = document.fields().keys().cloned().chain(NEW.map(str::to_owned)).collect();
    let key = keys[usize::from(digit(which)) % keys.len()].as_str();
    match digit(what) % 5 {
        0 => set(document, key, &value(rest)),
        1 => remove(document, key),
        2 => set(document, key, &with_member(document.get(key), &value(rest))),
        3 => set_in(document, key, &String::from_utf8_lossy(rest)),
        _ => set_body(document, rest),
    }
}

/// So that inputs can be read: the digits stand for themselves.
fn digit(byte: u8) -> u8 {
    byte.wrapping_sub(b'0')
}

/// The first byte chooses the kind; a list is divided by `,` and a map by `,` and `=`.
fn value(bytes: &[u8]) -> Value {
    let Some((kind, rest)) = bytes.split_first() else { return Value::Null };
    let text = String::from_utf8_lossy(rest).into_owned();
    let entry = |text: &str| text.split_once('=').map(|(k, v)| (k.to_owned(), Value::from(v)));
    match digit(*kind) % 6 {
        0 => Value::from(text),
        1 => text.parse::<i64>().map_or_else(|_| text.parse::<f64>().map_or(Value::Null, Value::from), Value::from),
        2 => Value::from(rest.len() % 2 == 0),
        3 => text.split(',').map(Value::from).collect(),
        4 => Value::Object(text.split(',').filter_map(entry).collect()),
        _ => Value::from(vec![Value::from(Map::from_iter(entry(&text))), Value::Null]),
    }
}

fn with_member(list: Option<&Value>, member: &Value) -> Value {
    let mut members = list.and_then(Value::as_array).cloned().unwrap_or_default();
    members.push(member.clone());
    Value::Array(members)
}

fn set(document: &mut Document, key: &str, value: &Value) {
    let before = document.clone();
    if document.set(key, value).is_err() {
        return assert_eq!(document.bytes(), before.bytes(), "a refused edit changes nothing");
    }
    let mut wanted = before.fields().clone();
    wanted.insert(key.to_owned(), value.clone());
    is_edited(&before, document, key, &wanted);

    let mut again = document.clone();
    again.set(key, value).expect("what was set can be set again");
    assert_eq!(again.bytes(), document.bytes(), "setting twice is setting once");

    let mut back = document.clone();
    match before.get(key) {
        Some(old) => {
            back.set(key, old).expect("what was there can be set again");
            assert_eq!(in_order(back.fields()), in_order(before.fields()));
            assert_eq!(back.body(), before.body());
        }
        None => {
            back.remove(key).expect("what was added can be removed");
            if before.has_frontmatter() {
                assert_eq!(back.bytes(), before.bytes(), "removing undoes an addition");
            }
        }
    }
}

fn remove(document: &mut Document, key: &str) {
    let before = document.clone();
    if document.remove(key).is_err() {
        return assert_eq!(document.bytes(), before.bytes(), "a refused edit changes nothing");
    }
    if before.get(key).is_none() {
        return assert_eq!(document.bytes(), before.bytes(), "there was nothing to remove");
    }
    let mut wanted = before.fields().clone();
    wanted.shift_remove(key);
    is_edited(&before, document, key, &wanted);
}

fn set_in(document: &mut Document, key: &str, text: &str) {
    let before = document.clone();
    let (entry, value) = text.split_once('=').map_or((text, None), |(entry, value)| (entry, Some(Value::from(value))));
    if document.set_in(key, entry, value.as_ref()).is_err() {
        return assert_eq!(document.bytes(), before.bytes(), "a refused edit changes nothing");
    }
    let mut wanted = before.fields().clone();
    let mut map = before.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
    let had = map.contains_key(entry);
    match value {
        Some(value) => drop(map.insert(entry.to_owned(), value)),
        None if !had => return assert_eq!(document.bytes(), before.bytes(), "there was nothing to remove"),
        None => drop(map.shift_remove(entry)),
    }
    match map.is_empty() {
        true => drop(wanted.shift_remove(key)),
        false => drop(wanted.insert(key.to_owned(), Value::Object(map))),
    }
    is_edited(&before, document, key, &wanted);
}

fn set_body(document: &mut Document, body: &[u8]) {
    let before = document.clone();
    document.set_body(body);
    let head = before.bytes().len() - before.body().len();
    assert!(document.bytes().starts_with(&before.bytes()[..head]), "the frontmatter's bytes stay");
    if before.has_frontmatter() {
        assert_eq!(document.body(), body);
        assert_eq!(in_order(document.fields()), in_order(before.fields()));
    } else {
        assert!(document.bytes().ends_with(body));
    }
}

/// What one edit may have changed: the value, and in the file the lines of its field.
fn is_edited(before: &Document, after: &Document, key: &str, wanted: &Fields) {
    assert_eq!(in_order(after.fields()), in_order(wanted), "exactly this field changed");
    assert_eq!(after.body(), before.body(), "the body stays");
    let (start, end) = extent(before, key);
    let (old, new) = (before.bytes(), after.bytes());
    assert!(new.starts_with(&old[..start]), "the bytes above the field stay");
    assert!(new.ends_with(&old[end..]) && new.len() >= start + (old.len() - end), "the bytes below the field stay");
    let (old_lines, new_lines) = (&old[start..end], &new[start..new.len() - (old.len() - end)]);
    line_ends_stay(old, new);
    // A block scalar above takes over the blank lines, or they go with the field.
    if is_simple(&old[..start]) && is_simple(old_lines) {
        comments_stay(old_lines, new_lines, wanted.contains_key(key));
    }
}

/// From the line of a field's key to the line of the next key, or to the end of the block. Where the field is new, the
/// end of the block; where the block is new, the top of the file.
fn extent(document: &Document, key: &str) -> (usize, usize) {
    let text = document.bytes();
    let starts = starts(text);
    let line_of = |key: &String| document.position(key).map_or(0, |at| at.line as usize);
    let lines: BTreeSet<usize> = document.fields().keys().map(line_of).collect();
    let end = if document.has_frontmatter() { closing_line(document) } else { text.len() - document.body().len() };
    match document.position(key) {
        None => (end, end),
        Some(at) => {
            let next = lines.range(at.line as usize + 1..).next().map_or(end, |line| starts[line - 1]);
            (starts[at.line as usize - 1], next)
        }
    }
}

/// Where the line that closes the block begins.
fn closing_line(document: &Document) -> usize {
    let head = document.bytes().len() - document.body().len();
    *starts(&document.bytes()[..head]).last().expect("a block has lines")
}

/// A file that ends its lines in one way goes on doing so.
fn line_ends_stay(old: &[u8], new: &[u8]) {
    let kinds = |text: &[u8]| -> BTreeSet<Vec<u8>> {
        lines(text).iter().map(|line| ending(line).to_vec()).filter(|end| !end.is_empty()).collect()
    };
    let (before, after) = (kinds(old), kinds(new));
    assert!(after == before || before.len() != 1, "line ends {before:?} became {after:?}");
}

/// Whether no line of a field can be anything but a key, an item, a plain word, a blank line or a comment.
fn is_simple(field: &[u8]) -> bool {
    !field.iter().any(|byte| b"'\"|>".contains(byte))
}

fn comments_stay(old: &[u8], new: &[u8], is_there: bool) {
    let is_gap = |line: &&&[u8]| matches!(line.trim_ascii_start().first(), None | Some(b'#'));
    let gap: usize = lines(old).iter().rev().take_while(is_gap).map(|line| line.len()).sum();
    assert!(new.ends_with(&old[old.len() - gap..]), "comments and blank lines below a field stay");
    let mut content = lines(&old[..old.len() - gap]).into_iter();
    if let (Some(line), None, true) = (content.next(), content.next(), is_there) {
        let comment = line.windows(2).position(|pair| matches!(pair, b" #" | b"\t#"));
        let comment = comment.map(|at| line[at..].trim_ascii_end());
        let is_kept = |comment: &[u8]| new.windows(comment.len()).any(|window| window == comment);
        assert!(comment.is_none_or(is_kept), "a comment on the line of a field stays");
    }
}

fn in_order(fields: &Fields) -> Vec<(&String, &Value)> {
    fields.iter().collect()
}
