//! `doctor`: looks at everything trackfs stands on, one line for each thing, and the remedy beside what is wrong.
//!
//! It only looks. `--fix` takes away a dead mount, which loses nothing; everything else is said and left to the person.

mod remotes;
mod system;
mod workspace;

use super::{failure, output::Output};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs doctor               what is wrong, and what to do about it
  trackfs doctor --fix         and what is safe to mend by itself is mended
  trackfs doctor --offline     without asking the remotes

It fails when something keeps trackfs from working; warnings alone are no failure.")]
pub struct DoctorArgs {
    /// A folder of the workspace [default: here]
    dir: Option<PathBuf>,
    /// Mend what can be mended without a decision
    #[arg(long)]
    fix: bool,
    /// Ask no remote
    #[arg(long)]
    offline: bool,
}

/// What one check found.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked at: one or two words, stable for programs.
    check: String,
    state: State,
    found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// It was an error, and is mended.
    #[cfg_attr(
        not(all(feature = "fuse", target_os = "linux")),
        expect(dead_code, reason = "only dead mounts are mended")
    )]
    Fixed,
    /// It works, and may not for ever.
    Warning,
    /// Something does not work.
    Error,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fixed => "fixed",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Finding {
    fn new(check: &str, state: State, found: impl Into<String>) -> Self {
        Self { check: check.to_owned(), state, found: found.into(), remedy: None }
    }

    fn ok(check: &str, found: impl Into<String>) -> Self {
        Self::new(check, State::Ok, found)
    }

    fn warning(check: &str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..Self::new(check, State::Warning, found) }
    }

    fn error(check: &str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..Self::new(check, State::Error, found) }
    }
}

pub fn run(args: &DoctorArgs, out: &mut Output) -> anyhow::Result<()> {
    let start = std::path::absolute(args.dir.as_deref().unwrap_or(Path::new(".")))?;
    let mut findings = system::check();
    let (found, at) = workspace::locate(&start, args.fix);
    findings.extend(found);
    if let Some(at) = &at {
        findings.extend(workspace::check(at));
        findings.extend(remotes::check(at, args.offline));
    }
    print(&findings, out)?;
    match findings.iter().filter(|finding| finding.state == State::Error).count() {
        0 => Ok(()),
        1 => Err(failure::advise("one thing is wrong", "the remedy stands beside it")),
        errors => Err(failure::advise(format!("{errors} things are wrong"), "the remedy stands beside each")),
    }
}

fn print(findings: &[Finding], out: &mut Output) -> std::io::Result<()> {
    let width = findings.iter().map(|finding| finding.check.chars().count()).max().unwrap_or_default();
    for finding in findings {
        out.value(finding, |finding, out| {
            out.line(format!("{:<7}  {:<width$}  {}", finding.state.name(), finding.check, finding.found))?;
            finding.remedy.iter().try_for_each(|remedy| out.line(format!("{:<7}  {:<width$}  → {remedy}", "", "")))
        })?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_and_its_remedy_another() {
        let findings = [
            Finding::ok("clock", "in order"),
            Finding::error("git directory", "cannot be read", "give yourself access to it"),
        ];
        let mut text = Vec::new();
        print(&findings, &mut Output::new(&mut text, false)).unwrap();
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r"
        ok       clock          in order
        error    git directory  cannot be read
                                → give yourself access to it
        ");
        let mut text = Vec::new();
        print(&findings, &mut Output::new(&mut text, true)).unwrap();
        let json = String::from_utf8(text).unwrap();
        assert_eq!(json.lines().next().unwrap(), r#"{"check":"clock","state":"ok","found":"in order"}"#);
    }
}
