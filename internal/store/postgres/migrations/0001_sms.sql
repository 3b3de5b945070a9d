-- +goose Up

-- One row for each SMS message: its state, joined from all its receipts. People query this table
-- with their own SQL, so its columns are documented, here and in docs/database.md.
CREATE TABLE sms_messages (
    message_id        text PRIMARY KEY,
    carrier_code      text        NOT NULL,
    status            text        NOT NULL,
    error_code        text,
    sender_id         text,
    recipient         text,
    updated_at        timestamptz NOT NULL,
    raw_payload       json        NOT NULL,
    raw_status        text        NOT NULL,
    status_at         timestamptz,
    received_at       timestamptz NOT NULL,
    first_seen_at     timestamptz NOT NULL,
    region            text,
    region_source     text        NOT NULL,
    segments          integer,
    submitted_at      timestamptz,
    cost              numeric,
    currency          text,
    compliance        text        NOT NULL,
    compliance_reason text,
    receipt_key       bytea       NOT NULL,
    column_ranks      jsonb
);

COMMENT ON TABLE sms_messages IS 'The state of each SMS message, joined from all its delivery receipts.';
COMMENT ON COLUMN sms_messages.message_id IS 'The message id as the gateway gave it.';
COMMENT ON COLUMN sms_messages.carrier_code IS 'The carrier, or UNKNOWN when no receipt names it.';
COMMENT ON COLUMN sms_messages.status IS 'PENDING or UNKNOWN (not final), DELIVERED, FAILED, REJECTED or EXPIRED (final).';
COMMENT ON COLUMN sms_messages.error_code IS 'The error code of the gateway, as given; not always a number.';
COMMENT ON COLUMN sms_messages.sender_id IS 'Who the message claims to be from.';
COMMENT ON COLUMN sms_messages.recipient IS 'The number the message was sent to, as given.';
COMMENT ON COLUMN sms_messages.updated_at IS 'When a receipt last changed this row.';
COMMENT ON COLUMN sms_messages.raw_payload IS 'The receipt that decided the status, as it came.';
COMMENT ON COLUMN sms_messages.raw_status IS 'The word of the gateway for the status.';
COMMENT ON COLUMN sms_messages.status_at IS 'The event time of the status, where a receipt named one.';
COMMENT ON COLUMN sms_messages.received_at IS 'When the receipt that decided the status reached cxbridge.';
COMMENT ON COLUMN sms_messages.first_seen_at IS 'When the first receipt of the message reached cxbridge.';
COMMENT ON COLUMN sms_messages.region IS 'The destination, ISO 3166-1 alpha-2.';
COMMENT ON COLUMN sms_messages.region_source IS 'How the region is known: payload, recipient (its number) or default.';
COMMENT ON COLUMN sms_messages.segments IS 'How many parts the message was sent in.';
COMMENT ON COLUMN sms_messages.submitted_at IS 'When the message was handed to the carrier.';
COMMENT ON COLUMN sms_messages.cost IS 'What the message cost, in currency, where a receipt says so.';
COMMENT ON COLUMN sms_messages.currency IS 'ISO 4217.';
COMMENT ON COLUMN sms_messages.compliance IS 'Whether the sender ID obeys the rules of the region: compliant, violation or unchecked (no rule).';
COMMENT ON COLUMN sms_messages.compliance_reason IS 'Why it is a violation.';
COMMENT ON COLUMN sms_messages.receipt_key IS 'Identity of the receipt that decided the status.';
COMMENT ON COLUMN sms_messages.column_ranks IS 'Which columns another receipt decided, and how high it stands; null when none.';

-- Every receipt but the one in the message's own row. The view sms_receipt_history has them all.
CREATE TABLE sms_receipts (
    message_id  text        NOT NULL,
    receipt_key bytea       NOT NULL,
    status      text        NOT NULL,
    raw_status  text        NOT NULL,
    event_at    timestamptz,
    received_at timestamptz NOT NULL,
    raw_payload json        NOT NULL,
    PRIMARY KEY (message_id, receipt_key)
);

CREATE VIEW sms_receipt_history AS
SELECT message_id, receipt_key, status, raw_status, event_at, received_at, raw_payload
FROM sms_receipts
UNION ALL
SELECT message_id, receipt_key, status, raw_status, status_at, received_at, raw_payload
FROM sms_messages;

-- Events that were refused, kept with the reason. The digest tells repeats of one event apart from
-- another event.
CREATE TABLE dead_letters (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text        NOT NULL,
    subject     text        NOT NULL,
    reason      text        NOT NULL,
    received_at timestamptz NOT NULL,
    raw         bytea       NOT NULL,
    replays     integer     NOT NULL DEFAULT 0,
    digest      bytea       NOT NULL UNIQUE
);

-- +goose Down
DROP VIEW sms_receipt_history;
DROP TABLE sms_receipts, sms_messages, dead_letters;
