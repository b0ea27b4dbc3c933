-- Meetings (M) and notices (N): slots, bookings, who enters them, and who is told what, when, through which channel.

CREATE EXTENSION IF NOT EXISTS btree_gist;

-- Meetings -----------------------------------------------------------------------------------------------------------------------

-- M1: withdrawn, never erased, once a booking was made (M3). Two slots of an exhibitor never overlap.
CREATE TABLE slot (
    id           uuid PRIMARY KEY,
    fair_id      uuid NOT NULL REFERENCES fair,
    exhibitor_id uuid NOT NULL REFERENCES exhibitor,
    starts_at    timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    created_by   uuid NOT NULL REFERENCES account,
    created_at   timestamptz NOT NULL,
    withdrawn_at timestamptz,
    CONSTRAINT slot_ends_after_it_starts CHECK (starts_at < ends_at),
    CONSTRAINT slot_at_most_eight_hours CHECK (ends_at <= starts_at + interval '8 hours'), -- looks for overlaps rely on it
    CONSTRAINT slot_no_overlap EXCLUDE USING gist (exhibitor_id WITH =, tstzrange(starts_at, ends_at) WITH &&)
        WHERE (withdrawn_at IS NULL)
);
CREATE INDEX slot_by_exhibitor ON slot (exhibitor_id, starts_at);

-- M4–M7: one row whatever happens to it. `starts_at` and `ends_at` are its slot's: the exclusion constraints need them here.
CREATE TABLE booking (
    id              uuid PRIMARY KEY,
    fair_id         uuid NOT NULL REFERENCES fair,
    exhibitor_id    uuid NOT NULL REFERENCES exhibitor,
    buyer_id        uuid NOT NULL REFERENCES account,
    slot_id         uuid NOT NULL REFERENCES slot,
    conversation_id uuid NOT NULL REFERENCES conversation,
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL,
    state           text NOT NULL CONSTRAINT booking_state_known CHECK (state IN ('pending', 'assigned', 'rejected', 'cancelled')),
    topic           text NOT NULL DEFAULT '',
    card            jsonb,                            -- the exhibit it was made from, frozen as it was (C2, M4)
    receiver_id     uuid REFERENCES account,          -- 接收账号, while assigned
    reason          text,                             -- why rejected or cancelled
    ended_by        text CONSTRAINT booking_ended_by_known CHECK (ended_by IN ('buyer', 'team')),
    time_revision   integer NOT NULL DEFAULT 0,       -- M6: rises when start or end changes
    assignment      integer NOT NULL DEFAULT 0,       -- M6: rises when the receiving account changes
    sequence        integer NOT NULL DEFAULT 0,       -- M14: SEQUENCE of its calendar object
    room_number     text,                             -- M9: nine random digits, from the first assignment on
    buyer_attendance text NOT NULL DEFAULT 'unknown' CONSTRAINT booking_buyer_attendance_known CHECK (buyer_attendance IN ('unknown', 'attended', 'no_show')),
    team_attendance text NOT NULL DEFAULT 'unknown' CONSTRAINT booking_team_attendance_known CHECK (team_attendance IN ('unknown', 'attended', 'no_show')),
    cid             uuid NOT NULL,
    fingerprint     bytea NOT NULL,                   -- what another request of this cid must equal (W7)
    requested_at    timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    CONSTRAINT booking_cid_unique UNIQUE (buyer_id, cid),
    CONSTRAINT booking_receiver_while_assigned CHECK ((state = 'assigned') = (receiver_id IS NOT NULL) OR state IN ('rejected', 'cancelled')),
    CONSTRAINT booking_buyer_free EXCLUDE USING gist (buyer_id WITH =, tstzrange(starts_at, ends_at) WITH &&)
        WHERE (state IN ('pending', 'assigned')),
    CONSTRAINT booking_receiver_free EXCLUDE USING gist (receiver_id WITH =, tstzrange(starts_at, ends_at) WITH &&)
        WHERE (state = 'assigned')
);
CREATE INDEX booking_by_slot ON booking (slot_id);
CREATE INDEX booking_by_exhibitor ON booking (exhibitor_id, starts_at);
CREATE INDEX booking_by_fair ON booking (fair_id, starts_at);
CREATE INDEX booking_by_buyer ON booking (buyer_id, starts_at);
CREATE INDEX booking_by_receiver ON booking (receiver_id, starts_at) WHERE receiver_id IS NOT NULL;
CREATE UNIQUE INDEX booking_room_number ON booking (room_number) WHERE room_number IS NOT NULL AND state = 'assigned';

