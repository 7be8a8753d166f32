//! The two simulated trackers of the demo, and the issues that others filed on them.

use crate::{
    cli::remote,
    daemon::Location,
    domain::{
        issue::{Field, FieldValue, IssueFields, ObjectKind, RemoteState},
        path::WsPath,
    },
    remote::{Provider, RemoteError, connect},
    workspace::config::{RemoteConfig, RemoteKind},
};
use std::path::Path;
use uuid::Uuid;

/// Title, body and, for some, a comment.
type Issue = (&'static str, &'static str, Option<&'static str>);

const ON_LINEAR: [Issue; 8] = [
    ("Deploys wait for a person on Fridays", "The approval step has no deputy.", Some("I can be the deputy.")),
    ("Rotate the signing keys", "The old ones are from 2024.\n\n- [ ] new keys\n- [ ] both accepted for a day", None),
    ("Staging has no foghorn data", "Copy one week from production, names removed.", None),
    ("Alerts at night wake the wrong team", "Since the move, all of them go to billing.", Some("Sorry, that was me.")),
    ("Write down how to restore a backup", "And do it once, with a stopwatch.", None),
    ("Connections to the database run out at noon", "Pool of 40, 64 workers.", None),
    ("Upgrade the message queue", "Support ends in May.", None),
    ("The status page says `all good` during outages", "It asks the cache.", Some("It is the cache of the cache.")),
];

const ON_GITHUB: [Issue; 6] = [
    ("Seat map jumps when a seat is taken", "The list is sorted again below the finger.", Some("Also on a tablet.")),
    ("Dark mode for the booking page", "White at 5 in the morning is a lot.", None),
    ("Back button loses the chosen day", "", None),
    ("Bicycle price is missing from the total", "It is charged, but not shown.", Some("Seen on two trips.")),
    ("Printed tickets cut off the code", "On A4 and letter, at 100 %.", None),
    ("Links in mails open the old page", "", None),
];

/// Makes both trackers in `folder`, fills them, and writes them into the workspace's configuration.
pub fn set_up(at: &Location, folder: &Path) -> anyhow::Result<()> {
    let linear = simulator(folder, "linear", "tickets/eng", |remote| remote.team = Some("ENG".to_owned()));
    let github = simulator(folder, "github", "tickets/web", |remote| remote.repo = Some("ferry/web".to_owned()));
    for (name, config, issues) in [("linear", linear, &ON_LINEAR[..]), ("github", github, &ON_GITHUB[..])] {
        fill(connect(name, &config)?.as_ref(), issues)?;
        remote::insert(at, name, &config)?;
    }
    Ok(())
}

fn simulator(folder: &Path, name: &str, tickets: &str, choose: impl FnOnce(&mut RemoteConfig)) -> RemoteConfig {
    let folder_of_tickets = WsPath::new(tickets).expect("the demo's folders are legal");
    let mut config = RemoteConfig {
        url: Some(folder.join(name).display().to_string()),
        create_labels: true,
        ..RemoteConfig::new(RemoteKind::Simulator, folder_of_tickets)
    };
    choose(&mut config);
    config
}

fn fill(tracker: &dyn Provider, issues: &[Issue]) -> Result<(), RemoteError> {
    let states = tracker.capabilities()?.states;
    for (number, (title, body, comment)) in (1..).zip(issues) {
        let issue =
            tracker.create(Uuid::from_u128(number), ObjectKind::Issue, &fields(title, body, &states, number))?;
        if let Some(comment) = comment {
            tracker.comment(&issue.id, Uuid::from_u128(number << 64), comment)?;
        }
    }
    Ok(())
}

fn fields(title: &str, body: &str, states: &[RemoteState], number: u128) -> IssueFields {
    let mut fields =
        IssueFields::from([(Field::Title, FieldValue::text(title)), (Field::Body, FieldValue::text(body))]);
    let open: Vec<_> = states.iter().filter(|state| !state.kind.is_closed()).collect();
    if let Some(state) = open.get(number as usize % open.len().max(1)) {
        fields.insert(Field::Status, FieldValue::text(&state.name));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_trackers_take_the_issues_of_the_demo() {
        let dir = tempfile::tempdir().unwrap();
        for (name, issues) in [("linear", &ON_LINEAR[..]), ("github", &ON_GITHUB[..])] {
            let config = simulator(dir.path(), name, "tickets/x", |remote| {
                remote.repo = (name == "github").then(|| "ferry/web".to_owned());
            });
            fill(connect(name, &config).unwrap().as_ref(), issues).unwrap();
            assert_eq!(std::fs::read_dir(dir.path().join(name)).unwrap().count(), issues.len());
        }
    }
}
