//! What holds for every way of splicing: the decoded index has the changes, one by one, and nothing else.

use super::{
    entry::{ID, Index},
    splice::{Change, Changes, extension},
    split::{self, Split},
    whole::Spliced,
};
use gix::{
    ObjectId,
    bstr::ByteSlice,
    hash::Kind,
    index::{
        File, State,
        entry::{self, Mode, Stat},
        write,
    },
};
use proptest::prelude::*;
use std::{collections::BTreeMap, fs, path::Path};

const NAMES: [&str; 9] = ["a", "a-b", "a/b", "a/b/c", "a/c", "b", "c/d", "c/e", "d"];
/// Entries that nothing happens to, so that of a split index few differ.
const OTHERS: u8 = 40;
const LATER: (u32, u32) = (100, 0);

/// What an entry holds, by a digit.
fn content(digit: u8) -> (Mode, ObjectId) {
    (if digit == 9 { Mode::SYMLINK } else { Mode::FILE }, ObjectId::from_bytes_or_panic(&[digit; ID]))
}

fn stat(digit: u8) -> Stat {
    let time = entry::stat::Time { secs: digit.into(), nsecs: 5 };
    Stat { mtime: time, ctime: time, dev: 1, ino: digit.into(), uid: 2, gid: 3, size: 7 }
}

/// By name: the digit, and the size.
type Model = BTreeMap<String, (u8, u32)>;

fn model(entries: &[(&str, u8)]) -> Model {
    entries.iter().map(|(name, digit)| ((*name).to_owned(), (*digit, 7))).collect()
}

fn with_others(mut model: Model) -> Model {
    model.extend((0..OTHERS).map(|number| (format!("e/{number}"), (0, 7))));
    model
}

fn index(entries: &Model) -> Vec<u8> {
    let mut state = State::new(Kind::Sha1);
    for (name, (digit, _)) in entries {
        let (mode, id) = content(*digit);
        state.dangerously_push_entry(stat(*digit), id, entry::Flags::empty(), mode, name.as_bytes().as_bstr());
    }
    let mut bytes = Vec::new();
    File::from_state(state, "index").write_to(&mut bytes, write::Options::default()).unwrap();
    bytes
}

fn hashed(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut hasher = gix::hash::hasher(Kind::Sha1);
    hasher.update(&bytes);
    bytes.extend(hasher.try_finalize().unwrap().as_slice());
    bytes
}

/// The whole index with these changes.
fn whole(old: &[u8], written: (u32, u32), changes: &Changes<'_>) -> Option<Vec<u8>> {
    let index = Index::new(old)?;
    let spliced = Spliced::new(&index, written, changes)?;
    Some(hashed(spliced.pieces().flatten().copied().collect()))
}

/// The index of a folder, split, with these changes. Its first shared file is the index that was there.
fn split(dir: &Path, written: (u32, u32), changes: &Changes<'_>) -> Option<Vec<u8>> {
    let old = fs::read(dir.join("index")).unwrap();
    let old = Index::new(&old).unwrap();
    if let Some(id) = split::shared(&old) {
        let shared = fs::read(dir.join(format!("sharedindex.{id}"))).unwrap();
        return Split::read(&old, Index::new(&shared).unwrap()).unwrap().splice(written, changes, 100).map(hashed);
    }
    let split = Split::of_whole(&old).unwrap();
    fs::copy(dir.join("index"), dir.join(format!("sharedindex.{}", split.id()))).unwrap();
    split.splice(written, changes, 100).map(hashed)
}

fn decoded(index: &Path) -> Vec<(String, Mode, ObjectId, Stat)> {
    let state = File::at(index, Kind::Sha1, false, Default::default()).expect("a sound index");
    let entries = state.entries().iter();
    entries.map(|entry| (entry.path(&state).to_string(), entry.mode, entry.id, entry.stat)).collect()
}

fn expected(model: &Model) -> Vec<(String, Mode, ObjectId, Stat)> {
    let entry = |(name, (digit, size)): (&String, &(u8, u32))| {
        (name.clone(), content(*digit).0, content(*digit).1, Stat { size: *size, ..stat(*digit) })
    };
    model.iter().map(entry).collect()
}

fn changes<'n>(model: &Model, wanted: &BTreeMap<&'n str, Option<u8>>) -> Changes<'n> {
    let change = |name: &str, digit: &Option<u8>| Change {
        old: model.get(name).map(|(digit, _)| content(*digit)),
        new: digit.map(|digit| (content(digit).0, content(digit).1, stat(digit))),
    };
    wanted.iter().map(|(name, digit)| (name.as_bytes(), change(name, digit))).collect()
}

/// The model with the changes; what is as young as the index has lost its size.
fn after(mut model: Model, written: (u32, u32), wanted: &BTreeMap<&str, Option<u8>>) -> Model {
    model.values_mut().filter(|(digit, _)| u32::from(*digit) >= written.0).for_each(|(_, size)| *size = 0);
    for (name, digit) in wanted {
        match digit {
            Some(digit) => model.insert((*name).to_owned(), (*digit, 7)),
            None => model.remove(*name),
        };
    }
    model
}

