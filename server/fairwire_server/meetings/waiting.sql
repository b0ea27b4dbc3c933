-- name: insert_place
-- M13: one place of a buyer in a slot's line; ids rise with time, so they are the line's order.
INSERT INTO place (id, slot_id, buyer_id, topic, card, at) VALUES ($1, $2, $3, $4, $5, $6);

-- name: place_to_answer
-- Whose place it is, and where.
SELECT id, slot_id, buyer_id FROM place WHERE id = $1;

-- name: lock_place
-- A place that has no outcome yet; its slot is locked.
SELECT id, topic, card::text AS card, expires_at FROM place WHERE id = $1 AND outcome IS NULL FOR UPDATE;

-- name: open_place
-- The place that a buyer has in a slot's line, if any.
SELECT id FROM place WHERE slot_id = $1 AND buyer_id = $2 AND outcome IS NULL;

-- name: count_places
-- In how many lines a buyer stands.
SELECT count(*) FROM place p JOIN slot s ON s.id = p.slot_id WHERE p.buyer_id = $1 AND p.outcome IS NULL AND s.starts_at > $2;

-- name: close_places
-- What became of them. Answers those that were open.
UPDATE place SET outcome = $2 WHERE id = ANY ($1::uuid[]) AND outcome IS NULL RETURNING id;

-- name: close_places_of_slot
-- The slot is not what they waited for any more (M3).
UPDATE place SET outcome = 'over' WHERE slot_id = $1 AND outcome IS NULL RETURNING id;

-- name: close_places_of_buyers
-- These buyers have a booking in the slot whose line they stood in.
UPDATE place p SET outcome = 'accepted' FROM unnest($1::uuid[], $2::uuid[]) AS n (slot_id, buyer_id)
WHERE p.slot_id = n.slot_id AND p.buyer_id = n.buyer_id AND p.outcome IS NULL RETURNING p.id;

-- name: line
-- Who waits in these slots, in order, and whether a seat can be offered: not to an account that is not active, that has another meeting
-- then, or that one side of the chat has blocked (A6, C18, M4).
SELECT p.id, p.slot_id,
       a.state = 'active'
       AND NOT EXISTS (SELECT FROM booking b WHERE b.buyer_id = p.buyer_id AND b.state IN ('pending', 'assigned')
                         AND tstzrange(b.starts_at, b.ends_at) && tstzrange(s.starts_at, s.ends_at))
       AND NOT EXISTS (SELECT FROM conversation c WHERE c.buyer_id = p.buyer_id AND c.exhibitor_id = s.exhibitor_id
                         AND (c.blocked_by_buyer OR c.blocked_by_team)) AS able
FROM place p JOIN slot s ON s.id = p.slot_id JOIN account a ON a.id = p.buyer_id
WHERE p.slot_id = ANY ($1::uuid[]) AND p.outcome IS NULL AND p.offered_at IS NULL
ORDER BY p.slot_id, p.id;

-- name: offer_places
-- M13: the seat is held until then, and never past the slot's start.
UPDATE place p SET offered_at = $2, expires_at = least($3, s.starts_at)
FROM slot s WHERE s.id = p.slot_id AND p.id = ANY ($1::uuid[])
RETURNING p.id, p.buyer_id, s.fair_id, p.expires_at;

-- name: places
-- Places as their buyers see them.
SELECT p.buyer_id, p.id, p.slot_id, e.id AS exhibitor_id, e.name_zh, e.name_en, s.starts_at, s.ends_at, p.topic, p.expires_at
FROM place p JOIN slot s ON s.id = p.slot_id JOIN exhibitor e ON e.id = s.exhibitor_id
WHERE p.id = ANY ($1::uuid[])
ORDER BY p.id;

-- name: due_places
-- Offers that nobody answered in time, and places in line for what has begun.
SELECT p.id, p.slot_id FROM place p WHERE p.outcome IS NULL AND p.expires_at <= $1
UNION
SELECT p.id, p.slot_id FROM place p JOIN slot s ON s.id = p.slot_id WHERE p.outcome IS NULL AND s.starts_at <= $1
LIMIT 200;

-- name: lock_due_places
-- Those of them that still are due, now that their slots are locked, and what becomes of them.
SELECT p.id, CASE WHEN p.expires_at <= $2 THEN 'expired' ELSE 'over' END AS outcome
FROM place p JOIN slot s ON s.id = p.slot_id
WHERE p.id = ANY ($1::uuid[]) AND p.outcome IS NULL AND (p.expires_at <= $2 OR s.starts_at <= $2)
FOR UPDATE OF p;

-- name: slots_with_a_line
-- Slots in which somebody waits and nobody has been offered the seat that may have come with another account (M2, M13).
SELECT DISTINCT p.slot_id FROM place p JOIN slot s ON s.id = p.slot_id
WHERE p.outcome IS NULL AND p.offered_at IS NULL AND s.starts_at > $1 AND p.slot_id > $2
ORDER BY p.slot_id LIMIT 200;

-- name: accounts_of
-- Active accounts of the exhibitors of these slots by kind, with what their fair's table says of the kinds (M2).
SELECT s.id, f.capabilities,
       (SELECT coalesce(json_object_agg(k.kind, k.accounts), '{}')
        FROM (SELECT t.kind, count(*) AS accounts FROM account t WHERE t.exhibitor_id = s.exhibitor_id AND t.state = 'active'
              GROUP BY t.kind) k) AS active,
       coalesce((f.settings ->> 'receivers_only')::boolean, false) AS receivers_only, s.starts_at
FROM slot s JOIN fair f ON f.id = s.fair_id WHERE s.id = ANY ($1::uuid[]) AND s.withdrawn_at IS NULL;
