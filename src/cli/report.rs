//! What the engine answered, on one screen.

use super::output::{Output, count};
use crate::daemon::{
    control::Response,
    report::{
        CommitReport, FlushReport, ListingReport, RemoteReport, RemoteStatus, ResolveReport, RestoreReport,
        SettledReport, Status, SyncReport, SyncRow, TieReport, UnmountReport,
    },
};
use crate::{
    domain::{
        path::WsPath,
        text::shortened,
        tie::{NEW, NONE},
    },
    workspace::settle::Progress,
};
use std::io;

/// Paths and rows shown before the rest is only counted.
const SHOWN: usize = 20;

/// Whether a response means success.
pub enum Outcome<'a> {
    Done,
    Refused(String),
    /// These remotes had errors.
    Incomplete(Vec<&'a RemoteReport>),
}

pub fn outcome(response: &Response) -> Outcome<'_> {
    let remotes = match response {
        Response::Failed { message } => return Outcome::Refused(message.clone()),
        Response::Flush(report) => &report.remotes,
        Response::Sync(report) => &report.remotes,
        Response::Resolve(report) => &report.remotes,
        Response::Tie(report) => &report.remotes,
        Response::Status(_)
        | Response::Commit(_)
        | Response::List(_)
        | Response::Listings(_)
        | Response::Search(_)
        | Response::Change(_)
        | Response::Show(_)
        | Response::Comment(_)
        | Response::Restore(_)
        | Response::Unmount(_)
        | Response::Done => return Outcome::Done,
    };
    let failed: Vec<_> = remotes.iter().filter(|remote| remote.error.is_some()).collect();
    if failed.is_empty() { Outcome::Done } else { Outcome::Incomplete(failed) }
}

/// Prints an answer; a failure is left to the caller, on stderr.
pub fn print(response: &Response, out: &mut Output) -> io::Result<()> {
    match response {
        Response::Status(report) => out.value(report, status),
        Response::Commit(report) => out.value(report, commit),
        Response::Flush(report) => out.value(report, flush),
        Response::Sync(report) => out.value(report, sync),
        Response::Unmount(report) => out.value(report, holders),
        Response::Resolve(report) => out.value(report, resolve),
        Response::Tie(report) => out.value(report, tie),
        Response::Restore(report) => out.value(report, restored),
        // These print by themselves: what fits a line depends on the terminal, or on what was asked.
        Response::List(_)
        | Response::Listings(_)
        | Response::Search(_)
        | Response::Change(_)
        | Response::Show(_)
        | Response::Comment(_)
        | Response::Done
        | Response::Failed { .. } => Ok(()),
    }
}

fn restored(report: &RestoreReport, out: &mut Output) -> io::Result<()> {
    report
        .restored
        .iter()
        .try_for_each(|path| out.line(format!("{path} is as it was in {}", short_id(&report.from))))?;
    match report.unchanged.len() {
        0 => Ok(()),
        unchanged => out.line(format!("{} as it was already", count(unchanged, "file"))),
    }
}

/// Who uses a mount, as a table.
pub fn holders(report: &UnmountReport, out: &mut Output) -> io::Result<()> {
    let width = report.holders.iter().map(|holder| holder.command.chars().count()).max().unwrap_or(0).max(7);
    if !report.holders.is_empty() {
        out.line(format!("{:>9}  {:<width$}  {:<17}  PATH", "PID", "COMMAND", "HOLDS"))?;
    }
    for holder in &report.holders {
        let path = if holder.path.as_os_str().is_empty() { ".".into() } else { holder.path.display().to_string() };
        out.line(format!("{:>9}  {:<width$}  {:<17}  {path}", holder.pid, holder.command, holder.hold))?;
    }
    match report.unseen {
        0 => Ok(()),
        unseen => out.line(format!("processes of other users, which cannot be looked at: {unseen}")),
    }
}

fn status(status: &Status, out: &mut Output) -> io::Result<()> {
    out.line(status.workspace.display())?;
    out.line(format!("  {}", running(status)))?;
    out.line(format!("  {}, last event {}", count(status.tickets, "ticket"), status.last_event))?;
    if let Some(Progress { done, total }) = status.indexing {
        out.line(format!("  indexing {} of {}; views and sync follow", thousands(done), thousands(total)))?;
    }
    section(out, "not committed yet", &status.uncommitted)?;
    section(out, "problems", &status.problems)?;
    let conflicts = status.conflicts.iter().map(|conflict| {
        format!(
            "{}: {} is {} here and {} on {}",
            conflict.path,
            conflict.field,
            brief(&conflict.local),
            brief(&conflict.theirs),
            conflict.remote
        )
    });
    section(
        out,
        "conflicts (`trackfs resolve`, or make the file equal to either side)",
        &conflicts.collect::<Vec<_>>(),
    )?;
    section(out, "remotes", &status.remotes.iter().map(remote_line).collect::<Vec<_>>())?;
    section(out, "notes", &status.notes)
}

