//! The tickets of one remote: which file belongs to which object, and what it says in remote terms.
//!
//! Only what has settled is read: a file that differs from its snapshot is being written, and waits. A file counts as
//! removed only when it is neither on disk nor in the index nor in HEAD, and was committed once.

use super::{SyncError, cycle::Cycle, names};
use crate::{
    domain::{
        Value,
        document::Document,
        issue::{Field, ObjectKind, RemoteIssue},
        layout::Kind,
        mapping::{self, TicketView},
        names::Names,
        path::WsPath,
        plan::{Local, LocalComment},
        problem::Severity,
        snapshot::{ContentHash, Snapshot},
        tie::Tie,
    },
    workspace::store::{Store, StoreError},
};
use std::{collections::BTreeMap, io};

/// The index, seen from one remote.
pub(super) struct Tickets {
    pub files: BTreeMap<WsPath, Snapshot>,
    by_key: BTreeMap<String, Vec<WsPath>>,
    comments: BTreeMap<WsPath, Vec<WsPath>>,
}

/// A settled ticket, or a spec.
pub(super) struct Ticket {
    pub path: WsPath,
    /// What it would be made as.
    pub kind: ObjectKind,
    pub bytes: Vec<u8>,
    pub document: Document,
    /// What `sync:` says for this remote.
    pub key: Option<String>,
    pub local: Local,
}

pub(super) enum Found {
    Ticket(Box<Ticket>),
    /// It is there, and not to be touched now.
    Busy(WsPath, &'static str),
    Absent(Absence),
}

/// How sure it is that there is no ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// There never was one, as far as is known here.
    Unknown,
    /// It was removed, and the removal is committed.
    Removed,
    /// It was removed, and may come back before the next commit.
    Settling,
}

impl Tickets {
    pub fn load(store: &Store, remote: &str) -> Result<Self, StoreError> {
        let files: BTreeMap<WsPath, Snapshot> = store.snapshots()?.into_iter().collect();
        let (mut by_key, mut comments) =
            (BTreeMap::<String, Vec<WsPath>>::new(), BTreeMap::<WsPath, Vec<WsPath>>::new());
        for (path, snapshot) in &files {
            if let Kind::Comment { ticket } = &snapshot.kind {
                comments.entry(ticket.clone()).or_default().push(path.clone());
            } else if let Some(Tie::Key(key)) = tie(snapshot, remote) {
                by_key.entry(key).or_default().push(path.clone());
            }
        }
        Ok(Self { files, by_key, comments })
    }

    /// Keys that tickets are linked to.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.by_key.keys()
    }

    /// The file that is linked to a key; of several the `known` one, else the first by name.
    pub fn linked_to<'t>(&'t self, key: &str, known: Option<&'t WsPath>) -> Option<&'t WsPath> {
        let files = self.by_key.get(key)?;
        known.filter(|known| files.contains(known)).or_else(|| files.first())
    }

    pub fn has_key(&self, path: &WsPath, remote: &str) -> bool {
        matches!(self.tie(path, remote), Some(Tie::Key(_)))
    }

    /// What the ticket says about a remote.
    pub fn tie(&self, path: &WsPath, remote: &str) -> Option<Tie> {
        tie(self.files.get(path)?, remote)
    }

    /// The first of these remotes that the ticket is, or is to be, on.
    fn first_of<'t>(&'t self, path: &WsPath, remotes: impl Fn(&str) -> bool) -> Option<&'t str> {
        let sync = self.files.get(path)?.fields.get("sync")?;
        let named = sync.as_object()?.keys().map(String::as_str).filter(|name| remotes(name));
        named.into_iter().find(|name| matches!(Tie::of(Some(sync), name), Some(Tie::Key(_) | Tie::New)))
    }

    /// What links may call the tickets, and the objects with these keys.
    pub fn names<'k>(&self, remote: &str, keys: impl Iterator<Item = &'k str>) -> Names {
        let mut names = Names::default();
        for (path, snapshot) in self.files.iter().filter(|(_, snapshot)| snapshot.kind == Kind::Ticket) {
            names.add(path.stem(), snapshot.fields.get("sync"), remote);
        }
        keys.for_each(|key| names.add_key(key));
        names
    }

    /// What the ticket says its parent is.
    pub fn parent(&self, path: &WsPath) -> Option<String> {
        text(self.files.get(path)?.fields.get(Field::Parent.name())?)
    }

    /// Hash over a ticket's and its comments' settled bytes, and over the objects that its links mean; `None` when it is not
    /// in the index.
    pub fn fingerprint(&self, path: &WsPath, names: &Names) -> Option<ContentHash> {
        let snapshot = self.files.get(path)?;
        let mut all = snapshot.content.0.clone();
        for field in Field::ALL.into_iter().filter(|field| field.is_link()) {
            let links = snapshot.fields.get(field.name()).and_then(mapping::words).unwrap_or_default();
            links.iter().for_each(|link| all.push_str(names.key_of(link).unwrap_or("nothing")));
        }
        for comment in self.comments_of(path) {
            all.push_str(comment.as_str());
            all.push_str(&self.files.get(comment)?.content.0);
        }
        Some(ContentHash::of(all.as_bytes()))
    }

    fn comments_of(&self, ticket: &WsPath) -> &[WsPath] {
        self.comments.get(ticket).map_or(&[], Vec::as_slice)
    }
}

