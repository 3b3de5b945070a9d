-- +goose Up

-- One row for each SMS message: its state, joined from all its receipts. People query this table
-- with their own SQL. Times are RFC 3339 in UTC with microseconds, always 27 characters, so that
-- they sort as text.
--
-- The tables keep their rowids: messages arrive with random ids, and only the small index of the
-- primary key is then written at random places, while the rows are appended.
CREATE TABLE sms_messages (
    message_id        TEXT    NOT NULL PRIMARY KEY, -- as the gateway gave it
    carrier_code      TEXT    NOT NULL, -- UNKNOWN when no receipt names the carrier
    status            TEXT    NOT NULL, -- PENDING or UNKNOWN (not final), DELIVERED, FAILED, REJECTED or EXPIRED (final)
    error_code        TEXT,             -- of the gateway, as given; not always a number
    sender_id         TEXT,             -- who the message claims to be from
    recipient         TEXT,             -- the number it was sent to, as given
    updated_at        TEXT    NOT NULL, -- when a receipt last changed this row
    raw_payload       TEXT    NOT NULL, -- the receipt that decided the status, as it came: JSON
    raw_status        TEXT    NOT NULL, -- the word of the gateway for the status
    status_at         TEXT,             -- event time of the status, where a receipt named one
    received_at       TEXT    NOT NULL, -- when the receipt that decided the status reached cxbridge
    first_seen_at     TEXT    NOT NULL, -- when the first receipt of the message reached cxbridge
    region            TEXT,             -- the destination, ISO 3166-1 alpha-2
    region_source     TEXT    NOT NULL, -- how the region is known: payload, recipient (its number) or default
    segments          INTEGER,          -- how many parts the message was sent in
    submitted_at      TEXT,             -- when the message was handed to the carrier
    cost              TEXT,             -- decimal number, in currency, where a receipt says so
    currency          TEXT,             -- ISO 4217
    compliance        TEXT    NOT NULL, -- whether the sender ID obeys the rules of the region: compliant, violation or unchecked (no rule)
    compliance_reason TEXT,             -- why it is a violation
    receipt_key       BLOB    NOT NULL, -- identity of the receipt that decided the status
    column_ranks      TEXT              -- JSON: which columns another receipt decided, and how high it stands
) STRICT;

-- Every receipt but the one in the message's own row. The view sms_receipt_history has them all.
CREATE TABLE sms_receipts (
    message_id  TEXT NOT NULL,
    receipt_key BLOB NOT NULL,
    status      TEXT NOT NULL,
    raw_status  TEXT NOT NULL,
    event_at    TEXT,
    received_at TEXT NOT NULL,
    raw_payload TEXT NOT NULL,
    PRIMARY KEY (message_id, receipt_key)
) STRICT;

CREATE VIEW sms_receipt_history AS
SELECT message_id, receipt_key, status, raw_status, event_at, received_at, raw_payload
FROM sms_receipts
UNION ALL
SELECT message_id, receipt_key, status, raw_status, status_at, received_at, raw_payload
FROM sms_messages;

-- Events that were refused, kept with the reason. The digest tells repeats of one event apart from
-- another event.
CREATE TABLE dead_letters (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    received_at TEXT    NOT NULL,
    raw         BLOB    NOT NULL,
    replays     INTEGER NOT NULL DEFAULT 0,
    digest      BLOB    NOT NULL UNIQUE
) STRICT;

-- +goose Down
DROP VIEW sms_receipt_history;
DROP TABLE sms_receipts;
DROP TABLE sms_messages;
DROP TABLE dead_letters;
