//! Others hold locks, move the branch, or kill us.

use crate::support::*;
use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use trackfs::git::{GitError, Repo};

#[test]
fn a_commit_made_by_hand_in_between_is_kept() {
    let (bench, repo) = Bench::fresh();
    repo.commit(&[bench.put("a.md", "1\n"), bench.put("b.md", "1\n")], "base").unwrap();
    bench.put("b.md", "by hand\n");
    bench.git(&["commit", "-qam", "by hand"]);
    repo.commit(&[bench.put("a.md", "2\n")], "saved").unwrap();
    assert_eq!(bench.git(&["log", "--format=%s"]), "saved\nby hand\nbase");
    assert_eq!(bench.git(&["show", "HEAD:b.md"]), "by hand");
    bench.assert_clean();
}

#[test]
fn a_held_index_lock_is_waited_for_and_then_reported() {
    let (bench, repo) = Bench::fresh();
    let lock = bench.git_dir().join("index.lock");
    fs::write(&lock, "").unwrap();
    let started = Instant::now();
    let refused = repo.commit(&[bench.put("a.md", "a\n")], "a").unwrap_err();
    assert!(matches!(refused, GitError::Locked(_)), "{refused:?}");
    assert!(started.elapsed() > Duration::from_secs(1) && started.elapsed() < Duration::from_secs(5));
    assert!(lock.exists(), "the user's lock is the user's");
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(300));
            fs::remove_file(&lock).unwrap();
        });
        assert!(repo.commit(&[bench.change("a.md")], "a").unwrap().is_some());
    });
    bench.assert_clean();
}

#[test]
fn a_held_ref_lock_is_reported_and_leaves_no_lock_behind() {
    let (bench, repo) = Bench::fresh();
    repo.commit(&[bench.put("a.md", "a\n")], "a").unwrap();
    let lock = bench.git_dir().join("refs/heads/main.lock");
    fs::write(&lock, "").unwrap();
    let refused = repo.commit(&[bench.put("a.md", "b\n")], "b").unwrap_err();
    assert!(matches!(refused, GitError::Locked(_)), "{refused:?}");
    assert!(!bench.git_dir().join("index.lock").exists());
    fs::remove_file(&lock).unwrap();
    repo.commit(&[bench.change("a.md")], "b").unwrap().unwrap();
    bench.assert_clean();
}

#[test]
fn a_crash_before_the_branch_moved_is_rolled_back() {
    let (bench, repo) = Bench::fresh();
    repo.commit(&[bench.put("a.md", "a\n")], "a").unwrap();
    let own = bench.git_dir().join("trackfs-index-0123456789012345678901234567890123456789");
    fs::write(&own, "half an ind").unwrap();
    fs::hard_link(&own, bench.git_dir().join("index.lock")).unwrap();
    drop(repo);
    let repo = Repo::open(&bench.git_dir()).unwrap();
    assert!(!own.exists());
    bench.put("a.md", "by hand\n");
    bench.git(&["commit", "-qam", "by hand"]);
    repo.commit(&[bench.put("a.md", "b\n")], "b").unwrap().unwrap();
    bench.assert_clean();
}

#[test]
fn a_crash_after_the_branch_moved_is_completed() {
    let (bench, repo) = Bench::fresh();
    repo.commit(&[bench.put("a.md", "a\n")], "a").unwrap();
    let index = bench.git_dir().join("index");
    let before = fs::read(&index).unwrap();
    let tip = repo.commit(&[bench.put("a.md", "longer\n")], "b").unwrap().unwrap();
    let own = bench.git_dir().join(format!("trackfs-index-{tip}"));
    fs::rename(&index, &own).unwrap();
    fs::hard_link(&own, bench.git_dir().join("index.lock")).unwrap();
    fs::write(&index, before).unwrap();
    repo.commit(&[bench.put("b.md", "b\n")], "next").unwrap().unwrap();
    bench.assert_clean();
}

