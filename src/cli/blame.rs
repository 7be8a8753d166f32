//! `blame`: who gave each field of a ticket the value that it has.

use super::{
    ask::locate,
    failure, history,
    log::workspace_path,
    output::{Output, local_time},
    report::short_id,
};
use crate::domain::{
    Fields, Timestamp, Value,
    past::{Meaning, Version},
    path::WsPath,
    text::{shortened, shown},
};
use clap::Args;
use serde::Serialize;
use std::{io, path::PathBuf};

/// Characters of the widest value.
const MAX_VALUE: usize = 40;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs blame tickets/fix-login.md                       each field, its value, when it came and by whom
  trackfs blame tickets/fix-login.md --json | jq -r 'select(.field == \"status\") | .author'

It tells of what is committed; `git blame` does the same for the lines of the text.")]
pub struct BlameArgs {
    /// A ticket or another Markdown file
    path: PathBuf,
}

/// A field as it is now, and the version that made it so.
#[derive(Debug, Serialize)]
struct Blamed<'v> {
    /// `None`: the text below the block.
    field: Option<&'v str>,
    value: &'v Value,
    commit: &'v str,
    author: &'v str,
    actors: &'v [String],
    at: Timestamp,
    /// Where the file was then.
    path: &'v WsPath,
}

pub fn run(args: &BlameArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(None)?;
    let path = workspace_path(&at, &args.path)?;
    let history = history::open(&at)?;
    let versions = history.versions(&path)?;
    let Some(blob) = history.latest(&path)? else {
        return Err(failure::advise(format!("{path} is not in the last commit"), history::NOT_COMMITTED));
    };
    let Some(now) = Meaning::of(&history.repo.blob(&blob)?) else {
        let next = format!("`trackfs status` says what is wrong with it; `trackfs log {path}` shows when it came");
        return Err(failure::advise(format!("{path} cannot be read as it was committed last"), next));
    };
    let blamed = blamed(&versions, now.fields());
    if out.is_json() {
        return Ok(blamed.iter().try_for_each(|line| out.json(line))?);
    }
    Ok(table(&blamed, out)?)
}

/// For each field, in the order of the file, the newest version that gave it this value; then the one that wrote the text.
/// What a merge took over from one side was said there.
fn blamed<'v>(versions: &'v [Version], fields: &'v Fields) -> Vec<Blamed<'v>> {
    let newest = |made: &dyn Fn(&Version) -> bool| versions.iter().rev().find(|version| made(version));
    let set = |name: &str, value: &Value| {
        newest(&|version| {
            version.changes.iter().any(|change| change.field.as_deref() == Some(name) && change.to == *value)
        })
    };
    let said = fields.iter().filter_map(|(name, value)| Some(Blamed::by(set(name, value)?, Some(name), value)));
    // Whoever makes a file writes its text.
    let wrote = |version: &Version| version.is_first() || version.changes.iter().any(|change| change.field.is_none());
    said.chain(newest(&wrote).map(|version| Blamed::by(version, None, &Value::Null))).collect()
}

impl<'v> Blamed<'v> {
    fn by(version: &'v Version, field: Option<&'v str>, value: &'v Value) -> Self {
        let Version { commit, author, actors, at, path, .. } = version;
        Self { field, value, commit, author, actors, at: *at, path }
    }
}

fn table(blamed: &[Blamed<'_>], out: &mut Output) -> io::Result<()> {
    let cells = |line: &Blamed<'_>| {
        let value = line.field.map_or(String::new(), |_| shortened(&shown(line.value), MAX_VALUE));
        [line.field.unwrap_or("(text)").to_owned(), value]
    };
    let rows: Vec<_> = blamed.iter().map(cells).collect();
    let widths = [0, 1].map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    for ([field, value], line) in rows.iter().zip(blamed) {
        let by = history::by(line.author, line.actors);
        let (field, value) = (format!("{field:<0$}", widths[0]), format!("{value:<0$}", widths[1]));
        out.line(format!("{} {}  {field}  {value}  {by}", short_id(line.commit), local_time(line.at)))?;
    }
    Ok(())
}
