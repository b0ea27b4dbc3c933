-- The importer's statements. Its tables are temporary: they live and die with its own connection. `staged…` hold what the files
-- say, `batch…` the rows of one kind that are being written; what does not fit gets a `problem`, and later steps pass it by.

-- name: prepare_session
-- Bulk work on a connection of its own: no limits of ordinary requests, and memory for the staged tables.
SELECT set_config('statement_timeout', '0', false), set_config('idle_in_transaction_session_timeout', '0', false),
       set_config('temp_buffers', '64MB', false), set_config('work_mem', '64MB', false);

-- name: create_staging
-- What the files say: one record per row in `staged`, and beside it what the row describes.
CREATE TEMP TABLE staged (
    n bigint NOT NULL, kind text NOT NULL, source integer NOT NULL, line integer NOT NULL, raw text, fair text, key text NOT NULL,
    problem text, field text
);
CREATE TEMP TABLE staged_fair (
    n bigint NOT NULL, id uuid NOT NULL, name_zh text NOT NULL, name_en text NOT NULL, time_zone text,
    opens_at timestamptz NOT NULL, closes_at timestamptz NOT NULL, settings jsonb NOT NULL
);
CREATE TEMP TABLE staged_section (n bigint NOT NULL, id uuid NOT NULL, name_zh text NOT NULL, name_en text NOT NULL);
CREATE TEMP TABLE staged_exhibitor (
    n bigint NOT NULL, id uuid NOT NULL, name_zh text NOT NULL, name_en text NOT NULL, name_tokens text NOT NULL,
    domicile text NOT NULL, vip boolean, brand boolean, sub_account_limit integer, sections text[]
);
CREATE TEMP TABLE staged_account (
    n bigint NOT NULL, id uuid NOT NULL, kind text NOT NULL, exhibitor text, external_id text NOT NULL,
    login text, default_login text NOT NULL, name text, default_name text NOT NULL, name_tokens text NOT NULL,
    mobile text, mobile_verified boolean, email text, email_verified boolean, language text, default_language text, time_zone text
);
CREATE TEMP TABLE staged_buyer (
    n bigint NOT NULL, role text, company_id text, company text, company_new uuid, country text, interests text[], avatar text,
    profile jsonb NOT NULL
);
CREATE TEMP TABLE staged_exhibit (
    n bigint NOT NULL, id uuid NOT NULL, exhibitor text NOT NULL, external_id text NOT NULL, code text,
    name_zh text NOT NULL, name_en text NOT NULL, section text, owner text, owner_login text, image text, tags text[], state text
);

-- name: create_batch
-- The batch at hand: the same records with what is found out about them. Small, so that every statement over them is quick.
CREATE TEMP TABLE batch (n bigint NOT NULL, key text NOT NULL, fair_id uuid NOT NULL, problem text, field text, outcome text);
CREATE TEMP TABLE batch_fair (LIKE staged_fair, known boolean, changed boolean, new_rules boolean);
CREATE TEMP TABLE batch_section (LIKE staged_section, known boolean, changed boolean);
CREATE TEMP TABLE batch_exhibitor (LIKE staged_exhibitor, section_ids uuid[], known boolean, changed boolean);
CREATE TEMP TABLE batch_account (
    LIKE staged_account, exhibitor_id uuid, mobile_verified_at timestamptz, email_verified_at timestamptz,
    known boolean, changed boolean, renamed boolean, adopted boolean NOT NULL DEFAULT false, kept boolean NOT NULL DEFAULT false
);
CREATE TEMP TABLE batch_buyer (LIKE staged_buyer, company_ref uuid, complete boolean NOT NULL DEFAULT false, changed boolean);
CREATE TEMP TABLE batch_exhibit (
    LIKE staged_exhibit, exhibitor_id uuid, section_id uuid, owner_id uuid, known boolean, changed boolean
);

-- name: index_staging
-- After the copying, when it is cheapest. The records lie in the order of n, so the smallest of indexes finds a batch.
CREATE UNIQUE INDEX ON staged (n);
CREATE INDEX ON staged (kind, n);
CREATE INDEX ON staged_exhibitor USING brin (n) WITH (pages_per_range = 16);
CREATE INDEX ON staged_account USING brin (n) WITH (pages_per_range = 16);
CREATE INDEX ON staged_buyer USING brin (n) WITH (pages_per_range = 16);
CREATE INDEX ON staged_exhibit USING brin (n) WITH (pages_per_range = 16);
ANALYZE staged (n, kind), staged_exhibitor (n), staged_account (n), staged_buyer (n), staged_exhibit (n);

