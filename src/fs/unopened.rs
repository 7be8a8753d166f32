//! Files that are read and written without having been opened.
//!
//! With fast reads the kernel opens and closes files without saying so. A read then opens the file for as long as it takes.
//! The first write opens it for those that follow, and when it has been quiet it is closed, which ends the save. Who has read
//! which version is not known, so no save is ever taken for a stale one.

use super::{
    Errno, Fs, Result,
    node::Node,
    types::{Attr, Caller, Fh, Ino},
};
use parking_lot::{Condvar, Mutex};
use rustix::fs::OFlags;
use std::{
    collections::HashMap,
    ffi::OsStr,
    time::{Duration, Instant},
};

/// After a write, the next one belongs to the same save for so long.
const QUIET: Duration = Duration::from_millis(500);
/// Files held open at a time: then the one written longest ago is closed.
const MOST: usize = 64;

/// Files that are being written to.
#[derive(Default)]
pub(super) struct Writers {
    /// Taken after the gate's pass; while it is held, no other lock is taken.
    open: Mutex<Open>,
    changed: Condvar,
}

#[derive(Default)]
struct Open {
    files: HashMap<Ino, Writer>,
    ended: bool,
}

struct Writer {
    fh: Fh,
    /// Requests that use the handle right now.
    busy: usize,
    last: Instant,
}

impl Open {
    /// Takes out what has been quiet for so long; of too many, the one that was for longest.
    fn quiet(&mut self, quiet: Duration) -> Vec<Fh> {
        let is_quiet = |writer: &Writer| writer.busy == 0 && writer.last.elapsed() >= quiet;
        let mut taken: Vec<Fh> =
            self.files.extract_if(|_, writer| is_quiet(writer)).map(|(_, writer)| writer.fh).collect();
        if self.files.len() > MOST
            && let Some((ino, _)) =
                self.files.iter().filter(|(_, writer)| writer.busy == 0).min_by_key(|(_, writer)| writer.last)
        {
            let ino = *ino;
            taken.extend(self.files.remove(&ino).map(|writer| writer.fh));
        }
        taken
    }
}

impl Fs {
    /// Reads by a handle that is there for this alone.
    pub fn reading<T>(&self, ino: Ino, work: impl FnOnce(Fh) -> Result<T>) -> Result<T> {
        let fh = match self.node(ino)? {
            Node::Real(node) => self.add_file(node.clone(), Some(node.reopen(OFlags::RDONLY)?), OFlags::RDONLY),
            Node::Virtual(node) => self.open_virtual(&node, libc::O_RDONLY)?.fh,
        };
        let answer = work(fh);
        self.release(fh);
        answer
    }

    /// Changes a file by the handle that all writers share.
    pub fn writing<T>(&self, ino: Ino, work: impl FnOnce(Fh) -> Result<T>) -> Result<T> {
        let fh = match self.busy_writer(ino) {
            Some(fh) => fh,
            None => self.open_writer(ino)?,
        };
        let answer = work(fh);
        let mut open = self.writers.open.lock();
        if let Some(writer) = open.files.get_mut(&ino) {
            writer.busy -= 1;
            writer.last = Instant::now();
        }
        answer
    }

    /// A save by name of a file that nobody opened: durable when it returns, as [`Fs::fsync`].
    pub fn sync_unopened(&self, caller: &Caller, ino: Ino, data_only: bool) -> Result<()> {
        let is_written = self.writers.open.lock().files.contains_key(&ino);
        let sync = |fh| self.fsync(caller, fh, data_only);
        if is_written { self.writing(ino, sync) } else { self.reading(ino, sync) }
    }

    /// Makes a file that is going to be written to, whatever its mode says. STALE: it is there, look again.
    pub fn make_unopened(&self, caller: &Caller, parent: Ino, name: &OsStr, mode: u32) -> Result<Attr> {
        match self.create(caller, parent, name, mode & 0o7777, libc::O_RDWR | libc::O_EXCL) {
            Ok((attr, reply)) => {
                self.keep_writer(attr.ino, reply.fh, 0);
                Ok(attr)
            }
            Err(Errno::EXIST) => Err(Errno::STALE),
            Err(errno) => Err(errno),
        }
    }

    /// Closes what is quiet, until [`Fs::end_writers`].
    pub fn close_quiet_writers(&self) {
        loop {
            let mut open = self.writers.open.lock();
            self.writers.changed.wait_while(&mut open, |open| open.files.is_empty() && !open.ended);
            let ended = open.ended;
            let quiet = open.quiet(if ended { Duration::ZERO } else { QUIET });
            drop(open);
            quiet.into_iter().for_each(|fh| self.close_writer(fh));
            if ended {
                return;
            }
            std::thread::sleep(QUIET / 5);
        }
    }

    /// Closes all that no request is using.
    pub fn end_writers(&self) {
        self.writers.open.lock().ended = true;
        self.writers.changed.notify_all();
    }

    fn busy_writer(&self, ino: Ino) -> Option<Fh> {
        let mut open = self.writers.open.lock();
        let writer = open.files.get_mut(&ino)?;
        writer.busy += 1;
        Some(writer.fh)
    }

    fn open_writer(&self, ino: Ino) -> Result<Fh> {
        let node = self.nodes.real(ino)?;
        let _pass = self.root.gate().pass();
        let (access, fd) = match node.reopen(OFlags::RDWR) {
            Err(Errno::ACCES) => (OFlags::WRONLY, node.reopen(OFlags::WRONLY)?),
            opened => (OFlags::RDWR, opened?),
        };
        let fh = self.add_file(node, Some(fd), access);
        Ok(self.keep_writer(ino, fh, 1))
    }

    /// Answers the handle that is kept, should somebody else have been quicker.
    fn keep_writer(&self, ino: Ino, fh: Fh, busy: usize) -> Fh {
        let mut open = self.writers.open.lock();
        let writer = open.files.entry(ino).or_insert(Writer { fh, busy: 0, last: Instant::now() });
        writer.busy += busy;
        let kept = writer.fh;
        let beyond = if open.files.len() > MOST { open.quiet(QUIET) } else { Vec::new() };
        drop(open);
        self.writers.changed.notify_all();
        if kept != fh {
            self.release(fh);
        }
        beyond.into_iter().for_each(|fh| self.close_writer(fh));
        kept
    }

    fn close_writer(&self, fh: Fh) {
        // Nobody is there to be told that the save is bad: it stands in `status/problems.md` when it has settled.
        let _ = self.flush(fh);
        self.release(fh);
    }
}
