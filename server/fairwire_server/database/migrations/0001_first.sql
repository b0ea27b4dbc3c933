-- The fair, its parties, their sessions, streams, chats and contacts.
-- Ids are UUIDv7 made by the application; times are UTC instants; `*_seq` counts within a conversation, `pos` within a stream (W2).

CREATE EXTENSION IF NOT EXISTS btree_gin;

CREATE TABLE installation (
    only_row          boolean PRIMARY KEY DEFAULT true CONSTRAINT installation_one_row CHECK (only_row),
    secret            bytea   NOT NULL,               -- signs access tokens unless FAIRWIRE_SECRET is set
    demo              boolean NOT NULL DEFAULT false, -- demo and bench installations may mint tokens
    system_identifier bigint,                         -- of the PostgreSQL cluster last served from; a change renews every epoch (W6)
    timeline          integer
);

-- A1: one edition of a fair, with its settings as data.
CREATE TABLE fair (
    id              uuid PRIMARY KEY,
    code            text NOT NULL CONSTRAINT fair_code_unique UNIQUE,
    name_zh         text NOT NULL,
    name_en         text NOT NULL,
    time_zone       text NOT NULL DEFAULT 'Asia/Shanghai',
    opens_at        timestamptz NOT NULL,
    closes_at       timestamptz NOT NULL,
    settings        jsonb NOT NULL DEFAULT '{}',      -- sub_account_limit, profile_fields, waiting_minutes, routing (see accounts/fair_settings.py)
    capabilities    jsonb NOT NULL DEFAULT '{}',      -- A7: differences from the default table
    created_at      timestamptz NOT NULL,
    CONSTRAINT fair_opens_before_it_closes CHECK (opens_at < closes_at)
);

CREATE TABLE section (
    id          uuid PRIMARY KEY,
    fair_id     uuid NOT NULL REFERENCES fair,
    external_id text NOT NULL,
    name_zh     text NOT NULL,
    name_en     text NOT NULL,
    CONSTRAINT section_external_id_unique UNIQUE (fair_id, external_id)
);

-- A2
CREATE TABLE exhibitor (
    id                uuid PRIMARY KEY,
    fair_id           uuid NOT NULL REFERENCES fair,
    external_id       text NOT NULL,
    name_zh           text NOT NULL,
    name_en           text NOT NULL,
    name_tokens       tsvector NOT NULL DEFAULT '',   -- both names, folded (C15)
    domicile          text NOT NULL CONSTRAINT exhibitor_domicile_known CHECK (domicile IN ('domestic', 'overseas')),
    vip               boolean NOT NULL DEFAULT false,
    brand             boolean NOT NULL DEFAULT false,
    sub_account_limit integer,                        -- null: the fair's
    routing           text[],                         -- C6: the exhibitor's order of the reorderable steps; null: the fair's
    answer_seconds    integer,                        -- C5: usual time to answer, over the last answered chats
    CONSTRAINT exhibitor_external_id_unique UNIQUE (fair_id, external_id)
);
CREATE INDEX exhibitor_by_name ON exhibitor (fair_id, name_en, id);
CREATE INDEX exhibitor_name_tokens ON exhibitor USING gin (fair_id, name_tokens);

CREATE TABLE exhibitor_section (
    exhibitor_id uuid NOT NULL REFERENCES exhibitor ON DELETE CASCADE,
    section_id   uuid NOT NULL REFERENCES section,
    PRIMARY KEY (exhibitor_id, section_id)
);

CREATE TABLE department (
    id           uuid PRIMARY KEY,
    exhibitor_id uuid NOT NULL REFERENCES exhibitor ON DELETE CASCADE,
    parent_id    uuid REFERENCES department,
    name         text NOT NULL
);

-- A3: what buyers of one company share.
CREATE TABLE buyer_company (
    id          uuid PRIMARY KEY,
    fair_id     uuid NOT NULL REFERENCES fair,
    external_id text,
    name        text NOT NULL,
    CONSTRAINT buyer_company_external_id_unique UNIQUE (fair_id, external_id)
);

