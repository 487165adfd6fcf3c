"""Create the first tables; `models/tables.py` and `notifier/outbox/tables.py` describe them."""

import sqlalchemy as sa
from alembic import op

from notifier.outbox.types import Json, Number, UtcDateTime, UuidText

revision = "n0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "notifier_badges",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "type", name=op.f("notifier_badges_pkey")),
    )
    op.create_table(
        "notifier_changes",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("unread", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "seq", name=op.f("notifier_changes_pkey")),
    )
    op.create_table(
        "notifier_devices",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("acked_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("window_from", sa.BigInteger(), nullable=False),
        sa.Column("log_from", sa.BigInteger(), nullable=False),
        sa.Column("sent_seq", sa.BigInteger(), nullable=True),
        sa.Column("socket", sa.String(length=36), nullable=False),
        sa.Column("user_agent", sa.String(length=256), nullable=True),
        sa.Column("first_seen_at", UtcDateTime, nullable=False),
        sa.Column("last_seen_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "device", name=op.f("notifier_devices_pkey")),
    )
    op.create_table(
        "notifier_gateways",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.Column("stopped_at", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("notifier_gateways_pkey")),
    )
    op.create_table(
        "notifier_inboxes",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unread", sa.Integer(), server_default="0", nullable=False),
        sa.Column("read_through", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("purged_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("read_through <= seq", name=op.f("notifier_inboxes_read_through_check")),
        sa.CheckConstraint("unread >= 0", name=op.f("notifier_inboxes_unread_check")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("notifier_inboxes_pkey")),
    )
    op.create_table(
        "notifier_notifications",
        sa.Column("number", Number, autoincrement=True, nullable=False),
        sa.Column("id", UuidText, nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("inbox", sa.Boolean(), nullable=False),
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("recipient", sa.String(length=128), nullable=True),
        sa.Column("audience", Json, nullable=True),
        sa.Column("recipients", sa.Integer(), nullable=False),
        sa.Column("bulk", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reached", sa.Integer(), server_default="0", nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="accepted", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", UtcDateTime, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("accepted_at", UtcDateTime, nullable=False),
        sa.Column("dispatched_at", UtcDateTime, nullable=True),
        sa.Column("purged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("purged_delivered", sa.Integer(), server_default="0", nullable=False),
        sa.Column("purged_read", sa.Integer(), server_default="0", nullable=False),
        sa.Column("woken_at", UtcDateTime, nullable=True),
        sa.Column("published_at", UtcDateTime, nullable=True),
        sa.CheckConstraint(
            "state IN ('accepted', 'dispatched', 'dead')", name=op.f("notifier_notifications_state_check")
        ),
        sa.CheckConstraint(
            "reached >= 0 AND reached <= position AND position <= recipients",
            name=op.f("notifier_notifications_reached_check"),
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("notifier_notifications_pkey")),
        sa.UniqueConstraint("id", name=op.f("notifier_notifications_id_key")),
        sa.UniqueConstraint(
            "sender", "idempotency_key", name=op.f("notifier_notifications_sender_idempotency_key_key")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "notifier_notifications_accepted_at_idx", "notifier_notifications", ["accepted_at"], unique=False
    )
    op.create_index(
        "notifier_notifications_dead_idx",
        "notifier_notifications",
        ["number"],
        unique=False,
        postgresql_where=sa.text("state = 'dead'"),
        sqlite_where=sa.text("state = 'dead'"),
    )
    op.create_index(
        "notifier_notifications_waiting_idx",
        "notifier_notifications",
        ["bulk", "number"],
        unique=False,
        postgresql_where=sa.text("state = 'accepted'"),
        sqlite_where=sa.text("state = 'accepted'"),
    )
    op.create_table(
        "notifier_read_marks",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("through", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "through", name=op.f("notifier_read_marks_pkey")),
    )
    op.create_table(
        "notifier_refused_messages",
        sa.Column("id", UuidText, nullable=False),
        sa.Column("refused_at", UtcDateTime, nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("task", sa.String(length=200), nullable=True),
        sa.Column("content_type", sa.String(length=200), nullable=True),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("notifier_refused_messages_pkey")),
    )
    op.create_table(
        "notifier_report_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("notifier_report_days_pkey")),
    )
    op.create_table(
        "notifier_report_history",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("delivered", sa.Boolean(), nullable=False),
        sa.Column("ms", sa.BigInteger(), nullable=False),
        sa.Column("deliveries", sa.BigInteger(), nullable=False),
        sa.Column("reads", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "day", "event", "type", "delivered", "ms", name=op.f("notifier_report_history_pkey")
        ),
    )
    op.create_table(
        "notifier_report_marks",
        sa.Column("id", Number, autoincrement=True, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("notifier_report_marks_pkey")),
        sqlite_autoincrement=True,
    )
    op.create_index("notifier_report_marks_day_idx", "notifier_report_marks", ["day"], unique=False)
    op.create_table(
        "notifier_report_sums",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("delivered", sa.BigInteger(), nullable=False),
        sa.Column("read", sa.BigInteger(), nullable=False),
        sa.Column("p50_ms", sa.BigInteger(), nullable=True),
        sa.Column("p95_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("day", "event", "type", name=op.f("notifier_report_sums_pkey")),
    )
    op.create_table(
        "notifier_restores",
        sa.Column("base", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("restored_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("base", name=op.f("notifier_restores_pkey")),
    )
    op.create_table(
        "notifier_revocations",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("revoked_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("notifier_revocations_pkey")),
    )
    op.create_index(
        "notifier_revocations_revoked_at_idx", "notifier_revocations", ["revoked_at"], unique=False
    )
    op.create_table(
        "notifier_sockets",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=True),
        sa.Column("gateway", sa.String(length=16), nullable=False),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=True),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.Column("window_from", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", UtcDateTime, nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("sent_seq", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("notifier_sockets_pkey")),
    )
    op.create_index(
        "notifier_sockets_open_idx",
        "notifier_sockets",
        ["gateway"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
        sqlite_where=sa.text("closed_at IS NULL"),
    )
    op.create_index("notifier_sockets_opened_at_idx", "notifier_sockets", ["opened_at"], unique=False)
    op.create_index(
        "notifier_sockets_user_id_opened_at_idx", "notifier_sockets", ["user_id", "opened_at"], unique=False
    )
    op.create_table(
        "notifier_deliveries",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("notification_id", UuidText, nullable=False),
        sa.Column("inbox", sa.Boolean(), nullable=False),
        sa.Column("unread", sa.Integer(), nullable=False),
        sa.Column("persisted_at", UtcDateTime, nullable=False),
        sa.Column("delivered_at", UtcDateTime, nullable=True),
        sa.Column("read_at", UtcDateTime, nullable=True),
        sa.Column("archived_at", UtcDateTime, nullable=True),
        sa.Column("kept_unread", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("acked_by", sa.String(length=36), nullable=True),
        sa.CheckConstraint(
            "archived_at IS NULL OR read_at IS NOT NULL",
            name=op.f("notifier_deliveries_archived_is_read_check"),
        ),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifier_notifications.id"],
            name=op.f("notifier_deliveries_notification_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("user_id", "seq", name=op.f("notifier_deliveries_pkey")),
        sa.UniqueConstraint(
            "notification_id", "user_id", name=op.f("notifier_deliveries_notification_id_user_id_key")
        ),
    )
    op.create_index(
        "notifier_deliveries_archived_idx",
        "notifier_deliveries",
        ["user_id", "seq"],
        unique=False,
        postgresql_where=sa.text("archived_at IS NOT NULL"),
        sqlite_where=sa.text("archived_at IS NOT NULL"),
    )
    op.create_index(
        "notifier_deliveries_kept_unread_idx",
        "notifier_deliveries",
        ["user_id", "seq"],
        unique=False,
        postgresql_where=sa.text("kept_unread AND read_at IS NULL"),
        sqlite_where=sa.text("kept_unread = 1 AND read_at IS NULL"),
    )
    op.create_index(
        "notifier_deliveries_unread_idx",
        "notifier_deliveries",
        ["user_id", "seq"],
        unique=False,
        postgresql_where=sa.text("inbox AND read_at IS NULL"),
        sqlite_where=sa.text("inbox = 1 AND read_at IS NULL"),
    )


def downgrade() -> None:
    for table in (
        "notifier_deliveries",
        "notifier_sockets",
        "notifier_revocations",
        "notifier_restores",
        "notifier_report_sums",
        "notifier_report_marks",
        "notifier_report_history",
        "notifier_report_days",
        "notifier_refused_messages",
        "notifier_read_marks",
        "notifier_notifications",
        "notifier_inboxes",
        "notifier_gateways",
        "notifier_devices",
        "notifier_changes",
        "notifier_badges",
    ):
        op.drop_table(table)
