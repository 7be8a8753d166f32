//! Why something was refused in `views/`: the file `status/refused.md`. An errno has no room for it.

use super::types::Errno;
use crate::domain::{Timestamp, op::Actor, text::printable};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Refusals that are told.
const KEPT: usize = 50;

/// An error that says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub errno: Errno,
    pub why: String,
}

impl Refused {
    pub fn new(errno: Errno, why: impl Into<String>) -> Self {
        Self { errno, why: why.into() }
    }
}

/// The newest refusals, newest first.
#[derive(Default)]
pub(super) struct Refusals(Mutex<VecDeque<String>>);

impl Refusals {
    /// Who misses what is not there is not told: many look for it, and one of those who race for a ticket gets it.
    pub fn put(&self, actor: &Actor, said: String, refused: Refused) {
        let Refused { errno, why } = refused;
        if errno == Errno::NOENT {
            return;
        }
        let Actor { name, pid, .. } = actor;
        let line = format!("- {:.0} {name} ({pid}): `{said}`\n  {errno}: {why}\n", Timestamp::now());
        let mut lines = self.0.lock();
        lines.push_front(line.lines().map(|line| format!("{}\n", printable(line))).collect());
        lines.truncate(KEPT);
    }

    pub fn page(&self) -> String {
        let lines = self.0.lock();
        let mut page = String::from(
            "# Refused in views/\n\nNewest first. An error number says little; the reason stands here.\n\n",
        );
        match lines.is_empty() {
            true => page.push_str("None.\n"),
            false => lines.iter().for_each(|line| page.push_str(line)),
        }
        page
    }
}
