//! What the engine remembers about one remote besides its tracking ref.
//!
//! Nothing here decides what was agreed, nor what was asked and not answered: that is in git. Losing it costs a full
//! listing, a conflict told once more, and a default file name.

use crate::{
    domain::{
        Timestamp,
        issue::{Field, FieldValue, RemoteIssue},
        path::WsPath,
        snapshot::ContentHash,
    },
    workspace::{
        config::RemoteConfig,
        store::{Store, StoreError},
    },
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The latest word on objects, by id, that is not wholly in the files: in conflict, or the file could not be written.
    pub unapplied: BTreeMap<String, RemoteIssue>,
    /// The ticket of each object, by id: tells a removed file from one that never was.
    pub paths: BTreeMap<String, WsPath>,
    /// Values, by id, that the remote holds in a form of its own: this local value is what its present value answers.
    pub rendered: BTreeMap<String, BTreeMap<Field, ContentHash>>,
    /// Comments, by id, that the remote holds in a form of its own: this text of the file is what its present one answers.
    pub rendered_comments: BTreeMap<String, ContentHash>,
    /// The file of each own comment, by id: tells a removed one from one that never was.
    pub comments: BTreeMap<String, WsPath>,
    /// What was written into the files that are only to be read.
    #[serde(alias = "pulls")]
    pub readings: BTreeMap<WsPath, ContentHash>,
    /// What each timeline was written for, by the issue's id.
    pub timelines: BTreeMap<String, ContentHash>,
    /// What the remote did not take, by path.
    pub refusals: BTreeMap<WsPath, Refusal>,
    pub conflicts: Vec<Conflict>,
    /// When everything was last listed.
    pub listed: Option<Timestamp>,
    /// Fields that are read since then.
    pub fields: BTreeSet<Field>,
    /// What else is.
    pub extent: Extent,
}

/// What a listing reads besides issues as tickets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Extent {
    /// Documents and projects.
    pub texts: bool,
    /// Reactions.
    pub timelines: bool,
}

impl Extent {
    pub fn of(config: &RemoteConfig) -> Self {
        Self { texts: config.documents.is_some(), timelines: config.timeline }
    }
}

/// Something that the remote did not take: not sent again for a while, unless what led to it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// Of what the ticket said, and of the remote's configuration.
    pub cause: ContentHash,
    pub at: Timestamp,
}

/// A field that both sides changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    pub remote: String,
    pub path: WsPath,
    pub key: String,
    /// `title`, `body`, …, or the file of a comment: `comments/2-bob.md`.
    pub field: String,
    /// What was last agreed; `None` where nothing was.
    #[serde(default)]
    pub base: Option<FieldValue>,
    pub local: FieldValue,
    pub theirs: FieldValue,
}

impl Memory {
    pub fn load(store: &Store, remote: &str) -> Result<Self, StoreError> {
        match store.meta(&key(remote))? {
            Some(json) => Ok(serde_json::from_str(&json)?),
            None => Ok(Self::default()),
        }
    }

    pub fn save(&self, store: &Store, remote: &str) -> Result<(), StoreError> {
        store.set_meta(&key(remote), &serde_json::to_string(self)?)
    }
}

fn key(remote: &str) -> String {
    format!("sync.{remote}")
}

/// Tells whether a ticket still says what it said.
pub fn fingerprint<T: Serialize>(value: &T) -> ContentHash {
    ContentHash::of(&serde_json::to_vec(value).expect("fields have string keys"))
}
