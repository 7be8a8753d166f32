//! What somebody else changed is what the next look through the mount finds: a remote, another process on the real files,
//! git underneath, a link moved in a view. Sizes, bytes and names go together, and no reader ever meets a mixture.
//!
//! `TRACKFS_COHERENCE_SECONDS` makes the stress longer than the few seconds of a normal run.
#![cfg(all(feature = "fuse", target_os = "linux"))]

mod support;

use serde_json::json;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};
use support::{Workspace, eventually};

const READERS: usize = 8;
/// 10,000 a minute.
const PAUSE: Duration = Duration::from_millis(6);
/// No read may take longer, whatever else happens.
const STALL: Duration = Duration::from_secs(5);

/// A workspace with its mount beside it, so that the real files stay within reach.
struct Beside {
    workspace: Workspace,
    mount: PathBuf,
}

impl Beside {
    fn new() -> Self {
        Self::configured("commit: {idle: 600, max: 600}")
    }

    fn configured(yaml: &str) -> Self {
        let workspace = Workspace::new();
        workspace.configure(yaml);
        let mount = workspace.outside("mount");
        fs::create_dir(&mount).unwrap();
        workspace.ok(&["mount", "--at", mount.to_str().unwrap()]);
        Self { workspace, mount }
    }

    fn real(&self, path: &str) -> PathBuf {
        self.workspace.dir.join(path)
    }

    fn inside(&self, path: &str) -> PathBuf {
        self.mount.join(path)
    }

    /// What the mount shows of a path, by every way of looking that there is.
    fn seen(&self, path: &str) -> Option<Seen> {
        let inside = self.inside(path);
        let (parent, name) = (inside.parent().unwrap(), inside.file_name().unwrap());
        let listed = names(parent).contains(name.to_str().unwrap());
        let stat = fs::symlink_metadata(&inside).ok();
        let bytes = fs::read(&inside).ok();
        let size = stat.map(|stat| stat.len());
        (listed || size.is_some() || bytes.is_some()).then_some(Seen { listed, size, bytes })
    }

