//! The filesystem without a kernel: inodes, nodes (real, or virtual folders, links and generated files) and operations,
//! in our own types.
//!
//! Files are passed through to the disk under them; whatever changes something is told to the [`Host`] after it was done.
//! Nothing here knows FUSE: `mount/` converts, calls and replies. Operations are called by any number of threads.

mod actor;
mod attributes;
mod buffers;
mod files;
mod folders;
mod generated;
mod names;
mod node;
mod past;
mod refused;
mod regroup;
mod saves;
mod sent_back;
mod stale;
mod stand_ins;
mod table;
mod told;
mod types;
mod unopened;
mod views;
mod watches;

pub use past::{HISTORY, Past, Place};
pub use refused::Refused;
pub use stale::{Changes, Stale};
pub use types::{
    Attr, Caching, Caller, DirEntry, DirSink, Errno, Fh, FileKind, Ino, Lasts, OpenReply, Result, SetAttr, SetTime,
    StatFs, Time,
};

use crate::{
    domain::{
        Timestamp,
        catalog::Catalog,
        op::{Actor, Op, OpKind},
        path::WsPath,
        problem::Problem,
        query::Moment,
    },
    workspace::root::Root,
};
use actor::Actors;
use files::OpenFile;
use folders::OpenFolder;
use generated::Generated;
use node::{Node, Nodes};
use parking_lot::MappedRwLockReadGuard;
use refused::Refusals;
use rustix::{
    fs::{Mode, OFlags},
    process::{Resource, Rlimit},
};
use sent_back::SentBack;
use stand_ins::StandIns;
use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use table::Table;
use unopened::Writers;
pub use views::ROOT_NAMES;
use views::{Lists, Made, Shown};

/// What the filesystem needs from the rest of trackfs. Implemented by the daemon; by a recorder in tests.
/// Every method is called on filesystem threads: memory and local disk only.
pub trait Host: Send + Sync {
    /// Journals an operation that was carried out.
    fn record(&self, op: Op);

    /// Begins to write what was recorded so far: [`Host::durable`] will be asked for it. Waits for nothing.
    fn hasten(&self) {}

    /// Returns when every operation recorded so far is on disk.
    fn durable(&self) -> io::Result<()>;

    /// Why a save of these bytes at this path is refused with EINVAL, if it is.
    fn check(&self, path: &WsPath, bytes: &[u8]) -> Option<Problem>;

    /// The first problem of a settled file, for the xattr `user.trackfs.problem`.
    fn problem(&self, path: &WsPath) -> Option<String>;

    /// Changes one value of a field of a ticket's file, and shows it in the catalog at once. Of a list the value is a member;
    /// empty: none. It is refused with ENOENT when the value is not `from` any more, EEXIST when the list has `to` already,
    /// EINVAL when the schema forbids it, EBUSY while a process writes the file.
    fn set_field(&self, _: &Actor, _path: &WsPath, _field: &str, _from: &str, _to: &str) -> Result<(), Refused> {
        Err(Refused::new(Errno::ROFS, "nobody is there to do it"))
    }

    /// Makes this the whole text of a ticket's file. Refused as [`Host::set_field`] is.
    fn set_text(&self, _actor: &Actor, _path: &WsPath, _text: &[u8]) -> Result<(), Refused> {
        Err(Refused::new(Errno::ROFS, "nobody is there to do it"))
    }

    /// The tickets as they last settled. Held for a moment, and never across another call of these.
    fn catalog(&self) -> CatalogRef<'_>;

    /// Tickets in conflict with a remote.
    fn conflicts(&self) -> Arc<BTreeSet<WsPath>> {
        Arc::default()
    }

    /// What has this name in a place of the past; `None`: nothing.
    fn past(&self, _folder: &Place, _name: &str) -> Result<Option<Place>> {
        Ok(None)
    }

    /// Everything in a place of the past, by name. EBUSY while a long history is read for the first time.
    fn past_in(&self, _folder: &Place) -> Result<Vec<(String, Place)>> {
        Ok(Vec::new())
    }

    /// How many bytes a blob has.
    fn past_size(&self, _blob: &str) -> Result<u64> {
        Err(Errno::NOENT)
    }

    fn past_bytes(&self, _blob: &str) -> Result<Vec<u8>> {
        Err(Errno::NOENT)
    }

    /// The present content of a file in `status/`.
    fn status_file(&self, file: StatusFile) -> StatusContent;
}

/// Content of a generated file.
#[derive(Clone, Debug)]
pub enum StatusContent {
    /// Whole, as of now.
    Bytes(Arc<[u8]>),
    /// A file outside the workspace that only grows: read where it stands, so that `tail -f` follows it.
    Growing(Arc<std::fs::File>),
}

