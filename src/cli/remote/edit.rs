//! Edits the `remotes:` block of the configuration by lines, so that comments, order and everything else stay.
//!
//! Works on the block form that people write. Callers parse the result and compare it with what they meant; a form
//! that is not understood here is refused there.

use crate::workspace::config::{AppConfig, KeySource, RemoteConfig, TokenSource};

/// The text with one more remote, at the end of the block; `None` where `remotes` is written in flow form.
pub fn add(text: &str, name: &str, remote: &RemoteConfig) -> Option<String> {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
        last.push_str(newline);
    }
    let (at, indent) = match find(&lines) {
        None => {
            lines.push(format!("remotes:{newline}"));
            (lines.len(), 2)
        }
        Some(head) => {
            open_head(&mut lines[head], newline)?;
            let end = block_end(&lines, head);
            (end, children_indent(&lines[head + 1..end]).unwrap_or(2))
        }
    };
    let block = block(name, remote, indent).into_iter().map(|line| line + newline);
    lines.splice(at..at, block);
    Some(lines.concat())
}

/// The text without one remote and its lines; `None` when it is not found in block form.
pub fn remove(text: &str, name: &str) -> Option<String> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let head = find(&lines)?;
    let end = block_end(&lines, head);
    let indent = children_indent(&lines[head + 1..end])?;
    let is_child = |line: &String| indent_of(line) == Some(indent);
    let first = (head + 1..end).find(|&n| is_child(&lines[n]) && key(&lines[n]) == Some(name))?;
    let next = (first + 1..end).find(|&n| indent_of(&lines[n]).is_some_and(|depth| depth <= indent)).unwrap_or(end);
    // Comments directly above the next remote are about that one.
    let last = (first + 1..=next).rev().find(|&n| !is_idle(&lines[n - 1])).unwrap_or(first + 1);
    let only = !(head + 1..end).any(|n| n != first && is_child(&lines[n]));
    lines.drain(first..last);
    if only {
        let rest = lines[head].strip_prefix("remotes:").unwrap_or_default().to_owned();
        lines[head] = format!("remotes: {{}}{rest}");
    }
    Some(lines.concat())
}

/// The line of the top-level key.
fn find(lines: &[String]) -> Option<usize> {
    lines.iter().position(|line| {
        line.strip_prefix("remotes:").is_some_and(|rest| rest.starts_with(char::is_whitespace) || rest.is_empty())
    })
}

/// Makes `remotes: {}` (or `~`, `null`) the head of a block; `None` for any other value on the line.
fn open_head(line: &mut String, newline: &str) -> Option<()> {
    let rest = line.strip_prefix("remotes:")?.trim();
    let (value, comment) = rest.split_at(rest.find('#').unwrap_or(rest.len()));
    if !matches!(value.trim(), "" | "{}" | "{ }" | "~" | "null") {
        return None;
    }
    let gap = if comment.is_empty() { "" } else { "  " };
    *line = format!("remotes:{gap}{comment}{newline}");
    Some(())
}

/// The line after the last one that belongs to the block.
fn block_end(lines: &[String], head: usize) -> usize {
    let belongs = |line: &String| indent_of(line).is_none_or(|depth| depth > 0);
    let stop = (head + 1..lines.len()).find(|&n| !belongs(&lines[n])).unwrap_or(lines.len());
    (head + 1..stop).rev().find(|&n| indent_of(&lines[n]).is_some()).map_or(head + 1, |n| n + 1)
}

fn children_indent(block: &[String]) -> Option<usize> {
    block.iter().find_map(|line| indent_of(line))
}

/// Spaces before the content; `None` for blank lines and comments.
fn indent_of(line: &str) -> Option<usize> {
    (!is_idle(line)).then(|| line.len() - line.trim_start_matches(' ').len())
}

fn is_idle(line: &str) -> bool {
    let content = line.trim();
    content.is_empty() || content.starts_with('#')
}

fn key(line: &str) -> Option<&str> {
    let (key, _) = line.trim().split_once(':')?;
    Some(key.trim_matches(['"', '\'']))
}

fn block(name: &str, remote: &RemoteConfig, indent: usize) -> Vec<String> {
    let token = match &remote.token {
        TokenSource::Default => None,
        TokenSource::Env(variable) => Some(format!("{{env: {}}}", quoted(variable))),
        TokenSource::Command(command) => Some(format!("{{command: {}}}", quoted(command))),
        TokenSource::Keyring(account) => Some(format!("{{keyring: {}}}", quoted(account))),
        TokenSource::App(app) => Some(entered_as(app)),
    };
    let plain = |value: &Option<String>| value.as_deref().map(quoted);
    let fields = [
        ("type", Some(remote.kind.name().to_owned())),
        ("repo", plain(&remote.repo)),
        ("team", plain(&remote.team)),
        ("url", plain(&remote.url)),
        ("folder", Some(quoted(remote.folder.as_str()))),
        ("documents", remote.documents.as_ref().map(|folder| quoted(folder.as_str()))),
        ("token", token),
        ("create_labels", remote.create_labels.then(|| "true".to_owned())),
    ];
    let pad = " ".repeat(indent);
    let fields = fields.into_iter().filter_map(|(key, value)| value.map(|value| format!("{pad}{pad}{key}: {value}")));
    // A quoted name is a key whatever it is: `on`, `1`.
    std::iter::once(format!("{pad}{}:", quoted(name))).chain(fields).collect()
}

