//! `events`: what happened in the workspace, and the raw operations that the filesystem saw, from its journal.

use super::{
    ask::locate,
    output::{Output, local_time},
    report::short_id,
};
use crate::{
    daemon::{Location, control},
    domain::{
        Value,
        event::{Change, Event},
        op::{Actor, Op, OpKind},
    },
    workspace::store::{Store, StoreError},
};
use clap::Args;
use std::io;

/// Entries read from the journal at once.
const BATCH: usize = 1000;
/// Entries shown when nothing else is asked for.
const SHOWN: u64 = 20;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs events                          the newest events
  trackfs events --since 120              everything after event 120
  trackfs events --follow --json | jq     as they happen, for a program
  trackfs events --ops                    the raw operations behind them")]
pub struct EventsArgs {
    /// Go on printing events as they happen (a daemon has to run)
    #[arg(short, long, conflicts_with = "ops")]
    follow: bool,
    /// Only those after this sequence number
    #[arg(long, value_name = "SEQ")]
    since: Option<u64>,
    /// Show at most this many, the newest [default: 20; all after --since]
    #[arg(short, long, value_name = "NUMBER", conflicts_with = "since")]
    number: Option<u64>,
    /// Raw operations (create, write, rename …) instead of events
    #[arg(long)]
    ops: bool,
}

pub fn run(args: &EventsArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(None)?;
    let newest = match at.state.join("journal.db").exists() {
        true => logged(&Store::open(&at.state)?, args, out)?,
        false => 0,
    };
    if args.follow { follow(&at, newest, out) } else { Ok(()) }
}

/// Prints what the journal has; answers the number of its newest entry.
fn logged(store: &Store, args: &EventsArgs, out: &mut Output) -> anyhow::Result<u64> {
    if args.ops {
        print_after(args, |since, limit| store.ops(since, limit), |(row, _)| *row, |(row, op)| print_op(*row, op, out))
    } else {
        print_after(args, |since, limit| store.events(since, limit), |event| event.seq, |event| print_event(event, out))
    }
}

/// Prints the entries that `args` ask for, oldest first, from a listing of those after a number.
fn print_after<T>(
    args: &EventsArgs,
    list: impl Fn(u64, usize) -> Result<Vec<T>, StoreError>,
    number: impl Fn(&T) -> u64,
    mut print: impl FnMut(&T) -> io::Result<()>,
) -> anyhow::Result<u64> {
    let mut since = match args.since {
        Some(since) => since,
        None => newest(|since| Ok(!list(since, 1)?.is_empty()))?.saturating_sub(args.number.unwrap_or(SHOWN)),
    };
    loop {
        let batch = list(since, BATCH)?;
        batch.iter().try_for_each(&mut print)?;
        match batch.last() {
            Some(last) => since = number(last),
            None => return Ok(since),
        }
    }
}

/// The greatest number there is, found by halving: numbers only grow.
fn newest(exists_after: impl Fn(u64) -> Result<bool, StoreError>) -> Result<u64, StoreError> {
    let mut newest = 0;
    for bit in (0..63).rev().map(|shift| 1_u64 << shift) {
        if exists_after(newest + bit - 1)? {
            newest += bit;
        }
    }
    Ok(newest)
}

fn follow(at: &Location, since: u64, out: &mut Output) -> anyhow::Result<()> {
    let mut failed = None;
    out.flush()?;
    control::follow(at, since, &mut |line| match print_line(line, out) {
        Ok(()) => true,
        Err(error) => {
            failed = Some(error);
            false
        }
    })?;
    failed.map_or(Ok(()), Err)
}

fn print_line(line: &str, out: &mut Output) -> anyhow::Result<()> {
    print_event(&serde_json::from_str(line)?, out)?;
    Ok(out.flush()?)
}

fn print_event(event: &Event, out: &mut Output) -> io::Result<()> {
    out.value(event, |event, out| {
        let when = local_time(event.at);
        out.line(format!("{:>5} {when} {:<9} {}", event.seq, event.actor.name, describe(&event.change)))
    })
}

