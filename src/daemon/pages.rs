//! The pages of `status/`, as Markdown for people.

use super::report::ConflictReport;
use crate::domain::{path::WsPath, problem::Problem, text::printable};
use std::fmt::Write;

/// `status/problems.md`: what is wrong with the workspace's own state, then file by file.
pub fn problems(problems: &[Problem], notes: &[String]) -> String {
    if problems.is_empty() && notes.is_empty() {
        return "# Problems\n\nNone.\n".to_owned();
    }
    let mut page = format!(
        "# Problems\n\n{} in all. A file with an error is kept and versioned, and not synced.\n",
        problems.len() + notes.len()
    );
    if !notes.is_empty() {
        page.push_str("\n## The workspace\n\n");
        notes.iter().for_each(|note| page.extend(["- ", note, "\n"]));
    }
    let mut current = None;
    for problem in problems {
        if current != Some(&problem.path) {
            let _ = write!(page, "\n## {}\n\n", printable(problem.path.as_str()));
            current = Some(&problem.path);
        }
        let help = problem.help.as_ref().map(|help| format!(" — {help}")).unwrap_or_default();
        let Problem { line, column, message, code, .. } = problem;
        let told = format!("- line {line}, column {column}: {message}{help} `{code}`");
        let _ = writeln!(page, "{}", printable(&told));
    }
    page
}

/// `status/conflicts/NAME.md`.
pub fn conflicts(ticket: &WsPath, conflicts: &[ConflictReport]) -> String {
    let mut page = format!(
        "# Conflicts of {}\n\n\
         Both sides changed the same thing in different ways. Your file keeps your value, the tracker keeps its own.\n",
        printable(ticket.as_str())
    );
    let word = shell_word(ticket.as_str());
    for conflict in conflicts.iter().filter(|conflict| conflict.path == *ticket) {
        let ConflictReport { remote, key, field, base, local, theirs, .. } = conflict;
        let _ = write!(page, "\n## {field}, with {remote} ({key})\n");
        for (what, value) in [("Last agreed", base.as_deref()), ("Here", Some(local)), ("There", Some(theirs))] {
            let _ = write!(page, "\n{what}{}\n", value.map_or_else(|| ": nothing".to_owned(), quoted));
        }
        let only = format!("--field {field} --remote {remote}");
        let _ = write!(
            page,
            "\nTo end it, make the file say what {remote} says, or run one of\n\n\
             \x20   trackfs resolve {word} --ours {only}\n\
             \x20   trackfs resolve {word} --theirs {only}\n\
             \x20   trackfs resolve {word} --edit {only}\n\n\
             What gives way stays in git: `git log refs/trackfs/remotes/{remote}` and `git log -p -- {word}`.\n"
        );
    }
    page
}

/// A value in a fence that nothing in it can close.
fn quoted(value: &str) -> String {
    let longest = value.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!(":\n\n{fence}\n{}\n{fence}", value.trim_end_matches('\n'))
}

/// A word that a shell takes as it is.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,@%".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::problem::Severity;

    #[test]
    fn the_problems_page_groups_by_file() {
        let problem = |path: &str, line| Problem {
            path: WsPath::new(path).unwrap(),
            line,
            column: 9,
            severity: Severity::Error,
            code: "unknown-status".into(),
            message: "status `dome` is not known".into(),
            help: Some("did you mean `done`?".into()),
        };
        let page = problems(&[problem("tickets/a.md", 3), problem("tickets/a.md", 5), problem("tickets/b.md", 2)], &[]);
        assert_eq!(page.matches("## tickets/").count(), 2);
        assert!(
            page.contains("- line 3, column 9: status `dome` is not known — did you mean `done`? `unknown-status`")
        );
        assert!(problems(&[], &[]).contains("None."));
        assert!(problems(&[], &["damaged".into()]).ends_with("## The workspace\n\n- damaged\n"));
    }

    #[test]
    fn the_page_shows_the_three_states_and_what_to_do() {
        let conflict = ConflictReport {
            remote: "linear".into(),
            path: WsPath::new("tickets/login.md").unwrap(),
            key: "ENG-1".into(),
            field: "body".into(),
            base: None,
            local: "one\n```\ncode\n```\n".into(),
            theirs: "# two".into(),
        };
        insta::assert_snapshot!(conflicts(&conflict.path.clone(), &[conflict]), @r"
        # Conflicts of tickets/login.md

        Both sides changed the same thing in different ways. Your file keeps your value, the tracker keeps its own.

        ## body, with linear (ENG-1)

        Last agreed: nothing

        Here:

        ````
        one
        ```
        code
        ```
        ````

        There:

        ```
        # two
        ```

        To end it, make the file say what linear says, or run one of

            trackfs resolve tickets/login.md --ours --field body --remote linear
            trackfs resolve tickets/login.md --theirs --field body --remote linear
            trackfs resolve tickets/login.md --edit --field body --remote linear

        What gives way stays in git: `git log refs/trackfs/remotes/linear` and `git log -p -- tickets/login.md`.
        ");
    }

    #[test]
    fn a_command_to_copy_means_the_file_and_nothing_else() {
        let words = ["tickets/a.md", "a b.md", "$(x);'y'"].map(shell_word);
        assert_eq!(words, ["tickets/a.md", "'a b.md'", r"'$(x);'\''y'\'''"]);
    }
}
