-- A batch of messages in fewer statements: on a busy machine the way to the database and back is most of what a message waits for.
-- Functions, because each statement in one sees what was committed while the one before it waited for locks.

-- Locks conversations by ascending id, as `lock_conversations` does, and then reads, in one answer, everything that a batch of messages
-- is decided on (A6, W7): the conversations, senders' sessions and accounts, the exhibitors' teams, earlier messages of the same cids,
-- images to be sent. Facts are arrays in the order of chat/records.py.
CREATE FUNCTION message_facts(
    conversation_ids uuid[], session_ids uuid[], sender_ids uuid[], sent_cids uuid[], image_ids uuid[], instant timestamptz
) RETURNS TABLE (conversations json, senders json, team json, earlier json, images json) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM conversation c WHERE c.id = ANY (conversation_ids) ORDER BY c.id FOR NO KEY UPDATE;
    RETURN QUERY SELECT
        (SELECT json_agg(json_build_object('buyer_last_pos', b.last_pos, 'holder_last_pos', h.last_pos, 'conversation',
             json_build_object('id', c.id, 'fair', c.fair_id, 'exhibitor', c.exhibitor_id, 'buyer', c.buyer_id, 'holder', c.holder_id,
                 'last_seq', c.last_seq, 'open', c.open, 'opened_at', c.opened_at, 'unanswered_since', c.unanswered_since,
                 'waiting_since', c.waiting_since, 'blocked_by_buyer', c.blocked_by_buyer, 'blocked_by_team', c.blocked_by_team)))
         FROM conversation c
         LEFT JOIN participant b ON b.conversation_id = c.id AND b.account_id = c.buyer_id
         LEFT JOIN participant h ON h.conversation_id = c.id AND h.account_id = c.holder_id
         WHERE c.id = ANY (conversation_ids)),
        (SELECT json_agg(json_build_array(s.id, a.id, a.kind, a.state, a.name, s.revoked_at IS NOT NULL OR s.expires_at <= instant,
             coalesce(a.silenced_until > instant, false), coalesce(b.complete, true)))
         FROM session s JOIN account a ON a.id = s.account_id LEFT JOIN buyer b ON b.account_id = a.id
         WHERE s.id = ANY (session_ids)),
        (SELECT json_agg(json_build_array(a.id, a.exhibitor_id, a.kind, a.state, a.name))
         FROM account a
         WHERE a.state <> 'removed' AND a.exhibitor_id = ANY (ARRAY(
             SELECT c.exhibitor_id FROM conversation c WHERE c.id = ANY (conversation_ids)))),
        (SELECT json_agg(json_build_array(e.sender_id, e.cid, e.conversation_id, e.seq, e.kind, encode(e.fingerprint, 'hex'), e.at))
         FROM unnest(sender_ids, sent_cids) AS n (sender, cid)
         CROSS JOIN LATERAL (
            SELECT m.sender_id, m.cid, m.conversation_id, m.seq, m.kind, m.fingerprint, m.at
            FROM message m WHERE m.sender_id = n.sender AND m.cid = n.cid
            UNION ALL -- another command of this cid: equal to no message
            SELECT r.account_id, r.cid, r.account_id, 0, r.operation, NULL, r.created_at
            FROM command_result r WHERE r.account_id = n.sender AND r.cid = n.cid
            UNION ALL
            SELECT k.buyer_id, k.cid, k.buyer_id, 0, 'booking', NULL, k.requested_at
            FROM booking k WHERE k.buyer_id = n.sender AND k.cid = n.cid) e),
        (SELECT json_agg(json_build_array(i.id, i.owner_id, i.kind, i.width, i.height, i.bytes))
         FROM image i WHERE i.id = ANY (image_ids)
           AND (i.gone_at IS NULL OR EXISTS (SELECT FROM message m WHERE m.image_id = i.id)));
END
$$;

-- The events of one transaction, at the positions it reserved (W4): for a statement that writes them together with what they tell of.
CREATE FUNCTION append_events(
    accounts uuid[], positions bigint[], types text[], conversations uuid[], seqs integer[], bodies bytea[], instant timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO account_event (account_id, pos, type, conversation_id, seq, body, at)
    SELECT n.account_id, n.pos, n.type, n.conversation_id, n.seq, n.body, instant
    FROM unnest(accounts, positions, types, conversations, seqs, bodies) AS n (account_id, pos, type, conversation_id, seq, body);
END
$$;
