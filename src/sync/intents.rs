//! Creates and comments whose answer may still be missing, or whose link is not in the file yet.
//!
//! An intent is a note in the tracking ref, in git before its request is sent: a lost index, or another machine that has
//! the ref, still knows what was asked, and looks for it instead of asking again.

use super::{Action, SyncError, Trouble, cycle::Cycle};
use crate::{
    domain::{
        Timestamp,
        issue::{IssueFields, ObjectKind},
        path::WsPath,
    },
    remote::RemoteError,
    workspace::store::{OutboxEntry, OutboxState},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

const KIND: &str = "intents/";

/// How long the outcome of a create stays open where only a listing can tell: a request may arrive long after its sender gave
/// it up, and GitHub's listings have been seen to lag by minutes. Until then none is repeated.
pub(super) const LISTING_LAG: Duration = Duration::from_secs(5 * 60);

/// A create, or a comment, as it was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sent {
    pub action: Action,
    /// Of a create: what is to be made.
    #[serde(default)]
    pub kind: ObjectKind,
    pub path: WsPath,
    pub fields: IssueFields,
    /// The remote's time before the request, if one was known.
    pub not_before: Option<String>,
    /// By this machine's clock, which is asked for durations alone.
    pub at: Timestamp,
    /// Of a comment: the id of its issue.
    pub issue: Option<String>,
    /// The id of what was made, once the remote has answered.
    pub made: Option<String>,
}

pub(super) fn load(notes: &BTreeMap<String, Value>) -> BTreeMap<Uuid, Sent> {
    let intent = |(name, value): (&String, &Value)| {
        Some((name.strip_prefix(KIND)?.parse().ok()?, serde_json::from_value(value.clone()).ok()?))
    };
    notes.iter().filter_map(intent).collect()
}

impl Cycle<'_> {
    /// Makes an intent durable: before its request.
    pub fn intend(&mut self, intent: Uuid, sent: Sent) -> Result<(), SyncError> {
        let message = format!("intend a {} for {}", sent.action.name(), sent.path);
        self.change_intent(intent, Some(sent));
        self.flush_as(Some(&message))
    }

    /// The next flush has it.
    pub fn change_intent(&mut self, intent: Uuid, sent: Option<Sent>) {
        let note =
            sent.as_ref().map(|sent| serde_json::to_value(sent).expect("string keys, and no value that can fail"));
        self.notes.push((format!("{KIND}{intent}"), note));
        match sent {
            Some(sent) => drop(self.sent.insert(intent, sent)),
            None => drop(self.sent.remove(&intent)),
        }
    }

    /// Entries that the outbox lost, and intents that nothing waits for any more.
    pub fn reconcile_intents(&mut self) -> Result<(), SyncError> {
        let now = self.now();
        for (intent, sent) in self.sent.clone() {
            if !self.outbox.has_intent(intent) {
                self.outbox.restore(&sent, intent, now)?;
            }
        }
        Ok(())
    }

    /// An intent whose only request never left this machine is none: what is asked next is what the file says by then.
    pub fn take_back<T>(
        &mut self,
        intent: Uuid,
        is_first: bool,
        answer: Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        if is_first && matches!(answer, Err(RemoteError::Offline { .. })) {
            self.change_intent(intent, None);
        }
        answer
    }

    /// Keeps an entry as one whose outcome is not known.
    pub fn keep_open(&mut self, entry: &OutboxEntry) -> Result<(), SyncError> {
        if entry.state != OutboxState::Sent {
            self.outbox.set(entry.id, OutboxState::Sent, None)?;
        }
        Ok(())
    }

    /// It was looked for too early.
    pub fn leave_open(&mut self, entry: &OutboxEntry) -> Result<(), SyncError> {
        self.keep_open(entry)?;
        let reason = format!("{} did not answer; whether it was made shows later", self.name());
        self.report.deferred.push(Trouble { path: Some(entry.path.clone()), reason });
        Ok(())
    }

    /// Whether it is too early to say that a create, or a comment, was not carried out.
    pub fn is_open(&self, sent: &Sent) -> bool {
        let age = self.now().duration_since(sent.at).unsigned_abs();
        !self.capabilities.idempotent_create && age < LISTING_LAG
    }
}
