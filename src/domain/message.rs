//! Commit messages: what a person would have written about a burst of changes.
//!
//! Successive changes of one field are one (`todo → done`), and what was undone is not told. Text from tickets and
//! remotes stands on one line with control characters removed, so that it can never end a subject or forge a trailer.

mod summary;

use super::{
    event::Change,
    op::Actor,
    text::{one_line, shortened},
};
use summary::Summary;

const SUBJECT_LIMIT: usize = 72;
const BODY_LINES: usize = 100;

/// Subject, details when there is more than fits, and the trailers.
pub fn commit_message(changes: &[(Actor, Change)]) -> String {
    let clauses = Summary::of(changes.iter().map(|(_, change)| change)).clauses();
    let (subject, complete) = subject(&clauses);
    let mut message = format!("{subject}\n\n");
    if !complete {
        message.push_str(&details(&clauses));
    }
    for actor in actors(changes) {
        message.push_str(&format!("Trackfs-Actor: {actor}\n"));
    }
    message.push_str(&format!("Trackfs-Events: {}\n", changes.len()));
    message
}

/// As many clauses as fit; whether that is all of them, unshortened.
fn subject(clauses: &[String]) -> (String, bool) {
    if clauses.is_empty() {
        return ("workspace: edited".to_owned(), true);
    }
    let more = |n: usize| if n == clauses.len() { String::new() } else { format!(" and {} more", clauses.len() - n) };
    let told = |n: usize| format!("{}{}", clauses[..n].join("; "), more(n));
    // A clause takes some characters: no more than this many ever fit.
    let most = clauses.len().min(SUBJECT_LIMIT / 4);
    match (1..=most).rev().find(|&n| length(&told(n)) <= SUBJECT_LIMIT) {
        Some(n) => (told(n), n == clauses.len()),
        None => (format!("{}{}", shortened(&clauses[0], SUBJECT_LIMIT - length(&more(1))), more(1)), false),
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn details(clauses: &[String]) -> String {
    let mut lines: String = clauses.iter().take(BODY_LINES).map(|clause| format!("- {clause}\n")).collect();
    if clauses.len() > BODY_LINES {
        lines.push_str(&format!("- and {} more\n", clauses.len() - BODY_LINES));
    }
    lines + "\n"
}

/// Each name once, in the order of first appearance.
fn actors(changes: &[(Actor, Change)]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (actor, _) in changes {
        let name = shortened(&one_line(&actor.name), 60);
        let name = if name.is_empty() { "unknown".to_owned() } else { name };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Value, path::WsPath};
    use serde_json::json;

    fn by(actor: &str, changes: &[Change]) -> Vec<(Actor, Change)> {
        changes.iter().map(|change| (Actor::named(actor), change.clone())).collect()
    }

    /// `tickets/login.md` for `login`; anything with a dot is a path already.
    fn path(name: &str) -> WsPath {
        WsPath::new(if name.contains('.') { name.to_owned() } else { format!("tickets/{name}.md") }).unwrap()
    }

    fn field(name: &str, field: &str, from: Value, to: Value) -> Change {
        Change::FieldChanged { path: path(name), field: field.into(), from, to }
    }

    fn spec(name: &str, what: &str) -> Change {
        Change::SpecChanged { path: path(name), what: what.into() }
    }

    fn created(name: &str, title: &str) -> Change {
        Change::TicketCreated { path: path(name), title: title.into() }
    }

    fn subject_of(changes: &[Change]) -> String {
        commit_message(&by("vim", changes)).lines().next().unwrap().to_owned()
    }

    #[test]
    fn a_small_burst_is_told_in_the_subject() {
        let changes =
            [field("login", "status", json!("todo"), json!("in-progress")), spec("specs/auth/login.md", "edited")];
        let expected =
            "login: status todo → in-progress; spec auth/login.md edited\n\nTrackfs-Actor: vim\nTrackfs-Events: 2\n";
        assert_eq!(commit_message(&by("vim", &changes)), expected);
    }

    #[test]
    fn each_kind_of_change_has_its_words() {
        let at = path("login");
        for (changes, expected) in [
            (vec![created("login", "Login fails")], "new ticket login: Login fails"),
            (vec![Change::TicketRemoved { path: at.clone(), title: "Login".into() }], "login removed: Login"),
            (vec![Change::TicketMoved { path: at.clone(), from: path("signin") }], "login: renamed from signin"),
            (
                vec![Change::TicketMoved { path: path("tickets/a/login.md"), from: at.clone() }],
                "login: moved to tickets/a",
            ),
            (vec![Change::BodyChanged { path: at.clone() }], "login: body edited"),
            (vec![field("login", "due", json!("2026-12-01"), json!(null))], "login: due cleared"),
            (vec![field("login", "assignee", json!(null), json!("alice"))], "login: assignee alice"),
            (vec![field("login", "labels", json!(["a", "b"]), json!(["b", "c"]))], "login: labels +c −a"),
            (vec![field("login", "sync", json!(null), json!({"linear": "ENG-42"}))], "login: linked to ENG-42"),
            (vec![Change::CommentAdded { path: path("x.md"), ticket: at.clone() }; 2], "login: 2 comments added"),
            (vec![spec("README.md", "added"), spec("README.md", "edited")], "README.md added"),
            (vec![Change::ProblemCleared { path: at.clone(), code: "empty".into() }], "login: empty mended"),
            (vec![], "workspace: edited"),
        ] {
            assert_eq!(subject_of(&changes), expected);
        }
    }

    #[test]
    fn successive_changes_are_one_and_what_was_undone_is_not_told() {
        let (todo, doing, done) = (json!("todo"), json!("doing"), json!("done"));
        let step = |from: &Value, to: &Value| field("login", "status", from.clone(), to.clone());
        assert_eq!(subject_of(&[step(&todo, &doing), step(&doing, &done)]), "login: status todo → done");
        assert_eq!(subject_of(&[step(&todo, &doing), step(&doing, &todo)]), "login: edited");
        assert_eq!(subject_of(&[created("login", "A"), step(&todo, &done)]), "new ticket login: A");
        let retitled = field("login", "title", json!("A"), json!("B"));
        assert_eq!(subject_of(&[created("login", "A"), retitled]), "new ticket login: B");
    }

    #[test]
    fn tickets_of_the_same_name_are_told_by_their_path() {
        let changes = [
            Change::BodyChanged { path: path("tickets/a/x.md") },
            Change::BodyChanged { path: path("tickets/b/x.md") },
        ];
        assert_eq!(subject_of(&changes), "a/x: body edited; b/x: body edited");
    }

    #[test]
    fn a_large_burst_has_its_details_in_the_body() {
        let changes: Vec<Change> = (1..=5).map(|n| created(&format!("t{n}"), "A title of some length")).collect();
        let mut changes = by("claude", &changes);
        changes.extend(by("vim", &[Change::BodyChanged { path: path("t9") }]));
        insta::assert_snapshot!(commit_message(&changes), @"
        new ticket t1: A title of some length and 5 more

        - new ticket t1: A title of some length
        - new ticket t2: A title of some length
        - new ticket t3: A title of some length
        - new ticket t4: A title of some length
        - new ticket t5: A title of some length
        - t9: body edited

        Trackfs-Actor: claude
        Trackfs-Actor: vim
        Trackfs-Events: 6
        ");
        let many: Vec<Change> = (0..5000).map(|n| created(&format!("t{n}"), "x")).collect();
        let message = commit_message(&by("git", &many));
        assert!(message.contains("- and 4900 more\n\nTrackfs-Actor: git\nTrackfs-Events: 5000\n"));
    }

    #[test]
    fn text_from_a_ticket_cannot_forge_a_trailer_or_a_second_subject() {
        let evil = "x\n\nTrackfs-Actor: root\r\nSigned-off-by: a\u{2028}b\0c";
        let mut changes = by("vi\nm: x", &[created("login", evil), field("login", "title", json!(evil), json!(evil))]);
        changes.push((
            Actor::named("\n"),
            Change::ProblemFound { path: path("b"), line: 1, code: "x".into(), message: evil.into() },
        ));
        let message = commit_message(&changes);
        let last: Vec<&str> = message.trim_end().rsplit("\n\n").next().unwrap().lines().collect();
        assert_eq!(last, ["Trackfs-Actor: vi m: x", "Trackfs-Actor: unknown", "Trackfs-Events: 3"]);
        assert!(message.lines().all(|line| !line.starts_with("Signed-off-by")), "{message}");
        assert!(message.lines().next().unwrap().chars().count() <= SUBJECT_LIMIT);
    }
}
