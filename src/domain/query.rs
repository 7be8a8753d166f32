//! Questions about tickets, as the search boxes of GitHub and Linear take them: `status:todo -label:bug sort:priority`.
//!
//! A query is read against the schema, so that what it asks for exists, and judges one card at a time. Every view is one.

mod judge;
mod parse;
mod sort;

use super::{
    Timestamp,
    catalog::{Card, Catalog},
    schema::StatusKind,
    texts::{Sought, Words},
};
use jiff::{civil::Date, tz::TimeZone};
use std::{fmt, sync::Arc};

/// In seconds.
const DAY: i64 = 24 * 3600;

/// What is asked: every term must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    terms: Vec<Term>,
    order: Vec<Order>,
    limit: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
struct Term {
    not: bool,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// These words are written in it.
    Text(Words),
    /// One of the values is one of these.
    Has(Subject, Vec<Wanted>),
    /// There is any value.
    Any(Subject),
    Is(State),
}

/// What a term looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    Field(String),
    Tag,
    Title,
    Path,
    /// The name of the file, without its ending.
    Name,
    Key,
    /// Remotes on which it has a key.
    Remote,
    /// A ticket that it links to.
    Link,
    Created,
    Updated,
}

/// A value that is asked for.
#[derive(Clone, Debug, PartialEq)]
enum Wanted {
    /// Exactly this text.
    Exactly(String),
    /// This text in small letters, in which `*` stands for any.
    Like(String),
    /// The user.
    Me,
    Between(Option<Bound>, Option<Bound>),
}

/// An end of a range.
#[derive(Clone, Debug, PartialEq)]
struct Bound {
    at: Measure,
    /// Whether the end itself belongs to it.
    included: bool,
}

/// Values that have an order. Those of different kinds are not compared.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Measure {
    Number(f64),
    /// The place among the values that the schema lists.
    Rank(usize),
    Day(Day),
    /// How far away a time is, in seconds: what was made or changed lies behind, a date ahead.
    Distance(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Day {
    On(Date),
    /// So many days from today.
    In(i32),
}

/// What can be said of a ticket without naming a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closed,
    Ready,
    Blocked,
    Mine,
    Overdue,
    Inbox,
    Of(StatusKind),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Order {
    by: Subject,
    falling: bool,
}

/// When a question is asked, and where.
#[derive(Clone, Debug)]
pub struct Moment {
    pub now: Timestamp,
    pub zone: TimeZone,
}

impl Moment {
    pub fn today(&self) -> Date {
        self.day_of(self.now)
    }

    fn day_of(&self, at: Timestamp) -> Date {
        self.zone.to_datetime(at).date()
    }
}

/// Why a text is no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct QueryError {
    /// Characters from the beginning, counted from 1.
    pub column: usize,
    pub message: String,
    pub help: Option<String>,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)?;
        self.help.iter().try_for_each(|help| write!(f, " ({help})"))
    }
}

impl Query {
    /// The tickets that have exactly this value in a field, or as a member of it; of an empty value, those without any.
    pub fn of_field(field: &str, value: &str) -> Self {
        Self::of_value(Subject::Field(field.to_owned()), value)
    }

    pub fn of_tag(tag: &str) -> Self {
        Self::of_value(Subject::Tag, tag)
    }

    fn of_value(subject: Subject, value: &str) -> Self {
        let term = match value {
            "" => Term { not: true, test: Test::Any(subject) },
            value => Term { not: false, test: Test::Has(subject, vec![Wanted::Exactly(value.to_owned())]) },
        };
        Self { terms: vec![term], ..Self::default() }
    }

    /// With the order and the limit that the other has, as far as it has.
    pub fn ordered_by(self, other: Self) -> Self {
        let order = if other.order.is_empty() { self.order } else { other.order };
        Self { order, limit: other.limit.or(self.limit), ..self }
    }

    /// Whether a ticket's being there depends on others: only so many are taken.
    pub fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    /// The words that it asks for.
    pub fn sought(&self) -> Sought {
        let mut sought = Sought::default();
        for term in &self.terms {
            if let Test::Text(words) = &term.test {
                if term.not { &mut sought.none } else { &mut sought.all }.push(words.clone());
            }
        }
        sought
    }

    /// What it asks for apart from words; `None`: nothing.
    pub fn without_words(self) -> Option<Self> {
        let terms: Vec<_> = self.terms.into_iter().filter(|term| !matches!(term.test, Test::Text(_))).collect();
        (!terms.is_empty()).then_some(Self { terms, ..self })
    }

    /// Whether a ticket is one of those that are asked for, if there may be any number of them.
    pub fn holds(&self, catalog: &Catalog, card: &Card, moment: &Moment) -> bool {
        (!card.is_note() || self.asks_for_notes())
            && self.terms.iter().all(|term| term.test.holds(catalog, card, moment) != term.not)
    }

    /// The tickets that are asked for: in order, and no more than that.
    pub fn select<'c>(&self, catalog: &'c Catalog, moment: &Moment) -> Vec<&'c Arc<Card>> {
        let mut found: Vec<_> = catalog.cards().filter(|card| self.holds(catalog, card, moment)).collect();
        sort::sort(&mut found, &self.order, catalog);
        found.truncate(self.limit.unwrap_or(usize::MAX));
        found
    }

    /// Texts in the inbox are no tickets: only who asks for the inbox means them.
    fn asks_for_notes(&self) -> bool {
        self.terms.iter().any(|term| !term.not && term.test == Test::Is(State::Inbox))
    }
}

#[cfg(test)]
mod tests;
