-- +goose Up

-- A dead letter about a thread or an item that was replayed waits, unseen, for what becomes of the push:
-- it is deleted or comes back.
ALTER TABLE dead_letters ADD COLUMN replayed_at timestamptz;
COMMENT ON COLUMN dead_letters.replayed_at IS 'When it was replayed; null unless it waits for what becomes of the push.';
COMMENT ON COLUMN thread_items.set_aside IS 'Hash of a value that the CRM would not take; one that no value has when the item is tried again.';

-- +goose Down
COMMENT ON COLUMN thread_items.set_aside IS 'Hash of a value that the CRM would not take.';
ALTER TABLE dead_letters DROP COLUMN replayed_at;
