//! Texts merge as git merges them.

use crate::support::*;
use std::fs;
use trackfs::git::{TextMerge, merge_text};

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % bound
    }

    fn lines(&mut self) -> Vec<String> {
        (0..self.below(12)).map(|_| format!("line {}\n", self.below(6))).collect()
    }

    fn edited(&mut self, base: &[String]) -> Vec<String> {
        let mut lines = base.to_vec();
        for _ in 0..self.below(3) {
            let at = self.below(lines.len() + 1);
            match self.below(3) {
                0 => lines.insert(at, format!("new {}\n", self.below(4))),
                1 if at < lines.len() => drop(lines.remove(at)),
                2 if at < lines.len() => lines[at] = format!("changed {}\n", self.below(4)),
                _ => {}
            }
        }
        if self.below(6) == 0 {
            lines.push("no newline at the end".to_owned());
        }
        lines
    }
}

#[test]
fn texts_merge_as_git_merges_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(7);
    let (mut clean, mut conflicts) = (0, 0);
    for case in 0..300 {
        let base = random.lines();
        let texts = [random.edited(&base), base.clone(), random.edited(&base)].map(|lines| lines.concat());
        for (name, text) in ["ours", "base", "theirs"].into_iter().zip(&texts) {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let output = command(dir.path(), &["merge-file", "-p", "ours", "base", "theirs"]).output().unwrap();
        let expected = String::from_utf8(output.stdout).unwrap();
        match merge_text(&texts[1], &texts[0], &texts[2]) {
            TextMerge::Clean(merged) => {
                assert!(output.status.success(), "case {case}: {texts:?}");
                assert_eq!(merged, expected, "case {case}: {texts:?}");
                clean += 1;
            }
            TextMerge::Conflict(merged) => {
                assert!(merged.contains("<<<<<<< local\n") && merged.contains(">>>>>>> remote"), "{merged}");
                conflicts += usize::from(!output.status.success());
            }
        }
    }
    assert!(clean > 100 && clean + conflicts >= 297, "{clean} clean, {conflicts} conflicts");
}
