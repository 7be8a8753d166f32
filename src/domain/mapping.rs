//! Translation between a ticket's fields and its remote's terms.
//!
//! Statuses are many-to-one: several local ones may stand for one remote state. So the way back keeps the ticket's present
//! status whenever that already says what the remote says, and `to_field(from_field(x)) == x` for every value a remote has.

use super::{
    Fields, Value,
    issue::{Capabilities, Field, FieldValue, IssueFields, RemoteState},
    labelled::{self, Labelled},
    names::Names,
    schema::{FieldKind, Schema, StatusDef, StatusKind},
};
use std::collections::{BTreeMap, BTreeSet};

/// How one remote's terms and one schema's fit together.
#[derive(Clone, Debug)]
pub struct Mapping {
    statuses: Vec<StatusDef>,
    states: Vec<RemoteState>,
    /// Local status to remote state, from the configuration.
    overrides: BTreeMap<String, String>,
    priorities: Choices,
    types: Choices,
    fields: BTreeSet<Field>,
    /// Fields that are labels there.
    labelled: Vec<Labelled>,
    /// What tickets are called; it grows as they become objects.
    pub names: Names,
}

/// What a ticket says, before translation.
#[derive(Clone, Copy, Debug)]
pub struct TicketView<'a> {
    /// As it is shown; used when there is no `title` field.
    pub title: &'a str,
    pub fields: &'a Fields,
    pub body: &'a str,
}

impl Mapping {
    pub fn new(
        schema: &Schema,
        capabilities: &Capabilities,
        overrides: &BTreeMap<String, String>,
        names: Names,
    ) -> Self {
        Self {
            statuses: schema.statuses.clone(),
            states: capabilities.states.clone(),
            overrides: overrides.clone(),
            priorities: Choices::new(schema, Field::Priority, &capabilities.priorities),
            types: Choices::new(schema, Field::Type, &capabilities.types),
            fields: capabilities.fields.clone(),
            labelled: Vec::new(),
            names,
        }
    }

    /// With these fields (to how their labels begin) as labels there; what the remote has a field of its own for stays that.
    #[must_use]
    pub fn with_labelled(mut self, schema: &Schema, prefixes: &BTreeMap<String, String>) -> Self {
        let has_own = |labelled: &Labelled| self.fields.iter().any(|field| field.name() == labelled.field);
        self.labelled = Labelled::all(schema, prefixes).into_iter().filter(|labelled| !has_own(labelled)).collect();
        self
    }

    /// A ticket in remote terms: only fields the remote has, and only values that can be said there. What is left out
    /// says nothing; a missing optional field is `Text(None)` and clears.
    pub fn to_remote(&self, ticket: TicketView<'_>) -> IssueFields {
        let translate = |field: &Field| Some((*field, self.field_to_remote(*field, ticket)?));
        self.fields.iter().filter_map(translate).collect()
    }

    fn field_to_remote(&self, field: Field, ticket: TicketView<'_>) -> Option<FieldValue> {
        let value = ticket.fields.get(field.name()).filter(|value| !value.is_null());
        let optional = |text: Option<String>| FieldValue::Text(text.filter(|text| !text.trim().is_empty()));
        match field {
            Field::Title => {
                let title = value.and_then(plain).unwrap_or_else(|| ticket.title.to_owned());
                (!title.trim().is_empty()).then(|| FieldValue::text(title.trim()))
            }
            Field::Body => Some(FieldValue::text(ticket.body)),
            Field::Status => self.state_of(&plain(value?)?).map(|state| FieldValue::text(&state.name)),
            Field::Labels => {
                let mut labels = value.map_or(Some(Vec::new()), words)?;
                for labelled in &self.labelled {
                    labels.extend(labelled.labels_of(ticket.fields.get(&labelled.field))?);
                }
                Some(FieldValue::Set(labels.into_iter().collect()))
            }
            Field::Assignee | Field::Due | Field::Project | Field::Milestone | Field::Cycle => {
                readable(value, plain).map(optional)
            }
            Field::Priority => self.priorities.to_remote(value),
            Field::Type => self.types.to_remote(value),
            Field::Estimate => readable(value, number).map(optional),
            Field::Parent | Field::DuplicateOf => match readable(value, plain)? {
                Some(link) if !link.is_empty() => self.names.key_of(&link).map(FieldValue::text),
                _ => Some(FieldValue::Text(None)),
            },
            Field::Attachments => Some(FieldValue::Set(value.map_or(Some(Vec::new()), words)?.into_iter().collect())),
            Field::BlockedBy | Field::Related => {
                let links = value.map_or(Some(Vec::new()), words)?;
                let keys = links.iter().filter_map(|link| self.names.key_of(link));
                Some(FieldValue::Set(keys.map(str::to_owned).collect()))
            }
        }
    }

