//! `demo`: everything at once on a throw-away workspace: tickets, trackers, the mount, and a short tour.

mod content;
mod trackers;
mod words;

use super::{
    failure::{advise, because},
    init,
    output::Output,
};
use crate::daemon::{
    self, Location,
    control::{Request, Response},
    run,
};
use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long what is still being written may take, at the end.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// A folder for it, which must not exist yet and is removed at the end [default: a temporary one]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// On plain files, without a mount
    #[arg(long)]
    watch: bool,
}

pub fn run(args: &DemoArgs, out: &mut Output) -> anyhow::Result<()> {
    let interrupted = Interrupted::listen()?;
    let root = Throwaway::new(args.dir.as_deref())?;
    let demo = set_up(root.path(), &interrupted)?;
    let show = |engine: &daemon::Engine| show(&demo, engine, out);
    if args.watch {
        return run::watch(&demo.at, show);
    }
    run::mount(&demo.at, &run::MountArgs { or_watch: true, ..run::MountArgs::default() }, show)
}

/// Whoever does not read the tour can still use the workspace.
fn show(demo: &Demo, engine: &daemon::Engine, out: &mut Output) {
    let role = engine.role();
    let why = role.notes.iter().map(|note| format!("{note}. The demo runs on plain files instead."));
    let lines = why.chain(tour(demo, role.mountpoint.is_none()));
    let _ = lines.into_iter().try_for_each(|line| out.line(line)).and_then(|()| out.flush());
}

/// Whether somebody lost patience during the set-up: then it ends between two steps, and cleans up.
struct Interrupted(Arc<AtomicBool>);

impl Interrupted {
    fn listen() -> io::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, flag.clone())?;
        }
        Ok(Self(flag))
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(anyhow::anyhow!("the demo was interrupted")) } else { Ok(()) }
    }
}

/// A folder that goes with everything in it.
enum Throwaway {
    Temporary(TempDir),
    Named(PathBuf),
}

impl Throwaway {
    fn new(dir: Option<&Path>) -> anyhow::Result<Self> {
        let Some(dir) = dir else {
            return Ok(Self::Temporary(TempDir::with_prefix("trackfs-demo-")?));
        };
        match fs::create_dir(dir) {
            Ok(()) => Ok(Self::Named(dir.canonicalize()?)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(advise(
                format!("{} exists, and the demo removes its folder at the end", dir.display()),
                "name a folder that does not exist yet",
            )),
            Err(error) => Err(because(format!("{} cannot be made", dir.display()), error)),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(dir) => dir.path(),
            Self::Named(dir) => dir,
        }
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        if let Err(error) = remove(self.path()) {
            tracing::warn!("{} could not be removed: {error}", self.path().display());
        }
    }
}

/// Removes a folder. A request to a remote that the end did not wait for may still be writing to it.
fn remove(dir: &Path) -> io::Result<()> {
    let since = Instant::now();
    loop {
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && since.elapsed() < PATIENCE => {
                thread::sleep(PAUSE);
            }
            removed => return removed,
        }
    }
}

/// A demo that is ready to run.
struct Demo {
    at: Location,
    written: content::Written,
}

fn set_up(root: &Path, interrupted: &Interrupted) -> anyhow::Result<Demo> {
    let work = root.join("work");
    init::init(&work, Some(&root.join("git")), init::Template::Solo)?;
    let at = Location::discover(&work)?;
    interrupted.check()?;
    let written = content::write(&at.dir)?;
    trackers::set_up(&at, &root.join("trackers"))?;
    interrupted.check()?;
    let first = Request::Sync { remote: None, dry_run: false, yes: true };
    if let Response::Failed { message } = daemon::ask(&at, &first)? {
        return Err(anyhow::anyhow!(message).context("the first sync of the demo failed"));
    }
    interrupted.check()?;
    Ok(Demo { at, written })
}

fn tour(demo: &Demo, watch: bool) -> Vec<String> {
    let dir = demo.at.dir.display();
    let content::Written { tickets, specs, todo, .. } = &demo.written;
    let mut lines = vec![
        format!("A ferry company's plans: {tickets} tickets and {specs} specs, and two trackers in step with them."),
        "In another terminal:".to_owned(),
        String::new(),
        format!("  cd {dir}"),
    ];
    let mut step = |command: String, meaning: &str| lines.push(format!("  {command:<58}  # {meaning}"));
    if !watch {
        step(format!("mv views/status/todo/{todo}.md views/status/done/"), "changes the ticket's status");
    }
    step("printf -- '---\\ntitle: Paint\\n---\\n' > tickets/eng/paint.md".to_owned(), "a new ticket");
    step("ls ../trackers/linear".to_owned(), "soon has it as an issue");
    step("trackfs events --follow".to_owned(), "what happens, as it happens");
    step("trackfs status".to_owned(), "what is wrong or waiting");
    step("git log --stat".to_owned(), "every save, as commits");
    lines.push(String::new());
    lines.push("Ctrl-C here ends the demo and removes all of it.".to_owned());
    lines
}
