-- name: insert_report
-- What a reader found wrong.
INSERT INTO report (id, fair_id, conversation_id, reporter_id, seqs, reason, at) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: organisers
-- Who is told of a report.
SELECT a.id FROM account a JOIN account_stream s ON s.account_id = a.id
WHERE a.fair_id = $1 AND a.kind = 'organiser' AND a.state = 'active';

-- name: reports
-- A page of a fair's reports, newest first.
SELECT id, conversation_id, reporter_id, cardinality(seqs) AS count, reason, at, closed_at FROM report
WHERE fair_id = $1 AND ($2 = 'all' OR closed_at IS NULL) AND ($3::timestamptz IS NULL OR (at, id) < ($3, $4))
ORDER BY at DESC, id DESC LIMIT $5;

-- name: report
-- One report of a fair.
SELECT id, conversation_id, reporter_id, cardinality(seqs) AS count, reason, at, closed_at FROM report
WHERE id = $1 AND fair_id = $2;

-- name: reported_messages
-- The messages that a report names, and no others (A4).
SELECT m.* FROM report r JOIN message_full m ON m.conversation_id = r.conversation_id AND m.seq = ANY (r.seqs)
WHERE r.id = $1 ORDER BY m.seq;

-- name: close_report
-- Done with; answers whether it was open.
UPDATE report SET closed_at = $3 WHERE id = $1 AND fair_id = $2 AND closed_at IS NULL RETURNING true;

-- name: keywords
-- A fair's keyword list (C18).
SELECT word, action FROM keyword WHERE fair_id = $1 ORDER BY word;

-- name: keyword_versions
-- What tells that a fair's list has changed.
SELECT fair_id, md5(string_agg(action || ' ' || word, E'\n' ORDER BY word)) AS version FROM keyword GROUP BY fair_id;

-- name: lock_fair
-- Two lists for one fair are written one after the other.
SELECT 1 FROM fair WHERE id = $1 FOR NO KEY UPDATE;

-- name: remove_keywords
-- Words that are not in the new list.
DELETE FROM keyword WHERE fair_id = $1 AND word NOT IN (SELECT unnest($2::text[]));

-- name: put_keywords
-- Words that are new in the list, or mean something else in it.
INSERT INTO keyword (fair_id, word, action) SELECT $1, * FROM unnest($2::text[], $3::text[])
ON CONFLICT (fair_id, word) DO UPDATE SET action = excluded.action WHERE keyword.action <> excluded.action;

-- name: figures
-- The fair right now, in one look.
SELECT f.id,
       (SELECT count(*) FROM exhibitor e WHERE e.fair_id = f.id) AS exhibitors,
       (SELECT count(*) FROM account a WHERE a.fair_id = f.id AND a.kind = 'buyer' AND a.state <> 'removed') AS buyers,
       c.conversations, c.open_chats, c.waiting_chats, c.messages,
       (SELECT count(*) FROM report r WHERE r.fair_id = f.id AND r.closed_at IS NULL) AS open_reports,
       (SELECT count(*) FROM message m JOIN conversation x ON x.id = m.conversation_id
        WHERE m.flagged AND x.fair_id = f.id) AS flagged_messages
FROM fair f
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE last_seq > 0) AS conversations, count(*) FILTER (WHERE open) AS open_chats,
           count(*) FILTER (WHERE open AND waiting_since IS NOT NULL) AS waiting_chats,
           coalesce(sum(last_seq), 0) AS messages
    FROM conversation WHERE fair_id = f.id
) c
WHERE f.id = $1;
