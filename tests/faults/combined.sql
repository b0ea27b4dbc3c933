-- name: unsettled
-- Notices that are due and have not ended.
SELECT count(*) FROM notice WHERE state = 'claimed' OR (state = 'planned' AND due_at <= clock_timestamp());

-- name: mails
-- The mails that bookings led to, each with what became of it.
SELECT id, subject_id, kind, state, maybe_duplicate FROM notice WHERE channel = 'email' AND offset_s IS NULL;

-- name: broken
-- Slots with more live bookings than the exhibitor has active accounts (M2), and accounts that receive two meetings at once (M4).
SELECT s.id FROM slot s JOIN booking b ON b.slot_id = s.id AND b.state IN ('pending', 'assigned')
GROUP BY s.id HAVING count(*) > (SELECT count(*) FROM account a WHERE a.exhibitor_id = s.exhibitor_id AND a.state = 'active')
UNION ALL
SELECT a.id FROM booking a JOIN booking b ON a.receiver_id = b.receiver_id AND a.id < b.id
WHERE a.state = 'assigned' AND b.state = 'assigned' AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at;
