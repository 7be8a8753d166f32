//! `search`: the files that have some words, and where.

use super::{
    ask::locate,
    output::{Output, width},
};
use crate::{
    daemon::{
        self,
        control::{Request, Response},
        report::SearchReport,
    },
    domain::{
        text::{one_line, shortened},
        texts::MARKS,
    },
    workspace::store::Excerpt,
};
use clap::Args;
use std::io;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs search safari login                  both words, in a ticket, a comment or a spec
  trackfs search '\"since version\"'             these words next to each other
  trackfs search 'swip*' status:todo -windows  a word that begins so, in tickets to do, and not the other word
  trackfs search --json token | jq -r '\"\\(.path):\\(.line)\"'

docs/query.md has the language. A word that begins with a dash follows another, or a `--`.")]
pub struct SearchArgs {
    /// Words, and what else is asked of the tickets
    #[arg(required = true, allow_hyphen_values = true)]
    query: Vec<String>,
    /// Show at most this many
    #[arg(short, long, value_name = "NUMBER", default_value_t = 20)]
    number: usize,
}

pub fn run(args: &SearchArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(None)?;
    let query = args.query.join(" ");
    let Response::Search(report) = daemon::ask(&at, &Request::Search { query, at_most: args.number })? else {
        unreachable!("search answers what it found")
    };
    Ok(print(&report, width(), out)?)
}

fn print(report: &SearchReport, width: Option<usize>, out: &mut Output) -> io::Result<()> {
    for hit in &report.hits {
        if out.is_json() {
            // Marks are for the terminal.
            out.json(&Excerpt { text: one_line(&hit.text.replace(MARKS, "")), ..hit.clone() })?;
            continue;
        }
        let at = format!("{}:{}", hit.path, hit.line);
        let room = width.map_or(usize::MAX, |width| width.saturating_sub(at.chars().count() + 2).max(10));
        out.line(format!("{at}  {}", shortened(&one_line(&hit.title), room)))?;
        let words: Vec<_> = hit.text.split_whitespace().collect();
        out.marked(format!("    {}", words.join(" ")))?;
    }
    match report {
        _ if out.is_json() => Ok(()),
        SearchReport { hits, .. } if hits.is_empty() => out.line("no file has these words"),
        SearchReport { more: true, hits } => out.line(format!("these are the best {}; -n shows more", hits.len())),
        SearchReport { more: false, .. } => Ok(()),
    }
}
