//! What a remote last said, as a commit chain on `refs/trackfs/remotes/<remote>`.
//!
//! The tree holds `cursor.json`, one file per object, `issues/<xx>/<id>.json`, spread over 256 folders so that one
//! changed issue among many rewrites a small tree, and one per note, `notes/<kind>/<name>.json`. Ids come from a remote:
//! they are escaped before they name anything.

use super::{
    GitError, Tracking, TrackingUpdate,
    commit::{Draft, Edit},
    durable,
    turn::take_turn,
};
use crate::domain::{issue::RemoteIssue, path::WsPath};
use gix::{
    ObjectId, Repository,
    objs::{Kind, tree::EntryKind},
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, fmt::Write, fs, path::Path, time::Duration};

/// Issues already decoded, by remote and blob id.
pub(super) type Cache = HashMap<String, HashMap<ObjectId, RemoteIssue>>;

const CURSOR: &str = "cursor.json";
const ISSUES: &str = "issues";
const NOTES: &str = "notes/";
/// How often a write is built anew because another machine's fetch moved the ref.
const ATTEMPTS: usize = 20;

#[derive(Serialize, Deserialize)]
struct CursorFile {
    cursor: String,
}

pub(super) fn read(repo: &Repository, remote: &str, cache: &Mutex<Cache>) -> Result<Tracking, GitError> {
    let Some(tip) = tip(repo, &ref_name(remote)?)? else { return Ok(Tracking::default()) };
    let entries = repo.find_commit(tip)?.tree()?.traverse().breadthfirst.files()?;
    let mut known = cache.lock().remove(remote).unwrap_or_default();
    let mut fresh = HashMap::new();
    let mut tracking = Tracking::default();
    for entry in entries.iter().filter(|entry| entry.mode.is_blob()) {
        if entry.filepath == CURSOR {
            tracking.cursor = Some(parse::<CursorFile>(repo, entry.oid, CURSOR)?.cursor);
        } else if entry.filepath.starts_with(b"issues/") {
            let issue = match known.remove(&entry.oid) {
                Some(issue) => issue,
                None => parse(repo, entry.oid, &entry.filepath.to_string())?,
            };
            tracking.issues.insert(issue.id.clone(), issue.clone());
            fresh.insert(entry.oid, issue);
        } else if let Some(name) = note_name(&entry.filepath.to_string()) {
            tracking.notes.insert(name, parse(repo, entry.oid, NOTES)?);
        }
    }
    cache.lock().insert(remote.to_owned(), fresh);
    Ok(tracking)
}

pub(super) fn write(
    repo: &Repository,
    remote: &str,
    update: TrackingUpdate<'_>,
    message: &str,
) -> Result<(), GitError> {
    let name = ref_name(remote)?;
    let _turn = take_turn(repo)?;
    remove_stale_lock(&repo.common_dir().join(format!("{name}.lock")))?;
    let mut edits = update.issues.iter().map(|issue| issue_edit(repo, issue)).collect::<Result<Vec<_>, _>>()?;
    for (name, value) in update.notes {
        edits.push(note_edit(repo, name, value.as_ref())?);
    }
    if let Some(cursor) = update.cursor {
        let file = CursorFile { cursor: cursor.to_owned() };
        edits.push(json_edit(repo, CURSOR.to_owned(), &file)?);
    }
    for _ in 0..ATTEMPTS {
        let Some(draft) = Draft::new(repo, tip(repo, &name)?, &edits, message)? else { return Ok(()) };
        draft.sync(repo)?;
        match draft.move_ref(repo, &name) {
            Err(GitError::Moved) => {}
            Err(error) => return Err(error),
            Ok(()) => {
                let files = [repo.common_dir().join(&name), repo.common_dir().join("logs").join(&name)];
                return Ok(durable::sync_files(&files, repo.common_dir())?);
            }
        }
    }
    Err(GitError::Moved)
}

/// A trackfs that was killed in the middle left it: git itself would be done with a ref of ours long ago.
fn remove_stale_lock(lock: &Path) -> Result<(), GitError> {
    const STALE: Duration = Duration::from_secs(10);
    match fs::metadata(lock) {
        Ok(found) if found.modified()?.elapsed().is_ok_and(|age| age > STALE) => Ok(fs::remove_file(lock)?),
        _ => Ok(()),
    }
}

