//! What a save meant: the difference between two snapshots of a path, as events.
//!
//! States in, events out: comparing a path with itself yields nothing, so a lost wake-up or an echo is harmless. An
//! invalid document yields problems and no change, since its snapshot keeps the meaning of the last valid one.

use super::{
    Value, event::Change, layout::Kind, path::WsPath, problem::Problem, snapshot::Snapshot, text::scalar_text,
};
use std::collections::BTreeSet;

/// Lists whose order means nothing.
const SETS: [&str; 3] = ["labels", "blocked_by", "related"];

/// What happened to a path; `None` is a file that is not there.
pub fn diff(path: &WsPath, old: Option<&Snapshot>, new: Option<&Snapshot>) -> Vec<Change> {
    let mut changes = match (old, new) {
        (None, None) => Vec::new(),
        (None, Some(new)) => vec_of(added(path, new)),
        (Some(old), None) => vec_of(removed(path, old)),
        (Some(old), Some(new)) if old.kind != new.kind => {
            removed(path, old).into_iter().chain(added(path, new)).collect()
        }
        (Some(old), Some(new)) => edited(path, old, new),
    };
    changes.extend(problem_changes(path, old.map_or(&[], |old| &old.problems), new.map_or(&[], |new| &new.problems)));
    changes
}

/// What happened when the file at `from` came to be at `to`, and perhaps changed on the way.
pub fn moved(from: &WsPath, to: &WsPath, old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    if old.kind != Kind::Ticket || new.kind != Kind::Ticket {
        return diff(from, Some(old), None).into_iter().chain(diff(to, None, Some(new))).collect();
    }
    let mut changes = vec![Change::TicketMoved { path: to.clone(), from: from.clone() }];
    changes.extend(edited(to, old, new));
    // Problems are known by path, so all of them move.
    changes.extend(problem_changes(from, &old.problems, &[]));
    changes.extend(problem_changes(to, &[], &new.problems));
    changes
}

fn vec_of(change: Option<Change>) -> Vec<Change> {
    change.into_iter().collect()
}

fn added(path: &WsPath, new: &Snapshot) -> Option<Change> {
    let path = path.clone();
    match &new.kind {
        Kind::Ticket => Some(Change::TicketCreated { path, title: new.title.clone() }),
        Kind::Comment { ticket } => Some(Change::CommentAdded { path, ticket: ticket.clone() }),
        kind => spec_changed(path, kind, "added"),
    }
}

fn removed(path: &WsPath, old: &Snapshot) -> Option<Change> {
    let path = path.clone();
    match &old.kind {
        Kind::Ticket => Some(Change::TicketRemoved { path, title: old.title.clone() }),
        Kind::Comment { ticket } => Some(Change::CommentRemoved { path, ticket: ticket.clone() }),
        kind => spec_changed(path, kind, "removed"),
    }
}

fn edited(path: &WsPath, old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    if new.is_invalid() && matches!(new.kind, Kind::Ticket | Kind::Comment { .. }) {
        return Vec::new();
    }
    let meaning_changed = old.body != new.body || !field_changes(path, old, new).is_empty();
    match &new.kind {
        Kind::Ticket => {
            let mut changes = field_changes(path, old, new);
            changes.extend((old.body != new.body).then(|| Change::BodyChanged { path: path.clone() }));
            changes
        }
        Kind::Comment { ticket } if meaning_changed => {
            vec![Change::CommentChanged { path: path.clone(), ticket: ticket.clone() }]
        }
        Kind::Comment { .. } => Vec::new(),
        _ if old.content == new.content && old.executable == new.executable => Vec::new(),
        kind => vec_of(spec_changed(path.clone(), kind, "edited")),
    }
}

fn spec_changed(path: WsPath, kind: &Kind, what: &str) -> Option<Change> {
    (*kind != Kind::Scratch).then(|| Change::SpecChanged { path, what: what.to_owned() })
}

