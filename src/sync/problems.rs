//! What a person should know about files and a remote, as problems of the files. Asks neither the remote nor git.

use super::memory::Memory;
use crate::{
    domain::{
        document::{Document, Position},
        path::WsPath,
        problem::{Problem, Severity},
    },
    workspace::{
        config::RemoteConfig,
        root::Root,
        store::{OutboxEntry, OutboxState, Store, StoreError},
    },
};

/// What a remote refused, creates of which only a person can say what they made, and edits of files that it alone writes.
pub fn problems(root: &Root, store: &Store, remote: &str, config: &RemoteConfig) -> Result<Vec<Problem>, StoreError> {
    let entries = store.outbox()?.into_iter().filter(|entry| entry.remote == remote);
    let problem = |entry: OutboxEntry| match entry.state {
        OutboxState::Refused => Some(refused(root, entry)),
        OutboxState::Held => unclear(entry),
        OutboxState::Pending | OutboxState::Sent => None,
    };
    let mut problems: Vec<_> = entries.filter_map(problem).collect();
    if config.pulls || config.timeline {
        for (path, written) in Memory::load(store, remote)?.readings {
            if store.snapshot(&path)?.is_some_and(|snapshot| snapshot.content != written) {
                problems.push(edited_reading(remote, path));
            }
        }
    }
    Ok(problems)
}

/// At the field in question, if it was one that the file shows.
fn refused(root: &Root, entry: OutboxEntry) -> Problem {
    let place = match &entry.what[..] {
        [field] => root.read(&entry.path).ok().and_then(|bytes| Document::parse(&bytes).value_position(field)),
        _ => None,
    };
    let reason = entry.last_error.unwrap_or_else(|| "no reason given".to_owned());
    let message = format!("{} did not take the {}: {reason}", entry.remote, entry.action);
    let help = "it is sent again when the ticket or the configuration changes, and once an hour".to_owned();
    let problem = Problem::of_file(entry.path, Severity::Warning, "remote-refused", message, help);
    problem.at(place.unwrap_or(Position::START))
}

/// Of what is held for more than a limit: the reason.
fn unclear(entry: OutboxEntry) -> Option<Problem> {
    let (name, remote) = (entry.path.stem(), &entry.remote);
    let help = format!("`trackfs link {name} {remote}:KEY` says which; `trackfs sync --yes` makes another");
    Some(Problem::of_file(entry.path.clone(), Severity::Warning, "remote-unclear", entry.last_error?, help))
}

fn edited_reading(remote: &str, path: WsPath) -> Problem {
    let message = format!("it shows what {remote} says, and what is edited here is not sent");
    let help = "the next change there overwrites it".to_owned();
    Problem::of_file(path, Severity::Warning, "read-only", message, help)
}
