//! Tells the workspace who has which version of a text, and who is about to save over one.

use super::{
    Fs, Result,
    node::RealNode,
    types::{Attr, Caller, FileKind},
};
use crate::{
    domain::{layout, path::WsPath},
    workspace::root::{Version, leave_access_time},
};
use rustix::{
    fd::OwnedFd,
    fs::{self, Mode, OFlags},
};
use std::{ffi::OsStr, fs::File, io::Read};

impl Fs {
    /// The process opened the file, which is this version, to read it.
    pub(super) fn opened_by(&self, caller: &Caller, node: &RealNode, attr: &Attr) {
        if let Some(path) = self.text_path(node) {
            self.root.buffers().has(self.actors.of(caller).pid, &path, version(node, attr));
        }
    }

    /// The process wrote the file, and knows what is in it.
    pub(super) fn saved_by(&self, pid: u32, node: &RealNode) {
        if let Some(path) = self.text_path(node)
            && let Ok(attr) = node.peek()
        {
            self.root.buffers().saved(pid, &path, version(node, &attr));
        }
    }

    /// The process made the file: what it writes next is over nobody's text.
    pub(super) fn made_by(&self, caller: &Caller, node: &RealNode) {
        if self.text_path(node).is_some() {
            self.saved_by(self.actors.of(caller).pid, node);
        }
    }

    /// The process is about to change the content of the file; all of it when `whole`. An error: what it holds could not
    /// be secured against a crash, and must not go.
    pub(super) fn about_to_change(&self, caller: &Caller, node: &RealNode, whole: bool) -> Result<()> {
        let Some(path) = self.text_path(node) else { return Ok(()) };
        if let Ok(attr) = node.peek() {
            let read = || read_text(node.reopen(OFlags::RDONLY));
            self.root.buffers().changing(self.actors.of(caller).pid, &path, version(node, &attr), whole, read);
        }
        if whole { self.secure(node, &path) } else { Ok(()) }
    }

    /// The process is about to take the name of a file away, or to give it to another file.
    pub(super) fn about_to_rename(&self, caller: &Caller, folder: &RealNode, name: &OsStr, path: Option<&WsPath>) {
        let Some(path) = path.filter(|path| self.is_merged(path)) else { return };
        let Ok(stat) = folder.entry_stat(name) else { return };
        if FileKind::of_mode(stat.st_mode) == FileKind::File {
            let stat = crate::workspace::root::Stat::from(stat);
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let open = || Ok(fs::openat(folder.handle()?, name, flags, Mode::empty())?);
            let read = || read_text(open());
            self.root.buffers().changing(self.actors.of(caller).pid, path, Version::from(&stat), true, read);
        }
    }

    /// The process gave its own new text this name.
    pub(super) fn renamed_by(&self, caller: &Caller, folder: &RealNode, name: &OsStr, path: &WsPath) {
        if self.is_merged(path)
            && let Ok(stat) = folder.entry_stat(name)
        {
            let stat = crate::workspace::root::Stat::from(stat);
            self.root.buffers().saved(self.actors.of(caller).pid, path, Version::from(&stat));
        }
    }

    fn text_path(&self, node: &RealNode) -> Option<WsPath> {
        // Most files that are opened are told by their name alone, without making the path.
        let place = node.place()?;
        place.name.to_str().filter(|name| name.ends_with(".md"))?;
        node.path().filter(|path| self.is_merged(path))
    }

    /// Who does not see what processes read cannot know whose buffer is old.
    fn is_merged(&self, path: &WsPath) -> bool {
        self.knows_readers && is_text(path)
    }
}

fn version(node: &RealNode, attr: &Attr) -> Version {
    Version { ino: node.id.1, size: attr.size, mtime: attr.mtime }
}

/// Tickets, comments and specs are edited by people at the same time; nothing else is merged.
pub(super) fn is_text(path: &WsPath) -> bool {
    path.extension() == Some("md") && !layout::is_scratch(path.file_name())
}

fn read_text(file: Result<OwnedFd>) -> Option<String> {
    let mut text = String::new();
    let file = file.ok()?;
    leave_access_time(&file);
    File::from(file).read_to_string(&mut text).ok()?;
    Some(text)
}
