//! What a ticket's `sync:` says about one remote.

use super::{Value, text::scalar_text};

/// A word for `sync:` that is no key: an object is to be made.
pub const NEW: &str = "new";
/// A word for `sync:` that is no key: nothing of this ticket goes there.
pub const NONE: &str = "none";

/// How a ticket stands to a remote that its `sync:` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tie {
    /// It is this object there.
    Key(String),
    /// It is to become an object there, wherever the file lies.
    New,
    /// It is kept from there.
    Never,
}

impl Tie {
    /// What `sync: {remote: …}` says; a number is a key too.
    pub fn of(sync: Option<&Value>, remote: &str) -> Option<Self> {
        let word = scalar_text(sync?.get(remote)?)?;
        match word.trim() {
            "" => None,
            NEW => Some(Self::New),
            NONE => Some(Self::Never),
            key => Some(Self::Key(key.to_owned())),
        }
    }

    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::New | Self::Never => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tie_is_a_key_or_one_of_two_words() {
        let sync = json!({"linear": "ENG-42", "github": 145, "a": "new", "b": "none", "c": null, "d": " "});
        let tie = |remote| Tie::of(Some(&sync), remote);
        assert_eq!(tie("linear"), Some(Tie::Key("ENG-42".into())));
        assert_eq!(tie("github").as_ref().and_then(Tie::key), Some("145"));
        assert_eq!((tie("a"), tie("b")), (Some(Tie::New), Some(Tie::Never)));
        assert_eq!((tie("c"), tie("d"), tie("e"), Tie::of(None, "linear")), (None, None, None, None));
    }
}
