//! Nodes: what the kernel has been told exists, by inode number.
//!
//! A real node holds an `O_PATH` descriptor, so that its inode number cannot be reused before the kernel forgets it; when
//! descriptors run short, further files are held by name alone, and found again for each operation. A node remembers the
//! name it was last reached by, for the paths of events, and what the kernel was told about it (`told.rs`).

use super::{
    table::Table,
    told::{Names, Told},
    types::{Attr, Errno, FileKind, Ino, Lasts, Result},
    views::Virtual,
    watches::{Watch, Watches},
};
use crate::domain::path::WsPath;
use parking_lot::Mutex;
use rustix::{
    fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    fs::{self, AtFlags, Mode, OFlags, Stat},
};
use std::{
    collections::HashMap,
    ffi::OsStr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

pub(super) const HANDLE_ONLY: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Longer chains of parents cannot be a path.
const MAX_DEPTH: usize = 2048;

#[derive(Clone)]
pub(super) enum Node {
    Real(Arc<RealNode>),
    Virtual(Arc<Virtual>),
}

/// A file or folder on the disk.
pub(super) struct RealNode {
    pub ino: Ino,
    pub kind: FileKind,
    /// Device and inode on the disk.
    pub id: (u64, u64),
    /// Empty: the file is found by its place.
    fd: OnceLock<OwnedFd>,
    /// Written to since the last time that nobody held it open for writing.
    pub modified: AtomicBool,
    /// Of a folder whose changes are seen, for as long as they are.
    watch: Option<Watch>,
    watched: AtomicBool,
    /// Held by itself and for a moment.
    place: Mutex<Option<Arc<Place>>>,
    pub told: Told,
    pub names: Names,
}

/// An `O_PATH` descriptor of a node, for as long as one system call needs it.
pub(super) enum Handle<'a> {
    Held(BorrowedFd<'a>),
    Found(OwnedFd),
}

impl AsFd for Handle<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Held(fd) => *fd,
            Self::Found(fd) => fd.as_fd(),
        }
    }
}

impl Handle<'_> {
    /// A path to exactly this inode, for system calls that take no `O_PATH` descriptor.
    pub fn proc_path(&self) -> String {
        proc_path(self.as_fd())
    }
}

