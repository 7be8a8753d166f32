//! The whole of trackfs on a real mount: an edit becomes events, a commit and clean git; daemons come and go without loss.

mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt,
    process::Stdio,
    thread,
    time::{Duration, UNIX_EPOCH},
};
use support::{Workspace, eventually, is_mounted};

const TICKET: &str = "---\ntitle: Login fails\nstatus: todo # since Monday\nlabels: [bug]\n---\nBody\n";

fn mounted() -> Workspace {
    let workspace = Workspace::new();
    workspace.mount();
    workspace
}

fn names(events: &[serde_json::Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[test]
fn an_edit_is_an_event_then_a_commit_and_git_is_clean() {
    let workspace = mounted();
    workspace.write("tickets/login.md", TICKET);
    workspace.ok(&["commit"]);
    let since = workspace.last_event();
    workspace.sh("sed -i 's/status: todo/status: in-progress/' tickets/login.md");
    let said = workspace.ok(&["commit"]);
    assert!(said.contains("login: status todo → in-progress"), "{said}");
    let events = workspace.events(since);
    assert_eq!(names(&events), ["ticket.field_changed", "committed"]);
    assert_eq!(events[0]["from"], "todo");
    assert_eq!(events[0]["to"], "in-progress");
    assert_eq!(events[0]["actor"]["name"], "sed");
    assert_eq!(workspace.sh("git status --porcelain"), "");
    let message = workspace.sh("git log -1 --format=%B");
    assert!(message.contains("Trackfs-Actor: sed") && message.contains("Trackfs-Events: 1"), "{message}");
    assert!(workspace.read("tickets/login.md").contains("status: in-progress # since Monday\n"));
}

#[test]
fn quiet_makes_the_commit_by_itself() {
    let workspace = Workspace::new();
    workspace.configure("commit: {idle: 0.3, max: 5}");
    workspace.mount();
    let before = workspace.sh("git rev-parse HEAD");
    workspace.write("specs/auth.md", "# Auth\n");
    eventually("an idle commit", || (workspace.sh("git rev-parse HEAD") != before).then_some(()));
    assert!(workspace.sh("git show --format= --name-only HEAD").contains("specs/auth.md"));
    eventually("a clean status", || workspace.sh("git status --porcelain").is_empty().then_some(()));
}

#[test]
fn what_the_user_staged_stays_staged() {
    let workspace = mounted();
    workspace.write("specs/a.md", "one\n");
    workspace.ok(&["commit"]);
    workspace.sh("printf 'staged\\n' > specs/a.md; git add specs/a.md; printf 'later\\n' > specs/a.md");
    workspace.write("specs/b.md", "other\n");
    workspace.ok(&["commit"]);
    assert_eq!(workspace.sh("git show :specs/a.md"), "staged\n");
    assert_eq!(workspace.sh("git show HEAD:specs/a.md"), "later\n");
}

#[test]
fn a_commit_made_by_hand_is_kept_and_built_upon() {
    let workspace = mounted();
    workspace.write("tickets/a.md", TICKET);
    workspace.sh("sleep 0.5; git add -A; git commit -qm 'by hand'");
    let by_hand = workspace.sh("git rev-parse HEAD");
    workspace.write("tickets/b.md", TICKET);
    workspace.ok(&["commit"]);
    assert_eq!(workspace.sh("git rev-parse HEAD^"), by_hand);
    assert_eq!(workspace.sh("git show --format= --name-only HEAD").trim(), "tickets/b.md");
    assert_eq!(workspace.sh("git status --porcelain"), "");
}

#[test]
fn an_invalid_save_is_answered_and_its_bytes_are_kept() {
    let workspace = mounted();
    workspace.write("tickets/a.md", TICKET);
    workspace.ok(&["commit"]);
    let bad = TICKET.replace("status: todo", "status: dome");
    let error = fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(workspace.dir.join("tickets/a.md"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, bad.as_bytes()).and_then(|()| file.sync_all()));
    assert_eq!(error.unwrap_err().raw_os_error(), Some(libc::EINVAL));
    assert_eq!(workspace.read("tickets/a.md"), bad);
    let page = eventually("the problem is shown", || {
        Some(workspace.read("status/problems.md")).filter(|page| page.contains("dome"))
    });
    assert!(page.contains("line 3") && page.contains("done"), "{page}");
    let told = workspace.sh("getfattr --only-values -n user.trackfs.problem tickets/a.md");
    assert!(told.contains("dome"), "{told}");
    workspace.sh(
        "cp tickets/a.md /tmp/$$.md; sed -i s/dome/nowhere/ /tmp/$$.md; cp /tmp/$$.md tickets/b.tmp; rm /tmp/$$.md",
    );
    let refused = fs::rename(workspace.dir.join("tickets/b.tmp"), workspace.dir.join("tickets/a.md"));
    assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EINVAL));
    assert!(workspace.dir.join("tickets/b.tmp").exists(), "the refused file stays");
    workspace.write("tickets/a.md", TICKET);
    eventually("the problem is cleared", || workspace.read("status/problems.md").contains("None.").then_some(()));
}

