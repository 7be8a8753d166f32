//! `new`, `link`, `unlink`: tickets and the issues they are in step with.

use super::{
    ask::{ask, locate},
    failure::advise,
    input,
    output::Output,
    resolve::named,
};
use crate::daemon::control::{NewTicket, Request};
use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs new 'Login fails on Safari'
  trackfs new 'Login fails' --remote linear,github --field priority=high --field 'labels=[bug, auth]'
  git log -1 --format=%b | trackfs new 'Release notes' --body -

One file with one `sync:` entry per tracker: a change in the file or on any of them reaches all others.")]
pub struct NewArgs {
    /// The ticket's title
    title: String,
    /// Trackers to make an issue on [default: whichever has the folder tickets/]
    #[arg(long = "remote", value_delimiter = ',', value_name = "NAME")]
    remotes: Vec<String>,
    /// A field and its value, as a ticket's block would have it
    #[arg(long = "field", value_name = "FIELD=VALUE", value_parser = field)]
    fields: Vec<(String, String)>,
    /// The text; - reads it from standard input
    #[arg(long)]
    body: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs link fix-login linear:ENG-42      the ticket and that issue are one from now on
  trackfs link fix-login github             a new issue is made from the ticket
  trackfs link specs/login.md linear        a new document is made from the spec, where the remote has `documents`

What both say differently is a conflict, and nothing is cleared on either side. The same by hand: `sync: {linear: ENG-42}`
or `sync: {github: new}` in the ticket.")]
pub struct LinkArgs {
    /// The ticket: its path, name or key; or the path of a spec
    ticket: String,
    /// The remote, and the key of an issue that exists
    #[arg(value_name = "REMOTE[:KEY]")]
    remote: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The ticket then says `sync: {REMOTE: none}`, and is never made there again by itself; `trackfs link` ends that.")]
pub struct UnlinkArgs {
    /// The ticket: its path, name or key; or the path of a spec
    ticket: String,
    remote: String,
}

fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has no `=`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

pub fn new(args: NewArgs, out: &mut Output) -> anyhow::Result<()> {
    let NewArgs { title, remotes, fields, body } = args;
    let body = input::text(body.as_deref().unwrap_or_default())?;
    ask(&locate(None)?, &Request::New(NewTicket { title, remotes, fields, body }), out)
}

pub fn link(args: &LinkArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(None)?;
    let (remote, key) = match args.remote.split_once(':') {
        Some((remote, "")) => {
            return Err(advise(format!("{remote}: has no key"), "leave the `:` out to make an issue"));
        }
        Some((remote, key)) => (remote, Some(key.to_owned())),
        None => (args.remote.as_str(), None),
    };
    ask(&at, &Request::Link { ticket: named(&at, &args.ticket), remote: remote.to_owned(), key }, out)
}

pub fn unlink(args: UnlinkArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(None)?;
    ask(&at, &Request::Unlink { ticket: named(&at, &args.ticket), remote: args.remote }, out)
}
