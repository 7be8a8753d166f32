//! The repository of a new workspace: found, moved out of the folder, or made.

use crate::{
    cli::failure::{advise, because},
    domain::path::WsPath,
    git::{FileContent, FileMode, PathChange, Repo},
    workspace::root::Root,
};
use std::{
    env,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// A workspace's repository, ready for use.
pub struct Prepared {
    pub repo: Repo,
    pub git_dir: PathBuf,
    pub notes: Vec<String>,
}

/// Keeps the repository that `dir` points to, moves the one inside it out, or makes one.
pub fn prepare(dir: &Path, wanted: Option<&Path>) -> anyhow::Result<Prepared> {
    if let Some(git_dir) = gitfile_target(dir)? {
        return keep(git_dir, wanted);
    }
    let git_dir = match wanted {
        Some(path) => real_place(&std::path::absolute(path)?),
        None => real_place(&default_place(dir)?),
    };
    refuse_place(dir, &git_dir)?;
    let moved = dir.join(".git").exists();
    let worktrees = dir.join(".git/worktrees").is_dir();
    private_folder(git_dir.parent().expect("an absolute path that is not inside the workspace has a parent"))?;
    let repo = Repo::init(dir, &git_dir).map_err(|error| because("the git repository cannot be set up", error))?;
    let mut notes = Vec::new();
    if moved {
        notes.push(format!("its git repository was moved to {}, history and index kept", git_dir.display()));
    }
    if worktrees {
        notes.push("linked worktrees find it again after `git worktree repair PATH…`".to_owned());
    }
    Ok(Prepared { repo, git_dir, notes })
}

/// The repository that a gitfile in `dir` names; `None` when there is no gitfile.
fn gitfile_target(dir: &Path) -> anyhow::Result<Option<PathBuf>> {
    let gitfile = dir.join(".git");
    if !gitfile.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(&gitfile).map_err(|error| because(".git cannot be read", error))?;
    let target = text.strip_prefix("gitdir:").map(|target| dir.join(target.trim()));
    match target.map(|target| target.canonicalize()) {
        Some(Ok(target)) => Ok(Some(target)),
        _ => Err(advise(
            format!("{} does not lead to a repository: {}", gitfile.display(), text.trim()),
            "put the repository back where it points, or remove that file to start a new history",
        )),
    }
}

fn keep(git_dir: PathBuf, wanted: Option<&Path>) -> anyhow::Result<Prepared> {
    if wanted.is_some_and(|wanted| wanted.canonicalize().ok().as_ref() != Some(&git_dir)) {
        return Err(advise(
            format!("the workspace has its repository in {} already", git_dir.display()),
            "leave out --git-dir, or move the repository and edit the file `.git` first",
        ));
    }
    let repo = Repo::open(&git_dir).map_err(|error| because("the git repository cannot be opened", error))?;
    Ok(Prepared { repo, git_dir, notes: Vec::new() })
}

/// `$XDG_DATA_HOME/trackfs/<name>-<8 hex>/git`: a place of its own, even for a folder whose name comes back.
fn default_place(dir: &Path) -> anyhow::Result<PathBuf> {
    let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let data = data.or_else(|| env::home_dir().map(|home| home.join(".local/share"))).ok_or_else(|| {
        advise("there is no home folder to keep the repository in", "set HOME, or say where with --git-dir")
    })?;
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let unique = uuid::Uuid::new_v4().simple().to_string();
    Ok(data.join("trackfs").join(format!("{name}-{}", &unique[..8])).join("git"))
}

fn refuse_place(dir: &Path, git_dir: &Path) -> anyhow::Result<()> {
    if git_dir.starts_with(dir) {
        let what = format!("{} is inside the workspace, where a mount would hide it", git_dir.display());
        return Err(advise(what, "name a folder outside of it with --git-dir"));
    }
    if fs::read_dir(git_dir).is_ok_and(|mut entries| entries.next().is_some()) {
        let what = format!("{} is not empty", git_dir.display());
        return Err(advise(what, "name a folder that does not exist yet"));
    }
    Ok(())
}

/// Where a path that may not exist yet would be, with the symlinks of what exists followed.
fn real_place(path: &Path) -> PathBuf {
    path.ancestors()
        .find_map(|above| {
            let real = above.canonicalize().ok()?;
            Some(real.join(path.strip_prefix(above).ok()?))
        })
        .unwrap_or_else(|| path.to_owned())
}

/// Makes missing folders for the owner alone: the state beside the repository holds what tickets say.
fn private_folder(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| because(format!("{} cannot be made", path.display()), error))
}

/// What the user is in the middle of, if anything: a commit now would get in its way.
pub fn in_progress(git_dir: &Path) -> Option<&'static str> {
    const MARKS: [(&str, &str); 6] = [
        ("MERGE_HEAD", "a merge"),
        ("rebase-merge", "a rebase"),
        ("rebase-apply", "a rebase"),
        ("CHERRY_PICK_HEAD", "a cherry-pick"),
        ("REVERT_HEAD", "a revert"),
        ("BISECT_LOG", "a bisection"),
    ];
    MARKS.iter().find(|(mark, _)| git_dir.join(mark).exists()).map(|(_, what)| *what)
}

/// Commits these new files and nothing else; answers the commit's id.
pub fn commit(repo: &Repo, dir: &Path, files: &[WsPath]) -> anyhow::Result<Option<String>> {
    if files.is_empty() {
        return Ok(None);
    }
    let root = Root::open(dir)?;
    let changes = files.iter().map(|path| change(&root, path)).collect::<io::Result<Vec<_>>>()?;
    repo.commit(&changes, "Start a trackfs workspace\n\nTrackfs-Actor: trackfs\n")
        .map_err(|error| because("the new files cannot be committed", error))
}

fn change(root: &Root, path: &WsPath) -> io::Result<PathChange> {
    let content = FileContent { bytes: root.read(path)?, mode: FileMode::Plain, stat: root.stat(path)? };
    Ok(PathChange { path: path.clone(), content: Some(content) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_git_dir_inside_the_workspace_is_refused_through_symlinks_too() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = dir.path().canonicalize().unwrap().join("w");
        fs::create_dir(&workspace).unwrap();
        std::os::unix::fs::symlink(&workspace, dir.path().join("link")).unwrap();
        let refused = |path: &str| refuse_place(&workspace, &real_place(&dir.path().join(path))).is_err();
        assert!(refused("w/x/git") && refused("link/git") && refused("w/missing/../git"));
        assert!(!refused("other/git") && !refused("w/../git"));
    }

    #[test]
    fn a_gitfile_that_leads_nowhere_is_a_failure_that_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".git"), "gitdir: /nowhere/at/all\n").unwrap();
        assert!(gitfile_target(dir.path()).unwrap_err().to_string().contains("/nowhere/at/all"));
    }

    #[test]
    fn an_unfinished_merge_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(in_progress(dir.path()), None);
        fs::write(dir.path().join("MERGE_HEAD"), "").unwrap();
        assert_eq!(in_progress(dir.path()), Some("a merge"));
    }
}
