//! `service`: has systemd mount the workspace whenever its user logs in; `logs`: what the daemon had to say, wherever it says it.

use super::{
    ask::locate,
    failure::{advise, because},
    output::Output,
};
use crate::daemon::Location;
use clap::{Args, Subcommand};
use std::{
    env, fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// Mount this workspace now and at each login, by a systemd user unit
    #[command(after_help = "\
Tokens go into ~/.config/trackfs/environment (mode 600): GITHUB_TOKEN=…, LINEAR_API_KEY=…
Without a login, too: loginctl enable-linger")]
    Install(super::mount::DirArgs),
    /// Unmount it, and take the unit away
    Uninstall(super::mount::DirArgs),
    /// Show the unit, and whether it runs
    Status(super::mount::DirArgs),
}

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// A folder of the workspace [default: here]
    dir: Option<PathBuf>,
    /// Go on showing what is logged
    #[arg(long, short)]
    follow: bool,
    /// Show at most this many lines
    #[arg(long, short, value_name = "NUMBER", default_value_t = 50)]
    number: usize,
}

/// The unit of one workspace.
struct Unit {
    name: String,
    file: PathBuf,
}

impl Unit {
    fn of(at: &Location) -> anyhow::Result<Self> {
        let config = match env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute()) {
            Some(dir) => dir,
            None => env::home_dir().ok_or_else(|| anyhow::anyhow!("HOME is not set"))?.join(".config"),
        };
        // The folder of its repository has a name that no other workspace's has.
        let id = at.git_dir.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let id: String = id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let name = format!("trackfs-{id}.service");
        Ok(Self { file: config.join("systemd/user").join(&name), name })
    }

    fn is_installed(&self) -> bool {
        self.file.exists()
    }
}

pub fn run(command: &ServiceCommand, out: &mut Output) -> anyhow::Result<()> {
    match command {
        ServiceCommand::Install(args) => install(&locate(args.dir())?, out),
        ServiceCommand::Uninstall(args) => uninstall(&locate(args.dir())?, out),
        ServiceCommand::Status(args) => status(&locate(args.dir())?),
    }
}

fn install(at: &Location, out: &mut Output) -> anyhow::Result<()> {
    let unit = Unit::of(at)?;
    if !unit.is_installed() && at.is_live() {
        let next = "`trackfs unmount`, then again: from then on systemd is who mounts it";
        return Err(advise(format!("{} is mounted or watched already", at.dir.display()), next));
    }
    let program = env::current_exe().map_err(|error| because("this program's own file cannot be found", error))?;
    let text = unit_text(&program, &at.dir)?;
    let write = || -> io::Result<()> {
        fs::create_dir_all(unit.file.parent().unwrap_or(Path::new(".")))?;
        fs::write(&unit.file, &text)
    };
    write().map_err(|error| because(format!("{} cannot be written", unit.file.display()), error))?;
    out.line(format!("wrote {}", unit.file.display()))?;
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", "--now", &unit.name])?;
    Ok(out.line(format!(
        "{} is mounted now, and at each login; `trackfs logs -f` shows what it says",
        at.dir.display()
    ))?)
}

fn uninstall(at: &Location, out: &mut Output) -> anyhow::Result<()> {
    let unit = Unit::of(at)?;
    if !unit.is_installed() {
        return Err(advise(format!("{} has no unit", at.dir.display()), "`trackfs service install` makes one"));
    }
    systemctl(&["disable", "--now", &unit.name])?;
    fs::remove_file(&unit.file)
        .map_err(|error| because(format!("{} cannot be removed", unit.file.display()), error))?;
    systemctl(&["daemon-reload"])?;
    Ok(out.line(format!("{} is no longer mounted by systemd", at.dir.display()))?)
}

fn status(at: &Location) -> anyhow::Result<()> {
    let unit = Unit::of(at)?;
    if !unit.is_installed() {
        return Err(advise(format!("{} has no unit", at.dir.display()), "`trackfs service install` makes one"));
    }
    Err(because(
        "systemctl cannot be started",
        Command::new("systemctl").args(["--user", "status", "--no-pager", &unit.name]).exec(),
    ))
}

/// Its output is the user's to see.
fn systemctl(arguments: &[&str]) -> anyhow::Result<()> {
    let next = "it needs a login session with systemd (`systemctl --user status` says more); without one, `trackfs mount` in a login script does";
    let ended = Command::new("systemctl").arg("--user").args(arguments).status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(advise(format!("systemctl --user {} failed ({status})", arguments.join(" ")), next)),
        Err(error) => Err(advise(format!("systemctl cannot be started: {error}"), next)),
    }
}

/// Restarts after a failure, and gives up after three in five minutes: a workspace that cannot be mounted is not tried for ever.
fn unit_text(program: &Path, dir: &Path) -> anyhow::Result<String> {
    let (program, dir) = (quoted(program)?, quoted(dir)?);
    Ok(format!(
        "# Written by `trackfs service install`.
[Unit]
Description=trackfs workspace {dir}
StartLimitIntervalSec=300
StartLimitBurst=3

[Service]
EnvironmentFile=-%h/.config/trackfs/environment
Environment=PATH=%h/.cargo/bin:%h/.local/bin:/usr/local/bin:/usr/bin:/bin
ExecStart={program} mount --foreground {dir}
Restart=on-failure
RestartSec=5
TimeoutStopSec=60

[Install]
WantedBy=default.target
"
    ))
}

/// A path as systemd reads it back: nothing in it has a meaning.
fn quoted(path: &Path) -> anyhow::Result<String> {
    let text = path.to_str().filter(|text| !text.contains(char::is_control));
    let text = text.ok_or_else(|| anyhow::anyhow!("{} cannot be written into a unit", path.display()))?;
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    Ok(format!("\"{escaped}\""))
}

/// Hands over to whoever has the log, with the terminal.
pub fn logs(args: &LogsArgs) -> anyhow::Result<()> {
    let at = locate(args.dir.as_deref())?;
    let unit = Unit::of(&at)?;
    let number = args.number.to_string();
    let mut reader = if unit.is_installed() {
        let mut journalctl = Command::new("journalctl");
        journalctl.args(["--user-unit", &unit.name, "--no-pager", "-n", &number]);
        if args.follow {
            journalctl.arg("-f");
        }
        journalctl
    } else if at.log_file().exists() {
        let mut tail = Command::new("tail");
        tail.args(["-n", &number]);
        if args.follow {
            tail.arg("-F");
        }
        tail.arg(at.log_file());
        tail
    } else {
        return Err(advise("nothing was logged yet", "a daemon in the background logs: `trackfs mount`"));
    };
    let program = reader.get_program().to_string_lossy().into_owned();
    Err(because(format!("{program} cannot be started"), reader.exec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_means_itself_to_systemd() {
        let text = unit_text(Path::new("/usr/bin/trackfs"), Path::new("/home/ada/100% \"mine\" $x\\y")).unwrap();
        let start = text.lines().find(|line| line.starts_with("ExecStart=")).unwrap();
        let expected = "ExecStart=\"/usr/bin/trackfs\" mount --foreground \"/home/ada/100%% \\\"mine\\\" $$x\\\\y\"";
        assert_eq!(start, expected);
        assert!(unit_text(Path::new("/usr/bin/trackfs"), Path::new("/a\nExecStart=/b")).is_err());
    }
}
