-- What notices of meetings are decided and worded from.

-- name: notice_bookings
-- Bookings as notices tell of them, with every name that a text may need.
SELECT b.id, b.state, b.starts_at, b.ends_at, b.topic, b.reason, b.time_revision, b.assignment, b.sequence, b.room_number, b.conversation_id,
       b.buyer_id, b.receiver_id, b.changed_at, b.buyer_attendance, b.team_attendance,
       a.name AS buyer_name, r.name AS receiver_name, e.name_zh, e.name_en, f.time_zone
FROM unnest($1::uuid[]) AS n (id)
JOIN booking b ON b.id = n.id
JOIN exhibitor e ON e.id = b.exhibitor_id
JOIN fair f ON f.id = b.fair_id
JOIN account a ON a.id = b.buyer_id
LEFT JOIN account r ON r.id = b.receiver_id;

-- name: keep_bookings
-- Nobody changes them until this transaction ends (N4). By ascending id, as everybody locks bookings.
SELECT FROM booking WHERE id = ANY ($1::uuid[]) ORDER BY id FOR SHARE;

-- name: next_meetings
-- M10: when the next meeting starts of each of these receiving accounts, once one has ended.
SELECT n.receiver_id, n.ends_at, m.starts_at
FROM unnest($1::uuid[], $2::timestamptz[]) AS n (receiver_id, ends_at)
CROSS JOIN LATERAL (
    SELECT min(b.starts_at) AS starts_at FROM booking b
    WHERE b.receiver_id = n.receiver_id AND b.state = 'assigned' AND b.starts_at >= n.ends_at
) m
WHERE m.starts_at IS NOT NULL;

-- name: notice_proposals
-- Proposals and what became of them (M7); `members`: the receiving account answers for the exhibitor once there is one.
SELECT p.id, p.outcome, p.expires_at, CASE WHEN b.receiver_id IS NOT NULL THEN ARRAY[b.receiver_id] END AS members,
       p.booking_id, b.conversation_id, s.starts_at, s.ends_at, b.starts_at AS moves_from, a.name AS buyer_name, e.name_zh, e.name_en, b.topic,
       p.by_id, w.name AS by_name, p.note
FROM proposal p JOIN slot s ON s.id = p.slot_id JOIN booking b ON b.id = p.booking_id
JOIN account a ON a.id = b.buyer_id JOIN account w ON w.id = p.by_id JOIN exhibitor e ON e.id = b.exhibitor_id
WHERE p.id = ANY ($1::uuid[]);

-- name: notice_places
-- Offered places and what became of them (M13).
SELECT p.id, p.outcome, p.expires_at, s.starts_at, s.ends_at, e.name_zh, e.name_en, p.topic
FROM place p JOIN slot s ON s.id = p.slot_id JOIN exhibitor e ON e.id = s.exhibitor_id
WHERE p.id = ANY ($1::uuid[]);

-- name: notice_guests
-- Guests, whether somebody has answered them, or the meeting is off; `members`: who takes part for the exhibitor now (M9).
SELECT g.id, CASE WHEN g.refused_at IS NOT NULL THEN 'refused' WHEN g.admitted_at IS NOT NULL THEN 'admitted'
                  WHEN b.state <> 'assigned' THEN b.state END AS outcome,
       NULL::timestamptz AS expires_at,
       ARRAY(SELECT i.account_id FROM invited i WHERE i.booking_id = b.id AND i.revoked_at IS NULL) || b.receiver_id AS members,
       g.booking_id, b.conversation_id, b.starts_at, b.ends_at, a.name AS buyer_name, e.name_zh, e.name_en, b.topic,
       g.id AS guest_id, g.name AS guest_name
FROM guest g JOIN booking b ON b.id = g.booking_id JOIN account a ON a.id = b.buyer_id JOIN exhibitor e ON e.id = b.exhibitor_id
WHERE g.id = ANY ($1::uuid[]);
