-- name: lock_conversations
-- Locks by ascending id, so that two transactions never wait for each other in a ring; not against rows that only refer to them,
-- which a mark does that already holds its stream (K4). The positions of the buyer's and the
-- holder's newest message tell whether the conversation may have left their recent lists (K1, W5).
SELECT c.id, c.fair_id, c.exhibitor_id, c.buyer_id, c.holder_id, c.last_seq, c.open, c.opened_at, c.unanswered_since,
       c.waiting_since, c.blocked_by_buyer, c.blocked_by_team,
       b.last_pos AS buyer_last_pos, h.last_pos AS holder_last_pos
FROM conversation c
LEFT JOIN participant b ON b.conversation_id = c.id AND b.account_id = c.buyer_id
LEFT JOIN participant h ON h.conversation_id = c.id AND h.account_id = c.holder_id
WHERE c.id = ANY ($1::uuid[])
ORDER BY c.id
FOR NO KEY UPDATE OF c;

-- name: team
-- An exhibitor's accounts, with names for what is said about them.
SELECT id, exhibitor_id, kind, state, name FROM account WHERE exhibitor_id = ANY ($1::uuid[]) AND state <> 'removed';

-- name: message_facts
-- Locks a batch's conversations by ascending id and reads everything it is decided on, in one answer (A6, W7).
SELECT * FROM message_facts($1, $2, $3, $4, $5, $6);

