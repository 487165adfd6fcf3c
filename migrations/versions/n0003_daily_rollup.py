"""Create the daily report: the sums of a day are stored once it is over; a later change marks it as dirty.

`notifier_report_daily` reads the stored sums of a day that is not dirty, and counts every other day from the
rows. Triggers mark the days, so that no writer can forget it. Why nothing is missed: docs/adr/0024.
"""

from alembic import op

revision = "n0003"
down_revision = "n0002"

# A younger row is in no stored day (models/store/rollup.py), so a flush of new acks costs nothing.
YOUNG = "1 hour"

FRESH = """EXISTS (SELECT 1 FROM notifier_report_days r WHERE r.day = {day}
    AND NOT EXISTS (SELECT 1 FROM notifier_report_marks m WHERE m.day = r.day))"""

SUMS = f"""
    SELECT s.day, s.event, CAST(nullif(s.type, '') AS text) AS type, s.sent, s.delivered, s.read,
           s.p50_ms, s.p95_ms
    FROM notifier_report_sums s
    WHERE {FRESH.format(day="s.day")}
    UNION ALL"""
# The latencies of the rows that are kept, and of those that are not; then nearest rank: the smallest
# latency that at least half of the delivered ones, or 95 of 100, do not exceed. Windows all the way up:
# through them, not through a last GROUP BY, SQLite hands a condition on the day down to the index.
COUNTED = """
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
                    SELECT h.day, h.event, nullif(h.type, ''), CASE WHEN h.delivered THEN h.ms END,
                           h.deliveries, h.reads
                    FROM notifier_report_history h
                    WHERE NOT {fresh}
                ) AS kept_and_purged
            ) AS latencies
        ) AS ranked
    ) AS placed
    WHERE place = 1
"""

BY_WATERMARK = "d.read_at IS NULL AND d.inbox AND NOT d.kept_unread"


def _postgresql(fresh: str, mark: str = "m.at") -> str:
    kind = """CASE WHEN jsonb_typeof(n.data -> 'type') = 'string'
        THEN nullif(left(n.data ->> 'type', 64), '') END"""
    first_mark = f"""(SELECT {mark} FROM notifier_read_marks m
        WHERE m.user_id = d.user_id AND m.through >= d.seq ORDER BY m.through LIMIT 1)"""
    delivered = f"""least(d.delivered_at, d.read_at,
        CASE WHEN {BY_WATERMARK} AND d.seq <= i.read_through THEN {first_mark} END)"""
    # The open days as an array, and OFFSET 0: the planner takes the days to be few, which they are, and
    # reads each by its index.
    live = f"""
        SELECT c.day, n.event, {kind} AS type,
               CASE WHEN d.read_at IS NOT NULL OR ({BY_WATERMARK} AND d.seq <= i.read_through)
                    THEN 1 ELSE 0 END AS is_read,
               ((date_part('epoch', {delivered} - n.accepted_at) * 1000000)::bigint + 500) / 1000 AS ms
        FROM unnest(ARRAY(
                SELECT g::date FROM generate_series(
                    (SELECT (min(accepted_at) AT TIME ZONE 'UTC')::date FROM notifier_notifications),
                    (SELECT (max(accepted_at) AT TIME ZONE 'UTC')::date FROM notifier_notifications),
                    interval '1 day') AS g
                WHERE NOT {fresh.format(day="g::date")}
            )) AS c(day)
            CROSS JOIN LATERAL (
                SELECT a.id, a.event, a.data, a.accepted_at FROM notifier_notifications a
                WHERE a.accepted_at >= c.day::timestamp AT TIME ZONE 'UTC'
                    AND a.accepted_at < (c.day + 1)::timestamp AT TIME ZONE 'UTC' OFFSET 0) AS n
            JOIN notifier_deliveries d ON d.notification_id = n.id
            LEFT JOIN notifier_inboxes i ON i.user_id = d.user_id"""
    return COUNTED.format(live=live, fresh=fresh.format(day="h.day"))


