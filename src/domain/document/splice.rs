//! Where an edit of one field has to cut, and what it puts there.
//!
//! Nothing here is trusted: a splice that misjudges a notation is found out when its outcome is parsed.

use super::{
    Document,
    lines::{content, end_of_line, start_of_line},
    scalar,
    yaml::{Content, Key, Node, Style},
};
use crate::domain::Value;
use std::ops::Range;

/// White space of YAML.
const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];

/// New text for a range of the frontmatter block.
pub(super) struct Splice {
    pub range: Range<usize>,
    pub text: String,
}

/// The lines of a new field, each with its line end.
pub(super) fn new_lines(indent: &str, key: &str, value: &Value, eol: &str) -> String {
    let key = scalar::inline(&Value::from(key));
    let (first, rest) = written(value, Style::Plain);
    let rest: String = rest.iter().map(|line| format!("{}{eol}", indented(indent, line))).collect();
    format!("{indent}{key}: {first}{eol}{rest}")
}

/// A value as the end of its key's line, and the lines below it.
fn written(value: &Value, style: Style) -> (String, Vec<String>) {
    match value {
        Value::Array(items) if style == Style::Block && !items.is_empty() => {
            (String::new(), items.iter().map(|item| format!("- {}", scalar::inline(item))).collect())
        }
        Value::String(text) if style != Style::DoubleQuoted => match scalar::literal(text) {
            Some((header, lines)) => (header.to_owned(), lines.map(str::to_owned).collect()),
            None => (scalar::styled(value, style), Vec::new()),
        },
        _ => (scalar::styled(value, style), Vec::new()),
    }
}

fn indented(indent: &str, line: &str) -> String {
    if line.is_empty() { String::new() } else { format!("{indent}  {line}") }
}

/// The text between the markers; all offsets count from its start.
pub(super) struct Block<'document> {
    text: &'document str,
    root: Option<&'document Node>,
    eol: &'static str,
}

impl<'document> Block<'document> {
    pub fn of(document: &'document Document) -> Self {
        let range = document.block().expect("the document has a frontmatter block");
        let text = std::str::from_utf8(&document.bytes[range]).expect("a document without faults is UTF-8");
        Self { text, root: document.root.as_ref(), eol: document.eol() }
    }

    fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    fn line_start(&self, at: usize) -> usize {
        start_of_line(self.bytes(), at)
    }

    /// Where the line that holds `at` ends, its line end not counted.
    fn line_end(&self, at: usize) -> usize {
        let start = self.line_start(at);
        start + content(&self.bytes()[start..end_of_line(self.bytes(), at)]).len()
    }

    /// The white space before the keys.
    fn indent(&self) -> &str {
        let first = self.root.and_then(Node::entries).and_then(<[_]>::first);
        let line = first.map_or("", |(key, _)| &self.text[self.line_start(key.span.start)..key.span.start]);
        &line[..indent_of(line)]
    }

    /// Where a value ends, or the key of an absent one. The blank lines after a block scalar belong to it only if it
    /// keeps them.
    fn end_of(&self, key: Option<&Key>, node: &Node) -> usize {
        let last = deepest_last(node);
        let end = node.span.end.max(key.map_or(0, |key| key.span.end));
        if last.style != Style::BlockScalar {
            return end;
        }
        let trimmed = self.text[..end].trim_end_matches(WHITE).len();
        if self.keeps_blank_lines(last) { content(&self.bytes()[..end]).len().max(trimmed) } else { trimmed }
    }

