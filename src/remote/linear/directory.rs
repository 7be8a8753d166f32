//! The team's states, labels, people, projects and cycles: what Linear names by UUID and people by name.
//!
//! Read when first needed and kept. What is not found is looked for once more before it is refused; the workflow is what
//! it was when the remote was opened.

use super::{
    client::{Client, Document, document},
    wire::{Connection, Cycle, Entry, Label, Team, User},
};
use crate::{
    domain::issue::Field,
    remote::{RemoteError, text},
};
use parking_lot::Mutex;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};
use uuid::Uuid;

pub(super) const TEAM: Document = document!(Read, "team.graphql");
pub(super) const LABELS: Document = document!(Read, "labels.graphql");
pub(super) const USERS: Document = document!(Read, "users.graphql");
pub(super) const LABEL_CREATE: Document = document!(Write, "label_create.graphql");
pub(super) const PROJECTS: Document = document!(Read, "projects.graphql");
pub(super) const MILESTONES: Document = document!(Read, "milestones.graphql");
pub(super) const CYCLES: Document = document!(Read, "cycles.graphql");

/// No lock is held while another is taken, nor across a request.
#[derive(Default)]
pub(super) struct Directory {
    /// Whether a label that is not there is made.
    create_labels: bool,
    team: OnceLock<Team>,
    labels: Mutex<Option<Vec<Label>>>,
    users: Mutex<Option<Vec<User>>>,
    projects: Mutex<Option<Vec<Entry>>>,
    cycles: Mutex<Option<Vec<Cycle>>>,
}

impl Directory {
    pub(super) fn new(create_labels: bool) -> Self {
        Self { create_labels, ..Self::default() }
    }

    /// The team with this key, with its workflow.
    pub(super) fn team(&self, client: &Client, key: &str) -> Result<&Team, RemoteError> {
        #[derive(Deserialize)]
        struct Teams {
            teams: Connection<Team>,
        }
        if let Some(team) = self.team.get() {
            return Ok(team);
        }
        let found = client.run::<Teams>(TEAM, json!({ "key": key }))?.teams.nodes.into_iter().next();
        let missing = || RemoteError::NotFound { remote: client.remote().into(), what: format!("team {key}") };
        let team = found.ok_or_else(missing)?;
        Ok(self.team.get_or_init(|| team))
    }

    /// Forgets the labels, so that the next use sees renamed and new ones.
    pub(super) fn forget_labels(&self) {
        *self.labels.lock() = None;
    }

    /// The names of labels. An id that nobody can name stands for itself rather than being dropped.
    pub(super) fn label_names(&self, client: &Client, ids: &[String]) -> Result<BTreeSet<String>, RemoteError> {
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let known = |labels: &[Label]| ids.iter().all(|id| labels.iter().any(|label| label.id == *id));
        let labels = self.labels(client, known)?;
        let names: BTreeMap<_, _> = labels.iter().map(|label| (&label.id, &label.name)).collect();
        Ok(ids.iter().map(|id| names.get(id).copied().unwrap_or(id).clone()).collect())
    }

    /// The label of this name that an issue of the team can carry; makes one where there is none, if that is wanted.
    pub(super) fn label_id(&self, client: &Client, team: &Team, name: &str) -> Result<String, RemoteError> {
        let found = self.usable(client, team, name)?;
        if let Some(label) = found.iter().find(|label| !label.is_group && label.archived_at.is_none()) {
            return Ok(label.id.clone());
        }
        if found.iter().any(|label| label.is_group) {
            return Err(text::invalid(client.remote(), Field::Labels, format!("{name:?} is a group of labels")));
        }
        if self.create_labels {
            return self.create_label(client, team, name);
        }
        let known = self.labels(client, |_| true)?;
        let usable =
            known.iter().filter(|label| label.is_usable_in(team) && !label.is_group && label.archived_at.is_none());
        Err(text::unknown_label(client.remote(), "the team", name, usable.map(|label| label.name.as_str())))
    }

    /// Every label of this name that an issue of the team may carry.
    pub(super) fn label_ids(&self, client: &Client, team: &Team, name: &str) -> Result<Vec<String>, RemoteError> {
        Ok(self.usable(client, team, name)?.into_iter().map(|label| label.id).collect())
    }

    /// Labels of this name, the team's own before the workspace's.
    fn usable(&self, client: &Client, team: &Team, name: &str) -> Result<Vec<Label>, RemoteError> {
        let fits = |label: &Label| text::same_name(&label.name, name) && label.is_usable_in(team);
        let labels = self.labels(client, |labels| labels.iter().any(fits))?;
        let mut usable: Vec<_> = labels.into_iter().filter(fits).collect();
        usable.sort_by_key(|label| label.team.is_none());
        Ok(usable)
    }

    fn create_label(&self, client: &Client, team: &Team, name: &str) -> Result<String, RemoteError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Created {
            issue_label_create: Payload,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Payload {
            issue_label: Label,
        }
        let input = json!({ "id": Uuid::new_v4(), "name": name, "teamId": team.id });
        let created = client.run::<Created>(LABEL_CREATE, json!({ "input": input }));
        let label = created.map_err(|error| text::about(Field::Labels, error))?.issue_label_create.issue_label;
        let id = label.id.clone();
        self.labels.lock().get_or_insert_default().push(label);
        Ok(id)
    }

