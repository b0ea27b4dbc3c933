-- name: fair
-- One fair; its stream starts at 1000, so that positions keep their length on the wire while a bench runs.
WITH f AS (
    INSERT INTO fair (id, code, name_zh, name_en, opens_at, closes_at, created_at)
    VALUES ($1, $2, '展会', 'Fair', $3::timestamptz - interval '1 day', $3::timestamptz + interval '30 days', $3)
)
INSERT INTO fair_stream (fair_id, epoch, pos) VALUES ($1, 1, 1000);

-- name: exhibitors
-- Exhibitors by id.
INSERT INTO exhibitor (id, fair_id, external_id, name_zh, name_en, domicile)
SELECT id, $1, id::text, '参展商', 'Exhibitor', 'domestic' FROM unnest($2::uuid[]) AS n (id);

-- name: accounts
-- Accounts of one kind with their streams, and a session for each under the account's own id.
WITH a AS (
    INSERT INTO account (id, fair_id, exhibitor_id, kind, login, name, state, created_at)
    SELECT id, $1, exhibitor, $2, id::text, $2 || ' 先生', 'active', $5
    FROM unnest($3::uuid[], $4::uuid[]) AS n (id, exhibitor)
    RETURNING id
), b AS (
    INSERT INTO buyer (account_id, country, complete) SELECT id, 'BR', true FROM a WHERE $2 = 'buyer'
), s AS (
    INSERT INTO account_stream (account_id, epoch, pos) SELECT id, 1, 0 FROM a
)
INSERT INTO session (id, account_id, device_id, created_at, used_at, expires_at)
SELECT id, id, 'bench', $5, $5, $5::timestamptz + interval '1 day' FROM a;
