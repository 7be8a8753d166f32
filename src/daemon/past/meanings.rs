//! What Markdown files said, version by version, while history is taken over.

use crate::{
    domain::{
        past::{FieldChange, Meaning},
        path::WsPath,
    },
    git::{Blob, FileMode, Repo},
    workspace::store::{Chronicler, StoreError},
};
use std::{collections::HashMap, sync::Arc};

/// Versions that are kept: what a file was is what the commit before made of it.
const KEPT: usize = 4000;
/// Versions that are looked back for one that can be read.
const LOOKED_BACK: usize = 50;
/// Bytes of a file beyond which it only was edited.
const MAX_READ: u64 = 4 << 20;

#[derive(Default)]
pub(super) struct Meanings {
    /// By blob; `None`: it cannot be read.
    kept: HashMap<String, Option<Arc<Meaning>>>,
}

impl Meanings {
    /// What changed between two versions. Of what is no Markdown, or was removed, nothing is told.
    pub fn changes(
        &mut self,
        repo: &Repo,
        chronicler: &Chronicler<'_>,
        old: (&WsPath, Option<&Blob>),
        new: Option<(&WsPath, &Blob)>,
    ) -> Result<Vec<FieldChange>, StoreError> {
        let is_text =
            |(path, blob): &(&WsPath, &Blob)| path.extension() == Some("md") && blob.mode != FileMode::Symlink;
        let Some((_, blob)) = new.filter(is_text) else { return Ok(Vec::new()) };
        let before = match old.1.map(|blob| (old.0, blob)).filter(is_text) {
            Some((path, blob)) => self.last_meaning(repo, chronicler, path, &blob.id)?,
            None => Arc::default(),
        };
        // One that cannot be read means what it meant before.
        Ok(self.meaning(repo, &blob.id)?.map_or_else(Vec::new, |now| before.changes(&now)))
    }

    /// What the newest version that can be read meant, from this one on backwards.
    fn last_meaning(
        &mut self,
        repo: &Repo,
        chronicler: &Chronicler<'_>,
        path: &WsPath,
        blob: &str,
    ) -> Result<Arc<Meaning>, StoreError> {
        let mut at = Some((path.clone(), blob.to_owned()));
        for _ in 0..LOOKED_BACK {
            let Some((path, blob)) = at else { break };
            if let Some(meaning) = self.meaning(repo, &blob)? {
                return Ok(meaning);
            }
            at = chronicler.before(&path, &blob)?;
        }
        Ok(Arc::default())
    }

    fn meaning(&mut self, repo: &Repo, blob: &str) -> Result<Option<Arc<Meaning>>, StoreError> {
        if let Some(known) = self.kept.get(blob) {
            return Ok(known.clone());
        }
        let is_small = repo.blob_size(blob)? <= MAX_READ;
        let meaning = if is_small { Meaning::of(&repo.blob(blob)?).map(Arc::new) } else { None };
        if self.kept.len() >= KEPT {
            self.kept.clear();
        }
        self.kept.insert(blob.to_owned(), meaning.clone());
        Ok(meaning)
    }
}
