//! Reads a value that is asked for: a word, `@me`, a comparison, a range.

use super::{are_alike, choose, error, lexer::Text};
use crate::domain::{
    query::{Bound, DAY, Day, Measure, QueryError, Subject, Wanted},
    schema::{FieldKind, Schema},
};
use jiff::civil::Date;

/// Longest time that is taken, in seconds: a thousand years.
const MAX_DISTANCE: i64 = 1000 * 365 * DAY;

const UNITS: [(&str, i64); 7] =
    [("min", 60), ("h", 3600), ("d", DAY), ("w", 7 * DAY), ("mo", 30 * DAY), ("m", 30 * DAY), ("y", 365 * DAY)];

/// How the values of a subject are ordered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale<'s> {
    None,
    Number,
    /// Of one of the values that the schema lists.
    Rank(&'s str),
    /// A date, mostly ahead.
    Date,
    /// A time that is over.
    Time,
}

/// What stands before a value to say that it is the end of a range.
const COMPARISONS: [(&str, bool, bool); 4] =
    // Sign, whether it is the lower end, whether the end belongs to it.
    [(">=", true, true), ("<=", false, true), (">", true, false), ("<", false, false)];

/// What a value asks for: one of these.
pub(super) fn read(item: &Text, subject: &Subject, schema: &Schema) -> Result<Vec<Wanted>, QueryError> {
    let small = item.text.to_lowercase();
    Ok(match subject {
        // Some words of it, a folder above it.
        Subject::Title => vec![Wanted::Like(format!("*{small}*"))],
        Subject::Path => vec![Wanted::Like(format!("{}/*", small.trim_end_matches('/'))), Wanted::Like(small)],
        _ if item.quoted => vec![Wanted::Exactly(item.text.clone())],
        _ => vec![Reader { scale: scale(subject, schema), schema }.wanted(item)?],
    })
}

fn scale<'s>(subject: &'s Subject, schema: &Schema) -> Scale<'s> {
    match subject {
        Subject::Created | Subject::Updated => Scale::Time,
        Subject::Field(name) => match schema.field(name).map(|field| &field.kind) {
            Some(FieldKind::Number) => Scale::Number,
            Some(FieldKind::Date) => Scale::Date,
            Some(FieldKind::Status | FieldKind::Choice(_)) => Scale::Rank(name),
            _ => Scale::None,
        },
        _ => Scale::None,
    }
}

struct Reader<'s> {
    scale: Scale<'s>,
    schema: &'s Schema,
}

