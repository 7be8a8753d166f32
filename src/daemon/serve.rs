//! The daemon's side of the socket: answers requests and streams events, one thread a connection.

use super::{
    Engine,
    control::{Request, Response, listen, receive, send},
    run::{Asked, Stop},
};
use crate::domain::event::Event;
use parking_lot::Mutex;
use std::{
    io,
    os::unix::net::{UnixListener, UnixStream},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

/// Batches of events a follower may lag behind before it is dropped.
const FOLLOWER_LAG: usize = 4096;
/// Events read at once when a follower starts in the past.
const CATCH_UP: usize = 1000;

/// Hands events to everybody who follows.
#[derive(Default)]
pub struct Feed {
    followers: Mutex<Vec<SyncSender<Arc<[Event]>>>>,
}

impl Feed {
    /// Never blocks: a follower that does not keep up loses its stream, and can come back with `--since`.
    pub fn publish(&self, events: &[Event]) {
        let mut followers = self.followers.lock();
        if followers.is_empty() {
            return;
        }
        let events: Arc<[Event]> = events.into();
        followers.retain(|follower| {
            !matches!(follower.try_send(events.clone()), Err(TrySendError::Full(_) | TrySendError::Disconnected(_)))
        });
    }

    /// Ends every stream.
    pub fn close(&self) {
        self.followers.lock().clear();
    }

    fn subscribe(&self) -> Receiver<Arc<[Event]>> {
        let (sender, receiver) = sync_channel(FOLLOWER_LAG);
        self.followers.lock().push(sender);
        receiver
    }
}

/// What a connection needs.
#[derive(Clone)]
pub struct Server {
    pub engine: Arc<Engine>,
    pub feed: Arc<Feed>,
    /// Asks the process to settle, commit, unmount and end.
    pub stop: SyncSender<Stop>,
}

impl Server {
    /// Opens the socket and answers until the process ends.
    pub fn start(self) -> io::Result<()> {
        let listener = listen(&self.engine.at)?;
        thread::Builder::new().name("control".into()).spawn(move || self.accept(&listener))?;
        Ok(())
    }

    fn accept(&self, listener: &UnixListener) {
        for stream in listener.incoming() {
            let server = self.clone();
            let spawned = stream.and_then(|stream| {
                thread::Builder::new().name("control-client".into()).spawn(move || server.serve(stream))
            });
            if let Err(error) = spawned {
                tracing::warn!("a command could not be answered: {error}");
            }
        }
    }

    fn serve(&self, mut stream: UnixStream) {
        let outcome = match receive::<Request>(&stream) {
            Ok(Request::Follow { since }) => self.stream_events(&mut stream, since),
            Ok(Request::Unmount { force, by }) => return self.end(Asked { stream, force, by }),
            Ok(request) => {
                let response = self.engine.answer(&request);
                send(&mut stream, &response.unwrap_or_else(|error| Response::Failed { message: format!("{error:#}") }))
                    .map_err(Into::into)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            tracing::debug!("a command went away: {error:#}");
        }
    }

    /// The connection goes to whoever ends the process: it is answered when the mount is gone.
    fn end(&self, asked: Asked) {
        if self.stop.send(Stop::Asked(asked)).is_err() {
            tracing::debug!("the process is ending already");
        }
    }

    /// Past events, then live ones, each once and in order.
    fn stream_events(&self, stream: &mut UnixStream, mut since: u64) -> anyhow::Result<()> {
        let live = self.feed.subscribe();
        loop {
            let past = self.engine.store.events(since, CATCH_UP)?;
            let Some(last) = past.last() else { break };
            since = last.seq;
            for event in &past {
                send(stream, event)?;
            }
        }
        for batch in live {
            for event in batch.iter().filter(|event| event.seq > since) {
                send(stream, event)?;
            }
        }
        Ok(())
    }
}
