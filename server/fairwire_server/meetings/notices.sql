-- What notices of meetings are decided and worded from.

-- name: team_of
-- Active accounts of exhibitors with their fair's table: who of them assigns bookings is told of requests (N10, A7).
SELECT a.id, a.exhibitor_id, a.kind, f.capabilities
FROM account a JOIN fair f ON f.id = a.fair_id
WHERE a.exhibitor_id = ANY ($1::uuid[]) AND a.state = 'active'
ORDER BY a.id;

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
-- Proposals that still wait for an answer (M7).
SELECT p.id, p.booking_id, p.expires_at, s.starts_at, s.ends_at, b.conversation_id, a.name AS buyer_name, e.name_zh, e.name_en, b.topic
FROM proposal p JOIN slot s ON s.id = p.slot_id JOIN booking b ON b.id = p.booking_id
JOIN account a ON a.id = b.buyer_id JOIN exhibitor e ON e.id = b.exhibitor_id
WHERE p.id = ANY ($1::uuid[]) AND p.outcome IS NULL;

-- name: notice_places
-- Offered places that still wait for an answer (M13).
SELECT p.id, s.starts_at, s.ends_at, e.name_zh, e.name_en, p.topic
FROM place p JOIN slot s ON s.id = p.slot_id JOIN exhibitor e ON e.id = s.exhibitor_id
WHERE p.id = ANY ($1::uuid[]) AND p.outcome IS NULL AND p.expires_at IS NOT NULL;

-- name: notice_guests
-- Guests who still wait in the lobby (M9).
SELECT g.id, g.booking_id, b.conversation_id, b.starts_at, b.ends_at
FROM guest g JOIN booking b ON b.id = g.booking_id
WHERE g.id = ANY ($1::uuid[]) AND g.admitted_at IS NULL AND g.refused_at IS NULL;
