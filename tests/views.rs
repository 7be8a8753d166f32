//! The views against what a naive reading of the tickets says they hold, after every change; and on a real mount: moved
//! links, races for a ticket, saved queries, editors. What docs/views.md and docs/query.md show is run here.

#[path = "support/shelf.rs"]
mod shelf;
mod support;

use proptest::prelude::*;
use shelf::Shelf;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::Path,
    process::Stdio,
    sync::Arc,
};
use support::{Workspace, eventually, have};
use trackfs::{
    domain::{
        Timestamp,
        catalog::{Catalog, Times},
        layout::Kind,
        path::WsPath,
        query::Query,
        schema::Schema,
        snapshot,
    },
    fs::{DirEntry, DirSink, FileKind, Fs, Ino},
    workspace::root::Root,
};

// --- the model ------------------------------------------------------------------------------------------------------

/// A ticket as the model has it: few values, so that tickets meet.
#[derive(Clone, Debug, Default)]
struct Ticket {
    status: &'static str,
    assignee: &'static str,
    priority: &'static str,
    labels: BTreeSet<&'static str>,
    parent: &'static str,
    blocked_by: BTreeSet<&'static str>,
    links: BTreeSet<&'static str>,
    due: &'static str,
    /// Its key on a remote.
    key: &'static str,
    /// Seconds since it was changed last.
    age: i64,
}

const PATHS: [&str; 6] =
    ["tickets/a.md", "tickets/b.md", "tickets/sub/a.md", "tickets/sub/c.md", "tickets/d/d.md", "tickets/a~2.md"];
/// What tickets call each other: names, a key, and nobody.
const NAMES: [&str; 7] = ["a", "b", "c", "d", "a~2", "K-1", "nobody"];
const NAMED: [&str; 8] = ["", "", "a", "b", "c", "d", "K-1", "nobody"];
const DAY: i64 = 24 * 3600;

type Tickets = BTreeMap<&'static str, Ticket>;

fn ticket() -> impl Strategy<Value = Ticket> {
    let pick = |values: &'static [&'static str]| proptest::sample::select(values);
    let some = |values: &'static [&'static str]| prop::collection::btree_set(proptest::sample::select(values), 0..3);
    let own = (
        pick(&["", "backlog", "todo", "in-progress", "done", "canceled", "odd/one"]),
        pick(&["", "", "ada", "bob"]),
        pick(&["", "urgent", "low"]),
        some(&["bug", "web", "a/b", "none"]),
        pick(&["", "", "2000-01-01", "2999-01-01"]),
        pick(&["", "", "K-1", "K-2"]),
        0..100 * DAY,
    );
    let to_others = (pick(&NAMED), some(&NAMES), some(&NAMES));
    (own, to_others).prop_map(|((status, assignee, priority, labels, due, key, age), (parent, blocked_by, links))| {
        Ticket { status, assignee, priority, labels, parent, blocked_by, links, due, key, age }
    })
}

/// A ticket that becomes another, or goes.
fn change() -> impl Strategy<Value = (&'static str, Option<Ticket>)> {
    (proptest::sample::select(&PATHS[..]), prop::option::weighted(0.85, ticket()))
}

impl Ticket {
    fn text(&self) -> String {
        let list = |names: &BTreeSet<&str>| names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        let Self { status, assignee, priority, parent, due, key, .. } = self;
        let mut text = String::from("---\ntitle: T\n");
        for (name, value) in
            [("status", status), ("assignee", assignee), ("priority", priority), ("parent", parent), ("due", due)]
        {
            if !value.is_empty() {
                text += &format!("{name}: {value}\n");
            }
        }
        text += &format!("labels: [{}]\nblocked_by: [{}]\n", list(&self.labels), list(&self.blocked_by));
        if !key.is_empty() {
            text += &format!("sync: {{linear: {key}}}\n");
        }
        text += "---\n";
        self.links.iter().for_each(|link| text += &format!("[[{link}]] "));
        text
    }

    fn is_open(&self) -> bool {
        !["done", "canceled"].contains(&self.status)
    }
}

fn stem(path: &str) -> &str {
    path.rsplit('/').next().unwrap().strip_suffix(".md").unwrap()
}

