//! Between our types and FUSE's, and how long the kernel may remember an answer.

use crate::fs::{Attr, Caching, Caller, Errno, FileKind, Lasts, OpenReply, SetTime, Time};
use fuser::{FileAttr, FileType, FopenFlags, Generation, INodeNo, ReplyEntry, ReplyXattr, Request, TimeOrNow};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Of what is asked for again soon.
const MOMENT: Duration = Duration::from_secs(1);
/// Of what is announced when it changes.
const LONG: Duration = Duration::from_secs(3600);
/// Numbers are not reused while the kernel knows them.
pub(super) const GENERATION: Generation = Generation(0);

pub(super) fn enter(reply: ReplyEntry, attr: &Attr) {
    reply.entry_with_ttls(&ttl(attr.lasts), &ttl(attr.name_lasts), &file_attr(attr), GENERATION);
}

pub(super) fn ttl(lasts: Lasts) -> Duration {
    match lasts {
        Lasts::Not => Duration::ZERO,
        Lasts::Moment => MOMENT,
        Lasts::UntilAnnounced => LONG,
    }
}

/// What a virtual file holds is as of its open; real pages stay cached, and a quiet close says nothing.
pub(super) fn fopen(open: &OpenReply) -> FopenFlags {
    let caching = match open.caching {
        Caching::Keep => FopenFlags::FOPEN_KEEP_CACHE,
        Caching::Fresh => FopenFlags::empty(),
        Caching::Direct => FopenFlags::FOPEN_DIRECT_IO,
    };
    if open.quiet { caching | FopenFlags::FOPEN_NOFLUSH } else { caching }
}

/// `size` 0 asks how long the value is.
pub(super) fn send_xattr(reply: ReplyXattr, size: u32, value: &[u8]) {
    if size == 0 {
        reply.size(value.len() as u32);
    } else if value.len() > size as usize {
        reply.error(fuser::Errno::ERANGE);
    } else {
        reply.data(value);
    }
}

pub(super) fn caller(request: &Request) -> Caller {
    Caller { uid: request.uid(), gid: request.gid(), pid: request.pid() }
}

pub(super) fn errno(error: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(error.0)
}

pub(super) fn set_time(time: TimeOrNow) -> SetTime {
    match time {
        TimeOrNow::Now => SetTime::Now,
        TimeOrNow::SpecificTime(time) => SetTime::To(match time.duration_since(UNIX_EPOCH) {
            Ok(since) => (since.as_secs() as i64, since.subsec_nanos()),
            // fuser builds a time before the epoch as -(seconds) - (nanoseconds): this undoes exactly that.
            Err(before) => (-(before.duration().as_secs() as i64), before.duration().subsec_nanos()),
        }),
    }
}

pub(super) fn system_time((seconds, nanoseconds): Time) -> SystemTime {
    let part = Duration::from_nanos(nanoseconds.into());
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    time.and_then(|time| time.checked_add(part)).unwrap_or(UNIX_EPOCH)
}

pub(super) fn file_type(kind: FileKind) -> FileType {
    match kind {
        FileKind::File => FileType::RegularFile,
        FileKind::Folder => FileType::Directory,
        FileKind::Symlink => FileType::Symlink,
        FileKind::Fifo => FileType::NamedPipe,
        FileKind::Socket => FileType::Socket,
        FileKind::CharDevice => FileType::CharDevice,
        FileKind::BlockDevice => FileType::BlockDevice,
    }
}

pub(super) fn file_attr(attr: &Attr) -> FileAttr {
    FileAttr {
        ino: INodeNo(attr.ino.0),
        size: attr.size,
        blocks: attr.blocks,
        atime: system_time(attr.atime),
        mtime: system_time(attr.mtime),
        ctime: system_time(attr.ctime),
        crtime: UNIX_EPOCH,
        kind: file_type(attr.kind),
        perm: attr.perm,
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: attr.rdev,
        blksize: attr.blksize,
        flags: 0,
    }
}

/// To FUSE, inode 0 is a name that does not exist.
pub(super) fn missing() -> FileAttr {
    FileAttr {
        ino: INodeNo(0),
        size: 0,
        blocks: 0,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: FileType::RegularFile,
        perm: 0,
        nlink: 0,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 0,
        flags: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn times_before_and_after_the_epoch_cross_unchanged(seconds in -1_000_000_000_000_i64..1_000_000_000_000, nanoseconds in 0..1_000_000_000_u32) {
            let time = system_time((seconds, nanoseconds));
            let since = match time.duration_since(UNIX_EPOCH) {
                Ok(since) => since.as_nanos() as i128,
                Err(before) => -(before.duration().as_nanos() as i128),
            };
            prop_assert_eq!(since, i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds));
        }
    }
}
