use super::*;
use crate::domain::schema::FieldDef;
use proptest::prelude::*;
use serde_json::json;

fn schema(statuses: &[(&str, StatusKind)]) -> Schema {
    let status = |(name, kind): &(&str, StatusKind)| StatusDef { name: (*name).to_owned(), kind: *kind, next: vec![] };
    let names = ["urgent", "high", "medium", "low"].map(str::to_owned).to_vec();
    Schema {
        fields: vec![FieldDef { name: "priority".into(), kind: FieldKind::Choice(names), required: false }],
        statuses: statuses.iter().map(status).collect(),
    }
}

fn capabilities(states: &[(&str, StatusKind)]) -> Capabilities {
    Capabilities {
        fields: Field::ALL.into(),
        states: states.iter().map(|(name, kind)| RemoteState { name: (*name).to_owned(), kind: *kind }).collect(),
        priorities: ["Urgent", "High", "Medium", "Low"].map(str::to_owned).to_vec(),
        types: ["Bug", "Feature"].map(str::to_owned).to_vec(),
        comments: true,
        account: None,
        idempotent_create: true,
        max_title: 255,
        max_body: 65_535,
        rewrites_markdown: true,
    }
}

use StatusKind::{Backlog, Canceled, Completed, Started, Unstarted};
const LOCAL: [(&str, StatusKind); 6] = [
    ("backlog", Backlog),
    ("todo", Unstarted),
    ("in-progress", Started),
    ("in-review", Started),
    ("done", Completed),
    ("canceled", Canceled),
];
const LINEAR: [(&str, StatusKind); 5] =
    [("Backlog", Backlog), ("Todo", Unstarted), ("In Progress", Started), ("Done", Completed), ("Canceled", Canceled)];
const GITHUB: [(&str, StatusKind); 4] =
    [("open", Unstarted), ("closed", Completed), ("closed:not_planned", Canceled), ("closed:duplicate", Canceled)];

fn mapping(states: &[(&str, StatusKind)], overrides: &[(&str, &str)]) -> Mapping {
    let overrides = overrides.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let mut names = Names::default();
    names.add("auth-epic", Some(&json!({"linear": "ENG-7"})), "linear");
    names.add("only-there", Some(&json!({"github": 9})), "linear");
    names.add_key("145");
    Mapping::new(&schema(&LOCAL), &capabilities(states), &overrides, names)
}

#[test]
fn a_status_crosses_by_override_then_name_then_kind() {
    let linear = mapping(&LINEAR, &[("in-review", "Done")]);
    let github = mapping(&GITHUB, &[]);
    for (mapping, status, state) in [
        (&linear, "in-review", "Done"),
        (&linear, "in-progress", "In Progress"),
        (&linear, "todo", "Todo"),
        (&github, "backlog", "open"),
        (&github, "in-progress", "open"),
        (&github, "done", "closed"),
        (&github, "canceled", "closed:not_planned"),
    ] {
        assert_eq!(mapping.state_of(status).map(|s| s.name.as_str()), Some(state), "{status}");
    }
    assert_eq!(linear.state_of("no-such-status"), None);
}

#[test]
fn the_present_status_stays_when_it_says_what_the_remote_says() {
    let github = mapping(&GITHUB, &[]);
    assert_eq!(github.status_of("open", Some("in-review")), Some("in-review"));
    assert_eq!(github.status_of("open", Some("done")), Some("todo"));
    assert_eq!(github.status_of("closed:duplicate", Some("todo")), Some("canceled"));
    assert_eq!(github.status_of("no-such-state", Some("todo")), None);
}

#[test]
fn a_ticket_crosses_into_remote_terms() {
    let fields = json!({"status": "in-review", "labels": ["a", "b"], "priority": "high", "type": "bug", "estimate": 3.0, "due": "2026-12-01"});
    let view = TicketView { title: "From the heading", fields: fields.as_object().unwrap(), body: "text\n" };
    let remote = mapping(&LINEAR, &[]).to_remote(view);
    assert_eq!(remote[&Field::Title], FieldValue::text("From the heading"));
    assert_eq!(remote[&Field::Status], FieldValue::text("In Progress"));
    assert_eq!(remote[&Field::Priority], FieldValue::text("High"));
    assert_eq!(remote[&Field::Type], FieldValue::text("Bug"));
    assert_eq!(remote[&Field::Estimate], FieldValue::text("3"));
    assert_eq!(remote[&Field::Assignee], FieldValue::Text(None));
}

#[test]
fn what_the_remote_cannot_say_is_left_out_not_cleared() {
    let fields = json!({"status": "unheard-of", "priority": "whenever", "type": "chore", "estimate": "lots", "labels": {"a": 1}});
    let view = TicketView { title: "t", fields: fields.as_object().unwrap(), body: "" };
    let remote = mapping(&LINEAR, &[]).to_remote(view);
    for field in [Field::Status, Field::Priority, Field::Type, Field::Estimate, Field::Labels] {
        assert!(!remote.contains_key(&field), "{field:?}");
    }
}

