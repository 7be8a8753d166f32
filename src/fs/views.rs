//! The virtual folders: `views/` (symlinks to tickets, grouped) and `status/` (generated files).
//!
//! A tree is built once per version of the catalog and indexed by name, so that no lookup scans. The number of a virtual
//! inode follows from what it is: a link whose target changes is another inode, and nothing stale can be read from it.

use super::{Catalog, CatalogTicket, StatusFile, types::Ino};
use crate::domain::{path::WsPath, text::is_unprintable};
use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

/// Virtual names in the root of the mount. A real entry of the same name wins.
pub const ROOT_NAMES: [&str; 2] = ["status", "views"];

const STATUS_FILES: [(&str, StatusFile); 4] = [
    ("events.jsonl", StatusFile::Events),
    ("health.json", StatusFile::Health),
    ("outbox.jsonl", StatusFile::Outbox),
    ("problems.md", StatusFile::Problems),
];

/// Bytes of the longest name that Linux takes.
const MAX_NAME: usize = 255;
/// Of the longest ending that stays behind a number.
const MAX_EXTENSION: usize = 32;

/// The folders of `views/`: the field of its name, and how it groups the tickets.
const VIEWS: [(&str, Grouping); 1] = [("status", by_status)];

type Grouping = for<'c> fn(&'c Catalog) -> Vec<(&'c str, Vec<&'c CatalogTicket>)>;

/// Something that is in the mount only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Virtual {
    /// By its path in the mount.
    Folder(String),
    /// Its own path, and a target relative to its folder.
    Link {
        path: String,
        target: String,
        ticket: WsPath,
    },
    File(StatusFile),
}

impl Virtual {
    pub fn ino(&self) -> Ino {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        Ino(hasher.finish() | Ino::VIRTUAL)
    }
}

/// The virtual folders as of one version of the catalog.
#[derive(Debug, Default)]
pub(super) struct Tree {
    folders: HashMap<String, Folder>,
}

/// Entries in the order they are listed.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub entries: Vec<(String, Arc<Virtual>)>,
    /// The field and the value that its tickets have in common.
    pub group: Option<(&'static str, String)>,
    index: HashMap<String, usize>,
    /// By name that was taken: the number to try next.
    next: HashMap<String, usize>,
}

impl Folder {
    pub fn get(&self, name: &str) -> Option<&Arc<Virtual>> {
        self.index.get(name).map(|at| &self.entries[*at].1)
    }

    /// The first of `stem`, `stem~2`, … with this ending that no entry has. A stem that would make the name too long is cut.
    fn free_name(&mut self, stem: &str, extension: &str) -> String {
        let numbered = |number: usize| {
            let number = if number == 1 { String::new() } else { format!("~{number}") };
            let room = MAX_NAME.saturating_sub(number.len() + extension.len());
            format!("{}{number}{extension}", &stem[..stem.floor_char_boundary(room)])
        };
        let first = numbered(1);
        let from = self.next.get(&first).copied().unwrap_or(1);
        let number = (from..).find(|number| self.get(&numbered(*number)).is_none()).expect("the numbers do not end");
        if number > 1 {
            self.next.insert(first, number + 1);
        }
        numbered(number)
    }

    fn push(&mut self, name: String, node: Virtual) {
        self.index.insert(name.clone(), self.entries.len());
        self.entries.push((name, Arc::new(node)));
    }
}

impl Tree {
    pub fn new(catalog: &Catalog) -> Self {
        let mut tree = Self::default();
        for (view, grouping) in VIEWS {
            tree.add_folder("views", view);
            for (group, tickets) in grouping(catalog) {
                tree.add_group(view, group, &tickets);
            }
        }
        let status = tree.folders.entry("status".to_owned()).or_default();
        STATUS_FILES.iter().for_each(|(name, file)| status.push((*name).to_owned(), Virtual::File(file.clone())));
        let conflicts = tree.add_folder("status", "conflicts");
        let folder = tree.folders.get_mut(&conflicts).expect("it was just added");
        for ticket in &catalog.conflicts {
            let (stem, extension) = stem_and_extension(ticket);
            let name = folder.free_name(stem, &extension);
            folder.push(name, Virtual::File(StatusFile::Conflicts(ticket.clone())));
        }
        tree
    }

