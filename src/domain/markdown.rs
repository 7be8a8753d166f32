//! When two Markdown texts are the same text, and how to bring one into the other's style.
//!
//! Trackers rewrite what they store: line endings, bullets, trailing spaces, runs of blank lines. Bodies are therefore
//! compared by a normal form. The normal form itself is never written anywhere: what goes into a file keeps the file's
//! own spelling of every line that did not change ([`restyle`]).

/// How much of a text its remote may have rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Line endings and blank lines around the text; GitHub.
    Verbatim,
    /// Also bullets, trailing spaces and runs of blank lines, outside fenced code; Linear.
    Rewritten,
}

/// Whether both texts mean the same.
pub fn same(a: &str, b: &str, style: Style) -> bool {
    a == b || {
        let (a, b) = (Text::of(a, style), Text::of(b, style));
        a.units.len() == b.units.len() && a.units.iter().zip(&b.units).all(|(a, b)| a.is_same(b))
    }
}

/// `text`, with every line that `like` has too spelled as `like` spells it, and with `like`'s line endings and blank
/// margins. `restyle(x, y) == y` when both are the same text.
pub fn restyle(text: &str, like: &str, style: Style) -> String {
    let eol = if like.contains("\r\n") { "\r\n" } else { "\n" };
    let (text, like) = (Text::of(text, style), Text::of(like, style));
    if text.units.is_empty() {
        return if like.units.is_empty() { format!("{}{}", like.head, like.tail) } else { String::new() };
    }
    let mut out = String::from(like.head);
    for (unit, twin) in text.units.iter().zip(twins(&text.units, &like.units)) {
        let twin = twin.map(|index| &like.units[index]);
        out.push_str(twin.unwrap_or(unit).line);
        out.push_str(eol_of(twin, |twin| twin.eol, eol));
        match twin.filter(|twin| twin.gap.is_empty() == unit.gap.is_empty()) {
            Some(twin) => out.push_str(twin.gap),
            None => out.push_str(&unit.gap.replace("\r\n", "\n").replace('\n', eol)),
        }
    }
    out.truncate(out.trim_end_matches(['\n', '\r']).len());
    out.push_str(if like.units.is_empty() { eol } else { like.tail });
    out
}

/// The text with LF line endings, as it is sent to remotes, without blank lines around it.
pub fn for_remote(text: &str) -> String {
    Text::of(&text.replace("\r\n", "\n"), Style::Verbatim).core.to_owned()
}

/// The text without blank margins and with one final line end: the form in which texts are merged.
pub fn lines_of(text: &str) -> String {
    let eol = if text.contains("\r\n") { "\r\n" } else { "\n" };
    match Text::of(text, Style::Verbatim).core {
        "" => String::new(),
        core => format!("{core}{eol}"),
    }
}

fn eol_of<'a>(twin: Option<&Unit<'a>>, eol: fn(&Unit<'a>) -> &'a str, default: &'a str) -> &'a str {
    twin.map(eol).filter(|eol| !eol.is_empty()).unwrap_or(default)
}

/// A text between its blank margins, cut into units of comparison.
struct Text<'a> {
    head: &'a str,
    core: &'a str,
    /// The last line's end and what follows it.
    tail: &'a str,
    units: Vec<Unit<'a>>,
}

/// A line and the blank lines after it that do not count by number.
struct Unit<'a> {
    key: String,
    line: &'a str,
    eol: &'a str,
    gap: &'a str,
}

impl Unit<'_> {
    fn is_same(&self, other: &Self) -> bool {
        self.key == other.key && self.gap.is_empty() == other.gap.is_empty()
    }
}

impl<'a> Text<'a> {
    fn of(text: &'a str, style: Style) -> Self {
        let start = leading_blank(text);
        let rest = &text[start..];
        let core = &rest[..rest.trim_end().len()];
        // Inside fenced code trailing space counts, but never at the very end of a text.
        Self { head: &text[..start], core, tail: &rest[core.len()..], units: units(core, style) }
    }
}

/// Length of the blank lines at the start; the first line's indentation belongs to the text.
fn leading_blank(text: &str) -> usize {
    let blank = text.len() - text.trim_start().len();
    text[..blank].rfind('\n').map_or(0, |newline| newline + 1)
}

fn units(core: &str, style: Style) -> Vec<Unit<'_>> {
    let mut units: Vec<Unit<'_>> = Vec::new();
    let mut fence: Option<Fence> = None;
    let mut at = 0;
    for raw in core.split_inclusive('\n') {
        let start = at;
        at += raw.len();
        let line = raw.trim_end_matches('\n').trim_end_matches('\r');
        let in_code = fence.is_some();
        fence = Fence::after(fence, line);
        if style == Style::Rewritten
            && !in_code
            && line.trim().is_empty()
            && let Some(last) = units.last_mut()
        {
            last.gap = &core[start - last.gap.len()..at];
            continue;
        }
        let key = match style {
            // A line of code is like no line of prose.
            Style::Rewritten if in_code => format!("\0{line}"),
            Style::Rewritten => normal_line(line),
            Style::Verbatim => line.to_owned(),
        };
        units.push(Unit { key, line, eol: &raw[line.len()..], gap: "" });
    }
    units
}

/// An open block of fenced code.
#[derive(Clone, Copy)]
struct Fence {
    mark: char,
    length: usize,
}

