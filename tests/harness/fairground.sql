-- name: fair
-- One fair with its stream.
WITH f AS (
    INSERT INTO fair (id, code, name_zh, name_en, opens_at, closes_at, settings, created_at)
    VALUES ($1, $2, '测试展会', 'Test fair', $3::timestamptz - interval '1 day', $3::timestamptz + interval '30 days',
            '{"profile_fields": ["full_name", "country"]}', $3)
)
INSERT INTO fair_stream (fair_id, epoch) VALUES ($1, 1000 + floor(random() * 1e9)::bigint);

-- name: exhibitor
-- One exhibitor.
INSERT INTO exhibitor (id, fair_id, external_id, name_zh, name_en, domicile) VALUES ($1, $2, $3, $4, $5, 'domestic');

-- name: account
-- One account with its stream and a session of a year.
WITH a AS (
    INSERT INTO account (id, fair_id, exhibitor_id, kind, login, name, state, email, email_verified_at, name_tokens, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $5 || '@example.test', $8, $10::text::tsvector, $8) RETURNING id
), s AS (
    INSERT INTO account_stream (account_id, epoch) SELECT id, 1000 + floor(random() * 1e9)::bigint FROM a
)
INSERT INTO session (id, account_id, device_id, created_at, used_at, expires_at)
SELECT $9, id, 'test', $8, $8, $8::timestamptz + interval '365 days' FROM a;

-- name: buyer
-- A buyer's own data.
INSERT INTO buyer (account_id, country, interests, profile, complete) VALUES ($1, 'BR', '{motorcycles}', $2, $3);

-- name: exhibit
-- One listed exhibit.
INSERT INTO exhibit (id, fair_id, exhibitor_id, owner_id, external_id, name_zh, name_en, code, created_at)
VALUES ($1, $2, $3, $4, $5, '摩托车', 'Motorcycle', 'M-1', $6);
