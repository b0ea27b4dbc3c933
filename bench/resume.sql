-- name: statements
-- The extension that counts.
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;

-- name: standing
-- Where these accounts' streams and their fair's stand.
SELECT s.epoch, s.pos, f.epoch AS fair_epoch, f.pos AS fair_pos
FROM unnest($1::uuid[]) WITH ORDINALITY AS n (id, place)
JOIN account_stream s ON s.account_id = n.id JOIN account a ON a.id = n.id JOIN fair_stream f ON f.fair_id = a.fair_id
ORDER BY n.place;

-- name: counted
-- Statements executed so far, by what they say; BEGIN and COMMIT are none.
SELECT query, calls FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database());