    /// The person of this display name, e-mail address or full name.
    pub(super) fn user_id(&self, client: &Client, name: &str) -> Result<String, RemoteError> {
        let keys: [fn(&User) -> &str; 3] = [|user| &user.display_name, |user| &user.email, |user| &user.name];
        let active = |users: &[User]| {
            users.iter().any(|user| user.active && keys.iter().any(|key| text::same_name(key(user), name)))
        };
        let users = self.users(client, active)?;
        let refused = |message: String| text::invalid(client.remote(), Field::Assignee, message);
        for key in keys {
            let mut named = users.iter().filter(|user| user.active && text::same_name(key(user), name));
            match (named.next(), named.next()) {
                (Some(user), None) => return Ok(user.id.clone()),
                (Some(_), Some(_)) => {
                    return Err(refused(format!("{name:?} is the name of several people; use an e-mail address")));
                }
                (None, _) => {}
            }
        }
        Err(refused(format!("nobody there is called {name:?}")))
    }

    fn labels(&self, client: &Client, enough: impl Fn(&[Label]) -> bool) -> Result<Vec<Label>, RemoteError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Labels {
            issue_labels: Connection<Label>,
        }
        cached(&self.labels, enough, || all(client, LABELS, json!({}), |page: Labels| page.issue_labels))
    }

    fn users(&self, client: &Client, enough: impl Fn(&[User]) -> bool) -> Result<Vec<User>, RemoteError> {
        #[derive(Deserialize)]
        struct Users {
            users: Connection<User>,
        }
        cached(&self.users, enough, || all(client, USERS, json!({}), |page: Users| page.users))
    }

    /// The team's project of this name.
    pub(super) fn project_id(&self, client: &Client, team: &Team, name: &str) -> Result<String, RemoteError> {
        #[derive(Deserialize)]
        struct Data {
            team: Projects,
        }
        #[derive(Deserialize)]
        struct Projects {
            projects: Connection<Entry>,
        }
        let such = |projects: &[Entry]| projects.iter().any(|project| text::same_name(&project.name, name));
        let variables = json!({ "team": team.id });
        let read = || all(client, PROJECTS, variables, |data: Data| data.team.projects);
        let projects = cached(&self.projects, such, read)?;
        text::named(client.remote(), Field::Project, name, &projects, |it| &it.name).map(|it| it.id.clone())
    }

    /// The project's milestone of this name.
    pub(super) fn milestone_id(&self, client: &Client, project: &str, name: &str) -> Result<String, RemoteError> {
        #[derive(Deserialize)]
        struct Data {
            project: Milestones,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Milestones {
            project_milestones: Connection<Entry>,
        }
        let variables = json!({ "project": project });
        let milestones = all(client, MILESTONES, variables, |data: Data| data.project.project_milestones)?;
        text::named(client.remote(), Field::Milestone, name, &milestones, |it| &it.name).map(|it| it.id.clone())
    }

    /// The team's cycle of this number, or else of this name.
    pub(super) fn cycle_id(&self, client: &Client, team: &Team, name: &str) -> Result<String, RemoteError> {
        #[derive(Deserialize)]
        struct Data {
            team: Cycles,
        }
        #[derive(Deserialize)]
        struct Cycles {
            cycles: Connection<Cycle>,
        }
        let numbered = |cycle: &&Cycle| cycle.name.number() == name;
        let called = |cycle: &Cycle| numbered(&cycle) || text::same_name(&cycle.name.text(), name);
        let such = |cycles: &[Cycle]| cycles.iter().any(called);
        let variables = json!({ "team": team.id });
        let cycles = cached(&self.cycles, such, || all(client, CYCLES, variables, |data: Data| data.team.cycles))?;
        if let Some(cycle) = cycles.iter().find(numbered) {
            return Ok(cycle.id.clone());
        }
        let named: Vec<Entry> =
            cycles.into_iter().map(|cycle| Entry { name: cycle.name.text(), id: cycle.id }).collect();
        text::named(client.remote(), Field::Cycle, name, &named, |it| &it.name).map(|it| it.id.clone())
    }
}

/// What is kept, if it is `enough`; otherwise what is read now.
fn cached<T: Clone>(
    kept: &Mutex<Option<Vec<T>>>,
    enough: impl Fn(&[T]) -> bool,
    read: impl FnOnce() -> Result<Vec<T>, RemoteError>,
) -> Result<Vec<T>, RemoteError> {
    let known = kept.lock().clone();
    if let Some(known) = known.filter(|known| enough(known)) {
        return Ok(known);
    }
    let fresh = read()?;
    *kept.lock() = Some(fresh.clone());
    Ok(fresh)
}

/// Every node of a connection, page by page.
fn all<P: DeserializeOwned, T>(
    client: &Client,
    document: Document,
    mut variables: Value,
    connection: impl Fn(P) -> Connection<T>,
) -> Result<Vec<T>, RemoteError> {
    let (mut nodes, mut after) = (Vec::new(), None::<String>);
    loop {
        variables["after"] = json!(after);
        let page = connection(client.run(document, variables.clone())?);
        after = page.next().map(str::to_owned);
        nodes.extend(page.nodes);
        if after.is_none() {
            return Ok(nodes);
        }
    }
}
