//! What changed, a page of each kind at a time: issues, and, where they are wanted, documents and projects. A page is one
//! request, whatever it asks for, so that a cycle in which nothing changed is one.

use super::{
    Linear,
    client::{Document, document},
    wire::{self, Connection},
};
use crate::{
    domain::issue::RemoteIssue,
    remote::{Page, PageToken, RemoteError},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

pub(super) const ISSUES: Document = document!(Read, "issues.graphql", "issue_fields.graphql");
pub(super) const LISTING: Document =
    document!(Read, "listing.graphql", "issue_fields.graphql", "document_fields.graphql", "project_fields.graphql");
pub(super) const COMMENTS: Document = document!(Read, "comments.graphql", "comment_fields.graphql");
pub(super) const TEAM_SIZE: Document = document!(Read, "team_size.graphql");

/// Objects of each kind a page. Every page costs what a full one does: of issues 1,030 points of complexity, with documents and
/// projects 1,320, where a query may cost 10,000.
const PAGE: usize = 50;
/// Of the first page of what changed since, which mostly has nothing or a few.
const FIRST: usize = 10;

/// Where each kind goes on: its cursor, nothing where it is at its beginning; a kind that is at its end is not there.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Cursors {
    issues: Option<Option<String>>,
    documents: Option<Option<String>>,
    projects: Option<Option<String>>,
}

impl Cursors {
    fn first(with_texts: bool) -> Self {
        let texts = with_texts.then_some(None);
        Self { issues: Some(None), documents: texts.clone(), projects: texts }
    }

    fn read(PageToken(token): &PageToken) -> Self {
        // A token is one of ours; of anything else nothing is left to list.
        serde_json::from_str(token).unwrap_or_default()
    }

    fn has_texts(&self) -> bool {
        self.documents.is_some() || self.projects.is_some()
    }

    fn token(&self) -> Option<PageToken> {
        let is_over = self.issues.is_none() && !self.has_texts();
        (!is_over).then(|| PageToken(serde_json::to_string(self).expect("cursors are texts")))
    }
}

#[derive(Deserialize)]
struct Listed {
    issues: Option<Connection<wire::Issue>>,
    documents: Option<Connection<wire::Text>>,
    projects: Option<Connection<wire::Text>>,
}

impl Linear {
    pub(super) fn list(&self, since: Option<&str>, page: Option<&PageToken>) -> Result<Page, RemoteError> {
        if page.is_none() {
            self.directory.forget_labels();
        }
        let cursors = page.map_or_else(|| Cursors::first(self.documents), Cursors::read);
        let document = if cursors.has_texts() { LISTING } else { ISSUES };
        let first = if page.is_none() && since.is_some() { FIRST } else { PAGE };
        let asked = variables(&self.team, since, first, &cursors);
        let Listed { issues, documents, projects } = self.client.run(document, asked)?;
        let next = Cursors {
            issues: cursor(issues.as_ref()),
            documents: cursor(documents.as_ref()),
            projects: cursor(projects.as_ref()),
        };
        let is_first_of_many = page.is_none() && next.issues.is_some();
        let of = if is_first_of_many && since.is_none() { self.team_size() } else { None };
        let mut listed = self.completed(issues.map(|page| page.nodes).unwrap_or_default())?;
        listed.extend(documents.into_iter().flat_map(|page| page.nodes).map(wire::Text::into_document));
        listed.extend(projects.into_iter().flat_map(|page| page.nodes).map(wire::Text::into_project));
        Ok(Page { listed: listed.len(), issues: listed, pulls: Vec::new(), latest: None, next: next.token(), of })
    }

    /// Issues as they are listed, with what a listing leaves out.
    fn completed(&self, issues: Vec<wire::Issue>) -> Result<Vec<RemoteIssue>, RemoteError> {
        let mut comments = self.comments_of(&issues)?;
        let complete = |issue| {
            let issue = self.with_the_rest(issue)?;
            let labels = self.directory.label_names(&self.client, &issue.label_ids)?;
            let comments = wire::in_order(comments.remove(&issue.id).unwrap_or_default());
            Ok(issue.into_remote(labels, comments))
        };
        issues.into_iter().map(complete).collect()
    }

    /// How many issues the team has, archived ones included: it says how far a listing is, and nothing else, so that it may fail.
    fn team_size(&self) -> Option<usize> {
        #[derive(Deserialize)]
        struct Team {
            #[serde(rename = "issueCount")]
            issue_count: usize,
        }
        #[derive(Deserialize)]
        struct Data {
            teams: Connection<Team>,
        }
        let found = self.client.run::<Data>(TEAM_SIZE, json!({ "team": self.team })).ok()?;
        found.teams.nodes.first().map(|team| team.issue_count)
    }

