//! Files that nobody would write by hand: each is kept, shown as a problem where it is one, costs bounded time and memory, and
//! keeps no other ticket from being settled and committed.

mod support;

use serde_json::Value;
use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs,
    os::unix::{ffi::OsStrExt, ffi::OsStringExt, fs::symlink, net::UnixListener},
    path::Path,
    process::{Child, Stdio},
};
use support::{Workspace, eventually};

const TICKET: &str = "---\ntitle: Neighbour\nstatus: todo\n---\nBody\n";
/// Megabytes that any command may take, however large the file it meets.
const MEMORY: i64 = 700;

impl Workspace {
    /// Runs trackfs, which must succeed within its memory; answers what it printed.
    #[track_caller]
    fn frugal(&self, arguments: &[&str]) -> String {
        let mut command = self.command(env!("CARGO_BIN_EXE_trackfs"));
        let child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (code, megabytes, said, complained) = wait(child);
        assert_eq!(code, Some(0), "trackfs {arguments:?}\n{said}\n{complained}");
        assert!(megabytes < MEMORY, "trackfs {arguments:?} took {megabytes} MB");
        said
    }

    fn problems(&self) -> Vec<(String, String)> {
        let status: Value = serde_json::from_str(&self.frugal(&["status", "--json"])).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        status["problems"].as_array().unwrap().iter().map(|p| (text(&p["path"]), text(&p["code"]))).collect()
    }

    fn committed(&self) -> BTreeSet<String> {
        let listed = self.sh("git ls-tree -r -z --name-only HEAD");
        listed.split_terminator('\0').map(str::to_owned).collect()
    }

    fn uncommitted(&self) -> Vec<Value> {
        let status: Value = serde_json::from_str(&self.ok(&["status", "--json"])).unwrap();
        status["uncommitted"].as_array().unwrap().clone()
    }
}

/// Waits for a process: its exit code, the most memory that it had, and what it printed.
fn wait(mut child: Child) -> (Option<i32>, i64, String, String) {
    use std::io::Read;
    let (mut said, mut complained) = (String::new(), String::new());
    let mut errors = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || errors.read_to_string(&mut complained).map(|_| complained).unwrap());
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: both pointers are to memory of ours of the right type; the child is not waited for by anybody else.
    let waited = unsafe { libc::wait4(i32::try_from(child.id()).unwrap(), &raw mut status, 0, usage.as_mut_ptr()) };
    assert!(waited > 0);
    // SAFETY: wait4 filled it in, and zeros are a valid value, too.
    let usage = unsafe { usage.assume_init() };
    let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
    (code, usage.ru_maxrss / 1024, said, reader.join().unwrap())
}

fn is_printable(text: &str) -> bool {
    !text.chars().any(|c| trackfs::domain::text::is_unprintable(c) && c != '\n' && c != '\t')
}

// --- names --------------------------------------------------------------------------------------------------------------

/// Names that a repository can hold.
fn odd_names() -> Vec<String> {
    let names = [
        "a\nTrackfs-Actor: root.md",
        "..hidden dots...md",
        "...md",
        "\u{1b}[2J\u{1b}]0;owned\u{7}.md",
        "c1 \u{9b}31m.md",
        "user\u{202e}dm.nimda\u{2069}.md",
        "CON.md",
        "aux",
        "a<b>c|d?e*f\".md",
        "trailing dot..md.",
        "trailing space.md ",
        " leading.md",
        "-rf.md",
        "--help",
        "*.md",
        "$(touch pwned).md",
        "`id`.md",
        "'quote\".md",
        "%s%n%d.md",
        "\u{feff}bom.md",
        "e\u{301}.md",
        "\u{e9}.md",
        "\u{1f469}\u{200d}\u{1f4bb}.md",
        "tab\there.md",
        "cr\rhere.md",
        "\u{7f}.md",
    ];
    let longest = ["x".repeat(252) + ".md", "ä".repeat(126) + ".md"];
    names.into_iter().map(str::to_owned).chain(longest).collect()
}

