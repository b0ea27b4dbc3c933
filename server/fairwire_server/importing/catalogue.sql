-- Fairs, sections and exhibits, from the batch into the fair's own tables.

-- name: resolve_fairs
-- Which fairs are here already and what would change in them; settings not named stay.
UPDATE batch_fair s SET
    id = coalesce(f.id, s.id), known = f.id IS NOT NULL,
    time_zone = coalesce(nullif(s.time_zone, ''), f.time_zone, 'Asia/Shanghai'),
    settings = jsonb_strip_nulls(coalesce(f.settings, '{}') || s.settings),
    new_rules = coalesce(f.settings -> 'profile_fields', 'null')
        IS DISTINCT FROM coalesce(jsonb_strip_nulls(coalesce(f.settings, '{}') || s.settings) -> 'profile_fields', 'null'),
    changed = (f.name_zh, f.name_en, f.time_zone, f.opens_at, f.closes_at, f.settings)
        IS DISTINCT FROM (s.name_zh, s.name_en, coalesce(nullif(s.time_zone, ''), f.time_zone), s.opens_at, s.closes_at,
                          jsonb_strip_nulls(f.settings || s.settings))
FROM batch r LEFT JOIN fair f ON f.code = r.key
WHERE r.n = s.n AND r.problem IS NULL;

-- name: write_fairs
-- New fairs with their stream, changed ones, and what became of each row.
WITH ready AS (
    SELECT s.*, r.key FROM batch r JOIN batch_fair s USING (n)
    WHERE r.problem IS NULL
), made AS (
    INSERT INTO fair (id, code, name_zh, name_en, time_zone, opens_at, closes_at, settings, created_at)
    SELECT id, key, name_zh, name_en, time_zone, opens_at, closes_at, settings, $1 FROM ready WHERE NOT known
), streams AS (
    INSERT INTO fair_stream (fair_id, epoch)
    SELECT id, 1 + floor(random() * 9007199254740000)::bigint FROM ready WHERE NOT known
), touched AS (
    UPDATE fair f SET name_zh = b.name_zh, name_en = b.name_en, time_zone = b.time_zone, opens_at = b.opens_at,
        closes_at = b.closes_at, settings = b.settings
    FROM ready b WHERE f.id = b.id AND b.known AND b.changed
)
UPDATE batch r SET outcome = CASE WHEN NOT b.known THEN 'created' WHEN b.changed THEN 'updated' ELSE 'unchanged' END
FROM ready b WHERE r.n = b.n;

-- name: fairs_with_new_rules
-- Known fairs that now ask for other profile fields: their buyers' completeness is computed again (A3).
SELECT s.id FROM batch r JOIN batch_fair s USING (n) WHERE s.known AND s.new_rules AND r.problem IS NULL;

-- name: resolve_sections
-- Which sections are here already and would change.
UPDATE batch_section s SET
    id = coalesce(t.id, s.id), known = t.id IS NOT NULL,
    changed = (t.name_zh, t.name_en) IS DISTINCT FROM (s.name_zh, s.name_en)
FROM batch r LEFT JOIN section t ON t.fair_id = r.fair_id AND t.external_id = r.key
WHERE r.n = s.n AND r.problem IS NULL;

-- name: write_sections
-- New and changed sections, and what became of each row.
WITH ready AS (
    SELECT s.*, r.key, r.fair_id FROM batch r JOIN batch_section s USING (n)
    WHERE r.problem IS NULL
), made AS (
    INSERT INTO section (id, fair_id, external_id, name_zh, name_en)
    SELECT id, fair_id, key, name_zh, name_en FROM ready WHERE NOT known
), touched AS (
    UPDATE section t SET name_zh = b.name_zh, name_en = b.name_en FROM ready b WHERE t.id = b.id AND b.known AND b.changed
)
UPDATE batch r SET outcome = CASE WHEN NOT b.known THEN 'created' WHEN b.changed THEN 'updated' ELSE 'unchanged' END
FROM ready b WHERE r.n = b.n;

