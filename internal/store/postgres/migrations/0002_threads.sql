-- +goose Up

-- One row for each conversation. It is also the conversation's place in the queue for the CRM: what
-- is to be told raises want_rev, and done_rev is raised to it once the CRM has it. Ids sort by their
-- bytes, whatever the database's language.
CREATE TABLE threads (
    thread_id     text COLLATE "C" PRIMARY KEY,
    own           boolean     NOT NULL,
    version       bigint      NOT NULL,
    updated_at    timestamptz,
    parent_id     text COLLATE "C",
    link          text,
    linked_at     timestamptz,
    links         text        NOT NULL,
    crm           text        NOT NULL,
    want_rev      bigint      NOT NULL,
    done_rev      bigint      NOT NULL,
    since_at      timestamptz,
    due_at        timestamptz,
    attempts      bigint      NOT NULL,
    lease_until   timestamptz,
    epoch         bigint      NOT NULL,
    uncertain     boolean     NOT NULL,
    parked        boolean     NOT NULL,
    last_status   bigint      NOT NULL,
    last_error    text        NOT NULL,
    answered_at   timestamptz,
    audit_seq     bigint      NOT NULL,
    audit_hash    bytea,
    first_seen_at timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL
);

-- The queue. Neither a claim nor the renewal of a lease changes what is in this index.
CREATE INDEX threads_queue ON threads (since_at) WHERE own AND want_rev > done_rev AND NOT parked;
CREATE INDEX threads_parked ON threads (last_status) WHERE parked;
CREATE INDEX threads_parent ON threads (parent_id) WHERE parent_id IS NOT NULL;

COMMENT ON TABLE threads IS 'The state of each conversation, and how far it is on its way to the CRM.';
COMMENT ON COLUMN threads.thread_id IS 'The id as CXone gave it.';
COMMENT ON COLUMN threads.own IS 'Whether an event of the thread itself has come; if not, it is known only because a split took messages out of it.';
COMMENT ON COLUMN threads.version IS 'Version of the highest event, as CXone counts; 0 when that names none.';
COMMENT ON COLUMN threads.updated_at IS 'Time of the highest event.';
COMMENT ON COLUMN threads.parent_id IS 'The thread that it is linked to.';
COMMENT ON COLUMN threads.link IS 'How it is linked: merged or split.';
COMMENT ON COLUMN threads.linked_at IS 'updated_at of the event that linked it.';
COMMENT ON COLUMN threads.links IS 'JSON: the registers that parent_id, link and linked_at are drawn from.';
COMMENT ON COLUMN threads.crm IS 'JSON: what the CRM has of the thread, beside its items.';
COMMENT ON COLUMN threads.want_rev IS 'Revision of the thread: raised by whatever the CRM is to be told.';
COMMENT ON COLUMN threads.done_rev IS 'Revision that the CRM has.';
COMMENT ON COLUMN threads.since_at IS 'When what the CRM lacks began to be lacking; null when it lacks nothing.';
COMMENT ON COLUMN threads.due_at IS 'When it may be tried again; null: at once.';
COMMENT ON COLUMN threads.attempts IS 'Attempts without success since the last one with.';
COMMENT ON COLUMN threads.lease_until IS 'Until when it is a worker''s; null when nobody has it.';
COMMENT ON COLUMN threads.epoch IS 'Number of leases so far.';
COMMENT ON COLUMN threads.uncertain IS 'Whether the CRM may have applied a push whose answer never came.';
COMMENT ON COLUMN threads.parked IS 'Whether it waits for an operator or a new event.';
COMMENT ON COLUMN threads.last_status IS 'HTTP status of the CRM''s last answer; 0 when there was none.';
COMMENT ON COLUMN threads.last_error IS 'What was wrong with it; empty when nothing was.';
COMMENT ON COLUMN threads.answered_at IS 'When the CRM was asked last.';
COMMENT ON COLUMN threads.audit_seq IS 'Number of entries about the thread in audit.';
COMMENT ON COLUMN threads.audit_hash IS 'Hash of the last of them.';
COMMENT ON COLUMN threads.first_seen_at IS 'When the first event of the thread reached cxbridge.';
COMMENT ON COLUMN threads.changed_at IS 'When it last showed something new.';

-- Messages and participants of threads, and what the CRM has of them. Values are told apart by
-- hashes. The content is text, because JSON in PostgreSQL refuses an escaped NUL where it is read.
CREATE TABLE thread_items (
    thread_id    text COLLATE "C" NOT NULL,
    kind         text COLLATE "C" NOT NULL,
    item_id      text COLLATE "C" NOT NULL,
    version      bigint      NOT NULL,
    updated_at   timestamptz,
    content_hash bytea,
    content      text,
    at           timestamptz,
    listed_at    timestamptz,
    removed      boolean     NOT NULL,
    removed_at   timestamptz,
    rev          bigint      NOT NULL,
    acked        bytea,
    set_aside    bytea,
    theirs       boolean     NOT NULL,
    past         bytea,
    view         bytea,
    dirty        boolean     NOT NULL GENERATED ALWAYS AS
                 (NOT theirs AND CASE WHEN set_aside IS NULL THEN view IS DISTINCT FROM acked ELSE view IS DISTINCT FROM set_aside END) STORED,
    PRIMARY KEY (thread_id, kind, item_id)
);

