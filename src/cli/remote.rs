//! `remote`: the trackers of a workspace, as `.trackfs/config.yaml` names them.
//!
//! The file is the user's: an edit touches the lines of one remote, and no token ever gets into it.

mod edit;
mod secret;
mod wizard;

use super::{
    ask::locate,
    failure::{advise, because},
    output::Output,
};
use crate::{
    daemon::Location,
    domain::path::{BadPath, WsPath},
    remote::{self, connect, places},
    workspace::{
        config::{AppConfig, Config, KeySource, RemoteConfig, RemoteKind, TokenSource},
        root::{ReplaceError, Root},
    },
};
use clap::{Args, CommandFactory, Subcommand, ValueEnum, error::ErrorKind};
use serde_json::json;
use std::io::{self, BufRead, IsTerminal};

#[derive(Debug, Subcommand)]
pub enum RemoteCommand {
    /// Keep a tracker in step with a folder of tickets
    Add(Box<AddArgs>),
    /// Show the remotes and where their tokens come from
    List,
    /// Put a remote's new token into the system's keyring, without showing it
    Token {
        /// The remote
        name: String,
    },
    /// Forget a remote; tickets and issues stay on both sides
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs remote add                         asks for everything
  trackfs remote add github --type github --repo acme/app
  trackfs remote add linear --type linear --team ENG --folder tickets/eng --documents specs/eng
  trackfs remote add work --type github --repo acme/app --token-command 'pass show github'
  trackfs remote add work --type github --repo acme/app --token-keyring
  trackfs remote add bot --type github --repo acme/app --app 12345 --app-key ~/keys/app.pem

Without --token-env, --token-command and --token-keyring the token is taken from GITHUB_TOKEN (or `gh auth token`) or LINEAR_API_KEY.
A token itself is never an argument and never in a file of the workspace.")]
pub struct AddArgs {
    /// What tickets and messages call it
    name: Option<String>,
    /// What it is
    #[arg(long = "type", value_enum)]
    kind: Option<Kind>,
    /// GitHub: OWNER/REPO
    #[arg(long)]
    repo: Option<String>,
    /// Linear: the team's key, e.g. ENG
    #[arg(long)]
    team: Option<String>,
    /// API address, when it is not the public one; simulator: the folder of its state
    #[arg(long)]
    url: Option<String>,
    /// Folder of its tickets [default: tickets/NAME]
    #[arg(long)]
    folder: Option<String>,
    /// Linear: folder below specs for its documents and project descriptions [default: they stay there]
    #[arg(long, value_name = "FOLDER")]
    documents: Option<String>,
    /// The environment variable that holds the token
    #[arg(long, value_name = "VARIABLE", conflicts_with = "token_command")]
    token_env: Option<String>,
    /// A command that prints the token
    #[arg(long, value_name = "COMMAND")]
    token_command: Option<String>,
    /// The system's keyring holds the token, by this account [default: NAME]; where it does not, it is asked for and not shown
    #[arg(long, value_name = "ACCOUNT", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["token_env", "token_command"])]
    token_keyring: Option<String>,
    /// GitHub: the id or client id of the app to enter as, instead of a token
    #[arg(long, value_name = "ID", requires = "app_key", conflicts_with_all = ["token_env", "token_command", "token_keyring"])]
    app: Option<String>,
    /// The file of the app's private key, outside the workspace
    #[arg(long, value_name = "FILE", requires = "app")]
    app_key: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Github,
    Linear,
    Simulator,
}

impl AddArgs {
    /// Ends the program, as for any wrong command line, where something is missing and nobody is there to be asked. Whoever says
    /// how to enter has a script in mind.
    fn say_all_or_be_asked(&self) {
        let says_how = [&self.token_env, &self.token_command, &self.token_keyring, &self.app, &self.folder]
            .iter()
            .any(|said| said.is_some());
        let is_simulator = matches!(self.kind, Some(Kind::Simulator));
        let is_attended = io::stdin().is_terminal() && io::stderr().is_terminal();
        if self.says_all() || (is_attended && !says_how && !is_simulator) {
            return;
        }
        let missing = match (&self.name, self.kind) {
            (None, _) => "NAME",
            (_, None) => "--type",
            (_, Some(Kind::Github)) => "--repo",
            (_, Some(Kind::Linear)) => "--team",
            (_, Some(Kind::Simulator)) => "--url",
        };
        let message = format!("{missing} is missing (in a terminal, `trackfs remote add` asks for everything)");
        let mut command = super::Cli::command();
        command.build();
        let add = command.find_subcommand_mut("remote").and_then(|remote| remote.find_subcommand_mut("add"));
        add.expect("this is that command").error(ErrorKind::MissingRequiredArgument, message).exit()
    }

