-- name: chats
-- The reference's conversations.
SELECT c.id, c.buyer_id, c.holder_id FROM conversation c JOIN fair f ON f.id = c.fair_id WHERE f.code = 'bare' ORDER BY c.id;

-- name: conversation
-- The next seq.
UPDATE conversation SET last_seq = last_seq + 1, last_at = now() WHERE id = $1 RETURNING last_seq;

-- name: events
-- Both streams, lists and events.
WITH taken AS (
    UPDATE account_stream SET pos = pos + 1 WHERE account_id = ANY ($1::uuid[]) RETURNING account_id, pos
), listed AS (
    UPDATE participant p SET last_pos = t.pos FROM taken t WHERE p.conversation_id = $2 AND p.account_id = t.account_id
)
INSERT INTO account_event (account_id, pos, type, conversation_id, seq, at)
SELECT account_id, pos, 'message', $2, $3, now() FROM taken;

-- name: message
-- The message itself.
INSERT INTO message (conversation_id, seq, kind, side, sender_id, cid, text, at) VALUES ($1, $2, 'text', 'buyer', $3, $4, $5, now());

-- name: conversations
-- The next seq of many.
UPDATE conversation SET last_seq = last_seq + 1, last_at = now() WHERE id = ANY ($1::uuid[]) RETURNING id, last_seq, buyer_id;

-- name: batch_events
-- Both streams, lists and events of many.
WITH told AS (
    SELECT n.id, n.seq, unnest(ARRAY[c.buyer_id, c.holder_id]) AS account_id
    FROM unnest($1::uuid[], $2::int[]) AS n (id, seq) JOIN conversation c ON c.id = n.id
), taken AS (
    UPDATE account_stream s SET pos = pos + 1 FROM told t WHERE s.account_id = t.account_id RETURNING s.account_id, pos, t.id, t.seq
), listed AS (
    UPDATE participant p SET last_pos = t.pos FROM taken t WHERE p.conversation_id = t.id AND p.account_id = t.account_id
)
INSERT INTO account_event (account_id, pos, type, conversation_id, seq, at)
SELECT account_id, pos, 'message', id, seq, now() FROM taken;

-- name: messages
-- Many messages.
INSERT INTO message (conversation_id, seq, kind, side, sender_id, cid, text, at)
SELECT id, seq, 'text', 'buyer', sender, cid, $5, now() FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::uuid[]) AS n (id, seq, sender, cid);