#[test]
fn odd_names_are_committed_and_never_reach_a_terminal_raw() {
    let workspace = Workspace::new();
    let names = odd_names();
    for name in &names {
        fs::write(workspace.dir.join("tickets").join(name), TICKET).unwrap();
    }
    workspace.frugal(&["commit"]);
    let committed = workspace.committed();
    for name in &names {
        assert!(committed.contains(&format!("tickets/{name}")), "{name:?}");
    }
    assert_eq!(workspace.sh("git status --porcelain; git fsck --strict 2>&1"), "");
    for name in &names {
        fs::write(workspace.dir.join("tickets").join(name), "---\nstatus: \"\\e[2J\\u202e\"\n---\n").unwrap();
    }
    for arguments in [
        &["status"][..],
        &["commit"],
        &["log"],
        &["log", "--json"],
        &["events", "-n", "200"],
        &["status", "--json"],
        &["events", "--json", "-n", "200"],
        &["events", "--ops"],
    ] {
        let said = workspace.frugal(arguments);
        assert!(is_printable(&said), "{arguments:?}: {said:?}");
    }
    assert!(!workspace.dir.join("pwned").exists());
}

#[test]
fn a_name_that_git_forbids_is_shown_and_keeps_nothing_else_from_being_committed() {
    let workspace = Workspace::new();
    for name in ["git~1", ".GIT", "GIT~1/deep.md", ".git\u{200c}"] {
        workspace.write(&format!("tickets/{name}"), TICKET);
    }
    workspace.write("tickets/neighbour.md", TICKET);
    workspace.frugal(&["commit"]);
    assert!(workspace.committed().contains("tickets/neighbour.md"));
    let problems = workspace.problems();
    assert!(problems.contains(&("tickets/git~1".into(), "illegal-name".into())), "{problems:?}");
    assert!(problems.contains(&("tickets/GIT~1/deep.md".into(), "illegal-name".into())), "{problems:?}");
    assert_eq!(workspace.uncommitted(), Vec::<Value>::new());
    fs::remove_file(workspace.dir.join("tickets/git~1")).unwrap();
    fs::rename(workspace.dir.join("tickets/GIT~1/deep.md"), workspace.dir.join("tickets/deep.md")).unwrap();
    workspace.frugal(&["commit"]);
    assert!(workspace.committed().contains("tickets/deep.md"));
    assert_eq!(workspace.uncommitted(), Vec::<Value>::new());
}

#[test]
fn names_that_are_not_utf8_are_left_alone() {
    let workspace = Workspace::new();
    let name = OsString::from_vec(b"tickets/bad\xff\xfename.md".to_vec());
    fs::write(workspace.dir.join(&name), TICKET).unwrap();
    fs::create_dir(workspace.dir.join(OsStr::from_bytes(b"tickets/\xff"))).unwrap();
    fs::write(workspace.dir.join(OsStr::from_bytes(b"tickets/\xff/in.md")), TICKET).unwrap();
    workspace.write("tickets/neighbour.md", TICKET);
    workspace.frugal(&["commit"]);
    assert!(workspace.committed().contains("tickets/neighbour.md"));
    assert_eq!(fs::read_to_string(workspace.dir.join(name)).unwrap(), TICKET);
}

#[test]
fn a_folder_too_deep_to_name_keeps_no_other_from_settling() {
    let workspace = Workspace::new();
    workspace.sh("cd tickets; for i in $(seq 40); do d=$(printf 'd%.0s' {1..200}); mkdir $d && cd $d || exit 1; done; echo x > x.md");
    workspace.write("tickets/neighbour.md", TICKET);
    workspace.frugal(&["commit"]);
    assert!(workspace.committed().contains("tickets/neighbour.md"));
    workspace.sh("cd tickets; rm -rf ddd* || (d=$(printf 'd%.0s' {1..200}); while [ -d $d ]; do mv $d/$d up 2>/dev/null; rm -rf $d; [ -d up ] && mv up $d; done)");
}

// --- contents -----------------------------------------------------------------------------------------------------------

