"""Where refused messages of the broker are parked."""

import sqlalchemy as sa
from alembic import op

from models.types import UtcDateTime, UuidText

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "refused_messages",
        sa.Column("id", UuidText(), nullable=False),
        sa.Column("refused_at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("task", sa.String(length=200), nullable=True),
        sa.Column("content_type", sa.String(length=200), nullable=True),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_refused_messages"),
    )


def downgrade() -> None:
    op.drop_table("refused_messages")
