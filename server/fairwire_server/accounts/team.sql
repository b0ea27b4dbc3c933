-- An exhibitor's accounts as its main account manages them (A2, A6, A9).

-- name: lock_exhibitor
-- Changes to one team come one after the other: its limit holds, and no two removals hand over to each other.
SELECT e.sub_account_limit, e.domicile, f.settings
FROM exhibitor e JOIN fair f ON f.id = e.fair_id WHERE e.id = $1 FOR NO KEY UPDATE OF e;

-- name: limit_of
-- As lock_exhibitor, to look at.
SELECT e.sub_account_limit, e.domicile, f.settings
FROM exhibitor e JOIN fair f ON f.id = e.fair_id WHERE e.id = $1;

-- name: team
-- Main first; who was removed is not part of the team.
SELECT * FROM account_full WHERE exhibitor_id = $1 AND state <> 'removed' ORDER BY kind <> 'main', name, id;

-- name: count_sub_accounts
-- Disabled and suspended ones count: they may come back.
SELECT count(*) FROM account WHERE exhibitor_id = $1 AND kind <> 'main' AND state <> 'removed';

-- name: lock_accounts
-- Of that exhibitor's accounts by ascending id, held until the change is done: the one that changes, and where its work is handed over, who
-- takes it over and who says so.
SELECT id FROM account WHERE id = ANY ($1::uuid[]) AND exhibitor_id = $2 AND state <> 'removed' ORDER BY id FOR NO KEY UPDATE;

-- name: set_member
-- What main changes of a sub-account.
UPDATE account SET kind = $2, name = $3, name_tokens = $4::text::tsvector, state = $5 WHERE id = $1;

-- name: remove_member
-- The row stays, since messages and transfers name it; its login and addresses are free again.
UPDATE account SET state = 'removed', login = $2, password_hash = NULL, suspended_from = NULL,
       mobile = NULL, mobile_verified_at = NULL, email = NULL, email_verified_at = NULL
WHERE id = $1;
