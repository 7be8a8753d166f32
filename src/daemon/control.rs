//! How a command reaches the engine: in this process when nobody else runs it, else over a Unix socket, one JSON value a line.

use super::{
    Engine, Location,
    report::{
        ChangeReport, CommentReport, CommitReport, FlushReport, ListReport, ListingReport, ResolveReport,
        RestoreReport, SearchReport, ShowReport, Status, SyncReport, TieReport, UnmountReport,
    },
};
use crate::domain::{edit::Edit, path::WsPath, snapshot::ContentHash};
use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    os::{
        fd::AsRawFd,
        unix::net::{UnixListener, UnixStream},
    },
    thread,
    time::Duration,
};

/// What can be asked of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
pub enum Request {
    Status,
    /// Settle what was saved, then tell the status.
    Settle,
    /// Settle, then commit.
    Commit {
        message: Option<String>,
    },
    /// Settle, commit, push what is pending, return when it is done.
    Flush,
    /// Pull and push one remote, or all.
    Sync {
        remote: Option<String>,
        dry_run: bool,
        yes: bool,
    },
    /// Pull one remote soon: something changed there.
    Pull {
        remote: String,
    },
    /// Settle a ticket's conflicts (with one remote or all, in one field or all), then sync.
    Resolve {
        ticket: TicketName,
        remote: Option<String>,
        field: Option<String>,
        to: Resolution,
    },
    /// Ties a ticket to an object of a remote, or (no key) has one made for it, then syncs.
    Link {
        ticket: TicketName,
        remote: String,
        key: Option<String>,
    },
    /// Parts a ticket from a remote; ticket and object stay.
    Unlink {
        ticket: TicketName,
        remote: String,
    },
    /// Makes a ticket, and an object of it on each remote that is named, then syncs those.
    New(NewTicket),
    /// The tickets that a query asks for.
    List {
        query: String,
    },
    /// The files that have the words of a query, so many at most.
    Search {
        query: String,
        at_most: usize,
    },
    /// Changes many tickets: what would become of them, or (as they were `expected` to be) what became of them.
    Change {
        edits: Vec<Edit>,
        expected: Option<Expected>,
    },
    /// How far remotes are that are being read.
    Listings,
    /// One ticket, whole.
    Show {
        ticket: TicketName,
    },
    /// Sets fields of a ticket, and commits that.
    Set {
        ticket: TicketName,
        to: Vec<SetTo>,
    },
    /// Adds a comment by the user.
    Comment {
        ticket: TicketName,
        text: String,
    },
    /// Makes files again what they were in a commit.
    Restore {
        commit: String,
        files: Vec<RestoreFile>,
    },
    /// Stream events after `since`. Only a live daemon understands it.
    Follow {
        since: u64,
    },
    /// Settle, commit, unmount and end. Only a live daemon understands it. By `force` also when the mount is in use;
    /// without, whoever asks (`by`, a process) may stand in it, and so may those above it.
    Unmount {
        force: bool,
        by: u32,
    },
}

/// What files were when somebody looked at what would become of them; `None`: not there.
pub type Expected = BTreeMap<WsPath, Option<ContentHash>>;

/// A file that is to be what a commit has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreFile {
    pub path: WsPath,
    /// What it is to hold.
    pub blob: String,
}

/// A ticket to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTicket {
    pub title: String,
    pub remotes: Vec<String>,
    /// Names with values in the notation of a ticket's block.
    pub fields: Vec<(String, String)>,
    pub body: String,
}

/// What a field of a ticket is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetTo {
    pub field: String,
    /// `=`, or of a list `+=` and `-=`.
    pub how: String,
    /// As a person writes it; words of a list stand between commas.
    pub value: String,
}

/// How a person names a ticket: by its path, its file's name, or its key on a remote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketName {
    pub said: String,
    /// What was said, taken as a path from where the person stands.
    pub path: Option<WsPath>,
}

impl TicketName {
    pub fn means(&self, path: &WsPath, key: Option<&str>) -> bool {
        self.path.as_ref() == Some(path)
            || self.said == path.as_str()
            || self.said == path.file_name()
            || self.said == path.stem()
            || key == Some(&self.said)
    }
}

