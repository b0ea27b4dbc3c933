-- name: lock_slots
-- Slots by ascending id: capacity is decided while they are held (M4). First of all locks of a transaction.
SELECT id, fair_id, exhibitor_id, starts_at, ends_at, withdrawn_at IS NOT NULL AS withdrawn
FROM slot WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;

-- name: seats
-- M2, M7, M13: what a slot can hold, and what is taken of it: live bookings, proposals of that time, offers of a freed place. $2 is the
-- present instant, after which a proposal or an offer holds nothing any more.
SELECT s.id,
       (SELECT count(*) FROM account a WHERE a.exhibitor_id = s.exhibitor_id AND a.state = 'active'
          AND (NOT coalesce((f.settings ->> 'receivers_only')::boolean, false)
               OR a.kind = ANY ($3::text[]))) AS capacity,
       (SELECT count(*) FROM booking b WHERE b.slot_id = s.id AND b.state IN ('pending', 'assigned'))
       + (SELECT count(*) FROM proposal p WHERE p.slot_id = s.id AND p.outcome IS NULL AND p.expires_at > $2)
       + (SELECT count(*) FROM place o WHERE o.slot_id = s.id AND o.outcome IS NULL AND o.expires_at > $2) AS taken
FROM slot s JOIN fair f ON f.id = s.fair_id
WHERE s.id = ANY ($1::uuid[]);

-- name: slot_of
-- The slot of a booking, to be locked before the booking is.
SELECT slot_id FROM booking WHERE id = $1;

-- name: lock_bookings
-- Bookings by ascending id, with the names that their cards need; after slots and accounts, before conversations.
SELECT b.id, b.fair_id, b.exhibitor_id, b.buyer_id, b.slot_id, b.conversation_id, b.starts_at, b.ends_at, b.state, b.topic,
       b.receiver_id, coalesce(r.name, '') AS receiver_name, b.reason, b.ended_by, b.time_revision, b.assignment, b.sequence,
       b.room_number, b.buyer_attendance, b.team_attendance
FROM booking b LEFT JOIN account r ON r.id = b.receiver_id
WHERE b.id = ANY ($1::uuid[])
ORDER BY b.id
FOR NO KEY UPDATE OF b;

-- name: save_bookings
-- Bookings as their changes have left them. The exclusion constraints have the last word (M4).
UPDATE booking b
SET slot_id = n.slot_id, starts_at = n.starts_at, ends_at = n.ends_at, state = n.state, receiver_id = n.receiver_id, reason = n.reason,
    ended_by = n.ended_by, time_revision = n.time_revision, assignment = n.assignment, sequence = n.sequence,
    room_number = n.room_number, changed_at = $13
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::int[],
            $10::int[], $11::int[], $12::text[])
    AS n (id, slot_id, starts_at, ends_at, state, receiver_id, reason, ended_by, time_revision, assignment, sequence, room_number)
WHERE b.id = n.id;

-- name: shown
-- Bookings as they are shown (W5). One lookup for each, however the planner feels about so many joins.
SELECT f.* FROM unnest($1::uuid[]) AS n (id) CROSS JOIN LATERAL (SELECT * FROM booking_full b WHERE b.id = n.id OFFSET 0) f;

-- name: teams
-- The accounts of exhibitors, and what their fair's table says of them (A7). One that is suspended or disabled may come back to its
-- stream, so it is told like the others (W5).
SELECT a.id, a.exhibitor_id, a.kind, a.state, f.capabilities
FROM account a JOIN fair f ON f.id = a.fair_id
WHERE a.exhibitor_id = ANY ($1::uuid[]) AND a.state <> 'removed';

-- name: own_bookings
-- Whose own these bookings are: accounts that receive them, received them once, or are invited (A7, M8).
SELECT booking_id, account_id FROM booking_receiver WHERE booking_id = ANY ($1::uuid[])
UNION
SELECT booking_id, account_id FROM invited WHERE booking_id = ANY ($1::uuid[]);

-- name: snapshot_bookings
-- Part of the first state: pending and assigned bookings in the account's view that have not ended (W5). $6 is the present instant, $7
-- how far the account sees bookings.
SELECT ROW(f.*) FROM (
    SELECT b.id FROM booking b
    WHERE $7 = 'buyer' AND b.buyer_id = $1 AND b.state IN ('pending', 'assigned') AND b.ends_at > $6
    UNION
    SELECT b.id FROM account a JOIN booking b ON b.exhibitor_id = a.exhibitor_id
    WHERE $7 = 'all' AND a.id = $1 AND b.state IN ('pending', 'assigned') AND b.ends_at > $6
    UNION
    SELECT b.id FROM booking_receiver r JOIN booking b ON b.id = r.booking_id
    WHERE $7 = 'own' AND r.account_id = $1 AND b.state IN ('pending', 'assigned') AND b.ends_at > $6
    UNION
    SELECT b.id FROM invited i JOIN booking b ON b.id = i.booking_id
    WHERE $7 = 'own' AND i.account_id = $1 AND b.state IN ('pending', 'assigned') AND b.ends_at > $6
) n CROSS JOIN LATERAL (SELECT * FROM booking_full b WHERE b.id = n.id OFFSET 0) f;

-- name: snapshot_places
-- Part of the first state: a buyer's places in waiting lists of slots that have not begun (M13, W5).
SELECT ROW(p.id, p.slot_id, e.id, e.name_zh, e.name_en, s.starts_at, s.ends_at, p.topic, p.expires_at)
FROM place p JOIN slot s ON s.id = p.slot_id JOIN exhibitor e ON e.id = s.exhibitor_id
WHERE $7 = 'buyer' AND p.buyer_id = $1 AND p.outcome IS NULL AND s.starts_at > $6;
