//! Values as people read them: on one line, free of control characters, and no longer than they need be.

use super::Value;
use std::borrow::Cow;

/// The text of a word, number or boolean; `None` for null, lists and maps.
pub fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Any value as a message shows it: `todo`, `bug, auth`, `linear: ENG-42`, at most 60 characters.
pub fn shown(value: &Value) -> String {
    shortened(&one_line(&joined(value)), 60)
}

fn joined(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(items) => items.iter().map(joined).collect::<Vec<_>>().join(", "),
        Value::Object(map) => {
            map.iter().map(|(key, value)| format!("{key}: {}", joined(value))).collect::<Vec<_>>().join(", ")
        }
        scalar => scalar_text(scalar).unwrap_or_default(),
    }
}

/// Line ends and control characters become spaces, and runs of spaces one.
pub fn one_line(text: &str) -> String {
    let breaks = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    text.split(breaks).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whether a character drives a terminal, ends a line, or makes what follows it look like something else: control
/// characters, line separators, and marks of the direction of writing. Joiners belong to words and emoji, and stay.
pub fn is_unprintable(c: char) -> bool {
    let is_mark = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_mark || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// The text with such characters escaped (`\\n`, `\\u{1b}`), tabs apart.
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_bad = |c: char| is_unprintable(c) && c != '\t';
    if !text.contains(is_bad) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_bad(character) { shown.extend(character.escape_default()) } else { shown.push(character) }
    }
    shown.into()
}

/// JSON that means the same, with such characters escaped: they can stand in its strings only.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_unprintable) {
        return json.into();
    }
    let mut shown = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_unprintable(character) {
            shown.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    shown.into()
}

/// At most `limit` characters; what is cut off shows as `…`.
pub fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_shown_on_one_short_line() {
        assert_eq!(shown(&json!(["bug", 1, true])), "bug, 1, true");
        assert_eq!(shown(&json!({"linear": "ENG-42"})), "linear: ENG-42");
        assert_eq!(shown(&json!("a\n\tb\u{7}c")), "a b c");
        assert_eq!(shown(&json!("x".repeat(100))).chars().count(), 60);
        assert_eq!(shortened("ab cd", 4), "ab…");
    }

    #[test]
    fn what_drives_a_terminal_is_escaped_and_what_makes_words_stays() {
        assert_eq!(printable("a\u{1b}[2Jb\tc\rd\u{9b}e"), "a\\u{1b}[2Jb\tc\\rd\\u{9b}e");
        assert_eq!(printable("user\u{202e}nimda\u{2069}\nx\u{2028}"), "user\\u{202e}nimda\\u{2069}\\nx\\u{2028}");
        let family = "\u{1f469}\u{200d}\u{1f4bb} ünïcode \u{645}\u{200c}\u{6cc}";
        assert_eq!(printable(family), family);
    }

    #[test]
    fn json_for_a_terminal_means_the_same() {
        let value = json!({"title": "a\u{9b}2J\u{202e}\u{7f}\n\u{1b} \\ \"é\""});
        let shown = printable_json(&value.to_string()).into_owned();
        assert!(!shown.contains(is_unprintable), "{shown:?}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
    }
}
