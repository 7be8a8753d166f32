//! Values of fields as the cells of a table, and back. What comes back as it was is the same value.

use super::{Value, schema::FieldKind, text::scalar_text};
use serde::{Deserialize, Serialize};

/// What stands in one place of a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    #[default]
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

/// A field's value as a cell: lists and maps as JSON, true and false as 1 and 0.
pub fn cell_of(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(truth) => Cell::Integer((*truth).into()),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Cell::Integer(integer),
            None => number.as_f64().map_or_else(|| Cell::Text(number.to_string()), Cell::Real),
        },
        Value::String(text) => Cell::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => Cell::Text(value.to_string()),
    }
}

/// The value that a cell means in a field of this kind; null: none. The error says what would be right.
pub fn value_of(kind: &FieldKind, cell: &Cell) -> Result<Value, String> {
    match (kind, cell) {
        (_, Cell::Null) => Ok(Value::Null),
        (FieldKind::Sync, _) => Err("is written by trackfs: `trackfs link` and `unlink` change it".to_owned()),
        (FieldKind::Set | FieldKind::Links, cell) => list(cell),
        (FieldKind::Bool, cell) => truth(cell),
        (FieldKind::Number, cell) => number(cell),
        (_, Cell::Text(text)) => Ok(Value::from(text.as_str())),
        // `estimate` may be a choice of numbers, a title a number.
        (_, Cell::Integer(integer)) => Ok(Value::from(integer.to_string())),
        (_, Cell::Real(real)) => Ok(Value::from(real.to_string())),
    }
}

/// A JSON list of words, or one word.
fn list(cell: &Cell) -> Result<Value, String> {
    let Cell::Text(text) = cell else { return Err("is a list: '[\"bug\", \"auth\"]', or one word".to_owned()) };
    let items = match serde_json::from_str(text) {
        Ok(Value::Array(items)) => items,
        _ if text.trim_start().starts_with('[') => return Err(format!("is a list, and `{text}` is no JSON")),
        _ if text.is_empty() => Vec::new(),
        _ => vec![Value::from(text.as_str())],
    };
    if items.iter().any(|item| scalar_text(item).is_none()) {
        return Err("is a list of words".to_owned());
    }
    Ok(if items.is_empty() { Value::Null } else { Value::Array(items) })
}

fn truth(cell: &Cell) -> Result<Value, String> {
    match cell {
        Cell::Integer(0) => Ok(Value::Bool(false)),
        Cell::Integer(1) => Ok(Value::Bool(true)),
        Cell::Text(text) if text == "true" || text == "false" => Ok(Value::Bool(text == "true")),
        _ => Err("is true or false".to_owned()),
    }
}

fn number(cell: &Cell) -> Result<Value, String> {
    let read = |text: &str| text.parse::<serde_json::Number>().ok().map(Value::Number);
    match cell {
        Cell::Integer(integer) => Ok(Value::from(*integer)),
        Cell::Real(real) if real.is_finite() => Ok(Value::from(*real)),
        Cell::Text(text) => read(text).ok_or_else(|| format!("is a number, and `{text}` is none")),
        _ => Err("is a number".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_cell_means_what_its_field_can_say() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let right = [
            (FieldKind::Set, text("bug"), json!(["bug"])),
            (FieldKind::Set, text("[\"a\",\"b\"]"), json!(["a", "b"])),
            (FieldKind::Links, text("[]"), json!(null)),
            (FieldKind::Number, text("2.5"), json!(2.5)),
            (FieldKind::Bool, text("true"), json!(true)),
            (FieldKind::Text, Cell::Integer(7), json!("7")),
            (FieldKind::Date, Cell::Null, json!(null)),
        ];
        for (kind, cell, value) in right {
            assert_eq!(value_of(&kind, &cell), Ok(value), "{kind:?} {cell:?}");
        }
        let wrong = [
            (FieldKind::Set, Cell::Integer(1)),
            (FieldKind::Set, text("[1, ")),
            (FieldKind::Set, text("[[1]]")),
            (FieldKind::Number, text("many")),
            (FieldKind::Bool, Cell::Integer(2)),
            (FieldKind::Sync, text("{}")),
        ];
        for (kind, cell) in wrong {
            assert!(value_of(&kind, &cell).is_err(), "{kind:?} {cell:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_back_is_what_was_read(words in prop::collection::vec("[a-z\\[\"]{1,4}", 1..4), number in -1e9..1e9f64, truth: bool) {
            let values = [
                (FieldKind::Set, json!(words)),
                (FieldKind::Text, json!(words[0])),
                (FieldKind::Number, json!(number)),
                (FieldKind::Number, json!(number as i64)),
                (FieldKind::Bool, json!(truth)),
            ];
            for (kind, value) in values {
                prop_assert_eq!(value_of(&kind, &cell_of(&value)), Ok(value));
            }
        }
    }
}