fn frontmatter(block: &str) -> Vec<u8> {
    format!("---\ntitle: x\n{block}\n---\nBody\n").into_bytes()
}

/// Name, content, and the code of the problem it must have (empty: none).
fn odd_contents() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let keys: String = (0..100_000).map(|n| format!("k{n}: v\n")).collect();
    let few_keys: String = (0..4_900).map(|n| format!("k{n}: v\n")).collect();
    let labels = |n: usize| (0..n).map(|n| format!("l{n}")).collect::<Vec<_>>().join(", ");
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]";
    let mut words = b"---\nstatus: todo\n---\n".to_vec();
    words.extend(b"a ".repeat(1 << 20));
    let tags: String = (0..100_000).map(|n| format!("#t{n} [[l{n}]]\n")).collect();
    vec![
        ("words", words, ""),
        ("tags", format!("---\ntitle: t\n---\n{tags}").into_bytes(), ""),
        ("keys", frontmatter(&keys), "invalid-yaml"),
        ("few-keys", frontmatter(&few_keys), ""),
        ("labels", frontmatter(&format!("labels: [{}]", labels(1_000_000))), "invalid-yaml"),
        ("some-labels", frontmatter(&format!("labels: [{}]", labels(9_000))), ""),
        ("aliases", frontmatter(bomb), "invalid-yaml"),
        ("anchor-in-itself", frontmatter("a: &a [*a]"), "invalid-yaml"),
        ("deep-flow", frontmatter(&format!("a: {}", "[".repeat(100_000))), "invalid-yaml"),
        ("deep-map", frontmatter(&format!("a: {}", "{a: ".repeat(50_000))), "invalid-yaml"),
        (
            "deep-block",
            frontmatter(&(0..400).map(|n| format!("{}a:\n", " ".repeat(n))).collect::<String>()),
            "invalid-yaml",
        ),
        ("endless", format!("---\n{}", "title: x\n".repeat(200_000)).into_bytes(), "unclosed-frontmatter"),
        ("nul-filled", vec![0; 2 << 20], "nul-bytes"),
        ("cr-only", b"---\rtitle: x\rstatus: todo\r---\rBody\r".repeat(20_000), ""),
        ("surrogates", frontmatter("a: \"\\ud800\\udfff\\udc00\""), "invalid-yaml"),
        ("escape-title", frontmatter("assignee: \"\\e]0;owned\\a\\e[2J\\u202e\""), ""),
        ("bad-status", frontmatter("status: \"\\e[31m\\u202e\\nTrackfs-Actor: root\""), "unknown-status"),
        ("long-status", frontmatter(&format!("status: {}", "s".repeat(200_000))), "unknown-status"),
        ("long-key", frontmatter(&format!("{}: x", "k".repeat(200_000))), "invalid-yaml"),
        ("backticks", format!("---\ntitle: t\n---\n{}", "` `` ``` ".repeat(100_000)).into_bytes(), ""),
        ("brackets", format!("---\ntitle: t\n---\n{}", "[[".repeat(1_000_000)).into_bytes(), ""),
        ("blank-lines", b"\n".repeat(1 << 20), "empty"),
        ("markers", b"<<<<<<<\n=======\n".repeat(100_000), "no-frontmatter"),
        ("latin1", [b"---\ntitle: x\n---\n".as_slice(), &b"\xe9\n".repeat(400_000)].concat(), "not-utf8"),
        ("invalid-key", frontmatter("? [a, b]\n: c"), "invalid-yaml"),
        ("merge-key", frontmatter("<<: {a: 1}"), ""),
        ("directive", b"%YAML 9.9\n---\ntitle: x\n---\n".to_vec(), "no-frontmatter"),
        ("two-documents", frontmatter("a: b\n--- c"), "invalid-yaml"),
        ("tabs", frontmatter("\t\t\ta: b"), "invalid-yaml"),
        ("quote", frontmatter(&format!("a: \"{}", "\\".repeat(100_000))), "invalid-yaml"),
        ("comments", frontmatter(&"# c\n".repeat(60_000)), ""),
        ("folded", frontmatter(&format!("a: >\n{}", " x\n\n".repeat(60_000))), ""),
    ]
}

