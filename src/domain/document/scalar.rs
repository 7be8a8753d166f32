//! Scalars as text: what a plain word means, and how a value is written so that every reader takes it for the same.
//!
//! What is written here is read alike by YAML 1.1 and 1.2 readers: whatever either could take for something other than
//! text is quoted.

use super::yaml::Style;
use crate::domain::Value;
use std::fmt::Write;

/// What a plain scalar means. A number or boolean only when it would be printed back as it is written.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => number(text).unwrap_or_else(|| Value::from(text)),
    }
}

fn number(text: &str) -> Option<Value> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return None;
    }
    let integer = text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from));
    let value = integer.or_else(|_| text.parse::<f64>().map(Value::from)).ok()?;
    let printed = value.to_string();
    (printed == text).then_some(value)
}

/// One line of YAML for any value, that may also stand inside `[…]` and `{…}`.
pub(super) fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => quoted_if_needed(text, true),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries: Vec<_> = map.iter().map(|(key, value)| entry(key, value)).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// `key: value` on one line.
pub(super) fn entry(key: &str, value: &Value) -> String {
    format!("{}: {}", quoted_if_needed(key, true), inline(value))
}

/// One line of YAML for a value that stands alone after `key: `, quoted as `style` is where the value allows it.
pub(super) fn styled(value: &Value, style: Style) -> String {
    match (value, style) {
        (Value::String(text), Style::DoubleQuoted) => double_quoted(text),
        (Value::String(text), Style::SingleQuoted) if !needs_escapes(text) => format!("'{}'", text.replace('\'', "''")),
        (Value::String(text), _) => quoted_if_needed(text, false),
        _ => inline(value),
    }
}

fn quoted_if_needed(text: &str, in_flow: bool) -> String {
    if is_plain(text, in_flow) { text.to_owned() } else { double_quoted(text) }
}

/// The header (`|` or `|-`) and the lines of a literal block, when the text can be written as one.
pub(super) fn literal(text: &str) -> Option<(&'static str, std::str::Lines<'_>)> {
    let (header, content) = match text.strip_suffix('\n') {
        Some(content) => ("|", content),
        None => ("|-", text),
    };
    let legal = content.contains('\n')
        && !content.starts_with(['\n', ' ', '\t'])
        && !content.ends_with('\n')
        && !content.chars().any(|c| c != '\n' && is_unprintable(c))
        && content.lines().all(|line| line.is_empty() || !line.trim().is_empty());
    legal.then(|| (header, content.lines()))
}

fn is_plain(text: &str, in_flow: bool) -> bool {
    const INDICATORS: &[char] =
        &['-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', '='];
    let ambiguous = text.is_empty()
        || text.trim() != text
        || text.starts_with(INDICATORS)
        || text.ends_with(':')
        || text.contains(": ")
        || text.contains(" #")
        || needs_escapes(text);
    let ends_item = in_flow && text.contains([',', '[', ']', '{', '}', ':']);
    !ambiguous && !ends_item && !is_word_of_yaml(text) && !looks_like_number(text)
}

/// Words that some YAML version reads as null, boolean, infinity or a merge.
fn is_word_of_yaml(text: &str) -> bool {
    const WORDS: [&str; 16] =
        ["~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", "+.inf", ".nan", "<<", "...", "---"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Decimal, hex, octal, binary, exponents, `1_000` and base-60 times; a date (`2026-12-01`) is left plain.
fn looks_like_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-', '.']).unwrap_or(text);
    let numeric = |c: char| c.is_ascii_hexdigit() || "xXoO_.:+-".contains(c);
    digits.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(numeric) && !is_date(text)
}

/// `YYYY-MM-DD`, of a day that exists.
pub(in crate::domain) fn is_date(text: &str) -> bool {
    text.len() == 10 && text.as_bytes()[4] == b'-' && text.parse::<jiff::civil::Date>().is_ok()
}

fn needs_escapes(text: &str) -> bool {
    text.chars().any(is_unprintable)
}

/// Characters that break a line or that YAML does not allow unescaped.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_unprintable(c) => {
                write!(out, "\\u{:04X}", u32::from(c)).expect("writing to a String cannot fail");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