/// Whom a name means: by the file's name, else by key.
fn meant<'t>(tickets: &'t Tickets, name: &'t str) -> Vec<&'static str> {
    let by = |test: &dyn Fn(&&str, &Ticket) -> bool| -> Vec<&'static str> {
        tickets.iter().filter(|(path, ticket)| test(path, ticket)).map(|(path, _)| *path).collect()
    };
    let named = by(&|path, _| stem(path) == name);
    if named.is_empty() && !name.is_empty() { by(&|_, ticket| ticket.key == name) } else { named }
}

fn parent(tickets: &Tickets, path: &'static str) -> Option<&'static str> {
    let named = |path: &'static str| meant(tickets, tickets[path].parent).into_iter().find(|other| *other != path);
    let parent = named(path)?;
    // Whoever comes back to itself is in a ring, which begins at its first member.
    let mut ring = vec![path];
    let mut above = Some(parent);
    while let Some(next) = above.filter(|next| !ring.contains(next)) {
        ring.push(next);
        above = named(next);
    }
    let is_first_of_ring = above == Some(path) && ring.iter().min() == Some(&path);
    (!is_first_of_ring).then_some(parent)
}

fn links(tickets: &Tickets, path: &'static str) -> BTreeSet<&'static str> {
    let ticket = &tickets[path];
    let names = ticket.links.iter().chain(&ticket.blocked_by).copied().chain([ticket.parent]);
    names.flat_map(|name| meant(tickets, name)).filter(|other| *other != path).collect()
}

/// Folders with the tickets that are in them, as one who reads every ticket each time would say.
fn naive(tickets: &Tickets, schema: &Schema) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut views: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    let mut put = |folder: String, path: Option<&'static str>| {
        views.entry(folder).or_default().extend(path);
    };
    let group = |value: &str| match value {
        "" => "none".to_owned(),
        "none" => "none~2".to_owned(),
        value => value.replace('/', "-"),
    };
    for status in &schema.statuses {
        put(format!("status/{}", status.name), None);
    }
    for folder in ["assignee/ada", "assignee/none", "priority/none", "project/none", "milestone/none", "type/none"]
        .into_iter()
        .chain(["blocked", "inbox", "mine", "overdue", "ready", "recent", "tree", "tag", "label", "links", "backlinks"])
    {
        put(folder.to_owned(), None);
    }
    ["urgent", "high", "medium", "low"].iter().for_each(|priority| put(format!("priority/{priority}"), None));
    for (&path, ticket) in tickets {
        let open_one =
            |name: &&str| meant(tickets, name).into_iter().any(|other| other != path && tickets[other].is_open());
        let is_blocked = ticket.is_open() && ticket.blocked_by.iter().any(open_one);
        let has_open_child =
            tickets.iter().any(|(&child, other)| other.is_open() && parent(tickets, child) == Some(path));
        put(format!("status/{}", group(ticket.status)), Some(path));
        put(format!("assignee/{}", group(ticket.assignee)), Some(path));
        put(format!("priority/{}", group(ticket.priority)), Some(path));
        for field in ["project", "milestone", "type"] {
            put(format!("{field}/none"), Some(path));
        }
        ticket.labels.iter().for_each(|label| put(format!("label/{}", group(label)), Some(path)));
        put("recent".to_owned(), Some(path));
        let not_begun = ["", "backlog", "todo", "odd/one"].contains(&ticket.status);
        for (view, holds) in [
            ("blocked", is_blocked),
            ("ready", not_begun && ticket.assignee.is_empty() && !is_blocked && !has_open_child),
            ("mine", ticket.is_open() && ticket.assignee == "ada"),
            ("overdue", ticket.is_open() && ticket.due == "2000-01-01"),
            ("inbox", not_begun && ticket.status != "todo" && ticket.assignee.is_empty() && ticket.priority.is_empty()),
        ] {
            put(view.to_owned(), Some(path).filter(|_| holds));
        }
        for other in links(tickets, path) {
            put(format!("links of {path}"), Some(other));
            put(format!("backlinks of {other}"), Some(path));
        }
        match parent(tickets, path) {
            None => put("tree".to_owned(), Some(path)),
            Some(above) => put(format!("below {above}"), Some(path)),
        }
    }
    views
}

