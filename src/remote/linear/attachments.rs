//! Attachments: addresses of what belongs to an issue elsewhere. An issue has each address once.

use super::{
    Linear,
    client::{Document, document},
    wire::{Attachment, Connection},
};
use crate::{
    domain::issue::Field,
    remote::{Patch, RemoteError, text},
};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

pub(super) const ATTACHMENTS: Document = document!(Read, "attachments.graphql");
pub(super) const ATTACHMENT_LINK: Document = document!(Write, "attachment_link.graphql");
pub(super) const ATTACHMENT_DELETE: Document = document!(Write, "attachment_delete.graphql");

impl Linear {
    /// Adds what follows the page that is there.
    pub(super) fn read_attachments(&self, issue: &str, page: &mut Connection<Attachment>) -> Result<(), RemoteError> {
        #[derive(Deserialize)]
        struct Data {
            issue: Attachments,
        }
        #[derive(Deserialize)]
        struct Attachments {
            attachments: Connection<Attachment>,
        }
        while let Some(after) = page.next() {
            let variables = json!({ "id": issue, "after": after });
            page.follow(self.client.run::<Data>(ATTACHMENTS, variables)?.issue.attachments);
        }
        Ok(())
    }

    /// Adds and takes away the addresses that a patch does. One that is there already keeps what Linear says of it.
    pub(super) fn attach(&self, issue: &str, patch: &Patch) -> Result<(), RemoteError> {
        let (added, removed) = patch.delta(Field::Attachments);
        if added.is_empty() && removed.is_empty() {
            return Ok(());
        }
        let present = self.issue_page(issue, None)?.ok_or_else(|| self.missing(issue))?;
        let present = self.with_the_rest(present)?.attachments.nodes;
        let is_there = |url: &String| present.iter().any(|attachment| attachment.url == *url);
        for url in added.iter().filter(|url| !is_there(url)) {
            let variables = json!({ "issue": issue, "url": url, "id": Uuid::new_v4() });
            self.sent(self.client.run::<Value>(ATTACHMENT_LINK, variables))?;
        }
        for attachment in present.iter().filter(|attachment| removed.contains(&attachment.url)) {
            match self.client.run::<Value>(ATTACHMENT_DELETE, json!({ "id": attachment.id })) {
                // Somebody took it away before.
                Err(RemoteError::NotFound { .. }) => {}
                sent => self.sent(sent)?,
            }
        }
        Ok(())
    }

    fn sent(&self, answer: Result<Value, RemoteError>) -> Result<(), RemoteError> {
        answer.map(drop).map_err(|error| text::about(Field::Attachments, error))
    }
}