    /// Whether the header of a block scalar has a `+`.
    fn keeps_blank_lines(&self, node: &Node) -> bool {
        let end = self.start_of(node);
        let line = &self.text[self.line_start(end)..end];
        let header = line.match_indices(['|', '>']).find_map(|(at, _)| {
            let rest = &line[at + 1..];
            let comment = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '+' || c == '-');
            let is_header = comment.is_empty() || (comment.starts_with([' ', '\t']) && comment.contains('#'));
            is_header.then(|| &rest[..rest.len() - comment.len()])
        });
        header.is_some_and(|header| header.contains('+'))
    }

    /// A place on the first line of a value; a block scalar begins with its header, above its text.
    fn start_of(&self, node: &Node) -> usize {
        let start = node.span.start;
        if node.style == Style::BlockScalar { self.text[..start].trim_end_matches(WHITE).len() } else { start }
    }

    /// A line at the end of the block.
    pub fn appended(&self, key: &str, value: &Value) -> Splice {
        let end = self.text.len();
        Splice { range: end..end, text: new_lines(self.indent(), key, value, self.eol) }
    }

    /// Ways to give a field a value, the least first.
    pub fn replacements(&self, key: &Key, node: &Node, value: &Value) -> Vec<Splice> {
        let ways = [self.differing_items(node, value), self.in_place(key, node, value)];
        let whole = self.whole_lines(key, node, written(value, node.style));
        // A block scalar would take over a comment that stands deeper below it.
        let quoted = value
            .is_string()
            .then(|| self.whole_lines(key, node, (scalar::styled(value, Style::DoubleQuoted), Vec::new())));
        ways.into_iter().flatten().chain([whole]).chain(quoted).collect()
    }

    /// The field's lines, of an absent value those of the key; and where a block scalar above would take them over, the
    /// blank lines below as well.
    pub fn removals(&self, key: &Key, node: &Node) -> Vec<Splice> {
        let start = self.line_start(key.span.start);
        // A value that is not there stands where the parser noticed it: below blank lines, for a key like `? a`.
        let of_key = node.span.is_empty().then(|| end_of_line(self.bytes(), key.span.end));
        let end = end_of_line(self.bytes(), self.end_of(Some(key), node));
        let blank = self.text[end..].len() - self.text[end..].trim_start_matches(WHITE).len();
        let with_blank = self.line_start(end + blank).max(end);
        let ends = of_key.into_iter().chain([end, with_blank]);
        ends.map(|end| Splice { range: start..end, text: String::new() }).collect()
    }

    /// The value alone, on the lines it stands on.
    fn in_place(&self, key: &Key, node: &Node, value: &Value) -> Option<Splice> {
        if matches!(node.style, Style::Block | Style::BlockScalar) {
            return None;
        }
        if node.style != Style::DoubleQuoted && value.as_str().is_some_and(|text| scalar::literal(text).is_some()) {
            return None;
        }
        let after_colon = self.after_colon(key)?;
        let text = scalar::styled(value, node.style);
        if node.style == Style::Absent {
            return Some(Splice { range: after_colon..after_colon, text: format!(" {text}") });
        }
        let before = &self.text[after_colon..node.span.start];
        let anchor_or_tag = before.trim_start_matches([' ', '\t']);
        let is_part = anchor_or_tag.starts_with(['&', '!']);
        let start = node.span.start - if is_part { anchor_or_tag.len() } else { 0 };
        Some(Splice { range: start..node.span.end, text })
    }

    /// Everything after the colon, except a comment, which stays on the first line.
    fn whole_lines(&self, key: &Key, node: &Node, (first, rest): (String, Vec<String>)) -> Splice {
        let start = self.after_colon(key).unwrap_or(key.span.end);
        let content_end = self.end_of(Some(key), node).max(start);
        let end = self.line_end(content_end);
        let begins_below = node.style == Style::BlockScalar || self.line_end(start) < node.span.start;
        let comment = comment(&self.text[if begins_below { start..self.line_end(start) } else { content_end..end }]);
        let rest: String = rest.iter().map(|line| format!("{}{}", self.eol, indented(self.indent(), line))).collect();
        let space = if first.is_empty() { "" } else { " " };
        Splice { range: start..end, text: format!("{space}{first}{comment}{rest}") }
    }

    /// Just after the colon that follows a key on its line.
    fn after_colon(&self, key: &Key) -> Option<usize> {
        let rest = &self.text[key.span.end..];
        let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        rest[blank..].starts_with(':').then_some(key.span.end + blank + 1)
    }

    /// Only the items (or entries) between the first and the last that differ.
    fn differing_items(&self, node: &Node, value: &Value) -> Option<Splice> {
        let (old, new) = (self.parts(node)?, parts_of(&node.content, value)?);
        if old.is_empty() || new.is_empty() {
            return None;
        }
        let shared = old.len().min(new.len());
        let prefix = (0..shared).take_while(|&i| old[i].value == new[i].value).count();
        let same_from_end = |i: &usize| old[old.len() - 1 - i].value == new[new.len() - 1 - i].value;
        let suffix = (0..shared - prefix).take_while(same_from_end).count();
        let gone = &old[prefix..old.len() - suffix];
        let come: Vec<String> = new[prefix..new.len() - suffix].iter().map(|part| part.text.clone()).collect();
        match node.style {
            Style::Flow => self.flow_items(&old, prefix, gone, &come),
            Style::Block => Some(self.block_items(&old, prefix, gone, &come)),
            _ => None,
        }
    }

    fn flow_items(&self, old: &[Part], prefix: usize, gone: &[Part], come: &[String]) -> Option<Splice> {
        let text = come.join(", ");
        Some(match (gone.first().zip(gone.last()), prefix.checked_sub(1)) {
            (Some((first, last)), _) if !come.is_empty() => Splice { range: first.span.start..last.span.end, text },
            (Some((_, last)), Some(before)) => Splice { range: old[before].span.end..last.span.end, text },
            (Some((first, _)), None) => Splice { range: first.span.start..old.get(gone.len())?.span.start, text },
            (None, Some(before)) => {
                let at = old[before].span.end;
                Splice { range: at..at, text: format!(", {text}") }
            }
            (None, None) => {
                let at = old[0].span.start;
                Splice { range: at..at, text: format!("{text}, ") }
            }
        })
    }

    fn block_items(&self, old: &[Part], prefix: usize, gone: &[Part], come: &[String]) -> Splice {
        let first = self.line_start(old[0].span.start);
        let margin = &self.text[first..first + indent_of(&self.text[first..])];
        let dash = if old[0].value.0.is_none() { "- " } else { "" };
        let text: String = come.iter().map(|item| format!("{margin}{dash}{item}{}", self.eol)).collect();
        let next_line = |part: &Part| end_of_line(self.bytes(), part.span.end);
        let start = prefix.checked_sub(1).map_or(first, |before| next_line(&old[before]));
        let range = match gone.first().zip(gone.last()) {
            Some((first, last)) => self.line_start(first.span.start)..next_line(last),
            None => start..start,
        };
        Splice { range, text }
    }

    /// The items of a list, or the entries of a map.
    fn parts(&self, node: &Node) -> Option<Vec<Part>> {
        let part = |key: Option<&Key>, node: &Node| {
            let start = key.map_or(self.start_of(node), |key| key.span.start);
            let value = (key.map(|key| key.text.clone()), node.value());
            Part { value, span: start..self.end_of(key, node).max(start), text: String::new() }
        };
        match &node.content {
            Content::List(items) => Some(items.iter().map(|item| part(None, item)).collect()),
            Content::Map(entries) => Some(entries.iter().map(|(key, node)| part(Some(key), node)).collect()),
            Content::Scalar(_) => None,
        }
    }
}

