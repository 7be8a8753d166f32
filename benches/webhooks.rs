//! How long a tracker waits for the answer to a webhook, at 500 deliveries a second over eight connections, while every one of
//! them asks for a pull. The bar is a 95th percentile of 10 ms.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use trackfs::{
    daemon::SystemClock,
    remote::webhook::Webhook,
    serve::{self, Webhooks},
    workspace::config::Config,
};

const RATE: u32 = 500;
const CONNECTIONS: u32 = 8;
const SECONDS: u32 = 10;
/// Bytes of a delivery: GitHub's about an issue are this long.
const BODY: usize = 20_000;

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // A pull takes a while, and nobody who delivers may notice.
    let wake = |_: &str| thread::sleep(Duration::from_millis(200));
    thread::spawn(move || {
        serve::serve(webhooks(), listener, Arc::new(SystemClock), wake, std::future::pending()).unwrap();
    });
    let senders: Vec<_> = (0..CONNECTIONS).map(|sender| thread::spawn(move || deliver(address, sender))).collect();
    let mut waits: Vec<Duration> = senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
    waits.sort();
    let at = |percent: usize| waits[(waits.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
    println!(
        "{} deliveries of {BODY} bytes at {RATE}/s: p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        waits.len(),
        at(50),
        at(95),
        at(99),
        at(100)
    );
}

fn webhooks() -> Webhooks {
    let yaml = "remotes: {gh: {type: github, repo: a/b, folder: t, webhook_secret: {command: echo s3cret}}}";
    let config = Config::parse(yaml).unwrap();
    config.remotes.iter().map(|(name, remote)| (name.clone(), Webhook::open(name, remote).unwrap().unwrap())).collect()
}

/// Sends one connection's share at its pace; a late answer does not slow the clock by which waiting is counted.
fn deliver(address: SocketAddr, sender: u32) -> Vec<Duration> {
    let body = "x".repeat(BODY);
    let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret").unwrap();
    mac.update(body.as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let (pace, start) = (Duration::from_secs(1) * CONNECTIONS / RATE, Instant::now());
    let mut answer = [0; 1024];
    (0..RATE * SECONDS / CONNECTIONS)
        .map(|number| {
            let due = start + pace * number;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let request = format!(
                "POST /webhooks/gh HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY}\r\nX-Hub-Signature-256: sha256={signature}\r\n\
                 X-GitHub-Delivery: {sender}-{number}\r\nX-GitHub-Event: issues\r\n\r\n{body}"
            );
            stream.write_all(request.as_bytes()).unwrap();
            let count = stream.read(&mut answer).unwrap();
            assert!(answer[..count].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..count]));
            due.elapsed()
        })
        .collect()
}
