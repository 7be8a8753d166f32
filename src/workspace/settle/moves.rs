//! Telling a move from a removal and a creation.

use super::pass::Found;
use crate::{
    domain::{
        path::WsPath,
        snapshot::{ContentHash, Snapshot},
    },
    workspace::store::sync_keys,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

/// Renames that are not worth tidying up.
const FEW: usize = 64;

/// Where files were known before they were renamed. Scratch names are steps on the way: `t.md` → `t.md~` → `t.md` is where
/// it was, and `t.md` → `t.md~` → `u.md` is a move.
pub(super) struct Origins {
    /// By present path: the path before, and when it was recorded.
    steps: HashMap<WsPath, (WsPath, Instant)>,
    kept: Duration,
    /// How many there may be before those that are over are looked for.
    bound: usize,
}

impl Origins {
    /// Renames are remembered for `kept`: until both ends must have settled.
    pub fn new(kept: Duration) -> Self {
        Self { steps: HashMap::new(), kept, bound: FEW }
    }

    pub fn renamed(&mut self, from: &WsPath, to: &WsPath) {
        self.forget_old();
        let origin = self.of(from).unwrap_or_else(|| from.clone());
        self.steps.remove(from);
        if origin == *to {
            self.steps.remove(to);
        } else {
            self.steps.insert(to.clone(), (origin, Instant::now()));
        }
    }

    /// Now and then: a burst of renames must not look at all of them with each.
    fn forget_old(&mut self) {
        if self.steps.len() >= self.bound {
            self.steps.retain(|_, (_, at)| at.elapsed() < self.kept);
            self.bound = 2 * self.steps.len() + FEW;
        }
    }

    pub fn removed(&mut self, path: &WsPath) {
        self.steps.remove(path);
    }

    /// The former path of this one, which may have moved with a folder above it.
    pub fn of(&self, path: &WsPath) -> Option<WsPath> {
        let mut folder = Some(path.clone());
        while let Some(here) = folder.filter(|here| !here.is_root()) {
            if let Some((origin, at)) = self.steps.get(&here)
                && at.elapsed() < self.kept
            {
                let rest = &path.as_str()[here.as_str().len()..];
                return WsPath::new(format!("{}{rest}", origin.as_str())).ok();
            }
            folder = here.parent();
        }
        None
    }
}

/// Known files that are not where they were, by all that a new file may have in common with one.
#[derive(Default)]
pub(super) struct Vanished {
    files: BTreeMap<WsPath, Snapshot>,
    by_key: HashMap<(String, String), WsPath>,
    by_content: HashMap<ContentHash, BTreeSet<WsPath>>,
}

/// By new path: the path it moved from, and what was known there.
pub(super) type Moves = BTreeMap<WsPath, (WsPath, Snapshot)>;

impl Vanished {
    pub fn insert(&mut self, path: WsPath, snapshot: Snapshot) {
        for (remote, key) in sync_keys(&snapshot) {
            self.by_key.insert((remote.to_owned(), key), path.clone());
        }
        self.by_content.entry(snapshot.content.clone()).or_default().insert(path.clone());
        self.files.insert(path, snapshot);
    }

    /// Pairs new files with those they continue. The strongest sign goes first: what a rename said, then the identity at
    /// a remote, then the same bytes under the same name, then the same bytes.
    pub fn pair<'f>(mut self, new: &[(&'f WsPath, &'f Found)]) -> Moves {
        let mut moves = Moves::new();
        for sign in [Self::renamed, Self::same_key, Self::same_bytes_and_name, Self::same_bytes] {
            for (path, found) in new {
                if moves.contains_key(*path) {
                    continue;
                }
                if let Some(from) = sign(&self, path, found) {
                    let old = self.take(&from);
                    moves.insert((*path).clone(), (from, old));
                }
            }
        }
        moves
    }

    fn take(&mut self, from: &WsPath) -> Snapshot {
        let old = self.files.remove(from).expect("a sign leads to a file that is here");
        if let Some(paths) = self.by_content.get_mut(&old.content) {
            paths.remove(from);
        }
        old
    }

    /// The path, if the file that vanished there is of the same kind as the one found.
    fn alike(&self, from: &WsPath, found: &Found) -> Option<WsPath> {
        let old = self.files.get(from)?;
        let same_kind = std::mem::discriminant(&old.kind) == std::mem::discriminant(&found.snapshot.kind);
        same_kind.then(|| from.clone())
    }

    fn renamed(&self, _: &WsPath, found: &Found) -> Option<WsPath> {
        self.alike(found.origin.as_ref()?, found)
    }

    fn same_key(&self, _: &WsPath, found: &Found) -> Option<WsPath> {
        let key = |(remote, key): (&str, String)| self.by_key.get(&(remote.to_owned(), key));
        sync_keys(&found.snapshot).filter_map(key).find_map(|from| self.alike(from, found))
    }

    fn same_bytes_and_name(&self, path: &WsPath, found: &Found) -> Option<WsPath> {
        let same_name = |from: &&WsPath| from.file_name() == path.file_name();
        self.of_same_bytes(found).filter(same_name).find_map(|from| self.alike(from, found))
    }

    fn same_bytes(&self, _: &WsPath, found: &Found) -> Option<WsPath> {
        self.of_same_bytes(found).find_map(|from| self.alike(from, found))
    }

    fn of_same_bytes(&self, found: &Found) -> impl Iterator<Item = &WsPath> {
        // That both are empty says nothing.
        let content = (!found.empty).then_some(&found.snapshot.content);
        content.and_then(|content| self.by_content.get(content)).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> WsPath {
        WsPath::new(text).unwrap()
    }

    fn origins(renames: &[(&str, &str)]) -> Origins {
        let mut origins = Origins::new(Duration::from_secs(60));
        for (from, to) in renames {
            origins.renamed(&path(from), &path(to));
        }
        origins
    }

    #[test]
    fn a_rename_there_and_back_leads_nowhere() {
        let origins = origins(&[("t.md", "t.md~"), ("t.md~", "t.md")]);
        assert_eq!((origins.of(&path("t.md")), origins.of(&path("t.md~"))), (None, None));
    }

    #[test]
    fn what_is_over_is_forgotten_and_a_burst_is_remembered() {
        let renamed = |kept| {
            let mut origins = Origins::new(kept);
            (0..10 * FEW).for_each(|n| origins.renamed(&path(&format!("a{n}")), &path(&format!("b{n}"))));
            origins
        };
        assert_eq!(renamed(Duration::from_secs(60)).steps.len(), 10 * FEW);
        let over = renamed(Duration::ZERO);
        assert!(over.steps.len() <= FEW + 1 && over.of(&path("b1")).is_none(), "{}", over.steps.len());
    }

    #[test]
    fn steps_add_up_through_scratch_names_and_folders() {
        let origins = origins(&[("a/t.md", "a/t.md~"), ("a/t.md~", "a/u.md"), ("a", "b"), ("b/x.md", "b/y.md")]);
        assert_eq!(origins.of(&path("b/y.md")), Some(path("a/x.md")));
        assert_eq!(origins.of(&path("b/z.md")), Some(path("a/z.md")));
        assert_eq!(origins.of(&path("a/u.md")), Some(path("a/t.md")));
    }
}
