-- name: slots
-- The slots of a round: one an hour for each exhibitor, those of odd number thirty minutes later.
INSERT INTO slot (id, fair_id, exhibitor_id, starts_at, ends_at, created_by, created_at)
SELECT gen_random_uuid(), e.fair_id, e.id, s.at, s.at + interval '1 hour', a.id, now()
FROM unnest($1::uuid[]) WITH ORDINALITY AS n (id, number)
JOIN exhibitor e ON e.id = n.id
JOIN account a ON a.exhibitor_id = e.id AND a.kind = 'main'
CROSS JOIN LATERAL (
    SELECT $2::timestamptz + make_interval(mins => 60 * h + 30 * ((n.number - 1) % 2)::int) AS at FROM generate_series(0, $3 - 1) AS h) s
RETURNING id, exhibitor_id, starts_at;

-- name: double_booked
-- Pairs of live bookings of one buyer that overlap.
SELECT count(*) FROM booking a JOIN booking b ON a.buyer_id = b.buyer_id AND a.id < b.id AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at
WHERE a.state IN ('pending', 'assigned') AND b.state IN ('pending', 'assigned');

-- name: over_capacity
-- Slots with more live bookings than accounts.
SELECT count(*) FROM (
    SELECT b.slot_id FROM booking b WHERE b.state IN ('pending', 'assigned') GROUP BY b.slot_id, b.exhibitor_id
    HAVING count(*) > (SELECT count(*) FROM account a WHERE a.exhibitor_id = b.exhibitor_id AND a.state = 'active')) o;

-- name: live
-- Live bookings.
SELECT count(*) FROM booking WHERE state IN ('pending', 'assigned');

-- name: bare_table
-- What the reference inserts into.
CREATE TABLE bare_booking (
    id uuid PRIMARY KEY, buyer_id uuid NOT NULL, starts_at timestamptz NOT NULL, ends_at timestamptz NOT NULL,
    EXCLUDE USING gist (buyer_id WITH =, tstzrange(starts_at, ends_at) WITH &&));

-- name: bare_insert
-- The reference's booking.
INSERT INTO bare_booking (id, buyer_id, starts_at, ends_at) VALUES ($1, $2, $3, $4);
