//! What every provider must do.

use crate::fixture::{Fixture, Trouble, titled};
use std::{collections::BTreeSet, time::Duration};
use trackfs::{
    domain::issue::{Field, FieldValue, IssueFields, ObjectKind, RemoteIssue},
    remote::{Lost, Patch, RemoteError, Search},
};
use uuid::Uuid;

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> FieldValue {
    FieldValue::Set(names.into_iter().map(str::to_owned).collect())
}

fn text(text: &str) -> FieldValue {
    FieldValue::text(text)
}

/// A value for every field the provider has, none of them the default. The body reads the same in every Markdown.
fn all_fields(remote: &Fixture) -> IssueFields {
    let capabilities = remote.provider.capabilities().unwrap();
    let all = IssueFields::from([
        (Field::Title, text("Login fails")),
        (Field::Body, text("It *does*.\n\n* one\n* two")),
        (Field::Status, text(&capabilities.states[1].name)),
        (Field::Labels, set(["auth", "Bug"])),
        (Field::Assignee, text(remote.people[0])),
        (Field::Priority, text("high")),
        (Field::Estimate, text("3")),
        (Field::Due, text("2026-12-01")),
        (Field::Project, text("Launch")),
        (Field::Milestone, text(remote.milestones[0])),
        (Field::Cycle, text(remote.cycle)),
        (Field::Parent, text(&remote.create("Epic").key)),
        (Field::BlockedBy, set([&*remote.create("First").key, &remote.create("Second").key])),
        (Field::Related, set([&*remote.create("Like it").key])),
        (Field::DuplicateOf, text(&remote.create("The same").key)),
        (
            Field::Attachments,
            set(["https://example.org/design", "https://example.org/logs?run=7", "https://example.org/x"]),
        ),
    ]);
    all.into_iter().filter(|(field, _)| remote.fields().contains(field)).collect()
}

/// Those of them that an issue can be made with: it is told of its relations when it is there.
fn creatable(remote: &Fixture) -> IssueFields {
    all_fields(remote).into_iter().filter(|(field, _)| !field.is_told_later()).collect()
}

fn change(remote: &Fixture, issue: &RemoteIssue, field: Field, value: FieldValue) -> RemoteIssue {
    let patch = Patch { fields: [(field, value)].into(), base: issue.fields.clone() };
    remote.provider.update(&issue.id, &patch).unwrap_or_else(|error| panic!("{}: {error}", field.name()))
}

/// Every page of a listing: the issues without repetition, and the number of pages.
fn listing(remote: &Fixture, since: Option<&str>) -> (Vec<RemoteIssue>, usize) {
    let (mut issues, mut seen, mut pages, mut token) = (Vec::new(), BTreeSet::new(), 0, None);
    loop {
        let page = remote.provider.changed_since(since, token.as_ref()).unwrap();
        pages += 1;
        issues.extend(page.issues.into_iter().filter(|issue| seen.insert(issue.id.clone())));
        token = page.next;
        if token.is_none() {
            return (issues, pages);
        }
        assert!(pages < 100, "the listing does not end");
    }
}

fn count_titled(remote: &Fixture, title: &str) -> usize {
    let (issues, _) = listing(remote, None);
    issues.iter().filter(|issue| issue.fields[&Field::Title] == text(title)).count()
}

pub fn a_created_issue_has_what_was_sent(remote: &Fixture) {
    let fields = creatable(remote);
    let made = remote.provider.create(Uuid::new_v4(), ObjectKind::Issue, &fields).unwrap();
    for (field, value) in &made.fields {
        match fields.get(field) {
            Some(sent) => assert_eq!(value, sent),
            None => assert!(field.is_told_later() && value.members().is_empty(), "{field:?}: {value:?}"),
        }
    }
    assert_eq!(remote.fetch(&made.id), made);
    assert!(!made.key.is_empty() && !made.archived && made.url.starts_with("http"), "{made:?}");
}

pub fn a_created_issue_has_defaults_for_what_was_not_sent(remote: &Fixture) {
    let made = remote.create("Bare");
    let capabilities = remote.provider.capabilities().unwrap();
    assert_eq!(made.fields.keys().copied().collect::<BTreeSet<_>>(), remote.fields());
    let status = made.fields[&Field::Status].as_text().unwrap();
    assert!(capabilities.states.iter().any(|state| state.name == status), "{status}");
    assert_eq!(made.fields[&Field::Body], text(""));
    assert_eq!(made.fields[&Field::Labels], set([]));
    assert_eq!(made.fields[&Field::Assignee], FieldValue::Text(None));
}

