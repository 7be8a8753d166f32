//! What a line is, said once more and independently of the code under test: it ends at `\n`, at `\r`, or at both.

/// The lines of a text, each with its line end. The last may have none; it is never empty.
pub fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut lines, mut start) = (Vec::new(), 0);
    for at in 0..bytes.len() {
        let pair = bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n');
        if (bytes[at] == b'\n' || bytes[at] == b'\r') && !pair {
            lines.push(&bytes[start..=at]);
            start = at + 1;
        }
    }
    lines.extend((start < bytes.len()).then_some(&bytes[start..]));
    lines
}

/// Where each line begins.
pub fn starts(bytes: &[u8]) -> Vec<usize> {
    let next = |start: &mut usize, line: &&[u8]| {
        let here = *start;
        *start += line.len();
        Some(here)
    };
    lines(bytes).iter().scan(0, next).collect()
}

/// `\n`, `\r\n`, `\r`, or nothing.
pub fn ending(line: &[u8]) -> &[u8] {
    let content = line.strip_suffix(b"\n").unwrap_or(line);
    &line[content.strip_suffix(b"\r").unwrap_or(content).len()..]
}

/// What stands at a place, counted from 1; it may be just past the end of its line or of the text, and no further.
pub fn at(text: &[u8], line: u32, column: u32) -> String {
    let lines = lines(text);
    let (row, skipped) = (line as usize, column as usize);
    assert!(row >= 1 && skipped >= 1, "places count from 1: {line}:{column}");
    let is_past_the_end = row == lines.len() + 1 && skipped == 1;
    assert!(row <= lines.len() || is_past_the_end, "{line}:{column} of {} lines", lines.len());
    let found = String::from_utf8_lossy(lines.get(row - 1).copied().unwrap_or_default());
    assert!(skipped <= found.chars().count() + 1, "{line}:{column} in {found:?}");
    found.chars().skip(skipped - 1).collect()
}
