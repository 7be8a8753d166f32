//! `remote add` without arguments: asks for what is needed, as a person can answer it.
//!
//! A token is never asked for here: it would stand on the terminal. What is asked is where it is kept; the keyring asks for it itself.

use crate::{
    cli::failure::advise,
    domain::path::WsPath,
    remote::{Place, RemoteError},
    workspace::config::{RemoteConfig, RemoteKind, TokenSource},
};
use std::io::{BufRead, Write};

/// Places that are shown at once; of more, whoever looks types a part of the name.
const SHOWN: usize = 20;
/// Answers that are not understood before it is given up.
const TRIES: usize = 5;

/// Asks, and hears the answers.
pub struct Dialog<'d> {
    pub input: &'d mut dyn BufRead,
    pub output: &'d mut dyn Write,
}

/// Which places a token can see.
pub type Places<'p> = &'p dyn Fn(&str, &RemoteConfig) -> Result<Vec<Place>, RemoteError>;

/// What is needed beside answers.
pub struct Means<'m> {
    pub places: Places<'m>,
    /// Has the keyring ask for a token, and keep it by this account.
    pub keep: &'m dyn Fn(&str) -> anyhow::Result<()>,
}

/// A remote as its user describes it. What the command line says already (`None`: nothing) is not asked.
pub fn ask(
    dialog: &mut Dialog<'_>,
    name: Option<String>,
    kind: Option<RemoteKind>,
    means: &Means<'_>,
) -> anyhow::Result<(String, RemoteConfig)> {
    let kind = match kind {
        Some(kind) => kind,
        None => {
            let kinds = [("GitHub", "issues of a repository"), ("Linear", "issues of a team")];
            [RemoteKind::Github, RemoteKind::Linear][dialog.choose("Which tracker?", &kinds)?]
        }
    };
    let folder = WsPath::new("tickets")?;
    let mut remote = RemoteConfig { token: TokenSource::Default, ..RemoteConfig::new(kind, folder) };
    let seen = with_token(dialog, &mut remote, means)?;
    let place = place(dialog, kind, &seen)?;
    let suggested = suggested_name(&place);
    match kind {
        RemoteKind::Linear => remote.team = Some(place),
        _ => remote.repo = Some(place),
    }
    let name = match name {
        Some(name) => name,
        None => dialog.line("What shall tickets and messages call it?", &suggested)?,
    };
    let folder = dialog.line("Folder of its tickets", &format!("tickets/{name}"))?;
    remote.folder = super::folder_at(&folder)?;
    if kind == RemoteKind::Linear {
        let asked = "Folder of its documents and project descriptions (- leaves them there)";
        let folder = dialog.line(asked, &format!("specs/{name}"))?;
        remote.documents = (folder != "-").then(|| super::folder_at(&folder)).transpose()?;
    }
    Ok((name, remote))
}

/// Finds a token that the tracker takes; answers what can be seen with it.
fn with_token(dialog: &mut Dialog<'_>, remote: &mut RemoteConfig, means: &Means<'_>) -> anyhow::Result<Vec<Place>> {
    for _ in 0..TRIES {
        match (means.places)(remote.kind.name(), remote) {
            Ok(places) => {
                dialog.say(&format!("The token works ({}).", super::token(remote)))?;
                return Ok(places);
            }
            Err(error @ RemoteError::Unauthorized { .. }) => dialog.say(&error.to_string())?,
            Err(error) => return Err(error.into()),
        }
        let kept = [
            ("in the system's keyring", "asked for now, and not shown"),
            ("in an environment variable", "GITHUB_TOKEN, LINEAR_API_KEY or one of your own"),
            ("a command prints it", "pass show github, op read …, secret-tool lookup …"),
        ];
        remote.token = match dialog.choose("Where is the token kept?", &kept)? {
            0 => TokenSource::Keyring(remote.kind.name().to_owned()),
            1 => TokenSource::Env(dialog.line("Name of the variable (not the token)", usual_variable(remote.kind))?),
            _ => TokenSource::Command(dialog.line("The command", "")?),
        };
        if let TokenSource::Keyring(account) = &remote.token {
            (means.keep)(account)?;
        }
        if let TokenSource::Env(said) | TokenSource::Command(said) = &remote.token
            && super::secret::is_in(said)
        {
            return Err(advise(
                "that looks like the token itself; nothing was written",
                "put it into the variable or the password manager, and say its name here; as it may have been seen, make a new one",
            ));
        }
    }
    Err(advise("no token works; nothing was written", "`trackfs remote add --help` shows what can be said beforehand"))
}

