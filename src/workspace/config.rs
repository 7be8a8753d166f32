//! `.trackfs/config.yaml`: how this workspace behaves. Tracked, commented, and free of secrets.

mod app;

pub use app::{AppConfig, KeySource};

use crate::domain::{nearest::nearest, path::WsPath};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// The commented default, written by `init`.
pub const DEFAULT_CONFIG: &str = include_str!("config/default.yaml");

/// A configuration beyond this is not read.
const MAX_BYTES: usize = 1 << 20;

/// The whole file. Every key has a default; unknown keys are an error that names the nearest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whose `mine` and `me` are.
    pub me: Me,
    /// Whether invalid saves are answered with EINVAL.
    pub validation: Validation,
    pub settle: SettleConfig,
    pub commit: CommitConfig,
    pub sync: SyncConfig,
    pub mount: MountConfig,
    pub remotes: BTreeMap<String, RemoteConfig>,
}

/// The user, as tickets have them for their assignee.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Me {
    /// Whoever git says.
    #[default]
    Git,
    Name(String),
    /// The first is what trackfs writes.
    Names(Vec<String>),
}

impl Me {
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Git => Vec::new(),
            Self::Name(name) => vec![name.clone()],
            Self::Names(names) => names.clone(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Validation {
    #[default]
    On,
    Off,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SettleConfig {
    /// Quiet time after a save before it is looked at, in milliseconds.
    pub quiet_ms: u64,
    /// Quiet time before a missing file counts as removed, in milliseconds.
    pub removal_ms: u64,
    /// Quiet time after which a file that a writer still holds open is looked at all the same, in milliseconds.
    pub open_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommitConfig {
    /// Seconds of quiet before a commit.
    pub idle: f64,
    /// Seconds after the first change at which a commit is made in any case.
    pub max: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyncConfig {
    /// Seconds between pulls.
    pub interval: f64,
    /// Removals in one cycle that are held for `trackfs sync --yes` beyond this many.
    pub max_removals: usize,
    /// Remote writes in one cycle that are held beyond this many.
    pub max_changes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MountConfig {
    /// FUSE threads.
    pub threads: usize,
    /// Whether the kernel opens and closes files without a word to the daemon.
    pub fast_reads: bool,
}

/// One remote. The token is never here, only where it is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteConfig {
    #[serde(rename = "type")]
    pub kind: RemoteKind,
    /// GitHub: `owner/repo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// Linear: the team's key, `ENG`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// API base, when it is not the public one. Simulator: the folder that holds its state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Folder for pulled issues, and whose new tickets are pushed.
    pub folder: WsPath,
    /// Where the token comes from.
    #[serde(default)]
    pub token: TokenSource,
    /// Where the secret comes from that webhooks are signed with.
    #[serde(default, skip_serializing_if = "TokenSource::is_default")]
    pub webhook_secret: TokenSource,
    /// Whether new local tickets in `folder` are created on the remote.
    #[serde(default = "yes")]
    pub create: bool,
    /// Whether a ticket's label that the remote does not have is made there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub create_labels: bool,
    /// GitHub: whether pull requests are shown as files, to read only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pulls: bool,
    /// GitHub: whether what happened to issues, and how people reacted, is shown as files, to read only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub timeline: bool,
    /// Linear: folder below `specs` for its documents and the descriptions of its projects; `None`: they stay there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<WsPath>,
    /// Local status to remote state, where names and types do not say it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statuses: BTreeMap<String, String>,
    /// Fields that the remote has as labels, and how those begin: `severity: severity/` makes `severity/high` of `severity: high`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub as_labels: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemoteKind {
    Github,
    Linear,
    /// The built-in stand-in, for the demo and for tests.
    Simulator,
}

impl RemoteKind {
    /// As it is written in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Linear => "linear",
            Self::Simulator => "simulator",
        }
    }
}

/// Where a token is found. Never the token itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenSource {
    /// `GITHUB_TOKEN` (then `gh auth token`), `LINEAR_API_KEY`; `GITHUB_WEBHOOK_SECRET`, `LINEAR_WEBHOOK_SECRET`.
    #[default]
    Default,
    /// An environment variable.
    Env(String),
    /// A command whose first output line is the token.
    Command(String),
    /// The system's keyring, which knows it by this account of the service `trackfs`.
    Keyring(String),
    /// Tokens that GitHub gives to an app, one after the other.
    App(AppConfig),
}

impl TokenSource {
    fn is_default(&self) -> bool {
        *self == Self::Default
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            me: Me::Git,
            validation: Validation::On,
            settle: SettleConfig::default(),
            commit: CommitConfig::default(),
            sync: SyncConfig::default(),
            mount: MountConfig::default(),
            remotes: BTreeMap::new(),
        }
    }
}

impl Default for SettleConfig {
    fn default() -> Self {
        Self { quiet_ms: 100, removal_ms: 1500, open_ms: 5000 }
    }
}

impl Default for CommitConfig {
    fn default() -> Self {
        Self { idle: 10.0, max: 300.0 }
    }
}

impl Config {
    /// Reads the file's text; an error names line, column and the nearest known key.
    pub fn parse(yaml: &str) -> Result<Self, String> {
        if yaml.len() > MAX_BYTES {
            return Err(format!("the file is larger than {MAX_BYTES} bytes"));
        }
        let options = serde_saphyr::options! {
            duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
            with_snippet: false,
        };
        // A file of comments alone is YAML's null, and means every default.
        let config: Option<Self> =
            serde_saphyr::from_str_with_options(yaml, options).map_err(|error| explain(&error))?;
        let config = config.unwrap_or_default();
        config.check()?;
        Ok(config)
    }

