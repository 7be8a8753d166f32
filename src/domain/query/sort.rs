//! The order of what was found.

use super::{Order, Subject};
use crate::domain::{
    catalog::{Card, Catalog},
    schema::FieldKind,
};
use std::{cmp::Ordering, sync::Arc};

/// What cards are compared by.
#[derive(PartialEq, PartialOrd)]
enum Key<'c> {
    Number(f64),
    Text(&'c str),
}

/// Cards that are equal stay in the order of their paths, in which they come.
pub(super) fn sort(cards: &mut Vec<&Arc<Card>>, order: &[Order], catalog: &Catalog) {
    if order.is_empty() {
        return;
    }
    let mut keyed: Vec<(Vec<Option<Key<'_>>>, _)> = std::mem::take(cards)
        .into_iter()
        .map(|card| (order.iter().map(|order| key(&order.by, card, catalog)).collect(), card))
        .collect();
    keyed.sort_by(|(a, _), (b, _)| {
        let each =
            order.iter().zip(a.iter().zip(b)).map(|(order, (a, b))| compare(a.as_ref(), b.as_ref(), order.falling));
        each.fold(Ordering::Equal, Ordering::then)
    });
    cards.extend(keyed.into_iter().map(|(_, card)| card));
}

/// What has no value comes last, in either direction.
fn compare(a: Option<&Key<'_>>, b: Option<&Key<'_>>, falling: bool) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => {
            let rising = a.partial_cmp(b).unwrap_or(Ordering::Equal);
            if falling { rising.reverse() } else { rising }
        }
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

fn key<'c>(by: &Subject, card: &'c Card, catalog: &Catalog) -> Option<Key<'c>> {
    let text = |text: &'c str| Some(Key::Text(text)).filter(|_| !text.is_empty());
    match by {
        Subject::Field(name) => field_key(name, card, catalog),
        Subject::Title => text(&card.title),
        Subject::Path => text(card.path.as_str()),
        Subject::Name => text(card.path.stem()),
        Subject::Created => Some(Key::Number(card.times.created.as_second() as f64)),
        Subject::Updated => Some(Key::Number(card.times.updated.as_second() as f64)),
        Subject::Tag => card.tags().next().and_then(text),
        Subject::Key => card.keys().next().and_then(|(_, key)| text(key)),
        Subject::Remote => card.keys().next().and_then(|(remote, _)| text(remote)),
        Subject::Link => card.links().next().and_then(text),
    }
}

fn field_key<'c>(name: &str, card: &'c Card, catalog: &Catalog) -> Option<Key<'c>> {
    let text = Some(card.value(name)).filter(|text| !text.is_empty())?;
    match catalog.schema().field(name).map(|field| &field.kind) {
        Some(FieldKind::Status | FieldKind::Choice(_)) => catalog.rank(name, text).map(|rank| Key::Number(rank as f64)),
        Some(FieldKind::Number) => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Key::Number),
        _ => Some(Key::Text(text)),
    }
}
