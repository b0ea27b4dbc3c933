-- name: slot
-- A slot of an exhibitor.
INSERT INTO slot (id, fair_id, exhibitor_id, starts_at, ends_at, created_by, created_at)
SELECT $1, e.fair_id, e.id, $3, $4, a.id, $5
FROM exhibitor e JOIN account a ON a.exhibitor_id = e.id AND a.kind = 'main' WHERE e.id = $2;

-- name: conversation
-- The conversation of a buyer and an exhibitor, held by main, as a request of a meeting makes it.
WITH c AS (
    INSERT INTO conversation (id, fair_id, exhibitor_id, buyer_id, holder_id, created_at)
    SELECT $1, m.fair_id, m.exhibitor_id, $3, m.id, $4 FROM account m WHERE m.exhibitor_id = $2 AND m.kind = 'main'
    ON CONFLICT ON CONSTRAINT conversation_one_per_pair DO NOTHING RETURNING id, buyer_id, holder_id
)
INSERT INTO participant (conversation_id, account_id)
SELECT c.id, a FROM c, unnest(ARRAY[c.buyer_id, c.holder_id]) a;

-- name: booking
-- A pending booking in a slot.
INSERT INTO booking (id, fair_id, exhibitor_id, buyer_id, slot_id, conversation_id, starts_at, ends_at, state, topic, cid, fingerprint,
                     requested_at, changed_at)
SELECT $1, s.fair_id, s.exhibitor_id, $3, s.id, c.id, s.starts_at, s.ends_at, 'pending', $4, $1, '', $5, $5
FROM slot s JOIN conversation c ON c.exhibitor_id = s.exhibitor_id AND c.buyer_id = $3 WHERE s.id = $2;

-- name: receiver
-- An account that receives a booking, or once did.
INSERT INTO booking_receiver (booking_id, assignment, account_id, by_id, at) VALUES ($1, $2, $3, $3, $4);

-- name: row
-- A booking's row.
SELECT * FROM booking WHERE id = $1;

-- name: messages
-- What is said in a conversation.
SELECT seq, kind, side, sender_id, detail FROM message WHERE conversation_id = $1 ORDER BY seq;

-- name: verify_mobile
-- An account proves a number.
UPDATE account SET mobile = '+8613' || lpad(floor(random() * 1e9)::bigint::text, 9, '0'), mobile_verified_at = created_at WHERE id = $1;

-- name: assigned
-- A booking has a receiving account.
UPDATE booking SET state = 'assigned', receiver_id = $2, sequence = 1,
       assignment = coalesce((SELECT max(r.assignment) FROM booking_receiver r WHERE r.booking_id = $1), 1)
WHERE id = $1;

-- name: guest
-- Somebody waits on one side of a meeting, having come by its number.
INSERT INTO guest (id, booking_id, side, name, cookie_hash, at) VALUES ($1, $2, $3, 'Guest', uuid_send($1), $4);

-- name: notices
-- What an account was told to look at.
SELECT body FROM account_event WHERE account_id = $1 AND type = 'notice' ORDER BY pos;

-- name: section
-- A section of the first fair.
INSERT INTO section (id, fair_id, external_id, name_zh, name_en) VALUES ($1, $2, $3, $3, $3);

-- name: describe_buyer
-- What a buyer says of itself.
UPDATE buyer SET country = $2, interests = $3 WHERE account_id = $1;

-- name: invite
-- A colleague is invited by the receiving account.
INSERT INTO invited (booking_id, account_id, by_id, at) VALUES ($1, $2, $2, $3);

-- name: receive
-- A meeting that was received in its time.
UPDATE booking SET state = 'assigned', receiver_id = $2, assignment = 1 WHERE id = $1;

-- name: events
-- What an account was told.
SELECT type, body FROM account_event WHERE account_id = $1 ORDER BY pos;

-- name: hold_account
-- As whoever assigns a meeting holds its receiver; never waits.
SELECT id FROM account WHERE id = $1 FOR NO KEY UPDATE NOWAIT;

-- name: waiting
-- How many wait for a lock in this database.
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock';
