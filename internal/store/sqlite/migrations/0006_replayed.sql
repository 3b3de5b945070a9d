-- +goose Up

-- Until now each thread had the chain of its id in audit, and those whose ids could be the names of other
-- chains now have one of another name. What is in the old chain stays there, so its end does too; the new one
-- begins.
INSERT INTO audit_heads (subject, seq, hash)
SELECT thread_id, audit_seq, audit_hash FROM threads
WHERE audit_seq > 0
    AND (thread_id >= 'alarm:' AND thread_id < 'alarm;' OR thread_id >= 'dead-letter:' AND thread_id < 'dead-letter;'
        OR thread_id >= 'erasure' AND thread_id < 'erasure ' OR thread_id >= 'message:' AND thread_id < 'message;'
        OR thread_id >= 'thread:' AND thread_id < 'thread;')
ON CONFLICT DO NOTHING;
UPDATE threads SET audit_seq = 0, audit_hash = NULL
WHERE audit_seq > 0
    AND (thread_id >= 'alarm:' AND thread_id < 'alarm;' OR thread_id >= 'dead-letter:' AND thread_id < 'dead-letter;'
        OR thread_id >= 'erasure' AND thread_id < 'erasure ' OR thread_id >= 'message:' AND thread_id < 'message;'
        OR thread_id >= 'thread:' AND thread_id < 'thread;');

-- A dead letter about a thread or an item that was replayed waits, unseen, for what becomes of the push:
-- it is deleted or comes back.
ALTER TABLE dead_letters ADD COLUMN replayed_at TEXT; -- when it was replayed; null unless it waits

-- +goose Down
ALTER TABLE dead_letters DROP COLUMN replayed_at;
