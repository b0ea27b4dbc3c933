-- The embedded default's outbox page.

-- name: keep_letter
-- As it would have left.
INSERT INTO outbox_mail (id, recipient, subject, text, at) VALUES ($1, $2, $3, $4, $5);

-- name: forget_letters
-- The page shows the newest ones; older ones would only fill the disk of a demo that runs for ever.
DELETE FROM outbox_mail WHERE id < (SELECT id FROM outbox_mail ORDER BY id DESC OFFSET $1 LIMIT 1);

-- name: newest_letters
-- For the page.
SELECT id, recipient, subject, text, at FROM outbox_mail ORDER BY id DESC LIMIT $1;
