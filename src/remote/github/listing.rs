//! Listings: what changed since a time, or everything, in as few requests as that takes.
//!
//! A listing that fitted one page is kept with its entity tag. While nothing changes GitHub answers the next one with "not
//! modified", which does not count against the rate limit, and what was said before is said again: whoever asks may have
//! failed to take it in.

use super::{Github, bulk::Bulk, wire, with_query};
use crate::{
    domain::{issue::RemoteIssue, pull::RemotePull},
    remote::{
        Page, PageToken, RemoteError,
        http::{Effect, Reply},
    },
};
use parking_lot::Mutex;
use reqwest::{Url, header::HeaderValue};
use serde::de::IgnoredAny;

/// Entries of a full page.
const PAGE: usize = 100;

/// What listings leave behind for those after them.
#[derive(Default)]
pub(super) struct Listings {
    /// For the listing of everything that is under way, if one is.
    bulk: Mutex<Bulk>,
    last: Mutex<Option<Last>>,
}

/// A listing since a time, all on one page.
struct Last {
    url: Url,
    etag: HeaderValue,
    page: Page,
}

impl Github {
    pub(super) fn list(&self, since: Option<&str>, page: Option<&PageToken>) -> Result<Page, RemoteError> {
        let url = match page {
            Some(PageToken(address)) => self.http.own_url(address).ok_or_else(|| self.missing("page"))?,
            None => self.updated_since(since),
        };
        let whole = page.is_none() && since.is_none();
        if whole {
            let bulk = self.read_in_bulk()?;
            *self.listings.bulk.lock() = bulk;
        }
        let reply = self.http.get_if_modified(url.clone(), self.listings.etag(&url).as_ref())?;
        if reply.is_not_modified()
            && let Some(page) = self.listings.last(&url)
        {
            return Ok(page);
        }
        let reply = self.successful(Effect::Read, reply)?;
        let issues: Vec<wire::Issue> = self.http.json(Effect::Read, &reply)?;
        let (listed, of) = (issues.len(), reply.header("link").and_then(last_page).map(|last| last * PAGE));
        let next = self.next(&reply)?.map(|link| self.go_on(&url, &issues, link));
        let latest = issues.last().map(|issue| issue.updated_at.clone());
        let has_pulls = whole || (since.is_some() && issues.iter().any(|issue| issue.pull_request.is_some()));
        let pulls = if has_pulls { self.pulls_since(since)? } else { Vec::new() };
        let issues = issues.into_iter().filter(|issue| issue.pull_request.is_none());
        let issues: Vec<RemoteIssue> = issues.map(|issue| self.complete_listed(issue)).collect::<Result<_, _>>()?;
        if next.is_none() {
            *self.listings.bulk.lock() = Bulk::default();
        }
        let is_alone = page.is_none() && next.is_none() && !whole;
        let page = Page { issues, pulls, latest, next: next.map(|url| PageToken(url.into())), listed, of };
        *self.listings.last.lock() =
            reply.etag().filter(|_| is_alone).map(|etag| Last { url, etag: etag.clone(), page: page.clone() });
        Ok(page)
    }

    /// The pull requests updated at or after `since`, newest first, a hundred a request: listings of issues have them, but
    /// not their branches.
    fn pulls_since(&self, since: Option<&str>) -> Result<Vec<RemotePull>, RemoteError> {
        let query = [("state", "all"), ("sort", "updated"), ("direction", "desc"), ("per_page", "100")];
        let mut url = Some(with_query(self.url(&["pulls"]), &query)).filter(|_| self.pulls);
        let mut pulls = Vec::new();
        while let Some(page) = url {
            let (listed, reply) = self.get::<Vec<wire::Pull>>(page)?;
            let is_recent = |pull: &wire::Pull| since.is_none_or(|since| pull.updated_at.as_str() >= since);
            let goes_on = listed.iter().all(is_recent);
            pulls.extend(listed.into_iter().filter(is_recent).map(wire::Pull::into_remote));
            url = if goes_on { self.next(&reply)? } else { None };
        }
        Ok(pulls)
    }

    /// Reads the comments of the whole repository, a hundred a request, because a request for each of thousands of issues
    /// would use up the hour's limit. Where this cannot be had, the comments are read issue by issue.
    fn read_in_bulk(&self) -> Result<Bulk, RemoteError> {
        let (_, reply) = self.get::<IgnoredAny>(self.url(&[]))?;
        let mut bulk = Bulk::begun_at(reply.now());
        let url = with_query(self.url(&["issues", "comments"]), &[("sort", "created"), ("direction", "asc")]);
        match self.each(url, |comment| bulk.add(comment)) {
            Err(RemoteError::NotFound { .. }) => Ok(Bulk::default()),
            read => read.map(|()| bulk),
        }
    }

    /// The issue with its comments, from those read in bulk where they still hold.
    fn complete_listed(&self, issue: wire::Issue) -> Result<RemoteIssue, RemoteError> {
        let read = self.listings.bulk.lock().take(&issue);
        match read {
            Some(comments) => self.with_blockers(issue, comments),
            None => self.complete(issue),
        }
    }

    /// The address of the page after this answer, as the answer gives it.
    pub(super) fn next(&self, reply: &Reply) -> Result<Option<Url>, RemoteError> {
        let Some(link) = reply.header("link").and_then(next_link) else { return Ok(None) };
        let foreign =
            || RemoteError::Server { remote: self.http.remote().into(), reason: "a page leads to another host".into() };
        self.http.own_url(link).map(Some).ok_or_else(foreign)
    }

    fn updated_since(&self, since: Option<&str>) -> Url {
        let mut query = vec![("state", "all"), ("sort", "updated"), ("direction", "asc"), ("per_page", "100")];
        query.extend(since.map(|since| ("since", since)));
        with_query(self.url(&["issues"]), &query)
    }

    /// Where a listing goes on after a page that is not the last.
    ///
    /// A numbered page would skip an issue for each one that is edited (and so moves to the end) while the listing runs.
    /// Starting again from the last time seen cannot; the link is followed only where a page holds one single time.
    fn go_on(&self, url: &Url, issues: &[wire::Issue], link: Url) -> Url {
        let since = url.query_pairs().find(|(key, _)| key == "since").map(|(_, value)| value.into_owned());
        match issues.last() {
            Some(last) if since.is_none_or(|since| last.updated_at > since) => {
                self.updated_since(Some(&last.updated_at))
            }
            _ => link,
        }
    }
}

impl Listings {
    fn etag(&self, url: &Url) -> Option<HeaderValue> {
        self.last.lock().as_ref().filter(|last| last.url == *url).map(|last| last.etag.clone())
    }

    fn last(&self, url: &Url) -> Option<Page> {
        self.last.lock().as_ref().filter(|last| last.url == *url).map(|last| last.page.clone())
    }
}

/// The number of the last page, by `rel="last"` of a `Link` header.
fn last_page(header: &str) -> Option<usize> {
    let url = Url::parse(link(header, "last")?).ok()?;
    url.query_pairs().find(|(key, _)| key == "page").and_then(|(_, number)| number.parse().ok())
}

/// The target of `rel="next"` in a `Link` header.
fn next_link(header: &str) -> Option<&str> {
    link(header, "next")
}

/// The target of a relation.
fn link<'h>(header: &'h str, relation: &str) -> Option<&'h str> {
    header.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_meant = |parameter: &str| parameter.trim() == format!("rel=\"{relation}\"");
        parameters.split(';').any(is_meant).then_some(target)
    })
}