#[derive(Default)]
struct Names(Vec<(String, Ino, FileKind)>);

impl DirSink for Names {
    fn add(&mut self, entry: DirEntry<'_>) -> bool {
        if entry.name != "." && entry.name != ".." {
            self.0.push((entry.name.to_str().unwrap().to_owned(), entry.ino, entry.kind));
        }
        true
    }
}

struct World {
    fs: Fs,
    shelf: Arc<Shelf>,
    tickets: Tickets,
    /// The name of each ticket in the views, since it is there.
    shown: BTreeMap<&'static str, String>,
    _dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Arc::<Shelf>::default();
        *shelf.0.write() = Catalog::new(Arc::default());
        shelf.0.write().set_me(&["ada".to_owned()]);
        let fs = Fs::new(Arc::new(Root::open(dir.path()).unwrap()), shelf.clone()).unwrap();
        Self { fs, shelf, tickets: Tickets::new(), shown: BTreeMap::new(), _dir: dir }
    }

    fn change(&mut self, path: &'static str, ticket: Option<Ticket>) {
        let ws = WsPath::new(path).unwrap();
        let schema = self.shelf.0.read().schema().clone();
        let read = |ticket: &Ticket| snapshot::read(&ws, Kind::Ticket, ticket.text().as_bytes(), false, &schema, None);
        let age = ticket.as_ref().map_or(0, |ticket| ticket.age);
        let updated = Timestamp::now() - jiff::SignedDuration::from_secs(age);
        let file = ticket.as_ref().map(read);
        self.shelf.0.write().put(&ws, file.as_ref(), Times { created: updated, updated });
        match ticket {
            Some(ticket) => self.tickets.insert(path, ticket),
            None => {
                self.shown.remove(path);
                self.tickets.remove(path)
            }
        };
    }

    /// Walks all of `views/`; the folders of links and of the tree are named by the ticket that they belong to.
    fn walk(&mut self, path: &str, folder: Ino, found: &mut BTreeMap<String, BTreeSet<&'static str>>) {
        let (fh, _) = self.fs.opendir(folder).unwrap();
        let mut names = Names::default();
        self.fs.readdir(fh, 0, &mut names).unwrap();
        self.fs.releasedir(fh);
        let unique: BTreeSet<&String> = names.0.iter().map(|(name, ..)| name).collect();
        assert_eq!(unique.len(), names.0.len(), "names in {path} are unique");
        let mut held = BTreeSet::new();
        let below = |path: &str, name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        for (name, ino, kind) in names.0 {
            let attr =
                self.fs.lookup(folder, OsStr::new(&name)).unwrap_or_else(|error| panic!("{path}/{name}: {error}"));
            assert_eq!((attr.ino, attr.kind), (ino, kind), "{path}/{name}");
            match kind {
                FileKind::Folder => self.walk(&below(path, &name), ino, found),
                _ if path == "assignee" && name == "me" => assert_eq!(self.fs.readlink(ino).unwrap(), b"ada"),
                _ => {
                    let target = String::from_utf8(self.fs.readlink(ino).unwrap()).unwrap();
                    let up = "../".repeat(2 + path.matches('/').count());
                    let path = PATHS.into_iter().find(|path| target == format!("{up}{path}"));
                    let path = path.unwrap_or_else(|| panic!("{target} leads nowhere"));
                    assert_eq!(self.shown.entry(path).or_insert_with(|| name.clone()), &name, "{path} has one name");
                    held.insert(path);
                }
            }
        }
        found.insert(path.to_owned(), held);
    }

    /// The name of a folder as the naive reading has it: of a ticket in the place of its name.
    fn called(&self, folder: &str) -> Option<String> {
        let by_name = |name: &str| {
            let shown = self.shown.iter().find(|(_, shown)| shown.strip_suffix(".md") == Some(name));
            *shown.unwrap_or_else(|| panic!("no ticket is shown as {name}")).0
        };
        let (view, rest) = folder.split_once('/').unwrap_or((folder, ""));
        match view {
            "links" | "backlinks" if !rest.is_empty() => Some(format!("{view} of {}", by_name(rest))),
            "tree" if !rest.is_empty() => Some(format!("below {}", by_name(rest.rsplit('/').next().unwrap()))),
            // These have folders only.
            "" => None,
            "status" | "assignee" | "priority" | "project" | "milestone" | "type" if rest.is_empty() => None,
            _ => Some(folder.to_owned()),
        }
    }

    fn compare(&mut self) {
        let views = self.fs.lookup(Ino::ROOT, OsStr::new("views")).unwrap().ino;
        let mut found = BTreeMap::new();
        self.walk("", views, &mut found);
        let found: BTreeMap<String, BTreeSet<&str>> =
            found.into_iter().filter_map(|(folder, held)| Some((self.called(&folder)?, held))).collect();
        let schema = self.shelf.0.read().schema().clone();
        assert_eq!(found, naive(&self.tickets, &schema), "{:#?}", self.tickets);
    }
}

