//! Where a token comes from, and the wrapper that keeps it out of every log and message.
//!
//! A token is read when a remote is opened, and once more when it was refused: by then there may be a new one. The key of the app
//! that gets them is read once. None is ever written anywhere; the keyring is filled by its own program.

use super::RemoteError;
use crate::{
    domain::Timestamp,
    workspace::config::{KeySource, RemoteKind, TokenSource},
};
use parking_lot::Mutex;
use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// How long a command that prints a token may take: long enough for a password manager that asks for a touch.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// No token is longer; a command that prints more prints something else.
const MAX_OUTPUT: u64 = 16 * 1024;

/// A token. It prints as `***`, whatever prints it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token itself, for the `Authorization` header and nothing else.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// `text` without the token in it.
    pub(super) fn scrub(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "***") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where the token of each request comes from: it may be another than the last one's.
pub(super) trait Tokens: Send + Sync {
    /// The token to send now.
    fn token(&self) -> Result<Secret, RemoteError>;

    /// Hears that the remote, at this time of its own, refused the token, and answers whether there may be another.
    fn refused(&self, token: &Secret, now: Timestamp) -> bool;
}

#[cfg(test)]
impl Tokens for Secret {
    fn token(&self) -> Result<Secret, RemoteError> {
        Ok(self.clone())
    }

    fn refused(&self, _token: &Secret, _now: Timestamp) -> bool {
        false
    }
}

/// The token that a source held when it was asked last.
pub(super) struct Found {
    kind: RemoteKind,
    source: TokenSource,
    token: Mutex<Secret>,
}

impl Tokens for Found {
    fn token(&self) -> Result<Secret, RemoteError> {
        Ok(self.token.lock().clone())
    }

    fn refused(&self, refused: &Secret, _now: Timestamp) -> bool {
        let mut token = self.token.lock();
        // Another thread was refused the same, and has the new one already.
        if *token != *refused {
            return true;
        }
        match look(self.kind, &self.source) {
            Ok(other) if other != *refused => {
                *token = other;
                true
            }
            _ => false,
        }
    }
}

/// Finds the token of the remote named `remote`. The error says where it was looked for and what to do.
pub(super) fn find(remote: &str, kind: RemoteKind, source: &TokenSource) -> Result<Found, RemoteError> {
    let token = look(kind, source).map_err(|reason| RemoteError::Unauthorized {
        remote: remote.to_owned(),
        reason: format!("{reason}, or say where it is with `remotes.{remote}.token` in .trackfs/config.yaml"),
    })?;
    Ok(Found { kind, source: source.clone(), token: Mutex::new(token) })
}

/// As what the keyring knows our tokens.
const KEYRING_SERVICE: &str = "trackfs";

/// Asks the program that speaks to the system's keyring (the Secret Service of freedesktop: GNOME Keyring, KWallet, KeePassXC).
fn keyring(account: &str) -> Result<Secret, String> {
    run("secret-tool", &["lookup", "service", KEYRING_SERVICE, "account", account], clean).map_err(|reason| {
        format!(
            "no token was found: the keyring has none for {account}, or cannot be reached (`secret-tool lookup` {reason}); \
             put it there with `trackfs remote token`"
        )
    })
}

/// Has the keyring's own program ask the user for a token, without showing it, or read it from standard input where that is no
/// terminal, and keep it. It never passes through this one.
pub fn keep(account: &str) -> io::Result<bool> {
    let label = format!("trackfs: {account}");
    let mut command = Command::new("secret-tool");
    command.args(["store", "--label", &label, "service", KEYRING_SERVICE, "account", account]);
    Ok(command.status()?.success())
}

/// Finds the private key of the app that the remote named `remote` is entered as. The error says where it was looked for.
pub(super) fn private_key(remote: &str, source: &KeySource) -> Result<Secret, RemoteError> {
    let found = match source {
        KeySource::File(path) => key_file(&at_home(path)),
        // Where a variable cannot hold line ends, they are written as in a string.
        KeySource::Env(name) => std::env::var(name)
            .map(|value| Secret::new(value.replace("\\n", "\n")))
            .map_err(|_| format!("the variable {name} is not set; set it")),
        KeySource::Command(command) => output_of("sh", &["-c", command])
            .map(Secret::new)
            .map_err(|reason| format!("the command {reason}; run it by hand to see why")),
    };
    found.map_err(|reason| RemoteError::Unauthorized {
        remote: remote.to_owned(),
        reason: format!(
            "no private key was found: {reason}, or say where it is with `remotes.{remote}.token.app.key` in \
             .trackfs/config.yaml"
        ),
    })
}

/// A path as it was written, with `~` for the home folder.
fn at_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => path.into(),
    }
}