-- name: name_the_fair
-- Rows that name no fair belong to the only one: of the files, else of the installation. With several, they stay without.
UPDATE staged SET fair = coalesce(
    (SELECT min(key) FROM staged WHERE kind = 'fair' HAVING count(DISTINCT key) = 1),
    (SELECT min(code) FROM fair HAVING count(*) = 1))
WHERE fair IS NULL;

-- name: mark_duplicates
-- The first row of a key stands; later ones in the files are duplicates of it.
UPDATE staged r SET problem = 'duplicate'
FROM (SELECT n, row_number() OVER (PARTITION BY kind, fair, key ORDER BY n) AS nth FROM staged) AS counted
WHERE counted.n = r.n AND counted.nth > 1;

-- name: mark_unknown_fairs
-- Once the fairs are written: rows of a fair that is not here.
UPDATE staged r SET problem = 'unknown_fair', field = 'fair'
WHERE problem IS NULL AND NOT EXISTS (SELECT FROM fair f WHERE f.code = r.fair);

-- name: next_batch
-- Where the batch after $2 ends, of at most $3 rows.
SELECT max(n) AS last, count(*) AS rows
FROM (SELECT n FROM staged WHERE kind = $1 AND n > $2 AND problem IS NULL ORDER BY n LIMIT $3) AS ahead;

-- name: empty_batch
-- Before the next one.
TRUNCATE batch, batch_fair, batch_section, batch_exhibitor, batch_account, batch_buyer, batch_exhibit;

-- name: fill_batch
-- The rows of kind $1 with n in ($2, $3] that have no problem yet. A fair's own row has no fair to belong to yet.
INSERT INTO batch (n, key, fair_id)
SELECT r.n, r.key, coalesce(f.id, '00000000-0000-0000-0000-000000000000'::uuid)
FROM staged r LEFT JOIN fair f ON f.code = r.fair
WHERE r.kind = $1 AND r.n > $2 AND r.n <= $3 AND r.problem IS NULL;

-- name: fill_fairs
-- The fairs of the batch.
INSERT INTO batch_fair SELECT s.* FROM staged_fair s WHERE s.n > $1 AND s.n <= $2 AND EXISTS (SELECT FROM batch b WHERE b.n = s.n);

-- name: fill_sections
-- The sections of the batch.
INSERT INTO batch_section
SELECT s.* FROM staged_section s WHERE s.n > $1 AND s.n <= $2 AND EXISTS (SELECT FROM batch b WHERE b.n = s.n);

-- name: fill_exhibitors
-- The exhibitors of the batch.
INSERT INTO batch_exhibitor
SELECT s.* FROM staged_exhibitor s WHERE s.n > $1 AND s.n <= $2 AND EXISTS (SELECT FROM batch b WHERE b.n = s.n);

-- name: fill_accounts
-- The accounts of the batch, those that come with exhibitors and buyers too.
INSERT INTO batch_account
SELECT s.* FROM staged_account s WHERE s.n > $1 AND s.n <= $2 AND EXISTS (SELECT FROM batch b WHERE b.n = s.n);

-- name: fill_buyers
-- The buyers of the batch.
INSERT INTO batch_buyer
SELECT s.* FROM staged_buyer s WHERE s.n > $1 AND s.n <= $2 AND EXISTS (SELECT FROM batch b WHERE b.n = s.n);

-- name: fill_exhibits
-- The exhibits of the batch.
INSERT INTO batch_exhibit
SELECT s.* FROM staged_exhibit s WHERE s.n > $1 AND s.n <= $2 AND EXISTS (SELECT FROM batch b WHERE b.n = s.n);

-- name: finish_batch
-- What did not fit goes back to where the failures are gathered.
UPDATE staged r SET problem = b.problem, field = b.field FROM batch b WHERE b.n = r.n AND b.problem IS NOT NULL;

-- name: count_batch
-- What became of the rows of the batch; `kept` are those whose verified address was left alone (A8).
SELECT r.outcome, count(*) AS rows, count(*) FILTER (WHERE s.kept) AS kept
FROM batch r LEFT JOIN batch_account s USING (n) WHERE r.problem IS NULL GROUP BY 1;

