//! The tickets and specs of the demo: a ferry company's backlog, the same bytes every time.

use super::words::{AREAS, Area, COMMENTS, PATTERNS, PEOPLE, Pattern};
use std::{fs, io, path::Path};

const SPECS: [(&str, &str); 5] = [
    ("specs/auth/login.md", include_str!("specs/login.md")),
    ("specs/billing/invoices.md", include_str!("specs/invoices.md")),
    ("specs/search/ranking.md", include_str!("specs/search.md")),
    ("specs/mobile/offline.md", include_str!("specs/offline.md")),
    ("specs/architecture.md", include_str!("specs/architecture.md")),
];

const PRIORITIES: [&str; 4] = ["low", "medium", "high", "urgent"];

/// What was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    pub tickets: usize,
    pub comments: usize,
    pub specs: usize,
    /// Shortest name of a ticket whose status is `todo`.
    pub todo: String,
}

/// Writes about 200 tickets, their comments, and the specs into the workspace `dir`.
pub fn write(dir: &Path) -> io::Result<Written> {
    let mut written = Written { tickets: 0, comments: 0, specs: SPECS.len(), todo: String::new() };
    for (path, text) in SPECS {
        put(dir, path, text)?;
    }
    for ticket in AREAS.iter().flat_map(tickets) {
        put(dir, &ticket.path, &ticket.text)?;
        written.tickets += 1;
        let name = ticket.name();
        if ticket.text.contains("\nstatus: todo\n") && (written.todo.is_empty() || name.len() < written.todo.len()) {
            written.todo = name.to_owned();
        }
        for (number, comment) in ticket.comments.iter().enumerate() {
            put(dir, &format!("{}/comments/{}.md", ticket.path.trim_end_matches(".md"), number + 1), comment)?;
            written.comments += 1;
        }
    }
    Ok(written)
}

fn put(dir: &Path, path: &str, text: &str) -> io::Result<()> {
    let path = dir.join(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}

struct Ticket {
    path: String,
    text: String,
    comments: Vec<String>,
}

impl Ticket {
    fn name(&self) -> &str {
        let file = self.path.rsplit('/').next().unwrap_or(&self.path);
        file.trim_end_matches(".md")
    }
}

/// An area's epic, and one ticket for each subject and pattern.
fn tickets(area: &Area) -> Vec<Ticket> {
    let pairs = area.subjects.iter().flat_map(|subject| PATTERNS.iter().map(move |pattern| (subject, pattern)));
    let children = pairs.enumerate().map(|(n, (subject, pattern))| ticket(area, n, subject, pattern));
    std::iter::once(epic(area)).chain(children).collect()
}

fn epic(area: &Area) -> Ticket {
    let Area { folder, goal, spec, subjects } = area;
    let list = subjects.iter().map(|subject| format!("- [ ] {subject}\n")).collect::<String>();
    let spec = spec.map_or_else(String::new, |spec| format!("spec: {spec}\n"));
    let text = format!("---\ntitle: {goal}\nstatus: in-progress\npriority: high\nlabels: [epic]\n{spec}---\n{list}");
    Ticket { path: format!("tickets/{folder}/{}.md", epic_name(area)), text, comments: Vec::new() }
}

fn epic_name(area: &Area) -> String {
    format!("{}-epic", area.folder)
}

fn ticket(area: &Area, n: usize, subject: &str, pattern: &Pattern) -> Ticket {
    // Strides that share no factor with the lengths, so that fields do not march in step.
    let mix = n * 7 + area.folder.len() * 5;
    let title = pattern.title.replace("{}", subject);
    let name = name_of(&title);
    let mut text = format!("---\ntitle: {}\nstatus: {}\n", capitalized(&title), status(mix));
    text += &format!("priority: {}\n", PRIORITIES[mix / 3 % 4]);
    if !mix.is_multiple_of(3) {
        text += &format!("assignee: {}\n", PEOPLE[mix % PEOPLE.len()]);
    }
    text += &format!("labels: [{}, {}]\nparent: {}\n", pattern.label, area.folder, epic_name(area));
    if mix % 11 == 4 && n > 0 {
        text += &format!("blocked_by: [{}]\n", epic_name(&AREAS[mix % AREAS.len()]));
    }
    if let Some(spec) = area.spec.filter(|_| mix % 4 == 1) {
        text += &format!("spec: {spec}\n");
    }
    if mix % 5 == 2 {
        text += &format!("due: 2027-0{}-{:02}\n", 1 + mix % 6, 1 + mix % 28);
    }
    if mix % 2 == 1 {
        text += &format!("estimate: {}\n", [1, 2, 3, 5, 8][mix % 5]);
    }
    text += &format!("---\n{}\n", pattern.body.replace("{}", subject));
    let comments = (0..mix % 9 / 4).map(|k| COMMENTS[(mix + k) % COMMENTS.len()].to_owned());
    Ticket { path: format!("tickets/{}/{name}.md", area.folder), text, comments: comments.collect() }
}

/// Most work is open, as in life.
fn status(mix: usize) -> &'static str {
    ["todo", "backlog", "in-progress", "todo", "done", "backlog", "in-review", "done", "todo", "canceled"][mix % 10]
}

/// The words of a title with dashes between them, without articles.
fn name_of(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !matches!(*word, "" | "the"));
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

fn capitalized(title: &str) -> String {
    let mut characters = title.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{document::Document, path::WsPath, schema::Schema};
    use std::collections::BTreeSet;

    #[test]
    fn the_demo_is_two_hundred_tickets_with_names_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let written = write(dir.path()).unwrap();
        assert!((190..=230).contains(&written.tickets), "{written:?}");
        assert!(written.comments > 20);
        let paths: BTreeSet<_> = AREAS.iter().flat_map(tickets).map(|ticket| ticket.path).collect();
        assert_eq!(paths.len(), written.tickets);
    }

    #[test]
    fn every_ticket_of_the_demo_is_valid() {
        let schema = Schema::default();
        for ticket in AREAS.iter().flat_map(tickets) {
            let path = WsPath::new(ticket.path).unwrap();
            let problems = schema.check(&path, &Document::parse(ticket.text.as_bytes()));
            assert!(problems.is_empty(), "{problems:?}\n{}", ticket.text);
        }
    }

    #[test]
    fn the_tickets_use_every_status_and_priority() {
        let text: String = AREAS.iter().flat_map(tickets).map(|ticket| ticket.text).collect();
        let mut statuses: BTreeSet<_> = Schema::default().statuses.into_iter().map(|status| status.name).collect();
        statuses.retain(|status| !text.contains(&format!("\nstatus: {status}\n")));
        assert!(statuses.is_empty(), "{statuses:?}");
        assert!(PRIORITIES.iter().all(|priority| text.contains(&format!("\npriority: {priority}\n"))));
    }
}
