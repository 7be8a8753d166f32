//! What a workspace means: names, documents, tickets, events, merging and planning.
//!
//! Pure: no I/O, no clock, no threads, no logging. Everything here is a value or a function of values, so that every
//! rule of trackfs can be tested without a disk, a kernel or a network.

pub mod catalog;
pub mod cell;
pub mod diff;
pub mod document;
pub mod edit;
pub mod event;
pub mod issue;
pub mod labelled;
pub mod layout;
pub mod links;
pub mod mapping;
pub mod markdown;
pub mod merge;
pub mod message;
pub mod names;
pub mod nearest;
pub mod op;
pub mod past;
pub mod path;
pub mod plan;
pub mod problem;
pub mod pull;
pub mod query;
pub mod save;
pub mod schema;
pub mod secrets;
pub mod snapshot;
pub mod text;
pub mod texts;
pub mod tie;
pub mod timeline;
pub mod view;

/// A frontmatter value: JSON's types, keys in the order of the file.
pub type Value = serde_json::Value;
/// The fields of a frontmatter block, in the order of the file.
pub type Fields = serde_json::Map<String, Value>;
/// A point in time, UTC.
pub type Timestamp = jiff::Timestamp;

/// The time of day, so that tests can set it.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}
