//! Which files of a workspace are tickets, comments, specs, and which are an editor's scratch.
//!
//! A file is what its path says. Only below a ticket's own folder does its content count: there a Markdown file is a
//! deliverable unless it has a frontmatter block.

use super::path::WsPath;
use serde::{Deserialize, Serialize};

/// What a file is, by its path (and, below a ticket's own folder, by whether it has a frontmatter block).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Kind {
    Ticket,
    /// `…/NAME/comments/*.md`: a comment on the ticket `…/NAME.md`, whether that is there or not.
    Comment {
        ticket: WsPath,
    },
    /// `inbox/*`: text that becomes a ticket.
    Inbox,
    Spec,
    /// `.trackfs/**`.
    Config,
    /// Versioned, and nothing else: deliverables, attachments, anything.
    Other,
    /// An editor's or tool's transient file: works like any file; never a ticket, committed or synced.
    Scratch,
}

/// What [`classify`] cannot see in a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether one of [`owners`] exists: of `…/NAME/x.md` and `…/NAME/comments/x.md`, the ticket `…/NAME.md`.
    pub sibling_ticket: bool,
    pub has_frontmatter: bool,
    /// What the file was when it last settled: a ticket that lost its frontmatter block stays one.
    pub was: Option<Kind>,
}

/// What the file at this path is.
pub fn classify(path: &WsPath, facts: Facts) -> Kind {
    if path.names().any(|name| name == ".git" || is_scratch(name)) {
        return Kind::Scratch;
    }
    let names: Vec<&str> = path.names().collect();
    match names[..] {
        [".trackfs", _, ..] => Kind::Config,
        _ if names.iter().any(|name| name.starts_with('.')) => Kind::Other,
        ["specs", _, ..] => Kind::Spec,
        ["inbox", _] => Kind::Inbox,
        ["tickets", _, ..] if path.extension() == Some("md") => classify_ticket(path, &facts),
        _ => Kind::Other,
    }
}

fn classify_ticket(path: &WsPath, facts: &Facts) -> Kind {
    match commented(path) {
        // Also when its ticket is gone: what is left of it must not become tickets.
        Some(ticket) if facts.was != Some(Kind::Ticket) => Kind::Comment { ticket },
        _ if !facts.sibling_ticket || facts.has_frontmatter || facts.was == Some(Kind::Ticket) => Kind::Ticket,
        _ => Kind::Other,
    }
}

/// The tickets in whose own folder a file below `tickets/` would lie, nearest first; of a comment, the one it is on.
pub fn owners(path: &WsPath) -> Vec<WsPath> {
    if let Some(ticket) = commented(path) {
        return vec![ticket];
    }
    let folders = std::iter::successors(path.parent(), WsPath::parent);
    folders.take_while(|folder| folder.names().nth(1).is_some()).filter_map(|folder| ticket_of(&folder)).collect()
}

/// The ticket that a file in a folder named `comments` is on.
fn commented(path: &WsPath) -> Option<WsPath> {
    let comments = path.parent().filter(|folder| folder.file_name() == "comments")?;
    ticket_of(&comments.parent()?)
}

/// `tickets/a/NAME.md` for the folder `tickets/a/NAME`.
fn ticket_of(folder: &WsPath) -> Option<WsPath> {
    let mut names = folder.names();
    (names.next() == Some("tickets") && names.next().is_some())
        .then(|| WsPath::new(format!("{}.md", folder.as_str())).expect("a name with an extension is still a name"))
}

