-- Dispatch what waits, in the order of acceptance: $1 rows at most; $2 one row by its number, or null.
-- One statement, so one transaction. A second worker waits at FOR UPDATE and goes on behind the first, and
-- each inbox's row is locked by its upsert until the commit: commit order is sequence order for each user.
-- Inboxes are taken in the order of their users, so that no two transactions wait for each other.
WITH taken AS (
  SELECT number, id, user_ids, data, accepted_at
  FROM notifications
  WHERE state = 'accepted' AND due_at <= now() AND ($2::bigint IS NULL OR number = $2)
  ORDER BY number
  LIMIT $1
  FOR UPDATE
), recipients AS (
  SELECT number, user_id FROM taken, unnest(user_ids) AS user_id
), heads AS (
  INSERT INTO inboxes AS inbox (user_id, seq, unread)
  SELECT user_id, count(*), count(*) FROM recipients GROUP BY user_id ORDER BY user_id
  ON CONFLICT (user_id) DO UPDATE
    SET seq = inbox.seq + excluded.seq, unread = inbox.unread + excluded.unread
  RETURNING user_id, seq, unread
), placed AS (
  SELECT number, user_id,
    seq + 1 - row_number() OVER from_the_last AS seq,
    unread + 1 - row_number() OVER from_the_last AS unread
  FROM recipients JOIN heads USING (user_id)
  WINDOW from_the_last AS (PARTITION BY user_id ORDER BY number DESC)
), stored AS (
  INSERT INTO deliveries (user_id, seq, notification, unread)
  SELECT user_id, seq, number, unread FROM placed
), done AS (
  UPDATE notifications SET state = 'dispatched', dispatched_at = clock_timestamp(), error = NULL
  WHERE number = ANY (ARRAY(SELECT number FROM taken))
)
SELECT user_id, seq, unread, id, data::text AS data,
  (extract(epoch FROM accepted_at) * 1000)::bigint AS timestamp
FROM placed JOIN taken USING (number)
ORDER BY number, user_id
