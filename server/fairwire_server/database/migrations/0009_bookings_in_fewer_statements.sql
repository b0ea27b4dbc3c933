-- A batch of requests for slots in fewer statements: while everybody books, the way to the database and back is most of what a batch
-- costs. Functions, because each statement in one sees what was committed while the one before it waited for locks.

-- The accounts of exhibitors, what their fair's table says of them (A7), and what decides the channels of their notices (N1, N9): arrays
-- in the order of meetings/members.py.
CREATE FUNCTION teams(exhibitors uuid[]) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT json_agg(json_build_array(a.id, a.exhibitor_id, a.kind, a.state, f.capabilities, e.domicile,
            a.email_verified_at IS NOT NULL AND a.email IS NOT NULL, a.mobile_verified_at IS NOT NULL AND a.mobile IS NOT NULL,
            coalesce(a.mobile LIKE '+86%', false), p.channels, coalesce(p.reminders_by_mail, true)))
        FROM account a JOIN exhibitor e ON e.id = a.exhibitor_id JOIN fair f ON f.id = a.fair_id
        LEFT JOIN notice_preference p ON p.account_id = a.id
        WHERE a.exhibitor_id = ANY (exhibitors) AND a.state <> 'removed');
END
$$;

-- Locks a batch's slots and then its buyers, each by ascending id (M4), and reads, in one answer, everything that the batch is decided on:
-- the buyers' sessions as they are now (A6); for each request, in their order, what its cid has made already (W7), whether the buyer has
-- another meeting then (M4), its chat with the exhibitor, its place in the slot's line (M13); the slots and what uses their seats (M2, M7,
-- M13); the exhibitors' teams. Arrays in the order of meetings/request_store.py.
-- No slot is longer than eight hours: that keeps the look for overlaps within a few entries of an ordinary index (NOT IN, so that the
-- planner does not take the constraint's, which is twenty times slower at this; ORDER BY, so that it takes the one by time). LIMIT 1 keeps
-- it from planning, as long as the tables are small, to read them whole, and so do, for the rest of the transaction, the settings of
-- `by_index`.
CREATE FUNCTION request_facts(
    asking_sessions uuid[], asking_buyers uuid[], sent_cids uuid[], wanted_slots uuid[], instant timestamptz
) RETURNS TABLE (callers json, items json, slots json, team json) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true);
    PERFORM FROM slot s WHERE s.id = ANY (wanted_slots) ORDER BY s.id FOR NO KEY UPDATE;
    PERFORM FROM account a WHERE a.id = ANY (asking_buyers) ORDER BY a.id FOR NO KEY UPDATE;
    RETURN QUERY SELECT
        (SELECT json_agg(json_build_array(s.id, v.id, v.kind, v.state, v.name, s.revoked_at IS NOT NULL OR s.expires_at <= instant,
             coalesce(v.silenced_until > instant, false), coalesce(b.complete, true)))
         FROM session s JOIN account v ON v.id = s.account_id LEFT JOIN buyer b ON b.account_id = v.id
         WHERE s.id = ANY (asking_sessions)),
        (SELECT json_agg(json_build_array(k.id, encode(k.fingerprint, 'hex'), k.conversation_id, k.requested_at,
             m.taken IS NOT NULL OR r.taken IS NOT NULL, o.busy IS NOT NULL, c.id, coalesce(c.blocked, false), p.offered) ORDER BY n.number)
         FROM unnest(asking_buyers, sent_cids, wanted_slots) WITH ORDINALITY AS n (buyer, cid, slot, number)
         LEFT JOIN LATERAL (
             SELECT v.exhibitor_id, v.starts_at, v.ends_at FROM slot v WHERE v.id = n.slot LIMIT 1) l ON true
         LEFT JOIN LATERAL (
             SELECT v.id, v.fingerprint, v.conversation_id, v.requested_at
             FROM booking v WHERE v.buyer_id = n.buyer AND v.cid = n.cid LIMIT 1) k ON true
         LEFT JOIN LATERAL (
             SELECT true AS taken FROM message v WHERE v.sender_id = n.buyer AND v.cid = n.cid LIMIT 1) m ON true
         LEFT JOIN LATERAL (
             SELECT true AS taken FROM command_result v WHERE v.account_id = n.buyer AND v.cid = n.cid LIMIT 1) r ON true
         LEFT JOIN LATERAL (
             SELECT true AS busy FROM booking v
             WHERE v.buyer_id = n.buyer AND v.state NOT IN ('rejected', 'cancelled')
               AND v.starts_at > l.starts_at - interval '8 hours' AND v.starts_at < l.ends_at AND v.ends_at > l.starts_at
             ORDER BY v.starts_at LIMIT 1) o ON true
         LEFT JOIN LATERAL (
             SELECT v.id, v.blocked_by_buyer OR v.blocked_by_team AS blocked
             FROM conversation v WHERE v.buyer_id = n.buyer AND v.exhibitor_id = l.exhibitor_id LIMIT 1) c ON true
         LEFT JOIN LATERAL (
             SELECT coalesce(v.expires_at > instant, false) AS offered
             FROM place v WHERE v.slot_id = n.slot AND v.buyer_id = n.buyer AND v.outcome IS NULL LIMIT 1) p ON true),
        (SELECT json_agg(json_build_array(s.id, s.fair_id, s.exhibitor_id, s.starts_at, s.ends_at, s.withdrawn_at IS NOT NULL,
             coalesce((f.settings ->> 'receivers_only')::boolean, false), b.pending, b.assigned, p.proposed, w.offered, w.waiting))
         FROM slot s JOIN fair f ON f.id = s.fair_id
         CROSS JOIN LATERAL (
             SELECT count(*) FILTER (WHERE v.state = 'pending') AS pending, count(*) FILTER (WHERE v.state = 'assigned') AS assigned
             FROM booking v WHERE v.slot_id = s.id) b
         CROSS JOIN LATERAL (
             SELECT count(*) AS proposed FROM proposal v WHERE v.slot_id = s.id AND v.outcome IS NULL AND v.expires_at > instant) p
         CROSS JOIN LATERAL (
             SELECT count(*) FILTER (WHERE v.expires_at > instant) AS offered, count(*) FILTER (WHERE v.offered_at IS NULL) AS waiting
             FROM place v WHERE v.slot_id = s.id AND v.outcome IS NULL) w
         WHERE s.id = ANY (wanted_slots)),
        teams(ARRAY(SELECT DISTINCT s.exhibitor_id FROM slot s WHERE s.id = ANY (wanted_slots)));
