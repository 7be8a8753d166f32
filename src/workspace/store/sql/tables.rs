//! The other tables: views of what the databases hold, each with its meaning.

use crate::domain::schema::{FieldKind, Schema};

/// A table as people ask for it.
#[derive(Clone, Debug)]
pub struct Table {
    pub name: &'static str,
    pub about: &'static str,
    /// With their meanings.
    pub columns: Vec<(String, String)>,
    /// What it is made of; empty: it is made otherwise.
    pub(super) query: String,
}

fn table(
    name: &'static str,
    about: &'static str,
    columns: &[(&'static str, &'static str)],
    query: impl Into<String>,
) -> Table {
    let columns = columns.iter().map(|(name, about)| ((*name).to_owned(), (*about).to_owned())).collect();
    Table { name, about, columns, query: query.into() }
}

/// Everything but `tickets`.
pub(super) fn others(schema: &Schema) -> Vec<Table> {
    vec![labels(), links(schema), comments(), specs(), problems()]
        .into_iter()
        .chain([events(), field_history(), remote_objects(), outbox()])
        .chain(git())
        .collect()
}

fn labels() -> Table {
    table(
        "labels",
        "the labels of tickets, a row for each",
        &[("path", "the ticket"), ("label", "one of its labels")],
        "SELECT files.path, each.value AS label FROM idx.files JOIN idx.snapshots USING (path),
             json_each(snapshot, '$.fields.labels') AS each WHERE kind = 'ticket' AND each.atom IS NOT NULL",
    )
}

/// Of the text, and of each field that names tickets.
fn links(schema: &Schema) -> Table {
    let source = |kind: &str, path: &str| {
        format!(
            "SELECT files.path, {kind} AS kind, each.value AS target FROM idx.files JOIN idx.snapshots USING (path),
                 json_each(snapshot, {path}) AS each WHERE files.kind IN ('ticket', 'spec', 'inbox') AND each.atom IS NOT NULL"
        )
    };
    let fields = schema.fields.iter().filter(|field| matches!(field.kind, FieldKind::Link | FieldKind::Links));
    let fields = fields.map(|field| {
        let name = field.name.replace('\'', "''");
        source(&format!("'{name}'"), &format!("'$.fields.\"{name}\"'"))
    });
    let all: Vec<_> = [source("'text'", "'$.links'")].into_iter().chain(fields).collect();
    table(
        "links",
        "what tickets and specs refer to, a row for each reference",
        &[
            ("path", "the file that refers"),
            ("kind", "text, or the field: parent, blocked_by, …"),
            ("target", "as it is called there: a ticket's name or its key"),
        ],
        all.join(" UNION ALL "),
    )
}

fn comments() -> Table {
    table(
        "comments",
        "comments on tickets",
        &[
            ("path", "its file"),
            ("ticket", "the ticket that it is on"),
            ("author", "who wrote it, where a tracker says so"),
            ("created", "when, where a tracker says so"),
            ("body", "its text, read from the file"),
        ],
        "SELECT files.path, snapshot ->> '$.kind.ticket' AS ticket, snapshot ->> '$.fields.author' AS author,
             snapshot ->> '$.fields.created' AS created, body(files.path) AS body
         FROM idx.files JOIN idx.snapshots USING (path) WHERE kind = 'comment'",
    )
}

fn specs() -> Table {
    table(
        "specs",
        "specs and docs",
        &[("path", "its file"), ("title", "its first heading"), ("body", "its text, read from the file")],
        "SELECT path, title, body(path) AS body FROM idx.files WHERE kind = 'spec'",
    )
}

fn problems() -> Table {
    table(
        "problems",
        "what is wrong with files",
        &[
            ("path", "the file"),
            ("line", "where in it, from 1"),
            ("severity", "error, blocked or warning"),
            ("code", "which kind of problem"),
            ("message", "what is wrong"),
            ("help", "what would be right"),
        ],
        "SELECT path, line, problem ->> '$.severity' AS severity, problem ->> '$.code' AS code,
             problem ->> '$.message' AS message, problem ->> '$.help' AS help FROM idx.problems",
    )
}

fn events() -> Table {
    table(
        "events",
        "what happened, in order, as `trackfs events` tells it",
        &[
            ("seq", "its number"),
            ("at", "when, in UTC"),
            ("actor", "which program or remote"),
            ("event", "ticket.created, ticket.field_changed, …"),
            ("path", "the file that it is about"),
            ("field", "the field that changed"),
            ("old", "its value before"),
            ("new", "its value after"),
            ("change", "all of it, as JSON"),
        ],
        "SELECT seq, strftime('%Y-%m-%d %H:%M:%S', at) AS at, actor ->> '$.name' AS actor, change ->> '$.event' AS event,
             change ->> '$.path' AS path, change ->> '$.field' AS field, change ->> '$.from' AS old,
             change ->> '$.to' AS new, change FROM journal.events",
    )
}