fn indent_of(text: &str) -> usize {
    text.len() - text.trim_start_matches(' ').len()
}

/// A comment with the white space before it; empty when there is none.
fn comment(rest_of_line: &str) -> &str {
    let at = rest_of_line.match_indices('#').map(|(at, _)| at).find(|&at| rest_of_line[..at].ends_with([' ', '\t']));
    at.map_or("", |at| &rest_of_line[rest_of_line[..at].trim_end_matches([' ', '\t']).len()..])
}

/// The node whose text ends last in a value.
fn deepest_last(node: &Node) -> &Node {
    match &node.content {
        Content::List(items) if node.style == Style::Block => items.last().map_or(node, deepest_last),
        Content::Map(entries) if node.style == Style::Block => entries.last().map_or(node, |(_, n)| deepest_last(n)),
        _ => node,
    }
}

/// An item of a list, or an entry of a map.
struct Part {
    /// Key, when it is an entry, and value.
    value: (Option<String>, Value),
    span: Range<usize>,
    text: String,
}

/// The parts that a new value of the same shape would have.
fn parts_of(content: &Content, value: &Value) -> Option<Vec<Part>> {
    let part = |key: Option<&String>, value: &Value| Part {
        value: (key.cloned(), value.clone()),
        span: 0..0,
        text: key.map_or_else(|| scalar::inline(value), |key| scalar::entry(key, value)),
    };
    match (content, value) {
        (Content::List(_), Value::Array(items)) => Some(items.iter().map(|item| part(None, item)).collect()),
        (Content::Map(_), Value::Object(map)) => Some(map.iter().map(|(key, value)| part(Some(key), value)).collect()),
        _ => None,
    }
}
