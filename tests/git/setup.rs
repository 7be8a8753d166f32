//! A repository is made, or moved out of the workspace with all that belongs to it.

use crate::support::*;
use std::{fs, os::unix::fs::MetadataExt, path::Path, process::Command, time::Duration};
use trackfs::git::{GitError, Repo, discover};

#[test]
fn a_repository_is_made_beside_the_workspace_and_init_may_be_repeated() {
    let (bench, repo) = Bench::fresh();
    let gitfile = fs::read_to_string(bench.ws().join(".git")).unwrap();
    assert_eq!(gitfile, format!("gitdir: {}\n", bench.git_dir().display()));
    assert_eq!(discover(&bench.ws()), Some(bench.git_dir()));
    assert_eq!(repo.git_dir(), bench.git_dir());
    repo.commit(&[bench.put("a", "a")], "a").unwrap();
    bench.init();
    fs::remove_file(bench.ws().join(".git")).unwrap();
    assert_eq!(discover(&bench.ws()), None);
    bench.init();
    assert_eq!(bench.git(&["log", "--format=%s"]), "a");
    assert_eq!(bench.git(&["rev-parse", "--is-bare-repository"]), "false");
    bench.assert_clean();
}

#[test]
fn the_repository_may_not_lie_in_the_workspace_nor_on_top_of_something_else() {
    let bench = Bench::new();
    assert!(Repo::init(&bench.ws(), &bench.ws().join(".trackfs/git")).is_err());
    fs::create_dir_all(bench.git_dir()).unwrap();
    fs::write(bench.git_dir().join("diary.txt"), "mine").unwrap();
    assert!(Repo::init(&bench.ws(), &bench.git_dir()).is_err());
    git(&bench.ws(), &["init", "-q"]);
    assert!(Repo::init(&bench.ws(), &bench.git_dir()).is_err());
    assert!(bench.ws().join(".git/HEAD").exists());
    assert_eq!(fs::read_to_string(bench.git_dir().join("diary.txt")).unwrap(), "mine");
}

/// A repository as a user has it: history, something staged, a stash, a linked worktree and a submodule.
fn a_users_repository(bench: &Bench) {
    let library = bench.root.join("library");
    fs::create_dir(&library).unwrap();
    git(&library, &["init", "-q", "-b", "main"]);
    git(&library, &["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-m", "library"]);
    bench.git(&["init", "-q", "-b", "trunk"]);
    bench.identify();
    bench.put("a.md", "1\n");
    bench.git(&["add", "."]);
    bench.git(&["commit", "-qm", "one"]);
    bench.git(&["submodule", "--quiet", "add", library.to_str().unwrap(), "vendor/library"]);
    bench.git(&["commit", "-qm", "two"]);
    bench.put("a.md", "stashed\n");
    bench.git(&["stash", "-q"]);
    bench.git(&["worktree", "add", "-q", "-b", "side", "../side"]);
    bench.put("staged.md", "staged\n");
    bench.git(&["add", "staged.md"]);
}

fn assert_moved_whole(bench: &Bench) {
    assert_eq!(bench.git(&["log", "--format=%s", "trunk"]), "two\none");
    assert_eq!(bench.git(&["status", "--porcelain"]), "A  staged.md");
    assert_eq!(bench.git(&["stash", "list"]).lines().count(), 1);
    assert_eq!(git(&bench.root.join("side"), &["status", "--porcelain"]), "");
    assert_eq!(bench.git(&["worktree", "list"]).lines().count(), 2);
    assert_eq!(git(&bench.ws().join("vendor/library"), &["log", "--format=%s"]), "library");
    assert_eq!(git(&bench.ws().join("vendor/library"), &["status", "--porcelain"]), "");
    assert!(bench.ws().join(".git").is_file());
    let left = fs::read_dir(bench.ws()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name().into_string().unwrap();
        name.starts_with(".git") && name != ".git" && name != ".gitmodules"
    });
    assert_eq!(left.count(), 0, "nothing is left of the move");
    bench.assert_sound();
}

