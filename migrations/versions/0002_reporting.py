"""The reporting views, the history that they keep of purged days, and the tallies of purged deliveries.

The views say the same on both databases: times in UTC, latencies in whole milliseconds, percentiles by
nearest rank. `docs/reporting.md` tells what each column means.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TALLIES = ("purged", "purged_delivered", "purged_read")

# Not read by itself; then by the first watermark that covers it (models/store/log.py: READ_AT).
BY_WATERMARK = "d.read_at IS NULL AND d.inbox AND NOT d.kept_unread"
IS_READ = f"""(d.read_at IS NOT NULL OR ({BY_WATERMARK} AND EXISTS (
    SELECT 1 FROM inboxes i WHERE i.user_id = d.user_id AND i.read_through >= d.seq)))"""

# The latencies of the rows that are kept, and of those that are not; then nearest rank: the smallest
# latency that at least half of the delivered ones, or 95 of 100, do not exceed. Windows all the way up:
# through them, not through a last GROUP BY, SQLite hands a condition on the day down to the index.
DAILY = """
    SELECT day, event, type, CAST(sent AS bigint) AS sent, CAST(total AS bigint) AS delivered,
           CAST(reads AS bigint) AS read, p50_ms, p95_ms
    FROM (
        SELECT day, event, type, sent, total, reads,
               row_number() OVER (PARTITION BY day, event, type ORDER BY ms) AS place,
               min(ms) FILTER (WHERE 2 * through >= total)
                   OVER (PARTITION BY day, event, type) AS p50_ms,
               min(ms) FILTER (WHERE 20 * through >= 19 * total)
                   OVER (PARTITION BY day, event, type) AS p95_ms
        FROM (
            SELECT day, event, type, ms,
                   sum(delivered) OVER (PARTITION BY day, event, type ORDER BY ms) AS through,
                   sum(delivered) OVER (PARTITION BY day, event, type) AS total,
                   sum(deliveries) OVER (PARTITION BY day, event, type) AS sent,
                   sum(reads) OVER (PARTITION BY day, event, type) AS reads
            FROM (
                SELECT day, event, type, ms, deliveries, reads,
                       CASE WHEN ms IS NULL THEN 0 ELSE deliveries END AS delivered
                FROM (
                    SELECT day, event, type, ms, count(*) AS deliveries, sum(is_read) AS reads
                    FROM ({live}) AS live
                    GROUP BY day, event, type, ms
                    UNION ALL
                    SELECT day, event, nullif(type, ''), CASE WHEN delivered THEN ms END, deliveries, reads
                    FROM report_history
                ) AS kept_and_purged
            ) AS latencies
        ) AS ranked
    ) AS placed
    WHERE place = 1
"""
DELIVERIES = """
    SELECT t.notification_id, t.user_id, t.seq, n.event, {type} AS type,
           n.accepted_at, t.persisted_at, t.delivered_at, t.read_at,
           {accepted_to_persisted} AS accepted_to_persisted_ms,
           {persisted_to_delivered} AS persisted_to_delivered_ms,
           {delivered_to_read} AS delivered_to_read_ms,
           {accepted_to_delivered} AS accepted_to_delivered_ms,
           {accepted_to_read} AS accepted_to_read_ms
    FROM ({deliveries}) AS t JOIN notifications n ON n.id = t.notification_id
"""
DEVICES = """
    SELECT v.user_id, v.device, v.acked_seq, coalesce(i.seq, 0) AS head_seq,
           CASE WHEN i.seq > v.acked_seq THEN i.seq - v.acked_seq ELSE 0 END AS lag,
           v.first_seen_at, v.last_seen_at
    FROM devices v LEFT JOIN inboxes i ON i.user_id = v.user_id