/// Whether a name is one that editors, tools and kernels give to their transient files.
///
/// Names that are random letters only (`perl -i`) cannot be told from words, so they are not caught; nor are names that
/// a person could mean (`sedative.md`, `template.md`, `.env.sample`).
pub fn is_scratch(name: &str) -> bool {
    let ending = [".tmp", ".bak", ".bck", ".orig", ".rej", ".vsctmp", ".crswap", "~"];
    let infix = ["___jb_", ".tmp.", ".kak.", ".vis."];
    let prefix = [".#", ".~lock.", ".goutputstream-", ".fuse_hidden", ".nfs0"];
    ending.iter().any(|ending| name.ends_with(ending))
        || infix.iter().any(|infix| name.contains(infix))
        || prefix.iter().any(|prefix| name.starts_with(prefix))
        || (name.len() > 2 && name.starts_with('#') && name.ends_with('#'))
        || is_vim_probe(name)
        || is_vim_swap(name)
        || is_random_name(name)
        || has_random_suffix(name)
}

/// `4913`, and the next numbers that vim tries when it is taken.
fn is_vim_probe(name: &str) -> bool {
    name.len() == 4 && name.parse::<u32>().is_ok_and(|n| (4913..6143).contains(&n) && (n - 4913).is_multiple_of(123))
}

/// `.name.swp`, `.name.swo`, …
fn is_vim_swap(name: &str) -> bool {
    let extension = name.strip_prefix('.').and_then(|rest| rest.rsplit_once('.'));
    extension.is_some_and(|(_, end)| {
        end.len() == 3 && end.starts_with("sw") && end.ends_with(|c: char| c.is_ascii_alphabetic())
    })
}

/// `sedXXXXXX`, `tmpXXXXXX` (emacs), `tmpXXXXXXXX` (Python; also with an extension).
fn is_random_name(name: &str) -> bool {
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    if let Some(random) = name.strip_prefix("sed") {
        return random.len() == 6 && is_random(random);
    }
    let Some(random) = stem.strip_prefix("tmp").filter(|random| matches!(random.len(), 6 | 8)) else { return false };
    let legal = random.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    legal && (extension.is_empty() || random.bytes().any(|b| !b.is_ascii_lowercase()))
}

/// `F.XXXXXX` (Qt), `.F.XXXXXX` (rsync), `F.oXXXXXX` (patch).
fn has_random_suffix(name: &str) -> bool {
    let Some((file, suffix)) = name.rsplit_once('.') else { return false };
    let random = match suffix.len() {
        7 => suffix.strip_prefix('o'),
        6 => Some(suffix),
        _ => None,
    };
    let has_extension = file.trim_start_matches('.').contains('.') || file.starts_with('.');
    random.is_some_and(|random| {
        random.bytes().all(|b| b.is_ascii_alphanumeric())
            && (file.ends_with(".md")
                || has_extension && random.bytes().any(|b| b.is_ascii_uppercase()) && is_random(random))
    })
}

