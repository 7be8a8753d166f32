//! The filesystem without a kernel: what editors and tools do, operation by operation, and what is recorded of it.

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::Permissions,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use trackfs::{
    domain::{
        catalog::{Catalog, Times},
        layout::Kind,
        op::{Actor, Op, OpKind},
        path::WsPath,
        problem::{Problem, Severity},
        schema::Schema,
        snapshot,
    },
    fs::{
        Attr, Caching, Caller, CatalogRef, Changes, DirEntry, DirSink, Errno, Fh, FileKind, Fs, Host, Ino, Lasts,
        Refused, SetAttr, SetTime, Stale, StatusContent, StatusFile,
    },
    workspace::root::Root,
};

const GOOD: &[u8] = b"---\ntitle: Login\n---\n";
const BAD: &[u8] = b"---\nstatus: nonsense\n---\n";

/// Remembers every operation; finds `nonsense` in a ticket wrong.
#[derive(Default)]
struct Recorder {
    ops: Mutex<Vec<Op>>,
    durable: AtomicUsize,
    catalog: RwLock<Catalog>,
    edits: Mutex<Vec<String>>,
    problems: Mutex<Vec<u8>>,
}

impl Host for Recorder {
    fn record(&self, op: Op) {
        self.ops.lock().push(op);
    }

    fn durable(&self) -> std::io::Result<()> {
        self.durable.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn check(&self, path: &WsPath, bytes: &[u8]) -> Option<Problem> {
        let is_ticket = path.as_str().starts_with("tickets/") && path.extension() == Some("md");
        let is_bad = bytes.windows(8).any(|window| window == b"nonsense");
        (is_ticket && is_bad).then(|| Problem {
            path: path.clone(),
            line: 2,
            column: 9,
            severity: Severity::Error,
            code: "unknown-status".into(),
            message: "no such status".into(),
            help: None,
        })
    }

    fn problem(&self, path: &WsPath) -> Option<String> {
        (path.file_name() == "bad.md").then(|| "2:9: no such status".to_owned())
    }

    fn set_field(&self, actor: &Actor, path: &WsPath, field: &str, from: &str, to: &str) -> Result<(), Refused> {
        self.edits.lock().push(format!("{}: {path} {field} {from:?} {to:?}", actor.pid));
        Ok(())
    }

    fn catalog(&self) -> CatalogRef<'_> {
        RwLockReadGuard::map(self.catalog.read(), |catalog| catalog)
    }

    fn status_file(&self, file: StatusFile) -> StatusContent {
        match file {
            StatusFile::Problems => StatusContent::Bytes(self.problems.lock().as_slice().into()),
            _ => StatusContent::Bytes(Arc::from(*b"")),
        }
    }
}

/// A workspace with one folder `tickets`, and a process that works in it.
struct World {
    dir: tempfile::TempDir,
    fs: Fs,
    host: Arc<Recorder>,
    me: Caller,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tickets")).unwrap();
        let host = Arc::<Recorder>::default();
        let fs = Fs::new(Arc::new(Root::open(dir.path()).unwrap()), host.clone()).unwrap();
        let owner = std::fs::metadata(dir.path()).unwrap();
        Self { dir, fs, host, me: Caller { uid: owner.uid(), gid: owner.gid(), pid: std::process::id() } }
    }

    fn with(path: &str, bytes: &[u8]) -> Self {
        let world = Self::new();
        std::fs::write(world.disk(path), bytes).unwrap();
        world
    }

    fn disk(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn on_disk(&self, path: &str) -> String {
        String::from_utf8(std::fs::read(self.disk(path)).unwrap()).unwrap()
    }

    fn look(&self, path: &str) -> Result<Attr, Errno> {
        let mut attr = self.fs.getattr(Ino::ROOT)?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            attr = self.fs.lookup(attr.ino, OsStr::new(name))?;
        }
        Ok(attr)
    }

    fn ino(&self, path: &str) -> Ino {
        self.look(path).unwrap().ino
    }

    fn at<'p>(&self, path: &'p str) -> (Ino, &'p OsStr) {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        (self.ino(parent), OsStr::new(name))
    }

    fn create(&self, path: &str) -> Fh {
        self.open(path, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL).unwrap()
    }

    /// As the kernel does: CREATE for a name that is not there, OPEN for one that is.
    fn open(&self, path: &str, flags: i32) -> Result<Fh, Errno> {
        match self.look(path) {
            Ok(_) if flags & libc::O_EXCL != 0 => Err(Errno::EXIST),
            Ok(attr) => self.fs.open(&self.me, attr.ino, flags).map(|open| open.fh),
            Err(Errno::NOENT) if flags & libc::O_CREAT != 0 => {
                let (parent, name) = self.at(path);
                self.fs.create(&self.me, parent, name, 0o644, flags).map(|(_, open)| open.fh)
            }
            Err(errno) => Err(errno),
        }
    }

    fn write(&self, fh: Fh, bytes: &[u8]) {
        assert_eq!(self.fs.write(&self.me, fh, 0, bytes), Ok(bytes.len()));
    }

    fn close(&self, fh: Fh) -> Result<(), Errno> {
        let flushed = self.fs.flush(fh);
        self.fs.release(fh);
        flushed
    }

    /// `echo … > path`
    fn redirect(&self, path: &str, bytes: &[u8]) -> Result<(), Errno> {
        let fh = self.open(path, libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC)?;
        // The shell moves the descriptor: one close comes before anything is written.
        self.fs.flush(fh)?;
        self.write(fh, bytes);
        self.close(fh)
    }

    fn save_as(&self, path: &str, bytes: &[u8]) -> Result<(), Errno> {
        let fh = self.create(path);
        self.write(fh, bytes);
        self.close(fh)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        self.fs.rename(&self.me, self.at(from), self.at(to), 0)
    }

    fn unlink(&self, path: &str) -> Result<(), Errno> {
        let (parent, name) = self.at(path);
        self.fs.unlink(&self.me, parent, name)
    }

    fn opendir(&self, path: &str) -> Fh {
        self.fs.opendir(self.ino(path)).unwrap().0
    }

    /// What the kernel must forget when others changed a path, in the order of their names.
    fn stale(&self, path: &str) -> Vec<Stale> {
        let mut changes = Changes::default();
        self.fs.add_path(&mut changes, &WsPath::new(path).unwrap());
        sorted(self.fs.stale(&changes))
    }

    fn names(&self, path: &str) -> Vec<String> {
        let fh = self.opendir(path);
        let mut names = Listing { names: Vec::new(), room: usize::MAX };
        self.fs.readdir(fh, 0, &mut names).unwrap();
        self.fs.releasedir(fh);
        let mut names: Vec<String> =
            names.names.into_iter().map(|(_, name)| name).filter(|n| !n.starts_with('.')).collect();
        names.sort();
        names
    }

    /// What was recorded since the last call, one line each.
    fn recorded(&self) -> Vec<String> {
        std::mem::take(&mut *self.host.ops.lock()).iter().map(line).collect()
    }

    fn content(&self, ino: Ino) -> Vec<u8> {
        let fh = self.fs.open(&self.me, ino, libc::O_RDONLY).unwrap().fh;
        let mut bytes = vec![0; 1 << 16];
        let len = self.fs.read(fh, 0, &mut bytes).unwrap();
        self.fs.release(fh);
        bytes.truncate(len);
        bytes
    }
}

