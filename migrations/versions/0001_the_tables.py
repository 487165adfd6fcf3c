"""The tables of the first version (models/tables.py tells what each is for)."""

import sqlalchemy as sa
from alembic import op

from models.types import Json, Number, UtcDateTime, UuidText

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "badges",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "type", name="pk_badges"),
    )
    op.create_table(
        "changes",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("unread", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "seq", name="pk_changes"),
    )
    op.create_table(
        "devices",
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
        sa.PrimaryKeyConstraint("user_id", "device", name="pk_devices"),
    )
    op.create_table(
        "inboxes",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unread", sa.Integer(), server_default="0", nullable=False),
        sa.Column("read_through", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("purged_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("read_through <= seq", name=op.f("ck_inboxes_read_through")),
        sa.CheckConstraint("unread >= 0", name=op.f("ck_inboxes_unread")),
        sa.PrimaryKeyConstraint("user_id", name="pk_inboxes"),
    )
    op.create_table(
        "notifications",
        sa.Column("number", Number, autoincrement=True, nullable=False),
        sa.Column("id", UuidText, nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("inbox", sa.Boolean(), nullable=False),
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("audience", Json, nullable=False),
        sa.Column("recipients", sa.Integer(), nullable=False),
        sa.Column("bulk", sa.Boolean(), nullable=False),
        sa.Column("reached", sa.Integer(), server_default="0", nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="accepted", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", UtcDateTime, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("accepted_at", UtcDateTime, nullable=False),
        sa.Column("dispatched_at", UtcDateTime, nullable=True),
        sa.CheckConstraint(
            "state IN ('accepted', 'dispatched', 'dead')", name=op.f("ck_notifications_state")
        ),
        sa.CheckConstraint("reached >= 0 AND reached <= recipients", name=op.f("ck_notifications_reached")),
        sa.PrimaryKeyConstraint("number", name="pk_notifications"),
        sa.UniqueConstraint("id", name="uq_notifications_id"),
        sa.UniqueConstraint("idempotency_key", name="uq_notifications_idempotency_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notifications_accepted_at", "notifications", ["accepted_at"], unique=False)
    op.create_index(
        "ix_notifications_dead",
        "notifications",
        ["number"],
        unique=False,
        postgresql_where=sa.text("state = 'dead'"),
        sqlite_where=sa.text("state = 'dead'"),
    )
    op.create_index(
        "ix_notifications_waiting",
        "notifications",
        ["bulk", "number"],
        unique=False,
        postgresql_where=sa.text("state = 'accepted'"),
        sqlite_where=sa.text("state = 'accepted'"),
    )

    op.create_table(
        "read_marks",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("through", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "through", name="pk_read_marks"),
    )
    op.create_table(
        "deliveries",
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
        sa.CheckConstraint(
            "archived_at IS NULL OR read_at IS NOT NULL", name=op.f("ck_deliveries_archived_is_read")
        ),
        sa.ForeignKeyConstraint(
            ["notification_id"], ["notifications.id"], name="fk_deliveries_notification_id_notifications"
        ),
        sa.PrimaryKeyConstraint("user_id", "seq", name="pk_deliveries"),
        sa.UniqueConstraint("notification_id", "user_id", name="uq_deliveries_notification_id_user_id"),
    )
    op.create_index(
        "ix_deliveries_archived",
        "deliveries",
        ["user_id", "seq"],
        unique=False,
        postgresql_where=sa.text("archived_at IS NOT NULL"),
        sqlite_where=sa.text("archived_at IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_kept_unread",
        "deliveries",
        ["user_id", "seq"],
        unique=False,
        postgresql_where=sa.text("kept_unread AND read_at IS NULL"),
        sqlite_where=sa.text("kept_unread = 1 AND read_at IS NULL"),
    )
    op.create_index(
        "ix_deliveries_unread",
        "deliveries",
        ["user_id", "seq"],
        unique=False,
        postgresql_where=sa.text("inbox AND read_at IS NULL"),
        sqlite_where=sa.text("inbox = 1 AND read_at IS NULL"),
    )


def downgrade() -> None:
    for table in ("deliveries", "read_marks", "notifications", "inboxes", "devices", "changes", "badges"):
        op.drop_table(table)
