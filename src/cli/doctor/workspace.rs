//! The workspace: where it is, whether it can be written, its files of settings, its repository, its disk.

use super::Finding;
use crate::{
    daemon::{Location, location::LocationError},
    domain::{Timestamp, path::WsPath, schema::Schema},
    git::Repo,
    workspace::{config::Config, root::Root},
};
use std::{fs, path::Path, time::Duration};

/// Free bytes below which nothing more should be written, and below which it is time to think of it.
const FREE: (u64, u64) = (64 << 20, 1 << 30);
/// Bytes of git's index, those of some 20,000 files, from which on splitting it is worth a word.
const LARGE_INDEX: u64 = 2_000_000;
/// A lock of git's that is older was left behind by a git that died.
const STALE_LOCK: Duration = Duration::from_secs(600);

/// The workspace around `start`, and what stands in the way of finding it.
pub(super) fn locate(start: &Path, fix: bool) -> (Vec<Finding>, Option<Location>) {
    let mut findings = Vec::new();
    let found = match Location::discover(start) {
        Err(LocationError::DeadMount(path)) if fix => {
            findings.push(heal(&path));
            Location::discover(start)
        }
        found => found,
    };
    match found {
        Ok(at) => {
            let live = if at.is_live() { "its daemon runs" } else { "no daemon runs" };
            findings.push(Finding::ok("workspace", format!("{}, {live}", at.dir.display())));
            (findings, Some(at))
        }
        Err(error) => {
            // The errors of finding a workspace say what to do after a semicolon.
            let text = error.to_string();
            let (found, remedy) = text.rsplit_once("; ").unwrap_or((&text, "give yourself access to it"));
            findings.push(Finding::error("workspace", found, remedy));
            (findings, None)
        }
    }
}

#[cfg(all(feature = "fuse", target_os = "linux"))]
fn heal(path: &Path) -> Finding {
    match crate::mount::take_away_dead(path) {
        Ok(()) => Finding::new(
            "mount",
            super::State::Fixed,
            format!("{} was a dead mount, and is taken away", path.display()),
        ),
        Err(error) => Finding::error("mount", error.to_string(), "unmount it with the rights of whoever mounted it"),
    }
}

#[cfg(not(all(feature = "fuse", target_os = "linux")))]
fn heal(path: &Path) -> Finding {
    Finding::error("mount", format!("{} is a dead mount", path.display()), "`fusermount3 -uz` takes it away")
}

pub(super) fn check(at: &Location) -> Vec<Finding> {
    let mut findings = vec![writable("files", &at.dir), state_folder(at)];
    findings.extend([config(at), schema(at)].into_iter().flatten());
    findings.push(repository(at));
    findings.extend([git_lock(at), git_index(at), clock(at)].into_iter().flatten());
    findings.extend([disk("disk", &at.dir), disk("disk of git", &at.git_dir)].into_iter().flatten());
    findings
}

fn writable(check: &str, dir: &Path) -> Finding {
    match rustix::fs::access(dir, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK) {
        Ok(()) => Finding::ok(check, format!("{} can be written", dir.display())),
        Err(rustix::io::Errno::ROFS) => {
            Finding::error(check, format!("{} is on a read-only disk", dir.display()), "remount it for writing")
        }
        Err(error) => Finding::error(
            check,
            format!("{} cannot be written: {error}", dir.display()),
            "run trackfs as its owner, or change its owner or mode",
        ),
    }
}

fn state_folder(at: &Location) -> Finding {
    if at.state.exists() {
        return writable("state", &at.state);
    }
    Finding::ok("state", format!("{} is not made yet: the first command does", at.state.display()))
}

fn text_of(at: &Location, path: &str) -> Option<String> {
    let path = WsPath::new(path).expect("a constant that is a legal path");
    let bytes = Root::open(&at.dir).ok()?.read(&path).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn config(at: &Location) -> Option<Finding> {
    let name = ".trackfs/config.yaml";
    Some(match Config::parse(&text_of(at, name)?) {
        Ok(_) => Finding::ok("config", format!("{name} is in order")),
        Err(reason) => Finding::error(
            "config",
            format!("{name}: {reason}"),
            "mend that line; until then, what it last said stays in force",
        ),
    })
}

fn schema(at: &Location) -> Option<Finding> {
    let path = WsPath::new(".trackfs/schema.yaml").expect("a constant that is a legal path");
    Some(match Schema::parse(&path, &text_of(at, path.as_str())?) {
        Ok(_) => Finding::ok("schema", format!("{path} is in order")),
        Err(problems) => {
            let found = problems.first().map_or_else(|| format!("{path} is broken"), ToString::to_string);
            Finding::error("schema", found, "mend it; until then, what it last said stays in force")
        }
    })
}

fn repository(at: &Location) -> Finding {
    let head = Repo::open(&at.git_dir).and_then(|repo| Ok((repo.branch()?, repo.head()?)));
    match head {
        Ok((branch, _)) => {
            let branch = branch.unwrap_or_else(|| "no branch".to_owned());
            Finding::ok("repository", format!("{} on {branch}", at.git_dir.display()))
        }
        Err(error) => Finding::error(
            "repository",
            format!("{}: {error}", at.git_dir.display()),
            "`git fsck` in the workspace says more; a clone of it has the same history",
        ),
    }
}

fn git_lock(at: &Location) -> Option<Finding> {
    let lock = at.git_dir.join("index.lock");
    let age = fs::metadata(&lock).ok()?.modified().ok()?.elapsed().unwrap_or_default();
    (age > STALE_LOCK).then(|| {
        Finding::warning(
            "git lock",
            format!("{} is {} min old", lock.display(), age.as_secs() / 60),
            "commits wait for it; when no git runs here, it was left behind and can go",
        )
    })
}

/// Nothing is wrong with a large index, but for the time that it takes.
fn git_index(at: &Location) -> Option<Finding> {
    let size = Repo::open(&at.git_dir).ok()?.whole_index().filter(|size| *size > LARGE_INDEX)?;
    let found = format!(
        "{} MB, and each commit writes it whole; `git config core.splitIndex true` would write what changed alone, where no \
         program that uses libgit2 or JGit has to read it",
        size / 1_000_000
    );
    Some(Finding::ok("git index", found))
}

/// Commits and conflicts never ask the clock; people who read the log do, and so do remotes that check signatures.
fn clock(at: &Location) -> Option<Finding> {
    let newest = Repo::open(&at.git_dir).ok()?.log(None, 1).ok()?.into_iter().next()?.at;
    let ahead = newest.duration_since(Timestamp::now());
    Some(if ahead > jiff::SignedDuration::from_mins(5) {
        let found = format!("the last commit is {} min in the future", ahead.as_mins());
        Finding::warning("clock", found, "set this machine's clock (`timedatectl` shows it)")
    } else {
        Finding::ok("clock", "not behind the last commit")
    })
}

fn disk(check: &str, dir: &Path) -> Option<Finding> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    let free = stat.f_bavail * stat.f_frsize;
    let found = format!("{} MiB free", free >> 20);
    let remedy = "make room: a save needs the file's size twice, a commit once";
    // Some filesystems have no fixed number of inodes.
    if stat.f_files > 0 && stat.f_favail == 0 {
        return Some(Finding::error(
            check,
            "no inode is free: no file can be made",
            "remove files that are not needed",
        ));
    }
    Some(match free {
        free if free < FREE.0 => Finding::error(check, found, remedy),
        free if free < FREE.1 => Finding::warning(check, found, remedy),
        _ => Finding::ok(check, found),
    })
}
