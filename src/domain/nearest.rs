//! The name that somebody meant.

/// The candidate that `word` is most likely a misspelling of; `None` when nothing is near enough to say so.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded: Vec<char> = fold(word).collect();
    let allowed = match folded.len() {
        0..3 => 0,
        3..5 => 1,
        5..9 => 2,
        9..40 => 3,
        _ => return None,
    };
    let scored = candidates.into_iter().map(|candidate| (distance(&folded, candidate), candidate));
    scored.filter(|(distance, _)| *distance <= allowed).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// Case and the choice of separator are no difference.
fn fold(word: &str) -> impl Iterator<Item = char> {
    word.chars().flat_map(char::to_lowercase).map(|c| if matches!(c, '_' | ' ') { '-' } else { c })
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
fn distance(word: &[char], candidate: &str) -> usize {
    let other: Vec<char> = fold(candidate).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, &a) in word.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &b) in other.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a == other[j - 1] && word[i - 1] == b {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        (before, last) = (last, row);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelling_finds_what_was_meant_and_a_word_of_its_own_finds_nothing() {
        let fields = ["title", "status", "priority", "assignee", "blocked_by", "due", "spec"];
        for (word, meant) in [
            ("stauts", Some("status")),
            ("Status", Some("status")),
            ("titel", Some("title")),
            ("asignee", Some("assignee")),
            ("blocked-by", Some("blocked_by")),
            ("blockedby", Some("blocked_by")),
            ("duee", Some("due")),
            ("epic", None),
            ("author", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, fields), meant, "{word}");
        }
    }
}
