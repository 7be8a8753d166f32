//! Planning: the golden cases of fixtures/plan, and the laws that hold for every base, local and remote.

use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use trackfs::domain::{
    issue::{Capabilities, Field, FieldValue, IssueFields, RemoteComment, RemoteIssue, RemoteState},
    merge::{self, Outcome, TextMerge},
    plan::{CommentStep, Local, Plan, Presence, plan, style},
    schema::StatusKind,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    rewrites_markdown: bool,
    base: Option<Side>,
    local: Option<Local>,
    remote: Option<Side>,
    expect: Plan,
}

/// A remote object, as far as planning looks at it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Side {
    #[serde(default)]
    archived: bool,
    fields: IssueFields,
    #[serde(default)]
    comments: Vec<SideComment>,
}

#[derive(Deserialize)]
struct SideComment {
    id: String,
    #[serde(default = "somebody")]
    author: String,
    body: String,
}

/// Not the account of [`capabilities`].
fn somebody() -> String {
    "bob".to_owned()
}

impl From<Side> for RemoteIssue {
    fn from(side: Side) -> Self {
        let comments = side
            .comments
            .into_iter()
            .map(|SideComment { id, author, body }| RemoteComment { author, ..remote_comment(&id, &body) })
            .collect();
        issue(side.archived, side.fields, comments)
    }
}

fn issue(archived: bool, fields: IssueFields, comments: Vec<RemoteComment>) -> RemoteIssue {
    let (id, key) = ("id".to_owned(), "ENG-1".to_owned());
    RemoteIssue {
        id,
        key,
        url: String::new(),
        updated_at: String::new(),
        archived,
        fields,
        comments,
        reactions: Default::default(),
    }
}

fn remote_comment(id: &str, body: &str) -> RemoteComment {
    RemoteComment {
        id: id.to_owned(),
        author: somebody(),
        created_at: String::new(),
        updated_at: String::new(),
        body: body.to_owned(),
    }
}

fn capabilities(rewrites_markdown: bool) -> Capabilities {
    let state = |(name, kind): (&str, StatusKind)| RemoteState { name: name.to_owned(), kind };
    Capabilities {
        fields: Field::ALL.into(),
        states: [("Todo", StatusKind::Unstarted), ("Done", StatusKind::Completed)].map(state).to_vec(),
        priorities: vec!["High".to_owned(), "Low".to_owned()],
        types: vec!["Bug".to_owned(), "Feature".to_owned()],
        comments: true,
        account: Some("alice".to_owned()),
        idempotent_create: true,
        max_title: 255,
        max_body: 65_535,
        rewrites_markdown,
    }
}

fn merge_text(base: &str, ours: &str, theirs: &str) -> TextMerge {
    trackfs::git::merge_text(base, ours, theirs)
}

fn golden(yaml: &str) {
    let cases: Vec<Case> = serde_saphyr::from_str(yaml).expect("the fixture is readable");
    assert!(!cases.is_empty());
    for case in cases {
        let (base, remote) = (case.base.map(RemoteIssue::from), case.remote.map(RemoteIssue::from));
        let capabilities = capabilities(case.rewrites_markdown);
        let got = plan(base.as_ref(), case.local.as_ref(), remote.as_ref(), &capabilities, merge_text);
        assert_eq!(got, case.expect, "{}", case.name);
    }
}

#[test]
fn presence_is_planned_as_the_table_says() {
    golden(include_str!("../fixtures/plan/presence.yaml"));
}

#[test]
fn fields_and_comments_are_planned_as_the_table_says() {
    golden(include_str!("../fixtures/plan/fields.yaml"));
}

