-- Entries and messages of lists and first states travel as columns: building JSON cost more than finding the rows, and reading it
-- cost the server a third of what a connection takes. `entry_rows` and `message_array` stay for nodes that still run the version before.

-- The entry of one conversation for one viewer, which contacts/entries.py turns into what the viewer may see (K1, K2, C9); the order is
-- that of `EntryRow`. One place, because the first state, lists, search and events must agree to the letter (W5).
CREATE FUNCTION contact_entry(viewer uuid, conversation_id uuid) RETURNS TABLE (
    conversation uuid, last_seq integer, open boolean, waiting_since timestamptz, blocked_by_buyer boolean, blocked_by_team boolean,
    holder_id uuid, holder_name text, pos bigint, read_seq integer, received_seq integer, readable_to integer,
    pinned_at timestamptz, starred boolean,
    message_seq integer, message_kind text, message_side text, sender_id uuid, sender_name text, message_text text, detail text,
    message_at timestamptz, recalled_at timestamptz, cid uuid, image_id uuid, image_kind text, width integer, height integer, bytes bigint,
    markers text[],
    exhibitor_id uuid, name_zh text, name_en text, vip boolean, brand boolean, domicile text, sections text[],
    buyer_id uuid, buyer_name text, country text, interests text[], avatar text, in_base boolean,
    email text, mobile text, role text, company text, profile text
) LANGUAGE sql STABLE AS $$
    SELECT c.id, c.last_seq, c.open, c.waiting_since, c.blocked_by_buyer, c.blocked_by_team,
        c.holder_id, h.name, coalesce(p.last_pos, 0), coalesce(p.read_seq, 0), coalesce(p.received_seq, 0), p.readable_to,
        k.pinned_at, k.starred_at IS NOT NULL,
        m.seq, m.kind, m.side, m.sender_id, s.name, m.text, m.detail::text,
        m.at, m.recalled_at, m.cid, i.id, i.kind, i.width, i.height, i.bytes,
        (SELECT array_agg(o.account_id::text || ' ' || o.received_seq || ' ' || o.read_seq) FROM participant o
         WHERE o.conversation_id = c.id AND o.account_id <> viewer AND o.received_seq > 0),
        e.id, e.name_zh, e.name_en, e.vip, e.brand, e.domicile,
        CASE WHEN e.id IS NOT NULL THEN
            (SELECT array_agg(x.section_id::text ORDER BY x.section_id) FROM exhibitor_section x WHERE x.exhibitor_id = e.id) END,
        a.id, a.name, b.country, b.interests, b.avatar, base.buyer_id IS NOT NULL,
        CASE WHEN base.buyer_id IS NOT NULL THEN a.email END, CASE WHEN base.buyer_id IS NOT NULL THEN a.mobile END,
        CASE WHEN base.buyer_id IS NOT NULL THEN b.role END,
        CASE WHEN base.buyer_id IS NOT NULL THEN (SELECT y.name FROM buyer_company y WHERE y.id = b.company_id) END,
        CASE WHEN base.buyer_id IS NOT NULL THEN b.profile::text END
    FROM conversation c
    JOIN account h ON h.id = c.holder_id
    LEFT JOIN participant p ON p.conversation_id = c.id AND p.account_id = viewer
    LEFT JOIN contact_mark k ON k.conversation_id = c.id AND k.account_id = viewer
    LEFT JOIN message m ON m.conversation_id = c.id AND m.seq = coalesce(p.readable_to, c.last_seq)
    LEFT JOIN account s ON s.id = m.sender_id
    LEFT JOIN image i ON i.id = m.image_id
    LEFT JOIN exhibitor e ON e.id = CASE WHEN c.buyer_id = viewer THEN c.exhibitor_id END
    LEFT JOIN account a ON a.id = c.buyer_id AND c.buyer_id <> viewer
    LEFT JOIN buyer b ON b.account_id = a.id
    LEFT JOIN customer base ON base.exhibitor_id = c.exhibitor_id AND base.buyer_id = a.id
    WHERE c.id = contact_entry.conversation_id
    OFFSET 0 -- so many joins are planned as they stand, from the one conversation on, whatever statement they are part of
$$;
