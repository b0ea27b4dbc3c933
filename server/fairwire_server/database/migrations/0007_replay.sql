-- What a resume and a refill replay, said once for the statement of one account and the statement of many that come at the same time. Both
-- functions are set-returning, one SELECT and STABLE, so that the planner puts them in the place of their call.

-- The events of an account's stream after a position, at most so many, as JSON in the shape of `Logged`, and when the first of them was (W6).
-- Messages are rendered from their rows, so that a recalled one is empty here too (C12).
CREATE FUNCTION account_log(reader uuid, after bigint, most bigint) RETURNS TABLE (own_from timestamptz, own text) LANGUAGE sql STABLE AS $$
    SELECT min(e.at) AS own_from, concat('[', string_agg(concat('{"pos":', e.pos,
            CASE WHEN e.type <> 'message' THEN concat(',"type":"', e.type, '"') END,
            ',"body":"' || translate(encode(e.body, 'base64'), E'\n', '') || '"',
            ',"message":' || message_json(m, s.name),
            CASE WHEN m.kind <> 'text' OR m.recalled_at IS NOT NULL THEN concat(',"row":', (
                SELECT message_row_json(f) FROM message_full f WHERE f.conversation_id = m.conversation_id AND f.seq = m.seq)) END,
            '}'), ',' ORDER BY e.pos), ']') AS own
    FROM (
        SELECT * FROM account_event l WHERE l.account_id = reader AND l.pos > after ORDER BY l.pos LIMIT most
    ) e
    LEFT JOIN message m ON e.type = 'message' AND m.conversation_id = e.conversation_id AND m.seq = e.seq
    LEFT JOIN account s ON s.id = m.sender_id
$$;

-- The same of a fair's stream, between two positions.
CREATE FUNCTION fair_log(of_fair uuid, after bigint, top bigint) RETURNS TABLE (shared_from timestamptz, shared text) LANGUAGE sql STABLE AS $$
    SELECT min(e.at) AS shared_from, concat('[', string_agg(
        concat('{"pos":', e.pos, ',"type":"announcement","body":"', translate(encode(e.body, 'base64'), E'\n', ''), '"}'), ',' ORDER BY e.pos), ']') AS shared
    FROM fair_event e WHERE e.fair_id = of_fair AND e.pos > after AND e.pos <= top
$$;
