//! How tickets stand to each other: open or not, blocked, ready, parent and child, who links to whom.
//!
//! A link that may mean several tickets means each of them.

use super::{Card, Catalog, Role, Word, meant};
use crate::domain::{path::WsPath, schema::StatusKind};
use std::{
    collections::{BTreeMap, HashSet},
    hash::{Hash, Hasher},
    iter,
    sync::Arc,
};

/// Every way to name a ticket that is a link to it.
const LINKING: [Role; 3] = [Role::Parent, Role::Blocker, Role::Link];

/// Parents of parents that are looked at.
const MAX_DEPTH: usize = 1000;

impl Catalog {
    /// What its status means. `None`: it has none that the schema knows.
    pub fn kind_of(&self, card: &Card) -> Option<StatusKind> {
        self.schema.status(card.value("status")).map(|status| status.kind)
    }

    /// Whether there is still work to do.
    pub fn is_open(&self, card: &Card) -> bool {
        !self.kind_of(card).is_some_and(StatusKind::is_closed)
    }

    /// Whether it waits for a ticket that is open.
    pub fn is_blocked(&self, card: &Card) -> bool {
        let is_open = |blocker: &Arc<Card>| blocker.path != card.path && self.is_open(blocker);
        self.is_open(card) && card.values("blocked_by").any(|name| self.meant_by(name).any(is_open))
    }

    /// Whether somebody could begin with it: nobody has, nothing is in its way, and it is not done by way of other tickets.
    pub fn is_ready(&self, card: &Card) -> bool {
        let is_waiting = !matches!(self.kind_of(card), Some(kind) if kind.is_closed() || kind == StatusKind::Started);
        is_waiting && card.value("assignee").is_empty() && !self.is_blocked(card) && !self.has_open_child(card)
    }

    /// Whether nobody has looked at it yet: it is open, not begun, and has neither priority nor assignee.
    pub fn is_unsorted(&self, card: &Card) -> bool {
        card.is_note()
            || matches!(self.kind_of(card), None | Some(StatusKind::Backlog))
                && ["priority", "assignee"].iter().all(|field| card.value(field).is_empty())
    }

    /// Whether it is assigned to the user.
    pub fn is_mine(&self, card: &Card) -> bool {
        card.values("assignee").any(|name| self.me().iter().any(|me| **me == *name))
    }

    /// The ticket above this one. In a ring of parents the first by path has none.
    pub fn parent(&self, card: &Card) -> Option<&Arc<Card>> {
        let parent = self.named_parent(card)?;
        let mut above = parent;
        let mut is_first = true;
        for _ in 0..MAX_DEPTH {
            if above.path == card.path {
                return Some(parent).filter(|_| !is_first);
            }
            is_first &= card.path < above.path;
            above = match self.named_parent(above) {
                Some(next) => next,
                None => return Some(parent),
            };
        }
        // A ring that this one only leads to, or a tower: somebody in it has no parent.
        Some(parent)
    }

    /// Of several that may be meant, the first by path: there is one parent.
    fn named_parent(&self, card: &Card) -> Option<&Arc<Card>> {
        let others = self.meant_by(card.value("parent")).filter(|parent| parent.path != card.path);
        others.min_by(|a, b| a.path.cmp(&b.path))
    }

    /// The tickets below this one, ordered by path.
    pub fn children<'c>(&'c self, card: &'c Card) -> impl Iterator<Item = &'c Arc<Card>> {
        self.referring(card, &[Role::Parent]).into_values().filter(|child| self.is_child(child, card))
    }

    pub fn has_children(&self, card: &Card) -> bool {
        self.naming(card, &[Role::Parent]).any(|child| self.is_child(child, card))
    }

    fn has_open_child(&self, card: &Card) -> bool {
        self.naming(card, &[Role::Parent]).any(|child| self.is_open(child) && self.is_child(child, card))
    }

