//! A workspace of its own for each test: every directory and variable it uses, and the promise that nothing outlives it.
#![allow(dead_code)]

pub mod manual;

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A throw-away workspace with its own data folder. Dropping it unmounts, by force if it must.
pub struct Workspace {
    home: tempfile::TempDir,
    pub dir: PathBuf,
    /// Variables of every command.
    pub variables: Vec<(&'static str, String)>,
}

impl Workspace {
    /// An initialised workspace, outside of /tmp: editors save differently there.
    pub fn new() -> Self {
        let workspace = Self::bare();
        workspace.ok(&["init"]);
        workspace
    }

    /// An empty folder.
    pub fn bare() -> Self {
        Self::bare_in(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    /// An empty folder below this one, with everything that belongs to it.
    pub fn bare_in(folder: &Path) -> Self {
        let home = tempfile::Builder::new().prefix("ws-").tempdir_in(folder).unwrap();
        let home_path = home.path().canonicalize().unwrap();
        let dir = home_path.join("work");
        fs::create_dir(&dir).unwrap();
        fs::write(home_path.join("gitconfig"), "[user]\n\tname = Test\n\temail = test@example.org\n").unwrap();
        Self { home, dir, variables: Vec::new() }
    }

    /// A folder beside the workspace, for what must not lie in it.
    pub fn outside(&self, name: &str) -> PathBuf {
        self.home.path().canonicalize().unwrap().join(name)
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .env("HOME", self.home.path())
            .env("XDG_DATA_HOME", self.home.path().join("data"))
            .env("GIT_CONFIG_GLOBAL", self.home.path().join("gitconfig"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("NO_COLOR", "1")
            .env_remove("GITHUB_TOKEN")
            .env_remove("GH_TOKEN")
            .env_remove("LINEAR_API_KEY")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn trackfs(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(env!("CARGO_BIN_EXE_trackfs"));
        command.args(arguments).output().unwrap()
    }

    /// Runs trackfs, which must succeed; answers what it printed.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        checked(&format!("trackfs {arguments:?}"), &self.trackfs(arguments))
    }

    /// Runs trackfs with `--json`; answers what it printed.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let text = self.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Runs a shell script in the workspace, which must succeed; answers what it printed.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        let mut command = self.command("bash");
        checked(script, &command.args(["-euo", "pipefail", "-c", script]).output().unwrap())
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.dir.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Makes this the workspace's whole configuration.
    pub fn configure(&self, yaml: &str) {
        fs::write(self.dir.join(".trackfs/config.yaml"), format!("{yaml}\n")).unwrap();
    }

    /// Mounts over the workspace itself.
    pub fn mount(&self) {
        self.ok(&["mount"]);
        assert!(is_mounted(&self.dir), "mount returned and nothing is mounted");
    }

    /// Every event after `since`.
    #[track_caller]
    pub fn events(&self, since: u64) -> Vec<Value> {
        let text = self.ok(&["events", "--json", "--since", &since.to_string()]);
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }

    pub fn last_event(&self) -> u64 {
        self.json(&["status"])["last_event"].as_u64().unwrap()
    }

    /// Kills the daemon and its supervisor, so that the mount is dead and nobody takes it away.
    pub fn kill(&self) {
        let daemon = self.daemon().expect("a daemon runs");
        let children = fs::read_to_string(format!("/proc/{daemon}/task/{daemon}/children")).unwrap();
        let supervisor = children.split_whitespace().map(|pid| pid.parse().unwrap());
        for pid in supervisor.chain([daemon]) {
            // SAFETY: kill takes no pointers.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    }

    /// The process that serves this workspace.
    pub fn daemon(&self) -> Option<i32> {
        self.json(&["status"])["pid"].as_i64().map(|pid| i32::try_from(pid).unwrap())
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // From elsewhere: nobody can stand in a dead mount.
        let mut unmount = self.command(env!("CARGO_BIN_EXE_trackfs"));
        let _ = unmount.current_dir("/").args(["unmount", "--force"]).arg(&self.dir).output();
        for mount in self.home.path().canonicalize().iter().flat_map(|home| mounts_below(home)) {
            let _ = Command::new("umount").arg("-l").arg(&mount).status();
        }
        // A daemon that did not listen is found by its lock.
        if let Ok(text) = self.lock_text()
            && let Ok(pid) = text.trim().parse::<i32>()
            && is_trackfs(pid)
        {
            // SAFETY: kill takes no pointers.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    }
}

impl Workspace {
    fn lock_text(&self) -> std::io::Result<String> {
        let gitfile = fs::read_to_string(self.dir.join(".git"))?;
        fs::read_to_string(Path::new(gitfile.trim_start_matches("gitdir:").trim()).join("trackfs/engine.lock"))
    }
}

fn is_trackfs(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == "trackfs")
}

#[track_caller]
pub fn checked(what: &str, output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{what}: {}\n--- stdout\n{stdout}\n--- stderr\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

pub fn mounts_below(dir: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let at = |line: &str| line.split(' ').nth(4).map(PathBuf::from);
    table.lines().filter_map(at).filter(|path| path.starts_with(dir)).collect()
}

pub fn is_mounted(dir: &Path) -> bool {
    mounts_below(dir).iter().any(|path| path == dir)
}

/// Whether nobody serves a mount any more. What `stat` says of it the kernel may still remember.
pub fn is_dead(dir: &Path) -> bool {
    rustix::fs::statfs(dir).is_err_and(|errno| errno == rustix::io::Errno::NOTCONN)
}

/// Waits until `check` answers something; fails after 20 s with what was awaited.
#[track_caller]
pub fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "this did not happen in 20 s: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether programs are there. In CI a missing one is a failure, elsewhere it is said.
pub fn have(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| !on_path(program)).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "in CI nothing is skipped, and {missing:?} is not installed");
    eprintln!("SKIPPED: {missing:?} is not installed");
    false
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain([suites()]).any(|dir| dir.join(program).is_file())
}

/// Where tests/run.sh installs the suites that are no packages.
pub fn suites() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).unwrap_or_default();
    cache.join("trackfs-tests/bin")
}