    /// What the types alone do not rule out.
    fn check(&self) -> Result<(), String> {
        seconds("commit.idle", self.commit.idle)?;
        seconds("commit.max", self.commit.max)?;
        seconds("sync.interval", self.sync.interval)?;
        if self.commit.max < self.commit.idle {
            return Err("`commit.max` is shorter than `commit.idle`".to_owned());
        }
        if self.mount.threads == 0 {
            return Err("`mount.threads` must be at least 1".to_owned());
        }
        self.remotes.iter().try_for_each(|(name, remote)| remote.check(name))?;
        self.check_documents()
    }

    /// A spec is a document of one remote at most.
    fn check_documents(&self) -> Result<(), String> {
        let mut seen: Vec<(&str, &WsPath)> = Vec::new();
        for (name, remote) in &self.remotes {
            let Some(folder) = &remote.documents else { continue };
            if let Some((other, _)) = seen.iter().find(|(_, known)| folder.is_within(known) || known.is_within(folder))
            {
                return Err(format!(
                    "`remotes.{name}.documents`: documents of `{other}` are in {folder}, too; give each a folder of its own"
                ));
            }
            seen.push((name, folder));
        }
        Ok(())
    }
}

/// Longest duration that is taken, in seconds: a year.
const MAX_SECONDS: f64 = 365.0 * 24.0 * 3600.0;

fn seconds(key: &str, value: f64) -> Result<(), String> {
    // A NaN is in no range.
    if (0.0..=MAX_SECONDS).contains(&value) {
        return Ok(());
    }
    Err(format!("`{key}` must be a number of seconds from 0 to {MAX_SECONDS}, not {value}"))
}

impl RemoteConfig {
    /// A remote of which nothing else is said.
    pub fn new(kind: RemoteKind, folder: WsPath) -> Self {
        Self {
            kind,
            repo: None,
            team: None,
            url: None,
            folder,
            token: TokenSource::Default,
            webhook_secret: TokenSource::Default,
            create: true,
            create_labels: false,
            pulls: false,
            timeline: false,
            documents: None,
            statuses: BTreeMap::new(),
            as_labels: BTreeMap::new(),
        }
    }

