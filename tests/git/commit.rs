//! Commits are what git itself could have made, on top of whatever the user did.

use crate::support::*;
use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, process::Command, slice};
use trackfs::git::{FileContent, GitError, PathChange, Repo};

#[test]
fn a_commit_is_one_that_git_itself_could_have_made() {
    let (bench, repo) = Bench::fresh();
    let changes = [bench.put("tickets/auth/login.md", "one\n"), bench.put("specs/a.md", "two\n")];
    let first = repo.commit(&changes, "login: opened\n\nTrackfs-Actor: vim").unwrap().unwrap();
    assert_eq!(bench.git(&["rev-parse", "HEAD"]), first);
    assert_eq!(bench.git(&["show", "HEAD:tickets/auth/login.md"]), "one");
    assert_eq!(
        bench.git(&["log", "-1", "--format=%an <%ae>|%cn|%B"]),
        "Ada Lovelace <ada@example.com>|Ada Lovelace|login: opened\n\nTrackfs-Actor: vim"
    );
    assert_eq!(bench.git(&["log", "-g", "-1", "--format=%gs", "main"]), "commit: login: opened");
    assert_eq!(bench.git(&["log", "-g", "-1", "--format=%H", "HEAD"]), first);
    bench.assert_clean();
    let second = repo.commit(&[bench.put("specs/a.md", "three\n")], "again").unwrap().unwrap();
    assert_eq!(bench.git(&["rev-parse", "HEAD", "HEAD~1"]), format!("{second}\n{first}"));
    assert_eq!(repo.head().unwrap(), Some(second));
    assert_eq!(repo.branch().unwrap().as_deref(), Some("main"));
    bench.assert_clean();
}

#[test]
fn an_identity_configured_meanwhile_counts() {
    let (bench, repo) = Bench::fresh();
    repo.commit(&[bench.put("a", "1")], "one").unwrap();
    bench.git(&["config", "user.name", "Grace Hopper"]);
    repo.commit(&[bench.put("a", "2")], "two").unwrap();
    assert_eq!(bench.git(&["log", "--format=%an"]), "Grace Hopper\nAda Lovelace");
}

#[test]
fn nothing_is_committed_when_the_tree_would_stay_the_same() {
    let (bench, repo) = Bench::fresh();
    let change = bench.put("a.md", "a\n");
    assert!(repo.commit(&[], "nothing").unwrap().is_none());
    let first = repo.commit(slice::from_ref(&change), "a").unwrap();
    assert_eq!(repo.commit(&[change], "a again").unwrap(), None);
    let never = PathChange { path: path("never/was.md"), content: None };
    assert_eq!(repo.commit(&[never], "no such file").unwrap(), None);
    assert_eq!(repo.head().unwrap(), first);
    bench.assert_clean();
}

