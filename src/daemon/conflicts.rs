//! Conflicts for people: the page about a ticket's, and settling them.

use super::{
    Engine,
    control::{Resolution, TicketName},
    report::{ConflictReport, ResolveReport},
};
use crate::{
    domain::path::WsPath,
    sync::{Side, Word},
};
use anyhow::{anyhow, bail};
use std::{collections::BTreeSet, fmt::Write};

/// `status/conflicts/NAME.md`.
pub fn page(ticket: &WsPath, conflicts: &[ConflictReport]) -> String {
    let mut page = format!(
        "# Conflicts of {ticket}\n\n\
         Both sides changed the same thing in different ways. Your file keeps your value, the tracker keeps its own.\n"
    );
    for conflict in conflicts.iter().filter(|conflict| conflict.path == *ticket) {
        let ConflictReport { remote, key, field, base, local, theirs, .. } = conflict;
        let _ = write!(page, "\n## {field}, with {remote} ({key})\n");
        for (what, value) in [("Last agreed", base.as_deref()), ("Here", Some(local)), ("There", Some(theirs))] {
            let _ = write!(page, "\n{what}{}\n", value.map_or_else(|| ": nothing".to_owned(), quoted));
        }
        let only = format!("--field {field} --remote {remote}");
        let _ = write!(
            page,
            "\nTo end it, make the file say what {remote} says, or run one of\n\n\
             \x20   trackfs resolve {ticket} --ours {only}\n\
             \x20   trackfs resolve {ticket} --theirs {only}\n\
             \x20   trackfs resolve {ticket} --edit {only}\n\n\
             What gives way stays in git: `git log refs/trackfs/remotes/{remote}` and `git log -p -- {ticket}`.\n"
        );
    }
    page
}

/// A value in a fence that nothing in it can close.
fn quoted(value: &str) -> String {
    let longest = value.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!(":\n\n{fence}\n{}\n{fence}", value.trim_end_matches('\n'))
}

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
        conflicts.retain(|conflict| {
            ticket.means(&conflict.path, Some(&conflict.key))
                && remote.is_none_or(|remote| remote == conflict.remote)
                && field.is_none_or(|field| field == conflict.field)
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_the_three_states_and_what_to_do() {
        let conflict = ConflictReport {
            remote: "linear".into(),
            path: WsPath::new("tickets/login.md").unwrap(),
            key: "ENG-1".into(),
            field: "body".into(),
            base: None,
            local: "one\n```\ncode\n```\n".into(),
            theirs: "# two".into(),
        };
        insta::assert_snapshot!(page(&conflict.path.clone(), &[conflict]), @r"
        # Conflicts of tickets/login.md

        Both sides changed the same thing in different ways. Your file keeps your value, the tracker keeps its own.

        ## body, with linear (ENG-1)

        Last agreed: nothing

        Here:

        ````
        one
        ```
        code
        ```
        ````

        There:

        ```
        # two
        ```

        To end it, make the file say what linear says, or run one of

            trackfs resolve tickets/login.md --ours --field body --remote linear
            trackfs resolve tickets/login.md --theirs --field body --remote linear
            trackfs resolve tickets/login.md --edit --field body --remote linear

        What gives way stays in git: `git log refs/trackfs/remotes/linear` and `git log -p -- tickets/login.md`.
        ");
    }
}
