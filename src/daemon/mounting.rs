//! Puts the filesystem of a session into the kernel, and takes it out again: politely when asked, in any case when told.

use super::{
    Engine,
    control::Response,
    host::EngineHost,
    report::{HolderReport, UnmountReport},
    run::{Session, Stop},
};
use crate::{
    fs::{Fs, ROOT_NAMES},
    mount::{self as fuse, Hold, Holders, MountOptions, Mounted},
};
use std::{path::Path, sync::Arc, thread};

/// Of those who use a mount that goes away all the same.
const LOGGED: usize = 20;

/// Mounts, and ends the session when somebody unmounts by hand.
pub fn mount(session: &Session, mountpoint: &Path, fast_reads: bool) -> anyhow::Result<Arc<Mounted>> {
    let engine = &session.engine;
    let host = Arc::new(EngineHost::new(engine.clone()));
    let told = Arc::downgrade(&host);
    engine.settler.on_events(Box::new(move |events| {
        if let Some(host) = told.upgrade() {
            host.told(events);
        }
    }));
    let config = engine.config();
    let fast_reads = fast_reads || config.mount.fast_reads;
    let fs = Fs::new(engine.root.clone(), host)?;
    let fs = Arc::new(if fast_reads { fs.without_opens() } else { fs });
    let shadowed = fs.shadowed();
    hide_from_git(engine, &shadowed)?;
    let options = MountOptions { threads: config.mount.threads, fast_reads, ..MountOptions::new(mountpoint) };
    let mounted = Arc::new(fuse::mount(fs, engine.root.clone(), options)?);
    let mut role = engine.role.write();
    role.mountpoint = Some(mountpoint.to_owned());
    role.notes.extend(shadowed.iter().map(|name| {
        format!("the workspace has a real {name:?}, so the generated folder of that name is not shown; rename yours to see it")
    }));
    let (waiting, stopper) = (mounted.clone(), session.stopper());
    thread::Builder::new().name("unmounted".into()).spawn(move || {
        waiting.wait();
        // The session may have ended for another reason; then nobody listens.
        let _ = stopper.send(Stop::Unmounted);
    })?;
    Ok(mounted)
}

/// Blocks until there is a reason to end, and the mount is gone. Who asks for it while the mount is in use is refused.
pub fn until_unmounted(session: &Session, mounted: &Mounted) -> Stop {
    loop {
        match session.wait() {
            Stop::Asked(asked) if !asked.force => match mounted.unmount_if_idle(&fuse::with_ancestors(asked.by)) {
                Ok(()) => return Stop::Asked(asked),
                Err(holders) => asked.answer(&Response::Unmount(in_use(&holders))),
            },
            stop => {
                unmount_in_any_case(session, mounted);
                return stop;
            }
        }
    }
}

/// What was accepted is committed before anybody loses what they have open.
fn unmount_in_any_case(session: &Session, mounted: &Mounted) {
    // What is committed now is pushed by the next daemon.
    session.engine.remotes.stop();
    if mounted.is_alive() {
        log(&in_use(&mounted.holders()));
        if let Err(error) = session.engine.settle_and_commit(None) {
            tracing::error!("not everything is committed before unmounting: {error:#}");
        }
    }
    // No new writes after this; the session settles and commits what came meanwhile.
    mounted.unmount();
}

fn in_use(holders: &Holders) -> UnmountReport {
    let report = |holder: &fuse::Holder| HolderReport {
        pid: holder.pid,
        command: holder.command.clone(),
        hold: name(holder.hold).to_owned(),
        path: holder.path.clone(),
    };
    let found = holders.found.iter().map(report).collect();
    UnmountReport { outcome: "in-use".into(), holders: found, unseen: holders.unseen }
}

fn name(hold: Hold) -> &'static str {
    match hold {
        Hold::OpenFile => "open file",
        Hold::CurrentDirectory => "current directory",
        Hold::RootDirectory => "root directory",
        Hold::Program => "running program",
        Hold::Mapped => "mapped file",
    }
}

fn log(report: &UnmountReport) {
    for HolderReport { pid, command, hold, path } in report.holders.iter().take(LOGGED) {
        tracing::warn!("unmounting although {command} (process {pid}) has {} as {hold}", path.display());
    }
    if report.holders.len() > LOGGED {
        tracing::warn!("and {} more", report.holders.len() - LOGGED);
    }
}

/// Git in the mount must not take the generated folders for untracked files.
fn hide_from_git(engine: &Engine, shadowed: &[&str]) -> anyhow::Result<()> {
    let shown = ROOT_NAMES.into_iter().filter(|name| !shadowed.contains(name));
    let patterns: Vec<String> = shown.map(|name| format!("/{name}/")).collect();
    Ok(engine.repo.exclude(&patterns.iter().map(String::as_str).collect::<Vec<_>>())?)
}
