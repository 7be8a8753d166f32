//! Three-way merging of one field: what each side changed since both agreed.
//!
//! `local` is the ticket, `remote` is what the tracker says now, `base` is what was last agreed. Nothing here knows the
//! time: what only one side changed crosses, what both changed differently is merged or is a conflict.

use super::{
    issue::{Field, FieldValue, MergeKind},
    markdown::{self, Style},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A three-way merge of text by lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextMerge {
    Clean(String),
    /// With `<<<<<<<` markers.
    Conflict(String),
}

/// Merges text by lines: base, ours, theirs.
pub type MergeText = fn(&str, &str, &str) -> TextMerge;

/// How the texts of one remote are compared and merged.
#[derive(Clone, Copy)]
pub struct Rules {
    pub style: Style,
    pub merge_text: MergeText,
}

/// What a field needs so that both sides agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Agreed,
    /// The ticket takes this value.
    Pull(FieldValue),
    /// The remote takes this value.
    Push(FieldValue),
    /// Both changed, and the changes fit together: each side takes its spelling of the same value.
    Both {
        pull: FieldValue,
        push: FieldValue,
    },
    /// Both changed, and only a person can say which holds.
    Conflict {
        local: FieldValue,
        remote: FieldValue,
    },
}

impl Outcome {
    /// What the ticket takes.
    pub fn pull(&self) -> Option<&FieldValue> {
        match self {
            Self::Pull(value) | Self::Both { pull: value, .. } => Some(value),
            _ => None,
        }
    }

    /// What the remote takes.
    pub fn push(&self) -> Option<&FieldValue> {
        match self {
            Self::Push(value) | Self::Both { push: value, .. } => Some(value),
            _ => None,
        }
    }

    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}

/// Merges one field. Without a base (linked by hand, or the tracking ref was lost) nothing is ever cleared: an empty side
/// takes the other's value, sets unite, and two different values are a conflict.
pub fn merge(
    field: Field,
    base: Option<&FieldValue>,
    local: &FieldValue,
    remote: &FieldValue,
    rules: Rules,
) -> Outcome {
    if same(field, local, remote, rules.style) {
        return Outcome::Agreed;
    }
    match (field.merge_kind(), local, remote) {
        (MergeKind::Set, FieldValue::Set(ours), FieldValue::Set(theirs)) => merge_sets(as_set(base), ours, theirs),
        (MergeKind::Lines, FieldValue::Text(ours), FieldValue::Text(theirs)) => {
            let base = base.map(|base| base.as_text().unwrap_or_default());
            merge_lines(base, ours.as_deref().unwrap_or_default(), theirs.as_deref().unwrap_or_default(), rules)
        }
        _ => merge_scalars(field, base, local, remote, rules.style),
    }
}

/// Whether two values of a field mean the same: bodies by normal form, labels whatever their case, empty text is none.
pub fn same(field: Field, a: &FieldValue, b: &FieldValue, style: Style) -> bool {
    match (field.merge_kind(), a, b) {
        (MergeKind::Lines, FieldValue::Text(a), FieldValue::Text(b)) => {
            markdown::same(a.as_deref().unwrap_or_default(), b.as_deref().unwrap_or_default(), style)
        }
        (_, FieldValue::Set(a), FieldValue::Set(b)) => folded(a).keys().eq(folded(b).keys()),
        _ => a == b || (is_empty(a) && is_empty(b)),
    }
}

/// Whether a value says nothing.
pub fn is_empty(value: &FieldValue) -> bool {
    match value {
        FieldValue::Text(text) => text.as_deref().is_none_or(|text| text.trim().is_empty()),
        FieldValue::Set(set) => set.is_empty(),
    }
}

fn merge_scalars(
    field: Field,
    base: Option<&FieldValue>,
    local: &FieldValue,
    remote: &FieldValue,
    style: Style,
) -> Outcome {
    let (ours, theirs) = match base {
        Some(base) => (!same(field, local, base, style), !same(field, remote, base, style)),
        None => (!is_empty(local), !is_empty(remote)),
    };
    match (ours, theirs) {
        (true, true) => Outcome::Conflict { local: local.clone(), remote: remote.clone() },
        (true, false) => Outcome::Push(local.clone()),
        (false, _) => Outcome::Pull(remote.clone()),
    }
}

fn merge_lines(base: Option<&str>, local: &str, remote: &str, rules: Rules) -> Outcome {
    let Rules { style, merge_text } = rules;
    let is_base = |text: &str| markdown::same(text, base.unwrap_or_default(), style);
    // Both are brought into the file's own style first: a remote's rewriting is no edit.
    let pull = |text: &str| FieldValue::text(text);
    let push = |text: &str| FieldValue::text(markdown::for_remote(text));
    let theirs = markdown::restyle(remote, local, style);
    if is_base(local) {
        return Outcome::Pull(pull(&theirs));
    }
    if is_base(remote) {
        return Outcome::Push(push(local));
    }
    let conflict = || Outcome::Conflict { local: FieldValue::text(local), remote: FieldValue::text(remote) };
    let Some(base) = base else { return conflict() };
    let lines = markdown::lines_of;
    let merged = match merge_text(&lines(&markdown::restyle(base, local, style)), &lines(local), &lines(&theirs)) {
        TextMerge::Clean(merged) => markdown::restyle(&merged, local, style),
        TextMerge::Conflict(_) => return conflict(),
    };
    if markdown::same(&merged, remote, style) {
        Outcome::Pull(pull(&merged))
    } else if markdown::same(&merged, local, style) {
        Outcome::Push(push(local))
    } else {
        Outcome::Both { pull: pull(&merged), push: push(&merged) }
    }
}

