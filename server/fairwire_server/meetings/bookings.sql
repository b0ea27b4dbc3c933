-- name: active_accounts
-- M2: an exhibitor's active accounts by kind, of which a slot's capacity is made.
SELECT kind, count(*) AS accounts FROM account WHERE exhibitor_id = $1 AND state = 'active' GROUP BY kind;

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

-- name: find_booking
-- As lock_bookings, for whoever only reads.
SELECT b.id, b.fair_id, b.exhibitor_id, b.buyer_id, b.slot_id, b.conversation_id, b.starts_at, b.ends_at, b.state, b.topic,
       b.receiver_id, coalesce(r.name, '') AS receiver_name, b.reason, b.ended_by, b.time_revision, b.assignment, b.sequence,
       b.room_number, b.buyer_attendance, b.team_attendance
FROM booking b LEFT JOIN account r ON r.id = b.receiver_id
WHERE b.id = $1;

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
-- The accounts of exhibitors, and what their fair's table says of them (A7).
SELECT teams($1);

-- name: own_bookings
-- Whose own these bookings are: accounts that receive them, received them once, or are invited (A7, M8).
SELECT booking_id, account_id FROM booking_receiver WHERE booking_id = ANY ($1::uuid[])
UNION
SELECT booking_id, account_id FROM invited WHERE booking_id = ANY ($1::uuid[]);

-- name: snapshot_bookings
-- Part of first states: pending and assigned bookings in the accounts' view that have not ended (W5). $7 is the present instant.
SELECT n.n, ROW(f.*) FROM who n CROSS JOIN LATERAL (
    SELECT b.id FROM booking b
    WHERE n.bookings = 'buyer' AND b.buyer_id = n.account AND b.state IN ('pending', 'assigned') AND b.ends_at > $7
    UNION
    SELECT b.id FROM account a JOIN booking b ON b.exhibitor_id = a.exhibitor_id
    WHERE n.bookings = 'all' AND a.id = n.account AND b.state IN ('pending', 'assigned') AND b.ends_at > $7
    UNION
    SELECT b.id FROM booking_receiver r JOIN booking b ON b.id = r.booking_id
    WHERE n.bookings = 'own' AND r.account_id = n.account AND b.state IN ('pending', 'assigned') AND b.ends_at > $7
    UNION
    SELECT b.id FROM invited i JOIN booking b ON b.id = i.booking_id
    WHERE n.bookings = 'own' AND i.account_id = n.account AND b.state IN ('pending', 'assigned') AND b.ends_at > $7
) seen CROSS JOIN LATERAL (SELECT * FROM booking_full b WHERE b.id = seen.id OFFSET 0) f;

-- name: snapshot_places
-- Part of first states: a buyer's places in waiting lists of slots that have not begun (M13, W5).
SELECT n.n, ROW(p.id, p.slot_id, e.id, e.name_zh, e.name_en, s.starts_at, s.ends_at, p.topic, p.expires_at)
FROM who n JOIN place p ON p.buyer_id = n.account JOIN slot s ON s.id = p.slot_id JOIN exhibitor e ON e.id = s.exhibitor_id
WHERE n.bookings = 'buyer' AND p.outcome IS NULL AND s.starts_at > $7;

-- name: around
-- What must be locked before a booking is: its slot, the slot of its open proposal, its receiving account.
SELECT b.slot_id, b.receiver_id, p.slot_id AS proposal_slot
FROM booking b LEFT JOIN proposal p ON p.booking_id = b.id AND p.outcome IS NULL
WHERE b.id = $1;

-- name: booking_of_proposal
-- Which booking a proposal is for.
SELECT booking_id FROM proposal WHERE id = $1;

-- name: lock_receivers
-- Possible receiving accounts by ascending id, after slots and before bookings: who is given a meeting here is neither disabled nor
-- given another one meanwhile (A6, M4).
SELECT a.id, a.exhibitor_id, a.kind, a.state, a.name, a.mobile_verified_at IS NOT NULL AS mobile_verified,
       a.email_verified_at IS NOT NULL AS email_verified, e.domicile
FROM account a LEFT JOIN exhibitor e ON e.id = a.exhibitor_id
WHERE a.id = ANY ($1::uuid[])
ORDER BY a.id
FOR NO KEY UPDATE OF a;

-- name: team_receivers
-- An exhibitor's active accounts, to choose a receiving one from.
SELECT a.id, a.exhibitor_id, a.kind, a.state, a.name, a.mobile_verified_at IS NOT NULL AS mobile_verified,
       a.email_verified_at IS NOT NULL AS email_verified, e.domicile
FROM account a JOIN exhibitor e ON e.id = a.exhibitor_id
WHERE a.exhibitor_id = $1 AND a.state = 'active' ORDER BY a.name, a.id;

-- name: busy
-- Those of the accounts that receive another meeting at that time (M4).
SELECT DISTINCT receiver_id FROM booking
WHERE receiver_id = ANY ($1::uuid[]) AND state = 'assigned' AND id <> $2 AND tstzrange(starts_at, ends_at) && tstzrange($3, $4);

