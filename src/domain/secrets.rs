//! Tokens and keys that were written into a file by mistake: known by their shape, as secret scanners know them.
//!
//! What is once in git's history, or on a tracker, is everybody's. So a file that has one is neither committed nor synced. Only
//! shapes that nothing else has are looked for: a guess that is wrong holds up somebody's work.

use super::{
    document::Position,
    path::WsPath,
    problem::{Problem, Severity},
};
use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

/// The name of such a problem.
pub const CODE: &str = "secret";
/// On the same line it says that this is none; scanners of others know it, too.
const ALLOWED: &str = "gitleaks:allow";

/// How a token begins, what follows, and what it is.
struct Shape {
    prefix: &'static str,
    what: &'static str,
    /// Characters that follow at least.
    at_least: usize,
    legal: fn(u8) -> bool,
}

const fn shape(prefix: &'static str, what: &'static str, at_least: usize, legal: fn(u8) -> bool) -> Shape {
    Shape { prefix, what, at_least, legal }
}

const fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

const fn dashed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

const fn capitals(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

const fn any(_: u8) -> bool {
    true
}

const SHAPES: [Shape; 24] = [
    shape("ghp_", "a GitHub token", 36, word),
    shape("gho_", "a GitHub token", 36, word),
    shape("ghu_", "a GitHub token", 36, word),
    shape("ghs_", "a GitHub token", 36, word),
    shape("ghr_", "a GitHub token", 36, word),
    shape("github_pat_", "a GitHub token", 59, dashed),
    shape("lin_api_", "a Linear key", 32, word),
    shape("lin_oauth_", "a Linear token", 32, word),
    shape("glpat-", "a GitLab token", 20, dashed),
    shape("AKIA", "an AWS key", 16, capitals),
    shape("ASIA", "an AWS key", 16, capitals),
    shape("xoxb-", "a Slack token", 24, dashed),
    shape("xoxp-", "a Slack token", 24, dashed),
    shape("xapp-", "a Slack token", 24, dashed),
    shape("sk_live_", "a Stripe key", 24, word),
    shape("rk_live_", "a Stripe key", 24, word),
    shape("npm_", "an npm token", 36, word),
    shape("pypi-AgEI", "a PyPI token", 50, dashed),
    shape("sk-ant-", "an Anthropic key", 32, dashed),
    shape("sk-proj-", "an OpenAI key", 32, dashed),
    shape("AIza", "a Google key", 35, dashed),
    shape("-----BEGIN RSA PRIVATE KEY-----", "a private key", 1, any),
    shape("-----BEGIN OPENSSH PRIVATE KEY-----", "a private key", 1, any),
    shape("-----BEGIN PRIVATE KEY-----", "a private key", 1, any),
];

static PREFIXES: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let prefixes = SHAPES.iter().map(|shape| shape.prefix);
    AhoCorasick::new(prefixes).expect("a few short texts are a legal set")
});

/// The first token in these bytes, as a problem of their file. What it is stands in no message.
pub fn problem(path: &WsPath, bytes: &[u8]) -> Option<Problem> {
    let (at, what) = PREFIXES.find_iter(bytes).find_map(|found| {
        let shape = &SHAPES[found.pattern().as_usize()];
        let is_meant = shape.is_at(bytes, found.start(), found.end()) && !is_allowed(bytes, found.start());
        is_meant.then_some((found.start(), shape.what))
    })?;
    let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    let message = format!("this looks like {what}: the file is neither committed nor synced");
    let help = format!(
        "take it out, and have it revoked if others could read the file; `{ALLOWED}` on the same line says that it is none"
    );
    let position = Position { line: u32::try_from(line).unwrap_or(u32::MAX), column: 1 };
    Some(Problem::of_file(path.clone(), Severity::Blocked, CODE, message, help).at(position))
}

impl Shape {
    fn is_at(&self, bytes: &[u8], start: usize, end: usize) -> bool {
        // Within a longer word it is something else.
        let begins = start == 0 || !word(bytes[start - 1]);
        begins && bytes[end..].iter().take(self.at_least).filter(|byte| (self.legal)(**byte)).count() == self.at_least
    }
}

fn is_allowed(bytes: &[u8], at: usize) -> bool {
    let begin = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let line = bytes[begin..].split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.windows(ALLOWED.len()).any(|window| window == ALLOWED.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(u32, String)> {
        let problem = problem(&WsPath::new("tickets/a.md").unwrap(), text.as_bytes())?;
        assert!(!problem.to_string().contains("abc"), "{problem}");
        Some((problem.line, problem.message))
    }

    #[test]
    fn a_token_of_each_shape_is_found_where_it_stands() {
        for shape in &SHAPES {
            let filler = if (shape.legal)(b'a') { "abc".repeat(40) } else { "ABC1".repeat(20) };
            let text = format!("---\ntitle: A\n---\n\nkey: '{}{filler}'\n", shape.prefix);
            let (line, message) = found(&text).unwrap_or_else(|| panic!("{}", shape.prefix));
            assert_eq!(line, 5);
            assert!(message.contains(shape.what), "{message}");
            let told = format!("{} <!-- gitleaks:allow -->\n", text.trim_end());
            assert_eq!(found(&told), None, "{}", shape.prefix);
        }
    }

    #[test]
    fn what_only_looks_alike_is_none() {
        for text in [
            "ghp_short",
            "the prefix ghp_ is GitHub's",
            "AKIA is how they begin, AKIA0123456789ABCDE by one too short",
            "task-ant-with-a-name-that-is-long-enough-for-everything-and-more",
            "sk_live_",
            "-----BEGIN PUBLIC KEY-----\nabc",
            "-----BEGIN PRIVATE KEY-----",
            "npm_config_registry and npm_package_version",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
        let long = format!("xghp_{}", "a".repeat(40));
        assert_eq!(found(&long), None);
        // The second is found after a first that is none.
        let both = format!("ghp_short\nlin_api_{}", "abc1".repeat(10));
        assert_eq!(found(&both).map(|(line, _)| line), Some(2));
    }
}
