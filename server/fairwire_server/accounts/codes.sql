-- Codes sent to an address (A8, A9): hashed, few tries, short life, one open per account and purpose.

-- name: lock_owner
-- Two requests for codes of one account come one after the other.
SELECT 1 FROM account WHERE id = $1 FOR NO KEY UPDATE;

-- name: close_codes
-- A new code makes the earlier one of its purpose worthless.
UPDATE verification_code SET used_at = $3 WHERE account_id = $1 AND purpose = $2 AND used_at IS NULL;

-- name: insert_code
-- A code that is about to be sent.
INSERT INTO verification_code (id, fair_id, account_id, purpose, address, code_hash, created_at, expires_at)
SELECT $1, fair_id, id, $3, $4, $5, $6, $7 FROM account WHERE id = $2;

-- name: take_try
-- Each try is counted before it is judged, so that parallel guesses share the same few tries.
UPDATE verification_code SET tries = tries + 1
WHERE account_id = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3 AND tries < $4
RETURNING id, address, code_hash;

-- name: use_code
-- A code works once; nothing if it was used or replaced meanwhile.
UPDATE verification_code SET used_at = $2 WHERE id = $1 AND used_at IS NULL RETURNING true;

-- name: forget_codes
-- Nobody asks for old codes.
DELETE FROM verification_code WHERE created_at < $1;
