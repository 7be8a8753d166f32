//! A repository with a random history: edits, moves, removals, branches, merges. The same seed makes the same one.

use crate::support::checked;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    fmt::Write,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
};
use trackfs::{daemon::past::History, git::Repo};

pub struct Random {
    home: tempfile::TempDir,
    rng: StdRng,
    commits: u32,
}

const STATUSES: [&str; 4] = ["todo", "in-progress", "done", "backlog"];

impl Random {
    pub fn new(seed: u64) -> Self {
        let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let random = Self { home, rng: StdRng::seed_from_u64(seed), commits: 0 };
        fs::create_dir_all(random.dir().join("tickets")).unwrap();
        random.git("init -q -b main");
        random
    }

    pub fn dir(&self) -> PathBuf {
        self.home.path().join("work")
    }

    pub fn history(&self) -> History {
        let repo = Repo::open(&self.dir().join(".git")).unwrap();
        History::open(Arc::new(repo), &self.state()).unwrap()
    }

    pub fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// Standard output of a git command that has to succeed.
    #[track_caller]
    pub fn git(&self, command: &str) -> String {
        let at = format!("{} +0000", 1_760_000_000 + u64::from(self.commits) * 60);
        let output = Command::new("bash")
            .args(["-c", &format!("git {command}")])
            .current_dir(self.dir())
            .stdin(Stdio::null())
            .env("HOME", self.home.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs([("GIT_AUTHOR_DATE", &at), ("GIT_COMMITTER_DATE", &at)])
            .envs(["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].map(|name| (name, "Ann")))
            .envs(["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].map(|name| (name, "ann@example.org")))
            .output()
            .unwrap();
        checked(command, &output)
    }

    /// Makes so many commits, some of them merges.
    pub fn grow(&mut self, commits: u32) {
        for _ in 0..commits {
            match self.rng.random_range(0..20) {
                0 if self.commits > 0 => self.branch(),
                1..4 if self.commits > 0 => self.merge(),
                _ => self.edit(),
            }
        }
    }

    fn branch(&mut self) {
        self.edit();
        self.git(&format!("checkout -q -b b{}", self.commits));
    }

    fn merge(&mut self) {
        let branches = self.git("branch --format='%(refname:short)'");
        let branches: Vec<_> = branches.lines().map(str::to_owned).collect();
        let other = branches[self.rng.random_range(0..branches.len())].clone();
        self.edit();
        self.git(&format!("checkout -q {other}"));
        self.edit();
        self.commits += 1;
        let last = &branches[self.rng.random_range(0..branches.len())];
        // Where both changed the same lines, one of them wins.
        let strategy = ["ours", "theirs"][self.rng.random_range(0..2)];
        self.git(&format!("merge -q --no-edit -X {strategy} {last} || (git add -A && git commit -qm merged)"));
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> =
            fs::read_dir(self.dir().join("tickets")).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }

    /// One to three changes in one commit.
    fn edit(&mut self) {
        for _ in 0..self.rng.random_range(1..4) {
            self.change();
        }
        self.commits += 1;
        let actor = if self.rng.random_bool(0.5) { "\n\nTrackfs-Actor: vim" } else { "" };
        fs::write(self.home.path().join("message"), format!("change {}{actor}\n", self.commits)).unwrap();
        fs::create_dir_all(self.dir().join("tickets")).unwrap();
        self.git("add -A && git commit -q --allow-empty -F ../message");
    }

    fn change(&mut self) {
        let files = self.files();
        let new = self.dir().join(format!("tickets/t{}.md", self.rng.random_range(0..1000)));
        if files.len() < 3 || self.rng.random_bool(0.15) {
            let mut text = String::from("---\ntitle: New\nstatus: todo\n---\n");
            (0..8).for_each(|_| writeln!(text, "line {}", self.rng.random_range(0..1000)).unwrap());
            return fs::write(new, text).unwrap();
        }
        let file = files[self.rng.random_range(0..files.len())].clone();
        let text = fs::read_to_string(&file).unwrap();
        match self.rng.random_range(0..10) {
            0 => fs::remove_file(file).unwrap(),
            1 => fs::rename(file, new).unwrap(),
            2 => {
                fs::remove_file(file).unwrap();
                fs::write(new, text + "moved and edited\n").unwrap();
            }
            3 => fs::write(file, text.replacen("---\n", "-- broken\n", 1)).unwrap(),
            4 => fs::write(file, text.replacen("-- broken\n", "---\n", 1)).unwrap(),
            5 => fs::write(file, format!("{text}more {}\n", self.rng.random_range(0..1000))).unwrap(),
            _ => {
                let status = STATUSES[self.rng.random_range(0..STATUSES.len())];
                let lines = text.lines().map(|line| match line.starts_with("status:") {
                    true => format!("status: {status}\n"),
                    false => format!("{line}\n"),
                });
                fs::write(&file, lines.collect::<String>()).unwrap();
            }
        }
    }
}

/// Lines of `git` output, split at tabs.
pub fn columns(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split('\t').collect()).collect()
}