fn entered_as(app: &AppConfig) -> String {
    let (kind, place) = match &app.key {
        KeySource::File(path) => ("file", path),
        KeySource::Env(variable) => ("env", variable),
        KeySource::Command(command) => ("command", command),
    };
    let installation = app.installation.map(|id| format!(", installation: {id}")).unwrap_or_default();
    format!("{{app: {{id: {}, key: {{{kind}: {}}}{installation}}}}}", quoted(&app.id), quoted(place))
}

/// A scalar as it is, when that is unambiguous in YAML, else in double quotes.
fn quoted(text: &str) -> String {
    const WORDS: [&str; 8] = ["true", "false", "null", "yes", "no", "on", "off", "nan"];
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.');
    let safe = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(plain)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if safe { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::path::WsPath, workspace::config::RemoteKind};

    fn remote() -> RemoteConfig {
        RemoteConfig {
            repo: Some("acme/app".into()),
            token: TokenSource::Command("pass show 'gh: x'".into()),
            ..RemoteConfig::new(RemoteKind::Github, WsPath::new("tickets/app").unwrap())
        }
    }

    const BLOCK: &str = "  gh:
    type: github
    repo: acme/app
    folder: tickets/app
    token: {command: \"pass show 'gh: x'\"}
";

    #[test]
    fn a_remote_is_added_wherever_the_block_is_and_nothing_else_moves() {
        let table = [
            ("", format!("remotes:\n{BLOCK}")),
            ("validation: on", format!("validation: on\nremotes:\n{BLOCK}")),
            ("remotes: {}  # none yet\nsync: {}\n", format!("remotes:  # none yet\n{BLOCK}sync: {{}}\n")),
            (
                "# top\nremotes:\n  a:\n    type: linear\n\n# about sync\nsync: {}\n",
                format!("# top\nremotes:\n  a:\n    type: linear\n{BLOCK}\n# about sync\nsync: {{}}\n"),
            ),
            ("#remotes: {}\n", format!("#remotes: {{}}\nremotes:\n{BLOCK}")),
        ];
        for (before, after) in table {
            assert_eq!(add(before, "gh", &remote()).as_deref(), Some(after.as_str()), "{before:?}");
        }
    }

    #[test]
    fn an_app_is_written_as_it_is_read() {
        for (key, installation) in [
            (KeySource::File("/keys/my app.pem".into()), None),
            (KeySource::Env("APP_KEY".into()), Some(9)),
            (KeySource::Command("pass show 'app: x'".into()), None),
        ] {
            let app = AppConfig { id: "12345".into(), key, installation };
            let remote = RemoteConfig { token: TokenSource::App(app), ..remote() };
            let read = crate::workspace::config::Config::parse(&add("", "gh", &remote).unwrap()).unwrap();
            assert_eq!(read.remotes["gh"], remote);
        }
    }

    #[test]
    fn the_indentation_and_line_endings_of_the_file_are_kept() {
        let text = add("remotes:\r\n    a:\r\n        type: linear\r\n", "gh", &remote()).unwrap();
        assert!(text.contains("\r\n    gh:\r\n        type: github\r\n"), "{text}");
    }

    #[test]
    fn adding_and_removing_gives_back_the_same_bytes() {
        for text in [
            "remotes: {}\nsync: {}\n",
            "x: 1\nremotes:\n  a:\n    type: linear\n  # about b\n  b: {type: linear}\n\ny: 2\n",
        ] {
            let more = add(text, "gh", &remote()).unwrap();
            assert_eq!(remove(&more, "gh").as_deref(), Some(text));
        }
    }

    #[test]
    fn a_comment_above_the_next_remote_stays() {
        let text = "remotes:\n  # about a\n  a:\n    type: linear # team\n\n  # about b\n  b:\n    type: linear\n";
        assert_eq!(remove(text, "a").unwrap(), "remotes:\n  # about a\n\n  # about b\n  b:\n    type: linear\n");
        assert_eq!(remove(text, "c"), None);
    }

    #[test]
    fn a_flow_mapping_is_left_to_its_author() {
        assert_eq!(add("remotes: {a: {type: linear}}\n", "gh", &remote()), None);
    }

    #[test]
    fn words_that_yaml_would_read_otherwise_are_quoted() {
        for (text, written) in
            [("acme/app", "acme/app"), ("no", "\"no\""), ("1", "\"1\""), ("a: b", "\"a: b\""), ("", "\"\"")]
        {
            assert_eq!(quoted(text), written);
        }
    }
}
