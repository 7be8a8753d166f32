//! Names of versions as `ls` shows them: `0012-2026-11-20T14-03-status-done-alice.md`.

use super::{FieldChange, Version};
use crate::domain::{text::scalar_text, view::slug};
use jiff::tz::TimeZone;

/// Bytes of what a version changed, and of who did it.
const MAX_WORDS: usize = 60;
const MAX_AUTHOR: usize = 30;

/// Number, time in the zone, what changed, who, and the extension that the file had.
pub fn version_name(version: &Version, zone: &TimeZone) -> String {
    let at = version.at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H-%M").to_string();
    let words = [slug(&what(version), MAX_WORDS), slug(version.author_name(), MAX_AUTHOR)];
    let words = words.iter().filter(|word| !word.is_empty()).map(|word| format!("-{word}")).collect::<String>();
    let extension = version.path.extension().map_or(String::new(), |extension| format!(".{extension}"));
    format!("{:04}-{at}{words}{extension}", version.number)
}

/// The number that a name begins with.
pub fn number_of(name: &str) -> Option<usize> {
    let (number, _) = name.split_once('-')?;
    (number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit())).then(|| number.parse().ok())?
}

fn what(version: &Version) -> String {
    if version.is_first() {
        return "created".to_owned();
    }
    match &version.changes[..] {
        _ if version.blob.is_none() => "removed".to_owned(),
        [] if version.moved_from.is_some() => "moved".to_owned(),
        [] => "edited".to_owned(),
        [change] => one(change),
        changes => match changes.iter().find(|change| change.field.as_deref() == Some("status")) {
            Some(status) => format!("{} and {} more", one(status), changes.len() - 1),
            None => {
                changes.iter().map(|change| change.field.as_deref().unwrap_or("body")).collect::<Vec<_>>().join(" ")
            }
        },
    }
}

fn one(change: &FieldChange) -> String {
    let Some(field) = &change.field else { return "body".to_owned() };
    format!("{field} {}", scalar_text(&change.to).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Value, path::WsPath};
    use serde_json::json;

    fn version(changes: Vec<FieldChange>) -> Version {
        Version {
            number: 12,
            commit: "c".into(),
            author: "Alice B <a@example.org>".into(),
            actors: Vec::new(),
            at: "2026-11-20T14:03:59Z".parse().unwrap(),
            subject: String::new(),
            path: WsPath::new("tickets/login.md").unwrap(),
            moved_from: None,
            before: Some("1".into()),
            blob: Some("2".into()),
            executable: false,
            changes,
        }
    }

    fn change(field: Option<&str>, to: Value) -> FieldChange {
        FieldChange { field: field.map(str::to_owned), from: Value::Null, to }
    }

    #[test]
    fn a_name_says_when_what_and_who() {
        let named = |version: &Version| version_name(version, &TimeZone::UTC);
        let status = change(Some("status"), json!("done"));
        let body = change(None, Value::Null);
        for (changes, expected) in [
            (vec![status.clone()], "0012-2026-11-20T14-03-status-done-alice-b.md"),
            (vec![body.clone(), status], "0012-2026-11-20T14-03-status-done-and-1-more-alice-b.md"),
            (vec![change(Some("labels"), json!(["a"])), body], "0012-2026-11-20T14-03-labels-body-alice-b.md"),
            (vec![change(Some("title"), json!("../../x\n"))], "0012-2026-11-20T14-03-title-x-alice-b.md"),
            (vec![], "0012-2026-11-20T14-03-edited-alice-b.md"),
        ] {
            let version = version(changes);
            assert_eq!(named(&version), expected);
            assert_eq!(number_of(&named(&version)), Some(12));
        }
        let created = Version { before: None, author: "…".into(), ..version(Vec::new()) };
        assert_eq!(named(&created), "0012-2026-11-20T14-03-created.md");
        assert_eq!([number_of("12-x"), number_of("00x2-x"), number_of("0001")], [None; 3]);
    }
}