    pub fn folder(&self, path: &str) -> Option<&Folder> {
        self.folders.get(path)
    }

    /// Makes the folder and its entry in its parent, unless they are there.
    fn add_folder(&mut self, parent: &str, name: &str) -> String {
        let path = format!("{parent}/{name}");
        if !self.folders.contains_key(&path) {
            self.folders.insert(path.clone(), Folder::default());
            let parent = self.folders.entry(parent.to_owned()).or_default();
            parent.push(name.to_owned(), Virtual::Folder(path.clone()));
        }
        path
    }

    fn add_group(&mut self, field: &'static str, group: &str, tickets: &[&CatalogTicket]) {
        let view = format!("views/{field}");
        let folder = self.folders.get_mut(&view).expect("every view is a folder");
        let name = folder.free_name(&legal_name(group), "");
        let path = self.add_folder(&view, &name);
        let up = "../".repeat(path.split('/').count());
        let folder = self.folders.get_mut(&path).expect("it was just added");
        folder.group = Some((field, group.to_owned()));
        for ticket in tickets {
            let (stem, extension) = stem_and_extension(&ticket.path);
            let name = folder.free_name(stem, &extension);
            let target = format!("{up}{}", ticket.path.as_str());
            let link = Virtual::Link { path: format!("{path}/{name}"), target, ticket: ticket.path.clone() };
            folder.push(name, link);
        }
    }
}

/// What numbers go between in a ticket's file name.
fn stem_and_extension(path: &WsPath) -> (&str, String) {
    match path.extension().filter(|extension| extension.len() <= MAX_EXTENSION) {
        Some(extension) => (path.stem(), format!(".{extension}")),
        None => (path.file_name(), String::new()),
    }
}

/// A group's name as a file name: a legal one, that a terminal may show.
fn legal_name(group: &str) -> String {
    let legal = |c: char| if c == '/' || is_unprintable(c) { '-' } else { c };
    match group {
        "" | "." | ".." => format!("({group})"),
        _ => group.chars().map(legal).collect(),
    }
}

