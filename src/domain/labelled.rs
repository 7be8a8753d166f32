//! Fields of the workspace's own that a tracker has as labels: `severity: high` is the label `severity/high` there.
//!
//! Nothing that a tracker says is lost on the way: what a field cannot hold (a second value, a word that the schema does not know)
//! stays an ordinary label, so that `labels_of(split(labels)) == labels` for any labels.

use super::{
    Value,
    mapping::ordered,
    schema::{FieldKind, Schema},
    text::scalar_text,
};
use std::collections::{BTreeMap, BTreeSet};

/// One such field.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    pub field: String,
    /// How its labels begin.
    prefix: String,
    kind: FieldKind,
}

impl Labelled {
    /// Those of a configuration (field to prefix) that the schema has.
    pub fn all(schema: &Schema, prefixes: &BTreeMap<String, String>) -> Vec<Self> {
        let one = |(field, prefix): (&String, &String)| {
            let kind = schema.field(field)?.kind.clone();
            Some(Self { field: field.clone(), prefix: prefix.clone(), kind })
        };
        prefixes.iter().filter_map(one).collect()
    }

    /// The labels that a ticket's value is; `None` where it cannot be read.
    pub fn labels_of(&self, value: Option<&Value>) -> Option<Vec<String>> {
        let values = match value {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items.iter().map(scalar_text).collect::<Option<_>>()?,
            Some(one) => vec![scalar_text(one)?],
        };
        let said = values.iter().map(|value| value.trim()).filter(|value| !value.is_empty());
        Some(said.map(|value| format!("{}{value}", self.prefix)).collect())
    }

    /// Takes the field's own out of these labels; answers its value. `current`: what the ticket has now, which stays if it is
    /// among them.
    fn take(&self, labels: &mut BTreeSet<String>, current: Option<&Value>) -> Option<Value> {
        let own: Vec<(String, Value)> =
            labels.iter().filter_map(|label| Some((label.clone(), self.value_of(label)?))).collect();
        if self.kind == FieldKind::Set {
            labels.retain(|label| own.iter().all(|(taken, _)| taken != label));
            let members: BTreeSet<String> = own.iter().filter_map(|(_, value)| scalar_text(value)).collect();
            return (!members.is_empty()).then(|| ordered(&members, current));
        }
        let chosen = own.iter().find(|(_, value)| Some(value) == current).or(own.first())?;
        labels.remove(&chosen.0);
        Some(chosen.1.clone())
    }

    /// What a label says in the terms of the field, if it says it as we would.
    fn value_of(&self, label: &str) -> Option<Value> {
        let said = label.strip_prefix(&self.prefix).filter(|said| !said.is_empty() && said.trim() == *said)?;
        let value = match &self.kind {
            FieldKind::Choice(of) => of.iter().any(|choice| choice == said).then(|| Value::from(said)),
            FieldKind::Number => serde_json::from_str(said).ok().filter(Value::is_number),
            FieldKind::Bool => said.parse::<bool>().ok().map(Value::from),
            FieldKind::Date => said.parse::<jiff::civil::Date>().ok().map(|_| Value::from(said)),
            FieldKind::Text | FieldKind::Set => Some(Value::from(said)),
            FieldKind::Status | FieldKind::Link | FieldKind::Links | FieldKind::Path | FieldKind::Sync => None,
        }?;
        (scalar_text(&value).as_deref() == Some(said)).then_some(value)
    }
}

/// Splits labels into fields, in their order, and what is left. `current` knows what the ticket has now.
pub fn split<'v>(
    fields: &[Labelled],
    mut labels: BTreeSet<String>,
    current: impl Fn(&str) -> Option<&'v Value>,
) -> (Vec<(String, Option<Value>)>, BTreeSet<String>) {
    let taken =
        fields.iter().map(|field| (field.field.clone(), field.take(&mut labels, current(&field.field)))).collect();
    (taken, labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::path::WsPath;
    use proptest::prelude::*;
    use serde_json::json;

    fn fields() -> Vec<Labelled> {
        let text = "statuses:\n  todo: {kind: unstarted}\nfields:\n  severity: {type: choice, of: [high, low]}\n  areas: set\n  \
                    points: number\n  paid: bool\n  until: date\n";
        let schema = Schema::parse(&WsPath::new(".trackfs/schema.yaml").unwrap(), text).unwrap();
        let prefixes = [
            ("severity", "severity/"),
            ("areas", "area:"),
            ("points", "points/"),
            ("paid", "paid-"),
            ("until", "until "),
        ];
        Labelled::all(&schema, &prefixes.map(|(field, prefix)| (field.into(), prefix.into())).into())
    }

    fn set(labels: &[&str]) -> BTreeSet<String> {
        labels.iter().map(|label| (*label).to_owned()).collect()
    }

    #[test]
    fn labels_become_the_fields_that_they_are_and_others_stay() {
        let said = set(&[
            "bug",
            "severity/high",
            "severity/odd",
            "area:web",
            "area:api",
            "points/3",
            "points/x",
            "paid-true",
            "until 2026-12-01",
            "until soon",
        ]);
        let (taken, left) = split(&fields(), said, |_| None);
        let taken: BTreeMap<_, _> = taken.into_iter().collect();
        assert_eq!(taken["severity"], Some(json!("high")));
        assert_eq!(taken["areas"], Some(json!(["api", "web"])));
        assert_eq!(taken["points"], Some(json!(3)));
        assert_eq!(taken["paid"], Some(json!(true)));
        assert_eq!(taken["until"], Some(json!("2026-12-01")));
        assert_eq!(left, set(&["bug", "severity/odd", "points/x", "until soon"]));
    }

    #[test]
    fn of_two_values_the_present_one_stays_and_the_other_is_a_label() {
        let both = set(&["severity/high", "severity/low"]);
        let low = json!("low");
        let (taken, left) = split(&fields(), both.clone(), |field| (field == "severity").then_some(&low));
        assert!(taken.contains(&("severity".to_owned(), Some(json!("low")))));
        assert_eq!(left, set(&["severity/high"]));
        let (taken, left) = split(&fields(), both, |_| None);
        assert!(taken.contains(&("severity".to_owned(), Some(json!("high")))));
        assert_eq!(left, set(&["severity/low"]));
    }

    proptest! {
        #[test]
        fn nothing_that_a_tracker_says_is_lost(
            said in prop::collection::btree_set("(severity/|area:|points/|paid-|until )?(high|low|web|3|3\\.0|1e3|true|2026-12-01| x|)", 0..6)
        ) {
            let (taken, left) = split(&fields(), said.clone(), |_| None);
            let mut back = left;
            for (field, value) in taken {
                let fields = fields();
                let labelled = fields.iter().find(|labelled| labelled.field == field).unwrap();
                back.extend(labelled.labels_of(value.as_ref()).unwrap());
            }
            prop_assert_eq!(back, said);
        }
    }
}
