//! What docs/tutorial.md shows is run, on a real mount; and each template of `init` is one that can be worked with.

mod support;

use support::{Workspace, manual};

#[test]
fn the_tutorial_is_what_happens() {
    let workspace = Workspace::bare();
    workspace.sh("git config --global user.name ada");
    manual::runs(&workspace, "tutorial.md");
}

#[test]
fn agents_take_what_is_next_and_only_people_say_that_it_is_done() {
    let workspace = Workspace::bare();
    workspace.ok(&["init", "--template", "agents"]);
    for (name, rest) in [("low", "priority: low"), ("urgent", "priority: urgent"), ("waits", "blocked_by: [low]")] {
        workspace.write(&format!("tickets/{name}.md"), &format!("---\ntitle: {name}\nstatus: todo\n{rest}\n---\n"));
    }
    workspace.write("tickets/idea.md", "---\ntitle: An idea\nstatus: backlog\n---\n");
    workspace.sh("git add -A && git commit -qm tickets");
    // What is read within a moment is in the views when `mount` returns.
    workspace.mount();
    assert_eq!(workspace.sh("ls -U views/next"), "urgent.md\nlow.md\n");
    workspace.sh("mkdir -p views/assignee/robot && mv views/next/urgent.md views/assignee/robot/");
    workspace.sh("mv views/status/todo/urgent.md views/status/in-progress/");
    workspace.sh("! mv views/status/in-progress/urgent.md views/status/done/ && grep -q in-review status/refused.md");
    workspace.sh("mv views/status/in-progress/urgent.md views/status/in-review/");
    assert_eq!(workspace.sh("ls views/review views/next"), "views/next:\nlow.md\n\nviews/review:\nurgent.md\n");
    assert!(
        workspace.sh("mv views/review/urgent.md views/status/done/ && cat tickets/urgent.md").contains("status: done")
    );
    assert!(workspace.ok(&["schema", "check"]).contains("nothing is wrong"));
}
