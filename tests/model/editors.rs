//! Whole saves, call by call, as editors and tools make them.

use super::{
    tree::{Answer, Id, Onto},
    world::World,
};

/// A save of a text by one program, call by call; an error ends it.
pub type Save = fn(&mut World, Id, &str, &[u8]) -> Answer;

pub const EDITORS: [(&str, Save); 12] = [
    ("vim", vim),
    ("vim, backupcopy=yes", vim_copying),
    ("emacs", emacs),
    ("nano", nano),
    ("VS Code", in_place),
    ("bash", bash),
    ("JetBrains", jetbrains),
    ("sed -i", sed),
    ("perl -i", perl),
    ("Kate", kate),
    ("helix", helix),
    ("git checkout", unlink_first),
];

fn new_file(world: &mut World, folder: Id, name: &str, bytes: &[u8]) -> Answer {
    let open = world.create(folder, name, libc::O_WRONLY)?;
    world.write(open, 0, bytes);
    world.close(open);
    Ok(())
}

/// Opens what is there with O_TRUNC, or makes it.
fn open_to_write(world: &mut World, folder: Id, name: &str) -> Answer<usize> {
    match world.tree.get(folder, name) {
        None => world.create(folder, name, libc::O_WRONLY),
        Some(id) if world.tree.is_file(id) => Ok(world.open(id, libc::O_WRONLY | libc::O_TRUNC)),
        // A folder; or a link, which this kernel does not follow.
        Some(_) => Err(libc::EISDIR),
    }
}

fn is_file(world: &World, folder: Id, name: &str) -> bool {
    world.tree.get(folder, name).is_some_and(|id| world.tree.is_file(id))
}

fn vim(world: &mut World, folder: Id, name: &str, bytes: &[u8]) -> Answer {
    let (swap, backup) = (format!(".{name}.swp"), format!("{name}~"));
    let swap_file = world.create(folder, &swap, libc::O_RDWR)?;
    world.write(swap_file, 0, b"b0VIM");
    let at = world.create(folder, "4913", libc::O_WRONLY)?;
    world.close(at);
    world.unlink(folder, "4913")?;
    if is_file(world, folder, name) {
        let _ = world.unlink(folder, &backup);
        world.rename((folder, name), (folder, &backup), Onto::Anything)?;
    }
    let open = world.create(folder, name, libc::O_WRONLY)?;
    world.write(open, 0, bytes);
    world.fsync(open);
    world.close(open);
    let _ = world.unlink(folder, &backup);
    world.unlink(folder, &swap)
}

fn vim_copying(world: &mut World, folder: Id, name: &str, bytes: &[u8]) -> Answer {
    let backup = format!("{name}~");
    if let Some(id) = world.tree.get(folder, name).filter(|id| world.tree.is_file(*id)) {
        let old = world.tree.bytes(id).clone();
        let _ = world.unlink(folder, &backup);
        new_file(world, folder, &backup, &old)?;
    }
    in_place(world, folder, name, bytes)?;
    let _ = world.unlink(folder, &backup);
    Ok(())
}

fn emacs(world: &mut World, folder: Id, name: &str, bytes: &[u8]) -> Answer {
    let (lock, backup) = (format!(".#{name}"), format!("{name}~"));
    world.symlink(folder, &lock, "user@host.1")?;
    if is_file(world, folder, name) {
        world.rename((folder, name), (folder, &backup), Onto::Anything)?;
    }
    let open = open_to_write(world, folder, name)?;
    world.write(open, 0, bytes);
    world.fsync(open);
    world.close(open);
    world.unlink(folder, &lock)
}

fn nano(world: &mut World, folder: Id, name: &str, bytes: &[u8]) -> Answer {
    let lock = format!(".{name}.swp");
    new_file(world, folder, &lock, &[0; 1024])?;
    let open = open_to_write(world, folder, name)?;
    world.write(open, 0, bytes);
    world.fsync(open);
    world.close(open);
    world.unlink(folder, &lock)
}

fn in_place(world: &mut World, folder: Id, name: &str, bytes: &[u8]) -> Answer {
    let open = open_to_write(world, folder, name)?;
    world.write(open, 0, bytes);
    world.close(open);
    Ok(())
}

/// The first close comes before anything is written.
fn bash(world: &mut World, folder: Id, name: &str, bytes: &[u8]) -> Answer {
    let open = open_to_write(world, folder, name)?;
    world.flush(open);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        world.append(open, line);
    }
    world.close(open);
    Ok(())
}

fn jetbrains(world: &mut World, folder: Id, name: &str, bytes: &[u8]) -> Answer {
    let (new, old) = (format!("{name}___jb_tmp___"), format!("{name}___jb_old___"));
    let open = open_to_write(world, folder, &new)?;
    world.write(open, 0, bytes);
    world.close(open);
    let had = is_file(world, folder, name);
    if had {
        world.rename((folder, name), (folder, &old), Onto::Anything)?;
    }
    world.rename((folder, &new), (folder, name), Onto::Anything)?;
    if had { world.unlink(folder, &old) } else { Ok(()) }
}

fn sed(world: &mut World, folder: Id, name: &str, bytes: &[u8]) -> Answer {
    over(world, folder, name, "sedAb3dEf", bytes)
}

/// Its temporary name cannot be told from a word.
fn perl(world: &mut World, folder: Id, name: &str, bytes: &[u8]) -> Answer {
    over(world, folder, name, "XmUtZqAb", bytes)
}

fn over(world: &mut World, folder: Id, name: &str, temporary: &str, bytes: &[u8]) -> Answer {
    let open = world.create(folder, temporary, libc::O_WRONLY)?;
    world.write(open, 0, bytes);
    world.close(open);
    world.rename((folder, temporary), (folder, name), Onto::Anything).or_else(|_| world.unlink(folder, temporary))
}

/// Where O_TMPFILE is refused: a temporary name, linked to another, renamed over.
fn kate(world: &mut World, folder: Id, name: &str, bytes: &[u8]) -> Answer {
    let (unseen, linked) = ("tmpAb3dEf", format!("{name}.Ab3dEf"));
    new_file(world, folder, unseen, bytes)?;
    let id = world.tree.get(folder, unseen).expect("it was just made");
    world.link(id, folder, &linked)?;
    world.unlink(folder, unseen)?;
    world.rename((folder, &linked), (folder, name), Onto::Anything).or_else(|_| world.unlink(folder, &linked))
}

fn helix(world: &mut World, folder: Id, name: &str, bytes: &[u8]) -> Answer {
    let backup = format!("{name}Ab3dEf.bck");
    let had = is_file(world, folder, name);
    if had {
        world.rename((folder, name), (folder, &backup), Onto::Anything)?;
    }
    let open = open_to_write(world, folder, name)?;
    world.write(open, 0, bytes);
    world.fsync(open);
    world.close(open);
    if had { world.unlink(folder, &backup) } else { Ok(()) }
}

fn unlink_first(world: &mut World, folder: Id, name: &str, bytes: &[u8]) -> Answer {
    let _ = world.unlink(folder, name);
    new_file(world, folder, name, bytes)
}