fn sorted(stale: HashSet<Stale>) -> Vec<Stale> {
    let mut stale: Vec<Stale> = stale.into_iter().collect();
    stale.sort_by_key(|stale| format!("{stale:?}"));
    stale
}

struct Listing {
    names: Vec<(u64, String)>,
    room: usize,
}

impl DirSink for Listing {
    fn add(&mut self, entry: DirEntry<'_>) -> bool {
        let taken = self.names.len() < self.room;
        if taken {
            self.names.push((entry.offset, entry.name.to_str().unwrap().to_owned()));
        }
        taken
    }
}

fn line(op: &Op) -> String {
    let rest = match &op.kind {
        OpKind::Write { offset, len } => format!(" {offset}+{len}"),
        OpKind::Truncate { len } => format!(" {len}"),
        OpKind::Rename { to, exchange: false } | OpKind::Link { to } => format!(" {to}"),
        OpKind::Rename { to, exchange: true } => format!(" <-> {to}"),
        _ => String::new(),
    };
    let json = serde_json::to_value(op).unwrap();
    format!("{} {}{rest}", json["op"].as_str().unwrap(), op.path)
}

// Saves.

#[test]
fn vim_saves_by_renaming_away_and_creating_anew() {
    let world = World::with("tickets/t.md", b"old");
    let probe = world.create("tickets/4913");
    world.close(probe).unwrap();
    world.unlink("tickets/4913").unwrap();
    world.rename("tickets/t.md", "tickets/t.md~").unwrap();
    let fh = world.create("tickets/t.md");
    world.write(fh, GOOD);
    world.fs.fsync(&world.me, fh, false).unwrap();
    world.close(fh).unwrap();
    world.unlink("tickets/t.md~").unwrap();
    assert_eq!(
        world.recorded(),
        [
            "create tickets/4913",
            "unlink tickets/4913",
            "rename tickets/t.md tickets/t.md~",
            "create tickets/t.md",
            "write tickets/t.md 0+21",
            "fsync tickets/t.md",
            "close tickets/t.md",
            "unlink tickets/t.md~",
        ]
    );
    assert_eq!(world.names("tickets"), ["t.md"]);
    assert_eq!(world.on_disk("tickets/t.md").as_bytes(), GOOD);
}

#[test]
fn a_temporary_file_renamed_over_a_ticket_is_named_by_where_it_ends() {
    let world = World::with("tickets/t.md", b"old");
    world.save_as("tickets/sedXYZ123", GOOD).unwrap();
    world.rename("tickets/sedXYZ123", "tickets/t.md").unwrap();
    assert_eq!(
        world.recorded(),
        [
            "create tickets/sedXYZ123",
            "write tickets/sedXYZ123 0+21",
            "close tickets/sedXYZ123",
            "rename tickets/sedXYZ123 tickets/t.md"
        ]
    );
    assert_eq!(world.on_disk("tickets/t.md").as_bytes(), GOOD);
}

#[test]
fn a_redirection_is_one_save_although_its_first_close_comes_before_the_write() {
    let world = World::with("tickets/t.md", b"old");
    assert_eq!(world.redirect("tickets/t.md", BAD), Err(Errno::INVAL));
    assert_eq!(world.recorded(), ["truncate tickets/t.md 0", "write tickets/t.md 0+25", "close tickets/t.md"]);
    assert_eq!(world.on_disk("tickets/t.md").as_bytes(), BAD, "the bytes are kept");
}

#[test]
fn empty_truncate_before_write_is_not_a_save() {
    let world = World::with("tickets/t.md", BAD);
    let fh = world.open("tickets/t.md", libc::O_WRONLY).unwrap();
    assert_eq!(world.fs.flush(fh), Ok(()));
    let truncated = world.fs.setattr(
        &world.me,
        world.ino("tickets/t.md"),
        Some(fh),
        &SetAttr { size: Some(9), ..SetAttr::default() },
    );
    assert_eq!(truncated.unwrap().size, 9);
    assert_eq!(world.fs.flush(fh), Ok(()));
    world.write(fh, BAD);
    assert_eq!(world.fs.flush(fh), Err(Errno::INVAL));
    assert_eq!(world.fs.flush(fh), Ok(()), "nothing was written since");
    world.fs.release(fh);
}

#[test]
fn opening_for_writing_without_a_write_records_nothing() {
    let world = World::with("tickets/t.md", GOOD);
    let fh = world.open("tickets/t.md", libc::O_WRONLY).unwrap();
    world.close(fh).unwrap();
    assert_eq!(world.recorded(), [""; 0]);
}

#[test]
fn judging_a_save_leaves_the_access_time_alone() {
    let world = World::with("tickets/t.md", GOOD);
    let fh = world.open("tickets/t.md", libc::O_WRONLY).unwrap();
    world.write(fh, GOOD);
    // As `cp -p`: the times are set while the copy is still open.
    let long_ago = Some(SetTime::To((1_000_000, 0)));
    let set = SetAttr { atime: long_ago, mtime: long_ago, ..SetAttr::default() };
    world.fs.setattr(&world.me, world.ino("tickets/t.md"), Some(fh), &set).unwrap();
    world.close(fh).unwrap();
    assert_eq!(world.look("tickets/t.md").unwrap().atime, (1_000_000, 0));
}