/// Opens or changes the file behind a descriptor, not whatever has its name by now.
pub(super) fn proc_path(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Where a node was last seen.
pub(super) struct Place {
    pub parent: Arc<RealNode>,
    pub name: Arc<OsStr>,
}

impl RealNode {
    fn new(ino: Ino, fd: Option<OwnedFd>, stat: &Stat, watch: Option<Watch>) -> Self {
        Self {
            ino,
            kind: FileKind::of_mode(stat.st_mode),
            id: id_of(stat),
            fd: fd.map_or_else(OnceLock::new, OnceLock::from),
            modified: AtomicBool::new(false),
            watched: AtomicBool::new(watch.is_some()),
            watch,
            place: Mutex::default(),
            told: Told::default(),
            names: Names::default(),
        }
    }

    /// The file itself. STALE when it has no descriptor and is no longer where it was.
    pub fn handle(&self) -> Result<Handle<'_>> {
        match self.fd.get() {
            Some(fd) => Ok(Handle::Held(fd.as_fd())),
            None => Ok(Handle::Found(self.find()?)),
        }
    }

    /// Whether its inode stays in reach, whatever becomes of its name.
    pub fn is_held(&self) -> bool {
        self.fd.get().is_some()
    }

    fn find(&self) -> Result<OwnedFd> {
        let place = self.place().ok_or(Errno::STALE)?;
        let fd = match fs::openat(place.parent.handle()?, &*place.name, HANDLE_ONLY, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => return Err(Errno::STALE),
            found => found?,
        };
        if id_of(&fs::fstat(&fd)?) == self.id { Ok(fd) } else { Err(Errno::STALE) }
    }

    /// What the disk says now; the caller is about to tell the kernel.
    pub fn attr(&self) -> Result<Attr> {
        self.told.say(|| self.peek())
    }

    /// What the disk says now, after a change that the kernel asked for: what it knows is not stale because of it.
    pub fn own_attr(&self) -> Result<Attr> {
        self.told.own(|| self.peek())
    }

    /// The kernel itself asked for a change just made.
    pub fn own_change(&self) {
        // What cannot be looked at is announced, should it be seen.
        let _ = self.own_attr();
    }

    /// What the disk says now, for the daemon's own use.
    pub fn peek(&self) -> Result<Attr> {
        // Asked before the disk: what is watched by then is seen to change from then on.
        let lasting = self.lasting();
        Ok(lasting.of(self.ino, &fs::fstat(self.handle()?)?))
    }

    /// Whether changes of this folder, and of what is in it, are seen.
    pub fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Acquire)
    }

    fn lasting(&self) -> Lasting {
        let in_watched = self.place.lock().as_ref().is_some_and(|place| place.parent.is_watched());
        Lasting { in_watched, watched: self.is_watched() }
    }

    /// Opens the file itself for reading or writing.
    pub fn reopen(&self, flags: OFlags) -> Result<OwnedFd> {
        Ok(fs::open(self.handle()?.proc_path(), flags | OFlags::CLOEXEC, Mode::empty())?)
    }

    pub fn place(&self) -> Option<Arc<Place>> {
        self.place.lock().clone()
    }

    /// The path it was last reached by. `None` when it was unlinked or its name is not UTF-8.
    pub fn path(&self) -> Option<WsPath> {
        if self.ino == Ino::ROOT {
            return Some(WsPath::root());
        }
        let mut places = vec![self.place()?];
        while let Some(parent) = places.last().map(|place| &place.parent).filter(|parent| parent.ino != Ino::ROOT) {
            let place = parent.place()?;
            places.push(place);
            if places.len() > MAX_DEPTH {
                return None;
            }
        }
        let names: Option<Vec<&str>> = places.iter().rev().map(|place| place.name.to_str()).collect();
        WsPath::new(names?.join("/")).ok()
    }

    /// The path of an entry of this folder.
    pub fn path_of(&self, name: &OsStr) -> Option<WsPath> {
        self.path()?.join(name.to_str()?).ok()
    }

    /// What the disk says of an entry of this folder.
    pub fn entry_stat(&self, name: &OsStr) -> Result<Stat> {
        Ok(fs::statat(self.handle()?, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// The kernel learns a name of this node.
    pub fn put(self: &Arc<Self>, parent: &Arc<RealNode>, name: &OsStr) {
        let name = parent.names.put(name, self.ino);
        let mut place = self.place.lock();
        if !place.as_ref().is_some_and(|place| Arc::ptr_eq(&place.parent, parent) && place.name == name) {
            *place = Some(Arc::new(Place { parent: parent.clone(), name }));
        }
    }

    /// The node lost a name.
    pub fn leave(&self, parent: &RealNode, name: &OsStr) {
        let mut place = self.place.lock();
        if place.as_ref().is_some_and(|place| place.parent.ino == parent.ino && *place.name == *name) {
            *place = None;
        }
    }
}

/// Why an answer about a file may be believed for long.
struct Lasting {
    /// The folder it was reached through is watched.
    in_watched: bool,
    /// It is a folder that is watched itself.
    watched: bool,
}

impl Lasting {
    /// A file with several names may be changed by one that is not watched; a folder's own watch tells all about it.
    fn of(&self, ino: Ino, stat: &Stat) -> Attr {
        let attr = Attr::new(ino, stat);
        let announced = match attr.kind {
            FileKind::Folder => self.watched,
            FileKind::File | FileKind::Symlink => self.in_watched && attr.nlink == 1,
            _ => false,
        };
        let lasts = |announced: bool| if announced { Lasts::UntilAnnounced } else { Lasts::Moment };
        Attr { lasts: lasts(announced), name_lasts: lasts(self.in_watched), ..attr }
    }
}

/// All nodes that the kernel holds.
pub(super) struct Nodes {
    table: Table<Entry>,
    pub watches: Watches,
    /// Numbers of files on other devices, by device and inode.
    foreign: Mutex<HashMap<(u64, u64), Ino>>,
    next_foreign: AtomicU64,
    root_dev: u64,
    /// Descriptors held by nodes, and how many may be.
    held: AtomicUsize,
    budget: usize,
}

#[derive(Clone)]
struct Entry {
    node: Node,
    /// How often the kernel was told of it and has not yet forgotten.
    lookups: u64,
}

impl Nodes {
    /// `root`: an `O_PATH` descriptor of the workspace. `budget`: how many descriptors files may hold.
    pub fn new(root: OwnedFd, budget: usize) -> Result<Self> {
        let stat = fs::fstat(&root)?;
        let nodes = Self {
            table: Table::default(),
            watches: Watches::new(),
            foreign: Mutex::default(),
            next_foreign: AtomicU64::new(Ino::FOREIGN),
            root_dev: id_of(&stat).0,
            held: AtomicUsize::new(0),
            budget,
        };
        let watch = nodes.watches.add(Ino::ROOT, root.as_fd());
        let root = Arc::new(RealNode::new(Ino::ROOT, Some(root), &stat, watch));
        nodes.table.insert(Ino::ROOT.0, Entry { node: Node::Real(root), lookups: 1 });
        Ok(nodes)
    }

    pub fn get(&self, ino: Ino) -> Result<Node> {
        self.table.get(ino.0).map(|entry| entry.node).ok_or(Errno::STALE)
    }

    pub fn real(&self, ino: Ino) -> Result<Arc<RealNode>> {
        match self.get(ino)? {
            Node::Real(node) => Ok(node),
            Node::Virtual(_) => Err(Errno::ROFS),
        }
    }

    /// A real folder, to make or remove names in.
    pub fn folder(&self, ino: Ino) -> Result<Arc<RealNode>> {
        let node = self.real(ino)?;
        if node.kind == FileKind::Folder { Ok(node) } else { Err(Errno::NOTDIR) }
    }

    /// Counts one lookup of the file behind an `O_PATH` descriptor, about which the kernel is about to be told.
    pub fn enter(&self, fd: OwnedFd, parent: &Arc<RealNode>, name: &OsStr) -> Result<(Arc<RealNode>, Attr)> {
        let mut stat = fs::fstat(&fd)?;
        let ino = self.ino_of(id_of(&stat));
        let node = self.table.with(ino.0, |shard| match shard.get_mut(&ino.0) {
            Some(Entry { node: Node::Real(node), lookups }) => {
                *lookups += 1;
                Ok(node.clone())
            }
            _ => {
                let node = Arc::new(self.new_node(ino, fd, &mut stat)?);
                shard.insert(ino.0, Entry { node: Node::Real(node.clone()), lookups: 1 });
                Ok::<_, Errno>(node)
            }
        })?;
        node.put(parent, name);
        let lasting = Lasting { in_watched: parent.is_watched(), watched: node.is_watched() };
        let attr = node.told.say(|| Ok(lasting.of(ino, &stat)))?;
        Ok((node, attr))
    }

    /// A file gives its descriptor back when there are too many; a folder keeps it, for the files in it are found by it.
    fn new_node(&self, ino: Ino, fd: OwnedFd, stat: &mut Stat) -> Result<RealNode> {
        let is_folder = FileKind::of_mode(stat.st_mode) == FileKind::Folder;
        let watch = if is_folder { self.watches.add(ino, fd.as_fd()) } else { None };
        if watch.is_some() {
            // As of a moment from which on changes are seen.
            *stat = fs::fstat(&fd)?;
        }
        let keeps = is_folder || self.held.load(Ordering::Relaxed) < self.budget;
        self.held.fetch_add(keeps.into(), Ordering::Relaxed);
        Ok(RealNode::new(ino, keeps.then_some(fd), stat, watch))
    }

    /// Every file and folder that the kernel knows.
    pub fn all_real(&self) -> Vec<Arc<RealNode>> {
        let real = |entry: &Entry| match &entry.node {
            Node::Real(node) => Some(node.clone()),
            Node::Virtual(_) => None,
        };
        self.table.filter_map(real)
    }

    /// Takes hold of a file that is about to lose its name.
    pub fn hold(&self, node: &RealNode) {
        if node.fd.get().is_none()
            && let Ok(fd) = node.find()
            && node.fd.set(fd).is_ok()
        {
            self.held.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts one lookup of a virtual node.
    pub fn enter_virtual(&self, node: Arc<Virtual>) {
        let ino = node.ino();
        self.table.with(ino.0, |shard| {
            let entry = shard.entry(ino.0).or_insert(Entry { node: Node::Virtual(node), lookups: 0 });
            entry.lookups += 1;
        });
    }

    /// The kernel drops `count` lookups of a node.
    pub fn forget(&self, ino: Ino, count: u64) {
        if ino == Ino::ROOT {
            return;
        }
        let gone = self.table.with(ino.0, |shard| {
            let entry = shard.get_mut(&ino.0)?;
            entry.lookups = entry.lookups.saturating_sub(count);
            let gone = if entry.lookups == 0 { shard.remove(&ino.0) } else { None };
            // Together with the node: whoever enters the folder again watches it anew.
            if let Some(Entry { node: Node::Real(node), .. }) = &gone
                && let Some(watch) = node.watch
            {
                node.watched.store(false, Ordering::Release);
                self.watches.remove(watch);
            }
            gone
        });
        if let Some(Entry { node: Node::Real(node), .. }) = gone {
            self.forgotten(&node);
        }
    }

    fn forgotten(&self, node: &RealNode) {
        self.held.fetch_sub(node.fd.get().is_some().into(), Ordering::Relaxed);
        if let Some(place) = node.place() {
            place.parent.names.forget_inode(&place.name, node.ino);
        }
        if node.ino.0 >= Ino::FOREIGN {
            self.foreign.lock().remove(&node.id);
        }
    }

    /// The inode number of a file on the disk.
    pub fn ino_of(&self, id: (u64, u64)) -> Ino {
        if id.0 == self.root_dev && id.1 != Ino::ROOT.0 && id.1 < Ino::FOREIGN {
            return Ino(id.1);
        }
        *self.foreign.lock().entry(id).or_insert_with(|| Ino(self.next_foreign.fetch_add(1, Ordering::Relaxed)))
    }
}

#[expect(clippy::unnecessary_cast, reason = "the widths of stat's fields differ between platforms")]
pub(super) fn id_of(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// A file that was looked up when no descriptor was left for it.
    fn crowded(dir: &Path) -> (Nodes, Arc<RealNode>) {
        let open = |path: &Path| fs::open(path, HANDLE_ONLY, Mode::empty()).unwrap();
        let nodes = Nodes::new(open(dir), 0).unwrap();
        std::fs::write(dir.join("a"), "text").unwrap();
        let (node, _) = nodes.enter(open(&dir.join("a")), &nodes.folder(Ino::ROOT).unwrap(), OsStr::new("a")).unwrap();
        assert!(node.fd.get().is_none());
        (nodes, node)
    }

    #[test]
    fn without_a_descriptor_a_file_is_found_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let (_nodes, node) = crowded(dir.path());
        assert_eq!(node.peek().unwrap().size, 4);
        std::fs::write(dir.path().join("b"), "another").unwrap();
        std::fs::rename(dir.path().join("b"), dir.path().join("a")).unwrap();
        assert_eq!(node.peek(), Err(Errno::STALE), "the name is another file's now");
        std::fs::remove_file(dir.path().join("a")).unwrap();
        assert_eq!(node.peek(), Err(Errno::STALE));
    }

    #[test]
    fn a_held_file_is_reached_when_its_name_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (nodes, node) = crowded(dir.path());
        nodes.hold(&node);
        std::fs::remove_file(dir.path().join("a")).unwrap();
        assert_eq!(node.peek().unwrap().nlink, 0);
        assert_eq!(nodes.held.load(Ordering::Relaxed), 1);
        nodes.forget(node.ino, 1);
        assert_eq!(nodes.held.load(Ordering::Relaxed), 0);
    }
}
