"""Days that are over are summed once; whatever changes them later leaves a mark, and they are counted anew.

`report_daily` reads the sums of a day that has no mark, and counts all others from the rows, as before.
Triggers leave the marks, so that no writer can forget to, an older version beside this one included.
docs/adr/0024 tells why nothing can be missed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

# What is younger is in no day that is summed (models/store/days.py); so a flush of fresh acks pays nothing.
YOUNG = "1 hour"

FRESH = """EXISTS (SELECT 1 FROM report_days r WHERE r.day = {day}
    AND NOT EXISTS (SELECT 1 FROM report_marks m WHERE m.day = r.day))"""

NEVER = "(1 = 0)"

SUMS = f"""
    SELECT s.day, s.event, CAST(nullif(s.type, '') AS text) AS type, s.sent, s.delivered, s.read,
           s.p50_ms, s.p95_ms
    FROM report_sums s
    WHERE {FRESH.format(day="s.day")}
    UNION ALL"""
# See 0002: windows all the way up.
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
                    FROM report_history h
                    WHERE NOT {fresh}
                ) AS kept_and_purged
            ) AS latencies
        ) AS ranked
    ) AS placed
    WHERE place = 1
"""

BY_WATERMARK = "d.read_at IS NULL AND d.inbox AND NOT d.kept_unread"


