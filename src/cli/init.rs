//! `init`: makes a folder a workspace, whatever is in it already.
//!
//! Adds only what is missing and overwrites nothing, so a second run is harmless. The repository ends up outside the
//! folder, where a mount over it cannot hide it.

mod files;
mod repository;
mod template;

pub use template::Template;

use super::{failure, output::Output};
use clap::Args;
use serde::Serialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs init                     the current folder; a git repository in it is kept, with all its history
  trackfs init ~/planning          a new one
  trackfs init --template team     with types of work, a review before `done`, and views for triage
  trackfs init --git-dir /srv/planning.git")]
pub struct InitArgs {
    /// The folder; made if it is missing [default: here]
    dir: Option<PathBuf>,
    /// Where the git repository shall be, outside of DIR [default: in $XDG_DATA_HOME/trackfs]
    #[arg(long, value_name = "PATH")]
    git_dir: Option<PathBuf>,
    /// How its users work: which fields, rules and saved views it begins with
    #[arg(long, value_enum, default_value_t)]
    template: Template,
}

/// What `init` did.
#[derive(Debug, Serialize)]
pub struct InitReport {
    pub workspace: PathBuf,
    pub git_dir: PathBuf,
    /// Paths that were made, relative to the workspace.
    pub made: Vec<String>,
    /// Id of the commit that holds them.
    pub commit: Option<String>,
    /// What was left as it is, and why.
    pub notes: Vec<String>,
}

pub fn run(args: &InitArgs, out: &mut Output) -> anyhow::Result<()> {
    let report = init(args.dir.as_deref().unwrap_or(Path::new(".")), args.git_dir.as_deref(), args.template)?;
    Ok(out.value(&report, print)?)
}

/// Makes `dir` a workspace.
pub fn init(dir: &Path, git_dir: Option<&Path>, template: Template) -> anyhow::Result<InitReport> {
    fs::create_dir_all(dir).map_err(|error| failure::because(format!("{} cannot be made", dir.display()), error))?;
    let dir = dir.canonicalize()?;
    refuse_unfit(&dir)?;
    let repository = repository::prepare(&dir, git_dir)?;
    let files = files::write(&dir, template)?;
    let mut notes = repository.notes;
    notes.extend(files.notes);
    let commit = match repository::in_progress(&repository.git_dir) {
        Some(what) => {
            notes.push(format!("{what} is in progress in the repository: the new files are not committed yet"));
            None
        }
        None => repository::commit(&repository.repo, &dir, &files.created)?,
    };
    let made = files.folders.into_iter().chain(files.created.iter().map(ToString::to_string)).collect();
    Ok(InitReport { workspace: dir, git_dir: repository.git_dir, made, commit, notes })
}

/// Refuses folders that would put far more under version control than anybody means.
fn refuse_unfit(dir: &Path) -> anyhow::Result<()> {
    let home = std::env::home_dir().and_then(|home| home.canonicalize().ok());
    if dir.parent().is_none() || home.is_some_and(|home| home == dir) {
        let what = format!("{} is not made a workspace: everything in it would be versioned", dir.display());
        return Err(failure::advise(what, "choose a folder of its own, e.g. `trackfs init ~/planning`"));
    }
    match dir.ancestors().skip(1).find(|above| above.join(".trackfs/config.yaml").is_file()) {
        Some(above) => Err(failure::advise(
            format!("{} is inside the workspace {}", dir.display(), above.display()),
            "use that one, or choose a folder outside of it",
        )),
        None => Ok(()),
    }
}

fn print(report: &InitReport, out: &mut Output) -> io::Result<()> {
    let workspace = report.workspace.display();
    match report.made.len() {
        0 => out.line(format!("{workspace} is a workspace already; nothing was missing"))?,
        _ => out.line(format!("{workspace} is a workspace; made"))?,
    }
    for path in &report.made {
        out.line(format!("  {path}"))?;
    }
    out.line(format!("Its git repository is {}", report.git_dir.display()))?;
    for note in &report.notes {
        out.line(format!("Note: {note}"))?;
    }
    out.line("Next: `trackfs mount`, then write a ticket: `vim tickets/first.md`")?;
    out.line("      `trackfs remote add --help` to keep GitHub or Linear in step")
}
