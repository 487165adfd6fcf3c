"""Channels: a row for each delivery, channel and address; and the view that reports read."""

import sqlalchemy as sa
from alembic import op

from notifier.outbox.types import Number, UtcDateTime, UuidText

revision = "n0012"
down_revision = "n0011"

TABLE = "notifier_reach"
STATES = "'waiting', 'sending', 'sent', 'failed', 'gone', 'refused', 'unknown', 'skipped'"
INDEXES = (
    ("waiting", ["channel", "next_at", "id"], "state = 'waiting'"),
    ("digest", ["address_id", "due_at"], "digest IS NOT NULL"),
    ("sending", ["deadline"], "state = 'sending'"),
    ("wrong", ["id"], "state IN ('failed', 'unknown')"),
    ("user_id", ["user_id"], None),
)
VIEW = """
    CREATE VIEW notifier_report_reach AS
    SELECT r.notification_id, r.user_id, r.channel, r.address_id, r.category, r.state, r.reason, r.digest,
           r.due_at, r.sent_at, r.attempts, r.provider_id
    FROM notifier_reach r
"""


def upgrade() -> None:
    """Create the table, its indexes and the view."""
    op.create_table(
        TABLE,
        sa.Column("id", Number, nullable=False, autoincrement=True),
        sa.Column("notification_id", UuidText, nullable=False),
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("address_id", sa.BigInteger, nullable=False),
        sa.Column("category", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(300), nullable=True),
        sa.Column("required", sa.Boolean, nullable=False),
        sa.Column("unless", sa.String(8), nullable=True),
        sa.Column("digest", sa.String(8), nullable=True),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("next_at", UtcDateTime, nullable=False),
        sa.Column("deadline", UtcDateTime, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("sent_at", UtcDateTime, nullable=True),
        sa.Column("provider_id", sa.String(200), nullable=True),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("notifier_reach_state_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("notifier_reach_pkey")),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifier_notifications.id"],
            name=op.f("notifier_reach_notification_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint(
            "notification_id",
            "user_id",
            "channel",
            "address_id",
            name=op.f("notifier_reach_notification_id_user_id_channel_address_id_key"),
        ),
        sqlite_autoincrement=True,
    )
    for name, columns, which in INDEXES:
        where = sa.text(which) if which else None
        op.create_index(f"{TABLE}_{name}_idx", TABLE, columns, postgresql_where=where, sqlite_where=where)
    op.execute(VIEW)
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "COMMENT ON VIEW notifier_report_reach IS"
            " 'A row for each delivery, channel and address: state, reason, due_at, sent_at, attempts'"
        )


def downgrade() -> None:
    """Drop them: what waits is not sent."""
    op.execute("DROP VIEW notifier_report_reach")
    op.drop_table(TABLE)
