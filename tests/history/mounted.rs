//! `.history/` as people and programs meet it.

use crate::support::Workspace;
use std::{fs, io, os::unix::fs::PermissionsExt};

/// A mounted workspace whose ticket went through five versions under two names.
pub fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.mount();
    let login = |status: &str, body: &str| {
        workspace.write("tickets/login.md", &format!("---\ntitle: Login\nstatus: {status}\n---\n{body}\n"));
        workspace.ok(&["commit"]);
    };
    login("todo", "Body");
    login("in-progress", "Body");
    login("in-progress", "Longer body");
    workspace.sh("mkdir tickets/auth && mv tickets/login.md tickets/auth/sign-in.md");
    workspace.ok(&["commit"]);
    workspace.sh("sed -i 's/status: .*/status: done/' tickets/auth/sign-in.md");
    workspace.ok(&["commit"]);
    workspace
}

#[test]
fn every_commit_is_a_folder_that_says_what_git_says() {
    let workspace = workspace();
    workspace.sh("git tag v1 HEAD~1; git branch feature/x HEAD~2");
    for commit in workspace.sh("git rev-list HEAD").lines() {
        for path in workspace.sh(&format!("git ls-tree -r --name-only {commit}")).lines() {
            let shown = fs::read(workspace.dir.join(format!(".history/at/{commit}/{path}"))).unwrap();
            let expected = workspace.sh(&format!("git show {commit}:{path}"));
            assert_eq!(String::from_utf8(shown).unwrap(), expected, "{commit}:{path}");
        }
        let listed = workspace.sh(&format!("cd .history/at/{commit} && find . -type f -printf '%P\\n' | sort"));
        assert_eq!(listed, workspace.sh(&format!("git ls-tree -r --name-only {commit} | LC_ALL=C sort")));
    }
    let moments = workspace.sh("ls .history/at");
    assert_eq!(moments.lines().collect::<Vec<_>>(), ["HEAD", "feature%2Fx", "main", "v1"]);
    for (moment, status) in
        [("HEAD~2", "in-progress"), ("v1", "in-progress"), ("main", "done"), ("feature%2Fx", "in-progress")]
    {
        let said = workspace.sh(&format!(
            "cat .history/at/{moment}/tickets/*.md .history/at/{moment}/tickets/auth/*.md 2>/dev/null || true"
        ));
        assert!(said.contains(&format!("status: {status}")), "{moment}: {said}");
    }
    assert!(fs::metadata(workspace.dir.join(".history/at/nothing")).is_err());
}

#[test]
fn a_name_that_moves_on_shows_what_it_names_now_and_who_stands_in_it_stays() {
    let workspace = workspace();
    let mut standing = workspace.command("bash");
    let script =
        "cd .history/at/HEAD/tickets/auth; read; cat sign-in.md; cat ../../../../at/HEAD/tickets/auth/sign-in.md";
    standing.args(["-c", script]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut standing = standing.spawn().unwrap();
    // It has entered the folder when its working directory says so.
    crate::support::eventually("the shell stands in the past", || {
        let at = fs::read_link(format!("/proc/{}/cwd", standing.id())).ok()?;
        at.ends_with("tickets/auth").then_some(())
    });
    workspace.sh("sed -i 's/status: .*/status: todo/' tickets/auth/sign-in.md");
    workspace.ok(&["commit"]);
    io::Write::write_all(&mut standing.stdin.take().unwrap(), b"\n").unwrap();
    let said = String::from_utf8(standing.wait_with_output().unwrap().stdout).unwrap();
    let status: Vec<_> = said.lines().filter(|line| line.starts_with("status")).collect();
    assert_eq!(status, ["status: done", "status: todo"]);
}

#[test]
fn a_time_is_a_folder_too() {
    let workspace = workspace();
    let then = workspace.sh("git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%S");
    let head = workspace.sh(&format!("cat .history/at/{}/tickets/auth/sign-in.md", then.trim()));
    assert_eq!(head, workspace.read("tickets/auth/sign-in.md"));
    assert!(fs::metadata(workspace.dir.join(".history/at/2001-01-01")).is_err(), "nothing is that old");
}

#[test]
fn a_file_is_a_folder_of_its_versions_through_its_moves() {
    let workspace = workspace();
    let names = workspace.sh("ls .history/file/tickets/auth/sign-in.md");
    let names: Vec<_> = names.lines().collect();
    let ends =
        ["-created-test.md", "-status-in-progress-test.md", "-body-test.md", "-moved-test.md", "-status-done-test.md"];
    assert_eq!(names.len(), ends.len(), "{names:?}");
    for (number, (name, end)) in names.iter().zip(ends).enumerate() {
        assert!(name.starts_with(&format!("000{}-20", number + 1)) && name.ends_with(end), "{name}");
    }
    let diff =
        workspace.sh(&format!("cd .history/file/tickets/auth/sign-in.md && (diff {} {} || true)", names[0], names[4]));
    assert!(diff.contains("< status: todo\n") && diff.contains("> status: done\n"), "{diff}");
    // What is gone from its old place is found there, and what was below a folder, too.
    assert_eq!(workspace.sh("ls .history/file/tickets"), "auth\nlogin.md\n");
    assert_eq!(workspace.sh("ls .history/file/tickets/login.md").lines().count(), 3);
    // `cp` brings a version back.
    workspace.sh(&format!("cp .history/file/tickets/auth/sign-in.md/{} tickets/auth/sign-in.md", names[0]));
    assert!(workspace.read("tickets/auth/sign-in.md").contains("status: todo"));
    let times = workspace.sh(&format!("stat -c '%a %s %y' .history/file/tickets/auth/sign-in.md/{}", names[0]));
    assert!(times.starts_with("444 39 20"), "{times}");
}

#[test]
fn nobody_meets_the_past_who_does_not_ask_for_it_and_nobody_changes_it() {
    let workspace = workspace();
    let dir = &workspace.dir;
    assert!(!workspace.sh("ls -a").contains(".history"));
    assert!(!workspace.sh("find . -name '0001-*'").contains(".history"));
    assert_eq!(workspace.sh("grep -rl 'Longer body' ."), "./tickets/auth/sign-in.md\n");
    let file = dir.join(".history/at/HEAD/tickets/auth/sign-in.md");
    let refused = |what: &str, done: io::Result<()>| {
        let errno = done.expect_err(what).raw_os_error();
        assert!(matches!(errno, Some(libc::EROFS | libc::EPERM)), "{what}: {errno:?}");
    };
    refused("write", fs::OpenOptions::new().write(true).open(&file).map(drop));
    refused("remove", fs::remove_file(&file));
    refused("make", fs::write(file.with_file_name("new.md"), "x"));
    refused("mkdir", fs::create_dir(dir.join(".history/at/new")));
    refused("rename", fs::rename(&file, file.with_file_name("new.md")));
    refused("chmod", fs::set_permissions(&file, PermissionsExt::from_mode(0o644)));
    assert_eq!(workspace.sh("git status --porcelain"), "");
}

#[test]
fn a_real_folder_of_that_name_wins() {
    let workspace = Workspace::new();
    workspace.write(".history/mine.txt", "mine\n");
    workspace.mount();
    assert_eq!(workspace.sh("ls .history; cat .history/mine.txt"), "mine.txt\nmine\n");
}
