//! Puts the filesystem of a session into the kernel.

use super::{
    Engine,
    host::EngineHost,
    run::{Session, Stop},
};
use crate::{
    fs::{Fs, ROOT_NAMES},
    mount::{self as fuse, MountOptions, Mounted},
};
use std::{path::Path, sync::Arc, thread};

/// Mounts, and ends the session when somebody unmounts by hand.
pub fn mount(session: &Session, mountpoint: &Path) -> anyhow::Result<Arc<Mounted>> {
    let engine = &session.engine;
    let host = Arc::new(EngineHost::new(engine.clone()));
    let listener = Arc::downgrade(&host);
    engine.settler.on_settled(Box::new(move |paths| {
        if let Some(host) = listener.upgrade() {
            host.settled(paths);
        }
    }));
    let fs = Arc::new(Fs::new(engine.root.clone(), host)?);
    let shadowed = fs.shadowed();
    hide_from_git(engine, &shadowed)?;
    let options = MountOptions { threads: engine.config().mount.threads, ..MountOptions::new(mountpoint) };
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

/// Git in the mount must not take the generated folders for untracked files.
fn hide_from_git(engine: &Engine, shadowed: &[&str]) -> anyhow::Result<()> {
    let shown = ROOT_NAMES.into_iter().filter(|name| !shadowed.contains(name));
    let patterns: Vec<String> = shown.map(|name| format!("/{name}/")).collect();
    Ok(engine.repo.exclude(&patterns.iter().map(String::as_str).collect::<Vec<_>>())?)
}