CREATE INDEX thread_items_dirty ON thread_items (thread_id, rev, kind, item_id) WHERE dirty;
CREATE INDEX thread_items_set_aside ON thread_items (thread_id) WHERE set_aside IS NOT NULL;
-- A message whose time cannot be read comes first.
CREATE INDEX thread_items_shown ON thread_items (thread_id, kind, coalesce(at, '-infinity'), item_id)
    WHERE view IS NOT NULL;

COMMENT ON TABLE thread_items IS 'The messages and participants of each conversation, and what the CRM has of them.';
COMMENT ON COLUMN thread_items.thread_id IS 'The thread it is an item of.';
COMMENT ON COLUMN thread_items.kind IS 'message or participant.';
COMMENT ON COLUMN thread_items.item_id IS 'The id as CXone gave it.';
COMMENT ON COLUMN thread_items.version IS 'Version of the thread in the event that gave the value.';
COMMENT ON COLUMN thread_items.updated_at IS 'Time of that event.';
COMMENT ON COLUMN thread_items.content_hash IS 'Hash of content; null when no event of the thread has listed the item.';
COMMENT ON COLUMN thread_items.content IS 'The value as it goes to the CRM: JSON.';
COMMENT ON COLUMN thread_items.at IS 'When the message was written, where that can be read.';
COMMENT ON COLUMN thread_items.listed_at IS 'Newest updated_at of the events that list it.';
COMMENT ON COLUMN thread_items.removed IS 'Whether a split took it out of the thread.';
COMMENT ON COLUMN thread_items.removed_at IS 'Newest updated_at of the splits that took it.';
COMMENT ON COLUMN thread_items.rev IS 'Revision of the thread when the item last changed.';
COMMENT ON COLUMN thread_items.acked IS 'Hash of the value that the CRM has.';
COMMENT ON COLUMN thread_items.set_aside IS 'Hash of a value that the CRM would not take.';
COMMENT ON COLUMN thread_items.theirs IS 'Whether another writer has changed it in the CRM; it is left as it is.';
COMMENT ON COLUMN thread_items.past IS 'The values it has had: 8 bytes of the hash of each.';
COMMENT ON COLUMN thread_items.view IS 'Hash of what the thread shows; null when the item is not present in it.';
COMMENT ON COLUMN thread_items.dirty IS 'Whether the CRM is to be told, or a dead letter about the item is solved.';

-- The journal: every event of a thread that was accepted.
CREATE TABLE thread_events (
    event_key   bytea PRIMARY KEY,
    thread_id   text COLLATE "C" NOT NULL,
    type        text        NOT NULL,
    version     bigint      NOT NULL,
    updated_at  timestamptz,
    received_at timestamptz NOT NULL,
    raw         json        NOT NULL
);

COMMENT ON TABLE thread_events IS 'The journal: every event of a thread that was accepted.';
COMMENT ON COLUMN thread_events.event_key IS 'Digest of the canonical content: identity of the event.';
COMMENT ON COLUMN thread_events.type IS 'THREAD_UPDATED, THREAD_MERGED or THREAD_SPLIT.';
COMMENT ON COLUMN thread_events.version IS 'Version of the thread that the event names; 0 when it names none.';
COMMENT ON COLUMN thread_events.updated_at IS 'updatedAt of the event.';
COMMENT ON COLUMN thread_events.received_at IS 'When the event reached cxbridge.';
COMMENT ON COLUMN thread_events.raw IS 'The event as it came.';

-- What was done, and when. The entries of each subject are a chain: each carries the hash of the
-- one before. The end of a thread's chain is in its row of threads, that of any other in
-- audit_heads.
CREATE TABLE audit (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject   text COLLATE "C" NOT NULL,
    seq       bigint      NOT NULL,
    at        timestamptz NOT NULL,
    action    text        NOT NULL,
    outcome   text        NOT NULL,
    detail    text        NOT NULL,
    prev_hash bytea,
    hash      bytea       NOT NULL,
    UNIQUE (subject, seq)
);

CREATE TABLE audit_heads (
    subject text COLLATE "C" PRIMARY KEY,
    seq     bigint NOT NULL,
    hash    bytea
);

COMMENT ON TABLE audit IS 'What was done, and when. Entries are never changed or deleted.';
COMMENT ON COLUMN audit.subject IS 'Id of a thread, message:ID, or dead-letter:ID.';
COMMENT ON COLUMN audit.seq IS 'Place in the chain of the subject, from 1.';
COMMENT ON COLUMN audit.detail IS 'JSON.';
COMMENT ON COLUMN audit.prev_hash IS 'Hash of the entry before; null for the first.';
COMMENT ON COLUMN audit.hash IS 'SHA-256 of all that the entry says, and of prev_hash.';
COMMENT ON TABLE audit_heads IS 'The end of each chain of the audit that is not a thread''s.';

-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries of % are never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Where changes of threads are pushed to.
CREATE TABLE sinks (
    name         text PRIMARY KEY,
    paused_until timestamptz
);
INSERT INTO sinks (name) VALUES ('crm');

COMMENT ON TABLE sinks IS 'Systems that threads are pushed to: one, named crm.';
COMMENT ON COLUMN sinks.paused_until IS 'Until when nothing is pushed to it, on any replica.';

-- +goose Down
DROP TABLE sinks, audit_heads, audit, thread_events, thread_items, threads;
DROP FUNCTION refuse_change;