/// `12,345`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).expect("digits are ASCII"));
    groups.collect::<Vec<_>>().join(",")
}

/// A value on one line, as far as it fits.
fn brief(value: &str) -> String {
    format!("{:?}", shortened(value, 60))
}

fn tie(report: &TieReport, out: &mut Output) -> io::Result<()> {
    let ties = report.sync.iter().map(|(remote, word)| match word.as_str() {
        NEW => format!("to be made on {remote}"),
        NONE => format!("not on {remote}"),
        key => format!("{key} on {remote}"),
    });
    let ties: Vec<String> = ties.collect();
    let line = if ties.is_empty() { report.path.to_string() } else { format!("{}: {}", report.path, ties.join(", ")) };
    out.line(line)
}

fn resolve(report: &ResolveReport, out: &mut Output) -> io::Result<()> {
    for SettledReport { remote, field, lost } in &report.settled {
        out.line(format!("{}: {field} is settled with {remote}; {} gave way", report.path, brief(lost)))?;
    }
    report.remotes.iter().try_for_each(|remote| remote_report(remote, false, out))
}

fn running(status: &Status) -> String {
    let mut line = status.running.clone();
    if let Some(mountpoint) = &status.mountpoint {
        line += &format!(" at {}", mountpoint.display());
    }
    if let Some(pid) = status.pid {
        line += &format!(" by process {pid}");
    }
    let branch = status.branch.as_deref().unwrap_or("no branch");
    let head = status.head.as_deref().map_or("no commit yet", short_id);
    format!("{line}; {branch} at {head}")
}

fn remote_line(remote: &RemoteStatus) -> String {
    let mut line = format!("{} ({}): {}", remote.name, remote.kind, remote.state);
    for (number, state) in [(remote.pending, "pending"), (remote.held, "held"), (remote.refused, "refused")] {
        if number > 0 {
            line += &format!(", {number} {state}");
        }
    }
    if let Some(ListingReport { listed, of, .. }) = &remote.listing {
        let of = of.map_or_else(String::new, |of| format!(" of about {of}"));
        return line + &format!(", reading: {listed}{of}");
    }
    if let Some(error) = &remote.last_error {
        line += &format!("; {error}");
    } else if let Some(contact) = &remote.last_contact {
        line += &format!("; last contact {contact}");
    }
    line
}

fn commit(report: &CommitReport, out: &mut Output) -> io::Result<()> {
    report.held.iter().try_for_each(|problem| out.line(format!("not committed: {problem}")))?;
    let Some(id) = &report.commit else {
        return if report.held.is_empty() { out.line("nothing to commit") } else { Ok(()) };
    };
    let subject = report.message.as_deref().and_then(|message| message.lines().next()).unwrap_or_default();
    out.line(format!("{} {subject}", short_id(id)))?;
    paths(out, &report.paths)
}

fn flush(report: &FlushReport, out: &mut Output) -> io::Result<()> {
    commit(&report.commit, out)?;
    report.remotes.iter().try_for_each(|remote| remote_report(remote, false, out))
}

fn sync(report: &SyncReport, out: &mut Output) -> io::Result<()> {
    if report.remotes.is_empty() {
        return out.line("no remotes; `trackfs remote add` sets one up");
    }
    report.remotes.iter().try_for_each(|remote| remote_report(remote, report.dry_run, out))
}

fn remote_report(report: &RemoteReport, dry_run: bool, out: &mut Output) -> io::Result<()> {
    let summary = summary(&report.rows, dry_run);
    out.line(format!("{}: {}", report.remote, report.error.as_deref().unwrap_or(&summary)))?;
    // What needs somebody is not to be among those that are only counted.
    let (needed, done): (Vec<_>, Vec<_>) = report.rows.iter().partition(|row| needs_somebody(row));
    section_lines(out, &needed.into_iter().chain(done).map(sync_row).collect::<Vec<_>>())?;
    if report.held > 0 {
        out.line(format!("  {} held because it is a lot at once: `trackfs sync --yes` carries it out", report.held))?;
    }
    Ok(())
}

fn needs_somebody(row: &SyncRow) -> bool {
    matches!(row.outcome.as_str(), "refused" | "conflict")
}

/// `1240 changes, 2 put off, 3 refused, 1 conflict (…)`.
fn summary(rows: &[SyncRow], dry_run: bool) -> String {
    let number = |outcomes: &[&str]| rows.iter().filter(|row| outcomes.contains(&row.outcome.as_str())).count();
    let part = |number: usize, text: String| (number > 0).then_some(text);
    let (changes, conflicts) = (number(&["done", "planned", "held"]), number(&["conflict"]));
    let (late, refused) = (number(&["pending"]), number(&["refused"]));
    let parts = [
        part(changes, count(changes, "change") + if dry_run { " to do" } else { "" }),
        part(late, format!("{late} put off")),
        part(refused, format!("{refused} refused")),
        part(conflicts, format!("{} (`trackfs resolve`)", count(conflicts, "conflict"))),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "in step".to_owned() } else { parts.join(", ") }
}

