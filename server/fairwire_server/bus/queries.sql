-- Messages between processes on one PostgreSQL.

-- name: notify
-- Heard by the running server once this transaction is committed.
SELECT pg_notify($1, $2);

-- name: claim_alone
-- One node per database without Redis: held by the connection that listens, gone with it.
SELECT pg_try_advisory_lock(hashtext('fairwire'), hashtext('single node'));

-- name: claim_shared
-- Nodes with Redis stand beside each other, and never beside one without.
SELECT pg_try_advisory_lock_shared(hashtext('fairwire'), hashtext('single node'));

-- name: alive
-- Notices that the listening connection is dead.
SELECT 1;
