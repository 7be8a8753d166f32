//! The filesystem and the reference side by side: every call is made on both, answers must agree, and after every call
//! the whole tree is compared.
//!
//! Calls reach the filesystem as the kernel makes them: names are looked up from the root, each look-up is counted and
//! given back in the end, and what is open stays reachable whatever happens to its name.

use super::tree::{Answer, Body, Id, Onto, ROOT, Tree};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    ffi::OsStr,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use trackfs::{
    domain::path::WsPath,
    fs::{Attr, Caller, Errno, Fh, Fs, Host, Ino, SetAttr},
    workspace::root::{ReplaceError, Root},
};

/// A process that does not exist. It does all reading, so that nobody who writes has read: each save is taken at its word.
const READER: u32 = 1 << 23;

/// Whether a host refuses these bytes at a path.
pub type Refusal = fn(&str, &[u8]) -> bool;

/// Something that is open.
pub struct Open {
    pub id: Id,
    pub ino: Ino,
    pub fh: Fh,
    pub reads: bool,
    writes: bool,
    /// Written to since its last save.
    unsaved: bool,
}

impl Open {
    fn new(id: Id, ino: Ino, fh: Fh, flags: i32) -> Self {
        let access = flags & libc::O_ACCMODE;
        let (reads, writes) = (access != libc::O_WRONLY, access != libc::O_RDONLY);
        Self { id, ino, fh, reads, writes, unsaved: false }
    }
}

pub struct World {
    pub dir: PathBuf,
    pub root: Arc<Root>,
    pub tree: Tree,
    pub(super) fs: Fs,
    refuses: Refusal,
    pub(super) open: Vec<Open>,
    /// The number of each inode that is linked or open.
    pub(super) inos: HashMap<Id, Ino>,
    /// Look-ups that the kernel has not given back.
    pub(super) lookups: HashMap<Ino, u64>,
    caller: Caller,
    reader: Caller,
    pub(super) calls: usize,
}

impl World {
    /// Takes the folder as it is for the beginning.
    pub fn new(dir: &Path, root: Arc<Root>, host: Arc<dyn Host>, refuses: Refusal) -> Self {
        let owner = fs::metadata(dir).unwrap();
        let mut world = Self {
            dir: dir.to_owned(),
            fs: Fs::new(root.clone(), host).unwrap(),
            root,
            tree: Tree::new(),
            refuses,
            open: Vec::new(),
            inos: HashMap::from([(ROOT, Ino::ROOT)]),
            lookups: HashMap::new(),
            caller: Caller { uid: owner.uid(), gid: owner.gid(), pid: std::process::id() },
            reader: Caller { uid: owner.uid(), gid: owner.gid(), pid: READER },
            calls: 0,
        };
        world.adopt();
        world
    }

    // --- calls -----------------------------------------------------------------------------------------------------

    /// Makes an empty file and opens it. Answers its place among what is open.
    pub fn create(&mut self, folder: Id, name: &str, flags: i32) -> Answer<usize> {
        let expected = self.tree.make(folder, name, Body::File(Vec::new()), 0o640);
        let ino = self.ino(folder);
        let flags = flags | libc::O_CREAT | libc::O_EXCL;
        let made = self.fs.create(&self.caller, ino, OsStr::new(name), 0o640, flags);
        let made = self.agree(&format!("create {name}"), expected, made)?;
        let (id, (attr, reply)) = made;
        self.looked_up(&attr);
        self.inos.insert(id, attr.ino);
        self.open.push(Open::new(id, attr.ino, reply.fh, flags));
        self.compare();
        Ok(self.open.len() - 1)
    }

    /// Opens a file that exists; `flags` as of `open`, without O_CREAT.
    pub fn open(&mut self, id: Id, flags: i32) -> usize {
        let ino = self.ino(id);
        if flags & libc::O_TRUNC != 0 {
            self.tree.truncate(id, 0);
        }
        let fh = self.open_as_kernel(id, ino, flags);
        self.open.push(Open::new(id, ino, fh, flags));
        self.compare();
        self.open.len() - 1
    }

