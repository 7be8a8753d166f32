//! Git's index follows commits, and keeps what the user staged.

use crate::support::*;
use std::{fs, path::PathBuf, slice};

#[test]
fn what_the_user_staged_stays_staged() {
    let (bench, repo) = Bench::fresh();
    let files = ["kept.md", "own.md", "out.md", "theirs.md"].map(|name| bench.put(name, "base\n"));
    repo.commit(&files, "base").unwrap();
    bench.put("own.md", "staged\n");
    bench.put("new.md", "new\n");
    bench.git(&["add", "own.md", "new.md"]);
    bench.git(&["rm", "-q", "--cached", "out.md"]);
    let saves = [bench.put("kept.md", "saved\n"), bench.put("own.md", "later\n"), bench.put("out.md", "o\n")];
    repo.commit(&saves, "saves").unwrap();
    assert_eq!(bench.git(&["show", "HEAD:own.md"]), "later");
    assert_eq!(bench.git(&["show", ":own.md"]), "staged");
    assert_eq!(bench.git(&["diff", "--cached", "--name-status"]), "A\tnew.md\nD\tout.md\nM\town.md");
    assert_eq!(bench.git(&["diff", "--name-only"]), "own.md");
    bench.assert_sound();
}

#[test]
fn staging_what_is_then_committed_leaves_a_clean_status() {
    let (bench, repo) = Bench::fresh();
    let change = bench.put("a.md", "a\n");
    bench.git(&["add", "a.md"]);
    bench.put("b.md", "b\n");
    bench.git(&["add", "--intent-to-add", "b.md"]);
    repo.commit(&[change, bench.change("b.md")], "both").unwrap();
    bench.assert_clean();
}

#[test]
fn a_change_as_young_as_the_index_is_still_seen_after_it_was_rewritten() {
    let (bench, repo) = Bench::fresh();
    bench.git(&["config", "core.trustctime", "false"]);
    repo.commit(&[bench.put("racy.md", "one\n"), bench.put("b.md", "b\n")], "base").unwrap();
    let written = fs::metadata(bench.ws().join("racy.md")).unwrap().modified().unwrap();
    let open = |path: PathBuf| fs::File::options().write(true).open(path).unwrap();
    open(bench.git_dir().join("index")).set_modified(written).unwrap();
    // Changed in the very instant of the index, without a change of size: only the content tells.
    fs::write(bench.ws().join("racy.md"), "two\n").unwrap();
    open(bench.ws().join("racy.md")).set_modified(written).unwrap();
    repo.commit(&[bench.put("b.md", "c\n")], "another").unwrap();
    assert_eq!(bench.git(&["diff", "--name-only"]), "racy.md");
}

#[test]
fn indexes_of_every_format_are_kept_in_step() {
    for settings in [["index.version", "4"], ["index.skipHash", "true"], ["core.splitIndex", "true"]] {
        let (bench, repo) = Bench::fresh();
        bench.git(&["config", settings[0], settings[1]]);
        for name in ["a/b", "a/c", "d"] {
            bench.put(name, name);
        }
        bench.git(&["add", "."]);
        bench.git(&["commit", "-qm", "base"]);
        repo.commit(&[bench.put("a/b", "changed"), bench.remove("d"), bench.put("e/f", "new")], "more").unwrap();
        assert_eq!(bench.git(&["ls-files"]), "a/b\na/c\ne/f", "{settings:?}");
        bench.assert_clean();
        bench.put("a/c", "by hand");
        bench.git(&["commit", "-qam", "by hand"]);
        assert_eq!(bench.git(&["ls-tree", "-r", "--name-only", "HEAD"]), "a/b\na/c\ne/f", "{settings:?}");
        bench.assert_clean();
    }
}

#[test]
fn a_sparse_index_stays_sparse_and_in_step() {
    let (bench, repo) = Bench::fresh();
    repo.commit(&[bench.put("in/a", "1"), bench.put("out/b/c", "2"), bench.put("out/d", "3")], "base").unwrap();
    bench.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "in"]);
    assert!(!bench.ws().join("out").exists());
    let outside = repo.read_at("HEAD", &path("out/d")).unwrap().unwrap();
    let mut change = bench.put("in/a", "1!");
    repo.commit(slice::from_ref(&change), "inside").unwrap();
    bench.assert_clean();
    change.path = path("out/b/c");
    repo.commit(&[change], "outside").unwrap();
    assert_eq!(bench.git(&["show", "HEAD:out/b/c"]), "1!");
    assert_eq!(repo.read_at("HEAD", &path("out/d")).unwrap().unwrap(), outside);
    assert_eq!(bench.git(&["ls-files", "--sparse"]), "in/a\nout/");
    bench.assert_clean();
}

#[test]
fn a_lost_index_is_made_anew() {
    let (bench, repo) = Bench::fresh();
    repo.commit(&[bench.put("a/b", "1"), bench.put("c", "1")], "base").unwrap();
    let index = bench.git_dir().join("index");
    fs::remove_file(&index).unwrap();
    repo.commit(&[bench.put("c", "2"), bench.put("d", "2")], "more").unwrap();
    bench.assert_clean();
    fs::write(&index, "").unwrap();
    repo.commit(&[bench.put("c", "3"), bench.put("e", "3")], "more").unwrap();
    bench.assert_clean();
}
