"""The dashboard's sessions that were signed out of, until their cookies end by themselves."""

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
    """Drop it: who has signed out within the last twelve hours is signed in again, in an old browser."""
    op.drop_table("notifier_ended_sessions")
