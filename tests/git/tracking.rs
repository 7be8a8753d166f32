//! What remotes said is kept in tracking refs.

use crate::support::*;
use std::{fs, process::Command, slice, thread, time::Duration};
use trackfs::{
    domain::issue::{Field, FieldValue, RemoteIssue},
    git::{GitError, Repo, Tracking},
};

pub fn issue(id: &str, title: &str) -> RemoteIssue {
    RemoteIssue {
        id: id.to_owned(),
        key: format!("ENG-{id}"),
        url: format!("https://example.com/{id}"),
        updated_at: "2026-01-01T00:00:00Z".to_owned(),
        archived: false,
        fields: [(Field::Title, FieldValue::text(title))].into(),
        comments: Vec::new(),
        reactions: Default::default(),
    }
}

fn tracking(issues: &[RemoteIssue], cursor: Option<&str>) -> Tracking {
    let issues = issues.iter().map(|issue| (issue.id.clone(), issue.clone())).collect();
    Tracking { issues, cursor: cursor.map(str::to_owned), ..Tracking::default() }
}

#[test]
fn what_a_remote_said_is_read_back_and_its_history_kept() {
    let (bench, repo) = Bench::fresh();
    assert_eq!(repo.tracking("linear").unwrap(), Tracking::default());
    let odd = ["../../x", "", "a/b", ".git", "ü", "%41", "A", "CON\n"];
    let first: Vec<_> = odd.iter().map(|id| issue(id, "first")).collect();
    repo.track("linear", &first, Some("c1"), "linear: 8 issues").unwrap();
    assert_eq!(repo.tracking("linear").unwrap(), tracking(&first, Some("c1")));
    let changed = issue("a/b", "second");
    repo.track("linear", slice::from_ref(&changed), None, "linear: 1 issue").unwrap();
    repo.track("linear", slice::from_ref(&changed), Some("c1"), "the same again").unwrap();
    let mut expected = tracking(&first, Some("c1"));
    expected.issues.insert(changed.id.clone(), changed);
    assert_eq!(repo.tracking("linear").unwrap(), expected);
    assert_eq!(Repo::open(&bench.git_dir()).unwrap().tracking("linear").unwrap(), expected);
    let subjects = bench.git(&["log", "--format=%s", "refs/trackfs/remotes/linear"]);
    assert_eq!(subjects, "linear: 1 issue\nlinear: 8 issues");
    assert_eq!(repo.tracking("github").unwrap(), Tracking::default());
    assert_eq!(repo.head().unwrap(), None);
    bench.assert_sound();
}

#[test]
fn writers_of_one_tracking_ref_lose_nothing_of_each_other() {
    let (bench, one) = Bench::fresh();
    let other = Repo::open(&bench.git_dir()).unwrap();
    thread::scope(|scope| {
        for (name, repo) in [("one", &one), ("other", &other)] {
            scope.spawn(move || {
                for round in 0..10 {
                    repo.track("linear", &[issue(&format!("{name}-{round}"), "t")], None, name).unwrap();
                }
            });
        }
    });
    assert_eq!(one.tracking("linear").unwrap().issues.len(), 20);
    bench.assert_sound();
}

#[test]
fn a_damaged_base_is_an_error_and_never_an_absence() {
    let (bench, repo) = Bench::fresh();
    repo.track("linear", &[issue("1", "t")], None, "pull").unwrap();
    let index = bench.root.join("scratch-index");
    let name = bench.git(&["ls-tree", "-r", "--name-only", "refs/trackfs/remotes/linear"]);
    bench.put("bad", "{not json");
    let blob = bench.git(&["hash-object", "-w", "bad"]);
    let script = "git read-tree refs/trackfs/remotes/linear && git update-index --cacheinfo 100644,$BLOB,$NAME && \
         git update-ref refs/trackfs/remotes/linear $(git commit-tree -m bad $(git write-tree))";
    let mut edit = Command::new("sh");
    edit.args(["-ec", script]).env("GIT_INDEX_FILE", index).env("BLOB", blob).env("NAME", name);
    assert!(edit.current_dir(bench.ws()).status().unwrap().success());
    assert!(matches!(repo.tracking("linear"), Err(GitError::Git(_))));
}

#[test]
fn a_lock_that_a_killed_process_left_on_a_tracking_ref_is_removed() {
    let (bench, repo) = Bench::fresh();
    repo.track("linear", &[issue("1", "t")], None, "one").unwrap();
    let lock = bench.git_dir().join("refs/trackfs/remotes/linear.lock");
    fs::write(&lock, "").unwrap();
    assert!(matches!(repo.track("linear", &[issue("2", "t")], None, "two"), Err(GitError::Locked(_))));
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(60);
    fs::File::open(&lock).unwrap().set_modified(long_ago).unwrap();
    repo.track("linear", &[issue("2", "t")], None, "two").unwrap();
    assert_eq!(repo.tracking("linear").unwrap().issues.len(), 2);
}

#[test]
fn names_that_cannot_name_a_remote_are_refused() {
    let (_bench, repo) = Bench::fresh();
    for name in ["", "a/b", "..", "a b", "x.lock"] {
        assert!(repo.track(name, &[issue("1", "t")], None, "no").is_err(), "{name:?}");
    }
}