fn sync_row(row: &SyncRow) -> String {
    let mut line = format!("{:<8} {:<8}", row.outcome, row.action);
    if let Some(path) = &row.path {
        line += &format!(" {path}");
    }
    if let Some(key) = &row.key {
        line += &format!(" ({key})");
    }
    if !row.what.is_empty() {
        line += &format!(": {}", row.what.join(", "));
    }
    if let Some(note) = &row.note {
        line += &format!("; {note}");
    }
    line
}

fn paths(out: &mut Output, paths: &[WsPath]) -> io::Result<()> {
    section_lines(out, paths)
}

fn section(out: &mut Output, title: &str, lines: &[impl std::fmt::Display]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    out.line(format!("{title}: {}", lines.len()))?;
    section_lines(out, lines)
}

fn section_lines(out: &mut Output, lines: &[impl std::fmt::Display]) -> io::Result<()> {
    for line in lines.iter().take(SHOWN) {
        out.line(format!("  {line}"))?;
    }
    if lines.len() > SHOWN {
        out.line(format!("  … and {} more (--json has them all)", lines.len() - SHOWN))?;
    }
    Ok(())
}

/// The first digits of a commit id.
pub fn short_id(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(response: &Response, json: bool) -> String {
        let mut bytes = Vec::new();
        print(response, &mut Output::new(&mut bytes, json)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn one_remote(error: Option<&str>) -> Response {
        let row = SyncRow {
            action: "push".into(),
            path: Some(WsPath::new("tickets/a.md").unwrap()),
            key: Some("ENG-4".into()),
            what: vec!["title".into(), "status".into()],
            outcome: "planned".into(),
            note: None,
        };
        let remote = RemoteReport {
            remote: "linear".into(),
            rows: vec![row],
            pending: 1,
            held: 3,
            error: error.map(str::to_owned),
        };
        Response::Sync(SyncReport { dry_run: true, remotes: vec![remote] })
    }

    #[test]
    fn a_plan_is_a_line_for_each_ticket() {
        insta::assert_snapshot!(printed(&one_remote(None), false), @r"
        linear: 1 change to do
          planned  push     tickets/a.md (ENG-4): title, status
          3 held because it is a lot at once: `trackfs sync --yes` carries it out
        ");
    }

    #[test]
    fn what_needs_somebody_comes_before_the_many_that_are_only_counted() {
        let Response::Sync(mut report) = one_remote(None) else { unreachable!() };
        let row = report.remotes[0].rows[0].clone();
        let with = |outcome: &str, note: Option<&str>| SyncRow {
            outcome: outcome.into(),
            note: note.map(str::to_owned),
            ..row.clone()
        };
        report.remotes[0].rows = vec![with("done", None); 1240];
        report.remotes[0].rows.extend([with("pending", None), with("refused", Some("there is no label x"))]);
        report.dry_run = false;
        let printed = printed(&Response::Sync(report), false);
        let lines: Vec<_> = printed.lines().take(2).collect();
        let first = "  refused  push     tickets/a.md (ENG-4): title, status; there is no label x";
        assert_eq!(lines, ["linear: 1240 changes, 1 put off, 1 refused", first]);
    }

    #[test]
    fn a_remote_that_failed_fails_the_command() {
        assert!(matches!(outcome(&one_remote(None)), Outcome::Done));
        assert!(
            matches!(outcome(&one_remote(Some("token refused"))), Outcome::Incomplete(remotes) if remotes.len() == 1)
        );
    }

    #[test]
    fn status_is_one_screen() {
        let status = Status {
            workspace: "/home/ada/planning".into(),
            running: "mounted".into(),
            mountpoint: Some("/home/ada/planning".into()),
            pid: Some(7),
            branch: Some("main".into()),
            head: Some("0123456789abcdef".into()),
            tickets: 1,
            indexing: Some(Progress { done: 40_000, total: 100_000 }),
            uncommitted: (0..22).map(|n| WsPath::new(format!("tickets/{n}.md")).unwrap()).collect(),
            problems: vec![],
            conflicts: vec![],
            remotes: vec![],
            last_event: 12,
            notes: vec!["views/ is shadowed".into()],
        };
        let screen = printed(&Response::Status(status), false);
        assert!(screen.starts_with(
            "/home/ada/planning\n  mounted at /home/ada/planning by process 7; main at 01234567\n  1 ticket, last event 12\n  indexing 40,000 of 100,000; views and sync follow\n"
        ));
        assert!(screen.contains("not committed yet: 22\n") && screen.contains("… and 2 more"));
        assert!(screen.ends_with("notes: 1\n  views/ is shadowed\n"));
    }

    #[test]
    fn json_is_the_report_itself() {
        let commit = Response::Commit(CommitReport { commit: Some("abc".into()), ..CommitReport::default() });
        assert_eq!(printed(&commit, true), "{\"commit\":\"abc\",\"message\":null,\"paths\":[]}\n");
    }
}