-- name: buyer_busy
-- Whether a buyer has another meeting at that time (M4).
SELECT EXISTS (SELECT FROM booking WHERE buyer_id = $1 AND state IN ('pending', 'assigned') AND id <> $2
               AND tstzrange(starts_at, ends_at) && tstzrange($3, $4));

-- name: room_taken
-- Whether a live meeting has this number (M9).
SELECT EXISTS (SELECT FROM booking WHERE room_number = $1 AND state = 'assigned' AND id <> $2);

-- name: add_receiver
-- A7: own is what an account holds or held.
INSERT INTO booking_receiver (booking_id, assignment, account_id, by_id, at) VALUES ($1, $2, $3, $4, $5);

-- name: receivers
-- Who has received a booking, oldest first.
SELECT r.account_id, a.name, r.by_id, b.name AS by_name, r.at, r.assignment
FROM booking_receiver r JOIN account a ON a.id = r.account_id JOIN account b ON b.id = r.by_id
WHERE r.booking_id = $1 ORDER BY r.assignment;

-- name: open_proposal
-- The proposal that waits on a locked booking; whoever changes one holds its booking.
SELECT id, slot_id, side, expires_at FROM proposal WHERE booking_id = $1 AND outcome IS NULL;

-- name: insert_proposal
-- One may wait per booking (M7).
INSERT INTO proposal (id, booking_id, slot_id, side, by_id, note, at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: close_proposal
-- What became of it.
UPDATE proposal SET outcome = $2 WHERE id = $1 AND outcome IS NULL;

-- name: due_proposals
-- Proposals that nobody answered in time.
SELECT id, booking_id FROM proposal WHERE outcome IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT 100;

-- name: future_of_receiver
-- Meetings that an account receives and that are not over: they are handed over before it goes (A6).
SELECT id FROM booking WHERE receiver_id = $1 AND state = 'assigned' AND ends_at > $2 ORDER BY id;

-- name: watchers_of_buyer
-- Which accounts of an exhibitor have something of a buyer's as their own: for a changed card (A7, W5).
SELECT r.account_id FROM booking b JOIN booking_receiver r ON r.booking_id = b.id WHERE b.exhibitor_id = $1 AND b.buyer_id = $2
UNION
SELECT i.account_id FROM booking b JOIN invited i ON i.booking_id = b.id WHERE b.exhibitor_id = $1 AND b.buyer_id = $2;

-- name: has_booking
-- Whether a buyer has ever booked with an exhibitor.
SELECT EXISTS (SELECT FROM booking WHERE exhibitor_id = $1 AND buyer_id = $2);

-- name: buyers_who_saw
-- Buyers to whom meetings have shown an account's name: it receives or received them, proposed a time, or changed the booking, which
-- the card in the chat says.
SELECT b.buyer_id FROM booking_receiver r JOIN booking b ON b.id = r.booking_id WHERE r.account_id = $1
UNION
SELECT b.buyer_id FROM proposal p JOIN booking b ON b.id = p.booking_id WHERE p.by_id = $1 AND p.side = 'team'
UNION
SELECT c.buyer_id FROM message m JOIN conversation c ON c.id = m.conversation_id
WHERE m.sender_id = $1 AND m.kind = 'booking' AND c.buyer_id <> $1;

-- name: list_bookings
-- A page of bookings, the newest request first, and how many there are in each state over the filter without its state (M5). $1 the
-- account, $2 its exhibitor, $3 how far it sees; the filter: $4 from, $5 before, $6 country, $7 section, $8 receiving account, $9 overdue
-- only; $10 the present instant, $11 the state, $12 the id that the page follows, $13 its length, $14 kinds that may receive meetings.
WITH found AS (
    SELECT b.id, b.state, b.exhibitor_id, b.starts_at, b.ends_at
    FROM booking b JOIN buyer y ON y.account_id = b.buyer_id
    WHERE ($3 = 'buyer' AND b.buyer_id = $1 OR $3 IN ('all', 'own') AND b.exhibitor_id = $2)
      AND ($3 <> 'own' OR EXISTS (SELECT FROM booking_receiver r WHERE r.booking_id = b.id AND r.account_id = $1)
                       OR EXISTS (SELECT FROM invited i WHERE i.booking_id = b.id AND i.account_id = $1))
      AND ($4::timestamptz IS NULL OR b.starts_at >= $4) AND ($5::timestamptz IS NULL OR b.starts_at < $5)
      AND ($6::text IS NULL OR y.country = $6)
      AND ($7::uuid IS NULL OR EXISTS (
          SELECT FROM section s WHERE s.id = $7 AND s.fair_id = b.fair_id
            AND (y.interests && ARRAY[s.name_zh, s.name_en, s.external_id]
                 OR EXISTS (SELECT FROM exhibit x WHERE x.id = (b.card ->> 'id')::uuid AND x.section_id = s.id))))
      AND ($8::uuid IS NULL OR b.receiver_id = $8 AND b.state = 'assigned')
      AND (NOT $9::boolean OR b.state = 'pending' AND b.ends_at <= $10::timestamptz)
), page AS (
    SELECT * FROM found WHERE ($11 = 'all' OR state = $11) AND ($12::uuid IS NULL OR id < $12) ORDER BY id DESC LIMIT $13
), counts AS (
    SELECT count(*) AS all, count(*) FILTER (WHERE state = 'pending') AS pending, count(*) FILTER (WHERE state = 'assigned') AS assigned,
           count(*) FILTER (WHERE state = 'rejected') AS rejected, count(*) FILTER (WHERE state = 'cancelled') AS cancelled
    FROM found
)
SELECT counts.*, shown.*
FROM counts LEFT JOIN LATERAL (
    SELECT p.id, ROW(f.*) AS body,
           p.state = 'pending' AND p.ends_at > $10 AND NOT EXISTS (
               SELECT FROM account a WHERE a.exhibitor_id = p.exhibitor_id AND a.state = 'active' AND a.kind = ANY ($14::text[])
                 AND NOT EXISTS (SELECT FROM booking o WHERE o.receiver_id = a.id AND o.state = 'assigned'
                                 AND tstzrange(o.starts_at, o.ends_at) && tstzrange(p.starts_at, p.ends_at))) AS no_receiver_free
    FROM page p CROSS JOIN LATERAL (SELECT * FROM booking_full b WHERE b.id = p.id OFFSET 0) f
) shown ON true
ORDER BY shown.id DESC;

-- name: schedule
-- Meetings that begin in a time, by whom they are in the diary of (M15): a buyer's own; a team's by receiving and by invited account.
-- $1 the account, $2 its exhibitor, $3 how far it sees, $4 from, $5 before, $6 whose diary alone, $7 how many at most.
WITH meeting AS (
    SELECT b.id, b.fair_id, b.starts_at, b.buyer_id AS account_id FROM booking b
    WHERE $3 = 'buyer' AND b.buyer_id = $1 AND b.state IN ('pending', 'assigned') AND b.starts_at >= $4 AND b.starts_at < $5
    UNION
    SELECT b.id, b.fair_id, b.starts_at, b.receiver_id FROM booking b
    WHERE $3 IN ('all', 'own') AND b.exhibitor_id = $2 AND b.state = 'assigned' AND b.starts_at >= $4 AND b.starts_at < $5
    UNION
    SELECT b.id, b.fair_id, b.starts_at, i.account_id FROM booking b JOIN invited i ON i.booking_id = b.id AND i.revoked_at IS NULL
    WHERE $3 IN ('all', 'own') AND b.exhibitor_id = $2 AND b.state = 'assigned' AND b.starts_at >= $4 AND b.starts_at < $5
)
SELECT m.account_id, a.name, f.time_zone, ROW(full_.*) AS body
FROM meeting m
JOIN account a ON a.id = m.account_id
JOIN fair f ON f.id = m.fair_id
CROSS JOIN LATERAL (SELECT * FROM booking_full b WHERE b.id = m.id OFFSET 0) full_
WHERE ($6::uuid IS NULL OR m.account_id = $6)
  AND ($3 <> 'own' OR m.account_id = $1
       OR EXISTS (SELECT FROM booking_receiver r WHERE r.booking_id = m.id AND r.account_id = $1)
       OR EXISTS (SELECT FROM invited i WHERE i.booking_id = m.id AND i.account_id = $1))
ORDER BY m.starts_at, a.name, m.account_id, m.id LIMIT $7;

-- name: fair_bookings
-- The bookings of a fair by day and state, in its zone, with what somebody should look at (M5, M6, M11). $2 from, $3 before, $4 the present.
SELECT to_char(b.starts_at AT TIME ZONE f.time_zone, 'YYYY-MM-DD') AS day,
       count(*) FILTER (WHERE b.state = 'pending') AS pending, count(*) FILTER (WHERE b.state = 'assigned') AS assigned,
       count(*) FILTER (WHERE b.state = 'rejected') AS rejected, count(*) FILTER (WHERE b.state = 'cancelled') AS cancelled,
       count(*) FILTER (WHERE b.state = 'pending' AND b.ends_at <= $4) AS overdue,
       count(*) FILTER (WHERE b.state = 'pending' AND b.starts_at > $4 AND b.starts_at <= $4::timestamptz + interval '24 hours') AS soon,
       count(*) FILTER (WHERE b.state = 'assigned' AND b.ends_at <= $4
                        AND b.buyer_attendance = 'attended' AND b.team_attendance = 'attended') AS attended,
       count(*) FILTER (WHERE b.state = 'assigned' AND b.ends_at <= $4 AND 'no_show' IN (b.buyer_attendance, b.team_attendance)) AS no_show
FROM booking b JOIN fair f ON f.id = b.fair_id
WHERE b.fair_id = $1 AND ($2::timestamptz IS NULL OR b.starts_at >= $2) AND ($3::timestamptz IS NULL OR b.starts_at < $3)
GROUP BY day ORDER BY day;
