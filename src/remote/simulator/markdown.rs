//! What Linear does to Markdown when it stores it, as far as it is known.

/// Rewrites text the way Linear does: LF line ends, `*` bullets, no trailing space, at most one blank line in a row, no
/// blank lines around. Fenced code stays as it is.
pub(super) fn rewritten(text: &str) -> String {
    let (mut lines, mut in_fence): (Vec<String>, _) = (Vec::new(), false);
    for line in text.replace("\r\n", "\n").replace('\r', "\n").split('\n') {
        let is_fence = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        let kept = if in_fence || is_fence { line.to_owned() } else { rewritten_line(line) };
        in_fence ^= is_fence;
        let repeats_blank = !in_fence && kept.is_empty() && lines.last().is_some_and(String::is_empty);
        if !repeats_blank {
            lines.push(kept);
        }
    }
    lines.join("\n").trim().to_owned()
}

fn rewritten_line(line: &str) -> String {
    let line = line.trim_end_matches([' ', '\t']);
    let text = line.trim_start();
    let indent = &line[..line.len() - text.len()];
    match text.strip_prefix("- ").or_else(|| text.strip_prefix("+ ")) {
        Some(item) => format!("{indent}* {item}"),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bullets_spaces_and_blank_lines_are_rewritten_outside_code() {
        let text = "\n- a  \r\n  + b\n\n\n\n```\n- c  \n\n\n```\n--- \n";
        assert_eq!(rewritten(text), "* a\n  * b\n\n```\n- c  \n\n\n```\n---");
    }

    proptest! {
        #[test]
        fn rewriting_twice_changes_nothing_more(text in "([-+*] |`{3}|~{3}|[ab]| |\t|\r?\n){0,24}") {
            let once = rewritten(&text);
            prop_assert_eq!(rewritten(&once), once);
        }
    }
}
