//! The mount: the one place that knows FUSE.
//!
//! [`mount`] serves a [`Fs`](crate::fs::Fs) at a directory, tells the kernel of changes that did not come through it,
//! and leaves no dead mount behind. The mount may lie over the workspace itself.

mod fuse;
mod holders;
mod invalidate;
mod mountinfo;
mod session;
mod supervisor;

pub use holders::{Hold, Holder, Holders, with_ancestors};
pub use session::{MountError, MountOptions, Mounted, detach, mount, take_away_dead, usable};
pub use supervisor::{Supervisor, supervise_main};
