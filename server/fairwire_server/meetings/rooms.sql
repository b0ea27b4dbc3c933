-- name: own_invitations
-- The links that notices carry: of each (booking, side) asked for, its own one that holds (M9).
SELECT i.id, i.booking_id, i.side
FROM unnest($1::uuid[], $2::text[]) AS n (booking_id, side)
JOIN invitation i ON i.booking_id = n.booking_id AND i.side = n.side AND i.by_id IS NULL AND i.revoked_at IS NULL;

-- name: insert_own_invitations
-- New ones of the same kind; one that was made in between stays.
INSERT INTO invitation (id, booking_id, side, at)
SELECT n.id, n.booking_id, n.side, $4 FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS n (id, booking_id, side)
ON CONFLICT (booking_id, side) WHERE by_id IS NULL AND revoked_at IS NULL DO NOTHING;
