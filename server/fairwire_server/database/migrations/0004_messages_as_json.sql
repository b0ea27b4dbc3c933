-- First states and replays are hundreds of messages. PostgreSQL writes the ordinary ones as the wire has them, in JSON, and the server
-- reads them in one go; a column for each value of each message had cost it ten times as much.

-- A text that has not been recalled, which looks alike to everybody (C8, C12): a `Message` of the wire. Null for any other message.
CREATE FUNCTION message_json(m message, sender_name text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN m.kind = 'text' AND m.recalled_at IS NULL THEN
        concat('{"conversation":"', m.conversation_id, '","seq":', m.seq, ',"kind":"text","side":"', m.side,
            '","ts":', floor(extract(epoch FROM m.at) * 1000), ',"sender":{"id":"', m.sender_id, '","name":', to_json(sender_name),
            '},"text":', to_json(m.text), ',"cid":"', m.cid, '"}')
    END
$$;

-- Any message, for streams/messages.py to decide what each side sees of it: an array in the order of `MessageRow`.
CREATE FUNCTION message_row_json(m message_full) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_build_array(m.conversation_id, m.seq, m.kind, m.side, m.sender_id, m.sender_name, m.text, m.detail::text, m.message_at,
        m.recalled_at, m.cid, m.image_id, m.image_kind, m.width, m.height, m.bytes)::text
$$;
