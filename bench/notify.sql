-- name: addresses
-- Everybody of a kind gets a verified number and mailbox.
UPDATE account SET mobile = '+8613' || lpad((row.n)::text, 9, '0'), mobile_verified_at = created_at,
       email = replace(account.id::text, '-', '') || '@bench.test', email_verified_at = created_at
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM account WHERE kind IN ('main', 'buyer')) AS row
WHERE row.id = account.id;

-- name: meetings
-- One assigned meeting for each pair of buyer and receiving account, half of them in 15 minutes, half in 24 hours.
WITH n AS (
    SELECT row_number() OVER () AS n, buyer, main, exhibitor FROM unnest($2::uuid[], $3::uuid[], $4::uuid[]) AS n (buyer, main, exhibitor)
), conversations AS (
    INSERT INTO conversation (id, fair_id, exhibitor_id, buyer_id, holder_id, created_at)
    SELECT gen_random_uuid(), $1, exhibitor, buyer, main, $5 FROM n RETURNING id, exhibitor_id
), slots AS (
    INSERT INTO slot (id, fair_id, exhibitor_id, starts_at, ends_at, created_by, created_at)
    SELECT gen_random_uuid(), $1, exhibitor, $5::timestamptz + d, $5::timestamptz + d + interval '30 minutes', main, $5
    FROM n CROSS JOIN LATERAL (SELECT CASE n % 2 WHEN 0 THEN interval '14 minutes 55 seconds' ELSE interval '23 hours 59 minutes' END AS d) x
    RETURNING id, exhibitor_id, starts_at, ends_at
)
INSERT INTO booking (id, fair_id, exhibitor_id, buyer_id, slot_id, conversation_id, starts_at, ends_at, state, topic, receiver_id,
                     assignment, sequence, room_number, cid, fingerprint, requested_at, changed_at)
SELECT gen_random_uuid(), $1, n.exhibitor, n.buyer, s.id, c.id, s.starts_at, s.ends_at, 'assigned', 'Motorcycles', n.main, 1, 1,
       lpad(n.n::text, 9, '0'), gen_random_uuid(), '', $5, $5
FROM n JOIN slots s ON s.exhibitor_id = n.exhibitor JOIN conversations c ON c.exhibitor_id = n.exhibitor;

-- name: forget
-- Nothing of the last run.
TRUNCATE notice, notice_attempt, sms_budget, provider;

-- name: fall_due
-- T−15 of the near meetings, T−24 of the far ones: an SMS to the receiving account, a mail to the buyer, all due at one instant.
INSERT INTO notice (id, fair_id, subject, subject_id, kind, recipient_id, side, channel, time_revision, assignment, offset_s, priority,
                    due_at, wanted_at, useless_at, created_at)
SELECT gen_random_uuid(), b.fair_id, 'booking', b.id, k.kind, CASE x.side WHEN 'buyer' THEN b.buyer_id ELSE b.receiver_id END, x.side,
       x.channel, 0, CASE x.side WHEN 'buyer' THEN 0 ELSE 1 END, k.offset_s, k.priority, $1, $1, $1::timestamptz + interval '14 minutes', $1
FROM booking b
CROSS JOIN LATERAL (
    SELECT CASE WHEN b.starts_at < b.requested_at + interval '1 hour' THEN 'reminder_soon' ELSE 'reminder_day' END AS kind,
           CASE WHEN b.starts_at < b.requested_at + interval '1 hour' THEN 900 ELSE 86400 END AS offset_s,
           CASE WHEN b.starts_at < b.requested_at + interval '1 hour' THEN 0 ELSE 2 END AS priority
) k
CROSS JOIN (VALUES ('buyer', 'email'), ('team', 'sms')) AS x (side, channel);

-- name: open
-- Whether anything is still to be sent.
SELECT EXISTS (SELECT 1 FROM notice WHERE state IN ('planned', 'claimed'));

-- name: settled
-- So that every run plans by the same figures.
VACUUM ANALYZE notice, notice_attempt, booking, slot, account, conversation, invitation;

-- name: outcome
-- What became of all, and whether a T−15 was claimed after a T−24 of its channel.
SELECT count(*) FILTER (WHERE n.state = 'sent') AS sent, count(*) FILTER (WHERE n.state <> 'sent') AS others, max(n.attempts) AS attempts,
       extract(epoch FROM max(a.ended_at) - min(a.at))::float8 AS seconds,
       (SELECT bool_and(o.ordered) FROM (
            SELECT max(a.at) FILTER (WHERE n.priority = 0) <= min(a.at) FILTER (WHERE n.priority = 2) AS ordered
            FROM notice n JOIN notice_attempt a ON a.notice_id = n.id GROUP BY n.channel) o) AS ordered
FROM notice n JOIN notice_attempt a ON a.notice_id = n.id;

-- name: fair
-- The bench's only one.
SELECT id FROM fair;
