//! What a path in the mount stands for, and what is in it.

use super::{
    Group, Shown, Virtual,
    groups::{View, own_fields},
    list::List,
    status,
};
use crate::domain::{
    catalog::{Card, legal_name},
    query::Query,
    schema::Schema,
    view::BUILT_IN,
};
use std::sync::{Arc, LazyLock};

/// Begins the name of a query that is written as a folder's name.
pub(in crate::fs) const QUERY: char = '?';

/// Lists that every workspace has. They ask for nothing of which a schema may have another idea.
static LISTS: LazyLock<Vec<(&str, Query)>> = LazyLock::new(|| {
    let schema = Schema::default();
    let lists = [
        ("blocked", "is:blocked"),
        ("inbox", "is:inbox sort:created"),
        ("mine", "is:mine is:open sort:priority,due,created-asc"),
        ("overdue", "is:overdue sort:due,priority"),
        ("ready", "is:ready sort:priority,due,created-asc"),
        ("recent", "sort:updated limit:100"),
    ];
    lists.map(|(name, query)| (name, Query::parse(query, &schema).expect("a query that tests have read"))).into()
});

/// A folder that is in the mount only.
pub(in crate::fs) enum Folder {
    Status,
    Conflicts,
    Views,
    Groups(View),
    List(List, Option<Group>),
    /// A folder for each ticket that links to others (out), or that others link to.
    Linked {
        out: bool,
    },
    Links {
        out: bool,
        of: Arc<Card>,
    },
    /// The tickets below one, or those below none.
    Tree(Option<Arc<Card>>),
}

/// An entry of a folder.
pub(in crate::fs) struct Entry {
    pub name: String,
    pub node: Virtual,
}

impl Folder {
    /// Whether it has links to tickets and nothing else.
    pub fn is_list(&self) -> bool {
        matches!(self, Self::List(..))
    }
}

impl Entry {
    pub fn new(name: impl Into<String>, node: Virtual) -> Self {
        Self { name: name.into(), node }
    }
}

