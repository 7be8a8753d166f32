//! Finding what changed while nobody watched.

use super::{EXTERNAL, ScanReport, Settler, meaning};
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
    /// Compares the whole directory with the index by stat, and touches what differs.
    pub fn scan(&self) -> Result<ScanReport, StoreError> {
        let actor = Actor::named(EXTERNAL);
        self.differing(&WsPath::root(), |path| self.touch(&path, &actor))
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
