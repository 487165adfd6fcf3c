"""Rename notifier_refused_messages to notifier_rejected_messages."""

import sqlalchemy as sa
from alembic import op

from notifier.outbox.types import UtcDateTime, UuidText

revision = "n0008"
down_revision = "n0007"

COLUMNS = "reason, task, content_type, headers, bytes, body"


def upgrade() -> None:
    """Create the table under its new name and move what is in it: 1,000 messages at most."""
    _move("refused", "rejected")


def downgrade() -> None:
    _move("rejected", "refused")


def _move(old: str, new: str) -> None:
    # A new table instead of renames: SQLite can rename neither a constraint nor an index.
    op.create_table(
        f"notifier_{new}_messages",
        sa.Column("id", UuidText, nullable=False),
        sa.Column(f"{new}_at", UtcDateTime, nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("task", sa.String(length=200), nullable=True),
        sa.Column("content_type", sa.String(length=200), nullable=True),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"notifier_{new}_messages_pkey")),
    )
    op.execute(
        f"INSERT INTO notifier_{new}_messages (id, {new}_at, {COLUMNS}) "
        f"SELECT id, {old}_at, {COLUMNS} FROM notifier_{old}_messages"
    )
    op.drop_table(f"notifier_{old}_messages")
