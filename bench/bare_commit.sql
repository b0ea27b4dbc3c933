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
