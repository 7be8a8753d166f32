//! The texts of the commonest errors, as docs/errors.md has them.

mod support;

use support::{Workspace, manual};

#[test]
fn what_the_manual_shows_is_what_is_said() {
    let workspace = Workspace::new();
    for name in ["login", "api", "old/login"] {
        workspace.write(&format!("tickets/{name}.md"), "---\ntitle: T\nstatus: todo\n---\n");
    }
    workspace.ok(&["commit"]);
    manual::runs(&workspace, "errors.md");
}