-- name: say
-- What a batch says, in one statement: its messages, numbered; conversations as it has left them, how far everybody's list and reading
-- moved by it, images it used; and the events of its messages, unless they are to tell of what this has written.
WITH said AS (
    INSERT INTO message (conversation_id, seq, kind, side, sender_id, cid, text, image_id, detail, flagged, fingerprint, at)
    SELECT conversation_id, seq, kind, side, sender_id, cid, text, image_id, detail, flagged, fingerprint, $1
    FROM unnest($2::uuid[], $3::int[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::text[], $9::uuid[], $10::jsonb[],
                $11::bool[], $12::bytea[])
        AS n (conversation_id, seq, kind, side, sender_id, cid, text, image_id, detail, flagged, fingerprint)
), moved AS (
    UPDATE participant p
    SET last_pos = greatest(p.last_pos, n.last_pos),
        read_seq = greatest(p.read_seq, n.read_seq),
        received_seq = greatest(p.received_seq, n.read_seq)
    FROM unnest($20::uuid[], $21::uuid[], $22::bigint[], $23::int[]) AS n (conversation_id, account_id, last_pos, read_seq)
    WHERE p.conversation_id = n.conversation_id AND p.account_id = n.account_id
), used AS (
    UPDATE image SET sent_at = $1 WHERE id = ANY ($24::uuid[]) AND sent_at IS NULL
), saved AS (
    UPDATE conversation c
    SET last_seq = n.last_seq, open = n.open, opened_at = n.opened_at, unanswered_since = n.unanswered_since,
        waiting_since = n.waiting_since, holder_id = n.holder_id, last_at = $1
    FROM unnest($13::uuid[], $14::int[], $15::bool[], $16::timestamptz[], $17::timestamptz[], $18::timestamptz[], $19::uuid[])
        AS n (id, last_seq, open, opened_at, unanswered_since, waiting_since, holder_id)
    WHERE c.id = n.id
)
SELECT append_events($25, $26, $27, $28, $29, $30, $1);

-- name: create_conversation
-- C1: one per pair, for ever; a concurrent twin gets the same.
INSERT INTO conversation (id, fair_id, exhibitor_id, buyer_id, holder_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT conversation_one_per_pair DO NOTHING
RETURNING id;

-- name: conversation_of_pair
-- The conversation of a buyer and an exhibitor, if there is one.
SELECT id FROM conversation WHERE buyer_id = $1 AND exhibitor_id = $2;

-- name: conversations_of_pairs
-- The conversations that these pairs of buyer and exhibitor have, and whether one side has blocked the other.
SELECT c.id, c.buyer_id, c.exhibitor_id, c.blocked_by_buyer OR c.blocked_by_team AS blocked
FROM unnest($1::uuid[], $2::uuid[]) AS n (buyer_id, exhibitor_id)
JOIN conversation c ON c.buyer_id = n.buyer_id AND c.exhibitor_id = n.exhibitor_id;

-- name: routing_facts
-- What routing asks of many exhibitors: open chats by holder, and the order of the steps where it is their own (C6).
SELECT e.id, e.routing,
       (SELECT json_object_agg(h.holder_id, h.chats)
        FROM (SELECT c.holder_id, count(*) AS chats FROM conversation c WHERE c.exhibitor_id = e.id AND c.open GROUP BY c.holder_id) h
       ) AS chats
FROM exhibitor e WHERE e.id = ANY ($1::uuid[]);

-- name: share_accounts
-- As share_account, many of them, by ascending id.
SELECT id, state FROM account WHERE id = ANY ($1::uuid[]) ORDER BY id FOR SHARE;

-- name: create_conversations
-- As create_conversation and add_participants, many of them; a pair whose twin was quicker is left out.
WITH created AS (
    INSERT INTO conversation (id, fair_id, exhibitor_id, buyer_id, holder_id, created_at)
    SELECT n.id, n.fair_id, n.exhibitor_id, n.buyer_id, n.holder_id, $6
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[]) AS n (id, fair_id, exhibitor_id, buyer_id, holder_id)
    ORDER BY n.buyer_id, n.exhibitor_id
    ON CONFLICT ON CONSTRAINT conversation_one_per_pair DO NOTHING
    RETURNING id, buyer_id, holder_id
)
INSERT INTO participant (conversation_id, account_id)
SELECT c.id, a FROM created c CROSS JOIN LATERAL (VALUES (c.buyer_id), (c.holder_id)) AS v (a);

-- name: add_participants
-- Whoever holds a conversation, and its buyer; coming back opens the whole history again (C9).
INSERT INTO participant (conversation_id, account_id)
SELECT $1, * FROM unnest($2::uuid[])
ON CONFLICT (conversation_id, account_id) DO UPDATE SET readable_to = NULL;

-- name: close_view
-- C9: the account that gave the chat away reads up to the transfer.
UPDATE participant SET readable_to = $3 WHERE conversation_id = $1 AND account_id = $2;

-- name: insert_transfer
-- C10: kept for ever.
INSERT INTO transfer (id, conversation_id, seq, from_id, to_id, by_id, reason, note, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: transfers
-- 转接记录 up to what the reader may see.
SELECT t.seq, t.from_id, f.name AS from_name, t.to_id, g.name AS to_name, t.by_id, b.name AS by_name, t.reason, t.note, t.at
FROM transfer t
JOIN account f ON f.id = t.from_id
JOIN account g ON g.id = t.to_id
LEFT JOIN account b ON b.id = t.by_id
WHERE t.conversation_id = $1 AND t.seq <= coalesce($2, t.seq)
ORDER BY t.seq;

-- name: exhibitor_for_chat
-- What opening a conversation asks of an exhibitor and, if named, of its exhibit.
SELECT e.id, e.routing, x.id AS exhibit_id, x.owner_id, x.name_zh, x.name_en, x.code, x.image, x.tags
FROM exhibitor e
LEFT JOIN exhibit x ON x.id = $3 AND x.exhibitor_id = e.id AND x.state = 'listed'
WHERE e.id = $1 AND e.fair_id = $2;

-- name: open_chats
-- Open chats by holder (C6).
SELECT holder_id, count(*) AS chats FROM conversation WHERE exhibitor_id = $1 AND open GROUP BY holder_id;

-- name: routing_of
-- The exhibitor's own order of the reorderable steps.
SELECT routing FROM exhibitor WHERE id = $1;

-- name: open_offer
-- The offer that waits on a conversation, locked.
SELECT * FROM transfer_offer WHERE conversation_id = $1 AND outcome IS NULL FOR UPDATE;

-- name: offer
-- An offer and its conversation.
SELECT * FROM transfer_offer WHERE id = $1;

-- name: insert_offer
-- One may wait per conversation (C8).
INSERT INTO transfer_offer (id, conversation_id, from_id, to_id, note, at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: close_offer
-- What became of it.
UPDATE transfer_offer SET outcome = $2 WHERE id = $1 AND outcome IS NULL RETURNING true;

-- name: due_offers
-- Offers nobody answered in time.
SELECT id, conversation_id FROM transfer_offer WHERE outcome IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT 100;

-- name: due_waiting
-- Open chats that have gone unanswered for the fair's N minutes (C11).
SELECT c.id FROM conversation c JOIN fair f ON f.id = c.fair_id
WHERE c.open AND c.waiting_since IS NULL AND c.unanswered_since IS NOT NULL
  AND c.unanswered_since <= $1::timestamptz - make_interval(mins => coalesce((f.settings ->> 'waiting_minutes')::int, $2))
ORDER BY c.id LIMIT 200;

-- name: message_for_recall
-- The message and who may see it.
SELECT sender_id, kind, at, recalled_at FROM message WHERE conversation_id = $1 AND seq = $2 FOR UPDATE;

-- name: recall
-- The content goes for good; its place stays (C12), in the search index too: who was about to write the words there finds it taken.
WITH emptied AS (
    INSERT INTO message_search (conversation_id, seq, exhibitor_id, at, tokens)
    SELECT m.conversation_id, m.seq, c.exhibitor_id, m.at, ''
    FROM message m JOIN conversation c ON c.id = m.conversation_id
    WHERE m.conversation_id = $1 AND m.seq = $2 AND m.kind = 'text'
    ON CONFLICT (conversation_id, seq) DO UPDATE SET tokens = ''
), hidden AS (
    UPDATE image i SET gone_at = $3 FROM message m WHERE m.conversation_id = $1 AND m.seq = $2 AND i.id = m.image_id
)
UPDATE message SET recalled_at = $3, text = NULL, image_id = NULL WHERE conversation_id = $1 AND seq = $2;

-- name: participants
-- Everybody who holds or held a conversation, and its buyer.
SELECT account_id, readable_to, read_seq, received_seq FROM participant WHERE conversation_id = $1;

-- name: lock_risen_free
-- The chats in which one of these markers rises; locked, unless a message is just being written there. They are locked before
-- anything else of theirs, as for a message: whoever writes takes conversations, participants and streams in this order.
WITH risen AS MATERIALIZED (
    SELECT DISTINCT n.conversation_id AS id
    FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[]) AS n (conversation_id, account_id, read_seq, received_seq)
    JOIN participant p ON p.conversation_id = n.conversation_id AND p.account_id = n.account_id
    WHERE n.read_seq > p.read_seq OR n.received_seq > p.received_seq
), free AS MATERIALIZED (
    SELECT c.id FROM conversation c JOIN risen ON risen.id = c.id FOR NO KEY UPDATE OF c SKIP LOCKED
)
SELECT risen.id, free.id IS NOT NULL AS locked FROM risen LEFT JOIN free ON free.id = risen.id;

-- name: lock_risen
-- As lock_risen_free, waiting for each.
SELECT c.id, true AS locked FROM conversation c
WHERE c.id IN (
    SELECT n.conversation_id
    FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[]) AS n (conversation_id, account_id, read_seq, received_seq)
    JOIN participant p ON p.conversation_id = n.conversation_id AND p.account_id = n.account_id
    WHERE n.read_seq > p.read_seq OR n.received_seq > p.received_seq)
ORDER BY c.id
FOR NO KEY UPDATE OF c;

-- name: move_markers
-- Receipts move forward only (W9); answers those that did, with what the buyer sees of the team before and after.
WITH wanted AS (
    SELECT n.conversation_id, n.account_id, least(n.read_seq, coalesce(p.readable_to, c.last_seq)) AS read_seq,
           least(n.received_seq, coalesce(p.readable_to, c.last_seq)) AS received_seq
    FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[]) AS n (conversation_id, account_id, read_seq, received_seq)
    JOIN participant p ON p.conversation_id = n.conversation_id AND p.account_id = n.account_id
    JOIN conversation c ON c.id = n.conversation_id
    WHERE n.read_seq > p.read_seq OR n.received_seq > p.received_seq
    ORDER BY n.conversation_id, n.account_id
    FOR UPDATE OF p
), moved AS (
    UPDATE participant p
    SET read_seq = greatest(p.read_seq, w.read_seq),
        received_seq = greatest(p.received_seq, w.received_seq, w.read_seq)
    FROM wanted w
    WHERE p.conversation_id = w.conversation_id AND p.account_id = w.account_id
      AND (w.read_seq > p.read_seq OR greatest(w.received_seq, w.read_seq) > p.received_seq)
    RETURNING p.conversation_id, p.account_id, p.read_seq, p.received_seq, p.readable_to
)
SELECT m.*, c.buyer_id, c.holder_id,
       (SELECT max(o.read_seq) FROM participant o
        WHERE o.conversation_id = m.conversation_id AND o.account_id NOT IN (m.account_id, c.buyer_id)) AS others_read,
       (SELECT max(o.received_seq) FROM participant o
        WHERE o.conversation_id = m.conversation_id AND o.account_id NOT IN (m.account_id, c.buyer_id)) AS others_received