fn usual_variable(kind: RemoteKind) -> &'static str {
    if kind == RemoteKind::Linear { "LINEAR_API_KEY" } else { "GITHUB_TOKEN" }
}

/// The repository or team. One that is not among those that were seen can be typed.
fn place(dialog: &mut Dialog<'_>, kind: RemoteKind, seen: &[Place]) -> anyhow::Result<String> {
    let what = if kind == RemoteKind::Linear { "team (its key)" } else { "repository (OWNER/NAME)" };
    let mut shown: Vec<&Place> = seen.iter().collect();
    for _ in 0..TRIES {
        for (number, place) in shown.iter().take(SHOWN).enumerate() {
            dialog.say(format!("{:>3}) {}  {}", number + 1, place.name, place.about).trim_end())?;
        }
        if shown.len() > SHOWN {
            dialog.say(&format!("     and {} others: type a part of the name", shown.len() - SHOWN))?;
        }
        let answer = dialog.line(&format!("Number, or {what}"), "")?;
        if let Some(place) = answer.parse::<usize>().ok().and_then(|number| shown.get(number.checked_sub(1)?)) {
            return Ok(place.name.clone());
        }
        let is = |place: &&Place| place.name.eq_ignore_ascii_case(&answer);
        if let Some(place) = seen.iter().find(is) {
            return Ok(place.name.clone());
        }
        let part = answer.to_lowercase();
        let like: Vec<_> = seen.iter().filter(|place| place.name.to_lowercase().contains(&part)).collect();
        match like[..] {
            _ if answer.is_empty() => {}
            [place] => return Ok(place.name.clone()),
            [] if kind != RemoteKind::Linear && is_repository(&answer) => return Ok(answer),
            [] => dialog.say(&format!("there is no {answer}"))?,
            _ => shown = like,
        }
    }
    Err(advise("nothing was chosen; nothing was written", "`trackfs remote add --help` shows how to say it beforehand"))
}

/// Whether it is written as GitHub writes a repository: `OWNER/NAME`.
pub fn is_repository(text: &str) -> bool {
    text.split_once('/').is_some_and(|(owner, name)| !owner.is_empty() && !name.is_empty() && !name.contains('/'))
}

/// `app` for `acme/App`, `eng` for `ENG`.
fn suggested_name(place: &str) -> String {
    let last = place.rsplit('/').next().unwrap_or(place).to_lowercase();
    let name: String = last.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    name.trim_matches('-').to_owned()
}