"""


def _postgresql() -> dict[str, str]:
    kind = """CASE WHEN jsonb_typeof(n.data -> 'type') = 'string'
        THEN nullif(left(n.data ->> 'type', 64), '') END"""
    first_mark = """(SELECT m.at FROM read_marks m WHERE m.user_id = d.user_id AND m.through >= d.seq
        ORDER BY m.through LIMIT 1)"""
    delivered = f"""least(d.delivered_at, d.read_at,
        CASE WHEN {BY_WATERMARK} AND d.seq <= i.read_through THEN {first_mark} END)"""

    def ms(begin: str, end: str) -> str:
        # Rounded from whole microseconds, so that both databases round alike.
        return f"((date_part('epoch', {end} - {begin}) * 1000000)::bigint + 500) / 1000"

    live = f"""
        SELECT (n.accepted_at AT TIME ZONE 'UTC')::date AS day, n.event, {kind} AS type,
               CASE WHEN d.read_at IS NOT NULL OR ({BY_WATERMARK} AND d.seq <= i.read_through)
                    THEN 1 ELSE 0 END AS is_read,
               {ms("n.accepted_at", delivered)} AS ms
        FROM notifications n JOIN deliveries d ON d.notification_id = n.id
             LEFT JOIN inboxes i ON i.user_id = d.user_id"""
    # A subquery with a LIMIT is asked once a row, however often its column is used.
    deliveries = f"""
        SELECT d.notification_id, d.user_id, d.seq, d.persisted_at,
               least(d.delivered_at, d.read_at, m.at) AS delivered_at,
               coalesce(d.read_at, m.at) AS read_at
        FROM deliveries d LEFT JOIN LATERAL (
            SELECT r.at FROM read_marks r
            WHERE {BY_WATERMARK} AND r.user_id = d.user_id AND r.through >= d.seq
            ORDER BY r.through LIMIT 1) m ON true"""
    notifications = f"""
        SELECT n.id AS notification_id, n.event, {kind} AS type, n.state AS status,
               n.accepted_at, n.dispatched_at, n.recipients, n.reached AS sent,
               c.delivered + n.purged_delivered AS delivered, c.reads + n.purged_read AS read,
               {ms("n.accepted_at", "n.dispatched_at")} AS accepted_to_dispatched_ms
        FROM notifications n CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE d.delivered_at IS NOT NULL OR {IS_READ}) AS delivered,
                   count(*) FILTER (WHERE {IS_READ}) AS reads
            FROM deliveries d WHERE d.notification_id = n.id) AS c"""
    return _views(live, deliveries, notifications, kind, ms)


def _sqlite() -> dict[str, str]:
    kind = (
        "CASE json_type(n.data, '$.type') WHEN 'text' THEN nullif(substr(n.data ->> '$.type', 1, 64), '') END"
    )
    # A comparison with NULL finds nothing: the marks are looked up for those alone that need one.
    marks = f"""LEFT JOIN read_marks m ON m.user_id = d.user_id AND m.through =
            CASE WHEN {BY_WATERMARK} THEN (SELECT min(r.through) FROM read_marks r
            WHERE r.user_id = d.user_id AND r.through >= d.seq) END"""
    read = "coalesce(d.read_at, m.at)"
    delivered = f"coalesce(min(d.delivered_at, {read}), d.delivered_at, d.read_at, m.at)"

    def ms(begin: str, end: str) -> str:
        # Times are texts with six digits of microseconds; strftime would round them to milliseconds.
        seconds = f"(strftime('%s', substr({end}, 1, 19)) - strftime('%s', substr({begin}, 1, 19)))"
        return f"({seconds} * 1000000 + (substr({end}, 21) - substr({begin}, 21)) + 500) / 1000"

    # A calendar instead of a day computed from each row: a range of days is a range of the index.
    live = f"""
        SELECT c.day, n.event, {kind} AS type, {read} IS NOT NULL AS is_read,
               {ms("n.accepted_at", delivered)} AS ms
        FROM (
            WITH RECURSIVE calendar(day) AS (
                SELECT substr(min(accepted_at), 1, 10) FROM notifications
                UNION ALL
                SELECT date(day, '+1 day') FROM calendar
                WHERE day < (SELECT substr(max(accepted_at), 1, 10) FROM notifications)
            ) SELECT day FROM calendar
        ) AS c
        CROSS JOIN notifications n ON n.accepted_at >= c.day AND n.accepted_at < date(c.day, '+1 day')
        CROSS JOIN deliveries d ON d.notification_id = n.id
        {marks}"""
    deliveries = f"""
        SELECT d.notification_id, d.user_id, d.seq, d.persisted_at,
               {delivered} AS delivered_at, {read} AS read_at
        FROM deliveries d {marks}"""
    of_notification = "FROM deliveries d WHERE d.notification_id = n.id"
    notifications = f"""
        SELECT n.id AS notification_id, n.event, {kind} AS type, n.state AS status,
               n.accepted_at, n.dispatched_at, n.recipients, n.reached AS sent,
               (SELECT count(*) {of_notification} AND (d.delivered_at IS NOT NULL OR {IS_READ}))
                   + n.purged_delivered AS delivered,
               (SELECT count(*) {of_notification} AND {IS_READ}) + n.purged_read AS read,
               {ms("n.accepted_at", "n.dispatched_at")} AS accepted_to_dispatched_ms
        FROM notifications n"""
    return _views(live, deliveries, notifications, kind, ms)


def _views(
    live: str, deliveries: str, notifications: str, kind: str, ms: Callable[[str, str], str]
) -> dict[str, str]:
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
        "report_deliveries": DELIVERIES.format(type=kind, deliveries=deliveries, **stages),
        "report_daily": DAILY.format(live=live),
        "report_notifications": notifications,
        "report_devices": DEVICES,
    }


#: view -> what it is; (view, column) -> what it means. SQLite has no comments.
COMMENTS: dict[str, tuple[str, dict[str, str]]] = {
    "report_deliveries": (
        "A row for each recipient that a notification was dispatched to, until it is purged",
        {
            "notification_id": "The notification",
            "user_id": "The recipient",
            "seq": "Its place in the recipient's log",
            "event": "alert, badge, or an event of the application",
            "type": "The data's field type, its first 64 characters; NULL when it has none",
            "accepted_at": "When the sender was told that it is durable",
            "persisted_at": "When it was put into the recipient's inbox",
            "delivered_at": "When a device first acked it, or it was read: the earlier; NULL: not yet",
            "read_at": "When it was read, one by one or by a watermark; NULL: it is unread",
            "accepted_to_persisted_ms": "Milliseconds from accepted_at to persisted_at",
            "persisted_to_delivered_ms": "Milliseconds from persisted_at to delivered_at",
            "delivered_to_read_ms": "Milliseconds from delivered_at to read_at",
            "accepted_to_delivered_ms": "Milliseconds from accepted_at to delivered_at",
            "accepted_to_read_ms": "Milliseconds from accepted_at to read_at",
        },
    ),
    "report_daily": (
        "A row for each day, event and type, purged days included",
        {
            "day": "The day in UTC on which the notifications were accepted",
            "event": "alert, badge, or an event of the application",
            "type": "The data's field type; NULL when it has none",
            "sent": "Recipients that the day's notifications were dispatched to",
            "delivered": "Those of them of whom a device acked it, or who read it, until now",
            "read": "Those of them for whom it is read now (a purged one: was, when it was purged)",
            "p50_ms": "Median milliseconds from accepted to delivered, of the delivered, by nearest rank",
            "p95_ms": "The 95th percentile of the same",
        },
    ),
    "report_notifications": (
        "A row for each notification that is kept",
        {
            "notification_id": "The notification",
            "event": "alert, badge, or an event of the application",
            "type": "The data's field type; NULL when it has none",
            "status": "accepted, dispatched or dead",
            "accepted_at": "When the sender was told that it is durable",
            "dispatched_at": "When its last recipient was reached; NULL: not yet",
            "recipients": "How many it is for",
            "sent": "Those of them that it was dispatched to",
            "delivered": "Those of them of whom a device acked it, or who read it, until now",
            "read": "Those of them for whom it is read now",
            "accepted_to_dispatched_ms": "Milliseconds from accepted_at to dispatched_at",
        },
    ),
    "report_devices": (
        "A row for each user and device",
        {
            "user_id": "The user",
            "device": "The device's own stable id",
            "acked_seq": "The highest seq that it acked",
            "head_seq": "The seq of the newest event of the user's log",
            "lag": "How many events it is behind the head",
            "first_seen_at": "When it first said hello",
            "last_seen_at": "When it last said hello, acked or left",
        },
    ),
}


def upgrade() -> None:
    for tally in TALLIES:
        op.add_column("notifications", sa.Column(tally, sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "report_history",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("delivered", sa.Boolean(), nullable=False),
        sa.Column("ms", sa.BigInteger(), nullable=False),
        sa.Column("deliveries", sa.BigInteger(), nullable=False),
        sa.Column("reads", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "event", "type", "delivered", "ms", name="pk_report_history"),
    )
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
    op.drop_table("report_history")
    for tally in reversed(TALLIES):
        op.drop_column("notifications", tally)