#[test]
fn the_last_writer_to_close_ends_the_save() {
    let world = World::with("tickets/t.md", GOOD);
    let (one, two) =
        (world.open("tickets/t.md", libc::O_RDWR).unwrap(), world.open("tickets/t.md", libc::O_RDWR).unwrap());
    world.write(one, GOOD);
    world.close(one).unwrap();
    assert_eq!(world.recorded(), ["write tickets/t.md 0+21"]);
    world.close(two).unwrap();
    assert_eq!(world.recorded(), ["close tickets/t.md"]);
}

#[test]
fn an_fsync_waits_for_the_journal_unless_the_name_is_a_scratch_name() {
    let world = World::new();
    for (name, waits) in [("tickets/t.md.tmp", 0), ("tickets/t.md", 1), ("notes", 2)] {
        let fh = world.create(name);
        world.write(fh, GOOD);
        world.fs.fsync(&world.me, fh, false).unwrap();
        assert_eq!(world.host.durable.load(Ordering::Relaxed), waits, "{name}");
        world.close(fh).unwrap();
    }
}

#[test]
fn an_fsync_of_a_bad_ticket_is_durable_and_refused() {
    let world = World::new();
    let fh = world.create("tickets/t.md");
    world.write(fh, BAD);
    assert_eq!(world.fs.fsync(&world.me, fh, true), Err(Errno::INVAL));
    assert_eq!(world.host.durable.load(Ordering::Relaxed), 1);
    assert_eq!(world.close(fh), Ok(()), "the writer was told already");
    assert_eq!(world.on_disk("tickets/t.md").as_bytes(), BAD);
}

#[test]
fn a_rename_that_would_make_a_bad_ticket_leaves_both_files() {
    let world = World::with("tickets/t.md", GOOD);
    world.save_as("tickets/new.tmp", BAD).unwrap();
    world.recorded();
    assert_eq!(world.rename("tickets/new.tmp", "tickets/t.md"), Err(Errno::INVAL));
    assert_eq!(world.on_disk("tickets/t.md").as_bytes(), GOOD);
    assert_eq!(world.on_disk("tickets/new.tmp").as_bytes(), BAD);
    assert_eq!(world.recorded(), [""; 0]);
}

#[test]
fn a_bad_ticket_can_always_be_renamed_away() {
    let world = World::with("tickets/t.md", BAD);
    world.rename("tickets/t.md", "tickets/t.md~").unwrap();
    assert_eq!(world.names("tickets"), ["t.md~"]);
}

#[test]
fn an_exchange_is_judged_on_both_sides() {
    let world = World::with("tickets/t.md", GOOD);
    world.save_as("tickets/other", BAD).unwrap();
    let exchange = |from, to| world.fs.rename(&world.me, world.at(from), world.at(to), libc::RENAME_EXCHANGE);
    assert_eq!(exchange("tickets/t.md", "tickets/other"), Err(Errno::INVAL));
    assert_eq!(exchange("tickets/other", "tickets/t.md"), Err(Errno::INVAL));
    world.save_as("tickets/fine", b"fine").unwrap();
    world.recorded();
    exchange("tickets/t.md", "tickets/fine").unwrap();
    assert_eq!(world.recorded(), ["rename tickets/t.md <-> tickets/fine"]);
    assert_eq!(world.on_disk("tickets/t.md"), "fine");
}

#[test]
fn an_editor_that_keeps_a_handle_writes_to_where_the_file_went() {
    let world = World::with("tickets/t.md", b"old");
    let fh = world.open("tickets/t.md", libc::O_WRONLY).unwrap();
    world.rename("tickets/t.md", "tickets/u.md").unwrap();
    world.recorded();
    world.write(fh, GOOD);
    assert_eq!(world.recorded(), ["write tickets/u.md 0+21"]);
    world.unlink("tickets/u.md").unwrap();
    world.recorded();
    world.write(fh, BAD);
    assert_eq!(world.close(fh), Ok(()), "a file without a name is no ticket");
    assert_eq!(world.recorded(), [""; 0]);
}

#[test]
fn a_file_below_a_renamed_folder_is_recorded_under_the_new_name() {
    let world = World::with("tickets/t.md", b"old");
    let fh = world.open("tickets/t.md", libc::O_WRONLY).unwrap();
    world.rename("tickets", "issues").unwrap();
    world.write(fh, GOOD);
    assert_eq!(world.recorded(), ["rename tickets issues", "write issues/t.md 0+21"]);
}

#[test]
fn of_several_names_the_one_used_last_is_recorded() {
    let world = World::with("tickets/a.md", GOOD);
    let (parent, name) = world.at("tickets/b.md");
    world.fs.link(&world.me, world.ino("tickets/a.md"), parent, name).unwrap();
    assert_eq!(world.ino("tickets/a.md"), world.ino("tickets/b.md"));
    let fh = world.open("tickets/a.md", libc::O_WRONLY).unwrap();
    world.write(fh, GOOD);
    world.close(fh).unwrap();
    assert_eq!(world.recorded(), ["link tickets/b.md tickets/a.md", "write tickets/a.md 0+21", "close tickets/a.md"]);
}

#[test]
fn names_that_are_not_utf_8_work_and_are_not_recorded() {
    use std::os::unix::ffi::OsStrExt;
    let world = World::new();
    let name = OsStr::from_bytes(b"caf\xe9.md");
    let (_, open) = world.fs.create(&world.me, world.ino("tickets"), name, 0o644, libc::O_WRONLY).unwrap();
    world.write(open.fh, b"text");
    world.close(open.fh).unwrap();
    assert_eq!(world.recorded(), [""; 0]);
    assert_eq!(std::fs::read(world.disk("tickets").join(name)).unwrap(), b"text");
    world.fs.rename(&world.me, (world.ino("tickets"), name), world.at("tickets/cafe.md"), 0).unwrap();
    assert_eq!(world.recorded(), ["create tickets/cafe.md"]);
}

#[test]
fn operations_name_their_process() {
    let world = World::new();
    world.save_as("tickets/t.md", GOOD).unwrap();
    let own = std::fs::read_to_string(format!("/proc/{}/comm", std::process::id())).unwrap();
    for op in world.host.ops.lock().iter() {
        assert_eq!((op.actor.name.as_str(), op.actor.pid, op.actor.uid), (own.trim_end(), world.me.pid, world.me.uid));
    }
}

