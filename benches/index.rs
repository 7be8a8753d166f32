//! A workspace of 10,000 tickets: building the index, and a scan that finds nothing to do.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};
use trackfs::{
    domain::{Clock, Timestamp, path::WsPath, snapshot::ContentHash},
    workspace::{
        config::SettleConfig,
        root::Root,
        settle::{Content, Settler},
        store::{Store, StoreError},
    },
};

const TICKETS: usize = 10_000;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

fn settler(dir: &Path, state: &Path) -> (Arc<Store>, Settler) {
    let root = Arc::new(Root::open(dir).expect("it was just made"));
    let store = Arc::new(Store::open(state).expect("it is ours"));
    (store.clone(), Settler::new(root, store, Arc::new(Noon), SettleConfig::default()))
}

/// Every ticket is news.
fn build(dir: &Path, state: &Path) {
    let (store, settler) = settler(dir, state);
    assert_eq!(settler.catch_up().expect("readable").changed, TICKETS);
    settler.settle_now().expect("the disk has room");
    assert_eq!(store.last_event().expect("readable"), TICKETS as u64);
}

/// The files are what a commit says, by the hash of their content.
struct Committed;

impl Content for Committed {
    fn id_of(&self, bytes: &[u8]) -> String {
        ContentHash::of(bytes).0
    }

    fn read(&self, _: &str) -> Result<Vec<u8>, StoreError> {
        unreachable!("all files are as they were committed")
    }
}

fn adopt(dir: &Path, state: &Path, files: BTreeMap<WsPath, String>) {
    let (store, settler) = settler(dir, state);
    store.begin_adoption(Vec::new()).expect("the disk has room");
    settler.adopt(files, Arc::new(Committed)).expect("readable");
    assert_eq!(settler.catch_up().expect("readable").changed, 0);
    assert_eq!(store.ticket_count().expect("readable"), TICKETS);
}

fn index(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a folder");
    let mut committed = BTreeMap::new();
    for number in 0..TICKETS {
        let folder = dir.path().join(format!("tickets/{}", number % 20));
        fs::create_dir_all(&folder).expect("the disk has room");
        let text = format!(
            "---\ntitle: Ticket {number}\nstatus: todo\nlabels: [bug, area-{}]\nsync: {{github: {number}}}\n---\n\
             Some words about it, and a link to [[{}]].\n",
            number % 7,
            number / 2
        );
        fs::write(folder.join(format!("{number}.md")), &text).expect("the disk has room");
        let path = WsPath::new(format!("tickets/{}/{number}.md", number % 20)).expect("a legal path");
        committed.insert(path, ContentHash::of(text.as_bytes()).0);
    }
    let mut group = criterion.benchmark_group("10,000 tickets");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    let fresh = || tempfile::tempdir().expect("a folder");
    group.bench_function("build the index", |bencher| {
        bencher.iter_batched_ref(fresh, |state| build(dir.path(), state.path()), BatchSize::PerIteration);
    });
    group.bench_function("build the index, all committed", |bencher| {
        let fresh = || (fresh(), committed.clone());
        let adopt = |(state, files): (tempfile::TempDir, _)| {
            adopt(dir.path(), state.path(), files);
            state
        };
        bencher.iter_batched(fresh, adopt, BatchSize::PerIteration);
    });
    let state = fresh();
    build(dir.path(), state.path());
    let (_, settler) = settler(dir.path(), state.path());
    group.bench_function("scan when nothing changed", |bencher| {
        bencher.iter(|| assert_eq!(settler.scan().expect("readable").changed, 0));
    });
}

criterion_group!(benches, index);
criterion_main!(benches);