#[test]
fn with_fast_reads_a_save_of_any_kind_is_one_event() {
    let workspace = Workspace::new();
    workspace.ok(&["mount", "--fast-reads"]);
    let title = |title: &str| TICKET.replace("Login fails", title);
    let saves = [
        ("cat > tickets/a.md", TICKET.to_owned(), "ticket.created"),
        ("cat > tickets/a.md", title("in place"), "ticket.field_changed"),
        ("cat > tickets/a.tmp && mv tickets/a.tmp tickets/a.md", title("renamed over"), "ticket.field_changed"),
        (
            "mv tickets/a.md tickets/a.md~ && cat > tickets/a.md && rm tickets/a.md~",
            title("renamed away"),
            "ticket.field_changed",
        ),
        ("dd of=tickets/a.md conv=fsync status=none", title("synced"), "ticket.field_changed"),
    ];
    for (save, text, event) in saves {
        let since = workspace.last_event();
        workspace.sh(&format!("{{ {save}; }} <<'END'\n{text}END"));
        eventually(save, || (!workspace.events(since).is_empty()).then_some(()));
        // Longer than any quiet time: what comes late would be a second event.
        thread::sleep(Duration::from_secs(2));
        let told = workspace.events(since);
        let of_tickets: Vec<_> = names(&told).into_iter().filter(|name| name.starts_with("ticket.")).collect();
        assert_eq!(of_tickets, [event], "{save}: {told:?}");
    }
    workspace.ok(&["unmount"]);
    assert!(workspace.read("tickets/a.md").contains("synced"));
}

#[test]
fn a_checkout_by_git_is_one_event_a_ticket() {
    let workspace = mounted();
    workspace.write("tickets/a.md", TICKET);
    workspace.ok(&["commit"]);
    workspace.sh("sed -i 's/status: todo/status: done/' tickets/a.md");
    workspace.ok(&["commit"]);
    let since = workspace.last_event();
    workspace.sh("git checkout -q HEAD~1 -- tickets/a.md");
    workspace.ok(&["commit"]);
    let events = workspace.events(since);
    assert_eq!(names(&events), ["ticket.field_changed", "committed"]);
    assert_eq!((&events[0]["to"], &events[0]["actor"]["name"]), (&"todo".into(), &"git".into()));
    assert_eq!(workspace.sh("git status --porcelain; git fsck --strict 2>&1"), "");
}

#[test]
fn the_status_view_follows_a_change_at_once() {
    let workspace = mounted();
    workspace.write("tickets/a.md", TICKET);
    eventually("the ticket in its view", || workspace.dir.join("views/status/todo/a.md").exists().then_some(()));
    assert_eq!(workspace.read("views/status/todo/a.md"), TICKET);
    workspace.sh("sed -i 's/status: todo/status: done/' tickets/a.md");
    eventually("the ticket in its new view", || workspace.dir.join("views/status/done/a.md").exists().then_some(()));
    eventually("and not in the old one", || {
        fs::read_dir(workspace.dir.join("views/status/todo")).unwrap().next().is_none().then_some(())
    });
    workspace.ok(&["commit"]);
    assert_eq!(workspace.sh("git status --porcelain"), "");
}

