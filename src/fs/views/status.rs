//! The folder `status/`.

use super::{Entry, Shown, Virtual};
use crate::{
    domain::{catalog::numbered, path::WsPath},
    fs::StatusFile,
};
use std::collections::HashSet;

const FILES: [(&str, StatusFile); 5] = [
    ("events.jsonl", StatusFile::Events),
    ("health.json", StatusFile::Health),
    ("outbox.jsonl", StatusFile::Outbox),
    ("problems.md", StatusFile::Problems),
    ("refused.md", StatusFile::Refused),
];

pub(super) fn entries() -> Vec<Entry> {
    let files = FILES.iter().map(|(name, file)| Entry::new(*name, Virtual::File(file.clone())));
    files.chain([Entry::new("conflicts", Virtual::Folder("status/conflicts".to_owned()))]).collect()
}

/// A page for each ticket in conflict. Equal names are numbered in the order of their paths.
pub(super) fn conflicts(shown: &Shown<'_>) -> Vec<Entry> {
    let mut names = HashSet::new();
    let page = |ticket: &WsPath| {
        let ending = ticket.extension().map_or(String::new(), |extension| format!(".{extension}"));
        let name = free_name(&mut names, ticket.stem(), &ending);
        Entry::new(name, Virtual::File(StatusFile::Conflicts(ticket.clone())))
    };
    shown.conflicts.iter().map(page).collect()
}

/// The first of `stem`, `stem~2`, … with this ending that is not there yet, which it then is.
pub(super) fn free_name(names: &mut HashSet<String>, stem: &str, ending: &str) -> String {
    let free = (1..).map(|number| numbered(stem, number, ending)).find(|name| !names.contains(name));
    let name = free.expect("the numbers do not end");
    names.insert(name.clone());
    name
}
