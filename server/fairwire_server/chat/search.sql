-- name: own_conversations
-- What an account holds or held, or has as a buyer, and how far it may read each (C9).
SELECT p.conversation_id, coalesce(p.readable_to, c.last_seq) AS last
FROM participant p JOIN conversation c ON c.id = p.conversation_id
WHERE p.account_id = $1 AND c.last_seq > 0;

-- name: newest
-- Among the newest messages of an exhibitor: stops as soon as enough are found, and looks through $7 at most.
SELECT s.at, s.conversation_id, s.seq
FROM (
    SELECT at, conversation_id, seq, tokens FROM message_search
    WHERE exhibitor_id = $1 AND (at, conversation_id, seq) < ($3, $4, $5)
    ORDER BY at DESC, conversation_id DESC, seq DESC LIMIT $7
) s
WHERE s.tokens @@ $2::tsquery
ORDER BY s.at DESC, s.conversation_id DESC, s.seq DESC LIMIT $6;

-- name: newest_own
-- As newest, within what an account holds or held, as far as it may read (C9). Asked row by row, which keeps the order, so that this
-- too stops as soon as enough are found.
SELECT s.at, s.conversation_id, s.seq
FROM (
    SELECT at, conversation_id, seq, tokens FROM message_search
    WHERE exhibitor_id = $1 AND (at, conversation_id, seq) < ($3, $4, $5)
    ORDER BY at DESC, conversation_id DESC, seq DESC LIMIT $7
) s
WHERE s.tokens @@ $2::tsquery AND s.seq <= (
    SELECT coalesce(p.readable_to, 2147483647) FROM participant p
    WHERE p.conversation_id = s.conversation_id AND p.account_id = $8
)
ORDER BY s.at DESC, s.conversation_id DESC, s.seq DESC LIMIT $6;

-- name: is_beyond
-- Whether an exhibitor has more messages before a place than were looked through.
SELECT EXISTS (
    SELECT FROM message_search WHERE exhibitor_id = $1 AND at <= $2 ORDER BY at DESC OFFSET $3
);

-- name: lookup
-- By the index of words: every message of the exhibitor that holds them, then the newest of these.
WITH found AS MATERIALIZED (
    SELECT at, conversation_id, seq FROM message_search WHERE exhibitor_id = $1 AND tokens @@ $2::tsquery
)
SELECT at, conversation_id, seq FROM found
WHERE (at, conversation_id, seq) < ($3, $4, $5)
ORDER BY at DESC, conversation_id DESC, seq DESC LIMIT $6;

-- name: lookup_own
-- As lookup, within what an account holds or held, as far as it may read (C9).
WITH found AS MATERIALIZED (
    SELECT at, conversation_id, seq FROM message_search WHERE exhibitor_id = $1 AND tokens @@ $2::tsquery
)
SELECT s.at, s.conversation_id, s.seq FROM found s
JOIN participant p ON p.conversation_id = s.conversation_id AND p.account_id = $7
WHERE s.seq <= coalesce(p.readable_to, s.seq) AND (s.at, s.conversation_id, s.seq) < ($3, $4, $5)
ORDER BY s.at DESC, s.conversation_id DESC, s.seq DESC LIMIT $6;

-- name: read
-- A small scope from end to end: every message of these conversations, each up to a seq.
SELECT s.at, s.conversation_id, s.seq
FROM unnest($6::uuid[], $7::int[]) AS own (conversation_id, last)
JOIN message_search s ON s.conversation_id = own.conversation_id AND s.seq <= own.last
WHERE s.tokens @@ $1::tsquery AND (s.at, s.conversation_id, s.seq) < ($2, $3, $4)
ORDER BY s.at DESC, s.conversation_id DESC, s.seq DESC LIMIT $5;

-- name: found_messages
-- The messages at these places; one that was recalled is empty here whatever the index says (C12).
SELECT m.* FROM unnest($1::uuid[], $2::int[]) AS n (conversation_id, seq)
JOIN message_full m ON m.conversation_id = n.conversation_id AND m.seq = n.seq;

-- name: buyers_by_name
-- Customers of an exhibitor by name, also beyond the recent list, newest message first (C15, C19: only those who have written).
SELECT c.id FROM conversation c JOIN account a ON a.id = c.buyer_id
WHERE c.exhibitor_id = $1 AND c.opened_at IS NOT NULL AND a.name_tokens @@ $2::tsquery
ORDER BY c.last_at DESC, c.id DESC LIMIT $3;

-- name: own_buyers_by_name
-- As buyers_by_name within what an account holds or held, in the order of its own stream: a chat it gave away does not rise by
-- what is said later (C9, W8).
SELECT c.id FROM participant p
JOIN conversation c ON c.id = p.conversation_id AND c.opened_at IS NOT NULL
JOIN account a ON a.id = c.buyer_id
WHERE p.account_id = $1 AND a.name_tokens @@ $2::tsquery
ORDER BY p.last_pos DESC, c.id DESC LIMIT $3;

-- name: exhibitors_by_name
-- A buyer's exhibitors by name.
SELECT c.id FROM participant p
JOIN conversation c ON c.id = p.conversation_id AND c.last_seq > 0
JOIN exhibitor e ON e.id = c.exhibitor_id
WHERE p.account_id = $1 AND e.name_tokens @@ $2::tsquery
ORDER BY p.last_pos DESC, c.id DESC LIMIT $3;

-- name: index_messages
-- Index messages. A recall writes the row of its message too, without words: whichever of us comes second waits for the first, and the
-- words are gone either way (C12). Doing it twice changes nothing.
-- Its COMMIT does not wait for the disk, so that those of messages need not wait for it: what a power cut takes is found again, since
-- `set_done_to` does wait, for everything before it in the log too.
WITH relaxed AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO message_search (conversation_id, seq, exhibitor_id, at, tokens)
SELECT n.conversation_id, n.seq, n.exhibitor_id, n.at, n.tokens::tsvector
FROM relaxed, unnest($1::uuid[], $2::int[], $3::uuid[], $4::timestamptz[], $5::text[]) AS n (conversation_id, seq, exhibitor_id, at, tokens)
ON CONFLICT (conversation_id, seq) DO NOTHING;

-- name: unindexed
-- Texts of a stretch of time that are not in the index.
SELECT m.conversation_id, m.seq, c.exhibitor_id, m.at, m.text
FROM message m JOIN conversation c ON c.id = m.conversation_id
WHERE m.at >= $1 AND m.at < $2 AND m.kind = 'text' AND m.recalled_at IS NULL
  AND NOT EXISTS (SELECT FROM message_search s WHERE s.conversation_id = m.conversation_id AND s.seq = m.seq)
LIMIT $3;

-- name: done_to
-- Where the next recovery begins: at what is known to be indexed, or else before the first message there can be.
SELECT coalesce((SELECT done_to FROM search_progress), (SELECT min(created_at) FROM conversation));

-- name: set_done_to
-- Every message accepted before this instant is indexed; another node may know better.
INSERT INTO search_progress (done_to) VALUES ($1)
ON CONFLICT (only_row) DO UPDATE SET done_to = greatest(search_progress.done_to, excluded.done_to);
