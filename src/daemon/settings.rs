//! The configuration in force: what its file says or, while that is broken, what it last said.

use crate::{
    domain::path::WsPath,
    workspace::{config::Config, root::Root, settle::CONFIG_PATH, store::Store},
};
use anyhow::{Context, anyhow};
use std::io;

/// The note in the store that keeps the text of the last valid configuration.
const NOTE: &str = "config";

/// The configuration to start with. Fails only when the file is broken and nothing is known of an earlier one.
pub(super) fn first(root: &Root, store: &Store) -> anyhow::Result<Config> {
    let broken = match parse(root) {
        Ok((config, text)) => {
            store.set_meta(NOTE, &text)?;
            return Ok(config);
        }
        Err(error) => error,
    };
    let last = store.meta(NOTE)?.and_then(|text| Config::parse(&text).ok());
    last.inspect(|_| tracing::warn!("{broken:#}; what it said before stays in force")).ok_or(broken)
}

/// What the file says now, kept for the next start; `None` while it is broken: settling has made a problem of it.
pub(super) fn read(root: &Root, store: &Store) -> anyhow::Result<Option<Config>> {
    let Ok((config, text)) = parse(root) else { return Ok(None) };
    store.set_meta(NOTE, &text)?;
    Ok(Some(config))
}

/// What the file says now, for who only reads it.
pub fn configured(root: &Root) -> anyhow::Result<Config> {
    Ok(parse(root)?.0)
}

/// A workspace without the file has the defaults.
fn parse(root: &Root) -> anyhow::Result<(Config, String)> {
    let path = WsPath::new(CONFIG_PATH).expect("a legal path");
    let text = match root.read(&path) {
        Ok(bytes) => String::from_utf8(bytes).with_context(|| format!("{path} is not UTF-8"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
    };
    let config = Config::parse(&text).map_err(|reason| anyhow!("{path}: {reason}"))?;
    Ok((config, text))
}
