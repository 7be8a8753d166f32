//! A token that was written into a file by mistake reaches neither git nor a tracker, nor a log.

mod support;

use support::Workspace;

/// Of the shape of a token; made here, so that scanners of this repository find none.
fn token() -> String {
    format!("gh{}_{}", "p", "abc1".repeat(9))
}

#[test]
fn a_file_with_a_token_is_not_committed_until_it_is_taken_out() {
    for mounted in [false, true] {
        let workspace = Workspace::new();
        if mounted {
            workspace.mount();
        }
        let ticket =
            |text: &str| workspace.write("tickets/a.md", &format!("---\ntitle: A\nstatus: todo\n---\n{text}\n"));
        ticket("Text");
        workspace.ok(&["commit"]);
        let head = workspace.sh("git rev-parse HEAD");
        ticket(&format!("The token is {}", token()));
        workspace.write("specs/notes.txt", &token());
        let told = workspace.ok(&["commit"]);
        assert_eq!(told.matches("not committed: ").count(), 2, "{told}");
        assert!(told.contains("tickets/a.md:5:1: this looks like a GitHub token"), "{told}");
        assert_eq!(workspace.sh("git rev-parse HEAD"), head);
        let status = workspace.ok(&["status"]);
        assert!(status.contains("this looks like a GitHub token") && !status.contains("abc1"), "{status}");
        // Others are committed.
        workspace.write("tickets/b.md", "---\ntitle: B\nstatus: todo\n---\n");
        workspace.ok(&["commit"]);
        assert_eq!(workspace.sh("git show --format= --name-only HEAD"), "tickets/b.md\n");
        if mounted {
            workspace.ok(&["unmount"]);
            workspace.mount();
            assert!(workspace.ok(&["status"]).contains("this looks like a GitHub token"));
        }
        ticket("It was a token.");
        workspace.write("specs/notes.txt", &format!("{} gitleaks:allow\n", token()));
        workspace.ok(&["commit"]);
        assert_eq!(workspace.sh("git show --format= --name-only HEAD"), "specs/notes.txt\ntickets/a.md\n");
        // Without the ids of commits and files, in which anything may stand.
        let said = "git log -p --format=%an%n%B -- tickets | grep -v '^index ' | grep -c abc1 || true";
        assert_eq!(workspace.sh(said), "0\n");
    }
}

#[test]
fn a_token_reaches_no_tracker() {
    let workspace = Workspace::new();
    workspace.ok(&[
        "remote",
        "add",
        "hub",
        "--type",
        "simulator",
        "--folder",
        "tickets",
        "--url",
        &workspace.outside("hub").display().to_string(),
    ]);
    workspace.write("tickets/a.md", &format!("---\ntitle: A\nstatus: todo\n---\n{}\n", token()));
    workspace.write("tickets/b.md", "---\ntitle: B\nstatus: todo\n---\n");
    let told = workspace.ok(&["sync"]);
    assert!(!told.contains("abc1"), "{told}");
    assert!(!workspace.read("tickets/a.md").contains("sync:"));
    assert!(workspace.read("tickets/b.md").contains("sync:"));
    workspace.sh("sed -i 's/^gh.*/gone/' tickets/a.md");
    workspace.ok(&["sync"]);
    assert!(workspace.read("tickets/a.md").contains("sync:"));
}