/// Letters and digits as `mkstemp` draws them; words (lower case only) and numbers are not taken for random.
fn is_random(text: &str) -> bool {
    let any = |test: fn(&u8) -> bool| text.bytes().any(|b| test(&b));
    let kinds = [any(u8::is_ascii_lowercase), any(u8::is_ascii_uppercase), any(u8::is_ascii_digit)];
    text.bytes().all(|b| b.is_ascii_alphanumeric()) && kinds.iter().filter(|&&kind| kind).count() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> WsPath {
        WsPath::new(text).unwrap()
    }

    #[test]
    fn transient_names_are_scratch() {
        for name in [
            ".login.md.swp",
            ".login.md.swx",
            ".login.md.swo",
            "4913",
            "5036",
            "login.md~",
            ".login.md.un~",
            ".#login.md",
            "#login.md#",
            "login.md___jb_tmp___",
            "login.md___jb_old___",
            ".login.md.kak.Ab3dEf",
            "login.mdAb3dEf.bck",
            ".login.md.vis.Ab3dEf",
            ".goutputstream-AB12CD",
            "sedAb3dEf",
            "seda1b2c3",
            ".login.md.Ab3dEf",
            ".login.md.abcdef",
            "login.md.oAb3dEf",
            "login.md.orig",
            "login.md.rej",
            "login.md.bak",
            "login.md.vsctmp",
            ".~lock.login.md#",
            "tmpAb3dEf",
            "tmpx7qkz_ab",
            "tmpx7qkz_ab.md",
            "login.md.123.tmp",
            "login.md.tmp.123.1700000000",
            ".tmp",
            "login.md.Ab3dEf",
            ".fuse_hidden000001",
        ] {
            assert!(is_scratch(name), "{name}");
        }
    }

    #[test]
    fn names_that_a_person_could_mean_are_not_scratch() {
        for name in [
            "login.md",
            "sedative.md",
            "sedatives",
            "sediment.md",
            "template.md",
            "templates",
            "tmpfs.md",
            "tmp.md",
            "temp",
            "tmpfiles.md",
            "4914",
            "1234",
            "145.md",
            "C#",
            "#1.md",
            "ENG-42.md",
            ".env.sample",
            ".gitignore",
            "notes.config",
            "data.tar.sha256",
            "report.2026.120112",
            "backup.md",
            "original.md",
            "swap.swp.md",
            "overview",
            "v1.2.123456",
            "archive.offline",
            "#",
            "##",
            ".sw.md",
            "tmp-notes.md",
        ] {
            assert!(!is_scratch(name), "{name}");
        }
    }

    #[test]
    fn a_path_says_what_a_file_is() {
        let ticket = |name: &str| Kind::Comment { ticket: path(name) };
        let owned = Facts { sibling_ticket: true, ..Facts::default() };
        let drafted = Facts { has_frontmatter: true, ..owned.clone() };
        let broken = Facts { was: Some(Kind::Ticket), ..owned.clone() };
        let free = Facts::default();
        for (name, facts, kind) in [
            ("tickets/login.md", &free, Kind::Ticket),
            ("tickets/team/deep/login.md", &free, Kind::Ticket),
            ("tickets/login.txt", &free, Kind::Other),
            ("tickets/.hidden.md", &free, Kind::Other),
            ("tickets/.obsidian/a.md", &free, Kind::Other),
            ("tickets/login/draft.md", &owned, Kind::Other),
            ("tickets/login/draft.md", &drafted, Kind::Ticket),
            ("tickets/login/draft.md", &broken, Kind::Ticket),
            ("tickets/login/comments/1.md", &owned, ticket("tickets/login.md")),
            ("tickets/login/comments/1.md", &drafted, ticket("tickets/login.md")),
            ("tickets/login/comments/1.md", &free, ticket("tickets/login.md")),
            ("tickets/login/comments/1.png", &owned, Kind::Other),
            ("tickets/comments/1.md", &free, Kind::Ticket),
            ("tickets/a/comments/.#1.md", &owned, Kind::Scratch),
            ("tickets/4913", &free, Kind::Scratch),
            ("tickets/login.md~/x.md", &free, Kind::Scratch),
            (".git/config", &free, Kind::Scratch),
            ("specs/.git/config", &free, Kind::Scratch),
            (".trackfs/views/mine.yaml", &free, Kind::Config),
            (".trackfs/hooks/.keep", &free, Kind::Config),
            ("specs/auth/login.md", &free, Kind::Spec),
            ("specs/.hidden", &free, Kind::Other),
            ("inbox/idea", &free, Kind::Inbox),
            ("inbox/.keep", &free, Kind::Other),
            ("inbox/deep/idea.md", &free, Kind::Other),
            ("README.md", &free, Kind::Other),
            ("tickets", &free, Kind::Other),
            ("", &free, Kind::Other),
        ] {
            assert_eq!(classify(&path(name), facts.clone()), kind, "{name} {facts:?}");
        }
    }

    #[test]
    fn owners_are_the_tickets_beside_the_folders_above() {
        let owners = |name: &str| owners(&path(name)).iter().map(|p| p.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(owners("tickets/a/b/x.md"), ["tickets/a/b.md", "tickets/a.md"]);
        assert_eq!(owners("tickets/a/comments/x.md"), ["tickets/a.md"]);
        assert!(owners("tickets/x.md").is_empty());
        assert!(owners("specs/a/x.md").is_empty());
        assert!(owners("x.md").is_empty());
    }
}
