//! Files for issues that are new here: a page at a time, since a first pull makes tens of thousands.

use super::{
    SyncError,
    cycle::Cycle,
    files::{HeldBack, WriteError},
    names,
    pull::is_newer,
    tickets::{Absence, Found},
};
use crate::domain::{
    document::Document,
    issue::RemoteIssue,
    path::WsPath,
    plan::{CommentStep, Presence},
};

/// The files of one issue: the ticket's first, then its comments', in the page's list of files.
struct Files {
    issue: RemoteIssue,
    held: HeldBack,
    first: usize,
    count: usize,
}

impl Cycle<'_> {
    /// Keeps an issue for [`Cycle::write_fresh`] if nothing is known of it; answers whether it did.
    pub fn is_fresh(&mut self, issue: &RemoteIssue) -> Result<bool, SyncError> {
        if let Some(known) = self.fresh.iter_mut().find(|known| known.id == issue.id) {
            if is_newer(&issue.updated_at, &known.updated_at) {
                known.clone_from(issue);
            }
            return Ok(true);
        }
        let is_fresh = !self.tracking.issues.contains_key(&issue.id)
            && matches!(self.find(issue, None)?, Found::Absent(Absence::Unknown))
            && self.plan(None, None, Some(issue)).presence == Presence::Write
            && !self.may_be_ours(issue);
        if is_fresh {
            self.fresh.push(issue.clone());
        }
        Ok(is_fresh)
    }

    /// Writes the files of what [`Cycle::is_fresh`] kept. Where a name is taken, that issue goes the way of all others.
    pub fn write_fresh(&mut self) -> Result<(), SyncError> {
        let (mut all, mut issues) = (Vec::new(), Vec::new());
        for issue in std::mem::take(&mut self.fresh) {
            let first = all.len();
            match self.files_of(&issue, &mut all) {
                Ok(held) => issues.push(Files { issue, held, first, count: all.len() - first }),
                Err(_) => {
                    all.truncate(first);
                    self.apply(issue)?;
                }
            }
        }
        let Ok(made) = self.sync.parts.root.create_all(&all) else {
            return issues.into_iter().try_for_each(|files| self.apply(files.issue));
        };
        let actor = self.actor();
        let there = all.iter().zip(&made).filter(|(_, made)| made.is_ok());
        there.for_each(|((path, _), _)| self.sync.parts.settler.touch(path, &actor));
        for Files { issue, held, first, count } in issues {
            let path = all[first].0.clone();
            let made = &made[first..first + count];
            if made[0].is_err() {
                self.apply(issue)?;
                continue;
            }
            self.step("file")?;
            let comments = if made.iter().all(Result::is_ok) {
                Ok(count - 1)
            } else {
                let left = issue.comments.iter().zip(&made[1..]).filter(|(_, made)| made.is_err());
                let steps: Vec<CommentStep> = left.map(|(comment, _)| CommentStep::Write(comment.clone())).collect();
                self.take_comments(&path, &issue, &steps)
            };
            self.has_file(path, issue, held, comments, "created");
        }
        Ok(())
    }

    fn files_of(&self, issue: &RemoteIssue, files: &mut Vec<(WsPath, Vec<u8>)>) -> Result<HeldBack, WriteError> {
        let (document, held) = self.new_document(issue);
        let path = names::object_paths(&self.sync.parts.config, issue).next().ok_or(WriteError::NoName)?;
        let mut add = |path: WsPath, document: &Document| match self.sync.parts.settler.check(&path, document.bytes()) {
            Some(problem) => Err(WriteError::Invalid(problem.message)),
            None => {
                files.push((path, document.bytes().to_vec()));
                Ok(())
            }
        };
        add(path.clone(), &document)?;
        for (index, comment) in issue.comments.iter().enumerate() {
            let name = names::comment_paths(&path, index + 1, &comment.author).next().ok_or(WriteError::NoName)?;
            add(name, &self.new_comment(comment)?)?;
        }
        Ok(held)
    }
}
