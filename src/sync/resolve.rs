//! Settling a conflict by a person's word: the base moves so that one side counts as unchanged.

use super::{SyncError, cycle::Cycle, tickets::Found};
use crate::domain::path::WsPath;

/// Which side of a conflict holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What the file says; the remote follows with the next push.
    Local,
    /// What the remote says; the file follows with the next pull.
    Remote,
}

impl Cycle<'_> {
    pub fn resolve(&mut self, path: &WsPath, field: Option<&str>, side: Side) -> Result<usize, SyncError> {
        let Found::Ticket(ticket) = self.read(path) else { return Ok(0) };
        let id =
            self.memory.unapplied.values().find(|issue| self.locate(&issue.id, &[&issue.key]).as_ref() == Some(path));
        let Some(remote) = id.cloned() else { return Ok(0) };
        let base = self.tracking.issues.get(&remote.id).cloned();
        let local = self.as_rendered(&remote.id, base.as_ref(), ticket.local.clone());
        let plan = self.plan(base.as_ref(), Some(&local), Some(&remote));
        let mut next = base.unwrap_or_else(|| plan.base_after_pull(None, &remote));
        let mut settled = 0;
        for (conflict, ours, theirs) in
            plan.conflicts().filter(|(name, ..)| field.is_none_or(|field| field == name.name()))
        {
            next.fields.insert(conflict, if side == Side::Local { theirs.clone() } else { ours.clone() });
            settled += 1;
        }
        self.memory.conflicts.retain(|known| known.path != *path || field.is_some_and(|field| field != known.field));
        self.track(next);
        self.flush()?;
        Ok(settled)
    }
}
