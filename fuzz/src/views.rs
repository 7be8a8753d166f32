//! Whatever tickets and statuses are called, the names in the views are legal, tell them apart, and stay.
//!
//! An input is divided by bytes 0xff: the statuses of the schema, one per line, then a ticket each, as its path and, after a
//! line feed, its status.

#[path = "../../tests/support/shelf.rs"]
mod shelf;

use super::DIVIDER;
use shelf::Shelf;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    sync::{Arc, Mutex, OnceLock},
};
use trackfs::{
    domain::{
        Value,
        catalog::{Catalog, Times},
        layout::Kind,
        path::WsPath,
        schema::{FieldDef, FieldKind, Schema, StatusDef, StatusKind},
        snapshot::{self, Snapshot},
    },
    fs::{DirEntry, DirSink, FileKind, Fs, Ino},
    workspace::root::Root,
};

/// What every Linux filesystem takes for a name, in bytes.
const LONGEST_NAME: usize = 255;
/// Name, inode, and the target of a link.
type Entry = (String, u64, Option<String>);
/// Folders and what is in them.
type Listing = BTreeMap<String, Vec<Entry>>;
/// Paths and statuses.
type Tickets = BTreeMap<WsPath, String>;

pub fn hold(input: &[u8]) {
    let mut parts = input.split(|&byte| byte == DIVIDER);
    let statuses = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let tickets: Tickets = parts.take(32).filter_map(ticket).collect();
    let schema = Arc::new(schema(&statuses));

    let listing = listed(&schema, &tickets);
    let groups = groups(&listing);
    let named = schema.statuses.iter().map(|status| &status.name);
    let statuses: BTreeSet<&String> = named.chain(tickets.values()).collect();
    assert_eq!(groups.len(), statuses.len(), "each status has its folder: {statuses:?} {:?}", listing.keys());
    for (path, status) in &tickets {
        let target = format!("../../../{}", path.as_str());
        let leads_there = |entry: &Entry| entry.2.as_ref() == Some(&target);
        let holders: Vec<_> = groups.iter().filter(|entries| entries.iter().any(leads_there)).collect();
        assert_eq!(holders.len(), 1, "{path} is in one folder");
        let peers = tickets.values().filter(|other| *other == status).count();
        assert_eq!(holders[0].len(), peers, "those of its status are in the folder with it, and no others");
    }
    assert_eq!(listing, listed(&schema, &tickets), "names are a function of the catalog");
    names_stay(&schema, &tickets, &listing);
}

/// A ticket whose path comes after all others, and whose status others have, changes no name.
fn names_stay(schema: &Arc<Schema>, tickets: &Tickets, before: &Listing) {
    let mut fewer = tickets.clone();
    let Some((last, status)) = fewer.pop_last() else { return };
    if !fewer.values().chain(schema.statuses.iter().map(|known| &known.name)).any(|known| *known == status) {
        return;
    }
    let target = format!("../../../{}", last.as_str());
    for (folder, entries) in listed(schema, &fewer).iter().filter(|(folder, _)| folder.starts_with("views/status/")) {
        let now: Vec<_> = before[folder].iter().filter(|(_, _, link)| link.as_ref() != Some(&target)).collect();
        assert_eq!(now, entries.iter().collect::<Vec<_>>(), "{folder}");
    }
}

fn schema(statuses: &str) -> Schema {
    let names: BTreeSet<&str> = statuses.split('\n').filter(|name| !name.is_empty()).collect();
    let status = |name: &str| StatusDef { name: name.to_owned(), kind: StatusKind::Started, next: Vec::new() };
    let field = FieldDef { name: "status".to_owned(), kind: FieldKind::Status, required: false };
    Schema { fields: vec![field], statuses: names.into_iter().map(status).collect() }
}

