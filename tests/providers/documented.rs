//! Whether a request is one that GitHub documents: the operation, the names in the query, and the members of the body with
//! their types. The table is made by tests/emulators/github-requests.mjs from GitHub's OpenAPI description.

use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, sync::LazyLock};

#[derive(Deserialize)]
struct Table {
    operations: BTreeMap<String, Operation>,
}

/// By name: JSON types, or, of a query, the words that it may be.
#[derive(Deserialize)]
struct Operation {
    query: BTreeMap<String, Vec<String>>,
    body: BTreeMap<String, Vec<String>>,
    required: Vec<String>,
}

/// The table was made from a description that was cut down to issues and what is about them, which this is not.
const NOT_IN_TABLE: &str = "/user/repos";

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/remote/github.requests.json"));
    serde_json::from_str(text).expect("the table is one")
});

/// What is wrong with a whole HTTP request.
pub fn fault(request: &str) -> Option<String> {
    let (line, rest) = request.split_once("\r\n")?;
    let [method, target, ..] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Some(format!("no request: {line}"));
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if (method, path) == ("GET", NOT_IN_TABLE) {
        return None;
    }
    let operation = TABLE.operations.iter().find(|(name, _)| is(name, method, path)).map(|(_, operation)| operation);
    let Some(operation) = operation else { return Some(format!("{method} {path} is not documented")) };
    let body = rest.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_str(body) };
    let found = match body {
        Ok(body) => operation.fault_of_query(query).or_else(|| operation.fault_of_body(&body)),
        Err(error) => Some(error.to_string()),
    };
    found.map(|found| format!("{method} {path}: {found}"))
}

fn is(operation: &str, method: &str, path: &str) -> bool {
    let Some((its_method, template)) = operation.split_once(' ') else { return false };
    let (names, parts): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    let fits = |(name, part): (&&str, &&str)| name == part || (name.starts_with('{') && !part.is_empty());
    its_method == method && names.len() == parts.len() && names.iter().zip(&parts).all(fits)
}

impl Operation {
    fn fault_of_query(&self, query: &str) -> Option<String> {
        let pairs =
            query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.into_iter().find_map(|(name, value)| match self.query.get(name) {
            None => Some(format!("there is no parameter {name}")),
            Some(types) if types.iter().any(|name| is_type(name)) => None,
            Some(words) => (!words.iter().any(|word| word == value)).then(|| format!("{name} is not {value}")),
        })
    }

    fn fault_of_body(&self, body: &Value) -> Option<String> {
        let none = serde_json::Map::new();
        let members = body.as_object().unwrap_or(&none);
        let missing = self.required.iter().find(|name| !members.contains_key(*name));
        let wrong = members.iter().find_map(|(name, value)| match self.body.get(name) {
            None => Some(format!("there is no member {name}")),
            Some(types) => {
                (!types.iter().any(|known| known == type_of(value))).then(|| format!("{name} is no {value}"))
            }
        });
        missing.map(|name| format!("{name} is missing")).or(wrong)
    }
}

fn is_type(name: &str) -> bool {
    matches!(name, "string" | "integer" | "boolean" | "array" | "object" | "null" | "number")
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn what_is_not_documented_is_found() {
    let request = |line: &str, body: &str| format!("{line} HTTP/1.1\r\nhost: x\r\n\r\n{body}");
    for (line, body) in [
        ("GET /repos/o/r/issues?state=all&sort=updated&per_page=100", ""),
        ("POST /repos/o/r/issues", r#"{"title": "a", "labels": ["b"]}"#),
        ("PATCH /repos/o/r/issues/7", r#"{"milestone": null, "state": "closed"}"#),
    ] {
        assert_eq!(fault(&request(line, body)), None);
    }
    for (line, body, expected) in [
        ("GET /repos/o/r/isues", "", "GET /repos/o/r/isues is not documented"),
        ("PUT /repos/o/r/issues/7", "", "PUT /repos/o/r/issues/7 is not documented"),
        ("GET /repos/o/r/issues?order=asc", "", "GET /repos/o/r/issues: there is no parameter order"),
        ("GET /repos/o/r/issues?state=any", "", "GET /repos/o/r/issues: state is not any"),
        ("POST /repos/o/r/issues", r#"{"body": "a"}"#, "POST /repos/o/r/issues: title is missing"),
        ("PATCH /repos/o/r/issues/7", r#"{"assignes": []}"#, "PATCH /repos/o/r/issues/7: there is no member assignes"),
        ("PATCH /repos/o/r/issues/7", r#"{"labels": "a"}"#, r#"PATCH /repos/o/r/issues/7: labels is no "a""#),
    ] {
        assert_eq!(fault(&request(line, body)).as_deref(), Some(expected));
    }
}
