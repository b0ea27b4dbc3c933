-- name: lock_buyers
-- M4: no buyer is booked twice at the same time. After slots, by ascending id.
SELECT id FROM account WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;

-- name: items
-- What each request of a batch is decided on, read after the locks are held, in the order of the batch: the buyer as it is now (A6), what
-- its cid has made already (W7), whether it has another meeting then (M4), its chat with the exhibitor, its place in the slot's line (M13).
-- No slot is longer than eight hours: that keeps the look for overlaps within a few entries of an ordinary index (NOT IN, so
-- that the planner does not take the constraint's, which is twenty times slower at this; ORDER BY, so that it takes the one by time). LIMIT 1 keeps it from planning, as long as the
-- tables are small, to read them whole.
SELECT a.kind, a.state, a.name, a.revoked, a.silenced, a.complete,
       k.id AS earlier, k.fingerprint, k.conversation_id AS earlier_conversation, k.requested_at,
       m.taken IS NOT NULL OR r.taken IS NOT NULL AS cid_taken, o.busy IS NOT NULL AS busy,
       c.id AS conversation, c.blocked, p.offered
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) WITH ORDINALITY AS n (session, buyer, cid, slot, number)
LEFT JOIN LATERAL (
    SELECT v.kind, v.state, v.name, s.revoked_at IS NOT NULL OR s.expires_at <= $5 AS revoked,
           coalesce(v.silenced_until > $5, false) AS silenced, coalesce(b.complete, true) AS complete
    FROM session s JOIN account v ON v.id = s.account_id LEFT JOIN buyer b ON b.account_id = v.id
    WHERE s.id = n.session AND s.account_id = n.buyer LIMIT 1) a ON true
LEFT JOIN LATERAL (SELECT v.exhibitor_id, v.starts_at, v.ends_at FROM slot v WHERE v.id = n.slot LIMIT 1) l ON true
LEFT JOIN LATERAL (
    SELECT v.id, v.fingerprint, v.conversation_id, v.requested_at FROM booking v WHERE v.buyer_id = n.buyer AND v.cid = n.cid LIMIT 1
    ) k ON true
LEFT JOIN LATERAL (SELECT true AS taken FROM message v WHERE v.sender_id = n.buyer AND v.cid = n.cid LIMIT 1) m ON true
LEFT JOIN LATERAL (SELECT true AS taken FROM command_result v WHERE v.account_id = n.buyer AND v.cid = n.cid LIMIT 1) r ON true
LEFT JOIN LATERAL (
    SELECT true AS busy FROM booking v
    WHERE v.buyer_id = n.buyer AND v.state NOT IN ('rejected', 'cancelled')
      AND v.starts_at > l.starts_at - interval '8 hours' AND v.starts_at < l.ends_at AND v.ends_at > l.starts_at
    ORDER BY v.starts_at LIMIT 1) o ON true
LEFT JOIN LATERAL (
    SELECT v.id, v.blocked_by_buyer OR v.blocked_by_team AS blocked
    FROM conversation v WHERE v.buyer_id = n.buyer AND v.exhibitor_id = l.exhibitor_id LIMIT 1) c ON true
LEFT JOIN LATERAL (
    SELECT coalesce(v.expires_at > $5, false) AS offered
    FROM place v WHERE v.slot_id = n.slot AND v.buyer_id = n.buyer AND v.outcome IS NULL LIMIT 1) p ON true
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
WHERE buyer_id = ANY ($1::uuid[]) AND state NOT IN ('rejected', 'cancelled')
  AND starts_at > $2::timestamptz - interval '8 hours' AND starts_at < $3 AND ends_at > $2;

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
