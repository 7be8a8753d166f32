//! An HTTP proxy between a provider and its server that loses, spoils or replaces answers on request.
//!
//! One request a connection, so that a lost answer is a closed socket and nothing else.

#![allow(dead_code, reason = "each test program uses its part")]

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// What to do to the next request that it fits.
#[derive(Clone, Debug)]
pub enum Spoil {
    /// Let the next write through and drop its answer.
    LoseAnswer,
    /// Drop the next write.
    LoseRequest,
    /// Answer the next request, whatever it is, with this whole HTTP response.
    Answer(String),
}

pub struct Proxy {
    pub origin: String,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    spoils: Mutex<VecDeque<Spoil>>,
    requests: Mutex<Vec<String>>,
    /// Whether answers to GET carry an entity tag, and one that the client has is answered "not modified".
    tags: AtomicBool,
    not_modified: AtomicUsize,
    stopped: AtomicBool,
}

impl Proxy {
    /// Stands before `origin`, as in `http://127.0.0.1:4101`.
    pub fn before(origin: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            upstream: origin.trim_start_matches("http://").to_owned(),
            spoils: Mutex::default(),
            requests: Mutex::default(),
            tags: AtomicBool::new(false),
            not_modified: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        std::thread::spawn(move || serve(&listener, &own));
        Self { origin: format!("http://{address}"), address, shared }
    }

    pub fn spoil(&self, spoil: Spoil) {
        self.shared.spoils.lock().unwrap().push_back(spoil);
    }

    /// From now on answers carry entity tags, as GitHub's do.
    pub fn tag(&self) {
        self.shared.tags.store(true, Ordering::SeqCst);
    }

    /// How many requests were answered "not modified".
    pub fn not_modified(&self) -> usize {
        self.shared.not_modified.load(Ordering::SeqCst)
    }

    /// How many requests have come in.
    pub fn requests(&self) -> usize {
        self.shared.requests.lock().unwrap().len()
    }

    /// Every request as it came in.
    pub fn sent(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener; that it is gone already is as good.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let (Ok(client), shared) = (client, Arc::clone(shared)) else { return };
        std::thread::spawn(move || {
            // A client that goes away in the middle is part of the tests; what else fails is told by the one that fails.
            if let Err(error) = pass_on(client, &shared) {
                eprintln!("the proxy before {}: {error}", shared.upstream);
            }
        });
    }
}

fn pass_on(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let request = read_request(&client)?;
    shared.requests.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
    let spoil = shared.take_for(&request);
    match spoil {
        Some(Spoil::LoseRequest) => return Ok(()),
        Some(Spoil::Answer(answer)) => return client.write_all(answer.as_bytes()),
        Some(Spoil::LoseAnswer) | None => {}
    }
    let mut server = TcpStream::connect(&shared.upstream)?;
    server.write_all(&request)?;
    let mut answer = Vec::new();
    match server.read_to_end(&mut answer) {
        // A connection that is reset behind an answer takes nothing of it back.
        Err(error) if answer.is_empty() => return Err(error),
        _ => {}
    }
    if shared.tags.load(Ordering::SeqCst) && request.starts_with(b"GET ") {
        answer = shared.tagged(&request, &answer);
    }
    if spoil.is_none() { client.write_all(&answer) } else { Ok(()) }
}

/// Reads a whole request, and asks for the connection to be closed after it.
fn read_request(client: &TcpStream) -> io::Result<Vec<u8>> {
    let (mut reader, mut request, mut length) = (BufReader::new(client), Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line.trim().is_empty() {
            break;
        }
        request.extend(line.into_bytes());
    }
    request.extend(b"connection: close\r\n\r\n");
    reader.take(length).read_to_end(&mut request)?;
    Ok(request)
}

impl Shared {
    /// The answer with a tag of its body, or "not modified" where the client has that.
    fn tagged(&self, request: &[u8], answer: &[u8]) -> Vec<u8> {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer has a head");
        let mut hasher = DefaultHasher::new();
        answer[end..].hash(&mut hasher);
        let tag = format!("W/\"{:x}\"", hasher.finish());
        if String::from_utf8_lossy(request).contains(&format!("if-none-match: {tag}\r\n")) {
            self.not_modified.fetch_add(1, Ordering::SeqCst);
            return format!("HTTP/1.1 304 Not Modified\r\netag: {tag}\r\nconnection: close\r\n\r\n").into_bytes();
        }
        [&answer[..end], format!("\r\netag: {tag}").as_bytes(), &answer[end..]].concat()
    }

    fn take_for(&self, request: &[u8]) -> Option<Spoil> {
        let is_write = is_write(&String::from_utf8_lossy(request));
        let mut spoils = self.spoils.lock().unwrap();
        let index = spoils.iter().position(|spoil| is_write || matches!(spoil, Spoil::Answer(_)))?;
        spoils.remove(index)
    }
}

/// REST says it by the method, GraphQL by the operation.
fn is_write(request: &str) -> bool {
    if request.starts_with("POST /graphql") { request.contains("\"mutation ") } else { !request.starts_with("GET ") }
}
