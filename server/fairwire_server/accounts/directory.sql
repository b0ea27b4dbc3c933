-- The fair, its exhibitors and their listed exhibits, for everybody at the fair (A1, A2, C2).

-- name: fair
-- By its code; the sections come along as JSON, so that one read is one moment.
SELECT f.id, f.code, f.name_zh, f.name_en, f.time_zone, f.opens_at, f.closes_at, f.settings,
       (SELECT coalesce(json_agg(json_build_object('id', s.id, 'name_zh', s.name_zh, 'name_en', s.name_en)
                                 ORDER BY s.external_id), '[]')
        FROM section s WHERE s.fair_id = f.id)::text AS sections
FROM fair f WHERE f.code = $1;

-- name: exhibitors
-- A page by English name, which every exhibitor has; $3 is the last one of the page before. What stands behind it is found in the index
-- by name: comparing with the row of a subquery would read everything that stands before it, too.
SELECT p.* FROM (
    SELECT l.name_en, l.id FROM exhibitor l WHERE l.id = $3 AND l.fair_id = $1
    UNION ALL SELECT '', '00000000-0000-0000-0000-000000000000' WHERE $3::uuid IS NULL
) l CROSS JOIN LATERAL (
    SELECT e.id, e.name_zh, e.name_en, e.vip, e.brand, e.domicile, e.answer_seconds,
           ARRAY(SELECT s.section_id FROM exhibitor_section s WHERE s.exhibitor_id = e.id ORDER BY s.section_id) AS sections
    FROM exhibitor e
    WHERE e.fair_id = $1 AND (e.name_en, e.id) > (l.name_en, l.id)
      AND ($2::uuid IS NULL OR EXISTS (SELECT FROM exhibitor_section s WHERE s.exhibitor_id = e.id AND s.section_id = $2))
    ORDER BY e.name_en, e.id
    LIMIT $4
) p
ORDER BY p.name_en, p.id;

-- name: exhibitors_by_words
-- As `exhibitors`, of those whose names hold the words $2. A statement of its own, since one plan for both would read every name; it is
-- planned for its words.
SELECT e.id, e.name_zh, e.name_en, e.vip, e.brand, e.domicile, e.answer_seconds,
       ARRAY(SELECT s.section_id FROM exhibitor_section s WHERE s.exhibitor_id = e.id ORDER BY s.section_id) AS sections
FROM exhibitor e
WHERE e.fair_id = $1 AND e.name_tokens @@ $2::text::tsquery
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
