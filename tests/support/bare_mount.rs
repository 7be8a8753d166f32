//! `bare_mount DIR MNT [THREADS]`: the filesystem by itself, with nobody behind it, until it is unmounted or killed.
//! For the conformance scripts, which compare it with the disk under it.

use parking_lot::{RwLock, RwLockReadGuard};
use std::{collections::BTreeSet, io, path::Path, sync::Arc};
use trackfs::{
    domain::{
        catalog::Catalog,
        op::{Actor, Op},
        path::WsPath,
        problem::Problem,
    },
    fs::{CatalogRef, Errno, Fs, Host, Refused, StatusContent, StatusFile},
    mount::{MountOptions, mount, supervise_main},
    workspace::root::Root,
};

/// It has no tickets.
#[derive(Default)]
struct Nobody(RwLock<Catalog>);

impl Host for Nobody {
    fn record(&self, _op: Op) {}

    fn durable(&self) -> io::Result<()> {
        Ok(())
    }

    fn check(&self, _path: &WsPath, _bytes: &[u8]) -> Option<Problem> {
        None
    }

    fn problem(&self, _path: &WsPath) -> Option<String> {
        None
    }

    fn set_field(&self, _: &Actor, _: &WsPath, _: &str, _: &str, _: &str) -> Result<(), Refused> {
        Err(Refused::new(Errno::ROFS, "nobody is there to do it"))
    }

    fn catalog(&self) -> CatalogRef<'_> {
        RwLockReadGuard::map(self.0.read(), |catalog| catalog)
    }

    fn conflicts(&self) -> Arc<BTreeSet<WsPath>> {
        Arc::default()
    }

    fn status_file(&self, _file: StatusFile) -> StatusContent {
        StatusContent::Bytes(Arc::from(*b""))
    }
}

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
    let fs = Arc::new(Fs::new(root.clone(), Arc::<Nobody>::default())?);
    let mounted = mount(fs, root, MountOptions { threads, ..MountOptions::new(mountpoint) })?;
    println!("mounted");
    mounted.wait();
    Ok(())
}
