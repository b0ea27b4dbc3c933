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
-- N4: once for each key. One that was withdrawn comes back when it is planned again; one that has left never does. What $19 tells in
-- this very transaction is sent, by its first attempt.
WITH w AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::int[],
                         $10::int[], $11::int[], $12::int[], $13::timestamptz[], $14::timestamptz[], $15::text[], $16::text[], $17::uuid[])
        AS w (id, fair_id, subject, subject_id, kind, recipient_id, side, channel, time_revision, assignment, offset_s, priority, due_at,
              useless_at, state, reason, instead_of)
), attempt AS (
    INSERT INTO notice_attempt (notice_id, number, provider, worker, at, ended_at, outcome)
    SELECT w.id, 1, 'in_app', $19, $18, $18, 'sent' FROM w WHERE w.state = 'sent'
)
INSERT INTO notice AS n (id, fair_id, subject, subject_id, kind, recipient_id, side, channel, time_revision, assignment, offset_s,
                         priority, due_at, wanted_at, useless_at, state, reason, instead_of, created_at, ended_at, attempts)
SELECT w.id, w.fair_id, w.subject, w.subject_id, w.kind, w.recipient_id, w.side, w.channel, w.time_revision, w.assignment, w.offset_s,
       w.priority, w.due_at, w.due_at, w.useless_at, w.state, w.reason, w.instead_of, $18,
       CASE w.state WHEN 'planned' THEN NULL ELSE $18::timestamptz END, CASE w.state WHEN 'sent' THEN 1 ELSE 0 END
FROM w
ON CONFLICT ON CONSTRAINT notice_once DO UPDATE
SET state = 'planned', reason = NULL, ended_at = NULL, due_at = excluded.due_at, wanted_at = excluded.wanted_at,
    useless_at = excluded.useless_at
WHERE n.state = 'skipped' AND excluded.state = 'planned';

-- name: withdraw
-- N2: what was planned of these subjects under other counters, or at all where the subject asks for nothing any more (no counters). What a
-- worker is just claiming is passed by: waiting for it here would keep its row locked, and its outcome could never be written.
WITH over AS (
    SELECT n.id, w.reason
    FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[]) AS w (subject_id, reason, time_revision, assignment)
    JOIN notice n ON n.subject_id = w.subject_id
    WHERE n.state = 'planned'
      AND (w.time_revision IS NULL OR n.time_revision <> w.time_revision OR (n.side = 'team' AND n.assignment <> w.assignment))
    FOR NO KEY UPDATE OF n SKIP LOCKED
)
UPDATE notice n SET state = 'skipped', reason = over.reason, ended_at = $5 FROM over WHERE n.id = over.id;

-- name: under_way
-- Whether some of that is just being claimed, and until when something of these subjects may still leave that was claimed: whoever takes
-- it back waits for the outcome, or for that instant (N4).
SELECT coalesce(bool_or(n.state = 'planned'), false) AS being_claimed, max(n.lease_until) AS lease_until,
       count(DISTINCT n.id) FILTER (WHERE n.state = 'claimed') AS claimed
FROM unnest($1::uuid[], $2::int[], $3::int[]) AS w (subject_id, time_revision, assignment)
JOIN notice n ON n.subject_id = w.subject_id
WHERE n.state = 'claimed'
   OR (n.state = 'planned'
       AND (w.time_revision IS NULL OR n.time_revision <> w.time_revision OR (n.side = 'team' AND n.assignment <> w.assignment)));

-- name: keep_lapsed
-- Claims of these subjects whose lease is over by $2, kept as they are until this transaction ends: a sweeper that gave one up meanwhile
-- would plan it anew, and a worker could claim it before the change is there to be seen (N4). What a sweeper already has is passed by.
SELECT id FROM notice WHERE subject_id = ANY ($1::uuid[]) AND state = 'claimed' AND lease_until <= $2 FOR NO KEY UPDATE SKIP LOCKED;

