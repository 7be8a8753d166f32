use super::*;
use proptest::prelude::*;
use std::{collections::BTreeSet, fs};

fn linear() -> Simulator {
    Simulator::new("sim", Flavour::Linear { team: "SIM".into() })
}

fn titled(title: &str) -> IssueFields {
    [(Field::Title, FieldValue::text(title))].into()
}

fn title(issue: &RemoteIssue) -> &str {
    issue.fields[&Field::Title].as_text().unwrap()
}

#[test]
fn every_change_has_a_later_time() {
    let simulator = linear();
    let issue = simulator.add(&titled("a"));
    let edited = simulator.edit("SIM-1", |issue| drop(issue.fields.insert(Field::Title, FieldValue::text("b"))));
    assert!(edited.unwrap().updated_at > issue.updated_at);
    assert_eq!(issue.updated_at, "2026-01-01T00:00:00.250Z");
}

#[test]
fn a_change_to_the_same_value_is_none() {
    let simulator = linear();
    let issue = simulator.create(Uuid::new_v4(), ObjectKind::Issue, &titled("a")).unwrap();
    let patch = Patch { fields: titled("a"), base: issue.fields.clone() };
    assert_eq!(simulator.update(&issue.id, &patch).unwrap(), issue);
}

#[test]
fn whole_seconds_let_changes_share_a_time() {
    let simulator = Simulator::new("sim", Flavour::Github).with_whole_seconds();
    let times: BTreeSet<_> = (0..6).map(|_| simulator.add(&titled("a")).updated_at).collect();
    assert_eq!(times.into_iter().collect::<Vec<_>>(), ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"]);
}

#[test]
fn a_fault_waits_for_a_call_that_it_fits() {
    let simulator = linear();
    simulator.inject(Fault::AfterApply);
    simulator.inject(Fault::Offline);
    assert!(matches!(simulator.account(), Err(RemoteError::Offline { .. })));
    assert!(simulator.account().is_ok());
    assert!(matches!(
        simulator.create(Uuid::new_v4(), ObjectKind::Issue, &titled("a")),
        Err(RemoteError::Ambiguous { .. })
    ));
    assert_eq!(simulator.issues().len(), 1);
    assert_eq!(simulator.writes(), ["create SIM-1"]);
}

#[test]
fn the_folder_holds_one_readable_file_an_issue() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = linear().in_folder(folder.path()).unwrap();
    let issue = simulator.create(Uuid::new_v4(), ObjectKind::Issue, &titled("a")).unwrap();
    let text = fs::read_to_string(folder.path().join("SIM-1.json")).unwrap();
    assert_eq!(serde_json::from_str::<RemoteIssue>(&text).unwrap(), issue);
    assert!(text.contains("\n  \"fields\": {\n    \"title\": \"a\""), "{text}");
}

#[test]
fn an_edited_file_is_an_edit_on_the_remote() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = linear().in_folder(folder.path()).unwrap();
    let issue = simulator.add(&titled("before"));
    let path = folder.path().join("SIM-1.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("before", "after")).unwrap();
    let now = simulator.fetch(&issue.id).unwrap().unwrap();
    assert_eq!(title(&now), "after");
    assert!(now.updated_at > issue.updated_at);
    assert!(fs::read_to_string(&path).unwrap().contains(&now.updated_at), "the file shows the new time");
}

#[test]
fn a_half_written_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = linear().in_folder(folder.path()).unwrap();
    let issue = simulator.add(&titled("a"));
    fs::write(folder.path().join("SIM-1.json"), "{\"id\": \"").unwrap();
    fs::write(folder.path().join("notes.txt"), "not an issue").unwrap();
    assert_eq!(simulator.fetch(&issue.id).unwrap(), Some(issue));
}

#[test]
fn a_removed_file_is_an_issue_destroyed_and_a_copied_one_a_new_issue() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = linear().in_folder(folder.path()).unwrap();
    let issue = simulator.add(&titled("a"));
    fs::copy(folder.path().join("SIM-1.json"), folder.path().join("SIM-7.json")).unwrap();
    let copy = simulator.issues().into_iter().find(|issue| issue.key == "SIM-7").unwrap();
    assert_ne!(copy.id, issue.id);
    fs::remove_file(folder.path().join("SIM-1.json")).unwrap();
    assert_eq!(simulator.fetch(&issue.id).unwrap(), None);
    assert_eq!(simulator.add(&titled("b")).key, "SIM-8");
}

#[test]
fn another_run_goes_on_where_the_first_ended() {
    let folder = tempfile::tempdir().unwrap();
    let intent = Uuid::new_v4();
    let first = linear().in_folder(folder.path()).unwrap();
    let issue = first.create(intent, ObjectKind::Issue, &titled("a")).unwrap();
    let second = linear().in_folder(folder.path()).unwrap();
    assert_eq!(second.create(intent, ObjectKind::Issue, &titled("a")).unwrap(), issue);
    let next = second.add(&titled("b"));
    assert_eq!(next.key, "SIM-2");
    assert!(next.updated_at > issue.updated_at);
    assert_eq!(first.issues(), second.issues());
}

proptest! {
    #[test]
    fn a_listing_has_every_issue_whatever_the_page_size(count in 0..20usize, page in 0..7usize) {
        let simulator = linear().with_page_size(page);
        let made: BTreeSet<_> = (0..count).map(|_| simulator.add(&titled("a")).key).collect();
        let (mut listed, mut token, mut pages) = (BTreeSet::new(), None, 0);
        loop {
            let page = simulator.changed_since(None, token.as_ref()).unwrap();
            listed.extend(page.issues.into_iter().map(|issue| issue.key));
            pages += 1;
            prop_assert!(pages <= count.max(1));
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        prop_assert_eq!(listed, made);
    }
}