#[test]
fn executables_symlinks_and_removals_are_recorded() {
    let (bench, repo) = Bench::fresh();
    bench.put("run.sh", "#!/bin/sh\n");
    fs::set_permissions(bench.ws().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("run.sh", bench.ws().join("link")).unwrap();
    let changes = [bench.change("run.sh"), bench.change("link"), bench.put("gone.md", "x")];
    repo.commit(&changes, "three kinds").unwrap();
    let modes = bench.git(&["ls-tree", "--format=%(objectmode) %(path)", "HEAD"]);
    assert_eq!(modes, "100644 gone.md\n120000 link\n100755 run.sh");
    bench.assert_clean();
    repo.commit(&[bench.remove("gone.md")], "gone").unwrap();
    assert_eq!(bench.git(&["ls-files"]), "link\nrun.sh");
    bench.assert_clean();
}

#[test]
fn a_file_may_become_a_folder_and_a_folder_a_file() {
    let (bench, repo) = Bench::fresh();
    repo.commit(&[bench.put("a", "file"), bench.put("b/c/d", "deep"), bench.put("b.md", "x")], "before").unwrap();
    fs::remove_file(bench.ws().join("a")).unwrap();
    fs::remove_dir_all(bench.ws().join("b")).unwrap();
    let removed = |name: &str| PathChange { path: path(name), content: None };
    let added = [bench.put("a/x", "1"), bench.put("a/y/z", "2"), bench.put("b", "now a file")];
    let changes: Vec<_> = added.into_iter().chain([removed("b/c/d"), removed("a")]).collect();
    repo.commit(&changes, "after").unwrap();
    assert_eq!(bench.git(&["ls-files"]), "a/x\na/y/z\nb\nb.md");
    bench.assert_clean();
}

#[test]
fn commits_follow_the_branch_that_is_checked_out() {
    let (bench, repo) = Bench::fresh();
    repo.commit(&[bench.put("a.md", "1\n")], "base").unwrap();
    bench.git(&["checkout", "-q", "-b", "feature/x"]);
    repo.commit(&[bench.put("a.md", "2\n")], "on the branch").unwrap();
    assert_eq!(repo.branch().unwrap().as_deref(), Some("feature/x"));
    assert_eq!(bench.git(&["log", "--format=%s", "main"]), "base");
    bench.git(&["checkout", "-q", "--detach"]);
    repo.commit(&[bench.put("a.md", "3\n")], "detached").unwrap();
    assert_eq!(repo.branch().unwrap(), None);
    assert_eq!(bench.git(&["log", "--format=%s"]), "detached\non the branch\nbase");
    assert_eq!(bench.git(&["log", "--format=%s", "feature/x"]), "on the branch\nbase");
    bench.git(&["checkout", "-q", "--orphan", "empty"]);
    bench.git(&["rm", "-rqf", "--cached", "."]);
    repo.commit(&[bench.change("a.md")], "a new root").unwrap();
    assert_eq!(bench.git(&["log", "--format=%s"]), "a new root");
    bench.assert_clean();
}

#[test]
fn packed_refs_and_packed_objects_are_built_upon() {
    let (bench, repo) = Bench::fresh();
    repo.commit(&[bench.put("a.md", "1\n")], "one").unwrap();
    bench.git(&["gc", "-q"]);
    assert!(!bench.git_dir().join("refs/heads/main").exists());
    repo.commit(&[bench.put("a.md", "2\n")], "two").unwrap();
    bench.git(&["pack-refs", "--all"]);
    repo.commit(&[bench.put("b/c.md", "3\n")], "three").unwrap();
    assert_eq!(bench.git(&["log", "--format=%s"]), "three\ntwo\none");
    assert_eq!(repo.log(None, 9).unwrap().len(), 3);
    bench.assert_clean();
}

#[test]
fn nothing_is_committed_into_a_merge_or_rebase() {
    let (bench, repo) = Bench::fresh();
    repo.commit(&[bench.put("a.md", "base\n")], "base").unwrap();
    bench.git(&["checkout", "-qb", "other"]);
    repo.commit(&[bench.put("a.md", "theirs\n")], "theirs").unwrap();
    bench.git(&["checkout", "-q", "main"]);
    repo.commit(&[bench.put("a.md", "ours\n")], "ours").unwrap();
    for (begin, end, name) in [
        (["merge", "other"], ["merge", "--abort"], "merge"),
        (["rebase", "other"], ["rebase", "--abort"], "rebase"),
        (["cherry-pick", "other"], ["cherry-pick", "--abort"], "cherry-pick"),
        (["revert", "HEAD~1"], ["revert", "--abort"], "revert"),
        (["bisect", "start"], ["bisect", "reset"], "bisect"),
    ] {
        bench.try_git(&begin);
        let refused = repo.commit(&[bench.put("b.md", "b\n")], "b").unwrap_err();
        assert!(matches!(&refused, GitError::InProgress(what) if what == name), "{name}: {refused:?}");
        bench.git(&end);
    }
    assert_eq!(bench.git(&["log", "-1", "--format=%s"]), "ours");
    assert!(repo.commit(&[bench.change("b.md")], "b").unwrap().is_some());
    bench.assert_clean();
}

#[test]
fn names_that_no_repository_may_hold_are_refused() {
    let (bench, repo) = Bench::fresh();
    let content = bench.put("a.md", "a").content;
    for name in [".git", "x/.GIT/config", "git~1", ".g\u{200c}it/x", ""] {
        let change = PathChange { path: path(name), content: content.clone() };
        let refused = repo.commit(&[change], "no").unwrap_err();
        assert!(matches!(refused, GitError::IllegalPath(_)), "{name:?}: {refused:?}");
    }
    assert_eq!(repo.head().unwrap(), None);
    let odd = ["a:b.md", "CON", "ü/日本.md", "-x", "a\\b", "new\nline"];
    repo.commit(&odd.map(|name| bench.put(name, "x")), "odd, but legal").unwrap();
    let tree: BTreeSet<_> = repo.head_tree().unwrap().into_keys().collect();
    assert_eq!(tree, odd.into_iter().map(path).collect());
    bench.assert_sound();
}

#[test]
fn a_work_tree_setting_is_never_followed() {
    let (bench, _) = Bench::fresh();
    let away = bench.root.join("elsewhere");
    bench.git(&["config", "core.worktree", away.to_str().unwrap()]);
    let repo = Repo::open(&bench.git_dir()).unwrap();
    let change = bench.put("a", "a");
    repo.commit(&[change], "a").unwrap().unwrap();
    assert!(!away.exists());
    bench.git(&["config", "core.worktree", bench.ws().to_str().unwrap()]);
    bench.assert_clean();
}

/// Commits once in the environment it was started with: see the test below.
#[test]
#[ignore = "a helper process of the test below"]
fn commits_once() {
    let Some(root) = std::env::var_os("TRACKFS_BENCH") else { return };
    let bench = Bench { root: root.into(), _dir: None };
    Repo::open(&bench.git_dir()).unwrap().commit(&[bench.put("a", "a")], "a").unwrap().unwrap();
}

#[test]
fn the_environment_says_who_commits_but_not_where() {
    for foreign in [false, true] {
        let (bench, _) = Bench::fresh();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--ignored", "--exact", "commit::commits_once"]).env("TRACKFS_BENCH", &bench.root);
        child.env("GIT_AUTHOR_NAME", "From Environment");
        if foreign {
            let nowhere = bench.root.join("nowhere");
            for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"] {
                child.env(name, &nowhere);
            }
        }
        assert!(child.output().unwrap().status.success());
        assert_eq!(bench.git(&["log", "--format=%an|%cn"]), "From Environment|Ada Lovelace");
        assert!(!bench.root.join("nowhere").exists());
        bench.assert_clean();
    }
}

