-- Whose exhibits are whose (A6, C6).

-- name: owned
-- What an account owns. By its exhibitor, since that is what the table is indexed by.
SELECT id FROM exhibit
WHERE exhibitor_id = (SELECT exhibitor_id FROM account WHERE id = $1) AND owner_id = $1
ORDER BY id;

-- name: hand_over
-- All of it to a colleague.
UPDATE exhibit SET owner_id = $2
WHERE exhibitor_id = (SELECT exhibitor_id FROM account WHERE id = $1) AND owner_id = $1;