    /// ESTALE makes the kernel look the name up again and repeat the call, once.
    pub(super) fn open_as_kernel(&mut self, id: Id, ino: Ino, flags: i32) -> Fh {
        let caller = if flags & libc::O_ACCMODE == libc::O_WRONLY { self.caller } else { self.reader };
        let opened = match self.fs.open(&caller, ino, flags) {
            Err(Errno::STALE) => {
                assert_eq!(self.ino(id), ino);
                self.fs.open(&caller, ino, flags)
            }
            opened => opened,
        };
        opened.unwrap_or_else(|errno| panic!("open {:?} with {flags:o}: {errno}", self.tree.paths(id))).fh
    }

    pub fn write(&mut self, at: usize, offset: usize, bytes: &[u8]) {
        let Open { id, fh, writes, .. } = self.open[at];
        if !writes {
            return;
        }
        self.tree.write(id, offset, bytes);
        assert_eq!(self.fs.write(&self.caller, fh, offset as u64, bytes), Ok(bytes.len()));
        self.open[at].unsaved = true;
        self.compare();
    }

    /// O_APPEND is the kernel's business: it says where to write.
    pub fn append(&mut self, at: usize, bytes: &[u8]) {
        self.write(at, self.tree.bytes(self.open[at].id).len(), bytes);
    }

    pub fn truncate(&mut self, at: usize, length: usize) {
        let Open { id, ino, fh, writes, .. } = self.open[at];
        if !writes {
            return;
        }
        self.tree.truncate(id, length);
        let set = SetAttr { size: Some(length as u64), ..SetAttr::default() };
        let attr = self.fs.setattr(&self.caller, ino, Some(fh), &set).unwrap();
        assert_eq!(attr.size, length as u64);
        self.compare();
    }

    pub fn truncate_path(&mut self, id: Id, length: usize) {
        self.tree.truncate(id, length);
        let ino = self.ino(id);
        let set = SetAttr { size: Some(length as u64), ..SetAttr::default() };
        assert_eq!(self.fs.setattr(&self.caller, ino, None, &set).unwrap().size, length as u64);
        self.compare();
    }

    /// One of several closes of a descriptor.
    pub fn flush(&mut self, at: usize) {
        let answer = self.fs.flush(self.open[at].fh);
        self.saved(at, answer);
        self.compare();
    }

    pub fn fsync(&mut self, at: usize) {
        let answer = self.fs.fsync(&self.caller, self.open[at].fh, false);
        self.saved(at, answer);
        self.compare();
    }

    pub fn close(&mut self, at: usize) {
        let answer = self.fs.flush(self.open[at].fh);
        self.saved(at, answer);
        self.fs.release(self.open.remove(at).fh);
        self.compare();
    }

    /// A save is refused if what was written is bad by every name of the file, and accepted if it is by none: which name
    /// counts is the last that was used, which the comparison itself changes.
    fn saved(&mut self, at: usize, answer: Result<(), Errno>) {
        let open = &self.open[at];
        let bytes = self.tree.bytes(open.id);
        let bad = |path: &String| (self.refuses)(path, bytes);
        let paths = self.tree.paths(open.id);
        if !open.unsaved || !paths.iter().any(bad) {
            assert_eq!(answer, Ok(()), "a save of {paths:?}");
        } else if paths.iter().all(bad) {
            assert_eq!(answer, Err(Errno::INVAL), "a save of {paths:?}");
        } else {
            assert!(matches!(answer, Ok(()) | Err(Errno::INVAL)), "a save of {paths:?}: {answer:?}");
        }
        self.open[at].unsaved = false;
    }

    pub fn mkdir(&mut self, folder: Id, name: &str) -> Answer {
        let expected = self.tree.make(folder, name, Body::Folder(BTreeMap::new()), 0o750);
        let ino = self.ino(folder);
        let made = self.fs.mkdir(&self.caller, ino, OsStr::new(name), 0o750);
        self.entered(&format!("mkdir {name}"), expected, made)
    }

    pub fn symlink(&mut self, folder: Id, name: &str, target: &str) -> Answer {
        let expected = self.tree.make(folder, name, Body::Link(target.to_owned()), 0o777);
        let ino = self.ino(folder);
        let made = self.fs.symlink(&self.caller, ino, OsStr::new(name), Path::new(target));
        self.entered(&format!("symlink {name}"), expected, made)
    }