fn key_file(path: &Path) -> Result<Secret, String> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| format!("{shown} cannot be read ({}); mend that", error.kind());
    let real = path.canonicalize().map_err(unreadable)?;
    // Whatever lies in a workspace is committed, and pushed with it.
    if real.ancestors().any(|folder| folder.join(".trackfs/config.yaml").exists()) {
        return Err(format!(
            "{shown} lies in a workspace, where it is committed; make a new key and keep it elsewhere"
        ));
    }
    if !real.is_file() {
        return Err(format!("{shown} is no file; name the key's"));
    }
    let mut text = String::new();
    let read = File::open(real).and_then(|file| file.take(MAX_OUTPUT).read_to_string(&mut text));
    read.map(|_| Secret::new(text)).map_err(unreadable)
}

/// Finds the secret that the remote named `remote` signs its webhooks with. The error says where it was looked for.
pub(super) fn webhook_secret(remote: &str, kind: RemoteKind, source: &TokenSource) -> Result<Secret, String> {
    let found = match source {
        TokenSource::Env(name) => webhook_variable(name),
        TokenSource::Command(command) => run("sh", &["-c", command], phrase)
            .map_err(|reason| format!("no secret was found: the command {reason}; run it by hand to see why")),
        TokenSource::Keyring(account) => keyring(account),
        TokenSource::Default if kind == RemoteKind::Linear => webhook_variable("LINEAR_WEBHOOK_SECRET"),
        TokenSource::Default => webhook_variable("GITHUB_WEBHOOK_SECRET"),
        TokenSource::App(_) => Err("no secret was found: an app's key signs no webhooks; name a variable".into()),
    };
    found.map_err(|reason| {
        format!("{reason}, or say where it is with `remotes.{remote}.webhook_secret` in .trackfs/config.yaml")
    })
}

fn webhook_variable(name: &str) -> Result<Secret, String> {
    let value = std::env::var(name).ok().and_then(|value| phrase(&value));
    value.ok_or_else(|| format!("no secret was found: the variable {name} is not set; set it"))
}

fn look(kind: RemoteKind, source: &TokenSource) -> Result<Secret, String> {
    find_in(kind, source, |name| std::env::var(name).ok())
}

fn find_in(kind: RemoteKind, source: &TokenSource, env: impl Fn(&str) -> Option<String>) -> Result<Secret, String> {
    let variable = |name: &str| env(name).and_then(|value| clean(&value));
    match source {
        TokenSource::Env(name) => {
            variable(name).ok_or_else(|| format!("no token was found: the variable {name} is not set; set it"))
        }
        TokenSource::Command(command) => run("sh", &["-c", command], clean)
            .map_err(|reason| format!("no token was found: the token command {reason}; run it by hand to see why")),
        TokenSource::Keyring(account) => keyring(account),
        TokenSource::App(_) => Err("no token was found: only GitHub has apps; name a variable".into()),
        TokenSource::Default => match kind {
            RemoteKind::Linear => variable("LINEAR_API_KEY").ok_or_else(|| {
                "no token was found: LINEAR_API_KEY is not set; make a key under Linear's Settings, Security & access, and set it".into()
            }),
            RemoteKind::Github => variable("GITHUB_TOKEN").or_else(|| variable("GH_TOKEN")).map_or_else(gh, Ok),
            RemoteKind::Simulator => Ok(Secret::new("")),
        },
    }
}

/// Asks GitHub's own command line, where most people are logged in already.
fn gh() -> Result<Secret, String> {
    run("gh", &["auth", "token"], clean).map_err(|reason| {
        format!(
            "no token was found: GITHUB_TOKEN and GH_TOKEN are not set and `gh auth token` {reason}; \
             run `gh auth login`, set GITHUB_TOKEN"
        )
    })
}

/// A secret that somebody thought of may have blanks in it.
fn phrase(line: &str) -> Option<Secret> {
    let phrase = line.trim_end_matches(['\r', '\n']);
    (!phrase.is_empty()).then(|| Secret::new(phrase))
}

fn clean(line: &str) -> Option<Secret> {
    let token = line.trim();
    let printable = !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic());
    printable.then(|| Secret::new(token))
}

/// Runs a command and takes the first line it prints, if `accept` does. The error never quotes its output.
fn run(program: &str, arguments: &[&str], accept: fn(&str) -> Option<Secret>) -> Result<Secret, String> {
    let output = output_of(program, arguments)?;
    accept(output.lines().next().unwrap_or_default()).ok_or_else(|| "printed no token on its first line".into())
}

/// Runs a command and takes what it prints. The error never quotes it.
fn output_of(program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("could not be started ({})", error.kind()))?;
    let output = read_output(&mut child, COMMAND_TIMEOUT);
    if output.is_none() {
        // It may have ended in between; then there is nothing to kill, and that is fine.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| format!("could not be waited for ({})", error.kind()))?;
    let output = output.ok_or_else(|| format!("printed no line within {} s", COMMAND_TIMEOUT.as_secs()))?;
    if status.success() { Ok(output) } else { Err(format!("failed ({status})")) }
}

