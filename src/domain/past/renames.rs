//! Which of the files that a commit made are ones that it removed elsewhere.

use crate::domain::path::WsPath;
use std::collections::HashMap;

/// Pairs that are compared by their lines, at most: a commit that moves more files than that with edits is no rename to
/// anybody.
const COMPARED: usize = 10_000;
/// Of all lines, in percent, as many must be the same; git's own measure.
const ALIKE: usize = 50;

/// A file that a commit removed or made, by its path and its blob.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    pub path: &'a WsPath,
    pub blob: &'a str,
}

/// For each file that was made, which of those that went it is, by index. The same bytes count first (under the same name
/// before any other), then the most alike; each file that went is one other at most. `read` answers a blob's bytes.
pub fn pair<E>(
    gone: &[Placed<'_>],
    made: &[Placed<'_>],
    mut read: impl FnMut(&str) -> Result<Vec<u8>, E>,
) -> Result<Vec<Option<usize>>, E> {
    let mut pairs = vec![None; made.len()];
    let mut is_free = vec![true; gone.len()];
    for same_name in [true, false] {
        let mut by_blob: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, file) in gone.iter().enumerate().rev().filter(|(index, _)| is_free[*index]) {
            by_blob.entry(file.blob).or_default().push(index);
        }
        for (file, pair) in made.iter().zip(&mut pairs).filter(|(_, pair)| pair.is_none()) {
            let Some(candidates) = by_blob.get_mut(file.blob) else { continue };
            let fits = |index: &usize| !same_name || gone[*index].path.file_name() == file.path.file_name();
            if let Some(at) = candidates.iter().rposition(fits) {
                let index = candidates.remove(at);
                is_free[index] = false;
                *pair = Some(index);
            }
        }
    }
    by_lines(gone, made, &mut pairs, &mut is_free, &mut read)?;
    Ok(pairs)
}

fn by_lines<E>(
    gone: &[Placed<'_>],
    made: &[Placed<'_>],
    pairs: &mut [Option<usize>],
    is_free: &mut [bool],
    read: &mut impl FnMut(&str) -> Result<Vec<u8>, E>,
) -> Result<(), E> {
    let left: Vec<usize> = (0..gone.len()).filter(|index| is_free[*index]).collect();
    let new: Vec<usize> = (0..made.len()).filter(|index| pairs[*index].is_none()).collect();
    if left.is_empty() || new.is_empty() || left.len() * new.len() > COMPARED {
        return Ok(());
    }
    let mut texts = |blobs: Vec<&str>| blobs.into_iter().map(&mut *read).collect::<Result<Vec<_>, E>>();
    let old = texts(left.iter().map(|index| gone[*index].blob).collect())?;
    let now = texts(new.iter().map(|index| made[*index].blob).collect())?;
    let mut alike: Vec<(usize, usize, usize)> = Vec::new();
    for (a, old) in old.iter().enumerate() {
        let lines = lines(old);
        for (b, now) in now.iter().enumerate() {
            let share = share(&lines, now);
            // What only moves to another kind of file is another file.
            let same_kind = gone[left[a]].path.extension() == made[new[b]].path.extension();
            if share >= ALIKE && same_kind {
                alike.push((share, left[a], new[b]));
            }
        }
    }
    alike.sort_by_key(|(share, a, b)| (std::cmp::Reverse(*share), *a, *b));
    for (_, a, b) in alike {
        if is_free[a] && pairs[b].is_none() {
            is_free[a] = false;
            pairs[b] = Some(a);
        }
    }
    Ok(())
}

fn lines(text: &[u8]) -> HashMap<&[u8], usize> {
    let mut lines = HashMap::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        *lines.entry(line).or_default() += 1;
    }
    lines
}

/// Bytes of lines that both have, in percent of the longer text.
fn share(old: &HashMap<&[u8], usize>, new: &[u8]) -> usize {
    let mut both = 0;
    let counts = lines(new);
    for (line, count) in &counts {
        both += line.len() * (*count).min(old.get(line).copied().unwrap_or(0));
    }
    let len = |lines: &HashMap<&[u8], usize>| lines.iter().map(|(line, count)| line.len() * count).sum::<usize>();
    let longer = len(old).max(new.len());
    (both * 100).checked_div(longer).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// Files as `path text`.
    fn paired(gone: &[(&str, &str)], made: &[(&str, &str)]) -> Vec<Option<usize>> {
        let path = |path: &str| WsPath::new(path).unwrap();
        let paths: Vec<_> = gone.iter().chain(made).map(|(name, _)| path(name)).collect();
        let gone: Vec<_> = gone.iter().zip(&paths).map(|((_, blob), path)| Placed { path, blob }).collect();
        let made: Vec<_> =
            made.iter().zip(&paths[gone.len()..]).map(|((_, blob), path)| Placed { path, blob }).collect();
        pair(&gone, &made, |text| Ok::<_, Infallible>(text.as_bytes().to_vec())).unwrap()
    }

    #[test]
    fn the_same_bytes_are_the_same_file_and_the_same_name_counts_first() {
        assert_eq!(paired(&[("a/x.md", "1\n")], &[("b/x.md", "1\n")]), [Some(0)]);
        let pairs = paired(&[("a/y.md", "1\n"), ("a/x.md", "1\n")], &[("b/x.md", "1\n"), ("b/z.md", "1\n")]);
        assert_eq!(pairs, [Some(1), Some(0)]);
        assert_eq!(paired(&[("a.md", "1\n")], &[("b.md", "1\n"), ("c.md", "1\n")]), [Some(0), None]);
    }

    #[test]
    fn the_most_alike_is_the_same_file_from_half_on() {
        let gone = [("a.md", "1\n2\n3\n4\n"), ("b.md", "5\n6\n7\n8\n")];
        assert_eq!(paired(&gone, &[("c.md", "1\n2\n3\n9\n"), ("d.md", "5\n6\n7\n8\n9\n")]), [Some(0), Some(1)]);
        assert_eq!(paired(&gone, &[("c.md", "1\n9\n9\n9\n")]), [None]);
        assert_eq!(paired(&gone, &[("c.png", "1\n2\n3\n9\n")]), [None]);
        assert_eq!(paired(&[("a.md", "")], &[("b.md", "")]), [Some(0)]);
    }
}