/// Cases, times what the environment asks for.
fn cases(number: u32) -> u32 {
    let times = std::env::var("TRACKFS_MODEL_CASES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    number * times
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(48), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_every_change_the_views_are_what_the_tickets_say(changes in prop::collection::vec(change(), 1..24)) {
        let mut world = World::new();
        world.compare();
        for (path, ticket) in changes {
            world.change(path, ticket);
            world.compare();
        }
    }
}

// --- the manual -----------------------------------------------------------------------------------------------------

fn manual(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

#[test]
fn every_query_of_the_manual_is_one() {
    let (page, mut read) = (manual("query.md"), 0);
    let schema = Schema::default();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let query = line.split('`').nth(1).unwrap();
        match line.split_once("column ") {
            None => drop(Query::parse(query, &schema).unwrap_or_else(|error| panic!("{query}: {error}"))),
            Some((_, told)) => {
                let told = format!("column {}", told.trim_end_matches([' ', '|']));
                assert_eq!(Query::parse(query, &schema).expect_err(query).to_string(), told, "{query}");
            }
        }
        read += 1;
    }
    assert!(read > 25, "the manual has its queries where this test looks: {read}");
}

#[test]
fn what_the_manual_shows_is_what_happens_in_a_mount() {
    let workspace = mounted(&[]);
    for block in manual("views.md").split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for step in block.split("$ ").skip(1) {
            let (command, expected) = step.split_once('\n').unwrap();
            // What a save changes is shown when it has settled.
            eventually(&format!("{command}\n{expected}"), || {
                let output = workspace.command("bash").args(["-c", &format!("{command} 2>&1")]).output().unwrap();
                let said = String::from_utf8_lossy(&output.stdout).into_owned();
                (said == expected || command.starts_with("mv ")).then_some(())
            });
        }
    }
}

// --- on a mount -----------------------------------------------------------------------------------------------------

/// A mounted workspace of tickets with these fields, which are in the views already.
fn mounted(tickets: &[(&str, &str)]) -> Workspace {
    let workspace = Workspace::new();
    workspace.configure("me: ada");
    for (name, fields) in tickets {
        workspace.write(&format!("tickets/{name}.md"), &format!("---\ntitle: {name}\n{fields}---\nText\n"));
    }
    workspace.mount();
    // No folder has all: `recent/` takes a hundred.
    let shown = || workspace.ok(&["list"]).lines().count();
    eventually("all tickets in their views", || (shown() == tickets.len()).then_some(()));
    workspace
}

/// So many processes try to take one ticket at the same moment, each for `who`; answers for whom one got it.
fn race(workspace: &Workspace, ticket: &str, who: &str, processes: usize) -> Vec<String> {
    let script = format!(
        "mkfifo start; for i in $(seq {processes}); do
             mkdir -p views/assignee/{who}
             (read -r _ <start; mv views/ready/{ticket}.md views/assignee/{who}/ 2>/dev/null && echo {who}) &
         done
         exec 3<>start; for i in $(seq {processes}); do echo; done >&3; wait; rm start"
    );
    workspace.sh(&script).lines().map(str::to_owned).collect()
}

