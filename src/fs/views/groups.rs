//! Views with a folder for each value of a field: `views/status/`, `views/label/`, …

use super::{Entry, Shown, Virtual, status::free_name};
use crate::domain::{
    catalog::{Catalog, MAX_NAME, Word, legal_name},
    issue::Field,
    query::Query,
    schema::{FieldDef, FieldKind, Schema},
    view::BUILT_IN,
};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashSet};

/// The folder of tickets without a value.
const NONE: &str = "none";
/// A link to the user's own folder in `views/assignee/`.
const ME: &str = "me";

/// A view that groups tickets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fs) struct View {
    pub name: Word,
    /// `None`: the tags of the text, which no link can change.
    pub field: Option<Word>,
    /// Whether a ticket may have several values.
    pub many: bool,
}

/// Those that every workspace has: names with their fields.
const VIEWS: [(&str, Option<&str>); 8] = [
    ("assignee", Some("assignee")),
    ("label", Some("labels")),
    ("milestone", Some("milestone")),
    ("priority", Some("priority")),
    ("project", Some("project")),
    ("status", Some("status")),
    ("tag", None),
    ("type", Some("type")),
];

/// One folder of such a view.
#[derive(Clone, Debug)]
pub(in crate::fs) struct Group {
    pub view: View,
    /// Empty: none.
    pub value: String,
}

/// Folders that somebody made: of values that no ticket has yet, and of queries. They last as long as the mount.
#[derive(Default)]
pub(in crate::fs) struct Made {
    /// By the name of the view.
    pub groups: Mutex<BTreeSet<(Word, String)>>,
    pub queries: Mutex<BTreeSet<String>>,
}

impl View {
    pub fn built_in(name: &str) -> Option<Self> {
        let (name, field) = VIEWS.iter().find(|(known, _)| *known == name)?;
        Some(Self { name: (*name).into(), field: field.map(Word::from), many: matches!(*name, "label" | "tag") })
    }

    /// Of a field that only this schema has.
    pub fn of_field(name: &str, schema: &Schema) -> Option<Self> {
        let field = own_fields(schema).find(|field| field.name == name)?;
        Some(Self { name: name.into(), field: Some(name.into()), many: field.kind == FieldKind::Set })
    }

    /// A folder for each value, and the one without.
    pub fn entries(&self, shown: &Shown<'_>) -> Vec<Entry> {
        let path = |name: &str| format!("views/{}/{name}", &*self.name);
        let folders = self.groups(shown).into_iter().map(|(name, _)| {
            let folder = Virtual::Folder(path(&name));
            Entry::new(name, folder)
        });
        folders.chain(self.me(shown).map(|target| Entry::new(ME, Virtual::Link { path: path(ME), target }))).collect()
    }

    /// What a folder of this name holds.
    pub fn value_of(&self, name: &str, shown: &Shown<'_>) -> Option<String> {
        if is_own_name(name) && self.has_value(name, shown) {
            return Some(name.to_owned());
        }
        self.groups(shown).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Where the link `me` leads, if there is one.
    pub fn me(&self, shown: &Shown<'_>) -> Option<String> {
        let me = shown.catalog.me().first().filter(|_| &*self.name == "assignee" && !self.has_value(ME, shown))?;
        is_own_name(me).then(|| me.to_string())
    }

    pub fn query(&self, value: &str) -> Query {
        self.field.as_deref().map_or_else(|| Query::of_tag(value), |field| Query::of_field(field, value))
    }

    /// Values that the schema allows, where it lists them.
    pub fn allowed<'c>(&self, catalog: &'c Catalog) -> Option<Vec<&'c str>> {
        catalog.schema().choices(self.field.as_deref()?).map(Iterator::collect)
    }

    /// Names and values. What can be a folder's name as it is has that name; others get one that is legal and free.
    fn groups(&self, shown: &Shown<'_>) -> Vec<(String, String)> {
        let allowed = self.allowed(shown.catalog).into_iter().flatten().map(Word::from);
        let made = self.made(shown);
        let own = shown.catalog.me().first().filter(|_| &*self.name == "assignee").cloned();
        let mut seen = HashSet::new();
        let values: Vec<Word> = allowed
            .chain(self.values(shown.catalog))
            .chain(own)
            .chain(made)
            .filter(|value| seen.insert(value.clone()))
            .collect();
        let mut names: HashSet<String> =
            values.iter().filter(|value| is_own_name(value)).map(|value| value.to_string()).collect();
        names.insert(NONE.to_owned());
        let mut name_of = |value: &str| match is_own_name(value) {
            true => value.to_owned(),
            false => free_name(&mut names, &legal_name(value), ""),
        };
        let mut groups: Vec<_> = values.iter().map(|value| (name_of(value), value.to_string())).collect();
        if self.has_none(shown) {
            groups.push((NONE.to_owned(), String::new()));
        }
        groups
    }

    fn values(&self, catalog: &Catalog) -> Vec<Word> {
        self.field.as_deref().map_or_else(|| catalog.tags(), |field| catalog.values_of(field))
    }

    fn made(&self, shown: &Shown<'_>) -> Vec<Word> {
        let made = shown.made.groups.lock();
        made.iter().filter(|(view, _)| *view == self.name).map(|(_, value)| value.as_str().into()).collect()
    }

    /// Whether there is a folder for this value.
    pub fn has_value(&self, value: &str, shown: &Shown<'_>) -> bool {
        let is_own = || &*self.name == "assignee" && shown.catalog.me().first().is_some_and(|me| **me == *value);
        self.allowed(shown.catalog).is_some_and(|allowed| allowed.contains(&value))
            || shown.made.groups.lock().contains(&(self.name.clone(), value.to_owned()))
            || is_own()
            || self.has_tickets(value, shown)
    }

    pub fn has_tickets(&self, value: &str, shown: &Shown<'_>) -> bool {
        let query = self.query(value);
        shown.catalog.cards().any(|card| query.holds(shown.catalog, card, &shown.moment))
    }

    /// Whether there is a folder for tickets without a value: the place where one is given back. A ticket always has a status.
    fn has_none(&self, shown: &Shown<'_>) -> bool {
        !self.many && (&*self.name != "status" || self.has_tickets("", shown))
    }
}

/// Fields of the workspace's own that views group by: those that list their values, and sets of words. Nobody groups by addresses.
pub(super) fn own_fields(schema: &Schema) -> impl Iterator<Item = &FieldDef> {
    let is_own = |field: &&FieldDef| {
        let is_shown = VIEWS.iter().any(|(name, shown)| *name == field.name || *shown == Some(field.name.as_str()));
        !is_shown
            && field.name != Field::Attachments.name()
            && !BUILT_IN.contains(&field.name.as_str())
            && is_own_name(&field.name)
    };
    schema.fields.iter().filter(|field| matches!(field.kind, FieldKind::Choice(_) | FieldKind::Set)).filter(is_own)
}

/// Whether a value can be the name of its folder.
pub(in crate::fs) fn is_own_name(value: &str) -> bool {
    value != NONE && value.len() <= MAX_NAME && legal_name(value) == value
}