// As the disk below.

#[test]
fn exclusive_creation_and_missing_names_answer_as_a_disk_does() {
    let world = World::with("tickets/t.md", GOOD);
    let tickets = world.ino("tickets");
    let name = OsStr::new("t.md");
    let create = |flags| world.fs.create(&world.me, tickets, name, 0o644, flags).map(|(attr, _)| attr.size);
    assert_eq!(create(libc::O_WRONLY | libc::O_EXCL), Err(Errno::EXIST));
    assert_eq!(create(libc::O_WRONLY | libc::O_TRUNC), Ok(0), "it appeared since the kernel looked");
    assert_eq!(world.look("tickets/nothing"), Err(Errno::NOENT));
    assert_eq!(world.fs.rmdir(&world.me, Ino::ROOT, OsStr::new("tickets")), Err(Errno(libc::ENOTEMPTY)));
    assert_eq!(world.fs.unlink(&world.me, Ino::ROOT, OsStr::new("nothing")), Err(Errno::NOENT));
    assert_eq!(
        world.fs.rename(&world.me, (tickets, name), (tickets, OsStr::new("x")), libc::RENAME_WHITEOUT),
        Err(Errno::INVAL)
    );
}

#[test]
fn a_listing_survives_the_removal_of_what_it_lists() {
    let world = World::new();
    (0..500).for_each(|n| std::fs::write(world.disk(&format!("tickets/{n}.md")), "").unwrap());
    let fh = world.opendir("tickets");
    let (mut offset, mut seen) = (0, Vec::new());
    loop {
        let mut part = Listing { names: Vec::new(), room: 7 };
        world.fs.readdir(fh, offset, &mut part).unwrap();
        let Some((next, _)) = part.names.last() else { break };
        offset = *next;
        for (_, name) in part.names.iter().filter(|(_, name)| !name.starts_with('.')) {
            std::fs::remove_file(world.disk(&format!("tickets/{name}"))).unwrap();
            seen.push(name.clone());
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 500);
    assert_eq!(world.names("tickets"), [""; 0]);
}

#[test]
fn a_listing_with_attributes_counts_no_lookup_of_what_did_not_fit() {
    let world = World::new();
    ["a", "b", "c"].iter().for_each(|name| std::fs::write(world.disk(name), "").unwrap());
    let fh = world.opendir("");
    let mut part = Listing { names: Vec::new(), room: 3 };
    world.fs.readdirplus(fh, 0, &mut part).unwrap();
    assert_eq!(part.names.len(), 3);
    let listed = part.names.iter().filter(|(_, name)| !name.starts_with('.')).map(|(_, name)| name.clone());
    for name in listed {
        let ino = world.ino(&name);
        world.fs.forget(ino, 2);
        assert_eq!(world.fs.getattr(ino), Err(Errno::STALE), "forgotten: one lookup by the listing, one by the test");
    }
}

#[test]
fn times_are_set_kept_or_made_now() {
    let world = World::with("tickets/t.md", GOOD);
    let ino = world.ino("tickets/t.md");
    let set = |set| world.fs.setattr(&world.me, ino, None, &set).unwrap();
    let old = SetTime::To((-5, 250_000_000));
    let attr = set(SetAttr { atime: Some(old), mtime: Some(old), ..SetAttr::default() });
    assert_eq!((attr.atime, attr.mtime), ((-5, 250_000_000), (-5, 250_000_000)));
    let attr = set(SetAttr { mtime: Some(SetTime::Now), ..SetAttr::default() });
    assert_eq!(attr.atime, (-5, 250_000_000));
    assert!(attr.mtime.0 > 1_000_000_000);
}

#[test]
fn access_control_lists_are_refused_and_other_attributes_kept() {
    let world = World::with("tickets/t.md", GOOD);
    let ino = world.ino("tickets/t.md");
    let set = |name: &str| world.fs.setxattr(&world.me, ino, OsStr::new(name), b"value", 0);
    assert_eq!(set("system.posix_acl_access"), Err(Errno::NOTSUP));
    assert_eq!(world.fs.getxattr(ino, OsStr::new("system.posix_acl_access")), Err(Errno::NOTSUP));
    assert_eq!(set("user.trackfs.problem"), Err(Errno::PERM));
    if set("user.note").is_ok() {
        assert_eq!(world.fs.getxattr(ino, OsStr::new("user.note")).unwrap(), b"value");
        assert_eq!(world.fs.listxattr(ino).unwrap(), b"user.note\0");
        world.fs.removexattr(&world.me, ino, OsStr::new("user.note")).unwrap();
    }
    assert_eq!(world.fs.listxattr(ino).unwrap(), b"");
}

#[test]
fn the_problem_of_a_ticket_is_an_attribute_of_its_file() {
    let world = World::with("tickets/bad.md", BAD);
    let ino = world.ino("tickets/bad.md");
    assert_eq!(world.fs.getxattr(ino, OsStr::new("user.trackfs.problem")).unwrap(), b"2:9: no such status");
    assert_eq!(world.fs.listxattr(ino).unwrap(), b"user.trackfs.problem\0");
    assert_eq!(world.fs.getxattr(world.ino("tickets"), OsStr::new("user.trackfs.problem")), Err(Errno::NODATA));
}

#[test]
fn new_files_belong_to_their_maker_with_exactly_the_mode_asked_for() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::new();
    let them = Caller { uid: 1234, gid: 2345, pid: 0 };
    let tickets = world.ino("tickets");
    let (file, _) = world.fs.create(&them, tickets, OsStr::new("t.md"), 0o666, libc::O_WRONLY).unwrap();
    assert_eq!((file.uid, file.gid, file.perm), (1234, 2345, 0o666), "whatever umask the daemon has");
    world
        .fs
        .setattr(&world.me, tickets, None, &SetAttr { mode: Some(0o2775), gid: Some(77), ..SetAttr::default() })
        .unwrap();
    let folder = world.fs.mkdir(&them, tickets, OsStr::new("sub"), 0o755).unwrap();
    assert_eq!((folder.uid, folder.gid, folder.perm), (1234, 77, 0o2755), "a set-group-id folder hands its group on");
}

