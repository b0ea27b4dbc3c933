-- What the demo fair and its load tools read and write besides the import.

-- name: accounts_of_fair
-- Everybody at a fair, for load tools: in an order that does not depend on ids.
SELECT a.id, a.login, a.kind, a.name, e.id AS exhibitor, e.external_id AS exhibitor_id
FROM account a JOIN fair f ON f.id = a.fair_id LEFT JOIN exhibitor e ON e.id = a.exhibitor_id
WHERE f.code = $1 AND a.state = 'active' AND (a.kind, a.login) > ($2, $3)
ORDER BY a.kind, a.login LIMIT $4;

-- name: accounts_by_login
-- The accounts of a fair that are shown as demo sign-ins, or get tokens; in a demo installation only.
SELECT a.id, a.login, a.kind, a.name, e.id AS exhibitor, e.external_id AS exhibitor_id
FROM installation i, account a JOIN fair f ON f.id = a.fair_id LEFT JOIN exhibitor e ON e.id = a.exhibitor_id
WHERE i.demo AND f.code = $1 AND a.state = 'active' AND a.login = ANY ($2);

-- name: first_exhibitors
-- Exhibitors of a fair in the order of their external ids, with their main accounts: those that get slots.
SELECT e.id, e.fair_id, f.time_zone, a.id AS main_id
FROM exhibitor e JOIN fair f ON f.id = e.fair_id JOIN account a ON a.exhibitor_id = e.id AND a.kind = 'main'
WHERE f.code = $1 ORDER BY length(e.external_id), e.external_id LIMIT $2;

-- name: fair_codes
-- The fairs of the installation.
SELECT id, code FROM fair ORDER BY code;

-- name: become_demo
-- An installation without a fair becomes one for demos; one that is stays one. Nothing comes back from any other.
UPDATE installation SET demo = true WHERE demo OR NOT EXISTS (SELECT FROM fair) RETURNING only_row;

-- name: open_sessions
-- Sessions of a load tool's accounts, all at once.
INSERT INTO session (id, account_id, device_id, device_name, created_at, used_at, expires_at)
SELECT id, account_id, $3, 'load tool', $4, $4, $5 FROM unnest($1::uuid[], $2::uuid[]) AS new (id, account_id);