#[test]
fn moving_a_link_changes_the_field_and_one_of_many_wins() {
    let workspace = mounted();
    workspace.write("tickets/a.md", TICKET);
    workspace.write("tickets/b.md", TICKET);
    eventually("the tickets in their view", || workspace.dir.join("views/status/todo/b.md").exists().then_some(()));
    workspace.ok(&["commit"]);
    let since = workspace.last_event();
    workspace.sh("mv views/status/todo/a.md views/status/in-progress/");
    assert!(workspace.dir.join("views/status/in-progress/a.md").exists());
    assert_eq!(workspace.read("tickets/a.md"), TICKET.replace("status: todo #", "status: in-progress #"));
    let race =
        "for i in $(seq 24); do (mv views/status/todo/b.md views/status/done/ 2>/dev/null && echo won) & done; wait";
    assert_eq!(workspace.sh(race), "won\n");
    workspace.ok(&["commit"]);
    let events = workspace.events(since);
    assert_eq!(names(&events), ["ticket.field_changed", "ticket.field_changed", "committed"]);
    assert_eq!(events[0]["actor"]["name"], "mv");
    let refused =
        fs::rename(workspace.dir.join("views/status/done/b.md"), workspace.dir.join("views/status/todo/c.md"));
    assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EPERM));
}

#[test]
fn tail_follows_the_events_file() {
    let workspace = mounted();
    let mut tail = workspace.command("tail");
    tail.args(["-n", "0", "-s", "0.1", "-f", "status/events.jsonl"]).stdout(Stdio::piped());
    let mut tail = tail.spawn().unwrap();
    thread::sleep(Duration::from_millis(500));
    workspace.write("tickets/a.md", TICKET);
    let mut line = String::new();
    BufReader::new(tail.stdout.take().unwrap()).read_line(&mut line).unwrap();
    tail.kill().unwrap();
    tail.wait().unwrap();
    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["event"], "ticket.created");
    let size = fs::metadata(workspace.dir.join("status/events.jsonl")).unwrap().size();
    assert_eq!(size, workspace.read("status/events.jsonl").len() as u64);
}

