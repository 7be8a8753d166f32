//! Fault points: named places at which a test ends this process, lets a step fail as a disk would, or stays for a while, so
//! that others come in between.
//!
//! They are in every build, so that what is tested is what people run; a point that nobody armed costs one relaxed load.
//! `TRACKFS_FAULT` arms them: `NAME` kills the process at the first passing of that point, `NAME:N` at the N-th, `*:N` at
//! the N-th passing of any, `NAME=ERRNO` (a number) makes every passing of a point that can fail answer that error, and
//! `NAME~MS` makes every passing take so many milliseconds.

use std::{
    io,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

static ARMED: AtomicBool = AtomicBool::new(false);
static PLAN: OnceLock<Plan> = OnceLock::new();

/// What is to happen, and where.
struct Plan {
    /// `*`: at any point.
    name: String,
    what: What,
    passed: AtomicU64,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    KillAt(u64),
    Fail(i32),
    Stay(Duration),
}

/// Arms what `TRACKFS_FAULT` says, for the life of the process. Call it before there are threads.
pub fn arm() {
    if let Ok(text) = std::env::var("TRACKFS_FAULT")
        && let Some(plan) = Plan::parse(&text)
    {
        ARMED.store(PLAN.set(plan).is_ok(), Ordering::Relaxed);
    }
}

/// A point at which the process may end: between two steps of which the second may never come.
#[inline]
pub fn point(name: &'static str) {
    if ARMED.load(Ordering::Relaxed) {
        reached(name);
    }
}

/// A point whose step may fail, too.
#[inline]
pub fn step(name: &'static str) -> io::Result<()> {
    if ARMED.load(Ordering::Relaxed) {
        reached(name).map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    } else {
        Ok(())
    }
}

#[cold]
fn reached(name: &str) -> Option<i32> {
    let plan = PLAN.get().filter(|plan| plan.name == "*" || plan.name == name)?;
    let passed = plan.passed.fetch_add(1, Ordering::Relaxed) + 1;
    match plan.what {
        What::Fail(errno) => Some(errno),
        What::KillAt(turn) if turn == passed => die(name),
        What::KillAt(_) => None,
        What::Stay(time) => {
            thread::sleep(time);
            None
        }
    }
}

/// As `kill -9`: nothing is unwound, flushed or released.
fn die(name: &str) -> ! {
    eprintln!("killed at {name}");
    // SAFETY: takes no pointers; the signal cannot be caught, and ends the process.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    loop {
        thread::park();
    }
}

impl Plan {
    fn parse(text: &str) -> Option<Self> {
        let (name, what) = if let Some((name, errno)) = text.split_once('=') {
            (name, What::Fail(errno.parse().ok()?))
        } else if let Some((name, time)) = text.split_once('~') {
            (name, What::Stay(Duration::from_millis(time.parse().ok()?)))
        } else if let Some((name, turn)) = text.split_once(':') {
            (name, What::KillAt(turn.parse().ok()?))
        } else {
            (text, What::KillAt(1))
        };
        Some(Self { name: name.to_owned(), what, passed: AtomicU64::new(0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_where_when_and_what() {
        let read = |text| Plan::parse(text).map(|plan| (plan.name, plan.what));
        assert_eq!(read("commit.moved"), Some(("commit.moved".into(), What::KillAt(1))));
        assert_eq!(read("*:17"), Some(("*".into(), What::KillAt(17))));
        assert_eq!(read("journal.write=28"), Some(("journal.write".into(), What::Fail(28))));
        assert_eq!(read("page~60"), Some(("page".into(), What::Stay(Duration::from_millis(60)))));
        assert!(read("journal.write=ENOSPC").is_none() && read("*:soon").is_none());
    }

    #[test]
    fn what_is_not_armed_does_nothing() {
        point("a");
        assert!(step("b").is_ok());
    }
}
