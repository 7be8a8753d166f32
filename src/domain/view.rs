//! Saved queries: `.trackfs/views/NAME.yaml` is the folder `views/NAME/`.

use super::{
    catalog::{Card, legal_name},
    document::{
        Position,
        yaml::{self, Key, Node},
    },
    nearest::nearest,
    path::WsPath,
    problem::{Problem, Severity},
    query::{Query, QueryError},
    schema::{self, Schema},
    text::scalar_text,
};

/// Where saved queries stand in a workspace.
pub const FOLDER: &str = ".trackfs/views";

/// The folders that `views/` has in any workspace.
pub const BUILT_IN: [&str; 17] = [
    "assignee",
    "backlinks",
    "blocked",
    "inbox",
    "label",
    "links",
    "milestone",
    "mine",
    "overdue",
    "priority",
    "project",
    "ready",
    "recent",
    "status",
    "tag",
    "tree",
    "type",
];

const KEYS: [&str; 4] = ["query", "sort", "limit", "name"];
/// A file beyond this is not read.
const MAX_BYTES: usize = 1 << 16;
/// Characters of a title that go into a name.
const MAX_SLUG: usize = 60;

/// A query with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedView {
    pub query: Query,
    /// How its entries are called; `None`: as in every view.
    pub name: Option<NamePattern>,
}

/// `{key}-{slug}`: a text with parts of a ticket in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The name of the file, without its ending.
    Name,
    /// Its first key on a remote, else its name.
    Key,
    /// The title in small letters, with dashes.
    Slug,
    Field(String),
}

/// The name of the view that a file is, if it is one.
pub fn name_of(path: &WsPath) -> Option<&str> {
    let is_view = path.parent().is_some_and(|folder| folder.as_str() == FOLDER);
    Some(path.stem()).filter(|_| is_view && path.extension() == Some("yaml"))
}

impl SavedView {
    /// Reads a file; the problems name line and column.
    pub fn parse(path: &WsPath, bytes: &[u8], schema: &Schema) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader { path, schema, problems: Vec::new() };
        let view = reader.view(bytes);
        view.filter(|_| reader.problems.is_empty()).ok_or(reader.problems)
    }
}

struct Reader<'r> {
    path: &'r WsPath,
    schema: &'r Schema,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// Reports; answers `None`, so that it can end any reading.
    fn fail<T>(&mut self, at: Position, message: &str, help: Option<String>) -> Option<T> {
        let message = message.to_owned();
        self.problems.push(schema::problem(self.path, at, Severity::Error, "bad-view", message, help));
        None
    }

    fn view(&mut self, bytes: &[u8]) -> Option<SavedView> {
        let start = Position::START;
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_BYTES);
        let Some(text) = text else { return self.fail(start, "the file is no text, or a very long one", None) };
        let root = match yaml::read(text.strip_prefix('\u{feff}').unwrap_or(text)) {
            Ok(root) => root,
            Err(error) => return self.fail(error.at, &error.message, None),
        };
        let Some(entries) = root.as_ref().and_then(Node::entries) else {
            return self.fail(start, "a view is written as `name: value`", Some("query: status:todo".to_owned()));
        };
        if let Some(name) = name_of(self.path).filter(|name| BUILT_IN.contains(name)) {
            self.fail::<()>(
                start,
                &format!("there is a view `{name}` already"),
                Some("call the file otherwise".to_owned()),
            );
        }
        entries.iter().filter(|(key, _)| !KEYS.contains(&key.text.as_str())).for_each(|(key, _)| self.unknown(key));
        let member = |name: &str| entries.iter().find(|(key, _)| key.text == name).map(|(_, node)| node);
        let Some(query) = member("query") else { return self.fail(start, "`query` is missing", None) };
        // The one language says it all: what stands apart is for who finds that easier to read.
        let mut query = self.query(query, "")?;
        if let Some(sort) = member("sort") {
            query = query.ordered_by(self.query(sort, "sort:")?);
        }
        if let Some(limit) = member("limit") {
            query = query.ordered_by(self.query(limit, "limit:")?);
        }
        let name = member("name").map(|node| self.pattern(node));
        Some(SavedView { query, name: name.map_or(Some(None), |name| name.map(Some))? })
    }

    fn unknown(&mut self, key: &Key) {
        let near = nearest(&key.text, KEYS).map(|near| format!("did you mean `{near}`?"));
        let help = near.unwrap_or_else(|| format!("one of {}", KEYS.join(", ")));
        self.fail::<()>(key.at, &format!("a view has no `{}`", key.text), Some(help));
    }

    fn query(&mut self, node: &Node, before: &str) -> Option<Query> {
        let Some(text) = scalar_text(&node.value()) else {
            return self.fail(node.at, "this is written on one line", None);
        };
        match Query::parse(&format!("{before}{text}"), self.schema) {
            Ok(query) => Some(query),
            Err(QueryError { column, message, help }) => {
                // As far as the text stands there as it is written.
                let quote = u32::from(matches!(node.style, yaml::Style::SingleQuoted | yaml::Style::DoubleQuoted));
                let column = node.at.column + quote + (column - 1).saturating_sub(before.len()) as u32;
                self.fail(Position { column, ..node.at }, &message, help)
            }
        }
    }

    fn pattern(&mut self, node: &Node) -> Option<NamePattern> {
        let text = scalar_text(&node.value()).unwrap_or_default();
        match NamePattern::parse(&text) {
            Ok(pattern) => Some(pattern),
            Err(message) => self.fail(node.at, &message, Some("name: \"{key}-{slug}\"".to_owned())),
        }
    }
}