impl Reader<'_> {
    fn wanted(&self, item: &Text) -> Result<Wanted, QueryError> {
        for (sign, is_low, included) in COMPARISONS {
            if let Some(rest) = item.text.strip_prefix(sign) {
                let at = self.comparable(&item.after(sign, rest))?;
                let bound = Some(Bound { at, included });
                return Ok(if is_low { Wanted::Between(bound, None) } else { Wanted::Between(None, bound) });
            }
        }
        if let (Some((from, to)), true) = (item.text.split_once(".."), self.scale != Scale::None) {
            return self.range(item, from, to);
        }
        match (item.text.as_str(), self.scale) {
            ("@me", _) => Ok(Wanted::Me),
            (_, Scale::Number | Scale::Date | Scale::Time) => self.exactly(item),
            (text, _) => {
                self.check_choice(item)?;
                Ok(Wanted::Like(text.to_lowercase()))
            }
        }
    }

    /// `a..b`, in which `*` or nothing leaves an end open.
    fn range(&self, item: &Text, from: &str, to: &str) -> Result<Wanted, QueryError> {
        let end = |text: Text| match text.text.as_str() {
            "" | "*" => Ok(None),
            _ => self.measure(&text).map(|at| Some(Bound { at, included: true })),
        };
        let (low, high) = (end(item.after("", from))?, end(item.after(&format!("{from}.."), to))?);
        match (&low, &high) {
            (None, None) => Err(error(item.column, "a range has at least one end".to_owned(), None)),
            (Some(low), Some(high)) if !are_alike(low.at, high.at) => {
                Err(error(item.column, "both ends of a range are written alike".to_owned(), None))
            }
            _ => Ok(Wanted::Between(low, high)),
        }
    }

    /// What may stand after `<` and its like. A list of words is no measure: of `[high, low]` nobody could say which is more.
    fn comparable(&self, text: &Text) -> Result<Measure, QueryError> {
        let help = match self.scale {
            Scale::Rank(name) => {
                let names = self.choices(name);
                let range = names.first().zip(names.last());
                range.map(|(first, last)| format!("say from which to which: `{name}:{first}..{last}`"))
            }
            Scale::None => Some("numbers and dates are".to_owned()),
            _ => return self.measure(text),
        };
        Err(error(text.column, "such values are not compared".to_owned(), help))
    }

    /// A number, a day; a duration is none.
    fn exactly(&self, item: &Text) -> Result<Wanted, QueryError> {
        let at = self.measure(item)?;
        if matches!(at, Measure::Distance(_)) {
            let help = format!("`<{}` or `>{}`, or a range", item.text, item.text);
            return Err(error(item.column, "nothing is exactly that far away".to_owned(), Some(help)));
        }
        let bound = || Some(Bound { at, included: true });
        Ok(Wanted::Between(bound(), bound()))
    }

    fn measure(&self, text: &Text) -> Result<Measure, QueryError> {
        match self.scale {
            Scale::Number => {
                let number = text.text.parse().ok().filter(|number: &f64| number.is_finite());
                number
                    .map(Measure::Number)
                    .ok_or_else(|| error(text.column, format!("`{}` is no number", text.text), None))
            }
            Scale::Rank(name) => {
                let names = self.choices(name);
                let ranked = names.iter().enumerate().map(|(rank, name)| (*name, Measure::Rank(rank)));
                choose(text, "there is no", ranked)
            }
            Scale::Date | Scale::Time | Scale::None => self.time(text),
        }
    }

    fn time(&self, text: &Text) -> Result<Measure, QueryError> {
        let day = match text.text.as_str() {
            "today" => Some(Day::In(0)),
            "tomorrow" => Some(Day::In(1)),
            "yesterday" => Some(Day::In(-1)),
            date => date.parse::<Date>().ok().map(Day::On),
        };
        let distance = || duration(&text.text).filter(|seconds| self.scale == Scale::Time || seconds % DAY == 0);
        let help = "2026-12-01, today, tomorrow, yesterday, or how far away it is: 3d, 2w, 6mo, 1y";
        day.map(Measure::Day)
            .or_else(|| distance().map(Measure::Distance))
            .ok_or_else(|| error(text.column, format!("`{}` is no date", text.text), Some(help.to_owned())))
    }

    fn choices(&self, field: &str) -> Vec<&str> {
        self.schema.choices(field).into_iter().flatten().collect()
    }

    /// A word without a star must be one that the schema has.
    fn check_choice(&self, item: &Text) -> Result<(), QueryError> {
        match self.scale {
            Scale::Rank(name) if !item.text.contains('*') => {
                let names = self.choices(name);
                let is_meant = |known: &&&str| known.to_lowercase() == item.text.to_lowercase();
                match names.iter().find(is_meant) {
                    Some(_) => Ok(()),
                    None => choose(item, &format!("no {name} is called"), names.iter().map(|name| (*name, ()))),
                }
            }
            _ => Ok(()),
        }
    }
}

impl Text {
    /// What follows `before` in this text.
    fn after(&self, before: &str, rest: &str) -> Self {
        Self { text: rest.to_owned(), column: self.column + before.chars().count(), quoted: self.quoted }
    }
}

/// `3d`, `-2w`: in seconds.
fn duration(text: &str) -> Option<i64> {
    let digits = text.trim_start_matches('-').trim_start_matches(|c: char| c.is_ascii_digit());
    let (number, unit) = text.split_at(text.len() - digits.len());
    let unit = UNITS.iter().find(|(name, _)| *name == unit)?.1;
    let seconds = number.parse::<i64>().ok()?.checked_mul(unit)?;
    (-MAX_DISTANCE..=MAX_DISTANCE).contains(&seconds).then_some(seconds)
}
