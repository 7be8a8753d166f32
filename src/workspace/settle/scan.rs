//! Finding what changed while nobody watched.

use super::{EXTERNAL, ScanReport, Settler, adopt::AT_ONCE, meaning, pass::Haste};
use crate::{
    domain::{op::Actor, path::WsPath},
    workspace::{
        ignored::Ignored,
        root::Stat,
        store::{Fingerprint, StoreError},
    },
};
use std::collections::BTreeMap;

type Fingerprints = BTreeMap<WsPath, Option<Fingerprint>>;

impl Settler {
    /// Compares the whole directory with the index by stat, and touches what differs. Where that is a lot, and nothing is
    /// gone that could have moved, it is looked at here and now, in parts, so that no pass takes long.
    pub fn scan(&self) -> Result<ScanReport, StoreError> {
        let mut different = Vec::new();
        let report = self.differing(&WsPath::root(), |path| different.push(path))?;
        let actor = Actor::named(EXTERNAL);
        if different.len() > AT_ONCE && report.gone == 0 {
            self.look_through(different, &actor)?;
        } else {
            different.iter().for_each(|path| self.touch(path, &actor));
        }
        Ok(report)
    }

    /// Touches what differs, however much it is.
    pub(super) fn touch_differing(&self) -> Result<(), StoreError> {
        let actor = Actor::named(EXTERNAL);
        self.differing(&WsPath::root(), |path| self.touch(&path, &actor)).map(drop)
    }

    /// Looks at files that were found to differ, and were not touched by anybody who knows more.
    fn look_through(&self, paths: Vec<WsPath>, actor: &Actor) -> Result<(), StoreError> {
        let total = paths.len();
        for (number, paths) in paths.chunks(AT_ONCE).enumerate() {
            self.progress.set(number * AT_ONCE, total);
            if self.progress.is_interrupted() {
                return Ok(());
            }
            let settled = {
                let _passing = self.passing.lock();
                self.pass(self.queue.untouched(paths, actor), Haste::WhenQuiet)?
            };
            self.tell(&settled);
        }
        Ok(())
    }

    /// Tells `differs` of every file below a folder that is not, by its stat, what it was when it settled: new, changed,
    /// or gone.
    pub(super) fn differing(&self, folder: &WsPath, mut differs: impl FnMut(WsPath)) -> Result<ScanReport, StoreError> {
        let mut known = self.store.fingerprints(folder)?;
        let mut ignored = Ignored::new(&self.root);
        let mut report = ScanReport::default();
        self.root.walk(folder, |path, stat| {
            if stat.is_dir() {
                return !ignored.folder(path) || is_known_below(&known, path);
            }
            if !is_candidate(path, stat) || (!known.contains_key(path) && ignored.file(path)) {
                return false;
            }
            report.files += 1;
            if known.remove(path).flatten() != Some(Fingerprint::from(stat)) {
                report.changed += 1;
                differs(path.clone());
            }
            false
        })?;
        report.gone = known.len();
        report.changed += known.len();
        known.into_keys().for_each(differs);
        Ok(report)
    }
}

fn is_candidate(path: &WsPath, stat: &Stat) -> bool {
    (stat.is_file() || stat.is_symlink()) && !meaning::is_scratch(path)
}

fn is_known_below(known: &Fingerprints, folder: &WsPath) -> bool {
    let first = folder.join("\u{1}").expect("a name of one legal character");
    known.range(first..).next().is_some_and(|(path, _)| path.is_within(folder))
}
