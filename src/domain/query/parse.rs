//! Reads a query. What it asks for must exist: a name that the schema does not have is an error that says where it stands.

mod lexer;
mod value;

use super::{Measure, Order, Query, QueryError, State, Subject, Term, Test};
use crate::domain::{
    nearest::nearest,
    schema::{FieldKind, Schema, StatusKind},
    texts::Words,
};
use lexer::{Item, Part, Text};

/// Terms of one query: beyond, nobody wrote it.
const MAX_TERMS: usize = 100;

const STATES: [(&str, State); 12] = [
    ("open", State::Open),
    ("closed", State::Closed),
    ("ready", State::Ready),
    ("blocked", State::Blocked),
    ("mine", State::Mine),
    ("overdue", State::Overdue),
    ("inbox", State::Inbox),
    ("backlog", State::Of(StatusKind::Backlog)),
    ("unstarted", State::Of(StatusKind::Unstarted)),
    ("started", State::Of(StatusKind::Started)),
    ("completed", State::Of(StatusKind::Completed)),
    ("canceled", State::Of(StatusKind::Canceled)),
];

/// What can be asked for besides the fields of the schema. A field of the same name comes first.
const SUBJECTS: [(&str, Subject); 9] = [
    ("tag", Subject::Tag),
    ("title", Subject::Title),
    ("path", Subject::Path),
    ("name", Subject::Name),
    ("key", Subject::Key),
    ("remote", Subject::Remote),
    ("link", Subject::Link),
    ("created", Subject::Created),
    ("updated", Subject::Updated),
];

/// Other names of fields.
const ALIASES: [(&str, &str); 4] =
    [("label", "labels"), ("blocked-by", "blocked_by"), ("blocked", "blocked_by"), ("due-date", "due")];

/// A field that views group by, whether the schema has it or not.
const TYPE: &str = "type";

impl Query {
    /// Reads a query; an error says at which character it is wrong, and what would be right.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, QueryError> {
        let mut query = Self::default();
        for part in lexer::parts(text)? {
            if query.terms.len() + query.order.len() >= MAX_TERMS {
                return Err(error(part.column(), format!("a query has at most {MAX_TERMS} terms"), None));
            }
            query.add(part, schema)?;
        }
        Ok(query)
    }

    fn add(&mut self, part: Part, schema: &Schema) -> Result<(), QueryError> {
        match part {
            Part::Words { not, words } => {
                refuse_operator(&words)?;
                self.terms.push(Term { not, test: Test::Text(Words::new(&words.text, words.quoted)) });
            }
            Part::Pair { not, name, items } => match name.text.as_str() {
                "sort" if !not => self.order.extend(each(&items, |item| order(item, schema))?),
                "limit" if !not => self.limit = Some(limit(only(&items)?)?),
                "sort" | "limit" => return Err(error(name.column, format!("`{}` has no opposite", name.text), None)),
                _ => self.terms.push(term(not, &name, &items, schema)?),
            },
        }
        Ok(())
    }
}

fn term(not: bool, name: &Text, items: &[Item], schema: &Schema) -> Result<Term, QueryError> {
    match name.text.as_str() {
        "is" => state(only(items)?).map(|state| Term { not, test: Test::Is(state) }),
        "has" => subject(only(items)?, schema).map(|subject| Term { not, test: Test::Any(subject) }),
        "no" => subject(only(items)?, schema).map(|subject| Term { not: !not, test: Test::Any(subject) }),
        _ => {
            let subject = subject(name, schema)?;
            let wanted = each(items, |item| value::read(item, &subject, schema))?;
            Ok(Term { not, test: Test::Has(subject, wanted.concat()) })
        }
    }
}

fn state(item: &Text) -> Result<State, QueryError> {
    choose(item, "a ticket is never", STATES.iter().map(|(name, state)| (*name, *state)))
}

fn subject(name: &Text, schema: &Schema) -> Result<Subject, QueryError> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name.text).map_or(name.text.as_str(), |(_, field)| field);
    let is_field =
        |field: &str| schema.field(field).is_some_and(|field| field.kind != FieldKind::Sync) || field == TYPE;
    if let Some(field) = [name.text.as_str(), alias].into_iter().find(|field| is_field(field)) {
        // A ticket without the field has a title all the same.
        return Ok(if field == "title" { Subject::Title } else { Subject::Field(field.to_owned()) });
    }
    let fields = schema.fields.iter().filter(|field| field.kind != FieldKind::Sync);
    let fields = fields.map(|field| (field.name.as_str(), Subject::Field(field.name.clone())));
    let others = SUBJECTS.iter().map(|(name, subject)| (*name, subject.clone()));
    choose(name, "there is no field", fields.chain(others))
}

fn order(item: &Text, schema: &Schema) -> Result<Order, QueryError> {
    let (by, falling) = match item.text.rsplit_once('-') {
        Some((by, "asc")) => (by, Some(false)),
        Some((by, "desc")) => (by, Some(true)),
        _ => (item.text.as_str(), None),
    };
    let by = subject(&Text { text: by.to_owned(), ..item.clone() }, schema)?;
    // What was made or changed last is mostly wanted first.
    let falling = falling.unwrap_or(matches!(by, Subject::Created | Subject::Updated));
    Ok(Order { by, falling })
}

fn limit(item: &Text) -> Result<usize, QueryError> {
    let number = item.text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| error(item.column, format!("`{}` is no number of tickets", item.text), None))
}

/// People write these in other search boxes; taken as words of a text they would find nothing, without a word.
fn refuse_operator(words: &Text) -> Result<(), QueryError> {
    match words.text.as_str() {
        "OR" | "AND" | "NOT" if !words.quoted => {
            let help = "terms that stand side by side must all hold, `label:a,b` is either, `-label:a` is not";
            Err(error(words.column, format!("`{}` is not used here", words.text), Some(help.to_owned())))
        }
        _ => Ok(()),
    }
}

fn each<T>(items: &[Item], read: impl Fn(&Item) -> Result<T, QueryError>) -> Result<Vec<T>, QueryError> {
    items.iter().map(read).collect()
}

fn only(items: &[Item]) -> Result<&Text, QueryError> {
    match items {
        [item] => Ok(item),
        [_, second, ..] => Err(error(second.column, "only one may stand here".to_owned(), None)),
        [] => unreachable!("a pair has at least one item"),
    }
}

/// What a name stands for; the error names the nearest.
fn choose<'n, T>(name: &Text, wrong: &str, known: impl Iterator<Item = (&'n str, T)>) -> Result<T, QueryError> {
    let mut names = Vec::new();
    for (known, value) in known {
        if known == name.text {
            return Ok(value);
        }
        names.push(known);
    }
    let help = match nearest(&name.text, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("one of {}", names.join(", ")),
    };
    Err(error(name.column, format!("{wrong} `{}`", name.text), Some(help)))
}

fn error(column: usize, message: String, help: Option<String>) -> QueryError {
    QueryError { column, message, help }
}

/// Whether two ends of a range can be compared with the same values.
fn are_alike(a: Measure, b: Measure) -> bool {
    std::mem::discriminant(&a) == std::mem::discriminant(&b)
}
