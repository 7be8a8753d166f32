use super::*;
use std::{
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

struct Place {
    dir: tempfile::TempDir,
    root: Root,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        Self { dir, root }
    }

    fn real(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::create_dir_all(self.real(path).parent().unwrap()).unwrap();
        std::fs::write(self.real(path), text).unwrap();
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.real(path)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.root.list(&WsPath::root()).unwrap().into_iter().map(|(name, _)| name).collect();
        names.sort();
        names
    }
}

fn path(text: &str) -> WsPath {
    WsPath::new(text).unwrap()
}

#[test]
fn a_symlink_is_never_followed() {
    let place = Place::new();
    place.write("real/f", "x");
    symlink("real", place.real("folder")).unwrap();
    symlink("real/f", place.real("file")).unwrap();
    assert_eq!(place.root.read(&path("file")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert!(place.root.read(&path("folder/f")).is_err());
    assert!(place.root.stat(&path("folder/f")).is_err());
    assert!(place.root.stat(&path("file")).unwrap().is_symlink());
    assert_eq!(place.root.read_link(&path("file")).unwrap(), b"real/f");
    assert!(matches!(place.root.replace(&path("folder/new"), None, b"x"), Err(ReplaceError::Io(_))));
}

#[test]
fn what_is_no_regular_file_has_no_bytes() {
    let place = Place::new();
    place.write("d/f", "x");
    fs::mknodat(place.root.fd(), "pipe", FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    for (name, kind) in [
        ("d", io::ErrorKind::InvalidInput),
        ("pipe", io::ErrorKind::InvalidInput),
        ("", io::ErrorKind::InvalidInput),
        ("none", io::ErrorKind::NotFound),
    ] {
        assert_eq!(place.root.read(&path(name)).unwrap_err().kind(), kind, "{name:?}");
    }
}

#[test]
fn replace_keeps_mode_and_extended_attributes_and_leaves_no_scratch() {
    let place = Place::new();
    place.write("t.md", "old");
    std::fs::set_permissions(place.real("t.md"), std::fs::Permissions::from_mode(0o750)).unwrap();
    let _ = fs::setxattr(place.real("t.md"), "user.note", b"kept", fs::XattrFlags::empty());
    place.root.replace(&path("t.md"), Some(b"old"), b"new").unwrap();
    assert_eq!(place.text("t.md"), "new");
    assert_eq!(std::fs::metadata(place.real("t.md")).unwrap().mode() & 0o7777, 0o750);
    let mut note = [0; 8];
    if let Ok(length) = fs::getxattr(place.real("t.md"), "user.note", &mut note[..]) {
        assert_eq!(&note[..length], b"kept");
    }
    assert_eq!(place.names(), ["t.md"]);
}

#[test]
fn replace_refuses_what_the_caller_has_not_read() {
    let place = Place::new();
    place.write("t.md", "edited meanwhile");
    let refused = place.root.replace(&path("t.md"), Some(b"old"), b"new");
    assert!(matches!(refused, Err(ReplaceError::Changed)));
    assert!(matches!(place.root.replace(&path("t.md"), None, b"new"), Err(ReplaceError::Changed)));
    assert!(matches!(place.root.replace(&path("gone.md"), Some(b"old"), b"new"), Err(ReplaceError::Changed)));
    assert!(matches!(place.root.remove(&path("t.md"), b"old"), Err(ReplaceError::Changed)));
    assert_eq!((place.text("t.md").as_str(), place.names()), ("edited meanwhile", vec!["t.md".to_owned()]));
}

#[test]
fn replace_waits_for_writers_of_the_mount() {
    let place = Place::new();
    place.write("t.md", "old");
    let stat = place.root.stat(&path("t.md")).unwrap();
    place.root.gate().opened(stat.dev, stat.ino);
    assert!(matches!(place.root.replace(&path("t.md"), Some(b"old"), b"new"), Err(ReplaceError::Busy)));
    assert!(matches!(place.root.remove(&path("t.md"), b"old"), Err(ReplaceError::Busy)));
    place.root.gate().closed(stat.dev, stat.ino);
    place.root.replace(&path("t.md"), Some(b"old"), b"new").unwrap();
}

/// A process that opened the file before the mount covered it writes without the mount's knowledge.
#[cfg(target_os = "linux")]
#[test]
fn replace_waits_for_writers_it_was_not_told_of() {
    let place = Place::new();
    place.write("t.md", "old");
    let writer = std::fs::OpenOptions::new().write(true).open(place.real("t.md")).unwrap();
    let before = place.root.stat(&path("t.md")).unwrap().ino;
    assert!(matches!(place.root.replace(&path("t.md"), Some(b"old"), b"new"), Err(ReplaceError::Busy)));
    assert!(matches!(place.root.remove(&path("t.md"), b"old"), Err(ReplaceError::Busy)));
    assert_eq!(place.root.stat(&path("t.md")).unwrap().ino, before);
    assert_eq!((place.text("t.md").as_str(), place.names()), ("old", vec!["t.md".to_owned()]));
    drop(writer);
    place.root.replace(&path("t.md"), Some(b"old"), b"new").unwrap();
}

#[test]
fn hard_links_stay_one_file() {
    let place = Place::new();
    place.write("t.md", "a longer old text");
    std::fs::hard_link(place.real("t.md"), place.real("other.md")).unwrap();
    place.root.replace(&path("t.md"), Some(b"a longer old text"), b"new").unwrap();
    assert_eq!((place.text("t.md"), place.text("other.md")), ("new".into(), "new".into()));
}

#[test]
fn a_new_file_gets_its_folders_and_a_removed_one_is_gone() {
    let place = Place::new();
    place.root.replace(&path("a/b/c.md"), None, b"new").unwrap();
    assert_eq!(place.text("a/b/c.md"), "new");
    place.root.remove(&path("a/b/c.md"), b"new").unwrap();
    assert_eq!(place.root.list(&path("a/b")).unwrap(), []);
}

#[test]
fn rename_takes_only_a_free_name() {
    let place = Place::new();
    place.write("a", "a");
    place.write("b", "b");
    assert_eq!(place.root.rename(&path("a"), &path("b")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    place.root.rename(&path("a"), &path("new/c")).unwrap();
    assert_eq!((place.text("new/c").as_str(), place.text("b").as_str()), ("a", "b"));
}

#[test]
fn listeners_hear_of_every_change_made_here() {
    let place = Place::new();
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = heard.clone();
    place.root.on_foreign_change(Box::new(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    }));
    place.root.replace(&path("t.md"), None, b"1").unwrap();
    place.root.replace(&path("t.md"), Some(b"1"), b"2").unwrap();
    place.root.rename(&path("t.md"), &path("u.md")).unwrap();
    place.root.remove(&path("u.md"), b"2").unwrap();
    assert_eq!(heard.load(Ordering::Relaxed), 5);
}

#[test]
fn a_walk_meets_every_entry_once_and_never_git_or_what_a_symlink_points_to() {
    let place = Place::new();
    for file in ["a/1", "a/b/2", ".git/HEAD", "skipped/3"] {
        place.write(file, "x");
    }
    symlink("a", place.real("link")).unwrap();
    let mut met = Vec::new();
    place
        .root
        .walk(&WsPath::root(), |path, _| {
            met.push(path.to_string());
            path.as_str() != "skipped"
        })
        .unwrap();
    met.sort();
    assert_eq!(met, ["a", "a/1", "a/b", "a/b/2", "link", "skipped"]);
}

/// Two savers that each add a line, one of them by rename-over as editors do, and a replacer that adds its own: a `replace`
/// that was answered with success must be in what its successor read.
#[test]
fn no_line_is_lost_between_replace_and_a_foreign_rename_over() {
    let place = Place::new();
    place.write("t.md", "");
    let rounds = 200;
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..rounds {
                std::fs::write(place.real("other.tmp"), format!("foreign {round}\n")).unwrap();
                std::fs::rename(place.real("other.tmp"), place.real("t.md")).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            let read = place.root.read(&path("t.md")).unwrap();
            let mut mine = read.clone();
            mine.extend_from_slice(b"mine\n");
            match place.root.replace(&path("t.md"), Some(&read), &mine) {
                Ok(()) | Err(ReplaceError::Changed | ReplaceError::Busy) => {}
                Err(ReplaceError::Io(error)) => panic!("{error}"),
            }
        }
    });
    let last = place.text("t.md");
    assert!(last.starts_with(&format!("foreign {}\n", rounds - 1)), "{last:?}");
    assert!(last.lines().skip(1).all(|line| line == "mine"), "{last:?}");
}

#[test]
fn looking_leaves_access_times_alone() {
    let place = Place::new();
    place.write("a/t.md", "text");
    let long_ago = rustix::fs::Timespec { tv_sec: 1_000_000, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: long_ago, last_modification: long_ago };
    for name in ["a/t.md", "a", ""] {
        rustix::fs::utimensat(rustix::fs::CWD, place.real(name), &times, rustix::fs::AtFlags::empty()).unwrap();
    }
    place.root.read(&path("a/t.md")).unwrap();
    place.root.list(&path("a")).unwrap();
    place.root.walk(&WsPath::root(), |_, _| true).unwrap();
    for name in ["a/t.md", "a", ""] {
        assert_eq!(std::fs::metadata(place.real(name)).unwrap().atime(), 1_000_000, "{name:?}");
    }
}
