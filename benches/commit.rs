//! What a commit costs when few of many files changed, and what reading and writing a remote's issues costs.

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use std::{
    fmt::Write as _,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use trackfs::{
    domain::{
        issue::{Field, FieldValue, RemoteIssue},
        path::WsPath,
    },
    git::{FileContent, FileMode, PathChange, Repo},
    workspace::root::Stat,
};

/// A packed repository of `files` tickets, so many in each folder, with an index.
fn repository(dir: &Path, files: usize, folder: usize) -> PathBuf {
    let (workspace, git_dir) = (dir.join("ws"), dir.join("repo.git"));
    fs::create_dir(&workspace).unwrap();
    Repo::init(&workspace, &git_dir).unwrap();
    let mut stream = "commit refs/heads/main\ncommitter x <x@x> 1700000000 +0000\ndata 3\nall\n".to_owned();
    for number in 0..files {
        let body = format!("---\ntitle: Ticket {number}\nstatus: open\n---\nBody of {number}.\n");
        write!(stream, "M 100644 inline {}\ndata {}\n{body}\n", ticket(number, folder), body.len()).unwrap();
    }
    git(&workspace, &["fast-import", "--quiet"], &stream);
    git(&workspace, &["read-tree", "HEAD"], "");
    git_dir
}

fn ticket(number: usize, folder: usize) -> String {
    format!("tickets/{:03}/{number}.md", number / folder)
}

fn git(dir: &Path, args: &[&str], input: &str) {
    let mut child = Command::new("git").args(args).current_dir(dir).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Changes of tickets far from each other, different at every round.
fn changes(files: usize, folder: usize, count: usize, round: usize) -> Vec<PathChange> {
    let stat = Stat {
        dev: 1,
        ino: 1,
        mode: 0o100_644,
        nlink: 1,
        uid: 0,
        gid: 0,
        size: 8,
        mtime: (1_700_000_000, 0),
        ctime: (1_700_000_000, 0),
    };
    let content =
        |number: usize| FileContent { bytes: format!("{round} {number}\n").into_bytes(), mode: FileMode::Plain, stat };
    (0..count)
        .map(|number| number * files / count)
        .map(|number| PathChange { path: WsPath::new(ticket(number, folder)).unwrap(), content: Some(content(number)) })
        .collect()
}

fn commits(c: &mut Criterion) {
    let mut group = c.benchmark_group("commit");
    group.sample_size(20);
    let sizes = [(10_000, 1000), (100_000, 1000), (100_000, 100_000)];
    let indexes = [("whole", "false"), ("split", "true")];
    for ((files, folder), (index, asked)) in sizes.into_iter().flat_map(|size| indexes.map(|index| (size, index))) {
        let dir = tempfile::tempdir().unwrap();
        let repository = repository(dir.path(), files, folder);
        git(&dir.path().join("ws"), &["config", "core.splitIndex", asked], "");
        let repo = Repo::open(&repository).unwrap();
        let mut round = 0;
        for count in [1, 50] {
            group.bench_function(
                BenchmarkId::new(format!("{count} of {files}, index {index}, folders of"), folder),
                |b| {
                    b.iter_batched(
                        || {
                            round += 1;
                            changes(files, folder, count, round)
                        },
                        |changes| repo.commit(&changes, "bench").unwrap().unwrap(),
                        BatchSize::PerIteration,
                    );
                },
            );
        }
    }
}

fn issue(number: usize, title: &str) -> RemoteIssue {
    RemoteIssue {
        id: format!("9cfb482a-81e3-4154-b5b9-{number:012}"),
        key: format!("ENG-{number}"),
        url: format!("https://linear.app/acme/issue/ENG-{number}"),
        updated_at: "2026-01-01T00:00:00.000Z".to_owned(),
        archived: false,
        fields: [
            (Field::Title, FieldValue::text(title)),
            (Field::Body, FieldValue::text("Some text in Markdown.\n".repeat(20))),
            (Field::Labels, FieldValue::Set(["bug".to_owned(), "auth".to_owned()].into())),
        ]
        .into(),
        comments: Vec::new(),
        reactions: Default::default(),
    }
}

fn tracking(c: &mut Criterion) {
    let mut group = c.benchmark_group("tracking of 10000");
    group.sample_size(10);
    let dir = tempfile::tempdir().unwrap();
    let (workspace, git_dir) = (dir.path().join("ws"), dir.path().join("repo.git"));
    fs::create_dir(&workspace).unwrap();
    let repo = Repo::init(&workspace, &git_dir).unwrap();
    let issues: Vec<_> = (0..10_000).map(|number| issue(number, "first")).collect();
    let mut round = 0;
    group.bench_function("write all", |b| {
        b.iter(|| {
            round += 1;
            repo.track(&format!("all-{round}"), &issues, Some("c"), "all").unwrap();
        });
    });
    repo.track("one", &issues, Some("c"), "all").unwrap();
    group.bench_function("write one", |b| {
        b.iter(|| {
            round += 1;
            repo.track("one", &[issue(round % 10_000, &round.to_string())], None, "one").unwrap();
        });
    });
    group.bench_function("read loose", |b| b.iter(|| Repo::open(&git_dir).unwrap().tracking("one").unwrap()));
    git(&workspace, &["gc", "--quiet"], "");
    group.bench_function("read packed", |b| b.iter(|| Repo::open(&git_dir).unwrap().tracking("one").unwrap()));
    group.bench_function("read again", |b| b.iter(|| repo.tracking("one").unwrap()));
}

criterion_group!(benches, commits, tracking);
criterion_main!(benches);
