//! Real editors and tools in the mount: the content is right, one save is one event, and nothing strays.

mod support;

use serde_json::Value;
use std::{path::Path, thread, time::Duration};
use support::{Workspace, checked, have};

const TICKET: &str = "---\ntitle: Login fails on Safari\nstatus: todo\n---\nBody line 1\nBody line 2\n";

/// The writers of tests/conformance/editors.py, how often each saves, and the program it needs.
const WRITERS: &[(&str, usize, &str)] = &[
    ("vim", 2, "vim"),
    ("vim-bkc-yes", 2, "vim"),
    ("vim-bkc-no", 2, "vim"),
    ("vim-backup", 2, "vim"),
    ("vim-undofile", 2, "vim"),
    ("nvim", 2, "nvim"),
    ("emacs", 2, "emacs"),
    ("emacs-autosave", 1, "emacs"),
    ("emacs-batch", 1, "emacs"),
    ("nano", 2, "nano"),
    ("nano-lock", 2, "nano"),
    ("ed", 1, "ed"),
    ("sed-i", 1, "sed"),
    ("perl-i", 1, "perl"),
    ("sh-append", 1, "bash"),
    ("sh-trunc", 1, "bash"),
    ("tee", 1, "tee"),
    ("cp-over", 1, "cp"),
    ("mv-over-xdev", 1, "mv"),
    ("mv-over-samedir", 1, "mv"),
    ("rsync", 1, "rsync"),
    ("patch", 1, "patch"),
    ("py-open-w", 1, "python3"),
    ("py-os-replace", 1, "python3"),
    ("py-bytewise", 1, "python3"),
    ("py-mmap", 1, "python3"),
    ("py-unlink-recreate", 1, "python3"),
    ("node-writeFile", 1, "node"),
    ("node-atomic", 1, "node"),
    ("vscode", 1, "node"),
    ("jetbrains", 1, "node"),
];

/// Events that are news of files: what the issue calls one event a save.
fn file_events(workspace: &Workspace, since: u64) -> Vec<Value> {
    let other = ["committed", "pushed", "pulled"];
    let is_of_file = |event: &Value| !other.contains(&event["event"].as_str().unwrap());
    workspace.events(since).into_iter().filter(is_of_file).collect()
}

fn edit_with(workspace: &Workspace, writer: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/editors.py");
    let mut command = workspace.command("python3");
    command.arg(script).arg(workspace.dir.join("tickets"));
    command.args(["--file", &format!("{writer}.md"), "--only", writer, "-v"]);
    let said = checked(writer, &command.output().unwrap());
    assert!(said.contains("1 passed, 0 failed, 0 skipped"), "{said}");
}

fn matrix(threads: usize) {
    if !have(&WRITERS.iter().map(|(_, _, program)| *program).collect::<Vec<_>>()) {
        return;
    }
    let workspace = Workspace::new();
    workspace.configure(&format!("mount: {{threads: {threads}}}"));
    workspace.mount();
    for (writer, ..) in WRITERS {
        workspace.write(&format!("tickets/{writer}.md"), TICKET);
    }
    workspace.ok(&["commit"]);
    let since = workspace.last_event();
    assert_eq!(workspace.json(&["status"])["tickets"], WRITERS.len());
    for (writer, ..) in WRITERS {
        edit_with(&workspace, writer);
    }
    // A second event of the same save, or of a stray file, would come after this much quiet.
    thread::sleep(Duration::from_millis(2000));
    let events = file_events(&workspace, since);
    for (writer, saves, _) in WRITERS {
        let path = format!("tickets/{writer}.md");
        let of_it: Vec<_> = events.iter().filter(|event| event["path"] == path).collect();
        let expected = of_it.len() == *saves && of_it.iter().all(|event| event["event"] == "ticket.body_changed");
        assert!(expected, "{writer}: {saves} saves made {of_it:#?}");
    }
    let all: usize = WRITERS.iter().map(|(_, saves, _)| saves).sum();
    assert_eq!(events.len(), all, "events of files that are no ticket: {events:#?}");
    assert_eq!(workspace.json(&["status"])["tickets"], WRITERS.len(), "a stray ticket");
    workspace.ok(&["commit"]);
    assert_eq!(workspace.sh("git status --porcelain"), "");
}

#[test]
fn every_editor_makes_one_event_a_save() {
    matrix(4);
}

#[test]
fn every_editor_makes_one_event_a_save_with_a_single_fuse_thread() {
    matrix(1);
}
