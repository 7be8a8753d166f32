//! Two editors with the same ticket open: what both changed is in the file, whoever saves last.

mod support;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    thread,
    time::Duration,
};
use support::{Workspace, eventually};

const TICKET: &str = "---\ntitle: Login fails\nstatus: todo # since Monday\npriority: low\n---\none\n\ntwo\n\nthree\n";

/// A process that reads a file, keeps it, and saves what it has as it is told: an editor without the screen.
struct Editor {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

const EDITOR: &str = r#"
import os, sys
path, text = sys.argv[1], None
for line in sys.stdin:
    command, _, rest = line.rstrip("\n").partition(" ")
    if command == "open":
        text = open(path).read()
    elif command == "change":
        old, new = rest.split("|")
        assert old in text, (old, text)
        text = text.replace(old, new)
    elif command == "truncate":
        with open(path, "w") as file: file.write(text)
    elif command == "rename":
        with open(path + ".tmp", "w") as file: file.write(text)
        os.replace(path + ".tmp", path)
    elif command == "vim":
        os.rename(path, path + "~")
        fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644); os.ftruncate(fd, 0); os.write(fd, text.encode()); os.fsync(fd); os.close(fd)
        os.unlink(path + "~")
    elif command == "ftruncate":
        fd = os.open(path, os.O_WRONLY); os.ftruncate(fd, 0); os.write(fd, text.encode()); os.fsync(fd); os.close(fd)
    elif command == "append":
        with open(path, "a") as file: file.write(rest + "\n")
    print("done", flush=True)
"#;

impl Editor {
    fn open(workspace: &Workspace, path: &str) -> Self {
        let mut command = workspace.command("python3");
        command.args(["-c", EDITOR]).arg(workspace.dir.join(path)).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (to, from) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let mut editor = Self { process, to, from };
        editor.does("open");
        editor
    }

