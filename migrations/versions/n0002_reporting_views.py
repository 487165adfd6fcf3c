"""Create the reporting views, except the daily one, which is in the next migration.

The views return the same on both databases: times in UTC, latencies in whole milliseconds.
`docs/reporting.md` describes each column.
"""

from collections.abc import Callable

from alembic import op

revision = "n0002"
down_revision = "n0001"

# Not read by itself, so by the first watermark that covers it (models/store/pages.py: READ_AT).
BY_WATERMARK = "d.read_at IS NULL AND d.inbox AND NOT d.kept_unread"
IS_READ = f"""(d.read_at IS NOT NULL OR ({BY_WATERMARK} AND EXISTS (
    SELECT 1 FROM notifier_inboxes i WHERE i.user_id = d.user_id AND i.read_through >= d.seq)))"""

DELIVERIES = """
    SELECT t.notification_id, t.user_id, t.seq, n.event, {type} AS type,
           n.accepted_at, t.persisted_at, t.delivered_at, t.read_at,
           {accepted_to_persisted} AS accepted_to_persisted_ms,
           {persisted_to_delivered} AS persisted_to_delivered_ms,
           {delivered_to_read} AS delivered_to_read_ms,
           {accepted_to_delivered} AS accepted_to_delivered_ms,
           {accepted_to_read} AS accepted_to_read_ms
    FROM ({deliveries}) AS t JOIN notifier_notifications n ON n.id = t.notification_id
"""
DEVICES = """
    SELECT v.user_id, v.device, v.acked_seq, coalesce(i.seq, 0) AS head_seq,
           CASE WHEN i.seq > v.acked_seq THEN i.seq - v.acked_seq ELSE 0 END AS lag,
           v.first_seen_at, v.last_seen_at
    FROM notifier_devices v LEFT JOIN notifier_inboxes i ON i.user_id = v.user_id
"""


def _postgresql(mark: str = "r.at") -> dict[str, str]:
    kind = """CASE WHEN jsonb_typeof(n.data -> 'type') = 'string'
        THEN nullif(left(n.data ->> 'type', 64), '') END"""

    def ms(begin: str, end: str) -> str:
        # Rounded from whole microseconds, so that both databases round alike.
        return f"((date_part('epoch', {end} - {begin}) * 1000000)::bigint + 500) / 1000"

    # A subquery with a LIMIT runs once for each row, however often its column is used.
    deliveries = f"""
        SELECT d.notification_id, d.user_id, d.seq, d.persisted_at,
               least(d.delivered_at, d.read_at, m.at) AS delivered_at,
               coalesce(d.read_at, m.at) AS read_at
        FROM notifier_deliveries d LEFT JOIN LATERAL (
            SELECT {mark} FROM notifier_read_marks r
            WHERE {BY_WATERMARK} AND r.user_id = d.user_id AND r.through >= d.seq
            ORDER BY r.through LIMIT 1) m ON true"""
    notifications = f"""
        SELECT n.id AS notification_id, n.event, {kind} AS type, n.state AS status,
               n.accepted_at, n.dispatched_at, n.recipients, n.reached AS sent,
               c.delivered + n.purged_delivered AS delivered, c.reads + n.purged_read AS read,
               {ms("n.accepted_at", "n.dispatched_at")} AS accepted_to_dispatched_ms
        FROM notifier_notifications n CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE d.delivered_at IS NOT NULL OR {IS_READ}) AS delivered,
                   count(*) FILTER (WHERE {IS_READ}) AS reads
            FROM notifier_deliveries d WHERE d.notification_id = n.id) AS c"""
    return _views(deliveries, notifications, kind, ms)


def _sqlite(mark: str = "m.at") -> dict[str, str]:
    kind = (
        "CASE json_type(n.data, '$.type') WHEN 'text' THEN nullif(substr(n.data ->> '$.type', 1, 64), '') END"
    )
    # A comparison with NULL finds nothing, so marks are looked up only for rows that need one.
    marks = f"""LEFT JOIN notifier_read_marks m ON m.user_id = d.user_id AND m.through =
            CASE WHEN {BY_WATERMARK} THEN (SELECT min(r.through) FROM notifier_read_marks r
            WHERE r.user_id = d.user_id AND r.through >= d.seq) END"""
    read = f"coalesce(d.read_at, {mark})"
    delivered = f"coalesce(min(d.delivered_at, {read}), d.delivered_at, d.read_at, {mark})"

    def ms(begin: str, end: str) -> str:
        # Times are texts with six digits of microseconds; strftime would round them to milliseconds.
        seconds = f"(strftime('%s', substr({end}, 1, 19)) - strftime('%s', substr({begin}, 1, 19)))"
        return f"({seconds} * 1000000 + (substr({end}, 21) - substr({begin}, 21)) + 500) / 1000"

    deliveries = f"""
        SELECT d.notification_id, d.user_id, d.seq, d.persisted_at,
               {delivered} AS delivered_at, {read} AS read_at
        FROM notifier_deliveries d {marks}"""
    of_notification = "FROM notifier_deliveries d WHERE d.notification_id = n.id"
    notifications = f"""
        SELECT n.id AS notification_id, n.event, {kind} AS type, n.state AS status,
               n.accepted_at, n.dispatched_at, n.recipients, n.reached AS sent,
               (SELECT count(*) {of_notification} AND (d.delivered_at IS NOT NULL OR {IS_READ}))
                   + n.purged_delivered AS delivered,
               (SELECT count(*) {of_notification} AND {IS_READ}) + n.purged_read AS read,
               {ms("n.accepted_at", "n.dispatched_at")} AS accepted_to_dispatched_ms
        FROM notifier_notifications n"""
    return _views(deliveries, notifications, kind, ms)