-- name: batch_rows
-- The rows of a batch, to try them in halves after a constraint refused the whole.
SELECT n FROM staged WHERE kind = $1 AND n > $2 AND n <= $3 AND problem IS NULL ORDER BY n;

-- name: mark_refused
-- A row that a constraint of the database refused; `field` is the constraint's name.
UPDATE staged SET problem = 'refused', field = $2 WHERE n = $1;

-- name: count_problems
-- Why rows were put aside.
SELECT kind, problem, count(*) AS rows FROM staged WHERE problem IS NOT NULL GROUP BY 1, 2;

-- name: failed_rows
-- A page of what did not fit, for the failures files.
SELECT n, kind, source, line, problem, field, raw FROM staged WHERE problem IS NOT NULL AND n > $1 ORDER BY n LIMIT $2;

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

-- name: resolve_exhibitors
-- Which exhibitors are here already, and their values with what the file does not say filled in.
UPDATE batch_exhibitor s SET
    id = coalesce(e.id, s.id), known = e.id IS NOT NULL,
    vip = coalesce(s.vip, e.vip, false), brand = coalesce(s.brand, e.brand, false),
    sub_account_limit = nullif(coalesce(s.sub_account_limit, e.sub_account_limit, -1), -1),
    section_ids = CASE WHEN s.sections IS NULL
        THEN ARRAY(SELECT x.section_id FROM exhibitor_section x WHERE x.exhibitor_id = e.id ORDER BY 1)
        ELSE ARRAY(SELECT t.id FROM section t WHERE t.fair_id = r.fair_id AND t.external_id = ANY (s.sections) ORDER BY 1) END
FROM batch r LEFT JOIN exhibitor e ON e.fair_id = r.fair_id AND e.external_id = r.key
WHERE r.n = s.n AND r.problem IS NULL;

-- name: compare_exhibitors
-- Which known ones would change in what others see or in their limit.
UPDATE batch_exhibitor s SET changed = (e.name_zh, e.name_en, e.domicile, e.vip, e.brand, e.sub_account_limit)
        IS DISTINCT FROM (s.name_zh, s.name_en, s.domicile, s.vip, s.brand, s.sub_account_limit)
    OR s.section_ids <> ARRAY(SELECT x.section_id FROM exhibitor_section x WHERE x.exhibitor_id = e.id ORDER BY 1)
FROM batch r, exhibitor e
WHERE r.n = s.n AND e.id = s.id AND s.known AND r.problem IS NULL;

-- name: check_exhibitors
-- Sections that are nowhere.
UPDATE batch r SET problem = 'unknown_section', field = 'sections'
FROM batch_exhibitor s
WHERE s.n = r.n AND r.problem IS NULL
  AND cardinality(s.section_ids) < cardinality(s.sections);

-- name: resolve_mains
-- The main account that goes with each exhibitor (A2). One that an accounts row describes is that row's business alone.
UPDATE batch_account s SET
    exhibitor_id = x.id, id = coalesce(a.id, s.id), external_id = coalesce(a.external_id, s.external_id),
    login = CASE WHEN described THEN NULL ELSE s.login END, name = CASE WHEN described THEN NULL ELSE s.name END,
    mobile = CASE WHEN described THEN NULL ELSE s.mobile END,
    mobile_verified = CASE WHEN described THEN NULL ELSE s.mobile_verified END,
    email = CASE WHEN described THEN NULL ELSE s.email END,
    email_verified = CASE WHEN described THEN NULL ELSE s.email_verified END,
    language = CASE WHEN described THEN NULL ELSE s.language END,
    time_zone = CASE WHEN described THEN NULL ELSE s.time_zone END
FROM batch r
JOIN batch_exhibitor x ON x.n = r.n
LEFT JOIN account a ON a.exhibitor_id = x.id AND a.kind = 'main'
LEFT JOIN LATERAL (SELECT a.external_id LIKE 'account:%' AS described) AS managed ON true
WHERE r.n = s.n AND r.problem IS NULL;

