//! The filesystem against a reference model: random sequences of calls, saves, foreign changes and pulls; after every
//! call the whole tree is the same, by every way that leads to it.
//!
//! `TRACKFS_MODEL_CASES` multiplies the cases. A failure is shrunk; what it found becomes a named test.

#![cfg(all(feature = "fuse", target_os = "linux"))]

mod compare;
mod editors;
mod engine;
mod found;
mod ops;
mod tree;
mod world;

use ops::{Op, Worldly, take};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use proptest::prelude::*;
use std::{io, sync::Arc};
use trackfs::{
    domain::{
        catalog::Catalog,
        op::Op as Recorded,
        path::WsPath,
        problem::{Problem, Severity},
    },
    fs::{CatalogRef, Host, StatusContent, StatusFile},
    workspace::root::Root,
};
use world::World;

/// Cases of one property, times what the environment asks for.
fn cases(number: u32) -> u32 {
    let times = std::env::var("TRACKFS_MODEL_CASES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    number * times
}

/// A folder in memory where there is one: what is proved does not depend on the disk.
fn scratch() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// Finds `nonsense` in a ticket wrong.
#[derive(Default)]
struct Judge {
    ops: Mutex<Vec<Recorded>>,
    catalog: RwLock<Catalog>,
}

fn is_bad_ticket(path: &str, bytes: &[u8]) -> bool {
    path.starts_with("tickets/") && path.ends_with(".md") && bytes.windows(8).any(|window| window == b"nonsense")
}

impl Host for Judge {
    fn record(&self, op: Recorded) {
        self.ops.lock().push(op);
    }

    fn durable(&self) -> io::Result<()> {
        Ok(())
    }

    fn check(&self, path: &WsPath, bytes: &[u8]) -> Option<Problem> {
        is_bad_ticket(path.as_str(), bytes).then(|| Problem {
            path: path.clone(),
            line: 3,
            column: 9,
            severity: Severity::Error,
            code: "unknown-status".into(),
            message: "no such status".into(),
            help: None,
        })
    }

    fn problem(&self, _: &WsPath) -> Option<String> {
        None
    }

    fn catalog(&self) -> CatalogRef<'_> {
        RwLockReadGuard::map(self.catalog.read(), |catalog| catalog)
    }

    fn status_file(&self, _: StatusFile) -> StatusContent {
        StatusContent::Bytes(Arc::from(*b""))
    }
}

/// Takes these steps in a workspace with two folders.
fn play(steps: &[Op]) {
    let dir = scratch();
    for folder in ["tickets", "specs"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
    }
    let root = Arc::new(Root::open(dir.path()).unwrap());
    let mut world = World::new(dir.path(), root, Arc::<Judge>::default(), is_bad_ticket);
    world.compare();
    for step in steps {
        take(&mut Worldly { world: &mut world, announce: &|_| () }, step);
    }
    world.end();
}

fn config(number: u32) -> ProptestConfig {
    let cases = cases(number);
    ProptestConfig { cases, failure_persistence: None, max_shrink_time: 60_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn the_tree_is_what_a_disk_would_hold(steps in prop::collection::vec(ops::op(), 1..40)) {
        play(&steps);
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn what_settles_and_is_committed_is_what_there_is(steps in prop::collection::vec(engine::step(), 1..40)) {
        engine::play(&steps);
    }
}
