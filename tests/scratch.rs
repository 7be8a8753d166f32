//! What is written under a scratch name goes to the real file as it is written, and a close of it says nothing. It is a file
//! like any other all the same: for who reads it meanwhile, who maps it, and who gives it its name while it is still open.
#![cfg(all(feature = "fuse", target_os = "linux"))]

mod support;

use std::fs;
use support::{Workspace, eventually};

fn mounted() -> Workspace {
    let workspace = Workspace::new();
    workspace.configure("commit: {idle: 600, max: 600}");
    workspace.mount();
    workspace
}

#[test]
fn a_reader_and_a_mapping_see_what_is_written_and_lose_nothing_of_their_own() {
    let workspace = mounted();
    let script = r#"python3 - <<'END'
import mmap, os
name = "tickets/t.md.tmp"
os.makedirs("tickets", exist_ok=True)
writer = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
os.write(writer, b"a" * 9000)
assert open(name, "rb").read() == b"a" * 9000
other = os.open(name, os.O_RDWR)
mapped = mmap.mmap(other, 9000)
reader = open(name, "rb", buffering=0)
for turn in range(200):
    at = 7 * turn
    mapped[at:at + 1] = b"m"                       # a changed page that the kernel has not sent
    os.pwrite(writer, b"w", at + 2)                # the same page, past the kernel's pages
    expected = bytearray(b"a" * 9000)
    for past in range(turn + 1):
        expected[7 * past], expected[7 * past + 2] = b"m"[0], b"w"[0]
    assert mapped[:] == expected, f"turn {turn}: the mapping"
    reader.seek(0)
    assert reader.read() == expected, f"turn {turn}: a reader"
os.pwrite(writer, b"end", 20000)
reader.seek(0)
assert reader.read() == bytes(expected) + bytes(11000) + b"end"
os.ftruncate(writer, 4096)
appender = os.open("tickets/u.md.tmp", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for _ in range(3):
    os.write(appender, b"x" * 5000)
assert open("tickets/u.md.tmp", "rb").read() == b"x" * 15000
END
sha256sum < tickets/t.md.tmp"#;
    let seen = workspace.sh(script);
    workspace.ok(&["unmount"]);
    assert_eq!(workspace.sh("sha256sum < tickets/t.md.tmp"), seen, "what the mount showed is on the disk");
    assert_eq!(fs::metadata(workspace.dir.join("tickets/t.md.tmp")).unwrap().len(), 4096);
}

#[test]
fn who_writes_on_after_the_file_got_its_name_has_saved_when_it_closes() {
    let workspace = mounted();
    let since = workspace.last_event();
    workspace.sh("exec 5> tickets/t.md.tmp; printf -- '---\ntitle: One\n---\n' >&5; mv tickets/t.md.tmp tickets/t.md
         printf 'written after\n' >&5; exec 5>&-");
    assert_eq!(workspace.read("tickets/t.md"), "---\ntitle: One\n---\nwritten after\n");
    let told = eventually("the ticket settles", || {
        let events = workspace.events(since);
        let of = |name: &str| events.iter().filter(|event| event["event"] == name).count();
        (of("ticket.created") == 1).then_some(events.clone())
    });
    assert!(told.iter().all(|event| event["path"] != "tickets/t.md.tmp"), "{told:?}");
    let shown = workspace.json(&["show", "tickets/t.md"]);
    assert!(shown.to_string().contains("written after"), "{shown}");
    // Nobody holds it any more: what comes from elsewhere is taken at once.
    assert_eq!(workspace.sh("printf 'more\n' >> tickets/t.md; tail -1 tickets/t.md"), "more\n");
}
