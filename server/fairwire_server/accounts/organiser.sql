-- What the organiser sees and does of accounts, the capability table and the audit log (A4, A6, A7).

-- name: find_accounts
-- By login, exact, or by the words of a name; exact ones first.
SELECT id, kind, login, name, state, exhibitor_id FROM account
WHERE fair_id = $1 AND state <> 'removed' AND (login = $2 OR name_tokens @@ $3::text::tsquery)
ORDER BY login <> $2, name, id
LIMIT 50;

-- name: lock_target
-- An account of the fair that the organiser acts on.
SELECT state, suspended_from FROM account WHERE id = $1 AND fair_id = $2 AND state <> 'removed' FOR NO KEY UPDATE;

-- name: set_state
-- Suspension keeps what the account goes back to.
UPDATE account SET state = $2, suspended_from = $3 WHERE id = $1;

-- name: set_silence
-- C18.
UPDATE account SET silenced_until = $2 WHERE id = $1;

-- name: lock_capabilities
-- The fair's differences from the default table, for the one who changes them.
SELECT capabilities FROM fair WHERE id = $1 FOR NO KEY UPDATE;

-- name: set_capabilities
-- The differences that are in force from now on (A7).
UPDATE fair SET capabilities = $2 WHERE id = $1;

-- name: accounts_with_state
-- Accounts of these kinds that may have a client with a state of its own: those that ever had a session we remember.
SELECT a.id FROM account a
WHERE a.fair_id = $1 AND a.kind = ANY ($2::text[]) AND a.state <> 'removed'
  AND EXISTS (SELECT FROM session s WHERE s.account_id = a.id);

-- name: audit_page
-- Newest first; ids rise with time.
SELECT id, actor_id, action, subject_id, at FROM audit
WHERE fair_id = $1 AND ($2::uuid IS NULL OR id < $2)
ORDER BY id DESC
LIMIT $3;
