-- The importer's own tables. They are temporary: they live and die with its connection. `staged…` hold what the files say, `batch…`
-- the rows of one kind that are being written; what does not fit gets a `problem`, and later steps pass it by.

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