#[test]
fn odd_contents_are_kept_and_shown_within_bounds() {
    let workspace = Workspace::new();
    let odd = odd_contents();
    for (name, content, _) in &odd {
        let folder = workspace.dir.join("tickets/owner");
        fs::create_dir_all(folder.join("comments")).unwrap();
        fs::write(workspace.dir.join(format!("tickets/{name}.md")), content).unwrap();
        if content.len() < 300_000 {
            fs::write(folder.join(format!("comments/{name}.md")), content).unwrap();
            fs::write(folder.join(format!("{name}.md")), content).unwrap();
            fs::write(workspace.dir.join(format!("inbox/{name}")), content).unwrap();
            fs::write(workspace.dir.join(format!("specs/{name}.md")), content).unwrap();
        }
    }
    workspace.write("tickets/owner.md", TICKET);
    workspace.write("tickets/neighbour.md", TICKET);
    workspace.frugal(&["commit"]);
    assert_eq!(workspace.sh("git status --porcelain"), "");
    let problems = workspace.problems();
    for (name, _, expected) in &odd {
        let path = format!("tickets/{name}.md");
        let codes: Vec<_> = problems.iter().filter(|(at, _)| *at == path).map(|(_, code)| code.as_str()).collect();
        match *expected {
            "" => assert_eq!(codes, Vec::<&str>::new(), "{name}"),
            expected => assert!(codes.contains(&expected), "{name}: {codes:?}"),
        }
    }
    for arguments in [&["status"][..], &["log"], &["events", "-n", "500"], &["events", "--json", "-n", "500"]] {
        assert!(is_printable(&workspace.frugal(arguments)), "{arguments:?}");
    }
}

#[test]
fn fifty_megabytes_on_one_line_are_a_ticket_like_any_other() {
    let workspace = Workspace::new();
    let mut text = TICKET.as_bytes().to_vec();
    text.resize(50 << 20, b'a');
    fs::write(workspace.dir.join("tickets/long.md"), text).unwrap();
    workspace.write("tickets/neighbour.md", TICKET);
    workspace.frugal(&["commit"]);
    assert!(
        workspace.committed().contains("tickets/long.md") && workspace.committed().contains("tickets/neighbour.md")
    );
    assert_eq!(workspace.problems(), Vec::new());
}

#[test]
fn a_file_that_is_too_large_costs_nothing_however_large_it_is() {
    let workspace = Workspace::new();
    for (name, length) in [("tickets/hundred.md", 100 << 20), ("tickets/huge.md", 1 << 42), ("specs/huge.bin", 1 << 42)]
    {
        // A hole: reading it would take an hour.
        let file = fs::File::create(workspace.dir.join(name)).unwrap();
        if file.set_len(length).is_err() {
            file.set_len(1 << 40).unwrap();
        }
    }
    workspace.write("tickets/neighbour.md", TICKET);
    workspace.frugal(&["commit"]);
    assert!(workspace.committed().contains("tickets/neighbour.md"));
    let problems = workspace.problems();
    for path in ["tickets/hundred.md", "tickets/huge.md", "specs/huge.bin"] {
        assert!(problems.contains(&(path.into(), "too-large".into())), "{problems:?}");
    }
    assert_eq!(workspace.uncommitted(), Vec::<Value>::new());
    workspace.write("tickets/huge.md", TICKET);
    workspace.frugal(&["commit"]);
    assert!(workspace.committed().contains("tickets/huge.md"), "once it is small it is a ticket");
}

// --- what is no file ----------------------------------------------------------------------------------------------------