fn field_history() -> Table {
    table(
        "field_history",
        "how each field came to its value, commit by commit",
        &[
            ("path", "where the file was then"),
            ("field", "NULL: the text"),
            ("old", "its value before; NULL: none"),
            ("new", "its value after; NULL: none"),
            ("hash", "the commit"),
            ("at", "when, in UTC"),
            ("author", "who committed"),
            ("actors", "which programs saved, as JSON"),
        ],
        "SELECT path, field, old ->> '$' AS old, new ->> '$' AS new, hash, datetime(at, 'unixepoch') AS at, author, actors
         FROM history.field_changes JOIN history.commits USING (n) WHERE reachable",
    )
}

fn remote_objects() -> Table {
    table(
        "remote_objects",
        "what each tracker said last of each issue",
        &[
            ("remote", "its name"),
            ("id", "the tracker's own id, which never changes"),
            ("key", "what people call it: ENG-42"),
            ("path", "the ticket that is tied to it; NULL: none"),
            ("url", "where it is on the web"),
            ("title", "its title there"),
            ("status", "its state there"),
            ("archived", "1: archived, or gone"),
            ("updated", "when it was changed there, as the tracker says it"),
            ("fields", "all of it, as JSON"),
        ],
        "SELECT remote, id, objects.key, keys.path, url, title, status, archived, updated, fields
         FROM temp.objects LEFT JOIN idx.keys USING (remote, key)",
    )
}

fn outbox() -> Table {
    table(
        "outbox",
        "what is to be sent to trackers",
        &[
            ("id", "its number"),
            ("remote", "to which"),
            ("path", "of which file"),
            ("action", "create, update, archive, comment"),
            ("state", "pending, sent, held or refused"),
            ("attempts", "how often it was tried"),
            ("last_error", "why it failed last"),
        ],
        "SELECT id, remote, path, action, state, attempts, last_error FROM journal.outbox",
    )
}

/// Git's objects. What is reached from HEAD or was once taken over is there; a hash names one row.
fn git() -> Vec<Table> {
    vec![
        table(
            "commits_hashed",
            "commits: each has its parents and one root tree",
            &[
                ("hash", "its id"),
                ("tree", "its root, in directories_hashed"),
                ("parents", "their hashes, as JSON"),
                ("author", "Name <email>"),
                ("actors", "which programs saved, as JSON"),
                ("at", "when, in UTC"),
                ("message", "its message"),
                ("reachable", "1: from HEAD"),
            ],
            "SELECT hash, tree, (SELECT json_group_array(parent ORDER BY position) FROM history.parents WHERE parents.n = commits.n)
                 AS parents, author, actors, datetime(at, 'unixepoch') AS at, message, reachable FROM history.commits",
        ),
        table(
            "files_hashed",
            "contents of files, each once",
            &[
                ("hash", "its id (a blob)"),
                ("size", "in bytes"),
                ("first", "the first commit that has it"),
                ("content", "read from git when it is asked for"),
            ],
            "SELECT blobs.hash, size, commits.hash AS first, git_blob(blobs.hash) AS content
             FROM history.blobs JOIN history.commits USING (n)",
        ),
        table(
            "files_latest",
            "files of the last commit",
            &[("path", "where it is"), ("hash", "its content, in files_hashed")],
            "SELECT path, hash FROM history.files_latest",
        ),
        table(
            "file_changes",
            "which files each commit made, changed, moved or removed",
            &[
                ("path", "the file"),
                ("commit_hash", "the commit"),
                ("moved_from", "where it was before, if it moved"),
                ("old", "its content before, in files_hashed; NULL: none"),
                ("new", "its content after; NULL: it was removed"),
            ],
            "SELECT path, commits.hash AS commit_hash, moved_from, old, changes.hash AS new
             FROM history.changes JOIN history.commits USING (n)",
        ),
        table(
            "directories_hashed",
            "folders (trees), a row for each entry, read from git when they are asked for",
            &[
                ("hash", "of the folder"),
                ("name", "of the entry"),
                ("kind", "file, directory, symlink or submodule"),
                ("entry", "hash of the entry, in files_hashed or directories_hashed"),
            ],
            "SELECT trees.hash, each.value ->> '$.name' AS name, each.value ->> '$.kind' AS kind,
                 each.value ->> '$.hash' AS entry FROM history.trees, json_each(git_tree(trees.hash)) AS each",
        ),
        table(
            "directories_latest",
            "folders of the last commit",
            &[("path", "where it is; '' is the root"), ("hash", "in directories_hashed")],
            "SELECT path, hash FROM history.directories_latest",
        ),
    ]
}