    pub fn link(&mut self, id: Id, folder: Id, name: &str) -> Answer {
        let (old, parent) = (self.ino(id), self.ino(folder));
        let expected = self.tree.link(id, folder, name).map(|()| id);
        let made = self.fs.link(&self.caller, old, parent, OsStr::new(name));
        self.entered(&format!("link {name}"), expected, made)
    }

    fn entered(&mut self, what: &str, expected: Answer<Id>, made: Result<Attr, Errno>) -> Answer {
        let agreed = self.agree(what, expected, made);
        if let Ok((id, attr)) = agreed {
            self.looked_up(&attr);
            assert_eq!(*self.inos.entry(id).or_insert(attr.ino), attr.ino);
        }
        self.compare();
        agreed.map(drop)
    }

    pub fn unlink(&mut self, folder: Id, name: &str) -> Answer {
        let ino = self.ino(folder);
        let expected = self.tree.unlink(folder, name);
        let done = self.fs.unlink(&self.caller, ino, OsStr::new(name));
        let agreed = self.agree(&format!("unlink {name}"), expected, done);
        self.compare();
        agreed.map(drop)
    }

    pub fn rmdir(&mut self, folder: Id, name: &str) -> Answer {
        let ino = self.ino(folder);
        let expected = self.tree.rmdir(folder, name);
        let done = self.fs.rmdir(&self.caller, ino, OsStr::new(name));
        let agreed = self.agree(&format!("rmdir {name}"), expected, done);
        self.compare();
        agreed.map(drop)
    }

    pub fn rename(&mut self, from: (Id, &str), to: (Id, &str), onto: Onto) -> Answer {
        let (source, target) = (self.ino(from.0), self.ino(to.0));
        let flags = match onto {
            Onto::Anything => 0,
            Onto::Nothing => libc::RENAME_NOREPLACE,
            Onto::Exchange => libc::RENAME_EXCHANGE,
        };
        let refused =
            self.is_refused_at(from, to.0, to.1) || onto == Onto::Exchange && self.is_refused_at(to, from.0, from.1);
        let done = self.fs.rename(&self.caller, (source, OsStr::new(from.1)), (target, OsStr::new(to.1)), flags);
        if refused {
            // Which of two reasons is told does not matter; that nothing moves does.
            assert!(done.is_err(), "a bad ticket was renamed from {from:?} to {to:?}");
            self.compare();
            return Err(libc::EINVAL);
        }
        let expected = self.tree.rename(from, to, onto);
        let agreed = self.agree(&format!("rename {from:?} to {to:?}, {onto:?}"), expected, done);
        self.compare();
        agreed.map(drop)
    }

    /// Whether what is at `from` would be refused as `name` in `folder`.
    fn is_refused_at(&self, from: (Id, &str), folder: Id, name: &str) -> bool {
        let Some(id) = self.tree.get(from.0, from.1).filter(|id| self.tree.is_file(*id)) else { return false };
        let above = if folder == ROOT { String::new() } else { format!("{}/", self.tree.paths(folder)[0]) };
        (self.refuses)(&format!("{above}{name}"), self.tree.bytes(id))
    }

    pub fn chmod(&mut self, id: Id, mode: u16) {
        self.tree.chmod(id, mode);
        let ino = self.ino(id);
        let set = SetAttr { mode: Some(mode.into()), ..SetAttr::default() };
        assert_eq!(self.fs.setattr(&self.caller, ino, None, &set).unwrap().perm, mode);
        self.compare();
    }

    /// The kernel drops what nothing holds.
    pub fn forget(&mut self) {
        let open: HashSet<Id> = self.open.iter().map(|open| open.id).collect();
        let above = |id: Id| self.tree.walk().into_iter().filter(move |entry| entry.3 == id).map(|entry| entry.1);
        let mut held = open.clone();
        let mut next: Vec<Id> = open.into_iter().collect();
        while let Some(id) = next.pop() {
            next.extend(above(id).filter(|folder| held.insert(*folder)));
        }
        let held: HashSet<Ino> = held.iter().filter_map(|id| self.inos.get(id).copied()).collect();
        for (ino, count) in self.lookups.extract_if(|ino, _| !held.contains(ino)) {
            self.fs.forget(ino, count);
        }
        let live: HashSet<Id> = self.live();
        self.inos.retain(|id, _| live.contains(id));
    }

