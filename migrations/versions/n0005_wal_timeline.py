"""Store the server's WAL timeline with the base, and count devices' lag correctly across a base.

Why: a promoted replica writes another timeline, and may lack the last commits (`docs/adr/0030`).
"""

import sqlalchemy as sa
from alembic import op

revision = "n0005"
down_revision = "n0004"

# pg_control_checkpoint() returns the old timeline until the first checkpoint after a promotion, and reads
# a file. These two are in memory, and any role may call them. Not every service that is compatible with
# PostgreSQL has them; there the timeline is NULL.
TIMELINE = """
DO $do$
BEGIN
    PERFORM pg_is_in_recovery(), pg_walfile_name(pg_current_wal_lsn());
    CREATE FUNCTION notifier_wal_timeline() RETURNS integer LANGUAGE sql AS $$
        SELECT CASE WHEN pg_is_in_recovery() THEN 0
                    ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer END
    $$;
EXCEPTION WHEN feature_not_supported OR undefined_function OR insufficient_privilege THEN
    CREATE FUNCTION notifier_wal_timeline() RETURNS integer LANGUAGE sql AS 'SELECT NULL::integer';
END
$do$"""
ABOUT = "The number of the WAL timeline that the server writes; 0: it is a replica; NULL: unknown"

DEVICES = """
    SELECT v.user_id, v.device, v.acked_seq, coalesce(i.seq, 0) AS head_seq,
           {lag} AS lag,
           v.first_seen_at, v.last_seen_at
    FROM notifier_devices v LEFT JOIN notifier_inboxes i ON i.user_id = v.user_id
"""
BEFORE = "CASE WHEN i.seq > v.acked_seq THEN i.seq - v.acked_seq ELSE 0 END"
# Across a base the difference of seqs means nothing: the entries that are kept are counted.
NOW = """CASE WHEN i.seq > v.acked_seq THEN
                CASE WHEN EXISTS (SELECT 1 FROM notifier_restores r
                                  WHERE r.base > v.acked_seq AND r.base < i.seq)
                     THEN (SELECT count(*) FROM notifier_deliveries d
                           WHERE d.user_id = v.user_id AND d.seq > v.acked_seq)
                        + (SELECT count(*) FROM notifier_changes c
                           WHERE c.user_id = v.user_id AND c.seq > v.acked_seq)
                     ELSE i.seq - v.acked_seq END
                ELSE 0 END"""


def upgrade() -> None:
    op.add_column("notifier_restores", sa.Column("wal_timeline", sa.Integer(), nullable=True))
    _replace_view(NOW)
    if op.get_context().dialect.name == "postgresql":
        op.execute(TIMELINE)
        op.execute(f"COMMENT ON FUNCTION notifier_wal_timeline() IS '{ABOUT}'")
        op.execute("INSERT INTO notifier_restores (base, restored_at) SELECT 0, now()"
                   " WHERE NOT EXISTS (SELECT 1 FROM notifier_restores)")  # fmt: skip
        op.execute("UPDATE notifier_restores SET wal_timeline = notifier_wal_timeline()"
                   " WHERE base = (SELECT max(base) FROM notifier_restores)")  # fmt: skip


def _replace_view(lag: str) -> None:
    query = DEVICES.format(lag=lag)
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"CREATE OR REPLACE VIEW notifier_report_devices AS {query}")
    else:
        op.execute("DROP VIEW notifier_report_devices")
        op.execute(f"CREATE VIEW notifier_report_devices AS {query}")


def downgrade() -> None:
    _replace_view(BEFORE)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION notifier_wal_timeline()")
        op.execute("DELETE FROM notifier_restores WHERE base = 0")
    op.drop_column("notifier_restores", "wal_timeline")
