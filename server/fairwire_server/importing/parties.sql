-- Exhibitors, accounts and buyers, from the batch into the fair's own tables, and whose view that changes.

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