-- name: write_exhibitors
-- New and changed exhibitors with their sections. What became of a row is said with its account.
WITH ready AS (
    SELECT s.*, r.key, r.fair_id FROM batch r JOIN batch_exhibitor s USING (n)
    WHERE r.problem IS NULL AND (NOT s.known OR s.changed)
), made AS (
    INSERT INTO exhibitor (id, fair_id, external_id, name_zh, name_en, name_tokens, domicile, vip, brand, sub_account_limit)
    SELECT id, fair_id, key, name_zh, name_en, name_tokens::tsvector, domicile, vip, brand, sub_account_limit
    FROM ready WHERE NOT known
), touched AS (
    UPDATE exhibitor e SET name_zh = b.name_zh, name_en = b.name_en, name_tokens = b.name_tokens::tsvector,
        domicile = b.domicile, vip = b.vip, brand = b.brand, sub_account_limit = b.sub_account_limit
    FROM ready b WHERE e.id = b.id AND b.known
), left_sections AS (
    DELETE FROM exhibitor_section x USING ready b
    WHERE x.exhibitor_id = b.id AND b.known AND x.section_id <> ALL (b.section_ids)
)
INSERT INTO exhibitor_section (exhibitor_id, section_id)
SELECT id, unnest(section_ids) FROM ready ON CONFLICT DO NOTHING;

-- name: resolve_team
-- Which account each row means, by id; a main row means the exhibitor's main account until one has claimed it (A2).
WITH found AS (
    SELECT r.n, e.id AS exhibitor_id, coalesce(a.id, m.id) AS account_id, a.id IS NULL AND m.id IS NOT NULL AS adopted,
        CASE
            WHEN s.kind <> 'organiser' AND e.id IS NULL THEN 'unknown_exhibitor'
            WHEN a.state = 'removed' THEN 'account_removed'
            WHEN a.kind <> s.kind THEN 'type_changed'
            WHEN a.id IS NOT NULL AND a.exhibitor_id IS DISTINCT FROM e.id THEN 'exhibitor_changed'
            WHEN a.id IS NULL AND m.external_id LIKE 'account:%' THEN 'main_exists'
            WHEN row_number() OVER (PARTITION BY coalesce(a.id, m.id, s.id) ORDER BY r.n) > 1 THEN 'main_exists'
        END AS problem
    FROM batch r
    JOIN batch_account s ON s.n = r.n
    LEFT JOIN exhibitor e ON e.fair_id = r.fair_id AND e.external_id = s.exhibitor
    LEFT JOIN account a ON a.fair_id = r.fair_id AND a.external_id = s.external_id
    LEFT JOIN account m ON m.exhibitor_id = e.id AND m.kind = 'main' AND s.kind = 'main'
    WHERE r.problem IS NULL
), placed AS (
    UPDATE batch_account s SET id = coalesce(f.account_id, s.id), exhibitor_id = f.exhibitor_id, adopted = f.adopted
    FROM found f WHERE f.n = s.n
)
UPDATE batch r SET problem = f.problem,
    field = CASE WHEN f.problem LIKE '%exhibitor%' THEN 'exhibitor' WHEN f.problem = 'account_removed' THEN 'id' ELSE 'type' END
FROM found f WHERE f.n = r.n AND f.problem IS NOT NULL;

-- name: resolve_buyers
-- Which account each buyer's row means, and its company.
WITH found AS (
    SELECT r.n, a.id, a.state, c.id AS company
    FROM batch r
    JOIN batch_account s ON s.n = r.n
    JOIN batch_buyer b ON b.n = r.n
    LEFT JOIN account a ON a.fair_id = r.fair_id AND a.external_id = s.external_id
    LEFT JOIN buyer_company c ON c.fair_id = r.fair_id AND c.external_id = b.company_id
    WHERE r.problem IS NULL
), placed AS (
    UPDATE batch_account s SET id = coalesce(f.id, s.id) FROM found f WHERE f.n = s.n
), employed AS (
    UPDATE batch_buyer b SET company_ref = f.company FROM found f WHERE f.n = b.n
)
UPDATE batch r SET problem = 'account_removed', field = 'id' FROM found f WHERE f.n = r.n AND f.state = 'removed';