-- Every account of every side. Buyers' own fields stand in `buyer`.
CREATE TABLE account (
    id             uuid PRIMARY KEY,
    fair_id        uuid NOT NULL REFERENCES fair,
    exhibitor_id   uuid REFERENCES exhibitor,
    department_id  uuid REFERENCES department,
    external_id    text,
    kind           text NOT NULL CONSTRAINT account_kind_known CHECK (kind IN ('organiser', 'main', 'manager', 'business', 'exhibit', 'buyer')),
    login          text NOT NULL,                     -- as signed in with, case-folded
    name           text NOT NULL,                     -- shown to others
    name_tokens    tsvector NOT NULL DEFAULT '',      -- folded (C15)
    password_hash  text,                              -- null until activated
    state          text NOT NULL DEFAULT 'active' CONSTRAINT account_state_known CHECK (state IN ('active', 'disabled', 'suspended', 'removed')),
    suspended_from text,                              -- while suspended: the state it goes back to (A6)
    silenced_until timestamptz,                       -- C18
    language       text NOT NULL DEFAULT 'zh',
    time_zone      text,
    mobile         text,                              -- E.164
    mobile_verified_at timestamptz,
    email          text,
    email_verified_at  timestamptz,
    image_bytes    bigint NOT NULL DEFAULT 0,         -- C4: what counts against the quota
    created_at     timestamptz NOT NULL,
    CONSTRAINT account_login_unique UNIQUE (fair_id, login),
    CONSTRAINT account_external_id_unique UNIQUE (fair_id, external_id),
    CONSTRAINT account_side CHECK ((exhibitor_id IS NOT NULL) = (kind IN ('main', 'manager', 'business', 'exhibit')))
);
CREATE UNIQUE INDEX account_one_main ON account (exhibitor_id) WHERE kind = 'main';
CREATE INDEX account_by_exhibitor ON account (exhibitor_id) WHERE exhibitor_id IS NOT NULL;
CREATE UNIQUE INDEX account_by_mobile ON account (fair_id, mobile) WHERE mobile_verified_at IS NOT NULL;
CREATE UNIQUE INDEX account_by_email ON account (fair_id, email) WHERE email_verified_at IS NOT NULL;

CREATE TABLE buyer (
    account_id   uuid PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    role         text NOT NULL DEFAULT 'buyer' CONSTRAINT buyer_role_known CHECK (role IN ('buyer', 'representative')),
    company_id   uuid REFERENCES buyer_company,
    country      text,                                -- ISO 3166-1 alpha-2
    interests    text[] NOT NULL DEFAULT '{}',
    avatar       text,
    profile      jsonb NOT NULL DEFAULT '{}',         -- the basic data K2 opens: full_name, company, position, website, address …
    complete     boolean NOT NULL DEFAULT false       -- A3: recomputed on every change
);

-- An account with what its view and its rules need: its fair's settings and table, a buyer's profile, an exhibitor's domicile.
CREATE VIEW account_full AS
SELECT a.id, a.fair_id, a.exhibitor_id, a.department_id, a.kind, a.login, a.name, a.state, a.language, a.time_zone,
       a.mobile, a.mobile_verified_at IS NOT NULL AS mobile_verified,
       a.email, a.email_verified_at IS NOT NULL AS email_verified, a.password_hash IS NOT NULL AS activated,
       b.role, b.country, b.interests, b.profile, b.complete, c.name AS company, e.domicile,
       f.settings, f.capabilities
FROM account a
JOIN fair f ON f.id = a.fair_id
LEFT JOIN exhibitor e ON e.id = a.exhibitor_id
LEFT JOIN buyer b ON b.account_id = a.id
LEFT JOIN buyer_company c ON c.id = b.company_id;

-- Signed-in devices. Refresh tokens rotate; reuse of an old one after 60 s revokes the family (W13).
CREATE TABLE session (
    id                uuid PRIMARY KEY,
    account_id        uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    device_id         text NOT NULL,
    device_name       text NOT NULL DEFAULT '',
    created_at        timestamptz NOT NULL,
    used_at           timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    revoked_at        timestamptz,
    revoked_for       text
);
CREATE INDEX session_by_account ON session (account_id);