-- name: keep_provider
-- A provider as this process knows it; its rate is the operator's to change by its settings.
INSERT INTO provider (name, channel, rate, free_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET channel = excluded.channel, rate = excluded.rate
WHERE (provider.channel, provider.rate) IS DISTINCT FROM (excluded.channel, excluded.rate);

-- name: earliest
-- When the next one of each channel and priority falls due, so that a worker sleeps until then and not shorter (N5).
SELECT c.channel, p.priority, n.due_at
FROM unnest(ARRAY['in_app', 'email', 'sms']) AS c (channel)
CROSS JOIN generate_series(0, 2) AS p (priority)
CROSS JOIN LATERAL (
    SELECT due_at FROM notice WHERE state = 'planned' AND channel = c.channel AND priority = p.priority ORDER BY due_at LIMIT 1
) n;

-- name: lock_provider
-- What it takes now, held until the claim is committed, so that workers share its rate (N5). Other providers' rows stay free.
SELECT rate, free_at, paused_until FROM provider WHERE name = $1 FOR UPDATE;

-- name: due
-- Due notices of one channel and priority, which other workers then pass by (N5). Useless ones are ended elsewhere.
SELECT id, fair_id, subject, subject_id, kind, recipient_id, side, channel, time_revision, assignment, due_at, useless_at, attempts,
       maybe_duplicate
FROM notice
WHERE state = 'planned' AND channel = $1 AND priority = $2 AND due_at <= $3 AND useless_at > $3
ORDER BY due_at
LIMIT $4
FOR NO KEY UPDATE SKIP LOCKED;

-- name: recipients
-- Those who are told, as they are in this transaction: language, zone, verified addresses, quiet hours (A8, N8, N9).
SELECT a.id, a.name, a.state = 'active' AS active, a.language, coalesce(a.time_zone, f.time_zone) AS zone, f.time_zone AS fair_zone,
       f.name_zh, f.name_en,
       CASE WHEN a.email_verified_at IS NOT NULL THEN a.email END AS email_address,
       CASE WHEN a.mobile_verified_at IS NOT NULL THEN a.mobile END AS mobile_number,
       p.quiet_from, p.quiet_to, p.channels, coalesce(p.reminders_by_mail, true) AS reminders_by_mail, e.domicile, b.country,
       a.email_verified_at IS NOT NULL AND a.email IS NOT NULL AS email,
       a.mobile_verified_at IS NOT NULL AND a.mobile IS NOT NULL AS mobile, a.mobile LIKE '+86%' AS domestic_number
FROM account a
JOIN fair f ON f.id = a.fair_id
LEFT JOIN exhibitor e ON e.id = a.exhibitor_id
LEFT JOIN buyer b ON b.account_id = a.id
LEFT JOIN notice_preference p ON p.account_id = a.id
WHERE a.id = ANY ($1::uuid[]);

-- name: budgets
-- What these numbers have been sent on that day, locked in their order; a number that was sent nothing gets its row (N7).
INSERT INTO sms_budget AS s (number, day) SELECT number, $2 FROM unnest($1::text[]) AS n (number) ORDER BY number
ON CONFLICT (number, day) DO UPDATE SET soon = s.soon
RETURNING number, soon, assigned, day_ahead;

-- name: spend
-- What these numbers have been sent then.
UPDATE sms_budget s SET soon = n.soon, assigned = n.assigned, day_ahead = n.day_ahead
FROM unnest($1::text[], $2::int[], $3::int[], $4::int[]) AS n (number, soon, assigned, day_ahead)
WHERE s.number = n.number AND s.day = $5;

-- name: hold
-- N4: the attempt is there before the provider is called.
WITH held AS (
    UPDATE notice SET state = 'claimed', attempts = attempts + 1, lease_until = $2, reason = NULL
    WHERE id = ANY ($1::uuid[]) RETURNING id, attempts
)
INSERT INTO notice_attempt (notice_id, number, provider, worker, at) SELECT id, attempts, $3, $4, $5 FROM held;

-- name: told
-- What is in the app once this transaction is committed; it was claimed at $2 and written by $3.
WITH held AS (
    UPDATE notice SET state = 'sent', attempts = attempts + 1, reason = NULL, ended_at = $3 WHERE id = ANY ($1::uuid[]) RETURNING id, attempts
)
INSERT INTO notice_attempt (notice_id, number, provider, worker, at, ended_at, outcome)
SELECT id, attempts, 'in_app', $4, $2, $3, 'sent' FROM held;

-- name: settle
-- Due ones that are not sent now: skipped with a reason, or put off for quiet hours (N2, N7, N9, A8).
UPDATE notice n SET state = s.state, reason = s.reason, due_at = coalesce(s.due_at, n.due_at), wanted_at = coalesce(s.due_at, n.wanted_at),
       ended_at = CASE s.state WHEN 'planned' THEN NULL ELSE $5::timestamptz END
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS s (id, state, reason, due_at)
WHERE n.id = s.id;

-- name: take_rate
-- What was claimed counts from now on; a provider that nobody used saves nothing up.
UPDATE provider SET free_at = greatest(free_at, $2) + make_interval(secs => $3::int / rate) WHERE name = $1;

-- name: finish
-- Outcomes of attempts. One that comes late, when its attempt was given up or another one is under way, changes nothing (N4).
WITH o AS (
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $8::timestamptz[], $9::bool[])
        AS o (id, number, outcome, reason, reference, segments, state, due_at, maybe_duplicate)
), attempt AS (
    UPDATE notice_attempt a SET ended_at = $10, outcome = o.outcome, reason = o.reason, reference = o.reference, segments = o.segments
    FROM o WHERE a.notice_id = o.id AND a.number = o.number AND a.outcome IS NULL
)
UPDATE notice n SET state = o.state, reason = o.reason, due_at = coalesce(o.due_at, n.due_at), lease_until = NULL,
       maybe_duplicate = n.maybe_duplicate OR o.maybe_duplicate,
       ended_at = CASE o.state WHEN 'planned' THEN NULL ELSE $10 END