fn fifo(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[test]
fn pipes_sockets_loops_and_links_that_lead_out_are_never_read_through() {
    let workspace = Workspace::new();
    let secret = workspace.outside("secret");
    fs::write(&secret, "---\ntitle: the secret\nstatus: todo\n---\n").unwrap();
    let at = |name: &str| workspace.dir.join("tickets").join(name);
    fifo(&at("pipe.md"));
    let _socket = UnixListener::bind(at("socket.md")).unwrap();
    symlink("loop.md", at("loop.md")).unwrap();
    symlink("../tickets", at("round")).unwrap();
    symlink(&secret, at("out.md")).unwrap();
    symlink(secret.parent().unwrap(), at("outside")).unwrap();
    symlink("/dev/zero", at("endless.md")).unwrap();
    fifo(&workspace.dir.join("tickets/.gitignore"));
    fifo(&workspace.dir.join(".trackfs/views"));
    workspace.write("tickets/neighbour.md", TICKET);
    workspace.frugal(&["commit"]);
    let committed = workspace.committed();
    assert!(committed.contains("tickets/neighbour.md") && committed.contains("tickets/out.md"), "{committed:?}");
    assert!(committed.iter().all(|path| !path.contains("outside/") && !path.contains("round/")), "{committed:?}");
    assert_eq!(workspace.sh("git show HEAD:tickets/out.md"), secret.to_str().unwrap());
    assert!(!workspace.sh("git log -p --all").contains("the secret"));
}

#[test]
fn a_ticket_that_became_a_pipe_a_socket_or_a_folder_is_gone_and_the_rest_is_committed() {
    let workspace = Workspace::new();
    for name in ["pipe", "socket", "folder", "link"] {
        workspace.write(&format!("tickets/{name}.md"), TICKET);
    }
    workspace.frugal(&["commit"]);
    let at = |name: &str| workspace.dir.join(format!("tickets/{name}.md"));
    ["pipe", "socket", "folder"].iter().for_each(|name| fs::remove_file(at(name)).unwrap());
    fifo(&at("pipe"));
    let _socket = UnixListener::bind(at("socket")).unwrap();
    workspace.write("tickets/folder.md/inside.md", TICKET);
    workspace.write("tickets/neighbour.md", TICKET);
    workspace.frugal(&["commit"]);
    let committed = workspace.committed();
    let tickets: Vec<_> = committed.iter().filter(|path| path.starts_with("tickets/")).collect();
    assert_eq!(tickets, ["tickets/folder.md/inside.md", "tickets/link.md", "tickets/neighbour.md"]);
    assert_eq!(workspace.uncommitted(), Vec::<Value>::new());
}

// --- rules --------------------------------------------------------------------------------------------------------------

#[test]
fn hostile_rules_leave_the_last_ones_in_force() {
    let alias = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f]\n";
    let many: String = (0..100_000).map(|n| format!("  s{n}: {{kind: backlog}}\n")).collect();
    let rules: Vec<Vec<u8>> = vec![
        b"#".repeat(70 << 20),
        b"a".repeat(10 << 20),
        alias.into(),
        "[".repeat(100_000).into_bytes(),
        "{a: ".repeat(100_000).into_bytes(),
        format!("statuses:\n{many}fields:\n  title: text\n").into_bytes(),
        b"\0".repeat(1 << 20),
        b"\xff\xfe".to_vec(),
        "? ".repeat(100_000).into_bytes(),
        "- ".repeat(100_000).into_bytes(),
        "&a ".repeat(100_000).into_bytes(),
        "!!a ".repeat(100_000).into_bytes(),
    ];
    let workspace = Workspace::new();
    for (n, text) in rules.iter().enumerate() {
        for file in ["schema.yaml", "config.yaml"] {
            let path = workspace.dir.join(".trackfs").join(file);
            let good = fs::read(&path).unwrap();
            fs::write(&path, text).unwrap();
            workspace.write(&format!("tickets/{n}.md"), TICKET);
            workspace.frugal(&["commit"]);
            assert!(workspace.committed().contains(&format!("tickets/{n}.md")), "{file} {n}");
            let named = format!(".trackfs/{file}");
            assert!(workspace.problems().iter().any(|(path, _)| *path == named), "{file} {n} is a problem");
            fs::write(&path, good).unwrap();
        }
    }
    workspace.frugal(&["commit"]);
    assert_eq!(workspace.problems(), Vec::new());
}

