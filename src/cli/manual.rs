//! Shell completions and man pages, generated from the one definition of the command line.

use super::{Cli, failure::because, output::Output};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::{fs, io, path::PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs completions bash > ~/.local/share/bash-completion/completions/trackfs
  trackfs completions zsh > ~/.zfunc/_trackfs
  trackfs completions fish > ~/.config/fish/completions/trackfs.fish")]
pub struct CompletionsArgs {
    shell: Shell,
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// The folder to write trackfs.1, trackfs-new.1, … into
    dir: PathBuf,
}

pub fn completions(args: &CompletionsArgs, out: &mut Output) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "trackfs", &mut script);
    Ok(out.exactly(&String::from_utf8_lossy(&script))?)
}

pub fn man(args: &ManArgs, out: &mut Output) -> anyhow::Result<()> {
    let pages = || -> io::Result<()> {
        fs::create_dir_all(&args.dir)?;
        clap_mangen::generate_to(Cli::command(), &args.dir)
    };
    pages().map_err(|error| because(format!("the pages cannot be written to {}", args.dir.display()), error))?;
    Ok(out.line(format!("wrote man pages to {}", args.dir.display()))?)
}
