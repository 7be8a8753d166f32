//! What a new workspace may have beside what every one has: fields, rules and saved queries for the way its users work.

use crate::domain::schema::DEFAULT_SCHEMA;
use clap::ValueEnum;

const AGENTS: &str = include_str!("../templates/AGENTS.md");

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// One person's: nothing but the common fields
    #[default]
    Solo,
    /// Several people's: types of work, a review before `done`, and views for triage, review and what lies still
    Team,
    /// Coding agents' and those who look after them: agents take from views/next/ and hand over to views/review/
    Agents,
}

/// Lines of the schema that a template has otherwise: the line, and what stands in its place.
type SchemaLines = [(&'static str, &'static str)];

const TYPE: (&str, &str) =
    ("  priority: ", "  type: {type: choice, of: [bug, feature, chore, question]}\n  priority: ");

const REVIEW: (&str, &str) =
    ("  in-review: {kind: started}", "  in-review: {kind: started, next: [in-progress, done, canceled]}");

const TEAM: &SchemaLines = &[REVIEW, TYPE];

/// Whoever did the work does not say that it is done.
const REVIEWED: &SchemaLines = &[
    ("  in-progress: {kind: started}", "  in-progress: {kind: started, next: [todo, in-review, canceled]}"),
    REVIEW,
    TYPE,
];

impl Template {
    /// `.trackfs/schema.yaml`.
    pub fn schema(self) -> String {
        let lines = self.schema_lines().iter();
        lines.fold(DEFAULT_SCHEMA.to_owned(), |schema, (line, instead)| schema.replacen(line, instead, 1))
    }

    fn schema_lines(self) -> &'static SchemaLines {
        match self {
            Self::Solo => &[],
            Self::Team => TEAM,
            Self::Agents => REVIEWED,
        }
    }

    /// `AGENTS.md`.
    pub fn agents(self) -> String {
        match self {
            Self::Solo | Self::Team => AGENTS.to_owned(),
            Self::Agents => format!("{AGENTS}{}", include_str!("../templates/agents/AGENTS.md")),
        }
    }

    /// Saved queries: paths in the workspace, with their texts.
    pub fn views(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Solo => &[],
            Self::Team => &[
                (".trackfs/views/triage.yaml", include_str!("../templates/team/triage.yaml")),
                (".trackfs/views/review.yaml", include_str!("../templates/team/review.yaml")),
                (".trackfs/views/stale.yaml", include_str!("../templates/team/stale.yaml")),
            ],
            Self::Agents => &[
                (".trackfs/views/next.yaml", include_str!("../templates/agents/next.yaml")),
                (".trackfs/views/review.yaml", include_str!("../templates/agents/review.yaml")),
                (".trackfs/views/stuck.yaml", include_str!("../templates/agents/stuck.yaml")),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{path::WsPath, schema::Schema, view::SavedView};

    #[test]
    fn every_template_is_a_schema_with_all_its_lines_and_queries_that_are_read() {
        let path = WsPath::new(".trackfs/schema.yaml").unwrap();
        for template in Template::value_variants() {
            let text = template.schema();
            let schema = Schema::parse(&path, &text).unwrap();
            assert_eq!(schema.field("type").is_some(), *template != Template::Solo, "{template:?}");
            for (_, instead) in template.schema_lines() {
                assert!(text.contains(instead), "{instead}");
            }
            for (name, text) in template.views() {
                let path = WsPath::new(*name).unwrap();
                assert!(SavedView::parse(&path, text.as_bytes(), &schema).is_ok(), "{name}");
            }
        }
    }
}