-- name: merge_accounts
-- The values each account will have: from the file, else as they are, else the defaults. A verified address stays (A8).
WITH given AS (
    SELECT r.n, r.fair_id, s.id, s.kind, s.external_id, s.login, s.default_login, s.name, s.default_name, s.name_tokens, s.mobile,
        s.mobile_verified, s.email, s.email_verified, s.language, s.default_language, s.time_zone, a.id IS NOT NULL AS known,
        a.mobile_verified_at IS NOT NULL AND s.mobile IS NOT NULL AND s.mobile <> coalesce(a.mobile, '') AS keeps_mobile,
        a.email_verified_at IS NOT NULL AND s.email IS NOT NULL AND s.email <> coalesce(a.email, '') AS keeps_email,
        a.external_id AS old_external_id, a.login AS old_login, a.name AS old_name, a.name_tokens AS old_tokens,
        a.language AS old_language, a.time_zone AS old_time_zone, a.mobile AS old_mobile, a.email AS old_email,
        a.mobile_verified_at AS old_mobile_verified_at, a.email_verified_at AS old_email_verified_at, e.domicile
    FROM batch r
    JOIN batch_account s ON s.n = r.n
    LEFT JOIN account a ON a.id = s.id
    LEFT JOIN exhibitor e ON e.id = s.exhibitor_id
    WHERE r.problem IS NULL
), merged AS (
    SELECT given.*,
        coalesce(nullif(login, ''), old_login, default_login) AS new_login,
        coalesce(nullif(name, ''), old_name, default_name) AS new_name,
        CASE WHEN known AND coalesce(name, '') = '' THEN old_tokens::text ELSE name_tokens END AS new_tokens,
        coalesce(nullif(language, ''), old_language, default_language,
                 CASE domicile WHEN 'overseas' THEN 'en' ELSE 'zh' END) AS new_language,
        CASE WHEN time_zone IS NULL THEN old_time_zone ELSE nullif(time_zone, '') END AS new_time_zone,
        CASE WHEN mobile IS NULL OR keeps_mobile THEN old_mobile ELSE nullif(mobile, '') END AS new_mobile,
        CASE WHEN email IS NULL OR keeps_email THEN old_email ELSE nullif(email, '') END AS new_email
    FROM given
), verified AS (
    SELECT merged.*,
        CASE WHEN old_mobile_verified_at IS NOT NULL THEN old_mobile_verified_at
             WHEN mobile_verified AND new_mobile IS NOT NULL THEN $1::timestamptz END AS new_mobile_verified_at,
        CASE WHEN old_email_verified_at IS NOT NULL THEN old_email_verified_at
             WHEN email_verified AND new_email IS NOT NULL THEN $1::timestamptz END AS new_email_verified_at
    FROM merged
)
UPDATE batch_account s SET
    known = v.known, kept = v.keeps_mobile OR v.keeps_email, login = v.new_login, name = v.new_name, name_tokens = v.new_tokens,
    language = v.new_language, time_zone = v.new_time_zone, mobile = v.new_mobile, email = v.new_email,
    mobile_verified_at = v.new_mobile_verified_at, email_verified_at = v.new_email_verified_at,
    renamed = v.known AND v.old_name <> v.new_name,
    changed = v.known AND (v.old_external_id, v.old_login, v.old_name, v.old_language, v.old_time_zone, v.old_mobile, v.old_email,
                           v.old_mobile_verified_at, v.old_email_verified_at)
        IS DISTINCT FROM (v.external_id, v.new_login, v.new_name, v.new_language, v.new_time_zone, v.new_mobile, v.new_email,
                          v.new_mobile_verified_at, v.new_email_verified_at)
FROM verified v WHERE v.n = s.n;

-- name: check_logins
-- A login is one account's: another here has it, or an earlier row of the batch takes it.
WITH free AS (
    SELECT r.n, r.fair_id, s.login,
        EXISTS (SELECT FROM account a WHERE a.fair_id = r.fair_id AND a.login = s.login AND a.id <> s.id) AS taken
    FROM batch r JOIN batch_account s USING (n)
    WHERE r.problem IS NULL AND (NOT s.known OR s.changed)
), counted AS (
    SELECT n, taken, row_number() OVER (PARTITION BY fair_id, login, taken ORDER BY n) AS nth FROM free
)
UPDATE batch r SET problem = 'login_taken', field = 'login' FROM counted c WHERE c.n = r.n AND (c.taken OR c.nth > 1);

