//! The tables, as steps of migration. A step that was released is never edited: a new one follows it.

/// `journal.db`: what must survive a power cut.
pub(super) const JOURNAL: &[&str] = &[
    "
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
",
    "
    -- JSON; NULL of what settled before this column was there.
    ALTER TABLE settled ADD COLUMN kind TEXT;
",
];

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
    "
    -- Files whose text `search.db` does not have yet.
    CREATE TABLE unsearched (
        n INTEGER PRIMARY KEY AUTOINCREMENT,      -- grows whenever the file settles
        path TEXT NOT NULL UNIQUE
    );
    -- Another index has another id: what was derived from the former one is not of it.
    CREATE TABLE identity (id TEXT NOT NULL);
    INSERT INTO identity VALUES (lower(hex(randomblob(16))));
",
];

/// `history.db`: derived from git.
pub(super) const PAST: &[&str] = &["
    CREATE TABLE commits (
        n INTEGER PRIMARY KEY,                    -- parents have smaller numbers
        hash TEXT NOT NULL UNIQUE,
        tree TEXT NOT NULL,
        author TEXT NOT NULL,
        actors TEXT NOT NULL,                     -- JSON
        at INTEGER NOT NULL,                      -- seconds
        message TEXT NOT NULL,
        reachable INTEGER NOT NULL                -- from HEAD
    );
    CREATE INDEX commits_by_time ON commits (at, n) WHERE reachable;
    CREATE TABLE parents (
        n INTEGER NOT NULL REFERENCES commits,
        position INTEGER NOT NULL,
        parent TEXT NOT NULL,
        PRIMARY KEY (n, position)
    ) WITHOUT ROWID;
    CREATE TABLE changes (                        -- files that a commit has unlike all its parents
        path TEXT NOT NULL,
        n INTEGER NOT NULL REFERENCES commits,
        moved_from TEXT,
        old TEXT,                                 -- blob; NULL: it was made
        hash TEXT,                                -- blob; NULL: it was removed
        executable INTEGER NOT NULL,
        PRIMARY KEY (path, n)
    ) WITHOUT ROWID;
    CREATE INDEX changes_of ON changes (n);
    CREATE TABLE field_changes (                  -- of Markdown files
        path TEXT NOT NULL,
        n INTEGER NOT NULL REFERENCES commits,
        position INTEGER NOT NULL,
        field TEXT,                               -- NULL: the body
        old TEXT,                                 -- JSON
        new TEXT,                                 -- JSON
        PRIMARY KEY (path, n, position)
    ) WITHOUT ROWID;
    CREATE INDEX field_changes_by_field ON field_changes (field, n);
    CREATE TABLE blobs (
        hash TEXT PRIMARY KEY,
        size INTEGER NOT NULL,                    -- bytes
        n INTEGER NOT NULL                        -- the first commit that has it
    ) WITHOUT ROWID;
    CREATE TABLE trees (
        hash TEXT PRIMARY KEY,
        n INTEGER NOT NULL                        -- the first commit that has it
    ) WITHOUT ROWID;
    CREATE TABLE files_latest (                   -- of the commit in `meta`
        path TEXT PRIMARY KEY,
        hash TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE directories_latest (
        path TEXT PRIMARY KEY,                    -- '' is the root
        hash TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;
"];

/// `search.db`: derived from the files.
pub(super) const TEXTS: &[&str] = &["
    CREATE TABLE texts (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,                       -- ticket, inbox, comment, spec
        ticket TEXT,                              -- that it belongs to; NULL: none
        line INTEGER NOT NULL,                    -- of the file, at which the body begins
        title TEXT NOT NULL,
        body TEXT NOT NULL
    );
    CREATE VIRTUAL TABLE words USING fts5 (
        title, body, content = 'texts', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2'
    );
    -- A word in the title says more.
    INSERT INTO words (words, rank) VALUES ('rank', 'bm25(8.0, 1.0)');
    CREATE TRIGGER text_came AFTER INSERT ON texts BEGIN
        INSERT INTO words (rowid, title, body) VALUES (new.id, new.title, new.body);
    END;
    CREATE TRIGGER text_went AFTER DELETE ON texts BEGIN
        INSERT INTO words (words, rowid, title, body) VALUES ('delete', old.id, old.title, old.body);
    END;
    CREATE TABLE follows (id TEXT NOT NULL);      -- the index whose files these are
"];
