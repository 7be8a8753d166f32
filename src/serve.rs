//! `serve`: an HTTP server that trackers send their webhooks to.
//!
//! A delivery is checked, answered, and only then acted upon, by another thread: the puller of its remote is woken, which
//! asks the tracker what changed. However many deliveries come meanwhile, one more pull follows.

use crate::{
    domain::{Clock, Timestamp},
    remote::webhook::{Delivery, Webhook},
};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use parking_lot::{Condvar, Mutex};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    io, mem,
    net::TcpListener,
    sync::Arc,
    thread,
    time::Duration,
};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

/// The largest delivery, in bytes. An issue's text, twice (before and after), each character escaped, fits.
const MAX_BODY: usize = 2 << 20;
/// Bodies that are read at a time, and how long one may pause: together they bound memory, and what a stranger can hold up.
const AT_ONCE: usize = 64;
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// Delivery ids that are remembered.
const REMEMBERED: usize = 10_000;

/// The remotes that may send deliveries, by name.
pub type Webhooks = BTreeMap<String, Webhook>;

/// Serves `POST /webhooks/<remote>` and `GET /health` until `stop` is done. `wake` pulls one remote; it runs on a thread
/// of its own and may take its time.
pub fn serve(
    webhooks: Webhooks,
    listener: TcpListener,
    clock: Arc<dyn Clock>,
    wake: impl Fn(&str) + Send + 'static,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let desk = Arc::new(Desk { webhooks, clock, seen: Mutex::default(), bell: Arc::default() });
    let bell = desk.bell.clone();
    let puller = thread::Builder::new().name("webhook-pull".into()).spawn(move || bell.run(wake))?;
    let outcome = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        axum::serve(listener, router(desk.clone())).with_graceful_shutdown(stop).await
    });
    desk.bell.stop();
    if puller.join().is_err() {
        tracing::error!("pulling had panicked; see above");
    }
    outcome
}

/// Done when this process is asked to end: Ctrl-C, or SIGTERM.
pub async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        // Without handlers the signals end the process by themselves.
        _ => std::future::pending().await,
    }
}

fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/webhooks/{remote}", post(receive))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(RequestBodyTimeoutLayer::new(MAX_PAUSE))
        .layer(GlobalConcurrencyLimitLayer::new(AT_ONCE))
        .route("/health", get(|| async { "ok\n" }))
        .with_state(desk)
}

/// Where deliveries arrive.
struct Desk {
    webhooks: Webhooks,
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
    bell: Arc<Bell>,
}

/// Linear takes 200 alone for a yes, so that is what everything in order is answered.
async fn receive(
    State(desk): State<Arc<Desk>>,
    Path(remote): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let Some(webhook) = desk.webhooks.get(&remote) else { return (StatusCode::NOT_FOUND, "no such remote\n") };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match webhook.check(header, &body, desk.now()) {
        Ok(delivery) => desk.accept(remote, delivery),
        Err(refusal) => {
            tracing::warn!(remote, "a webhook is refused: {refusal}");
            (StatusCode::UNAUTHORIZED, "refused\n")
        }
    }
}

impl Desk {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn accept(&self, remote: String, delivery: Delivery) -> (StatusCode, &'static str) {
        if !delivery.is_news {
            return (StatusCode::OK, "pong\n");
        }
        if !self.seen.lock().first_time(&format!("{remote} {}", delivery.id)) {
            return (StatusCode::OK, "known\n");
        }
        self.bell.ring(remote);
        (StatusCode::OK, "thanks\n")
    }
}

/// Deliveries by remote and id, the newest [`REMEMBERED`].
#[derive(Default)]
struct Seen {
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    fn first_time(&mut self, id: &str) -> bool {
        if !self.known.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

/// Hands the names of remotes with news to the thread that pulls.
#[derive(Default)]
struct Bell {
    rung: Mutex<Rung>,
    changed: Condvar,
}

#[derive(Default)]
struct Rung {
    remotes: BTreeSet<String>,
    stopped: bool,
}

impl Bell {
    fn ring(&self, remote: String) {
        self.rung.lock().remotes.insert(remote);
        self.changed.notify_one();
    }

    fn stop(&self) {
        self.rung.lock().stopped = true;
        self.changed.notify_one();
    }

    /// Pulls each remote that was rung for, until stopped; what was rung for before the end is still pulled.
    fn run(&self, pull: impl Fn(&str)) {
        loop {
            let remotes = {
                let mut rung = self.rung.lock();
                self.changed.wait_while(&mut rung, |rung| rung.remotes.is_empty() && !rung.stopped);
                mem::take(&mut rung.remotes)
            };
            if remotes.is_empty() {
                return;
            }
            remotes.iter().for_each(|remote| pull(remote));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_news_once_and_the_oldest_is_forgotten_first() {
        let mut seen = Seen::default();
        assert!(seen.first_time("a") && !seen.first_time("a"));
        (0..REMEMBERED).for_each(|n| assert!(seen.first_time(&n.to_string())));
        assert_eq!(seen.known.len(), REMEMBERED);
        assert!(seen.first_time("a") && !seen.first_time(&(REMEMBERED - 1).to_string()));
    }

    #[test]
    fn what_rings_before_the_end_is_pulled_once() {
        let bell = Bell::default();
        ["hub", "line", "hub"].into_iter().for_each(|remote| bell.ring(remote.to_owned()));
        bell.stop();
        let pulled = Mutex::new(Vec::new());
        bell.run(|remote| pulled.lock().push(remote.to_owned()));
        assert_eq!(*pulled.lock(), ["hub", "line"]);
    }
}