#[test]
fn an_existing_repository_moves_with_all_that_belongs_to_it() {
    let bench = Bench::new();
    a_users_repository(&bench);
    let repo = bench.init();
    assert_moved_whole(&bench);
    assert_eq!(repo.branch().unwrap().as_deref(), Some("trunk"));
    repo.commit(&[bench.put("b.md", "b\n")], "three").unwrap();
    assert_eq!(bench.git(&["status", "--porcelain"]), "A  staged.md");
    bench.init();
    assert_eq!(bench.git(&["log", "-1", "--format=%s"]), "three");
}

#[test]
fn an_existing_repository_moves_across_filesystems() {
    let shm = Path::new("/dev/shm");
    let bench = Bench::new();
    if !shm.is_dir() || fs::metadata(shm).unwrap().dev() == fs::metadata(bench.ws()).unwrap().dev() {
        return;
    }
    a_users_repository(&bench);
    let other = tempfile::tempdir_in(shm).unwrap();
    let git_dir = other.path().join("repo.git");
    Repo::init(&bench.ws(), &git_dir).unwrap();
    assert_moved_whole(&bench);
    assert_eq!(discover(&bench.ws()), Some(git_dir));
}

#[test]
fn relative_paths_in_the_configuration_still_mean_the_same_after_a_move() {
    let bench = Bench::new();
    let lender = bench.root.join("lender");
    fs::create_dir(&lender).unwrap();
    git(&lender, &["init", "-q", "-b", "main"]);
    git(&lender, &["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-m", "lent"]);
    git(&bench.root, &["clone", "-q", "--shared", "lender", "ws"]);
    fs::write(bench.ws().join(".git/objects/info/alternates"), "../../../lender/.git/objects\n").unwrap();
    bench.put("team.config", "[user]\n\tname = Team\n\temail = team@example.com\n[alias]\n\thello = version\n");
    bench.git(&["config", "include.path", "../team.config"]);
    bench.git(&["config", "core.worktree", "../../ws"]);
    let repo = bench.init();
    assert_eq!(bench.git(&["log", "--format=%s"]), "lent");
    repo.commit(&[bench.change("team.config")], "by the team").unwrap();
    assert_eq!(bench.git(&["log", "-1", "--format=%an"]), "Team");
    assert!(bench.git(&["hello"]).starts_with("git version"));
    assert_eq!(bench.git(&["config", "core.worktree"]), bench.ws().to_str().unwrap());
    bench.assert_clean();
}

#[test]
fn an_identity_that_depends_on_the_place_of_the_repository_survives_the_move() {
    let bench = Bench::new();
    bench.git(&["init", "-q"]);
    fs::write(bench.root.join("work.config"), "[user]\n\tname = At Work\n\temail = me@work.example\n").unwrap();
    let condition = format!("includeIf.gitdir:{}/.path", bench.ws().to_str().unwrap());
    bench.git(&["config", &condition, bench.root.join("work.config").to_str().unwrap()]);
    let repo = bench.init();
    repo.commit(&[bench.put("a", "a")], "a").unwrap();
    assert_eq!(bench.git(&["log", "--format=%an <%ae>"]), "At Work <me@work.example>");
    assert_eq!(bench.git(&["config", "user.email"]), "me@work.example");
}

#[test]
fn a_repository_of_an_unknown_format_is_refused_and_left_alone() {
    for format in ["--ref-format=reftable", "--object-format=sha256"] {
        let bench = Bench::new();
        bench.git(&["init", "-q", format]);
        assert!(Repo::init(&bench.ws(), &bench.git_dir()).is_err(), "{format}");
        assert!(bench.ws().join(".git/HEAD").exists());
        assert!(Repo::open(&bench.ws().join(".git")).is_err(), "{format}");
    }
}

