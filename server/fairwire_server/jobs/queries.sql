-- Hints between processes that something is due.

-- name: hint
-- Heard by workers; by itself, not within a transaction that others wait for.
SELECT pg_notify($1, '');

-- name: listening
-- Notices that the listening connection is dead.
SELECT 1;
