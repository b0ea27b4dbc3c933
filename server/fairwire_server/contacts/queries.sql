-- name: entries
-- Entries of given conversations for one viewer. In FROM, here and below, the function becomes part of its statement and is
-- planned with it, once, and not at each call.
SELECT e.* FROM unnest($2::uuid[]) AS n (id), LATERAL contact_entry($1, n.id) e;

-- name: entries_of_pairs
-- Entries for many viewers at once, each of its own conversation.
SELECT n.viewer, e.* FROM unnest($1::uuid[], $2::uuid[]) AS n (viewer, id), LATERAL contact_entry(n.viewer, n.id) e;

-- name: recent
-- The recent list (K1): pinned ones, then those with the newest message in the account's own stream, 300 in all.
WITH own AS (
    SELECT p.conversation_id, p.last_pos, k.pinned_at IS NOT NULL AS pinned
    FROM participant p
    LEFT JOIN contact_mark k ON k.account_id = p.account_id AND k.conversation_id = p.conversation_id
    WHERE p.account_id = $1 AND p.last_pos > 0
), recent AS (
    SELECT conversation_id FROM own ORDER BY pinned DESC, last_pos DESC LIMIT $2
)
SELECT e.* FROM recent, LATERAL contact_entry($1, recent.conversation_id) e;

-- name: starred
-- Everything the account has starred, also beyond the recent list (K3).
SELECT e.* FROM contact_mark k, LATERAL contact_entry($1, k.conversation_id) e
WHERE k.account_id = $1 AND k.starred_at IS NOT NULL;

-- name: starred_ids
-- Conversations the account has starred.
SELECT conversation_id FROM contact_mark WHERE account_id = $1 AND starred_at IS NOT NULL;

-- name: views_of
-- What decides whether accounts may see and mark conversations (C9, K3), pair by pair.
SELECT n.account_id AS viewer, c.id, c.fair_id, c.exhibitor_id, c.buyer_id, c.holder_id, c.last_seq,
       c.blocked_by_buyer OR c.blocked_by_team AS blocked, p.account_id IS NOT NULL AS participates, p.readable_to, p.last_pos, k.pinned_at, k.starred_at,
       EXISTS (SELECT 1 FROM customer b WHERE b.exhibitor_id = c.exhibitor_id AND b.buyer_id = c.buyer_id) AS in_base
FROM unnest($1::uuid[], $2::uuid[]) AS n (account_id, conversation_id)
JOIN conversation c ON c.id = n.conversation_id
LEFT JOIN participant p ON p.conversation_id = c.id AND p.account_id = n.account_id
LEFT JOIN contact_mark k ON k.conversation_id = c.id AND k.account_id = n.account_id;

-- name: lock_marks
-- One account's marks change one after the other, so that the limit on pins holds (K4).
SELECT 1 FROM account_stream WHERE account_id = $1 FOR UPDATE;

-- name: count_pins
-- How many contacts the account has pinned.
SELECT count(*) FROM contact_mark WHERE account_id = $1 AND pinned_at IS NOT NULL;

