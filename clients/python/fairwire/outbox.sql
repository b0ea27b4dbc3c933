-- The outbox's own little SQLite file (W16). Each query has a name and a sentence, as on the server.

-- create: one row per unacknowledged message; `position` is the order in which they were written.
CREATE TABLE IF NOT EXISTS unsent (
    position     INTEGER PRIMARY KEY AUTOINCREMENT,
    account      TEXT NOT NULL,
    cid          TEXT NOT NULL UNIQUE,
    conversation TEXT NOT NULL,
    kind         TEXT NOT NULL,
    text         TEXT,
    image        TEXT
);

-- add: a message, once per cid.
INSERT OR IGNORE INTO unsent (account, cid, conversation, kind, text, image) VALUES (?, ?, ?, ?, ?, ?);

-- remove: stored by the server, or refused for good.
DELETE FROM unsent WHERE cid = ?;

-- all: what an account has left behind, oldest first.
SELECT cid, conversation, kind, text, image FROM unsent WHERE account = ? ORDER BY position;