// Changes underneath.

#[test]
fn whoever_is_not_root_takes_the_set_id_bits_away_by_any_change_of_content() {
    type Act = fn(&World, &Caller, Ino);
    fn handle(world: &World, caller: &Caller, ino: Ino, flags: i32) -> Fh {
        world.fs.open(caller, ino, libc::O_WRONLY | flags).unwrap().fh
    }
    let acts: [Act; 5] = [
        |world, caller, ino| assert_eq!(world.fs.write(caller, handle(world, caller, ino, 0), 0, b"x"), Ok(1)),
        |world, caller, ino| world.fs.release(handle(world, caller, ino, libc::O_TRUNC)),
        |world, caller, ino| {
            let set = SetAttr { size: Some(1), ..SetAttr::default() };
            assert_eq!(world.fs.setattr(caller, ino, None, &set).unwrap().size, 1);
        },
        |world, caller, ino| {
            let set = SetAttr { size: Some(1), ..SetAttr::default() };
            assert_eq!(world.fs.setattr(caller, ino, Some(handle(world, caller, ino, 0)), &set).unwrap().size, 1);
        },
        |world, caller, ino| world.fs.fallocate(caller, handle(world, caller, ino, 0), 0, 8192, 0).unwrap(),
    ];
    for act in acts {
        for (uid, before, after) in
            [(1000, 0o6755, 0o755), (1000, 0o6745, 0o2745), (1000, 0o755, 0o755), (0, 0o6755, 0o6755)]
        {
            let world = World::with("tickets/tool", b"#!/bin/sh\n");
            std::fs::set_permissions(world.disk("tickets/tool"), Permissions::from_mode(before)).unwrap();
            act(&world, &Caller { uid, ..world.me }, world.ino("tickets/tool"));
            assert_eq!(world.look("tickets/tool").unwrap().perm, after, "{before:o} as {uid}");
        }
    }
}

#[test]
fn a_change_through_the_mount_leaves_nothing_stale() {
    let world = World::new();
    // Of what was there before, nothing is known of who made it.
    world.stale("tickets");
    world.save_as("tickets/t.md", GOOD).unwrap();
    world.redirect("tickets/t.md", b"longer than before, and new").unwrap();
    world.rename("tickets/t.md", "tickets/u.md").unwrap();
    world
        .fs
        .setattr(&world.me, world.ino("tickets/u.md"), None, &SetAttr { mode: Some(0o600), ..SetAttr::default() })
        .unwrap();
    for path in ["tickets", "tickets/t.md", "tickets/u.md"] {
        assert_eq!(world.stale(path), [], "{path}");
    }
    world.unlink("tickets/u.md").unwrap();
    assert_eq!(world.stale("tickets/u.md"), []);
    assert_eq!(sorted(world.fs.stale(&world.fs.changes())), [], "and the watches saw nothing else");
}

#[test]
fn foreign_changes_leave_content_or_names_stale_once() {
    let world = World::with("tickets/t.md", GOOD);
    let (tickets, t) = (world.ino("tickets"), world.ino("tickets/t.md"));
    let name = |name: &str| Stale::Name { parent: tickets, name: name.into() };
    let listing = Stale::Content(tickets);
    world.stale("tickets");

    std::fs::write(world.disk("tickets/t.md"), "edited underneath").unwrap();
    assert!(world.stale("tickets/t.md").contains(&Stale::Content(t)));
    assert_eq!(world.stale("tickets/t.md"), [], "the kernel was told");

    std::fs::write(world.disk("tickets/other.md"), "new").unwrap();
    assert_eq!(world.stale("tickets/other.md"), [listing.clone(), name("other.md")]);

    std::fs::rename(world.disk("tickets/other.md"), world.disk("tickets/t.md")).unwrap();
    let stale = world.stale("tickets/t.md");
    assert!(stale.contains(&name("t.md")), "another inode has the name: {stale:?}");
    assert!(stale.contains(&Stale::Content(t)), "who has the old one open sees that it has no name: {stale:?}");

    world.ino("tickets/t.md");
    std::fs::remove_file(world.disk("tickets/t.md")).unwrap();
    assert!(world.stale("tickets/t.md").contains(&name("t.md")));
    assert_eq!(world.stale("tickets/t.md"), []);
}

#[test]
fn the_watches_see_every_kind_of_foreign_change() {
    let world = World::with("tickets/t.md", GOOD);
    std::fs::create_dir(world.disk("tickets/sub")).unwrap();
    std::fs::write(world.disk("tickets/sub/s.md"), "s").unwrap();
    let (tickets, t, sub) = (world.ino("tickets"), world.ino("tickets/t.md"), world.ino("tickets/sub"));
    world.ino("tickets/sub/s.md");
    assert_eq!(world.look("tickets/nothing.md"), Err(Errno::NOENT));
    world.fs.missing_lasts(tickets, OsStr::new("nothing.md"));
    let seen = || world.fs.stale(&world.fs.changes());
    let name = |parent, name: &str| Stale::Name { parent, name: name.into() };
    assert_eq!(sorted(seen()), []);

    std::fs::write(world.disk("tickets/t.md"), "written").unwrap();
    assert_eq!(sorted(seen()), [Stale::Content(t)]);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(world.disk("tickets/t.md"), mode).unwrap();
    assert_eq!(sorted(seen()), [Stale::Content(t)], "the mode");
    std::fs::write(world.disk("tickets/nothing.md"), "").unwrap();
    assert!(seen().is_superset(&HashSet::from([name(tickets, "nothing.md"), Stale::Content(tickets)])));
    std::fs::hard_link(world.disk("tickets/t.md"), world.disk("tickets/sub/second.md")).unwrap();
    let stale = seen();
    assert!(stale.contains(&name(sub, "second.md")) && stale.contains(&Stale::Content(t)), "the link count: {stale:?}");
    std::fs::rename(world.disk("tickets/sub"), world.disk("moved")).unwrap();
    assert!(seen().contains(&name(tickets, "sub")));
    let moved = world.ino("moved");
    assert_eq!(moved, sub);
    world.ino("moved/s.md");
    seen();
    std::fs::write(world.disk("moved/s.md"), "longer").unwrap();
    assert_eq!(seen().len(), 1, "a folder is watched wherever it goes");
    std::fs::remove_file(world.disk("moved/s.md")).unwrap();
    assert!(seen().contains(&name(moved, "s.md")));
}

