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

-- name: signed_in
-- As caller, with the whole account: what a socket's welcome needs, in one answer.
SELECT a.*, x.silenced_until, s.id AS session_id, s.device_id, s.expires_at, s.revoked_at
FROM session s
JOIN account x ON x.id = s.account_id
JOIN account_full a ON a.id = s.account_id
WHERE s.id = $1;

-- name: claim_command
-- Takes the cid for this transaction; a concurrent command of the same cid waits here for its end (W7).
INSERT INTO command_result (account_id, cid, operation, fingerprint, created_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, cid) DO NOTHING
RETURNING true;

-- name: cid_of_message
-- Whether the cid is a message's or a booking's already: they keep theirs on their own rows, for ever (W7).
SELECT EXISTS (SELECT 1 FROM message WHERE sender_id = $1 AND cid = $2)
    OR EXISTS (SELECT 1 FROM booking WHERE buyer_id = $1 AND cid = $2);

-- name: command_result
-- What the command of this cid answered.
SELECT operation, fingerprint, reply FROM command_result WHERE account_id = $1 AND cid = $2;

-- name: keep_result
-- The reply of a command that was just claimed.
UPDATE command_result SET reply = $3 WHERE account_id = $1 AND cid = $2;

-- name: forget_results
-- Results are kept 24 h (W7).
DELETE FROM command_result WHERE created_at < $1;

-- name: account
-- One account as its views need it.
SELECT * FROM account_full WHERE id = $1;

-- name: lock_account
-- State and password of an account that is about to get a session or to change; whoever suspends it or sets its password waits.
SELECT state, password_hash FROM account WHERE id = $1 FOR NO KEY UPDATE;

-- name: password
-- What a typed password is compared with.
SELECT password_hash FROM account WHERE id = $1;

-- name: set_person
-- What an account says of itself (A9); the words of its name are what it is found by (C15).
UPDATE account SET name = $2, name_tokens = $3::text::tsvector, language = $4, time_zone = $5 WHERE id = $1;

-- name: set_password
-- A password of the account's own or of its main's choice.
UPDATE account SET password_hash = $2 WHERE id = $1;

-- name: set_mobile
-- A number that its owner has just proved to read (A8).
UPDATE account SET mobile = $2, mobile_verified_at = $3 WHERE id = $1;

-- name: set_email
-- As set_mobile.
UPDATE account SET email = $2, email_verified_at = $3 WHERE id = $1;

-- name: set_profile
-- A buyer's profile, and whether it is complete (A3).
UPDATE buyer SET role = $2, country = $3, interests = $4, profile = $5, complete = $6 WHERE account_id = $1;

-- name: credentials
-- Who signs in by a login, and whether it has signed in on that device before.
SELECT a.id, a.state, a.password_hash,
       EXISTS (SELECT FROM session s WHERE s.account_id = a.id AND s.device_id = $3
               AND (s.revoked_at IS NULL OR s.revoked_for = 'signed_out')) AS known_device
FROM fair f JOIN account a ON a.fair_id = f.id
WHERE f.code = $1 AND a.login = $2;

-- name: credentials_by_address
-- As credentials, by a verified address (A9).
SELECT a.id, a.state, a.password_hash,
       EXISTS (SELECT FROM session s WHERE s.account_id = a.id AND s.device_id = $3
               AND (s.revoked_at IS NULL OR s.revoked_for = 'signed_out')) AS known_device
FROM fair f JOIN account a ON a.fair_id = f.id
WHERE f.code = $1
  AND ((a.email = $2 AND a.email_verified_at IS NOT NULL) OR (a.mobile = $2 AND a.mobile_verified_at IS NOT NULL));

-- name: insert_account
-- A new account; its login is free, or the constraint says so.
INSERT INTO account (id, fair_id, exhibitor_id, kind, login, name, name_tokens, password_hash, language, mobile, email, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::tsvector, $8, $9, $10, $11, $12);

-- name: insert_buyer
-- What only buyers have.
INSERT INTO buyer (account_id, role, country, interests, profile, complete) VALUES ($1, $2, $3, $4, $5, $6);

-- name: audit
-- Who did what to whom (A4).
INSERT INTO audit (id, fair_id, actor_id, action, subject_id, detail, at) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: create_installation
-- Once per database: the secret everything is signed with unless the settings give one.
INSERT INTO installation (secret, demo) VALUES ($1, $2) ON CONFLICT (only_row) DO NOTHING;

-- name: installation
-- What the database remembers of the installation.
SELECT secret, demo FROM installation;

-- name: account_by_login
-- One account of the fair of that code.
SELECT x.* FROM fair f JOIN account a ON a.fair_id = f.id JOIN account_full x ON x.id = a.id WHERE f.code = $1 AND a.login = $2;

-- name: confirm_mobile
-- A number proved in passing, unless another account of the fair has proved it before.
UPDATE account a SET mobile_verified_at = $3
WHERE a.id = $1 AND a.mobile = $2 AND NOT EXISTS (
    SELECT FROM account o WHERE o.fair_id = a.fair_id AND o.mobile = $2 AND o.mobile_verified_at IS NOT NULL);

-- name: confirm_email
-- As confirm_mobile.
UPDATE account a SET email_verified_at = $3
WHERE a.id = $1 AND a.email = $2 AND NOT EXISTS (
    SELECT FROM account o WHERE o.fair_id = a.fair_id AND o.email = $2 AND o.email_verified_at IS NOT NULL);

-- name: fair_for_registration
-- The fair of a code and whether it takes registrations.
SELECT id, settings FROM fair WHERE code = $1;

-- name: snapshot_account
-- Part of first states: the own account (W5).
SELECT n.n, ROW(a.*) FROM who n JOIN account_full a ON a.id = n.account;

-- name: fairs
-- Every fair of the installation, for the start page.
SELECT code, name_en, name_zh FROM fair ORDER BY opens_at DESC, code;
