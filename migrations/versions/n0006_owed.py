"""Create the table of users to whom a notification is owed, because their inbox was locked."""

import sqlalchemy as sa
from alembic import op

from notifier.outbox.types import Number

revision = "n0006"
down_revision = "n0005"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "notifier_owed",
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("number", Number, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "number", name="notifier_owed_pkey"),
        sa.ForeignKeyConstraint(
            ["number"],
            ["notifier_notifications.number"],
            name="notifier_owed_number_fkey",
            ondelete="CASCADE",
        ),
    )
    op.create_index("notifier_owed_number_idx", "notifier_owed", ["number"])


def downgrade() -> None:
    """Drop it. What is still owed is then never delivered: dispatch everything first."""
    op.drop_table("notifier_owed")
