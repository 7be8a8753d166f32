//! The remotes: is there a token, is it taken, and what may it do.

use super::Finding;
use crate::{
    daemon::Location,
    domain::path::WsPath,
    remote::{self, RemoteError},
    workspace::{
        config::{Config, RemoteConfig, TokenSource},
        root::Root,
    },
};

pub(super) fn check(at: &Location, offline: bool) -> Vec<Finding> {
    let path = WsPath::new(".trackfs/config.yaml").expect("a constant that is a legal path");
    let bytes = Root::open(&at.dir).and_then(|root| root.read(&path)).unwrap_or_default();
    // A file that cannot be read has a finding of its own.
    let config = Config::parse(&String::from_utf8_lossy(&bytes)).unwrap_or_default();
    config.remotes.iter().map(|(name, remote)| one(name, remote, offline)).collect()
}

fn one(name: &str, config: &RemoteConfig, offline: bool) -> Finding {
    let check = format!("remote {name}");
    let provider = match remote::connect(name, config) {
        Ok(provider) => provider,
        Err(error) => return failed(&check, config, &error),
    };
    if offline {
        let there = if matches!(config.token, TokenSource::App(_)) { "the app's key" } else { "a token" };
        return Finding::ok(&check, format!("{}, {there} is there; not asked", config.kind.name()));
    }
    match provider.account().and_then(|account| Ok((account, provider.capabilities()?))) {
        Ok((account, _)) => {
            let budget =
                provider.budget().map(|budget| format!(", {} of {} requests left", budget.remaining, budget.limit));
            Finding::ok(&check, format!("{} as {account}{}", config.kind.name(), budget.unwrap_or_default()))
        }
        Err(error) => failed(&check, config, &error),
    }
}

fn failed(check: &str, config: &RemoteConfig, error: &RemoteError) -> Finding {
    match error {
        RemoteError::Unauthorized { .. } if matches!(config.token, TokenSource::App(_)) => Finding::error(
            check,
            error.to_string(),
            "give it an app with read and write access to issues that is installed for the repository",
        ),
        RemoteError::Unauthorized { .. } => {
            Finding::error(check, error.to_string(), "give it a token with read and write access to issues")
        }
        RemoteError::NotFound { .. } | RemoteError::Invalid { .. } => {
            Finding::error(check, error.to_string(), "mend the remote's entry in .trackfs/config.yaml")
        }
        RemoteError::RateLimited { .. } => Finding::warning(check, error.to_string(), "wait; sync does so by itself"),
        RemoteError::Offline { .. } | RemoteError::Ambiguous { .. } | RemoteError::Server { .. } => {
            Finding::warning(check, error.to_string(), "nothing is lost: what is pending is sent when it answers again")
        }
    }
}
