-- One consistent moment of a user ($1): the head, the exact unread count, and the log after $2.
SELECT inbox.seq, inbox.unread, coalesce((
  SELECT json_agg(json_build_object(
    'seq', seq, 'unread', unread, 'event', 'alert', 'id', id,
    'timestamp', (extract(epoch FROM accepted_at) * 1000)::bigint, 'data', data) ORDER BY seq)
  FROM (
    SELECT delivery.seq, delivery.unread, notification.id, notification.accepted_at, notification.data
    FROM deliveries AS delivery JOIN notifications AS notification ON notification.number = delivery.notification
    WHERE delivery.user_id = inbox.user_id AND delivery.seq > $2
    ORDER BY delivery.seq
    LIMIT 1001
  ) AS missed
), '[]') AS events
FROM inboxes AS inbox WHERE inbox.user_id = $1
