//! Rules about text that every provider shares: limits, names, line ends, and what of a remote's words may be shown.

use super::RemoteError;
use crate::domain::{
    issue::{Capabilities, Field, FieldValue, IssueFields, MergeKind, ObjectKind},
    nearest::nearest,
};

/// Why a milestone is refused to an issue of Linear's that is in no project.
pub(super) const NO_PROJECT: &str = "a milestone belongs to a project there, and the issue is in none";

/// Whether two labels or accounts are one to a tracker.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

/// Text with LF line ends: web editors store CRLF, which nobody typed.
pub(super) fn with_lf(text: &str) -> String {
    text.split('\n').map(|line| line.trim_end_matches('\r')).collect::<Vec<_>>().join("\n")
}

/// A remote's words made fit for a message: one line, no control characters, at most 300 characters.
pub(super) fn quotable(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Refuses, before anything is sent, what the remote is known not to take.
pub(super) fn check(remote: &str, capabilities: &Capabilities, fields: &IssueFields) -> Result<(), RemoteError> {
    for (field, value) in fields {
        if let Some(message) = fault(capabilities, *field, value) {
            return Err(invalid(remote, *field, message));
        }
    }
    Ok(())
}

/// Refuses a project, and a document that is nowhere: neither can be made.
pub(super) fn check_kind(remote: &str, kind: ObjectKind, fields: &IssueFields) -> Result<(), RemoteError> {
    let is_said = |field| fields.get(&field).and_then(FieldValue::as_text).is_some();
    match kind {
        ObjectKind::Document if !is_said(Field::Project) && !is_said(Field::Parent) => Err(invalid(
            remote,
            Field::Project,
            "a document belongs to a project, or to an issue; say which in `project:`, or `parent:`",
        )),
        ObjectKind::Project => Err(no_project(remote, "made")),
        _ => Ok(()),
    }
}

/// Refuses to put a project away: only its text is ours.
pub(super) fn check_archived(remote: &str, id: &str) -> Result<(), RemoteError> {
    if ObjectKind::of(id) == ObjectKind::Project { Err(no_project(remote, "put away")) } else { Ok(()) }
}

fn no_project(remote: &str, done: &str) -> RemoteError {
    refused(remote, format!("a project is {done} there, not here"))
}

/// The remote will not do it, whatever its fields say.
pub(super) fn refused(remote: &str, message: impl Into<String>) -> RemoteError {
    RemoteError::Invalid { remote: remote.to_owned(), field: None, message: message.into() }
}

/// Refuses a comment, before anything is sent, that says nothing or is too long.
pub(super) fn check_comment(remote: &str, capabilities: &Capabilities, body: &str) -> Result<(), RemoteError> {
    let fault = if body.trim().is_empty() {
        Some("a comment has to say something; to delete it, remove its file".to_owned())
    } else {
        too_long(body, capabilities.max_body)
    };
    fault.map_or(Ok(()), |message| Err(invalid(remote, Field::Body, message)))
}

/// The comment is not the account's own.
pub(super) fn not_ours(remote: &str, author: &str) -> RemoteError {
    refused(remote, format!("the comment is by {}; only its author changes it", quotable(author)))
}

/// The remote will not take this value of `field`.
pub(super) fn invalid(remote: &str, field: Field, message: impl Into<String>) -> RemoteError {
    RemoteError::Invalid { remote: remote.to_owned(), field: Some(field.name().to_owned()), message: message.into() }
}

/// What a link of `field` means is not there.
pub(super) fn no_issue(remote: &str, field: Field, key: &str) -> RemoteError {
    invalid(remote, field, format!("there is no issue {key:?}"))
}

/// The label is not one of the `known` ones of a `place`, and may not be made there.
pub(super) fn unknown_label<'k>(
    remote: &str,
    place: &str,
    name: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> RemoteError {
    let meant = nearest(name, known).map_or_else(|| ".".to_owned(), |known| format!("; did you mean {known:?}?"));
    let message = format!(
        "{name:?} is no label of {place}{meant} Make it there, or set `remotes.{remote}.create_labels: true` in \
         .trackfs/config.yaml, and run `trackfs sync --yes`"
    );
    invalid(remote, Field::Labels, message)
}

/// A refusal that names no field, of a request about one field only, is about that field.
pub(super) fn about(field: Field, error: RemoteError) -> RemoteError {
    match error {
        RemoteError::Invalid { remote, field: None, message } => invalid(&remote, field, message),
        other => other,
    }
}

/// What is wrong with a value, judged without asking the remote.
fn fault(capabilities: &Capabilities, field: Field, value: &FieldValue) -> Option<String> {
    if !capabilities.fields.contains(&field) {
        return Some("there is no such field there".into());
    }
    let text = match (field.merge_kind(), value) {
        (MergeKind::Set, FieldValue::Set(addresses)) if field == Field::Attachments => {
            let other = addresses.iter().find(|address| !is_address(address))?;
            return Some(format!("{other:?} is no address: https://…"));
        }
        (MergeKind::Set, FieldValue::Set(names)) => {
            return names.contains("").then(|| "one of them has no name".into());
        }
        (MergeKind::Set, _) | (_, FieldValue::Set(_)) => return Some("a set and a single value were mixed up".into()),
        (_, FieldValue::Text(text)) => text.as_deref(),
    };
    match (field, text) {
        (Field::Title, text) if text.is_none_or(|title| title.trim().is_empty()) => Some("it is empty".into()),
        (Field::Title, Some(title)) => too_long(title, capabilities.max_title),
        (Field::Body, Some(body)) => too_long(body, capabilities.max_body),
        (Field::Status, None) => Some("an issue always has one".into()),
        (Field::Status, Some(name)) => one_of(name, capabilities.states.iter().map(|state| &state.name)),
        (Field::Priority, Some(name)) => one_of(name, capabilities.priorities.iter()),
        (Field::Type, Some(name)) => one_of(name, capabilities.types.iter()),
        (Field::Estimate, Some(text)) => text.parse::<i32>().err().map(|_| format!("{text:?} is no whole number")),
        (Field::Due, Some(text)) => text.parse::<jiff::civil::Date>().err().map(|_| format!("{text:?} is no date")),
        _ => None,
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<reqwest::Url>().is_ok_and(|url| url.has_host())
}

fn too_long(text: &str, limit: usize) -> Option<String> {
    let length = text.chars().count();
    (length > limit).then(|| format!("it has {length} characters, and {limit} is the limit there"))
}

fn one_of<'a>(name: &str, mut known: impl Iterator<Item = &'a String> + Clone) -> Option<String> {
    if known.clone().any(|known| known == name) {
        return None;
    }
    let mut names = known.next().cloned().unwrap_or_default();
    known.for_each(|known| names = format!("{names}, {known}"));
    Some(format!("{name:?} is not one of: {names}"))
}

/// What is called `name`: just so, else whatever the case. Where there is none, or there are several, a refusal that says
/// what there is.
pub(super) fn named<'k, T>(
    remote: &str,
    field: Field,
    name: &str,
    known: &'k [T],
    call: impl Fn(&'k T) -> &'k str,
) -> Result<&'k T, RemoteError> {
    let such = |same: fn(&str, &str) -> bool| known.iter().filter(|it| same(call(it), name)).collect::<Vec<_>>();
    let exact = such(|known, name| known == name);
    match (if exact.is_empty() { such(same_name) } else { exact }).as_slice() {
        [one] => Ok(one),
        [] if known.is_empty() => Err(invalid(remote, field, format!("{name:?} is not there, and nor is any other"))),
        [] => {
            let names = quotable(&known.iter().map(call).collect::<Vec<_>>().join(", "));
            Err(invalid(remote, field, format!("{name:?} is not one of: {names}")))
        }
        _ => Err(invalid(remote, field, format!("several there are called {name:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_differ_in_more_than_case_to_be_two() {
        assert!(same_name("Bug", "bUG"));
        assert!(same_name("ÄRGER", "ärger"));
        assert!(!same_name("bug", "bugs"));
    }

    #[test]
    fn a_name_is_found_as_written_then_whatever_its_case_and_never_guessed() {
        let known = ["v1", "V1", "Beta", "Gamma", "gamma"].map(str::to_owned);
        let find = |name: &str| named("r", Field::Milestone, name, &known, String::as_str).map(String::as_str);
        assert_eq!((find("v1"), find("V1"), find("beta")), (Ok("v1"), Ok("V1"), Ok("Beta")));
        let said = |name| find(name).unwrap_err().to_string();
        assert_eq!(said("GAMMA"), "r refused milestone: several there are called \"GAMMA\"");
        assert_eq!(said("v9"), "r refused milestone: \"v9\" is not one of: v1, V1, Beta, Gamma, gamma");
        let none: [String; 0] = [];
        let error = named("r", Field::Cycle, "9", &none, String::as_str).unwrap_err();
        assert_eq!(error.to_string(), "r refused cycle: \"9\" is not there, and nor is any other");
    }

    proptest! {
        #[test]
        fn a_quoted_text_is_one_short_line(text in any::<String>()) {
            let quoted = quotable(&text);
            prop_assert!(quoted.chars().count() <= 300);
            prop_assert!(!quoted.chars().any(char::is_control));
        }

        #[test]
        fn line_ends_are_normal_after_one_pass(text in "[a\r\n]{0,12}") {
            let once = with_lf(&text);
            prop_assert!(!once.contains("\r\n"));
            prop_assert_eq!(with_lf(&once), once);
        }
    }
}