impl NamePattern {
    fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text.strip_suffix(".md").unwrap_or(text);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("a `{` has no `}`")?;
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(match name {
                "name" => Piece::Name,
                "key" => Piece::Key,
                "slug" => Piece::Slug,
                field => Piece::Field(field.to_owned()),
            });
            rest = after;
        }
        if pieces.is_empty() {
            return Err("a name has a part in braces, so that it is another for each ticket".to_owned());
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// The name of a ticket without its ending: a legal one, which others may have too.
    pub fn name(&self, card: &Card) -> String {
        let name: String = self.0.iter().map(|piece| piece.of(card)).collect();
        legal_name(&name).into_owned()
    }
}

impl Piece {
    fn of(&self, card: &Card) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Name => card.path.stem().to_owned(),
            Self::Key => card.keys().next().map_or(card.path.stem(), |(_, key)| key).to_owned(),
            Self::Slug => slug(&card.title, MAX_SLUG),
            Self::Field(field) => card.values(field).collect::<Vec<_>>().join(","),
        }
    }
}

/// A text in small letters, with dashes between its words; at most so many bytes, and perhaps empty.
pub fn slug(text: &str, most: usize) -> String {
    let mut slug = String::new();
    for c in text.to_lowercase().chars() {
        if slug.len() + c.len_utf8() > most {
            break;
        }
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(yaml: &str) -> Vec<String> {
        let path = WsPath::new(".trackfs/views/x.yaml").unwrap();
        let problems = SavedView::parse(&path, yaml.as_bytes(), &Schema::default()).expect_err("a broken view");
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_view_is_a_query_with_its_order_and_names() {
        let path = WsPath::new(".trackfs/views/stale-bugs.yaml").unwrap();
        let schema = Schema::default();
        let apart = "query: label:bug is:open\nsort: updated-asc\nlimit: 5\nname: \"{key}-{slug}\"\n";
        let view = SavedView::parse(&path, apart.as_bytes(), &schema).unwrap();
        assert_eq!(view.query, Query::parse("label:bug is:open sort:updated-asc limit:5", &schema).unwrap());
        assert_eq!(view.name, NamePattern::parse("{key}-{slug}.md").ok());
        assert_eq!(name_of(&path), Some("stale-bugs"));
        let others = [".trackfs/views/a/b.yaml", ".trackfs/a.yaml", "views/a.yaml", ".trackfs/views/a.md"];
        assert_eq!(others.map(|other| name_of(&WsPath::new(other).unwrap()).is_some()), [false; 4]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (yaml, expected) in [
            ("", "1:1: a view is written as `name: value` (query: status:todo)"),
            ("sort: due\n", "1:1: `query` is missing"),
            ("query: is:open lable:bug\n", "1:16: there is no field `lable` (did you mean `labels`?)"),
            ("query: 'is:opne'\n", "1:12: a ticket is never `opne` (did you mean `open`?)"),
            ("query: is:open\nsort: -due\n", "2:7: there is no field `-due` (did you mean `due`?)"),
            ("query: is:open\nsorted: due\n", "2:1: a view has no `sorted` (did you mean `sort`?)"),
            ("query: is:open\nlimit: many\n", "2:8: `many` is no number of tickets"),
            (
                "query: is:open\nname: x\n",
                "2:7: a name has a part in braces, so that it is another for each ticket (name: \"{key}-{slug}\")",
            ),
            ("query: [a]\n", "1:8: this is written on one line"),
        ] {
            assert_eq!(problems(yaml), [format!(".trackfs/views/x.yaml:{expected}")], "{yaml:?}");
        }
    }

    #[test]
    fn a_slug_is_a_plain_name() {
        assert_eq!(slug("Login fails: Safari / iOS 18!", 60), "login-fails-safari-ios-18");
        assert_eq!((slug("…", 60), slug("abc def", 5)), (String::new(), "abc-d".to_owned()));
    }
}