-- name: set_mark
-- Pin and star of one contact.
INSERT INTO contact_mark (account_id, conversation_id, pinned_at, starred_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (account_id, conversation_id) DO UPDATE SET pinned_at = excluded.pinned_at, starred_at = excluded.starred_at;

-- name: clear_mark
-- A contact without marks needs no row.
DELETE FROM contact_mark WHERE account_id = $1 AND conversation_id = $2;

-- name: returning_contact
-- The unpinned contact that comes back into the recent list when a pinned one leaves its place, or the pinned one itself (K1, K4).
WITH own AS (
    SELECT p.conversation_id, p.last_pos, k.pinned_at IS NOT NULL AS pinned
    FROM participant p
    LEFT JOIN contact_mark k ON k.account_id = p.account_id AND k.conversation_id = p.conversation_id
    WHERE p.account_id = $1 AND p.last_pos > 0
)
SELECT conversation_id FROM own ORDER BY pinned DESC, last_pos DESC OFFSET $2 - 1 LIMIT 1;

-- name: add_customer
-- K2: once is enough, whoever adds.
INSERT INTO customer (exhibitor_id, buyer_id, created_by, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (exhibitor_id, buyer_id) DO NOTHING RETURNING true;

-- name: buyer_card
-- A buyer as one exhibitor's account sees it, and whether it may: own scope needs a conversation it holds or held.
SELECT json_build_array(a.id, a.name, b.country, b.interests, b.avatar, base.buyer_id IS NOT NULL,
           CASE WHEN base.buyer_id IS NOT NULL THEN json_build_array(a.email, a.mobile, b.role,
               (SELECT name FROM buyer_company WHERE id = b.company_id), b.profile) END) AS card,
       EXISTS (SELECT 1 FROM conversation c WHERE c.exhibitor_id = $1 AND c.buyer_id = a.id) AS known,
       EXISTS (SELECT 1 FROM conversation c JOIN participant p ON p.conversation_id = c.id AND p.account_id = $4
               WHERE c.exhibitor_id = $1 AND c.buyer_id = a.id) AS own,
       base.buyer_id IS NOT NULL AS in_base
FROM account a JOIN buyer b ON b.account_id = a.id
LEFT JOIN customer base ON base.exhibitor_id = $1 AND base.buyer_id = a.id
WHERE a.id = $2 AND a.fair_id = $3;

-- name: buyer_watchers
-- Accounts of one exhibitor in whose lists or offers a buyer stands, or that read everything; one that is suspended or
-- disabled may come back to its stream, so it goes on (W5). $3 are the kinds that read everything, $4 those that read at all (A7).
SELECT DISTINCT a.id FROM account a
LEFT JOIN conversation c ON c.exhibitor_id = $1 AND c.buyer_id = $2
LEFT JOIN participant p ON p.account_id = a.id AND p.conversation_id = c.id
LEFT JOIN transfer_offer o ON o.conversation_id = c.id AND o.outcome IS NULL AND a.id IN (o.from_id, o.to_id)
WHERE a.exhibitor_id = $1 AND a.state <> 'removed'
  AND (a.kind = ANY ($3) OR a.kind = ANY ($4) AND (p.account_id IS NOT NULL OR o.id IS NOT NULL));

-- name: contacts_of_buyer
-- Exhibitors that have a conversation with a buyer, with the accounts in whose lists it stands.
SELECT c.exhibitor_id, p.account_id FROM conversation c
JOIN participant p ON p.conversation_id = c.id AND p.account_id <> c.buyer_id
WHERE c.buyer_id = $1;

-- name: watchers_of_colleague
-- Who shows a colleague's name: its team, and the buyers of the chats it holds or held, where its messages stand.
SELECT c.id FROM account a JOIN account c ON c.exhibitor_id = a.exhibitor_id AND c.state <> 'removed' AND c.id <> a.id
WHERE a.id = $1
UNION
SELECT c.buyer_id FROM participant p JOIN conversation c ON c.id = p.conversation_id WHERE p.account_id = $1;

-- name: snapshot_recent
-- Part of first states: the recent lists (W5), $4 long: how many entries, these as the wire's MessagePack, and what has not been received.
-- Last messages that are no ordinary ones are nil there, and come as rows beside them. An entry ends with its last message; without one,
-- with an id. What a viewer sees (K2, C9, W9) is decided here once more, as contacts/entries.py decides it for everything else: hundreds
-- of contacts are to be sent without a value of theirs being touched in between.
SELECT r.n, ROW(count(*), string_agg(
        ('\336'::bytea || int2send((7 + (c.holder_id = r.account)::integer + (r.pinned_at IS NOT NULL)::integer + (r.starred_at IS NOT NULL)::integer
            + (m.seq IS NOT NULL)::integer + CASE WHEN r.readable_to IS NULL THEN 1 + c.open::integer + c.blocked_by_buyer::integer
                + c.blocked_by_team::integer + (c.waiting_since IS NOT NULL AND c.buyer_id <> r.account)::integer ELSE 0 END)::smallint)
            || '\254conversation' || packed(c.id) || '\242at' || packed(r.last_pos)
            || '\250last_seq' || packed(coalesce(r.readable_to, c.last_seq)) || '\244read' || packed(r.read_seq)
            || '\250received' || packed(r.received_seq))
        || CASE WHEN c.holder_id = r.account THEN '\245holds\303'::bytea ELSE '' END
        || CASE WHEN r.readable_to IS NULL THEN
                '\246holder\202\242id'::bytea || packed(c.holder_id) || '\244name' || packed(h.name)
                || CASE WHEN c.open THEN '\244open\303'::bytea ELSE '' END
                || CASE WHEN c.blocked_by_buyer THEN '\260blocked_by_buyer\303'::bytea ELSE '' END
                || CASE WHEN c.blocked_by_team THEN '\257blocked_by_team\303'::bytea ELSE '' END
                || CASE WHEN c.waiting_since IS NOT NULL AND c.buyer_id <> r.account THEN '\255waiting_since'::bytea || packed(c.waiting_since) ELSE '' END
                || '\247markers' || CASE WHEN c.buyer_id = r.account THEN
                    (SELECT CASE WHEN count(*) = 0 THEN '\220'::bytea ELSE '\221\204\247account\300\244side\244team\250received'::bytea
                         || packed(max(o.received_seq)) || '\244read' || packed(max(o.read_seq)) END
                     FROM participant o WHERE o.conversation_id = c.id AND o.account_id <> r.account AND o.received_seq > 0)
                ELSE
                    (SELECT packed_array(count(*), string_agg('\204\247account'::bytea || packed(o.account_id)
                         || CASE WHEN o.account_id = c.buyer_id THEN '\244side\245buyer\250received'::bytea ELSE '\244side\244team\250received' END
                         || packed(o.received_seq) || '\244read' || packed(o.read_seq), '' ORDER BY o.account_id))
                     FROM participant o WHERE o.conversation_id = c.id AND o.account_id <> r.account AND o.received_seq > 0)
                END
            ELSE '\253readable_to'::bytea || packed(r.readable_to) END
        || CASE WHEN r.pinned_at IS NOT NULL THEN '\251pinned_at'::bytea || packed(r.pinned_at) ELSE '' END
        || CASE WHEN r.starred_at IS NOT NULL THEN '\247starred\303'::bytea ELSE '' END
        || '\247contact' || CASE WHEN c.buyer_id = r.account THEN
            (SELECT e.card FROM exhibitor e WHERE e.id = c.exhibitor_id)
        ELSE
            (SELECT ('\336'::bytea || int2send((4 + (y.country IS NOT NULL)::integer + (y.avatar IS NOT NULL)::integer
                        + CASE WHEN base.buyer_id IS NOT NULL THEN 2 ELSE 0 END)::smallint)
                    || '\244type\245buyer\244name' || packed(b.name) || coalesce('\247country' || packed(y.country), '') || '\251interests'
                    || (SELECT packed_array(count(*), string_agg(packed(i.name), '' ORDER BY i.place)) FROM unnest(y.interests) WITH ORDINALITY AS i (name, place)))
                || coalesce('\246avatar' || packed(y.avatar), '')
                || CASE WHEN base.buyer_id IS NOT NULL THEN
                    '\247in_base\303\247details\205\244role'::bytea || packed(y.role)
                    || '\245email' || coalesce(packed(b.email), '\300') || '\246mobile' || coalesce(packed(b.mobile), '\300')
                    || '\247company' || coalesce((SELECT packed(w.name) FROM buyer_company w WHERE w.id = y.company_id), '\300')
                    || '\247profile' || (SELECT '\337'::bytea || int4send(count(*)::integer) || coalesce(string_agg(packed(f.key) || packed(f.value), ''), '')
                                         FROM jsonb_each_text(y.profile) f)
                ELSE '' END
                || '\242id' || packed(b.id)
             FROM account b JOIN buyer y ON y.account_id = b.id
             LEFT JOIN customer base ON base.exhibitor_id = c.exhibitor_id AND base.buyer_id = b.id
             WHERE b.id = c.buyer_id)
        END
        || CASE WHEN m.seq IS NOT NULL THEN '\244last'::bytea || packed(m, coalesce(s.name, h.name)) ELSE '' END,
        '' ORDER BY r.pinned_at IS NULL, r.last_pos DESC),
    '[' || string_agg((SELECT message_row_json(f) FROM message_full f WHERE f.conversation_id = m.conversation_id AND f.seq = m.seq), ','
            ORDER BY r.pinned_at IS NULL, r.last_pos DESC)
        FILTER (WHERE m.kind <> 'text' OR m.recalled_at IS NOT NULL) || ']',
    (json_agg(json_build_array(c.id, c.last_seq, NULL)) FILTER (WHERE r.received_seq < c.last_seq AND r.readable_to IS NULL))::text)
FROM (
    SELECT n.n, n.account, l.* FROM who n CROSS JOIN LATERAL (
        SELECT p.conversation_id, p.last_pos, p.read_seq, p.received_seq, p.readable_to, k.pinned_at, k.starred_at
        FROM participant p LEFT JOIN contact_mark k ON k.account_id = p.account_id AND k.conversation_id = p.conversation_id
        WHERE p.account_id = n.account AND p.last_pos > 0
        ORDER BY k.pinned_at IS NULL, p.last_pos DESC LIMIT $4
    ) l
) r
JOIN conversation c ON c.id = r.conversation_id
JOIN account h ON h.id = c.holder_id
LEFT JOIN LATERAL (SELECT * FROM message f WHERE f.conversation_id = c.id AND f.seq = coalesce(r.readable_to, c.last_seq) LIMIT 1) m ON true
LEFT JOIN account s ON s.id = CASE WHEN m.sender_id <> c.holder_id THEN m.sender_id END
GROUP BY r.n;

-- name: snapshot_starred
-- Part of first states: ids of starred conversations, also those beyond the recent list (K3).
SELECT n.n, ROW(k.conversation_id) FROM who n JOIN contact_mark k ON k.account_id = n.account WHERE k.starred_at IS NOT NULL;

-- name: watchable
-- Which subjects an account may watch (W10): exhibitors of its fair for buyers; for the team colleagues, and the buyers of the chats
-- it holds, or of all if it reads all. Who gave a chat away receives nothing later (C9).
SELECT n.kind, n.id FROM unnest($1::text[], $2::uuid[]) AS n (kind, id)
WHERE CASE
    WHEN $4::uuid IS NULL THEN n.kind = 'exhibitor' AND EXISTS (SELECT 1 FROM exhibitor e WHERE e.id = n.id AND e.fair_id = $3)
    WHEN n.kind = 'account' THEN
        EXISTS (SELECT 1 FROM account a WHERE a.id = n.id AND a.exhibitor_id = $4)
        OR EXISTS (SELECT 1 FROM conversation c
                   WHERE c.buyer_id = n.id AND c.exhibitor_id = $4
                     AND ($6 OR EXISTS (SELECT 1 FROM participant p
                                 WHERE p.conversation_id = c.id AND p.account_id = $5 AND p.readable_to IS NULL)))
    ELSE n.id = $4
END;

-- name: fair_of
-- An account's fair and its capability differences.
SELECT f.id, f.capabilities FROM account a JOIN fair f ON f.id = a.fair_id WHERE a.id = $1;