    fn check(&self, name: &str) -> Result<(), String> {
        let missing = |key: &str| Err(format!("`remotes.{name}` needs `{key}`"));
        match &self.token {
            TokenSource::App(app) if self.kind == RemoteKind::Github => app.check(name)?,
            TokenSource::App(_) => return Err(format!("`remotes.{name}.token.app`: only GitHub has apps")),
            _ => {}
        }
        if matches!(self.webhook_secret, TokenSource::App(_)) {
            return Err(format!("`remotes.{name}.webhook_secret` is found by `env`, `command` or `keyring`"));
        }
        for (field, prefix) in &self.as_labels {
            let is_shared = |other: (&String, &String)| other.0 != field && other.1.starts_with(prefix);
            if prefix.trim().is_empty() || self.as_labels.iter().any(is_shared) {
                return Err(format!(
                    "`remotes.{name}.as_labels.{field}` says how the labels of this field begin, and of no other: {field}/"
                ));
            }
        }
        if let Some(folder) = &self.documents
            && folder.names().next() != Some("specs")
        {
            return Err(format!("`remotes.{name}.documents` must be a folder of `specs`: specs/{name}"));
        }
        match self.kind {
            RemoteKind::Github if self.documents.is_some() => {
                Err(format!("`remotes.{name}.documents`: GitHub has no documents"))
            }
            RemoteKind::Github if self.repo.is_none() => missing("repo: owner/name"),
            RemoteKind::Linear if self.team.is_none() => missing("team: KEY"),
            RemoteKind::Linear if self.pulls => Err(format!("`remotes.{name}.pulls`: Linear has no pull requests")),
            RemoteKind::Linear if self.timeline => {
                Err(format!("`remotes.{name}.timeline`: it is read of GitHub's issues alone"))
            }
            RemoteKind::Simulator if self.url.is_none() => missing("url: folder of its state"),
            _ => Ok(()),
        }
    }
}

fn explain(error: &serde_saphyr::Error) -> String {
    let place = error.location().map(|at| format!("line {}, column {}: ", at.line(), at.column())).unwrap_or_default();
    match error.without_snippet() {
        serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => {
            let hint = nearest(field, expected.iter().copied()).map(|key| format!("; did you mean `{key}`?"));
            format!("{place}unknown key `{field}`{}", hint.unwrap_or_default())
        }
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("{place}`{key}` is set twice; make one of the two")
        }
        other => {
            let message = other.to_string();
            format!("{place}{}", message.lines().next().unwrap_or("it cannot be read"))
        }
    }
}

/// The known key that takes fewest edits to reach, if that is few for its length.
impl CommitConfig {
    pub fn idle(&self) -> Duration {
        Duration::from_secs_f64(self.idle)
    }

    pub fn max(&self) -> Duration {
        Duration::from_secs_f64(self.max)
    }
}

impl Default for SyncConfig {
    fn default() -> Self {
        Self { interval: 30.0, max_removals: 10, max_changes: 100 }
    }
}

impl Default for MountConfig {
    fn default() -> Self {
        Self { threads: 4, fast_reads: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_says_what_the_defaults_are() {
        assert_eq!(Config::parse(DEFAULT_CONFIG).unwrap(), Config::default());
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        for yaml in ["", "# nothing yet\n", "{}\n"] {
            assert_eq!(Config::parse(yaml).unwrap(), Config::default(), "{yaml:?}");
        }
    }

    #[test]
    fn the_example_in_the_default_file_is_valid() {
        let (_, example) = DEFAULT_CONFIG
            .split_once("# For example:")
            .unwrap_or_else(|| DEFAULT_CONFIG.split_once("For example:").unwrap());
        let yaml: String = example
            .lines()
            .filter(|line| line.starts_with('#'))
            .map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or("")))
            .collect();
        let config = Config::parse(&yaml).unwrap();
        assert_eq!(config.remotes["linear"].token, TokenSource::Env("LINEAR_API_KEY".into()));
        assert!(config.remotes["github"].create && !config.remotes["linear"].create);
    }

