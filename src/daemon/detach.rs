//! Starting a daemon in the background, and telling its starter when it is ready or why it is not.

use super::{Location, log};
use anyhow::{Context, bail};
use std::{
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

/// Starts this program with `arguments` in a session of its own, its log in the workspace's state folder. Returns the
/// first line it prints, which it prints when it is ready; fails with what it logged when it ends before that.
pub fn start(at: &Location, arguments: &[std::ffi::OsString]) -> anyhow::Result<String> {
    at.make_state()?;
    let file = at.log_file();
    let mut log = log::open(&file).with_context(|| format!("{} cannot be opened", file.display()))?;
    let before = log.seek(SeekFrom::End(0))?;
    let mut command = Command::new(std::env::current_exe().context("cannot find this program's own file")?);
    command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.try_clone()?);
    // SAFETY: setsid is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| if libc::setsid() < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) });
    }
    let mut child = command.spawn().context("cannot start the daemon")?;
    let mut line = String::new();
    let output = child.stdout.take().expect("its standard output is a pipe");
    BufReader::new(output).read_line(&mut line)?;
    if !line.is_empty() {
        return Ok(line.trim_end().to_owned());
    }
    let status = child.wait()?;
    log.seek(SeekFrom::Start(before))?;
    let mut said = String::new();
    log.read_to_string(&mut said)?;
    let said = said.trim().trim_start_matches("trackfs: ");
    match said {
        "" if is_full(&at.state) => bail!("the disk under {} is full", at.state.display()),
        "" => bail!("the daemon ended ({status}) without saying why"),
        said => bail!("{said}"),
    }
}

/// Whether nothing can be written to a folder any more, not even why.
fn is_full(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|disk| disk.f_bavail == 0)
}
