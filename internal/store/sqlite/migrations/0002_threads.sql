-- +goose Up

-- One row for each conversation. It is also the conversation's place in the queue for the CRM: what
-- is to be told raises want_rev, and done_rev is raised to it once the CRM has it. Times are as in
-- sms_messages.
CREATE TABLE threads (
    thread_id     TEXT    NOT NULL PRIMARY KEY, -- as CXone gave it
    own           INTEGER NOT NULL, -- 1: an event of the thread itself has come; 0: it is known only because a split took messages out of it
    version       INTEGER NOT NULL, -- of the highest event, as CXone counts; 0 when that names none
    updated_at    TEXT,             -- of the highest event
    parent_id     TEXT,             -- the thread that it is linked to
    link          TEXT,             -- how: merged or split
    linked_at     TEXT,             -- updated_at of the event that linked it
    links         TEXT    NOT NULL, -- JSON: the registers that parent_id, link and linked_at are drawn from
    crm           TEXT    NOT NULL, -- JSON: what the CRM has of the thread, beside its items
    want_rev      INTEGER NOT NULL, -- revision of the thread: raised by whatever the CRM is to be told
    done_rev      INTEGER NOT NULL, -- revision that the CRM has
    since_at      TEXT,             -- when what the CRM lacks began to be lacking
    due_at        TEXT,             -- when it may be tried again; null: at once
    attempts      INTEGER NOT NULL, -- without success since the last one with
    lease_until   TEXT,             -- until when it is a worker's
    epoch         INTEGER NOT NULL, -- number of leases so far
    uncertain     INTEGER NOT NULL, -- 1: the CRM may have applied a push whose answer never came
    parked        INTEGER NOT NULL, -- 1: it waits for an operator or a new event
    last_status   INTEGER NOT NULL, -- HTTP status of the CRM's last answer; 0 when there was none
    last_error    TEXT    NOT NULL, -- what was wrong with it; empty when nothing was
    answered_at   TEXT,             -- when the CRM was asked last
    audit_seq     INTEGER NOT NULL, -- number of entries in audit
    audit_hash    BLOB,             -- of the last of them
    first_seen_at TEXT    NOT NULL, -- when the first event of the thread reached cxbridge
    changed_at    TEXT    NOT NULL  -- when it last showed something new
) STRICT;

-- The queue. Due time and lease are in it so that threads that wait are passed over without reading
-- their rows.
CREATE INDEX threads_queue ON threads (since_at, due_at, lease_until)
    WHERE own AND want_rev > done_rev AND NOT parked;
CREATE INDEX threads_parked ON threads (last_status) WHERE parked;
CREATE INDEX threads_parent ON threads (parent_id) WHERE parent_id IS NOT NULL;

-- Messages and participants of threads, and what the CRM has of them. Values are told apart by
-- hashes.
CREATE TABLE thread_items (
    thread_id    TEXT    NOT NULL,
    kind         TEXT    NOT NULL, -- message or participant
    item_id      TEXT    NOT NULL, -- as CXone gave it
    version      INTEGER NOT NULL, -- of the thread, in the event that gave the value
    updated_at   TEXT,             -- of that event
    content_hash BLOB,             -- of content; null when no event of the thread has listed it
    content      TEXT,             -- the value as it goes to the CRM: JSON
    at           TEXT,             -- when the message was written, where that can be read
    listed_at    TEXT,             -- newest updated_at of the events that list it
    removed      INTEGER NOT NULL, -- 1: a split took it out of the thread
    removed_at   TEXT,             -- newest updated_at of the splits that took it
    rev          INTEGER NOT NULL, -- of the thread, when the item last changed
    acked        BLOB,             -- hash of the value that the CRM has
    set_aside    BLOB,             -- hash of a value that the CRM would not take
    theirs       INTEGER NOT NULL, -- 1: another writer has changed it in the CRM; it is left as it is
    past         BLOB,             -- the values it has had: 8 bytes of the hash of each
    view         BLOB,             -- hash of what the thread shows; null when the item is not present
    -- 1: the CRM is to be told, or a dead letter about the item is solved
    dirty        INTEGER NOT NULL GENERATED ALWAYS AS
                 (NOT theirs AND CASE WHEN set_aside IS NULL THEN view IS NOT acked ELSE view IS NOT set_aside END) VIRTUAL,
    PRIMARY KEY (thread_id, kind, item_id)
) STRICT;

CREATE INDEX thread_items_dirty ON thread_items (thread_id, rev, kind, item_id) WHERE dirty;
CREATE INDEX thread_items_set_aside ON thread_items (thread_id) WHERE set_aside IS NOT NULL;
CREATE INDEX thread_items_shown ON thread_items (thread_id, kind, coalesce(at, ''), item_id) WHERE view IS NOT NULL;

-- The journal: every event of a thread that was accepted.
CREATE TABLE thread_events (
    event_key   BLOB    NOT NULL PRIMARY KEY, -- digest of the canonical content
    thread_id   TEXT    NOT NULL,
    type        TEXT    NOT NULL, -- THREAD_UPDATED, THREAD_MERGED or THREAD_SPLIT
    version     INTEGER NOT NULL,
    updated_at  TEXT,
    received_at TEXT    NOT NULL,
    raw         TEXT    NOT NULL  -- as it came: JSON
) STRICT;

-- What was done, and when. The entries of each subject are a chain: each carries the hash of the
-- one before. The end of a thread's chain is in its row of threads, that of any other in
-- audit_heads.
CREATE TABLE audit (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    subject   TEXT    NOT NULL, -- id of a thread, message:ID, or dead-letter:ID
    seq       INTEGER NOT NULL, -- place in the chain of the subject, from 1
    at        TEXT    NOT NULL,
    action    TEXT    NOT NULL,
    outcome   TEXT    NOT NULL,
    detail    TEXT    NOT NULL, -- JSON
    prev_hash BLOB,             -- hash of the entry before; null for the first
    hash      BLOB    NOT NULL,
    UNIQUE (subject, seq)
) STRICT;

CREATE TABLE audit_heads (
    subject TEXT    NOT NULL PRIMARY KEY,
    seq     INTEGER NOT NULL,
    hash    BLOB    NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'entries of the audit are never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'entries of the audit are never deleted');
END;
-- +goose StatementEnd
-- INSERT OR REPLACE deletes without asking the trigger above.
-- +goose StatementBegin
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
    OR EXISTS (SELECT 1 FROM audit WHERE subject = NEW.subject AND seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'entries of the audit are never replaced');
END;
-- +goose StatementEnd

-- Where threads are pushed to.
CREATE TABLE sinks (
    name         TEXT NOT NULL PRIMARY KEY,
    paused_until TEXT -- nothing is claimed for it before
) STRICT;

INSERT INTO sinks (name) VALUES ('crm');

-- +goose Down
DROP TABLE sinks;
DROP TABLE audit_heads;
DROP TABLE audit;
DROP TABLE thread_events;
DROP TABLE thread_items;
DROP TABLE threads;
