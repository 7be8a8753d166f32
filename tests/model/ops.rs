//! What is done: single calls, whole saves as editors make them, and changes by others.

use super::{
    editors::EDITORS,
    tree::{Id, Onto},
    world::World,
};
use proptest::prelude::*;
use std::{
    fs,
    os::unix::fs::{FileExt, symlink},
    path::Path,
};
use trackfs::domain::path::WsPath;

/// So few that they collide: tickets, plain files, folders, and what editors make beside them.
pub const NAMES: [&str; 8] = ["a", "b", "-", "a.md", "b.md", "a.md~", ".a.md.swp", "4913"];

const MODES: [u16; 4] = [0o600, 0o644, 0o755, 0o700];
const LENGTHS: [usize; 5] = [0, 1, 9, 100, 5000];
const TARGETS: [&str; 3] = ["a.md", "../b", "nowhere/at all"];

/// A name in one of the folders that there are. Numbers are taken modulo what exists.
#[derive(Clone, Copy, Debug)]
pub struct At {
    pub folder: usize,
    pub name: usize,
}

#[derive(Clone, Debug)]
pub enum Op {
    Create(At, usize),
    Open(usize, usize),
    Write {
        open: usize,
        offset: usize,
        text: usize,
    },
    Append {
        open: usize,
        text: usize,
    },
    Truncate {
        open: usize,
        length: usize,
    },
    TruncatePath {
        file: usize,
        length: usize,
    },
    Flush(usize),
    Fsync(usize),
    Close(usize),
    Mkdir(At),
    Rmdir(At),
    Unlink(At),
    Symlink(At, usize),
    Link {
        file: usize,
        to: At,
    },
    Rename {
        from: At,
        to: At,
        onto: Onto,
    },
    Chmod {
        entry: usize,
        mode: usize,
    },
    Save {
        editor: usize,
        at: At,
        text: usize,
    },
    Forget,
    Foreign(Foreign),
    /// As a pull brings it.
    Replace {
        file: usize,
        text: usize,
    },
}

/// By another process, on the real files.
#[derive(Clone, Debug)]
pub enum Foreign {
    WriteInPlace { at: At, text: usize },
    RenameOver { at: At, text: usize },
    Unlink(At),
    Rename { from: At, to: At },
    Mkdir(At),
    RemoveAll(At),
    Symlink(At),
}

const ACCESS: [i32; 5] =
    [libc::O_RDONLY, libc::O_WRONLY, libc::O_RDWR, libc::O_WRONLY | libc::O_TRUNC, libc::O_RDWR | libc::O_TRUNC];

fn at() -> impl Strategy<Value = At> {
    (0..4_usize, 0..NAMES.len()).prop_map(|(folder, name)| At { folder, name })
}

/// Few of each kind of number, so that shrinking is quick.
fn some() -> std::ops::Range<usize> {
    0..6
}

pub fn op() -> impl Strategy<Value = Op> {
    let onto = prop_oneof![4 => Just(Onto::Anything), 1 => Just(Onto::Nothing), 2 => Just(Onto::Exchange)];
    prop_oneof![
        4 => (at(), 1..3_usize).prop_map(|(at, access)| Op::Create(at, access)),
        4 => (some(), 0..ACCESS.len()).prop_map(|(file, access)| Op::Open(file, access)),
        4 => (some(), some(), some()).prop_map(|(open, offset, text)| Op::Write { open, offset, text }),
        2 => (some(), some()).prop_map(|(open, text)| Op::Append { open, text }),
        2 => (some(), some()).prop_map(|(open, length)| Op::Truncate { open, length }),
        1 => (some(), some()).prop_map(|(file, length)| Op::TruncatePath { file, length }),
        1 => some().prop_map(Op::Flush),
        1 => some().prop_map(Op::Fsync),
        4 => some().prop_map(Op::Close),
        4 => at().prop_map(Op::Mkdir),
        2 => at().prop_map(Op::Rmdir),
        3 => at().prop_map(Op::Unlink),
        1 => (at(), some()).prop_map(|(at, target)| Op::Symlink(at, target)),
        2 => (some(), at()).prop_map(|(file, to)| Op::Link { file, to }),
        8 => (at(), at(), onto).prop_map(|(from, to, onto)| Op::Rename { from, to, onto }),
        1 => (some(), some()).prop_map(|(entry, mode)| Op::Chmod { entry, mode }),
        8 => (0..EDITORS.len(), at(), some()).prop_map(|(editor, at, text)| Op::Save { editor, at, text }),
        1 => Just(Op::Forget),
        5 => foreign().prop_map(Op::Foreign),
        3 => (some(), some()).prop_map(|(file, text)| Op::Replace { file, text }),
    ]
}

