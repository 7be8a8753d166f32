//! Runs the commands of a page of docs/, and compares what they say with what the page shows.

use super::Workspace;
use std::{fs, path::Path};

/// Runs every `console` block of a page, in order. Ids of commits and times are other ones in every run.
#[track_caller]
pub fn runs(workspace: &Workspace, page: &str) {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page)).unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_trackfs")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let blocks = page.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap());
    let mut ran = 0;
    for step in blocks.flat_map(|block| block.split("$ ").skip(1)) {
        let (command, expected) = step.split_once('\n').unwrap();
        let output = workspace.command("bash").args(["-c", command]).env("PATH", &path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            without_ids_and_times(&said),
            without_ids_and_times(expected),
            "{command}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        ran += 1;
    }
    assert!(ran > 1, "the page has its commands where this looks: {ran}");
}

/// Each digit of theirs becomes the template's.
fn without_ids_and_times(text: &str) -> String {
    const TEMPLATES: [&str; 3] = ["9999-99-99T99-99", "9999-99-99 99:99:99", "xxxxxxxx"];
    let fits = |template: &str, at: &[char]| {
        at.len() >= template.len()
            && template.chars().zip(at).all(|(wanted, found)| match wanted {
                '9' => found.is_ascii_digit(),
                'x' => found.is_ascii_hexdigit(),
                wanted => wanted == *found,
            })
    };
    let (chars, mut masked, mut at) = (text.chars().collect::<Vec<_>>(), String::new(), 0);
    while at < chars.len() {
        let template = TEMPLATES.iter().find(|template| fits(template, &chars[at..]));
        masked.push_str(&template.map_or_else(|| chars[at].to_string(), |template| (*template).to_owned()));
        at += template.map_or(1, |template| template.len());
    }
    masked
}
