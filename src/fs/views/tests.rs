use super::*;
use crate::domain::{catalog::Times, layout::Kind, schema::Schema, snapshot};
use std::sync::Arc;

/// A catalog of tickets with these statuses.
fn catalog(tickets: &[(&str, &str)]) -> Catalog {
    let mut catalog = Catalog::new(Arc::new(Schema::default()));
    for (path, status) in tickets {
        put(&mut catalog, path, &format!("status: {}", serde_json::Value::from(*status)));
    }
    catalog
}

fn put(catalog: &mut Catalog, path: &str, fields: &str) {
    let text = format!("---\ntitle: T\n{fields}\n---\n");
    let file = snapshot::read(&ws(path), Kind::Ticket, text.as_bytes(), false, catalog.schema(), None);
    catalog.put(&ws(path), Some(&file), Times::default());
}

fn ws(path: &str) -> WsPath {
    WsPath::new(path).unwrap()
}

fn look<T>(catalog: &Catalog, look: impl FnOnce(&Shown<'_>) -> T) -> T {
    let conflicts = ["tickets/a/x.md", "tickets/b/x.md"].map(ws).into();
    let moment = Moment { now: crate::domain::Timestamp::UNIX_EPOCH, zone: jiff::tz::TimeZone::UTC };
    look(&Shown { catalog, conflicts: &conflicts, made: &Made::default(), lists: &Lists::default(), moment })
}

/// What a folder lists; each entry is what a look-up of its name finds.
#[track_caller]
fn names(catalog: &Catalog, path: &str) -> Vec<String> {
    look(catalog, |shown| {
        let folder = shown.folder(path).unwrap_or_else(|| panic!("{path} is no folder"));
        let entries = shown.entries(path, &folder);
        for entry in &entries {
            assert_eq!(shown.entry(path, &folder, &entry.name).as_ref(), Some(&entry.node), "{path}/{}", entry.name);
        }
        entries.into_iter().map(|entry| entry.name).collect()
    })
}

const STATUSES: [&str; 6] = ["backlog", "todo", "in-progress", "in-review", "done", "canceled"];

#[test]
fn every_status_is_a_folder_even_when_empty_or_unknown() {
    let catalog = catalog(&[("tickets/a.md", "todo"), ("tickets/b.md", "odd/one"), ("tickets/c.md", "")]);
    assert_eq!(names(&catalog, "views/status"), [&STATUSES[..], &["odd-one", "none"]].concat());
    assert_eq!(names(&catalog, "views/status/done"), [""; 0]);
    assert_eq!(names(&catalog, "views/status/odd-one"), ["b.md"]);
    assert_eq!(names(&catalog, "views/status/none"), ["c.md"]);
}

#[test]
fn every_ticket_in_conflict_has_a_page_of_its_own() {
    let catalog = catalog(&[]);
    assert!(names(&catalog, "status").contains(&"conflicts".to_owned()));
    assert_eq!(names(&catalog, "status/conflicts"), ["x.md", "x~2.md"]);
}

#[test]
fn a_link_leads_to_its_ticket_from_where_it_stands() {
    let catalog = catalog(&[("tickets/auth/a.md", "todo")]);
    for (folder, up) in [("views/ready", "../../"), ("views/status/todo", "../../../"), ("views/tree", "../../")] {
        let link = look(&catalog, |shown| shown.entry(folder, &shown.folder(folder).unwrap(), "a.md"));
        let expected = Virtual::Link { path: format!("{folder}/a.md"), target: format!("{up}tickets/auth/a.md") };
        assert_eq!(link, Some(expected));
    }
}

#[test]
fn a_ticket_has_one_name_in_all_views_for_as_long_as_it_is_there() {
    let paths = ["tickets/a/x.md", "tickets/b/x.md", "tickets/c/x.md", "tickets/d/x~2.md"];
    let mut catalog = catalog(&paths.map(|path| (path, "todo")));
    let all = ["x.md", "x~2.md", "x~3.md", "x~2~2.md"];
    assert_eq!(names(&catalog, "views/status/todo"), all);
    put(&mut catalog, "tickets/a/x.md", "status: done");
    assert_eq!(names(&catalog, "views/status/todo"), all[1..]);
    assert_eq!(names(&catalog, "views/status/done"), all[..1]);
    catalog.put(&ws("tickets/a/x.md"), None, Times::default());
    assert_eq!(names(&catalog, "views/status/todo"), all[1..], "no name has come to mean another ticket");
    put(&mut catalog, "tickets/0/x.md", "status: todo");
    assert_eq!(names(&catalog, "views/status/todo"), ["x.md", "x~2.md", "x~3.md", "x~2~2.md"]);
}

#[test]
fn values_whose_names_come_out_alike_have_a_folder_each() {
    let catalog = catalog(&[
        ("tickets/a.md", "a/b"),
        ("tickets/b.md", "a-b"),
        ("tickets/c.md", "a\u{7}b"),
        ("tickets/d.md", "none"),
        ("tickets/e.md", ""),
    ]);
    assert_eq!(names(&catalog, "views/status")[6..], ["a-b~2", "a-b", "a-b~3", "none~2", "none"]);
    let held = ["a-b", "a-b~2", "a-b~3", "none~2", "none"].map(|name| names(&catalog, &format!("views/status/{name}")));
    assert_eq!(held.concat(), ["b.md", "a.md", "c.md", "d.md", "e.md"], "a plain name is its own value's");
}

#[test]
fn no_name_is_longer_than_a_disk_takes() {
    let long = "é".repeat(126);
    let paths = ["x", "y"].map(|folder| format!("{folder}/{long}.md"));
    let status = "s".repeat(300);
    let catalog = catalog(&[(&paths[0], "todo"), (&paths[1], "todo"), ("z.md", &status)]);
    assert_eq!(names(&catalog, "views/status/todo"), [format!("{long}.md"), format!("{}~2.md", "é".repeat(125))]);
    assert_eq!(names(&catalog, "views/status")[6], "s".repeat(255));
}

#[test]
fn a_status_may_be_any_text_and_its_folder_has_a_legal_name() {
    let long = "ä".repeat(1000);
    let catalog = catalog(&[("a.md", &long), ("b.md", "a\u{1b}[2J\n/\u{202e}b"), ("c.md", "..")]);
    let mut found = names(&catalog, "views/status").split_off(6);
    found.sort_unstable();
    assert_eq!(found, ["(..)", "a-[2J---b", &"ä".repeat(127)]);
}

#[test]
fn many_tickets_of_one_name_take_time_in_proportion() {
    let paths: Vec<String> = (0..50_000).map(|n| format!("tickets/{n:05}/README.md")).collect();
    let tickets: Vec<_> = paths.iter().map(|path| (path.as_str(), "todo")).collect();
    let shown = names(&catalog(&tickets), "views/status/todo");
    assert_eq!((shown.len(), shown[49_999].as_str()), (50_000, "README~50000.md"));
}

#[test]
fn a_tree_has_each_ticket_below_its_parent_and_a_ring_has_a_beginning() {
    let mut catalog = catalog(&[("tickets/top.md", "todo"), ("tickets/gone.md", "todo")]);
    for (path, parent) in
        [("a", "top"), ("b", "a"), ("c", "nobody"), ("r1", "r3"), ("r2", "r1"), ("r3", "r2"), ("self", "self")]
    {
        put(&mut catalog, &format!("tickets/{path}.md"), &format!("parent: {parent}"));
    }
    assert_eq!(names(&catalog, "views/tree"), ["r1", "top", "c.md", "gone.md", "r1.md", "self.md", "top.md"]);
    assert_eq!(names(&catalog, "views/tree/top"), ["a", "a.md"]);
    assert_eq!(names(&catalog, "views/tree/top/a"), ["b.md"]);
    assert_eq!(names(&catalog, "views/tree/r1/r2"), ["r3.md"]);
    look(&catalog, |shown| {
        assert!(shown.folder("views/tree/a").is_none() && shown.folder("views/tree/r1/r2/r3").is_none())
    });
}

#[test]
fn links_are_listed_both_ways() {
    let mut catalog = catalog(&[("tickets/alone.md", "todo")]);
    put(&mut catalog, "tickets/a.md", "parent: b\nsync: {linear: ENG-1}");
    put(&mut catalog, "tickets/b.md", "blocked_by: [ENG-1, nobody]");
    assert_eq!(
        (names(&catalog, "views/links"), names(&catalog, "views/backlinks")),
        (vec!["a".into(), "b".into()], vec!["a".into(), "b".into()])
    );
    assert_eq!(names(&catalog, "views/links/a"), ["b.md"]);
    assert_eq!(names(&catalog, "views/backlinks/a"), ["b.md"]);
    look(&catalog, |shown| assert!(shown.folder("views/links/alone").is_none()));
}

#[test]
fn a_list_of_its_own_names_is_looked_up_by_them() {
    let mut catalog = catalog(&[("tickets/a.md", "todo"), ("tickets/b.md", "todo"), ("tickets/c.md", "done")]);
    let view = b"query: status:todo sort:name-desc\nname: \"{status}-{slug}\"\nlimit: 5\n";
    let path = ws(".trackfs/views/mine-too.yaml");
    let view = crate::domain::view::SavedView::parse(&path, view, catalog.schema()).unwrap();
    catalog.set_saved([("mine-too".to_owned(), Arc::new(view))].into());
    assert_eq!(names(&catalog, "views/mine-too"), ["todo-t.md", "todo-t~2.md"]);
    assert!(names(&catalog, "views").contains(&"mine-too".to_owned()));
}

#[test]
fn a_link_to_another_ticket_is_another_inode() {
    let link = |target: &str| Virtual::Link { path: "views/status/todo/a.md".into(), target: target.into() }.ino();
    assert_ne!(link("../a.md"), link("../b.md"));
    assert_eq!(link("../a.md"), link("../a.md"));
    assert!(link("../a.md").is_virtual());
}
