-- name: lock_buyers
-- M4: no buyer is booked twice at the same time. After slots, by ascending id.
SELECT id FROM account WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;

-- name: items
-- What each request of a batch is decided on, read after the locks are held, in the order of the batch: the buyer as it is now (A6), what
-- its cid has made already (W7), whether it has another meeting then (M4), its chat with the exhibitor, its place in the slot's line (M13).
SELECT a.kind, a.state, a.name, s.revoked_at IS NOT NULL OR s.expires_at <= $5 AS revoked,
       coalesce(a.silenced_until > $5, false) AS silenced, coalesce(b.complete, true) AS complete,
       k.id AS earlier, k.fingerprint, k.conversation_id AS earlier_conversation, k.requested_at,
       EXISTS (SELECT FROM message m WHERE m.sender_id = n.buyer AND m.cid = n.cid)
           OR EXISTS (SELECT FROM command_result r WHERE r.account_id = n.buyer AND r.cid = n.cid) AS cid_taken,
       EXISTS (SELECT FROM booking o WHERE o.buyer_id = n.buyer AND o.state IN ('pending', 'assigned')
                 AND tstzrange(o.starts_at, o.ends_at) && tstzrange(l.starts_at, l.ends_at)) AS busy,
       c.id AS conversation, c.blocked, p.offered
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) WITH ORDINALITY AS n (session, buyer, cid, slot, number)
LEFT JOIN session s ON s.id = n.session AND s.account_id = n.buyer
LEFT JOIN account a ON a.id = s.account_id
LEFT JOIN buyer b ON b.account_id = a.id
LEFT JOIN slot l ON l.id = n.slot
LEFT JOIN booking k ON k.buyer_id = n.buyer AND k.cid = n.cid
LEFT JOIN LATERAL (
    SELECT v.id, v.blocked_by_buyer OR v.blocked_by_team AS blocked
    FROM conversation v WHERE v.buyer_id = n.buyer AND v.exhibitor_id = l.exhibitor_id) c ON true
LEFT JOIN LATERAL (
    SELECT coalesce(w.expires_at > $5, false) AS offered
    FROM place w WHERE w.slot_id = n.slot AND w.buyer_id = n.buyer AND w.outcome IS NULL) p ON true
ORDER BY n.number;

-- name: stands
-- What fits into the batch's slots and what is taken of it, while they are locked (M2, M7, M13).
SELECT n.id, b.pending, b.assigned, p.proposed, w.offered, w.waiting,
       (SELECT json_object_agg(t.kind, t.accounts) FROM (
            SELECT a.kind, count(*) AS accounts FROM account a WHERE a.exhibitor_id = s.exhibitor_id AND a.state = 'active' GROUP BY a.kind) t
       ) AS active
FROM unnest($1::uuid[]) AS n (id)
JOIN slot s ON s.id = n.id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state = 'pending') AS pending, count(*) FILTER (WHERE state = 'assigned') AS assigned
    FROM booking WHERE slot_id = n.id) b
CROSS JOIN LATERAL (SELECT count(*) AS proposed FROM proposal WHERE slot_id = n.id AND outcome IS NULL AND expires_at > $2) p
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE expires_at > $2) AS offered, count(*) FILTER (WHERE offered_at IS NULL) AS waiting
    FROM place WHERE slot_id = n.id AND outcome IS NULL) w;

-- name: busy_buyers
-- Live meetings of these buyers that overlap a span of time (M4).
SELECT buyer_id, starts_at, ends_at FROM booking
WHERE buyer_id = ANY ($1::uuid[]) AND state IN ('pending', 'assigned') AND tstzrange(starts_at, ends_at) && tstzrange($2, $3);

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