    /// Waits until the mount shows this text at a path, or nothing, by every way of looking.
    #[track_caller]
    fn shows(&self, path: &str, text: Option<&str>) {
        let wanted = text.map(|text| Seen {
            listed: true,
            size: Some(text.len() as u64),
            bytes: Some(text.as_bytes().to_vec()),
        });
        let what = format!("{path} is {text:?}");
        eventually(&what, || (self.seen(path) == wanted).then_some(()));
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.workspace.trackfs(&["unmount"]);
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    listed: bool,
    size: Option<u64>,
    bytes: Option<Vec<u8>>,
}

fn names(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Another version of a file, in the place of the last one.
fn swap_in(path: &Path, text: &[u8]) {
    let new = path.with_extension("tmp");
    fs::write(&new, text).unwrap();
    fs::rename(&new, path).unwrap();
}

#[test]
fn whatever_another_process_does_to_the_real_files_is_seen() {
    let place = Beside::new();
    let (path, real) = ("specs/a.txt", place.real("specs/a.txt"));
    place.shows(path, None);
    fs::write(&real, "made").unwrap();
    place.shows(path, Some("made"));
    swap_in(&real, b"another, and longer");
    place.shows(path, Some("another, and longer"));
    fs::write(&real, "in place").unwrap();
    place.shows(path, Some("in place"));
    fs::OpenOptions::new().append(true).open(&real).unwrap().write_all(b", and more").unwrap();
    place.shows(path, Some("in place, and more"));
    File::options().write(true).open(&real).unwrap().set_len(2).unwrap();
    place.shows(path, Some("in"));
    fs::rename(&real, place.real("specs/b.txt")).unwrap();
    place.shows("specs/b.txt", Some("in"));
    place.shows(path, None);
    fs::hard_link(place.real("specs/b.txt"), &real).unwrap();
    place.shows(path, Some("in"));
    eventually("two links", || (fs::metadata(place.inside(path)).unwrap().nlink() == 2).then_some(()));
    fs::remove_file(place.real("specs/b.txt")).unwrap();
    place.shows("specs/b.txt", None);
    fs::set_permissions(&real, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    eventually("the mode", || (fs::metadata(place.inside(path)).unwrap().mode() & 0o777 == 0o600).then_some(()));
    fs::remove_file(&real).unwrap();
    symlink("nowhere", &real).unwrap();
    eventually("a link in its place", || {
        fs::read_link(place.inside(path)).is_ok_and(|target| target == Path::new("nowhere")).then_some(())
    });
    fs::remove_file(&real).unwrap();
    fs::create_dir(&real).unwrap();
    fs::write(real.join("deep"), "deeper").unwrap();
    place.shows("specs/a.txt/deep", Some("deeper"));
    fs::rename(&real, place.real("specs/c")).unwrap();
    place.shows("specs/c/deep", Some("deeper"));
    place.shows("specs/a.txt/deep", None);
    fs::remove_dir_all(place.real("specs/c")).unwrap();
    eventually("no folder", || names(&place.inside("specs")).is_empty().then_some(()));
}

#[test]
fn an_open_file_follows_what_is_done_to_it_and_keeps_what_it_is() {
    let place = Beside::new();
    let real = place.real("specs/a.txt");
    fs::write(&real, "one").unwrap();
    place.shows("specs/a.txt", Some("one"));
    let mut held = File::open(place.inside("specs/a.txt")).unwrap();
    let mut read = || {
        let mut text = String::new();
        held.seek(SeekFrom::Start(0)).unwrap();
        held.read_to_string(&mut text).unwrap();
        text
    };
    assert_eq!(read(), "one");
    fs::write(&real, "two and longer").unwrap();
    eventually("the open file is longer", || (read() == "two and longer").then_some(()));
    swap_in(&real, b"another file");
    place.shows("specs/a.txt", Some("another file"));
    assert_eq!(read(), "two and longer", "who has the old file open has the old file");
}

#[test]
fn what_a_remote_brings_is_seen() {
    let home = tempfile::tempdir().unwrap();
    let tracker = home.path().join("tracker");
    fs::create_dir(&tracker).unwrap();
    let place = Beside::configured(&format!(
        "commit: {{idle: 600, max: 600}}\nsync: {{interval: 3600}}\nremotes:\n  sim: {{type: simulator, url: {}, folder: tickets/sim}}",
        tracker.display()
    ));
    let simulator = trackfs::remote::simulator::Simulator::new(
        "sim",
        trackfs::remote::simulator::Flavour::Linear { team: "SIM".into() },
    );
    let simulator = simulator.in_folder(&tracker).unwrap();
    use trackfs::domain::issue::{Field, FieldValue, IssueFields};
    let key = simulator.add(&IssueFields::from([(Field::Title, FieldValue::text("First"))])).key;
    place.workspace.ok(&["sync"]);
    let path = format!("tickets/sim/{key}.md");
    let text = |path: &str| fs::read_to_string(place.inside(path)).unwrap_or_default();
    eventually("the pulled ticket", || text(&path).contains("title: First").then_some(()));
    for title in ["A much longer title than there was before", "Short"] {
        simulator.edit(&key, |issue| drop(issue.fields.insert(Field::Title, FieldValue::text(title)))).unwrap();
        place.workspace.ok(&["sync"]);
        let now = fs::read_to_string(place.real(&path)).unwrap();
        assert!(now.contains(title), "{now}");
        place.shows(&path, Some(&now));
    }
    assert_eq!(json!(names(&place.inside("tickets/sim"))), json!([format!("{key}.md")]));
}

#[test]
fn a_checkout_underneath_is_seen_whole() {
    let place = Beside::new();
    let write = |version: usize| {
        for n in 0..40 {
            let text = format!("---\ntitle: T{n}\n---\n{}\n", "x".repeat(version * 37 + n));
            fs::write(place.real(&format!("tickets/t{n}.md")), text).unwrap();
        }
        for n in 0..10 {
            fs::write(place.real(&format!("specs/only-in-{version}-{n}")), format!("{n}")).unwrap();
        }
    };
    write(1);
    place.workspace.ok(&["commit"]);
    (0..10).for_each(|n| fs::remove_file(place.real(&format!("specs/only-in-1-{n}"))).unwrap());
    write(2);
    place.workspace.ok(&["commit"]);
    for revision in ["HEAD~1", "HEAD", "HEAD~1"] {
        place.workspace.sh(&format!("git checkout -q --no-overlay {revision} -- ."));
        for folder in ["tickets", "specs"] {
            let expected = names(&place.real(folder));
            eventually("the names", || (names(&place.inside(folder)) == expected).then_some(()));
            for name in expected {
                let path = format!("{folder}/{name}");
                place.shows(&path, Some(&fs::read_to_string(place.real(&path)).unwrap()));
            }
        }
    }
}

#[test]
fn a_link_moved_in_a_view_is_seen_in_the_ticket() {
    let place = Beside::new();
    fs::write(place.inside("tickets/a.md"), "---\ntitle: A\nstatus: todo\n---\n").unwrap();
    let view = |status: &str| place.inside(&format!("views/status/{status}/a.md"));
    eventually("the ticket in its view", || view("todo").exists().then_some(()));
    for (from, to) in [("todo", "in-progress"), ("in-progress", "done"), ("done", "todo"), ("todo", "done")] {
        fs::rename(view(from), view(to)).unwrap();
        assert!(view(to).exists() && !view(from).exists(), "the view itself, at once");
        let text = fs::read_to_string(place.inside("tickets/a.md")).unwrap();
        assert!(text.contains(&format!("status: {to}\n")), "the next read: {text}");
        place.shows("tickets/a.md", Some(&format!("---\ntitle: A\nstatus: {to}\n---\n")));
    }
}

// Stress.

/// Of a few seconds, unless the environment asks for more.
fn duration() -> Duration {
    let seconds = std::env::var("TRACKFS_COHERENCE_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(4))
}

/// A text that says which version it is, in whole: its number, its length, and a body that follows from both.
fn version(number: u64) -> Vec<u8> {
    let length = (number * 7919 % 9000) as usize;
    let mut text = format!("{number} {length}\n").into_bytes();
    text.extend((0..length).map(|at| b'a' + ((number as usize + at * at) % 26) as u8));
    text.extend_from_slice(b"\nend\n");
    text
}

/// The number of the version that these bytes are.
fn number(bytes: &[u8]) -> u64 {
    let first = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    let number = std::str::from_utf8(first).ok().and_then(|first| first.parse().ok());
    let number = number.unwrap_or_else(|| panic!("no version: {}", shortened(bytes)));
    assert!(version(number) == bytes, "a mixture that begins like {number}: {}", shortened(bytes));
    number
}

fn shortened(bytes: &[u8]) -> String {
    let nuls = bytes.iter().filter(|byte| **byte == 0).count();
    format!("{} bytes, {nuls} of them NUL: {:?}", bytes.len(), String::from_utf8_lossy(&bytes[..bytes.len().min(60)]))
}

/// The longest that one look took, of all readers.
#[derive(Default)]
struct Longest(AtomicU64);

impl Longest {
    fn timed<T>(&self, look: impl FnOnce() -> T) -> T {
        let since = Instant::now();
        let seen = look();
        self.0.fetch_max(since.elapsed().as_micros() as u64, Ordering::Relaxed);
        seen
    }

    fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

#[test]
fn readers_meet_whole_versions_that_never_go_backwards() {
    const FILES: u64 = 5;
    let place = Beside::new();
    let path = |file: u64| format!("specs/{file}.txt");
    (0..FILES).for_each(|file| swap_in(&place.real(&path(file)), &version(file)));
    (0..FILES).for_each(|file| place.shows(&path(file), Some(std::str::from_utf8(&version(file)).unwrap())));
    let (over, longest, reads) = (AtomicBool::new(false), Longest::default(), AtomicU64::new(0));
    let (newest, delay) = thread::scope(|scope| {
        for reader in 0..READERS {
            let (place, over, longest, reads) = (&place, &over, &longest, &reads);
            scope.spawn(move || {
                let mut last = [0; FILES as usize];
                let mut held: Option<(File, u64)> = None;
                for turn in reader as u64.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let file = turn % FILES;
                    let seen = look(&place.inside(&path(file)), reader, &mut held, longest);
                    reads.fetch_add(1, Ordering::Relaxed);
                    let before = std::mem::replace(&mut last[file as usize], seen);
                    assert!(seen >= before, "{} went back from {before} to {seen}", path(file));
                }
            });
        }
        let (since, mut newest) = (Instant::now(), FILES);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while since.elapsed() < duration() {
                swap_in(&place.real(&path(newest % FILES)), &version(newest));
                newest += 1;
                // To the pace, whatever a change took.
                let due = PAUSE * (newest - FILES) as u32;
                thread::sleep(due.saturating_sub(since.elapsed()));
            }
            let since = Instant::now();
            for last in newest - FILES..newest {
                place.shows(&path(last % FILES), Some(std::str::from_utf8(&version(last)).unwrap()));
            }
            since.elapsed()
        }));
        over.store(true, Ordering::Relaxed);
        (newest - FILES, ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    println!(
        "coherence: {newest} versions, {} reads, longest {:?}, the newest was seen after {delay:?}",
        reads.into_inner(),
        longest.get()
    );
    assert!(longest.get() < STALL, "one read took {:?}", longest.get());
}

/// One look at a file, in one of the ways that programs have.
fn look(path: &Path, reader: usize, held: &mut Option<(File, u64)>, longest: &Longest) -> u64 {
    match reader % 4 {
        // Some keep a file open for a while: it stays the version that it is.
        0 => {
            if let Some((mut file, seen)) = held.take() {
                let mut bytes = Vec::new();
                file.seek(SeekFrom::Start(0)).unwrap();
                longest.timed(|| file.read_to_end(&mut bytes)).unwrap();
                assert_eq!(number(&bytes), seen, "an open file became another version");
            }
            let mut file = longest.timed(|| File::open(path)).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            let seen = number(&bytes);
            *held = Some((file, seen));
            seen
        }
        // Some believe the size: a stale one cuts the text or pads it with NULs.
        1 => {
            let mut file = longest.timed(|| File::open(path)).unwrap();
            let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
            longest.timed(|| file.read_exact(&mut bytes)).unwrap();
            number(&bytes)
        }
        // Some map it.
        2 => {
            let file = longest.timed(|| File::open(path)).unwrap();
            number(&longest.timed(|| mapped(&file)).unwrap())
        }
        _ => number(&longest.timed(|| fs::read(path)).unwrap()),
    }
}

/// The bytes of a file, through a private map of it.
fn mapped(file: &File) -> io::Result<Vec<u8>> {
    use std::os::fd::AsRawFd;
    let length = file.metadata()?.len() as usize;
    // SAFETY: a new map of an open file, read while nobody shortens the file (each version is a file of its own), and
    // taken away again.
    unsafe {
        let map = libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0);
        if map == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let bytes = std::slice::from_raw_parts(map.cast::<u8>(), length).to_vec();
        libc::munmap(map, length);
        Ok(bytes)
    }
}

/// Reads until no byte is NUL. The kernel takes over the size of a file that grew before it drops the page at its old
/// end, so that a reader may see that page's padding; but for a moment only.
fn without_nuls(mut read: impl FnMut() -> Vec<u8>) -> Vec<u8> {
    let since = Instant::now();
    loop {
        let bytes = read();
        match bytes.iter().position(|byte| *byte == 0) {
            None => return bytes,
            Some(at) => assert!(since.elapsed() < STALL, "NUL at {at} of {} for good", bytes.len()),
        }
    }
}

#[test]
fn readers_of_a_file_that_others_append_to_meet_no_gap_and_no_lasting_nul() {
    let place = Beside::new();
    let real = place.real("specs/log.txt");
    let line = |n: u64| format!("{n:09} {}\n", "x".repeat((n * 31 % 90) as usize));
    fs::write(&real, "").unwrap();
    eventually("the log", || place.inside("specs/log.txt").exists().then_some(()));
    let (over, longest) = (AtomicBool::new(false), Longest::default());
    let written = thread::scope(|scope| {
        for reader in 0..READERS {
            let (place, over, longest) = (&place, &over, &longest);
            scope.spawn(move || {
                let (inside, mut last) = (place.inside("specs/log.txt"), 0);
                let mut held = File::open(&inside).unwrap();
                while !over.load(Ordering::Relaxed) {
                    let bytes = without_nuls(|| {
                        let mut bytes = Vec::new();
                        if reader % 2 == 0 {
                            held.seek(SeekFrom::Start(0)).unwrap();
                            longest.timed(|| held.read_to_end(&mut bytes)).unwrap();
                        } else {
                            bytes = longest.timed(|| fs::read(&inside)).unwrap();
                        }
                        bytes
                    });
                    let lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
                    for (n, text) in lines {
                        let expected = line(n as u64);
                        assert!(expected.as_bytes().starts_with(text), "line {n}: {:?}", String::from_utf8_lossy(text));
                    }
                    assert!(bytes.len() >= last, "the log went back from {last} to {}", bytes.len());
                    last = bytes.len();
                }
            });
        }
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut log = File::options().append(true).open(&real).unwrap();
            let (since, mut n) = (Instant::now(), 0);
            while since.elapsed() < duration() {
                log.write_all(line(n).as_bytes()).unwrap();
                n += 1;
                thread::sleep((PAUSE * n as u32).saturating_sub(since.elapsed()));
            }
            place.shows("specs/log.txt", Some(&fs::read_to_string(&real).unwrap()));
            n
        }));
        over.store(true, Ordering::Relaxed);
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    println!("coherence: {written} lines appended, longest read {:?}", longest.get());
    assert!(longest.get() < STALL, "one read took {:?}", longest.get());
}
