-- Messages between processes on one PostgreSQL.

-- name: notify
-- Heard by the running server once this transaction is committed.
SELECT pg_notify($1, $2);
