//! Reads `.trackfs/schema.yaml`. All that is wrong is reported at once, each with its place.

use super::{FieldDef, FieldKind, Schema, StatusDef, StatusKind, problem};
use crate::domain::{
    document::{
        Position,
        yaml::{self, Content, Key, Node},
    },
    nearest::nearest,
    path::WsPath,
    problem::{Problem, Severity},
    text::scalar_text,
};

/// A schema beyond this is not read.
const MAX_BYTES: usize = 1 << 20;

const TYPES: [&str; 11] =
    ["text", "status", "choice", "number", "bool", "date", "set", "link", "links", "path", "sync"];
const STATUS_KINDS: [(&str, StatusKind); 5] = [
    ("backlog", StatusKind::Backlog),
    ("unstarted", StatusKind::Unstarted),
    ("started", StatusKind::Started),
    ("completed", StatusKind::Completed),
    ("canceled", StatusKind::Canceled),
];
/// Fields that trackfs itself acts on, and the type that each must have where it is declared.
const RESERVED: [(&str, FieldKind); 3] =
    [("title", FieldKind::Text), ("status", FieldKind::Status), ("sync", FieldKind::Sync)];

pub(super) fn parse(path: &WsPath, yaml: &str) -> Result<Schema, Vec<Problem>> {
    let mut reader = Reader { path, statuses: Vec::new(), problems: Vec::new() };
    let start = Position::START;
    if yaml.len() > MAX_BYTES {
        reader.fail::<()>(start, &format!("the schema is larger than {MAX_BYTES} bytes"), None);
        return Err(reader.problems);
    }
    let schema = match yaml::read(yaml.strip_prefix('\u{feff}').unwrap_or(yaml)) {
        Ok(Some(root)) => reader.schema(&root),
        Ok(None) => reader.fail(start, "the schema is empty", Some("it has `statuses:` and `fields:`".to_owned())),
        Err(error) => reader.fail(error.at, &error.message, None),
    };
    match schema {
        Some(schema) if reader.problems.is_empty() => Ok(schema),
        _ => {
            reader.problems.sort_by_key(|problem| (problem.line, problem.column));
            Err(reader.problems)
        }
    }
}

struct Reader<'a> {
    path: &'a WsPath,
    /// Names, for what `next` may name.
    statuses: Vec<String>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// Reports; answers `None`, so that it can end any reading.
    fn fail<T>(&mut self, at: Position, message: &str, help: Option<String>) -> Option<T> {
        let code = "invalid-schema";
        self.problems.push(problem(self.path, at, Severity::Error, code, message.to_owned(), help));
        None
    }

    fn schema(&mut self, root: &Node) -> Option<Schema> {
        let [statuses, fields] = self.members(root, "the schema", ["statuses", "fields"])?;
        let names = statuses.and_then(Node::entries).unwrap_or_default();
        self.statuses = names.iter().map(|(key, _)| key.text.clone()).collect();
        let statuses = self.section(root, statuses, "statuses", Self::status);
        let fields = self.section(root, fields, "fields", Self::field);
        Some(Schema { fields: fields?, statuses: statuses? })
    }

    fn section<T>(
        &mut self,
        root: &Node,
        section: Option<&Node>,
        name: &str,
        read: impl Fn(&mut Self, &Key, &Node) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(section) = section else { return self.fail(root.at, &format!("`{name}` is missing"), None) };
        match section.entries() {
            Some(entries @ [_, ..]) => {
                let read: Vec<_> = entries.iter().map(|(key, node)| read(self, key, node)).collect();
                read.into_iter().collect()
            }
            _ => self.fail(section.at, &format!("`{name}` must list names, one per line"), None),
        }
    }

    fn status(&mut self, key: &Key, node: &Node) -> Option<StatusDef> {
        let [kind, next] = self.members(node, &format!("the status `{}`", key.text), ["kind", "next"])?;
        let Some(kind) = kind else {
            return self.fail(key.at, &format!("the status `{}` has no `kind`", key.text), Some(one_of(kinds())));
        };
        let kind = self.choose(kind, "a kind of status", &STATUS_KINDS)?;
        let next = next.map_or(Some(Vec::new()), |node| self.next(node))?;
        Some(StatusDef { name: key.text.clone(), kind, next })
    }

    /// Statuses that exist.
    fn next(&mut self, node: &Node) -> Option<Vec<String>> {
        self.words(node, "next")?;
        let Content::List(items) = &node.content else { return None };
        let statuses = self.statuses.clone();
        let known: Vec<(&str, String)> = statuses.iter().map(|name| (name.as_str(), name.clone())).collect();
        items.iter().map(|item| self.choose(item, "a status", &known)).collect()
    }

    fn field(&mut self, key: &Key, node: &Node) -> Option<FieldDef> {
        let name = key.text.clone();
        let (kind, required) = match &node.content {
            Content::Scalar(_) => (self.kind(node, None)?, false),
            _ => {
                let whose = format!("the field `{name}`");
                let [kind, of, required] = self.members(node, &whose, ["type", "of", "required"])?;
                let Some(kind) = kind else {
                    return self.fail(key.at, &format!("{whose} has no `type`"), Some(one_of(TYPES)));
                };
                (self.kind(kind, of)?, required.map_or(Some(false), |node| self.flag(node))?)
            }
        };
        match RESERVED.iter().find(|(reserved, must)| *reserved == name && *must != kind) {
            Some(_) => {
                self.fail(node.at, &format!("trackfs itself uses `{name}`, so its type cannot be changed"), None)
            }
            None => Some(FieldDef { name, kind, required }),
        }
    }

    fn kind(&mut self, node: &Node, of: Option<&Node>) -> Option<FieldKind> {
        let types = TYPES.map(|name| (name, name));
        let kind = self.choose(node, "a type of field", &types)?;
        if let Some(of) = of.filter(|_| kind != "choice") {
            return self.fail(of.at, &format!("`of` belongs to the type `choice`, not to `{kind}`"), None);
        }
        Some(match kind {
            "status" => FieldKind::Status,
            "choice" => match of {
                Some(of) => FieldKind::Choice(self.words(of, "of")?),
                None => return self.fail(node.at, "a choice needs `of`", Some("of: [high, low]".to_owned())),
            },
            "number" => FieldKind::Number,
            "bool" => FieldKind::Bool,
            "date" => FieldKind::Date,
            "set" => FieldKind::Set,
            "link" => FieldKind::Link,
            "links" => FieldKind::Links,
            "path" => FieldKind::Path,
            "sync" => FieldKind::Sync,
            _ => FieldKind::Text,
        })
    }

    /// The values of the members named, in that order; any other member is a mistake.
    fn members<'n, const N: usize>(
        &mut self,
        node: &'n Node,
        whose: &str,
        names: [&str; N],
    ) -> Option<[Option<&'n Node>; N]> {
        let Some(entries) = node.entries() else {
            return self.fail(node.at, &format!("{whose} must be written as `name: value`"), Some(one_of(names)));
        };
        for (key, _) in entries.iter().filter(|(key, _)| !names.contains(&key.text.as_str())) {
            self.fail::<()>(key.at, &format!("{whose} has no `{}`", key.text), Some(suggestion(&key.text, names)));
        }
        Some(names.map(|name| entries.iter().find(|(key, _)| key.text == name).map(|(_, node)| node)))
    }

    fn choose<T: Clone>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let name = word(node).unwrap_or_default();
        match choices.iter().find(|(choice, _)| *choice == name) {
            Some((_, value)) => Some(value.clone()),
            None => {
                let help = suggestion(&name, choices.iter().map(|(choice, _)| *choice));
                self.fail(node.at, &format!("`{name}` is not {what}"), Some(help))
            }
        }
    }

    fn words(&mut self, node: &Node, name: &str) -> Option<Vec<String>> {
        match &node.content {
            Content::List(items) if !items.is_empty() => items.iter().map(word).collect::<Option<_>>(),
            _ => None,
        }
        .or_else(|| self.fail(node.at, &format!("`{name}` must be a list of words"), Some(format!("{name}: [a, b]"))))
    }

    fn flag(&mut self, node: &Node) -> Option<bool> {
        node.value().as_bool().or_else(|| self.fail(node.at, "`required` is true or false", None))
    }
}