FROM o WHERE n.id = o.id AND n.attempts = o.number AND n.state = 'claimed'
RETURNING n.id;

-- name: pause_provider
-- N6: it has said that it has had too much; nobody sends to it before that.
UPDATE provider SET paused_until = greatest(paused_until, $2), last_error = $3, last_error_at = $4 WHERE name = $1;

-- name: note_error
-- For the organiser's view.
UPDATE provider SET last_error = $2, last_error_at = $3 WHERE name = $1;

-- name: lost
-- Claims whose worker has said nothing long after their lease: it is dead (N4).
SELECT id, fair_id, subject, subject_id, kind, recipient_id, side, channel, time_revision, assignment, due_at, useless_at, attempts,
       maybe_duplicate
FROM notice WHERE state = 'claimed' AND lease_until <= $1
ORDER BY lease_until LIMIT $2
FOR NO KEY UPDATE SKIP LOCKED;

-- name: end_useless
-- Nothing is sent after its use is over: what nobody came to send is skipped and says so (N3).
WITH useless AS (
    SELECT id FROM notice WHERE state = 'planned' AND channel = ANY (ARRAY['in_app', 'email', 'sms']) AND priority = ANY (ARRAY[0, 1, 2])
      AND due_at <= $1 AND useless_at <= $1
    LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE notice n
SET state = CASE WHEN n.maybe_duplicate THEN 'unknown' WHEN n.attempts > 0 THEN 'failed' ELSE 'skipped' END,
    reason = CASE WHEN n.attempts > 0 THEN coalesce(n.reason, 'too_late') ELSE 'too_late' END, ended_at = $1
FROM useless WHERE n.id = useless.id
RETURNING n.id;

-- name: mains
-- The main account of each one's exhibitor, which is shown who could not be told (A8).
SELECT a.id, m.id AS main FROM account a JOIN account m ON m.exhibitor_id = a.exhibitor_id AND m.kind = 'main'
WHERE a.id = ANY ($1::uuid[]);

-- name: unsubscribe
-- No more reminders by mail but those that N9 says nobody can remove (RFC 8058).
INSERT INTO notice_preference (account_id, reminders_by_mail) SELECT id, false FROM account WHERE id = $1
ON CONFLICT (account_id) DO UPDATE SET reminders_by_mail = false
RETURNING true;

-- name: take_in
-- N6: what became of parcels, by the provider's reference or by the notice; a later word about the same attempt replaces the earlier one.
WITH r AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[])
        AS r (provider, reference, notice_id, outcome, reason, at)
), attempt AS (
    SELECT DISTINCT ON (a.notice_id, a.number) a.notice_id, a.number, r.outcome, r.reason, r.at
    FROM r JOIN notice_attempt a ON (r.notice_id IS NOT NULL AND a.notice_id = r.notice_id AND a.outcome = 'sent')
                                 OR (r.notice_id IS NULL AND a.provider = r.provider AND a.reference = r.reference)
    ORDER BY a.notice_id, a.number, r.at DESC
)
UPDATE notice_attempt a SET delivery = x.outcome, delivered_at = x.at, reason = CASE x.outcome WHEN 'delivered' THEN a.reason ELSE x.reason END
FROM attempt x WHERE a.notice_id = x.notice_id AND a.number = x.number
RETURNING a.notice_id AS id, x.outcome, x.reason;

