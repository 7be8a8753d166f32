//! The machine: FUSE, limits, git, the clock.

use super::Finding;
use std::{
    fs,
    process::{Command, Stdio},
};

/// Fewer open files than this are used up by a few thousand tickets; beyond them, every operation costs one call more.
const FILES: u64 = 4096;
/// Fewer folders than this can be watched where the kernel's old default is in force.
const WATCHES: u64 = 65_536;

pub(super) fn check() -> Vec<Finding> {
    let mut findings = vec![fuse()];
    findings.extend([files(), watches(), git()].into_iter().flatten());
    findings
}

#[cfg(all(feature = "fuse", target_os = "linux"))]
fn fuse() -> Finding {
    let kernel = read("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned());
    match crate::mount::usable() {
        Ok(()) => Finding::ok("fuse", format!("Linux {kernel}, mounting is possible")),
        Err(reason) => Finding::error("fuse", format!("Linux {kernel}, mounting is not possible"), reason),
    }
}

#[cfg(not(all(feature = "fuse", target_os = "linux")))]
fn fuse() -> Finding {
    Finding::warning(
        "fuse",
        "this trackfs was built without it",
        "`trackfs watch` gives everything but the virtual folders",
    )
}

fn files() -> Option<Finding> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    Some(match limit {
        Some(limit) if limit < FILES => Finding::warning(
            "open files",
            format!("{limit} at most"),
            "raise the hard limit (`nofile` in /etc/security/limits.conf, LimitNOFILE= in a service)",
        ),
        Some(limit) => Finding::ok("open files", format!("{limit} at most")),
        None => Finding::ok("open files", "no limit"),
    })
}

fn watches() -> Option<Finding> {
    let limit: u64 = read("/proc/sys/fs/inotify/max_user_watches")?.parse().ok()?;
    let found = format!("{limit} folders can be watched");
    Some(if limit < WATCHES {
        let remedy = "where a workspace has more, changes beside the mount are found by a scan every 30 s; raise fs.inotify.max_user_watches";
        Finding::warning("watches", found, remedy)
    } else {
        Finding::ok("watches", found)
    })
}

/// trackfs itself needs no git; whoever wants to look at the history does.
fn git() -> Option<Finding> {
    let output = Command::new("git").arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let version = output.ok().filter(|output| output.status.success());
    Some(match version {
        Some(output) => Finding::ok("git", String::from_utf8_lossy(&output.stdout).trim()),
        None => Finding::warning("git", "no `git` on PATH", "install it to branch, merge and push by hand"),
    })
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}
