//! The command line: arguments in, one screen or JSON lines out.
//!
//! Exit codes: 0 it is done, 1 it failed (the reason stands on stderr), 2 the command line is wrong. A reader that goes
//! away (`trackfs log | head`) is no failure. One file per command group; only this layer names clap.

mod ask;
mod blame;
mod complete;
mod demo;
mod diff;
mod doctor;
mod events;
mod failure;
mod history;
mod init;
mod input;
mod link;
mod list;
mod log;
mod manual;
mod mount;
mod output;
mod progress;
mod remote;
mod report;
mod resolve;
mod restore;
mod schema;
mod search;
mod serve;
mod service;
mod show;
mod sql;

use clap::{Args, Parser, Subcommand};
use output::Output;
use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};
use tracing_subscriber::EnvFilter;

#[derive(Debug, Parser)]
#[command(name = "trackfs", version, about, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  trackfs init ~/planning && cd ~/planning
  trackfs mount                              the folder now answers saves, and has views/ and status/
  vim tickets/fix-login.md                   a save is a commit soon, and an issue where a remote is set up
  trackfs remote add github --type github --repo acme/app
  trackfs sync --dry-run                     what would be pulled and pushed
  trackfs demo                               all of it on a throw-away workspace

Tokens are read from GITHUB_TOKEN (or `gh auth token`) and LINEAR_API_KEY; TRACKFS_LOG=debug says more on stderr.";

