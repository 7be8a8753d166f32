//! `resolve`: a person's word on a conflict.

use super::{
    ask::{ask, locate},
    failure::advise,
    input,
    log::workspace_path,
    output::Output,
};
use crate::{
    daemon::{
        self, Location,
        control::{Request, Resolution, Response, TicketName},
        report::ConflictReport,
    },
    domain::{markdown, merge::TextMerge},
    git::merge_text,
};
use clap::Args;
use std::{fs, io::Write, path::Path};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs resolve fix-login --ours                 what the file says holds, and goes to the tracker
  trackfs resolve ENG-42 --theirs --field title    what the tracker says holds, and goes into the file
  trackfs resolve tickets/fix-login.md --edit      both in your editor, marked; what you leave there holds

Conflicts are shown by `trackfs status`, and in the mount as status/conflicts/NAME.md. The value that gives way stays in
git: `git log refs/trackfs/remotes/REMOTE` has it in a message, or `git log -p` of the file.")]
pub struct ResolveArgs {
    /// The ticket: its path, name or key
    ticket: String,
    /// The file holds
    #[arg(long, required_unless_present_any = ["theirs", "edit"], conflicts_with_all = ["theirs", "edit"])]
    ours: bool,
    /// The tracker holds
    #[arg(long, conflicts_with = "edit")]
    theirs: bool,
    /// Bring both together in $VISUAL or $EDITOR
    #[arg(long)]
    edit: bool,
    /// Only this field [default: all in conflict]
    #[arg(long)]
    field: Option<String>,
    /// Only the conflict with this remote [default: all]
    #[arg(long)]
    remote: Option<String>,
}

pub fn run(args: ResolveArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(None)?;
    let ticket = named(&at, &args.ticket);
    if args.edit {
        return edit(&at, &ticket, &args, out);
    }
    let to = if args.ours { Resolution::Ours } else { Resolution::Theirs };
    ask(&at, &Request::Resolve { ticket, remote: args.remote, field: args.field, to }, out)
}

/// A ticket as the user names it, from where the user stands.
pub fn named(at: &Location, said: &str) -> TicketName {
    TicketName { said: said.to_owned(), path: workspace_path(at, Path::new(said)).ok() }
}

fn edit(at: &Location, ticket: &TicketName, args: &ResolveArgs, out: &mut Output) -> anyhow::Result<()> {
    if !input::is_attended() {
        return Err(advise("--edit needs a terminal", "say --ours or --theirs, or make the file equal to one side"));
    }
    let Response::Status(status) = daemon::ask(at, &Request::Status)? else { unreachable!("status answers status") };
    let meant = |conflict: &ConflictReport| conflict.is_meant(ticket, args.remote.as_deref(), args.field.as_deref());
    let conflicts: Vec<_> = status.conflicts.into_iter().filter(meant).collect();
    if conflicts.is_empty() {
        return Err(advise(format!("{} has no such conflict", ticket.said), "`trackfs status` lists what there is"));
    }
    for conflict in conflicts {
        let ConflictReport { remote, path, field, .. } = conflict.clone();
        let value = edited(&conflict)?;
        let ticket = TicketName { said: path.as_str().to_owned(), path: Some(path) };
        let to = Resolution::Value(value);
        ask(at, &Request::Resolve { ticket, remote: Some(remote), field: Some(field), to }, out)?;
    }
    Ok(())
}

/// What the user makes of both values.
fn edited(conflict: &ConflictReport) -> anyhow::Result<String> {
    let name = format!("{}.{}.", conflict.path.stem(), conflict.field.replace('/', "."));
    let mut file = tempfile::Builder::new().prefix(&name).suffix(".md").tempfile()?;
    file.write_all(marked(conflict).as_bytes())?;
    let ended_well = input::edit(file.path())?;
    let text = fs::read_to_string(file.path())?;
    if ended_well && !has_markers(&text) {
        let one_line = !is_text(&conflict.field);
        return Ok(if one_line { text.trim().to_owned() } else { text });
    }
    let (_, kept) = file.keep()?;
    let what = if ended_well { "the text still has conflict markers" } else { "the editor failed" };
    Err(advise(
        format!("{what}: {} of {} stays in conflict", conflict.field, conflict.path),
        format!("your text is in {}; run the same command again", kept.display()),
    ))
}

/// Fields of many lines.
fn is_text(field: &str) -> bool {
    field == "body" || field.starts_with("comments/")
}

/// Both values in one text: what differs stands there twice, between markers.
fn marked(conflict: &ConflictReport) -> String {
    let [ours, theirs] = [&conflict.local, &conflict.theirs].map(|text| markdown::lines_of(text));
    match &conflict.base {
        Some(base) if is_text(&conflict.field) => match merge_text(&markdown::lines_of(base), &ours, &theirs) {
            TextMerge::Clean(text) | TextMerge::Conflict(text) => text,
        },
        _ => format!("<<<<<<< local\n{ours}=======\n{theirs}>>>>>>> remote\n"),
    }
}

fn has_markers(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> "))
}
