//! Tickets and their ties to remotes, as commands ask for them: edits of `sync:` that any editor could make.

use super::{
    Engine,
    control::{NewTicket, TicketName},
    engine::myself,
    report::{RemoteReport, TieReport},
};
use crate::{
    domain::{
        Fields, Value,
        document::Document,
        path::WsPath,
        tie::{NEW, NONE, Tie},
        view::slug,
    },
    workspace::root::ReplaceError,
};
use anyhow::{anyhow, bail};

/// Bytes of a title that go into a file name.
const MAX_NAME: usize = 60;

impl Engine {
    pub(super) fn link(&self, ticket: &TicketName, remote: &str, key: Option<&str>) -> anyhow::Result<TieReport> {
        self.must_know(remote)?;
        self.whole_index()?;
        self.settle_and_commit(None)?;
        let path = self.ticket_or_spec(ticket)?;
        if self.is_spec(&path)? && self.config().remotes[remote].documents.is_none() {
            bail!(
                "{path} is a spec, and {remote} keeps no documents; say where: `remotes.{remote}.documents` in .trackfs/config.yaml"
            );
        }
        let before = self.tie(&path, remote)?;
        match (&before, key) {
            (Some(Tie::Key(old)), Some(new)) if old == new => {}
            (Some(Tie::Key(old)), _) => {
                bail!("{path} is {old} on {remote} already; `trackfs unlink {path} {remote}` parts them first")
            }
            _ => {}
        }
        if let Some(key) = key {
            self.refuse_second_ticket(&path, remote, key)?;
        }
        self.set_tie(&path, remote, key.unwrap_or(NEW))?;
        let remotes = self.carry_out(&[remote.to_owned()])?;
        let heard = remotes.iter().all(|report| report.error.is_none());
        if let Some(key) = key.filter(|_| heard)
            && !self.repo.tracking(remote)?.issues.values().any(|issue| issue.key == key)
        {
            self.set_tie(&path, remote, NONE)?;
            self.settle_and_commit(None)?;
            bail!("{remote} has no {key}; {path} is not linked to it");
        }
        self.tied(path, remotes)
    }

    pub(super) fn unlink(&self, ticket: &TicketName, remote: &str) -> anyhow::Result<TieReport> {
        self.must_know(remote)?;
        self.whole_index()?;
        self.settle_and_commit(None)?;
        let path = self.ticket_or_spec(ticket)?;
        self.set_tie(&path, remote, NONE)?;
        self.settle_and_commit(None)?;
        self.tied(path, Vec::new())
    }