/// What the views are made of, locked for reading.
pub type CatalogRef<'c> = MappedRwLockReadGuard<'c, Catalog>;

/// The generated files of `status/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StatusFile {
    Problems,
    Events,
    Outbox,
    Health,
    /// Why something was refused in `views/`.
    Refused,
    /// The page about one ticket's conflicts.
    Conflicts(WsPath),
}

/// The part of all descriptors that nodes may hold; open files, git and the index need the rest.
const NODE_SHARE: (usize, usize) = (6, 10);

/// The filesystem over one workspace.
pub struct Fs {
    root: Arc<Root>,
    host: Arc<dyn Host>,
    // Lock order: the gate's pass, an open folder's listing, then one of these or of a node's at a time. What a node was
    // told comes before its place, a shard of the nodes before the watches.
    nodes: Nodes,
    files: Table<Arc<OpenFile>>,
    folders: Table<Arc<OpenFolder>>,
    writers: Writers,
    /// Whether the kernel says who opens a file, and when.
    knows_readers: bool,
    next_fh: AtomicU64,
    actors: Actors,
    sent_back: SentBack,
    generated: Generated,
    refusals: Refusals,
    made: Made,
    stand_ins: StandIns,
    lists: Lists,
    /// Since when virtual folders and links exist.
    started: Time,
}

impl Fs {
    /// Raises the limit of open files as far as it goes: every file the kernel knows costs a descriptor, while there are any.
    pub fn new(root: Arc<Root>, host: Arc<dyn Host>) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(root.fd(), ".", flags, Mode::empty())?;
        Ok(Self {
            root,
            host,
            nodes: Nodes::new(folder, raise_file_limit() / NODE_SHARE.1 * NODE_SHARE.0)
                .map_err(|errno| io::Error::from_raw_os_error(errno.0))?,
            files: Table::default(),
            folders: Table::default(),
            writers: Writers::default(),
            knows_readers: true,
            next_fh: AtomicU64::new(1),
            actors: Actors::default(),
            sent_back: SentBack::default(),
            generated: Generated::default(),
            refusals: Refusals::default(),
            made: Made::default(),
            stand_ins: StandIns::default(),
            lists: Lists::default(),
            started: generated::now(),
        })
    }

    /// For a kernel that does not say what it opens and closes (`unopened.rs`).
    pub fn without_opens(self) -> Self {
        Self { knows_readers: false, ..self }
    }

    /// Virtual names that cannot be reached because the workspace has a real entry of the same name in its root.
    pub fn shadowed(&self) -> Vec<&'static str> {
        ROOT_NAMES.into_iter().filter(|name| self.is_real_in_root(name)).collect()
    }

    /// Files that some process has open.
    pub fn open_files(&self) -> usize {
        self.files.len()
    }

    /// Files that some process has open for writing, or mapped so.
    pub fn open_for_writing(&self) -> Vec<Ino> {
        self.files.filter_map(|file| file.written_ino())
    }

    fn is_real_in_root(&self, name: &str) -> bool {
        rustix::fs::statat(self.root.fd(), name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Looks at the virtual folders as they are now.
    fn shown<T>(&self, look: impl FnOnce(&Shown<'_>) -> T) -> T {
        let conflicts = self.host.conflicts();
        let moment = Moment { now: Timestamp::now(), zone: jiff::tz::TimeZone::system() };
        let catalog = self.host.catalog();
        look(&Shown { catalog: &catalog, conflicts: &conflicts, made: &self.made, lists: &self.lists, moment })
    }

    fn next_fh(&self) -> Fh {
        Fh(self.next_fh.fetch_add(1, Ordering::Relaxed))
    }

    /// Journals what was done, unless the file has no path that a workspace can name.
    fn record(&self, actor: Actor, path: Option<WsPath>, kind: OpKind) {
        if let Some(path) = path {
            self.host.record(Op { at: Timestamp::now(), actor, path, kind });
        }
    }

    fn record_by(&self, caller: &Caller, path: Option<WsPath>, kind: OpKind) {
        if path.is_some() {
            self.record(self.actors.of(caller), path, kind);
        }
    }

    fn node(&self, ino: Ino) -> Result<Node> {
        self.nodes.get(ino)
    }
}

/// Answers the limit that is in force afterwards.
fn raise_file_limit() -> usize {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let system: Option<u64> =
        std::fs::read_to_string("/proc/sys/fs/nr_open").ok().and_then(|text| text.trim().parse().ok());
    let attempts = [system.max(limit.maximum), limit.maximum];
    for most in attempts {
        if rustix::process::setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).is_ok() {
            return most.map_or(usize::MAX, |most| most as usize);
        }
    }
    limit.current.map_or(usize::MAX, |current| current as usize)
}
