-- What stands in the lists of a bench's accounts; run with triggers off, so that a hundred thousand rows take seconds.

-- name: conversations
-- For each buyer ($2) $4 conversations with the main accounts of different exhibitors ($3), the last $5 of them open, each of those
-- with $6 messages and the others with one.
INSERT INTO conversation (id, fair_id, exhibitor_id, buyer_id, holder_id, last_seq, open, opened_at, last_at, created_at)
SELECT gen_random_uuid(), $1, h.id, b.id, a.id, CASE WHEN k > $4 - $5 THEN $6 ELSE 1 END, k > $4 - $5, $7, $7, $7
FROM unnest($2::uuid[]) WITH ORDINALITY AS b (id, n)
CROSS JOIN generate_series(1, $4::int) AS k
JOIN unnest($3::uuid[]) WITH ORDINALITY AS h (id, n) ON h.n = 1 + (b.n * 7 + k) % cardinality($3::uuid[])
JOIN account a ON a.exhibitor_id = h.id AND a.kind = 'main';

-- name: participants
-- Both sides of these buyers' conversations, who have received and read everything.
WITH c AS (
    SELECT *, row_number() OVER (PARTITION BY buyer_id ORDER BY open, id) AS place FROM conversation WHERE buyer_id = ANY ($1::uuid[])
)
INSERT INTO participant (conversation_id, account_id, last_pos, read_seq, received_seq)
SELECT c.id, who, place * 100, c.last_seq, c.last_seq FROM c, LATERAL (VALUES (c.buyer_id), (c.holder_id)) AS p (who);

-- name: messages
-- The messages of these buyers' conversations, the sides taking turns.
INSERT INTO message (conversation_id, seq, kind, side, sender_id, cid, text, at)
SELECT c.id, seq, 'text', CASE seq % 2 WHEN 1 THEN 'buyer' ELSE 'team' END, CASE seq % 2 WHEN 1 THEN c.buyer_id ELSE c.holder_id END,
       gen_random_uuid(), '您好，请问最低起订量是多少？ Price for 500 pieces, please.', $2
FROM conversation c, generate_series(1, c.last_seq) AS seq WHERE c.buyer_id = ANY ($1::uuid[]);

-- name: streams
-- Where these buyers' streams stand: after the last place of $2 conversations.
UPDATE account_stream SET pos = $2 * 100 WHERE account_id = ANY ($1::uuid[]);

-- name: events
-- The last $2 events of these buyers' streams: the messages of their one conversation.
INSERT INTO account_event (account_id, pos, type, conversation_id, seq, at)
SELECT c.buyer_id, 100 - $2::int + seq, 'message', c.id, seq, $3 FROM conversation c, generate_series(1, $2::int) AS seq
WHERE c.buyer_id = ANY ($1::uuid[]);

-- name: statistics
-- What the planner must know before the first call.
ANALYZE conversation, participant, message, account_stream, account_event;

-- name: chats
-- As `conversations`, with nothing in them.
INSERT INTO conversation (id, fair_id, exhibitor_id, buyer_id, holder_id, created_at)
SELECT gen_random_uuid(), $1, h.id, b.id, a.id, transaction_timestamp()
FROM unnest($2::uuid[]) WITH ORDINALITY AS b (id, n)
CROSS JOIN generate_series(1, $4::int) AS k
JOIN unnest($3::uuid[]) WITH ORDINALITY AS h (id, n) ON h.n = 1 + (b.n * 7 + k) % cardinality($3::uuid[])
JOIN account a ON a.exhibitor_id = h.id AND a.kind = 'main';
