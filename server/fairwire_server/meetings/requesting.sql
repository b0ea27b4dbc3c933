-- name: lock_buyers
-- M4: no buyer is booked twice at the same time. After slots, by ascending id.
SELECT id FROM account WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;

-- name: request_facts
-- Locks a batch's slots and buyers, and reads everything that its requests are decided on, in one answer.
SELECT * FROM request_facts($1, $2, $3, $4, $5);

-- name: busy_buyers
-- Live meetings of these buyers that overlap a span of time (M4).
SELECT buyer_id, starts_at, ends_at FROM booking
WHERE buyer_id = ANY ($1::uuid[]) AND state NOT IN ('rejected', 'cancelled')
  AND starts_at > $2::timestamptz - interval '8 hours' AND starts_at < $3 AND ends_at > $2;

-- name: exhibits
-- Exhibits that a meeting may be about, and their owners (C2, C6).
SELECT id, exhibitor_id, owner_id, name_zh, name_en, code, image, tags FROM exhibit WHERE id = ANY ($1::uuid[]) AND state = 'listed';

-- name: make_bookings
-- Those that were granted, pending; answers their conversations, locked, and the bookings as they are shown.
SELECT * FROM make_bookings($1, $2, $3, $4, $5, $6, $7, $8, $9);