-- name: check_mobiles
-- As check_logins, for verified numbers: sign-in by a code must find one account (A9).
WITH free AS (
    SELECT r.n, r.fair_id, s.mobile,
        EXISTS (SELECT FROM account a WHERE a.fair_id = r.fair_id AND a.mobile = s.mobile AND a.mobile_verified_at IS NOT NULL
                AND a.id <> s.id) AS taken
    FROM batch r JOIN batch_account s USING (n)
    WHERE r.problem IS NULL AND (NOT s.known OR s.changed)
      AND s.mobile_verified_at IS NOT NULL
), counted AS (
    SELECT n, taken, row_number() OVER (PARTITION BY fair_id, mobile, taken ORDER BY n) AS nth FROM free
)
UPDATE batch r SET problem = 'address_taken', field = 'mobile' FROM counted c WHERE c.n = r.n AND (c.taken OR c.nth > 1);

-- name: check_emails
-- As check_mobiles, for verified email addresses.
WITH free AS (
    SELECT r.n, r.fair_id, s.email,
        EXISTS (SELECT FROM account a WHERE a.fair_id = r.fair_id AND a.email = s.email AND a.email_verified_at IS NOT NULL
                AND a.id <> s.id) AS taken
    FROM batch r JOIN batch_account s USING (n)
    WHERE r.problem IS NULL AND (NOT s.known OR s.changed)
      AND s.email_verified_at IS NOT NULL
), counted AS (
    SELECT n, taken, row_number() OVER (PARTITION BY fair_id, email, taken ORDER BY n) AS nth FROM free
)
UPDATE batch r SET problem = 'address_taken', field = 'email' FROM counted c WHERE c.n = r.n AND (c.taken OR c.nth > 1);

-- name: lock_teams
-- Sub-accounts are counted under their exhibitor's lock, so that nobody adds one meanwhile (A2).
SELECT e.id FROM exhibitor e
WHERE e.id IN (
    SELECT s.exhibitor_id FROM batch r JOIN batch_account s USING (n)
    WHERE r.problem IS NULL AND NOT s.known)
ORDER BY e.id FOR NO KEY UPDATE;

-- name: check_limits
-- New sub-accounts beyond the exhibitor's limit, else the fair's, else the installation's (A2).
WITH new AS (
    SELECT r.n, s.exhibitor_id,
        coalesce(e.sub_account_limit, (f.settings ->> 'sub_account_limit')::integer, $1) AS most,
        row_number() OVER (PARTITION BY s.exhibitor_id ORDER BY r.n) AS nth
    FROM batch r
    JOIN batch_account s ON s.n = r.n
    JOIN exhibitor e ON e.id = s.exhibitor_id
    JOIN fair f ON f.id = r.fair_id
    WHERE s.kind <> 'main' AND NOT s.known AND r.problem IS NULL
)
UPDATE batch r SET problem = 'account_limit', field = 'exhibitor' FROM new
WHERE new.n = r.n AND new.nth > new.most - (
    SELECT count(*) FROM account a WHERE a.exhibitor_id = new.exhibitor_id AND a.kind <> 'main' AND a.state <> 'removed');

-- name: add_accounts
-- New accounts, active and without a password unless the installation is a demo; answers their ids.
INSERT INTO account (id, fair_id, exhibitor_id, external_id, kind, login, name, name_tokens, password_hash, language, time_zone,
                     mobile, mobile_verified_at, email, email_verified_at, created_at)
SELECT s.id, r.fair_id, s.exhibitor_id, s.external_id, s.kind, s.login, s.name, s.name_tokens::tsvector, $2, s.language,
       s.time_zone, s.mobile, s.mobile_verified_at, s.email, s.email_verified_at, $1
FROM batch r JOIN batch_account s USING (n)
WHERE r.problem IS NULL AND NOT s.known
RETURNING id;

-- name: change_accounts
-- Known accounts that differ, locked by ascending id like everywhere. An address verified just now is not taken back.
WITH locked AS (
    SELECT a.id, s.external_id, s.login, s.name, s.name_tokens, s.language, s.time_zone, s.mobile, s.mobile_verified_at, s.email,
        s.email_verified_at
    FROM batch r JOIN batch_account s USING (n) JOIN account a ON a.id = s.id
    WHERE r.problem IS NULL AND s.known AND s.changed
    ORDER BY a.id FOR NO KEY UPDATE OF a
)
UPDATE account a SET external_id = l.external_id, login = l.login, name = l.name, name_tokens = l.name_tokens::tsvector,
    language = l.language, time_zone = l.time_zone,
    mobile = CASE WHEN a.mobile_verified_at IS NULL THEN l.mobile ELSE a.mobile END,
    mobile_verified_at = coalesce(a.mobile_verified_at, l.mobile_verified_at),
    email = CASE WHEN a.email_verified_at IS NULL THEN l.email ELSE a.email END,
    email_verified_at = coalesce(a.email_verified_at, l.email_verified_at)
