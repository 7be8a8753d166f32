//! The past: tables compared with git on random repositories with moves and merges, `.history/` on a real mount, and the
//! commands that show it and bring it back.

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod mounted;
mod repository;
mod tables;
