//! A save from a stale buffer, as a pure function: what must hold of every merge, and cases that people meet.

use proptest::prelude::*;
use trackfs::{
    domain::{
        document::{Document, FaultKind},
        save::{Merged, merge_save},
    },
    git::merge_text,
};

fn merged(base: &str, saved: &str, present: &str) -> Merged {
    merge_save(base, saved, present, merge_text)
}

#[track_caller]
fn clean(base: &str, saved: &str, present: &str) -> String {
    match merged(base, saved, present) {
        Merged::Clean(text) => text,
        Merged::Overlap(text) => panic!("an overlap:\n{text}"),
    }
}

const BASE: &str =
    "---\ntitle: Login\nstatus: todo # since Monday\npriority: low\nlabels: [a, b]\n---\none\ntwo\nthree\n";

#[test]
fn changes_of_neighbouring_fields_are_both_in_the_file() {
    let saved = BASE.replace("todo", "done");
    let present = BASE.replace("low", "high").replace("[a, b]", "[b, c]");
    let expected = saved.replace("low", "high").replace("[a, b]", "[b, c]");
    assert_eq!(clean(BASE, &saved, &present), expected);
}

#[test]
fn changes_of_different_lines_of_the_body_are_both_in_the_file() {
    assert_eq!(
        clean(BASE, &BASE.replace("one", "1"), &BASE.replace("three", "3")),
        BASE.replace("one", "1").replace("three", "3")
    );
}

#[test]
fn a_field_here_and_the_body_there_are_both_in_the_file() {
    let (saved, present) = (BASE.replace("todo", "done"), format!("{BASE}four\n"));
    assert_eq!(clean(BASE, &saved, &present), format!("{saved}four\n"));
}

#[test]
fn members_of_a_set_that_each_side_added_and_removed_are_merged() {
    let (saved, present) = (BASE.replace("[a, b]", "[a, b, mine]"), BASE.replace("[a, b]", "[b, theirs]"));
    assert_eq!(clean(BASE, &saved, &present), BASE.replace("[a, b]", "[b, mine, theirs]"));
}

#[test]
fn a_field_that_one_side_removed_and_nobody_changed_is_gone() {
    let (saved, present) = (BASE.replace("priority: low\n", ""), BASE.replace("todo", "done"));
    assert_eq!(clean(BASE, &saved, &present), saved.replace("todo", "done"));
}

#[test]
fn two_values_of_one_field_are_both_kept_and_say_whose_they_are() {
    let Merged::Overlap(text) = merged(BASE, &BASE.replace("todo", "done"), &BASE.replace("todo", "canceled")) else {
        panic!("no overlap");
    };
    let expected = "<<<<<<< this save\nstatus: done # since Monday\n=======\nstatus: canceled # since Monday\n>>>>>>> was there before it\n";
    assert!(text.contains(expected), "{text}");
    assert_eq!(Document::parse(text.as_bytes()).faults()[0].kind, FaultKind::MergeMarkers);
}

#[test]
fn an_overlap_in_the_body_leaves_the_fields_of_both() {
    let saved = BASE.replace("todo", "done").replace("two", "2");
    let present = BASE.replace("low", "high").replace("two", "zwei");
    let Merged::Overlap(text) = merged(BASE, &saved, &present) else { panic!("no overlap") };
    assert!(text.starts_with("---\ntitle: Login\nstatus: done # since Monday\npriority: high\n"), "{text}");
    assert!(text.contains("<<<<<<< this save\n2\n=======\nzwei\n>>>>>>> was there before it\n"), "{text}");
}

#[test]
fn what_is_no_document_is_merged_by_lines() {
    assert_eq!(clean("a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n"), "A\nb\nC\n");
    assert!(matches!(merged("---\nx: 1\n", "---\nx: 2\n", "---\nx: 3\n"), Merged::Overlap(_)));
}

/// Documents over few words, so that two edits of one often meet.
fn document() -> impl Strategy<Value = String> {
    let field = |name: &'static str| {
        prop::option::of(prop::sample::select(vec!["a", "b", "c"]))
            .prop_map(move |value| value.map(|value| format!("{name}: {value}\n")).unwrap_or_default())
    };
    let labels = prop::option::of(prop::collection::vec(prop::sample::select(vec!["x", "y", "z"]), 0..3))
        .prop_map(|set| set.map(|set| format!("labels: [{}]\n", set.join(", "))).unwrap_or_default());
    let body = prop::collection::vec(prop::sample::select(vec!["one\n", "two\n", "\n", "three\n"]), 0..5);
    (field("title"), field("status"), field("priority"), labels, body).prop_map(
        |(title, status, priority, labels, body)| {
            format!("---\n{title}{status}{priority}{labels}---\n{}", body.concat())
        },
    )
}

proptest! {
    #[test]
    fn whoever_changed_nothing_changes_nothing(base in document(), other in document()) {
        prop_assert_eq!(clean(&base, &other, &base), other.clone());
        prop_assert_eq!(clean(&base, &base, &other), other.clone());
        prop_assert_eq!(clean(&base, &other, &other), other);
    }

    #[test]
    fn a_clean_merge_has_every_field_that_only_one_side_changed(base in document(), saved in document(), present in document()) {
        let Merged::Clean(text) = merged(&base, &saved, &present) else { return Ok(()) };
        let [base, saved, present, merged] = [&base, &saved, &present, &text].map(|text| Document::parse(text.as_bytes()));
        prop_assert!(merged.faults().is_empty(), "{}", text);
        for key in ["title", "status", "priority"] {
            let [base, saved, present, merged] = [&base, &saved, &present, &merged].map(|document| document.get(key));
            let expected = if saved == base { present } else { saved };
            prop_assert!(merged == expected && (saved == base || present == base || saved == present), "{}: {}", key, text);
        }
    }

    #[test]
    fn every_line_of_an_overlap_of_bodies_is_kept(base in document(), saved in document(), present in document()) {
        let Merged::Overlap(text) = merged(&base, &saved, &present) else { return Ok(()) };
        for (side, before) in [(&saved, &base), (&present, &base)] {
            let body = |text: &str| String::from_utf8(Document::parse(text.as_bytes()).body().to_vec()).unwrap();
            let old = body(before);
            for line in body(side).lines().filter(|line| !old.contains(line)) {
                prop_assert!(text.contains(line), "{line} is lost:\n{text}");
            }
        }
    }

    #[test]
    fn any_texts_are_merged_without_a_panic(base in "\\PC{0,40}", saved in "\\PC{0,40}", present in "\\PC{0,40}") {
        merged(&base, &saved, &present);
    }
}
