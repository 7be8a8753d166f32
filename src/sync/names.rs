//! File names from remote text, which is untrusted: it never leaves its folder, hides, or poses as something else.

use crate::{
    domain::{
        issue::{Field, FieldValue, ObjectKind, RemoteIssue},
        layout,
        path::{BadPath, WsPath},
        view,
    },
    workspace::config::RemoteConfig,
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

/// The file for an object, by preference: of an issue `KEY.md`, then `KEY-2.md`, …; of a project `title.md`, and of a document
/// `title.md` in the folder of its project. None where the configuration names no folder for such objects.
pub fn object_paths(config: &RemoteConfig, object: &RemoteIssue) -> impl Iterator<Item = WsPath> + use<> {
    let text = |field| object.fields.get(&field).and_then(FieldValue::as_text);
    let title = || text(Field::Title).map(titled).filter(|name| !name.is_empty());
    let named = || stem(&title().unwrap_or_else(|| object.key.clone()));
    let place = match object.kind() {
        ObjectKind::Issue => Some((config.folder.clone(), stem(&object.key))),
        ObjectKind::Project => config.documents.clone().map(|folder| (folder, named())),
        ObjectKind::Document => config.documents.clone().map(|folder| {
            let project = text(Field::Project).map(titled).filter(|name| !name.is_empty());
            let inner = project.and_then(|project| folder.join(&folder_name(&project)).ok());
            (inner.unwrap_or(folder), named())
        }),
    };
    place.into_iter().flat_map(|(folder, stem)| numbered(folder, stem))
}

/// A title as a file name, but for what makes it safe.
fn titled(title: &str) -> String {
    view::slug(title, MAX)
}

/// As [`stem`], of a folder.
fn folder_name(text: &str) -> String {
    let name = stem(text);
    if layout::is_scratch(&name) { format!("project-{name}") } else { name }
}

/// `stem.md`, then `stem-2.md`, …
fn numbered(folder: WsPath, stem: String) -> impl Iterator<Item = WsPath> {
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
    use crate::workspace::config::RemoteKind;
    use proptest::prelude::*;

    #[test]
    fn keys_keep_their_names() {
        assert_eq!(paths_of(object(ObjectKind::Issue, "ENG-42", &[])), ["tickets/ENG-42.md", "tickets/ENG-42-2.md"]);
        let ticket = WsPath::new("tickets/auth/login.md").unwrap();
        assert_eq!(
            comment_paths(&ticket, 3, "Änne B").next().unwrap().as_str(),
            "tickets/auth/login/comments/3-Änne-B.md"
        );
    }

    #[test]
    fn texts_are_called_by_their_titles_and_lie_with_their_projects() {
        let titled = [(Field::Title, "Sign-in: how & why?"), (Field::Project, "Launch/../x")];
        let paths = |kind, fields: &[(Field, &str)]| paths_of(object(kind, "doc-8f2c", fields));
        assert_eq!(paths(ObjectKind::Project, &titled[..1])[0], "specs/eng/sign-in-how-why.md");
        assert_eq!(paths(ObjectKind::Document, &titled[..1])[0], "specs/eng/sign-in-how-why.md");
        assert_eq!(paths(ObjectKind::Document, &titled)[1], "specs/eng/launch-x/sign-in-how-why-2.md");
        assert_eq!(paths(ObjectKind::Document, &[(Field::Title, "…")])[0], "specs/eng/doc-8f2c.md");
        let nowhere = RemoteConfig { documents: None, ..config() };
        assert_eq!(object_paths(&nowhere, &object(ObjectKind::Document, "doc-8f2c", &titled)).next(), None);
    }

    fn config() -> RemoteConfig {
        let documents = Some(WsPath::new("specs/eng").unwrap());
        RemoteConfig { documents, ..RemoteConfig::new(RemoteKind::Linear, WsPath::new("tickets").unwrap()) }
    }

    fn object(kind: ObjectKind, key: &str, fields: &[(Field, &str)]) -> RemoteIssue {
        RemoteIssue {
            id: kind.id("0000"),
            key: key.to_owned(),
            url: String::new(),
            updated_at: String::new(),
            archived: false,
            fields: fields.iter().map(|(field, text)| (*field, FieldValue::text(*text))).collect(),
            comments: Vec::new(),
            reactions: Default::default(),
        }
    }

    /// The first two.
    fn paths_of(object: RemoteIssue) -> Vec<String> {
        object_paths(&config(), &object).take(2).map(|path| path.as_str().to_owned()).collect()
    }

    proptest! {
        #[test]
        fn no_text_leaves_the_folder_or_hides(text in "\\PC{0,120}|(\\.\\.?/?){1,9}|[#~.]{1,4}|4913") {
            let titled = [(Field::Title, text.as_str()), (Field::Project, text.as_str())];
            for kind in [ObjectKind::Issue, ObjectKind::Project, ObjectKind::Document] {
                let path = object_paths(&config(), &object(kind, &text, &titled)).next().expect("always a legal name");
                let folder = WsPath::new(if kind.is_text() { "specs/eng" } else { "tickets" }).unwrap();
                prop_assert!(path.is_within(&folder));
                for name in path.names() {
                    prop_assert!(!name.starts_with('.') && !layout::is_scratch(name));
                    prop_assert!(name.len() <= MAX + 12);
                }
            }
        }
    }
}