#[test]
fn a_symlinked_git_folder_is_used_where_it_is() {
    let bench = Bench::new();
    let real = bench.root.join("real.git");
    bench.git(&["init", "-q"]);
    bench.identify();
    fs::rename(bench.ws().join(".git"), &real).unwrap();
    std::os::unix::fs::symlink("../real.git", bench.ws().join(".git")).unwrap();
    let repo = bench.init();
    assert_eq!(repo.git_dir(), real);
    repo.commit(&[bench.put("a", "a")], "a").unwrap();
    bench.assert_clean();
}

#[test]
fn an_old_object_that_is_used_again_is_safe_from_pruning() {
    let (bench, repo) = Bench::fresh();
    bench.put("a", "unused so far");
    let id = bench.git(&["hash-object", "-w", "a"]);
    let object = bench.git_dir().join("objects").join(&id[..2]).join(&id[2..]);
    let old = std::time::SystemTime::now() - Duration::from_secs(60 * 60 * 24 * 30);
    fs::File::open(&object).unwrap().set_modified(old).unwrap();
    repo.commit(&[bench.change("a")], "used").unwrap();
    assert!(fs::metadata(&object).unwrap().modified().unwrap().elapsed().unwrap() < Duration::from_secs(60));
}

#[test]
fn a_move_is_refused_while_git_is_at_work() {
    let bench = Bench::new();
    bench.git(&["init", "-q"]);
    fs::write(bench.ws().join(".git/index.lock"), "").unwrap();
    assert!(matches!(Repo::init(&bench.ws(), &bench.git_dir()), Err(GitError::Locked(_))));
    assert!(bench.ws().join(".git/HEAD").exists());
}

#[test]
fn an_interrupted_move_is_taken_up_again() {
    let bench = Bench::new();
    bench.git(&["init", "-q"]);
    bench.identify();
    bench.put("a", "a");
    bench.git(&["add", "."]);
    bench.git(&["commit", "-qm", "one"]);
    // The gitfile was put in place, and the exchange did not happen.
    fs::create_dir_all(bench.git_dir().parent().unwrap()).unwrap();
    fs::write(bench.git_dir(), format!("gitdir: {}\n", bench.git_dir().display())).unwrap();
    bench.init();
    bench.assert_clean();
    // A copy was complete, but `.git` is still the folder, and has gone on.
    let (copy, git_dir) = (bench.root.join("copy"), bench.git_dir());
    fs::rename(&git_dir, &copy).unwrap();
    assert!(Command::new("cp").arg("-a").arg(&copy).arg(&git_dir).status().unwrap().success());
    fs::write(git_dir.join("trackfs-copying"), "").unwrap();
    let held = "held by trackfs while it moves the repository\n";
    fs::remove_file(bench.ws().join(".git")).unwrap();
    fs::rename(&copy, bench.ws().join(".git")).unwrap();
    bench.git(&["commit", "-q", "--allow-empty", "-m", "two"]);
    fs::write(bench.ws().join(".git/index.lock"), held).unwrap();
    bench.init();
    assert_eq!(bench.git(&["log", "--format=%s"]), "two\none");
    bench.assert_clean();
}

#[test]
fn a_linked_worktree_is_used_where_its_repository_is() {
    let bench = Bench::new();
    let main = bench.root.join("main");
    fs::create_dir(&main).unwrap();
    git(&main, &["init", "-q", "-b", "main"]);
    git(&main, &["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-m", "root"]);
    fs::remove_dir(bench.ws()).unwrap();
    git(&main, &["worktree", "add", "-q", "-b", "side", bench.ws().to_str().unwrap()]);
    let repo = bench.init();
    assert_eq!(repo.git_dir(), main.join(".git/worktrees/ws"));
    assert!(!bench.git_dir().exists());
    bench.identify();
    repo.commit(&[bench.put("a", "a")], "on the side").unwrap();
    assert_eq!(git(&main, &["log", "--format=%s", "side"]), "on the side\nroot");
    assert_eq!(git(&main, &["log", "--format=%s", "main"]), "root");
    repo.track("linear", &[crate::tracking::issue("1", "t")], None, "pull").unwrap();
    assert_eq!(git(&main, &["log", "--format=%s", "refs/trackfs/remotes/linear"]), "pull");
    bench.assert_clean();
}
