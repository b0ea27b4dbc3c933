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
