//! Paths inside a workspace, validated once: past this edge an illegal name cannot be represented.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A path relative to the workspace root: UTF-8, `/` between names, no empty name, no `.` or `..`, no NUL.
///
/// The root itself is the empty path.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct WsPath(String);

/// The text is not a path inside a workspace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a path inside a workspace")]
pub struct BadPath(pub String);

impl WsPath {
    pub fn root() -> Self {
        Self(String::new())
    }

    pub fn new(path: impl Into<String>) -> Result<Self, BadPath> {
        let path = path.into();
        let legal = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains('\0');
        if path.is_empty() || path.split('/').all(legal) { Ok(Self(path)) } else { Err(BadPath(path)) }
    }

    /// The path of the entry `name` in this folder.
    pub fn join(&self, name: &str) -> Result<Self, BadPath> {
        if name.contains('/') || name.is_empty() {
            return Err(BadPath(name.to_owned()));
        }
        Self::new(if self.is_root() { name.to_owned() } else { format!("{}/{name}", self.0) })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The folder that holds this entry; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(Self(self.0.rsplit_once('/').map_or_else(String::new, |(parent, _)| parent.to_owned())))
    }

    /// The last name; empty for the root.
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// The last name without its extension: the name of a ticket.
    pub fn stem(&self) -> &str {
        let name = self.file_name();
        match name.rsplit_once('.') {
            Some((stem, _)) if !stem.is_empty() => stem,
            _ => name,
        }
    }

    /// The extension of the last name, without the dot.
    pub fn extension(&self) -> Option<&str> {
        self.file_name().rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, extension)| extension)
    }

    /// Whether this is `folder` itself or lies below it.
    pub fn is_within(&self, folder: &WsPath) -> bool {
        folder.is_root() || self.0.strip_prefix(&folder.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }
}

impl fmt::Display for WsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

impl<'de> Deserialize<'de> for WsPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_workspace_cannot_be_represented() {
        for bad in ["/etc", "a//b", "a/", "..", "a/../b", ".", "a\0b"] {
            assert!(WsPath::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn parts_of_a_path() {
        let path = WsPath::new("tickets/auth/login.md").unwrap();
        assert_eq!((path.file_name(), path.stem(), path.extension()), ("login.md", "login", Some("md")));
        assert_eq!(path.parent().unwrap().as_str(), "tickets/auth");
        assert!(path.is_within(&WsPath::new("tickets").unwrap()));
        assert!(!path.is_within(&WsPath::new("tick").unwrap()));
        assert_eq!(WsPath::new(".ignore").unwrap().stem(), ".ignore");
    }
}
