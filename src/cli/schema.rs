//! `schema`: what a ticket may say, and which tickets say something else.

use super::{
    ask::locate,
    failure,
    output::{Output, count},
};
use crate::{
    daemon::{
        self, Location,
        control::{Request, Response},
        tables,
    },
    domain::{
        problem::Severity,
        schema::{FieldDef, FieldKind, Schema},
    },
};
use clap::Subcommand;
use serde_json::json;
use std::io;

#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Show the statuses and fields that tickets may have, as .trackfs/schema.yaml says
    Show,
    /// Check the schema, and every ticket against it; exits with 1 where something is wrong
    Check,
}

pub fn run(command: &SchemaCommand, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(None)?;
    match command {
        SchemaCommand::Show => Ok(show(&tables::schema(&at)?, out)?),
        SchemaCommand::Check => check(&at, out),
    }
}

fn show(schema: &Schema, out: &mut Output) -> io::Result<()> {
    if out.is_json() {
        let statuses = schema
            .statuses
            .iter()
            .map(|status| json!({ "name": status.name, "kind": status.kind, "next": status.next }));
        let fields = schema.fields.iter().map(|field| {
            let of: Vec<_> = schema.choices(&field.name).into_iter().flatten().collect();
            json!({ "name": field.name, "type": field.kind.name(), "required": field.required, "of": of })
        });
        let (statuses, fields): (Vec<_>, Vec<_>) = (statuses.collect(), fields.collect());
        return out.json(&json!({ "statuses": statuses, "fields": fields }));
    }
    out.line("statuses")?;
    let names = |names: &mut dyn Iterator<Item = &str>| names.map(|name| name.chars().count()).max().unwrap_or(0);
    let width = names(&mut schema.statuses.iter().map(|status| status.name.as_str()));
    for status in &schema.statuses {
        let kind = format!("{:?}", status.kind).to_lowercase();
        let next = if status.next.is_empty() { String::new() } else { format!("; then {}", status.next.join(", ")) };
        out.line(format!("  {:<width$}  {kind}{next}", status.name))?;
    }
    out.line("fields")?;
    let width = names(&mut schema.fields.iter().map(|field| field.name.as_str()));
    schema.fields.iter().try_for_each(|field| out.line(format!("  {:<width$}  {}", field.name, described(field))))
}

fn described(field: &FieldDef) -> String {
    let kind = match &field.kind {
        FieldKind::Choice(of) => format!("one of {}", of.join(", ")),
        kind => kind.name().to_owned(),
    };
    if field.required { format!("{kind}, required") } else { kind }
}

fn check(at: &Location, out: &mut Output) -> anyhow::Result<()> {
    let Response::Status(status) = daemon::ask(at, &Request::Settle)? else { unreachable!("status answers") };
    let files: Vec<_> = status
        .problems
        .iter()
        .filter(|problem| matches!(problem.path.names().next(), Some("tickets" | "inbox" | ".trackfs")))
        .collect();
    for problem in &files {
        out.value(problem, |problem, out| out.line(problem))?;
    }
    let wrong = files.iter().filter(|problem| problem.severity != Severity::Warning).count();
    if wrong > 0 {
        let what = format!("{} in {}", count(wrong, "problem"), count(status.tickets, "ticket"));
        return Err(failure::advise(
            what,
            "each line above says what is allowed; `trackfs schema show` shows all of it",
        ));
    }
    // What is broken is among the problems.
    let schema = tables::schema(at)?;
    if !out.is_json() {
        let fields = count(schema.fields.len(), "field");
        out.line(format!("{} checked against {fields}: nothing is wrong", count(status.tickets, "ticket")))?;
    }
    Ok(())
}