fn foreign() -> impl Strategy<Value = Foreign> {
    prop_oneof![
        (at(), some()).prop_map(|(at, text)| Foreign::WriteInPlace { at, text }),
        (at(), some()).prop_map(|(at, text)| Foreign::RenameOver { at, text }),
        at().prop_map(Foreign::Unlink),
        (at(), at()).prop_map(|(from, to)| Foreign::Rename { from, to }),
        at().prop_map(Foreign::Mkdir),
        at().prop_map(Foreign::RemoveAll),
        at().prop_map(Foreign::Symlink),
    ]
}

/// A ticket; one in six is bad.
pub fn text(number: usize) -> String {
    let status = if number % 6 == 5 { "nonsense" } else { "todo" };
    format!("---\ntitle: T{number}\nstatus: {status}\n---\n{}\n", "Body. ".repeat(number))
}

/// Folders in which things happen: all but the hidden ones.
fn folders(world: &World) -> Vec<Id> {
    let visible = |path: &str| !path.starts_with('.');
    let below = world.tree.walk().into_iter().filter(|entry| visible(&entry.0) && world.tree.is_folder(entry.3));
    let mut folders: Vec<Id> = below.map(|entry| entry.3).collect();
    folders.insert(0, super::tree::ROOT);
    folders
}

fn files(world: &World) -> Vec<Id> {
    let visible = |path: &str| !path.starts_with(".trackfs") && !path.starts_with(".git");
    let below = world.tree.walk().into_iter().filter(|entry| visible(&entry.0) && world.tree.is_file(entry.3));
    below.map(|entry| entry.3).collect()
}

fn pick<T: Copy>(list: &[T], number: usize) -> Option<T> {
    (!list.is_empty()).then(|| list[number % list.len()])
}

fn place(world: &World, at: At) -> (Id, &'static str) {
    (pick(&folders(world), at.folder).expect("the root is a folder"), NAMES[at.name])
}

fn path_of(world: &World, at: At) -> String {
    let (folder, name) = place(world, at);
    match world.tree.paths(folder).first() {
        Some(above) => format!("{above}/{name}"),
        None => name.to_owned(),
    }
}

/// The world, and how the watcher tells of what others change in it.
pub struct Worldly<'w> {
    pub world: &'w mut World,
    pub announce: &'w dyn Fn(&WsPath),
}

