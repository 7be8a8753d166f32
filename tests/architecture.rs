//! Keeps the code in the shape that docs/architecture.md draws: which layer may use which, who may name which crate,
//! what the pure layer stays free of, and how long a file gets. Tests inside `src` are exempt.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What each layer may use besides itself, `domain` and (unless it is `domain`) `fault`.
const LAYERS: [(&str, &[&str]); 12] = [
    ("main", &["cli"]),
    ("cli", &["serve", "daemon", "mount", "fs", "sync", "remote", "git", "workspace"]),
    ("serve", &["remote"]),
    ("daemon", &["mount", "fs", "sync", "remote", "git", "workspace"]),
    ("mount", &["fs", "workspace"]),
    ("fs", &["workspace"]),
    ("sync", &["remote", "git", "workspace"]),
    ("git", &["workspace"]),
    ("remote", &["workspace"]),
    ("workspace", &[]),
    ("domain", &[]),
    ("fault", &[]),
];

/// Crates that only these layers name.
const CRATES: [(&str, &[&str]); 11] = [
    ("rusqlite", &["workspace"]),
    ("notify", &["workspace"]),
    ("gix", &["git"]),
    ("fuser", &["mount"]),
    ("reqwest", &["remote"]),
    ("rustls", &["remote"]),
    ("axum", &["serve"]),
    ("tokio", &["serve"]),
    ("clap", &["cli"]),
    ("tracing_subscriber", &["cli"]),
    ("anyhow", &["cli", "daemon"]),
];

/// What `domain` would no longer be pure with.
const IMPURE: [&str; 12] = [
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "tracing",
    "println!",
];

/// Lines of a file before its tests.
const MAX_LINES: usize = 500;

/// One file of `src`, without its tests, comments and string literals.
struct Source {
    path: PathBuf,
    layer: String,
    /// Names between the crate root and this module, e.g. 2 for `cli::log`.
    depth: usize,
    code: String,
}

impl Source {
    fn new(path: &Path, text: &str) -> Self {
        let mut names: Vec<String> = path.with_extension("").iter().map(|name| name.to_string_lossy().into()).collect();
        names.retain(|name| name != "lib");
        let layer = names.first().cloned().unwrap_or_default();
        Self { path: path.to_owned(), layer, depth: names.len(), code: plain_code(without_tests(text)) }
    }

    /// Layers that this file names by `crate::` or `trackfs::`.
    fn layers_named(&self) -> BTreeSet<String> {
        let mut layers = BTreeSet::new();
        for root in ["crate::", "trackfs::"] {
            for rest in after(&self.code, root) {
                layers.extend(first_names(rest));
            }
        }
        layers.remove(&self.layer);
        layers
    }

    /// Whether a chain of `super::` leaves the layer.
    fn climbs_out(&self) -> bool {
        let longest = (1..).take_while(|length| self.code.contains(&"super::".repeat(*length))).last().unwrap_or(0);
        longest > 0 && longest >= self.depth
    }

    fn names_crate(&self, name: &str) -> bool {
        after(&self.code, &format!("{name}::")).next().is_some() || self.code.contains(&format!("use {name};"))
    }
}

/// Everything before the test module at the end.
fn without_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod tests {").map_or(text, |end| &text[..end])
}

/// What follows each place where `word` begins a path.
fn after<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    let starts_path = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    code.match_indices(word).filter(move |(at, _)| starts_path(*at)).map(move |(at, _)| &code[at + word.len()..])
}

/// The first name of a path, or of each path in a `{…}` group.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(&group[start..at]));
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

/// The text with comments removed and the insides of literals emptied.
fn plain_code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let skip = literal(rest);
        if skip == 0 {
            code.push(character);
        }
        rest = &rest[skip.max(character.len_utf8())..];
    }
    code
}

