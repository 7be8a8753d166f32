//! What a line of a document is: it ends at a line feed, at a carriage return, or at both together.
//!
//! This is YAML's definition. The markers of the block, places, conflict markers and edits all go by it, so that none of
//! them sees one line where the reader of the block sees two.

use super::Position;

/// Just after the line end of the line that holds `at`, or the end of the bytes.
pub(super) fn end_of_line(bytes: &[u8], at: usize) -> usize {
    match bytes[at..].iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        Some(offset) => at + offset + ending(&bytes[at + offset..]),
        None => bytes.len(),
    }
}

/// Where the line that holds `at` begins.
pub(super) fn start_of_line(bytes: &[u8], at: usize) -> usize {
    let is_inside_pair = bytes[..at].ends_with(b"\r") && bytes[at..].starts_with(b"\n");
    let before = &bytes[..at - usize::from(is_inside_pair)];
    before.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(0, |end| end + 1)
}

/// Length of the line end that stands here; 0 where there is none.
fn ending(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

/// A line without its line end.
pub(super) fn content(line: &[u8]) -> &[u8] {
    let line_feed = line.strip_suffix(b"\n").unwrap_or(line);
    line_feed.strip_suffix(b"\r").unwrap_or(line_feed)
}

/// How a text ends its first line; a line feed when it has only one.
pub(super) fn line_end_of(bytes: &[u8]) -> &'static str {
    match bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')).map(|at| &bytes[at..]) {
        Some([b'\r', b'\n', ..]) => "\r\n",
        Some([b'\r', ..]) => "\r",
        _ => "\n",
    }
}

/// The place of a byte.
pub(super) fn position(bytes: &[u8], at: usize) -> Position {
    let start = start_of_line(bytes, at);
    let (mut lines, mut end) = (0, 0);
    while end < start {
        end = end_of_line(bytes, end);
        lines += 1;
    }
    let column = 1 + String::from_utf8_lossy(&bytes[start..at]).chars().count();
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position { line: narrow(1 + lines), column: narrow(column) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_at_a_line_feed_a_carriage_return_or_both() {
        let text = b"a\nb\rc\r\nd";
        let starts = [0, 0, 2, 2, 4, 4, 4, 7];
        let ends = [2, 2, 4, 4, 7, 7, 7, 8];
        for at in 0..text.len() {
            assert_eq!((start_of_line(text, at), end_of_line(text, at)), (starts[at], ends[at]), "{at}");
        }
        assert_eq!([&b"x\r\n"[..], b"x\r", b"x\n", b"x"].map(content), [b"x"; 4]);
        assert_eq!(
            [&b"x\r\n\n"[..], b"x\r\n", b"x\ry\n", b"x\n\r", b"x"].map(line_end_of),
            ["\r\n", "\r\n", "\r", "\n", "\n"]
        );
        let place = |at| (position(text, at).line, position(text, at).column);
        assert_eq!([0, 2, 3, 4, 7, 8].map(place), [(1, 1), (2, 1), (2, 2), (3, 1), (4, 1), (4, 2)]);
    }
}
