-- Notices: planned in the transaction of what they tell, claimed by due time, ended in a named state (N1–N10).

-- name: addressees
-- What decides the channels of these accounts: exhibitor's domicile or buyer's country, verified addresses, preferences (N1, A8, N9).
SELECT a.id, e.domicile, b.country, a.email_verified_at IS NOT NULL AND a.email IS NOT NULL AS email,
       a.mobile_verified_at IS NOT NULL AND a.mobile IS NOT NULL AS mobile, a.mobile LIKE '+86%' AS domestic_number,
       p.channels, coalesce(p.reminders_by_mail, true) AS reminders_by_mail
FROM account a
LEFT JOIN exhibitor e ON e.id = a.exhibitor_id
LEFT JOIN buyer b ON b.account_id = a.id
LEFT JOIN notice_preference p ON p.account_id = a.id
WHERE a.id = ANY ($1::uuid[]);

-- name: plan
-- N4: once for each key. One that was withdrawn comes back when it is planned again; one that has left never does.
INSERT INTO notice AS n (id, fair_id, subject, subject_id, kind, recipient_id, side, channel, time_revision, assignment, offset_s,
                         priority, due_at, wanted_at, useless_at, state, reason, instead_of, created_at, ended_at)
SELECT w.id, w.fair_id, w.subject, w.subject_id, w.kind, w.recipient_id, w.side, w.channel, w.time_revision, w.assignment, w.offset_s,
       w.priority, w.due_at, w.due_at, w.useless_at, w.state, w.reason, w.instead_of, $18,
       CASE w.state WHEN 'planned' THEN NULL ELSE $18::timestamptz END
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::int[], $10::int[],
            $11::int[], $12::int[], $13::timestamptz[], $14::timestamptz[], $15::text[], $16::text[], $17::uuid[])
    AS w (id, fair_id, subject, subject_id, kind, recipient_id, side, channel, time_revision, assignment, offset_s, priority, due_at,
          useless_at, state, reason, instead_of)
ON CONFLICT ON CONSTRAINT notice_once DO UPDATE
SET state = 'planned', reason = NULL, ended_at = NULL, due_at = excluded.due_at, wanted_at = excluded.wanted_at,
    useless_at = excluded.useless_at
WHERE n.state = 'skipped' AND excluded.state = 'planned';

-- name: withdraw
-- N2: what was planned of these subjects under other counters, or at all where the subject asks for nothing any more ($3 is null).
UPDATE notice n SET state = 'skipped', reason = w.reason, ended_at = $5
FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[]) AS w (subject_id, reason, time_revision, assignment)
WHERE n.subject_id = w.subject_id AND n.state = 'planned'
  AND (w.time_revision IS NULL OR n.time_revision <> w.time_revision OR (n.side = 'team' AND n.assignment <> w.assignment));

-- name: under_way
-- Until when something of these subjects may still leave that is being handed to a provider: whoever takes it back waits for the
-- outcome or for that instant (N4).
SELECT max(lease_until) FROM notice WHERE subject_id = ANY ($1::uuid[]) AND state = 'claimed';
