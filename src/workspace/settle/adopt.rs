//! Filling a new index with what the last commit says: silently, in the background, while saves settle.
//!
//! Whoever touches a path that is not in the index yet has it adopted first. So a save is always compared with the
//! commit, whenever it comes, and a file of the commit is never told of as new.

use super::{
    Settler, meaning,
    queue::Touched,
    reading::{self, Bytes},
};
use crate::{
    domain::{path::WsPath, snapshot::Snapshot},
    workspace::{root::Stat, store::StoreError},
};
use std::{collections::BTreeMap, sync::Arc, thread};

/// Files of one transaction; between two, saves settle.
pub(super) const AT_ONCE: usize = 1000;
/// Threads that read files at the same time.
const WORKERS: usize = 4;

/// Content by id, as the last commit names it.
pub trait Content: Send + Sync {
    /// The id of these bytes.
    fn id_of(&self, bytes: &[u8]) -> String;

    fn read(&self, id: &str) -> Result<Vec<u8>, StoreError>;
}

/// What is left to be adopted.
pub(super) struct Baseline {
    files: BTreeMap<WsPath, String>,
    content: Arc<dyn Content>,
}

/// A part of it, by path and id.
type Taken = Vec<(WsPath, String)>;

impl Settler {
    /// From now on these files, by their content's ids, count as known: what differs from them is the news. They are in
    /// the index when [`Settler::catch_up`] returned.
    pub fn adopt(&self, mut files: BTreeMap<WsPath, String>, content: Arc<dyn Content>) -> Result<(), StoreError> {
        // What settled before an adoption was interrupted is newer.
        for path in self.store.journalled()? {
            files.remove(&path);
        }
        files.retain(|path, _| !meaning::is_scratch(path));
        *self.baseline.lock() = Some(Baseline { files, content });
        Ok(())
    }

    /// Adopts everything, unless it is interrupted: then the next start goes on.
    pub(super) fn adopt_all(&self) -> Result<(), StoreError> {
        let left = || self.baseline.lock().as_ref().map_or(0, |baseline| baseline.files.len());
        let total = left();
        while left() > 0 {
            self.progress.set(total - left(), total);
            if self.progress.is_interrupted() {
                return Ok(());
            }
            let _passing = self.passing.lock();
            self.adopt_some(|files| std::iter::from_fn(|| files.pop_first()).take(AT_ONCE).collect())?;
        }
        // A pass may be at the last of them.
        let _passing = self.passing.lock();
        if self.baseline.lock().take().is_some() {
            self.store.end_adoption()?;
        }
        Ok(())
    }

    /// Adopts what these paths, and everything below them, were. Call it with the pass taken.
    pub(super) fn adopt_touched(&self, touched: &Touched) -> Result<(), StoreError> {
        self.adopt_some(|files| touched.keys().flat_map(|path| take_at(files, path)).collect())
    }

    fn adopt_some(&self, take: impl FnOnce(&mut BTreeMap<WsPath, String>) -> Taken) -> Result<(), StoreError> {
        let (taken, content) = match &mut *self.baseline.lock() {
            Some(Baseline { files, content }) => (take(files), content.clone()),
            None => return Ok(()),
        };
        if taken.is_empty() {
            return Ok(());
        }
        let adopted = self.adopted_all(&taken, &*content);
        let adopted = adopted.and_then(|files| self.store.adopt(files));
        if adopted.is_err()
            && let Some(baseline) = &mut *self.baseline.lock()
        {
            baseline.files.extend(taken);
        }
        adopted
    }

    /// Reads and understands files on several processors; the store takes them in one go.
    fn adopted_all(
        &self,
        files: &[(WsPath, String)],
        content: &dyn Content,
    ) -> Result<Vec<(WsPath, Snapshot, Option<Stat>)>, StoreError> {
        let adopt = |(path, id): &(WsPath, String)| -> Result<_, StoreError> {
            let (snapshot, stat) = self.adopted(path, id, content)?;
            Ok((path.clone(), snapshot, stat))
        };
        let processors = thread::available_parallelism().map_or(1, |number| number.get().min(WORKERS));
        thread::scope(|scope| {
            let parts = files.chunks(files.len().div_ceil(processors).max(AT_ONCE / WORKERS));
            let workers: Vec<_> =
                parts.map(|part| scope.spawn(move || part.iter().map(adopt).collect::<Result<Vec<_>, _>>())).collect();
            let mut all = Vec::with_capacity(files.len());
            for worker in workers {
                all.extend(worker.join().expect("reading a file does not panic")?);
            }
            Ok(all)
        })
    }

    /// What a file of the commit is. One that is on the disk as it was committed is known with its stat, and need not be
    /// read again by the scan that follows.
    fn adopted(&self, path: &WsPath, id: &str, content: &dyn Content) -> Result<(Snapshot, Option<Stat>), StoreError> {
        let read = |bytes: &[u8]| {
            let kind = meaning::kind(&self.root, path, bytes, None);
            meaning::read(path, kind, bytes, false, &self.schema(), None)
        };
        if let Ok(Some(reading::Content { bytes: Bytes::Whole(bytes), stat, telling: true })) =
            reading::read(&self.root, path, false)
            && !stat.is_executable()
            && content.id_of(&bytes) == id
        {
            return Ok((read(&bytes), Some(stat)));
        }
        Ok((read(&content.read(id)?), None))
    }
}

/// Takes the file at a path and all below it.
fn take_at(files: &mut BTreeMap<WsPath, String>, path: &WsPath) -> Taken {
    let first = path.join("\u{1}").expect("a name of one legal character");
    let below = files.range(first..).map(|(path, _)| path).take_while(|file| file.is_within(path));
    let paths: Vec<_> = below.chain([path]).cloned().collect();
    paths.iter().filter_map(|path| files.remove_entry(path)).collect()
}