    fn is_child(&self, child: &Card, of: &Card) -> bool {
        self.parent(child).is_some_and(|parent| parent.path == of.path)
    }

    /// The tickets that this one waits for.
    pub fn blockers(&self, card: &Card) -> impl Iterator<Item = &Arc<Card>> {
        card.values("blocked_by").flat_map(|name| self.meant_by(name))
    }

    /// The tickets that this one names: in its text, as parent, as blocker, or in any other link. Ordered by path.
    pub fn links<'c>(&'c self, card: &'c Card) -> impl Iterator<Item = &'c Arc<Card>> {
        self.named_by(card).map(|other| (&other.path, other)).collect::<BTreeMap<_, _>>().into_values()
    }

    pub fn has_links(&self, card: &Card) -> bool {
        self.named_by(card).next().is_some()
    }

    /// Whom this ticket names, in no order, and perhaps some of them twice.
    fn named_by<'c>(&'c self, card: &'c Card) -> impl Iterator<Item = &'c Arc<Card>> {
        let named = card.links().chain(card.values("parent")).chain(card.values("blocked_by"));
        named.flat_map(|name| self.meant_by(name)).filter(|other| other.path != card.path)
    }

    /// The tickets that name this one, ordered by path.
    pub fn backlinks<'c>(&'c self, card: &'c Card) -> impl Iterator<Item = &'c Arc<Card>> {
        self.referring(card, &LINKING).into_values()
    }

    pub fn has_backlinks(&self, card: &Card) -> bool {
        self.naming(card, &LINKING).next().is_some()
    }

    /// Who names this ticket in one of these ways, by path.
    fn referring<'c>(&'c self, card: &'c Card, roles: &'static [Role]) -> BTreeMap<&'c WsPath, &'c Arc<Card>> {
        self.naming(card, roles).map(|other| (&other.path, other)).collect()
    }

    /// The same in no order, and perhaps some of them twice: to ask whether there is any.
    fn naming<'c>(&'c self, card: &'c Card, roles: &'static [Role]) -> impl Iterator<Item = &'c Arc<Card>> {
        let names = iter::once(card.path.stem()).chain(card.keys().map(|(_, key)| key));
        let entries = names.map(|name| self.texts.get(name).map_or(&[][..], Vec::as_slice));
        let refers = |entries: &&[(Role, Arc<Card>)]| entries.iter().any(|(role, _)| roles.contains(role));
        let means = |entries: &&[(Role, Arc<Card>)]| meant(entries).any(|meant| meant.path == card.path);
        let found = entries.filter(refers).filter(means).flatten();
        found.filter(|(role, other)| roles.contains(role) && other.path != card.path).map(|(_, other)| other)
    }

    /// The place of a value among those that the schema lists for a field, if it lists any.
    pub fn rank(&self, field: &str, value: &str) -> Option<usize> {
        self.schema.choices(field)?.position(|choice| choice == value)
    }

    /// Every value that tickets have in a field, in the order in which their paths come to it.
    pub fn values_of(&self, field: &str) -> Vec<Word> {
        self.distinct(|card| card.words(field))
    }

    /// Every tag that tickets have in their text.
    pub fn tags(&self) -> Vec<Word> {
        self.distinct(Card::tag_words)
    }

    fn distinct<'c, I: Iterator<Item = &'c Word>>(&'c self, words: impl Fn(&'c Card) -> I) -> Vec<Word> {
        let tickets = self.cards().filter(|card| !card.is_note());
        let mut seen = HashSet::new();
        tickets.flat_map(|card| words(card)).filter(|word| seen.insert(ByPlace(word))).cloned().collect()
    }
}

/// Words are kept once, so that where one lies says which it is.
struct ByPlace<'c>(&'c Word);

impl PartialEq for ByPlace<'_> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.0, other.0)
    }
}

impl Eq for ByPlace<'_> {}

impl Hash for ByPlace<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_ptr().hash(state);
    }
}