pub fn an_issue_can_be_created_closed(remote: &Fixture) {
    let fields = IssueFields::from([(Field::Title, text("Done already")), (Field::Status, text(remote.done))]);
    let made = remote.provider.create(Uuid::new_v4(), ObjectKind::Issue, &fields).unwrap();
    assert_eq!(remote.fetch(&made.id).fields[&Field::Status], text(remote.done));
    assert_eq!(made.fields[&Field::Status], text(remote.done));
}

pub fn each_field_changes_alone(remote: &Fixture) {
    let mut issue = remote.create("Before");
    for (field, value) in all_fields(remote) {
        let mut expected = issue.fields.clone();
        expected.insert(field, value.clone());
        issue = change(remote, &issue, field, value);
        assert_eq!(issue.fields, expected, "after changing {}", field.name());
        assert_eq!(remote.fetch(&issue.id).fields, expected);
    }
}

pub fn each_field_that_may_be_empty_can_be_cleared(remote: &Fixture) {
    let mut issue = remote.provider.create(Uuid::new_v4(), ObjectKind::Issue, &creatable(remote)).unwrap();
    let later = all_fields(remote).into_iter().filter(|(field, _)| field.is_told_later());
    issue = later.fold(issue, |issue, (field, value)| change(remote, &issue, field, value));
    for field in remote.fields() {
        let (sent, kept) = match field {
            Field::Title | Field::Status => continue,
            Field::Labels | Field::BlockedBy | Field::Related | Field::Attachments => (set([]), set([])),
            Field::Body => (FieldValue::Text(None), text("")),
            _ => (FieldValue::Text(None), FieldValue::Text(None)),
        };
        issue = change(remote, &issue, field, sent);
        assert_eq!(issue.fields[&field], kept, "{}", field.name());
    }
}

pub fn every_state_can_be_reached_and_left(remote: &Fixture) {
    let mut issue = remote.create("Through the workflow");
    let states = remote.provider.capabilities().unwrap().states;
    let names = states.iter().map(|state| state.name.as_str()).filter(|name| !remote.without_states.contains(name));
    let names: Vec<_> = names.collect();
    for name in names.iter().chain(names.iter().rev()) {
        issue = change(remote, &issue, Field::Status, text(name));
        assert_eq!(issue.fields[&Field::Status], text(name));
    }
}