    #[test]
    fn every_error_says_where_and_what() {
        let cases = [
            ("settle:\n  quite_ms: 5\n", "line 2, column 3: unknown key `quite_ms`; did you mean `quiet_ms`?"),
            ("vaildation: on\n", "line 1, column 1: unknown key `vaildation`; did you mean `validation`?"),
            ("zzz: 1\n", "line 1, column 1: unknown key `zzz`"),
            ("remotes: {}\nremotes: {}\n", "line 2, column 1: `remotes` is set twice; make one of the two"),
            ("commit: {idle: -1}\n", "`commit.idle` must be a number of seconds from 0 to 31536000, not -1"),
            ("commit: {idle: .nan}\n", "`commit.idle` must be a number of seconds from 0 to 31536000, not NaN"),
            ("commit: {max: 1}\n", "`commit.max` is shorter than `commit.idle`"),
            ("mount: {threads: 0}\n", "`mount.threads` must be at least 1"),
            ("remotes: {gh: {type: github, folder: tickets}}\n", "`remotes.gh` needs `repo: owner/name`"),
            (
                "remotes: {gh: {type: github, repo: a/b, folder: t, token: {app: {id: 7, key: {file: app.pem}}}}}\n",
                "`remotes.gh.token.app.key.file` must begin with / or ~/: a key lies outside the workspace",
            ),
            (
                "remotes: {eng: {type: linear, team: ENG, folder: t, token: {app: {id: 7, key: {env: KEY}}}}}\n",
                "`remotes.eng.token.app`: only GitHub has apps",
            ),
            (
                "remotes: {gh: {type: github, repo: a/b, folder: t, webhook_secret: {app: {id: 7, key: {env: KEY}}}}}\n",
                "`remotes.gh.webhook_secret` is found by `env`, `command` or `keyring`",
            ),
            (
                "remotes: {eng: {type: linear, team: ENG, folder: tickets, pulls: true}}\n",
                "`remotes.eng.pulls`: Linear has no pull requests",
            ),
        ];
        for (yaml, expected) in cases {
            assert_eq!(Config::parse(yaml).unwrap_err(), expected, "{yaml:?}");
        }
        for yaml in ["settle: {quiet_ms: -5}\n", "settle: {quiet_ms: 1, quiet_ms: 2}\n", "a: [\n"] {
            assert!(Config::parse(yaml).unwrap_err().starts_with("line 1"), "{yaml:?}");
        }
    }

    #[test]
    fn an_app_is_named_by_a_number_or_a_word_and_its_key_by_where_it_is() {
        let token = |app: &str| {
            let yaml =
                format!("remotes: {{gh: {{type: github, repo: a/b, folder: tickets, token: {{app: {app}}}}}}}\n");
            Config::parse(&yaml).map(|config| config.remotes["gh"].token.clone())
        };
        let app = |id: &str, key, installation| TokenSource::App(AppConfig { id: id.into(), key, installation });
        let by_number = token("{id: 12345, key: {file: ~/app.pem}}").unwrap();
        assert_eq!(by_number, app("12345", KeySource::File("~/app.pem".into()), None));
        let by_word = token("{id: Iv23liXyz, key: {command: pass show app}, installation: 9}").unwrap();
        assert_eq!(by_word, app("Iv23liXyz", KeySource::Command("pass show app".into()), Some(9)));
        assert!(token("{id: '', key: {env: KEY}}").unwrap_err().contains("`remotes.gh.token.app.id` is empty"));
        assert!(
            token("{id: 7, key: {env: KEY}, instalation: 9}").unwrap_err().contains("did you mean `installation`?")
        );
    }

    #[test]
    fn a_remote_folder_cannot_leave_the_workspace() {
        let yaml = "remotes: {gh: {type: github, repo: a/b, folder: ../elsewhere}}\n";
        assert!(Config::parse(yaml).unwrap_err().contains("not a path inside a workspace"));
    }
}