fn races(rounds: usize, processes: usize) {
    let names: Vec<String> = (0..rounds).map(|round| format!("t{round}")).collect();
    let tickets: Vec<_> = names.iter().map(|name| (name.as_str(), "status: todo\n")).collect();
    let workspace = mounted(&tickets);
    for (round, name) in names.iter().enumerate() {
        // Many for themselves, or all for the same.
        let winners = race(&workspace, name, if round % 2 == 0 { "agent-$i" } else { "ada" }, processes);
        assert_eq!(winners.len(), 1, "{name}: {winners:?}");
        assert_eq!(workspace.read(&format!("tickets/{name}.md")).matches("assignee:").count(), 1);
        assert!(workspace.read(&format!("tickets/{name}.md")).contains(&format!("assignee: {}\n", winners[0])));
        assert!(workspace.dir.join(format!("views/assignee/{}/{name}.md", winners[0])).exists());
    }
    assert_eq!(fs::read_dir(workspace.dir.join("views/ready")).unwrap().count(), 0);
}

#[test]
fn of_64_who_claim_a_ticket_one_gets_it() {
    races(3, 64);
}

#[test]
#[ignore = "takes long: tests/long.sh runs it"]
fn of_64_who_claim_a_ticket_one_gets_it_a_thousand_times() {
    races(1000, 64);
}

#[test]
fn links_are_moved_made_and_removed_and_one_line_changes() {
    let workspace = mounted(&[("a", "status: todo # since Monday\nlabels: [bug] # one\n"), ("b", "status: done\n")]);
    let text = |name: &str| workspace.read(&format!("tickets/{name}.md"));
    workspace.sh("mv views/ready/a.md views/assignee/me/");
    assert!(text("a").ends_with("labels: [bug] # one\nassignee: ada\n---\nText\n"), "{}", text("a"));
    assert_eq!(workspace.sh("ls views/mine"), "a.md\n");
    workspace.sh("mkdir views/label/web; cp -P views/status/todo/a.md views/label/web/; ls views/label/web");
    assert!(text("a").contains("status: todo # since Monday\nlabels: [bug, web] # one\n"), "{}", text("a"));
    workspace.sh("ln -s ../../../tickets/b.md views/label/web/; rm views/label/bug/a.md");
    assert!(text("a").contains("labels: [web] # one\n") && text("b").contains("labels: [web]\n"), "{}", text("b"));
    assert_eq!(workspace.sh("ls views/label; ls views/label/web"), "web\na.md\nb.md\n");
    workspace.sh("mv views/mine/a.md views/assignee/none/");
    assert!(!text("a").contains("assignee"));
    workspace.ok(&["commit"]);
    assert_eq!(workspace.sh("git status --porcelain"), "");
}

#[test]
fn a_step_that_the_schema_forbids_is_refused_and_the_reason_can_be_read() {
    let workspace = mounted(&[("a", "status: todo\n")]);
    workspace
        .sh("sed -i 's/  todo: .*/  todo: {kind: unstarted, next: [in-progress, canceled]}/' .trackfs/schema.yaml");
    let refused = || {
        let moved =
            fs::rename(workspace.dir.join("views/status/todo/a.md"), workspace.dir.join("views/status/done/a.md"));
        match moved {
            // The schema has not settled yet.
            Ok(()) => {
                workspace.sh("mv views/status/done/a.md views/status/todo/");
                None
            }
            Err(error) => Some(error.raw_os_error()),
        }
    };
    assert_eq!(eventually("the new schema is in force", refused), Some(libc::EINVAL));
    let page = workspace.read("status/refused.md");
    assert!(
        page.contains("`status` cannot go from `todo` to `done`; what may follow `todo`: in-progress, canceled"),
        "{page}"
    );
    assert!(workspace.read("tickets/a.md").contains("status: todo\n"));
}