pub fn an_unknown_state_is_refused(remote: &Fixture) {
    let issue = remote.create("Nowhere");
    let patch = Patch { fields: [(Field::Status, text("Limbo"))].into(), base: issue.fields.clone() };
    match remote.provider.update(&issue.id, &patch) {
        Err(RemoteError::Invalid { field: Some(field), message, .. }) => {
            assert_eq!(field, "status");
            assert!(message.contains("Limbo"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(remote.fetch(&issue.id), issue);
}

/// What must be there before an issue can be filed under it, with something that is there.
fn filed_under(remote: &Fixture) -> Vec<(Field, &'static str)> {
    let all = [(Field::Project, "Launch"), (Field::Milestone, remote.milestones[1]), (Field::Cycle, remote.cycle)];
    all.into_iter().filter(|(field, _)| remote.fields().contains(field)).collect()
}

pub fn what_is_not_there_is_refused_and_what_is_there_named(remote: &Fixture) {
    let issue = remote.provider.create(Uuid::new_v4(), ObjectKind::Issue, &creatable(remote)).unwrap();
    let filed = filed_under(remote);
    assert!(!filed.is_empty());
    for (field, known) in filed {
        let mut fields = titled("Changed");
        fields.insert(field, text("Limbo"));
        let created = remote.provider.create(
            Uuid::new_v4(),
            ObjectKind::Issue,
            &creatable(remote).into_iter().chain(fields.clone()).collect(),
        );
        let updated = remote.provider.update(&issue.id, &Patch { fields, base: issue.fields.clone() });
        for outcome in [created, updated] {
            let Err(RemoteError::Invalid { field: Some(named), message, .. }) = outcome else { panic!("{outcome:?}") };
            assert_eq!(named, field.name());
            assert!(message.contains("\"Limbo\"") && message.contains(known), "{message}");
        }
    }
    assert_eq!(remote.fetch(&issue.id), issue, "nothing of it was carried out");
    assert_eq!(count_titled(remote, "Changed"), 0);
}

pub fn a_parent_can_be_replaced_and_must_be_there(remote: &Fixture) {
    if !remote.fields().contains(&Field::Parent) {
        return;
    }
    let [first, second] = ["Epic", "Saga"].map(|title| remote.create(title));
    let mut issue = remote.create("Part");
    for parent in [&first, &second] {
        issue = change(remote, &issue, Field::Parent, text(&parent.key));
        assert_eq!(issue.fields[&Field::Parent], text(&parent.key));
    }
    let patch = Patch { fields: [(Field::Parent, text("999999"))].into(), base: issue.fields.clone() };
    match remote.provider.update(&issue.id, &patch) {
        Err(RemoteError::Invalid { field: Some(field), message, .. }) => {
            assert_eq!(field, "parent");
            assert!(message.contains("999999"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(remote.fetch(&issue.id), issue);
    assert_eq!(remote.fetch(&second.id), second, "a parent is not changed by its parts");
}

pub fn relations_change_by_members_and_must_be_there(remote: &Fixture) {
    let sets = [Field::BlockedBy, Field::Related].into_iter().filter(|field| remote.fields().contains(field));
    for field in sets {
        let others = ["One", "Two", "Three"].map(|title| remote.create(title).key);
        let [one, two, three] = others.each_ref().map(String::as_str);
        let issue = remote.create("Tied");
        let issue = change(remote, &issue, field, set([one, two]));
        assert_eq!(issue.fields[&field], set([one, two]));
        let stale = RemoteIssue { fields: [(field, set([one]))].into(), ..issue.clone() };
        let now = change(remote, &stale, field, set([three]));
        assert_eq!(now.fields[&field], set([two, three]), "what others added stays");
        let again = change(remote, &stale, field, set([three]));
        assert_eq!(again.fields[&field], set([two, three]), "doing it twice is no error");
        assert_eq!(remote.fetch(&issue.id).fields, again.fields);

        let mut fields = titled("Not renamed");
        fields.insert(field, set([two, three, "NONE-999999"]));
        match remote.provider.update(&issue.id, &Patch { fields, base: again.fields.clone() }) {
            Err(RemoteError::Invalid { field: Some(named), message, .. }) => {
                assert_eq!(named, field.name());
                assert!(message.contains("NONE-999999"), "{message}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(remote.fetch(&issue.id).fields, again.fields, "nothing of it was carried out");
    }
}

pub fn a_relation_is_seen_from_both_of_its_ends(remote: &Fixture) {
    if !remote.fields().contains(&Field::Related) {
        return;
    }
    let [one, other] = ["One", "Other"].map(|title| remote.create(title));
    let one = change(remote, &one, Field::Related, set([&*other.key]));
    assert_eq!(remote.fetch(&other.id).fields[&Field::Related], set([&*one.key]));
    let other = change(remote, &remote.fetch(&other.id), Field::Related, set([]));
    assert_eq!(remote.fetch(&one.id).fields[&Field::Related], set([]), "either end takes it off");

    let [same, first] = [change(remote, &other, Field::DuplicateOf, text(&one.key)), remote.create("First")];
    assert_eq!(remote.fetch(&one.id).fields[&Field::DuplicateOf], FieldValue::Text(None));
    let moved = change(remote, &same, Field::DuplicateOf, text(&first.key));
    assert_eq!(moved.fields[&Field::DuplicateOf], text(&first.key), "one replaces the other");
}

pub fn what_is_there_is_known_whatever_its_case(remote: &Fixture) {
    let mut issue = remote.create("Filed");
    for (field, known) in filed_under(remote) {
        let named = if known == known.to_uppercase() { known.to_lowercase() } else { known.to_uppercase() };
        issue = change(remote, &issue, field, text(&named));
        assert_eq!(issue.fields[&field], text(known));
    }
    assert_eq!(remote.fetch(&issue.id), issue);
}

pub fn a_new_label_is_made_and_a_known_one_reused(remote: &Fixture) {
    let first = remote.create("First");
    let first = change(remote, &first, Field::Labels, set(["needs care"]));
    assert_eq!(first.fields[&Field::Labels], set(["needs care"]));
    let second = remote.create("Second");
    let second = change(remote, &second, Field::Labels, set(["needs care", "a/b & c"]));
    assert_eq!(second.fields[&Field::Labels], set(["a/b & c", "needs care"]));
    let second = change(remote, &second, Field::Labels, set(["needs care"]));
    assert_eq!(second.fields[&Field::Labels], set(["needs care"]));
}

pub fn a_new_label_is_refused_where_none_may_be_made(remote: &Fixture) {
    let issue = remote.create("Labelled");
    let issue = change(remote, &issue, Field::Labels, set(["Feature"]));
    let provider = remote.without_new_labels();
    let patch = |labels: FieldValue| Patch {
        fields: [(Field::Labels, labels), (Field::Title, text("Not renamed"))].into(),
        base: issue.fields.clone(),
    };
    let created = IssueFields::from([(Field::Title, text("Not made")), (Field::Labels, set(["Featrue"]))]);
    for refused in [
        provider.update(&issue.id, &patch(set(["Feature", "Featrue"]))).map(drop),
        provider.create(Uuid::new_v4(), ObjectKind::Issue, &created).map(drop),
    ] {
        let Err(RemoteError::Invalid { field: Some(field), message, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(field, "labels");
        for part in ["\"Featrue\" is no label of", "did you mean \"Feature\"?", "create_labels: true"] {
            assert!(message.contains(part), "{message}");
        }
    }
    assert_eq!(remote.fetch(&issue.id), issue, "nothing of it was sent");
    let other = remote.create("Other");
    let known = Patch { fields: [(Field::Labels, set(["Feature"]))].into(), base: other.fields.clone() };
    assert_eq!(provider.update(&other.id, &known).unwrap().fields[&Field::Labels], set(["Feature"]));
}

pub fn labels_change_by_members_and_keep_what_others_added(remote: &Fixture) {
    let issue = remote.create("Shared");
    let issue = change(remote, &issue, Field::Labels, set(["Bug", "old"]));
    remote.somebody_edits(&issue, "Shared", "Feature");
    let issue = change(remote, &issue, Field::Labels, set(["Bug", "new"]));
    assert_eq!(issue.fields[&Field::Labels], set(["Bug", "Feature", "new"]));
    // A label that somebody else has taken off in the meantime is no reason to fail.
    let stale = RemoteIssue { fields: [(Field::Labels, set(["Bug", "Feature", "new", "old"]))].into(), ..issue };
    let issue = change(remote, &stale, Field::Labels, set(["Bug", "Feature", "new"]));
    assert_eq!(issue.fields[&Field::Labels], set(["Bug", "Feature", "new"]));
}

pub fn comments_come_with_their_issue_in_order(remote: &Fixture) {
    let issue = remote.create("Discussed");
    let bodies = ["first", "second", "third"];
    let made: Vec<_> = bodies.map(|body| remote.provider.comment(&issue.id, Uuid::new_v4(), body).unwrap()).into();
    let fetched = remote.fetch(&issue.id);
    assert_eq!(fetched.comments, made);
    assert_eq!(made.iter().map(|comment| comment.body.as_str()).collect::<Vec<_>>(), bodies);
    assert_eq!(made[0].author, remote.provider.account().unwrap());
    assert!(fetched.updated_at >= made[2].updated_at, "a comment is news of its issue");
}

pub fn an_own_comment_can_be_edited_and_deleted(remote: &Fixture) {
    let issue = remote.create("Discussed");
    let [first, second] =
        ["first", "second"].map(|body| remote.provider.comment(&issue.id, Uuid::new_v4(), body).unwrap());
    assert!(remote.provider.capabilities().unwrap().is_own(&first), "{first:?}");
    let edited = remote.provider.edit_comment(&issue.id, &first.id, "first\r\nagain 🦀").unwrap();
    assert_eq!((edited.id.as_str(), edited.body.as_str()), (first.id.as_str(), "first\nagain 🦀"));
    assert_eq!(remote.fetch(&issue.id).comments, [edited, second.clone()]);
    for _ in 0..2 {
        remote.provider.delete_comment(&issue.id, &first.id).unwrap();
        assert_eq!(remote.fetch(&issue.id).comments, std::slice::from_ref(&second));
    }
    let gone = remote.provider.edit_comment(&issue.id, &first.id, "too late").unwrap_err();
    assert!(matches!(gone, RemoteError::NotFound { .. }), "{gone:?}");
}

pub fn somebody_elses_comment_is_neither_edited_nor_deleted(remote: &Fixture) {
    let issue = remote.create("Discussed");
    remote.somebody_comments(&issue, "theirs");
    let theirs = remote.fetch(&issue.id).comments.remove(0);
    assert!(!remote.provider.capabilities().unwrap().is_own(&theirs), "{theirs:?}");
    for refused in [
        remote.provider.edit_comment(&issue.id, &theirs.id, "mine").map(drop),
        remote.provider.delete_comment(&issue.id, &theirs.id),
    ] {
        let error = refused.unwrap_err();
        assert!(
            matches!(&error, RemoteError::Invalid { message, .. } if message.contains(&theirs.author)),
            "{error:?}"
        );
    }
    assert_eq!(remote.fetch(&issue.id).comments, [theirs]);
}

pub fn a_comment_without_words_is_refused_before_sending(remote: &Fixture) {
    let issue = remote.create("Discussed");
    let comment = remote.provider.comment(&issue.id, Uuid::new_v4(), "words").unwrap();
    let before = remote.requests();
    for refused in [
        remote.provider.comment(&issue.id, Uuid::new_v4(), " \n"),
        remote.provider.edit_comment(&issue.id, &comment.id, ""),
    ] {
        assert!(
            matches!(&refused, Err(RemoteError::Invalid { field: Some(field), .. }) if field == "body"),
            "{refused:?}"
        );
    }
    assert_eq!(remote.requests(), before);
}

pub fn a_listing_has_what_changed_at_or_after_its_time(remote: &Fixture) {
    let old = remote.create("Old");
    let pause = remote.create("Pause");
    let issue = remote.create("Recent");
    let (issues, _) = listing(remote, Some(&issue.updated_at));
    assert!(issues.contains(&issue), "the time itself is included");
    let expected = pause.updated_at >= issue.updated_at;
    assert_eq!(issues.contains(&pause), expected);
    let edited = change(remote, &old, Field::Title, text("Old, edited"));
    let (issues, _) = listing(remote, Some(&issue.updated_at));
    assert!(issues.contains(&edited), "an edit makes an old issue recent");
}

pub fn a_listing_of_many_pages_misses_nothing(remote: &Fixture) {
    let first = remote.create("0");
    let made: BTreeSet<String> = (1..remote.three_pages).map(|number| remote.create(&number.to_string()).id).collect();
    let (issues, pages) = listing(remote, Some(&first.updated_at));
    assert!(pages >= 3, "{pages} pages");
    let listed: BTreeSet<String> = issues.into_iter().map(|issue| issue.id).collect();
    assert!(listed.contains(&first.id));
    assert_eq!(made.difference(&listed).count(), 0);
}

pub fn a_listing_misses_nothing_that_is_pushed_about_while_it_runs(remote: &Fixture) {
    let first = remote.create("0");
    let made: Vec<_> = (1..remote.three_pages).map(|number| remote.create(&number.to_string())).collect();
    let since = Some(first.updated_at.as_str());
    let mut page = remote.provider.changed_since(since, None).unwrap();
    let mut listed: BTreeSet<String> = page.issues.iter().map(|issue| issue.id.clone()).collect();
    let (moved, kept): (Vec<_>, Vec<_>) = made.iter().partition(|issue| listed.contains(&issue.id));
    assert!(!kept.is_empty(), "all of it fits on one page");
    // An edit moves an issue to the other end of the listing, and what stood behind it takes its place.
    remote.somebody_edits(moved[0], "moved", "Bug");
    remote.somebody_edits(moved[1], "moved", "Bug");
    while let Some(token) = page.next.take() {
        page = remote.provider.changed_since(since, Some(&token)).unwrap();
        listed.extend(page.issues.iter().map(|issue| issue.id.clone()));
    }
    assert_eq!(kept.iter().filter(|issue| !listed.contains(&issue.id)).count(), 0);
}

pub fn a_listing_carries_the_comments(remote: &Fixture) {
    let issue = remote.create("Discussed");
    let quiet = remote.create("Quiet");
    let comment = remote.provider.comment(&issue.id, Uuid::new_v4(), "why?").unwrap();
    let (issues, _) = listing(remote, Some(&issue.updated_at));
    let of = |id: &str| &issues.iter().find(|issue| issue.id == id).expect("both were made since").comments;
    assert_eq!(of(&issue.id).as_slice(), std::slice::from_ref(&comment));
    assert!(of(&quiet.id).is_empty());
    // A comment makes its issue recent even where it does not touch the issue's own time.
    let (issues, _) = listing(remote, Some(&comment.updated_at));
    assert!(issues.iter().any(|listed| listed.id == issue.id));
}

pub fn archiving_twice_is_no_error(remote: &Fixture) {
    let issue = remote.create("Over");
    remote.provider.archive(&issue.id).unwrap();
    let archived = remote.fetch(&issue.id);
    let closed = archived.fields[&Field::Status] == text("closed:not_planned");
    assert!(archived.archived || closed, "{archived:?}");
    assert_eq!(archived.fields[&Field::Title], issue.fields[&Field::Title]);
    remote.provider.archive(&issue.id).unwrap();
    assert_eq!(remote.fetch(&issue.id), archived, "the second time changes nothing");
    let (issues, _) = listing(remote, Some(&issue.updated_at));
    assert!(issues.contains(&archived), "what is archived is still listed");
}

pub fn an_unknown_id_is_absent(remote: &Fixture) {
    for id in ["999999", "00000000-0000-4000-8000-0000000000ff"] {
        assert_eq!(remote.provider.fetch(id).unwrap(), None);
        let is_missing = |error: RemoteError| matches!(error, RemoteError::NotFound { .. });
        let patch = Patch { fields: titled("x"), ..Patch::default() };
        assert!(is_missing(remote.provider.update(id, &patch).unwrap_err()));
        assert!(is_missing(remote.provider.archive(id).unwrap_err()));
        assert!(is_missing(remote.provider.comment(id, Uuid::new_v4(), "x").unwrap_err()));
    }
}

/// The error names the field, and nothing went over the wire.
fn is_refused_locally(remote: &Fixture, fields: &IssueFields, field: &str) {
    let issue = remote.create("Fine");
    let before = remote.requests();
    let created = remote.provider.create(Uuid::new_v4(), ObjectKind::Issue, fields).unwrap_err();
    let patch = Patch { fields: fields.clone(), base: issue.fields };
    let updated = remote.provider.update(&issue.id, &patch).unwrap_err();
    for error in [created, updated] {
        let RemoteError::Invalid { field: Some(named), .. } = &error else { panic!("{error:?}") };
        assert_eq!(named, field);
        assert!(!error.is_passing());
    }
    assert_eq!(remote.requests(), before);
}

pub fn an_over_long_title_is_refused_before_sending(remote: &Fixture) {
    let limit = remote.provider.capabilities().unwrap().max_title;
    is_refused_locally(remote, &titled(&"ü".repeat(limit + 1)), "title");
    let longest = "ü".repeat(limit);
    assert_eq!(remote.create(&longest).fields[&Field::Title], text(&longest));
}

pub fn an_over_long_body_is_refused_before_sending(remote: &Fixture) {
    let limit = remote.provider.capabilities().unwrap().max_body;
    let mut fields = titled("Long");
    fields.insert(Field::Body, text(&"x".repeat(limit + 1)));
    is_refused_locally(remote, &fields, "body");
}

pub fn an_empty_title_is_refused_before_sending(remote: &Fixture) {
    is_refused_locally(remote, &titled(" \n"), "title");
}

pub fn a_lost_answer_is_ambiguous_and_what_was_made_is_found(remote: &Fixture) {
    let before = remote.create("Before");
    let (intent, mut fields) = (Uuid::new_v4(), titled("Lost and found"));
    fields.insert(Field::Body, text("the same body"));
    remote.trouble(Trouble::LostAnswer);
    let error = remote.provider.create(intent, ObjectKind::Issue, &fields).unwrap_err();
    assert!(matches!(error, RemoteError::Ambiguous { .. }), "{error:?}");
    let found = found(remote, &lost(intent, &fields, Some(&before.updated_at))).expect("it was made");
    assert_eq!(found.fields[&Field::Title], text("Lost and found"));
    assert_eq!(remote.fetch(&found.id), found);
    assert_eq!(count_titled(remote, "Lost and found"), 1);
}

/// Of a lost answer, when nothing else is known.
pub fn lost<'l>(intent: Uuid, fields: &'l IssueFields, not_before: Option<&'l str>) -> Lost<'l> {
    Lost { intent, kind: ObjectKind::Issue, fields, not_before, known: &|_| false }
}

/// What a lost create made, where that is clear.
fn found(remote: &Fixture, lost: &Lost<'_>) -> Option<RemoteIssue> {
    match remote.provider.find_created(lost).unwrap() {
        Search::Found(issue) => Some(*issue),
        Search::Nothing => None,
        Search::Several(keys) => panic!("it may be any of {keys:?}"),
    }
}

pub fn a_lost_issue_that_was_edited_is_found_unless_it_may_be_one_of_several(remote: &Fixture) {
    let (intent, fields) = (Uuid::new_v4(), titled("Lost and edited"));
    remote.trouble(Trouble::LostAnswer);
    remote.provider.create(intent, ObjectKind::Issue, &fields).unwrap_err();
    let of = |known: &dyn Fn(&str) -> bool| {
        remote.provider.find_created(&Lost { known, ..lost(intent, &fields, None) }).unwrap()
    };
    let Search::Found(made) = of(&|_| false) else { panic!("it was made") };
    let edited = change(remote, &made, Field::Body, text("Somebody knew more"));
    assert_eq!(of(&|_| false), Search::Found(Box::new(edited.clone())));
    let twin = remote.create("Lost and edited");
    let twin = change(remote, &twin, Field::Body, text("Another matter"));
    let idempotent = remote.provider.capabilities().unwrap().idempotent_create;
    match of(&|_| false) {
        Search::Found(only) => assert!(idempotent && *only == edited),
        Search::Several(keys) => {
            assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), [edited.key.clone(), twin.key.clone()].into());
        }
        Search::Nothing => panic!("it was made"),
    }
    assert_eq!(of(&|id| id == twin.id), Search::Found(Box::new(edited)), "the other is accounted for");
}

pub fn a_lost_issue_that_was_renamed_is_found(remote: &Fixture) {
    let (intent, fields) = (Uuid::new_v4(), titled("As it was sent"));
    remote.trouble(Trouble::LostAnswer);
    remote.provider.create(intent, ObjectKind::Issue, &fields).unwrap_err();
    let made = found(remote, &lost(intent, &fields, None)).expect("it was made");
    let rename = |title: &str| {
        std::thread::sleep(Duration::from_millis(5));
        remote.provider.update(&made.id, &Patch { fields: titled(title), base: made.fields.clone() }).unwrap()
    };
    // Often enough for a clock of whole seconds to move.
    ["Renamed", "Renamed again", "And again", "And once more"].into_iter().for_each(|title| drop(rename(title)));
    let renamed = rename("Renamed since");
    assert_eq!(found(remote, &lost(intent, &fields, None)), Some(renamed));
    let idempotent = remote.provider.capabilities().unwrap().idempotent_create;
    let known = Lost { known: &|id| id == made.id, ..lost(intent, &fields, None) };
    assert!(idempotent || found(remote, &known).is_none(), "it is accounted for");
}

pub fn a_lost_request_is_ambiguous_and_nothing_is_found(remote: &Fixture) {
    let intent = Uuid::new_v4();
    let other = titled("Never arrived, says somebody else");
    remote.provider.create(Uuid::new_v4(), ObjectKind::Issue, &other).unwrap();
    remote.trouble(Trouble::LostRequest);
    let fields = titled("Never arrived");
    let error = remote.provider.create(intent, ObjectKind::Issue, &fields).unwrap_err();
    assert!(matches!(error, RemoteError::Ambiguous { .. }), "{error:?}");
    assert_eq!(found(remote, &lost(intent, &fields, None)), None);
}

pub fn a_repeated_intent_makes_one_issue_where_creates_are_idempotent(remote: &Fixture) {
    let (intent, fields) = (Uuid::new_v4(), titled("Once or twice"));
    let first = remote.provider.create(intent, ObjectKind::Issue, &fields).unwrap();
    let second = remote.provider.create(intent, ObjectKind::Issue, &fields).unwrap();
    let idempotent = remote.provider.capabilities().unwrap().idempotent_create;
    assert_eq!(first == second, idempotent);
    assert_eq!(count_titled(remote, "Once or twice"), if idempotent { 1 } else { 2 });
}

pub fn a_lost_comment_is_found(remote: &Fixture) {
    let issue = remote.create("Discussed");
    let intent = Uuid::new_v4();
    let said = IssueFields::from([(Field::Body, text("said"))]);
    assert_eq!(remote.provider.find_comment(&issue.id, &lost(intent, &said, None)).unwrap(), None);
    remote.trouble(Trouble::LostAnswer);
    let error = remote.provider.comment(&issue.id, intent, "said").unwrap_err();
    assert!(matches!(error, RemoteError::Ambiguous { .. }), "{error:?}");
    let found = remote.provider.find_comment(&issue.id, &lost(intent, &said, None)).unwrap().expect("it was made");
    assert_eq!(remote.fetch(&issue.id).comments, [found]);
}

pub fn a_refused_token_is_unauthorized(remote: &Fixture) {
    remote.trouble(Trouble::BadToken);
    let error = remote.provider.changed_since(None, None).unwrap_err();
    assert!(matches!(error, RemoteError::Unauthorized { .. }), "{error:?}");
    assert!(!error.is_passing());
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("ghp_alice") && !shown.contains("lin_api_admin"), "{shown}");
}

pub fn no_connection_is_offline(remote: &Fixture) {
    let error = remote.unplugged().unwrap_err();
    assert!(matches!(error, RemoteError::Offline { .. }), "{error:?}");
    assert!(error.is_passing());
}

pub fn a_rate_limit_says_how_long_to_wait(remote: &Fixture) {
    let issue = remote.create("Patient");
    remote.trouble(Trouble::RateLimit);
    let error = remote.provider.fetch(&issue.id).unwrap_err();
    assert!(matches!(error, RemoteError::RateLimited { wait, .. } if wait == Duration::from_secs(7)), "{error:?}");
    assert_eq!(remote.fetch(&issue.id), issue);
}

pub fn a_failing_server_is_passing(remote: &Fixture) {
    remote.trouble(Trouble::Broken);
    let error = remote.provider.changed_since(None, None).unwrap_err();
    assert!(matches!(error, RemoteError::Server { .. }) && error.is_passing(), "{error:?}");
}

pub fn text_of_any_script_survives(remote: &Fixture) {
    let mut fields = titled("Ünïcödé 日本語 🦀 \u{202e}rtl");
    fields.insert(Field::Body, text("e\u{301} vs é\n\n`code` <b>&amp;</b> \\ \" ' %00 \u{1F469}\u{200D}\u{1F680}"));
    let made = remote.provider.create(Uuid::new_v4(), ObjectKind::Issue, &fields).unwrap();
    for (field, value) in &fields {
        assert_eq!(made.fields[field], *value);
    }
    let comment = remote.provider.comment(&made.id, Uuid::new_v4(), "schön 🦀").unwrap();
    assert_eq!(comment.body, "schön 🦀");
}

pub fn line_ends_come_back_as_lf(remote: &Fixture) {
    let mut fields = titled("Lines");
    fields.insert(Field::Body, text("one\r\ntwo\r\n\r\nthree"));
    let made = remote.provider.create(Uuid::new_v4(), ObjectKind::Issue, &fields).unwrap();
    assert_eq!(made.fields[&Field::Body], text("one\ntwo\n\nthree"));
    let comment = remote.provider.comment(&made.id, Uuid::new_v4(), "a\r\nb").unwrap();
    assert_eq!(comment.body, "a\nb");
    assert_eq!(remote.fetch(&made.id).comments, [comment]);
}

pub fn an_edit_by_somebody_else_is_seen(remote: &Fixture) {
    let issue = remote.create("Mine");
    // The label must exist before somebody else can use it.
    let issue = change(remote, &issue, Field::Labels, set(["Bug"]));
    remote.somebody_edits(&issue, "Theirs", "Bug");
    let now = remote.fetch(&issue.id);
    assert_eq!(now.fields[&Field::Title], text("Theirs"));
    assert!(now.updated_at >= issue.updated_at);
    let (issues, _) = listing(remote, Some(&issue.updated_at));
    assert!(issues.contains(&now));
}

pub fn an_update_touches_no_other_field(remote: &Fixture) {
    let issue = remote.create("Mine");
    remote.somebody_edits(&issue, "Theirs", "Feature");
    // The base is what was known before: it says nothing about what may be written.
    let now = change(remote, &issue, Field::Body, text("my text"));
    assert_eq!(now.fields[&Field::Title], text("Theirs"));
    assert_eq!(now.fields[&Field::Labels], set(["Feature"]));
    assert_eq!(now.fields[&Field::Body], text("my text"));
}
