//! What a person gives a command beside its arguments: standard input, a word at a prompt, a text in an editor.

use super::failure::because;
use std::{
    io::{self, IsTerminal, Read},
    path::Path,
    process::Command,
};

/// The argument, or all of standard input where it is `-`.
pub fn text(said: &str) -> io::Result<String> {
    if said != "-" {
        return Ok(said.to_owned());
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// Whether somebody is there to be asked.
pub fn is_attended() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// The command that edits a file, which may have arguments: `$VISUAL`, else `$EDITOR`.
pub fn editor() -> String {
    let named = ["VISUAL", "EDITOR"].into_iter().find_map(|name| std::env::var(name).ok().filter(|it| !it.is_empty()));
    named.unwrap_or_else(|| "vi".to_owned())
}

/// Has the user edit a file; answers whether the editor ended well.
pub fn edit(file: &Path) -> anyhow::Result<bool> {
    let editor = editor();
    let ended = Command::new("sh").args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(file).status();
    Ok(ended.map_err(|error| because(format!("{editor} cannot be started"), error))?.success())
}
