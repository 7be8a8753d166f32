//! `complete`: words for editors to offer, one a line with a word about each, tab between.

use super::{ask::locate, output::Output};
use crate::{
    daemon::{
        self, Location,
        control::{Request, Response},
        report::TicketRow,
        tables,
    },
    domain::{
        schema::{FieldKind, Schema},
        text::one_line,
    },
};
use clap::{Args, ValueEnum};
use std::{cmp::Reverse, collections::HashMap};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs complete fields
  trackfs complete values labels
  trackfs complete tickets log

docs/editors/ has what uses it.")]
pub struct CompleteArgs {
    what: What,
    /// The field whose values are wanted, or how a ticket's name or title begins
    about: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Fields of the schema
    Fields,
    /// Values of a field: those that the schema lists, else those that tickets have, the commonest first
    Values,
    /// Names of tickets
    Tickets,
}

pub fn run(args: &CompleteArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(None)?;
    let about = args.about.as_deref().unwrap_or_default();
    let words = match args.what {
        What::Fields => fields(&tables::schema(&at)?),
        What::Values => values(&at, about)?,
        What::Tickets => tickets(&at, &about.to_lowercase())?,
    };
    for (word, about) in words {
        if out.is_json() {
            out.json(&serde_json::json!({ "word": word, "about": about }))?;
        } else {
            out.line(format!("{word}\t{about}").trim_end())?;
        }
    }
    Ok(())
}

fn rows(at: &Location) -> anyhow::Result<Vec<TicketRow>> {
    let Response::List(report) = daemon::ask(at, &Request::List { query: String::new() })? else {
        unreachable!("list answers a list")
    };
    Ok(report.tickets)
}

fn fields(schema: &Schema) -> Vec<(String, String)> {
    let written = schema.fields.iter().filter(|field| field.kind != FieldKind::Sync);
    let about = |name: &str| schema.choices(name).map_or(String::new(), |of| of.collect::<Vec<_>>().join(", "));
    written.map(|field| (field.name.clone(), about(&field.name))).collect()
}

fn values(at: &Location, field: &str) -> anyhow::Result<Vec<(String, String)>> {
    let schema = tables::schema(at)?;
    if let Some(of) = schema.choices(field) {
        return Ok(of.map(|value| (value.to_owned(), String::new())).collect());
    }
    let mut counts = HashMap::<String, usize>::new();
    for value in rows(at)?.into_iter().filter_map(|mut ticket| ticket.fields.remove(field)).flatten() {
        *counts.entry(one_line(&value)).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(a, many), (b, few)| Reverse(many).cmp(&Reverse(few)).then_with(|| a.cmp(b)));
    Ok(counts.into_iter().map(|(value, count)| (value, super::output::count(count, "ticket"))).collect())
}

/// Those whose name begins so come before those whose title has it somewhere.
fn tickets(at: &Location, begun: &str) -> anyhow::Result<Vec<(String, String)>> {
    let named = |ticket: &TicketRow| ticket.path.stem().to_lowercase().starts_with(begun);
    let titled = |ticket: &TicketRow| ticket.title.to_lowercase().contains(begun);
    let mut found: Vec<_> = rows(at)?.into_iter().filter(|ticket| named(ticket) || titled(ticket)).collect();
    found.sort_by_key(|ticket| (!named(ticket), ticket.path.clone()));
    Ok(found.into_iter().map(|ticket| (ticket.path.stem().to_owned(), one_line(&ticket.title))).collect())
}
