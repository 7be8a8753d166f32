//! Reads YAML into nodes that know where they stand in the text.
//!
//! Bounded whatever the text holds: nesting, nodes, aliases and expanded size have limits, and breaking one is an
//! error like any other. A plain scalar is a number or a boolean only when it is written as it would be printed back
//! (`1.10`, `017`, `0x1F` and `True` stay text), so that versions, keys and dates come back as they were written.

use super::{Position, scalar};
use crate::domain::{Fields, Value};
use serde_saphyr::granit_parser::{
    Event, Marker, Options, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle, Tag,
};
use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

const MAX_DEPTH: usize = 16;
const MAX_NODES: usize = 10_000;
const MAX_ALIASES: usize = 100;
const MAX_TEXT: usize = 1 << 20;

/// A value and where it is written. Spans are byte ranges, positions 1-based; both count from the start of the text.
#[derive(Clone, Debug)]
pub(in crate::domain) struct Node {
    pub span: Range<usize>,
    pub at: Position,
    pub style: Style,
    pub content: Content,
}

#[derive(Clone, Debug)]
pub(in crate::domain) enum Content {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Clone, Debug)]
pub(in crate::domain) struct Key {
    pub text: String,
    pub span: Range<usize>,
    pub at: Position,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain) enum Style {
    /// Nothing stands after the colon.
    Absent,
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|` or `>`, with the text on the lines below.
    BlockScalar,
    /// `[a, b]` or `{a: b}`.
    Flow,
    /// One item or entry per line.
    Block,
    Alias,
}

/// Why a text is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::domain) struct YamlError {
    pub at: Position,
    pub message: String,
}

type Result<T> = std::result::Result<T, YamlError>;

/// The single value that the text holds; `None` when it holds nothing but comments.
pub(in crate::domain) fn read(text: &str) -> Result<Option<Node>> {
    let mut composer = Composer::new(text);
    let (event, span) = composer.next()?;
    if matches!(event, Event::StreamEnd) {
        return Ok(None);
    }
    let (event, span) = if matches!(event, Event::DocumentStart(..)) { composer.next()? } else { (event, span) };
    let node = composer.node(event, span, 0)?;
    composer.next()?;
    match composer.next()? {
        (Event::StreamEnd, _) => Ok(Some(node)),
        (_, span) => Err(error(span.start, "a second document begins here; there may be only one")),
    }
}

impl Node {
    pub fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Node::value).collect(),
            Content::Map(entries) => Value::Object(fields(entries)),
        }
    }

    /// The entries of a mapping.
    pub fn entries(&self) -> Option<&[(Key, Node)]> {
        match &self.content {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Nodes and bytes of text, itself included.
    fn weight(&self) -> (usize, usize) {
        let sum = |(n, b): (usize, usize), (m, c): (usize, usize)| (n + m, b + c);
        match &self.content {
            Content::Scalar(value) => (1, value.as_str().map_or(0, str::len)),
            Content::List(items) => items.iter().map(Node::weight).fold((1, 0), sum),
            Content::Map(entries) => {
                entries.iter().map(|(key, node)| sum((1, key.text.len()), node.weight())).fold((1, 0), sum)
            }
        }
    }
}

pub(in crate::domain) fn fields(entries: &[(Key, Node)]) -> Fields {
    entries.iter().map(|(key, node)| (key.text.clone(), node.value())).collect()
}

struct Composer<'text> {
    parser: Parser<'text, StrInput<'text>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    text: usize,
    aliases: usize,
}

impl<'text> Composer<'text> {
    fn new(text: &'text str) -> Self {
        let mut options = Options::default();
        options.disallow_directives = true;
        options.emit_comments = false;
        options.flow_nesting_limit = MAX_DEPTH;
        options.block_nesting_limit = MAX_DEPTH;
        let parser = Parser::new_from_str_with_options(text, options);
        Self { parser, anchors: HashMap::new(), nodes: 0, text: 0, aliases: 0 }
    }

    fn next(&mut self) -> Result<(Event<'text>, Span)> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::StreamStart, _))) => {}
                Some(Ok(event)) => return Ok(event),
                Some(Err(scan)) => return Err(scan_error(&scan)),
                None => return Ok((Event::StreamEnd, Span::default())),
            }
        }
    }

    fn node(&mut self, event: Event<'text>, span: Span, depth: usize) -> Result<Node> {
        if depth > MAX_DEPTH {
            return Err(error(span.start, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let anchor = event.anchor_id();
        let node = match event {
            Event::Alias(id) => return self.alias(id, span),
            Event::Scalar(text, style, _, tag) => self.scalar(&text, style, tag.as_deref(), span)?,
            Event::SequenceStart(style, ..) => self.list(style, span, depth)?,
            Event::MappingStart(style, ..) => self.map(style, span, depth)?,
            _ => return Err(error(span.start, "expected a value")),
        };
        if let Some(id) = anchor {
            self.anchors.insert(id, node.clone());
        }
        Ok(node)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Node> {
        self.charge(1, text.len(), span)?;
        let is_text = tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
        let (style, value) = match style {
            ScalarStyle::Plain if bytes(span).is_empty() => (Style::Absent, Value::Null),
            ScalarStyle::Plain if is_text => (Style::Plain, Value::from(text)),
            ScalarStyle::Plain => (Style::Plain, scalar::resolve(text)),
            ScalarStyle::SingleQuoted => (Style::SingleQuoted, Value::from(text)),
            ScalarStyle::DoubleQuoted => (Style::DoubleQuoted, Value::from(text)),
            ScalarStyle::Literal | ScalarStyle::Folded => (Style::BlockScalar, Value::from(text)),
        };
        Ok(Node { span: bytes(span), at: position(span.start), style, content: Content::Scalar(value) })
    }

    fn list(&mut self, style: StructureStyle, start: Span, depth: usize) -> Result<Node> {
        self.charge(1, 0, start)?;
        let mut items = Vec::new();
        let end = loop {
            match self.next()? {
                (Event::SequenceEnd, span) => break span,
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        };
        let last = items.last().map(|item: &Node| item.span.end);
        Ok(collection(style, start, end, last, Content::List(items)))
    }

    fn map(&mut self, style: StructureStyle, start: Span, depth: usize) -> Result<Node> {
        self.charge(1, 0, start)?;
        let (mut entries, mut seen) = (Vec::new(), HashSet::new());
        let end = loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break span;
            }
            let key = self.key(event, span)?;
            if !seen.insert(key.text.clone()) {
                return Err(YamlError { at: key.at, message: format!("`{}` is set twice", shown(&key.text)) });
            }
            let (event, span) = self.next()?;
            entries.push((key, self.node(event, span, depth + 1)?));
        };
        let last = entries.last().map(|(key, node): &(Key, Node)| node.span.end.max(key.span.end));
        Ok(collection(style, start, end, last, Content::Map(entries)))
    }

    fn key(&mut self, event: Event<'text>, span: Span) -> Result<Key> {
        match event {
            Event::Scalar(text, ..) if !bytes(span).is_empty() => {
                self.charge(1, text.len(), span)?;
                Ok(Key { text: text.into_owned(), span: bytes(span), at: position(span.start) })
            }
            _ => Err(error(span.start, "expected a field name")),
        }
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<Node> {
        self.aliases += 1;
        if self.aliases > MAX_ALIASES {
            return Err(error(span.start, format!("more than {MAX_ALIASES} aliases")));
        }
        let Some(target) = self.anchors.get(&id) else {
            return Err(error(span.start, "this alias refers to a value that holds it"));
        };
        let (nodes, text) = target.weight();
        let content = target.content.clone();
        self.charge(nodes, text, span)?;
        Ok(Node { span: bytes(span), at: position(span.start), style: Style::Alias, content })
    }

    fn charge(&mut self, nodes: usize, text: usize, span: Span) -> Result<()> {
        self.nodes += nodes;
        self.text += text;
        if self.nodes > MAX_NODES {
            return Err(error(span.start, format!("more than {MAX_NODES} values")));
        }
        if self.text > MAX_TEXT {
            return Err(error(span.start, format!("more than {MAX_TEXT} bytes of text")));
        }
        Ok(())
    }
}

/// The end event of a block collection stands at the next token, so its end is that of its last child.
fn collection(style: StructureStyle, start: Span, end: Span, last: Option<usize>, content: Content) -> Node {
    let begin = bytes(start).start;
    let (style, end) = match style {
        StructureStyle::Flow => (Style::Flow, bytes(end).end),
        StructureStyle::Block => (Style::Block, last.unwrap_or(begin)),
    };
    Node { span: begin..end, at: position(start.start), style, content }
}

fn bytes(span: Span) -> Range<usize> {
    span.byte_range().expect("a parser over a string knows byte offsets")
}

fn position(mark: Marker) -> Position {
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position { line: narrow(mark.line()), column: narrow(mark.col() + 1) }
}

fn error(mark: Marker, message: impl Into<String>) -> YamlError {
    YamlError { at: position(mark), message: message.into() }
}

fn scan_error(scan: &ScanError) -> YamlError {
    error(*scan.marker(), scan.info())
}

/// A key as a message shows it: short and on one line.
fn shown(key: &str) -> String {
    key.chars().filter(|c| !c.is_control()).take(60).collect()
}