-- Whoever was the receiving account (A7: *own* is what an account holds or held), with the change that made it so.
CREATE TABLE booking_receiver (
    booking_id uuid NOT NULL REFERENCES booking ON DELETE CASCADE,
    assignment integer NOT NULL,
    account_id uuid NOT NULL REFERENCES account,
    by_id      uuid NOT NULL REFERENCES account,
    at         timestamptz NOT NULL,
    PRIMARY KEY (booking_id, assignment)
);
CREATE INDEX booking_receiver_by_account ON booking_receiver (account_id);

-- M7: another time, which needs the other side's yes and holds a seat there meanwhile.
CREATE TABLE proposal (
    id         uuid PRIMARY KEY,
    booking_id uuid NOT NULL REFERENCES booking ON DELETE CASCADE,
    slot_id    uuid NOT NULL REFERENCES slot,
    side       text NOT NULL CONSTRAINT proposal_side_known CHECK (side IN ('buyer', 'team')),
    by_id      uuid NOT NULL REFERENCES account,
    note       text NOT NULL DEFAULT '',
    at         timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    outcome    text CONSTRAINT proposal_outcome_known CHECK (outcome IN ('accepted', 'declined', 'expired', 'withdrawn'))
);
CREATE UNIQUE INDEX proposal_one_open ON proposal (booking_id) WHERE outcome IS NULL;
CREATE INDEX proposal_by_slot ON proposal (slot_id) WHERE outcome IS NULL;
CREATE INDEX proposal_due ON proposal (expires_at) WHERE outcome IS NULL;

-- A booking as everybody who may see it sees it, in the order of `BookingRow` (meetings/shapes.py). One place, because events, the first
-- state, lists and replies must agree to the letter (W5). Nothing of the buyer but what M5 shows (K2).
CREATE VIEW booking_full AS
SELECT b.id, b.slot_id, b.conversation_id, b.exhibitor_id, e.name_zh, e.name_en,
       b.buyer_id, a.name AS buyer_name, y.country, y.interests, y.avatar,
       b.state, b.starts_at, b.ends_at, b.topic, b.card::text AS card,
       r.id AS receiver_id, r.name AS receiver_name, b.reason, b.ended_by,
       p.id AS proposal_id, p.slot_id AS proposal_slot, s.starts_at AS proposal_starts_at, s.ends_at AS proposal_ends_at,
       p.side AS proposal_side, p.by_id AS proposal_by, n.name AS proposal_by_name, p.note AS proposal_note, p.expires_at AS proposal_expires_at,
       CASE WHEN b.state = 'assigned' THEN b.room_number END AS room_number,
       b.time_revision, b.assignment, b.buyer_attendance, b.team_attendance, b.requested_at, b.changed_at
FROM booking b
JOIN exhibitor e ON e.id = b.exhibitor_id
JOIN account a ON a.id = b.buyer_id
JOIN buyer y ON y.account_id = b.buyer_id
LEFT JOIN account r ON r.id = b.receiver_id AND b.state = 'assigned'
LEFT JOIN proposal p ON p.booking_id = b.id AND p.outcome IS NULL
LEFT JOIN slot s ON s.id = p.slot_id
LEFT JOIN account n ON n.id = p.by_id;

-- M13: a buyer's place in the waiting list of a full slot; while `offered` it holds the freed seat.
CREATE TABLE place (
    id         uuid PRIMARY KEY,
    slot_id    uuid NOT NULL REFERENCES slot,
    buyer_id   uuid NOT NULL REFERENCES account,
    topic      text NOT NULL DEFAULT '',
    card       jsonb,
    at         timestamptz NOT NULL,
    offered_at timestamptz,
    expires_at timestamptz,
    outcome    text CONSTRAINT place_outcome_known CHECK (outcome IN ('accepted', 'declined', 'expired', 'left', 'over')),
    CONSTRAINT place_offer_expires CHECK ((offered_at IS NULL) = (expires_at IS NULL))
);
CREATE UNIQUE INDEX place_one_open ON place (slot_id, buyer_id) WHERE outcome IS NULL;
CREATE INDEX place_in_line ON place (slot_id, id) WHERE outcome IS NULL;
CREATE INDEX place_by_buyer ON place (buyer_id) WHERE outcome IS NULL;
CREATE INDEX place_due ON place (expires_at) WHERE outcome IS NULL AND expires_at IS NOT NULL;

