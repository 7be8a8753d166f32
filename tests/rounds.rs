//! Daemons that are killed at any moment: no dead mount, no process, no lock or socket stands in the way of the next.

mod support;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Stdio},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use support::{Workspace, eventually, is_mounted, mounts_below};

/// Numbers that differ from run to run; a failure tells the seed.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var("TRACKFS_ROUNDS_SEED").map_or(now, |seed| seed.parse().unwrap());
        eprintln!("TRACKFS_ROUNDS_SEED={seed}");
        Self(seed | 1)
    }

    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }

    fn pause(&mut self, at_most: u64) {
        thread::sleep(Duration::from_millis(self.roll(at_most)));
    }
}

#[derive(Clone, Copy, Debug)]
enum Moment {
    Starting,
    Running,
    Ending,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    Daemon,
    Supervisor,
    Both,
}

impl Workspace {
    /// Starts `mount --foreground` or `watch`.
    fn serve(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(env!("CARGO_BIN_EXE_trackfs"));
        // From elsewhere: nobody can stand in a dead mount.
        command.current_dir("/").args(arguments).arg(&self.dir).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    fn elsewhere(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = self.command(env!("CARGO_BIN_EXE_trackfs"));
        command.current_dir("/").args(arguments).arg(&self.dir).output().unwrap()
    }

    /// Every trackfs process that was told of this workspace.
    fn processes(&self) -> BTreeSet<i32> {
        let name = self.dir.to_str().unwrap();
        let is_ours = |pid: &i32| {
            fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(name))
                && fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == "trackfs")
        };
        let entries = fs::read_dir("/proc").unwrap().map(Result::unwrap);
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_ours).collect()
    }
}

fn kill(pid: i32) {
    // SAFETY: kill takes no pointers.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

fn supervisor_of(daemon: &Child) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", daemon.id())).ok()?;
    let supervises =
        |pid: &i32| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("\0supervise\0"));
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(supervises)
}

fn strike(daemon: &Child, victim: Victim) {
    if victim != Victim::Daemon
        && let Some(supervisor) = supervisor_of(daemon)
    {
        kill(supervisor);
    }
    if victim != Victim::Supervisor {
        kill(i32::try_from(daemon.id()).unwrap());
    }
}

fn is_ready(daemon: &mut Child) {
    BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
}

fn ticket(round: usize) -> String {
    format!("---\ntitle: Round {round}\nstatus: todo\n---\n")
}

/// One life of a mount, and that the next is none the worse for its end.
fn mount_round(workspace: &Workspace, dice: &mut Dice, round: usize) {
    let moment = [Moment::Starting, Moment::Running, Moment::Ending][dice.roll(3) as usize];
    let victim = [Victim::Daemon, Victim::Supervisor, Victim::Both][dice.roll(3) as usize];
    eprintln!("round {round}: {victim:?} killed while {moment:?}");
    let mut daemon = workspace.serve(&["mount", "--foreground"]);
    if let Moment::Starting = moment {
        dice.pause(300);
        strike(&daemon, victim);
    } else {
        is_ready(&mut daemon);
        fs::write(workspace.dir.join("tickets/round.md"), ticket(round)).unwrap();
        thread::scope(|scope| {
            if let Moment::Ending = moment {
                scope.spawn(|| workspace.elsewhere(&["unmount"]));
            }
            dice.pause(300);
            strike(&daemon, victim);
        });
    }
    if victim == Victim::Supervisor {
        let unmounted = || workspace.elsewhere(&["unmount"]).status.success() && !is_mounted(&workspace.dir);
        eventually("the daemon ends by itself", || {
            unmounted();
            daemon.try_wait().unwrap()
        });
    }
    daemon.wait().unwrap();
    if victim == Victim::Daemon {
        eventually("no dead mount is left", || (!is_mounted(&workspace.dir)).then_some(()));
    }
    let next = workspace.elsewhere(&["mount"]);
    assert!(next.status.success(), "the next mount: {next:?}");
    if !matches!(moment, Moment::Starting) {
        assert_eq!(workspace.read("tickets/round.md"), ticket(round));
    }
    let ended = workspace.elsewhere(&["unmount"]);
    assert!(ended.status.success(), "the next unmount: {ended:?}");
    nothing_is_left(workspace);
}

fn nothing_is_left(workspace: &Workspace) {
    assert_eq!(mounts_below(workspace.dir.parent().unwrap()), Vec::<&Path>::new());
    eventually("no process is left", || workspace.processes().is_empty().then_some(()));
    assert_eq!(workspace.sh("git status --porcelain; git fsck --strict --no-dangling 2>&1"), "");
}

fn mount_rounds(rounds: usize) {
    let (workspace, mut dice) = (Workspace::new(), Dice::new());
    (0..rounds).for_each(|round| mount_round(&workspace, &mut dice, round));
}

#[test]
fn a_mount_that_is_killed_at_any_moment_is_followed_by_a_good_one() {
    mount_rounds(20);
}

#[test]
#[ignore = "takes minutes"]
fn a_mount_that_is_killed_two_hundred_times_is_followed_by_a_good_one() {
    mount_rounds(200);
}

fn watch_rounds(rounds: usize) {
    let (workspace, mut dice) = (Workspace::new(), Dice::new());
    for round in 0..rounds {
        let mut daemon = workspace.serve(&["watch"]);
        if dice.roll(2) == 0 {
            is_ready(&mut daemon);
            workspace.write("tickets/round.md", &ticket(round));
        }
        dice.pause(300);
        strike(&daemon, Victim::Daemon);
        daemon.wait().unwrap();
        let mut next = workspace.serve(&["watch"]);
        is_ready(&mut next);
        let ended = workspace.elsewhere(&["unmount"]);
        assert!(ended.status.success() && next.wait().unwrap().success(), "round {round}: {ended:?}");
        nothing_is_left(&workspace);
    }
}

#[test]
fn a_watcher_that_is_killed_at_any_moment_is_followed_by_a_good_one() {
    watch_rounds(10);
}

#[test]
#[ignore = "takes minutes"]
fn a_watcher_that_is_killed_two_hundred_times_is_followed_by_a_good_one() {
    watch_rounds(200);
}
