//! The filesystem behind a real mount. Every mount is taken away again, whatever the test did to it.
#![cfg(all(feature = "fuse", target_os = "linux"))]

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use std::{
    fs,
    io::{self, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use trackfs::{
    domain::{
        catalog::{Catalog, Times},
        layout::Kind,
        op::Op,
        path::WsPath,
        problem::{Problem, Severity},
        schema::Schema,
        snapshot,
    },
    fs::{CatalogRef, Fs, Host, StatusContent, StatusFile},
    mount::{MountError, MountOptions, Mounted, mount, usable},
    workspace::root::Root,
};

/// Finds `nonsense` in a ticket wrong, has a defect that `kaboom` meets, and shows one file of events.
struct TestHost {
    ops: Mutex<Vec<Op>>,
    catalog: RwLock<Catalog>,
    events: PathBuf,
}

impl Host for TestHost {
    fn record(&self, op: Op) {
        self.ops.lock().push(op);
    }

    fn durable(&self) -> io::Result<()> {
        Ok(())
    }

    fn check(&self, path: &WsPath, bytes: &[u8]) -> Option<Problem> {
        assert!(!bytes.starts_with(b"kaboom"), "a defect");
        let is_bad = path.as_str().starts_with("tickets/") && bytes.windows(8).any(|window| window == b"nonsense");
        is_bad.then(|| Problem {
            path: path.clone(),
            line: 1,
            column: 1,
            severity: Severity::Error,
            code: "nonsense".into(),
            message: "nonsense".into(),
            help: None,
        })
    }

    fn problem(&self, _path: &WsPath) -> Option<String> {
        None
    }

    fn catalog(&self) -> CatalogRef<'_> {
        RwLockReadGuard::map(self.catalog.read(), |catalog| catalog)
    }

    fn status_file(&self, file: StatusFile) -> StatusContent {
        match file {
            StatusFile::Events => StatusContent::Growing(Arc::new(fs::File::open(&self.events).unwrap())),
            _ => StatusContent::Bytes(Arc::from(*b"{}\n")),
        }
    }
}

/// A folder outside /tmp, where editors behave differently, with a workspace and a mount point. Removed in the end.
struct Place {
    dir: PathBuf,
}

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("m{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(dir.join("ws/tickets")).unwrap();
        fs::create_dir_all(dir.join("mnt")).unwrap();
        Self { dir }
    }

    fn ws(&self) -> PathBuf {
        self.dir.join("ws")
    }

    fn mnt(&self) -> PathBuf {
        self.dir.join("mnt")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for dir in [self.mnt(), self.ws()] {
            // Nothing is mounted there any more unless the test failed.
            let _ = Command::new("umount").args(["-l", "-q"]).arg(dir).stderr(Stdio::null()).status();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A mount served by this process. Fields are dropped in order: the mount first.
struct World {
    mounted: Mounted,
    host: Arc<TestHost>,
    root: Arc<Root>,
    at: PathBuf,
    place: Place,
}

impl World {
    /// With so many threads, unless `TRACKFS_MOUNT_THREADS` says how many for all tests.
    fn new(threads: usize) -> Self {
        let asked = std::env::var("TRACKFS_MOUNT_THREADS").ok().and_then(|threads| threads.parse().ok());
        let place = Place::new();
        Self::at(place.mnt(), place, asked.unwrap_or(threads)).unwrap()
    }

    fn at(at: PathBuf, place: Place, threads: usize) -> Result<Self, MountError> {
        Self::mounted(at, place, MountOptions { threads, ..MountOptions::new("") })
    }

    /// With a kernel that opens and closes files without a word.
    fn fast() -> Self {
        let place = Place::new();
        Self::mounted(place.mnt(), place, MountOptions { fast_reads: true, ..MountOptions::new("") }).unwrap()
    }

    fn mounted(at: PathBuf, place: Place, options: MountOptions) -> Result<Self, MountError> {
        let events = place.dir.join("events");
        fs::write(&events, "").unwrap();
        let host = Arc::new(TestHost { ops: Mutex::default(), catalog: RwLock::default(), events });
        let root = Arc::new(Root::open(&place.ws()).unwrap());
        let fs = Fs::new(root.clone(), host.clone()).unwrap();
        let fs = Arc::new(if options.fast_reads { fs.without_opens() } else { fs });
        // This test program answers to no `supervise`.
        let options = MountOptions { mountpoint: at.clone(), supervise: false, ..options };
        let mounted = mount(fs, root.clone(), options)?;
        Ok(Self { mounted, host, root, at, place })
    }

    /// As a watcher does for each change of the real files.
    fn notify(&self, path: &str) {
        self.root.notify_foreign(&WsPath::new(path).unwrap());
    }
}

/// FUSE is there, and this process may mount.
fn can_mount() -> bool {
    let usable = usable();
    if let Err(why) = &usable {
        eprintln!("skipped: {why}");
    }
    usable.is_ok()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(10), "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn sh(script: &str, dir: &Path) -> Output {
    Command::new("timeout").args(["-k", "5", "60", "bash", "-c", script]).current_dir(dir).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_is_written_in_the_mount_is_on_the_disk_with_any_number_of_threads() {
    for threads in [1, 4] {
        if !can_mount() {
            return;
        }
        let world = World::new(threads);
        let script = "mkdir tickets/a && echo one > tickets/a/x.md && echo two >> tickets/a/x.md && mv tickets/a tickets/b \
                      && ln -s b/x.md tickets/link && cat tickets/link && rm -r tickets/b && ls -A tickets";
        assert_eq!(stdout(&sh(script, &world.at)), "one\ntwo\nlink\n");
        let names: Vec<_> =
            fs::read_dir(world.place.ws().join("tickets")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["link"]);
    }
}

#[test]
fn the_mount_may_lie_over_the_workspace_itself() {
    if !can_mount() {
        return;
    }
    let place = Place::new();
    fs::write(place.ws().join("tickets/before.md"), "before").unwrap();
    let world = World::at(place.ws(), place, 1).unwrap();
    assert_eq!(
        stdout(&sh("cat tickets/before.md; ls; echo new > tickets/new.md", &world.at)),
        "beforestatus\ntickets\nviews\n"
    );
    world.mounted.unmount();
    assert_eq!(fs::read_to_string(world.at.join("tickets/new.md")).unwrap(), "new\n");
    assert!(!world.at.join("views").exists());
}

#[test]
fn operations_name_the_program() {
    if !can_mount() {
        return;
    }
    let world = World::new(4);
    stdout(&sh("echo x | tee tickets/t.md", &world.at));
    eventually("close is recorded", || world.host.ops.lock().len() >= 3);
    let ops = world.host.ops.lock();
    let told: Vec<_> =
        ops.iter().map(|op| serde_json::to_value(op).unwrap()["op"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["create", "write", "close"]);
    assert!(ops.iter().all(|op| op.actor.name == "tee" && op.path.as_str() == "tickets/t.md"), "{ops:?}");
}

#[test]
fn a_writer_hears_at_close_and_at_rename_that_its_ticket_is_bad() {
    if !can_mount() {
        return;
    }
    let world = World::new(4);
    let copied = sh("echo nonsense > ../bad; cp ../bad tickets/t.md", &world.at);
    assert!(String::from_utf8_lossy(&copied.stderr).contains("Invalid argument"), "{copied:?}");
    assert_eq!(fs::read_to_string(world.place.ws().join("tickets/t.md")).unwrap(), "nonsense\n", "the bytes are kept");
    let moved = sh("echo nonsense > scratch; echo fine > tickets/u.md; mv scratch tickets/u.md", &world.at);
    assert!(!moved.status.success(), "{moved:?}");
    assert_eq!(stdout(&sh("cat tickets/u.md scratch", &world.at)), "fine\nnonsense\n");
}

#[test]
fn a_defect_costs_the_request_that_met_it_an_error_and_nobody_else_anything() {
    if !can_mount() {
        return;
    }
    let world = World::new(2);
    let errno = |answer: std::io::Result<()>| answer.unwrap_err().raw_os_error();
    for round in 0..10 {
        let mut file = fs::File::create(world.at.join("tickets/t.md")).unwrap();
        std::io::Write::write_all(&mut file, b"kaboom").unwrap();
        assert_eq!(errno(file.sync_all()), Some(libc::EIO), "round {round}");
        drop(file);
        fs::write(world.at.join("scratch"), "kaboom").unwrap();
        assert_eq!(errno(fs::rename(world.at.join("scratch"), world.at.join("tickets/u.md"))), Some(libc::EIO));
        // The rename held a pass when it failed: the gate must not have stayed shut or open.
        let (path, text) = (WsPath::new("specs/s.md").unwrap(), format!("{round}"));
        let was = fs::read(world.at.join("specs/s.md")).ok();
        world.root.replace(&path, was.as_deref(), text.as_bytes()).unwrap();
        eventually("the new text", || fs::read_to_string(world.at.join("specs/s.md")).is_ok_and(|now| now == text));
    }
    assert_eq!(
        stdout(&sh("cat tickets/t.md scratch; echo fine > tickets/v.md; cat tickets/v.md", &world.at)),
        "kaboomkaboomfine\n"
    );
}

#[test]
fn foreign_changes_are_seen_at_once() {
    if !can_mount() {
        return;
    }
    let world = World::new(4);
    let (inside, real) = (world.at.join("tickets/t.md"), world.place.ws().join("tickets/t.md"));
    assert!(!inside.exists(), "the kernel now remembers that there is no such file");
    fs::write(&real, "one").unwrap();
    world.notify("tickets/t.md");
    eventually("the new file appears", || inside.exists());
    let mut held = fs::File::open(&inside).unwrap();
    assert_eq!(io::read_to_string(&mut held).unwrap(), "one");

    fs::write(&real, "two and longer").unwrap();
    world.notify("tickets/t.md");
    eventually("the size follows", || fs::metadata(&inside).unwrap().len() == 14);
    assert_eq!(fs::read_to_string(&inside).unwrap(), "two and longer");
    use std::os::unix::fs::FileExt;
    let mut bytes = [0; 14];
    held.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"two and longer", "an open file follows too");

    fs::write(real.with_file_name("u.md"), "three").unwrap();
    fs::rename(real.with_file_name("u.md"), &real).unwrap();
    world.notify("tickets/t.md");
    eventually("the replacement appears", || fs::read_to_string(&inside).unwrap() == "three");

    fs::remove_file(&real).unwrap();
    world.notify("tickets/t.md");
    eventually("the file disappears", || !inside.exists());
}

/// The kernel was told to believe for an hour what it knows, so whatever is seen in these tests was announced.
#[test]
fn names_that_others_make_move_and_remove_are_seen_and_listed() {
    if !can_mount() {
        return;
    }
    let world = World::new(4);
    let (inside, real) = (world.at.join("tickets"), world.place.ws().join("tickets"));
    let names = || {
        let mut names: Vec<_> = fs::read_dir(&inside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let changed = || fs::metadata(&inside).unwrap().modified().unwrap();
    assert!(!inside.join("a.md").exists() && names().is_empty());
    let before = changed();
    fs::write(real.join("a.md"), "a").unwrap();
    eventually("a missing name appears", || inside.join("a.md").exists());
    eventually("it is listed", || names() == ["a.md"]);
    eventually("the folder's time moves", || changed() != before);
    fs::rename(real.join("a.md"), real.join("b.md")).unwrap();
    eventually("the old name goes", || !inside.join("a.md").exists());
    eventually("the new one comes", || fs::read_to_string(inside.join("b.md")).is_ok_and(|text| text == "a"));
    eventually("the listing follows", || names() == ["b.md"]);
    fs::create_dir(real.join("sub")).unwrap();
    eventually("a folder appears", || inside.join("sub").is_dir());
    fs::write(real.join("sub/c.md"), "c").unwrap();
    eventually("and what is in it", || inside.join("sub/c.md").exists());
    fs::rename(real.join("sub"), real.join("moved")).unwrap();
    eventually("the folder moves", || !inside.join("sub").exists() && inside.join("moved/c.md").exists());
    fs::remove_dir_all(real.join("moved")).unwrap();
    eventually("the folder goes", || !inside.join("moved").exists() && names() == ["b.md"]);
}

#[test]
fn what_stat_says_of_a_file_follows_others() {
    if !can_mount() {
        return;
    }
    let world = World::new(4);
    let (inside, real) = (world.at.join("tickets/t.md"), world.place.ws().join("tickets/t.md"));
    fs::write(&real, "text").unwrap();
    let stat = || fs::metadata(&inside).unwrap();
    eventually("the file appears", || inside.exists());
    assert_eq!((stat().len(), stat().nlink()), (4, 1));
    fs::write(&real, "longer text").unwrap();
    eventually("its size", || stat().len() == 11);
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    eventually("its mode", || stat().mode() & 0o777 == 0o640);
    fs::hard_link(&real, real.with_file_name("u.md")).unwrap();
    eventually("its links", || stat().nlink() == 2);
    fs::write(real.with_file_name("u.md"), "by another name").unwrap();
    eventually("what another name wrote", || stat().len() == 15);
    fs::remove_file(real.with_file_name("u.md")).unwrap();
    eventually("that the other name went", || stat().nlink() == 1);
    let held = fs::File::open(&inside).unwrap();
    fs::write(real.with_file_name("new"), "new").unwrap();
    fs::rename(real.with_file_name("new"), &real).unwrap();
    eventually("the replacement", || stat().len() == 3);
    eventually("that the one held open has no name", || held.metadata().unwrap().nlink() == 0);
}

#[test]
fn thousands_of_foreign_changes_while_the_mount_is_read_are_all_seen() {
    if !can_mount() {
        return;
    }
    let world = World::new(4);
    let (inside, real) = (world.at.join("tickets"), world.place.ws().join("tickets"));
    (0..300).for_each(|n| fs::write(real.join(format!("{n}.md")), "0").unwrap());
    let done = std::sync::atomic::AtomicBool::new(false);
    let mtimes = |dir: &Path| -> Vec<_> {
        (0..300)
            .map(|n| fs::metadata(dir.join(format!("{n}.md"))).map(|m| (m.len(), m.modified().unwrap())).ok())
            .collect()
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    fs::read_dir(&inside).unwrap().flatten().for_each(|entry| drop(entry.metadata()));
                    mtimes(&inside);
                }
            });
        }
        for round in 1..30 {
            for n in (0..300).filter(|n| n % 7 == round % 7) {
                let path = real.join(format!("{n}.md"));
                match round % 3 {
                    0 => fs::write(&path, "x".repeat(round)).unwrap(),
                    1 => drop(fs::remove_file(&path)),
                    _ => {
                        fs::write(real.join("t"), "y".repeat(round)).unwrap();
                        fs::rename(real.join("t"), &path).unwrap();
                    }
                }
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    eventually("the mount shows what is there", || mtimes(&inside) == mtimes(&real));
}

#[test]
fn an_open_never_sees_an_old_size_even_if_nobody_announced_the_change() {
    if !can_mount() {
        return;
    }
    let world = World::new(4);
    let (inside, real) = (world.at.join("t.md"), world.place.ws().join("t.md"));
    for n in 0..200 {
        let text = "x".repeat(n * 7 % 50 + n);
        fs::write(&real, &text).unwrap();
        assert_eq!(fs::read_to_string(&inside).unwrap(), text);
    }
}

#[test]
fn views_and_growing_files_are_read_like_any_other() {
    if !can_mount() {
        return;
    }
    let world = World::new(4);
    fs::write(world.place.ws().join("tickets/t.md"), "text").unwrap();
    let ticket = WsPath::new("tickets/t.md").unwrap();
    let text = b"---\ntitle: t\nstatus: todo\n---\n";
    let file = snapshot::read(&ticket, Kind::Ticket, text, false, &Schema::default(), None);
    world.host.catalog.write().put(&ticket, Some(&file), Times::default());
    assert_eq!(
        stdout(&sh("cat views/status/todo/*; stat -c %s status/health.json; cat status/health.json", &world.at)),
        "text3\n{}\n"
    );
    world.host.catalog.write().put(&ticket, None, Times::default());
    assert!(!world.at.join("views/status/todo/t.md").exists());

    let mut events = fs::File::options().append(true).open(&world.host.events).unwrap();
    let mut tail = Command::new("timeout")
        .args(["5", "tail", "-f", "status/events.jsonl"])
        .current_dir(&world.at)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    events.write_all(b"{\"seq\":1}\n").unwrap();
    let mut line = String::new();
    io::BufRead::read_line(&mut io::BufReader::new(tail.stdout.take().unwrap()), &mut line).unwrap();
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert_eq!(line, "{\"seq\":1}\n");
}

#[test]
fn a_live_mount_and_a_place_inside_the_workspace_are_refused() {
    if !can_mount() {
        return;
    }
    let world = World::new(1);
    let again = World::at(world.at.clone(), Place::new(), 1).err().unwrap();
    assert!(matches!(again, MountError::Mounted(_)), "{again}");
    let place = Place::new();
    let inside = World::at(place.ws().join("tickets"), place, 1).err().unwrap();
    assert!(matches!(inside, MountError::InsideWorkspace(_)), "{inside}");
    let place = Place::new();
    let missing = World::at(place.dir.join("nothing"), place, 1).err().unwrap();
    assert!(matches!(missing, MountError::Mountpoint(..)), "{missing}");
}

#[test]
fn unmounting_from_outside_ends_the_mount_and_spares_who_came_after() {
    if !can_mount() || !is_root() {
        return;
    }
    let world = World::new(4);
    assert!(world.mounted.is_alive());
    assert!(Command::new("umount").arg(&world.at).status().unwrap().success());
    world.mounted.wait();
    assert!(!world.mounted.is_alive());
    assert!(Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&world.at).status().unwrap().success());
    fs::write(world.at.join("theirs"), "").unwrap();
    world.mounted.unmount();
    assert!(world.at.join("theirs").exists());
}

#[test]
fn a_busy_mount_is_unmounted_all_the_same() {
    if !can_mount() {
        return;
    }
    let world = World::new(4);
    fs::write(world.at.join("t.md"), "text").unwrap();
    let held = fs::File::open(world.at.join("t.md")).unwrap();
    world.mounted.unmount();
    assert!(!world.at.join("t.md").exists());
    drop(held);
}

#[test]
fn with_fast_reads_files_are_made_written_truncated_and_read_as_ever() {
    if !can_mount() {
        return;
    }
    let world = World::fast();
    let script = r#"
        echo one > tickets/t; echo two >> tickets/t; cat tickets/t
        (umask 377; echo locked > tickets/locked); cat tickets/locked; stat -c %a tickets/locked
        exec 5<> tickets/t; rm tickets/t; echo lost >&5; head -1 /dev/fd/5; exec 5>&-
        echo long text > tickets/u; echo x > tickets/u; cat tickets/u; truncate -s 1 tickets/u; wc -c < tickets/u
        cp tickets/u tickets/v; mv tickets/v tickets/u; cat tickets/u; echo
        python3 - <<'END'
import mmap
with open("tickets/map", "w+b") as f:
    f.truncate(9000)
    m = mmap.mmap(f.fileno(), 9000)
    m[5000:5004] = b"text"
    m.flush()
assert open("tickets/map", "rb").read()[5000:5004] == b"text"
END
        (set -C; ! echo again > tickets/u) 2> /dev/null; cat status/health.json"#;
    let expected = "one
two
locked
400
lost
x
1
x
{}
";
    assert_eq!(stdout(&sh(script, &world.at)), expected);
    let on_disk = |name: &str| fs::read(world.place.ws().join("tickets").join(name)).unwrap();
    assert_eq!(
        (on_disk("u"), on_disk("locked")),
        (
            b"x".to_vec(),
            b"locked
"
            .to_vec()
        )
    );
    assert_eq!(&on_disk("map")[5000..5004], b"text");
}

#[test]
fn with_fast_reads_a_save_ends_when_it_has_been_quiet() {
    if !can_mount() {
        return;
    }
    let world = World::fast();
    stdout(&sh("printf one > tickets/t.md; printf two >> tickets/t.md", &world.at));
    let told = || -> Vec<_> {
        let ops = world.host.ops.lock();
        ops.iter().map(|op| serde_json::to_value(op).unwrap()["op"].as_str().unwrap().to_owned()).collect()
    };
    eventually("the save ends", || told().contains(&"close".to_owned()));
    assert_eq!(told(), ["create", "write", "write", "close"]);
    let refused = sh("printf nonsense > tickets/t.md; sync tickets/t.md", &world.at);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Invalid argument"), "{refused:?}");
    assert!(told().contains(&"fsync".to_owned()));
}

#[test]
fn with_fast_reads_foreign_changes_are_seen_though_no_open_is() {
    if !can_mount() {
        return;
    }
    let world = World::fast();
    let (inside, real) = (world.at.join("tickets/t.md"), world.place.ws().join("tickets/t.md"));
    fs::write(&real, "before").unwrap();
    eventually("the file appears", || fs::read_to_string(&inside).is_ok_and(|text| text == "before"));
    for round in 0..20 {
        // The same size, so that nothing but the announcement tells.
        let text = format!("round{round:02}");
        fs::write(&real, &text).unwrap();
        eventually("the new text", || fs::read_to_string(&inside).unwrap() == text);
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The bare file system in a process of its own, in a process group that ends with the test.
struct Bare {
    child: Child,
    place: Place,
}

impl Bare {
    fn start(place: Place, before: &str) -> Self {
        let program = std::env::current_exe().unwrap().parent().unwrap().join("../examples/bare_mount");
        let script = format!("{before} exec timeout -s KILL 900 {} ws mnt", program.display());
        let child = Command::new("bash")
            .args(["-c", &script])
            .current_dir(&place.dir)
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut bare = Self { child, place };
        let mut line = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(bare.child.stdout.take().unwrap()), &mut line).unwrap();
        assert_eq!(line, "mounted\n");
        bare
    }

    fn kill(&mut self) {
        let group = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_mounted(dir: &Path) -> bool {
    fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&format!(" {} ", dir.display()))
}

#[test]
fn a_killed_daemon_leaves_no_dead_mount() {
    if !can_mount() {
        return;
    }
    let mut bare = Bare::start(Place::new(), "");
    assert!(is_mounted(&bare.place.mnt()));
    bare.kill();
    eventually("the supervisor unmounts", || !is_mounted(&bare.place.mnt()));
}

fn supervisor_of(mnt: &Path) -> Option<rustix::process::Pid> {
    let of_mount = |id: i32| {
        let command = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        command.contains("\0supervise\0") && command.ends_with(&format!("\0{}\0", mnt.display()))
    };
    let mut processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    rustix::process::Pid::from_raw(processes.find(|id| of_mount(*id))?)
}

#[test]
fn a_dead_mount_is_healed_by_the_next() {
    if !can_mount() {
        return;
    }
    let mut bare = Bare::start(Place::new(), "");
    let mnt = bare.place.mnt();
    let mut supervisor = None;
    eventually("the supervisor runs", || {
        supervisor = supervisor_of(&mnt);
        supervisor.is_some()
    });
    rustix::process::kill_process(supervisor.unwrap(), rustix::process::Signal::KILL).unwrap();
    bare.kill();
    eventually("the mount is dead", || fs::metadata(&mnt).is_err_and(|e| e.raw_os_error() == Some(libc::ENOTCONN)));
    let world = World::at(mnt, Place::new(), 1).unwrap();
    assert!(world.at.join("tickets").is_dir());
}

#[test]
fn few_descriptors_serve_many_files() {
    if !can_mount() {
        return;
    }
    let bare = Bare::start(Place::new(), "ulimit -n 400;");
    let script = "for i in $(seq 3000); do echo $i > $i.md; done; ls -l | grep -c '\\.md$'; cat *.md | wc -l; \
                  exec 5<>2999.md; rm *.md; stat -Lc %h /dev/fd/5; ls";
    assert_eq!(stdout(&sh(script, &bare.place.mnt().join("tickets"))), "3000\n3000\n0\n");
}
