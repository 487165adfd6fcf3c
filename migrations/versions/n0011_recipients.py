"""Recipients with their preferences, and the addresses at which channels reach them."""

import sqlalchemy as sa
from alembic import op

from notifier.outbox.types import Json, Number, UtcDateTime

revision = "n0011"
down_revision = "n0010"


def upgrade() -> None:
    """Create two empty tables."""
    op.create_table(
        "notifier_recipients",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("locale", sa.String(length=35), nullable=True),
        sa.Column("timezone", sa.String(length=64), nullable=True),
        sa.Column("preferences", Json, nullable=True),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("notifier_recipients_pkey")),
    )
    _index("notifier_recipients_preferring_idx", "recipients", ["user_id"], "preferences IS NOT NULL")
    op.create_table(
        "notifier_addresses",
        sa.Column("id", Number, nullable=False, autoincrement=True),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=2000), nullable=False),
        sa.Column("details", Json, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("succeeded_at", UtcDateTime, nullable=True),
        sa.Column("off_at", UtcDateTime, nullable=True),
        sa.Column("off_reason", sa.String(length=300), nullable=True),
        sa.Column("doubts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("doubted_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("notifier_addresses_pkey")),
        sqlite_autoincrement=True,
    )
    _index("notifier_addresses_user_id_idx", "addresses", ["user_id", "channel"])
    _index("notifier_addresses_push_idx", "addresses", ["address"], "channel = 'push'", unique=True)


def _index(name: str, table: str, columns: list[str], which: str = "", *, unique: bool = False) -> None:
    where = sa.text(which) if which else None
    op.create_index(
        name, f"notifier_{table}", columns, unique=unique, postgresql_where=where, sqlite_where=where
    )


def downgrade() -> None:
    """Drop them, with what people have set."""
    op.drop_table("notifier_addresses")
    op.drop_table("notifier_recipients")