/// Length of the comment or literal that begins here; 0 where there is none.
fn literal(rest: &str) -> usize {
    let until = |from: usize, end: &str| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until(2, "*/");
    }
    if let Some(raw) = rest.strip_prefix('r').filter(|raw| raw.starts_with(['"', '#'])) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        return if raw[hashes..].starts_with('"') {
            until(hashes + 2, &format!("\"{}", "#".repeat(hashes)))
        } else {
            0
        };
    }
    match rest.as_bytes() {
        [b'"', ..] => quoted(rest, '"'),
        [b'\'', b'\\', ..] => quoted(rest, '\''),
        [b'\'', ..] if rest.chars().nth(2) == Some('\'') => quoted(rest, '\''),
        _ => 0,
    }
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(Source, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.len() > 20, "the sources are where this test looks");
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        (Source::new(path.strip_prefix(&src).unwrap(), &text), text)
    };
    files.iter().map(read).collect()
}

fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn dependencies_point_one_way() {
    let mut violations = Vec::new();
    for (source, _) in sources().iter().filter(|(source, _)| !source.layer.is_empty()) {
        let (_, allowed) =
            LAYERS.iter().find(|(name, _)| *name == source.layer).expect("every folder of src is a layer");
        let is_layer = |name: &String| LAYERS.iter().any(|(layer, _)| layer == name);
        let named = source.layers_named();
        let open_to_it = |name: &str| name == "domain" || (name == "fault" && source.layer != "domain");
        for name in named.iter().filter(|name| is_layer(name) && !open_to_it(name) && !allowed.contains(&name.as_str()))
        {
            violations.push(format!("{}: {} must not use {name}", source.path.display(), source.layer));
        }
        if source.climbs_out() {
            violations.push(format!("{}: `super::` leaves the layer; name it from `crate::`", source.path.display()));
        }
    }
    assert_none(&violations);
}

#[test]
fn each_outer_crate_is_named_by_the_layers_that_own_it() {
    let mut violations = Vec::new();
    for (source, _) in &sources() {
        for (name, owners) in CRATES {
            if source.names_crate(name) && !owners.contains(&source.layer.as_str()) {
                violations.push(format!("{}: only {} may name {name}", source.path.display(), owners.join(", ")));
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn the_domain_is_pure() {
    let mut violations = Vec::new();
    for (source, _) in sources().iter().filter(|(source, _)| source.layer == "domain") {
        for word in IMPURE.iter().filter(|word| after(&source.code, word).next().is_some()) {
            violations.push(format!("{}: {word}", source.path.display()));
        }
    }
    assert_none(&violations);
}

#[test]
fn no_file_outgrows_the_head() {
    let lines = |text: &str| without_tests(text).lines().count();
    let long = |(source, text): &(Source, String)| format!("{}: {} lines", source.path.display(), lines(text));
    assert_none(&sources().iter().filter(|(_, text)| lines(text) > MAX_LINES).map(long).collect::<Vec<_>>());
}

#[test]
fn outside_tests_nothing_unwraps_without_saying_why_it_holds() {
    let bare = |(source, _): &&(Source, String)| source.code.contains(".unwrap()");
    assert_none(
        &sources().iter().filter(bare).map(|(source, _)| source.path.display().to_string()).collect::<Vec<_>>(),
    );
}

#[test]
fn the_scanner_sees_groups_and_paths_but_no_comments_literals_or_tests() {
    let text = r##"
//! crate::cli is only mentioned
use crate::{domain::{event::Change, path::WsPath}, git::Repo};
fn f<'a>(x: &'a str) { let _ = ("crate::mount", r#"crate::fs " "#, '"', crate::sync::run(x)); gix::open(x); }
/* crate::remote */
#[cfg(test)]
mod tests {
    use crate::cli;
}
"##;
    let source = Source::new(Path::new("workspace/root.rs"), text);
    assert_eq!(source.layers_named().into_iter().collect::<Vec<_>>(), ["domain", "git", "sync"]);
    assert!(source.names_crate("gix") && !source.names_crate("fuser"));
    assert!(!source.climbs_out());
    assert!(Source::new(Path::new("workspace/root.rs"), "use super::super::git::Repo;").climbs_out());
}
