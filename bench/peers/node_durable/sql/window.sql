-- One consistent moment of a user ($1): the head, the exact unread count, and the 50 newest unread entries.
SELECT inbox.seq, inbox.unread, coalesce((
  SELECT json_agg(json_build_object(
    'seq', seq, 'event', 'alert', 'id', id,
    'timestamp', (extract(epoch FROM accepted_at) * 1000)::bigint, 'data', data) ORDER BY seq)
  FROM (
    SELECT delivery.seq, notification.id, notification.accepted_at, notification.data
    FROM deliveries AS delivery JOIN notifications AS notification ON notification.number = delivery.notification
    WHERE delivery.user_id = inbox.user_id AND delivery.read_at IS NULL
    ORDER BY delivery.seq DESC
    LIMIT 50
  ) AS newest
), '[]') AS events
FROM inboxes AS inbox WHERE inbox.user_id = $1