    /// What a remote value is in the frontmatter: fields and their values, `None` to take one out. `current` knows what the ticket
    /// has now. Errors as [`Mapping::to_field`].
    pub fn to_fields<'v>(
        &self,
        field: Field,
        value: &FieldValue,
        current: impl Fn(&str) -> Option<&'v Value>,
    ) -> Result<Vec<(String, Option<Value>)>, Unmapped> {
        let name = field.name();
        if let (Field::Labels, FieldValue::Set(labels)) = (field, value) {
            let (fields, labels) = labelled::split(&self.labelled, labels.clone(), &current);
            let left = self.to_field(field, &FieldValue::Set(labels), current(name))?;
            return Ok([(name.to_owned(), left)].into_iter().chain(fields).collect());
        }
        Ok(vec![(name.to_owned(), self.to_field(field, value, current(name))?)])
    }

    /// The frontmatter value for a remote value, `None` to take the field out. `current` is what the ticket has now.
    ///
    /// `Err` when the schema has no word for it; then the field is left alone. The body has no frontmatter: also `Err`.
    pub fn to_field(
        &self,
        field: Field,
        value: &FieldValue,
        current: Option<&Value>,
    ) -> Result<Option<Value>, Unmapped> {
        let unmapped = || Unmapped { field, value: value.as_text().unwrap_or_default().to_owned() };
        let text = match value {
            FieldValue::Set(members) if field.is_link() => return Ok(self.links(members, current)),
            FieldValue::Set(members) if members.is_empty() => return Ok(None),
            FieldValue::Set(members) => return Ok(Some(ordered(members, current))),
            FieldValue::Text(None) => return Ok(None),
            FieldValue::Text(Some(text)) => text,
        };
        let value = match field {
            Field::Body => return Err(unmapped()),
            Field::Status => {
                let present = current.and_then(Value::as_str);
                Value::from(self.status_of(text, present).ok_or_else(unmapped)?)
            }
            Field::Priority => self.priorities.to_field(text).ok_or_else(unmapped)?,
            Field::Type => self.types.to_field(text).ok_or_else(unmapped)?,
            Field::Estimate => as_number(text).ok_or_else(unmapped)?,
            Field::Cycle => word(text),
            Field::Parent | Field::DuplicateOf => {
                let present = current.and_then(plain).filter(|link| self.names.key_of(link) == Some(text));
                word(present.as_deref().unwrap_or_else(|| self.names.name_of(text)))
            }
            _ => Value::from(text.as_str()),
        };
        Ok(Some(value))
    }

    /// Links to these objects: those of the ticket that mean one of them keep their places, and so do those that mean nothing
    /// there; new ones follow.
    fn links(&self, members: &BTreeSet<String>, current: Option<&Value>) -> Option<Value> {
        let present = match current {
            Some(Value::Array(items)) => items.clone(),
            other => other.cloned().into_iter().collect(),
        };
        let meant = |item: &Value| {
            let link = plain(item)?;
            self.names.key_of(&link).or_else(|| members.get(&link).map(String::as_str)).map(str::to_owned)
        };
        let stays = |item: &Value| meant(item).is_none_or(|key| members.contains(&key));
        let mut links: Vec<Value> = present.into_iter().filter(stays).collect();
        let said: BTreeSet<String> = links.iter().filter_map(meant).collect();
        links.extend(members.difference(&said).map(|key| word(self.names.name_of(key))));
        (!links.is_empty()).then_some(Value::Array(links))
    }

    /// The remote state for a local status: by override, by name, by kind (the nearest when there is none of that kind).
    pub fn state_of(&self, status: &str) -> Option<&RemoteState> {
        let by_name = |name: &str| self.states.iter().find(|state| slug(&state.name) == slug(name));
        let kind = || self.statuses.iter().find(|known| known.name == status).map(|known| known.kind);
        let by_kind = |kind| nearest(kind, &self.states, |state| state.kind);
        let chosen = self.overrides.get(status).and_then(|name| self.states.iter().find(|state| state.name == *name));
        chosen.or_else(|| by_name(status)).or_else(|| by_kind(kind()?))
    }

    /// The local status for a remote state. The `present` one stays when it maps to that state.
    pub fn status_of(&self, state: &str, present: Option<&str>) -> Option<&str> {
        let maps_here = |status: &str| self.state_of(status).is_some_and(|mapped| mapped.name == state);
        let known = |name: &str| self.statuses.iter().find(|status| status.name == name);
        if let Some(present) = present.and_then(known).filter(|present| maps_here(&present.name)) {
            return Some(&present.name);
        }
        let chosen =
            || self.statuses.iter().find(|status| self.overrides.get(&status.name).is_some_and(|to| to == state));
        let by_name =
            || self.statuses.iter().find(|status| slug(&status.name) == slug(state) && maps_here(&status.name));
        let by_kind = || {
            let kind = self.states.iter().find(|known| known.name == state)?.kind;
            let back = self.statuses.iter().find(|status| status.kind == kind && maps_here(&status.name));
            back.or_else(|| nearest(kind, &self.statuses, |status| status.kind))
        };
        chosen().or_else(by_name).or_else(by_kind).map(|status| status.name.as_str())
    }
}

