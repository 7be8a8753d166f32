//! The tables, as steps of migration. A step that was released is never edited: a new one follows it.

/// `journal.db`: what must survive a power cut.
pub(super) const JOURNAL: &[&str] = &["
    CREATE TABLE ops (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        op TEXT NOT NULL                          -- JSON
    );
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        actor TEXT NOT NULL,                      -- JSON
        change TEXT NOT NULL                      -- JSON
    );
    -- What every path was when its events were written: an index that is older, or gone, is caught up without
    -- telling the same story twice.
    CREATE TABLE settled (
        path TEXT PRIMARY KEY,
        content TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE uncommitted (
        path TEXT PRIMARY KEY,
        since INTEGER NOT NULL,                   -- mark at which it first settled
        mark INTEGER NOT NULL                     -- mark at which it last settled
    ) WITHOUT ROWID;
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        remote TEXT NOT NULL,
        path TEXT NOT NULL,
        action TEXT NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        last_error TEXT,
        entry TEXT NOT NULL                       -- JSON; the columns above are the newer truth
    );
    CREATE UNIQUE INDEX outbox_waiting ON outbox (remote, path, action) WHERE state <> 'sent';
    CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;
"];

/// `index.db`: derived from the files; made anew when it is missing.
pub(super) const INDEX: &[&str] = &[
    "
    CREATE TABLE files (
        path TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        title TEXT NOT NULL,
        snapshot TEXT NOT NULL,                   -- JSON
        -- NULL where the file was too fresh for its times to tell a later change of the same size.
        ino INTEGER,
        size INTEGER,
        mtime INTEGER,                            -- nanoseconds
        ctime INTEGER
    ) WITHOUT ROWID;
    CREATE TABLE fields (                         -- a list has one row for each member
        path TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
        name TEXT NOT NULL,
        value TEXT NOT NULL
    );
    CREATE INDEX fields_of ON fields (path);
    CREATE INDEX fields_by_value ON fields (name, value);
    CREATE TABLE links (
        path TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
        target TEXT NOT NULL
    );
    CREATE INDEX links_of ON links (path);
    CREATE INDEX links_to ON links (target);
    CREATE TABLE keys (                           -- `sync:`
        remote TEXT NOT NULL,
        key TEXT NOT NULL,
        path TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
        PRIMARY KEY (remote, key, path)
    ) WITHOUT ROWID;
    CREATE INDEX keys_of ON keys (path);
    CREATE TABLE problems (
        path TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
        line INTEGER NOT NULL,
        problem TEXT NOT NULL                     -- JSON
    );
    CREATE INDEX problems_of ON problems (path, line);
",
    "
    DROP TABLE fields;
    DROP TABLE links;
    DROP TABLE keys;
    DROP TABLE problems;
    DROP TABLE files;
    -- Narrow, so that a scan and the views read all of it in a moment: what is long stands in `snapshots`.
    CREATE TABLE files (
        path TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        title TEXT NOT NULL,
        status TEXT NOT NULL,
        -- NULL where the file was too fresh for its times to tell a later change of the same size.
        ino INTEGER,
        size INTEGER,
        mtime INTEGER,                            -- nanoseconds
        ctime INTEGER
    ) WITHOUT ROWID;
    CREATE TABLE snapshots (
        path TEXT PRIMARY KEY REFERENCES files ON DELETE CASCADE,
        snapshot TEXT NOT NULL                    -- JSON
    ) WITHOUT ROWID;
    CREATE TABLE keys (                           -- `sync:`
        remote TEXT NOT NULL,
        key TEXT NOT NULL,
        path TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
        PRIMARY KEY (remote, key, path)
    ) WITHOUT ROWID;
    CREATE INDEX keys_of ON keys (path);
    CREATE TABLE problems (
        path TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
        line INTEGER NOT NULL,
        problem TEXT NOT NULL                     -- JSON
    );
    CREATE INDEX problems_of ON problems (path, line);
",
    "
    -- When the file was first known, and when it was last changed, in nanoseconds: for queries.
    ALTER TABLE files ADD COLUMN created INTEGER;
    ALTER TABLE files ADD COLUMN updated INTEGER;
    UPDATE files SET created = mtime, updated = mtime;
",
];
