//! Where a file's frontmatter ends and its body begins, and what is wrong with its bytes.

use super::{
    Fault, FaultKind,
    lines::{end_of_line, position},
};
use std::ops::Range;

pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// A file taken apart, as byte offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// No `---` line at the top.
    Absent,
    /// `---` at the top and never closed.
    Unclosed,
    /// The lines between the markers, and where the body begins.
    Closed { block: Range<usize>, body: usize },
}

impl Split {
    pub fn of(bytes: &[u8]) -> Self {
        let bom = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
        let opening = end_of_line(bytes, bom);
        if marker(&bytes[bom..opening]) != Some(b"---") || opening == bom {
            return Self::Absent;
        }
        let mut start = opening;
        while start < bytes.len() {
            let end = end_of_line(bytes, start);
            if marker(&bytes[start..end]).is_some() {
                return Self::Closed { block: opening..start, body: end };
            }
            start = end;
        }
        Self::Unclosed
    }
}

/// `---` or `...`, when this is all that stands on the line.
fn marker(line: &[u8]) -> Option<&[u8]> {
    match line.trim_ascii_end() {
        mark @ (b"---" | b"...") => Some(mark),
        _ => None,
    }
}

/// Everything wrong with the bytes, the YAML apart.
pub(super) fn faults(bytes: &[u8], split: &Split) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |at: usize, kind, message: &str| {
        faults.push(Fault { position: position(bytes, at), kind, message: message.to_owned() });
    };
    if bytes.strip_prefix(BOM).unwrap_or(bytes).trim_ascii().is_empty() {
        fault(0, FaultKind::Empty, "the file is empty");
        return faults;
    }
    // `contains` is a vectorised search, and a large body almost never has one.
    if bytes.contains(&0) {
        let at = bytes.iter().take_while(|&&byte| byte != 0).count();
        fault(at, FaultKind::NulBytes, "the file has NUL bytes, as after a crash or a cut-off write");
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        fault(error.valid_up_to(), FaultKind::NotUtf8, "the file is not UTF-8 text");
    }
    match split {
        Split::Absent => fault(0, FaultKind::NoFrontmatter, "the file has no `---` block at its top"),
        Split::Unclosed => fault(0, FaultKind::Unclosed, "the `---` block is never closed"),
        Split::Closed { .. } => {}
    }
    faults
}

/// The three markers of a merge conflict, in their order at the start of lines. `=======` alone underlines a heading.
pub(super) fn merge_markers(bytes: &[u8]) -> Option<Fault> {
    const MARKERS: [&[u8]; 3] = [b"<<<<<<<", b"=======", b">>>>>>>"];
    // A substring search is many times faster than going by lines, and a large body almost never has the last marker.
    if std::str::from_utf8(bytes).is_ok_and(|text| !text.contains(">>>>>>>")) {
        return None;
    }
    let (mut found, mut first, mut start) = (0, 0, 0);
    while start < bytes.len() && found < MARKERS.len() {
        let end = end_of_line(bytes, start);
        let rest = bytes[start..end].strip_prefix(MARKERS[found]);
        if rest.is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace)) {
            first = if found == 0 { start } else { first };
            found += 1;
        }
        start = end;
    }
    let message = "the file has merge conflict markers".to_owned();
    (found == MARKERS.len()).then(|| Fault { position: position(bytes, first), kind: FaultKind::MergeMarkers, message })
}
