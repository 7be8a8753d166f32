//! Saves that a crash cut off: what stood there before is back, and what had arrived is set aside in `torn/`.

use super::Engine;
use crate::{
    domain::{
        Timestamp,
        path::WsPath,
        problem::{Problem, Severity},
    },
    fault,
    workspace::root::{Found, Verdict},
};
use anyhow::Context;
use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

/// The folder in the workspace's state: a folder for each crash, and in it the paths of the workspace.
const FOLDER: &str = "torn";

/// Sees to every note that the last run left, newest first. What cannot be mended now keeps its note, for the next start.
pub(super) fn recover(engine: &Engine, notes: Vec<Found>) {
    let mut seen = HashSet::new();
    for note in notes {
        // Of several about one path the newest knows what stood there.
        let path = note.path().clone();
        let mended = if seen.contains(&path) { Ok(false) } else { mend(engine, &note) };
        if mended.as_ref().is_ok_and(|seen_to| *seen_to) {
            seen.insert(path.clone());
        }
        let forgotten = mended.and_then(|_| Ok(engine.root.saves().forget(note)?));
        if let Err(error) = forgotten {
            tracing::error!("what a crash left of a save of {path} is not mended yet: {error:#}");
        }
    }
}

/// Answers whether the note said what there is to know of its path.
fn mend(engine: &Engine, note: &Found) -> anyhow::Result<bool> {
    let path = note.path();
    let (torn, before) = match note.verdict(&engine.root)? {
        Verdict::Whole => return Ok(true),
        Verdict::NotMade => return Ok(false),
        Verdict::Away(name) => return Ok(engine.root.rename(&name, path).map(|()| true)?),
        Verdict::LeftOver { scratch, bytes } => {
            if let Some(bytes) = bytes {
                set_aside(&engine.at.state, note.began(), path, &bytes)?;
            }
            engine.root.discard(&scratch)?;
            return Ok(false);
        }
        Verdict::Torn { torn, before } => (torn, before),
    };
    let is_known = engine.store.known(path)?.is_some();
    // A ticket that was removed to be made anew is still in the last commit. One that is not was removed, and never sent anywhere.
    let before = match before {
        None if is_known => engine.repo.read_at("HEAD", path)?,
        before => before,
    };
    let aside = set_aside(&engine.at.state, note.began(), path, &torn)?;
    fault::point("torn.aside");
    match &before {
        Some(text) => engine.root.replace(path, Some(&torn), text)?,
        None => engine.root.remove(path, &torn)?,
    }
    fault::point("torn.mended");
    tracing::warn!(%path, aside = %aside.display(), "a crash cut off a save; what stood there before is back");
    Ok(true)
}

/// Keeps the bytes on disk; the same crash, met again, has the same place.
fn set_aside(state: &Path, at: Timestamp, path: &WsPath, bytes: &[u8]) -> anyhow::Result<PathBuf> {
    let aside = state.join(FOLDER).join(format!("{at:.3}").replace(':', "-")).join(path.as_str());
    if bytes.is_empty() {
        return Ok(aside);
    }
    let folder = aside.parent().expect("it was joined to a folder");
    let kept = fs::create_dir_all(folder).and_then(|()| {
        fs::write(&aside, bytes)?;
        fs::File::open(&aside)?.sync_all()?;
        fs::File::open(folder)?.sync_all()
    });
    kept.with_context(|| format!("cannot write {}", aside.display()))?;
    Ok(aside)
}

/// What was set aside and is there still, as problems of the tickets: to delete the file is to be done with it.
pub(super) fn problems(state: &Path) -> Vec<Problem> {
    let mut found = Vec::new();
    for crash in entries(&state.join(FOLDER)) {
        below(&crash, &crash, &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn below(crash: &Path, folder: &Path, found: &mut Vec<Problem>) {
    for entry in entries(folder) {
        if entry.is_dir() {
            below(crash, &entry, found);
        } else if let Some(path) = entry.strip_prefix(crash).ok().and_then(|path| WsPath::new(path.to_str()?).ok()) {
            found.push(problem(path, &entry));
        }
    }
}

fn problem(path: WsPath, aside: &Path) -> Problem {
    let message = "a crash cut off a save of it, and the text from before stands there".to_owned();
    let help = format!("what had arrived is in {}: copy from it what you need, and delete it", aside.display());
    Problem::of_file(path, Severity::Warning, "torn-save", message, help)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let paths = |entries: fs::ReadDir| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    fs::read_dir(folder).and_then(paths).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_is_a_problem_until_somebody_deletes_it() {
        let state = tempfile::tempdir().unwrap();
        let path = WsPath::new("tickets/web/a.md").unwrap();
        let at = "2026-11-25T18:00:00.25Z".parse().unwrap();
        set_aside(state.path(), at, &path, b"").unwrap();
        assert_eq!(problems(state.path()), []);
        let aside = set_aside(state.path(), at, &path, b"half of it").unwrap();
        assert_eq!(set_aside(state.path(), at, &path, b"half of it").unwrap(), aside);
        let found = problems(state.path());
        assert_eq!((found.len(), &found[0].path), (1, &path));
        assert!(found[0].help.as_ref().unwrap().contains(aside.to_str().unwrap()));
        fs::remove_file(aside).unwrap();
        assert_eq!(problems(state.path()), []);
    }
}
