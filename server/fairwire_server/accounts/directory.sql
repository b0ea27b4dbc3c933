-- The fair, its exhibitors and their listed exhibits, for everybody at the fair (A1, A2, C2).

-- name: fair
-- By its code; the sections come along as JSON, so that one read is one moment.
SELECT f.id, f.code, f.name_zh, f.name_en, f.time_zone, f.opens_at, f.closes_at, f.settings,
       (SELECT coalesce(json_agg(json_build_object('id', s.id, 'name_zh', s.name_zh, 'name_en', s.name_en)
                                 ORDER BY s.external_id), '[]')
        FROM section s WHERE s.fair_id = f.id)::text AS sections
FROM fair f WHERE f.code = $1;

-- name: exhibitors
-- A page by English name, which every exhibitor has; $4 is the last one of the page before.
SELECT e.id, e.name_zh, e.name_en, e.vip, e.brand, e.domicile, e.answer_seconds,
       ARRAY(SELECT s.section_id FROM exhibitor_section s WHERE s.exhibitor_id = e.id ORDER BY s.section_id) AS sections
FROM exhibitor e
WHERE e.fair_id = $1
  AND ($2::text IS NULL OR e.name_tokens @@ $2::text::tsquery)
  AND ($3::uuid IS NULL OR EXISTS (SELECT FROM exhibitor_section s WHERE s.exhibitor_id = e.id AND s.section_id = $3))
  AND ($4::uuid IS NULL OR (e.name_en, e.id) > (SELECT l.name_en, l.id FROM exhibitor l WHERE l.id = $4 AND l.fair_id = $1))
ORDER BY e.name_en, e.id
LIMIT $5;

-- name: exhibitor
-- One exhibitor of the fair.
SELECT e.id, e.name_zh, e.name_en, e.vip, e.brand, e.domicile, e.answer_seconds,
       ARRAY(SELECT s.section_id FROM exhibitor_section s WHERE s.exhibitor_id = e.id ORDER BY s.section_id) AS sections
FROM exhibitor e WHERE e.id = $1 AND e.fair_id = $2;

-- name: listed_exhibits
-- What buyers may open a chat from (C2); unlisted and banned ones are nobody's business.
SELECT id, exhibitor_id AS exhibitor, name_zh, name_en, code, section_id AS section, image, tags FROM exhibit
WHERE exhibitor_id = $1 AND state = 'listed'
ORDER BY created_at DESC, id DESC
LIMIT $2;
