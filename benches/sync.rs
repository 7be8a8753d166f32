//! Importing a tracker, and a cycle in which nothing changed, apart from any network.
//!
//! `TRACKFS_CORPUS` names a gzipped file of real issues, one `{"issue": …, "comments": […]}` of GitHub's REST bodies a line;
//! without it a made-up one of the same shape serves. `TRACKFS_ISSUES` is how many (10,000).

use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use trackfs::{
    domain::{
        Clock, Timestamp,
        issue::{Capabilities, Field, FieldValue, IssueFields, ObjectKind, RemoteComment, RemoteIssue},
        path::WsPath,
    },
    git::{Repo, merge_text},
    remote::{
        Lost, Page, PageToken, Patch, Provider, RemoteError, Search,
        simulator::{Flavour, Simulator},
    },
    sync::{Options, Parts, Syncer},
    workspace::{
        config::{RemoteConfig, RemoteKind, SettleConfig, SyncConfig},
        root::Root,
        settle::Settler,
        store::Store,
    },
};
use uuid::Uuid;

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A tracker that only lists, a hundred a page, and counts what it is asked.
struct Library {
    capabilities: Capabilities,
    issues: Vec<RemoteIssue>,
    asked: AtomicUsize,
    spent: parking_lot::Mutex<Duration>,
}

impl Provider for Library {
    fn capabilities(&self) -> Result<Capabilities, RemoteError> {
        Ok(self.capabilities.clone())
    }

    fn account(&self) -> Result<String, RemoteError> {
        Ok("librarian".into())
    }

    fn changed_since(&self, since: Option<&str>, page: Option<&PageToken>) -> Result<Page, RemoteError> {
        let begun = Instant::now();
        self.asked.fetch_add(1, Ordering::SeqCst);
        let start = page.map_or(0, |PageToken(at)| at.parse().expect("our own token"));
        let changed = self.issues.iter().filter(|issue| since.is_none_or(|since| issue.updated_at.as_str() >= since));
        let issues: Vec<_> = changed.skip(start).take(100).cloned().collect();
        let next = (issues.len() == 100).then(|| PageToken((start + 100).to_string()));
        *self.spent.lock() += begun.elapsed();
        Ok(Page { listed: issues.len(), issues, pulls: Vec::new(), latest: None, next, of: None })
    }

    fn fetch(&self, id: &str) -> Result<Option<RemoteIssue>, RemoteError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.issues.iter().find(|issue| issue.id == id).cloned())
    }

    fn create(&self, _: Uuid, _: ObjectKind, _: &IssueFields) -> Result<RemoteIssue, RemoteError> {
        unreachable!("nothing is new")
    }

    fn find_created(&self, _: &Lost<'_>) -> Result<Search, RemoteError> {
        Ok(Search::Nothing)
    }

    fn update(&self, id: &str, patch: &Patch) -> Result<RemoteIssue, RemoteError> {
        unreachable!("{id} was not edited: {patch:?}")
    }

    fn archive(&self, id: &str) -> Result<(), RemoteError> {
        unreachable!("{id} was not removed")
    }

    fn comment(&self, _: &str, _: Uuid, _: &str) -> Result<RemoteComment, RemoteError> {
        unreachable!("nothing is said")
    }

    fn find_comment(&self, _: &str, _: &Lost<'_>) -> Result<Option<RemoteComment>, RemoteError> {
        Ok(None)
    }

    fn edit_comment(&self, _: &str, comment: &str, _: &str) -> Result<RemoteComment, RemoteError> {
        unreachable!("{comment} was not edited")
    }

    fn delete_comment(&self, _: &str, comment: &str) -> Result<(), RemoteError> {
        unreachable!("{comment} was not removed")
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().replace("\r\n", "\n")
}

fn from_rest(line: &str) -> RemoteIssue {
    let entry: Value = serde_json::from_str(line).expect("a line of JSON");
    let issue = &entry["issue"];
    let labels = issue["labels"].as_array().into_iter().flatten().map(|label| text(&label["name"]));
    let comment = |comment: &Value| RemoteComment {
        id: comment["id"].to_string(),
        author: text(&comment["user"]["login"]),
        created_at: text(&comment["created_at"]),
        updated_at: text(&comment["updated_at"]),
        body: text(&comment["body"]),
    };
    RemoteIssue {
        id: issue["number"].to_string(),
        key: issue["number"].to_string(),
        url: text(&issue["html_url"]),
        updated_at: text(&issue["updated_at"]),
        archived: false,
        fields: IssueFields::from([
            (Field::Title, FieldValue::text(text(&issue["title"]))),
            (Field::Body, FieldValue::text(text(&issue["body"]))),
            (Field::Status, FieldValue::text(text(&issue["state"]))),
            (Field::Labels, FieldValue::Set(labels.collect())),
            (Field::Assignee, FieldValue::Text(issue["assignee"]["login"].as_str().map(str::to_owned))),
        ]),
        comments: entry["comments"].as_array().into_iter().flatten().map(comment).collect(),
        reactions: Default::default(),
    }
}

