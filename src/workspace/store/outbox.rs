//! The outbox: writes that a remote has still to answer.

use super::{Store, StoreError, history::collect};
use crate::domain::{Timestamp, path::WsPath};
use rusqlite::{Connection, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A write that a remote has still to answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Row id; 0 before it is stored.
    pub id: i64,
    pub remote: String,
    pub path: WsPath,
    /// `create`, `update`, `archive`, `comment`.
    pub action: String,
    /// Names of the fields it would change, for people.
    pub what: Vec<String>,
    /// Client-chosen key of a create; stored before the request.
    pub intent: Option<Uuid>,
    pub state: OutboxState,
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    pub created_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutboxState {
    /// Not sent yet, or failed in a way that passes.
    Pending,
    /// A request is out; after a crash its outcome is unknown.
    Sent,
    /// Beyond a limit: waits for `sync --yes`.
    Held,
    /// The remote will not take it until the ticket changes.
    Refused,
}

impl OutboxState {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Held => "held",
            Self::Refused => "refused",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Pending, Self::Sent, Self::Held, Self::Refused].into_iter().find(|state| state.name() == name)
    }
}

const COLUMNS: &str = "id, state, attempts, last_error, entry";

impl Store {
    /// Stores an entry (replacing the one of the same remote, path and action that is not `Sent`); answers its id.
    pub fn outbox_put(&self, entry: &OutboxEntry) -> Result<i64, StoreError> {
        self.journal.write(|transaction| {
            transaction
                .prepare_cached("DELETE FROM outbox WHERE remote = ? AND path = ? AND action = ? AND state <> 'sent'")?
                .execute(params![entry.remote, entry.path.as_str(), entry.action])?;
            insert(transaction, entry)
        })
    }

    /// Every entry, oldest first.
    pub fn outbox(&self) -> Result<Vec<OutboxEntry>, StoreError> {
        self.journal.read(all)
    }

    /// Records how an entry fares. Where a newer one for the same thing waits beside a request that comes back from
    /// `Sent`, the older stays: its intent may already be known to the remote.
    pub fn outbox_state(
        &self,
        id: i64,
        state: OutboxState,
        attempts: u32,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        self.journal.write(|transaction| {
            if state != OutboxState::Sent {
                transaction
                    .prepare_cached(
                        "DELETE FROM outbox WHERE state <> 'sent' AND id <> ?1 AND (remote, path, action) =
                         (SELECT remote, path, action FROM outbox WHERE id = ?1)",
                    )?
                    .execute([id])?;
            }
            transaction
                .prepare_cached("UPDATE outbox SET state = ?, attempts = ?, last_error = ? WHERE id = ?")?
                .execute(params![state.name(), attempts, error, id])?;
            Ok(())
        })
    }

    pub fn outbox_remove(&self, id: i64) -> Result<(), StoreError> {
        self.journal.write(|transaction| {
            transaction.prepare_cached("DELETE FROM outbox WHERE id = ?")?.execute([id])?;
            Ok(())
        })
    }
}

/// Every entry, oldest first.
pub(super) fn all(connection: &Connection) -> Result<Vec<OutboxEntry>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox ORDER BY id"))?;
    collect(statement.query([])?, entry)
}

/// The entries of a damaged journal that can be read.
pub(super) fn readable(connection: &Connection) -> Vec<OutboxEntry> {
    let mut entries = Vec::new();
    if let Ok(mut statement) = connection.prepare(&format!("SELECT {COLUMNS} FROM outbox ORDER BY id"))
        && let Ok(mut rows) = statement.query([])
    {
        while let Ok(Some(row)) = rows.next() {
            entries.extend(entry(row));
        }
    }
    entries
}

/// Stores an entry beside the others; answers its id.
pub(super) fn insert(transaction: &Transaction, entry: &OutboxEntry) -> Result<i64, StoreError> {
    let query = "INSERT INTO outbox (remote, path, action, state, attempts, last_error, entry)
                 VALUES (?, ?, ?, ?, ?, ?, ?)";
    Ok(transaction.prepare_cached(query)?.insert(params![
        entry.remote,
        entry.path.as_str(),
        entry.action,
        entry.state.name(),
        entry.attempts,
        entry.last_error,
        serde_json::to_string(entry)?
    ])?)
}

fn entry(row: &Row) -> Result<OutboxEntry, StoreError> {
    let mut entry: OutboxEntry = serde_json::from_str(row.get_ref("entry")?.as_str().map_err(rusqlite::Error::from)?)?;
    entry.id = row.get("id")?;
    if let Some(state) = OutboxState::named(&row.get::<_, String>("state")?) {
        entry.state = state;
    }
    entry.attempts = row.get("attempts")?;
    entry.last_error = row.get("last_error")?;
    Ok(entry)
}
