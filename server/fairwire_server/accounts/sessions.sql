-- Signed-in devices and their refresh tokens (W13).

-- name: insert_session
-- A device signs in.
INSERT INTO session (id, account_id, device_id, device_name, created_at, used_at, expires_at) VALUES ($1, $2, $3, $4, $5, $5, $6);

-- name: insert_refresh
-- A refresh token's digest; the token itself is never stored.
INSERT INTO refresh_token (hash, session_id, generation, created_at) VALUES ($1, $2, $3, $4);

-- name: lock_refresh
-- The presented token with its session and account; two tabs that refresh at once come one after the other.
SELECT t.session_id, t.generation, t.rotated_at, s.account_id, s.expires_at, s.revoked_at, a.fair_id, a.state
FROM refresh_token t
JOIN session s ON s.id = t.session_id
JOIN account a ON a.id = s.account_id
WHERE t.hash = $1
FOR UPDATE OF t, s;

-- name: rotate
-- The token has a successor now.
UPDATE refresh_token SET rotated_at = $2 WHERE hash = $1;

-- name: use_session
-- The session is in use, and lasts from now.
UPDATE session SET used_at = $2, expires_at = $3 WHERE id = $1;

-- name: live_sessions
-- What is signed in, the most recently used first.
SELECT id, device_id, device_name, created_at, used_at, expires_at FROM session
WHERE account_id = $1 AND revoked_at IS NULL AND expires_at > $2
ORDER BY used_at DESC, id DESC;

-- name: revoke_session
-- One session of the account; nothing if it is not its own. Answers whether there is such a session.
UPDATE session SET revoked_at = coalesce(revoked_at, $3), revoked_for = coalesce(revoked_for, $4)
WHERE id = $2 AND account_id = $1
RETURNING true;

-- name: revoke_sessions
-- Every session of the account but one.
UPDATE session SET revoked_at = $3, revoked_for = $4
WHERE account_id = $1 AND revoked_at IS NULL AND id IS DISTINCT FROM $2
RETURNING id;

-- name: surplus_sessions
-- Live sessions beyond the newest ones: a script that signs in anew each time does not fill the table.
SELECT id FROM session
WHERE account_id = $1 AND revoked_at IS NULL AND expires_at > $2
ORDER BY used_at DESC, id DESC
OFFSET $3;

-- name: over_sessions
-- Which of these sessions have ended, for a node that may not have been told (A6).
SELECT n.id FROM unnest($1::uuid[]) AS n (id)
LEFT JOIN session s ON s.id = n.id
LEFT JOIN account a ON a.id = s.account_id
WHERE s.revoked_at IS NOT NULL OR a.state IS DISTINCT FROM 'active';

-- name: forget_sessions
-- What ended long ago; its tokens go with it.
DELETE FROM session WHERE expires_at < $1 OR revoked_at < $1;
