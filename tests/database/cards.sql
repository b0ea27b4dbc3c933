-- name: world
-- A fair with two exhibitors ($2) and three sections ($3), the first exhibitor in the first section.
WITH f AS (
    INSERT INTO fair (id, code, name_zh, name_en, opens_at, closes_at, created_at) VALUES ($1, 'cards', '展会', 'Fair', $4, $4::timestamptz + interval '1 day', $4)
), e AS (
    INSERT INTO exhibitor (id, fair_id, external_id, name_zh, name_en, domicile) SELECT id, $1, id::text, '展商', 'One', 'domestic' FROM unnest($2::uuid[]) AS n (id)
), s AS (
    INSERT INTO section (id, fair_id, external_id, name_zh, name_en) SELECT id, $1, id::text, '区', 'Section' FROM unnest($3::uuid[]) AS n (id)
)
INSERT INTO exhibitor_section (exhibitor_id, section_id) VALUES (($2::uuid[])[1], ($3::uuid[])[1]);

-- name: cards
-- Every exhibitor's card, and its values as they are.
SELECT e.card, e.id, e.name_zh, e.name_en, e.vip, e.brand, e.domicile,
    ARRAY(SELECT s.section_id::text FROM exhibitor_section s WHERE s.exhibitor_id = e.id ORDER BY s.section_id) AS sections
FROM exhibitor e ORDER BY e.id;

-- name: renamed
-- Other names, as an import writes them.
UPDATE exhibitor SET name_zh = '新名', name_en = 'New';

-- name: told_of
-- Everything else that a card says.
UPDATE exhibitor SET vip = true, brand = true, domicile = 'overseas' WHERE id = $1;

-- name: join_section
-- One more section.
INSERT INTO exhibitor_section (exhibitor_id, section_id) VALUES ($1, $2);

-- name: change_section
-- Another section instead, of another exhibitor.
UPDATE exhibitor_section SET exhibitor_id = $2, section_id = $3 WHERE exhibitor_id = $1;

-- name: leave_sections
-- No section any more.
DELETE FROM exhibitor_section;

-- name: add_with_sections
-- A new exhibitor with its sections in one statement, as an import writes it.
WITH e AS (
    INSERT INTO exhibitor (id, fair_id, external_id, name_zh, name_en, domicile) VALUES ($1, $2, 'new', '新', 'New', 'domestic')
)
INSERT INTO exhibitor_section (exhibitor_id, section_id) SELECT $1, id FROM unnest($3::uuid[]) AS n (id);
