-- name: plan
-- Ten days of 25 half hours from 09:00 for some exhibitors, as a batch of each would plan them.
INSERT INTO slot (id, fair_id, exhibitor_id, starts_at, ends_at, created_by, created_at)
SELECT gen_random_uuid(), e.fair_id, e.id, s.at, s.at + interval '30 minutes', a.id, now()
FROM unnest($1::uuid[]) AS n (id)
JOIN exhibitor e ON e.id = n.id
JOIN account a ON a.exhibitor_id = e.id AND a.kind = 'main'
CROSS JOIN LATERAL (
    SELECT $2::timestamptz + make_interval(days => d, mins => 30 * h) AS at FROM generate_series(0, 9) AS d, generate_series(0, 24) AS h) s;

-- name: analyze
-- As autovacuum would in a while.
ANALYZE slot;

-- name: size
-- Rows and bytes of the table with its indexes.
SELECT count(*) AS slots, pg_total_relation_size('slot') AS bytes FROM slot;
