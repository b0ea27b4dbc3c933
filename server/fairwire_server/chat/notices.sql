-- What notices about chats are decided and worded from (N10).

-- name: notice_chats
-- Chats as somebody is told of them, beside the message that each notice is about: a transfer's own, or the last one when the wait was
-- noticed (C7, C11). `read_seq` is how far the holder has read.
SELECT n.conversation_id AS id, n.seq, n.kind, m.at, c.holder_id, c.open, c.unanswered_since, c.waiting_since, p.read_seq,
       a.name AS buyer_name, e.name_zh, e.name_en, t.by_id, w.name AS by_name, t.note
FROM unnest($1::uuid[], $2::int[], $3::text[]) AS n (conversation_id, seq, kind)
JOIN conversation c ON c.id = n.conversation_id
JOIN message m ON m.conversation_id = n.conversation_id AND m.seq = n.seq
JOIN account a ON a.id = c.buyer_id
JOIN exhibitor e ON e.id = c.exhibitor_id
LEFT JOIN participant p ON p.conversation_id = c.id AND p.account_id = c.holder_id
LEFT JOIN transfer t ON t.conversation_id = n.conversation_id AND t.seq = n.seq AND n.kind = 'transfer_offline'
LEFT JOIN account w ON w.id = t.by_id;

-- name: notice_offers
-- Ask-first transfers and what became of them (C8).
SELECT o.id, o.conversation_id, o.outcome, o.expires_at, a.name AS buyer_name, e.name_zh, e.name_en, o.from_id AS by_id, w.name AS by_name,
       o.note
FROM transfer_offer o
JOIN conversation c ON c.id = o.conversation_id
JOIN account a ON a.id = c.buyer_id
JOIN exhibitor e ON e.id = c.exhibitor_id
JOIN account w ON w.id = o.from_id
WHERE o.id = ANY ($1::uuid[]);

-- name: notice_reports
-- Reports and whether they are dealt with (C18). Nothing of what was said.
SELECT r.id, r.conversation_id, r.closed_at, r.reporter_id AS by_id, w.name AS by_name
FROM report r JOIN account w ON w.id = r.reporter_id
WHERE r.id = ANY ($1::uuid[]);