CREATE TABLE refresh_token (
    hash         bytea PRIMARY KEY,                   -- sha-256; the token itself is never stored
    session_id   uuid NOT NULL REFERENCES session ON DELETE CASCADE,
    generation   integer NOT NULL,
    created_at   timestamptz NOT NULL,
    rotated_at   timestamptz
);
CREATE INDEX refresh_token_by_session ON refresh_token (session_id);

-- A8, A9: codes sent to an address; hashed, few tries, short life.
CREATE TABLE verification_code (
    id          uuid PRIMARY KEY,
    fair_id     uuid NOT NULL REFERENCES fair,
    account_id  uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    purpose     text NOT NULL CONSTRAINT verification_purpose_known CHECK (purpose IN ('sign_in', 'verify', 'change', 'activate')),
    address     text NOT NULL,
    code_hash   bytea NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    tries       integer NOT NULL DEFAULT 0,
    used_at     timestamptz
);
CREATE UNIQUE INDEX verification_code_one_open ON verification_code (account_id, purpose) WHERE used_at IS NULL;
CREATE INDEX verification_code_by_age ON verification_code (created_at);

-- W7: results of commands that are not naturally idempotent, kept 24 h.
CREATE TABLE command_result (
    account_id  uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    cid         uuid NOT NULL,
    operation   text NOT NULL,
    fingerprint bytea NOT NULL,
    reply       bytea,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (account_id, cid)
);
CREATE INDEX command_result_by_age ON command_result (created_at);

-- A4, A6: who did what to whom, and every reading of a reported chat.
CREATE TABLE audit (
    id          uuid PRIMARY KEY,
    fair_id     uuid NOT NULL REFERENCES fair,
    actor_id    uuid REFERENCES account,
    action      text NOT NULL,
    subject_id  uuid,
    detail      jsonb NOT NULL DEFAULT '{}',
    at          timestamptz NOT NULL
);
CREATE INDEX audit_by_fair ON audit (fair_id, id);

