-- name: is_demo
-- Meetings are made up in installations for demos only.
SELECT demo FROM installation;

-- name: pairs
-- Receiving accounts that are free at that time, the first of each exhibitor first, each with a buyer who is: those of the account file's
-- front, who are here when a run plays. Exhibitors with a slot at that time are left out.
WITH free AS (
    SELECT a.id, a.exhibitor_id, a.name, a.fair_id, a.login,
           row_number() OVER (PARTITION BY a.exhibitor_id ORDER BY a.kind, a.login) AS nth
    FROM account a JOIN fair f ON f.id = a.fair_id
    WHERE f.code = $1 AND a.state = 'active' AND a.kind IN ('business', 'main', 'manager')
      AND NOT EXISTS (SELECT FROM slot s WHERE s.exhibitor_id = a.exhibitor_id AND s.withdrawn_at IS NULL
                                           AND tstzrange(s.starts_at, s.ends_at) && tstzrange($2, $3))
), receivers AS (
    SELECT id, exhibitor_id, name, fair_id, row_number() OVER (ORDER BY nth, login) AS n FROM free
), buyers AS (
    SELECT a.id, row_number() OVER (ORDER BY a.login) AS n
    FROM account a JOIN fair f ON f.id = a.fair_id JOIN buyer b ON b.account_id = a.id
    WHERE f.code = $1 AND a.state = 'active' AND b.complete
      AND NOT EXISTS (SELECT FROM booking o WHERE o.buyer_id = a.id AND o.state IN ('pending', 'assigned')
                                              AND tstzrange(o.starts_at, o.ends_at) && tstzrange($2, $3))
)
SELECT r.fair_id, r.exhibitor_id, r.id AS receiver_id, r.name AS receiver_name, b.id AS buyer_id
FROM receivers r JOIN buyers b USING (n) ORDER BY n LIMIT $4;

-- name: slots
-- One slot for each exhibitor, at an instant that no slot of the product begins at: the table does not mind.
INSERT INTO slot (id, fair_id, exhibitor_id, starts_at, ends_at, created_by, created_at)
SELECT n.id, n.fair_id, n.exhibitor_id, $5, $6, n.created_by, $7
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) AS n (id, fair_id, exhibitor_id, created_by);

-- name: bookings
-- Meetings as they are once they were requested and assigned.
WITH made AS (
    INSERT INTO booking (id, fair_id, exhibitor_id, buyer_id, slot_id, conversation_id, starts_at, ends_at, state, topic, receiver_id,
                         assignment, sequence, room_number, cid, fingerprint, requested_at, changed_at)
    SELECT n.id, n.fair_id, n.exhibitor_id, n.buyer_id, n.slot_id, n.conversation_id, $9, $10, 'assigned', '报价与交货期', n.receiver_id,
           1, 1, n.room_number, n.id, '', $11, $11
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[])
        AS n (id, fair_id, exhibitor_id, buyer_id, slot_id, conversation_id, receiver_id, room_number)
    RETURNING id, receiver_id
)
INSERT INTO booking_receiver (booking_id, assignment, account_id, by_id, at) SELECT id, 1, receiver_id, receiver_id, $11 FROM made;

-- name: analyze
-- What autovacuum would have done in the days over which a fair's meetings are really booked.
ANALYZE slot, booking, booking_receiver, conversation, participant, notice;

-- name: wanted
-- How many reminders fall due at that instant.
SELECT count(*) FROM notice WHERE kind = 'reminder_soon' AND wanted_at = $1;

-- name: ended
-- How they ended, and those that fell over to the next channel (N6), by channel and by whole milliseconds after they were all due.
-- `sendings` above 1 and not flagged: sent twice (N4).
SELECT n.channel, n.state, CASE WHEN n.state IN ('skipped', 'failed') THEN n.reason END AS reason,
       n.instead_of IS NOT NULL AS instead, round(extract(epoch FROM n.ended_at - $1::timestamptz) * 1000)::bigint AS late_ms,
       count(*) AS notices, count(*) FILTER (WHERE n.maybe_duplicate) AS maybe,
       count(*) FILTER (WHERE a.sendings > 1 AND NOT n.maybe_duplicate) AS twice
FROM notice n
LEFT JOIN notice o ON o.id = n.instead_of
CROSS JOIN LATERAL (SELECT count(*) AS sendings FROM notice_attempt t WHERE t.notice_id = n.id AND t.outcome = 'sent') a
WHERE n.kind = 'reminder_soon' AND coalesce(o.wanted_at, n.wanted_at) = $1
GROUP BY 1, 2, 3, 4, 5;