    pub(super) fn new_ticket(&self, new: &NewTicket) -> anyhow::Result<TieReport> {
        new.remotes.iter().try_for_each(|remote| self.must_know(remote))?;
        self.whole_index()?;
        let fields = self.fields_of(new)?;
        let body = if new.body.is_empty() { String::new() } else { format!("{}\n", new.body.trim_end_matches('\n')) };
        let document = Document::new(&fields, &body);
        let folder = match new.remotes.first() {
            Some(remote) => self.config().remotes[remote].folder.clone(),
            None => WsPath::new("tickets").expect("a legal path"),
        };
        for name in names(&new.title) {
            let path = folder.join(&name)?;
            if let Some(problem) = self.settler.check(&path, document.bytes()) {
                bail!("the ticket would not be valid: {}", problem.message);
            }
            match self.root.replace(&path, None, document.bytes()) {
                Err(ReplaceError::Changed) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    self.wrote(&myself(), &path, document.bytes().len());
                    let remotes = self.carry_out(&new.remotes)?;
                    return self.tied(path, remotes);
                }
            }
        }
        bail!("no file name is free for {:?} in {folder}", new.title)
    }

    fn fields_of(&self, new: &NewTicket) -> anyhow::Result<Fields> {
        let mut fields = Fields::from_iter([("title".to_owned(), Value::from(new.title.as_str()))]);
        if let Some(status) = self.settler.schema().statuses.first() {
            fields.insert("status".to_owned(), Value::from(status.name.as_str()));
        }
        for (name, text) in &new.fields {
            let read = Document::parse(format!("---\n{name}: {text}\n---\n").as_bytes());
            let value = read.get(name).cloned().ok_or_else(|| anyhow!("{name}={text} is no field and value"))?;
            fields.insert(name.clone(), value);
        }
        if !new.remotes.is_empty() {
            let ties = new.remotes.iter().map(|remote| (remote.clone(), Value::from(NEW)));
            fields.insert("sync".to_owned(), Value::Object(ties.collect()));
        }
        Ok(fields)
    }

    fn tie(&self, path: &WsPath, remote: &str) -> anyhow::Result<Option<Tie>> {
        Ok(self.store.snapshot(path)?.and_then(|snapshot| Tie::of(snapshot.fields.get("sync"), remote)))
    }

    /// Two tickets with one object would fight over it.
    fn refuse_second_ticket(&self, path: &WsPath, remote: &str, key: &str) -> anyhow::Result<()> {
        for (other, snapshot) in self.store.snapshots()? {
            let tie = Tie::of(snapshot.fields.get("sync"), remote);
            let is_one = snapshot.is_ticket() || snapshot.is_spec();
            if other != *path && is_one && tie.as_ref().and_then(Tie::key) == Some(key) {
                bail!("{key} of {remote} is {other} already; `trackfs unlink {other} {remote}` parts them first");
            }
        }
        Ok(())
    }

    fn set_tie(&self, path: &WsPath, remote: &str, word: &str) -> anyhow::Result<()> {
        let tied = |old: &[u8]| -> anyhow::Result<Vec<u8>> {
            let mut document = Document::parse(old);
            document.set_in("sync", remote, Some(&Value::from(word)))?;
            match self.settler.check(path, document.bytes()) {
                Some(problem) => bail!("{path} has an error: {}", problem.message),
                None => Ok(document.bytes().to_vec()),
            }
        };
        self.edit(&myself(), path, tied).map(drop).map_err(|error| match error.downcast_ref::<ReplaceError>() {
            Some(ReplaceError::Changed) => anyhow!("{path} is being written; try again"),
            Some(error) => anyhow!("{path}: {error}"),
            None => error,
        })
    }

    /// Commits, then syncs these remotes, so that everybody has heard of it when the command ends.
    fn carry_out(&self, remotes: &[String]) -> anyhow::Result<Vec<RemoteReport>> {
        self.settle_and_commit(None)?;
        let mut reports = Vec::new();
        for remote in remotes {
            reports.extend(self.remotes.sync(Some(remote), false, false));
            self.settle_and_commit(None)?;
        }
        Ok(reports)
    }

    fn tied(&self, path: WsPath, remotes: Vec<RemoteReport>) -> anyhow::Result<TieReport> {
        let document = Document::parse(&self.root.read(&path)?);
        let ties = document.get("sync").and_then(Value::as_object).cloned().unwrap_or_default();
        let said = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let sync = ties.iter().map(|(remote, value)| (remote.clone(), said(value))).collect();
        Ok(TieReport { path, sync, remotes })
    }
}

/// File names for a title, by preference.
pub(super) fn names(title: &str) -> impl Iterator<Item = String> {
    let stem = match slug(title, MAX_NAME).as_str() {
        "" => "ticket".to_owned(),
        slug => slug.to_owned(),
    };
    (1..100).map(move |n| if n == 1 { format!("{stem}.md") } else { format!("{stem}-{n}.md") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_makes_a_plain_file_name() {
        let first = |title: &str| names(title).next().unwrap();
        assert_eq!(first("Login fails: Safari / iOS 18!"), "login-fails-safari-ios-18.md");
        assert_eq!(first("../../etc/passwd"), "etc-passwd.md");
        assert_eq!(first("…"), "ticket.md");
        assert_eq!(names("A").nth(1).unwrap(), "a-2.md");
    }
}
