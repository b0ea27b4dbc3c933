-- name: frame
-- What slots of an exhibitor are decided by: its fair's zone and settings, the reader's own zone, its active accounts by kind (M2).
SELECT f.time_zone, f.settings, a.time_zone AS own_zone,
       (SELECT coalesce(json_object_agg(k.kind, k.accounts), '{}')
        FROM (SELECT t.kind, count(*) AS accounts FROM account t WHERE t.exhibitor_id = e.id AND t.state = 'active' GROUP BY t.kind) k
       ) AS active
FROM exhibitor e JOIN fair f ON f.id = e.fair_id JOIN account a ON a.id = $3
WHERE e.id = $1 AND e.fair_id = $2;

-- name: insert_slots
-- M1: planned slots of an exhibitor in one statement; whatever overlaps another is left out by the constraint, also one that is being
-- made at the same time. Answers those made.
INSERT INTO slot (id, fair_id, exhibitor_id, starts_at, ends_at, created_by, created_at)
SELECT n.id, $1, $2, n.starts_at, n.ends_at, $3, $4
FROM unnest($5::uuid[], $6::timestamptz[], $7::timestamptz[]) AS n (id, starts_at, ends_at)
ON CONFLICT ON CONSTRAINT slot_no_overlap DO NOTHING
RETURNING starts_at;

-- name: like_slots
-- Which of these spans are there already, to the minute.
SELECT s.starts_at FROM slot s
JOIN unnest($2::timestamptz[], $3::timestamptz[]) AS n (starts_at, ends_at) ON s.starts_at = n.starts_at AND s.ends_at = n.ends_at
WHERE s.exhibitor_id = $1 AND s.withdrawn_at IS NULL;

-- name: seats
-- What uses the seats of some slots, and who stands in line (M2, M7, M13); nothing of slots that nobody uses. $2 is
-- the present instant, after which a proposal or an offer holds nothing any more.
SELECT n.id, coalesce(b.pending, 0) AS pending, coalesce(b.assigned, 0) AS assigned, coalesce(b.ever, 0) AS ever,
       coalesce(p.proposed, 0) AS proposed, coalesce(w.offered, 0) AS offered, coalesce(w.waiting, 0) AS waiting
FROM unnest($1::uuid[]) AS n (id)
LEFT JOIN (
    SELECT slot_id, count(*) FILTER (WHERE state = 'pending') AS pending, count(*) FILTER (WHERE state = 'assigned') AS assigned,
           count(*) AS ever
    FROM booking WHERE slot_id = ANY ($1::uuid[]) GROUP BY slot_id) b ON b.slot_id = n.id
LEFT JOIN (
    SELECT slot_id, count(*) AS proposed FROM proposal
    WHERE slot_id = ANY ($1::uuid[]) AND outcome IS NULL AND expires_at > $2 GROUP BY slot_id) p ON p.slot_id = n.id
LEFT JOIN (
    SELECT slot_id, count(*) FILTER (WHERE expires_at > $2) AS offered, count(*) FILTER (WHERE offered_at IS NULL) AS waiting
    FROM place WHERE slot_id = ANY ($1::uuid[]) AND outcome IS NULL GROUP BY slot_id) w ON w.slot_id = n.id
WHERE b.ever > 0 OR p.proposed > 0 OR w.slot_id IS NOT NULL;

-- name: list_slots
-- M3: a page of an exhibitor's slots by time; two of them never start together.
SELECT id, starts_at, ends_at FROM slot
WHERE exhibitor_id = $1 AND withdrawn_at IS NULL
  AND starts_at >= coalesce($2, '-infinity'::timestamptz) AND starts_at < coalesce($3, 'infinity'::timestamptz)
  AND starts_at > coalesce($4, '-infinity'::timestamptz)
  AND CASE $5 WHEN 'not_started' THEN starts_at > $6 WHEN 'under_way' THEN starts_at <= $6 AND ends_at > $6
              WHEN 'ended' THEN ends_at <= $6 ELSE true END
ORDER BY starts_at LIMIT $7;

-- name: lock_slots
-- Slots are locked before anything else, by ascending id: capacity is decided under this lock (M4).
SELECT s.id, s.fair_id, s.exhibitor_id, s.starts_at, s.ends_at, s.withdrawn_at,
       coalesce((f.settings ->> 'receivers_only')::boolean, false) AS receivers_only
FROM slot s JOIN fair f ON f.id = s.fair_id WHERE s.id = ANY ($1::uuid[]) ORDER BY s.id FOR NO KEY UPDATE OF s;

-- name: lock_slot_whole
-- As lock_slots, one that may be deleted.
SELECT s.id, s.fair_id, s.exhibitor_id, s.starts_at, s.ends_at, s.withdrawn_at,
       coalesce((f.settings ->> 'receivers_only')::boolean, false) AS receivers_only
FROM slot s JOIN fair f ON f.id = s.fair_id WHERE s.id = $1 FOR UPDATE OF s;

-- name: move_slot
-- M3: another time for a slot that nobody has booked.
UPDATE slot SET starts_at = $2, ends_at = $3 WHERE id = $1;

-- name: withdraw_slot
-- M3: it goes from every list and stays in the database.
UPDATE slot SET withdrawn_at = $2 WHERE id = $1;

-- name: delete_slot
-- M3: nothing has ever referred to it.
DELETE FROM slot WHERE id = $1;

-- name: is_referred_to
-- Whether anything was ever booked, proposed or waited for here.
SELECT EXISTS (SELECT FROM booking WHERE slot_id = $1) OR EXISTS (SELECT FROM proposal WHERE slot_id = $1)
    OR EXISTS (SELECT FROM place WHERE slot_id = $1);