/// Fields that mean something else now, in the order of the new file; those that went come last.
fn field_changes(path: &WsPath, old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let gone = old.fields.keys().filter(|name| !new.fields.contains_key(*name));
    let values = new.fields.keys().chain(gone).map(|name| {
        let value = |snapshot: &Snapshot| snapshot.fields.get(name).cloned().unwrap_or(Value::Null);
        (name, value(old), value(new))
    });
    let changed = values.filter(|(name, from, to)| !means_the_same(name, from, to));
    changed
        .map(|(field, from, to)| Change::FieldChanged { path: path.clone(), field: field.clone(), from, to })
        .collect()
}

pub(super) fn means_the_same(field: &str, from: &Value, to: &Value) -> bool {
    let members = |list: &Value| list.as_array().map(|items| items.iter().map(scalar_text).collect::<BTreeSet<_>>());
    from == to || (SETS.contains(&field) && members(from).is_some() && members(from) == members(to))
}

/// Cleared first, so that a problem that changed its message still stands after both.
fn problem_changes(path: &WsPath, old: &[Problem], new: &[Problem]) -> Vec<Change> {
    let same = |a: &Problem, b: &Problem| a.code == b.code && a.message == b.message;
    let cleared = old.iter().filter(|was| !new.iter().any(|is| same(was, is)));
    let found = new.iter().filter(|is| !old.iter().any(|was| same(was, is)));
    let cleared = cleared.map(|problem| Change::ProblemCleared { path: path.clone(), code: problem.code.clone() });
    let found = found.map(|problem| Change::ProblemFound {
        path: path.clone(),
        line: problem.line,
        code: problem.code.clone(),
        message: problem.message.clone(),
    });
    cleared.chain(found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{schema::Schema, snapshot};
    use serde_json::json;

    fn path(text: &str) -> WsPath {
        WsPath::new(text).unwrap()
    }

    fn snapshot(name: &str, kind: Kind, text: &str, previous: Option<&Snapshot>) -> Snapshot {
        snapshot::read(&path(name), kind, text.as_bytes(), false, &Schema::default(), previous)
    }

    /// The events of a ticket that held one text after the other, as their wire names and fields.
    fn saves(texts: &[Option<&str>]) -> Vec<String> {
        let mut last = None;
        let mut events = Vec::new();
        for text in texts {
            let now = text.map(|text| snapshot("tickets/t.md", Kind::Ticket, text, last.as_ref()));
            events = diff(&path("tickets/t.md"), last.as_ref(), now.as_ref()).iter().map(told).collect();
            last = now;
        }
        events
    }

    fn told(change: &Change) -> String {
        let json = serde_json::to_value(change).unwrap();
        let rest =
            json.as_object().unwrap().iter().filter(|(key, _)| !matches!(key.as_str(), "event" | "path" | "message"));
        let rest: Vec<String> = rest.map(|(_, value)| value.to_string()).collect();
        format!("{} {}", json["event"].as_str().unwrap(), rest.join(" ")).trim().to_owned()
    }

    const VALID: &str = "---\ntitle: A\nstatus: todo\nlabels: [a, b]\n---\nbody\n";

    #[test]
    fn a_new_ticket_is_one_event_and_its_problems() {
        assert_eq!(saves(&[Some(VALID)]), ["ticket.created \"A\""]);
        assert_eq!(saves(&[Some("Just text")]), ["ticket.created \"Just text\"", "problem.found 1 \"no-frontmatter\""]);
    }

    #[test]
    fn a_change_of_a_field_or_the_body_is_an_event() {
        let next = "---\ntitle: A\nstatus: done\ndue: 2026-12-01\n---\nmore\n";
        let expected = [
            "ticket.field_changed \"status\" \"todo\" \"done\"",
            "ticket.field_changed \"due\" null \"2026-12-01\"",
            "ticket.field_changed \"labels\" [\"a\",\"b\"] null",
            "ticket.body_changed",
        ];
        assert_eq!(saves(&[Some(VALID), Some(next)]), expected);
    }

    #[test]
    fn a_save_that_means_the_same_yields_nothing() {
        let other = "---\n# note\nlabels:\n  - b\n  - 'a'\nstatus: \"todo\"\ntitle: A\ndue:\n---\nbody\n";
        assert!(saves(&[Some(VALID), Some(other)]).is_empty());
        assert!(saves(&[Some(VALID), Some(VALID)]).is_empty());
        assert!(saves(&[Some("broken"), Some("broken")]).is_empty());
    }

    #[test]
    fn a_broken_save_clears_nothing_and_mending_it_tells_what_changed_since() {
        assert_eq!(saves(&[Some(VALID), Some("")]), ["problem.found 1 \"empty\""]);
        assert_eq!(
            saves(&[Some(VALID), Some(""), Some("---\n")]),
            ["problem.cleared \"empty\"", "problem.found 1 \"unclosed-frontmatter\""]
        );
        assert_eq!(saves(&[Some(VALID), Some(""), Some(VALID)]), ["problem.cleared \"empty\""]);
        let mended = VALID.replace("todo", "done");
        let expected = ["ticket.field_changed \"status\" \"todo\" \"done\"", "problem.cleared \"empty\""];
        assert_eq!(saves(&[Some(VALID), Some(""), Some(&mended)]), expected);
    }

    #[test]
    fn a_removed_ticket_takes_its_problems_along() {
        assert_eq!(saves(&[Some("text"), None]), ["ticket.removed \"text\"", "problem.cleared \"no-frontmatter\""]);
    }

    #[test]
    fn a_move_is_told_as_one_and_its_problems_follow() {
        let old = snapshot("tickets/a.md", Kind::Ticket, VALID, None);
        let new = snapshot("tickets/b.md", Kind::Ticket, &VALID.replace("todo", "nope"), Some(&old));
        let changes = moved(&path("tickets/a.md"), &path("tickets/b.md"), &old, &new);
        let told: Vec<String> = changes.iter().map(told).collect();
        assert_eq!(told, ["ticket.moved \"tickets/a.md\"", "problem.found 3 \"unknown-status\""]);
        let back = moved(&path("tickets/b.md"), &path("tickets/a.md"), &new, &old);
        let problem = Change::ProblemCleared { path: path("tickets/b.md"), code: "unknown-status".into() };
        assert_eq!(back[1..], [problem]);
    }

    #[test]
    fn other_files_are_added_edited_and_removed() {
        let comment = Kind::Comment { ticket: path("tickets/a.md") };
        let events = |kind: &Kind, texts: [Option<&str>; 2]| {
            let [old, new] = texts.map(|text| text.map(|text| snapshot("specs/x", kind.clone(), text, None)));
            diff(&path("specs/x"), old.as_ref(), new.as_ref()).iter().map(told).collect::<Vec<_>>()
        };
        for kind in [Kind::Spec, Kind::Inbox, Kind::Other, Kind::Config] {
            assert_eq!(events(&kind, [None, Some("a")]), ["spec.changed \"added\""]);
            assert_eq!(events(&kind, [Some("a"), Some("b")]), ["spec.changed \"edited\""]);
            assert_eq!(events(&kind, [Some("a"), Some("a")]), [""; 0]);
            assert_eq!(events(&kind, [Some("a"), None]), ["spec.changed \"removed\""]);
        }
        assert_eq!(events(&comment, [None, Some("a")]), ["comment.added \"tickets/a.md\""]);
        assert_eq!(events(&comment, [Some("a"), Some("b")]), ["comment.changed \"tickets/a.md\""]);
        assert_eq!(events(&comment, [Some("a"), None]), ["comment.removed \"tickets/a.md\""]);
        assert_eq!(events(&Kind::Scratch, [Some("a"), Some("b")]), [""; 0]);
        assert_eq!(json!(events(&Kind::Scratch, [None, Some("b")])), json!([]));
    }
}