END
$$;

-- A booking as everybody sees it who may (W5): an array in the order of `BookingRow` (meetings/shapes.py).
CREATE FUNCTION booking_row_json(b booking_full) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_array(b.id, b.slot_id, b.conversation_id, b.exhibitor_id, b.name_zh, b.name_en, b.buyer_id, b.buyer_name, b.country,
        b.interests, b.avatar, b.state, b.starts_at, b.ends_at, b.topic, b.card, b.receiver_id, b.receiver_name, b.reason, b.ended_by,
        b.proposal_id, b.proposal_slot, b.proposal_starts_at, b.proposal_ends_at, b.proposal_side, b.proposal_by, b.proposal_by_name,
        b.proposal_note, b.proposal_expires_at, b.room_number, b.time_revision, b.assignment, b.buyer_attendance, b.team_attendance,
        b.requested_at, b.changed_at)
$$;

-- Bookings that were granted, pending; the exclusion constraint has the last word on overlaps (M4). Then locks their conversations by
-- ascending id, as `lock_conversations` does, and answers these and the bookings as they are shown.
CREATE FUNCTION make_bookings(
    ids uuid[], buyers uuid[], slots uuid[], conversations uuid[], topics text[], cards jsonb[], cids uuid[], fingerprints bytea[],
    instant timestamptz
) RETURNS TABLE (locked json, shown json) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO booking (id, fair_id, exhibitor_id, buyer_id, slot_id, conversation_id, starts_at, ends_at, state, topic, card, cid,
                         fingerprint, requested_at, changed_at)
    SELECT n.id, s.fair_id, s.exhibitor_id, n.buyer, s.id, n.conversation, s.starts_at, s.ends_at, 'pending', n.topic, n.card, n.cid,
           n.fingerprint, instant, instant
    FROM unnest(ids, buyers, slots, conversations, topics, cards, cids, fingerprints)
        AS n (id, buyer, slot, conversation, topic, card, cid, fingerprint)
    JOIN slot s ON s.id = n.slot;
    PERFORM FROM conversation c WHERE c.id = ANY (conversations) ORDER BY c.id FOR NO KEY UPDATE;
    RETURN QUERY SELECT
        (SELECT json_agg(json_build_object('buyer_last_pos', b.last_pos, 'holder_last_pos', h.last_pos, 'conversation',
             json_build_object('id', c.id, 'fair', c.fair_id, 'exhibitor', c.exhibitor_id, 'buyer', c.buyer_id, 'holder', c.holder_id,
                 'last_seq', c.last_seq, 'open', c.open, 'opened_at', c.opened_at, 'unanswered_since', c.unanswered_since,
                 'waiting_since', c.waiting_since, 'blocked_by_buyer', c.blocked_by_buyer, 'blocked_by_team', c.blocked_by_team)))
         FROM conversation c
         LEFT JOIN participant b ON b.conversation_id = c.id AND b.account_id = c.buyer_id
         LEFT JOIN participant h ON h.conversation_id = c.id AND h.account_id = c.holder_id
         WHERE c.id = ANY (conversations)),
        (SELECT json_agg(booking_row_json(f))
         FROM unnest(ids) AS n (id) CROSS JOIN LATERAL (SELECT * FROM booking_full b WHERE b.id = n.id OFFSET 0) f);
END
$$;
