-- Bookkeeping of migrations and of the embedded engine.

-- name: lock_migrations
-- Two processes that start together migrate one after the other; the transaction's end lets go.
SELECT pg_advisory_xact_lock(7261994201);

-- name: lift_timeouts
-- A migration may rewrite a large table: the limits of ordinary requests do not fit it.
SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '60s', true),
       set_config('idle_in_transaction_session_timeout', '0', true);

-- name: create_migrations_table
-- What has been applied, with the digest of the file as it was then.
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: has_migrations_table
-- False on a database that was never migrated.
SELECT to_regclass('schema_migrations') IS NOT NULL;

-- name: applied_migrations
-- In the order of their numbers.
SELECT version, name, checksum FROM schema_migrations ORDER BY version;

-- name: record_migration
-- In the transaction that applied it.
INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3);

-- name: has_database
-- Whether the embedded engine already holds the database of that name.
SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1);

-- name: create_fairwire_database
-- Once, after the embedded engine made its files.
CREATE DATABASE fairwire;

-- name: present
-- The instant by the database's own clock.
-- clock: a worker's one look per claim, so that the clocks of several machines decide nothing
SELECT clock_timestamp();

-- name: by_index
-- For transactions over lists, whose statements find each row by its key: a plan that a connection keeps must not read tables whole
-- because they were small when it was made.
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true);

-- name: each_time
-- For statements whose best plan depends on what is asked, such as how common a word is.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true);
