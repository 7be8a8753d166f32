//! `show`, `set`, `comment`, `open`: one ticket at a time, for those without the mount, and for scripts.

use super::{
    ask::locate,
    failure::{advise, because},
    history::change_line,
    input,
    output::Output,
    resolve::named,
};
use crate::{
    daemon::{
        self, Location,
        control::{Request, Response, SetTo},
        report::{ChangeReport, CommentReport, ShowReport},
    },
    domain::text::{one_line, shown},
};
use clap::Args;
use std::{
    fs,
    io::{self, IsTerminal},
    path::Path,
    process::{Command, Stdio},
};

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The ticket: its path, name or key
    ticket: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs set fix-login status=done
  trackfs set ENG-42 assignee=ada priority=high labels+=auth labels-=triage
  trackfs set fix-login due=                   takes the value away

Only the lines of these fields change in the file. What the schema forbids changes nothing.")]
pub struct SetArgs {
    /// The ticket: its path, name or key
    ticket: String,
    /// What each field is to be; of a list, += adds and -= takes away
    #[arg(required = true, value_name = "FIELD=VALUE", value_parser = set_to)]
    fields: Vec<SetTo>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs comment fix-login 'Happens on iOS, too.'
  ./measure.sh | trackfs comment fix-login -
  trackfs comment fix-login                    opens $EDITOR

On a tracker it appears with the next push, as yours.")]
pub struct CommentArgs {
    /// The ticket: its path, name or key
    ticket: String,
    /// The text; - reads it from standard input [default: asks for it in $EDITOR]
    text: Option<String>,
}

#[derive(Debug, Args)]
pub struct OpenArgs {
    /// The ticket: its path, name or key
    ticket: String,
    /// Open its page on the tracker in the browser; with several trackers, of this one
    #[arg(long, short, value_name = "REMOTE", num_args = 0..=1, default_missing_value = "")]
    web: Option<String>,
}

fn set_to(text: &str) -> Result<SetTo, String> {
    let (field, value) = text.split_once('=').ok_or("it has no `=`")?;
    let (field, how) = match (field.strip_suffix('+'), field.strip_suffix('-')) {
        (Some(field), _) => (field, "+="),
        (_, Some(field)) => (field, "-="),
        _ => (field, "="),
    };
    Ok(SetTo { field: field.trim().to_owned(), how: how.to_owned(), value: value.trim().to_owned() })
}

fn look(at: &Location, ticket: &str) -> anyhow::Result<ShowReport> {
    let Response::Show(report) = daemon::ask(at, &Request::Show { ticket: named(at, ticket) })? else {
        unreachable!("show answers a ticket")
    };
    Ok(*report)
}

pub fn show(args: &ShowArgs, out: &mut Output) -> anyhow::Result<()> {
    Ok(out.value(&look(&locate(None)?, &args.ticket)?, whole)?)
}

fn whole(ticket: &ShowReport, out: &mut Output) -> io::Result<()> {
    out.line(one_line(&ticket.title))?;
    out.line(&ticket.path)?;
    let fields: Vec<_> = ticket.fields.iter().filter(|(name, value)| *name != "title" && !value.is_null()).collect();
    let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in fields {
        out.line(format!("  {name:<width$}  {}", one_line(&shown(value))))?;
    }
    for url in ticket.urls.values() {
        out.line(format!("  {:<width$}  {url}", ""))?;
    }
    for problem in &ticket.problems {
        out.line(format!("  wrong: {problem}"))?;
    }
    text(&ticket.body, out)?;
    for CommentReport { path, author, created, body } in &ticket.comments {
        let said = [author.as_deref(), created.as_deref()].into_iter().flatten();
        let by = said.chain([path.as_str()]).collect::<Vec<_>>().join(", ");
        out.line("")?;
        out.line(format!("-- {by}"))?;
        text(body, out)?;
    }
    Ok(())
}

fn text(body: &str, out: &mut Output) -> io::Result<()> {
    let body = body.trim_matches(['\n', '\r']);
    if body.is_empty() {
        return Ok(());
    }
    out.line("")?;
    body.lines().try_for_each(|line| out.line(line))
}

pub fn set(args: SetArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(None)?;
    let ticket = named(&at, &args.ticket);
    let Response::Change(report) = daemon::ask(&at, &Request::Set { ticket, to: args.fields })? else {
        unreachable!("set answers what it changed")
    };
    Ok(out.value(&report, changed)?)
}

fn changed(report: &ChangeReport, out: &mut Output) -> io::Result<()> {
    if report.changes.is_empty() {
        return out.line("it is so already");
    }
    for ticket in &report.changes {
        let lines: Vec<_> = ticket.changes.iter().map(change_line).collect();
        out.line(format!("{}  {}", ticket.path, lines.join("; ")))?;
    }
    Ok(())
}

pub fn comment(args: CommentArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(None)?;
    let text = match &args.text {
        Some(text) => input::text(text)?,
        None => written(&look(&at, &args.ticket)?)?,
    };
    if text.trim().is_empty() {
        return Err(advise(
            "the comment is empty; nothing was added",
            "say the text, or - to read it from standard input",
        ));
    }
    let ticket = named(&at, &args.ticket);
    let Response::Comment(report) = daemon::ask(&at, &Request::Comment { ticket, text })? else {
        unreachable!("comment answers where it is")
    };
    Ok(out.value(&report, |report, out| out.line(&report.path))?)
}

/// What the user writes in an editor.
fn written(ticket: &ShowReport) -> anyhow::Result<String> {
    if !input::is_attended() {
        return Err(advise(
            "nobody is there to write the comment",
            "say the text, or - to read it from standard input",
        ));
    }
    let file = tempfile::Builder::new().prefix(&format!("comment-{}.", ticket.path.stem())).suffix(".md").tempfile()?;
    edit(file.path())?;
    Ok(fs::read_to_string(file.path())?)
}

/// Has the user edit a file.
fn edit(file: &Path) -> anyhow::Result<()> {
    match input::edit(file)? {
        true => Ok(()),
        false => Err(advise(format!("{} failed", input::editor()), "VISUAL or EDITOR names the editor to use")),
    }
}

pub fn open(args: &OpenArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(None)?;
    let ticket = look(&at, &args.ticket)?;
    match &args.web {
        Some(remote) => browse(&ticket, remote, out),
        None => edit(&at.dir.join(ticket.path.as_str())),
    }
}

fn browse(ticket: &ShowReport, remote: &str, out: &mut Output) -> anyhow::Result<()> {
    let found: Vec<_> = ticket.urls.iter().filter(|(name, _)| remote.is_empty() || *name == remote).collect();
    let url = match found[..] {
        [(_, url)] => url,
        [] if remote.is_empty() => {
            let next = format!("`trackfs link {} REMOTE` makes an issue of it", ticket.path.stem());
            return Err(advise(format!("{} is on no tracker", ticket.path), next));
        }
        [] => return Err(advise(format!("{} is not on {remote}", ticket.path), known(ticket))),
        _ => return Err(advise(format!("{} is on several trackers", ticket.path), known(ticket))),
    };
    // What a tracker says is an address is not everything that a browser would carry out.
    if !(url.starts_with("https://") || url.starts_with("http://")) {
        return Err(advise(format!("{url:?} is no address of a web page"), "look for it on the tracker"));
    }
    out.value(url, |url, out| out.line(url))?;
    if !io::stdout().is_terminal() {
        return Ok(());
    }
    let browser = std::env::var("BROWSER")
        .unwrap_or_else(|_| if cfg!(target_os = "macos") { "open" } else { "xdg-open" }.to_owned());
    let started =
        Command::new(&browser).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    started.map(drop).map_err(|error| because(format!("{browser} cannot be started"), error))
}

fn known(ticket: &ShowReport) -> String {
    format!("say which: --web {}", ticket.urls.keys().cloned().collect::<Vec<_>>().join(", --web "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_set_added_to_or_taken_from() {
        let read = |text: &str| set_to(text).map(|SetTo { field, how, value }| (field, how, value));
        let expected = |field: &str, how: &str, value: &str| Ok((field.to_owned(), how.to_owned(), value.to_owned()));
        assert_eq!(read("status=done"), expected("status", "=", "done"));
        assert_eq!(read("labels+=a,b"), expected("labels", "+=", "a,b"));
        assert_eq!(read("labels-=a"), expected("labels", "-=", "a"));
        assert_eq!(read("title=a = b"), expected("title", "=", "a = b"));
        assert_eq!(read("due="), expected("due", "=", ""));
        assert!(read("status").is_err());
    }
}