FROM locked l WHERE a.id = l.id;

-- name: settle_accounts
-- What became of each row that describes an account, and perhaps an exhibitor or a buyer besides.
UPDATE batch r SET outcome = CASE
    WHEN NOT coalesce(x.known, s.known) OR s.adopted THEN 'created'
    WHEN NOT s.known OR s.changed OR coalesce(x.changed, false) OR coalesce(b.changed, false) THEN 'updated'
    ELSE 'unchanged' END
FROM batch_account s
LEFT JOIN batch_exhibitor x ON x.n = s.n
LEFT JOIN batch_buyer b ON b.n = s.n
WHERE s.n = r.n AND r.problem IS NULL;

-- name: settle_companies
-- Companies that buyers share: made, or renamed as the first row that names them says (A3).
WITH first AS (
    SELECT DISTINCT ON (f.id, b.company_id) f.id AS fair_id, b.company_id, b.company_new, nullif(b.company, '') AS name
    FROM staged r JOIN staged_buyer b USING (n) JOIN fair f ON f.code = r.fair
    WHERE r.kind = 'buyer' AND r.problem IS NULL AND b.company_id <> ''
    ORDER BY f.id, b.company_id, (coalesce(b.company, '') = ''), r.n
)
INSERT INTO buyer_company AS c (id, fair_id, external_id, name)
SELECT company_new, fair_id, company_id, coalesce(name, company_id) FROM first
ON CONFLICT (fair_id, external_id) DO UPDATE SET name = EXCLUDED.name
WHERE c.name <> EXCLUDED.name AND EXCLUDED.name <> c.external_id;

-- name: merge_buyers
-- The values each buyer will have. An emptied profile field is gone.
UPDATE batch_buyer s SET
    role = coalesce(nullif(s.role, ''), b.role, 'buyer'),
    company_ref = CASE WHEN s.company_id IS NULL THEN b.company_id ELSE s.company_ref END,
    country = CASE WHEN s.country IS NULL THEN b.country ELSE nullif(s.country, '') END,
    interests = coalesce(s.interests, b.interests, '{}'),
    avatar = CASE WHEN s.avatar IS NULL THEN b.avatar ELSE nullif(s.avatar, '') END,
    profile = jsonb_strip_nulls(coalesce(b.profile, '{}') || s.profile)
FROM batch r JOIN batch_account a ON a.n = r.n LEFT JOIN buyer b ON b.account_id = a.id
WHERE r.n = s.n AND r.problem IS NULL;

-- name: merged_profiles
-- What completeness is computed from (A3).
SELECT r.n, f.settings, b.country, b.interests, b.profile
FROM batch r JOIN batch_buyer b USING (n) JOIN fair f ON f.id = r.fair_id
WHERE r.problem IS NULL;

-- name: mark_complete
-- The buyers with nothing missing.
UPDATE batch_buyer SET complete = true WHERE n = ANY ($1);

-- name: compare_buyers
-- Which known buyers would change.
UPDATE batch_buyer s SET changed = (b.role, b.company_id, b.country, b.interests, b.avatar, b.profile, b.complete)
    IS DISTINCT FROM (s.role, s.company_ref, s.country, s.interests, s.avatar, s.profile, s.complete)
FROM batch r JOIN batch_account a ON a.n = r.n JOIN buyer b ON b.account_id = a.id
WHERE r.n = s.n AND r.problem IS NULL;

-- name: write_buyers
-- New and changed buyers, beside their accounts.
INSERT INTO buyer AS old (account_id, role, company_id, country, interests, avatar, profile, complete)
SELECT a.id, s.role, s.company_ref, s.country, s.interests, s.avatar, s.profile, s.complete
FROM batch r JOIN batch_account a ON a.n = r.n JOIN batch_buyer s ON s.n = r.n
WHERE r.problem IS NULL AND coalesce(s.changed, true)
ON CONFLICT (account_id) DO UPDATE SET role = EXCLUDED.role, company_id = EXCLUDED.company_id, country = EXCLUDED.country,
    interests = EXCLUDED.interests, avatar = EXCLUDED.avatar, profile = EXCLUDED.profile, complete = EXCLUDED.complete;

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