#[test]
fn what_is_not_seen_is_found_by_comparing_everything() {
    let world = World::with("tickets/t.md", GOOD);
    let outside = tempfile::tempdir_in(world.dir.path().parent().unwrap()).unwrap();
    let (tickets, t) = (world.ino("tickets"), world.ino("tickets/t.md"));
    std::fs::hard_link(world.disk("tickets/t.md"), outside.path().join("t")).unwrap();
    std::fs::write(outside.path().join("t"), "by another name").unwrap();
    let compare = || {
        let mut changes = Changes::default();
        changes.add_doubt();
        sorted(world.fs.stale(&changes))
    };
    assert_eq!(sorted(world.fs.stale(&world.fs.changes())), [], "no watch sees it");
    assert_eq!(compare(), [Stale::Content(t)]);
    assert_eq!(compare(), []);
    world.fs.getattr(t).unwrap();
    std::fs::remove_file(world.disk("tickets/t.md")).unwrap();
    assert!(compare().contains(&Stale::Name { parent: tickets, name: "t.md".into() }));
}

#[test]
fn after_the_queue_of_the_watches_ran_over_everything_is_compared() {
    let world = World::with("tickets/t.md", GOOD);
    std::fs::write(world.disk("tickets/u.md"), "").unwrap();
    let (tickets, t) = (world.ino("tickets"), world.ino("tickets/t.md"));
    assert_eq!(world.look("tickets/nothing.md"), Err(Errno::NOENT));
    world.fs.missing_lasts(tickets, OsStr::new("nothing.md"));
    let room: usize =
        std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    // Two files by turns: what is said twice in a row is queued once.
    // Each write is told of at least once.
    for n in 0..=room {
        std::fs::write(world.disk(if n % 2 == 0 { "tickets/u.md" } else { "tickets/v.md" }), "x").unwrap();
    }
    std::fs::write(world.disk("tickets/t.md"), "nobody was told").unwrap();
    std::fs::write(world.disk("tickets/nothing.md"), "nor of this").unwrap();
    let changes = world.fs.changes();
    assert!(world.fs.unsettled(&changes).is_superset(&HashSet::from([Ino::ROOT, tickets])));
    let stale = world.fs.stale(&changes);
    assert!(stale.contains(&Stale::Content(t)), "{stale:?}");
    assert!(stale.contains(&Stale::Name { parent: tickets, name: "nothing.md".into() }), "{stale:?}");
}

#[test]
fn an_answer_is_believed_for_long_only_where_every_change_is_seen() {
    let world = World::with("tickets/t.md", GOOD);
    let t = world.look("tickets/t.md").unwrap();
    assert_eq!((t.name_lasts, t.lasts), (Lasts::UntilAnnounced, Lasts::UntilAnnounced));
    let tickets = world.look("tickets").unwrap();
    assert_eq!((tickets.name_lasts, tickets.lasts), (Lasts::UntilAnnounced, Lasts::UntilAnnounced));
    std::fs::hard_link(world.disk("tickets/t.md"), world.disk("tickets/u.md")).unwrap();
    assert_eq!(
        world.look("tickets/t.md").unwrap().lasts,
        Lasts::Moment,
        "it may be changed by a name that is not watched"
    );
    assert_eq!(world.fs.missing_lasts(tickets.ino, OsStr::new("n.md")), Lasts::UntilAnnounced);
    let views = world.look("views").unwrap();
    assert_eq!((views.name_lasts, views.lasts), (Lasts::UntilAnnounced, Lasts::UntilAnnounced));
    *world.host.catalog.write() = catalog(&[("tickets/t.md", "assignee: bob")]);
    let lasts = |path| world.look(path).map(|attr| (attr.name_lasts, attr.lasts)).unwrap();
    assert_eq!(lasts("views/assignee/bob"), (Lasts::Moment, Lasts::UntilAnnounced));
    assert_eq!(
        lasts("views/assignee/bob/t.md"),
        (Lasts::Not, Lasts::UntilAnnounced),
        "it may be elsewhere the next time"
    );
    let open = |path| world.fs.opendir(world.ino(path)).unwrap().1;
    assert!(open("tickets") && !open("views"), "the listing of a watched folder is kept");
}

#[test]
fn nobody_opens_a_file_as_it_was_before_a_foreign_change() {
    let world = World::with("tickets/t.md", GOOD);
    let ino = world.ino("tickets/t.md");
    let open = || world.fs.open(&world.me, ino, libc::O_RDONLY).map(|open| open.caching);
    assert_eq!(open(), Ok(Caching::Keep));
    std::fs::write(world.disk("tickets/t.md"), "edited underneath").unwrap();
    assert_eq!(open(), Err(Errno::STALE), "the kernel looks again and retries");
    world.ino("tickets/t.md");
    assert_eq!(open(), Ok(Caching::Keep));
    std::fs::write(world.disk("tickets/t.md"), "and again").unwrap();
    assert_eq!(open(), Err(Errno::STALE));
    assert_eq!(open(), Ok(Caching::Fresh), "a caller that does not look again gets it too, with fresh pages");
}

#[test]
fn an_open_is_sent_back_once_however_often_the_file_changes_and_whoever_opens_it_too() {
    let world = World::with("tickets/t.md", GOOD);
    let ino = world.ino("tickets/t.md");
    let other = Caller { pid: world.me.pid + 1, ..world.me };
    let open = |caller: &Caller| world.fs.open(caller, ino, libc::O_RDONLY).map(drop);
    let change = |text: &str| std::fs::write(world.disk("tickets/t.md"), text).unwrap();
    change("one");
    assert_eq!((open(&world.me), open(&other)), (Err(Errno::STALE), Err(Errno::STALE)));
    change("and two");
    assert_eq!((open(&other), open(&world.me)), (Ok(()), Ok(())), "a program would be told the second ESTALE");
}

#[test]
fn an_inode_number_is_not_reused_while_the_kernel_knows_it() {
    let world = World::with("tickets/a.md", GOOD);
    let a = world.ino("tickets/a.md");
    world.unlink("tickets/a.md").unwrap();
    for n in 0..50 {
        let path = format!("tickets/{n}.md");
        std::fs::write(world.disk(&path), "").unwrap();
        assert_ne!(world.ino(&path), a);
    }
}

