//! Linear, over its public GraphQL API.
//!
//! Objects are known by UUID; a create carries the intent as its id, so repeating it makes nothing new. Linear has no
//! version check and has been seen to answer a write before it holds, so every write is read back by id, never from a list.

mod attachments;
mod client;
mod directory;
mod input;
mod listing;
mod relations;
mod texts;
mod wire;

use super::{Budget, Lost, Page, PageToken, Patch, Place, Provider, RemoteError, Search, text, token::Tokens};
use crate::{
    domain::issue::{Capabilities, Field, IssueFields, ObjectKind, RemoteComment, RemoteIssue, RemoteState},
    workspace::config::RemoteConfig,
};
use client::{Client, Document, Inserted, document};
use directory::Directory;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use uuid::Uuid;
use wire::{Connection, Displayed};

const VIEWER: Document = document!(Read, "viewer.graphql");
const TEAMS: Document = document!(Read, "teams.graphql");
const ISSUE: Document = document!(Read, "issue.graphql", "issue_fields.graphql", "comment_fields.graphql");
const ISSUE_CREATE: Document = document!(Write, "issue_create.graphql");
const ISSUE_UPDATE: Document = document!(Write, "issue_update.graphql");
const ISSUE_ARCHIVE: Document = document!(Write, "issue_archive.graphql");
const COMMENT: Document = document!(Read, "comment.graphql", "comment_fields.graphql");
const COMMENT_CREATE: Document = document!(Write, "comment_create.graphql");
const COMMENT_UPDATE: Document = document!(Write, "comment_update.graphql");
const COMMENT_DELETE: Document = document!(Write, "comment_delete.graphql");

const MAX_TITLE: usize = 255;
/// Linear documents no limit; this one keeps a runaway file from being sent.
const MAX_BODY: usize = 250_000;
/// An id was seen to be "taken" by nothing for a while after a failed insert. Longer than this is for the caller's retry.
const PHANTOM_PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// One team.
pub(super) struct Linear {
    client: Client,
    team: String,
    /// Whether documents and projects are listed, too.
    documents: bool,
    directory: Directory,
    /// The display name of the token's account, which is unique in a workspace.
    account: OnceLock<String>,
}

/// The workspace's teams.
pub(super) fn places(remote: &str, url: Option<&str>, tokens: Arc<dyn Tokens>) -> Result<Vec<Place>, RemoteError> {
    #[derive(Deserialize)]
    struct Team {
        key: String,
        name: String,
    }
    #[derive(Deserialize)]
    struct Data {
        teams: Connection<Team>,
    }
    let teams = Client::new(remote, url, tokens)?.run::<Data>(TEAMS, json!({}))?.teams.nodes;
    Ok(teams.into_iter().map(|Team { key, name }| Place { name: key, about: name }).collect())
}

impl Linear {
    /// `team` is the team's key.
    pub(super) fn new(
        remote: &str,
        config: &RemoteConfig,
        team: &str,
        tokens: Arc<dyn Tokens>,
    ) -> Result<Self, RemoteError> {
        let client = Client::new(remote, config.url.as_deref(), tokens)?;
        let (documents, directory) = (config.documents.is_some(), Directory::new(config.create_labels));
        Ok(Self { client, team: team.to_owned(), documents, directory, account: OnceLock::new() })
    }

    fn missing(&self, id: &str) -> RemoteError {
        RemoteError::NotFound { remote: self.client.remote().to_owned(), what: format!("issue {id}") }
    }

    /// One page of an issue's comments, with the issue.
    fn issue_page(&self, id: &str, after: Option<&str>) -> Result<Option<wire::Issue>, RemoteError> {
        #[derive(Deserialize)]
        struct Data {
            issue: wire::Issue,
        }
        absent_is_none(self.client.run::<Data>(ISSUE, json!({ "id": id, "after": after })).map(|data| data.issue))
    }

    /// Inserts with an id of ours until `look` finds the object: also when an earlier attempt made it.
    fn insert<T>(
        &self,
        document: Document,
        input: Value,
        look: impl Fn() -> Result<Option<T>, RemoteError>,
    ) -> Result<T, RemoteError> {
        let mut pauses = PHANTOM_PAUSES.into_iter();
        loop {
            let inserted = self.client.insert(document, input.clone())?;
            match (look()?, inserted) {
                (Some(made), _) => return Ok(made),
                (None, Inserted::Now) => return Err(self.unsettled("it accepted the object and does not show it")),
                (None, Inserted::IdTaken) => {
                    let pause = pauses.next();
                    std::thread::sleep(pause.ok_or_else(|| self.unsettled("it says the id is taken and has nothing"))?);
                }
            }
        }
    }

    fn unsettled(&self, reason: &str) -> RemoteError {
        RemoteError::Ambiguous { remote: self.client.remote().to_owned(), reason: reason.to_owned() }
    }

