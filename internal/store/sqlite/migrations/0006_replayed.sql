-- +goose Up

-- A dead letter about a thread or an item that was replayed waits, unseen, for what becomes of the push:
-- it is deleted or comes back.
ALTER TABLE dead_letters ADD COLUMN replayed_at TEXT; -- when it was replayed; null unless it waits

-- +goose Down
ALTER TABLE dead_letters DROP COLUMN replayed_at;
