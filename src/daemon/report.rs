//! What the engine answers, in the shapes that `--json` prints. Field names are stable.

use super::control::TicketName;
use crate::{
    domain::{
        Fields, Timestamp, event::Event, past::FieldChange, path::WsPath, problem::Problem, snapshot::ContentHash,
    },
    sync::{Conflict, Done, Report, Row, Trouble},
    workspace::{settle::Progress, store::Excerpt},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// One screen about a workspace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    pub workspace: PathBuf,
    /// `mounted`, `watching` or `stopped`.
    pub running: String,
    pub mountpoint: Option<PathBuf>,
    pub pid: Option<u32>,
    pub branch: Option<String>,
    pub head: Option<String>,
    pub tickets: usize,
    /// How far the index is, while it is made or caught up: files that are not in it yet are readable and writable, and
    /// are not in the views.
    pub indexing: Option<Progress>,
    /// Settled and not committed yet.
    pub uncommitted: Vec<WsPath>,
    pub problems: Vec<Problem>,
    pub conflicts: Vec<ConflictReport>,
    pub remotes: Vec<RemoteStatus>,
    /// Seq of the newest event.
    pub last_event: u64,
    /// Anything a person should know: a shadowed folder, a watch limit reached.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RemoteStatus {
    pub name: String,
    /// `github`, `linear`, `simulator`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `ok`, `never`, `offline`, `unauthorized`, `waiting`, `failing`.
    pub state: String,
    pub last_contact: Option<String>,
    pub last_error: Option<String>,
    pub pending: usize,
    pub held: usize,
    pub refused: usize,
    /// While it is being read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing: Option<ListingReport>,
}

/// How far the reading of a remote is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingReport {
    pub remote: String,
    /// Entries of its listing that were taken so far.
    pub listed: usize,
    /// About how many there are, where the remote says.
    pub of: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictReport {
    pub remote: String,
    pub path: WsPath,
    pub key: String,
    pub field: String,
    /// What was last agreed; `None`: nothing was.
    pub base: Option<String>,
    pub local: String,
    pub theirs: String,
}

impl ConflictReport {
    /// Whether it is one of those that somebody means who names a ticket and, perhaps, a remote and a field.
    pub fn is_meant(&self, ticket: &TicketName, remote: Option<&str>, field: Option<&str>) -> bool {
        ticket.means(&self.path, Some(&self.key))
            && remote.is_none_or(|remote| remote == self.remote)
            && field.is_none_or(|field| field == self.field)
    }
}

/// What `resolve` settled, and the cycle that carried it out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ResolveReport {
    pub path: WsPath,
    pub settled: Vec<SettledReport>,
    pub remotes: Vec<RemoteReport>,
}

/// A ticket whose ties to remotes were changed, and the cycles that carried it out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TieReport {
    pub path: WsPath,
    /// What `sync:` says now: remote to key, `new` or `none`.
    pub sync: BTreeMap<String, String>,
    pub remotes: Vec<RemoteReport>,
}

/// Files that were made again what they were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreReport {
    /// The commit that they were taken from.
    pub from: String,
    pub restored: Vec<WsPath>,
    /// They were so already.
    pub unchanged: Vec<WsPath>,
    /// The commit that was made.
    pub commit: Option<String>,
}

