//! What views and queries need to know of one ticket.

use super::{Shared, Word};
use crate::domain::{
    Timestamp, Value,
    layout::Kind,
    path::WsPath,
    schema::{FieldKind, Schema},
    snapshot::Snapshot,
    text::{is_unprintable, scalar_text},
    tie::Tie,
};
use std::borrow::Cow;

/// Bytes of the longest name that Linux takes.
pub const MAX_NAME: usize = 255;
/// Of the longest ending that stays behind a number.
const MAX_ENDING: usize = 32;

/// One ticket, or a text in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    pub path: WsPath,
    pub title: Box<str>,
    pub times: Times,
    /// Names with one text each: a list has one for each member.
    fields: Box<[(Word, Word)]>,
    tags: Box<[Word]>,
    /// What its text and its fields link to, as it is called there; without `parent` and `blocked_by`.
    links: Box<[Word]>,
    /// By remote.
    keys: Box<[(Word, Word)]>,
    /// Its name in views, where that is not the file's.
    shown: Option<Box<str>>,
    number: u32,
    is_note: bool,
}

/// When a ticket was made, and when its file was last changed, as far as the index knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl Card {
    pub(super) fn is_of(file: &Snapshot) -> bool {
        matches!(file.kind, Kind::Ticket | Kind::Inbox)
    }

    pub(super) fn new(
        path: &WsPath,
        file: &Snapshot,
        times: Times,
        number: u32,
        schema: &Schema,
        words: &mut Shared,
    ) -> Self {
        let sync = file.fields.get("sync");
        let remotes = sync.and_then(Value::as_object).into_iter().flat_map(|ties| ties.keys());
        let key = |remote: &String| Some((remote.clone(), Tie::of(sync, remote)?.key()?.to_owned()));
        let keys: Vec<_> = remotes.filter_map(key).collect();
        let pairs = file.fields.iter().filter(|(name, _)| *name != "sync");
        let pairs = pairs.flat_map(|(name, value)| texts(value).map(move |text| (name, text)));
        let is_link = |name: &str| {
            let kind = schema.field(name).map(|field| &field.kind);
            matches!(kind, Some(FieldKind::Link | FieldKind::Links)) && !matches!(name, "parent" | "blocked_by")
        };
        let linked = file.fields.iter().filter(|(name, _)| is_link(name)).flat_map(|(_, value)| texts(value));
        let mut links: Vec<Word> = file.links.iter().map(|link| words.get(link)).collect();
        links.extend(linked.map(|link| words.get(&link)));
        links.sort_unstable();
        links.dedup();
        let name = shown(path, number);
        Self {
            path: path.clone(),
            title: file.title.as_str().into(),
            times: Times { created: stated(file, "created").unwrap_or(times.created), ..times },
            fields: pairs.map(|(name, text)| (words.get(name), words.get(&text))).collect(),
            tags: file.tags.iter().map(|tag| words.get(tag)).collect(),
            links: links.into(),
            keys: keys.iter().map(|(remote, key)| (words.get(remote), words.get(key))).collect(),
            shown: (name != path.file_name() || path.extension() != Some("md")).then(|| name.into()),
            number,
            is_note: file.kind == Kind::Inbox,
        }
    }

    /// The texts of a field: one for each member of a list, none where it is not there.
    pub fn values<'c>(&'c self, field: &'c str) -> impl Iterator<Item = &'c str> {
        self.words(field).map(|word| &**word)
    }

    pub(super) fn words<'c>(&'c self, field: &'c str) -> impl Iterator<Item = &'c Word> {
        self.fields.iter().filter(move |(name, _)| **name == *field).map(|(_, text)| text)
    }

    /// The text of a field that has one value; empty where it is not there.
    pub fn value(&self, field: &str) -> &str {
        self.fields.iter().find(|(name, _)| **name == *field).map_or("", |(_, text)| text)
    }

    /// The names of fields that the ticket has.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| &**name)
    }

    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(|tag| &**tag)
    }

    pub(super) fn tag_words(&self) -> impl Iterator<Item = &Word> {
        self.tags.iter()
    }

    /// What its text and its fields link to, but for `parent` and `blocked_by`.
    pub fn links(&self) -> impl Iterator<Item = &str> {
        self.links.iter().map(|link| &**link)
    }

    /// Remotes with its key there.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.keys.iter().map(|(remote, key)| (&**remote, &**key))
    }

    /// Whether it is a text in the inbox, and no ticket yet.
    pub fn is_note(&self) -> bool {
        self.is_note
    }

    /// Its name in views: the file's, with a number where another ticket's file is called so too.
    pub fn shown(&self) -> &str {
        self.shown.as_deref().unwrap_or(self.path.file_name())
    }

    pub(super) fn has_own_name(&self) -> bool {
        self.shown.is_some()
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// The same ticket with another value in place of one: of a list, this member of it. Empty: none.
    pub fn with(&self, field: &str, from: &str, to: &str) -> Self {
        let replaced = |(name, text): &(Word, Word)| **name == *field && **text == *from;
        let mut fields: Vec<_> = self.fields.iter().filter(|pair| !replaced(pair)).cloned().collect();
        if !to.is_empty() {
            fields.push((field.into(), to.into()));
        }
        Self { fields: fields.into(), ..self.clone() }
    }
}

/// What the ticket itself says of a time.
fn stated(file: &Snapshot, field: &str) -> Option<Timestamp> {
    let text = file.text(field)?;
    let midnight = || text.parse::<jiff::civil::Date>().ok()?.in_tz("UTC").ok().map(|day| day.timestamp());
    text.parse().ok().or_else(midnight)
}

/// The text of a value, or of each member of a list.
fn texts(value: &Value) -> impl Iterator<Item = String> {
    let members = match value {
        Value::Array(members) => members.as_slice(),
        one => std::slice::from_ref(one),
    };
    members.iter().filter_map(scalar_text).filter(|text| !text.is_empty())
}

/// The name of a file in views, if it is the so-and-so-manieth that is called so.
pub(super) fn shown(path: &WsPath, number: u32) -> String {
    let legal = legal_name(path.file_name());
    let ending = legal.rsplit_once('.').filter(|(stem, ending)| !stem.is_empty() && ending.len() <= MAX_ENDING);
    let (stem, ending) = ending.map_or((&*legal, String::new()), |(stem, ending)| (stem, format!(".{ending}")));
    numbered(stem, number, &ending)
}

/// `stem`, `stem~2`, … with this ending. A stem that would make the name too long is cut.
pub fn numbered(stem: &str, number: u32, ending: &str) -> String {
    let number = if number == 1 { String::new() } else { format!("~{number}") };
    let room = MAX_NAME.saturating_sub(number.len() + ending.len());
    format!("{}{number}{ending}", &stem[..stem.floor_char_boundary(room)])
}

/// A text as the name of a file: a legal one, that a terminal may show.
pub fn legal_name(text: &str) -> Cow<'_, str> {
    let is_bad = |c: char| c == '/' || c == '\0' || is_unprintable(c);
    match text {
        "" | "." | ".." => format!("({text})").into(),
        _ if text.contains(is_bad) => text.chars().map(|c| if is_bad(c) { '-' } else { c }).collect(),
        _ => text.into(),
    }
}
