-- +goose Up

-- What each commit changed in the counts of analytics: one row a commit, so that no two commits wait
-- for one counter. Compaction moves the rows into analytics_rollups. The encoding is that of
-- analytics.Delta. Rows live for a second or so: the table is vacuumed by the number of its dead rows,
-- lest it grow.
CREATE TABLE analytics_deltas (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    counts bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_insert_threshold = -1);

-- The counts by time: one row for each second, minute, hour and day that has any, and for each quarter
-- of a minute, an hour and a day.
CREATE TABLE analytics_rollups (
    level  smallint NOT NULL,
    bucket bigint   NOT NULL,
    counts bytea    NOT NULL,
    PRIMARY KEY (level, bucket)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- Stored as they are: to unpack them would be most of what a question costs the database.
ALTER TABLE analytics_rollups ALTER COLUMN counts SET STORAGE EXTERNAL;

COMMENT ON TABLE analytics_deltas IS 'Changes of the counts of analytics that are in no rollup yet.';
COMMENT ON TABLE analytics_rollups IS 'The counts of analytics by time.';
COMMENT ON COLUMN analytics_rollups.level IS '1 second, 2 quarter of a minute, 3 minute, 4 quarter of an hour, 5 hour, 6 quarter of a day, 7 day.';
COMMENT ON COLUMN analytics_rollups.bucket IS 'Where it begins: Unix time in seconds.';

-- To find what was sent to a number, newest first, and what is new or old.
CREATE INDEX sms_messages_recipient ON sms_messages (recipient, first_seen_at) WHERE recipient IS NOT NULL;
CREATE INDEX sms_messages_first_seen ON sms_messages (first_seen_at);

-- To find the events of a thread, newest first.
CREATE INDEX thread_events_thread ON thread_events (thread_id, received_at);

-- To find those that are kept no longer.
CREATE INDEX thread_events_received ON thread_events (received_at);

-- Alarms that are raised, or were. There is one row for each thing that an alarm can be about.
CREATE TABLE alarms (
    name       text        NOT NULL,
    subject    text COLLATE "C" NOT NULL,
    raised_at  timestamptz NOT NULL,
    cleared_at timestamptz,
    detail     text        NOT NULL,
    PRIMARY KEY (name, subject)
);

COMMENT ON TABLE alarms IS 'Alarms that are raised, or were.';
COMMENT ON COLUMN alarms.name IS 'What is wrong: slow-carrier.';
COMMENT ON COLUMN alarms.subject IS 'Whose fault it is: a carrier.';
COMMENT ON COLUMN alarms.raised_at IS 'When it was raised last.';
COMMENT ON COLUMN alarms.cleared_at IS 'When it was cleared; null while it is raised.';
COMMENT ON COLUMN alarms.detail IS 'JSON: the figures that raised or cleared it.';

-- The processes that work on this database.
CREATE TABLE replicas (
    id         text PRIMARY KEY,
    host       text        NOT NULL,
    version    text        NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL
);

COMMENT ON TABLE replicas IS 'The processes that work on this database.';
COMMENT ON COLUMN replicas.id IS 'Drawn at random at each start.';
COMMENT ON COLUMN replicas.seen_at IS 'When it last said that it lives.';

ALTER TABLE threads ADD COLUMN trace text NOT NULL DEFAULT '';
COMMENT ON COLUMN threads.trace IS 'The W3C trace context of the event that last raised want_rev; empty when it is not traced.';

-- +goose Down
ALTER TABLE threads DROP COLUMN trace;
DROP TABLE replicas;
DROP TABLE alarms;
DROP INDEX thread_events_received, thread_events_thread, sms_messages_first_seen, sms_messages_recipient;
DROP TABLE analytics_rollups, analytics_deltas;