#[test]
fn a_saved_query_is_a_folder_from_the_moment_it_is_saved_until_it_goes() {
    let workspace = mounted(&[("a", "status: todo\nlabels: [bug]\nsync: {linear: ENG-7}\n"), ("b", "status: todo\n")]);
    let listed = |folder: &str| workspace.sh(&format!("ls views/{folder} 2>/dev/null || true"));
    workspace.write(".trackfs/views/bugs.yaml", "query: label:bug is:open\nname: \"{key}-{slug}\"\n");
    eventually("the saved query", || (listed("bugs") == "ENG-7-a.md\n").then_some(()));
    assert_eq!(
        workspace.sh("mv views/bugs/ENG-7-a.md views/status/done/ && ls views/status/done views/bugs"),
        "views/bugs:\n\nviews/status/done:\na.md\n"
    );
    workspace.write(".trackfs/views/bugs.yaml", "query: label:bug is:opne\n");
    let problem = || Some(workspace.ok(&["status"])).filter(|status| status.contains("bugs.yaml:1:21"));
    let problem = eventually("the problem of the query", problem);
    assert!(problem.contains("a ticket is never `opne` (did you mean `open`?)"), "{problem}");
    workspace.sh("rm .trackfs/views/bugs.yaml; mkdir 'views/?is:open -label:bug'");
    assert_eq!(listed("'?is:open -label:bug'"), "b.md\n");
    eventually("the saved query is gone", || (!listed("").contains("bugs")).then_some(()));
}

#[test]
fn list_answers_the_same_query_mounted_and_not() {
    let workspace = mounted(&[
        ("a", "status: todo\npriority: low\n"),
        ("b", "status: todo\npriority: urgent\n"),
        ("c", "status: done\n"),
    ]);
    let expected = "tickets/b.md  todo  urgent  b\ntickets/a.md  todo  low     a\n";
    let query = ["list", "is:open", "sort:priority"];
    assert_eq!(workspace.ok(&query), expected);
    workspace.sh("cp tickets/c.md tickets/d.md");
    assert_eq!(workspace.ok(&["list", "name:d"]), "tickets/d.md  done  c\n", "what was saved just now is seen");
    workspace.sh("rm tickets/d.md");
    workspace.ok(&["unmount"]);
    assert_eq!(workspace.ok(&query), expected);
    let rows = workspace.ok(&["list", "is:closed", "--json"]);
    let row: serde_json::Value = serde_json::from_str(&rows).unwrap();
    assert_eq!((&row["path"], &row["fields"]["status"][0]), (&"tickets/c.md".into(), &"done".into()));
    let wrong = workspace.trackfs(&["list", "status:todo", "is:opne"]);
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said.contains("column 16: a ticket is never `opne`") && said.contains("\n                 ^\n"), "{said}");
}

#[test]
fn an_editor_that_is_given_a_link_edits_the_ticket() {
    if !have(&["vim", "sed"]) {
        return;
    }
    let workspace = mounted(&[("a", "status: todo\n")]);
    workspace.sh("sed -i s/Text/Words/ views/status/todo/a.md");
    assert!(workspace.read("tickets/a.md").ends_with("---\nWords\n"), "{}", workspace.read("tickets/a.md"));
    assert_eq!(
        workspace.sh("readlink views/status/todo/a.md; ls -A views/status/todo"),
        "../../../tickets/a.md\na.md\n"
    );
    let mut vim = workspace.command("vim");
    vim.args(["-es", "-u", "NONE", "-c", "%s/Words/by vim/", "-c", "wq", "views/status/todo/a.md"]);
    assert!(vim.stdin(Stdio::null()).status().unwrap().success());
    assert!(workspace.read("tickets/a.md").ends_with("---\nby vim\n"));
    workspace.ok(&["commit"]);
    assert_eq!(workspace.sh("git status --porcelain; git ls-files tickets"), "tickets/a.md\n");
}

#[test]
fn a_search_of_everything_meets_each_ticket_once() {
    if !have(&["rg"]) {
        return;
    }
    let workspace =
        mounted(&[("a", "status: todo\nassignee: ada\nlabels: [bug]\n"), ("b", "status: todo\nparent: a\n")]);
    assert_eq!(workspace.sh("grep -rl --include='*.md' '^Text$' . | sort"), "./tickets/a.md\n./tickets/b.md\n");
    assert_eq!(workspace.sh("rg -l '^Text$' | sort"), "tickets/a.md\ntickets/b.md\n");
}