/// Whether a file would stand beside files below it.
fn is_nested(model: &Model, wanted: &BTreeMap<&str, Option<u8>>) -> bool {
    let all: Vec<&str> = model.keys().map(String::as_str).chain(wanted.keys().copied()).collect();
    all.iter().any(|a| all.iter().any(|b| b.strip_prefix(a).is_some_and(|rest| rest.starts_with('/'))))
}

fn wanted() -> impl Strategy<Value = BTreeMap<&'static str, Option<u8>>> {
    prop::collection::btree_map(prop::sample::select(&NAMES[..]), prop::option::of(4_u8..10), 1..4)
}

fn had() -> impl Strategy<Value = Model> {
    let entries = prop::collection::btree_map(prop::sample::select(&NAMES[..]), 1_u8..4, 0..6);
    entries
        .prop_map(|entries| with_others(entries.into_iter().map(|(name, digit)| (name.into(), (digit, 7))).collect()))
}

proptest! {
    /// Several commits, one after the other, to a whole index and to one that is split at the first of them.
    #[test]
    fn splicing_changes_exactly_the_entries_that_it_should(
        had in had(),
        commits in prop::collection::vec((wanted(), prop::sample::select(vec![(6, 0), LATER])), 1..5),
    ) {
        let (dir, mut model, mut bytes) = (tempfile::tempdir().unwrap(), had.clone(), index(&had));
        let (one, other) = (dir.path().join("whole"), dir.path().join("index"));
        fs::write(&other, &bytes).unwrap();
        for (wanted, written) in &commits {
            let changes = changes(&model, wanted);
            let (spliced, split) = (whole(&bytes, *written, &changes), split(dir.path(), *written, &changes));
            let (Some(spliced), Some(split)) = (&spliced, &split) else {
                prop_assert!(spliced.is_none() && split.is_none());
                prop_assert!(is_nested(&model, wanted));
                return Ok(());
            };
            model = after(model, *written, wanted);
            fs::write(&one, spliced).unwrap();
            fs::write(&other, split).unwrap();
            prop_assert_eq!(decoded(&one), expected(&model));
            prop_assert_eq!(decoded(&other), expected(&model));
            bytes.clone_from(spliced);
        }
    }
}

fn one<'n>(path: &'n str, old: Option<u8>, new: Option<u8>) -> Changes<'n> {
    let new = new.map(|digit| (content(digit).0, content(digit).1, stat(digit)));
    BTreeMap::from([(path.as_bytes(), Change { old: old.map(content), new })])
}

#[test]
fn what_the_user_staged_is_left_to_whoever_decodes_the_index() {
    let staged = index(&model(&[("a", 2)]));
    let (changed, removed) = (one("a", Some(1), Some(3)), one("a", Some(1), None));
    assert!(whole(&staged, LATER, &changed).is_none());
    assert!(whole(&staged, LATER, &removed).is_none());
    let taken_out = one("b", Some(1), Some(3));
    assert!(whole(&staged, LATER, &taken_out).is_none());
    let same = one("a", Some(1), Some(2));
    assert!(whole(&staged, LATER, &same).is_some(), "what was staged is what was committed");
}

#[test]
fn a_torn_or_foreign_index_is_not_touched() {
    let sound = index(&model(&[("a/b", 1), ("c", 1)]));
    let changes = one("c", Some(1), Some(2));
    assert!(whole(&sound, LATER, &changes).is_some());
    for length in 0..sound.len() - ID {
        // Cut between an entry and an extension is not possible to see: there are none.
        assert!(whole(&sound[..length], LATER, &changes).is_none(), "{length}");
    }
    let many = [&sound[..8], &u32::MAX.to_be_bytes(), &sound[12..]].concat();
    assert!(Index::new(&many).is_none(), "more entries than there is room for");
    for name in [b"link", b"sdir"] {
        let foreign = [&sound[..sound.len() - ID], &extension(name, b"")].concat();
        assert!(whole(&hashed(foreign), LATER, &changes).is_none());
    }
}

#[test]
fn a_split_index_that_is_torn_or_of_another_file_is_not_touched() {
    let (dir, changes) = (tempfile::tempdir().unwrap(), one("a", Some(1), Some(2)));
    let sound = index(&with_others(model(&[("a", 1), ("b", 1)])));
    fs::write(dir.path().join("index"), &sound).unwrap();
    let index = split(dir.path(), LATER, &changes).unwrap();
    let again = |index: &[u8], shared: &[u8]| {
        let split = Split::read(&Index::new(index)?, Index::new(shared)?)?;
        split.splice(LATER, &one("b", Some(1), Some(2)), 100)
    };
    assert!(again(&index, &sound).is_some());
    for length in 0..index.len() {
        assert!(again(&index[..length], &sound).is_none(), "{length}");
    }
    for length in 0..sound.len() {
        assert!(again(&index, &sound[..length]).is_none(), "shared: {length}");
    }
    let other = self::index(&with_others(model(&[("a", 1), ("b", 2)])));
    assert!(again(&index, &other).is_none(), "a file of another name");
}

#[test]
fn an_index_that_differs_much_from_its_shared_file_is_not_split() {
    let sound = index(&with_others(model(&[("a", 1)])));
    let split = Split::of_whole(&Index::new(&sound).unwrap());
    let changes = one("a", Some(1), Some(2));
    let split = split.unwrap();
    assert!(split.splice(LATER, &changes, 3).is_some(), "one of 41 entries");
    assert!(split.splice(LATER, &changes, 2).is_none());
}
