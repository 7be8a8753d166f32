//! Holds every input that the fuzzers kept, and every one that ever broke a law, to the laws of `fuzz/src`.

#[path = "../fuzz/src/lib.rs"]
mod laws;

use std::{fs, panic, path::Path};

#[test]
fn every_law_holds_for_its_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut broken = Vec::new();
    for (name, hold) in laws::LAWS {
        let files: Vec<_> = fs::read_dir(corpus.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 5, "only {} inputs of {name}", files.len());
        for file in files {
            let input = fs::read(&file).unwrap();
            broken.extend(panic::catch_unwind(|| hold(&input)).is_err().then_some(file));
        }
    }
    assert!(broken.is_empty(), "laws are broken for {broken:#?}");
}