/// What happened, in a few words.
pub fn describe(change: &Change) -> String {
    match change {
        Change::TicketCreated { path, title } => format!("{path}: created, {title:?}"),
        Change::FieldChanged { path, field, from, to } => format!("{path}: {field} {} → {}", short(from), short(to)),
        Change::BodyChanged { path } => format!("{path}: body edited"),
        Change::TicketMoved { path, from } => format!("{path}: moved from {from}"),
        Change::TicketRemoved { path, title } => format!("{path}: removed, {title:?}"),
        Change::SpecChanged { path, what } => format!("{path}: {what}"),
        Change::CommentAdded { path, .. } => format!("{path}: comment added"),
        Change::CommentChanged { path, .. } => format!("{path}: comment edited"),
        Change::CommentRemoved { path, .. } => format!("{path}: comment removed"),
        Change::ProblemFound { path, line, message, .. } => format!("{path}:{line}: problem: {message}"),
        Change::ProblemCleared { path, code } => format!("{path}: mended ({code})"),
        Change::Committed { commit, message, .. } => {
            format!("committed {}: {}", short_id(commit), message.lines().next().unwrap_or_default())
        }
        Change::Pushed { remote, path, key, what } => format!("{path}: pushed to {remote} {key}: {}", what.join(", ")),
        Change::Pulled { remote, path, key, what } => {
            format!("{path}: pulled from {remote} {key}: {}", what.join(", "))
        }
        Change::Conflict { remote, path, field, local, theirs } => {
            format!("{path}: conflict in {field}: {} here, {} on {remote}", short(local), short(theirs))
        }
        Change::ConflictEnded { remote, path, field } => format!("{path}: {field} agrees with {remote} again"),
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

fn print_op(row: u64, op: &Op, out: &mut Output) -> io::Result<()> {
    if out.is_json() {
        return out.json(&Row { row, op });
    }
    let Actor { name, pid, .. } = &op.actor;
    out.line(format!("{row:>5} {} {name}[{pid}] {} {}", local_time(op.at), op.path, operation(&op.kind)))
}

#[derive(serde::Serialize)]
struct Row<'a> {
    row: u64,
    #[serde(flatten)]
    op: &'a Op,
}

fn operation(kind: &OpKind) -> String {
    match kind {
        OpKind::Create => "create".to_owned(),
        OpKind::Mkdir => "mkdir".to_owned(),
        OpKind::Symlink => "symlink".to_owned(),
        OpKind::Link { to } => format!("link to {to}"),
        OpKind::Write { offset, len } => format!("write {len} bytes at {offset}"),
        OpKind::Truncate { len } => format!("truncate to {len} bytes"),
        OpKind::Setattr => "setattr".to_owned(),
        OpKind::Setxattr => "setxattr".to_owned(),
        OpKind::Rename { to, exchange: false } => format!("rename to {to}"),
        OpKind::Rename { to, exchange: true } => format!("exchange with {to}"),
        OpKind::Unlink => "unlink".to_owned(),
        OpKind::Rmdir => "rmdir".to_owned(),
        OpKind::Fsync => "fsync".to_owned(),
        OpKind::Close => "close".to_owned(),
        OpKind::Foreign => "changed underneath".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::path::WsPath;

    fn path(text: &str) -> WsPath {
        WsPath::new(text).unwrap()
    }

    /// What `args` show of a journal with five events.
    fn shown(args: &EventsArgs) -> Vec<u64> {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let changes = (1..=5).map(|n| Change::BodyChanged { path: path(&format!("tickets/{n}.md")) }).collect();
        store.append("2026-11-21T07:35:00Z".parse().unwrap(), &Actor::named("vim"), changes).unwrap();
        let mut bytes = Vec::new();
        assert_eq!(logged(&store, args, &mut Output::new(&mut bytes, true)).unwrap(), 5);
        let lines = std::str::from_utf8(&bytes).unwrap().lines();
        lines.map(|line| serde_json::from_str::<Event>(line).unwrap().seq).collect()
    }

    #[test]
    fn events_are_shown_from_a_sequence_number_or_the_newest_few() {
        let args = |since, number| EventsArgs { follow: false, since, number, ops: false };
        assert_eq!(shown(&args(None, None)), [1, 2, 3, 4, 5]);
        assert_eq!(shown(&args(Some(3), None)), [4, 5]);
        assert_eq!(shown(&args(None, Some(1))), [5]);
    }

    #[test]
    fn the_newest_number_is_found_whatever_it_is() {
        for last in [0, 1, 2, 1000, 1 << 40, (1 << 63) - 1] {
            assert_eq!(newest(|since| Ok(since < last)).unwrap(), last);
        }
    }

    #[test]
    fn a_changed_field_shows_both_values() {
        let labels = serde_json::json!(["bug", "auth"]);
        let change =
            Change::FieldChanged { path: path("tickets/a.md"), field: "labels".into(), from: Value::Null, to: labels };
        assert_eq!(describe(&change), "tickets/a.md: labels – → bug auth");
    }
}
