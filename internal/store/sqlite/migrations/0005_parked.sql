-- +goose Up

-- Threads that are parked are listed, and woken step by step, in the order of their ids.
DROP INDEX threads_parked;
CREATE INDEX threads_parked ON threads (thread_id) WHERE parked;

-- +goose Down
DROP INDEX threads_parked;
CREATE INDEX threads_parked ON threads (last_status) WHERE parked;