pub fn take(worldly: &mut Worldly<'_>, op: &Op) {
    let world = &mut *worldly.world;
    match *op {
        Op::Create(at, access) => {
            let (folder, name) = place(world, at);
            let _ = world.create(folder, name, ACCESS[access]);
        }
        Op::Open(file, access) => {
            if let Some(id) = pick(&files(world), file) {
                world.open(id, ACCESS[access]);
            }
        }
        Op::Write { open, offset, text: number } => {
            with(world, open, |world, at| world.write(at, LENGTHS[offset % LENGTHS.len()], text(number).as_bytes()));
        }
        Op::Append { open, text: number } => with(world, open, |world, at| world.append(at, text(number).as_bytes())),
        Op::Truncate { open, length } => {
            with(world, open, |world, at| world.truncate(at, LENGTHS[length % LENGTHS.len()]));
        }
        Op::TruncatePath { file, length } => {
            if let Some(id) = pick(&files(world), file) {
                world.truncate_path(id, LENGTHS[length % LENGTHS.len()]);
            }
        }
        Op::Flush(open) => with(world, open, World::flush),
        Op::Fsync(open) => with(world, open, World::fsync),
        Op::Close(open) => with(world, open, World::close),
        Op::Mkdir(at) => {
            let (folder, name) = place(world, at);
            let _ = world.mkdir(folder, name);
        }
        Op::Rmdir(at) => {
            let (folder, name) = place(world, at);
            let _ = world.rmdir(folder, name);
        }
        Op::Unlink(at) => {
            let (folder, name) = place(world, at);
            let _ = world.unlink(folder, name);
        }
        Op::Symlink(at, target) => {
            let (folder, name) = place(world, at);
            let _ = world.symlink(folder, name, TARGETS[target % TARGETS.len()]);
        }
        Op::Link { file, to } => {
            let (folder, name) = place(world, to);
            if let Some(id) = pick(&files(world), file) {
                let _ = world.link(id, folder, name);
            }
        }
        Op::Rename { from, to, onto } => {
            let (from, to) = (place(world, from), place(world, to));
            let _ = world.rename(from, to, onto);
        }
        Op::Chmod { entry, mode } => {
            if let Some(id) = pick(&files(world), entry) {
                world.chmod(id, MODES[mode % MODES.len()]);
            }
        }
        Op::Save { editor, at, text: number } => {
            let (folder, name) = place(world, at);
            // A program that meets an error ends there.
            let _ = EDITORS[editor].1(world, folder, name, text(number).as_bytes());
        }
        Op::Forget => world.forget(),
        Op::Foreign(ref foreign) => take_foreign(worldly, foreign),
        Op::Replace { file, text: number } => {
            if let Some(id) = pick(&files(world), file) {
                world.replace(worldly.announce, id, text(number).as_bytes());
            }
        }
    }
}

fn with(world: &mut World, open: usize, act: impl FnOnce(&mut World, usize)) {
    if world.open_count() > 0 {
        act(world, open % world.open_count());
    }
}

fn take_foreign(worldly: &mut Worldly<'_>, foreign: &Foreign) {
    let Worldly { world, announce } = worldly;
    match *foreign {
        Foreign::WriteInPlace { at, text: number } => {
            let path = path_of(world, at);
            world.foreign(announce, |dir| write_in_place(&dir.join(path), text(number).as_bytes()));
        }
        Foreign::RenameOver { at, text: number } => {
            let path = path_of(world, at);
            world.foreign(announce, |dir| {
                fs::write(dir.join("over.tmp"), text(number))?;
                fs::rename(dir.join("over.tmp"), dir.join(path)).or_else(|_| fs::remove_file(dir.join("over.tmp")))
            });
        }
        Foreign::Unlink(at) => {
            let path = path_of(world, at);
            world.foreign(announce, |dir| fs::remove_file(dir.join(path)));
        }
        Foreign::Rename { from, to } => {
            let (from, to) = (path_of(world, from), path_of(world, to));
            world.foreign(announce, |dir| fs::rename(dir.join(from), dir.join(to)));
        }
        Foreign::Mkdir(at) => {
            let path = path_of(world, at);
            world.foreign(announce, |dir| fs::create_dir(dir.join(path)));
        }
        Foreign::RemoveAll(at) => {
            let path = path_of(world, at);
            world.foreign(announce, |dir| fs::remove_dir_all(dir.join(path)));
        }
        Foreign::Symlink(at) => {
            let path = path_of(world, at);
            world.foreign(announce, |dir| symlink("elsewhere", dir.join(path)));
        }
    }
}

/// Not through a symlink, and nothing new.
fn write_in_place(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(());
    }
    let file = fs::OpenOptions::new().write(true).open(path)?;
    file.set_len(0)?;
    file.write_all_at(bytes, 0)
}
