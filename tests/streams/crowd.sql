-- name: session
-- A session of a year.
INSERT INTO session (id, account_id, device_id, created_at, used_at, expires_at)
VALUES ($1, $2, 'test', $3, $3, $3::timestamptz + interval '365 days');

-- name: position
-- Where an account's stream stands.
SELECT epoch, pos FROM account_stream WHERE account_id = $1;

-- name: holder
-- Who holds a conversation.
SELECT holder_id FROM conversation WHERE id = $1;

-- name: top
-- How far an account's stream reaches.
SELECT pos FROM account_stream WHERE account_id = $1;

-- name: events
-- An account's stream, bare.
SELECT pos, type FROM account_event WHERE account_id = $1 ORDER BY pos;

-- name: gaps
-- Whether a stream has every position up to its top, as seen in one instant.
SELECT s.pos AS top, count(e.pos) AS events, coalesce(max(e.pos), 0) AS newest
FROM account_stream s LEFT JOIN account_event e ON e.account_id = s.account_id
WHERE s.account_id = $1 GROUP BY s.pos;

-- name: messages_told
-- The messages of an account's stream, by position.
SELECT conversation_id FROM account_event WHERE account_id = $1 AND type = 'message' ORDER BY pos;

-- name: pins
-- What an account has pinned.
SELECT conversation_id FROM contact_mark WHERE account_id = $1 AND pinned_at IS NOT NULL;

-- name: rename
-- An account's name, as a rename begins.
UPDATE account SET name = $2 WHERE id = $1;

-- name: waits
-- Whether somebody waits for another's lock in this database.
SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock';

-- name: deadlocks
-- How many rings of waiting PostgreSQL had to break in this database.
SELECT pg_stat_get_db_deadlocks(oid) FROM pg_database WHERE datname = current_database();

-- name: end_listener
-- Cut the connection that holds the node's claim and listens.
SELECT count(*) FROM (
    SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND d.datname = current_database()) ended;