// What is in the mount only.

/// Tickets with these fields.
fn catalog(tickets: &[(&str, &str)]) -> Catalog {
    let schema = Schema::default();
    let mut catalog = Catalog::new(Arc::new(schema.clone()));
    catalog.set_me(&["ada".to_owned()]);
    for (path, fields) in tickets {
        let path = WsPath::new(*path).unwrap();
        let text = format!("---\ntitle: T\n{fields}\n---\n");
        let file = snapshot::read(&path, Kind::Ticket, text.as_bytes(), false, &schema, None);
        catalog.put(&path, Some(&file), Times::default());
    }
    catalog
}

#[test]
fn views_follow_the_catalog() {
    let world = World::with("tickets/t.md", GOOD);
    *world.host.catalog.write() = catalog(&[("tickets/t.md", "status: todo")]);
    assert_eq!(world.names(""), ["status", "tickets", "views"]);
    assert_eq!(world.names("views/status"), ["backlog", "canceled", "done", "in-progress", "in-review", "todo"]);
    let link = world.look("views/status/todo/t.md").unwrap();
    assert_eq!((link.kind, link.size), (FileKind::Symlink, 21));
    assert_eq!(world.fs.readlink(link.ino).unwrap(), b"../../../tickets/t.md");
    *world.host.catalog.write() = catalog(&[("tickets/t.md", "status: done")]);
    assert_eq!(world.look("views/status/todo/t.md"), Err(Errno::NOENT));
    assert_eq!(world.names("views/status/done"), ["t.md"]);
}

#[test]
fn ten_thousand_links_are_looked_up_without_scanning() {
    let world = World::new();
    let paths: Vec<String> = (0..10_000).map(|n| format!("tickets/{n:05}.md")).collect();
    let tickets: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "status: todo")).collect();
    *world.host.catalog.write() = catalog(&tickets);
    let todo = world.ino("views/status/todo");
    let since = std::time::Instant::now();
    for path in &paths {
        world.fs.lookup(todo, OsStr::new(&path["tickets/".len()..])).unwrap();
    }
    // A scan per lookup would be 50 million comparisons.
    assert!(since.elapsed().as_secs() < 5, "{:?}", since.elapsed());
}

#[test]
fn virtual_names_cannot_be_changed() {
    let world = World::with("tickets/t.md", GOOD);
    *world.host.catalog.write() = catalog(&[("tickets/t.md", "status: todo")]);
    let root = Ino::ROOT;
    let (views, problems) = (OsStr::new("views"), world.ino("status/problems.md"));
    assert_eq!(world.fs.mkdir(&world.me, root, views, 0o755).map(drop), Err(Errno::EXIST));
    assert_eq!(world.fs.rmdir(&world.me, root, views), Err(Errno::ROFS));
    assert_eq!(world.fs.rename(&world.me, (root, views), (root, OsStr::new("v")), 0), Err(Errno::ROFS));
    assert_eq!(world.rename("tickets", "views"), Err(Errno::EXIST));
    assert_eq!(world.unlink("status/problems.md"), Err(Errno::ROFS), "`rm -f` says nothing of ENOENT");
    assert_eq!(world.fs.open(&world.me, problems, libc::O_WRONLY).map(drop), Err(Errno::ROFS));
    assert_eq!(world.fs.setattr(&world.me, problems, None, &SetAttr::default()).map(drop), Err(Errno::ROFS));
    let create = world.fs.create(&world.me, world.ino("status"), OsStr::new("x"), 0o644, libc::O_WRONLY);
    assert_eq!(create.map(drop), Err(Errno::ROFS));
}

/// What the host was asked to change, and how the filesystem answered.
fn edits(world: &World, work: impl FnOnce(&Fs) -> Result<(), Errno>) -> (Result<(), Errno>, Vec<String>) {
    let answer = work(&world.fs);
    let prefix = format!("{}: ", world.me.pid);
    let edits = std::mem::take(&mut *world.host.edits.lock());
    (answer, edits.iter().map(|edit| edit.strip_prefix(&prefix).unwrap().to_owned()).collect())
}