#[test]
fn a_hostile_gitignore_hides_at_most_what_it_says() {
    let patterns: Vec<(&str, Vec<u8>)> = vec![
        ("many", (0..1_000_000).map(|n| format!("nothing{n}/**/x{n}*\n")).collect::<String>().into_bytes()),
        ("long", b"*".repeat(5 << 20)),
        ("stars", format!("{}z\n", "**/".repeat(5_000)).into_bytes()),
        ("braces", format!("{}\n", "{a,".repeat(5_000)).into_bytes()),
        ("classes", format!("{}\n", "[!a-z]".repeat(5_000)).into_bytes()),
        ("nul", b"\0\n".repeat(100_000)),
        ("latin1", b"\xff*\n".to_vec()),
        ("itself", b".gitignore\n".to_vec()),
    ];
    let workspace = Workspace::new();
    for (name, text) in &patterns {
        fs::write(workspace.dir.join("tickets/.gitignore"), text).unwrap();
        workspace.write(&format!("tickets/by-{name}.md"), TICKET);
        workspace.frugal(&["commit"]);
        assert!(workspace.committed().contains(&format!("tickets/by-{name}.md")), "{name}");
    }
    fs::write(workspace.dir.join("tickets/.gitignore"), &patterns[0].1).unwrap();
    assert!(workspace.problems().contains(&("tickets/.gitignore".into(), "too-many-rules".into())));
}

// --- through a mount ----------------------------------------------------------------------------------------------------

#[test]
fn in_a_mount_a_neighbour_settles_while_hostile_files_come() {
    let workspace = Workspace::new();
    workspace.mount();
    let hostile: Vec<_> = odd_contents().into_iter().filter(|(_, content, _)| content.len() < 2 << 20).collect();
    for (round, (name, content, expected)) in hostile.iter().enumerate() {
        // The last close may answer EINVAL, with the bytes kept.
        let _ = fs::write(workspace.dir.join(format!("tickets/{name}.md")), content);
        workspace.write(&format!("tickets/n{round}.md"), TICKET);
        let link = workspace.dir.join(format!("views/status/todo/n{round}.md"));
        eventually(&format!("the neighbour of {name} in its view"), || link.exists().then_some(()));
        assert_eq!(fs::metadata(workspace.dir.join(format!("tickets/{name}.md"))).unwrap().len(), content.len() as u64);
        if !expected.is_empty() {
            let path = workspace.dir.join(format!("tickets/{name}.md"));
            let told = || {
                let mut value = vec![0; 4096];
                let length = rustix::fs::getxattr(&path, "user.trackfs.problem", &mut value[..]).ok()?;
                Some(String::from_utf8(value[..length].to_vec()).unwrap())
            };
            let problem = eventually(&format!("the problem of {name}"), told);
            assert!(is_printable(&problem), "{problem:?}");
        }
    }
    let file = fs::File::create(workspace.dir.join("tickets/hole.md")).unwrap();
    file.set_len(1 << 40).unwrap();
    drop(file);
    fifo(&workspace.dir.join("tickets/pipe.md"));
    symlink("self", workspace.dir.join("tickets/self")).unwrap();
    for name in odd_names() {
        fs::write(workspace.dir.join("tickets").join(&name), TICKET).unwrap();
    }
    workspace.write("tickets/last.md", TICKET);
    let link = workspace.dir.join("views/status/todo/last.md");
    eventually("the last neighbour in its view", || link.exists().then_some(()));
    workspace.ok(&["commit"]);
    assert!(workspace.committed().contains("tickets/last.md"));
    for name in ["problems.md", "events.jsonl"] {
        let text = workspace.read(&format!("status/{name}"));
        assert!(is_printable(&text), "status/{name}");
    }
    for folder in fs::read_dir(workspace.dir.join("views/status")).unwrap().map(Result::unwrap) {
        let name = folder.file_name().into_string().unwrap();
        assert!(is_printable(&name) && name.len() <= 255, "{name:?}");
    }
}