    /// Whether nothing has to be asked.
    fn says_all(&self) -> bool {
        let place = match self.kind {
            Some(Kind::Github) => &self.repo,
            Some(Kind::Linear) => &self.team,
            Some(Kind::Simulator) => &self.url,
            None => return false,
        };
        self.name.is_some() && place.is_some()
    }
}

impl From<Kind> for RemoteKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Github => Self::Github,
            Kind::Linear => Self::Linear,
            Kind::Simulator => Self::Simulator,
        }
    }
}

#[derive(Debug, Args)]
pub struct RemoveArgs {
    name: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub fn run(command: RemoteCommand, out: &mut Output) -> anyhow::Result<()> {
    if let RemoteCommand::Add(args) = &command {
        args.say_all_or_be_asked();
    }
    let at = locate(None)?;
    match command {
        RemoteCommand::Add(args) => add(&at, *args, out),
        RemoteCommand::List => list(&at, out),
        RemoteCommand::Token { name } => new_token(&at, &name, out),
        RemoteCommand::Remove(args) => remove(&at, &args, out),
    }
}

fn add(at: &Location, args: AddArgs, out: &mut Output) -> anyhow::Result<()> {
    let (name, remote) = if args.says_all() { remote_of(args)? } else { asked(args)? };
    fill_keyring(&name, &remote)?;
    insert(at, &name, &remote)?;
    let account = connect(&name, &remote).and_then(|provider| provider.account()).map_err(|error| error.to_string());
    let mut report = described(&name, &remote);
    report["account"] = json!(account.as_ref().ok());
    report["note"] = json!(account.as_ref().err());
    out.value(&report, |_, out| {
        out.line(format!("added {name} ({}), tickets in {}", target(&remote), remote.folder))?;
        match account {
            Ok(account) => out.line(format!("It answers, as {account}"))?,
            Err(reason) => out.line(format!("Note: not in use yet: {reason}"))?,
        }
        out.line(format!("Next: `trackfs sync --dry-run {name}` shows what would be pulled and pushed"))
    })?;
    Ok(())
}

/// Asks for a token that the keyring is to hold and does not, if somebody is there to be asked.
fn fill_keyring(name: &str, remote: &RemoteConfig) -> anyhow::Result<()> {
    match &remote.token {
        TokenSource::Keyring(account) if io::stdin().is_terminal() && connect(name, remote).is_err() => keep(account),
        _ => Ok(()),
    }
}

fn keep(account: &str) -> anyhow::Result<()> {
    if io::stdin().is_terminal() {
        eprintln!("The keyring asks for the token of {account} as for a password, and does not show it.");
    }
    let kept = remote::keep(account).map_err(|error| {
        advise(
            format!("secret-tool, which keeps tokens in the keyring, cannot be started: {error}"),
            "install it (Debian and Ubuntu: libsecret-tools), or keep the token elsewhere: `trackfs remote add --help`",
        )
    })?;
    if kept {
        return Ok(());
    }
    Err(advise(
        "the keyring did not take the token",
        "it needs a session in which it is unlocked (`secret-tool` says more, above)",
    ))
}

/// Replaces the token that the keyring holds. A daemon takes it when the old one is refused.
fn new_token(at: &Location, name: &str, out: &mut Output) -> anyhow::Result<()> {
    let (_, config) = read_config(&Root::open(&at.dir)?)?;
    let Some(remote) = config.remotes.get(name) else {
        return Err(unknown(name));
    };
    let TokenSource::Keyring(account) = &remote.token else {
        let next =
            format!("change it there; or say `token: {{keyring: {name}}}` of the remote in {CONFIG}, then this again");
        return Err(advise(format!("the token of {name} comes from {}", token(remote)), next));
    };
    keep(account)?;
    let who = connect(name, remote)?.account()?;
    out.value(&json!({ "name": name, "account": who }), |_, out| out.line(format!("{name} answers, as {who}")))?;
    Ok(())
}

/// What the command line leaves out.
fn asked(args: AddArgs) -> anyhow::Result<(String, RemoteConfig)> {
    let kind = args.kind.map(RemoteKind::from);
    let mut dialog = wizard::Dialog { input: &mut io::stdin().lock(), output: &mut io::stderr().lock() };
    let places =
        |name: &str, remote: &RemoteConfig| places(name, &RemoteConfig { url: args.url.clone(), ..remote.clone() });
    wizard::ask(&mut dialog, args.name, kind, &wizard::Means { places: &places, keep: &keep }).and_then(
        |(name, remote)| {
            must_be_legal(&name)?;
            Ok((name, RemoteConfig { url: args.url, ..remote }))
        },
    )
}

/// Writes a new remote into the configuration.
pub fn insert(at: &Location, name: &str, remote: &RemoteConfig) -> anyhow::Result<()> {
    change_config(at, |config, text| {
        let mut expected = config.clone();
        match expected.remotes.insert(name.to_owned(), remote.clone()) {
            None => Ok((edit::add(text, name, remote), expected)),
            Some(_) => Err(advise(
                format!("there is a remote {name} already"),
                format!("edit it in .trackfs/config.yaml, or `trackfs remote remove {name}` first"),
            )),
        }
    })
}

/// The remote that the arguments describe.
fn remote_of(args: AddArgs) -> anyhow::Result<(String, RemoteConfig)> {
    let (name, kind) = (args.name.unwrap_or_default(), args.kind.unwrap_or(Kind::Github));
    let AddArgs { repo, team, url, folder, documents, token_env, token_command, token_keyring, app, app_key, .. } =
        args;
    let given = [
        Some(&name),
        repo.as_ref(),
        team.as_ref(),
        url.as_ref(),
        folder.as_ref(),
        documents.as_ref(),
        token_env.as_ref(),
        token_command.as_ref(),
        token_keyring.as_ref(),
        app.as_ref(),
        app_key.as_ref(),
    ];
    if given.into_iter().flatten().any(|text| secret::is_in(text)) {
        return Err(advise(
            "an argument holds what looks like a token; nothing was written",
            "put the token in GITHUB_TOKEN or LINEAR_API_KEY, or say where it is with --token-env or --token-command; \
             and as it may now be in your shell's history, make a new one",
        ));
    }
    must_be_legal(&name)?;
    if let Some(repo) = repo.as_deref().filter(|repo| matches!(kind, Kind::Github) && !wizard::is_repository(repo)) {
        return Err(advise(format!("{repo:?} is no repository; nothing was written"), "say --repo OWNER/REPO"));
    }
    let folder = folder_at(&folder.unwrap_or_else(|| format!("tickets/{name}")))?;
    let documents = documents.as_deref().map(folder_at).transpose()?;
    let url = match kind {
        // A folder, wherever the daemon stands later.
        Kind::Simulator => {
            url.map(|folder| std::path::absolute(folder).map(|folder| folder.display().to_string())).transpose()?
        }
        Kind::Github | Kind::Linear => url,
    };
    let token = match (token_env, token_command, token_keyring, app.zip(app_key)) {
        (Some(variable), ..) => TokenSource::Env(variable),
        (_, Some(command), ..) => TokenSource::Command(command),
        (_, _, Some(account), _) if account.is_empty() => TokenSource::Keyring(name.clone()),
        (_, _, Some(account), _) => TokenSource::Keyring(account),
        (.., Some((id, file))) => TokenSource::App(entered_as(id, &file)?),
        (None, None, None, None) => TokenSource::Default,
    };
    Ok((name, RemoteConfig { repo, team, url, token, documents, ..RemoteConfig::new(kind.into(), folder) }))
}

/// A folder as people write it, with or without a slash at its end.
fn folder_at(text: &str) -> Result<WsPath, BadPath> {
    WsPath::new(text.trim_end_matches('/'))
}

/// Whether a remote can be called so.
fn must_be_legal(name: &str) -> anyhow::Result<()> {
    let legal = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    if name.is_empty() || name.starts_with('-') || !legal(name) {
        return Err(advise(format!("{name:?} is no name for a remote"), "use lower-case letters, digits and dashes"));
    }
    Ok(())
}

/// The key's path is made absolute, wherever the daemon stands later.
fn entered_as(id: String, file: &str) -> io::Result<AppConfig> {
    let file = if file.starts_with("~/") { file.to_owned() } else { std::path::absolute(file)?.display().to_string() };
    Ok(AppConfig { id, key: KeySource::File(file), installation: None })
}

fn list(at: &Location, out: &mut Output) -> anyhow::Result<()> {
    let (_, config) = read_config(&Root::open(&at.dir)?)?;
    if config.remotes.is_empty() && !out.is_json() {
        out.line("no remotes; `trackfs remote add --help` shows how to set one up")?;
    }
    for (name, remote) in &config.remotes {
        out.value(&described(name, remote), |_, out| {
            out.line(format!("{name}: {}, tickets in {}, token from {}", target(remote), remote.folder, token(remote)))
        })?;
    }
    Ok(())
}

fn remove(at: &Location, args: &RemoveArgs, out: &mut Output) -> anyhow::Result<()> {
    let name = &args.name;
    if !args.yes && !confirmed(name)? {
        return Err(advise(format!("{name} was not removed"), "answer `y`, or give --yes"));
    }
    change_config(at, |config, text| {
        let mut expected = config.clone();
        if expected.remotes.remove(name).is_none() {
            return Err(unknown(name));
        }
        Ok((edit::remove(text, name), expected))
    })?;
    out.value(&json!({ "removed": name }), |_, out| out.line(format!("removed {name}; its tickets and issues stay")))?;
    Ok(())
}

fn unknown(name: &str) -> anyhow::Error {
    advise(format!("there is no remote {name}"), "`trackfs remote list` shows those there are")
}

fn confirmed(name: &str) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("Stop keeping {name} in step? Tickets and issues stay on both sides. [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

const CONFIG: &str = ".trackfs/config.yaml";

fn config_path() -> WsPath {
    WsPath::new(CONFIG).expect("the name of the file is legal")
}

fn read_config(root: &Root) -> anyhow::Result<(String, Config)> {
    let bytes = root.read(&config_path()).map_err(|error| because(format!("{CONFIG} cannot be read"), error))?;
    let text = String::from_utf8(bytes).map_err(|error| because(format!("{CONFIG} is no text"), error))?;
    match Config::parse(&text) {
        Ok(config) => Ok((text, config)),
        Err(reason) => Err(anyhow::anyhow!(reason).context(format!("{CONFIG} cannot be used"))),
    }
}

/// Replaces the file by what `edit` answers, if that means exactly what `edit` says it should.
fn change_config(
    at: &Location,
    edit: impl FnOnce(&Config, &str) -> anyhow::Result<(Option<String>, Config)>,
) -> anyhow::Result<()> {
    let root = Root::open(&at.dir)?;
    let (text, config) = read_config(&root)?;
    let (edited, expected) = edit(&config, &text)?;
    let edited =
        edited.filter(|edited| Config::parse(edited).is_ok_and(|config| config == expected)).ok_or_else(|| {
            advise(
                format!(
                    "`remotes` in {CONFIG} is written in a form that cannot be edited without touching other lines"
                ),
                "edit it by hand; nothing was changed",
            )
        })?;
    root.replace(&config_path(), Some(text.as_bytes()), edited.as_bytes()).map_err(|error| match error {
        ReplaceError::Io(error) => because(format!("{CONFIG} cannot be written"), error),
        busy => because(format!("{CONFIG} was not changed"), busy),
    })
}

fn described(name: &str, remote: &RemoteConfig) -> serde_json::Value {
    let mut value = json!({ "name": name });
    let fields = serde_json::to_value(remote).expect("a remote's settings are plain data");
    if let (Some(value), serde_json::Value::Object(fields)) = (value.as_object_mut(), fields) {
        value.extend(fields);
    }
    value
}

/// What the remote is, e.g. `github acme/app`.
fn target(remote: &RemoteConfig) -> String {
    let kind = remote.kind.name();
    let place = remote.repo.as_ref().or(remote.team.as_ref()).or(remote.url.as_ref());
    place.map_or_else(|| kind.to_owned(), |place| format!("{kind} {place}"))
}

fn token(remote: &RemoteConfig) -> String {
    match (&remote.token, remote.kind) {
        (TokenSource::Env(variable), _) => format!("${variable}"),
        (TokenSource::Command(command), _) => format!("`{command}`"),
        (TokenSource::Keyring(account), _) => format!("the keyring, as {account}"),
        (TokenSource::App(app), _) => format!("the app {}, whose key is {}", app.id, key(&app.key)),
        (TokenSource::Default, RemoteKind::Github) => "$GITHUB_TOKEN or `gh auth token`".to_owned(),
        (TokenSource::Default, RemoteKind::Linear) => "$LINEAR_API_KEY".to_owned(),
        (TokenSource::Default, RemoteKind::Simulator) => "nowhere: it needs none".to_owned(),
    }
}

fn key(source: &KeySource) -> String {
    match source {
        KeySource::File(path) => format!("in {path}"),
        KeySource::Env(variable) => format!("${variable}"),
        KeySource::Command(command) => format!("printed by `{command}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(url: &str) -> AddArgs {
        AddArgs {
            name: Some("github".into()),
            kind: Some(Kind::Github),
            repo: Some("acme/app".into()),
            team: None,
            url: Some(url.into()),
            folder: Some("tickets/app/".into()),
            documents: None,
            token_env: None,
            token_command: None,
            token_keyring: None,
            app: None,
            app_key: None,
        }
    }

    #[test]
    fn an_app_is_named_by_its_id_and_the_place_of_its_key() {
        let app = |key: &str| AddArgs { app: Some("12345".into()), app_key: Some(key.into()), ..args("https://x") };
        let (_, remote) = remote_of(app("/keys/app.pem")).unwrap();
        assert_eq!(token(&remote), "the app 12345, whose key is in /keys/app.pem");
        let (_, remote) = remote_of(app("app.pem")).unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(token(&remote), format!("the app 12345, whose key is in {}/app.pem", here.display()));
        let (begin, key) = ("-----BEGIN RSA PRIVATE KEY-----", "MIIEowIBAAKCAQEA");
        let error = format!("{:#}", remote_of(app(&format!("{begin}\n{key}"))).unwrap_err());
        assert!(error.contains("nothing was written") && !error.contains(key), "{error}");
    }

    #[test]
    fn a_token_in_any_argument_is_refused_and_not_repeated() {
        let token = format!("ghp_{}", "a".repeat(36));
        let error = remote_of(args(&format!("https://{token}@api.github.com"))).unwrap_err();
        assert!(!format!("{error:#}").contains(&token));
    }

    #[test]
    fn a_folder_is_a_path_of_the_workspace() {
        let (_, remote) = remote_of(args("https://ghe.acme.dev/api/v3")).unwrap();
        assert_eq!(remote.folder.as_str(), "tickets/app");
        assert!(remote_of(AddArgs { folder: Some("../out".into()), ..args("https://x") }).is_err());
        assert!(remote_of(AddArgs { name: Some("../x".into()), ..args("https://x") }).is_err());
    }
}
