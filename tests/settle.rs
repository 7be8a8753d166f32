//! Settling judges outcomes: what editors really do on a save, replayed as operations on real files.

use proptest::prelude::*;
use std::{collections::BTreeSet, fs, os::unix::fs::symlink, path::PathBuf, sync::Arc};
use trackfs::{
    domain::{
        Clock, Timestamp,
        event::Change,
        layout::Kind,
        op::{Actor, Op, OpKind},
        path::WsPath,
    },
    workspace::{
        config::SettleConfig,
        root::Root,
        settle::{EXTERNAL, Settler},
        store::Store,
    },
};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }
}

/// A workspace in which every call does what a system call through the mount would: change the file, record the operation.
struct Desk {
    dir: tempfile::TempDir,
    state: tempfile::TempDir,
    store: Arc<Store>,
    settler: Settler,
}

impl Desk {
    fn new() -> Self {
        let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (store, settler) = open(&dir, &state);
        Self { dir, state, store, settler }
    }

    fn real(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn op(&self, name: &str, kind: OpKind) {
        self.settler.record(Op { at: Noon.now(), actor: Actor::named("editor"), path: path(name), kind });
    }

    fn create(&self, name: &str) {
        fs::create_dir_all(self.real(name).parent().unwrap()).unwrap();
        fs::File::create(self.real(name)).unwrap();
        self.op(name, OpKind::Create);
    }

    fn truncate(&self, name: &str) {
        fs::OpenOptions::new().write(true).open(self.real(name)).unwrap().set_len(0).unwrap();
        self.op(name, OpKind::Truncate { len: 0 });
    }

    fn append(&self, name: &str, text: &str) {
        use std::io::Write;
        let mut file = fs::OpenOptions::new().append(true).open(self.real(name)).unwrap();
        let offset = file.metadata().unwrap().len();
        file.write_all(text.as_bytes()).unwrap();
        self.op(name, OpKind::Write { offset, len: text.len() as u64 });
    }

    fn fsync(&self, name: &str) {
        self.op(name, OpKind::Fsync);
    }

    fn close(&self, name: &str) {
        self.op(name, OpKind::Close);
    }

    fn chmod(&self, name: &str) {
        self.op(name, OpKind::Setattr);
    }

    fn acl(&self, name: &str) {
        self.op(name, OpKind::Setxattr);
    }

    fn rename(&self, from: &str, to: &str) {
        let folder = self.real(to).parent().unwrap().to_owned();
        if fs::create_dir_all(folder).is_ok() && fs::rename(self.real(from), self.real(to)).is_ok() {
            self.op(from, OpKind::Rename { to: path(to), exchange: false });
        }
    }

    fn link(&self, from: &str, to: &str) {
        fs::hard_link(self.real(from), self.real(to)).unwrap();
        self.op(to, OpKind::Link { to: path(from) });
    }

    fn lock(&self, name: &str) {
        symlink("user@host.1", self.real(name)).unwrap();
        self.op(name, OpKind::Symlink);
    }

    fn unlink(&self, name: &str) {
        if fs::remove_file(self.real(name)).is_ok() {
            self.op(name, OpKind::Unlink);
        }
    }

    /// New file, text, close.
    fn write_new(&self, name: &str, text: &str) {
        self.create(name);
        self.append(name, text);
        self.close(name);
    }

    /// O_TRUNC, text, close.
    fn rewrite(&self, name: &str, text: &str) {
        self.truncate(name);
        self.append(name, text);
        self.close(name);
    }

    fn settle(&self) -> Vec<Change> {
        self.settler.settle_now().unwrap().into_iter().map(|event| event.change).collect()
    }
}

fn open(dir: &tempfile::TempDir, state: &tempfile::TempDir) -> (Arc<Store>, Settler) {
    let root = Arc::new(Root::open(dir.path()).unwrap());
    let store = Arc::new(Store::open(state.path()).unwrap());
    let settler = Settler::new(root, store.clone(), Arc::new(Noon), SettleConfig::default());
    (store, settler)
}

/// Path and content of all that is known.
fn indexed(store: &Store) -> BTreeSet<(WsPath, String)> {
    store.snapshots().unwrap().into_iter().map(|(path, snapshot)| (path, snapshot.content.0)).collect()
}

fn path(text: &str) -> WsPath {
    WsPath::new(text).unwrap()
}

fn ticket(title: &str) -> String {
    format!("---\ntitle: {title}\nstatus: todo\n---\nBody.\n")
}

const F: &str = "tickets/t.md";

/// A save of a text over F by one program.
type Save = fn(&Desk, &str);

const EDITORS: &[(&str, Save)] = &[
    ("vim", |desk, text| {
        for swap in ["tickets/.t.md.swp", "tickets/.t.md.swx"] {
            desk.create(swap);
        }
        desk.unlink("tickets/.t.md.swx");
        desk.create("tickets/4913");
        desk.chmod("tickets/4913");
        desk.unlink("tickets/4913");
        desk.rename(F, "tickets/t.md~");
        desk.fsync("tickets/.t.md.swp");
        desk.create(F);
        desk.append(F, text);
        desk.fsync(F);
        desk.chmod(F);
        desk.close(F);
        desk.acl(F);
        desk.unlink("tickets/t.md~");
        desk.unlink("tickets/.t.md.swp");
    }),
    ("vim that was refused the rename", |desk, text| {
        desk.write_new("tickets/t.md~", "the old text");
        desk.unlink(F);
        desk.write_new(F, text);
        desk.unlink("tickets/t.md~");
    }),
    ("vim with backupcopy=yes", |desk, text| {
        desk.write_new("tickets/t.md~", "the old text");
        desk.truncate(F);
        desk.append(F, text);
        desk.fsync(F);
        desk.close(F);
        desk.unlink("tickets/t.md~");
    }),
    ("neovim", |desk, text| {
        desk.create("tickets/4913");
        desk.unlink("tickets/4913");
        desk.rename(F, "tickets/t.md~");
        desk.write_new(F, text);
        desk.chmod(F);
        desk.unlink("tickets/t.md~");
    }),
    ("emacs", |desk, text| {
        desk.lock("tickets/.#t.md");
        desk.rename(F, "tickets/t.md~");
        desk.create(F);
        desk.append(F, text);
        desk.fsync(F);
        desk.close(F);
        desk.close(F);
        desk.unlink("tickets/.#t.md");
        desk.chmod(F);
        desk.acl(F);
        desk.write_new("tickets/#t.md#", text);
        desk.unlink("tickets/#t.md#");
    }),
    ("nano", |desk, text| {
        desk.write_new("tickets/.t.md.swp", "lock");
        desk.truncate(F);
        desk.append(F, text);
        desk.fsync(F);
        desk.close(F);
        desk.unlink("tickets/.t.md.swp");
    }),
    ("micro, which opens and closes first", |desk, text| {
        desk.close(F);
        desk.rewrite(F, text);
    }),
    ("kakoune with writemethod=replace", |desk, text| {
        desk.write_new("tickets/.t.md.kak.Ab3dEf", text);
        desk.rename("tickets/.t.md.kak.Ab3dEf", F);
        desk.chmod(F);
    }),
    ("helix", |desk, text| {
        desk.rename(F, "tickets/t.mdAb3dEf.bck");
        desk.create(F);
        desk.append(F, text);
        desk.fsync(F);
        desk.close(F);
        desk.unlink("tickets/t.mdAb3dEf.bck");
    }),
    ("VS Code", |desk, text| desk.rewrite(F, text)),
    ("JetBrains", |desk, text| {
        desk.create("tickets/t.md___jb_tmp___");
        desk.append("tickets/t.md___jb_tmp___", text);
        desk.fsync("tickets/t.md___jb_tmp___");
        desk.close("tickets/t.md___jb_tmp___");
        desk.rename(F, "tickets/t.md___jb_old___");
        desk.rename("tickets/t.md___jb_tmp___", F);
        desk.unlink("tickets/t.md___jb_old___");
    }),
    ("Kate", |desk, text| {
        // O_TMPFILE: nothing is seen until the link.
        fs::write(desk.real("unseen"), text).unwrap();
        desk.link("unseen", "tickets/t.md.Ab3dEf");
        fs::remove_file(desk.real("unseen")).unwrap();
        desk.rename("tickets/t.md.Ab3dEf", F);
    }),
    ("gedit", |desk, text| {
        desk.write_new("tickets/.goutputstream-AB12CD", text);
        desk.rename("tickets/.goutputstream-AB12CD", F);
    }),
    ("sed -i", |desk, text| {
        desk.create("tickets/sedAb3dEf");
        desk.acl("tickets/sedAb3dEf");
        desk.append("tickets/sedAb3dEf", text);
        desk.close("tickets/sedAb3dEf");
        desk.rename("tickets/sedAb3dEf", F);
    }),
    ("perl -i, whose temporary name cannot be told from a word", |desk, text| {
        desk.write_new("tickets/XmUtZqAb", text);
        desk.rename("tickets/XmUtZqAb", F);
    }),
    ("git checkout", |desk, text| {
        desk.unlink(F);
        desk.write_new(F, text);
    }),
    ("bash, which flushes before it writes", |desk, text| {
        desk.truncate(F);
        desk.close(F);
        for line in text.split_inclusive('\n') {
            desk.append(F, line);
        }
        desk.close(F);
    }),
    ("mv from another filesystem", |desk, text| {
        desk.unlink(F);
        desk.create(F);
        desk.append(F, text);
        desk.acl(F);
        desk.close(F);
    }),
];

#[test]
fn every_editors_save_is_exactly_one_event() {
    for (editor, save) in EDITORS {
        let desk = Desk::new();
        desk.write_new(F, &ticket("Old"));
        desk.settle();
        save(&desk, &ticket("New"));
        let (from, to) = ("Old".into(), "New".into());
        assert_eq!(
            desk.settle(),
            [Change::FieldChanged { path: path(F), field: "title".into(), from, to }],
            "{editor}"
        );
        assert_eq!(desk.store.snapshots().unwrap().len(), 1, "{editor}: its scratch files are not known");
        save(&desk, &ticket("New"));
        assert_eq!(desk.settle(), [], "{editor}: a save that changes nothing");
    }
}

#[test]
fn every_editors_first_save_creates_one_ticket() {
    for (editor, save) in EDITORS {
        let desk = Desk::new();
        // To an editor a new file is an empty one.
        desk.create(F);
        save(&desk, &ticket("New"));
        assert_eq!(desk.settle(), [Change::TicketCreated { path: path(F), title: "New".into() }], "{editor}");
    }
}

#[test]
fn an_open_for_writing_and_a_probe_are_no_events() {
    let desk = Desk::new();
    desk.write_new(F, &ticket("Old"));
    desk.settle();
    desk.close(F);
    desk.create("tickets/4913");
    desk.unlink("tickets/4913");
    assert_eq!(desk.settle(), []);
    assert_eq!(desk.store.uncommitted().unwrap(), [path(F)]);
}

#[test]
fn operations_are_journalled_in_the_order_they_were_made() {
    let desk = Desk::new();
    desk.write_new(F, "x");
    desk.settler.durable().unwrap();
    let kinds: Vec<OpKind> = desk.store.ops(0, 10).unwrap().into_iter().map(|(_, op)| op.kind).collect();
    assert_eq!(kinds, [OpKind::Create, OpKind::Write { offset: 0, len: 1 }, OpKind::Close]);
}

/// Few names, so that they collide.
const NAMES: [&str; 9] = [
    "tickets/a.md",
    "tickets/b.md",
    "tickets/b.md~",
    "tickets/d/a.md",
    "tickets/e/a.md",
    "tickets/a/note.txt",
    "specs/a.md",
    "inbox/a",
    "README.md",
];
const FOLDERS: [&str; 4] = ["tickets/d", "tickets/e", "tickets/a", "tickets"];

#[derive(Clone, Debug)]
enum Step {
    Save(usize, u8),
    /// Changed behind the mount: the watcher tells that something happened, not what.
    Foreign(usize, u8),
    /// Changed while nobody watched.
    Unseen(usize, u8),
    Rename(usize, usize),
    RenameFolder(usize, usize),
    Unlink(usize),
    Editor(usize, u8),
    Settle,
    /// The daemon is killed and starts again, perhaps without its index.
    Restart {
        index_lost: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (name, folder, text) = (0..NAMES.len(), 0..FOLDERS.len(), 0..3_u8);
    prop_oneof![
        4 => (name.clone(), text.clone()).prop_map(|(name, text)| Step::Save(name, text)),
        1 => (name.clone(), text.clone()).prop_map(|(name, text)| Step::Foreign(name, text)),
        1 => (name.clone(), text.clone()).prop_map(|(name, text)| Step::Unseen(name, text)),
        3 => (name.clone(), name.clone()).prop_map(|(from, to)| Step::Rename(from, to)),
        2 => (folder.clone(), folder).prop_map(|(from, to)| Step::RenameFolder(from, to)),
        2 => name.prop_map(Step::Unlink),
        2 => (0..EDITORS.len(), text).prop_map(|(editor, text)| Step::Editor(editor, text)),
        3 => Just(Step::Settle),
        1 => any::<bool>().prop_map(|index_lost| Step::Restart { index_lost }),
    ]
}

impl Desk {
    fn take(self, step: &Step) -> Self {
        let title = |text: &u8| ticket(&format!("T{text}"));
        match step {
            Step::Save(name, text) => self.put(NAMES[*name], &title(text), |desk, name| {
                desk.op(name, OpKind::Write { offset: 0, len: 1 });
                desk.close(name);
            }),
            Step::Foreign(name, text) => self.put(NAMES[*name], &title(text), |desk, name| {
                desk.settler.touch(&path(name), &Actor::named(EXTERNAL));
            }),
            Step::Unseen(name, text) => self.put(NAMES[*name], &title(text), |_, _| ()),
            Step::Rename(from, to) => self.rename(NAMES[*from], NAMES[*to]),
            Step::RenameFolder(from, to) => self.rename(FOLDERS[*from], FOLDERS[*to]),
            Step::Unlink(name) => self.unlink(NAMES[*name]),
            Step::Editor(editor, text) => self.put(F, &title(text), |desk, name| {
                desk.op(name, OpKind::Create);
                EDITORS[*editor].1(desk, &title(&(text + 1)));
            }),
            Step::Settle => drop(self.settle()),
            Step::Restart { index_lost } => return self.restart(*index_lost),
        }
        self
    }

