//! Starts the servers that stand in for GitHub and Linear, one process each, on a free port of the loopback.
//!
//! A server dies with its handle and, if the test process is killed, with that: it hangs on a pipe that the process
//! holds. Where the servers cannot be had, tests are skipped and say so; with `CI` set they fail.

#![allow(dead_code, reason = "each test program uses its part")]

use serde_json::Value;
use std::{
    fs::File,
    io::{Read, Seek},
    net::{TcpListener, TcpStream},
    ops::Range,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Long enough for a first `npm install` over a slow line.
const SETUP: Duration = Duration::from_secs(300);
const START: Duration = Duration::from_secs(30);
/// Below those that the system gives to whoever asks for any port.
const PORTS: Range<u16> = 20_000..32_000;

/// A running server.
pub struct Server {
    /// `http://127.0.0.1:PORT`
    pub origin: String,
    /// What a remote's `url` must be.
    pub url: String,
    process: Child,
    _port: Port,
    /// What the server prints, in a file without a name.
    log: File,
}

impl Server {
    /// Sends JSON to a path of the server past the provider, and returns what it answers. `token` may be empty.
    pub fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        let client = reqwest::blocking::Client::builder().no_proxy().build().expect("a client can be built");
        let request = client.post(format!("{}{path}", self.origin)).bearer_auth(token).json(body);
        let response = request.send().expect("the server answers");
        assert!(response.status().is_success(), "{path}: {} {:?}", response.status(), response.text());
        response.json().expect("the server answers in JSON")
    }

    /// What the server printed so far.
    pub fn log(&self) -> String {
        let (mut log, mut text) = (&self.log, String::new());
        let read = log.rewind().and_then(|()| log.read_to_string(&mut text));
        read.map_or_else(|error| error.to_string(), |_| text)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its shell ends the server when its input does.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// GitHub with the repository `alice/tracker` and the tokens `ghp_alice` and `ghp_bob`; any other token is alice's.
pub fn start_github() -> Option<Server> {
    start("emulate", |tools, port| {
        let program = tools.cache.join("node_modules/emulate/dist/index.js");
        let mut command = tools.node(&program);
        command.args(["start", "--service", "github", "--port", &port.to_string(), "--seed"]);
        command.arg(emulators().join("emulate.config.yaml"));
        command
    })
}

/// Linear with the teams `SYN` and `OPS`, the people `admin` and `dev`, and the keys `lin_api_admin` and `lin_api_dev`.
///
/// What others do there goes through `POST /_double/…`: `edit`, `create`, `comment`, `purge`, `faults`, `opt`, `log`.
pub fn start_linear() -> Option<Server> {
    let mut server = start("linear", |tools, port| {
        // Node looks for modules beside the script. Other test programs may be doing the same.
        let (copy, script) = (tools.cache.join(format!("{port}.mjs")), tools.cache.join("linear-server.mjs"));
        std::fs::copy(emulators().join("linear-server.mjs"), &copy).expect("the cache can be written");
        std::fs::rename(&copy, &script).expect("the cache can be written");
        let mut command = tools.node(&script);
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/remote/linear.schema.graphql");
        command.env("LINEAR_SCHEMA", schema).env("PORT", port.to_string());
        command
    })?;
    server.url = format!("{}/graphql", server.origin);
    Some(server)
}

/// What `setup.sh` installed.
struct Tools {
    cache: PathBuf,
    node: PathBuf,
}

impl Tools {
    /// A command that runs a script until the standard input of the command ends.
    fn node(&self, script: &Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", r#""$@" </dev/null & server=$!; read -r _; kill "$server"; wait"#, "sh"]);
        command.arg(&self.node).arg(script).stdin(Stdio::piped());
        command
    }
}

fn emulators() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulators")
}

fn start(name: &str, command: impl FnOnce(&Tools, u16) -> Command) -> Option<Server> {
    // The same provider as the program's; a second installation is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tools = match tools() {
        Ok(tools) => tools,
        Err(reason) if std::env::var_os("CI").is_some() => panic!("{name} cannot be started: {reason}"),
        Err(reason) => {
            eprintln!("skipped: {name} cannot be started: {reason}");
            return None;
        }
    };
    let port = Port::reserve(&tools.cache.join("ports"));
    let number = port.number;
    let output = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let log = output.reopen().expect("the file has just been made");
    let output = output.into_file();
    // A copy shares the position, so that neither overwrites the other.
    let errors = output.try_clone().expect("a descriptor can be copied");
    let process = command(tools, number).stdout(output).stderr(errors).spawn().expect("sh can be started");
    let origin = format!("http://127.0.0.1:{number}");
    let server = Server { url: origin.clone(), origin, process, _port: port, log };
    wait_for(number, &server);
    Some(server)
}

fn wait_for(port: u16, server: &Server) {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < START, "no server after {} s:\n{}", START.as_secs(), server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A port that no other test takes while this is held: each is a program, and all of them look for one at the same time.
struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// `locks` is a folder that all test programs share.
    fn reserve(locks: &Path) -> Self {
        std::fs::create_dir_all(locks).expect("the cache can be written");
        let first = std::process::id() as usize;
        let mut candidates = PORTS.cycle().skip(first % PORTS.len()).take(PORTS.len());
        let reserve = |number: u16| {
            let lock = File::create(locks.join(number.to_string())).expect("the cache can be written");
            let is_free = lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok();
            is_free.then_some(Self { number, _lock: lock })
        };
        candidates.find_map(reserve).expect("the loopback has a free port")
    }
}

fn tools() -> Result<&'static Tools, String> {
    static TOOLS: OnceLock<Result<Tools, String>> = OnceLock::new();
    TOOLS.get_or_init(set_up).as_ref().map_err(String::clone)
}

fn set_up() -> Result<Tools, String> {
    let mut setup = Command::new(emulators().join("setup.sh"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| format!("setup.sh: {error}"))?;
    let begun = Instant::now();
    while setup.try_wait().map_err(|error| error.to_string())?.is_none() {
        if begun.elapsed() > SETUP {
            let _ = setup.kill();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = setup.wait_with_output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match (output.status.success(), text.lines().collect::<Vec<_>>().as_slice()) {
        (true, [cache, node]) => Ok(Tools { cache: cache.into(), node: node.into() }),
        _ => Err(format!("tests/emulators/setup.sh failed ({}); it needs npm", output.status)),
    }
}
