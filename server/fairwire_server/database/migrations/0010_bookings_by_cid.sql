-- A request's cid is looked for in the index of cids. Planned while there were hardly any bookings, `cid = n.cid` was looked for among all
-- of the buyer's: any of its indexes seemed as good, and the plan is kept. An order by cid is what only the right one has.
CREATE OR REPLACE FUNCTION request_facts(
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
             FROM booking v WHERE v.buyer_id = n.buyer AND v.cid >= n.cid AND v.cid <= n.cid ORDER BY v.cid LIMIT 1) k ON true
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