-- W2, W4: one row per account; its lock orders commits, so no gap can hide an event.
CREATE TABLE account_stream (
    account_id uuid PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    epoch      bigint NOT NULL,
    pos        bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- What an account was told. `body` is MessagePack; null for a plain message, which is rendered from `message` when replayed,
-- so that a recalled text is nowhere else.
CREATE TABLE account_event (
    account_id      uuid NOT NULL,
    pos             bigint NOT NULL,
    type            text NOT NULL,
    conversation_id uuid,
    seq             integer,
    body            bytea,
    at              timestamptz NOT NULL,
    PRIMARY KEY (account_id, pos)
);
CREATE INDEX account_event_by_age ON account_event USING brin (at);

CREATE TABLE fair_stream (
    fair_id uuid PRIMARY KEY REFERENCES fair ON DELETE CASCADE,
    epoch   bigint NOT NULL,
    pos     bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE fair_event (
    fair_id uuid NOT NULL,
    pos     bigint NOT NULL,
    body    bytea NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (fair_id, pos)
);

-- Exhibits, as far as a card's source needs them (C2); the rest of O comes later.
CREATE TABLE exhibit (
    id           uuid PRIMARY KEY,
    fair_id      uuid NOT NULL REFERENCES fair,
    exhibitor_id uuid NOT NULL REFERENCES exhibitor ON DELETE CASCADE,
    owner_id     uuid REFERENCES account,
    external_id  text NOT NULL,
    section_id   uuid REFERENCES section,
    code         text NOT NULL DEFAULT '',
    name_zh      text NOT NULL,
    name_en      text NOT NULL,
    image        text,
    tags         text[] NOT NULL DEFAULT '{}',
    state        text NOT NULL DEFAULT 'listed' CONSTRAINT exhibit_state_known CHECK (state IN ('listed', 'unlisted', 'banned')),
    created_at   timestamptz NOT NULL,
    CONSTRAINT exhibit_external_id_unique UNIQUE (exhibitor_id, external_id)
);

-- C1: one per (buyer, exhibitor), for ever; exactly one holder. The row's lock orders everything said in it (W8).
CREATE TABLE conversation (
    id               uuid PRIMARY KEY,
    fair_id          uuid NOT NULL REFERENCES fair,
    exhibitor_id     uuid NOT NULL REFERENCES exhibitor,
    buyer_id         uuid NOT NULL REFERENCES account,
    holder_id        uuid NOT NULL REFERENCES account,
    last_seq         integer NOT NULL DEFAULT 0,
    open             boolean NOT NULL DEFAULT false,
    opened_at        timestamptz,                     -- of the present opening
    unanswered_since timestamptz,                     -- first buyer's message without an answer
    waiting_since    timestamptz,                     -- C11: set by the sweep once N minutes have passed
    blocked_by_buyer boolean NOT NULL DEFAULT false,
    blocked_by_team  boolean NOT NULL DEFAULT false,
    last_at          timestamptz,
    created_at       timestamptz NOT NULL,
    CONSTRAINT conversation_one_per_pair UNIQUE (buyer_id, exhibitor_id)
) WITH (fillfactor = 70);
CREATE INDEX conversation_by_exhibitor ON conversation (exhibitor_id);
CREATE INDEX conversation_by_holder ON conversation (holder_id);

-- W3: the buyer and whoever holds or held it. `last_pos` is the position of its newest message in the account's own stream (K1, W8);
-- it is deliberately not indexed, so that a message updates in place.
CREATE TABLE participant (
    conversation_id uuid NOT NULL REFERENCES conversation ON DELETE CASCADE,
    account_id      uuid NOT NULL REFERENCES account,
    last_pos        bigint NOT NULL DEFAULT 0,
    read_seq        integer NOT NULL DEFAULT 0,
    received_seq    integer NOT NULL DEFAULT 0,
    readable_to     integer,                          -- C9: null while it holds (or is the buyer); else the transfer's seq
    PRIMARY KEY (conversation_id, account_id)
) WITH (fillfactor = 70);
CREATE INDEX participant_by_account ON participant (account_id);

-- K3, K4: what an account has marked. A row without either is deleted.
CREATE TABLE contact_mark (
    account_id      uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    conversation_id uuid NOT NULL REFERENCES conversation ON DELETE CASCADE,
    pinned_at       timestamptz,
    starred_at      timestamptz,
    PRIMARY KEY (account_id, conversation_id)
);

-- K2: buyers in an exhibitor's customer base.
CREATE TABLE customer (
    exhibitor_id uuid NOT NULL REFERENCES exhibitor,
    buyer_id     uuid NOT NULL REFERENCES account,
    created_by   uuid NOT NULL REFERENCES account,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (exhibitor_id, buyer_id)
);

CREATE TABLE image (
    id             uuid PRIMARY KEY,
    fair_id        uuid NOT NULL REFERENCES fair,
    owner_id       uuid NOT NULL REFERENCES account,
    kind           text NOT NULL,                     -- png, jpeg, webp, gif
    width          integer NOT NULL,
    height         integer NOT NULL,
    bytes          bigint NOT NULL,
    created_at     timestamptz NOT NULL,
    sent_at        timestamptz,                       -- null: uploaded, not yet in a message; swept after a day
    gone_at        timestamptz                        -- recalled, or swept: deleted soon after, unless a message still shows it
);
CREATE INDEX image_unsent ON image (created_at) WHERE sent_at IS NULL;
CREATE INDEX image_gone ON image (gone_at) WHERE gone_at IS NOT NULL;

CREATE TABLE message (
    conversation_id uuid NOT NULL REFERENCES conversation,
    seq             integer NOT NULL,
    kind            text NOT NULL CONSTRAINT message_kind_known CHECK (kind IN ('text', 'image', 'card', 'transfer')),
    side            text NOT NULL CONSTRAINT message_side_known CHECK (side IN ('buyer', 'team')),
    sender_id       uuid NOT NULL,
    cid             uuid NOT NULL,
    text            text,
    image_id        uuid REFERENCES image,
    detail          jsonb,                            -- a card's or a transfer's facts
    flagged         boolean NOT NULL DEFAULT false,   -- C18: the keyword list said `flag`
    fingerprint     bytea,                            -- what another command of this cid must equal (W7); null for system kinds
    at              timestamptz NOT NULL,
    recalled_at     timestamptz,
    PRIMARY KEY (conversation_id, seq),
    CONSTRAINT message_cid_unique UNIQUE (sender_id, cid)
);
CREATE INDEX message_by_age ON message USING brin (at) WITH (pages_per_range = 16);
CREATE INDEX message_by_image ON message (image_id) WHERE image_id IS NOT NULL;
CREATE INDEX message_flagged ON message (conversation_id) WHERE flagged;

-- A message with its sender's name and its image: what rendering needs, from a row or as JSON.
CREATE VIEW message_full AS
SELECT m.conversation_id, m.seq, m.kind, m.side, m.sender_id, a.name AS sender_name, m.text, m.detail, m.at AS message_at,
       m.recalled_at, m.cid, i.id AS image_id, i.kind AS image_kind, i.width, i.height, i.bytes
FROM message m
LEFT JOIN account a ON a.id = m.sender_id
LEFT JOIN image i ON i.id = m.image_id;

-- A message as a JSON array, in the order of `MessageRow` (streams/messages.py). Arrays, here and below: names of fields would be half
-- of what travels, and cost as much to write and read.
CREATE FUNCTION message_array(m message_full) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_array(m.conversation_id, m.seq, m.kind, m.side, m.sender_id, m.sender_name, m.text, m.detail, m.message_at,
        m.recalled_at, m.cid, m.image_id, m.image_kind, m.width, m.height, m.bytes)
$$;

-- Entries of the recent list for one viewer, as JSON arrays (`EntryRow`) that contacts/entries.py turns into what the viewer may see (K1, K2, C9).
-- One place, because the snapshot, lists, search and events must agree to the letter (W5).
CREATE FUNCTION entry_rows(viewer uuid, conversations uuid[]) RETURNS SETOF json
LANGUAGE sql STABLE AS $$
    SELECT json_build_array(
        c.id, c.last_seq, c.open, c.waiting_since, c.blocked_by_buyer, c.blocked_by_team, c.holder_id, h.name,
        p.account_id IS NOT NULL, coalesce(p.last_pos, 0), coalesce(p.read_seq, 0), coalesce(p.received_seq, 0), p.readable_to,
        k.pinned_at, k.starred_at IS NOT NULL,
        (SELECT message_array(m) FROM message_full m
         WHERE m.conversation_id = c.id AND m.seq = coalesce(p.readable_to, c.last_seq)),
        (SELECT coalesce(json_agg(json_build_array(
                    o.account_id, CASE WHEN o.account_id = c.buyer_id THEN 'buyer' ELSE 'team' END, o.received_seq, o.read_seq)), '[]')
         FROM participant o
         WHERE o.conversation_id = c.id AND o.account_id <> viewer AND o.received_seq > 0),
        CASE WHEN c.buyer_id = viewer THEN (
            SELECT json_build_array(e.id, e.name_zh, e.name_en, e.vip, e.brand, e.domicile,
                NULL, -- C5: the time to answer moves by itself; exhibitors.show tells it
                (SELECT coalesce(json_agg(s.section_id ORDER BY s.section_id), '[]')
                 FROM exhibitor_section s WHERE s.exhibitor_id = e.id))
            FROM exhibitor e WHERE e.id = c.exhibitor_id) END,
        CASE WHEN c.buyer_id <> viewer THEN (
            SELECT json_build_array(a.id, a.name, b.country, b.interests, b.avatar, base.buyer_id IS NOT NULL,
                CASE WHEN base.buyer_id IS NOT NULL THEN json_build_array(a.email, a.mobile, b.role,
                    (SELECT name FROM buyer_company WHERE id = b.company_id), b.profile) END)
            FROM account a JOIN buyer b ON b.account_id = a.id
            LEFT JOIN customer base ON base.exhibitor_id = c.exhibitor_id AND base.buyer_id = a.id
            WHERE a.id = c.buyer_id) END)
    FROM conversation c
    JOIN account h ON h.id = c.holder_id
    LEFT JOIN participant p ON p.conversation_id = c.id AND p.account_id = viewer
    LEFT JOIN contact_mark k ON k.conversation_id = c.id AND k.account_id = viewer
    WHERE c.id = ANY (conversations)
$$;

-- C15: written by the background indexer, which is fed after each commit and reads again from `search_progress` what a crash left.
CREATE TABLE message_search (
    conversation_id uuid NOT NULL,
    seq             integer NOT NULL,
    exhibitor_id    uuid NOT NULL,
    at              timestamptz NOT NULL,
    tokens          tsvector NOT NULL,
    PRIMARY KEY (conversation_id, seq)
);
CREATE INDEX message_search_newest ON message_search (exhibitor_id, at DESC);
-- A short pending list: what a search reads besides the index, and how long the indexer is held up when it is merged.
CREATE INDEX message_search_tokens ON message_search USING gin (exhibitor_id, tokens) WITH (gin_pending_list_limit = 512);

CREATE TABLE search_progress (
    only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT search_progress_one_row CHECK (only_row),
    done_to  timestamptz NOT NULL                     -- every message accepted before this instant is indexed
);

-- C10: kept for ever.
CREATE TABLE transfer (
    id              uuid PRIMARY KEY,
    conversation_id uuid NOT NULL REFERENCES conversation,
    seq             integer NOT NULL,
    from_id         uuid NOT NULL REFERENCES account,
    to_id           uuid NOT NULL REFERENCES account,
    by_id           uuid REFERENCES account,          -- null: routing
    reason          text NOT NULL CONSTRAINT transfer_reason_known CHECK (reason IN ('transfer', 'accepted', 'takeover', 'routing', 'handover')),
    note            text NOT NULL DEFAULT '',
    at              timestamptz NOT NULL
);
CREATE INDEX transfer_by_conversation ON transfer (conversation_id, seq);

-- C8: ask first. The sender holds the chat all the while.
CREATE TABLE transfer_offer (
    id              uuid PRIMARY KEY,
    conversation_id uuid NOT NULL REFERENCES conversation,
    from_id         uuid NOT NULL REFERENCES account,
    to_id           uuid NOT NULL REFERENCES account,
    note            text NOT NULL DEFAULT '',
    at              timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    outcome         text CONSTRAINT transfer_offer_outcome_known CHECK (outcome IN ('accepted', 'declined', 'expired', 'withdrawn'))
);
CREATE UNIQUE INDEX transfer_offer_one_open ON transfer_offer (conversation_id) WHERE outcome IS NULL;
CREATE INDEX transfer_offer_due ON transfer_offer (expires_at) WHERE outcome IS NULL;

-- C18
CREATE TABLE keyword (
    fair_id uuid NOT NULL REFERENCES fair,
    word    text NOT NULL,
    action  text NOT NULL CONSTRAINT keyword_action_known CHECK (action IN ('refuse', 'flag')),
    PRIMARY KEY (fair_id, word)
);

CREATE TABLE report (
    id              uuid PRIMARY KEY,
    fair_id         uuid NOT NULL REFERENCES fair,
    conversation_id uuid NOT NULL REFERENCES conversation,
    reporter_id     uuid NOT NULL REFERENCES account,
    seqs            integer[] NOT NULL,               -- the reported messages; the organiser reads these and no others (A4)
    reason          text NOT NULL,
    at              timestamptz NOT NULL,
    closed_at       timestamptz
);
CREATE INDEX report_open ON report (fair_id, at) WHERE closed_at IS NULL;

-- The embedded default's outbox page: every mail as it would have left.
CREATE TABLE outbox_mail (
    id         uuid PRIMARY KEY,
    recipient  text NOT NULL,
    subject    text NOT NULL,
    text       text NOT NULL,
    at         timestamptz NOT NULL
);
