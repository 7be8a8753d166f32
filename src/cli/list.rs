//! `list`: the tickets that a query asks for, as a table.

use super::{
    ask::locate,
    output::{Output, width},
};
use crate::{
    daemon::{
        self,
        control::{Request, Response},
        report::TicketRow,
    },
    domain::text::{one_line, shortened},
};
use clap::Args;
use std::io;

/// Characters of the widest column but the last.
const MAX_COLUMN: usize = 40;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs list is:ready                        what could be begun, best first with `sort:priority`
  trackfs list assignee:@me is:open sort:due
  trackfs list label:bug -priority:low 'updated:>30d' sort:updated-asc
  trackfs list --json is:open | jq -r .path

docs/query.md has the language. A word that begins with a dash follows a `--`: trackfs list -- -label:bug")]
pub struct ListArgs {
    /// What is asked for [default: all tickets]
    query: Vec<String>,
    /// Show at most this many
    #[arg(short, long, value_name = "NUMBER")]
    number: Option<usize>,
}

pub fn run(args: &ListArgs, out: &mut Output) -> anyhow::Result<()> {
    let query = args.query.join(" ");
    let Response::List(report) = daemon::ask(&locate(None)?, &Request::List { query })? else {
        unreachable!("list answers a list")
    };
    let tickets = &report.tickets[..report.tickets.len().min(args.number.unwrap_or(usize::MAX))];
    if out.is_json() {
        return Ok(tickets.iter().try_for_each(|ticket| out.json(ticket))?);
    }
    Ok(table(tickets, width(), out)?)
}

/// Columns as wide as they need be; the title has what is left of the line.
fn table(tickets: &[TicketRow], width: Option<usize>, out: &mut Output) -> io::Result<()> {
    let rows: Vec<[String; 5]> = tickets.iter().map(cells).collect();
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3].map(widest);
    // A column that nobody needs has no gap either.
    let before: usize = widths.iter().filter(|width| **width > 0).map(|width| width + 2).sum();
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(before).max(10));
    for row in &rows {
        let columns = row.iter().zip(widths).filter(|(_, width)| *width > 0);
        let line: String = columns.map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        out.line(format!("{line}{}", shortened(&row[4], room)).trim_end())?;
    }
    Ok(())
}

fn cells(ticket: &TicketRow) -> [String; 5] {
    let field = |name: &str| ticket.fields.get(name).map_or(String::new(), |values| values.join(","));
    let cell = |text: &str| shortened(&one_line(text), MAX_COLUMN);
    let path = ticket.path.as_str().to_owned();
    [path, cell(&field("status")), cell(&field("priority")), cell(&field("assignee")), one_line(&ticket.title)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Timestamp, path::WsPath};

    #[test]
    fn a_table_fits_the_terminal_and_leaves_out_what_nobody_has() {
        let ticket = |path: &str, status: &str, title: &str| TicketRow {
            path: WsPath::new(path).unwrap(),
            title: title.to_owned(),
            fields: [("status".to_owned(), vec![status.to_owned()])].into(),
            tags: Vec::new(),
            sync: Default::default(),
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
        };
        let tickets =
            [ticket("tickets/a.md", "todo", "A\u{1b}[2J title that is long"), ticket("b.md", "in-progress", "B")];
        let printed = |width| {
            let mut bytes = Vec::new();
            table(&tickets, width, &mut Output::new(&mut bytes, false)).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let expected = "tickets/a.md  todo         A [2J title that is long\nb.md          in-progress  B\n";
        assert_eq!(printed(None), expected);
        assert_eq!(printed(Some(40)), expected.replace(" title that is long", " title…"));
    }
}