/// An issue of about the corpus's size: 1,700 bytes of body, 4.4 comments of 700.
fn made_up(number: usize) -> RemoteIssue {
    let words = |count: usize, salt: usize| {
        let word = |at: usize| {
            ["error", "thread", "build", "panics", "when", "the", "type", "of\n\n"][(at * 7 + salt * 3) % 8]
        };
        (0..count).map(word).collect::<Vec<_>>().join(" ")
    };
    let at = Timestamp::from_second(1_700_000_000 + number as i64 * 60).expect("a time").to_string();
    let comment = |n: usize| RemoteComment {
        id: format!("{number}{n:03}"),
        author: format!("user{}", (number + n) % 50),
        created_at: at.clone(),
        updated_at: at.clone(),
        body: words(120, number + n),
    };
    RemoteIssue {
        id: number.to_string(),
        key: number.to_string(),
        url: format!("https://example.org/{number}"),
        updated_at: at.clone(),
        archived: false,
        fields: IssueFields::from([
            (Field::Title, FieldValue::text(format!("Issue {number} about {}", words(5, number).replace('\n', "")))),
            (Field::Body, FieldValue::text(words(290, number))),
            (Field::Status, FieldValue::text(if number.is_multiple_of(3) { "closed" } else { "open" })),
            (Field::Labels, FieldValue::Set([format!("area-{}", number % 20), "bug".to_owned()].into())),
            (Field::Assignee, FieldValue::Text(None)),
        ]),
        comments: (0..4 + usize::from(number % 5 < 2)).map(comment).collect(),
        reactions: Default::default(),
    }
}

fn corpus() -> Vec<RemoteIssue> {
    let count = std::env::var("TRACKFS_ISSUES").ok().and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let Some(path) = std::env::var_os("TRACKFS_CORPUS") else { return (1..=count).map(made_up).collect() };
    let unpacked = Command::new("gzip").arg("-dc").arg(path).output().expect("gzip is installed").stdout;
    let text = String::from_utf8(unpacked).expect("the corpus is UTF-8");
    let mut issues: Vec<_> = text.lines().take(count).map(from_rest).collect();
    issues.sort_by(|a, b| a.updated_at.cmp(&b.updated_at));
    issues
}

/// Processor time of this process.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn main() {
    let issues = corpus();
    let (count, comments) = (issues.len(), issues.iter().map(|issue| issue.comments.len()).sum::<usize>());
    let dir = tempfile::tempdir().expect("a folder");
    let (ws, state) = (dir.path().join("ws"), dir.path().join("state"));
    fs::create_dir_all(ws.join("tickets")).expect("the folder is empty");
    fs::create_dir_all(&state).expect("the folder is empty");
    let root = Arc::new(Root::open(&ws).expect("it was just made"));
    let store = Arc::new(Store::open(&state).expect("it is empty"));
    let repo = Arc::new(Repo::init(&ws, &dir.path().join("repo.git")).expect("git works"));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let settler = Arc::new(Settler::new(root.clone(), store.clone(), clock.clone(), SettleConfig::default()));
    let library = Arc::new(Library {
        capabilities: Simulator::new("library", Flavour::Github).capabilities().expect("it is in this process"),
        issues,
        asked: AtomicUsize::new(0),
        spent: parking_lot::Mutex::default(),
    });
    let config = RemoteConfig::new(RemoteKind::Simulator, WsPath::new("tickets").expect("a legal path"));
    let syncer = Syncer::new(Parts {
        name: "library".into(),
        config,
        others: BTreeMap::new(),
        limits: SyncConfig::default(),
        provider: library.clone(),
        root,
        store: store.clone(),
        settler: settler.clone(),
        repo,
        clock,
        merge_text,
    });

    let (begun, cpu_begun) = (Instant::now(), cpu());
    syncer.pull().expect("nothing fails here");
    let (took, used) = (begun.elapsed() - *library.spent.lock(), cpu() - cpu_begun);
    println!(
        "import: {count} issues, {comments} comments in {took:.2?} ({used:.2?} of processor): {:.0} issues/s",
        count as f64 / took.as_secs_f64()
    );
    let begun = Instant::now();
    settler.settle_now().expect("the disk has room");
    let paths = store.uncommitted().expect("the index can be read");
    store.committed(&paths, store.mark().expect("the index can be read")).expect("the index can be written");
    println!("settling {} files: {:.2?}", paths.len(), begun.elapsed());

    for name in ["first cycle after it", "an unchanged cycle", "another", "and another"] {
        let (asked, begun, cpu_begun) = (library.asked.load(Ordering::SeqCst), Instant::now(), cpu());
        let report = syncer.sync(Options::default()).expect("nothing fails here");
        let (took, used) = (begun.elapsed(), cpu() - cpu_begun);
        assert!(report.pulled.is_empty() && report.pushed.is_empty(), "{report:?}");
        let asked = library.asked.load(Ordering::SeqCst) - asked;
        println!("{name}: {asked} request(s), {took:.2?} ({used:.2?} of processor)");
    }
}