FROM moved m JOIN conversation c ON c.id = m.conversation_id;

-- name: history_before
-- A page backwards (C14).
SELECT * FROM message_full WHERE conversation_id = $1 AND seq < $2 AND seq <= $3 ORDER BY seq DESC LIMIT $4;

-- name: history_after
-- A page forwards (C14).
SELECT * FROM message_full WHERE conversation_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4;

-- name: first_since
-- The first message at or after an instant (C14).
SELECT min(seq) FROM message WHERE conversation_id = $1 AND at >= $2 AND seq <= $3;

-- name: list_chats
-- The team's chats within scope, newest message first; $6 narrows to those the account holds or held (A7, C11). A former holder's
-- chat stands where its last readable message puts it, and who holds it now, or whether it is open, finds it for nobody (C9).
WITH visible AS (
    SELECT c.id, CASE WHEN p.readable_to IS NULL THEN c.last_at ELSE (
               SELECT m.at FROM message m WHERE m.conversation_id = c.id AND m.seq = p.readable_to) END AS last_at
    FROM conversation c
    LEFT JOIN participant p ON p.conversation_id = c.id AND p.account_id = $6::uuid
    WHERE c.exhibitor_id = $1 AND c.opened_at IS NOT NULL
      AND ($2 = 'all' OR c.open)
      AND ($2 <> 'waiting' OR c.waiting_since IS NOT NULL)
      AND ($3::uuid IS NULL OR c.holder_id = $3)
      AND ($6::uuid IS NULL OR p.account_id IS NOT NULL AND (p.readable_to IS NULL OR $2 = 'all' AND $3 IS NULL))
)
SELECT id, last_at FROM visible
WHERE $4::timestamptz IS NULL OR (last_at, id) < ($4, $5)
ORDER BY last_at DESC, id DESC LIMIT $7;

