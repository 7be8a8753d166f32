//! The outbox of one remote: what was decided to be sent, durable before it is sent.
//!
//! Entries follow from states: one whose reason is gone is removed, except while its outcome is unknown (`Sent`).

use super::{Action, Row, intents::Sent};
use crate::{
    domain::{Timestamp, path::WsPath},
    fault,
    workspace::store::{OutboxEntry, OutboxState, Store, StoreError},
};
use std::{collections::BTreeMap, sync::Arc};
use uuid::Uuid;

pub(super) struct Outbox {
    store: Arc<Store>,
    remote: String,
    entries: Vec<OutboxEntry>,
}

impl Outbox {
    pub fn load(store: &Arc<Store>, remote: &str) -> Result<Self, StoreError> {
        let entries = store.outbox()?.into_iter().filter(|entry| entry.remote == remote).collect();
        Ok(Self { store: Arc::clone(store), remote: remote.to_owned(), entries })
    }

    pub fn get(&self, path: &WsPath, action: Action) -> Option<&OutboxEntry> {
        // An outcome that is unknown comes before a newer wish for the same.
        let mut of_this = self.entries.iter().filter(|entry| entry.path == *path && entry.action == action.name());
        of_this.clone().find(|entry| entry.state == OutboxState::Sent).or_else(|| of_this.next())
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn has_intent(&self, intent: Uuid) -> bool {
        self.entries.iter().any(|entry| entry.intent == Some(intent))
    }

    /// Entries of one action that were sent with an intent, and were not answered as far as is known, with what was intended.
    pub fn asked(&self, action: Action, intents: &BTreeMap<Uuid, Sent>) -> Vec<(OutboxEntry, Uuid)> {
        let of_action = self.entries.iter().filter(|entry| entry.action == action.name());
        let asked = of_action.filter_map(|entry| {
            let intent = entry.intent?;
            (entry.state == OutboxState::Sent || intents.contains_key(&intent)).then(|| (entry.clone(), intent))
        });
        asked.collect()
    }

    /// The ticket of a request that was sent is elsewhere now.
    pub fn move_asked(&mut self, intent: Uuid, path: &WsPath) -> Result<(), StoreError> {
        let Some(at) = self.entries.iter().position(|entry| entry.intent == Some(intent)) else { return Ok(()) };
        let former = self.entries.remove(at);
        self.store.outbox_remove(former.id)?;
        let mut entry = OutboxEntry { id: 0, path: path.clone(), ..former };
        entry.id = self.store.outbox_put(&entry)?;
        self.entries.push(entry);
        Ok(())
    }

    /// Entries of one action whose outcome is unknown.
    pub fn sent(&self, action: Action) -> Vec<OutboxEntry> {
        let sent = |entry: &&OutboxEntry| entry.state == OutboxState::Sent && entry.action == action.name();
        self.entries.iter().filter(sent).cloned().collect()
    }

    /// The entry for a row; stored now if it is new. Creates and comments get their intent here, and keep it.
    pub fn put(&mut self, row: &Row, state: OutboxState, now: Timestamp) -> Result<OutboxEntry, StoreError> {
        let known = self.get(&row.path, row.action).cloned();
        if let Some(known) = known.as_ref().filter(|known| known.state == OutboxState::Sent) {
            return Ok(known.clone());
        }
        if let Some(known) = known.as_ref().filter(|known| known.state == state && known.what == row.what) {
            return Ok(known.clone());
        }
        let needs_intent = matches!(row.action, Action::Create | Action::Comment);
        let mut entry = OutboxEntry {
            id: 0,
            remote: self.remote.clone(),
            path: row.path.clone(),
            action: row.action.name().to_owned(),
            what: row.what.clone(),
            intent: known.as_ref().and_then(|known| known.intent).or_else(|| needs_intent.then(Uuid::new_v4)),
            state,
            attempts: known.as_ref().map_or(0, |known| known.attempts),
            // What is held says why it is, if more than a limit is the reason.
            last_error: known
                .as_ref()
                .and_then(|known| known.last_error.clone())
                .filter(|_| state != OutboxState::Held),
            created_at: known.as_ref().map_or(now, |known| known.created_at),
        };
        entry.id = self.store.outbox_put(&entry)?;
        fault::point("outbox.put");
        self.entries.retain(|other| known.as_ref().is_none_or(|known| known.id != other.id));
        self.entries.push(entry.clone());
        Ok(entry)
    }

    /// An entry for a request that was sent before the index was lost.
    pub fn restore(&mut self, sent: &Sent, intent: Uuid, now: Timestamp) -> Result<(), StoreError> {
        let mut entry = OutboxEntry {
            id: 0,
            remote: self.remote.clone(),
            path: sent.path.clone(),
            action: sent.action.name().to_owned(),
            what: Vec::new(),
            intent: Some(intent),
            state: OutboxState::Sent,
            attempts: 0,
            last_error: None,
            created_at: now,
        };
        entry.id = self.store.outbox_put(&entry)?;
        self.entries.push(entry);
        Ok(())
    }

    pub fn set(&mut self, id: i64, state: OutboxState, error: Option<&str>) -> Result<(), StoreError> {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id) else { return Ok(()) };
        entry.attempts += u32::from(error.is_some());
        entry.state = state;
        entry.last_error = error.map(str::to_owned);
        self.store.outbox_state(id, state, entry.attempts, error)
    }

    pub fn remove(&mut self, id: i64) -> Result<(), StoreError> {
        fault::point("outbox.answered");
        self.entries.retain(|entry| entry.id != id);
        self.store.outbox_remove(id)
    }

    /// Removes entries whose reason is gone. Of a request without an intent nothing is left to find out.
    pub fn keep_only(&mut self, rows: &[Row], intents: &BTreeMap<Uuid, Sent>) -> Result<(), StoreError> {
        let wanted =
            |entry: &OutboxEntry| rows.iter().any(|row| row.path == entry.path && row.action.name() == entry.action);
        let is_open = |intent: Uuid, entry: &OutboxEntry| {
            entry.state == OutboxState::Sent || (entry.action == Action::Create.name() && intents.contains_key(&intent))
        };
        let stale = |entry: &&OutboxEntry| !wanted(entry) && !entry.intent.is_some_and(|intent| is_open(intent, entry));
        let stale: Vec<i64> = self.entries.iter().filter(stale).map(|entry| entry.id).collect();
        stale.into_iter().try_for_each(|id| self.remove(id))
    }
}

impl Action {
    /// The name in the outbox.
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Pull => "pull",
            Self::Restore => "restore",
            Self::Conflict => "conflict",
            Self::Create => "create",
            Self::Update => "update",
            Self::Archive => "archive",
            Self::Comment => "comment",
            Self::Edit => "edit",
            Self::Delete => "delete",
        }
    }
}
