//! The engine of one workspace and the processes that run it: the mount, the watcher, a single command.
//!
//! Whoever has the engine holds the workspace's lock; everybody else asks over its socket. [`ask`] does whichever is right.

mod alarm;
mod bell;
mod changes;
mod commit;
mod conflicts;
pub mod control;
pub mod detach;
mod edit;
mod engine;
#[cfg(all(feature = "fuse", target_os = "linux"))]
mod field;
#[cfg(all(feature = "fuse", target_os = "linux"))]
mod host;
mod lazily;
mod list;
pub mod location;
mod lock;
pub mod log;
mod memory;
#[cfg(all(feature = "fuse", target_os = "linux"))]
mod mounting;
mod pace;
#[cfg(all(feature = "fuse", target_os = "linux"))]
mod pages;
pub mod past;
mod remotes;
mod replay;
pub mod report;
mod restore;
pub mod run;
mod search;
mod serve;
mod settings;
mod shelf;
mod show;
pub mod tables;
mod tickets;
mod tidy;
mod told;
mod torn;

pub use control::{ask, ask_and_watch};
pub use engine::{Engine, SystemClock};
#[cfg(all(feature = "fuse", target_os = "linux"))]
pub use host::EngineHost;
pub use location::Location;
pub use lock::Lock;
pub use settings::configured;
