//! The files of a new workspace.

use super::template::Template;
use crate::{
    cli::failure::because,
    domain::{path::WsPath, view},
    workspace::config::DEFAULT_CONFIG,
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

const IGNORE: &str = include_str!("../templates/ignore");
const FOLDERS: [&str; 3] = ["tickets", "specs", "inbox"];

/// What was written.
#[derive(Default)]
pub struct Written {
    /// Files that did not exist before.
    pub created: Vec<WsPath>,
    /// Folders, with a slash at the end.
    pub folders: Vec<String>,
    pub notes: Vec<String>,
}

/// Writes what is missing, and overwrites nothing.
pub fn write(dir: &Path, template: Template) -> anyhow::Result<Written> {
    let mut written = Written::default();
    for folder in FOLDERS {
        make_folder(dir, folder, &mut written)?;
    }
    fs::create_dir_all(dir.join(".trackfs")).map_err(|error| because(".trackfs cannot be made", error))?;
    create(dir, ".trackfs/config.yaml", DEFAULT_CONFIG, &mut written)?;
    if !create(dir, ".trackfs/schema.yaml", &template.schema(), &mut written)? && template != Template::Solo {
        written
            .notes
            .push(".trackfs/schema.yaml was there and is left as it is, without what the template adds".to_owned());
    }
    views(dir, template, &mut written)?;
    agents(dir, &template.agents(), &mut written)?;
    ignore(dir, &mut written)?;
    Ok(written)
}

fn make_folder(dir: &Path, name: &str, written: &mut Written) -> anyhow::Result<()> {
    match fs::create_dir(dir.join(name)) {
        Ok(()) => written.folders.push(format!("{name}/")),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.join(name).is_dir() => {}
        Err(error) => return Err(because(format!("the folder {name} cannot be made"), error)),
    }
    Ok(())
}

/// Writes a new file; answers whether it was missing.
fn create(dir: &Path, name: &str, text: &str, written: &mut Written) -> anyhow::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).open(dir.join(name)) {
        Ok(file) => finish(file, text).map_err(|error| because(format!("{name} cannot be written"), error))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(because(format!("{name} cannot be made"), error)),
    }
    written.created.push(WsPath::new(name).expect("the names of these files are legal"));
    Ok(true)
}

fn finish(mut file: File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn views(dir: &Path, template: Template, written: &mut Written) -> anyhow::Result<()> {
    for (name, text) in template.views() {
        fs::create_dir_all(dir.join(view::FOLDER))
            .map_err(|error| because(format!("{} cannot be made", view::FOLDER), error))?;
        create(dir, name, text, written)?;
    }
    Ok(())
}

/// `AGENTS.md`, or, where somebody wrote one, `.trackfs/AGENTS.md`.
fn agents(dir: &Path, text: &str, written: &mut Written) -> anyhow::Result<()> {
    let title = text.lines().next().expect("the template has a title");
    let ours = |there: String| there.lines().any(|line| line == title);
    if create(dir, "AGENTS.md", text, written)? || fs::read_to_string(dir.join("AGENTS.md")).is_ok_and(ours) {
        return Ok(());
    }
    if create(dir, ".trackfs/AGENTS.md", text, written)? {
        written.notes.push("AGENTS.md was there and is left as it is: point it to .trackfs/AGENTS.md".to_owned());
    }
    Ok(())
}

/// `.ignore`, or the lines that one lacks.
fn ignore(dir: &Path, written: &mut Written) -> anyhow::Result<()> {
    if create(dir, ".ignore", IGNORE, written)? {
        return Ok(());
    }
    let path = dir.join(".ignore");
    let present = fs::read(&path).map_err(|error| because(".ignore cannot be read", error))?;
    let has = |line: &str| present.split(|byte| *byte == b'\n').any(|have| have.trim_ascii() == line.as_bytes());
    let missing: Vec<&str> = IGNORE.lines().filter(|line| line.starts_with('/') && !has(line)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let gap = if present.is_empty() || present.ends_with(b"\n") { "" } else { "\n" };
    let addition = format!("{gap}{}\n", missing.join("\n"));
    let file = OpenOptions::new().append(true).open(&path);
    file.and_then(|file| finish(file, &addition)).map_err(|error| because(".ignore cannot be written", error))?;
    written.notes.push(format!(".ignore now has {}, too", missing.join(" ")));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(written: &Written) -> Vec<&str> {
        written.created.iter().map(WsPath::as_str).collect()
    }

    #[test]
    fn a_second_run_adds_only_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let first = write(dir.path(), Template::Solo).unwrap();
        assert_eq!(names(&first), [".trackfs/config.yaml", ".trackfs/schema.yaml", "AGENTS.md", ".ignore"]);
        assert_eq!(first.folders, ["tickets/", "specs/", "inbox/"]);
        fs::write(dir.path().join(".trackfs/config.yaml"), "mine").unwrap();
        fs::remove_file(dir.path().join(".ignore")).unwrap();
        let second = write(dir.path(), Template::Solo).unwrap();
        assert_eq!(names(&second), [".ignore"]);
        assert!(second.folders.is_empty() && second.notes.is_empty());
        assert_eq!(fs::read_to_string(dir.path().join(".trackfs/config.yaml")).unwrap(), "mine");
    }

    #[test]
    fn a_template_adds_to_a_workspace_what_it_lacks_and_says_what_stays() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), Template::Solo).unwrap();
        let added = write(dir.path(), Template::Team).unwrap();
        let views = [".trackfs/views/triage.yaml", ".trackfs/views/review.yaml", ".trackfs/views/stale.yaml"];
        assert_eq!(names(&added), views);
        assert!(added.notes.len() == 1 && added.notes[0].contains("schema.yaml"), "{:?}", added.notes);
    }

    #[test]
    fn somebody_elses_agents_file_stays_and_is_pointed_out_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("AGENTS.md"), "# House rules\n").unwrap();
        let first = write(dir.path(), Template::Solo).unwrap();
        assert!(names(&first).contains(&".trackfs/AGENTS.md") && first.notes.len() == 1);
        assert_eq!(fs::read_to_string(dir.path().join("AGENTS.md")).unwrap(), "# House rules\n");
        assert!(write(dir.path(), Template::Solo).unwrap().notes.is_empty());
    }

    #[test]
    fn an_ignore_file_gets_the_lines_it_lacks_and_keeps_its_own() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".ignore"), "target\n/views/\r\nlast").unwrap();
        write(dir.path(), Template::Solo).unwrap();
        let text = fs::read_to_string(dir.path().join(".ignore")).unwrap();
        assert_eq!(text, "target\n/views/\r\nlast\n/status/\n/remotes/\n");
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_a_failure_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("tickets"), "").unwrap();
        assert!(write(dir.path(), Template::Solo).err().unwrap().to_string().contains("tickets"));
    }
}
