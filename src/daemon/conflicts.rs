//! Settling conflicts as a person says.

use super::{
    Engine,
    control::{Resolution, TicketName},
    report::ResolveReport,
};
use crate::{
    domain::path::WsPath,
    sync::{Side, Word},
};
use anyhow::{anyhow, bail};
use std::collections::BTreeSet;

impl Engine {
    /// Settles conflicts as a person said, and syncs, so that the other side follows.
    pub(super) fn resolve(
        &self,
        ticket: &TicketName,
        remote: Option<&str>,
        field: Option<&str>,
        to: &Resolution,
    ) -> anyhow::Result<ResolveReport> {
        self.whole_index()?;
        self.settle_and_commit(None)?;
        let mut conflicts = self.remotes.conflicts();
        conflicts.retain(|conflict| conflict.is_meant(ticket, remote, field));
        let path = only_one(&ticket.said, conflicts.iter().map(|conflict| &conflict.path).collect())?
            .ok_or_else(|| anyhow!("{} has no such conflict; `trackfs status` lists what there is", ticket.said))?;
        let word = match to {
            Resolution::Ours => Word::Side(Side::Local),
            Resolution::Theirs => Word::Side(Side::Remote),
            Resolution::Value(_) if conflicts.len() > 1 => bail!("a value settles one conflict; say which --field"),
            Resolution::Value(value) => Word::Value(value),
        };
        let remotes: BTreeSet<&String> = conflicts.iter().map(|conflict| &conflict.remote).collect();
        let mut report = ResolveReport { path: path.clone(), ..ResolveReport::default() };
        for remote in remotes {
            let settled = self.remotes.resolve(remote, &path, field, word);
            report.settled.extend(settled.map_err(|reason| anyhow!("{remote}: {reason}"))?);
            self.settle_and_commit(None)?;
            report.remotes.extend(self.remotes.sync(Some(remote), false, false));
        }
        self.settle_and_commit(None)?;
        Ok(report)
    }
}

/// The only path of those that what was said can mean; `None` where there is none.
pub(super) fn only_one(said: &str, paths: BTreeSet<&WsPath>) -> anyhow::Result<Option<WsPath>> {
    if paths.len() > 1 {
        let paths: Vec<&str> = paths.iter().map(|path| path.as_str()).collect();
        bail!("{said} may be any of {}; say its path", paths.join(", "));
    }
    Ok(paths.first().map(|path| (*path).clone()))
}