impl Dialog<'_> {
    fn say(&mut self, text: &str) -> anyhow::Result<()> {
        // What a tracker says must not drive the terminal.
        Ok(writeln!(self.output, "{}", crate::domain::text::printable(text))?)
    }

    /// A line of text; an empty one means `usual`.
    fn line(&mut self, question: &str, usual: &str) -> anyhow::Result<String> {
        let shown = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
        write!(self.output, "{question}{shown}: ")?;
        self.output.flush()?;
        let mut answer = String::new();
        if self.input.read_line(&mut answer)? == 0 {
            return Err(advise(
                "the answers ended; nothing was written",
                "`trackfs remote add --help` shows what can be said beforehand",
            ));
        }
        let answer = answer.trim();
        Ok(if answer.is_empty() { usual } else { answer }.to_owned())
    }

    /// One of these, each with a word about it; answers which.
    fn choose(&mut self, question: &str, options: &[(&str, &str)]) -> anyhow::Result<usize> {
        self.say(question)?;
        for (number, (option, about)) in options.iter().enumerate() {
            self.say(&format!("{:>3}) {option}: {about}", number + 1))?;
        }
        for _ in 0..TRIES {
            let answer = self.line("Number", "1")?;
            let number = answer.parse::<usize>().ok().filter(|number| (1..=options.len()).contains(number));
            if let Some(number) = number {
                return Ok(number - 1);
            }
            self.say(&format!("{answer} is none of these"))?;
        }
        Err(advise(
            "nothing was chosen; nothing was written",
            "`trackfs remote add --help` shows how to say it beforehand",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Place {
        Place { name: name.to_owned(), about: String::new() }
    }

    /// What is asked, and what comes of these answers.
    fn asked(answers: &str, places: Places<'_>) -> (String, anyhow::Result<(String, RemoteConfig)>) {
        let (mut input, mut output) = (answers.as_bytes(), Vec::new());
        let mut dialog = Dialog { input: &mut input, output: &mut output };
        let keep = |_: &str| Ok(());
        let remote = ask(&mut dialog, None, None, &Means { places, keep: &keep });
        (String::from_utf8(output).unwrap(), remote)
    }

    #[test]
    fn a_repository_is_chosen_by_number_by_a_part_of_its_name_or_typed() {
        let many = |_: &str, _: &RemoteConfig| Ok((0..30).map(|n| place(&format!("acme/app-{n}"))).collect());
        for (answer, repo, name) in [
            ("3", "acme/app-2", "app-2"),
            ("APP-29", "acme/app-29", "app-29"),
            ("x-\n7", "acme/app-6", "app-6"),
            ("app-2\n2", "acme/app-20", "app-20"),
            ("other/Re.po", "other/Re.po", "re-po"),
        ] {
            let (said, remote) = asked(&format!("1\n{answer}\n\n\n"), &many);
            let (named, remote) = remote.unwrap_or_else(|error| panic!("{answer}: {error:#}\n{said}"));
            assert_eq!((remote.repo.as_deref(), named.as_str()), (Some(repo), name), "{said}");
            assert_eq!(remote.folder.as_str(), format!("tickets/{name}"));
            assert!(said.contains("and 10 others") && said.contains("The token works"), "{said}");
        }
    }

    #[test]
    fn where_the_token_is_kept_is_asked_until_one_works() {
        let only_mine = |_: &str, remote: &RemoteConfig| match &remote.token {
            TokenSource::Command(command) if command == "pass show line" => Ok(vec![place("ENG"), place("OPS")]),
            _ => Err(RemoteError::Unauthorized { remote: "linear".into(), reason: "there is no token".into() }),
        };
        let (said, remote) = asked("2\n2\n\n3\npass show line\nops\nline\nwork/ops/\n\n", &only_mine);
        let (name, remote) = remote.unwrap();
        assert_eq!((name.as_str(), remote.team.as_deref(), remote.folder.as_str()), ("line", Some("OPS"), "work/ops"));
        assert_eq!(remote.documents, Some(WsPath::new("specs/line").unwrap()));
        assert_eq!(remote.token, TokenSource::Command("pass show line".into()));
        assert_eq!(said.matches("there is no token").count(), 2, "{said}");
        let token = format!("lin_api_{}", "a".repeat(40));
        let (said, refused) = asked(&format!("2\n2\n{token}\n"), &only_mine);
        assert!(format!("{:#}", refused.unwrap_err()).contains("looks like the token itself"));
        assert!(!said.contains(&token), "{said}");
    }

    #[test]
    fn the_keyring_asks_for_the_token_itself_and_it_is_tried_at_once() {
        let kept = std::cell::Cell::new(false);
        let places = |_: &str, remote: &RemoteConfig| match kept.get() {
            true => Ok(vec![place(&format!("{:?}", remote.token))]),
            false => Err(RemoteError::Unauthorized { remote: "github".into(), reason: "there is no token".into() }),
        };
        let keep = |account: &str| {
            kept.set(account == "github");
            Ok(())
        };
        let (mut input, mut output) = ("1\n1\n1\n\n\n".as_bytes(), Vec::new());
        let mut dialog = Dialog { input: &mut input, output: &mut output };
        let (_, remote) = ask(&mut dialog, None, None, &Means { places: &places, keep: &keep }).unwrap();
        assert_eq!(remote.token, TokenSource::Keyring("github".into()));
        assert!(String::from_utf8(output).unwrap().contains("The token works (the keyring, as github)"));
    }

    #[test]
    fn who_does_not_answer_gets_nothing() {
        let none = |_: &str, _: &RemoteConfig| Ok(Vec::new());
        for answers in ["", "9\n9\n9\n9\n9\n", "1\n", "1\nno-slash\nno\nno\nno\nno\n"] {
            assert!(asked(answers, &none).1.is_err(), "{answers:?}");
        }
    }
}
