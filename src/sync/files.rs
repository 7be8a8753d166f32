//! Writing into the workspace: only what somebody else changed, or the link that a push produced, and only those lines.
//!
//! A file that is being written, or is not what was read, is left alone; its caller comes back in a later cycle.

use super::{SyncError, cycle::Cycle, names, tickets::Ticket};
use crate::{
    domain::{
        Fields, Value,
        document::{Document, EditError},
        issue::{Field, FieldValue, RemoteComment, RemoteIssue},
        mapping::Unmapped,
        markdown,
        path::WsPath,
        plan::{self, CommentStep},
    },
    workspace::root::ReplaceError,
};

/// Why a file did not take something.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Replace(#[from] ReplaceError),
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    Unmapped(#[from] Unmapped),
    #[error("it would not be valid: {0}")]
    Invalid(String),
    #[error("no file name is free for it")]
    NoName,
}

/// Fields that a file could not take, and why.
pub(super) type HeldBack = Vec<(Field, WriteError)>;

impl Cycle<'_> {
    /// Brings pulled fields into the document; answers those that it could not take.
    pub fn take<'v>(&self, document: &mut Document, pulls: impl Iterator<Item = (Field, &'v FieldValue)>) -> HeldBack {
        let failed = |(field, value)| Some((field, self.take_one(document, field, value).err()?));
        pulls.filter_map(failed).collect()
    }

    pub fn take_one(&self, document: &mut Document, field: Field, value: &FieldValue) -> Result<(), WriteError> {
        if field == Field::Body {
            document.set_body(value.as_text().unwrap_or_default().as_bytes());
            return Ok(());
        }
        for (name, value) in self.mapping.to_fields(field, value, |name| document.get(name))? {
            match value {
                Some(value) => document.set(&name, &value)?,
                None => document.remove(&name)?,
            }
        }
        Ok(())
    }

    /// Writes a document over what was read; answers whether there was anything to write.
    pub fn write(&self, path: &WsPath, read: Option<&[u8]>, document: &Document) -> Result<bool, WriteError> {
        if read == Some(document.bytes()) {
            return Ok(false);
        }
        let parts = &self.sync.parts;
        if let Some(problem) = parts.settler.check(path, document.bytes()) {
            return Err(WriteError::Invalid(problem.message));
        }
        parts.root.replace(path, read, document.bytes())?;
        parts.settler.touch(path, &self.actor());
        Ok(true)
    }

    /// A new file for an issue; answers its path and the fields the schema has no word for.
    pub fn write_new(&self, issue: &RemoteIssue) -> Result<(WsPath, HeldBack), WriteError> {
        let (document, held) = self.new_document(issue);
        for path in names::object_paths(&self.sync.parts.config, issue) {
            match self.write(&path, None, &document) {
                Err(WriteError::Replace(ReplaceError::Changed)) => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok((path, held)),
            }
        }
        Err(WriteError::NoName)
    }

    /// An issue as a new ticket, and the fields the schema has no word for.
    pub fn new_document(&self, issue: &RemoteIssue) -> (Document, HeldBack) {
        let mut fields = Fields::new();
        let mut held = HeldBack::new();
        for field in FILE_ORDER {
            let Some(value) = issue.fields.get(&field).filter(|_| self.capabilities.fields.contains(&field)) else {
                continue;
            };
            match self.mapping.to_fields(field, value, |_| None) {
                Ok(said) => fields.extend(said.into_iter().filter_map(|(name, value)| Some((name, value?)))),
                Err(error) => held.push((field, error.into())),
            }
        }
        fields.insert(
            "sync".to_owned(),
            Value::Object([(self.name().to_owned(), Value::from(&*issue.key))].into_iter().collect()),
        );
        let body = issue.fields.get(&Field::Body).and_then(FieldValue::as_text).unwrap_or_default();
        (Document::new(&fields, &file_body(body)), held)
    }

    /// Brings a removed file back as it was last committed, with what the remote says now.
    pub fn restore(&self, issue: &RemoteIssue, path: &WsPath) -> Result<Option<HeldBack>, SyncError> {
        let repo = &self.sync.parts.repo;
        let history = repo.log(Some(path), 2)?;
        let Some(before) = history.get(1) else { return Ok(None) };
        let Some(bytes) = repo.read_at(&before.id, path)? else { return Ok(None) };
        let mut document = Document::parse(&bytes);
        let style = plan::style(&self.capabilities);
        let body = std::str::from_utf8(document.body()).unwrap_or_default().to_owned();
        let fields: Vec<_> =
            issue.fields.iter().filter(|(field, _)| self.capabilities.fields.contains(field)).collect();
        let values: Vec<(Field, FieldValue)> = fields
            .into_iter()
            .map(|(field, value)| match (field, value.as_text()) {
                (Field::Body, Some(text)) => (*field, FieldValue::text(markdown::restyle(text, &body, style))),
                _ => (*field, value.clone()),
            })
            .collect();
        let held = self.take(&mut document, values.iter().map(|(field, value)| (*field, value)));
        Ok(self.write(path, None, &document).ok().map(|_| held))
    }

    /// Writes the link into a ticket.
    pub fn link(&self, ticket: &Ticket, key: &str) -> Result<(), WriteError> {
        let mut document = ticket.document.clone();
        document.set_in("sync", self.name(), Some(&Value::from(key)))?;
        self.write(&ticket.path, Some(&ticket.bytes), &document).map(drop)
    }

    /// Writes what comments need; the first that cannot be written ends it.
    pub fn take_comments(
        &mut self,
        ticket: &WsPath,
        issue: &RemoteIssue,
        steps: &[CommentStep],
    ) -> Result<usize, WriteError> {
        let mut written = 0;
        for step in steps {
            let wrote = match step {
                CommentStep::Write(comment) => {
                    let (path, wrote) = self.write_comment(ticket, issue, comment)?;
                    self.remember_comment(comment, path);
                    wrote
                }
                CommentStep::Update { name, body, .. } => self.update_comment(name, body)?,
                CommentStep::Create { .. }
                | CommentStep::Edit { .. }
                | CommentStep::Delete { .. }
                | CommentStep::NotOurs { .. }
                | CommentStep::Conflict { .. } => false,
            };
            written += usize::from(wrote);
        }
        Ok(written)
    }

    /// Answers the comment's file, and whether it had to be written.
    fn write_comment(
        &self,
        ticket: &WsPath,
        issue: &RemoteIssue,
        comment: &RemoteComment,
    ) -> Result<(WsPath, bool), WriteError> {
        let number = issue.comments.iter().position(|other| other.id == comment.id).map_or(1, |index| index + 1);
        let document = self.new_comment(comment)?;
        for path in names::comment_paths(ticket, number, &comment.author) {
            match self.write(&path, None, &document) {
                // Written before, and not settled yet.
                Err(WriteError::Replace(ReplaceError::Changed)) if self.holds_comment(&path, &comment.id) => {
                    return Ok((path, false));
                }
                Err(WriteError::Replace(ReplaceError::Changed)) => {}
                Err(error) => return Err(error),
                Ok(wrote) => return Ok((path, wrote)),
            }
        }
        Err(WriteError::NoName)
    }

    /// A remote comment as a new file.
    pub fn new_comment(&self, comment: &RemoteComment) -> Result<Document, WriteError> {
        let mut fields = Fields::new();
        for (name, value) in [("author", &comment.author), ("created", &comment.created_at)] {
            fields.insert(name.to_owned(), Value::from(value.as_str()));
        }
        let mut document = Document::new(&fields, &file_body(&comment.body));
        self.mark(&mut document, &comment.id)?;
        Ok(document)
    }

    fn holds_comment(&self, path: &WsPath, id: &str) -> bool {
        let read = self.sync.parts.root.read(path);
        read.is_ok_and(|bytes| Document::parse(&bytes).get("remote_id") == Some(&Value::from(id)))
    }

    pub fn update_comment(&self, name: &str, body: &str) -> Result<bool, WriteError> {
        self.rewrite_comment(name, |document| {
            document.set_body(body.as_bytes());
            Ok(())
        })
    }

    /// Writes into a comment's file which remote comment it is.
    pub fn link_comment(&self, name: &str, id: &str) -> Result<bool, WriteError> {
        self.rewrite_comment(name, |document| self.mark(document, id))
    }

    fn mark(&self, document: &mut Document, id: &str) -> Result<(), WriteError> {
        document.set("remote", &Value::from(self.name()))?;
        document.set("remote_id", &Value::from(id))?;
        Ok(())
    }

    fn rewrite_comment(
        &self,
        name: &str,
        edit: impl FnOnce(&mut Document) -> Result<(), WriteError>,
    ) -> Result<bool, WriteError> {
        let path = WsPath::new(name).expect("comment files are named by their paths");
        let bytes = self.sync.parts.root.read(&path).map_err(ReplaceError::Io)?;
        let mut document = Document::parse(&bytes);
        edit(&mut document)?;
        self.write(&path, Some(&bytes), &document)
    }
}

/// The order of fields in a new file.
const FILE_ORDER: [Field; 16] = [
    Field::Title,
    Field::Status,
    Field::Type,
    Field::Priority,
    Field::Assignee,
    Field::Labels,
    Field::Project,
    Field::Milestone,
    Field::Cycle,
    Field::Parent,
    Field::BlockedBy,
    Field::Related,
    Field::DuplicateOf,
    Field::Due,
    Field::Estimate,
    Field::Attachments,
];

/// A remote's text as the body of a new file.
fn file_body(text: &str) -> String {
    markdown::lines_of(&text.replace("\r\n", "\n"))
}
