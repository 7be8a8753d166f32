//! What a link to a ticket may call it, and which object of one remote that is.
//!
//! A link is the name of a ticket's file, or a key on any remote. A file's name counts first, then a key on this remote, then
//! one on another. What stands for several tickets, or for one that this remote does not have, stands for no object.

use super::{Value, tie::Tie};
use std::collections::HashMap;

/// The names of tickets, as one remote sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// By the name of a file.
    files: HashMap<String, Meaning>,
    /// By a key elsewhere.
    elsewhere: HashMap<String, Meaning>,
    /// The name of the file that has this key here; nothing where none has.
    keys: HashMap<String, Option<String>>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Meaning {
    /// The object of this key.
    Object(String),
    /// A ticket that is not here.
    Absent,
    /// More than one ticket.
    Several,
}

impl Names {
    /// Adds a ticket. `sync` is what it says of remotes, `remote` the one whose names these are.
    pub fn add(&mut self, name: &str, sync: Option<&Value>, remote: &str) {
        let key_on = |remote: &str| Tie::of(sync, remote).and_then(|tie| tie.key().map(str::to_owned));
        let here = key_on(remote);
        insert(&mut self.files, name.to_owned(), here.as_ref());
        for other in sync.and_then(Value::as_object).into_iter().flat_map(|sync| sync.keys()) {
            if let Some(key) = key_on(other).filter(|_| other != remote) {
                insert(&mut self.elsewhere, key, here.as_ref());
            }
        }
        if let Some(key) = here {
            self.keys.insert(key, Some(name.to_owned()));
        }
    }

    /// Adds an object that no ticket may be linked to, or that is not followed here at all.
    pub fn add_key(&mut self, key: &str) {
        if !self.keys.contains_key(key) {
            self.keys.insert(key.to_owned(), None);
        }
    }

    /// Says that the ticket of this name has become an object.
    pub fn link(&mut self, name: &str, key: &str) {
        if let Some(meaning @ Meaning::Absent) = self.files.get_mut(name) {
            *meaning = Meaning::Object(key.to_owned());
        }
        self.keys.insert(key.to_owned(), Some(name.to_owned()));
    }

    /// The key here of what a link means.
    pub fn key_of(&self, link: &str) -> Option<&str> {
        let known = || self.keys.get_key_value(link).map(|(key, _)| key.as_str());
        match self.files.get(link) {
            Some(meaning) => meaning.key(),
            None => known().or_else(|| self.elsewhere.get(link)?.key()),
        }
    }

    /// Whether a link may mean an object although it stands for none: it stands for no ticket, or for several.
    pub fn is_doubtful(&self, link: &str) -> bool {
        let known = self.files.get(link).or_else(|| self.elsewhere.get(link));
        self.key_of(link).is_none() && known.is_none_or(|meaning| *meaning == Meaning::Several)
    }

    /// What a link to an object is to say: the name of its file where that means this object, else its key.
    pub fn name_of<'n>(&'n self, key: &'n str) -> &'n str {
        let name = self.keys.get(key).and_then(Option::as_deref);
        name.filter(|name| self.key_of(name) == Some(key)).unwrap_or(key)
    }
}

impl Meaning {
    fn key(&self) -> Option<&str> {
        match self {
            Self::Object(key) => Some(key),
            Self::Absent | Self::Several => None,
        }
    }
}

fn insert(meanings: &mut HashMap<String, Meaning>, name: String, key: Option<&String>) {
    let meaning = key.map_or(Meaning::Absent, |key| Meaning::Object(key.clone()));
    meanings.entry(name).and_modify(|known| *known = Meaning::Several).or_insert(meaning);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names() -> Names {
        let mut names = Names::default();
        names.add("auth-epic", Some(&json!({"linear": "ENG-7", "github": 145})), "linear");
        names.add("ENG-8", Some(&json!({"linear": "ENG-8"})), "linear");
        names.add("only-there", Some(&json!({"github": 9})), "linear");
        names.add("twin", Some(&json!({"linear": "ENG-1"})), "linear");
        names.add("twin", Some(&json!({"linear": "ENG-2"})), "linear");
        names.add("new", Some(&json!({"linear": "new"})), "linear");
        names.add_key("ENG-9");
        names
    }

    #[test]
    fn a_link_is_a_file_name_or_a_key_anywhere() {
        let names = names();
        for (link, key) in [
            ("auth-epic", Some("ENG-7")),
            ("ENG-7", Some("ENG-7")),
            ("145", Some("ENG-7")),
            ("ENG-8", Some("ENG-8")),
            ("ENG-9", Some("ENG-9")),
            ("only-there", None),
            ("9", None),
            ("twin", None),
            ("ENG-2", Some("ENG-2")),
            ("new", None),
            ("nobody", None),
        ] {
            assert_eq!(names.key_of(link), key, "{link}");
        }
        let doubtful =
            ["twin", "nobody", "new", "only-there", "9", "ENG-7", "auth-epic"].map(|it| names.is_doubtful(it));
        assert_eq!(doubtful, [true, true, false, false, false, false, false]);
    }

    #[test]
    fn an_object_is_called_by_its_file_where_that_is_clear() {
        let mut names = names();
        let called = ["ENG-7", "ENG-8", "ENG-9", "ENG-1", "OPS-1"].map(|key| names.name_of(key).to_owned());
        assert_eq!(called, ["auth-epic", "ENG-8", "ENG-9", "ENG-1", "OPS-1"]);
        names.link("new", "ENG-10");
        assert_eq!((names.key_of("new"), names.name_of("ENG-10")), (Some("ENG-10"), "new"));
        names.link("twin", "ENG-11");
        assert_eq!((names.key_of("twin"), names.name_of("ENG-11")), (None, "ENG-11"));
    }
}
