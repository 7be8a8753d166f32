//! Conflicts as values: what was agreed, what the file says, and what the remote says.

use super::{
    cycle::Cycle,
    memory::{Conflict, Memory},
};
use crate::{
    domain::{
        issue::{FieldValue, RemoteComment, RemoteIssue},
        path::WsPath,
        plan::{CommentStep, Local, Plan},
    },
    workspace::store::{Store, StoreError},
};

/// The conflicts with one remote as of its last cycle, by ticket. Asks neither the remote nor git.
pub fn conflicts(store: &Store, remote: &str) -> Result<Vec<Conflict>, StoreError> {
    let mut conflicts = Memory::load(store, remote)?.conflicts;
    conflicts.sort_by(|a, b| (&a.path, &a.field).cmp(&(&b.path, &b.field)));
    Ok(conflicts)
}

/// The three states that a plan was made from.
#[derive(Clone, Copy)]
pub(super) struct States<'s> {
    pub base: Option<&'s RemoteIssue>,
    pub local: &'s Local,
    pub remote: &'s RemoteIssue,
}

impl Cycle<'_> {
    /// What a plan leaves to a person.
    pub fn conflicts(&self, path: &WsPath, states: States<'_>, plan: &Plan) -> Vec<Conflict> {
        let conflict = |field: String, base: Option<FieldValue>, local: FieldValue, theirs: FieldValue| Conflict {
            remote: self.name().to_owned(),
            path: path.clone(),
            key: states.remote.key.clone(),
            field,
            base,
            local,
            theirs,
        };
        let fields = plan.conflicts().map(|(field, local, theirs)| {
            let base = states.base.and_then(|base| base.fields.get(&field)).cloned();
            conflict(field.name().to_owned(), base, local.clone(), theirs.clone())
        });
        let comments = plan.comments.iter().filter_map(|step| {
            let CommentStep::Conflict { name, id } = step else { return None };
            let body = |issue: &RemoteIssue| Some(FieldValue::text(&*comment(issue, id)?.body));
            let local = states.local.comments.iter().find(|comment| comment.name == *name)?;
            let (base, theirs) = (states.base.and_then(body), body(states.remote)?);
            Some(conflict(comment_field(name), base, FieldValue::text(&*local.body), theirs))
        });
        fields.chain(comments).collect()
    }
}

/// What people call a comment in conflict: `comments/2-bob.md`.
pub(super) fn comment_field(file: &str) -> String {
    format!("comments/{}", file.rsplit('/').next().unwrap_or(file))
}

pub(super) fn comment<'i>(issue: &'i RemoteIssue, id: &str) -> Option<&'i RemoteComment> {
    issue.comments.iter().find(|comment| comment.id == id)
}