    fn look_up_comment(&self, id: &str) -> Result<Option<wire::Comment>, RemoteError> {
        #[derive(Deserialize)]
        struct Data {
            comment: wire::Comment,
        }
        absent_is_none(self.client.run::<Data>(COMMENT, json!({ "id": id })).map(|data| data.comment))
    }

    /// A comment of the account's own; `None` when it does not exist (any more).
    fn own_comment(&self, id: &str) -> Result<Option<RemoteComment>, RemoteError> {
        let Some(comment) = self.look_up_comment(id)? else { return Ok(None) };
        let is_own = comment.is_own();
        let comment = comment.into_remote();
        if is_own { Ok(Some(comment)) } else { Err(text::not_ours(self.client.remote(), &comment.author)) }
    }

    fn missing_comment(&self, id: &str) -> RemoteError {
        RemoteError::NotFound { remote: self.client.remote().to_owned(), what: format!("comment {id}") }
    }

    fn update_issue(&self, id: &str, patch: &Patch) -> Result<(), RemoteError> {
        let input = self.changes(id, patch)?;
        let relations = self.relation_changes(id, patch)?;
        if !input.is_empty() {
            self.client.run::<Value>(ISSUE_UPDATE, json!({ "id": id, "input": input }))?;
        }
        relations.into_iter().try_for_each(|change| self.relate(change))?;
        self.attach(id, patch)
    }

    /// The issue with all its relations and attachments, of which a listing has the first.
    fn with_the_rest(&self, mut issue: wire::Issue) -> Result<wire::Issue, RemoteError> {
        self.read_relations(&mut issue)?;
        self.read_attachments(&issue.id, &mut issue.attachments)?;
        Ok(issue)
    }

    /// What Linear can do in this team, whoever asks.
    fn rules(&self) -> Result<Capabilities, RemoteError> {
        Ok(capabilities(self.directory.team(&self.client, &self.team)?.states()))
    }
}

impl Provider for Linear {
    fn capabilities(&self) -> Result<Capabilities, RemoteError> {
        let account = match self.account.get() {
            Some(known) => known.clone(),
            None => self.account()?,
        };
        Ok(Capabilities { account: Some(account), ..self.rules()? })
    }

    fn account(&self) -> Result<String, RemoteError> {
        #[derive(Deserialize)]
        struct Data {
            viewer: Displayed,
        }
        let name = self.client.run::<Data>(VIEWER, json!({}))?.viewer.display_name;
        Ok(self.account.get_or_init(|| name).clone())
    }

    fn changed_since(&self, since: Option<&str>, page: Option<&PageToken>) -> Result<Page, RemoteError> {
        self.list(since, page)
    }

    fn fetch(&self, id: &str) -> Result<Option<RemoteIssue>, RemoteError> {
        match ObjectKind::of(id) {
            ObjectKind::Issue => {}
            ObjectKind::Document => return self.document(ObjectKind::Document.own(id)),
            ObjectKind::Project => return self.project(ObjectKind::Project.own(id)),
        }
        let (mut comments, mut after) = (Vec::new(), None::<String>);
        loop {
            let Some(mut issue) = self.issue_page(id, after.as_deref())? else { return Ok(None) };
            let page = issue.comments.take();
            after = page.as_ref().and_then(|page| page.next()).map(str::to_owned);
            comments.extend(page.into_iter().flat_map(|page| page.nodes));
            if after.is_none() {
                let issue = self.with_the_rest(issue)?;
                let labels = self.directory.label_names(&self.client, &issue.label_ids)?;
                return Ok(Some(issue.into_remote(labels, wire::in_order(comments))));
            }
        }
    }

    fn create(&self, intent: Uuid, kind: ObjectKind, fields: &IssueFields) -> Result<RemoteIssue, RemoteError> {
        text::check(self.client.remote(), &self.rules()?, fields)?;
        text::check_kind(self.client.remote(), kind, fields)?;
        if kind == ObjectKind::Document {
            return self.create_document(intent, fields);
        }
        let input = self.creation(intent, fields)?;
        self.insert(ISSUE_CREATE, input, || self.fetch(&intent.to_string()))
    }

    fn find_created(&self, lost: &Lost<'_>) -> Result<Search, RemoteError> {
        Ok(Search::of(self.fetch(&lost.kind.id(lost.intent))?, Vec::new()))
    }

    fn update(&self, id: &str, patch: &Patch) -> Result<RemoteIssue, RemoteError> {
        text::check(self.client.remote(), &self.rules()?, &patch.fields)?;
        match ObjectKind::of(id) {
            ObjectKind::Issue => self.update_issue(id, patch)?,
            text => self.update_text(text, id, patch)?,
        }
        self.fetch(id)?.ok_or_else(|| self.missing(id))
    }

