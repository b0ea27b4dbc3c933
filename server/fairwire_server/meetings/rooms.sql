-- name: own_invitations
-- The links that notices carry: of each (booking, side) asked for, its own one that holds (M9).
SELECT i.id, i.booking_id, i.side
FROM unnest($1::uuid[], $2::text[]) AS n (booking_id, side)
JOIN invitation i ON i.booking_id = n.booking_id AND i.side = n.side AND i.by_id IS NULL AND i.revoked_at IS NULL;

-- name: insert_own_invitations
-- New ones of the same kind; one that was made in between stays.
INSERT INTO invitation (id, booking_id, side, at)
SELECT n.id, n.booking_id, n.side, $4 FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS n (id, booking_id, side)
ON CONFLICT (booking_id, side) WHERE by_id IS NULL AND revoked_at IS NULL DO NOTHING;

-- name: entrance
-- What entering, inviting and looking after guests is decided on: a booking, and how the account $2 stands to it (M8, A7).
SELECT b.id, b.fair_id, b.exhibitor_id, b.buyer_id, b.receiver_id, b.state, b.starts_at, b.ends_at,
       i.account_id IS NOT NULL AND i.revoked_at IS NULL AS invited, i.account_id IS NOT NULL AS was_invited,
       EXISTS (SELECT 1 FROM booking_receiver r WHERE r.booking_id = b.id AND r.account_id = $2) AS held,
       b.room_number
FROM booking b LEFT JOIN invited i ON i.booking_id = b.id AND i.account_id = $2
WHERE b.id = $1;

-- name: lock_booking
-- Whoever changes guests, invitations or attendance of a booking does so one after the other, so that limits hold (M9).
SELECT 1 FROM booking WHERE id = $1 FOR NO KEY UPDATE;

-- name: members
-- M9: who takes part on the exhibitor's side: the receiving account, and colleagues invited by name.
SELECT receiver_id AS account_id FROM booking WHERE id = $1 AND receiver_id IS NOT NULL
UNION
SELECT account_id FROM invited WHERE booking_id = $1 AND revoked_at IS NULL;

