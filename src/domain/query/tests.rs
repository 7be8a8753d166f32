use super::*;
use crate::domain::{catalog::Times, layout::Kind, path::WsPath, schema::Schema, snapshot};

const NOW: &str = "2026-11-26T12:00:00Z";

const TICKETS: [(&str, &str); 7] = [
    ("tickets/auth/epic.md", "title: Sign-in\nstatus: in-progress\nassignee: bob\npriority: medium\n"),
    (
        "tickets/auth/login.md",
        "title: Login fails on Safari\nstatus: todo\npriority: high\nlabels: [bug, area/Web]\nparent: epic\n\
         due: 2026-11-20\nestimate: 3\nsync: {linear: ENG-42}\n",
    ),
    (
        "tickets/auth/tokens.md",
        "title: Rotate tokens\nstatus: todo\nblocked_by: [ENG-42]\nlabels: [chore]\nestimate: 8\n",
    ),
    ("tickets/web/dark.md", "title: Dark mode\nstatus: backlog\ndue: 2026-11-28\n"),
    ("tickets/web/done.md", "title: A login page\nstatus: done\nassignee: ada\ndue: 2026-01-01\nestimate: 0.5\n"),
    ("tickets/web/mine.md", "title: Fonts\nstatus: in-progress\nassignee: ada\npriority: urgent\nlabels: [bug]\n"),
    ("tickets/web/odd.md", "title: No status\nblocked_by: [done]\npriority: low\n"),
];

fn moment() -> Moment {
    Moment { now: NOW.parse().unwrap(), zone: TimeZone::UTC }
}

/// Each ticket was made ten days after the one before and changed an hour after that; the last one a day ago.
fn catalog() -> Catalog {
    let schema = Schema::default();
    let mut catalog = Catalog::new(Arc::new(schema.clone()));
    catalog.set_me(&["ada".to_owned(), "ada@example.org".to_owned()]);
    for (age, (path, fields)) in TICKETS.iter().enumerate() {
        let path = WsPath::new(*path).unwrap();
        let text = format!("---\n{fields}---\n#t{age} [[epic]]\n");
        let file = snapshot::read(&path, Kind::Ticket, text.as_bytes(), false, &schema, None);
        let days = (TICKETS.len() - 1 - age) as i64 * 10 + 1;
        let created = moment().now - jiff::SignedDuration::from_hours(24 * days);
        let updated = created + jiff::SignedDuration::from_hours(1);
        catalog.put(&path, Some(&file), Times { created, updated });
    }
    catalog
}

fn found(query: &str) -> Vec<String> {
    let catalog = catalog();
    let query = Query::parse(query, catalog.schema()).unwrap_or_else(|error| panic!("{query}: {error}"));
    query.select(&catalog, &moment()).iter().map(|card| card.path.stem().to_owned()).collect()
}

#[test]
fn every_kind_of_term_finds_its_tickets() {
    for (query, expected) in [
        ("", "epic login tokens dark done mine odd"),
        ("status:todo", "login tokens"),
        ("status:TODO,backlog", "login tokens dark"),
        ("-status:todo is:open", "epic dark mine odd"),
        ("label:bug", "login mine"),
        ("label:bug,chore -label:area/*", "tokens mine"),
        ("label:area/web", "login"),
        ("label:\"area/Web\"", "login"),
        ("label:\"area/web\"", ""),
        ("no:status", "odd"),
        ("has:due no:assignee", "login dark"),
        ("-has:due", "epic tokens mine odd"),
        ("assignee:@me", "done mine"),
        ("is:mine is:open", "mine"),
        ("is:open", "epic login tokens dark mine odd"),
        ("is:closed", "done"),
        ("is:started", "epic mine"),
        ("is:blocked", "tokens"),
        ("is:ready", "login dark odd"),
        ("is:overdue", "login"),
        ("is:inbox", "dark"),
        ("login", "login done"),
        ("\"login fails\"", "login"),
        ("-login safari", ""),
        ("title:login is:open", "login"),
        ("name:d*", "dark done"),
        ("path:tickets/web", "dark done mine odd"),
        ("path:*/login.md", "login"),
        ("path:tickets/we", ""),
        ("key:eng-42", "login"),
        ("remote:linear", "login"),
        ("parent:epic", "login"),
        ("blocked-by:ENG-*", "tokens"),
        ("link:login", "tokens"),
        ("tag:t3", "dark"),
        ("priority:urgent..high", "login mine"),
        ("status:in-progress..", "epic done mine"),
        ("estimate:>=3", "login tokens"),
        ("estimate:0..3", "login done"),
        ("estimate:3", "login"),
        ("due:2026-11-20", "login"),
        ("due:<today", "login done"),
        ("due:0d..3d", "dark"),
        ("due:<-5d is:open", "login"),
        ("due:2026-11-01..2026-11-30", "login dark"),
        ("created:>40d", "epic login tokens"),
        ("created:11d..30d", "done mine"),
        ("created:>=2026-11-15", "mine odd"),
        ("updated:<24h", "odd"),
        ("updated:yesterday", "odd"),
        ("updated:<2w", "mine odd"),
        ("is:open sort:priority", "mine login epic odd tokens dark"),
        ("is:open sort:priority-desc", "odd epic login mine tokens dark"),
        ("sort:due,title limit:4", "done login dark mine"),
        ("sort:title-desc limit:2", "epic tokens"),
        ("sort:updated limit:2", "odd mine"),
        ("sort:created-asc limit:2", "epic login"),
        ("sort:estimate-desc limit:3", "tokens login done"),
    ] {
        let mut wanted: Vec<&str> = expected.split_whitespace().collect();
        let mut have = found(query);
        if !query.contains("sort:") {
            // By path, which is not the order they are written down in above.
            wanted.sort_unstable();
            have.sort_unstable();
        }
        assert_eq!(have, wanted, "{query}");
    }
}

