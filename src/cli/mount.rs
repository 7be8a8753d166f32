//! `mount`, `watch`, `unmount`: the daemons of a workspace, begun and ended.

use super::{ask::locate, failure::advise, output::Output, report};
use crate::daemon::{Location, detach, location::LocationError, report::UnmountReport, run};
use clap::Args;
use std::{
    collections::BTreeSet,
    ffi::OsString,
    path::{Path, PathBuf},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs mount                       the workspace around here, over itself
  trackfs mount ~/planning --at ~/p   at another place
  trackfs mount --foreground          for a service manager; SIGTERM ends it")]
pub struct MountArgs {
    /// A folder of the workspace [default: here]
    dir: Option<PathBuf>,
    /// Mount here instead of over the workspace itself
    #[arg(long, value_name = "MOUNTPOINT")]
    at: Option<PathBuf>,
    /// Read as fast as from the disk: the kernel opens and closes files without a word to trackfs
    #[arg(long)]
    fast_reads: bool,
    /// Stay in the foreground
    #[arg(long, short)]
    foreground: bool,
}

#[derive(Debug, Args)]
pub struct DirArgs {
    /// A folder of the workspace [default: here]
    dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs unmount                     says who uses the mount, if anybody does
  trackfs unmount --force             all the same: what is saved is committed, what is open fails afterwards")]
pub struct UnmountArgs {
    /// A folder of the workspace [default: here]
    dir: Option<PathBuf>,
    /// Also when files are open in it: what they hold by now is committed first
    #[arg(long, short)]
    force: bool,
}

impl DirArgs {
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }
}

/// What the mount's supervisor is started with.
#[derive(Debug, Args)]
pub struct SuperviseArgs {
    #[arg(long)]
    fd: i32,
    #[arg(long)]
    mountpoint: PathBuf,
}

pub fn mount(args: &MountArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate_healed(args.dir.as_deref())?;
    if at.is_live() {
        return Err(advise(
            format!("{} is already mounted or watched", at.dir.display()),
            "`trackfs status` shows by which process; `trackfs unmount` ends it",
        ));
    }
    if args.foreground {
        return mount_here(&at, args, out);
    }
    let mut arguments: Vec<OsString> = vec!["mount".into(), "--foreground".into(), at.dir.clone().into()];
    if let Some(mountpoint) = &args.at {
        // The daemon stands elsewhere.
        arguments.extend(["--at".into(), std::path::absolute(mountpoint)?.into()]);
    }
    if args.fast_reads {
        arguments.push("--fast-reads".into());
    }
    out.line(detach::start(&at, &arguments)?)?;
    tell_shell(
        args.at.as_ref().unwrap_or(&at.dir),
        "Your shell stands in the folder below the mount: `cd .` takes it in",
        out,
    )
}

/// A shell keeps the folder it stands in, which is now another one of the same path.
fn tell_shell(folder: &Path, hint: &str, out: &mut Output) -> anyhow::Result<()> {
    if stands_in(folder) {
        out.line(hint)?;
    }
    Ok(())
}

/// Whether the shell that called us has its working directory in `folder`.
fn stands_in(folder: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    let shell = std::env::var_os("PWD").and_then(|path| real(Path::new(&path)));
    shell.zip(real(folder)).is_some_and(|(shell, folder)| shell.starts_with(folder))
}

/// Prints one line when the mount can be used, and returns when it has ended.
fn mount_here(at: &Location, args: &MountArgs, out: &mut Output) -> anyhow::Result<()> {
    let place = args.at.as_ref().unwrap_or(&at.dir).display().to_string();
    let args = run::MountArgs { at: args.at.clone(), or_watch: false, fast_reads: args.fast_reads };
    run::mount(at, &args, |_| announce(out, &format!("mounted at {place}")))
}

pub fn watch(args: &DirArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(args.dir.as_deref())?;
    let line = format!("watching {}; Ctrl-C ends it", at.dir.display());
    run::watch(&at, |_| announce(out, &line))
}

pub fn unmount(args: &UnmountArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = match locate_healed(args.dir.as_deref()) {
        // Its disk may be gone, and the daemon with what it has in memory is still there.
        Err(_) if args.force && detach(args.dir.as_deref())? => {
            return Ok(
                out.line("unmounted; the workspace cannot be read, so what was not committed before is not committed")?
            );
        }
        found => found?,
    };
    let dir = at.dir.display();
    let report = run::unmount(&at, args.force)?;
    if out.is_json() || report.outcome == IN_USE {
        out.value(&report, report::holders)?;
    }
    match report.outcome.as_str() {
        IN_USE => return Err(in_use(&at, &report)),
        _ if out.is_json() => return Ok(()),
        "not-mounted" => return Ok(out.line(format!("{dir} is not mounted"))?),
        "ended" => return Ok(out.line(format!("{dir} is no longer watched, everything is committed"))?),
        _ => out.line(format!("{dir} is unmounted, everything is committed"))?,
    }
    tell_shell(&at.dir, "Your shell still stands in the mount that was: `cd .` takes it out", out)
}

const IN_USE: &str = "in-use";

fn in_use(at: &Location, report: &UnmountReport) -> anyhow::Error {
    let pids: BTreeSet<u32> = report.holders.iter().map(|holder| holder.pid).collect();
    let whom = match pids.len() {
        0 => "by somebody who cannot be seen from here".to_owned(),
        1 => "by one process".to_owned(),
        many => format!("by {many} processes"),
    };
    advise(
        format!("{} is in use {whom}, and stays mounted", at.dir.display()),
        "close them and try again; or `trackfs unmount --force`: what is saved is committed first, and what they still \
         have open fails with \"Transport endpoint is not connected\"",
    )
}

fn announce(out: &mut Output, line: &str) {
    if let Err(error) = out.line(line).and_then(|()| out.flush()) {
        tracing::debug!("nobody reads what this daemon prints: {error}");
    }
}

/// The workspace around `start`, after taking away the dead mount that hides it, if there is one.
fn locate_healed(start: Option<&Path>) -> anyhow::Result<Location> {
    // Where this process stands is still the dead mount afterwards; its path is not.
    let start = std::path::absolute(start.unwrap_or(Path::new(".")))?;
    match Location::discover(&start) {
        Err(LocationError::DeadMount(path)) => {
            heal(&path)?;
            Ok(Location::discover(&start)?)
        }
        found => Ok(found?),
    }
}

#[cfg(all(feature = "fuse", target_os = "linux"))]
mod fuse {
    use super::SuperviseArgs;
    use std::{io, path::Path};

    pub fn heal(path: &Path) -> anyhow::Result<()> {
        Ok(crate::mount::take_away_dead(path)?)
    }

    /// Detaches the mount of ours at this folder; `false` where there is none.
    pub fn detach(dir: Option<&Path>) -> io::Result<bool> {
        crate::mount::detach(&std::path::absolute(dir.unwrap_or(Path::new(".")))?)
    }

    pub fn supervise(args: &SuperviseArgs) -> io::Result<()> {
        crate::mount::supervise_main(args.fd, &args.mountpoint)
    }
}

#[cfg(not(all(feature = "fuse", target_os = "linux")))]
mod fuse {
    use super::SuperviseArgs;
    use std::{io, path::Path};

    pub fn heal(path: &Path) -> anyhow::Result<()> {
        anyhow::bail!("{} is a dead mount: `fusermount3 -uz` takes it away", path.display())
    }

    pub fn detach(_dir: Option<&Path>) -> io::Result<bool> {
        Ok(false)
    }

    pub fn supervise(_args: &SuperviseArgs) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub use fuse::supervise;
use fuse::{detach, heal};
