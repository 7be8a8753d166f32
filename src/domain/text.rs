//! Values as people read them: on one line, free of control characters, and no longer than they need be.

use super::Value;

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
}
