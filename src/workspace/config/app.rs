//! The GitHub App that a remote is entered as.

use serde::{Deserialize, Serialize};

/// A GitHub App. Its private key is never here, only where it is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppConfig {
    /// Its id (a number) or its client id: GitHub takes either.
    pub id: String,
    pub key: KeySource,
    /// Its installation, where the repository is not to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation: Option<u64>,
}

/// Where a private key is found. Never the key itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeySource {
    /// A file outside the workspace.
    File(String),
    /// An environment variable.
    Env(String),
    /// A command that prints the key.
    Command(String),
}

impl AppConfig {
    pub(super) fn check(&self, remote: &str) -> Result<(), String> {
        let key = format!("remotes.{remote}.token.app");
        if self.id.trim().is_empty() {
            return Err(format!(
                "`{key}.id` is empty; it is the app's id or client id, as its page on GitHub shows it"
            ));
        }
        match &self.key {
            KeySource::File(path) if !path.starts_with('/') && !path.starts_with("~/") => {
                Err(format!("`{key}.key.file` must begin with / or ~/: a key lies outside the workspace"))
            }
            _ => Ok(()),
        }
    }
}