-- name: resolve_exhibits
-- Whose each exhibit is, which are here already, and their values.
WITH found AS (
    SELECT r.n, e.id AS exhibitor_id, t.id AS section_id, o.id AS owner_id, x.id AS exhibit_id,
        coalesce(s.code, x.code, '') AS code,
        CASE WHEN s.section IS NULL THEN x.section_id ELSE t.id END AS new_section,
        CASE WHEN s.owner IS NULL THEN x.owner_id ELSE o.id END AS new_owner,
        CASE WHEN s.image IS NULL THEN x.image ELSE nullif(s.image, '') END AS image,
        coalesce(s.tags, x.tags, '{}') AS tags, coalesce(nullif(s.state, ''), x.state, 'listed') AS state,
        x.code AS old_code, x.name_zh AS old_zh, x.name_en AS old_en, x.section_id AS old_section, x.owner_id AS old_owner,
        x.image AS old_image, x.tags AS old_tags, x.state AS old_state, s.name_zh, s.name_en,
        CASE
            WHEN e.id IS NULL THEN 'exhibitor'
            WHEN s.section <> '' AND t.id IS NULL THEN 'section'
            WHEN s.owner <> '' AND o.id IS NULL THEN 'owner'
        END AS unknown
    FROM batch r
    JOIN batch_exhibit s ON s.n = r.n
    LEFT JOIN exhibitor e ON e.fair_id = r.fair_id AND e.external_id = s.exhibitor
    LEFT JOIN section t ON t.fair_id = r.fair_id AND t.external_id = s.section
    LEFT JOIN LATERAL (
        SELECT a.id FROM account a
        WHERE a.exhibitor_id = e.id AND a.state <> 'removed' AND s.owner <> ''
          AND (a.external_id = 'account:' || s.owner OR a.login = s.owner_login)
        ORDER BY a.external_id = 'account:' || s.owner DESC NULLS LAST LIMIT 1) AS o ON true
    LEFT JOIN exhibit x ON x.exhibitor_id = e.id AND x.external_id = s.external_id
    WHERE r.problem IS NULL
), placed AS (
    UPDATE batch_exhibit s SET id = coalesce(f.exhibit_id, s.id), exhibitor_id = f.exhibitor_id, section_id = f.new_section,
        owner_id = f.new_owner, code = f.code, image = f.image, tags = f.tags, state = f.state, known = f.exhibit_id IS NOT NULL,
        changed = (f.old_code, f.old_zh, f.old_en, f.old_section, f.old_owner, f.old_image, f.old_tags, f.old_state)
            IS DISTINCT FROM (f.code, f.name_zh, f.name_en, f.new_section, f.new_owner, f.image, f.tags, f.state)
    FROM found f WHERE f.n = s.n
)
UPDATE batch r SET problem = 'unknown_' || f.unknown, field = f.unknown FROM found f WHERE f.n = r.n AND f.unknown IS NOT NULL;

-- name: write_exhibits
-- New and changed exhibits, and what became of each row.
WITH ready AS (
    SELECT s.*, r.fair_id FROM batch r JOIN batch_exhibit s USING (n)
    WHERE r.problem IS NULL
), made AS (
    INSERT INTO exhibit (id, fair_id, exhibitor_id, owner_id, external_id, section_id, code, name_zh, name_en, image, tags, state,
                         created_at)
    SELECT id, fair_id, exhibitor_id, owner_id, external_id, section_id, code, name_zh, name_en, image, tags, state, $1
    FROM ready WHERE NOT known
), touched AS (
    UPDATE exhibit x SET owner_id = b.owner_id, section_id = b.section_id, code = b.code, name_zh = b.name_zh,
        name_en = b.name_en, image = b.image, tags = b.tags, state = b.state
    FROM ready b WHERE x.id = b.id AND b.known AND b.changed
)
UPDATE batch r SET outcome = CASE WHEN NOT b.known THEN 'created' WHEN b.changed THEN 'updated' ELSE 'unchanged' END
FROM ready b WHERE r.n = b.n;
