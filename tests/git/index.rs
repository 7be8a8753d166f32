//! Git's index follows commits, and keeps what the user staged.

use crate::support::*;
use std::{fs, path::PathBuf, slice, time::SystemTime};
use trackfs::git::Repo;

/// As `ls-files --stage` says it.
const FORMAT: &str = "--format=%(objectmode) %(objectname) 0%x09%(path)";

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

/// A repository that asks for a split index, with so many files that few changes leave it split.
fn split() -> (Bench, Repo) {
    let (bench, repo) = Bench::fresh();
    bench.git(&["config", "core.splitIndex", "true"]);
    let changes: Vec<_> = (0..60).map(|number| bench.put(&format!("f/{number:02}"), "base\n")).collect();
    repo.commit(&changes, "base").unwrap();
    (bench, repo)
}

fn shared_files(bench: &Bench) -> Vec<PathBuf> {
    let files = fs::read_dir(bench.git_dir()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.file_name().unwrap().to_str().unwrap().starts_with("sharedindex.")).collect()
}

fn size_of_index(bench: &Bench) -> u64 {
    fs::metadata(bench.git_dir().join("index")).unwrap().len()
}

#[test]
fn an_index_that_git_shall_split_is_split_by_commits_and_git_goes_on_with_it() {
    let (bench, repo) = split();
    let whole = size_of_index(&bench);
    repo.commit(&[bench.put("f/01", "one\n"), bench.remove("f/02"), bench.put("new", "new\n")], "split").unwrap();
    assert_eq!(shared_files(&bench).len(), 1);
    assert!(size_of_index(&bench) < whole / 4, "{} of {whole}", size_of_index(&bench));
    bench.assert_clean();
    repo.commit(&[bench.put("f/01", "two\n"), bench.put("f/02", "again\n"), bench.remove("new")], "further").unwrap();
    assert_eq!(shared_files(&bench).len(), 1);
    assert_eq!(bench.git(&["ls-files", "--stage"]), bench.git(&["ls-tree", "-r", FORMAT, "HEAD"]));
    bench.assert_clean();
    bench.put("f/03", "staged\n");
    bench.git(&["add", "f/03"]);
    bench.put("f/04", "by hand\n");
    bench.git(&["commit", "-qm", "by hand", "f/04"]);
    repo.commit(&[bench.put("f/05", "five\n"), bench.put("f/03", "later\n")], "beside what is staged").unwrap();
    assert_eq!((bench.git(&["show", ":f/03"]), bench.git(&["show", "HEAD:f/03"])), ("staged".into(), "later".into()));
    assert_eq!(bench.git(&["diff", "--cached", "--name-only"]), "f/03");
    bench.assert_sound();
}

#[test]
fn a_split_index_is_made_whole_when_much_of_it_differs_and_split_again_by_the_next_commit() {
    let (bench, repo) = split();
    repo.commit(&[bench.put("f/01", "one\n")], "split").unwrap();
    let split = size_of_index(&bench);
    let many: Vec<_> = (0..20).map(|number| bench.put(&format!("f/{number:02}"), "many\n")).collect();
    repo.commit(&many, "many").unwrap();
    // Before git looks at it, which would split it.
    assert!(size_of_index(&bench) > split * 4);
    let old = shared_files(&bench);
    fs::File::open(&old[0]).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    repo.commit(&[bench.put("f/01", "again\n")], "split again").unwrap();
    bench.assert_clean();
    let new = shared_files(&bench);
    assert!(new.len() == 1 && new != old, "what nobody has needed for weeks is gone: {new:?}");
}

#[test]
fn a_shared_file_in_use_does_not_grow_old() {
    let (bench, repo) = split();
    repo.commit(&[bench.put("f/01", "one\n")], "split").unwrap();
    let shared = &shared_files(&bench)[0];
    fs::File::open(shared).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    repo.commit(&[bench.put("f/01", "two\n")], "further").unwrap();
    assert!(fs::metadata(shared).unwrap().modified().unwrap().elapsed().unwrap().as_secs() < 600);
    bench.git(&["config", "core.splitIndex", "false"]);
    repo.commit(&[bench.put("f/01", "three\n")], "whole").unwrap();
    fs::remove_file(shared).unwrap();
    bench.assert_clean();
}

#[test]
fn a_change_as_young_as_a_split_index_is_still_seen_after_it_was_rewritten() {
    let (bench, repo) = split();
    bench.git(&["config", "core.trustctime", "false"]);
    repo.commit(&[bench.put("f/01", "one\n")], "split").unwrap();
    let written = fs::metadata(bench.ws().join("f/07")).unwrap().modified().unwrap();
    fs::File::open(bench.git_dir().join("index")).unwrap().set_modified(written).unwrap();
    fs::write(bench.ws().join("f/07"), "BASE\n").unwrap();
    fs::File::options().write(true).open(bench.ws().join("f/07")).unwrap().set_modified(written).unwrap();
    repo.commit(&[bench.put("f/01", "two\n")], "another").unwrap();
    assert_eq!(bench.git(&["diff", "--name-only"]), "f/07");
}

#[test]
fn a_split_index_whose_shared_file_is_lost_is_made_anew() {
    let (bench, repo) = split();
    for (round, lose) in
        [|file: &PathBuf| fs::remove_file(file), |file: &PathBuf| fs::write(file, "")].iter().enumerate()
    {
        repo.commit(&[bench.put("f/01", &format!("{round}\n"))], "split, or made anew").unwrap();
        repo.commit(&[bench.put("f/03", &format!("{round}\n"))], "split").unwrap();
        lose(&shared_files(&bench)[0]).unwrap();
        repo.commit(&[bench.put("f/02", &format!("{round}\n"))], "more").unwrap();
        bench.assert_clean();
        shared_files(&bench).iter().for_each(|file| fs::remove_file(file).unwrap());
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
