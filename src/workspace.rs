//! The real directory: reached by descriptor, journalled, settled, indexed.

pub mod config;
mod ignored;
mod journal;
pub mod root;
pub mod settle;
pub mod store;
pub mod watch;
