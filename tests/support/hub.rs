//! As much of GitHub as an app meets: it believes what is signed with the example key, and grants tokens.

use crate::example_key;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::pki_types::alg_id::RSA_PKCS1_SHA256;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use trackfs::domain::Timestamp;

/// The app 12345, `tracker`, which is installed for `o/r` as 77.
pub struct Hub {
    pub origin: String,
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    requests: Vec<String>,
    granted: usize,
    /// Tokens up to this one are refused.
    revoked: usize,
    accepts_none: bool,
    lifetime: i64,
    ahead: i64,
    slow: Duration,
    permissions: Value,
    grant: Option<String>,
    stopped: bool,
}

type Answer = (u16, String);

impl Hub {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let permissions = json!({ "metadata": "read", "issues": "write" });
        let state = State {
            requests: Vec::new(),
            granted: 0,
            revoked: 0,
            accepts_none: false,
            lifetime: 3600,
            ahead: 0,
            slow: Duration::ZERO,
            permissions,
            grant: None,
            stopped: false,
        };
        let state = Arc::new(Mutex::new(state));
        let own = Arc::clone(&state);
        std::thread::spawn(move || serve(&listener, &own));
        Self { origin: format!("http://{address}"), address, state }
    }

    /// How many tokens were granted.
    pub fn granted(&self) -> usize {
        self.state().granted
    }

    /// How many requests had this in their first line.
    pub fn asked(&self, what: &str) -> usize {
        self.state().requests.iter().filter(|line| line.contains(what)).count()
    }

    /// Refuses the tokens granted so far.
    pub fn revoke(&self) {
        let mut state = self.state();
        state.revoked = state.granted;
    }

    pub fn accept_none(&self) {
        self.state().accepts_none = true;
    }

    /// Seconds for which tokens are good from now on.
    pub fn lifetime(&self, seconds: i64) {
        self.state().lifetime = seconds;
    }

    /// Seconds by which its clock differs.
    pub fn ahead(&self, seconds: i64) {
        self.state().ahead = seconds;
    }

    /// How long a grant takes.
    pub fn slow(&self, wait: Duration) {
        self.state().slow = wait;
    }

    pub fn permit(&self, permissions: Value) {
        self.state().permissions = permissions;
    }

    pub fn answer_grants_with(&self, body: &str) {
        self.state().grant = Some(body.to_owned());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.state().stopped = true;
        // Wakes the listener; that it is gone already is as good.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(listener: &TcpListener, state: &Arc<Mutex<State>>) {
    for client in listener.incoming() {
        if state.lock().unwrap().stopped {
            return;
        }
        let (Ok(client), state) = (client, Arc::clone(state)) else { return };
        std::thread::spawn(move || answer(client, &state));
    }
}

fn answer(mut client: TcpStream, state: &Mutex<State>) {
    let (line, token) = read_request(&client);
    let grants = line.contains("/access_tokens ");
    let (slow, (status, body), now) = {
        let mut state = state.lock().unwrap();
        state.requests.push(line.clone());
        (state.slow, state.answer(&line, &token), state.now())
    };
    if grants {
        std::thread::sleep(slow);
    }
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap();
    let head =
        format!("HTTP/1.1 {status} x\r\ndate: {date}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // A client that went away is part of the tests.
    let _ = client.write_all((head + &body).as_bytes());
}

/// The first line, and the token.
fn read_request(client: &TcpStream) -> (String, String) {
    let (mut reader, mut head) = (BufReader::new(client), Vec::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 || line.trim().is_empty() {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        let found = head.iter().find_map(|line| line.to_lowercase().starts_with(name).then(|| &line[name.len()..]));
        found.unwrap_or_default().trim().to_owned()
    };
    let length = header("content-length:").parse().unwrap_or(0);
    reader.take(length).read_to_end(&mut Vec::new()).unwrap();
    let token = header("authorization:").strip_prefix("Bearer ").unwrap_or_default().to_owned();
    (head.first().cloned().unwrap_or_default(), token)
}

impl State {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(Timestamp::now().as_second() + self.ahead).unwrap()
    }

    fn answer(&mut self, line: &str, token: &str) -> Answer {
        let path = line.split(' ').nth(1).unwrap_or_default();
        if path == "/app" || path.starts_with("/app/") || path.ends_with("/installation") {
            return if self.believes(token) {
                self.as_app(path)
            } else {
                refused("A JSON web token could not be decoded")
            };
        }
        let number = token.strip_prefix("ghs_").and_then(|number| number.parse::<usize>().ok());
        if self.accepts_none || number.is_none_or(|number| number <= self.revoked || number > self.granted) {
            return refused(&format!("Bad credentials for {token}"));
        }
        by_token(line, path)
    }

    fn as_app(&mut self, path: &str) -> Answer {
        match path {
            "/app" => ok(&json!({ "id": 12345, "slug": "tracker" })),
            "/repos/o/r/installation" => ok(&json!({ "id": 77 })),
            "/app/installations/77/access_tokens" => {
                self.granted += 1;
                let expires_at = Timestamp::from_second(self.now().as_second() + self.lifetime).unwrap();
                let (token, permissions) = (format!("ghs_{}", self.granted), &self.permissions);
                let grant = json!({ "token": token, "expires_at": expires_at, "permissions": permissions });
                (201, self.grant.clone().unwrap_or_else(|| grant.to_string()))
            }
            _ => (404, r#"{"message": "Not Found"}"#.into()),
        }
    }

    /// Whether this was signed with the app's key, and is good now.
    fn believes(&self, word: &str) -> bool {
        let Some((said, signature)) = word.rsplit_once('.') else { return false };
        let part = |index| serde_json::from_slice::<Value>(&decoded(said.split('.').nth(index).unwrap())).unwrap();
        let (claims, now) = (part(1), self.now().as_second());
        let time = |name: &str| claims[name].as_i64().unwrap();
        let known = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
        let mut known = known.iter().filter(|algorithm| algorithm.signature_alg_id() == RSA_PKCS1_SHA256);
        part(0) == json!({ "alg": "RS256", "typ": "JWT" })
            && claims["iss"] == 12345
            && time("iat") <= now - 50
            && (now + 60..=now + 600).contains(&time("exp"))
            && known.any(|it| it.verify_signature(&example_key::public(), said.as_bytes(), &decoded(signature)).is_ok())
    }
}

fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

fn by_token(line: &str, path: &str) -> Answer {
    let issue = json!({ "number": 1, "html_url": "", "title": "Login fails", "state": "open",
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z" });
    let comment = |id: u64, login: &str| {
        json!({ "id": id, "user": { "login": login }, "body": "b",
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z" })
    };
    match path {
        "/repos/o/r" => ok(&json!({})),
        "/repos/o/r/issues/1" => ok(&issue),
        "/repos/o/r/issues/1/comments" if line.starts_with("POST ") => ok(&comment(7, "tracker[bot]")),
        "/repos/o/r/issues/comments/5" => ok(&comment(5, "tracker[bot]")),
        "/repos/o/r/issues/comments/6" => ok(&comment(6, "alice")),
        _ if path.contains("creator=tracker%5Bbot%5D") => ok(&json!([issue])),
        _ => (404, r#"{"message": "Not Found"}"#.into()),
    }
}

fn ok(body: &Value) -> Answer {
    (200, body.to_string())
}

fn refused(message: &str) -> Answer {
    (401, json!({ "message": message }).to_string())
}