/// Small alphabets, so that values meet.
fn fields() -> impl Strategy<Value = IssueFields> {
    let word = prop::sample::select(vec![None, Some("a"), Some("b"), Some("c")]);
    let text = word.prop_map(|word| FieldValue::Text(word.map(str::to_owned)));
    let lines = prop::collection::vec(prop::sample::select(vec!["- a", "* a", "b", "c", ""]), 0..7)
        .prop_map(|lines| FieldValue::text(lines.join("\n")));
    let set = prop::collection::btree_set(prop::sample::select(vec!["a", "b", "c"]), 0..3)
        .prop_map(|set| FieldValue::Set(set.into_iter().map(str::to_owned).collect()));
    (text.clone(), text, lines, set).prop_map(|(title, assignee, body, labels)| {
        BTreeMap::from([
            (Field::Title, title),
            (Field::Assignee, assignee),
            (Field::Body, body),
            (Field::Labels, labels),
        ])
    })
}

fn local(fields: &IssueFields) -> Local {
    Local { fields: fields.clone(), comments: Vec::new(), removed_comments: Vec::new(), valid: true }
}

fn side(fields: &IssueFields) -> RemoteIssue {
    issue(false, fields.clone(), Vec::new())
}

fn comments() -> impl Strategy<Value = (Vec<RemoteComment>, Vec<(u8, &'static str, bool)>)> {
    let body = || prop::sample::select(vec!["x", "y", "z"]);
    let remote = prop::collection::btree_map(0..4_u8, body(), 0..4)
        .prop_map(|all| all.into_iter().map(|(id, body)| remote_comment(&format!("c{id}"), body)).collect());
    (remote, prop::collection::vec((0..4_u8, body(), any::<bool>()), 0..3))
}

proptest! {
    #[test]
    fn equal_sides_need_nothing(base in prop::option::of(fields()), both in fields(), rewrites: bool) {
        let base = base.as_ref().map(side);
        let got = plan(base.as_ref(), Some(&local(&both)), Some(&side(&both)), &capabilities(rewrites), merge_text);
        prop_assert!(got.is_empty(), "{got:?}");
    }

    #[test]
    fn what_one_side_changed_crosses_whole(before in fields(), after in fields(), rewrites: bool) {
        let capabilities = capabilities(rewrites);
        let style = style(&capabilities);
        let same = |field: Field, value: &FieldValue| merge::same(field, value, &after[&field], style);
        let pulled = plan(Some(&side(&before)), Some(&local(&before)), Some(&side(&after)), &capabilities, merge_text);
        let pushed = plan(Some(&side(&before)), Some(&local(&after)), Some(&side(&before)), &capabilities, merge_text);
        prop_assert!(pulled.fields.iter().all(|(field, outcome)| matches!(outcome, Outcome::Pull(v) if same(*field, v))));
        prop_assert!(pushed.fields.iter().all(|(field, outcome)| matches!(outcome, Outcome::Push(v) if same(*field, v))));
        prop_assert!(pulled.fields.keys().eq(pushed.fields.keys()));
    }

    #[test]
    fn planning_again_after_applying_leaves_only_the_conflicts(
        base in prop::option::of(fields()), ours in fields(), theirs in fields(), rewrites: bool,
    ) {
        let capabilities = capabilities(rewrites);
        let base = base.as_ref().map(side);
        let (mut ours, mut theirs) = (local(&ours), side(&theirs));
        let first = plan(base.as_ref(), Some(&ours), Some(&theirs), &capabilities, merge_text);

        // Pulled: the base follows, and what is left is to push.
        let base = first.base_after_pull(base.as_ref(), &theirs);
        ours.fields.extend(first.pulls().map(|(field, value)| (field, value.clone())));
        let second = plan(Some(&base), Some(&ours), Some(&theirs), &capabilities, merge_text);
        prop_assert_eq!(second.pulls().count(), 0);
        prop_assert!(second.pushes().map(|(field, _)| field).eq(first.pushes().map(|(field, _)| field)));

        // Pushed: nothing is left but what is in conflict.
        theirs.fields.extend(second.pushes().map(|(field, value)| (field, value.clone())));
        let base = second.base_after_pull(Some(&base), &theirs);
        let third = plan(Some(&base), Some(&ours), Some(&theirs), &capabilities, merge_text);
        prop_assert!(third.fields.values().all(Outcome::is_conflict));
        prop_assert!(third.conflicts().map(|(field, ..)| field).eq(first.conflicts().map(|(field, ..)| field)));
    }

    #[test]
    fn swapping_the_sides_swaps_pull_and_push(
        base in prop::option::of(fields()), ours in fields(), theirs in fields(),
    ) {
        // Where a remote rewrites Markdown the sides are not alike: texts are merged in the file's style.
        let capabilities = capabilities(false);
        let base = base.as_ref().map(side);
        let there = plan(base.as_ref(), Some(&local(&ours)), Some(&side(&theirs)), &capabilities, merge_text);
        let back = plan(base.as_ref(), Some(&local(&theirs)), Some(&side(&ours)), &capabilities, merge_text);
        prop_assert!(there.fields.keys().eq(back.fields.keys()));
        for (field, outcome) in &there.fields {
            let style = style(&capabilities);
            let same = |a: &FieldValue, b: &FieldValue| merge::same(*field, a, b, style);
            let swapped = match (outcome, &back.fields[field]) {
                (Outcome::Pull(a), Outcome::Push(b)) | (Outcome::Push(a), Outcome::Pull(b)) => same(a, b),
                (Outcome::Both { pull: a, .. }, Outcome::Both { push: b, .. }) => *field == Field::Body || same(a, b),
                (Outcome::Conflict { .. }, Outcome::Conflict { .. }) => true,
                _ => false,
            };
            prop_assert!(swapped, "{field:?}: {outcome:?} / {:?}", back.fields[field]);
        }
    }

    #[test]
    fn a_document_that_cannot_be_read_changes_nothing(
        base in prop::option::of(fields()), ours in fields(), theirs in prop::option::of(fields()),
    ) {
        let invalid = Local { valid: false, ..local(&ours) };
        let (base, theirs) = (base.as_ref().map(side), theirs.as_ref().map(side));
        let got = plan(base.as_ref(), Some(&invalid), theirs.as_ref(), &capabilities(true), merge_text);
        prop_assert_eq!(got, Plan { presence: Presence::Wait, ..Plan::default() });
    }

    #[test]
    fn what_a_ticket_does_not_say_is_never_pushed(base in prop::option::of(fields()), theirs in fields()) {
        let base = base.as_ref().map(side);
        let got = plan(base.as_ref(), Some(&local(&BTreeMap::new())), Some(&side(&theirs)), &capabilities(true), merge_text);
        prop_assert_eq!(got.pushes().count(), 0);
        prop_assert_eq!(got.conflicts().count(), 0);
    }

    #[test]
    fn every_new_comment_crosses_once((theirs, ours) in comments()) {
        let capabilities = capabilities(false);
        let mut here = local(&BTreeMap::new());
        for (index, (id, body, is_new)) in ours.into_iter().enumerate() {
            let remote_id = (!is_new).then(|| format!("c{id}"));
            here.comments.push(trackfs::domain::plan::LocalComment { name: index.to_string(), remote_id, body: body.into() });
        }
        let remote = issue(false, BTreeMap::new(), theirs);
        let first = plan(None, Some(&here), Some(&remote), &capabilities, merge_text);
        let written = first.comments.iter().filter(|step| matches!(step, CommentStep::Write(_))).count();
        let known = |comment: &&RemoteComment| here.comments.iter().any(|c| c.remote_id.as_ref() == Some(&comment.id));
        prop_assert_eq!(written, remote.comments.len() - remote.comments.iter().filter(known).count());

        let base = first.base_after_pull(None, &remote);
        let again = plan(Some(&base), Some(&here), Some(&remote), &capabilities, merge_text);
        // A file that says something else than the comment it was linked to is an edit, and these are somebody else's.
        let none_again = again.comments.iter().all(|step| matches!(step, CommentStep::Create { .. } | CommentStep::NotOurs { .. }));
        prop_assert!(none_again, "{again:?}");
    }
}
