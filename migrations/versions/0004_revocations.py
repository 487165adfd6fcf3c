"""Which users' tokens are revoked, and since when new ones are good again."""

import sqlalchemy as sa
from alembic import op

from models.types import UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "revocations",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_revocations"),
    )
    op.create_index("ix_revocations_revoked_at", "revocations", ["revoked_at"])


def downgrade() -> None:
    op.drop_table("revocations")
