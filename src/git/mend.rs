//! Mending what still points to the place that a repository was moved from: linked worktrees, submodules, relative
//! paths in its configuration. Every step changes nothing where there is nothing to mend, so all may be repeated.

use super::{
    GitError,
    init::{is_repository, normalize, read_gitfile, write_atomically, write_gitfile},
};
use gix::{
    bstr::{BString, ByteSlice},
    config::{File, Source},
};
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

pub(super) fn mend(old: &Path, new: &Path) -> Result<(), GitError> {
    mend_config(old, new)?;
    mend_alternates(old, new)?;
    mend_worktrees(old, new)?;
    mend_modules(&old.join("modules"), &new.join("modules"))
}

/// Linked worktrees name the repository in their gitfile.
fn mend_worktrees(old: &Path, new: &Path) -> Result<(), GitError> {
    for name in folders(&new.join("worktrees"))? {
        let (was, is) = (old.join("worktrees").join(&name), new.join("worktrees").join(&name));
        let Ok(back) = fs::read_to_string(is.join("gitdir")) else { continue };
        let gitfile = normalize(&was.join(back.trim_end()));
        if Path::new(back.trim_end()).is_relative() {
            write_atomically(&is.join("gitdir"), &format!("{}\n", gitfile.display()))?;
        }
        mend_gitfile(&gitfile, &was, &is)?;
    }
    Ok(())
}

/// Submodules keep their repositories in `modules/`, in folders of their own where names have slashes; each knows its
/// work tree, which knows it back.
fn mend_modules(old: &Path, new: &Path) -> Result<(), GitError> {
    for name in folders(new)? {
        let (was, is) = (old.join(&name), new.join(&name));
        if is_repository(&is) {
            if let Some(work_tree) = mend_config(&was, &is)? {
                mend_gitfile(&work_tree.join(".git"), &was, &is)?;
            }
            mend_alternates(&was, &is)?;
            mend_modules(&was.join("modules"), &is.join("modules"))?;
        } else {
            mend_modules(&was, &is)?;
        }
    }
    Ok(())
}

/// Points a gitfile to `is`, provided it points to `was`.
fn mend_gitfile(gitfile: &Path, was: &Path, is: &Path) -> io::Result<()> {
    if read_gitfile(gitfile).as_deref() == Some(was) { write_gitfile(gitfile, is) } else { Ok(()) }
}

/// Makes `core.worktree` and included files absolute, as they were meant at `was`; answers the work tree.
fn mend_config(was: &Path, is: &Path) -> Result<Option<PathBuf>, GitError> {
    let path = is.join("config");
    let mut config = File::from_path_no_includes(path.clone(), Source::Local)?;
    let mut changed = false;
    let conditions = config.sections_by_name("includeIf").into_iter().flatten();
    let mut keys: Vec<_> = conditions
        .map(|section| ("includeIf", section.header().subsection_name().map(ToOwned::to_owned), "path"))
        .collect();
    keys.extend([("include", None, "path"), ("core", None, "worktree")]);
    for (section, subsection, name) in keys {
        let subsection = subsection.as_ref().map(|name: &BString| name.as_bstr());
        let Ok(mut values) = config.raw_values_mut_by(section, subsection, name) else { continue };
        for (at, value) in values.get()?.into_iter().enumerate() {
            if let Some(absolute) = absolute(was, &value) {
                values.set_at(at, absolute.as_str())?;
                changed = true;
            }
        }
    }
    if changed {
        write_atomically(&path, &config.to_string())?;
    }
    Ok(config.string("core.worktree").and_then(|path| path.to_str().map(PathBuf::from).ok()))
}

/// Repositories whose objects are borrowed, by paths that are relative to the folder of objects.
fn mend_alternates(was: &Path, is: &Path) -> Result<(), GitError> {
    let path = is.join("objects/info/alternates");
    let Ok(lines) = fs::read_to_string(&path) else { return Ok(()) };
    let mend = |line: &str| absolute(&was.join("objects"), line.as_bytes()).unwrap_or_else(|| line.to_owned()) + "\n";
    let mended: String = lines.lines().map(mend).collect();
    if mended == lines { Ok(()) } else { Ok(write_atomically(&path, &mended)?) }
}

/// What a relative path meant in `folder`; `None` when it is absolute, or starts at home or git's own folder.
fn absolute(folder: &Path, path: &[u8]) -> Option<String> {
    let path = path.to_str().ok().filter(|path| !path.is_empty() && !path.starts_with(['/', '~', '%', '#']))?;
    normalize(&folder.join(path)).into_os_string().into_string().ok()
}

/// Writes who the user is into the repository's own configuration.
pub(super) fn keep_identity(git_dir: &Path, identity: [Option<BString>; 2]) -> Result<(), GitError> {
    let path = git_dir.join("config");
    let mut config = File::from_path_no_includes(path.clone(), Source::Local)?;
    for (key, value) in ["user.name", "user.email"].into_iter().zip(identity) {
        if let Some(value) = value {
            config.set_raw_value(key, value.as_bstr())?;
        }
    }
    Ok(write_atomically(&path, &config.to_string())?)
}

fn folders(path: &Path) -> io::Result<Vec<OsString>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let folders = entries.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().is_dir()));
    folders.map(|entry| Ok(entry?.file_name())).collect()
}
