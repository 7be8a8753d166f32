//! Mounting, staying mounted, and unmounting: exactly our own mount, whatever happened to it meanwhile.

use super::{
    fuse::{Adapter, is_serving},
    holders::{Holders, holders},
    invalidate::{Invalidator, Notice, Notifying},
    mountinfo::{FS_NAME, MountEntry, is_dead, mounted_at, unmount_idle, unmount_lazily},
    supervisor::Supervisor,
};
use crate::{
    fs::{Fs, Ino, Stale},
    workspace::root::Root,
};
use fuser::{BackgroundSession, Config, INodeNo, MountOption, Notifier, Session, SessionACL};
use parking_lot::{Condvar, Mutex};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{AsFd, OwnedFd},
};
use std::{
    ffi::OsStr,
    fs, io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How long unmounting waits for files that are still open.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long a mount may be busy before that is worth telling: a file manager's glance, say.
const GLANCE: Duration = Duration::from_millis(500);
/// What nobody calls a file: it is looked for in vain.
const NO_NAME: &str = "\u{1}";
/// Between two looks whether they are closed.
const LOOK: Duration = Duration::from_millis(10);

/// Where and how to mount.
#[derive(Clone, Debug)]
pub struct MountOptions {
    pub mountpoint: PathBuf,
    /// Threads that serve requests; at least 1.
    pub threads: usize,
    /// Files are opened and closed without a word to the daemon; the [`Fs`] must be one [`Fs::without_opens`].
    pub fast_reads: bool,
    /// Lets other users in, as far as permissions allow. Always on for root.
    pub allow_other: bool,
    /// Starts a [`Supervisor`]: this program must then answer to `supervise --fd N --mountpoint DIR`.
    pub supervise: bool,
}

impl MountOptions {
    pub fn new(mountpoint: impl Into<PathBuf>) -> Self {
        Self { mountpoint: mountpoint.into(), threads: 4, fast_reads: false, allow_other: false, supervise: true }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum MountError {
    #[error("{0} is already a trackfs mount; `trackfs unmount` ends it")]
    Mounted(PathBuf),
    #[error("{0} lies inside the workspace: mount over the workspace itself, or outside of it")]
    InsideWorkspace(PathBuf),
    #[error("{0} is a dead mount of another file system: unmount it first")]
    Dead(PathBuf),
    #[error("{0} is not a directory that can be mounted on: {1}")]
    Mountpoint(PathBuf, io::Error),
    #[error("mounting on {0} failed: {1}")]
    Fuse(PathBuf, io::Error),
}

/// Set once the session is over.
#[derive(Default)]
pub(super) struct Ended {
    over: Mutex<bool>,
    changed: Condvar,
}

impl Ended {
    pub fn set(&self) {
        *self.over.lock() = true;
        self.changed.notify_all();
    }

    pub fn is_set(&self) -> bool {
        *self.over.lock()
    }

    /// Waits for the end, at most so long.
    pub fn wait(&self, most: Option<Duration>) {
        let mut over = self.over.lock();
        match most {
            None => self.changed.wait_while(&mut over, |over| !*over),
            Some(most) => drop(self.changed.wait_while_for(&mut over, |over| !*over, most)),
        }
    }
}

/// A mount that stands. Dropping it unmounts.
pub struct Mounted {
    dir: PathBuf,
    entry: Option<MountEntry>,
    fs: Arc<Fs>,
    /// Our own hold on the connection: while it is alive, the number of the mount cannot be somebody else's.
    connection: OwnedFd,
    ended: Arc<Ended>,
    /// Never dropped: its own way of unmounting takes away whatever is mounted at the path by then.
    session: Mutex<Option<BackgroundSession>>,
    supervisor: Mutex<Option<Supervisor>>,
    _notifying: Notifying,
}

/// Whether FUSE can be used here. The error is one sentence: what to install or ask for.
pub fn usable() -> Result<(), String> {
    match fs::File::options().read(true).write(true).open("/dev/fuse") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err("the kernel offers no FUSE: load it with `modprobe fuse`, or use `trackfs watch`".to_owned())
        }
        Err(error) => {
            Err(format!("/dev/fuse cannot be opened ({error}): ask for access to it, or use `trackfs watch`"))
        }
        Ok(_) if rustix::process::geteuid().is_root() || has_helper() => Ok(()),
        Ok(_) => Err("mounting needs `fusermount3`: install the package fuse3, or use `trackfs watch`".to_owned()),
    }
}

fn has_helper() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("fusermount3").exists())
}