/// Names of one field on both sides: those that look alike are one.
#[derive(Clone, Debug)]
struct Choices {
    /// Empty: the schema takes any.
    local: Vec<String>,
    remote: Vec<String>,
}

impl Choices {
    fn new(schema: &Schema, field: Field, remote: &[String]) -> Self {
        let local = match schema.field(field.name()).map(|field| &field.kind) {
            Some(FieldKind::Choice(names)) => names.clone(),
            _ => Vec::new(),
        };
        Self { local, remote: remote.to_vec() }
    }

    /// What the remote has no name for says nothing.
    fn to_remote(&self, value: Option<&Value>) -> Option<FieldValue> {
        match readable(value, plain)? {
            Some(name) if !name.is_empty() => named(&self.remote, &name).map(FieldValue::text),
            _ => Some(FieldValue::Text(None)),
        }
    }

    fn to_field(&self, text: &str) -> Option<Value> {
        if self.local.is_empty() { Some(Value::from(text)) } else { named(&self.local, text).map(Value::from) }
    }
}

/// The schema has no word for a remote's value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no value of `{}` stands for `{value}`", field.name())]
pub struct Unmapped {
    pub field: Field,
    pub value: String,
}

/// The first item of the kind, else of the nearest: open work never becomes closed work while an open state exists.
fn nearest<T>(kind: StatusKind, items: &[T], kind_of: impl Fn(&T) -> StatusKind) -> Option<&T> {
    use StatusKind::{Backlog, Canceled, Completed, Started, Unstarted};
    let order = match kind {
        Backlog => [Backlog, Unstarted, Started, Canceled, Completed],
        Unstarted => [Unstarted, Backlog, Started, Completed, Canceled],
        Started => [Started, Unstarted, Backlog, Completed, Canceled],
        Completed => [Completed, Canceled, Started, Unstarted, Backlog],
        Canceled => [Canceled, Completed, Backlog, Unstarted, Started],
    };
    order.into_iter().find_map(|kind| items.iter().find(|item| kind_of(item) == kind))
}

/// `In Progress`, `in-progress` and `in_progress` are one name.
fn slug(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric() || *c == ':').flat_map(char::to_lowercase).collect()
}

fn named<'a>(names: &'a [String], name: &str) -> Option<&'a str> {
    names.iter().find(|known| slug(known) == slug(name)).map(String::as_str)
}

/// `Some(None)` when the field is missing, `None` when it is there and cannot be read.
fn readable<T>(value: Option<&Value>, read: impl Fn(&Value) -> Option<T>) -> Option<Option<T>> {
    value.map_or(Some(None), |value| read(value).map(Some))
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The words of a list, or the only one; `None` where one cannot be read.
pub fn words(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(words) => words.iter().map(plain).collect(),
        other => plain(other).map(|word| vec![word]),
    }
}

/// Canonical text of a number: no trailing `.0`.
fn number(value: &Value) -> Option<String> {
    plain(value).and_then(|text| as_number(&text)).map(|number| number.to_string())
}

fn as_number(text: &str) -> Option<Value> {
    let number: f64 = text.trim().parse().ok()?;
    // Below 2^53 every whole f64 is that integer.
    if number.fract() == 0.0 && number.abs() < 9e15 {
        return Some(Value::from(number as i64));
    }
    serde_json::Number::from_f64(number).map(Value::Number)
}

/// A word as a person writes it, who does not quote a number.
fn word(text: &str) -> Value {
    let number = text.parse::<u32>().ok().filter(|number| number.to_string() == text);
    number.map_or_else(|| Value::from(text), Value::from)
}

/// A set as a list: members that were there keep their places, new ones follow.
pub(super) fn ordered(members: &BTreeSet<String>, current: Option<&Value>) -> Value {
    let present: Vec<String> = match current {
        Some(Value::Array(items)) => items.iter().filter_map(plain).collect(),
        Some(other) => plain(other).into_iter().collect(),
        None => Vec::new(),
    };
    let kept = present.iter().filter(|member| members.contains(*member));
    let new = members.iter().filter(|member| !present.contains(member));
    Value::Array(kept.chain(new).map(|member| Value::from(member.as_str())).collect())
}

#[cfg(test)]
mod tests;
