"""From which seq logs count on after a restore of an older backup."""

import sqlalchemy as sa
from alembic import op

from models.types import UtcDateTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "restores",
        sa.Column("base", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("restored_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("base", name="pk_restores"),
    )


def downgrade() -> None:
    op.drop_table("restores")
