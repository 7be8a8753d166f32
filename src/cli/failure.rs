//! How a failure is said: what failed, why, and what to do next, one line each.

use crate::domain::text::printable;
use std::io::{self, Write};

/// What failed and what to do about it; the causes below it in the chain say why.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Advice {
    pub what: String,
    pub next: String,
}

/// A failure that says what to do next.
pub fn advise(what: impl Into<String>, next: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Advice { what: what.into(), next: next.into() })
}

/// A failure with its cause.
pub fn because(what: impl Into<String>, cause: impl Into<anyhow::Error>) -> anyhow::Error {
    cause.into().context(what.into())
}

/// Writes `trackfs: what`, a `why` line for each cause, and a `next` line where there is advice.
pub fn print(error: &anyhow::Error, to: &mut dyn Write) -> io::Result<()> {
    let mut said = error.to_string();
    let mut lines = said.lines();
    writeln!(to, "trackfs: {}", printable(lines.next().unwrap_or_default()))?;
    lines.try_for_each(|line| writeln!(to, "  {}", printable(line)))?;
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // `#[error(transparent)]` layers repeat their source.
        if !said.contains(&cause) {
            writeln!(to, "  why: {}", printable(&cause))?;
            said = cause;
        }
    }
    match error.downcast_ref::<Advice>() {
        Some(advice) => writeln!(to, "  next: {}", printable(&advice.next)),
        None => Ok(()),
    }
}

/// Whether the reader of our output went away, which is its right.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(error: &anyhow::Error) -> String {
        let mut text = Vec::new();
        print(error, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_failure_says_what_and_why_and_what_next() {
        let disk = io::Error::other("disk full");
        assert_eq!(printed(&because("x cannot be written", disk)), "trackfs: x cannot be written\n  why: disk full\n");
        let advice = advise("no workspace", "run `trackfs init`");
        assert_eq!(printed(&advice), "trackfs: no workspace\n  next: run `trackfs init`\n");
    }

    #[test]
    fn a_closed_pipe_is_told_from_other_failures() {
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_closed_pipe(&because("the log cannot be shown", pipe)));
        assert!(!is_closed_pipe(&because("x", io::Error::other("y"))));
    }
}