    /// The comments of many issues, by issue.
    fn comments_of(&self, issues: &[wire::Issue]) -> Result<HashMap<String, Vec<wire::Comment>>, RemoteError> {
        #[derive(Deserialize)]
        struct Data {
            comments: Connection<wire::Comment>,
        }
        let ids: Vec<&str> = issues.iter().map(|issue| issue.id.as_str()).collect();
        let (mut comments, mut after) = (HashMap::<_, Vec<_>>::new(), None::<String>);
        while !ids.is_empty() {
            let page = self.client.run::<Data>(COMMENTS, json!({ "issues": ids, "after": after }))?.comments;
            after = page.next().map(str::to_owned);
            for comment in page.nodes {
                comments.entry(comment.issue_id.clone().unwrap_or_default()).or_default().push(comment);
            }
            if after.is_none() {
                break;
            }
        }
        Ok(comments)
    }
}

/// Where a kind goes on after this page of it.
fn cursor<T>(page: Option<&Connection<T>>) -> Option<Option<String>> {
    page.and_then(Connection::next).map(|cursor| Some(cursor.to_owned()))
}

/// Of the team what changed, or what somebody commented on, at or after `since`.
fn variables(team: &str, since: Option<&str>, first: usize, cursors: &Cursors) -> Value {
    let team = json!({ "key": { "eq": team } });
    let recent = since.map(|since| json!({ "updatedAt": { "gte": since } }));
    let issues = match &recent {
        None => json!({ "team": team }),
        Some(recent) => json!({ "team": team, "or": [recent, { "comments": { "some": recent } }] }),
    };
    let after = |cursor: &Option<Option<String>>| json!(cursor.iter().flatten().next());
    let mut asked = json!({ "first": first, "issues": issues, "issuesAfter": after(&cursors.issues) });
    if cursors.has_texts() {
        let (mut documents, mut projects) = (Map::new(), Map::new());
        let of_team = json!({ "some": team });
        let of_project = json!({ "accessibleTeams": of_team });
        documents.insert("or".into(), json!([{ "project": of_project }, { "issue": { "team": team } }]));
        projects.insert("accessibleTeams".into(), of_team);
        for filter in [&mut documents, &mut projects] {
            let recent = recent.iter().filter_map(Value::as_object).flatten();
            filter.extend(recent.map(|(key, value)| (key.clone(), value.clone())));
        }
        asked["withIssues"] = json!(cursors.issues.is_some());
        for (kind, with, filter, cursor) in [
            ("documents", "withDocuments", documents, &cursors.documents),
            ("projects", "withProjects", projects, &cursors.projects),
        ] {
            asked[kind] = Value::Object(filter);
            asked[format!("{kind}After")] = after(cursor);
            asked[with] = json!(cursor.is_some());
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::linear::tests::schema;
    use apollo_compiler::{ExecutableDocument, request::coerce_variable_values};

    #[test]
    fn the_variables_of_a_listing_are_valid_by_linears_schema() {
        let schema = schema();
        for (since, texts) in [(None, false), (None, true), (Some("2026-01-01T00:00:00.000Z"), true)] {
            let text = if texts { LISTING.text } else { ISSUES.text };
            let listing = ExecutableDocument::parse_and_validate(&schema, text, "listing.graphql").unwrap();
            let variables = variables("ENG", since, PAGE, &Cursors::first(texts));
            let operation = listing.operations.get(None).unwrap();
            let known = |name: &String| operation.variables.iter().any(|variable| variable.name == name.as_str());
            assert!(variables.as_object().unwrap().keys().all(known), "{variables}");
            let variables = serde_json::from_value(variables).unwrap();
            coerce_variable_values(&schema, operation, &variables).unwrap_or_else(|error| panic!("{error:?}"));
        }
    }

    #[test]
    fn a_page_asks_for_the_kinds_that_are_not_at_their_end() {
        let next = Cursors { documents: Some(Some("c".into())), ..Cursors::default() };
        let token = next.token().unwrap();
        let asked = variables("ENG", None, PAGE, &Cursors::read(&token));
        assert_eq!((&asked["withIssues"], &asked["withDocuments"]), (&json!(false), &json!(true)));
        assert_eq!((&asked["documentsAfter"], &asked["withProjects"]), (&json!("c"), &json!(false)));
        assert!(Cursors::default().token().is_none());
    }
}