/// Mounts; returns when the mount answers. Heals a dead mount of ours, refuses a live one.
pub fn mount(fs: Arc<Fs>, root: Arc<Root>, options: MountOptions) -> Result<Mounted, MountError> {
    let dir = prepare(&options.mountpoint, &root)?;
    let failed = |error| MountError::Fuse(dir.clone(), error);
    // From here on a daemon that is killed leaves no dead mount.
    let supervisor = options.supervise.then(|| Supervisor::start(&dir)).transpose().map_err(failed)?;
    let (invalidator, ended) = (Arc::new(Invalidator::new().map_err(failed)?), Arc::<Ended>::default());
    let adapter = Adapter::new(fs.clone(), ended.clone(), invalidator.clone(), options.fast_reads);
    let session = Session::new(adapter, &dir, &config(&options)).map_err(failed)?;
    let connection = session.as_fd().try_clone_to_owned().map_err(failed)?;
    let session = session.spawn().map_err(failed)?;
    let notifier = session.notifier();
    let mounted = Mounted {
        entry: mounted_at(&dir),
        fs: fs.clone(),
        connection,
        ended,
        session: Mutex::new(Some(session)),
        supervisor: Mutex::new(supervisor),
        _notifying: Notifying(invalidator.clone()),
        dir: dir.clone(),
    };
    start_notifying(invalidator, fs.clone(), notifier, &root).map_err(failed)?;
    if options.fast_reads {
        let close = move || fs.close_quiet_writers();
        thread::Builder::new().name("close".to_owned()).spawn(close).map_err(failed)?;
    }
    mounted.supervisor.lock().iter_mut().for_each(Supervisor::mounted);
    Ok(mounted)
}

fn start_notifying(invalidator: Arc<Invalidator>, fs: Arc<Fs>, notifier: Notifier, root: &Root) -> io::Result<()> {
    let listener = Arc::downgrade(&invalidator);
    root.on_foreign_change(Box::new(move |path| {
        if let Some(invalidator) = listener.upgrade() {
            // Whoever serves a request must not wait for the notifier, which may wait for the request.
            invalidator.changed(path, !is_serving());
        }
    }));
    let notify = move || invalidator.run(&fs, |notice| tell(&notifier, notice));
    thread::Builder::new().name("invalidate".to_owned()).spawn(notify).map(drop)
}

fn tell(notifier: &Notifier, notice: &Notice<'_>) {
    let sent = match notice {
        // The kernel takes the folder's lock to look for the name, and look-ups and listings hold it until they are done.
        Notice::Settle(folder) => notifier.inval_entry(INodeNo(folder.0), OsStr::new(NO_NAME)),
        Notice::Forget(Stale::Name { parent, name }) => notifier.inval_entry(INodeNo(parent.0), name),
        Notice::Forget(Stale::Content(ino)) => notifier.inval_inode(INodeNo(ino.0), 0, 0),
    };
    if let Err(error) = sent {
        tracing::debug!(%error, ?notice, "the kernel did not take a notification");
    }
}

fn config(options: &MountOptions) -> Config {
    let all = options.allow_other || rustix::process::geteuid().is_root();
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName(FS_NAME.to_owned()),
        MountOption::CUSTOM(format!("subtype={FS_NAME}")),
        MountOption::DefaultPermissions,
        MountOption::NoSuid,
        MountOption::NoDev,
    ];
    config.acl = if all { SessionACL::All } else { SessionACL::Owner };
    config.n_threads = Some(options.threads.max(1));
    config.clone_fd = options.threads > 1;
    config
}

/// The mount point, without symlinks, free and fit to be mounted on.
fn prepare(mountpoint: &Path, root: &Root) -> Result<PathBuf, MountError> {
    let bad = |error| MountError::Mountpoint(mountpoint.to_owned(), error);
    if is_dead(mountpoint) {
        heal(mountpoint).map_err(bad)??;
    }
    let dir = mountpoint.canonicalize().map_err(bad)?;
    if !dir.is_dir() {
        return Err(bad(io::Error::from_raw_os_error(libc::ENOTDIR)));
    }
    if mounted_at(&dir).is_some_and(|entry| entry.is_ours()) {
        return Err(MountError::Mounted(dir));
    }
    // Looking into the mount from within a request would wait for itself.
    let workspace = fs::read_link(format!("/proc/self/fd/{}", root.fd().as_raw_fd())).map_err(bad)?;
    if dir != workspace && dir.starts_with(&workspace) {
        return Err(MountError::InsideWorkspace(dir));
    }
    Ok(dir)
}