-- name: list_buyer_chats
-- A buyer's own conversations, newest message first.
SELECT c.id, c.last_at FROM conversation c
WHERE c.buyer_id = $1 AND c.last_seq > 0 AND ($2 = 'all' OR c.open)
  AND ($3::timestamptz IS NULL OR (c.last_at, c.id) < ($3, $4))
ORDER BY c.last_at DESC, c.id DESC LIMIT $5;

-- name: chats_held
-- Open chats an account holds, which it hands over before it goes (A6).
SELECT id FROM conversation WHERE holder_id = $1 AND open ORDER BY id;

-- name: chats_of_holder
-- Every chat an account holds, open or not: none may stay with an account that is gone.
SELECT id FROM conversation WHERE holder_id = $1 ORDER BY id;

-- name: hold_chats_of
-- Every chat that an account speaks in: who renames it waits for the messages on their way, which tell its name as it was (W4, W5).
SELECT FROM conversation WHERE id = ANY (ARRAY(
    SELECT id FROM conversation WHERE holder_id = $1 UNION SELECT id FROM conversation WHERE buyer_id = $1))
ORDER BY id FOR NO KEY UPDATE;

-- name: set_block
-- C18: each side blocks for itself.
UPDATE conversation SET blocked_by_buyer = $2, blocked_by_team = $3 WHERE id = $1;

