-- Conversations of the fair `bare`, a buyer with an exhibitor's main account each, as the server would have made them.
INSERT INTO conversation (id, fair_id, exhibitor_id, buyer_id, holder_id, open, opened_at, created_at)
SELECT gen_random_uuid(), f.id, m.exhibitor_id, b.id, m.id, true, now(), now()
FROM fair f
JOIN (SELECT *, row_number() OVER (ORDER BY id) AS n FROM account WHERE kind = 'buyer') b ON b.fair_id = f.id
JOIN (SELECT *, row_number() OVER (ORDER BY id) AS n FROM account WHERE kind = 'main') m ON m.fair_id = f.id AND m.n = b.n
WHERE f.code = 'bare';
INSERT INTO participant (conversation_id, account_id)
SELECT c.id, a.id FROM fair f JOIN conversation c ON c.fair_id = f.id, LATERAL (VALUES (c.buyer_id), (c.holder_id)) AS a (id)
WHERE f.code = 'bare';
