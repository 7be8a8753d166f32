//! Linear's objects, and how they read in trackfs's terms.

use crate::domain::{
    issue::{Field, FieldValue, IssueFields, ObjectKind, RemoteComment, RemoteIssue, RemoteState},
    schema::StatusKind,
};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Priority names, by Linear's number; 0 is none.
pub(super) const PRIORITIES: [&str; 4] = ["urgent", "high", "medium", "low"];

/// What Linear shows for a document without a title.
const UNTITLED: &str = "Untitled";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connection<T> {
    pub(super) nodes: Vec<T>,
    #[serde(default)]
    pub(super) page_info: PageInfo,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Issue {
    pub(super) id: String,
    identifier: String,
    url: String,
    updated_at: String,
    archived_at: Option<String>,
    trashed: Option<bool>,
    title: String,
    description: Option<String>,
    priority: f64,
    estimate: Option<f64>,
    due_date: Option<String>,
    pub(super) label_ids: Vec<String>,
    state: Named,
    assignee: Option<Displayed>,
    pub(super) project: Option<Entry>,
    project_milestone: Option<Named>,
    cycle: Option<CycleName>,
    parent: Option<Numbered>,
    /// The first ones.
    pub(super) attachments: Connection<Attachment>,
    /// In which it is the issue, the first ones.
    pub(super) relations: Connection<Relation>,
    /// In which it is the related issue, the first ones.
    pub(super) inverse_relations: Connection<Relation>,
    /// Only where the operation asks for them.
    pub(super) comments: Option<Connection<Comment>>,
}

/// A document, or a project with its description.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Text {
    id: String,
    slug_id: String,
    url: String,
    updated_at: String,
    archived_at: Option<String>,
    trashed: Option<bool>,
    #[serde(alias = "name")]
    title: String,
    content: Option<String>,
    project: Option<Named>,
    /// A document may belong to an issue.
    issue: Option<Numbered>,
}

#[derive(Deserialize)]
pub(super) struct Attachment {
    pub(super) id: String,
    pub(super) url: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// A project, or a milestone of one.
#[derive(Clone, Deserialize)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct Numbered {
    pub(super) identifier: String,
}

/// How the issue is tied to another: of a pair, what was asked for is the one that is not at hand.
#[derive(Deserialize)]
pub(super) struct Relation {
    pub(super) id: String,
    /// `blocks`, `related`, `duplicate`, and others that no field stands for.
    r#type: String,
    #[serde(alias = "relatedIssue")]
    issue: Numbered,
}

/// Cycles have numbers, and some a name besides.
#[derive(Clone, Deserialize)]
pub(super) struct CycleName {
    number: f64,
    name: Option<String>,
}