    #[track_caller]
    fn does(&mut self, command: &str) {
        writeln!(self.to, "{command}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n", "{command}");
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn mounted() -> Workspace {
    let workspace = Workspace::new();
    workspace.mount();
    workspace.write("tickets/login.md", TICKET);
    workspace.ok(&["commit"]);
    workspace
}

fn text(workspace: &Workspace) -> String {
    workspace.read("tickets/login.md")
}

/// Whether the ticket has this in it by now. While vim saves it there is none: it is its backup.
fn has(workspace: &Workspace, part: &str) -> bool {
    fs::read_to_string(workspace.dir.join("tickets/login.md")).is_ok_and(|text| text.contains(part))
}

#[test]
fn both_changes_are_in_the_file_however_the_editors_save() {
    for ways in
        [["vim", "truncate"], ["truncate", "rename"], ["rename", "vim"], ["ftruncate", "ftruncate"], ["vim", "vim"]]
    {
        let workspace = mounted();
        let [mut first, mut second] = [(); 2].map(|()| Editor::open(&workspace, "tickets/login.md"));
        first.does("change todo|in-progress");
        first.does("change three|3");
        second.does("change low|high");
        second.does("change one|1");
        first.does(ways[0]);
        workspace.ok(&["commit"]);
        let since = workspace.last_event();
        second.does(ways[1]);
        workspace.ok(&["commit"]);
        let all =
            TICKET.replace("todo", "in-progress").replace("three", "3").replace("low", "high").replace("one", "1");
        assert_eq!(text(&workspace), all, "{ways:?}");
        let fields: Vec<_> = workspace
            .events(since)
            .into_iter()
            .filter_map(|event| event["field"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(fields, ["priority"], "{ways:?}: only what the second one changed");
    }
}

#[test]
fn the_first_one_goes_on_from_its_own_text() {
    let workspace = mounted();
    let [mut first, mut second] = [(); 2].map(|()| Editor::open(&workspace, "tickets/login.md"));
    for round in 0..3 {
        for (editor, word) in [(&mut first, "one"), (&mut second, "three")] {
            let last = if round == 0 { word.to_owned() } else { format!("{word}{}", round - 1) };
            editor.does(&format!("change \n{last}|\n{word}{round}").replace('\n', ""));
            editor.does("vim");
            workspace.ok(&["commit"]);
        }
    }
    assert_eq!(text(&workspace), TICKET.replace("one", "one2").replace("three", "three2"));
}

#[test]
fn what_both_changed_is_kept_twice_and_shown() {
    let workspace = mounted();
    let [mut first, mut second] = [(); 2].map(|()| Editor::open(&workspace, "tickets/login.md"));
    first.does("change two|zwei");
    second.does("change two|deux");
    first.does("vim");
    thread::sleep(Duration::from_millis(400));
    second.does("truncate");
    eventually("the conflict shows", || workspace.ok(&["status"]).contains("merge").then_some(()));
    let both = "<<<<<<< this save\ndeux\n=======\nzwei\n>>>>>>> was there before it\n";
    assert!(text(&workspace).contains(both), "{}", text(&workspace));
    assert!(workspace.read("status/problems.md").contains("tickets/login.md"));
    workspace.write("tickets/login.md", &TICKET.replace("two", "zwei"));
    eventually("and goes", || (!workspace.ok(&["status"]).contains("merge")).then_some(()));
}

#[test]
fn who_read_the_file_again_or_never_did_replaces_it() {
    let workspace = mounted();
    let [mut first, mut second] = [(); 2].map(|()| Editor::open(&workspace, "tickets/login.md"));
    first.does("change one|1");
    first.does("vim");
    second.does("open");
    second.does("change 1|one");
    second.does("truncate");
    workspace.ok(&["commit"]);
    assert_eq!(text(&workspace), TICKET, "it saw the change, and took it back");
    first.does("change two|2");
    workspace.sh("printf -- '---\\ntitle: New\\n---\\n' > tickets/login.md");
    workspace.ok(&["commit"]);
    assert_eq!(text(&workspace), "---\ntitle: New\n---\n", "the shell never read it");
}

#[test]
fn a_shell_that_writes_a_file_twice_is_taken_at_its_word() {
    let workspace = mounted();
    let script = "printf 'first\n' > specs/a.md; sleep 0.4; sed -i s/first/second/ specs/a.md; sleep 0.4; printf 'third\n' > specs/a.md";
    workspace.sh(script);
    workspace.ok(&["commit"]);
    assert_eq!(workspace.read("specs/a.md"), "third\n");
}

#[test]
fn a_line_that_is_appended_from_an_old_version_is_no_conflict() {
    let workspace = mounted();
    let [mut first, mut second] = [(); 2].map(|()| Editor::open(&workspace, "tickets/login.md"));
    first.does("change three|3");
    first.does("vim");
    second.does("append four");
    workspace.ok(&["commit"]);
    assert_eq!(text(&workspace), TICKET.replace("three", "3") + "four\n");
}

#[test]
fn a_change_from_a_tracker_while_an_editor_holds_the_text_stays() {
    let workspace = Workspace::new();
    let tracker = workspace.outside("tracker");
    fs::create_dir(&tracker).unwrap();
    workspace.configure(&format!("remotes: {{sim: {{type: simulator, url: {}, folder: tickets}}}}", tracker.display()));
    workspace.mount();
    workspace.write("tickets/login.md", TICKET);
    workspace.ok(&["sync"]);
    let mut editor = Editor::open(&workspace, "tickets/login.md");
    editor.does("change three|3");
    // A file of the tracker's: somebody edits the issue there.
    let issue = workspace.sh(&format!("grep -rl 'Login fails' {}", tracker.display()));
    workspace.sh(&format!("sed -i 's/Login fails/Login fails on Safari/' {}", issue.trim()));
    workspace.ok(&["sync"]);
    let pulled = text(&workspace);
    assert!(pulled.contains("Login fails on Safari"), "{pulled}");
    editor.does("vim");
    workspace.ok(&["commit"]);
    assert_eq!(text(&workspace), pulled.replace("three", "3"));
}

#[test]
fn two_vims_lose_nothing() {
    if !support::have(&["vim", "tmux"]) {
        return;
    }
    let workspace = mounted();
    let tmux = |arguments: &[&str]| {
        let socket = workspace.outside("tmux");
        let mut command = workspace.command("tmux");
        command.env("TERM", "xterm").arg("-S").arg(socket).args(arguments);
        support::checked("tmux", &command.output().unwrap());
    };
    let vim = "vim -u NONE -N -c 'set noswapfile' tickets/login.md";
    let screen = |name: &str| {
        let mut command = workspace.command("tmux");
        command.env("TERM", "xterm").arg("-S").arg(workspace.outside("tmux")).args(["capture-pane", "-p", "-t", name]);
        String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
    };
    for name in ["first", "second"] {
        tmux(&["new-session", "-d", "-s", name, "-x", "100", "-y", "30", vim]);
        eventually("vim shows the ticket", || screen(name).contains("Login fails").then_some(()));
    }
    tmux(&["send-keys", "-t", "first", ":%s/three/3/ | w", "Enter"]);
    eventually("the first saves", || has(&workspace, "\n3\n").then_some(()));
    thread::sleep(Duration::from_millis(400));
    // vim itself sees that the file changed, and asks.
    tmux(&["send-keys", "-t", "second", ":%s/one/1/ | w!", "Enter"]);
    eventually("the second saves", || {
        let shown = screen("second");
        if shown.contains("really want to write") {
            tmux(&["send-keys", "-t", "second", "y"]);
        }
        assert!(!shown.contains("E13"), "{shown}");
        thread::sleep(Duration::from_millis(200));
        has(&workspace, "\n1\n").then_some(())
    });
    workspace.ok(&["commit"]);
    assert_eq!(text(&workspace), TICKET.replace("three", "3").replace("one", "1"));
    tmux(&["kill-server"]);
}
