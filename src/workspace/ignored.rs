//! What the workspace's `.gitignore` files leave out.

use super::root::Root;
use crate::domain::path::WsPath;
use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};
use std::collections::HashMap;

/// The name of the file that says so.
pub(super) const GITIGNORE: &str = ".gitignore";

/// What stands in such a file beyond these bounds ignores nothing: it is read again for each pass.
pub(super) const MAX_BYTES: usize = 256 << 10;
pub(super) const MAX_LINES: usize = 10_000;

/// Answers for one pass; the files are read once each.
pub(super) struct Ignored<'r> {
    root: &'r Root,
    rules: HashMap<WsPath, Gitignore>,
    folders: HashMap<WsPath, bool>,
}

impl<'r> Ignored<'r> {
    pub fn new(root: &'r Root) -> Self {
        Self { root, rules: HashMap::new(), folders: HashMap::new() }
    }

    /// Whether git would leave a new file of this path out.
    pub fn file(&mut self, path: &WsPath) -> bool {
        path.parent().is_some_and(|parent| self.folder(&parent)) || self.matches(path, false)
    }

    /// Whether git would leave out everything below this folder.
    pub fn folder(&mut self, path: &WsPath) -> bool {
        let Some(parent) = path.parent() else { return false };
        if let Some(known) = self.folders.get(path) {
            return *known;
        }
        let ignored = self.folder(&parent) || self.matches(path, true);
        self.folders.insert(path.clone(), ignored);
        ignored
    }

    /// The nearest file that has a rule for the path decides.
    fn matches(&mut self, path: &WsPath, is_folder: bool) -> bool {
        let mut folder = path.parent();
        while let Some(here) = folder {
            let rules = self.rules.entry(here.clone()).or_insert_with(|| rules(self.root, &here));
            match rules.matched(path.as_str(), is_folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => folder = here.parent(),
            }
        }
        false
    }
}

fn rules(root: &Root, folder: &WsPath) -> Gitignore {
    let text = folder.join(GITIGNORE).ok().and_then(|file| root.read(&file).ok()).unwrap_or_default();
    let text = &text[..text.len().min(MAX_BYTES)];
    let mut builder = GitignoreBuilder::new(folder.as_str());
    for line in String::from_utf8_lossy(text).lines().take(MAX_LINES) {
        // A line that is no pattern ignores nothing, as in git.
        let _ = builder.add_line(None, line);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rule_decides_and_an_ignored_folder_hides_what_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::write(dir.path().join(".gitignore"), "*.log\n/build/\n# c\n\n[\n").unwrap();
        std::fs::write(dir.path().join("a/.gitignore"), "!keep.log\nonly-here\n").unwrap();
        let root = Root::open(dir.path()).unwrap();
        let mut ignored = Ignored::new(&root);
        for (path, expected) in [
            ("x.log", true),
            ("a/x.log", true),
            ("a/keep.log", false),
            ("a/b/keep.log", false),
            ("keep.log", true),
            ("build/x", true),
            ("a/build/x", false),
            ("a/only-here", true),
            ("a/b/only-here", true),
            ("only-here", false),
            ("a/t.md", false),
        ] {
            assert_eq!(ignored.file(&WsPath::new(path).unwrap()), expected, "{path}");
        }
    }
}
