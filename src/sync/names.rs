//! File names from remote text, which is untrusted: it never leaves its folder, hides, or poses as something else.

use crate::domain::{
    layout,
    path::{BadPath, WsPath},
};

/// Bytes of remote text that go into a name.
const MAX: usize = 80;

/// A name made of letters, digits, `-`, `_` and `.`, that neither hides nor is an editor's scratch name.
pub fn stem(text: &str) -> String {
    let legal = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let mut name = String::new();
    for c in text.trim().chars().map(legal) {
        if name.len() + c.len_utf8() > MAX {
            break;
        }
        name.push(c);
    }
    let name = name.trim_matches(['.', '-']);
    if name.is_empty() || layout::is_scratch(&format!("{name}.md")) { format!("issue-{name}") } else { name.to_owned() }
}

/// The file for a remote key, by preference: `KEY.md`, then `KEY-2.md`, …
pub fn issue_paths(folder: &WsPath, key: &str) -> impl Iterator<Item = WsPath> {
    let (folder, stem) = (folder.clone(), stem(key));
    (1..100)
        .filter_map(move |n| folder.join(&if n == 1 { format!("{stem}.md") } else { format!("{stem}-{n}.md") }).ok())
}

/// Where the comments on a ticket are.
pub fn comments_folder(ticket: &WsPath) -> Result<WsPath, BadPath> {
    ticket.parent().unwrap_or_default().join(ticket.stem())?.join("comments")
}

/// The file for the `number`th comment of a ticket: `comments/3-alice.md` in the ticket's own folder.
pub fn comment_paths(ticket: &WsPath, number: usize, author: &str) -> impl Iterator<Item = WsPath> {
    let folder = comments_folder(ticket).ok();
    let stem = stem(author);
    (1..100).filter_map(move |n| {
        let name = if n == 1 { format!("{number}-{stem}.md") } else { format!("{number}-{stem}-{n}.md") };
        folder.as_ref()?.join(&name).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_keep_their_names() {
        let tickets = WsPath::new("tickets").unwrap();
        assert_eq!(issue_paths(&tickets, "ENG-42").next().unwrap().as_str(), "tickets/ENG-42.md");
        assert_eq!(issue_paths(&tickets, "145").nth(1).unwrap().as_str(), "tickets/145-2.md");
        let ticket = WsPath::new("tickets/auth/login.md").unwrap();
        assert_eq!(
            comment_paths(&ticket, 3, "Änne B").next().unwrap().as_str(),
            "tickets/auth/login/comments/3-Änne-B.md"
        );
    }

    proptest! {
        #[test]
        fn no_text_leaves_the_folder_or_hides(text in "\\PC{0,120}|(\\.\\.?/?){1,9}|[#~.]{1,4}|4913") {
            let folder = WsPath::new("tickets").unwrap();
            let path = issue_paths(&folder, &text).next().expect("always a legal name");
            prop_assert_eq!(path.parent(), Some(folder));
            prop_assert!(!path.file_name().starts_with('.'));
            prop_assert!(path.file_name().len() <= MAX + 12);
            prop_assert!(!layout::is_scratch(path.file_name()));
        }
    }
}