-- M9: a link for one side of a meeting. The link is signed from this row's id; the row says whether it still holds.
CREATE TABLE invitation (
    id         uuid PRIMARY KEY,
    booking_id uuid NOT NULL REFERENCES booking ON DELETE CASCADE,
    side       text NOT NULL CONSTRAINT invitation_side_known CHECK (side IN ('buyer', 'team')),
    by_id      uuid REFERENCES account,               -- null: the side's own, which notices carry
    at         timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX invitation_by_booking ON invitation (booking_id);
CREATE UNIQUE INDEX invitation_own ON invitation (booking_id, side) WHERE by_id IS NULL AND revoked_at IS NULL;

-- M8, M9: colleagues invited by name: accounts that may enter beside receiver and buyer, and see the meeting in their schedule (M15).
CREATE TABLE invited (
    booking_id uuid NOT NULL REFERENCES booking ON DELETE CASCADE,
    account_id uuid NOT NULL REFERENCES account,
    by_id      uuid NOT NULL REFERENCES account,
    at         timestamptz NOT NULL,
    revoked_at timestamptz,                           -- it no longer enters, and still sees the meeting (A7: holds or held)
    PRIMARY KEY (booking_id, account_id)
);
CREATE INDEX invited_by_account ON invited (account_id);

-- M9: a guest in the lobby, known by its browser's cookie.
CREATE TABLE guest (
    id            uuid PRIMARY KEY,
    booking_id    uuid NOT NULL REFERENCES booking ON DELETE CASCADE,
    side          text NOT NULL CONSTRAINT guest_side_known CHECK (side IN ('buyer', 'team')),
    invitation_id uuid REFERENCES invitation ON DELETE CASCADE, -- null: by room number
    name          text NOT NULL,
    cookie_hash   bytea NOT NULL,
    at            timestamptz NOT NULL,
    admitted_at   timestamptz,
    refused_at    timestamptz,
    entered_at    timestamptz
);
CREATE INDEX guest_by_booking ON guest (booking_id);
CREATE UNIQUE INDEX guest_one_per_browser ON guest (booking_id, cookie_hash);

-- M8, M11: accounts that have entered.
CREATE TABLE booking_entry (
    booking_id uuid NOT NULL REFERENCES booking ON DELETE CASCADE,
    account_id uuid NOT NULL REFERENCES account,
    at         timestamptz NOT NULL,
    PRIMARY KEY (booking_id, account_id)
);

-- M14: the private feed of an account, by a secret in its address.
CREATE TABLE calendar_feed (
    account_id  uuid PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    secret_hash bytea NOT NULL CONSTRAINT calendar_feed_secret_unique UNIQUE,
    at          timestamptz NOT NULL
);

-- squawk-ignore ban-drop-constraint
ALTER TABLE message DROP CONSTRAINT message_kind_known;
ALTER TABLE message ADD CONSTRAINT message_kind_known CHECK (kind IN ('text', 'image', 'card', 'transfer', 'booking')) NOT VALID;

-- Notices ------------------------------------------------------------------------------------------------------------------------

-- N2, N4: one per (subject, kind, recipient, channel, time_revision, assignment). What is stored is the offset; the text is made when it is sent.
CREATE TABLE notice (
    id            uuid PRIMARY KEY,
    fair_id       uuid NOT NULL REFERENCES fair,
    subject       text NOT NULL,                      -- booking, conversation, …: who re-checks it and knows its facts
    subject_id    uuid NOT NULL,
    kind          text NOT NULL,
    recipient_id  uuid NOT NULL REFERENCES account,
    side          text NOT NULL CONSTRAINT notice_side_known CHECK (side IN ('buyer', 'team')),
    channel       text NOT NULL CONSTRAINT notice_channel_known CHECK (channel IN ('in_app', 'email', 'sms')),
    time_revision integer NOT NULL DEFAULT 0,
    assignment    integer NOT NULL DEFAULT 0,         -- 0 for the buyer's side, which an assignment does not change
    offset_s      integer,                            -- seconds before the start; null: at once
    priority      integer NOT NULL,                  -- 0 before 1 before 2 (N5)
    due_at        timestamptz NOT NULL,               -- the start less the offset, or later for quiet hours and retries
    wanted_at     timestamptz NOT NULL,               -- as due_at, without the retries: what lateness is counted from
    useless_at    timestamptz NOT NULL,               -- nothing is sent from here on (N3)
    state         text NOT NULL DEFAULT 'planned' CONSTRAINT notice_state_known CHECK (state IN ('planned', 'claimed', 'sent', 'failed', 'skipped', 'unknown')),
    reason        text,
    attempts      integer NOT NULL DEFAULT 0,        -- also the fence: an outcome counts only for the attempt it belongs to
    lease_until   timestamptz,
    maybe_duplicate boolean NOT NULL DEFAULT false,
    instead_of    uuid REFERENCES notice,             -- N6: the one that it falls over from
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    CONSTRAINT notice_once UNIQUE (subject_id, kind, recipient_id, channel, time_revision, assignment)
);
CREATE INDEX notice_due ON notice (channel, priority, due_at) WHERE state = 'planned';
CREATE INDEX notice_leased ON notice (lease_until) WHERE state = 'claimed';
CREATE INDEX notice_by_recipient ON notice (recipient_id, id);
CREATE INDEX notice_by_fair ON notice (fair_id, state, due_at);

CREATE TABLE notice_attempt (
    notice_id uuid NOT NULL REFERENCES notice ON DELETE CASCADE,
    number    integer NOT NULL,
    provider  text NOT NULL,
    worker    uuid NOT NULL,
    at        timestamptz NOT NULL,
    ended_at  timestamptz,
    outcome   text CONSTRAINT notice_attempt_outcome_known CHECK (outcome IN ('sent', 'retry', 'final', 'lost')),
    reason    text,
    reference text,                                   -- the provider's id of it
    segments  integer NOT NULL DEFAULT 0,
    delivery  text CONSTRAINT notice_attempt_delivery_known CHECK (delivery IN ('delivered', 'failed', 'expired')),
    delivered_at timestamptz,
    PRIMARY KEY (notice_id, number)
);
CREATE INDEX notice_attempt_by_time ON notice_attempt (provider, at);
CREATE INDEX notice_attempt_by_reference ON notice_attempt (provider, reference) WHERE reference IS NOT NULL;

-- N5: what a provider takes a second, shared by workers: the instant from which on it takes the next one.
CREATE TABLE provider (
    name         text PRIMARY KEY,
    channel      text NOT NULL,
    rate         double precision NOT NULL CONSTRAINT provider_rate_positive CHECK (rate > 0),
    free_at      timestamptz NOT NULL,
    paused_until timestamptz,                         -- N6: it has said 429
    last_error   text,
    last_error_at timestamptz
) WITH (fillfactor = 50);

-- N7: what a number has been sent on a day (UTC+8), by what may spend it.
CREATE TABLE sms_budget (
    number    text NOT NULL,
    day       date NOT NULL,
    soon      integer NOT NULL DEFAULT 0,
    assigned  integer NOT NULL DEFAULT 0,
    day_ahead integer NOT NULL DEFAULT 0,
    PRIMARY KEY (number, day)
);

-- N9: what an account has chosen. Absent: the defaults.
CREATE TABLE notice_preference (
    account_id  uuid PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    channels    jsonb NOT NULL DEFAULT '{}',          -- kind → channels added
    quiet_from  time,                                 -- in the recipient's zone
    quiet_to    time,
    reminders_by_mail boolean NOT NULL DEFAULT true,  -- RFC 8058: one POST ends the T−24 h mails that N1 does not prescribe
    CONSTRAINT notice_preference_quiet_both CHECK ((quiet_from IS NULL) = (quiet_to IS NULL))
);

-- Channels -----------------------------------------------------------------------------------------------------------------------

-- The outbox page of the embedded default shows whole mails, and short messages with their segments.
ALTER TABLE outbox_mail
    ADD COLUMN language        text NOT NULL DEFAULT '',
    ADD COLUMN html            text,
    ADD COLUMN calendar        text,
    ADD COLUMN calendar_method text,
    ADD COLUMN unsubscribe     text;

-- Every short message as it would have left; `segments` are the messages that it is cut into (N7).
CREATE TABLE outbox_sms (
    id         uuid PRIMARY KEY,
    recipient  text NOT NULL,
    text       text NOT NULL,
    language   text NOT NULL,
    template   text NOT NULL,
    encoding   text NOT NULL CONSTRAINT outbox_sms_encoding_known CHECK (encoding IN ('gsm7', 'ucs2')),
    segments   text[] NOT NULL,
    at         timestamptz NOT NULL
);