-- name: answer_times
-- C5: the usual time to answer, as a moving average that forgets slowly.
UPDATE exhibitor e
SET answer_seconds = CASE WHEN e.answer_seconds IS NULL THEN n.seconds ELSE (e.answer_seconds * 9 + n.seconds) / 10 END
FROM (SELECT * FROM unnest($1::uuid[], $2::int[]) AS n (id, seconds) ORDER BY id) n WHERE e.id = n.id;

-- name: save_state
-- Whether a chat is open and waits, without a message.
UPDATE conversation SET open = $2, unanswered_since = $3, waiting_since = $4 WHERE id = $1;

-- name: capabilities_of_fair
-- The fair's differences from the default capability table (A7).
SELECT capabilities FROM fair WHERE id = $1;

-- name: snapshot_messages
-- Part of first states: the newest messages of the newest open chats (W5), as the wire's MessagePack. $5 chats, $6 messages of each; other
-- messages than ordinary ones are nil there, and come as rows beside them.
SELECT chats.n, ROW(count(*), string_agg(packed(m, CASE m.sender_id WHEN chats.buyer_id THEN chats.buyer WHEN chats.holder_id THEN chats.holder ELSE s.name END), '' ORDER BY m.conversation_id, m.seq),
    '[' || string_agg((SELECT message_row_json(f) FROM message_full f WHERE f.conversation_id = m.conversation_id AND f.seq = m.seq), ','
            ORDER BY m.conversation_id, m.seq)
        FILTER (WHERE m.kind <> 'text' OR m.recalled_at IS NOT NULL) || ']')
FROM (
    SELECT n.n, l.*, b.name AS buyer, h.name AS holder FROM who n CROSS JOIN LATERAL (
      SELECT c.id, c.buyer_id, c.holder_id FROM participant p JOIN conversation c ON c.id = p.conversation_id
      WHERE p.account_id = n.account AND p.readable_to IS NULL AND p.last_pos > 0 AND c.open
      ORDER BY p.last_pos DESC LIMIT $5) l
    JOIN account b ON b.id = l.buyer_id JOIN account h ON h.id = l.holder_id
) chats
CROSS JOIN LATERAL (SELECT * FROM message f WHERE f.conversation_id = chats.id ORDER BY f.seq DESC LIMIT $6) m
LEFT JOIN account s ON s.id = CASE WHEN m.sender_id NOT IN (chats.buyer_id, chats.holder_id) THEN m.sender_id END
GROUP BY chats.n;

-- name: snapshot_offers
-- Part of first states: ask-first transfers that wait for an answer, as their parties see them (C8).
SELECT n.n, ROW(o.id, o.conversation_id, o.expires_at, o.note, o.from_id, f.name, o.to_id, t.name,
    json_build_array(b.id, b.name, y.country, y.interests, y.avatar, base.buyer_id IS NOT NULL,
        CASE WHEN base.buyer_id IS NOT NULL THEN json_build_array(b.email, b.mobile, y.role,
            (SELECT w.name FROM buyer_company w WHERE w.id = y.company_id), y.profile) END)::text)
FROM transfer_offer o
JOIN conversation c ON c.id = o.conversation_id
JOIN who n ON n.account IN (o.from_id, o.to_id, c.holder_id)
JOIN account f ON f.id = o.from_id
JOIN account t ON t.id = o.to_id
JOIN account b ON b.id = c.buyer_id
JOIN buyer y ON y.account_id = b.id
LEFT JOIN customer base ON base.exhibitor_id = c.exhibitor_id AND base.buyer_id = b.id
WHERE o.outcome IS NULL;

-- name: actor
-- Who hands chats over on behalf of somebody: its name and its fair's capability differences.
SELECT a.name, f.capabilities FROM account a JOIN fair f ON f.id = a.fair_id WHERE a.id = $1;

-- name: share_account
-- Keeps an account as it is until this transaction ends: a chat must not go to one that is being disabled or removed (A6, C7).
SELECT state FROM account WHERE id = $1 FOR SHARE;

-- name: share_account_at_once
-- As share_account, for whoever holds a conversation already and so must not wait for an account (a ring of locks); nothing, when it is
-- being changed.
SELECT state FROM account WHERE id = $1 FOR SHARE SKIP LOCKED;