    fn archive(&self, id: &str) -> Result<(), RemoteError> {
        text::check_archived(self.client.remote(), id)?;
        let object = self.fetch(id)?.ok_or_else(|| self.missing(id))?;
        match object.kind() {
            _ if object.archived => Ok(()),
            ObjectKind::Document => self.trash_document(id),
            _ => self.client.run::<Value>(ISSUE_ARCHIVE, json!({ "id": id })).map(drop),
        }
    }

    fn comment(&self, issue: &str, intent: Uuid, body: &str) -> Result<RemoteComment, RemoteError> {
        text::check_comment(self.client.remote(), &self.rules()?, body)?;
        let input = json!({ "id": intent, "issueId": issue, "body": body });
        let made = self.insert(COMMENT_CREATE, input, || self.look_up_comment(&intent.to_string()))?;
        Ok(made.into_remote())
    }

    fn find_comment(&self, _issue: &str, lost: &Lost<'_>) -> Result<Option<RemoteComment>, RemoteError> {
        Ok(self.look_up_comment(&lost.intent.to_string())?.map(wire::Comment::into_remote))
    }

    fn edit_comment(&self, _issue: &str, comment: &str, body: &str) -> Result<RemoteComment, RemoteError> {
        text::check_comment(self.client.remote(), &self.rules()?, body)?;
        self.own_comment(comment)?.ok_or_else(|| self.missing_comment(comment))?;
        self.client.run::<Value>(COMMENT_UPDATE, json!({ "id": comment, "input": { "body": body } }))?;
        self.own_comment(comment)?.ok_or_else(|| self.missing_comment(comment))
    }

    fn delete_comment(&self, _issue: &str, comment: &str) -> Result<(), RemoteError> {
        if self.own_comment(comment)?.is_none() {
            return Ok(());
        }
        absent_is_none(self.client.run::<Value>(COMMENT_DELETE, json!({ "id": comment }))).map(drop)
    }

    fn budget(&self) -> Option<Budget> {
        self.client.budget()
    }
}

/// What Linear can do in a team with this workflow, whoever asks.
pub(super) fn capabilities(states: Vec<RemoteState>) -> Capabilities {
    Capabilities {
        fields: Field::ALL.into_iter().filter(|field| *field != Field::Type).collect(),
        states,
        priorities: wire::PRIORITIES.map(str::to_owned).into(),
        types: Vec::new(),
        comments: true,
        account: None,
        idempotent_create: true,
        max_title: MAX_TITLE,
        max_body: MAX_BODY,
        rewrites_markdown: true,
    }
}

fn absent_is_none<T>(found: Result<T, RemoteError>) -> Result<Option<T>, RemoteError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(RemoteError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use apollo_compiler::{ExecutableDocument, Schema};

    const DOCUMENTS: [Document; 34] = [
        VIEWER,
        TEAMS,
        listing::ISSUES,
        listing::LISTING,
        listing::COMMENTS,
        listing::TEAM_SIZE,
        ISSUE,
        ISSUE_CREATE,
        ISSUE_UPDATE,
        ISSUE_ARCHIVE,
        COMMENT,
        COMMENT_CREATE,
        COMMENT_UPDATE,
        COMMENT_DELETE,
        directory::TEAM,
        directory::LABELS,
        directory::USERS,
        directory::LABEL_CREATE,
        directory::PROJECTS,
        directory::MILESTONES,
        directory::CYCLES,
        relations::RELATIONS,
        relations::INVERSE_RELATIONS,
        relations::RELATION_CREATE,
        relations::RELATION_DELETE,
        texts::DOCUMENT,
        texts::DOCUMENT_CREATE,
        texts::DOCUMENT_UPDATE,
        texts::DOCUMENT_DELETE,
        texts::PROJECT,
        texts::PROJECT_UPDATE,
        attachments::ATTACHMENTS,
        attachments::ATTACHMENT_LINK,
        attachments::ATTACHMENT_DELETE,
    ];

    pub(super) fn schema() -> apollo_compiler::validation::Valid<Schema> {
        let sdl = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/remote/linear.schema.graphql"));
        Schema::parse_and_validate(sdl, "linear.schema.graphql").expect("the excerpt is a schema")
    }

    #[test]
    fn every_operation_is_valid_by_linears_schema_and_uses_nothing_deprecated() {
        let schema = schema();
        for document in DOCUMENTS {
            let valid = ExecutableDocument::parse_and_validate(&schema, document.text, "operation.graphql");
            let valid = valid.unwrap_or_else(|error| panic!("{error}"));
            for selection in valid.operations.iter().flat_map(|operation| operation.all_fields(&valid)) {
                let deprecated = selection.definition.directives.get("deprecated");
                assert!(deprecated.is_none(), "{} is deprecated", selection.name);
            }
        }
    }

    #[test]
    fn an_operation_that_changes_something_is_sent_as_a_write() {
        use crate::remote::http::Effect;
        for document in DOCUMENTS {
            let is_mutation = document.text.starts_with("mutation ");
            assert_eq!(document.effect == Effect::Write, is_mutation, "{}", document.text);
        }
    }
}
