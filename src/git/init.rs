//! Setting up the repository: its folder outside the workspace, and a gitfile that leads git there.

use super::{GitError, durable, relocate};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const CONFIG: &str =
    "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n";
const EXCLUDE: &str = "# Patterns here are ignored in this clone only; .gitignore is for everyone.\n";

/// The git directory of a workspace, from its `.git` folder or file.
pub fn discover(workspace: &Path) -> Option<PathBuf> {
    let dot_git = workspace.join(".git");
    if dot_git.is_dir() { Some(dot_git) } else { read_gitfile(&dot_git) }
}

/// Answers where the repository of `workspace` is now.
pub(super) fn init(workspace: &Path, git_dir: &Path) -> Result<PathBuf, GitError> {
    let workspace = workspace.canonicalize()?;
    let git_dir = std::path::absolute(git_dir)?;
    if git_dir.starts_with(&workspace) {
        return Err(GitError::Git(format!("{} must lie outside the workspace", git_dir.display())));
    }
    let dot_git = workspace.join(".git");
    if let Some(elsewhere) = led_elsewhere(&dot_git, &git_dir) {
        return Ok(elsewhere);
    }
    if dot_git.symlink_metadata().is_err() && !is_repository(&git_dir) {
        create(&dot_git)?;
    }
    if dot_git.is_dir() {
        relocate::relocate(&dot_git, &git_dir)?;
    } else {
        write_gitfile(&dot_git, &git_dir)?;
    }
    relocate::finish(&dot_git, &git_dir)?;
    Ok(git_dir)
}

/// The repository that a gitfile or symlink of the user's own leads to.
fn led_elsewhere(dot_git: &Path, git_dir: &Path) -> Option<PathBuf> {
    let target = if dot_git.is_symlink() { dot_git.canonicalize().ok() } else { read_gitfile(dot_git) };
    target.filter(|target| target != git_dir)
}

/// Makes an empty repository: nothing, or all of it.
fn create(dot_git: &Path) -> Result<(), GitError> {
    let made = with_suffix(dot_git, ".trackfs-made");
    remove_if_there(&made)?;
    for folder in ["objects/info", "objects/pack", "refs/heads", "refs/tags", "info"] {
        fs::create_dir_all(made.join(folder))?;
    }
    fs::write(made.join("config"), CONFIG)?;
    fs::write(made.join("info/exclude"), EXCLUDE)?;
    fs::write(made.join("HEAD"), "ref: refs/heads/main\n")?;
    let branch = default_branch(&made)?;
    fs::write(made.join("HEAD"), format!("ref: refs/heads/{branch}\n"))?;
    durable::sync_filesystem(&made)?;
    fs::rename(&made, dot_git)?;
    Ok(durable::sync_folder(parent(dot_git))?)
}

/// Adds what is missing to `info/exclude`.
pub(super) fn exclude(common_dir: &Path, patterns: &[&str]) -> io::Result<()> {
    let file = common_dir.join("info/exclude");
    let mut text = match fs::read_to_string(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => EXCLUDE.to_owned(),
        read => read?,
    };
    let missing: Vec<_> = patterns.iter().filter(|pattern| !text.lines().any(|line| line == **pattern)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    missing.iter().for_each(|pattern| text.extend([**pattern, "\n"]));
    fs::create_dir_all(common_dir.join("info"))?;
    write_atomically(&file, &text)
}

/// `init.defaultBranch`, or `main`.
fn default_branch(git_dir: &Path) -> Result<String, GitError> {
    let repo = super::open::open(git_dir)?.to_thread_local();
    let configured = repo.config_snapshot().string("init.defaultBranch").map(|name| name.to_string());
    let legal = |name: &String| gix::refs::FullName::try_from(format!("refs/heads/{name}")).is_ok();
    Ok(configured.filter(legal).unwrap_or_else(|| "main".to_owned()))
}

pub(super) fn is_repository(git_dir: &Path) -> bool {
    git_dir.join("HEAD").is_file() && git_dir.join("objects").is_dir()
}

/// Where a gitfile leads; `None` when there is none.
pub(super) fn read_gitfile(path: &Path) -> Option<PathBuf> {
    let content = fs::read_to_string(path).ok()?;
    let target = content.strip_prefix("gitdir:")?.trim();
    Some(normalize(&parent(path).join(target)))
}

/// Replaces whatever file is at `path`, atomically and durably.
pub(super) fn write_gitfile(path: &Path, git_dir: &Path) -> io::Result<()> {
    write_atomically(path, &format!("gitdir: {}\n", git_dir.display()))
}

pub(super) fn write_atomically(path: &Path, content: &str) -> io::Result<()> {
    let made = with_suffix(path, ".trackfs-new");
    fs::write(&made, content)?;
    durable::sync_file(&made)?;
    fs::rename(&made, path)?;
    durable::sync_folder(parent(path))
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(super) fn parent(path: &Path) -> &Path {
    path.parent().expect("an absolute path of a file has a folder")
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// The path without `.` and `..`, by its text: what it names may be gone already.
pub(super) fn normalize(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut done, part| {
        match part {
            std::path::Component::ParentDir => {
                done.pop();
            }
            std::path::Component::CurDir => {}
            part => done.push(part),
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_excluded_once_is_not_excluded_twice() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("info")).unwrap();
        fs::write(dir.path().join("info/exclude"), "*.o").unwrap();
        for _ in 0..2 {
            exclude(dir.path(), &["/views/", "/status/"]).unwrap();
        }
        assert_eq!(fs::read_to_string(dir.path().join("info/exclude")).unwrap(), "*.o\n/views/\n/status/\n");
    }

    #[test]
    fn paths_are_normalized_by_their_text() {
        for (path, expected) in [("/a/../b", "/b"), ("/a/./b/", "/a/b"), ("/a/b/../../c", "/c"), ("/../a", "/a")] {
            assert_eq!(normalize(Path::new(path)), Path::new(expected), "{path}");
        }
    }
}
