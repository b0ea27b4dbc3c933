-- The embedded default's outbox page.

-- name: keep_email
-- A mail as it would have left.
INSERT INTO outbox_mail (id, at, recipient, subject, text, language, html, calendar, calendar_method, unsubscribe)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: keep_sms
-- A short message as it would have left, with its segments.
INSERT INTO outbox_sms (id, at, recipient, text, language, template, encoding, segments)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: forget_email
-- The page shows the newest ones; older ones would only fill the disk of a demo that runs for ever.
DELETE FROM outbox_mail WHERE id < (SELECT id FROM outbox_mail ORDER BY id DESC OFFSET $1 LIMIT 1);

-- name: forget_sms
-- As for mails.
DELETE FROM outbox_sms WHERE id < (SELECT id FROM outbox_sms ORDER BY id DESC OFFSET $1 LIMIT 1);

-- name: newest_parcels
-- For the page: both kinds in the order in which they left.
SELECT 'email' AS kind, id, recipient, at, text, subject, language, html, calendar, calendar_method, unsubscribe,
       '' AS template, '' AS encoding, NULL::text[] AS segments
FROM (SELECT * FROM outbox_mail ORDER BY id DESC LIMIT $1) AS mail
UNION ALL
SELECT 'sms', id, recipient, at, text, '', language, NULL, NULL, NULL, NULL, template, encoding, segments
FROM (SELECT * FROM outbox_sms ORDER BY id DESC LIMIT $1) AS sms
ORDER BY id DESC
LIMIT $1;

-- name: find_parcel
-- One of them, for its own page.
SELECT 'email' AS kind, id, recipient, at, text, subject, language, html, calendar, calendar_method, unsubscribe,
       '' AS template, '' AS encoding, NULL::text[] AS segments
FROM outbox_mail
WHERE id = $1
UNION ALL
SELECT 'sms', id, recipient, at, text, '', language, NULL, NULL, NULL, NULL, template, encoding, segments
FROM outbox_sms
WHERE id = $1;