-- name: insert_entry
-- M11: the account has entered; the first time counts.
INSERT INTO booking_entry (booking_id, account_id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: set_attendance
-- M11: whether a side came, $2 being the side; answers a row if that is news.
UPDATE booking
SET buyer_attendance = CASE $2::text WHEN 'buyer' THEN $3::text ELSE buyer_attendance END,
    team_attendance = CASE $2::text WHEN 'team' THEN $3::text ELSE team_attendance END
WHERE id = $1 AND CASE $2::text WHEN 'buyer' THEN buyer_attendance ELSE team_attendance END <> $3::text
RETURNING id;

-- name: attendance
-- Who came, as far as is known (M11).
SELECT buyer_attendance, team_attendance FROM booking WHERE id = $1;

-- name: colleague
-- An active account of the exhibitor $2 that may be invited by name (M8).
SELECT id, kind, name FROM account WHERE id = $1 AND exhibitor_id = $2 AND state = 'active';

-- name: insert_invited
-- M8: a colleague by name; one who was invited before is invited again.
INSERT INTO invited (booking_id, account_id, by_id, at) VALUES ($1, $2, $3, $4)
ON CONFLICT (booking_id, account_id) DO UPDATE SET by_id = excluded.by_id, at = excluded.at, revoked_at = NULL
WHERE invited.revoked_at IS NOT NULL;

-- name: end_invited
-- A colleague no longer enters; answers a row if one did.
UPDATE invited SET revoked_at = $3 WHERE booking_id = $1 AND account_id = $2 AND revoked_at IS NULL RETURNING account_id;

-- name: count_links
-- Links of a side that hold and that somebody has made (M9).
SELECT count(*) FROM invitation WHERE booking_id = $1 AND side = $2 AND by_id IS NOT NULL AND revoked_at IS NULL;

-- name: insert_link
-- M9: a link of a side, its id being the command's; repeating it changes nothing.
INSERT INTO invitation (id, booking_id, side, by_id, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING;

-- name: link
-- A link and what became of it.
SELECT i.id, i.booking_id, i.side, i.by_id, i.at, i.revoked_at, a.name AS by_name
FROM invitation i LEFT JOIN account a ON a.id = i.by_id
WHERE i.id = $1;

-- name: links
-- A side's links that hold, with the guests who wait or were admitted by each (M9).
SELECT i.id, i.by_id, i.at, a.name AS by_name,
       (SELECT count(*) FROM guest g WHERE g.invitation_id = i.id AND g.refused_at IS NULL) AS guests
FROM invitation i LEFT JOIN account a ON a.id = i.by_id
WHERE i.booking_id = $1 AND i.side = $2 AND i.revoked_at IS NULL
ORDER BY i.at, i.id;

-- name: colleagues_invited
-- M8: colleagues who may enter by name.
SELECT i.account_id, a.name, i.by_id, b.name AS by_name, i.at
FROM invited i JOIN account a ON a.id = i.account_id JOIN account b ON b.id = i.by_id
WHERE i.booking_id = $1 AND i.revoked_at IS NULL
ORDER BY i.at, i.account_id;

-- name: revoke_link
-- M9: the link ends; answers a row if it held.
UPDATE invitation SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING id;

-- name: refuse_waiting
-- Whoever waits by a link that has ended waits in vain.
UPDATE guest SET refused_at = $2 WHERE invitation_id = $1 AND admitted_at IS NULL AND refused_at IS NULL
RETURNING id, booking_id, side, name, at, admitted_at, refused_at;

-- name: guests
-- The lobby of one side, whoever came first first (M9).
SELECT id, booking_id, side, name, at, admitted_at, refused_at FROM guest WHERE booking_id = $1 AND side = $2 ORDER BY at, id;

-- name: guest
-- One guest, and how it came.
SELECT id, booking_id, side, invitation_id, name, at, admitted_at, refused_at FROM guest WHERE id = $1;

-- name: guest_of_browser
-- M9: the same browser is the same guest.
SELECT id, booking_id, side, invitation_id, name, at, admitted_at, refused_at FROM guest WHERE booking_id = $1 AND cookie_hash = $2;

-- name: count_guests
-- M9: who waits or was admitted by a link, or by the room number on one side, other than the guest $4.
SELECT count(*) FROM guest
WHERE booking_id = $1 AND side = $2 AND invitation_id IS NOT DISTINCT FROM $3::uuid AND refused_at IS NULL AND id <> $4;

-- name: insert_guest
-- M9: a guest in the lobby. Those of one moment have a place each by id.
INSERT INTO guest (id, booking_id, side, invitation_id, name, cookie_hash, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id, booking_id, side, name, at, admitted_at, refused_at;

-- name: rename_guest
-- Who still waits may say its name again.
UPDATE guest SET name = $2 WHERE id = $1 AND admitted_at IS NULL AND refused_at IS NULL AND name <> $2
RETURNING id, booking_id, side, name, at, admitted_at, refused_at;

-- name: answer_guest
-- M9: admitted or refused by a member of its side.
UPDATE guest SET admitted_at = CASE WHEN $2 THEN $3::timestamptz END, refused_at = CASE WHEN $2 THEN NULL ELSE $3::timestamptz END
WHERE id = $1
RETURNING id, booking_id, side, name, at, admitted_at, refused_at;

-- name: guest_entered
-- M11: the guest has gone on to the room; the first time counts.
UPDATE guest SET entered_at = coalesce(entered_at, $2) WHERE id = $1;

-- name: meeting
-- What a page tells of a meeting: never more than a link's holder may know.
SELECT b.id, b.state, b.starts_at, b.ends_at, f.time_zone, f.name_zh AS fair_zh, f.name_en AS fair_en, e.name_zh, e.name_en
FROM booking b JOIN fair f ON f.id = b.fair_id JOIN exhibitor e ON e.id = b.exhibitor_id
WHERE b.id = $1;

-- name: behind
-- All that a page needs of a link $1 for a browser $2, in one statement: links are looked at far more often than used.
SELECT i.booking_id, i.side, i.revoked_at, b.state, b.starts_at, b.ends_at, f.time_zone, f.name_zh AS fair_zh, f.name_en AS fair_en,
       e.name_zh, e.name_en, g.id AS guest_id, g.side AS guest_side, g.name AS guest_name, g.at AS guest_at, g.admitted_at, g.refused_at
FROM invitation i
JOIN booking b ON b.id = i.booking_id JOIN fair f ON f.id = b.fair_id JOIN exhibitor e ON e.id = b.exhibitor_id
LEFT JOIN guest g ON g.booking_id = i.booking_id AND g.cookie_hash = $2
WHERE i.id = $1;

-- name: booking_of_number
-- M9: the live meeting of a room number.
SELECT id FROM booking WHERE room_number = $1 AND state = 'assigned';

-- name: calendar_booking
-- M14: a booking as calendars show it.
SELECT b.id, b.state, b.starts_at, b.ends_at, b.sequence, b.topic, b.changed_at, f.time_zone, e.name_zh, e.name_en, a.name AS buyer,
       CASE WHEN b.state = 'assigned' THEN b.room_number END AS room_number
FROM booking b
JOIN fair f ON f.id = b.fair_id JOIN exhibitor e ON e.id = b.exhibitor_id JOIN account a ON a.id = b.buyer_id
WHERE b.id = $1;

-- name: calendar_of
-- M15: what an account has in its own schedule between $2 and $3, at most $4: a buyer its bookings, an exhibitor's account those it
-- receives or is invited to.
SELECT b.id, b.state, b.starts_at, b.ends_at, b.sequence, b.topic, b.changed_at, f.time_zone, e.name_zh, e.name_en, a.name AS buyer,
       CASE WHEN b.state = 'assigned' THEN b.room_number END AS room_number
FROM (
    SELECT id FROM booking WHERE buyer_id = $1 AND state IN ('pending', 'assigned') AND ends_at > $2 AND starts_at < $3
    UNION
    SELECT id FROM booking WHERE receiver_id = $1 AND state = 'assigned' AND ends_at > $2 AND starts_at < $3
    UNION
    SELECT b.id FROM invited i JOIN booking b ON b.id = i.booking_id
    WHERE i.account_id = $1 AND i.revoked_at IS NULL AND b.state = 'assigned' AND b.ends_at > $2 AND b.starts_at < $3
) n
JOIN booking b ON b.id = n.id
JOIN fair f ON f.id = b.fair_id JOIN exhibitor e ON e.id = b.exhibitor_id JOIN account a ON a.id = b.buyer_id
ORDER BY b.starts_at, b.id
LIMIT $4;

-- name: feed
-- When the address of an account's calendar was made (M14).
SELECT at FROM calendar_feed WHERE account_id = $1;

-- name: set_feed
-- M14: a new address; the one before ends.
INSERT INTO calendar_feed (account_id, secret_hash, at) VALUES ($1, $2, $3)
ON CONFLICT (account_id) DO UPDATE SET secret_hash = excluded.secret_hash, at = excluded.at;

-- name: feed_owner
-- Whose calendar an address is, while the account may act.
SELECT a.id, a.kind, a.language, f.name_zh AS fair_zh, f.name_en AS fair_en, f.capabilities
FROM calendar_feed c JOIN account a ON a.id = c.account_id JOIN fair f ON f.id = a.fair_id
WHERE c.secret_hash = $1 AND a.state = 'active';

-- name: language
-- The language in which an account reads.
SELECT language FROM account WHERE id = $1;