#[test]
fn an_error_says_where_it_is_and_what_would_be_right() {
    for (query, expected) in [
        ("status:todo asignee:bob", "column 13: there is no field `asignee` (did you mean `assignee`?)"),
        ("is:opne", "column 4: a ticket is never `opne` (did you mean `open`?)"),
        ("status:tdoo", "column 8: no status is called `tdoo` (did you mean `todo`?)"),
        ("-priority:hihg", "column 11: no priority is called `hihg` (did you mean `high`?)"),
        (
            "label:",
            "column 7: a value is missing (a value with spaces stands in quotes; `no:FIELD` is for tickets without one)",
        ),
        (
            "label:a,",
            "column 9: a value is missing (a value with spaces stands in quotes; `no:FIELD` is for tickets without one)",
        ),
        ("title:\"x", "column 7: the quote that begins here does not end"),
        ("a -", "column 3: nothing stands here that could be looked for"),
        ("priority:>high", "column 11: such values are not compared (say from which to which: `priority:urgent..low`)"),
        ("label:>bug", "column 8: such values are not compared (numbers and dates are)"),
        (
            "due:soon",
            "column 5: `soon` is no date (2026-12-01, today, tomorrow, yesterday, or how far away it is: 3d, 2w, 6mo, 1y)",
        ),
        (
            "due:2026-02-30",
            "column 5: `2026-02-30` is no date (2026-12-01, today, tomorrow, yesterday, or how far away it is: 3d, 2w, 6mo, 1y)",
        ),
        (
            "due:<3h",
            "column 6: `3h` is no date (2026-12-01, today, tomorrow, yesterday, or how far away it is: 3d, 2w, 6mo, 1y)",
        ),
        ("updated:7d", "column 9: nothing is exactly that far away (`<7d` or `>7d`, or a range)"),
        ("updated:7d..2026-01-01", "column 9: both ends of a range are written alike"),
        ("due:..", "column 5: a range has at least one end"),
        ("estimate:many", "column 10: `many` is no number"),
        ("estimate:nan", "column 10: `nan` is no number"),
        ("limit:0", "column 7: `0` is no number of tickets"),
        ("-limit:3", "column 2: `limit` has no opposite"),
        ("is:open,closed", "column 9: only one may stand here"),
        (
            "label:a OR label:b",
            "column 9: `OR` is not used here (terms that stand side by side must all hold, `label:a,b` is either, `-label:a` is not)",
        ),
    ] {
        let error = Query::parse(query, &Schema::default()).expect_err(query);
        assert_eq!(error.to_string(), expected, "{query}");
    }
    let listed = Query::parse("ünïcode x:y", &Schema::default()).unwrap_err().to_string();
    assert!(listed.starts_with("column 9: there is no field `x` (one of title, status, "), "{listed}");
    assert!(listed.ends_with(", tag, title, path, name, key, remote, link, created, updated)"), "{listed}");
}

#[test]
fn every_field_of_the_schema_can_be_asked_for() {
    let yaml = "statuses:\n  new: {kind: backlog}\nfields:\n  title: text\n  severity: {type: choice, of: [low, high]}\n  \
                customer: text\n  since: date\n  watched: bool\n  label: text\n";
    let schema = Schema::parse(&WsPath::root(), yaml).unwrap();
    let mut catalog = Catalog::new(Arc::new(schema.clone()));
    let path = WsPath::new("tickets/a.md").unwrap();
    let text = "---\ntitle: A\nseverity: high\ncustomer: Big Corp\nsince: 2026-11-01\nwatched: true\nlabel: x\n---\n";
    let file = snapshot::read(&path, Kind::Ticket, text.as_bytes(), false, &schema, None);
    catalog.put(&path, Some(&file), Times::default());
    for (query, holds) in [
        ("severity:high", true),
        ("severity:low..", true),
        ("severity:low", false),
        ("customer:\"Big Corp\"", true),
        ("customer:big*", true),
        ("since:<-3w", true),
        ("watched:true", true),
        ("label:x", true),
        ("has:type", false),
    ] {
        let parsed = Query::parse(query, &schema).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(parsed.holds(&catalog, catalog.get(&path).unwrap(), &moment()), holds, "{query}");
    }
    assert!(Query::parse("assignee:x", &schema).is_err(), "this schema has none");
}

#[test]
fn whatever_is_written_there_is_an_answer() {
    let schema = Schema::default();
    let long = "a:b ".repeat(10_000);
    for query in ["\\", "\"\\", ":", "::", "-", "--a", "a\0b", "due:<", "due:..", "due:99999999d", "estimate:<-", &long]
    {
        let _ = Query::parse(query, &schema).map(|query| query.select(&catalog(), &moment()).len());
    }
    let many = "is:open ".repeat(101);
    let error = Query::parse(&many, &schema).unwrap_err();
    assert_eq!(error.to_string(), "column 801: a query has at most 100 terms");
}
