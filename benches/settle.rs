//! What one save costs: before its rename, whether it is refused; after the quiet time, read, compare, journal (with its
//! fsync), index.

use criterion::{Criterion, criterion_group, criterion_main};
use std::{fs, sync::Arc};
use trackfs::{
    domain::{
        Clock, Timestamp,
        op::{Actor, Op, OpKind},
        path::WsPath,
    },
    workspace::{config::SettleConfig, root::Root, settle::Settler, store::Store},
};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

fn one_save(criterion: &mut Criterion) {
    let (dir, state) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let root = Arc::new(Root::open(dir.path()).expect("it was just made"));
    let store = Arc::new(Store::open(state.path()).expect("it is empty"));
    let settler = Settler::new(root, store, Arc::new(Noon), SettleConfig::default());
    fs::create_dir(dir.path().join("tickets")).expect("the folder is empty");
    let path = WsPath::new("tickets/a.md").expect("a legal path");
    let op = |kind| Op { at: Timestamp::UNIX_EPOCH, actor: Actor::named("vim"), path: path.clone(), kind };
    let mut saves = 0_u64;
    let mut save = || {
        saves += 1;
        let text = format!("---\ntitle: Save {saves}\nstatus: todo\nlabels: [a, b]\n---\nSee [[other]].\n");
        fs::write(dir.path().join("tickets/a.md"), text).expect("the disk has room");
        settler.record(op(OpKind::Write { offset: 0, len: 1 }));
        settler.record(op(OpKind::Close));
    };
    criterion.bench_function("write and record a save", |bencher| bencher.iter(&mut save));
    criterion.bench_function("write, record and settle a save", |bencher| {
        bencher.iter(|| {
            save();
            assert_eq!(settler.settle_now().expect("the disk has room").len(), 1);
        });
    });
    let body = "Steps to reproduce, as they were told, with a link to [[other]].\n".repeat(15);
    let text = format!("---\ntitle: Save\nstatus: todo\nlabels: [a, b]\n---\n{body}");
    criterion.bench_function("judge a kilobyte before it becomes a ticket", |bencher| {
        bencher.iter(|| assert_eq!(settler.check(&path, text.as_bytes()), None));
    });
}

criterion_group!(benches, one_save);
criterion_main!(benches);
