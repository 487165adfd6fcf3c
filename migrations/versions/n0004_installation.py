"""Give each installation a random id, to recognise a session on another database (notifier/send.py)."""

import uuid

import sqlalchemy as sa
from alembic import op

from notifier.outbox.types import UuidText

revision = "n0004"
down_revision = "n0003"


def upgrade() -> None:
    """Create the table and its one row."""
    table = op.create_table(
        "notifier_installation",
        sa.Column("id", UuidText, nullable=False),
        sa.PrimaryKeyConstraint("id", name="notifier_installation_pkey"),
    )
    op.bulk_insert(table, [{"id": str(uuid.uuid4())}])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("notifier_installation")