/// What a conflict is settled to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    Ours,
    Theirs,
    Value(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase")]
pub enum Response {
    Status(Status),
    Commit(CommitReport),
    Flush(FlushReport),
    Sync(SyncReport),
    Listings(Vec<ListingReport>),
    Resolve(ResolveReport),
    Tie(TieReport),
    List(ListReport),
    Search(SearchReport),
    Change(ChangeReport),
    Show(Box<ShowReport>),
    Comment(CommentReport),
    Restore(RestoreReport),
    Unmount(UnmountReport),
    /// It is done, or will be soon.
    Done,
    Failed {
        message: String,
    },
}

/// Carries out a request, whoever has the engine. The error is for people: what, why, what next.
pub fn ask(at: &Location, request: &Request) -> anyhow::Result<Response> {
    match Engine::alone(at)? {
        Some(engine) => engine.answer_alone(request),
        None => converse(connect(at)?, request),
    }
}

/// How often whoever watches a request is told.
const LOOK: Duration = Duration::from_millis(250);

/// As [`ask`]; `watch` is told now and then how far remotes are that are read meanwhile.
pub fn ask_and_watch(
    at: &Location,
    request: &Request,
    watch: &mut dyn FnMut(&[ListingReport]),
) -> anyhow::Result<Response> {
    match Engine::alone(at)? {
        Some(engine) => looking_on(|| engine.answer_alone(request), || watch(&engine.remotes.listings())),
        None => looking_on(
            || converse(connect(at)?, request),
            || {
                // An answer that does not come is missed by nobody.
                let listings = connect(at).map_err(Into::into).and_then(|stream| converse(stream, &Request::Listings));
                if let Ok(Response::Listings(listings)) = listings {
                    watch(&listings);
                }
            },
        ),
    }
}

/// Works in another thread, and looks on in this one until it is done.
fn looking_on<T: Send>(work: impl FnOnce() -> T + Send, mut look: impl FnMut()) -> T {
    let here = thread::current();
    thread::scope(|scope| {
        let working = scope.spawn(move || {
            let done = work();
            here.unpark();
            done
        });
        loop {
            thread::park_timeout(LOOK);
            if working.is_finished() {
                return working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            }
            look();
        }
    })
}

/// Streams events after `since` to `sink` (one JSON line each) as they happen; returns when the daemon ends or the
/// sink answers false. Fails when no daemon runs.
pub fn follow(at: &Location, since: u64, sink: &mut dyn FnMut(&str) -> bool) -> anyhow::Result<()> {
    let mut stream = connect(at).map_err(|_| {
        anyhow!(
            "nothing runs on this workspace, so no events will come; start `trackfs mount` or `trackfs watch` first"
        )
    })?;
    send(&mut stream, &Request::Follow { since })?;
    for line in BufReader::new(stream).lines() {
        if !sink(&line?) {
            break;
        }
    }
    Ok(())
}

/// The socket's path through the folder's descriptor: a socket's own path may have 107 bytes only.
fn socket_path(at: &Location) -> io::Result<(File, String)> {
    let folder = File::open(&at.state)?;
    let path = format!("/proc/self/fd/{}/socket", folder.as_raw_fd());
    Ok((folder, path))
}

pub(super) fn connect(at: &Location) -> io::Result<UnixStream> {
    let (_folder, path) = socket_path(at)?;
    UnixStream::connect(path)
}

/// Opens the workspace's socket. Only the holder of the lock may, so whatever is there is a dead daemon's.
pub(super) fn listen(at: &Location) -> io::Result<UnixListener> {
    close(at)?;
    let (_folder, path) = socket_path(at)?;
    UnixListener::bind(path)
}

/// Takes the socket away: who comes now waits for the lock.
pub(super) fn close(at: &Location) -> io::Result<()> {
    match std::fs::remove_file(at.state.join("socket")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn send(stream: &mut UnixStream, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_string(value).map_err(io::Error::other)?;
    line.push('\n');
    stream.write_all(line.as_bytes())
}

pub(super) fn receive<T: for<'de> Deserialize<'de>>(stream: &UnixStream) -> anyhow::Result<T> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    serde_json::from_str(&line).context("the other side does not speak this version's language")
}

fn converse(mut stream: UnixStream, request: &Request) -> anyhow::Result<Response> {
    send(&mut stream, request)?;
    match receive(&stream).context("the daemon ended before it answered; `trackfs status` tells how things stand")? {
        Response::Failed { message } => bail!(message),
        response => Ok(response),
    }
}