fn word(node: &Node) -> Option<String> {
    scalar_text(&node.value()).filter(|text| !text.is_empty())
}

fn kinds() -> impl Iterator<Item = &'static str> {
    STATUS_KINDS.iter().map(|(name, _)| *name)
}

fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    format!("one of {}", names.into_iter().collect::<Vec<_>>().join(", "))
}

fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let list = one_of(known.iter().copied());
    nearest(name, known).map_or(list.clone(), |near| format!("did you mean `{near}`? {list}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(yaml: &str) -> Vec<String> {
        let path = WsPath::new(".trackfs/schema.yaml").unwrap();
        parse(&path, yaml).expect_err("a broken schema").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_default_has_the_fields_and_statuses_that_the_manual_names() {
        let schema = Schema::default();
        let names: Vec<&str> = schema.fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(
            names.join(" "),
            "title status priority assignee labels project milestone cycle parent blocked_by related duplicate_of spec due estimate attachments sync"
        );
        let statuses: Vec<_> = schema.statuses.iter().map(|status| (status.name.as_str(), status.kind)).collect();
        assert_eq!(statuses[2], ("in-progress", StatusKind::Started));
        assert_eq!(schema.first_of(StatusKind::Completed).unwrap().name, "done");
        assert_eq!(statuses.len(), 6);
        assert!(schema.transition_allowed("done", "backlog"));
    }

    #[test]
    fn a_status_can_limit_what_follows() {
        let yaml = "statuses:\n  a: {kind: backlog, next: [b]}\n  b: {kind: completed}\nfields:\n  title: text\n";
        let schema = Schema::parse(&WsPath::root(), yaml).unwrap();
        let allowed = [("a", "a"), ("a", "b"), ("b", "a"), ("gone", "a")].map(|(x, y)| schema.transition_allowed(x, y));
        assert_eq!(allowed, [true; 4]);
        assert!(!schema.transition_allowed("a", "c"));
    }

    #[test]
    fn everything_wrong_is_said_at_once_with_its_place() {
        let yaml = include_str!("../../../fixtures/schema/broken.yaml");
        let expected = include_str!("../../../fixtures/schema/broken.problems.txt");
        assert_eq!(problems(yaml).join("\n") + "\n", expected);
    }

    #[test]
    fn a_file_that_is_no_schema_is_a_problem() {
        assert_eq!(problems(""), [".trackfs/schema.yaml:1:1: the schema is empty (it has `statuses:` and `fields:`)"]);
        for yaml in
            ["- a", "x", "statuses: [", "statuses: {}\nfields: {}", "a: 1\na: 2", "statuses:\n  a:\nfields:\n  b:\n"]
        {
            assert!(!problems(yaml).is_empty(), "{yaml}");
        }
    }
}
