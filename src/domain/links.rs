//! Tags and links in Markdown text: `#tag`, `[[name]]` and `+name`, outside code.
//!
//! One pass over the text, in time linear in its length, whatever it holds. A `#tag` begins with a letter (`#12` is no
//! tag) and a `+name` has one (`+1` is no link); both follow white space, a parenthesis, or the start of a line.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

/// References of one text that count, the first ones: more is no writing.
const MOST: usize = 10_000;
/// Longer names, in bytes, are no names.
const LONGEST: usize = 1024;

/// What a text refers to; each once, in the order of first appearance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Without the `#`.
    pub tags: Vec<String>,
    /// Names or remote keys of tickets.
    pub links: Vec<String>,
}

/// Everything a Markdown text refers to.
pub fn references(text: &str) -> References {
    let mut found = Collector::default();
    let mut fence = None;
    for line in text.split(['\n', '\r']) {
        if found.seen.len() >= MOST {
            break;
        }
        match (fence, fence_of(line)) {
            (None, Some(opening)) => fence = Some(opening),
            (Some(opening), Some(closing)) if closes(opening, closing, line) => fence = None,
            (None, None) => scan_line(line, &mut found),
            _ => {}
        }
    }
    found.references
}

#[derive(Default)]
struct Collector {
    references: References,
    seen: HashSet<(bool, String)>,
}

impl Collector {
    fn tag(&mut self, name: &str) {
        if self.is_new(true, name) {
            self.references.tags.push(name.to_owned());
        }
    }

    fn link(&mut self, name: &str) {
        if self.is_new(false, name) {
            self.references.links.push(name.to_owned());
        }
    }

    fn is_new(&mut self, is_tag: bool, name: &str) -> bool {
        self.seen.len() < MOST && name.len() <= LONGEST && self.seen.insert((is_tag, name.to_owned()))
    }
}

/// The character and length of a code fence.
fn fence_of(line: &str) -> Option<(char, usize)> {
    let text = line.trim_start_matches(' ');
    let mark = text.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let length = text.len() - text.trim_start_matches(mark).len();
    let info = &text[length..];
    (length >= 3 && !(mark == '`' && info.contains('`'))).then_some((mark, length))
}

fn closes(opening: (char, usize), closing: (char, usize), line: &str) -> bool {
    opening.0 == closing.0 && closing.1 >= opening.1 && line.trim().trim_start_matches(closing.0).is_empty()
}

fn scan_line(line: &str, found: &mut Collector) {
    let mut code = code_spans(line).into_iter().peekable();
    let mut at = 0;
    while let Some(offset) = line[at..].find(['`', '[', '#', '+']) {
        let here = at + offset;
        while code.next_if(|span| span.start < here).is_some() {}
        if let Some(span) = code.next_if(|span| span.start == here) {
            at = span.end;
            continue;
        }
        let after_space = line[..here].chars().next_back().is_none_or(|c| c.is_whitespace() || c == '(');
        let rest = &line[here + 1..];
        let taken = match line.as_bytes()[here] {
            b'[' => wiki_link(rest, found),
            b'#' if after_space => tag(rest, found),
            b'+' if after_space => plus_link(rest, found),
            _ => 0,
        };
        at = here + 1 + taken;
    }
}

/// `[name]]` after the first bracket; an alias (`|shown`) and a heading (`#part`) are no part of the name.
fn wiki_link(rest: &str, found: &mut Collector) -> usize {
    let Some(inner) = rest.strip_prefix('[') else { return 0 };
    let end = inner.find(['[', ']']).filter(|&end| inner[end..].starts_with("]]"));
    let Some(end) = end else { return 0 };
    let name = inner[..end].split(['|', '#']).next().unwrap_or_default().trim();
    if !name.is_empty() {
        found.link(name);
    }
    end + 3
}

fn tag(rest: &str, found: &mut Collector) -> usize {
    let name = leading(rest, |c| c.is_alphanumeric() || matches!(c, '_' | '-' | '/')).trim_end_matches(['-', '/']);
    if name.starts_with(char::is_alphabetic) {
        found.tag(name);
    }
    name.len()
}

fn plus_link(rest: &str, found: &mut Collector) -> usize {
    let name = leading(rest, |c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'));
    let name = name.trim_end_matches(['-', '.', '/']);
    if name.starts_with(char::is_alphanumeric) && name.contains(char::is_alphabetic) {
        found.link(name);
    }
    name.len()
}

fn leading(text: &str, test: impl Fn(char) -> bool) -> &str {
    &text[..text.find(|c| !test(c)).unwrap_or(text.len())]
}

/// Inline code of a line, from the left. A run of backticks closes at the next run of the same length.
fn code_spans(line: &str) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut at = 0;
    while let Some(offset) = line[at..].find('`') {
        let start = at + offset;
        let length = line[start..].len() - line[start..].trim_start_matches('`').len();
        runs.push((start, length));
        at = start + length;
    }
    let (mut spans, mut next_of_length) = (Vec::new(), HashMap::new());
    for (start, length) in runs.into_iter().rev() {
        if let Some(closing) = next_of_length.insert(length, start) {
            spans.push(start..closing + length);
        }
    }
    spans.reverse();
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, tags: &[&str], links: &[&str]) {
        let found = references(text);
        assert_eq!(
            (found.tags, found.links),
            (tags.iter().map(|&t| t.into()).collect(), links.iter().map(|&l| l.into()).collect()),
            "{text}"
        );
    }

    #[test]
    fn tags_and_links_are_found_once_in_order() {
        check("#bug and #auth/web, #bug. (#x)", &["bug", "auth/web", "x"], &[]);
        check("see [[login]], [[ENG-7|that one]] and +auth-epic. [[login]]", &[], &["login", "ENG-7", "auth-epic"]);
        check("(+a) [[b#part]] [[145]] #über", &["über"], &["a", "b", "145"]);
    }

    #[test]
    fn what_only_looks_alike_is_none() {
        check("# Heading\n## Two\n#12 +1 a+b c#d http://x/#y [x] [[]] [[a]b]] [[\n]] + - C++", &[], &[]);
    }

    #[test]
    fn code_is_ignored() {
        check("```\n#a [[b]]\n```\n#c", &["c"], &[]);
        check("~~~ sh\n#a\n```\n#b\n~~~\n#c", &["c"], &[]);
        check("````\n```\n#a\n````\n#c", &["c"], &[]);
        check("`#a` ``#b ` [[c]]`` #d ` #e", &["d", "e"], &[]);
        check("```\n#never closed", &[], &[]);
        check("```inline``` #a", &["a"], &[]);
    }

    #[test]
    fn what_one_text_refers_to_has_a_bound() {
        let many: String = (0..2 * MOST).map(|n| format!("#t{n} ")).collect();
        assert_eq!(references(&many).tags.len(), MOST);
        assert_eq!(references(&format!("[[{}]] [[b]]", "a".repeat(LONGEST + 1))).links, ["b"]);
    }

    #[test]
    fn a_large_body_takes_time_in_proportion() {
        let start = std::time::Instant::now();
        for unit in ["`", "``` `", "[[", "[[a", "#", "+", "#a ", "`a` ``b`` "] {
            references(&unit.repeat(1_000_000 / unit.len()));
        }
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }
}