#[test]
fn events_follow_prints_what_happens() {
    let workspace = mounted();
    let mut follow = workspace.command(env!("CARGO_BIN_EXE_trackfs"));
    let mut follow = follow.args(["events", "--follow", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    workspace.write("tickets/followed.md", TICKET);
    let found = lines.by_ref().map_while(Result::ok).find(|line| line.contains("followed"));
    follow.kill().unwrap();
    follow.wait().unwrap();
    assert!(found.unwrap().contains("ticket.created"));
}

#[test]
fn a_foreign_change_is_seen_through_the_mount() {
    let workspace = Workspace::new();
    workspace.write("specs/a.md", "one\n");
    let below = fs::File::open(&workspace.dir).unwrap();
    workspace.mount();
    assert_eq!(workspace.read("specs/a.md"), "one\n");
    // The descriptor was opened before the mount: it reaches the real file.
    let real = format!("/proc/self/fd/{}/specs/a.md", std::os::fd::AsRawFd::as_raw_fd(&below));
    fs::write(real, "one and two\n").unwrap();
    eventually("the new bytes", || (workspace.read("specs/a.md") == "one and two\n").then_some(()));
    let events = eventually("an event", || {
        let events = workspace.events(0);
        events.iter().any(|event| event["actor"]["name"] == "external").then_some(events)
    });
    assert!(names(&events).contains(&"spec.changed"));
}

#[test]
fn edits_made_while_nothing_runs_are_picked_up() {
    let workspace = mounted();
    workspace.write("tickets/a.md", TICKET);
    workspace.ok(&["unmount"]);
    assert!(!is_mounted(&workspace.dir));
    assert_eq!(workspace.sh("git status --porcelain"), "", "unmounting commits");
    let since = workspace.last_event();
    workspace.write("tickets/a.md", &TICKET.replace("todo", "done"));
    workspace.mount();
    eventually("the edit as an event", || {
        names(&workspace.events(since)).contains(&"ticket.field_changed").then_some(())
    });
}

#[test]
fn a_killed_daemon_leaves_no_mount_and_loses_nothing() {
    let workspace = mounted();
    workspace.write("tickets/a.md", TICKET);
    let daemon = workspace.daemon().unwrap();
    // SAFETY: kill takes no pointers.
    unsafe { libc::kill(daemon, libc::SIGKILL) };
    eventually("the supervisor takes the dead mount away", || (!is_mounted(&workspace.dir)).then_some(()));
    assert_eq!(workspace.read("tickets/a.md"), TICKET);
    workspace.mount();
    workspace.ok(&["commit"]);
    assert_eq!(workspace.sh("git show HEAD:tickets/a.md"), TICKET);
    let created = workspace.events(0).iter().filter(|event| event["event"] == "ticket.created").count();
    assert_eq!(created, 1);
}

#[test]
fn a_commit_right_after_mounting_has_all_that_was_saved_before() {
    let workspace = mounted();
    workspace.ok(&["unmount"]);
    (0..500).for_each(|n| workspace.write(&format!("tickets/{n}.md"), TICKET));
    workspace.mount();
    workspace.ok(&["commit"]);
    assert_eq!(workspace.sh("git ls-tree --name-only HEAD tickets/ | wc -l").trim(), "500");
}

#[test]
fn a_folder_keeps_the_times_it_was_given_as_it_was_made() {
    // Others than root cannot keep the watcher from reading it.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let workspace = mounted();
    let (accessed, modified) =
        (UNIX_EPOCH + Duration::from_secs(1_900_000_000), UNIX_EPOCH + Duration::from_secs(1_950_000_000));
    let folders: Vec<_> = (0..100).map(|n| workspace.dir.join(format!("specs-{n}"))).collect();
    for folder in &folders {
        fs::create_dir(folder).unwrap();
        let times = fs::FileTimes::new().set_accessed(accessed).set_modified(modified);
        fs::File::open(folder).unwrap().set_times(times).unwrap();
    }
    thread::sleep(Duration::from_millis(200));
    for folder in &folders {
        let found = fs::metadata(folder).unwrap();
        assert_eq!((found.accessed().unwrap(), found.modified().unwrap()), (accessed, modified));
    }
}

#[test]
fn a_live_mount_is_refused_and_a_second_unmount_says_so() {
    let workspace = mounted();
    let second = workspace.trackfs(&["mount"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("already"), "{second:?}");
    workspace.ok(&["unmount"]);
    let again = workspace.trackfs(&["unmount"]);
    assert!(String::from_utf8_lossy(&again.stdout).contains("not mounted"), "{again:?}");
}

#[test]
fn a_signal_settles_commits_and_unmounts() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let workspace = mounted();
        workspace.write("tickets/a.md", TICKET);
        let daemon = workspace.daemon().unwrap();
        // SAFETY: kill takes no pointers.
        unsafe { libc::kill(daemon, signal) };
        eventually("the mount is gone", || (!is_mounted(&workspace.dir)).then_some(()));
        eventually("the daemon is gone", || (!std::path::Path::new(&format!("/proc/{daemon}")).exists()).then_some(()));
        assert_eq!(workspace.sh("git show HEAD:tickets/a.md"), TICKET);
    }
}

#[test]
fn a_lost_index_is_rebuilt_without_news() {
    let workspace = mounted();
    workspace.write("tickets/a.md", TICKET);
    workspace.ok(&["unmount"]);
    let state = workspace.read(".git").trim_start_matches("gitdir:").trim().to_owned() + "/trackfs";
    for entry in fs::read_dir(&state).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().contains(".db") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    workspace.mount();
    eventually("the ticket is known again", || (workspace.json(&["status"])["tickets"] == 1).then_some(()));
    assert_eq!(workspace.json(&["status"])["uncommitted"].as_array().unwrap().len(), 0);
    let created: Vec<_> = workspace.events(0).into_iter().filter(|event| event["event"] == "ticket.created").collect();
    assert_eq!(created.len(), 1, "the past is told once: {created:#?}");
    assert!(created[0]["actor"]["name"].as_str().unwrap().starts_with("live"), "by who it was");
    assert_eq!(workspace.ok(&["commit"]), "nothing to commit\n");
}

#[test]
fn an_unmounted_workspace_has_its_index_sealed_and_one_that_was_killed_has_not() {
    let workspace = mounted();
    let state = workspace.read(".git").trim_start_matches("gitdir:").trim().to_owned() + "/trackfs";
    let sealed = || fs::exists(format!("{state}/index.seal")).unwrap();
    workspace.write("tickets/a.md", TICKET);
    workspace.ok(&["unmount"]);
    assert!(sealed());
    workspace.mount();
    assert!(!sealed());
    workspace.kill();
    eventually("the mount is healed and works", || workspace.trackfs(&["mount"]).status.success().then_some(()));
    assert_eq!(workspace.json(&["status"])["tickets"], 1);
}

#[test]
fn mounted_elsewhere_the_workspace_is_seen_at_both_places() {
    let workspace = Workspace::new();
    let at = workspace.outside("mnt");
    fs::create_dir(&at).unwrap();
    workspace.ok(&["mount", "--at", at.to_str().unwrap()]);
    assert!(is_mounted(&at));
    fs::write(at.join("tickets/a.md"), TICKET).unwrap();
    assert_eq!(workspace.read("tickets/a.md"), TICKET);
    assert!(at.join("status/health.json").exists());
    workspace.ok(&["unmount"]);
    assert!(!is_mounted(&at));
}

#[test]
fn watching_gives_events_and_commits_on_plain_files() {
    let workspace = Workspace::new();
    workspace.configure("commit: {idle: 0.2, max: 5}");
    let mut watch = workspace.command(env!("CARGO_BIN_EXE_trackfs"));
    let mut watch = watch.arg("watch").stdout(Stdio::null()).spawn().unwrap();
    eventually("the watcher answers", || workspace.daemon());
    let before = workspace.sh("git rev-parse HEAD");
    workspace.write("tickets/a.md", TICKET);
    eventually("a commit", || (workspace.sh("git rev-parse HEAD") != before).then_some(()));
    // SAFETY: kill takes no pointers.
    unsafe { libc::kill(i32::try_from(watch.id()).unwrap(), libc::SIGINT) };
    assert!(watch.wait().unwrap().success());
    assert_eq!(names(&workspace.events(0)).iter().filter(|name| **name == "ticket.created").count(), 1);
}

#[test]
fn a_changed_configuration_is_in_force_without_a_new_mount() {
    let workspace = Workspace::new();
    workspace.configure("commit: {idle: 60, max: 120}");
    workspace.mount();
    let tracker = workspace.outside("tracker");
    fs::create_dir(&tracker).unwrap();
    let remote = format!("{{type: simulator, url: {}, folder: tickets}}", tracker.display());
    workspace.write("tickets/a.md", TICKET);
    workspace.configure(&format!("validation: off\ncommit: {{idle: 0.2, max: 5}}\nremotes: {{sim: {remote}}}"));
    eventually("a push to the remote that is new", || workspace.read("tickets/a.md").contains("sim: ").then_some(()));
    workspace.write("tickets/b.md", "---\nstatus: nonsense\n---\n");
    workspace.configure("commit: {idle: 0.2, max: 5}");
    eventually("the remote is gone", || {
        workspace.json(&["status"])["remotes"].as_array().unwrap().is_empty().then_some(())
    });
    workspace.sh("! cp tickets/b.md tickets/c.md");
}

#[test]
fn a_broken_configuration_changes_nothing_not_even_for_the_next_mount() {
    let workspace = Workspace::new();
    workspace.configure("validation: off");
    workspace.mount();
    workspace.configure("validation: maybe");
    eventually("the problem", || workspace.ok(&["status"]).contains("last valid configuration").then_some(()));
    workspace.write("tickets/a.md", "---\nstatus: nonsense\n---\n");
    workspace.ok(&["unmount"]);
    workspace.mount();
    workspace.write("tickets/b.md", "---\nstatus: nonsense\n---\n");
}

#[test]
fn a_damaged_journal_is_set_aside_and_built_anew_from_git_and_the_files() {
    let workspace = Workspace::new();
    workspace.write("tickets/login.md", TICKET);
    workspace.ok(&["commit"]);
    workspace.write("tickets/other.md", TICKET);
    workspace.ok(&["status"]);
    let last = workspace.last_event();
    let state = workspace.sh("git rev-parse --absolute-git-dir").trim().to_owned() + "/trackfs";
    let mut journal = fs::read(format!("{state}/journal.db")).unwrap();
    journal[4096..].fill(0xa5);
    fs::write(format!("{state}/journal.db"), &journal).unwrap();

    let status = workspace.json(&["status"]);
    let note = status["notes"][0].as_str().expect("it is said");
    assert!(note.contains("journal.db.damaged"), "{note}");
    assert_eq!(fs::read(format!("{state}/journal.db.damaged")).unwrap(), journal);
    assert_eq!((status["tickets"].as_u64(), status["problems"].as_array().unwrap().len()), (Some(2), 0));
    assert_eq!(status["uncommitted"], serde_json::json!(["tickets/other.md"]));
    let again = workspace.events(0);
    assert!(again.iter().all(|event| event["seq"].as_u64().unwrap() > last), "{again:?}");
    assert!(names(&again).contains(&"committed") && names(&again).contains(&"ticket.created"));
    assert_eq!([workspace.read("tickets/login.md"), workspace.read("tickets/other.md")], [TICKET; 2]);
    fs::remove_file(format!("{state}/journal.db.damaged")).unwrap();
    assert_eq!(workspace.json(&["status"])["notes"], serde_json::json!([]));
}
