//! The difference between two texts as `git diff` shows it.

use gix::diff::blob::{
    Algorithm, InternedInput, UnifiedDiff, diff_with_slider_heuristics,
    unified_diff::{ConsumeHunk, ContextSize, DiffLineKind, HunkHeader},
};
use std::{convert::identity, io};

/// Lines around a change.
const CONTEXT: u32 = 3;
/// Bytes that are looked at for a NUL, which makes a file binary.
const LOOKED_AT: usize = 8000;

/// A text that is compared, with its path; `None`: there is no such file.
pub type Side<'s> = Option<(&'s str, &'s [u8])>;

/// Headers and hunks; empty when both are the same.
pub fn unified(old: Side<'_>, new: Side<'_>) -> String {
    let bytes = |side: Side<'_>| side.map(|(_, bytes)| bytes.to_vec());
    if bytes(old) == bytes(new) {
        return String::new();
    }
    let name = |side: Side<'_>, at| side.map_or("/dev/null".to_owned(), |(path, _)| format!("{at}/{path}"));
    let (from, to) = (name(old, "a"), name(new, "b"));
    let [before, after] = [old, new].map(|side| side.map_or(&b""[..], |(_, bytes)| bytes));
    if [before, after].iter().any(|bytes| bytes[..bytes.len().min(LOOKED_AT)].contains(&0)) {
        return format!("Binary files {from} and {to} differ\n");
    }
    let input = InternedInput::new(before, after);
    let diff = diff_with_slider_heuristics(Algorithm::Histogram, &input);
    let hunks = UnifiedDiff::new(&diff, &input, Hunks::default(), ContextSize::symmetrical(CONTEXT)).consume();
    let hunks = hunks.map_or_else(|never| never.to_string(), identity);
    format!("--- {from}\n+++ {to}\n{hunks}")
}

#[derive(Default)]
struct Hunks(String);

impl ConsumeHunk for Hunks {
    type Out = String;

    fn consume_hunk(&mut self, header: HunkHeader, lines: &[(DiffLineKind, &[u8])]) -> io::Result<()> {
        let HunkHeader { before_hunk_start, before_hunk_len, after_hunk_start, after_hunk_len } = header;
        let old = range(before_hunk_start, before_hunk_len);
        self.0.push_str(&format!("@@ -{old} +{} @@\n", range(after_hunk_start, after_hunk_len)));
        for (kind, line) in lines {
            self.0.push(kind.to_prefix());
            self.0.push_str(&String::from_utf8_lossy(line));
            if !line.ends_with(b"\n") {
                self.0.push_str("\n\\ No newline at end of file\n");
            }
        }
        Ok(())
    }

    fn finish(self) -> String {
        self.0
    }
}

/// Lines as git numbers them: none come after the line before them, and one needs no count.
fn range(start: u32, len: u32) -> String {
    match len {
        0 => format!("{},0", start.saturating_sub(1)),
        1 => start.to_string(),
        len => format!("{start},{len}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_shown_as_git_shows_it() {
        let old = Some(("t.md", &b"one\ntwo\n"[..]));
        let shown = unified(old, Some(("t.md", b"one\nzwei")));
        let expected = "--- a/t.md\n+++ b/t.md\n@@ -1,2 +1,2 @@\n one\n-two\n+zwei\n\\ No newline at end of file\n";
        assert_eq!(shown, expected);
        assert_eq!(unified(old, old), "");
        assert_eq!(unified(None, old), "--- /dev/null\n+++ b/t.md\n@@ -0,0 +1,2 @@\n+one\n+two\n");
        assert_eq!(unified(old, None), "--- a/t.md\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-one\n-two\n");
        assert_eq!(unified(old, Some(("t.md", b"\0"))), "Binary files a/t.md and b/t.md differ\n");
    }
}