def _sqlite(fresh: str, mark: str = "m.at") -> str:
    kind = (
        "CASE json_type(n.data, '$.type') WHEN 'text' THEN nullif(substr(n.data ->> '$.type', 1, 64), '') END"
    )
    marks = f"""LEFT JOIN notifier_read_marks m ON m.user_id = d.user_id AND m.through =
            CASE WHEN {BY_WATERMARK} THEN (SELECT min(r.through) FROM notifier_read_marks r
            WHERE r.user_id = d.user_id AND r.through >= d.seq) END"""
    read = f"coalesce(d.read_at, {mark})"
    end = f"coalesce(min(d.delivered_at, {read}), d.delivered_at, d.read_at, {mark})"
    seconds = f"(strftime('%s', substr({end}, 1, 19)) - strftime('%s', substr(n.accepted_at, 1, 19)))"
    live = f"""
        SELECT c.day, n.event, {kind} AS type, {read} IS NOT NULL AS is_read,
               ({seconds} * 1000000 + (substr({end}, 21) - substr(n.accepted_at, 21)) + 500) / 1000 AS ms
        FROM (
            WITH RECURSIVE calendar(day) AS (
                SELECT substr(min(accepted_at), 1, 10) FROM notifier_notifications
                UNION ALL
                SELECT date(day, '+1 day') FROM calendar
                WHERE day < (SELECT substr(max(accepted_at), 1, 10) FROM notifier_notifications)
            ) SELECT day FROM calendar WHERE NOT {fresh.format(day="calendar.day")}
        ) AS c
        CROSS JOIN notifier_notifications n
            ON n.accepted_at >= c.day AND n.accepted_at < date(c.day, '+1 day')
        CROSS JOIN notifier_deliveries d ON d.notification_id = n.id
        {marks}"""
    return COUNTED.format(live=live, fresh=fresh.format(day="h.day"))


