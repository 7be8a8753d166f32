//! `bare_mount DIR MNT [THREADS]`: the filesystem by itself, with nobody behind it, until it is unmounted or killed.
//! For the conformance scripts, which compare it with the disk under it.

mod shelf;

use shelf::Shelf;
use std::{path::Path, sync::Arc};
use trackfs::{
    fs::Fs,
    mount::{MountOptions, mount, supervise_main},
    workspace::root::Root,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["supervise", "--fd", fd, "--mountpoint", dir] => Ok(supervise_main(fd.parse()?, Path::new(dir))?),
        [dir, mountpoint] => serve(dir, mountpoint, 4),
        [dir, mountpoint, threads] => serve(dir, mountpoint, threads.parse()?),
        _ => Err("usage: bare_mount DIR MOUNTPOINT [THREADS]".into()),
    }
}

fn serve(dir: &str, mountpoint: &str, threads: usize) -> Result<(), Box<dyn std::error::Error>> {
    let root = Arc::new(Root::open(Path::new(dir))?);
    let fs = Arc::new(Fs::new(root.clone(), Arc::<Shelf>::default())?);
    let mounted = mount(fs, root, MountOptions { threads, ..MountOptions::new(mountpoint) })?;
    println!("mounted");
    mounted.wait();
    Ok(())
}