impl Shown<'_> {
    /// What a path stands for now, if it is a folder.
    pub fn folder(&self, path: &str) -> Option<Folder> {
        let mut names = path.split('/');
        let folder = match (names.next()?, names.next()) {
            ("status", None) => Folder::Status,
            ("status", Some("conflicts")) => Folder::Conflicts,
            ("views", None) => Folder::Views,
            ("views", Some(view)) => self.view(view)?,
            _ => return None,
        };
        names.try_fold(folder, |folder, name| self.below(&folder, name))
    }

    fn view(&self, name: &str) -> Option<Folder> {
        let built_in = || match name {
            "links" | "backlinks" => Some(Folder::Linked { out: name == "links" }),
            "tree" => Some(Folder::Tree(None)),
            _ => View::built_in(name).map(Folder::Groups),
        };
        let list = |query: &Query| Folder::List(List { query: query.clone(), name: None }, None);
        let listed = || LISTS.iter().find(|(known, _)| *known == name).map(|(_, query)| list(query));
        let saved = || {
            let (_, view) = self.catalog.saved().iter().find(|(saved, _)| legal_name(saved) == name)?;
            Some(Folder::List(List { query: view.query.clone(), name: view.name.clone() }, None))
        };
        let made = || {
            let text = name.strip_prefix(QUERY).filter(|_| self.made.queries.lock().contains(name))?;
            Query::parse(text, self.catalog.schema()).ok().as_ref().map(list)
        };
        let own = || View::of_field(name, self.catalog.schema()).map(Folder::Groups);
        built_in().or_else(listed).or_else(saved).or_else(own).or_else(made)
    }

    /// A folder in a folder.
    fn below(&self, folder: &Folder, name: &str) -> Option<Folder> {
        match folder {
            Folder::Groups(view) => {
                let group = Group { view: view.clone(), value: view.value_of(name, self)? };
                Some(Folder::List(List { query: view.query(&group.value), name: None }, Some(group)))
            }
            Folder::Linked { out } => {
                let of = self.ticket_of_folder(name).filter(|card| self.is_linked(card, *out))?.clone();
                Some(Folder::Links { out: *out, of })
            }
            Folder::Tree(above) => {
                let card = self.ticket_of_folder(name).filter(|card| self.has_children(card))?;
                let is_below =
                    self.catalog.parent(card).map(|parent| &parent.path) == above.as_ref().map(|card| &card.path);
                is_below.then(|| Folder::Tree(Some(card.clone())))
            }
            _ => None,
        }
    }

    /// What is in a folder, in its order.
    pub fn entries(&self, path: &str, folder: &Folder) -> Vec<Entry> {
        let subfolder = |name: String| {
            let node = Virtual::Folder(format!("{path}/{name}"));
            Entry::new(name, node)
        };
        let links = |cards: Vec<(String, Arc<Card>)>| -> Vec<Entry> {
            cards.into_iter().map(|(name, card)| link(path, name, &card)).collect()
        };
        let called = |card: &Arc<Card>| (card.shown().to_owned(), card.clone());
        match folder {
            Folder::Status => status::entries(),
            Folder::Conflicts => status::conflicts(self),
            Folder::Views => self.views().into_iter().map(subfolder).collect(),
            Folder::Groups(view) => view.entries(self),
            Folder::List(list, _) => links(list.entries(path, self)),
            Folder::Linked { out } => {
                let linked = self.tickets().filter(|card| self.is_linked(card, *out));
                linked.map(|card| subfolder(folder_name(card))).collect()
            }
            Folder::Links { out: true, of } => links(self.catalog.links(of).map(called).collect()),
            Folder::Links { out: false, of } => links(self.catalog.backlinks(of).map(called).collect()),
            Folder::Tree(above) => {
                let cards = self.tree(above.as_deref());
                let parents =
                    cards.iter().filter(|card| self.has_children(card)).map(|card| subfolder(folder_name(card)));
                let parents: Vec<_> = parents.collect();
                parents.into_iter().chain(links(cards.iter().map(|card| called(card)).collect())).collect()
            }
        }
    }

    /// What has this name in a folder.
    pub fn entry(&self, path: &str, folder: &Folder, name: &str) -> Option<Virtual> {
        if let Folder::Groups(view) = folder
            && name == "me"
            && let Some(target) = view.me(self)
        {
            return Some(Virtual::Link { path: format!("{path}/{name}"), target });
        }
        match folder {
            Folder::Status | Folder::Conflicts => {
                self.entries(path, folder).into_iter().find(|entry| entry.name == name).map(|entry| entry.node)
            }
            _ => match self.ticket(path, folder, name) {
                Some(card) => Some(link(path, name.to_owned(), &card).node),
                None => {
                    let below = format!("{path}/{name}");
                    self.folder(&below).map(|_| Virtual::Folder(below))
                }
            },
        }
    }

    /// The ticket whose link has this name in a folder.
    pub fn ticket(&self, path: &str, folder: &Folder, name: &str) -> Option<Arc<Card>> {
        let shown = || self.catalog.shown_as(name);
        let is_linked = |card: &&Arc<Card>, of: &Card, out: bool| match out {
            true => self.catalog.links(of).any(|other| other.path == card.path),
            false => self.catalog.backlinks(of).any(|other| other.path == card.path),
        };
        match folder {
            Folder::List(list, _) => list.get(path, name, self),
            Folder::Links { out, of } => shown().filter(|card| is_linked(card, of, *out)).cloned(),
            Folder::Tree(above) => {
                let is_below = |card: &&Arc<Card>| {
                    self.catalog.parent(card).map(|parent| &parent.path) == above.as_ref().map(|card| &card.path)
                };
                shown().filter(|card| !card.is_note()).filter(is_below).cloned()
            }
            _ => None,
        }
    }

    /// The names of all views.
    fn views(&self) -> Vec<String> {
        let saved = self.catalog.saved().keys().map(|name| legal_name(name).into_owned());
        let own = own_fields(self.catalog.schema()).map(|field| field.name.clone());
        let made: Vec<String> = self.made.queries.lock().iter().cloned().collect();
        let mut names: Vec<String> =
            BUILT_IN.iter().map(|name| (*name).to_owned()).chain(saved).chain(own).chain(made).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn tickets(&self) -> impl Iterator<Item = &Arc<Card>> {
        self.catalog.cards().filter(|card| !card.is_note())
    }

    fn tree<'s>(&'s self, above: Option<&'s Card>) -> Vec<&'s Arc<Card>> {
        match above {
            Some(card) => self.catalog.children(card).collect(),
            None => self.tickets().filter(|card| self.catalog.parent(card).is_none()).collect(),
        }
    }

    fn has_children(&self, card: &Card) -> bool {
        self.catalog.has_children(card)
    }

    fn is_linked(&self, card: &Card, out: bool) -> bool {
        match out {
            true => self.catalog.has_links(card),
            false => self.catalog.has_backlinks(card),
        }
    }

    fn ticket_of_folder(&self, name: &str) -> Option<&Arc<Card>> {
        let stem = name.strip_suffix('~').filter(|stem| stem.ends_with(".md")).unwrap_or(name);
        self.catalog.shown_as(&format!("{stem}.md")).filter(|card| !card.is_note() && folder_name(card) == name)
    }
}

/// The name of a ticket's folder: its own without the ending, and never one that a link beside it may have.
fn folder_name(card: &Card) -> String {
    let stem = card.shown().strip_suffix(".md").unwrap_or(card.shown());
    if stem.ends_with(".md") { format!("{stem}~") } else { stem.to_owned() }
}

fn link(folder: &str, name: String, card: &Card) -> Entry {
    let up = "../".repeat(folder.split('/').count());
    let node = Virtual::Link { path: format!("{folder}/{name}"), target: format!("{up}{}", card.path.as_str()) };
    Entry::new(name, node)
}