def _postgresql(fresh: str) -> str:
    kind = """CASE WHEN jsonb_typeof(n.data -> 'type') = 'string'
        THEN nullif(left(n.data ->> 'type', 64), '') END"""
    first_mark = """(SELECT m.at FROM read_marks m WHERE m.user_id = d.user_id AND m.through >= d.seq
        ORDER BY m.through LIMIT 1)"""
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
                    (SELECT (min(accepted_at) AT TIME ZONE 'UTC')::date FROM notifications),
                    (SELECT (max(accepted_at) AT TIME ZONE 'UTC')::date FROM notifications),
                    interval '1 day') AS g
                WHERE NOT {fresh.format(day="g::date")}
            )) AS c(day)
            CROSS JOIN LATERAL (
                SELECT a.id, a.event, a.data, a.accepted_at FROM notifications a
                WHERE a.accepted_at >= c.day::timestamp AT TIME ZONE 'UTC'
                    AND a.accepted_at < (c.day + 1)::timestamp AT TIME ZONE 'UTC' OFFSET 0) AS n
            JOIN deliveries d ON d.notification_id = n.id
            LEFT JOIN inboxes i ON i.user_id = d.user_id"""
    return COUNTED.format(live=live, fresh=fresh.format(day="h.day"))


def _sqlite(fresh: str) -> str:
    kind = (
        "CASE json_type(n.data, '$.type') WHEN 'text' THEN nullif(substr(n.data ->> '$.type', 1, 64), '') END"
    )
    marks = f"""LEFT JOIN read_marks m ON m.user_id = d.user_id AND m.through =
            CASE WHEN {BY_WATERMARK} THEN (SELECT min(r.through) FROM read_marks r
            WHERE r.user_id = d.user_id AND r.through >= d.seq) END"""
    read = "coalesce(d.read_at, m.at)"
    end = f"coalesce(min(d.delivered_at, {read}), d.delivered_at, d.read_at, m.at)"
    seconds = f"(strftime('%s', substr({end}, 1, 19)) - strftime('%s', substr(n.accepted_at, 1, 19)))"
    live = f"""
        SELECT c.day, n.event, {kind} AS type, {read} IS NOT NULL AS is_read,
               ({seconds} * 1000000 + (substr({end}, 21) - substr(n.accepted_at, 21)) + 500) / 1000 AS ms
        FROM (
            WITH RECURSIVE calendar(day) AS (
                SELECT substr(min(accepted_at), 1, 10) FROM notifications
                UNION ALL
                SELECT date(day, '+1 day') FROM calendar
                WHERE day < (SELECT substr(max(accepted_at), 1, 10) FROM notifications)
            ) SELECT day FROM calendar WHERE NOT {fresh.format(day="calendar.day")}
        ) AS c
        CROSS JOIN notifications n ON n.accepted_at >= c.day AND n.accepted_at < date(c.day, '+1 day')
        CROSS JOIN deliveries d ON d.notification_id = n.id
        {marks}"""
    return COUNTED.format(live=live, fresh=fresh.format(day="h.day"))


TRIGGERS_POSTGRESQL = (
    """CREATE FUNCTION report_mark_delivery() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO report_marks (day)
        SELECT (n.accepted_at AT TIME ZONE 'UTC')::date FROM notifications n WHERE n.id = NEW.notification_id;
        RETURN NULL;
    END $$""",
    f"""CREATE TRIGGER report_mark AFTER UPDATE ON deliveries FOR EACH ROW
        WHEN (OLD.persisted_at < now() - interval '{YOUNG}'
            AND (OLD.delivered_at, OLD.read_at, OLD.kept_unread)
                IS DISTINCT FROM (NEW.delivered_at, NEW.read_at, NEW.kept_unread))
        EXECUTE FUNCTION report_mark_delivery()""",
    """CREATE FUNCTION report_mark_notification() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO report_marks (day) VALUES ((NEW.accepted_at AT TIME ZONE 'UTC')::date);
        RETURN NULL;
    END $$""",
    f"""CREATE TRIGGER report_mark AFTER UPDATE ON notifications FOR EACH ROW
        WHEN (OLD.accepted_at < now() - interval '{YOUNG}'
            AND (OLD.state, OLD.reached) IS DISTINCT FROM (NEW.state, NEW.reached))
        EXECUTE FUNCTION report_mark_notification()""",
    f"""CREATE FUNCTION report_mark_watermark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO report_marks (day)
        SELECT DISTINCT (n.accepted_at AT TIME ZONE 'UTC')::date
        FROM deliveries d JOIN notifications n ON n.id = d.notification_id
        WHERE d.user_id = NEW.user_id AND d.seq <= NEW.through AND d.inbox AND d.read_at IS NULL
            AND NOT d.kept_unread AND d.persisted_at < now() - interval '{YOUNG}'
            AND d.seq > coalesce((SELECT max(r.through) FROM read_marks r
                WHERE r.user_id = NEW.user_id AND r.through < NEW.through), 0);
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER report_mark AFTER INSERT ON read_marks FOR EACH ROW
        EXECUTE FUNCTION report_mark_watermark()""",
)
LONG_AGO = f"strftime('%Y-%m-%d %H:%M:%f', 'now', '-{YOUNG}')"
TRIGGERS_SQLITE = (
    f"""CREATE TRIGGER report_mark_delivery AFTER UPDATE OF delivered_at, read_at, kept_unread ON deliveries
        WHEN OLD.persisted_at < {LONG_AGO} AND (OLD.delivered_at IS NOT NEW.delivered_at
            OR OLD.read_at IS NOT NEW.read_at OR OLD.kept_unread IS NOT NEW.kept_unread)
        BEGIN
            INSERT INTO report_marks (day)
            SELECT substr(n.accepted_at, 1, 10) FROM notifications n WHERE n.id = NEW.notification_id;
        END""",
    f"""CREATE TRIGGER report_mark_notification AFTER UPDATE OF state, reached ON notifications
        WHEN OLD.accepted_at < {LONG_AGO} AND (OLD.state <> NEW.state OR OLD.reached <> NEW.reached)
        BEGIN
            INSERT INTO report_marks (day) VALUES (substr(NEW.accepted_at, 1, 10));
        END""",
    f"""CREATE TRIGGER report_mark_watermark AFTER INSERT ON read_marks
        BEGIN
            INSERT INTO report_marks (day)
            SELECT DISTINCT substr(n.accepted_at, 1, 10)
            FROM deliveries d JOIN notifications n ON n.id = d.notification_id
            WHERE d.user_id = NEW.user_id AND d.seq <= NEW.through AND d.inbox = 1 AND d.read_at IS NULL
                AND NOT d.kept_unread AND d.persisted_at < {LONG_AGO}
                AND d.seq > coalesce((SELECT max(r.through) FROM read_marks r
                    WHERE r.user_id = NEW.user_id AND r.through < NEW.through), 0);
        END""",
)


def upgrade() -> None:
    op.create_table(
        "report_marks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_report_marks"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_report_marks_day", "report_marks", ["day"])
    op.create_table(
        "report_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_report_days"),
    )
    op.create_table(
        "report_sums",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("delivered", sa.BigInteger(), nullable=False),
        sa.Column("read", sa.BigInteger(), nullable=False),
        sa.Column("p50_ms", sa.BigInteger(), nullable=True),
        sa.Column("p95_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("day", "event", "type", name="pk_report_sums"),
    )
    if op.get_context().dialect.name == "postgresql":
        for statement in TRIGGERS_POSTGRESQL:
            op.execute(statement)
        # Replaced, not dropped: who may read it keeps it.
        op.execute(f"CREATE OR REPLACE VIEW report_daily AS {SUMS}{_postgresql(FRESH)}")
    else:
        for statement in TRIGGERS_SQLITE:
            op.execute(statement)
        op.execute("DROP VIEW report_daily")
        op.execute(f"CREATE VIEW report_daily AS {SUMS}{_sqlite(FRESH)}")


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"CREATE OR REPLACE VIEW report_daily AS {_postgresql(NEVER)}")
        for table, what in (
            ("deliveries", "delivery"),
            ("notifications", "notification"),
            ("read_marks", "watermark"),
        ):
            op.execute(f"DROP TRIGGER report_mark ON {table}")
            op.execute(f"DROP FUNCTION report_mark_{what}()")
    else:
        op.execute("DROP VIEW report_daily")
        op.execute(f"CREATE VIEW report_daily AS {_sqlite(NEVER)}")
        for what in ("delivery", "notification", "watermark"):
            op.execute(f"DROP TRIGGER report_mark_{what}")
    for table in ("report_sums", "report_days", "report_marks"):
        op.drop_table(table)