    /// Writes a file and tells of it, if nothing else stands in its way.
    fn put(&self, name: &str, text: &str, tell: impl FnOnce(&Self, &str)) {
        let folder = self.real(name).parent().unwrap().to_owned();
        if fs::create_dir_all(folder).is_ok() && fs::write(self.real(name), text).is_ok() {
            tell(self, name);
        }
    }

    fn restart(self, index_lost: bool) -> Self {
        let Self { dir, state, store, settler } = self;
        drop((store, settler));
        if index_lost {
            fs::remove_file(state.path().join("index.db")).unwrap();
        }
        let (store, settler) = open(&dir, &state);
        settler.scan().unwrap();
        Self { dir, state, store, settler }
    }

    /// Tickets according to the events alone.
    fn told(&self) -> BTreeSet<WsPath> {
        let mut told = BTreeSet::new();
        for event in self.store.events(0, 100_000).unwrap() {
            match event.change {
                Change::TicketCreated { path, .. } => assert!(told.insert(path.clone()), "{path} was created twice"),
                Change::TicketRemoved { path, .. } => assert!(told.remove(&path), "{path} was removed twice"),
                Change::TicketMoved { path, from } => {
                    assert!(told.remove(&from), "{from} moved from nowhere");
                    assert!(told.insert(path.clone()), "{path} was moved onto");
                }
                _ => {}
            }
        }
        told
    }

