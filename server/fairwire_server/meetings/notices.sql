-- What notices of meetings are decided and worded from.

-- name: team_of
-- Active accounts of exhibitors with their fair's table: who of them assigns bookings is told of requests (N10, A7).
SELECT a.id, a.exhibitor_id, a.kind, f.capabilities
FROM account a JOIN fair f ON f.id = a.fair_id
WHERE a.exhibitor_id = ANY ($1::uuid[]) AND a.state = 'active'
ORDER BY a.id;
