"""What a notification's story needs: when it was rung for and published, and which sockets were open."""

import sqlalchemy as sa
from alembic import op

from models.types import UtcDateTime

revision = "0003"
down_revision = "0002"

OPEN = sa.text("closed_at IS NULL")


def upgrade() -> None:
    op.add_column("notifications", sa.Column("rung_at", UtcDateTime(), nullable=True))
    op.add_column("notifications", sa.Column("published_at", UtcDateTime(), nullable=True))
    op.add_column("deliveries", sa.Column("acked_by", sa.String(length=36), nullable=True))
    op.create_table(
        "gateways",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("stopped_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_gateways"),
    )
    op.create_table(
        "sockets",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=True),
        sa.Column("gateway", sa.String(length=16), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=True),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.Column("window_from", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("sent_seq", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sockets"),
    )
    op.create_index("ix_sockets_user_id_opened_at", "sockets", ["user_id", "opened_at"])
    op.create_index("ix_sockets_opened_at", "sockets", ["opened_at"])
    op.create_index("ix_sockets_open", "sockets", ["gateway"], postgresql_where=OPEN, sqlite_where=OPEN)


def downgrade() -> None:
    op.drop_table("sockets")
    op.drop_table("gateways")
    op.drop_column("deliveries", "acked_by")
    op.drop_column("notifications", "published_at")
    op.drop_column("notifications", "rung_at")
