//! `trackfs list`: the tickets that a query asks for.

use super::{
    Engine,
    report::{ListReport, TicketRow},
};
use crate::domain::{catalog::Card, query::Query};
use anyhow::anyhow;

impl Engine {
    /// The tickets in the order of the query. What was saved is seen.
    pub(super) fn list(&self, text: &str) -> anyhow::Result<ListReport> {
        let query = self.parse(text)?;
        self.settle_all()?;
        self.ready_for(&query)?;
        let catalog = self.catalog();
        Ok(ListReport { tickets: query.select(&catalog, &self.moment()).iter().map(|card| row(card)).collect() })
    }

    pub(super) fn parse(&self, text: &str) -> anyhow::Result<Query> {
        Query::parse(text, &self.settler.schema()).map_err(|error| {
            // What is wrong is pointed at.
            anyhow!("the query is wrong at {error}\n{text}\n{:>column$}", '^', column = error.column)
        })
    }
}

fn row(card: &Card) -> TicketRow {
    let mut fields = std::collections::BTreeMap::<String, Vec<String>>::new();
    for name in card.fields() {
        fields.entry(name.to_owned()).or_insert_with(|| card.values(name).map(str::to_owned).collect());
    }
    TicketRow {
        path: card.path.clone(),
        title: card.title.to_string(),
        fields,
        tags: card.tags().map(str::to_owned).collect(),
        sync: card.keys().map(|(remote, key)| (remote.to_owned(), key.to_owned())).collect(),
        created: card.times.created,
        updated: card.times.updated,
    }
}