#[derive(Debug, Args)]
struct Global {
    /// Print JSON: one object, or one a line for lists
    #[arg(long, global = true)]
    json: bool,
    /// Act as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true)]
    directory: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a folder a workspace: files, folders and history that are there stay
    Init(init::InitArgs),
    /// Mount the workspace: saves are answered, and there are views/ and status/
    Mount(mount::MountArgs),
    /// Settle, commit and unmount, unless files are open; ends `watch`, too
    Unmount(mount::UnmountArgs),
    /// Like mount without virtual folders: events, commits and sync on plain files, without FUSE
    Watch(mount::DirArgs),
    /// Show what runs, what is not committed, and what is wrong
    Status(ask::StatusArgs),
    /// Commit what was saved, now instead of when it has been quiet for a while
    Commit(ask::CommitArgs),
    /// Commit and push everything that is pending, and wait until it is done
    Flush,
    /// Pull from and push to one remote, or all
    Sync(ask::SyncArgs),
    /// Make a ticket, and an issue of it on the trackers that are named
    New(link::NewArgs),
    /// Keep a ticket in step with an issue that exists, or have one made
    Link(link::LinkArgs),
    /// Part a ticket from its issue; both stay as they are
    Unlink(link::UnlinkArgs),
    /// Say which side of a conflict holds
    Resolve(resolve::ResolveArgs),
    /// Show one ticket: fields, text and comments
    Show(show::ShowArgs),
    /// Set fields of a ticket
    Set(show::SetArgs),
    /// Comment on a ticket
    Comment(show::CommentArgs),
    /// Open a ticket in the editor, or its page in the browser
    Open(show::OpenArgs),
    /// List tickets that a query asks for
    List(list::ListArgs),
    /// Find words in tickets, comments and specs, the best hits first
    Search(search::SearchArgs),
    /// Ask in SQL about tickets, comments, events, history and git's objects; change tickets by it
    Sql(sql::SqlArgs),
    /// Show what tickets may say, and check that they do
    #[command(subcommand)]
    Schema(schema::SchemaCommand),
    /// Show the commits of the workspace or a folder, or what each did to a file, field by field
    Log(log::LogArgs),
    /// Show who gave each field of a ticket its value
    Blame(blame::BlameArgs),
    /// Show what differs between two moments, or since one
    Diff(diff::DiffArgs),
    /// Make files again what they were
    Restore(restore::RestoreArgs),
    /// Show what happened: tickets created, fields changed, commits, pushes
    Events(events::EventsArgs),
    /// Say which trackers this workspace keeps in step
    #[command(subcommand)]
    Remote(remote::RemoteCommand),
    /// Take webhooks, so that changes on GitHub and Linear arrive at once
    Serve(serve::ServeArgs),
    /// Have the workspace mounted at each login
    #[command(subcommand)]
    Service(service::ServiceCommand),
    /// Show what the daemon logged
    Logs(service::LogsArgs),
    /// Look at everything trackfs stands on, and say what is wrong and what to do about it
    Doctor(doctor::DoctorArgs),
    /// Show all of it on a throw-away workspace with 200 tickets
    Demo(demo::DemoArgs),
    /// Print words for an editor to offer: fields, values, tickets
    Complete(complete::CompleteArgs),
    /// Print completions for a shell
    Completions(manual::CompletionsArgs),
    /// Write the man pages of all commands
    Man(manual::ManArgs),
    #[command(hide = true)]
    Supervise(mount::SuperviseArgs),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    crate::fault::arm();
    start_logging();
    let cli = Cli::parse();
    match run(cli, &mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if failure::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when stderr is closed.
            let _ = failure::print(&error, &mut std::io::stderr().lock());
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli, stdout: &mut dyn Write) -> anyhow::Result<()> {
    if let Some(directory) = &cli.global.directory {
        std::env::set_current_dir(directory)
            .map_err(|error| failure::because(format!("{} cannot be entered", directory.display()), error))?;
    }
    let mut out = Output::new(stdout, cli.global.json).for_stdout();
    match cli.command {
        Command::Init(args) => init::run(&args, &mut out),
        Command::Mount(args) => mount::mount(&args, &mut out),
        Command::Unmount(args) => mount::unmount(&args, &mut out),
        Command::Watch(args) => mount::watch(&args, &mut out),
        Command::Status(args) => ask::status(&args, &mut out),
        Command::Commit(args) => ask::commit(args, &mut out),
        Command::Flush => ask::flush(&mut out),
        Command::Sync(args) => ask::sync(args, &mut out),
        Command::New(args) => link::new(args, &mut out),
        Command::Link(args) => link::link(&args, &mut out),
        Command::Unlink(args) => link::unlink(args, &mut out),
        Command::Resolve(args) => resolve::run(args, &mut out),
        Command::Show(args) => show::show(&args, &mut out),
        Command::Set(args) => show::set(args, &mut out),
        Command::Comment(args) => show::comment(args, &mut out),
        Command::Open(args) => show::open(&args, &mut out),
        Command::List(args) => list::run(&args, &mut out),
        Command::Search(args) => search::run(&args, &mut out),
        Command::Sql(args) => sql::run(&args, &mut out),
        Command::Schema(command) => schema::run(&command, &mut out),
        Command::Log(args) => log::run(&args, &mut out),
        Command::Blame(args) => blame::run(&args, &mut out),
        Command::Diff(args) => diff::run(&args, &mut out),
        Command::Restore(args) => restore::run(&args, &mut out),
        Command::Events(args) => events::run(&args, &mut out),
        Command::Remote(command) => remote::run(command, &mut out),
        Command::Serve(args) => serve::run(&args, &mut out),
        Command::Service(command) => service::run(&command, &mut out),
        Command::Logs(args) => service::logs(&args),
        Command::Doctor(args) => doctor::run(&args, &mut out),
        Command::Demo(args) => demo::run(&args, &mut out),
        Command::Complete(args) => complete::run(&args, &mut out),
        Command::Completions(args) => manual::completions(&args, &mut out),
        Command::Man(args) => manual::man(&args, &mut out),
        Command::Supervise(args) => Ok(mount::supervise(&args)?),
    }?;
    Ok(out.flush()?)
}

fn start_logging() {
    // Whoever looks on is told how far a long pull is.
    let usual = if std::io::stderr().is_terminal() { "warn,trackfs::progress=info" } else { "warn" };
    let filter = EnvFilter::try_from_env("TRACKFS_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    // Colours would be escaped, as everything is that drives a terminal.
    log.with_ansi(false).with_writer(|| output::LogWriter).init();
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// What a page writes after `trackfs`: in code, up to whatever ends a command in a shell.
    fn written(page: &str) -> Vec<String> {
        let ends = |rest: &str| rest.find(['`', '\n', '|', '>', '<', '&', '#', ';', ')']).unwrap_or(rest.len());
        let starts = page.match_indices("trackfs ").filter(|(at, _)| {
            let before = &page[..*at];
            let is_in_block = before.matches("\n```").count() % 2 == 1;
            let line = before.rsplit('\n').next().unwrap_or_default();
            line.ends_with('`')
                || (is_in_block && (line.trim().is_empty() || line.ends_with("$ ") || line.ends_with("| ")))
        });
        starts.map(|(at, name)| &page[at + name.len()..]).map(|rest| rest[..ends(rest)].trim().to_owned()).collect()
    }

    #[test]
    fn every_command_line_in_the_pages_is_one() {
        use clap::error::ErrorKind;
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let pages = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
        let others = ["README.md", "docs/editors/README.md", "src/cli/templates/AGENTS.md"].map(|page| root.join(page));
        let (mut known, mut wrong) = (0, Vec::new());
        let is_page = |page: &std::path::PathBuf| page.extension().is_some_and(|ending| ending == "md");
        // Whose errors are meant.
        let errs = |page: &std::path::PathBuf| page.ends_with("errors.md");
        for page in pages.chain(others).filter(|page| is_page(page) && !errs(page)) {
            for line in written(&std::fs::read_to_string(&page).unwrap()) {
                // Quotes hold words together; what they hold is anything.
                let quoted = line.split(['\'', '"']).enumerate();
                let plain: String = quoted.map(|(n, part)| if n % 2 == 0 { part } else { "text" }).collect();
                let words = plain.trim_end_matches(" 2").split_whitespace().filter(|word| *word != "…");
                match Cli::try_parse_from(std::iter::once("trackfs").chain(words)).map_err(|error| error.kind()) {
                    Err(ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand | ErrorKind::InvalidValue) => {
                        wrong.push(format!("{}: trackfs {line}", page.display()));
                    }
                    _ => known += 1,
                }
            }
        }
        assert!(wrong.is_empty() && known > 100, "{known}, and wrong: {wrong:#?}");
    }
}
