//! What the commands about the past share: opening it, meaning a moment, showing what changed.

use super::{
    failure,
    output::{Output, local_time},
    report::short_id,
};
use crate::{
    daemon::{Location, past::History},
    domain::{
        Value,
        past::{FieldChange, Version},
        text::shown,
    },
    git::{Repo, Revision},
};
use jiff::tz::TimeZone;
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// Between two words on how far reading a long history is.
const PROGRESS: Duration = Duration::from_secs(1);

/// The history of a workspace, as of HEAD. Reading a long one for the first time takes a while: whoever looks on is told.
pub fn open(at: &Location) -> anyhow::Result<History> {
    at.make_state()?;
    let history = History::open(Arc::new(Repo::open(&at.git_dir)?), &at.state)?;
    let mut told = Instant::now();
    history.catch_up(|progress| {
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            tracing::info!(target: "trackfs::progress", "history: {} of {} commits", progress.done, progress.of);
        }
        true
    })?;
    Ok(history)
}

/// The commit that a person means.
pub fn revision(history: &History, said: &str) -> anyhow::Result<Revision> {
    history.revision(said, &TimeZone::system())?.ok_or_else(|| {
        failure::advise(
            format!("{said} is no commit, branch or tag, and no commit is that old"),
            "say an id, a name, or a time: `trackfs log` shows ids and times; 2026-11-20T14:00, 2026-11-20, HEAD~3",
        )
    })
}

/// What to do where a commit is sought and there is none.
pub const NOT_COMMITTED: &str =
    "a new file is committed after a quiet moment, or by `trackfs commit`; `trackfs log` shows what was";

/// One commit's line.
pub fn headline(version: &Version) -> String {
    let by = by(&version.author, &version.actors);
    format!("{} {}  {}  ({by})", short_id(&version.commit), local_time(version.at), version.subject)
}

/// The author of a commit, and whose saves it has.
pub fn by(author: &str, actors: &[String]) -> String {
    match actors {
        [] => author.to_owned(),
        actors => format!("{author} by {}", actors.join(", ")),
    }
}

/// What a version changed, a line each.
pub fn changes(version: &Version, out: &mut Output) -> io::Result<()> {
    if let Some(from) = &version.moved_from {
        out.line(format!("    moved from {from}"))?;
    }
    match (&version.before, &version.blob) {
        (None, _) => out.line("    created")?,
        (_, None) => out.line("    removed")?,
        _ => {}
    }
    version.changes.iter().try_for_each(|change| out.line(format!("    {}", change_line(change))))
}

/// `status: todo → done`, `labels: +bug −ui`, `body edited`.
pub fn change_line(FieldChange { field, from, to }: &FieldChange) -> String {
    let Some(field) = field else { return "body edited".to_owned() };
    match (from, to) {
        (Value::Array(from), Value::Array(to)) => {
            let only = |these: &[Value], those: &[Value], sign: char| {
                let new = these.iter().filter(|item| !those.contains(item));
                new.map(|item| format!(" {sign}{}", shown(item))).collect::<String>()
            };
            format!("{field}:{}{}", only(to, from, '+'), only(from, to, '−'))
        }
        (Value::Null, to) => format!("{field}: {}", shown(to)),
        (from, Value::Null) => format!("{field}: {} → nothing", shown(from)),
        (from, to) => format!("{field}: {} → {}", shown(from), shown(to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_is_one_line() {
        let line = |field: Option<&str>, from: Value, to: Value| {
            change_line(&FieldChange { field: field.map(str::to_owned), from, to })
        };
        assert_eq!(line(Some("status"), json!("todo"), json!("done")), "status: todo → done");
        assert_eq!(line(Some("due"), json!("2026-12-01"), json!(null)), "due: 2026-12-01 → nothing");
        assert_eq!(line(Some("labels"), json!(["a", "b"]), json!(["b", "c"])), "labels: +c −a");
        assert_eq!(line(Some("labels"), json!(null), json!(["b", "c"])), "labels: b, c");
        assert_eq!(line(None, json!(null), json!(null)), "body edited");
    }
}