/// Takes away the dead mount of ours that hides `path`, which must be absolute.
pub fn take_away_dead(path: &Path) -> Result<(), MountError> {
    let mountpoint = path.ancestors().take_while(|above| is_dead(above)).last().unwrap_or(path);
    heal(mountpoint).map_err(|error| MountError::Mountpoint(mountpoint.to_owned(), error))?
}

/// Takes away the mount of ours at this absolute path, whoever uses it; its daemon then ends by itself. `false`: there is
/// none.
pub fn detach(dir: &Path) -> io::Result<bool> {
    match mounted_at(dir) {
        Some(entry) if entry.is_ours() => unmount_lazily(dir).map(|()| true),
        _ => Ok(false),
    }
}

/// Takes a dead mount of ours away.
fn heal(mountpoint: &Path) -> io::Result<Result<(), MountError>> {
    let name = mountpoint.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let parent = mountpoint.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let dir = parent.canonicalize()?.join(name);
    let healed = match mounted_at(&dir) {
        Some(entry) if entry.is_ours() => unmount_lazily(&dir),
        _ if is_dead(&dir) => return Ok(Err(MountError::Dead(dir))),
        _ => Ok(()),
    };
    // Its supervisor may have been faster.
    if is_dead(&dir) { healed.map(Ok) } else { Ok(Ok(())) }
}

impl Mounted {
    /// Where it is mounted, without symlinks.
    pub fn mountpoint(&self) -> &Path {
        &self.dir
    }

    /// Whether requests are being served: false once unmounted, by whomever.
    pub fn is_alive(&self) -> bool {
        !self.ended.is_set() && connected(&self.connection)
    }

    /// Returns when the mount has ended: unmounted from here by another thread, or from outside.
    pub fn wait(&self) {
        self.ended.wait(None);
    }

    /// Everybody who has something in it open, this process apart.
    pub fn holders(&self) -> Holders {
        self.entry.as_ref().map_or_else(Holders::default, |entry| holders(entry, &self.dir))
    }

    /// Takes the mount away, or answers who uses it: then it stays as it is. Of the processes in `forgiven` it does not
    /// count that they stand in it.
    pub fn unmount_if_idle(&self, forgiven: &[u32]) -> Result<(), Holders> {
        let since = Instant::now();
        while self.is_ours() {
            let Err(error) = unmount_idle(&self.dir) else { break };
            let holders = self.holders();
            if holders.only_stand(forgiven) {
                break;
            }
            if since.elapsed() > GLANCE {
                tracing::debug!(%error, dir = %self.dir.display(), "the mount is busy");
                return Err(holders);
            }
            thread::sleep(LOOK);
        }
        self.unmount();
        Ok(())
    }

    /// Detaches the mount, whoever uses it, and waits a moment for open files to be closed. As long as this process
    /// lives, what is still open works as before; afterwards it answers ENOTCONN. Unmounting twice is nothing.
    pub fn unmount(&self) {
        let Some(session) = self.session.lock().take() else { return };
        if self.is_ours() {
            write_back(session.notifier(), self.fs.open_for_writing());
            if let Err(error) = unmount_lazily(&self.dir) {
                tracing::warn!(%error, dir = %self.dir.display(), "unmounting failed");
            }
        }
        self.fs.end_writers();
        let started = Instant::now();
        while self.fs.open_files() > 0 && !self.ended.is_set() && started.elapsed() < FAREWELL {
            self.ended.wait(Some(LOOK));
        }
        std::mem::forget(session);
        self.supervisor.lock().take();
    }

    /// Whether what is mounted at the path is still this.
    fn is_ours(&self) -> bool {
        connected(&self.connection) && self.entry.is_some() && mounted_at(&self.dir) == self.entry
    }
}

/// Makes the kernel send what processes changed in mappings of these files and never synced. Told to forget its pages, it
/// writes them first; not for longer than we have.
fn write_back(notifier: Notifier, files: Vec<Ino>) {
    let (done, all) = mpsc::channel();
    let spawned = thread::Builder::new().name("write-back".to_owned()).spawn(move || {
        for ino in files {
            if let Err(error) = notifier.inval_inode(INodeNo(ino.0), 0, 0) {
                tracing::debug!(%error, ?ino, "the kernel did not take a notification");
            }
        }
        let _ = done.send(());
    });
    if spawned.is_err() || all.recv_timeout(FAREWELL).is_err() {
        tracing::warn!("what is only in the memory of a process that mapped a file may not be in the file");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.unmount();
    }
}

/// Whether the kernel still holds the other end.
fn connected(connection: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(connection, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&at_once)).is_ok() && !polled[0].revents().contains(PollFlags::ERR)
}
