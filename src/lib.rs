//! trackfs: a filesystem for planning work.
//!
//! Tickets and specs are plain Markdown files in an ordinary directory and an ordinary git repository. trackfs mounts
//! that directory, turns every save into events, commits them, and keeps Linear and GitHub in step.
//!
//! Dependencies point one way: `cli → daemon → { mount → fs → workspace, sync → remote, git }`, and everything may use
//! [`domain`], which is pure; all but `domain` may name [`fault`] points. `tests/architecture.rs` keeps it so.

pub mod cli;
pub mod daemon;
pub mod domain;
pub mod fault;
pub mod fs;
pub mod git;
#[cfg(all(feature = "fuse", target_os = "linux"))]
pub mod mount;
pub mod remote;
pub mod serve;
pub mod sync;
pub mod workspace;