/// By members added and removed. Each side keeps its own spelling of a member that both have.
fn merge_sets(base: &BTreeSet<String>, local: &BTreeSet<String>, remote: &BTreeSet<String>) -> Outcome {
    let (base, ours, theirs) = (folded(base), folded(local), folded(remote));
    let stays =
        |member: &&String| !base.contains_key(*member) || (ours.contains_key(*member) && theirs.contains_key(*member));
    let members: BTreeSet<&String> = ours.keys().chain(theirs.keys()).filter(stays).collect();
    let spelled = |first: &BTreeMap<String, String>, second: &BTreeMap<String, String>| {
        let spell = |member: &&String| first.get(*member).or_else(|| second.get(*member)).cloned();
        FieldValue::Set(members.iter().filter_map(spell).collect())
    };
    let (pull, push) = (spelled(&ours, &theirs), spelled(&theirs, &ours));
    if members.iter().copied().eq(theirs.keys()) {
        Outcome::Pull(pull)
    } else if members.iter().copied().eq(ours.keys()) {
        Outcome::Push(push)
    } else {
        Outcome::Both { pull, push }
    }
}

fn as_set(value: Option<&FieldValue>) -> &BTreeSet<String> {
    static NONE: BTreeSet<String> = BTreeSet::new();
    match value {
        Some(FieldValue::Set(set)) => set,
        _ => &NONE,
    }
}

/// Members by their case-folded names: trackers hold `Bug` and `bug` for one label.
fn folded(set: &BTreeSet<String>) -> BTreeMap<String, String> {
    set.iter().map(|member| (member.to_lowercase(), member.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(style: Style) -> Rules {
        fn by_line(base: &str, ours: &str, theirs: &str) -> TextMerge {
            let (b, o, t): (Vec<_>, Vec<_>, Vec<_>) =
                (base.lines().collect(), ours.lines().collect(), theirs.lines().collect());
            if b.len() != o.len() || b.len() != t.len() {
                return TextMerge::Conflict(String::new());
            }
            let pick = |i: usize| match (o[i] == b[i], t[i] == b[i]) {
                (true, _) => Some(t[i]),
                (_, true) => Some(o[i]),
                _ => None,
            };
            match (0..b.len()).map(pick).collect::<Option<Vec<_>>>() {
                Some(lines) => TextMerge::Clean(lines.join("\n") + "\n"),
                None => TextMerge::Conflict(String::new()),
            }
        }
        Rules { style, merge_text: by_line }
    }

    fn set(members: &[&str]) -> FieldValue {
        FieldValue::Set(members.iter().map(|m| (*m).to_owned()).collect())
    }

    #[test]
    fn labels_merge_by_members_added_and_removed() {
        let merged = merge(
            Field::Labels,
            Some(&set(&["a", "b"])),
            &set(&["a", "b", "c"]),
            &set(&["b", "d"]),
            rules(Style::Verbatim),
        );
        let all = set(&["b", "c", "d"]);
        assert_eq!(merged, Outcome::Both { pull: all.clone(), push: all });
    }

    #[test]
    fn labels_keep_each_sides_spelling() {
        let verbatim = rules(Style::Verbatim);
        let base = set(&["Bug"]);
        assert_eq!(merge(Field::Labels, Some(&base), &set(&["bug"]), &base, verbatim), Outcome::Agreed);
        assert_eq!(
            merge(Field::Labels, Some(&base), &set(&["bug", "ui"]), &base, verbatim),
            Outcome::Push(set(&["Bug", "ui"]))
        );
        assert_eq!(
            merge(Field::Labels, Some(&base), &set(&["bug"]), &set(&["Bug", "ui"]), verbatim),
            Outcome::Pull(set(&["bug", "ui"]))
        );
    }

    #[test]
    fn a_remote_edit_far_from_a_local_one_merges_in_the_files_style() {
        let base = FieldValue::text("* one\n* two\n* three");
        let local = FieldValue::text("- one!\n- two\n- three\n");
        let remote = FieldValue::text("* one\n* two\n* 3");
        let Outcome::Both { pull, push } = merge(Field::Body, Some(&base), &local, &remote, rules(Style::Rewritten))
        else {
            panic!("both sides changed");
        };
        assert_eq!(pull, FieldValue::text("- one!\n- two\n* 3\n"));
        assert_eq!(push, FieldValue::text("- one!\n- two\n* 3"));
    }

    #[test]
    fn without_a_base_nothing_is_cleared() {
        let verbatim = rules(Style::Verbatim);
        let (none, some) = (FieldValue::Text(None), FieldValue::text("x"));
        assert_eq!(merge(Field::Title, None, &none, &some, verbatim), Outcome::Pull(some.clone()));
        assert_eq!(merge(Field::Assignee, None, &some, &none, verbatim), Outcome::Push(some.clone()));
        assert!(merge(Field::Title, None, &FieldValue::text("y"), &some, verbatim).is_conflict());
        assert_eq!(
            merge(Field::Labels, None, &set(&["a"]), &set(&["b"]), verbatim),
            Outcome::Both { pull: set(&["a", "b"]), push: set(&["a", "b"]) }
        );
    }
}