/// Commits without end, and says each commit once it is done: the victim of the test below.
#[test]
#[ignore = "a helper process of the test below"]
fn commits_until_killed() {
    let Some(root) = std::env::var_os("TRACKFS_VICTIM") else { return };
    let bench = Bench { root: root.into(), _dir: None };
    let repo = Repo::open(&bench.git_dir()).unwrap();
    for round in 0.. {
        let change = bench.put("a.md", &format!("{} {round}\n", std::process::id()));
        println!("done {}", repo.commit(&[change], "saved").unwrap().unwrap());
    }
}

#[test]
fn a_process_killed_at_any_moment_leaves_a_sound_repository_and_no_lock() {
    let (bench, repo) = Bench::fresh();
    repo.commit(&[bench.put("a.md", "first\n"), bench.put("b.md", "first\n")], "first").unwrap();
    for round in 0..12u64 {
        let mut victim = Command::new(std::env::current_exe().unwrap());
        victim
            .args(["--ignored", "--exact", "locks::commits_until_killed", "--nocapture"])
            .env("TRACKFS_VICTIM", &bench.root);
        let mut victim = victim.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
        let first = lines.find(|line| line.contains("done ")).unwrap();
        thread::sleep(Duration::from_micros(round * 3_700));
        victim.kill().unwrap();
        victim.wait().unwrap();
        let last = lines.filter(|line| line.contains("done ")).last().unwrap_or(first);
        let acknowledged = last.rsplit_once("done ").unwrap().1;
        assert_eq!(acknowledged.len(), 40);
        repo.commit(&[bench.put("b.md", &format!("{round}\n"))], "after the crash").unwrap().unwrap();
        assert!(bench.try_git(&["merge-base", "--is-ancestor", acknowledged, "HEAD"]).status.success());
        assert_eq!(bench.git(&["diff", "--cached", "--name-only"]), "", "the index follows HEAD");
        bench.assert_sound();
    }
}

#[test]
fn racing_with_git_in_another_process_loses_nobody() {
    const ROUNDS: usize = 25;
    let (bench, repo) = Bench::fresh();
    repo.commit(&[bench.put("seed.md", "seed\n")], "seed").unwrap();
    let by_hand = |round: usize| {
        let name = format!("theirs-{round}.md");
        bench.put(&name, "x\n");
        ["add", "commit"].into_iter().all(|verb| match verb {
            "add" => bench.try_git(&["add", &name]).status.success(),
            _ => bench.try_git(&["commit", "-qm", &name]).status.success(),
        })
    };
    let theirs = thread::scope(|scope| {
        let theirs = scope.spawn(|| (0..ROUNDS).filter(|&round| by_hand(round)).count());
        for round in 0..ROUNDS {
            let change = bench.put(&format!("ours/{round}.md"), "y\n");
            repo.commit(&[change], &format!("ours {round}")).unwrap().unwrap();
        }
        theirs.join().unwrap()
    });
    // Where git met our lock it said so, and its file waits in the work tree or the index.
    bench.git(&["add", "."]);
    bench.try_git(&["commit", "-qm", "rest"]);
    let subjects = bench.git(&["log", "--format=%s"]);
    let count = |what: &str| subjects.lines().filter(|line| line.starts_with(what)).count();
    assert_eq!((count("ours"), count("theirs")), (ROUNDS, theirs));
    assert_eq!(bench.git(&["ls-tree", "-r", "--name-only", "HEAD"]).lines().count(), 1 + 2 * ROUNDS);
    bench.assert_clean();
}

#[test]
fn two_processes_of_trackfs_commit_in_turn() {
    let (bench, one) = Bench::fresh();
    let other = Repo::open(&bench.git_dir()).unwrap();
    thread::scope(|scope| {
        for (name, repo) in [("one", &one), ("other", &other)] {
            let bench = &bench;
            scope.spawn(move || {
                for round in 0..10 {
                    repo.commit(&[bench.put(&format!("{name}-{round}"), "x")], name).unwrap().unwrap();
                }
            });
        }
    });
    assert_eq!(bench.git(&["rev-list", "--count", "HEAD"]), "20");
    bench.assert_clean();
}
