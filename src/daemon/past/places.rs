//! What `.history/` shows: trees and blobs read straight from git, versions from the tables.

use super::History;
use crate::{
    domain::{
        Timestamp,
        past::{number_of, version_name},
        path::WsPath,
    },
    fs::{Errno, Place},
    git::{FileMode, Revision, TreeEntry, TreeEntryKind},
};
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How long a look into the past waits for a long history to be read: it answers within a bound.
const PATIENCE: Duration = Duration::from_secs(2);
/// Trees and files that are kept.
const KEPT: usize = 64;
/// Stands for `/` in the name of a branch or tag.
const SLASH: &str = "%2F";

/// What was looked at last: whoever lists a folder looks at each of its names next.
#[derive(Default)]
pub(super) struct Shown {
    trees: Mutex<BTreeMap<String, Arc<Tree>>>,
    files: Mutex<Files>,
}

/// Versions of files as of one commit.
#[derive(Default)]
struct Files {
    head: Option<String>,
    versions: BTreeMap<WsPath, Arc<Versions>>,
}

type Tree = BTreeMap<String, TreeEntry>;
/// By name, the oldest first.
type Versions = Vec<(String, Place)>;

impl History {
    /// What has this name in a place; `None`: nothing.
    pub fn place(&self, place: &Place, name: &str) -> anyhow::Result<Option<Place>> {
        match place {
            Place::Moments => Ok(self.moment(name)?.map(|revision| root(&revision))),
            Place::Folder { tree, at } => {
                let tree = self.tree(tree)?;
                tree.get(name).map(|entry| self.of_entry(entry, *at)).transpose()
            }
            Place::Former(path) => self.former(path, name),
            Place::Top | Place::File { .. } | Place::Link { .. } => Ok(None),
        }
    }

    /// Everything in a place. EBUSY while a long history is read for the first time.
    pub fn places(&self, place: &Place) -> anyhow::Result<Vec<(String, Place)>> {
        match place {
            Place::Moments => {
                let names = ["HEAD".to_owned()].into_iter().chain(self.repo.names()?);
                let places = names.map(|name| {
                    let revision = self.repo.revision(&name)?;
                    Ok(revision.map(|revision| (name.replace('/', SLASH), root(&revision))))
                });
                places.filter_map(Result::transpose).collect()
            }
            Place::Folder { tree, at } => {
                let tree = self.tree(tree)?;
                tree.iter().map(|(name, entry)| Ok((name.clone(), self.of_entry(entry, *at)?))).collect()
            }
            Place::Former(path) => {
                self.in_step()?;
                let versions = self.shown_versions(path)?;
                let below = self.past.names_in(path)?;
                let below = below.into_iter().map(|name| Ok((name.clone(), Place::Former(path.join(&name)?))));
                versions.iter().cloned().map(Ok).chain(below).collect()
            }
            Place::Top | Place::File { .. } | Place::Link { .. } => Ok(Vec::new()),
        }
    }

    fn moment(&self, name: &str) -> anyhow::Result<Option<Revision>> {
        let said = name.replace(SLASH, "/");
        if super::moment(&said, &TimeZone::system()).is_some() {
            self.in_step()?;
        }
        self.revision(&said, &TimeZone::system())
    }

    fn in_step(&self) -> anyhow::Result<()> {
        if self.bell.done_within(PATIENCE, || self.is_in_step())? { Ok(()) } else { Err(Errno(libc::EBUSY).into()) }
    }

    fn tree(&self, id: &str) -> anyhow::Result<Arc<Tree>> {
        if let Some(tree) = self.shown.trees.lock().get(id) {
            return Ok(tree.clone());
        }
        let entries = self.repo.tree(id)?.into_iter().map(|entry| (entry.name.clone(), entry));
        let tree = Arc::new(Tree::from_iter(entries));
        put(&mut self.shown.trees.lock(), id.to_owned(), tree.clone());
        Ok(tree)
    }

    fn of_entry(&self, entry: &TreeEntry, at: Timestamp) -> anyhow::Result<Place> {
        let blob = || entry.id.clone();
        Ok(match entry.kind {
            TreeEntryKind::Folder => Place::Folder { tree: blob(), at },
            TreeEntryKind::File(FileMode::Symlink) => {
                Place::Link { target: String::from_utf8_lossy(&self.repo.blob(&entry.id)?).into_owned(), at }
            }
            TreeEntryKind::File(mode) => Place::File { blob: blob(), executable: mode == FileMode::Executable, at },
            // As git leaves it: an empty folder.
            TreeEntryKind::Submodule => Place::Folder { tree: self.repo.empty_tree(), at },
        })
    }

    fn former(&self, path: &WsPath, name: &str) -> anyhow::Result<Option<Place>> {
        self.in_step()?;
        if number_of(name).is_some() {
            let versions = self.shown_versions(path)?;
            if let Some((_, place)) = versions.iter().find(|(known, _)| known == name) {
                return Ok(Some(place.clone()));
            }
        }
        let Ok(below) = path.join(name) else { return Ok(None) };
        let is_known = self.past.was_file(&below)? || self.past.was_folder(&below)?;
        Ok(is_known.then_some(Place::Former(below)))
    }

    /// The versions of a file that have content, by name.
    fn shown_versions(&self, path: &WsPath) -> anyhow::Result<Arc<Versions>> {
        let head = self.past.head()?;
        let mut files = self.shown.files.lock();
        if files.head != head {
            *files = Files { head, versions: BTreeMap::new() };
        }
        if let Some(versions) = files.versions.get(path) {
            return Ok(versions.clone());
        }
        let zone = TimeZone::system();
        let versions = self.versions(path)?.into_iter().filter_map(|version| {
            let (name, executable, at) = (version_name(&version, &zone), version.executable, version.at);
            Some((name, Place::File { blob: version.blob?, executable, at }))
        });
        let versions = Arc::new(versions.collect());
        put(&mut files.versions, path.clone(), Arc::clone(&versions));
        Ok(versions)
    }
}

fn root(revision: &Revision) -> Place {
    Place::Folder { tree: revision.tree.clone(), at: revision.at }
}

fn put<K: Ord, V>(kept: &mut BTreeMap<K, V>, key: K, value: V) {
    if kept.len() >= KEPT {
        kept.clear();
    }
    kept.insert(key, value);
}