    fn tickets(&self) -> BTreeSet<WsPath> {
        let snapshots = self.store.snapshots().unwrap().into_iter();
        snapshots.filter(|(_, snapshot)| snapshot.kind == Kind::Ticket).map(|(path, _)| path).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happened, in whatever order it was seen: the index is what a fresh scan of the directory says, and the
    /// events, replayed, lead to the same tickets.
    #[test]
    fn the_index_equals_a_fresh_scan_and_the_replayed_events(steps in prop::collection::vec(step(), 1..40)) {
        let mut desk = Desk::new();
        for step in &steps {
            desk = desk.take(step);
        }
        desk.settler.scan().unwrap();
        desk.settle();
        let fresh_state = tempfile::tempdir().unwrap();
        let (store, settler) = open(&desk.dir, &fresh_state);
        settler.scan().unwrap();
        settler.settle_now().unwrap();
        prop_assert_eq!(indexed(&desk.store), indexed(&store));
        prop_assert_eq!(desk.told(), desk.tickets());

        let told = desk.store.events(0, 100_000).unwrap().len();
        let desk = desk.restart(true);
        desk.settle();
        prop_assert_eq!(desk.store.events(0, 100_000).unwrap().len(), told, "a lost index tells nothing twice");
        prop_assert_eq!(indexed(&desk.store), indexed(&store));
    }
}