/// What the child prints, once it has closed its output; `None` after `timeout`.
fn read_output(child: &mut Child, timeout: Duration) -> Option<String> {
    let stdout = child.stdout.take().expect("stdout was asked to be a pipe");
    let (send, receive) = mpsc::channel();
    // A thread of its own, because a pipe has no read timeout; it ends when the child does.
    std::thread::spawn(move || {
        let mut output = Vec::new();
        let read = stdout.take(MAX_OUTPUT).read_to_end(&mut output);
        let text = read.ok().and_then(|_| String::from_utf8(output).ok()).unwrap_or_default();
        let _ = send.send(text);
    });
    receive.recv_timeout(timeout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        move |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("ghp_abc");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret.scrub("sent ghp_abc twice: ghp_abc"), "sent *** twice: ***");
        assert_eq!(Secret::new("").scrub("as it was"), "as it was");
    }

    #[test]
    fn a_refused_token_is_looked_for_once_more() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "one").unwrap();
        let source = TokenSource::Command(format!("cat {}", file.display()));
        let found = find("hub", RemoteKind::Github, &source).unwrap();
        let (one, now) = (found.token().unwrap(), Timestamp::default());
        assert!(one.expose() == "one" && !found.refused(&one, now), "it is still the same");
        std::fs::write(&file, "two").unwrap();
        assert!(found.refused(&one, now) && found.token().unwrap().expose() == "two");
        assert!(found.refused(&one, now), "who was refused the old one tries the new one");
    }

    #[test]
    fn the_default_prefers_github_token_to_gh_token() {
        let env = with(&[("GITHUB_TOKEN", "one"), ("GH_TOKEN", "two")]);
        assert_eq!(find_in(RemoteKind::Github, &TokenSource::Default, env).unwrap().expose(), "one");
        let env = with(&[("GITHUB_TOKEN", " "), ("GH_TOKEN", "two\n")]);
        assert_eq!(find_in(RemoteKind::Github, &TokenSource::Default, env).unwrap().expose(), "two");
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = find_in(RemoteKind::Linear, &TokenSource::Env("MY_KEY".into()), with(&[])).unwrap_err();
        assert!(error.contains("MY_KEY"), "{error}");
        let error = find_in(RemoteKind::Linear, &TokenSource::Default, with(&[])).unwrap_err();
        assert!(error.contains("LINEAR_API_KEY"), "{error}");
    }

    #[test]
    fn a_command_gives_its_first_line() {
        assert_eq!(run("sh", &["-c", "printf 'first\\nsecond\\n'"], clean).unwrap().expose(), "first");
    }

    #[test]
    fn a_key_is_all_that_its_source_holds_and_no_error_quotes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("app.pem"), "one\ntwo\n").unwrap();
        for source in [KeySource::File(path("app.pem")), KeySource::Command("printf 'one\\ntwo\\n'".into())] {
            assert_eq!(private_key("hub", &source).unwrap().expose(), "one\ntwo\n", "{source:?}");
        }
        for (source, what) in [
            (KeySource::File(path("none.pem")), "none.pem cannot be read"),
            (KeySource::File(path("")), "is no file"),
            (KeySource::Env("TRACKFS_NO_SUCH".into()), "TRACKFS_NO_SUCH is not set"),
            (KeySource::Command("echo hush-hush; exit 3".into()), "failed"),
        ] {
            let error = private_key("hub", &source).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("`remotes.hub.token.app.key`"), "{error}");
            assert!(!error.contains("exit 3") && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn a_key_in_a_workspace_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join(".trackfs")).unwrap();
        std::fs::create_dir(folder.path().join("keys")).unwrap();
        std::fs::write(folder.path().join(".trackfs/config.yaml"), "").unwrap();
        let key = folder.path().join("keys/app.pem");
        std::fs::write(&key, "one").unwrap();
        let error = private_key("hub", &KeySource::File(key.display().to_string())).unwrap_err().to_string();
        assert!(error.contains("lies in a workspace") && error.contains("make a new key"), "{error}");
    }

    #[test]
    fn a_failing_command_is_reported_without_its_output() {
        let error = run("sh", &["-c", "echo hush-hush; exit 3"], clean).unwrap_err();
        assert!(error.contains('3') && !error.contains("hush"), "{error}");
        let error = run("sh", &["-c", "echo not a token"], clean).unwrap_err();
        assert!(error.contains("no token") && !error.contains("not a token"), "{error}");
        let error = run("trackfs-has-no-such-program", &[], clean).unwrap_err();
        assert!(error.contains("could not be started"), "{error}");
    }

    #[test]
    fn a_command_gets_no_standard_input() {
        assert!(run("sh", &["-c", "cat"], clean).is_err(), "an empty stdin gives an empty line at once");
    }

    #[test]
    fn a_silent_command_is_given_up() {
        let mut child =
            Command::new("sleep").arg("30").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("sleep exists");
        assert_eq!(read_output(&mut child, Duration::from_millis(50)), None);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