/// The schema's statuses in order, then those that tickets have besides.
fn by_status(catalog: &Catalog) -> Vec<(&str, Vec<&CatalogTicket>)> {
    let mut members: HashMap<&str, Vec<&CatalogTicket>> = HashMap::new();
    for ticket in &catalog.tickets {
        members.entry(&ticket.status).or_default().push(ticket);
    }
    let mut seen = HashSet::new();
    let statuses = catalog.statuses.iter().map(String::as_str);
    let others = catalog.tickets.iter().map(|ticket| ticket.status.as_str());
    statuses
        .chain(others)
        .filter(|status| seen.insert(*status))
        .map(|status| (status, members.get(status).cloned().unwrap_or_default()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(tickets: &[(&str, &str)]) -> Catalog {
        Catalog {
            version: 1,
            conflicts: vec![WsPath::new("tickets/a/x.md").unwrap(), WsPath::new("tickets/b/x.md").unwrap()],
            statuses: vec!["todo".into(), "done".into()],
            tickets: tickets
                .iter()
                .map(|(path, status)| CatalogTicket {
                    path: WsPath::new(*path).unwrap(),
                    title: String::new(),
                    status: (*status).into(),
                })
                .collect(),
        }
    }

    fn names(tree: &Tree, folder: &str) -> Vec<String> {
        tree.folder(folder).unwrap().entries.iter().map(|(name, _)| name.clone()).collect()
    }

    #[test]
    fn every_status_is_a_folder_even_when_empty_or_unknown() {
        let tree = Tree::new(&catalog(&[("tickets/a.md", "todo"), ("tickets/b.md", "odd/one"), ("tickets/c.md", "")]));
        assert_eq!(names(&tree, "views/status"), ["todo", "done", "odd-one", "()"]);
        assert_eq!(names(&tree, "views/status/done"), [""; 0]);
        assert_eq!(names(&tree, "views/status/odd-one"), ["b.md"]);
    }

    #[test]
    fn every_ticket_in_conflict_has_a_page_of_its_own() {
        let tree = Tree::new(&catalog(&[]));
        assert!(names(&tree, "status").contains(&"conflicts".to_owned()));
        assert_eq!(names(&tree, "status/conflicts"), ["x.md", "x~2.md"]);
    }

    #[test]
    fn a_link_leads_to_its_ticket_from_where_it_stands() {
        let tree = Tree::new(&catalog(&[("tickets/auth/a.md", "todo")]));
        let Virtual::Link { target, .. } = &**tree.folder("views/status/todo").unwrap().get("a.md").unwrap() else {
            panic!("no link")
        };
        assert_eq!(target, "../../../tickets/auth/a.md");
    }

    #[test]
    fn equal_file_names_are_numbered_in_the_order_of_their_paths() {
        let paths = ["tickets/a/x.md", "tickets/b/x.md", "tickets/c/x.md", "tickets/d/x~2.md"];
        let tree = Tree::new(&catalog(&paths.map(|path| (path, "todo"))));
        assert_eq!(names(&tree, "views/status/todo"), ["x.md", "x~2.md", "x~3.md", "x~2~2.md"]);
    }

    #[test]
    fn statuses_whose_names_come_out_alike_have_a_folder_each() {
        let tree = Tree::new(&catalog(&[("tickets/a.md", "a/b"), ("tickets/b.md", "a-b"), ("tickets/c.md", "a\0b")]));
        assert_eq!(names(&tree, "views/status"), ["todo", "done", "a-b", "a-b~2", "a-b~3"]);
        assert_eq!(names(&tree, "views/status/a-b~2"), ["b.md"]);
        assert_eq!(tree.folder("views/status/a-b~2").unwrap().group, Some(("status", "a-b".to_owned())));
    }

    #[test]
    fn no_name_is_longer_than_a_disk_takes() {
        let long = "é".repeat(126);
        let paths = ["x", "y"].map(|folder| format!("{folder}/{long}.md"));
        let status = "s".repeat(300);
        let tree = Tree::new(&catalog(&[(&paths[0], "todo"), (&paths[1], "todo"), ("z.md", &status)]));
        assert_eq!(names(&tree, "views/status/todo"), [format!("{long}.md"), format!("{}~2.md", "é".repeat(125))]);
        assert_eq!(names(&tree, "views/status")[2], "s".repeat(255));
    }

    #[test]
    fn a_status_may_be_any_text_and_its_folder_has_a_legal_name() {
        let long = "ä".repeat(1000);
        let tree = Tree::new(&catalog(&[("a.md", &long), ("b.md", "a\u{1b}[2J\n/\u{202e}b"), ("c.md", "..")]));
        assert_eq!(names(&tree, "views/status")[2..], ["ä".repeat(127), "a-[2J---b".to_owned(), "(..)".to_owned()]);
    }

    #[test]
    fn many_tickets_of_one_name_take_time_in_proportion() {
        let paths: Vec<String> = (0..50_000).map(|n| format!("tickets/{n}/README.md")).collect();
        let tickets: Vec<_> = paths.iter().map(|path| (path.as_str(), "todo")).collect();
        let tree = Tree::new(&catalog(&tickets));
        let shown = names(&tree, "views/status/todo");
        assert_eq!((shown.len(), shown[49_999].as_str()), (50_000, "README~50000.md"));
    }

    #[test]
    fn a_link_to_another_ticket_is_another_inode() {
        let link = |target: &str| {
            let (path, ticket) = ("views/status/todo/a.md".into(), WsPath::new("a.md").unwrap());
            Virtual::Link { path, target: target.into(), ticket }.ino()
        };
        assert_ne!(link("../a.md"), link("../b.md"));
        assert_eq!(link("../a.md"), link("../a.md"));
        assert!(link("../a.md").is_virtual());
    }
}