fn tie(snapshot: &Snapshot, remote: &str) -> Option<Tie> {
    Tie::of(snapshot.fields.get("sync"), remote)
}

pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl Cycle<'_> {
    /// Where the ticket of an object is. Of several files with its key the one that had it first.
    pub fn locate(&self, id: &str, keys: &[&str]) -> Option<WsPath> {
        let known = self.memory.paths.get(id);
        let linked = |key: &&str| self.tickets.linked_to(key, known).cloned();
        let unlinked =
            || known.filter(|path| self.tickets.files.contains_key(path) && !self.tickets.has_key(path, self.name()));
        keys.iter().find_map(linked).or_else(|| unlinked().cloned())
    }

    /// The ticket of an object, or how it is missing.
    pub fn find(&self, remote: &RemoteIssue, base: Option<&RemoteIssue>) -> Result<Found, SyncError> {
        let mut keys = vec![remote.key.as_str()];
        keys.extend(base.map(|base| base.key.as_str()).filter(|key| *key != remote.key));
        match self.locate(&remote.id, &keys) {
            Some(path) => Ok(match self.read(&path) {
                Found::Ticket(ticket) if ticket.kind.is_text() != remote.kind().is_text() => {
                    Found::Busy(path, misplaced(remote.kind()))
                }
                found => found,
            }),
            None => self.absence(remote),
        }
    }

    fn absence(&self, remote: &RemoteIssue) -> Result<Found, SyncError> {
        let parts = &self.sync.parts;
        let default = names::object_paths(&parts.config, remote).next();
        let Some(path) = self.memory.paths.get(&remote.id).cloned().or(default) else {
            return Ok(Found::Absent(Absence::Unknown));
        };
        match parts.root.read(&path) {
            // It is on disk and not in the index: just written, by us or by somebody, and not settled yet.
            Ok(bytes) => {
                let ours = match Tie::of(Document::parse(&bytes).get("sync"), self.name()) {
                    Some(Tie::Key(key)) => key == remote.key,
                    Some(Tie::Never) => false,
                    Some(Tie::New) | None => self.memory.paths.contains_key(&remote.id),
                };
                return Ok(if ours {
                    Found::Busy(path, "it has not settled yet")
                } else {
                    Found::Absent(Absence::Unknown)
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return Ok(Found::Busy(path, "it cannot be read")),
        }
        // Of what was never heard of before, nothing can have been removed.
        let is_known = self.tracking.issues.contains_key(&remote.id) || self.memory.paths.contains_key(&remote.id);
        Ok(Found::Absent(if is_known { self.absence_of(&path)? } else { Absence::Unknown }))
    }

    /// How a file that is not on disk is missing.
    pub fn absence_of(&self, path: &WsPath) -> Result<Absence, SyncError> {
        let parts = &self.sync.parts;
        if parts.repo.log(Some(path), 1)?.is_empty() {
            return Ok(Absence::Unknown);
        }
        let committed = !self.tickets.files.contains_key(path)
            && parts.repo.read_at("HEAD", path)?.is_none()
            && !parts.store.uncommitted()?.contains(path);
        Ok(if committed { Absence::Removed } else { Absence::Settling })
    }

    /// Reads a ticket of the index with its comments.
    pub fn read(&self, path: &WsPath) -> Found {
        let Some(snapshot) = self.tickets.files.get(path) else {
            return Found::Busy(path.clone(), "it has not settled yet");
        };
        let Some(kind) = kind_of(path, snapshot) else {
            return Found::Busy(path.clone(), misplaced(ObjectKind::Issue));
        };
        let Some((bytes, document)) = self.settled(path, snapshot) else {
            return Found::Busy(path.clone(), "it has not settled yet");
        };
        let body = std::str::from_utf8(document.body());
        let valid = body.is_ok() && is_sound(snapshot);
        let view = TicketView { title: &snapshot.title, fields: document.fields(), body: body.unwrap_or_default() };
        let mut comments = Vec::new();
        for comment in self.tickets.comments_of(path) {
            match self.comment_file(comment) {
                Some(settled) => comments.push(settled),
                // Without it, what changed there would seem to be taken.
                None if self.is_busy(comment) => {
                    return Found::Busy(path.clone(), "a comment of it has not settled yet");
                }
                None => {}
            }
        }
        let mut fields = self.mapping.to_remote(view);
        fields.retain(|field, _| kind.has(*field));
        let local = Local { fields, comments, removed_comments: Vec::new(), valid };
        let key = Tie::of(document.get("sync"), self.name()).and_then(|tie| tie.key().map(str::to_owned));
        Found::Ticket(Box::new(Ticket { path: path.clone(), kind, bytes, local, key, document }))
    }

    /// Whether a ticket is, or is to be, on another configured remote.
    pub fn is_elsewhere(&self, path: &WsPath) -> bool {
        self.tickets.first_of(path, |name| self.sync.parts.others.contains_key(name)).is_some()
    }

    /// Whether a comment that no remote has yet is for this one: it goes to the first that its ticket names.
    fn takes_new_comments(&self, ticket: &WsPath) -> bool {
        let configured = |name: &str| name == self.name() || self.sync.parts.others.contains_key(name);
        self.tickets.first_of(ticket, configured).is_none_or(|first| first == self.name())
    }

    /// A settled comment file; `None` while it is being written, and for a comment of another remote.
    pub fn comment_file(&self, path: &WsPath) -> Option<LocalComment> {
        let snapshot = self.tickets.files.get(path).filter(|snapshot| is_sound(snapshot))?;
        let (_, document) = self.settled(path, snapshot)?;
        let remote_id = match document.get("remote").and_then(Value::as_str) {
            Some(remote) if remote != self.name() => return None,
            None if matches!(&snapshot.kind, Kind::Comment { ticket } if !self.takes_new_comments(ticket)) => {
                return None;
            }
            _ => document.get("remote_id").and_then(text),
        };
        let body = std::str::from_utf8(document.body()).ok()?.to_owned();
        Some(LocalComment { name: path.as_str().to_owned(), remote_id, body })
    }

    /// Whether a file is there that is not the one that settled.
    fn is_busy(&self, path: &WsPath) -> bool {
        let snapshot = self.tickets.files.get(path);
        snapshot.is_some_and(|snapshot| {
            self.sync.parts.root.read(path).is_ok_and(|bytes| ContentHash::of(&bytes) != snapshot.content)
        })
    }

    /// The file's bytes, if they are the ones that settled.
    fn settled(&self, path: &WsPath, snapshot: &Snapshot) -> Option<(Vec<u8>, Document)> {
        let bytes = self.sync.parts.root.read(path).ok()?;
        (ContentHash::of(&bytes) == snapshot.content).then(|| {
            let document = Document::parse(&bytes);
            (bytes, document)
        })
    }
}

/// What a file would be made as on a tracker, if it can be: what lies beside specs, tables and pictures, is none.
pub(super) fn kind_of(path: &WsPath, snapshot: &Snapshot) -> Option<ObjectKind> {
    match snapshot.kind {
        Kind::Ticket => Some(ObjectKind::Issue),
        Kind::Spec if path.extension() == Some("md") => Some(ObjectKind::Document),
        _ => None,
    }
}

fn misplaced(kind: ObjectKind) -> &'static str {
    if kind.is_text() {
        "it is linked to a document, and lies where no specs are"
    } else {
        "it is linked, and lies where no tickets are"
    }
}

fn is_sound(snapshot: &Snapshot) -> bool {
    snapshot.problems.iter().all(|problem| problem.severity == Severity::Warning)
}
