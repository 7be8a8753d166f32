//! A workspace of 10,000 tickets: building the index, and a scan that finds nothing to do.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::{fs, path::Path, sync::Arc, time::Duration};
use trackfs::{
    domain::{Clock, Timestamp},
    workspace::{config::SettleConfig, root::Root, settle::Settler, store::Store},
};

const TICKETS: usize = 10_000;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

fn settler(dir: &Path, state: &Path) -> Settler {
    let root = Arc::new(Root::open(dir).expect("it was just made"));
    let store = Arc::new(Store::open(state).expect("it is ours"));
    Settler::new(root, store, Arc::new(Noon), SettleConfig::default())
}

fn build(dir: &Path, state: &Path) {
    let settler = settler(dir, state);
    assert_eq!(settler.scan().expect("readable").changed, TICKETS);
    assert_eq!(settler.settle_now().expect("the disk has room").len(), TICKETS);
}

fn index(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a folder");
    for number in 0..TICKETS {
        let folder = dir.path().join(format!("tickets/{}", number % 20));
        fs::create_dir_all(&folder).expect("the disk has room");
        let text = format!(
            "---\ntitle: Ticket {number}\nstatus: todo\nlabels: [bug, area-{}]\nsync: {{github: {number}}}\n---\n\
             Some words about it, and a link to [[{}]].\n",
            number % 7,
            number / 2
        );
        fs::write(folder.join(format!("{number}.md")), text).expect("the disk has room");
    }
    let mut group = criterion.benchmark_group("10,000 tickets");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    let fresh = || tempfile::tempdir().expect("a folder");
    group.bench_function("build the index", |bencher| {
        bencher.iter_batched_ref(fresh, |state| build(dir.path(), state.path()), BatchSize::PerIteration);
    });
    let state = fresh();
    build(dir.path(), state.path());
    let settler = settler(dir.path(), state.path());
    group.bench_function("scan when nothing changed", |bencher| {
        bencher.iter(|| assert_eq!(settler.scan().expect("readable").changed, 0));
    });
}

criterion_group!(benches, index);
criterion_main!(benches);