-- name: subjects
-- What these notices are about.
SELECT DISTINCT subject_id FROM notice WHERE id = ANY ($1::uuid[]);

-- name: undelivered
-- Notices that had been taken for sent and were not delivered: failed after all, with the reason; those still useful fall over (N6).
UPDATE notice n SET state = 'failed', reason = u.reason, ended_at = $3
FROM unnest($1::uuid[], $2::text[]) AS u (id, reason)
WHERE n.id = u.id AND n.state = 'sent'
RETURNING n.id, n.fair_id, n.subject, n.subject_id, n.kind, n.recipient_id, n.side, n.channel, n.time_revision, n.assignment, n.due_at,
          n.useless_at, n.attempts, n.maybe_duplicate;

-- name: preference
-- What an account has chosen, with its language and zone.
SELECT a.language, coalesce(a.time_zone, f.time_zone) AS time_zone, p.channels, p.quiet_from, p.quiet_to,
       coalesce(p.reminders_by_mail, true) AS reminders_by_mail
FROM account a JOIN fair f ON f.id = a.fair_id LEFT JOIN notice_preference p ON p.account_id = a.id
WHERE a.id = $1;

-- name: set_preference
-- All of it, replaced (N9).
INSERT INTO notice_preference (account_id, channels, quiet_from, quiet_to, reminders_by_mail) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id) DO UPDATE SET channels = excluded.channels, quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to,
    reminders_by_mail = excluded.reminders_by_mail;

-- name: own_notices
-- A page of an account's notices, newest first.
SELECT id, kind, channel, state, reason, subject, subject_id, wanted_at, ended_at, attempts, maybe_duplicate, instead_of, recipient_id
FROM notice WHERE recipient_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3;

-- name: fair_notices
-- A page of a fair's notices over a filter, newest first.
SELECT id, kind, channel, state, reason, subject, subject_id, wanted_at, ended_at, attempts, maybe_duplicate, instead_of, recipient_id
FROM notice
WHERE fair_id = $1 AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR kind = $3) AND ($4::text IS NULL OR channel = $4)
  AND ($5::uuid IS NULL OR id < $5)
ORDER BY id DESC LIMIT $6;

-- name: notice_counts
-- The same filter, counted.
SELECT state, kind, channel, count(*) AS count
FROM notice
WHERE fair_id = $1 AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR kind = $3) AND ($4::text IS NULL OR channel = $4)
GROUP BY state, kind, channel ORDER BY state, kind, channel;

-- name: lateness
-- How late those were that were sent since $2, and how many stand due at $3 (N5).
SELECT (SELECT count(*) FROM notice WHERE fair_id = $1 AND state = 'planned' AND due_at <= $3) AS overdue,
       percentile_cont(ARRAY[0.5, 0.95, 1.0]) WITHIN GROUP (ORDER BY greatest(0, extract(epoch FROM ended_at - wanted_at))) AS late
FROM notice WHERE fair_id = $1 AND state = 'sent' AND due_at >= $2 AND ended_at >= $2;

-- name: notice
-- One notice of a fair.
SELECT id, kind, channel, state, reason, subject, subject_id, wanted_at, ended_at, attempts, maybe_duplicate, instead_of, recipient_id
FROM notice WHERE id = $1 AND fair_id = $2;

-- name: attempts
-- Every try to send a notice.
SELECT number, provider, at, ended_at, outcome, reason, segments, delivery, delivered_at
FROM notice_attempt WHERE notice_id = $1 ORDER BY number;

-- name: retry_notice
-- A failed one is due again at once, while it is of use (N3).
UPDATE notice SET state = 'planned', due_at = $3, reason = NULL, ended_at = NULL
WHERE id = $1 AND fair_id = $2 AND state = 'failed' AND useless_at > $3 RETURNING id;

-- name: providers
-- Every provider with the attempts of the time since $1.
SELECT p.name, p.channel, p.rate, p.paused_until, p.last_error, p.last_error_at,
       count(a.*) FILTER (WHERE a.outcome = 'sent') AS sent, count(a.*) FILTER (WHERE a.outcome IN ('final', 'lost')) AS failed,
       count(a.*) FILTER (WHERE a.outcome = 'retry') AS retried
FROM provider p LEFT JOIN notice_attempt a ON a.provider = p.name AND a.at >= $1
GROUP BY p.name ORDER BY p.name;