#[test]
fn what_is_done_to_a_link_becomes_one_change_of_its_ticket() {
    let world = World::new();
    *world.host.catalog.write() = catalog(&[
        ("tickets/a.md", "status: todo\npriority: high\nlabels: [bug, web]"),
        ("tickets/b.md", "status: in-progress\nassignee: bob"),
    ]);
    let at = |path: &str| {
        let (folder, name) = path.rsplit_once('/').unwrap();
        (world.ino(folder), std::ffi::OsString::from(name))
    };
    let mv = |from: &str, to: &str| {
        let ((from, old), (to, new)) = (at(from), at(to));
        edits(&world, |fs| fs.rename(&world.me, (from, &old), (to, &new), 0))
    };
    let ln = |target: &str, to: &str| {
        let (to, name) = at(to);
        edits(&world, |fs| fs.symlink(&world.me, to, &name, std::path::Path::new(target)).map(drop))
    };
    let rm = |path: &str| {
        let (folder, name) = at(path);
        edits(&world, |fs| fs.unlink(&world.me, folder, &name))
    };
    let done = |edit: &str| (Ok(()), vec![edit.to_owned()]);
    let refused = |errno| (Err(errno), Vec::new());
    for (from, to, expected) in [
        ("status/todo/a.md", "status/done/a.md", done(r#"tickets/a.md status "todo" "done""#)),
        ("ready/a.md", "assignee/ada/a.md", done(r#"tickets/a.md assignee "" "ada""#)),
        ("assignee/bob/b.md", "assignee/none/b.md", done(r#"tickets/b.md assignee "bob" """#)),
        ("priority/high/a.md", "priority/low/a.md", done(r#"tickets/a.md priority "high" "low""#)),
        ("ready/a.md", "status/in-progress/a.md", done(r#"tickets/a.md status "todo" "in-progress""#)),
        ("ready/b.md", "assignee/ada/b.md", refused(Errno::NOENT)),
        ("ready/a.md", "priority/low/a.md", refused(Errno::PERM)),
        ("status/todo/a.md", "assignee/ada/a.md", refused(Errno::PERM)),
        ("status/todo/a.md", "status/done/c.md", refused(Errno::PERM)),
        ("status/todo/a.md", "ready/a.md", refused(Errno::PERM)),
        ("label/bug/a.md", "label/web/a.md", refused(Errno::EXIST)),
        ("label/bug", "label/buggy", refused(Errno::PERM)),
        ("recent/a.md", "status/done/a.md", refused(Errno::PERM)),
    ] {
        assert_eq!(mv(&format!("views/{from}"), &format!("views/{to}")), expected, "{from} {to}");
    }
    let in_bug = "views/label/bug/b.md";
    // This host changes nothing, so that the link that was made is looked for in vain.
    let made = |edit: &str| (Err(Errno::NOENT), vec![edit.to_owned()]);
    for (target, to, expected) in [
        ("../../../tickets/b.md", in_bug, made(r#"tickets/b.md labels "" "bug""#)),
        ("/somewhere/else/tickets/b.md", in_bug, made(r#"tickets/b.md labels "" "bug""#)),
        ("../../status/in-progress/b.md", in_bug, refused(Errno::INVAL)),
        ("/mnt/views/status/in-progress/b.md", in_bug, made(r#"tickets/b.md labels "" "bug""#)),
        ("../../../tickets/gone.md", in_bug, refused(Errno::INVAL)),
        ("../../../tickets/b.md", "views/label/bug/other.md", refused(Errno::PERM)),
        ("../../../tickets/a.md", "views/label/bug/a.md", refused(Errno::EXIST)),
        ("../../../tickets/b.md", "views/tree/b.md", refused(Errno::PERM)),
        ("../../../tickets/b.md", "views/status/done/b.md", made(r#"tickets/b.md status "in-progress" "done""#)),
    ] {
        assert_eq!(ln(target, to), expected, "{target} {to}");
    }
    assert_eq!(rm("views/label/bug/a.md"), done(r#"tickets/a.md labels "bug" """#));
    assert_eq!(rm("views/label/bug/b.md"), refused(Errno::NOENT));
    assert_eq!(rm("views/status/todo/a.md"), refused(Errno::PERM));
    let page = String::from_utf8(world.content(world.ino("status/refused.md"))).unwrap();
    assert!(
        page.contains("`mv 'views/ready/a.md' 'views/priority/low/a.md'`\n  ") && !page.contains("views/ready/b.md"),
        "{page}"
    );
}

#[test]
fn folders_are_made_for_values_and_queries_and_go_again() {
    let world = World::new();
    *world.host.catalog.write() = catalog(&[("tickets/a.md", "status: todo\nlabels: [bug]")]);
    let mkdir =
        |folder: &str, name: &str| world.fs.mkdir(&world.me, world.ino(folder), OsStr::new(name), 0o755).map(drop);
    let rmdir = |folder: &str, name: &str| world.fs.rmdir(&world.me, world.ino(folder), OsStr::new(name));
    assert_eq!(mkdir("views/label", "new one"), Ok(()));
    assert_eq!(world.names("views/label"), ["bug", "new one"]);
    assert_eq!((mkdir("views/label", "bug"), mkdir("views/label", "a\u{1b}b")), (Err(Errno::EXIST), Err(Errno::INVAL)));
    assert_eq!(rmdir("views/label", "bug"), Err(Errno(libc::ENOTEMPTY)));
    assert_eq!((rmdir("views/label", "new one"), rmdir("views/label", "new one")), (Ok(()), Err(Errno::NOENT)));
    assert_eq!((mkdir("views/status", "later"), rmdir("views/status", "done")), (Err(Errno::INVAL), Err(Errno::PERM)));
    assert_eq!((mkdir("views/tag", "x"), mkdir("views/ready", "x")), (Err(Errno::PERM), Err(Errno::PERM)));
    assert_eq!((mkdir("views", "mine-too"), mkdir("views", "?status:tdoo")), (Err(Errno::PERM), Err(Errno::INVAL)));
    assert_eq!(mkdir("views", "?status:todo label:bug"), Ok(()));
    assert_eq!(world.names("views/?status:todo label:bug"), ["a.md"]);
    assert!(world.names("views").contains(&"?status:todo label:bug".to_owned()));
    let page = String::from_utf8(world.content(world.ino("status/refused.md"))).unwrap();
    assert!(page.contains("column 8: no status is called `tdoo` (did you mean `todo`?)"), "{page}");
    assert_eq!(rmdir("views", "?status:todo label:bug"), Ok(()));
    assert_eq!(world.look("views/?status:todo label:bug"), Err(Errno::NOENT));
    assert_eq!(world.names("views/assignee"), ["ada", "me", "none"]);
    let me = world.look("views/assignee/me").unwrap();
    assert_eq!(world.fs.readlink(me.ino).unwrap(), b"ada");
}

#[test]
fn a_generated_file_has_its_true_size_and_a_time_that_moves_with_its_content() {
    let world = World::new();
    *world.host.problems.lock() = b"# No problems\n".to_vec();
    let first = world.look("status/problems.md").unwrap();
    assert_eq!((first.size, first.perm), (14, 0o444));
    assert_eq!(world.look("status/problems.md").unwrap().mtime, first.mtime);
    *world.host.problems.lock() = b"# One\n".to_vec();
    let second = world.look("status/problems.md").unwrap();
    assert!(second.mtime > first.mtime && second.size == 6);
    assert_eq!(world.content(second.ino), b"# One\n");
    assert_eq!(world.fs.open(&world.me, second.ino, libc::O_RDONLY).unwrap().caching, Caching::Direct);
}

#[test]
fn a_real_entry_wins_over_a_virtual_one_of_its_name() {
    let world = World::new();
    assert_eq!(world.fs.shadowed(), [""; 0]);
    std::fs::create_dir(world.disk("views")).unwrap();
    std::fs::write(world.disk("views/own.txt"), "mine").unwrap();
    assert_eq!(world.fs.shadowed(), ["views"]);
    assert_eq!(world.names("views"), ["own.txt"]);
    assert_eq!(world.names(""), ["status", "tickets", "views"]);
}

#[test]
fn the_git_file_is_like_any_other() {
    let world = World::with(".git", b"gitdir: /elsewhere\n");
    assert_eq!(world.content(world.ino(".git")), b"gitdir: /elsewhere\n");
}
