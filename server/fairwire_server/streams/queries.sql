-- name: create
-- New streams start empty under a random epoch.
INSERT INTO account_stream (account_id, epoch)
SELECT * FROM unnest($1::uuid[], $2::bigint[]) ON CONFLICT (account_id) DO NOTHING;

-- name: reset
-- A new epoch: what was replayable is not any more, clients take a snapshot (W6).
UPDATE account_stream s SET epoch = n.epoch
FROM unnest($1::uuid[], $2::bigint[]) AS n (account_id, epoch)
WHERE s.account_id = n.account_id;

-- name: reset_everything
-- After the database itself was replaced: no position of before means anything now (W6).
UPDATE account_stream SET epoch = 1 + floor(random() * 9007199254740000)::bigint;

-- name: reset_every_fair
-- As reset_everything, for the fair streams.
UPDATE fair_stream SET epoch = 1 + floor(random() * 9007199254740000)::bigint;

-- name: reserve
-- Locks the streams by ascending id, so that two transactions never wait for each other in a ring, and takes positions (W4).
WITH locked AS (
    SELECT s.account_id, n.count
    FROM account_stream s JOIN unnest($1::uuid[], $2::int[]) AS n (account_id, count) USING (account_id)
    ORDER BY s.account_id
    FOR UPDATE OF s
)
UPDATE account_stream s SET pos = s.pos + locked.count
FROM locked WHERE s.account_id = locked.account_id
RETURNING s.account_id, s.pos - locked.count AS before;

-- name: append
-- The events of one transaction, at the positions it reserved.
SELECT append_events($1, $2, $3, $4, $5, $6, $7);

-- name: append_fair
-- One row per announcement, whoever reads it (W2).
WITH taken AS (
    UPDATE fair_stream SET pos = pos + 1 WHERE fair_id = $1 RETURNING fair_id, pos
)
INSERT INTO fair_event (fair_id, pos, body, at) SELECT fair_id, pos, $2, $3 FROM taken RETURNING pos;

-- name: positions
-- Where both streams of an account stand.
SELECT s.epoch, s.pos, f.epoch AS fair_epoch, f.pos AS fair_pos
FROM account_stream s, fair_stream f WHERE s.account_id = $1 AND f.fair_id = $2;

-- name: standing
-- Where many streams stand at once, for a node that may have missed something (W4).
SELECT account_id AS id, false AS fair, epoch, pos FROM account_stream WHERE account_id = ANY ($1::uuid[])
UNION ALL
SELECT fair_id, true, epoch, pos FROM fair_stream WHERE fair_id = ANY ($2::uuid[]);

-- name: settle_sessions
-- Returns when nobody changes these accounts' sessions any more.
SELECT FROM session WHERE account_id = ANY ($1::uuid[]) ORDER BY id FOR SHARE;

-- name: settle_streams
-- Likewise, when nobody appends to their streams.
SELECT FROM account_stream WHERE account_id = ANY ($1::uuid[]) ORDER BY account_id FOR SHARE;

-- name: settle_fair_streams
-- Likewise, to the streams of these fairs.
SELECT FROM fair_stream WHERE fair_id = ANY ($1::uuid[]) ORDER BY fair_id FOR SHARE;

-- name: resume
-- Both streams' heads and what follows two positions, in one snapshot (W6), as JSON in the shape of `Logged`. Messages are rendered
-- from their rows, so that a recalled one is empty here too (C12).
SELECT o.epoch, o.pos AS top, f.epoch AS fair_epoch, f.pos AS fair_top, account_log.*, fair_log.*
FROM account_stream o CROSS JOIN fair_stream f
LEFT JOIN account_log($1, $3, $5) ON true
LEFT JOIN fair_log($2, $4, f.pos) ON true
WHERE o.account_id = $1 AND f.fair_id = $2;

-- name: arrive
-- Who opens sockets, and where both of their streams stand in the same instant: all that is to be known of a first state that is
-- kept in memory (W5).
SELECT n.n, a.id, a.fair_id, a.exhibitor_id, a.department_id, a.kind, a.login, a.name, a.state, a.language, a.time_zone,
       a.mobile, a.mobile_verified, a.email, a.email_verified, a.activated, a.role, a.country, a.interests, a.profile,
       a.complete, a.company, a.domicile, a.settings, a.capabilities,
       x.silenced_until, s.id AS session_id, s.device_id, s.expires_at, s.revoked_at,
       o.epoch, o.pos AS top, f.epoch AS fair_epoch, f.pos AS fair_top
FROM unnest($1::uuid[]) WITH ORDINALITY AS n (session, n)
JOIN session s ON s.id = n.session
JOIN account x ON x.id = s.account_id
JOIN account_full a ON a.id = s.account_id
JOIN account_stream o ON o.account_id = s.account_id
JOIN fair_stream f ON f.fair_id = x.fair_id;

-- name: arrive_resuming
-- As `arrive`, and as `resume` what follows the positions that they come back with: $2 of their own streams, at most $4 events, and $3
-- of the fair's. One round trip brings many up to date (W6).
SELECT n.n, a.id, a.fair_id, a.exhibitor_id, a.department_id, a.kind, a.login, a.name, a.state, a.language, a.time_zone,
       a.mobile, a.mobile_verified, a.email, a.email_verified, a.activated, a.role, a.country, a.interests, a.profile,
       a.complete, a.company, a.domicile, a.settings, a.capabilities,
       x.silenced_until, s.id AS session_id, s.device_id, s.expires_at, s.revoked_at,
       o.epoch, o.pos AS top, f.epoch AS fair_epoch, f.pos AS fair_top,
       account_log.*, fair_log.*
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS n (session, after, fair_after, n)
JOIN session s ON s.id = n.session
JOIN account x ON x.id = s.account_id
JOIN account_full a ON a.id = s.account_id
JOIN account_stream o ON o.account_id = s.account_id
JOIN fair_stream f ON f.fair_id = x.fair_id
LEFT JOIN account_log(s.account_id, n.after, $4) ON true
LEFT JOIN fair_log(x.fair_id, n.fair_after, f.pos) ON true;

-- name: prune
-- What the replay window has left behind (W6).
DELETE FROM account_event WHERE at < $1;

-- name: prune_fair
-- As prune, for the fair streams.
DELETE FROM fair_event WHERE at < $1;

-- name: snapshot_who
-- How the statement begins that takes first states: the accounts with their fairs and how far they see bookings, numbered (W5).
WITH who AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[]) WITH ORDINALITY AS n (account, fair, bookings, n)
);

-- name: snapshot_head
-- The positions that a first state belongs to (W5).
SELECT n.n, ROW(s.epoch, s.pos, f.epoch, f.pos)
FROM who n JOIN account_stream s ON s.account_id = n.account JOIN fair_stream f ON f.fair_id = n.fair

-- name: lineage
-- Which PostgreSQL cluster and timeline this is, and which the streams were last written on (W6).
SELECT s.system_identifier, k.timeline_id AS timeline,
       i.system_identifier AS known_identifier, i.timeline AS known_timeline
FROM pg_control_system() s, pg_control_checkpoint() k, installation i FOR UPDATE OF i;

-- name: keep_lineage
-- Remember where the streams live now.
UPDATE installation SET system_identifier = $1, timeline = $2;