/// The tickets that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListReport {
    pub tickets: Vec<TicketRow>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketRow {
    pub path: WsPath,
    pub title: String,
    /// What its block says, as text; `sync` apart.
    pub fields: BTreeMap<String, Vec<String>>,
    pub tags: Vec<String>,
    /// Remote to key.
    pub sync: BTreeMap<String, String>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// One ticket, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShowReport {
    pub path: WsPath,
    pub title: String,
    /// As the ticket has them, `sync` too.
    pub fields: Fields,
    pub body: String,
    pub comments: Vec<CommentReport>,
    pub problems: Vec<Problem>,
    /// Where it is on the web, by remote.
    pub urls: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentReport {
    pub path: WsPath,
    pub author: Option<String>,
    /// As the tracker says it.
    pub created: Option<String>,
    pub body: String,
}

/// What many changes make of tickets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChangeReport {
    pub changes: Vec<TicketChange>,
    pub removals: usize,
    /// `sync.max_removals`.
    pub max_removals: usize,
    /// `None`: nothing was made yet, or nothing had to be.
    pub commit: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TicketChange {
    pub path: WsPath,
    /// `created`, `edited` or `removed`.
    pub what: String,
    pub changes: Vec<FieldChange>,
    /// Of the file; `None`: it was not there.
    pub before: Option<ContentHash>,
}

/// Files that have the words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchReport {
    /// The best first.
    pub hits: Vec<Excerpt>,
    /// Whether there are others.
    pub more: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledReport {
    pub remote: String,
    pub field: String,
    /// The value that gave way.
    pub lost: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CommitReport {
    /// `None`: there was nothing to commit.
    pub commit: Option<String>,
    pub message: Option<String>,
    pub paths: Vec<WsPath>,
    /// What was not committed, since it has what looks like a token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Problem>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FlushReport {
    /// Events that settling made.
    pub events: Vec<Event>,
    pub commit: CommitReport,
    pub remotes: Vec<RemoteReport>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SyncReport {
    pub dry_run: bool,
    pub remotes: Vec<RemoteReport>,
}

/// What one remote's cycle did, or (dry run) would do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RemoteReport {
    pub remote: String,
    pub rows: Vec<SyncRow>,
    pub pending: usize,
    pub held: usize,
    /// The first thing that went wrong, said for people.
    pub error: Option<String>,
}

impl RemoteReport {
    /// Whether something was left for a later cycle.
    pub fn has_pending(&self) -> bool {
        self.rows.iter().any(|row| row.outcome == "pending")
    }

    /// Whether anything crossed.
    pub fn has_moved(&self) -> bool {
        self.rows.iter().any(|row| row.outcome == "done")
    }
}

/// One line of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRow {
    /// `pull`, `push`, `create`, `archive`, `comment`, `conflict`.
    pub action: String,
    pub path: Option<WsPath>,
    pub key: Option<String>,
    /// Field names.
    pub what: Vec<String>,
    /// `done`, `planned`, `pending`, `held`, `refused`, `conflict`.
    pub outcome: String,
    pub note: Option<String>,
}

impl SyncRow {
    /// What a cycle did, held, planned and could not do, in that order.
    pub(super) fn all_of(report: Report) -> Vec<Self> {
        let done = |action: &'static str, outcome: &'static str| {
            move |done: Done| SyncRow {
                action: action.to_owned(),
                path: Some(done.path),
                key: Some(done.key),
                what: done.what,
                outcome: outcome.to_owned(),
                note: None,
            }
        };
        let row = |outcome: &'static str| {
            move |row: Row| SyncRow {
                action: row.action.name().to_owned(),
                path: Some(row.path),
                key: row.key,
                what: row.what,
                outcome: outcome.to_owned(),
                note: None,
            }
        };
        let trouble = |outcome: &'static str| {
            move |trouble: Trouble| SyncRow {
                action: "push".to_owned(),
                path: trouble.path,
                outcome: outcome.to_owned(),
                note: Some(trouble.reason),
                ..SyncRow::default()
            }
        };
        let conflict = |conflict: Conflict| SyncRow {
            action: "conflict".to_owned(),
            path: Some(conflict.path),
            key: Some(conflict.key),
            what: vec![conflict.field],
            outcome: "conflict".to_owned(),
            note: None,
        };
        // A plan says so itself.
        let conflicts = if report.planned.is_empty() { report.conflicts } else { Vec::new() };
        let mut rows: Vec<SyncRow> = report.pulled.into_iter().map(done("pull", "done")).collect();
        rows.extend(report.pushed.into_iter().map(done("push", "done")));
        rows.extend(report.held.into_iter().map(row("held")));
        rows.extend(report.planned.into_iter().map(row("planned")));
        rows.extend(report.deferred.into_iter().map(trouble("pending")));
        rows.extend(report.refused.into_iter().map(trouble("refused")));
        rows.extend(conflicts.into_iter().map(conflict));
        rows
    }
}

/// How unmounting went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnmountReport {
    /// `unmounted`, `ended` (a `watch`), `in-use`, or `not-mounted`.
    pub outcome: String,
    /// Of a mount in use, by process.
    pub holders: Vec<HolderReport>,
    /// Processes of other users, which could not be looked at.
    pub unseen: usize,
}

/// One thing of the mount that a process has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderReport {
    pub pid: u32,
    pub command: String,
    /// `open file`, `current directory`, `root directory`, `running program`, `mapped file`.
    pub hold: String,
    /// From the mount point.
    pub path: PathBuf,
}
