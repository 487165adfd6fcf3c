-- The tables of this peer. Apply once, to an empty database: psql -f schema.sql
-- SQL is the truth; Redis carries wake-ups and frames, and may lose both.

-- One row for each call, written before its 202. `number` is the order of acceptance.
CREATE TABLE notifications (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id uuid NOT NULL UNIQUE,
  idempotency_key text,
  body_hash text,
  user_ids text[] NOT NULL,
  data jsonb NOT NULL,
  state text NOT NULL DEFAULT 'accepted' CHECK (state IN ('accepted', 'dispatched', 'dead')),
  attempts integer NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL DEFAULT now(),
  error text,
  accepted_at timestamptz NOT NULL DEFAULT now(),
  dispatched_at timestamptz
);
CREATE UNIQUE INDEX notifications_idempotency_key ON notifications (idempotency_key)
  WHERE idempotency_key IS NOT NULL;
-- What waits: read by the worker in the order of acceptance.
CREATE INDEX notifications_accepted ON notifications (number) WHERE state = 'accepted';

-- The head of each user's log, and the exact number of unread entries.
CREATE TABLE inboxes (
  user_id text PRIMARY KEY,
  seq bigint NOT NULL,
  unread integer NOT NULL CHECK (unread >= 0)
) WITH (fillfactor = 80);

-- Each user's log: one row for each recipient of a notification. `unread` is the count right after it.
CREATE TABLE deliveries (
  user_id text NOT NULL,
  seq bigint NOT NULL,
  notification bigint NOT NULL REFERENCES notifications,
  unread integer NOT NULL,
  persisted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  delivered_at timestamptz,
  read_at timestamptz,
  PRIMARY KEY (user_id, seq),
  UNIQUE (notification, user_id)
);
CREATE INDEX deliveries_unread ON deliveries (user_id, seq) WHERE read_at IS NULL;
