"""Erasure: who was erased, by the hash of the id; and how many recipients of each notification were."""

import sqlalchemy as sa
from alembic import op

from notifier.outbox.types import UtcDateTime

revision = "n0014"
down_revision = "n0013"

TABLE = "notifier_notifications"
COLUMNS = ("erased", "erased_reached", "erased_suppressed")
ALONE = "recipient IS NOT NULL AND state IN ('scheduled', 'dead', 'canceled', 'retracted', 'expired')"


def upgrade() -> None:
    """Add columns without a value, a small index and an empty table: no row is written."""
    for name in COLUMNS:
        op.add_column(TABLE, sa.Column(name, sa.Integer(), nullable=True))
    where = sa.text(ALONE)
    op.create_index(f"{TABLE}_alone_idx", TABLE, ["recipient"], postgresql_where=where, sqlite_where=where)
    op.create_table(
        "notifier_erasures",
        sa.Column("user_hash", sa.String(length=64), nullable=False),
        sa.Column("erased_at", UtcDateTime, nullable=False),
        sa.Column("base", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("user_hash", name=op.f("notifier_erasures_pkey")),
    )
    op.create_index("notifier_erasures_erased_at_idx", "notifier_erasures", ["erased_at"])


def downgrade() -> None:
    """Remove them. Who was erased counts as purged, or was never a recipient. Their old tokens hold again."""
    op.execute(
        f"UPDATE {TABLE} SET purged = purged + coalesce(erased_reached, 0),"
        " suppressed = suppressed - coalesce(erased_suppressed, 0),"
        " position = position - coalesce(erased, 0) - coalesce(erased_suppressed, 0),"
        " recipients = recipients - coalesce(erased, 0) - coalesce(erased_suppressed, 0)"
        " WHERE erased IS NOT NULL OR erased_reached IS NOT NULL OR erased_suppressed IS NOT NULL"
    )
    op.drop_table("notifier_erasures")
    op.drop_index(f"{TABLE}_alone_idx", table_name=TABLE)
    for name in COLUMNS:
        op.drop_column(TABLE, name)
