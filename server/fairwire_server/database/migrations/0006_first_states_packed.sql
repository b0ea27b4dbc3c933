-- First states are hundreds of contacts and messages. PostgreSQL writes them as MessagePack, the codec of nearly every client, so that the
-- server sends what it gets; as JSON they cost it ten times as much to read and write again as to send. `\2xx` and the like are the
-- bytes that say what follows (the format's own table is short); integers and texts have one width each, whatever their size.

CREATE FUNCTION packed(t text) RETURNS bytea LANGUAGE sql STABLE AS $$ SELECT '\333'::bytea || int4send(octet_length(t)) || textsend(t) $$;
CREATE FUNCTION packed(i integer) RETURNS bytea LANGUAGE sql STABLE AS $$ SELECT '\316'::bytea || int4send(i) $$;
CREATE FUNCTION packed(i bigint) RETURNS bytea LANGUAGE sql STABLE AS $$ SELECT '\317'::bytea || int8send(i) $$;
CREATE FUNCTION packed(id uuid) RETURNS bytea LANGUAGE sql STABLE AS $$ SELECT '\331$'::bytea || textsend(id::text) $$;

-- An instant in milliseconds since 1970. Microseconds of our time are whole numbers to a float, the seconds they are written as are not.
CREATE FUNCTION packed(instant timestamptz) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT '\317'::bytea || int8send(round(date_part('epoch', instant) * 1000000)::bigint / 1000)
$$;

-- An array's items, each packed already.
CREATE FUNCTION packed_array(count bigint, items bytea) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT '\335'::bytea || int4send(count::integer) || coalesce(items, '')
$$;

-- A text that has not been recalled, which looks alike to everybody (C8, C12): a `Message` of the wire. Nil for any other message.
CREATE FUNCTION packed(m message, sender_name text) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN m.kind = 'text' AND m.recalled_at IS NULL THEN
        ('\210\254conversation'::bytea || packed(m.conversation_id) || '\243seq' || packed(m.seq)
            || CASE m.side WHEN 'buyer' THEN '\244kind\244text\244side\245buyer\242ts'::bytea ELSE '\244kind\244text\244side\244team\242ts' END
            || packed(m.at) || '\246sender\202\242id' || packed(m.sender_id) || '\244name' || packed(sender_name))
        || ('\244text'::bytea || packed(m.text) || '\243cid' || packed(m.cid))
    ELSE '\300' END
$$;
