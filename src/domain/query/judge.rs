//! Whether a term holds of a ticket.

use super::{Bound, DAY, Day, Measure, Moment, State, Subject, Test, Wanted};
use crate::domain::catalog::{Card, Catalog};
use jiff::civil::Date;

impl Test {
    pub(super) fn holds(&self, catalog: &Catalog, card: &Card, moment: &Moment) -> bool {
        match self {
            Self::Text(words) => words.are_part_of(&card.title) || catalog.says(card, words),
            Self::Has(subject, wanted) => {
                wanted.iter().any(|wanted| wanted.is_met(&Look { subject, catalog, card, moment }))
            }
            Self::Any(subject) => Look { subject, catalog, card, moment }.any(|_| true),
            Self::Is(state) => state.holds(catalog, card, moment),
        }
    }
}

impl State {
    fn holds(self, catalog: &Catalog, card: &Card, moment: &Moment) -> bool {
        match self {
            Self::Open => catalog.is_open(card),
            Self::Closed => !catalog.is_open(card),
            Self::Ready => catalog.is_ready(card),
            Self::Blocked => catalog.is_blocked(card),
            Self::Mine => catalog.is_mine(card),
            Self::Overdue => {
                catalog.is_open(card) && card.value("due").parse().is_ok_and(|due: Date| due < moment.today())
            }
            Self::Inbox => catalog.is_unsorted(card),
            Self::Of(kind) => catalog.kind_of(card) == Some(kind),
        }
    }
}

/// One look at one thing of a ticket.
struct Look<'l> {
    subject: &'l Subject,
    catalog: &'l Catalog,
    card: &'l Card,
    moment: &'l Moment,
}

impl Look<'_> {
    /// Whether `test` holds of one of the texts that the ticket has there.
    fn any(&self, test: impl Fn(&str) -> bool) -> bool {
        let card = self.card;
        match self.subject {
            Subject::Field(name) => card.values(name).any(test),
            Subject::Tag => card.tags().any(test),
            Subject::Title => test(&card.title),
            Subject::Path => test(card.path.as_str()),
            Subject::Name => test(card.path.stem()),
            Subject::Key => card.keys().any(|(_, key)| test(key)),
            Subject::Remote => card.keys().any(|(remote, _)| test(remote)),
            Subject::Link => self.catalog.links(card).any(|other| test(other.path.stem())),
            // These always have one, and it is a time.
            Subject::Created | Subject::Updated => true,
        }
    }

    /// Whether one of the values lies in a range of such measures.
    fn is_between(&self, from: Option<&Bound>, to: Option<&Bound>) -> bool {
        let Some(like) = from.or(to).map(|bound| bound.at) else { return true };
        let lies =
            |at: Measure| from.is_none_or(|from| from.is_below(at, self)) && to.is_none_or(|to| to.is_above(at, self));
        match self.subject {
            Subject::Created => lies(self.measure_of_time(self.card.times.created, like)),
            Subject::Updated => lies(self.measure_of_time(self.card.times.updated, like)),
            Subject::Field(name) => self.card.values(name).filter_map(|text| self.measure(name, text, like)).any(lies),
            _ => false,
        }
    }

    fn measure_of_time(&self, time: crate::domain::Timestamp, like: Measure) -> Measure {
        match like {
            Measure::Distance(_) => Measure::Distance(self.moment.now.as_second() - time.as_second()),
            _ => Measure::Day(Day::On(self.moment.day_of(time))),
        }
    }

    fn measure(&self, field: &str, text: &str, like: Measure) -> Option<Measure> {
        let date = || text.parse::<Date>().ok();
        Some(match like {
            Measure::Number(_) => Measure::Number(text.parse().ok()?),
            Measure::Rank(_) => Measure::Rank(self.catalog.rank(field, text)?),
            Measure::Day(_) => Measure::Day(Day::On(date()?)),
            Measure::Distance(_) => {
                let days = (date()? - self.moment.today()).get_days();
                Measure::Distance(i64::from(days) * DAY)
            }
        })
    }
}

impl Wanted {
    fn is_met(&self, look: &Look<'_>) -> bool {
        match self {
            Self::Exactly(text) => look.any(|found| found == text),
            Self::Like(pattern) => look.any(|found| is_like(&found.to_lowercase(), pattern)),
            Self::Me => look.any(|found| look.catalog.me().iter().any(|me| **me == *found)),
            Self::Between(from, to) => look.is_between(from.as_ref(), to.as_ref()),
        }
    }
}

impl Bound {
    fn is_below(&self, at: Measure, look: &Look<'_>) -> bool {
        let end = self.fixed(look.moment);
        if self.included { end <= at } else { end < at }
    }

    fn is_above(&self, at: Measure, look: &Look<'_>) -> bool {
        let end = self.fixed(look.moment);
        if self.included { at <= end } else { at < end }
    }

    fn fixed(&self, moment: &Moment) -> Measure {
        match self.at {
            Measure::Day(Day::In(days)) => {
                let day = moment.today().checked_add(jiff::Span::new().days(days));
                Measure::Day(Day::On(day.unwrap_or(if days < 0 { Date::MIN } else { Date::MAX })))
            }
            at => at,
        }
    }
}

/// Whether a text is a pattern in which `*` stands for any text; in time linear in both but for the stars.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(inner) = last.replace(part) {
            match rest.find(inner) {
                Some(at) => rest = &rest[at + inner.len()..],
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |last: &str| rest.ends_with(last))
}
