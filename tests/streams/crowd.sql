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