TRIGGERS_POSTGRESQL = (
    """CREATE FUNCTION notifier_report_mark_delivery() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO notifier_report_marks (day)
        SELECT (n.accepted_at AT TIME ZONE 'UTC')::date
        FROM notifier_notifications n WHERE n.id = NEW.notification_id;
        RETURN NULL;
    END $$""",
    f"""CREATE TRIGGER notifier_report_mark AFTER UPDATE ON notifier_deliveries FOR EACH ROW
        WHEN (OLD.persisted_at < now() - interval '{YOUNG}'
            AND (OLD.delivered_at, OLD.read_at, OLD.kept_unread)
                IS DISTINCT FROM (NEW.delivered_at, NEW.read_at, NEW.kept_unread))
        EXECUTE FUNCTION notifier_report_mark_delivery()""",
    """CREATE FUNCTION notifier_report_mark_notification() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO notifier_report_marks (day) VALUES ((NEW.accepted_at AT TIME ZONE 'UTC')::date);
        RETURN NULL;
    END $$""",
    f"""CREATE TRIGGER notifier_report_mark AFTER UPDATE ON notifier_notifications FOR EACH ROW
        WHEN (OLD.accepted_at < now() - interval '{YOUNG}'
            AND (OLD.state, OLD.reached) IS DISTINCT FROM (NEW.state, NEW.reached))
        EXECUTE FUNCTION notifier_report_mark_notification()""",
    f"""CREATE FUNCTION notifier_report_mark_watermark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO notifier_report_marks (day)
        SELECT DISTINCT (n.accepted_at AT TIME ZONE 'UTC')::date
        FROM notifier_deliveries d JOIN notifier_notifications n ON n.id = d.notification_id
        WHERE d.user_id = NEW.user_id AND d.seq <= NEW.through AND d.inbox AND d.read_at IS NULL
            AND NOT d.kept_unread AND d.persisted_at < now() - interval '{YOUNG}'
            AND d.seq > coalesce((SELECT max(r.through) FROM notifier_read_marks r
                WHERE r.user_id = NEW.user_id AND r.through < NEW.through), 0);
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER notifier_report_mark AFTER INSERT ON notifier_read_marks FOR EACH ROW
        EXECUTE FUNCTION notifier_report_mark_watermark()""",
)
LONG_AGO = f"strftime('%Y-%m-%d %H:%M:%f', 'now', '-{YOUNG}')"
TRIGGERS_SQLITE = (
    f"""CREATE TRIGGER notifier_report_mark_delivery
        AFTER UPDATE OF delivered_at, read_at, kept_unread ON notifier_deliveries
        WHEN OLD.persisted_at < {LONG_AGO} AND (OLD.delivered_at IS NOT NEW.delivered_at
            OR OLD.read_at IS NOT NEW.read_at OR OLD.kept_unread IS NOT NEW.kept_unread)
        BEGIN
            INSERT INTO notifier_report_marks (day)
            SELECT substr(n.accepted_at, 1, 10)
            FROM notifier_notifications n WHERE n.id = NEW.notification_id;
        END""",
    f"""CREATE TRIGGER notifier_report_mark_notification
        AFTER UPDATE OF state, reached ON notifier_notifications
        WHEN OLD.accepted_at < {LONG_AGO} AND (OLD.state <> NEW.state OR OLD.reached <> NEW.reached)
        BEGIN
            INSERT INTO notifier_report_marks (day) VALUES (substr(NEW.accepted_at, 1, 10));
        END""",
    f"""CREATE TRIGGER notifier_report_mark_watermark AFTER INSERT ON notifier_read_marks
        BEGIN
            INSERT INTO notifier_report_marks (day)
            SELECT DISTINCT substr(n.accepted_at, 1, 10)
            FROM notifier_deliveries d JOIN notifier_notifications n ON n.id = d.notification_id
            WHERE d.user_id = NEW.user_id AND d.seq <= NEW.through AND d.inbox = 1 AND d.read_at IS NULL
                AND NOT d.kept_unread AND d.persisted_at < {LONG_AGO}
                AND d.seq > coalesce((SELECT max(r.through) FROM notifier_read_marks r
                    WHERE r.user_id = NEW.user_id AND r.through < NEW.through), 0);
        END""",
)


ABOUT = "A row for each day, event and type, purged days included"
#: column -> what it means. SQLite has no comments.
COLUMNS = {
    "day": "The day in UTC on which the notifications were accepted",
    "event": "alert, badge, or an event of the application",
    "type": "The data's field type; NULL when it has none",
    "sent": "Recipients to whom the day's notifications have been dispatched",
    "delivered": "Recipients of whom a device has acked it, or who have read it",
    "read": "Recipients for whom it is read at present, or was when it was purged",
    "p50_ms": "Median milliseconds from accepted to delivered, of the delivered, by nearest rank",
    "p95_ms": "The 95th percentile of the same",
}


def upgrade() -> None:
    postgres = op.get_context().dialect.name == "postgresql"
    for statement in TRIGGERS_POSTGRESQL if postgres else TRIGGERS_SQLITE:
        op.execute(statement)
    counted = _postgresql(FRESH) if postgres else _sqlite(FRESH)
    op.execute(f"CREATE VIEW notifier_report_daily AS {SUMS}{counted}")
    if postgres:
        op.execute(f"COMMENT ON VIEW notifier_report_daily IS {_quoted(ABOUT)}")
        for column, meaning in COLUMNS.items():
            op.execute(f"COMMENT ON COLUMN notifier_report_daily.{column} IS {_quoted(meaning)}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def downgrade() -> None:
    op.execute("DROP VIEW notifier_report_daily")
    marked = {"delivery": "deliveries", "notification": "notifications", "watermark": "read_marks"}
    for what, table in marked.items():
        if op.get_context().dialect.name == "postgresql":
            op.execute(f"DROP TRIGGER notifier_report_mark ON notifier_{table}")
            op.execute(f"DROP FUNCTION notifier_report_mark_{what}()")
        else:
            op.execute(f"DROP TRIGGER notifier_report_mark_{what}")