#[test]
fn one_change_among_ten_thousand_files_writes_the_trees_above_it_and_no_other() {
    let (bench, repo) = Bench::fresh();
    let empty = bench.put("seed", "x").content.unwrap();
    let many: Vec<_> = (0..10_000)
        .map(|number| {
            let content = FileContent { bytes: format!("ticket {number}\n").into_bytes(), ..empty.clone() };
            PathChange { path: path(&format!("tickets/{:02}/{number}.md", number % 100)), content: Some(content) }
        })
        .collect();
    repo.commit(&many, "all").unwrap();
    assert_eq!(repo.head_tree().unwrap().len(), 10_000);
    let objects = || bench.git(&["count-objects"]).split(' ').next().unwrap().parse::<usize>().unwrap();
    let before = objects();
    for round in 0..10 {
        repo.commit(&[bench.put("tickets/07/7.md", &format!("round {round}"))], "one").unwrap().unwrap();
    }
    // A file, three folders and a commit each.
    assert_eq!(objects() - before, 50);
    assert_eq!(bench.git(&["diff", "--stat", "HEAD~1", "HEAD"]).lines().count(), 2);
    bench.assert_sound();
}

#[test]
fn an_object_that_a_power_cut_left_empty_is_written_anew() {
    let (bench, repo) = Bench::fresh();
    repo.commit(&[bench.put("a.md", "a\n")], "base").unwrap();
    let change = bench.put("f/b.md", "b\n");
    let empty = |id: String| {
        let file = bench.git_dir().join("objects").join(&id[..2]).join(&id[2..]);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
    };
    let blob = bench.git(&["hash-object", "f/b.md"]);
    // The folder's tree, too: its id is that of the same folder elsewhere.
    let (other, elsewhere) = Bench::fresh();
    elsewhere.commit(&[other.put("f/b.md", "b\n")], "base").unwrap();
    let tree = other.git(&["rev-parse", "HEAD:f"]);
    [blob, tree].into_iter().for_each(empty);
    repo.commit(&[change], "more").unwrap();
    assert_eq!(bench.git(&["show", "HEAD:f/b.md"]), "b");
    bench.assert_clean();
}

#[test]
fn what_a_power_cut_left_of_objects_that_nobody_needs_is_gone_at_the_next_commit() {
    let (bench, repo) = Bench::fresh();
    let objects = bench.git_dir().join("objects");
    let folder = objects.join("0a");
    fs::create_dir_all(&folder).unwrap();
    let (empty, under_way) = (folder.join("b".repeat(38)), folder.join("tmp_obj_Ab12"));
    [&empty, &under_way].into_iter().for_each(|file| fs::write(file, "").unwrap());
    let [whole, cut, nothing, other] = ["whole", "cut", "nothing", "other"].map(|name| {
        fs::write(bench.ws().join(name), format!("{name}\n").repeat(100)).unwrap();
        let id = bench.git(&["hash-object", "-w", name]);
        fs::remove_file(bench.ws().join(name)).unwrap();
        objects.join(&id[..2]).join(&id[2..])
    });
    let bytes = fs::read(&cut).unwrap();
    for (file, torn) in [(&cut, &bytes[..bytes.len() / 2]), (&nothing, &vec![0; bytes.len()]), (&other, &bytes)] {
        fs::remove_file(file).unwrap();
        fs::write(file, torn).unwrap();
    }
    fs::write(bench.git_dir().join("trackfs.writing"), "").unwrap();
    repo.commit(&[bench.put("a.md", "a\n")], "one").unwrap();
    for torn in [empty, cut, nothing, other] {
        assert!(!torn.exists(), "{torn:?}");
    }
    assert!(whole.exists() && under_way.exists());
    assert!(!bench.git_dir().join("trackfs.writing").exists());
    bench.assert_clean();
}