impl Fence {
    fn after(open: Option<Self>, line: &str) -> Option<Self> {
        let text = line.trim_start();
        let mark = text.chars().next().filter(|mark| matches!(mark, '`' | '~'));
        let length = mark.map_or(0, |mark| text.chars().take_while(|c| *c == mark).count());
        match (open, mark) {
            (None, Some(mark)) if length >= 3 => Some(Self { mark, length }),
            (Some(fence), Some(mark)) => {
                let closes = mark == fence.mark && length >= fence.length && text[length..].trim().is_empty();
                (!closes).then_some(fence)
            }
            (open, _) => open,
        }
    }
}

fn normal_line(line: &str) -> String {
    let line = line.trim_end();
    let text = line.trim_start();
    match text.strip_prefix(['-', '+', '*']).filter(|rest| rest.starts_with(' ')) {
        Some(rest) => format!("{}*{rest}", &line[..line.len() - text.len()]),
        None => line.to_owned(),
    }
}

/// Cells of the longest-common-subsequence table beyond which only common ends are aligned.
const MAX_CELLS: usize = 4_000_000;

/// For each unit of `a`, the index of the unit of `b` that it is aligned with.
fn twins(a: &[Unit<'_>], b: &[Unit<'_>]) -> Vec<Option<usize>> {
    let equal = |i: usize, j: usize| a[i].key == b[j].key;
    let short = a.len().min(b.len());
    let head = (0..short).take_while(|&i| equal(i, i)).count();
    let tail = (1..=short - head).take_while(|&i| equal(a.len() - i, b.len() - i)).count();
    let (rows, columns) = (a.len() - head - tail, b.len() - head - tail);

    let mut twins = vec![None; a.len()];
    (0..head).for_each(|i| twins[i] = Some(i));
    (1..=tail).for_each(|i| twins[a.len() - i] = Some(b.len() - i));
    if rows * columns <= MAX_CELLS {
        for (i, j) in common(rows, columns, |i, j| equal(head + i, head + j)) {
            twins[head + i] = Some(head + j);
        }
    }
    twins
}

/// A longest common subsequence, as pairs of indices.
fn common(rows: usize, columns: usize, equal: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    let width = columns + 1;
    let mut longest = vec![0_u32; (rows + 1) * width];
    for i in (0..rows).rev() {
        for j in (0..columns).rev() {
            longest[i * width + j] = if equal(i, j) {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < rows && j < columns {
        if equal(i, j) {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_rewriting_remote_says_the_same_in_its_own_style() {
        for (ours, theirs) in [
            ("- a\n- b\n", "* a\n* b"),
            ("+ a", "* a"),
            ("\n  - nested\n", "  * nested"),
            ("a  \nb\t\n", "a\nb"),
            ("a\n\n\n\nb\n", "a\n\nb"),
            ("a\r\n\r\nb\r\n", "a\n\nb"),
            ("- [ ] task", "* [ ] task"),
            ("", "\n\n"),
        ] {
            assert!(same(ours, theirs, Style::Rewritten), "{ours:?} {theirs:?}");
        }
    }

    #[test]
    fn what_differs_in_meaning_differs() {
        for (ours, theirs) in [
            ("a\nb", "a\n\nb"),
            ("```\n- a\n```", "```\n* a\n```"),
            ("```\na\n\n\nb\n```", "```\na\n\nb\n```"),
            ("  - a", "- a"),
            ("---", "***"),
            ("-a", "*a"),
        ] {
            assert!(!same(ours, theirs, Style::Rewritten), "{ours:?} {theirs:?}");
        }
        assert!(!same("- a", "* a", Style::Verbatim));
        assert!(same("a\r\nb\r\n", "a\nb", Style::Verbatim));
    }

    #[test]
    fn a_remote_edit_keeps_the_spelling_of_every_other_line() {
        let file = "\n- one  \n- two\n\n\nlast\n";
        assert_eq!(restyle("* one\n* 2\n\nlast\n\nmore", file, Style::Rewritten), "\n- one  \n* 2\n\nlast\n\nmore\n");
        assert_eq!(restyle("a\nc\n", "a\r\nb\r\n", Style::Verbatim), "a\r\nc\r\n");
        assert_eq!(restyle("x", "", Style::Verbatim), "x\n");
    }

    #[test]
    fn a_fence_is_closed_only_by_its_own_mark() {
        let text = "````\n```\n- a\n````\n- b";
        assert!(!same(text, &text.replace("- a", "* a"), Style::Rewritten));
        assert!(same(text, &text.replace("- b", "* b"), Style::Rewritten));
    }

    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(vec!["- a", "* a", "b  ", "b", "", "", "```", "  c"]), 0..9)
            .prop_flat_map(|lines| {
                prop::sample::select(vec![lines.join("\n"), lines.join("\r\n"), lines.join("\n") + "\n"])
            })
    }

    proptest! {
        #[test]
        fn restyling_keeps_the_meaning_and_is_the_model_where_nothing_changed(a in text(), b in text()) {
            for style in [Style::Verbatim, Style::Rewritten] {
                let restyled = restyle(&a, &b, style);
                prop_assert!(same(&restyled, &a, style), "{restyled:?}");
                if same(&a, &b, style) {
                    prop_assert_eq!(restyled, b.clone());
                }
            }
        }

        #[test]
        fn sameness_is_symmetric_and_survives_the_trip_to_a_remote(a in text(), b in text()) {
            for style in [Style::Verbatim, Style::Rewritten] {
                prop_assert_eq!(same(&a, &b, style), same(&b, &a, style));
                prop_assert!(same(&for_remote(&a), &a, style));
            }
        }
    }
}
