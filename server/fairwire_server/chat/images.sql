-- name: room
-- What an account's images take.
SELECT image_bytes FROM account WHERE id = $1;

-- name: take_room
-- Counts an image against the quota $3, or answers nothing when it does not fit; uploads of one account wait for each other here.
UPDATE account SET image_bytes = image_bytes + $2 WHERE id = $1 AND image_bytes + $2 <= $3 RETURNING true;

-- name: insert_image
-- An image that no message shows yet.
INSERT INTO image (id, fair_id, owner_id, kind, width, height, bytes, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: image
-- What decides who may see it, before its messages are looked at.
SELECT fair_id, owner_id, kind, sent_at IS NULL AND gone_at IS NULL AS unsent FROM image WHERE id = $1;

-- name: showings
-- Messages that show an image in conversations of a buyer or of an exhibitor, with one account's relation to each (C9).
SELECT m.seq, c.id, c.fair_id, c.exhibitor_id, c.buyer_id, c.holder_id, c.last_seq, p.account_id IS NOT NULL AS participates,
       p.readable_to
FROM message m
JOIN conversation c ON c.id = m.conversation_id
LEFT JOIN participant p ON p.conversation_id = c.id AND p.account_id = $2
WHERE m.image_id = $1 AND m.recalled_at IS NULL AND (c.buyer_id = $2 OR c.exhibitor_id = $3);

-- name: report_of_image
-- A report of the fair that names a message with the image (A4).
SELECT r.id FROM message m
JOIN report r ON r.conversation_id = m.conversation_id AND m.seq = ANY (r.seqs)
WHERE m.image_id = $1 AND m.recalled_at IS NULL AND r.fair_id = $2
ORDER BY r.at LIMIT 1;

-- name: give_up_unsent
-- What was uploaded before an instant and never sent. It cannot be sent from here on.
UPDATE image SET gone_at = $1
WHERE id IN (
    SELECT id FROM image WHERE sent_at IS NULL AND gone_at IS NULL AND created_at < $2 ORDER BY created_at LIMIT 500
    FOR UPDATE SKIP LOCKED
);

-- name: keep_shown
-- What was recalled in one message and is shown by another.
UPDATE image i SET gone_at = NULL
WHERE i.gone_at <= $1 AND EXISTS (SELECT FROM message m WHERE m.image_id = i.id);

-- name: gone
-- Images to delete: gone for so long that no transaction can still be about to show them.
SELECT id FROM image i WHERE i.gone_at <= $1 AND NOT EXISTS (SELECT FROM message m WHERE m.image_id = i.id)
ORDER BY i.gone_at LIMIT $2;

-- name: forget_image
-- The image is deleted; what it took is given back.
WITH forgotten AS (
    DELETE FROM image i WHERE i.id = $1 AND NOT EXISTS (SELECT FROM message m WHERE m.image_id = i.id) RETURNING i.owner_id, i.bytes
)
UPDATE account a SET image_bytes = greatest(0, a.image_bytes - forgotten.bytes) FROM forgotten WHERE a.id = forgotten.owner_id;
