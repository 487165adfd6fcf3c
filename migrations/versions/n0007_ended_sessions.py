"""Create the table of dashboard sessions that have ended by signing out, kept until their cookies expire."""

import sqlalchemy as sa
from alembic import op

from notifier.outbox.types import UtcDateTime

revision = "n0007"
down_revision = "n0006"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "notifier_ended_sessions",
        sa.Column("session", sa.String(length=64), nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("session", name=op.f("notifier_ended_sessions_pkey")),
    )


def downgrade() -> None:
    """Drop it: a cookie that was signed out of within the last twelve hours is valid again."""
    op.drop_table("notifier_ended_sessions")