def _views(deliveries: str, notifications: str, kind: str, ms: Callable[[str, str], str]) -> dict[str, str]:
    moments = {
        "accepted": "n.accepted_at",
        "persisted": "t.persisted_at",
        "delivered": "t.delivered_at",
        "read": "t.read_at",
    }
    stages = {
        f"{begin}_to_{end}": ms(moments[begin], moments[end])
        for begin, end in (
            ("accepted", "persisted"),
            ("persisted", "delivered"),
            ("delivered", "read"),
            ("accepted", "delivered"),
            ("accepted", "read"),
        )
    }
    return {
        "notifier_report_deliveries": DELIVERIES.format(type=kind, deliveries=deliveries, **stages),
        "notifier_report_notifications": notifications,
        "notifier_report_devices": DEVICES,
    }


#: view -> what it is; (view, column) -> what it means. SQLite has no comments.
COMMENTS: dict[str, tuple[str, dict[str, str]]] = {
    "notifier_report_deliveries": (
        "A row for each recipient that a notification was dispatched to, until it is purged",
        {
            "notification_id": "The notification",
            "user_id": "The recipient",
            "seq": "Its seq in the recipient's log",
            "event": "alert, badge, or an event of the application",
            "type": "The first 64 characters of the data's field type; NULL when it has none",
            "accepted_at": "When it was stored durably, before the sender got an answer",
            "persisted_at": "When it was put into the recipient's inbox",
            "delivered_at": "When a device first acked it or it was read, the earlier of both; NULL: not yet",
            "read_at": "When it was read, one by one or by a watermark; NULL: it is unread",
            "accepted_to_persisted_ms": "Milliseconds from accepted_at to persisted_at",
            "persisted_to_delivered_ms": "Milliseconds from persisted_at to delivered_at",
            "delivered_to_read_ms": "Milliseconds from delivered_at to read_at",
            "accepted_to_delivered_ms": "Milliseconds from accepted_at to delivered_at",
            "accepted_to_read_ms": "Milliseconds from accepted_at to read_at",
        },
    ),
    "notifier_report_notifications": (
        "A row for each notification that is kept",
        {
            "notification_id": "The notification",
            "event": "alert, badge, or an event of the application",
            "type": "The data's field type; NULL when it has none",
            "status": "accepted, dispatched or dead",
            "accepted_at": "When it was stored durably, before the sender got an answer",
            "dispatched_at": "When it was dispatched to its last recipient; NULL: not yet",
            "recipients": "Number of its recipients",
            "sent": "Recipients to whom it has been dispatched",
            "delivered": "Recipients of whom a device has acked it, or who have read it",
            "read": "Recipients for whom it is read at present",
            "accepted_to_dispatched_ms": "Milliseconds from accepted_at to dispatched_at",
        },
    ),
    "notifier_report_devices": (
        "A row for each user and device",
        {
            "user_id": "The user",
            "device": "The device's own stable id",
            "acked_seq": "The highest seq that it acked",
            "head_seq": "The seq of the newest event of the user's log",
            "lag": "Number of events by which it is behind the head",
            "first_seen_at": "When it first said hello",
            "last_seen_at": "When it last said hello, acked or disconnected",
        },
    ),
}


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    for view, query in (_postgresql() if postgres else _sqlite()).items():
        op.execute(f"CREATE VIEW {view} AS {query}")
        if postgres:
            about, columns = COMMENTS[view]
            op.execute(f"COMMENT ON VIEW {view} IS {_quoted(about)}")
            for column, meaning in columns.items():
                op.execute(f"COMMENT ON COLUMN {view}.{column} IS {_quoted(meaning)}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def downgrade() -> None:
    for view in COMMENTS:
        op.execute(f"DROP VIEW {view}")