#[derive(Clone, Deserialize)]
pub(super) struct Cycle {
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) name: CycleName,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Displayed {
    pub(super) display_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Comment {
    id: String,
    created_at: String,
    updated_at: String,
    body: String,
    pub(super) issue_id: Option<String>,
    user: Option<Author>,
    bot_actor: Option<Bot>,
    external_user: Option<Displayed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Author {
    display_name: String,
    is_me: bool,
}

#[derive(Deserialize)]
struct Bot {
    name: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Label {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) is_group: bool,
    pub(super) archived_at: Option<String>,
    pub(super) team: Option<Identified>,
}

impl Label {
    /// Whether issues of the team may carry it: it is the team's own or the workspace's.
    pub(super) fn is_usable_in(&self, team: &Team) -> bool {
        self.team.as_ref().is_none_or(|owner| owner.id == team.id)
    }
}

#[derive(Clone, Deserialize)]
pub(super) struct Identified {
    pub(super) id: String,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) email: String,
    pub(super) active: bool,
}

#[derive(Clone, Deserialize)]
pub(super) struct Team {
    pub(super) id: String,
    states: Connection<State>,
}

#[derive(Clone, Deserialize)]
pub(super) struct State {
    pub(super) id: String,
    pub(super) name: String,
    r#type: String,
    position: f64,
}

impl CycleName {
    pub(super) fn number(&self) -> String {
        // `Display` prints a whole number without a fraction.
        self.number.to_string()
    }

    /// What a ticket calls it.
    pub(super) fn text(&self) -> String {
        self.name.clone().filter(|name| !name.trim().is_empty()).unwrap_or_else(|| self.number())
    }
}

impl<T> Connection<T> {
    /// The cursor of the next page, if there is one.
    pub(super) fn next(&self) -> Option<&str> {
        self.page_info.end_cursor.as_deref().filter(|_| self.page_info.has_next_page)
    }
}

impl<T> Connection<T> {
    /// Adds the page that follows.
    pub(super) fn follow(&mut self, next: Self) {
        self.nodes.extend(next.nodes);
        self.page_info = next.page_info;
    }
}

impl<T: Clone> Clone for Connection<T> {
    fn clone(&self) -> Self {
        Self { nodes: self.nodes.clone(), page_info: PageInfo::default() }
    }
}

impl Text {
    pub(super) fn into_document(self) -> RemoteIssue {
        let project = self.project.as_ref().map(|project| project.name.clone());
        let parent = self.issue.as_ref().map(|issue| issue.identifier.clone());
        let place = [(Field::Project, FieldValue::Text(project)), (Field::Parent, FieldValue::Text(parent))];
        self.into_remote(ObjectKind::Document, place)
    }

    pub(super) fn into_project(self) -> RemoteIssue {
        self.into_remote(ObjectKind::Project, [])
    }

    fn into_remote(self, kind: ObjectKind, more: impl IntoIterator<Item = (Field, FieldValue)>) -> RemoteIssue {
        let title = if self.title.trim().is_empty() { UNTITLED } else { &self.title };
        let mut fields = IssueFields::from([
            (Field::Title, FieldValue::text(title)),
            (Field::Body, FieldValue::text(self.content.unwrap_or_default())),
        ]);
        fields.extend(more);
        RemoteIssue {
            id: kind.id(self.id),
            key: kind.id(self.slug_id),
            url: self.url,
            updated_at: self.updated_at,
            archived: self.archived_at.is_some() || self.trashed == Some(true),
            fields,
            comments: Vec::new(),
            reactions: Default::default(),
        }
    }
}

impl Issue {
    /// `labels` are the names of `label_ids`.
    pub(super) fn into_remote(self, labels: BTreeSet<String>, comments: Vec<RemoteComment>) -> RemoteIssue {
        // Whether a comment touches the issue's own time is not documented: take the later of both.
        let latest = comments.iter().map(|comment| &comment.updated_at).max();
        let updated_at = latest.filter(|time| **time > self.updated_at).unwrap_or(&self.updated_at).clone();
        RemoteIssue {
            archived: self.archived_at.is_some() || self.trashed == Some(true),
            updated_at,
            fields: self.fields(labels),
            id: self.id,
            key: self.identifier,
            url: self.url,
            comments,
            reactions: Default::default(),
        }
    }

    fn fields(&self, labels: BTreeSet<String>) -> IssueFields {
        let priority = (self.priority as usize).checked_sub(1).and_then(|index| PRIORITIES.get(index));
        let fields = [
            (Field::Title, FieldValue::text(&self.title)),
            (Field::Body, FieldValue::text(self.description.as_deref().unwrap_or_default())),
            (Field::Status, FieldValue::text(&self.state.name)),
            (Field::Labels, FieldValue::Set(labels)),
            (Field::Assignee, FieldValue::Text(self.assignee.as_ref().map(|user| user.display_name.clone()))),
            (Field::Priority, FieldValue::Text(priority.map(|name| (*name).to_owned()))),
            // `Display` prints a whole number without a fraction.
            (Field::Estimate, FieldValue::Text(self.estimate.map(|points| points.to_string()))),
            (Field::Due, FieldValue::Text(self.due_date.clone())),
            (Field::Project, FieldValue::Text(self.project.as_ref().map(|project| project.name.clone()))),
            (Field::Milestone, FieldValue::Text(self.project_milestone.as_ref().map(|it| it.name.clone()))),
            (Field::Cycle, FieldValue::Text(self.cycle.as_ref().map(CycleName::text))),
            (Field::Parent, FieldValue::Text(self.parent.as_ref().map(|parent| parent.identifier.clone()))),
            (Field::BlockedBy, FieldValue::Set(self.tied(Field::BlockedBy).map(Relation::key).collect())),
            (Field::Related, FieldValue::Set(self.tied(Field::Related).map(Relation::key).collect())),
            (Field::DuplicateOf, FieldValue::Text(self.tied(Field::DuplicateOf).map(Relation::key).next())),
            (Field::Attachments, FieldValue::Set(self.attachments.nodes.iter().map(|it| it.url.clone()).collect())),
        ];
        fields.into()
    }

    /// The relations that a field stands for.
    pub(super) fn tied(&self, field: Field) -> impl Iterator<Item = &Relation> {
        let (kind, from_here, from_there) = match field {
            Field::BlockedBy => ("blocks", false, true),
            Field::Related => ("related", true, true),
            Field::DuplicateOf => ("duplicate", true, false),
            _ => ("", false, false),
        };
        let here = self.relations.nodes.iter().filter(move |_| from_here);
        let there = self.inverse_relations.nodes.iter().filter(move |_| from_there);
        here.chain(there).filter(move |relation| relation.r#type == kind)
    }
}

impl Relation {
    /// The key of the other issue.
    pub(super) fn key(&self) -> String {
        self.issue.identifier.clone()
    }
}

impl Comment {
    /// Whether it is by the token's account.
    pub(super) fn is_own(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.is_me)
    }

    pub(super) fn into_remote(self) -> RemoteComment {
        let user = self.user.map(|user| user.display_name);
        let person = user.or_else(|| self.external_user.map(|user| user.display_name));
        let author = person.or_else(|| self.bot_actor.and_then(|bot| bot.name));
        RemoteComment {
            id: self.id,
            author: author.unwrap_or_else(|| "Linear".into()),
            created_at: self.created_at,
            updated_at: self.updated_at,
            body: self.body,
        }
    }
}

/// Comments as [`RemoteIssue::comments`] wants them.
pub(super) fn in_order(comments: impl IntoIterator<Item = Comment>) -> Vec<RemoteComment> {
    let mut comments: Vec<_> = comments.into_iter().map(Comment::into_remote).collect();
    comments.sort_by(|a, b| (&a.created_at, &a.id).cmp(&(&b.created_at, &b.id)));
    comments.dedup_by(|a, b| a.id == b.id);
    comments
}

impl Team {
    /// The workflow in its own order.
    pub(super) fn states(&self) -> Vec<RemoteState> {
        let mut states: Vec<&State> = self.states.nodes.iter().collect();
        states.sort_by(|a, b| {
            (a.kind(), a.position).partial_cmp(&(b.kind(), b.position)).expect("positions are numbers")
        });
        states.into_iter().map(|state| RemoteState { name: state.name.clone(), kind: state.kind() }).collect()
    }

    pub(super) fn state_id(&self, name: &str) -> Option<&str> {
        self.states.nodes.iter().find(|state| state.name == name).map(|state| state.id.as_str())
    }
}

impl State {
    /// Triage is work not taken up yet, and a duplicate is work that will not be done.
    fn kind(&self) -> StatusKind {
        match self.r#type.as_str() {
            "unstarted" => StatusKind::Unstarted,
            "started" => StatusKind::Started,
            "completed" => StatusKind::Completed,
            "canceled" | "duplicate" => StatusKind::Canceled,
            _ => StatusKind::Backlog,
        }
    }
}
