//! Lists of which a name alone does not say whether a ticket is in them: they take only so many, or call them otherwise.

use super::{Shown, status::free_name};
use crate::domain::{catalog::Card, query::Query, view::NamePattern};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// A question, and how what it finds is called.
#[derive(Clone, Debug)]
pub(in crate::fs) struct List {
    pub query: Query,
    pub name: Option<NamePattern>,
}

/// What a list held, by name, in its order.
pub(super) struct Held {
    pub entries: Vec<(String, Arc<Card>)>,
    index: HashMap<String, usize>,
}

/// The list that was asked for last: whoever lists a folder then looks at what is in it.
#[derive(Default)]
pub(in crate::fs) struct Lists(Mutex<Option<(Key, Arc<Held>)>>);

/// The folder, the version of the catalog, and the second: what a query says of times changes with them.
type Key = (String, u64, i64);

impl List {
    /// Whether a ticket's name in views is enough to find it here.
    fn is_plain(&self) -> bool {
        self.name.is_none() && !self.query.is_limited()
    }

    /// The tickets by the names that they have here, in order.
    pub fn entries(&self, path: &str, shown: &Shown<'_>) -> Vec<(String, Arc<Card>)> {
        match self.is_plain() {
            true => {
                let found = self.query.select(shown.catalog, &shown.moment).into_iter();
                found.map(|card| (card.shown().to_owned(), card.clone())).collect()
            }
            false => shown.lists.get(self, path, shown).entries.clone(),
        }
    }

    /// The ticket that has this name here.
    pub fn get(&self, path: &str, name: &str, shown: &Shown<'_>) -> Option<Arc<Card>> {
        if self.is_plain() {
            let card = shown.catalog.shown_as(name)?;
            return self.query.holds(shown.catalog, card, &shown.moment).then(|| card.clone());
        }
        let held = shown.lists.get(self, path, shown);
        held.index.get(name).map(|at| held.entries[*at].1.clone())
    }

    fn held(&self, shown: &Shown<'_>) -> Held {
        let mut names = HashSet::new();
        let mut name_of = |card: &Card| match &self.name {
            None => card.shown().to_owned(),
            Some(pattern) => free_name(&mut names, &pattern.name(card), ".md"),
        };
        let found = self.query.select(shown.catalog, &shown.moment).into_iter();
        let entries: Vec<_> = found.map(|card| (name_of(card), card.clone())).collect();
        let index = entries.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        Held { entries, index }
    }
}

impl Lists {
    fn get(&self, list: &List, path: &str, shown: &Shown<'_>) -> Arc<Held> {
        let key = (path.to_owned(), shown.catalog.version(), shown.moment.now.as_second());
        let mut last = self.0.lock();
        if let Some((of, held)) = &*last
            && *of == key
        {
            return held.clone();
        }
        let held = Arc::new(list.held(shown));
        *last = Some((key, held.clone()));
        held
    }
}
