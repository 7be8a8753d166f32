//! `sql`: asks the workspace in SQL, and changes tickets by it.

mod grid;

use super::{
    ask::locate,
    failure,
    history::{self, change_line},
    input,
    output::{Output, count},
};
use crate::{
    daemon::{
        self, Location,
        control::{Expected, Request, Response},
        report::ChangeReport,
        tables,
    },
    domain::edit::Edit,
    workspace::store::sql::{Limits, Sql, SqlError, Table},
};
use clap::Args;
use grid::Grid;
use std::{
    io::{self, BufRead, Write},
    time::Duration,
};

/// Tickets that are shown before the rest is only counted.
const SHOWN: usize = 40;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs sql --explain                                     the tables, and what they mean
  trackfs sql \"SELECT status, count(*) FROM tickets GROUP BY status\"
  trackfs sql --csv \"SELECT path, new, at FROM field_history WHERE field = 'status'\" > history.csv
  trackfs sql --write \"UPDATE tickets SET priority = 'low' WHERE label = 'spike'\"
  trackfs sql - < question.sql

docs/sql.md shows more. Without --write nothing is ever changed.")]
pub struct SqlArgs {
    /// One statement; `-` reads it from standard input
    #[arg(required_unless_present = "explain")]
    statement: Option<String>,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Let UPDATE, INSERT and DELETE on `tickets` change the files, after showing what would change
    #[arg(long, short)]
    write: bool,
    /// Do not ask before writing
    #[arg(long, short, requires = "write")]
    yes: bool,
    /// Remove more tickets at once than sync.max_removals
    #[arg(long, requires = "write")]
    remove_many: bool,
    /// Show the tables and their columns; of a statement, how it is carried out
    #[arg(long)]
    explain: bool,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

pub fn run(args: &SqlArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(None)?;
    let statement = statement(args)?;
    let history = history::open(&at)?;
    // What was saved is seen.
    daemon::ask(&at, &Request::Settle)?;
    let mut sql = tables::open(&at, &history, &statement)?;
    if statement.is_empty() {
        return Ok(explain(&sql.tables(), out)?);
    }
    let edits = query(args, &mut sql, &statement, out)?;
    if edits.is_empty() {
        return Ok(());
    }
    write(args, &at, edits, out)
}

fn statement(args: &SqlArgs) -> anyhow::Result<String> {
    let said = input::text(args.statement.as_deref().unwrap_or_default())?;
    let said = said.trim().trim_end_matches(';').trim_end();
    if said.is_empty() && !args.explain {
        return Err(failure::advise("the statement is empty", "`trackfs sql --explain` shows the tables"));
    }
    Ok(said.to_owned())
}

fn query(args: &SqlArgs, sql: &mut Sql, statement: &str, out: &mut Output) -> anyhow::Result<Vec<Edit>> {
    let limits = Limits { time: Duration::from_secs(args.timeout), write: args.write };
    let said = if args.explain { format!("EXPLAIN QUERY PLAN {statement}") } else { statement.to_owned() };
    let mut grid = Grid::new(out, args.csv);
    let answer = sql.run(&said, limits, |names, row| {
        // The plan's other columns are for machines.
        if args.explain { grid.row(&["plan".to_owned()], &row[row.len() - 1..]) } else { grid.row(names, &row) }
    });
    let edits = answer.map_err(|error| explained(error, statement, args))?;
    grid.end()?;
    Ok(edits)
}

fn explained(error: SqlError, statement: &str, args: &SqlArgs) -> anyhow::Error {
    match error {
        SqlError::Statement { message, at, help } => {
            let what = match at.filter(|at| !args.explain && statement.is_char_boundary(*at)) {
                Some(at) => format!("{message}\n{}", pointed(statement, at)),
                None => message,
            };
            failure::advise(what, help.unwrap_or_else(|| "`trackfs sql --explain` shows the tables".to_owned()))
        }
        SqlError::Forbidden if !args.write => {
            let next = "UPDATE, INSERT and DELETE on `tickets` need --write; everything else is never allowed";
            failure::advise("the statement does more than ask", next)
        }
        SqlError::Forbidden => {
            let next = "`tickets` is the one that can be: `trackfs sql --explain` shows its columns";
            failure::advise("this table cannot be written, or this cannot be done", next)
        }
        SqlError::Slow(_) => failure::advise(error.to_string(), "--timeout allows more; LIMIT asks for less"),
        SqlError::Output(error) => error.into(),
        SqlError::Store(error) => error.into(),
    }
}

/// The line of the statement that is wrong, and where.
fn pointed(statement: &str, at: usize) -> String {
    let begin = statement[..at].rfind('\n').map_or(0, |end| end + 1);
    let line = statement[begin..].lines().next().unwrap_or_default();
    let column = statement[begin..at].chars().count();
    format!("{line}\n{:column$}^", "")
}

fn explain(tables: &[Table], out: &mut Output) -> io::Result<()> {
    for table in tables {
        if out.is_json() {
            let columns: serde_json::Map<_, _> =
                table.columns.iter().map(|(name, about)| (name.clone(), about.as_str().into())).collect();
            out.json(&serde_json::json!({ "table": table.name, "about": table.about, "columns": columns }))?;
            continue;
        }
        out.line(format!("{}: {}", table.name, table.about))?;
        let width = table.columns.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        table.columns.iter().try_for_each(|(name, about)| out.line(format!("  {name:<width$}  {about}")))?;
    }
    Ok(())
}

/// Shows what would change, asks, and has it done.
fn write(args: &SqlArgs, at: &Location, edits: Vec<Edit>, out: &mut Output) -> anyhow::Result<()> {
    let planned = change(at, edits.clone(), None)?;
    if planned.changes.is_empty() {
        return if out.is_json() { Ok(()) } else { Ok(out.line("nothing would change")?) };
    }
    if planned.removals > planned.max_removals && !args.remove_many {
        let what = format!(
            "{} would be removed, and sync.max_removals is {}; nothing was changed",
            count(planned.removals, "ticket"),
            planned.max_removals
        );
        return Err(failure::advise(what, "--remove-many says that it is meant"));
    }
    if !out.is_json() {
        show(&planned, out)?;
    }
    if !args.yes && !asked(planned.changes.len(), out)? {
        return Ok(out.line("nothing was changed")?);
    }
    let expected = planned.changes.into_iter().map(|change| (change.path, change.before)).collect();
    let done = change(at, edits, Some(expected))?;
    out.value(&done, |done, out| match &done.commit {
        Some(commit) => out.line(format!("{} changed in {}", count(done.changes.len(), "ticket"), &commit[..8])),
        None => out.line(format!("{} changed", count(done.changes.len(), "ticket"))),
    })?;
    Ok(())
}

fn change(at: &Location, edits: Vec<Edit>, expected: Option<Expected>) -> anyhow::Result<ChangeReport> {
    let Response::Change(report) = daemon::ask(at, &Request::Change { edits, expected })? else {
        unreachable!("a change answers what it changes")
    };
    Ok(report)
}

fn show(planned: &ChangeReport, out: &mut Output) -> io::Result<()> {
    for ticket in planned.changes.iter().take(SHOWN) {
        let lines: Vec<_> = ticket.changes.iter().map(change_line).collect();
        let what = if ticket.what == "edited" { lines.join("; ") } else { ticket.what.clone() };
        out.line(format!("{}  {what}", ticket.path))?;
        if ticket.what == "created" {
            lines.iter().try_for_each(|line| out.line(format!("    {line}")))?;
        }
    }
    match planned.changes.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => out.line(format!("… and {}", count(more, "other ticket"))),
    }
}

fn asked(tickets: usize, out: &mut Output) -> anyhow::Result<bool> {
    if !input::is_attended() {
        let next = "look at what would change (above), then say --yes";
        return Err(failure::advise("nobody is there to be asked; nothing was changed", next));
    }
    out.flush()?;
    write!(io::stderr(), "Change {}? [y/N] ", count(tickets, "ticket"))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