pub(super) fn tip_of(repo: &Repository, remote: &str) -> Result<Option<String>, GitError> {
    Ok(tip(repo, &ref_name(remote)?)?.map(|tip| tip.to_string()))
}

/// Remotes that something is kept of, sorted.
pub(super) fn remotes(repo: &Repository) -> Result<Vec<String>, GitError> {
    let references = repo.references().map_err(said)?;
    let mut names = Vec::new();
    for reference in references.prefixed("refs/trackfs/remotes/").map_err(said)? {
        let name = reference.map_err(said)?.name().as_bstr().to_string();
        names.extend(name.strip_prefix("refs/trackfs/remotes/").map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

fn said(error: impl std::fmt::Display) -> GitError {
    GitError::Git(error.to_string())
}

fn tip(repo: &Repository, name: &str) -> Result<Option<ObjectId>, GitError> {
    let found = repo.try_find_reference(name)?;
    Ok(found.map(|mut found| found.peel_to_id()).transpose()?.map(gix::Id::detach))
}

fn ref_name(remote: &str) -> Result<String, GitError> {
    let name = format!("refs/trackfs/remotes/{remote}");
    match gix::refs::FullName::try_from(name.as_str()) {
        Ok(_) if !remote.contains('/') => Ok(name),
        _ => Err(GitError::Git(format!("{remote:?} cannot name a remote"))),
    }
}

fn issue_edit(repo: &Repository, issue: &RemoteIssue) -> Result<Edit, GitError> {
    let id = issue.id.as_bytes();
    let hash = gix::objs::compute_hash(repo.object_hash(), Kind::Blob, id)?;
    json_edit(repo, format!("{ISSUES}/{:02x}/{}.json", hash.first_byte(), escape(&issue.id)), issue)
}

fn note_edit(repo: &Repository, name: &str, value: Option<&serde_json::Value>) -> Result<Edit, GitError> {
    let names: Vec<String> = name.split('/').map(escape).collect();
    let path = format!("{NOTES}{}.json", names.join("/"));
    match value {
        Some(value) => json_edit(repo, path, value),
        None => Ok(Edit { path: WsPath::new(path).expect("escaped names are legal"), entry: None }),
    }
}

/// The name of the note that this file of the tree holds.
fn note_name(path: &str) -> Option<String> {
    let names = path.strip_prefix(NOTES)?.strip_suffix(".json")?.split('/').map(unescape);
    Some(names.collect::<Option<Vec<_>>>()?.join("/"))
}

fn json_edit(repo: &Repository, path: String, value: &impl Serialize) -> Result<Edit, GitError> {
    let mut json = serde_json::to_vec_pretty(value).expect("string keys, and no value that can fail");
    json.push(b'\n');
    let path = WsPath::new(path).expect("escaped names are legal");
    Ok(Edit { path, entry: Some((EntryKind::Blob, durable::write_object(repo, Kind::Blob, &json)?)) })
}

fn parse<T: for<'de> Deserialize<'de>>(repo: &Repository, id: ObjectId, path: &str) -> Result<T, GitError> {
    let blob = repo.find_blob(id)?;
    serde_json::from_slice(&blob.data).map_err(|error| GitError::Git(format!("{path} of a tracking ref: {error}")))
}

/// A file name for any id, reversibly: everything but ASCII letters, digits, `-` and `_` becomes `%XX`.
fn escape(id: &str) -> String {
    id.bytes().fold(String::with_capacity(id.len()), |mut name, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            _ => write!(name, "%{byte:02X}").expect("a String takes everything"),
        }
        name
    })
}

/// The inverse of [`escape`]; `None` where it cannot have made this.
fn unescape(name: &str) -> Option<String> {
    let mut parts = name.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_id_has_a_safe_file_name_of_its_own(id in ".*") {
            let name = escape(&id);
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_%".contains(&byte)));
            prop_assert_eq!(unescape(&name), Some(id));
        }
    }
}
