-- +goose Up

-- What each commit changed in the counts of analytics: one row a commit, so that no two commits wait
-- for one counter. Compaction moves the rows into analytics_rollups. The encoding is that of
-- analytics.Delta.
CREATE TABLE analytics_deltas (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    counts BLOB    NOT NULL
) STRICT;

-- The counts by time: one row for each second, minute, hour and day that has any, and for each quarter
-- of a minute, an hour and a day.
CREATE TABLE analytics_rollups (
    level  INTEGER NOT NULL, -- 1 second, 2 quarter of a minute, 3 minute, 4 quarter of an hour, 5 hour, 6 quarter of a day, 7 day
    bucket INTEGER NOT NULL, -- where it begins: Unix time in seconds
    counts BLOB    NOT NULL,
    PRIMARY KEY (level, bucket)
) STRICT, WITHOUT ROWID;

-- To find what was sent to a number. Where the recipient is the same, the index is in the order of the
-- rows.
CREATE INDEX sms_messages_recipient ON sms_messages (recipient) WHERE recipient IS NOT NULL;

-- To find the events of a thread, newest first.
CREATE INDEX thread_events_thread ON thread_events (thread_id, received_at);

-- Alarms that are raised, or were. There is one row for each thing that an alarm can be about.
CREATE TABLE alarms (
    name       TEXT NOT NULL, -- what is wrong: slow-carrier
    subject    TEXT NOT NULL, -- whose fault it is: a carrier
    raised_at  TEXT NOT NULL, -- when it was raised last
    cleared_at TEXT,          -- when it was cleared; null while it is raised
    detail     TEXT NOT NULL, -- JSON: the figures that raised or cleared it
    PRIMARY KEY (name, subject)
) STRICT;

-- The processes that work on this database.
CREATE TABLE replicas (
    id         TEXT NOT NULL PRIMARY KEY, -- drawn at random at each start
    host       TEXT NOT NULL,
    version    TEXT NOT NULL,
    started_at TEXT NOT NULL,
    seen_at    TEXT NOT NULL -- when it last said that it lives
) STRICT;

-- The W3C trace context of the event that last raised want_rev; empty when it is not traced.
ALTER TABLE threads ADD COLUMN trace TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE threads DROP COLUMN trace;
DROP TABLE replicas;
DROP TABLE alarms;
DROP INDEX thread_events_thread;
DROP INDEX sms_messages_recipient;
DROP TABLE analytics_rollups;
DROP TABLE analytics_deltas;