    // --- somebody else, on the real files --------------------------------------------------------------------------

    /// Changes the real files past the mount, as any process could; the watcher tells of what it sees.
    pub fn foreign(&mut self, announce: &dyn Fn(&WsPath), change: impl FnOnce(&Path) -> std::io::Result<()>) {
        let before = self.tree.clone();
        // What the disk refuses to others is no concern of ours.
        let _ = change(&self.dir);
        self.adopt();
        for path in differing(&before, &self.tree) {
            let path = WsPath::new(path).unwrap();
            announce(&path);
            let mut changes = self.fs.changes();
            self.fs.add_path(&mut changes, &path);
            self.fs.stale(&changes);
        }
        self.compare();
    }

    /// As a pull does: the file becomes `text`, unless a process of the mount writes it.
    pub fn replace(&mut self, announce: &dyn Fn(&WsPath), id: Id, text: &[u8]) {
        let Some(path) = self.tree.paths(id).into_iter().next() else { return };
        let old = self.tree.bytes(id).clone();
        let replaced = self.root.replace(&WsPath::new(&*path).unwrap(), Some(&old), text);
        if self.open.iter().any(|open| open.id == id && open.writes) {
            assert!(matches!(replaced, Err(ReplaceError::Busy)), "{path} is being written: {replaced:?}");
        } else {
            replaced.unwrap_or_else(|error| panic!("{path}: {error}"));
            assert_eq!(fs::read(self.dir.join(&path)).unwrap(), text);
            self.adopt();
            announce(&WsPath::new(path).unwrap());
        }
        self.compare();
    }

    /// Takes over what the disk holds by now. An inode that is known stays itself.
    pub fn adopt(&mut self) {
        let live = self.live();
        let known: HashMap<u64, Id> =
            self.inos.iter().filter(|(id, _)| live.contains(id)).map(|(id, ino)| (ino.0, *id)).collect();
        let mut fresh = HashMap::new();
        let entries = self.adopt_folder(&self.dir.clone(), &known, &mut fresh);
        self.tree.set(ROOT, Body::Folder(entries), self.tree.inode(ROOT).mode);
        for (ino, id) in fresh {
            self.inos.insert(id, Ino(ino));
        }
    }

    fn adopt_folder(
        &mut self,
        dir: &Path,
        known: &HashMap<u64, Id>,
        fresh: &mut HashMap<u64, Id>,
    ) -> BTreeMap<String, Id> {
        let mut entries = BTreeMap::new();
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let stat = fs::symlink_metadata(&path).unwrap();
            let body = match stat.file_type() {
                kind if kind.is_dir() => Body::Folder(self.adopt_folder(&path, known, fresh)),
                kind if kind.is_symlink() => Body::Link(fs::read_link(&path).unwrap().to_str().unwrap().to_owned()),
                _ => Body::File(fs::read(&path).unwrap()),
            };
            let mode = (stat.mode() & 0o7777) as u16;
            let id = known.get(&stat.ino()).or_else(|| fresh.get(&stat.ino())).copied();
            let id = id.unwrap_or_else(|| self.tree.add(Body::Link(String::new()), 0));
            fresh.insert(stat.ino(), id);
            self.tree.set(id, body, mode);
            entries.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), id);
        }
        entries
    }

    pub fn has_hard_links(&self) -> bool {
        self.tree.walk().iter().any(|entry| self.tree.links(entry.3) > 1)
    }
}

/// The names at which two trees differ: of a folder that came or went, its own alone.
fn differing(before: &Tree, now: &Tree) -> Vec<String> {
    let state = |tree: &Tree| -> BTreeMap<String, (Id, Option<Vec<u8>>, u16)> {
        let bytes = |id| tree.is_file(id).then(|| tree.bytes(id).clone());
        tree.walk().into_iter().map(|entry| (entry.0, (entry.3, bytes(entry.3), tree.inode(entry.3).mode))).collect()
    };
    let (before, now) = (state(before), state(now));
    let mut differing: Vec<String> = Vec::new();
    for path in before.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
        let below = |above: &String| path.starts_with(&format!("{above}/"));
        if before.get(path) != now.get(path) && !differing.iter().any(below) {
            differing.push(path.clone());
        }
    }
    differing
}
