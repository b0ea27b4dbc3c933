-- name: caller
-- The account behind a session as it is now, with its fair's capability differences; every mutating command reads it again (A6).
SELECT a.id, a.fair_id, a.exhibitor_id, a.kind, a.name, a.state, a.silenced_until,
       s.id AS session_id, s.device_id, s.expires_at, s.revoked_at,
       coalesce(b.complete, true) AS complete, f.capabilities
FROM session s
JOIN account a ON a.id = s.account_id
JOIN fair f ON f.id = a.fair_id
LEFT JOIN buyer b ON b.account_id = a.id
WHERE s.id = $1;

-- name: claim_command
-- Takes the cid for this transaction; a concurrent command of the same cid waits here for its end (W7).
INSERT INTO command_result (account_id, cid, operation, fingerprint, created_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, cid) DO NOTHING
RETURNING true;

-- name: command_result
-- What the command of this cid answered.
SELECT operation, fingerprint, reply FROM command_result WHERE account_id = $1 AND cid = $2;

-- name: keep_result
-- The reply of a command that was just claimed.
UPDATE command_result SET reply = $3 WHERE account_id = $1 AND cid = $2;

-- name: forget_results
-- Results are kept 24 h (W7).
DELETE FROM command_result WHERE created_at < $1;