-- name: affected_accounts
-- Whose view a batch changed: the accounts themselves, colleagues and buyers who see a new name, teams who see a buyer anew.
WITH ready AS (
    SELECT s.id, s.kind, s.exhibitor_id, s.renamed, s.known, coalesce(x.known AND x.changed, false) AS company,
        s.known AND (s.changed OR coalesce(x.changed, false) OR coalesce(b.changed, false)) AS changed,
        s.kind = 'buyer' AND s.known AND (s.changed OR coalesce(b.changed, false)) AS buyer
    FROM batch r JOIN batch_account s USING (n) LEFT JOIN batch_exhibitor x USING (n) LEFT JOIN batch_buyer b USING (n)
    WHERE r.problem IS NULL
), affected AS (
    SELECT id FROM ready WHERE changed
    UNION SELECT a.id FROM ready t JOIN account a ON a.exhibitor_id = t.exhibitor_id WHERE t.renamed
    UNION SELECT c.buyer_id FROM ready t JOIN participant p ON p.account_id = t.id JOIN conversation c ON c.id = p.conversation_id
        WHERE t.renamed AND t.exhibitor_id IS NOT NULL
    UNION SELECT c.buyer_id FROM ready t JOIN conversation c ON c.exhibitor_id = t.exhibitor_id WHERE t.company
    UNION SELECT a.id FROM ready t JOIN conversation c ON c.buyer_id = t.id JOIN account a ON a.exhibitor_id = c.exhibitor_id
        WHERE t.buyer
)
SELECT id FROM affected ORDER BY id;

-- name: lock_streams
-- By ascending id, as every commit does (W4, W8).
SELECT account_id FROM account_stream WHERE account_id = ANY ($1) ORDER BY account_id FOR UPDATE;

-- name: buyers_of_fair
-- A page of a fair's buyers with what completeness is computed from (A3).
SELECT b.account_id, b.country, b.interests, b.profile, b.complete, f.settings
FROM account a JOIN buyer b ON b.account_id = a.id JOIN fair f ON f.id = a.fair_id
WHERE a.fair_id = $1 AND a.id > $2 ORDER BY a.id LIMIT $3;

-- name: turn_complete
-- Buyers that are complete now and were not, or the other way round.
UPDATE buyer SET complete = NOT complete WHERE account_id = ANY ($1);

-- name: accounts_of_fair
-- Everybody at a fair, for load tools: in an order that does not depend on ids.
SELECT a.id, a.login, a.kind, a.name, e.id AS exhibitor, e.external_id AS exhibitor_id
FROM account a JOIN fair f ON f.id = a.fair_id LEFT JOIN exhibitor e ON e.id = a.exhibitor_id
WHERE f.code = $1 AND a.state = 'active' AND (a.kind, a.login) > ($2, $3)
ORDER BY a.kind, a.login LIMIT $4;

-- name: accounts_by_login
-- The accounts of a fair that are shown as demo sign-ins, or get tokens; in a demo installation only.
SELECT a.id, a.login, a.kind, a.name, e.id AS exhibitor, e.external_id AS exhibitor_id
FROM installation i, account a JOIN fair f ON f.id = a.fair_id LEFT JOIN exhibitor e ON e.id = a.exhibitor_id
WHERE i.demo AND f.code = $1 AND a.state = 'active' AND a.login = ANY ($2);

-- name: fair_codes
-- The fairs of the installation.
SELECT id, code FROM fair ORDER BY code;

-- name: become_demo
-- An installation without a fair becomes one for demos; one that is stays one. Nothing comes back from any other.
UPDATE installation SET demo = true WHERE demo OR NOT EXISTS (SELECT FROM fair) RETURNING only_row;

-- name: open_sessions
-- Sessions of a load tool's accounts, all at once.
INSERT INTO session (id, account_id, device_id, device_name, created_at, used_at, expires_at)
SELECT id, account_id, $3, 'load tool', $4, $4, $5 FROM unnest($1::uuid[], $2::uuid[]) AS new (id, account_id);
