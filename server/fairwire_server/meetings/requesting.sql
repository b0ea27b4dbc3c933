-- name: lock_buyers
-- M4: no buyer is booked twice at the same time. After slots, by ascending id.
SELECT id FROM account WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;

-- name: earlier_bookings
-- Bookings that these cids have made already (W7).
SELECT b.id, b.buyer_id, b.cid, b.fingerprint, b.conversation_id, b.requested_at
FROM unnest($1::uuid[], $2::uuid[]) AS n (buyer_id, cid)
JOIN booking b ON b.buyer_id = n.buyer_id AND b.cid = n.cid;

-- name: busy_buyers
-- Live meetings of these buyers that overlap a span of time (M4).
SELECT buyer_id, starts_at, ends_at FROM booking
WHERE buyer_id = ANY ($1::uuid[]) AND state IN ('pending', 'assigned') AND tstzrange(starts_at, ends_at) && tstzrange($2, $3);

-- name: places_of_buyers
-- Places in line that these buyers have for these slots (M13).
SELECT slot_id, buyer_id, offered_at IS NOT NULL AND expires_at > $3 AS offered
FROM place WHERE slot_id = ANY ($1::uuid[]) AND buyer_id = ANY ($2::uuid[]) AND outcome IS NULL;

-- name: exhibits
-- Exhibits that a meeting may be about, and their owners (C2, C6).
SELECT id, exhibitor_id, owner_id, name_zh, name_en, code, image, tags FROM exhibit WHERE id = ANY ($1::uuid[]) AND state = 'listed';

-- name: insert_bookings
-- Those that were granted, pending. The exclusion constraint has the last word on overlaps (M4).
INSERT INTO booking (id, fair_id, exhibitor_id, buyer_id, slot_id, conversation_id, starts_at, ends_at, state, topic, card, cid,
                     fingerprint, requested_at, changed_at)
SELECT n.id, s.fair_id, s.exhibitor_id, n.buyer_id, s.id, n.conversation_id, s.starts_at, s.ends_at, 'pending', n.topic, n.card, n.cid,
       n.fingerprint, $8, $8
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::jsonb[], $7::uuid[], $9::bytea[])
    AS n (id, buyer_id, slot_id, conversation_id, topic, card, cid, fingerprint)
JOIN slot s ON s.id = n.slot_id;