fn ticket(part: &[u8]) -> Option<(WsPath, String)> {
    let text = String::from_utf8_lossy(part);
    let (path, status) = text.split_once('\n').unwrap_or((&text, ""));
    // Longer names are on no disk.
    let path =
        WsPath::new(path).ok().filter(|path| !path.is_root() && path.names().all(|name| name.len() <= LONGEST_NAME))?;
    Some((path, status.to_owned()))
}

/// A ticket that says this status and nothing else.
fn file(path: &WsPath, status: &str) -> Snapshot {
    let mut file = snapshot::read(path, Kind::Ticket, b"", false, &Schema::default(), None);
    file.fields.insert("status".to_owned(), Value::from(status));
    file
}

/// What is in the folder of each status.
fn groups(listing: &Listing) -> Vec<&Vec<Entry>> {
    listing.iter().filter(|(folder, _)| folder.starts_with("views/status/")).map(|(_, entries)| entries).collect()
}

/// Everything in `views/`, by way of the filesystem's own operations.
fn listed(schema: &Arc<Schema>, tickets: &Tickets) -> Listing {
    static WORLD: OnceLock<(Mutex<Fs>, Arc<Shelf>, tempfile::TempDir)> = OnceLock::new();
    let (fs, shelf, _) = WORLD.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (root, shelf) = (Root::open(dir.path()).expect("it is there"), Arc::<Shelf>::default());
        (Mutex::new(Fs::new(Arc::new(root), shelf.clone()).expect("a filesystem")), shelf, dir)
    });
    let fs = fs.lock().unwrap_or_else(|broken| broken.into_inner());
    shelf.publish(schema, tickets);
    let mut listing = Listing::new();
    let views = fs.lookup(Ino::ROOT, OsStr::new("views")).expect("the views are there").ino;
    let status = fs.lookup(views, OsStr::new("status")).expect("one of them is by status").ino;
    walk(&fs, "views/status", status, &mut listing);
    listing
}

fn walk(fs: &Fs, path: &str, folder: Ino, listing: &mut Listing) {
    let (fh, _) = fs.opendir(folder).expect("a folder opens");
    let mut names = Names::default();
    fs.readdir(fh, 0, &mut names).expect("a folder is listed");
    fs.releasedir(fh);
    let mut entries = Vec::new();
    for (name, ino, kind) in names.0 {
        assert!(!name.is_empty() && name.len() <= LONGEST_NAME, "{} bytes: {name:?}", name.len());
        assert!(!name.contains(['/', '\0']), "{name:?}");
        let attr = fs.lookup(folder, OsStr::new(&name)).expect("what is listed is there");
        assert_eq!((attr.ino, attr.kind), (ino, kind), "{name:?}");
        let link = (kind == FileKind::Symlink).then(|| fs.readlink(ino).expect("a link has a target"));
        let link = link.map(|link| String::from_utf8(link).expect("paths are UTF-8"));
        if kind == FileKind::Folder {
            walk(fs, &format!("{path}/{name}"), ino, listing);
        }
        fs.forget(ino, 1);
        entries.push((name, ino.0, link));
    }
    let unique: BTreeSet<&String> = entries.iter().map(|(name, ..)| name).collect();
    assert_eq!(unique.len(), entries.len(), "names in {path} are unique");
    listing.insert(path.to_owned(), entries);
}

#[derive(Default)]
struct Names(Vec<(String, Ino, FileKind)>);

impl DirSink for Names {
    fn add(&mut self, entry: DirEntry<'_>) -> bool {
        let name = entry.name.to_str().expect("names are UTF-8").to_owned();
        if name != "." && name != ".." {
            self.0.push((name, entry.ino, entry.kind));
        }
        true
    }
}

impl Shelf {
    fn publish(&self, schema: &Arc<Schema>, tickets: &Tickets) {
        let mut catalog = Catalog::new(schema.clone());
        tickets.iter().for_each(|(path, status)| catalog.put(path, Some(&file(path, status)), Times::default()));
        *self.0.write() = catalog;
    }
}