#[test]
fn what_an_issue_is_filed_under_goes_by_name_and_a_cycle_by_number_too() {
    let linear = mapping(&LINEAR, &[]);
    let fields = json!({"project": " Launch ", "milestone": "1.0", "cycle": 12});
    let view = TicketView { title: "t", fields: fields.as_object().unwrap(), body: "" };
    let remote = linear.to_remote(view);
    for (field, text, value) in [
        (Field::Project, "Launch", json!("Launch")),
        (Field::Milestone, "1.0", json!("1.0")),
        (Field::Cycle, "12", json!(12)),
    ] {
        assert_eq!(remote[&field], FieldValue::text(text));
        assert_eq!(linear.to_field(field, &remote[&field], None), Ok(Some(value)));
        assert_eq!(linear.to_field(field, &FieldValue::Text(None), Some(&json!("x"))), Ok(None));
    }
    assert_eq!(linear.to_field(Field::Cycle, &FieldValue::text("Q4 / 1"), None), Ok(Some(json!("Q4 / 1"))));
    let unreadable = json!({"project": ["a", "b"], "milestone": "", "cycle": null});
    let view = TicketView { title: "t", fields: unreadable.as_object().unwrap(), body: "" };
    let remote = linear.to_remote(view);
    assert!(!remote.contains_key(&Field::Project), "what cannot be read clears nothing");
    assert_eq!(
        (&remote[&Field::Milestone], &remote[&Field::Cycle]),
        (&FieldValue::Text(None), &FieldValue::Text(None))
    );
}

#[test]
fn a_parent_crosses_as_its_key_and_keeps_the_name_that_the_ticket_gives_it() {
    let linear = mapping(&LINEAR, &[]);
    let said = |parent: Value| {
        let fields = json!({ "parent": parent });
        let view = TicketView { title: "t", fields: fields.as_object().unwrap(), body: "" };
        linear.to_remote(view).get(&Field::Parent).cloned()
    };
    let key = |key| Some(FieldValue::text(key));
    assert_eq!((said(json!("auth-epic")), said(json!("ENG-7"))), (key("ENG-7"), key("ENG-7")));
    assert_eq!((said(json!(145)), said(json!(null))), (key("145"), Some(FieldValue::Text(None))));
    assert_eq!((said(json!("only-there")), said(json!("nobody"))), (None, None), "it says nothing, and clears nothing");

    let written = |key: &str, current: Option<&Value>| {
        linear.to_field(Field::Parent, &FieldValue::text(key), current).unwrap().unwrap()
    };
    assert_eq!(written("ENG-7", None), json!("auth-epic"));
    assert_eq!(written("ENG-7", Some(&json!("ENG-7"))), json!("ENG-7"));
    assert_eq!(written("145", Some(&json!("auth-epic"))), json!(145));
    assert_eq!(written("OPS-1", None), json!("OPS-1"));
}

#[test]
fn links_cross_as_keys_and_what_means_nothing_there_stays() {
    let linear = mapping(&LINEAR, &[]);
    let said = |links: Value| {
        let fields = json!({ "blocked_by": links });
        let view = TicketView { title: "t", fields: fields.as_object().unwrap(), body: "" };
        linear.to_remote(view).remove(&Field::BlockedBy)
    };
    let keys = |keys: &[&str]| FieldValue::Set(keys.iter().map(|key| (*key).to_owned()).collect());
    assert_eq!(said(json!(["auth-epic", "ENG-7", 145, "only-there", "nobody"])), Some(keys(&["145", "ENG-7"])));
    assert_eq!((said(json!("auth-epic")), said(json!(null))), (Some(keys(&["ENG-7"])), Some(keys(&[]))));
    assert_eq!(said(json!([["nested"]])), None, "what cannot be read clears nothing");

    let written = |there: &[&str], current: Value| {
        linear.to_field(Field::BlockedBy, &keys(there), Some(&current)).unwrap().unwrap_or(Value::Null)
    };
    assert_eq!(written(&["ENG-7", "145"], json!(["only-there", "ENG-7"])), json!(["only-there", "ENG-7", 145]));
    assert_eq!(written(&["ENG-7"], json!([])), json!(["auth-epic"]));
    assert_eq!(written(&[], json!(["auth-epic", "nobody", 145])), json!(["nobody"]));
    assert_eq!(written(&["OPS-1"], json!("OPS-1")), json!(["OPS-1"]), "a key is not said twice");
    assert_eq!(written(&[], json!(["auth-epic"])), Value::Null);
}

#[test]
fn labels_keep_their_places_and_new_ones_follow() {
    let value = FieldValue::Set(["a", "b", "z"].map(str::to_owned).into());
    let linear = mapping(&LINEAR, &[]);
    assert_eq!(linear.to_field(Field::Labels, &value, Some(&json!(["z", "x", "b"]))), Ok(Some(json!(["z", "b", "a"]))));
    assert_eq!(linear.to_field(Field::Labels, &FieldValue::Set(BTreeSet::new()), Some(&json!(["z"]))), Ok(None));
    assert_eq!(linear.to_field(Field::Estimate, &FieldValue::text("2.5"), None), Ok(Some(json!(2.5))));
}

fn states() -> impl Strategy<Value = Vec<(&'static str, StatusKind)>> {
    let all: Vec<_> = LINEAR.into_iter().chain(GITHUB).chain([("In Review", Started), ("Triage", Backlog)]).collect();
    prop::sample::subsequence(all, 1..=8)
}

proptest! {
    #[test]
    fn every_status_has_a_state_and_every_state_a_status(states in states()) {
        let mapping = mapping(&states, &[]);
        for (status, _) in LOCAL {
            let state = mapping.state_of(status).expect("some state is nearest").name.clone();
            prop_assert_eq!(mapping.status_of(&state, Some(status)), Some(status));
        }
        for (state, _) in states {
            prop_assert!(mapping.status_of(state, None).is_some());
        }
    }
}
