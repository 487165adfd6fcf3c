"""What people have switched off: counts of each notification, rows that say since when, a mark for frames."""

import sqlalchemy as sa
from alembic import op

from migrations.versions import n0002_reporting_views as views
from notifier.outbox.types import UtcDateTime, UuidText

revision = "n0013"
down_revision = "n0012"

VIEW = "notifier_report_notifications"


def _view() -> str:
    postgresql = op.get_context().dialect.name == "postgresql"
    own = views._postgresql() if postgresql else views._sqlite()  # noqa: SLF001
    return own[VIEW]


def upgrade() -> None:
    """Add columns and empty tables: no row is written."""
    column = sa.Column("suppressed", sa.Integer(), nullable=False, server_default="0")
    op.add_column("notifier_notifications", column)
    op.add_column("notifier_deliveries", sa.Column("quiet", sa.Boolean(), nullable=True))
    op.create_table(
        "notifier_suppressed",
        sa.Column("notification_id", UuidText, nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("since", UtcDateTime, nullable=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("notification_id", "user_id", name=op.f("notifier_suppressed_pkey")),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifier_notifications.id"],
            name=op.f("notifier_suppressed_notification_id_fkey"),
            ondelete="CASCADE",
        ),
    )
    op.create_index("notifier_suppressed_user_id_idx", "notifier_suppressed", ["user_id"])
    before = "AS accepted_to_dispatched_ms"
    view = _view().replace(before, f"{before}, n.suppressed")
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"CREATE OR REPLACE VIEW {VIEW} AS {view}")
    else:
        op.execute(f"DROP VIEW {VIEW}")
        op.execute(f"CREATE VIEW {VIEW} AS {view}")


def downgrade() -> None:
    """Remove them. What was switched off counts as reached no more: its notification has fewer recipients."""
    op.execute(f"DROP VIEW {VIEW}")
    op.execute(
        "UPDATE notifier_notifications SET recipients = recipients - suppressed,"
        " position = position - suppressed WHERE suppressed > 0"
    )
    op.drop_table("notifier_suppressed")
    op.drop_column("notifier_deliveries", "quiet")
    op.drop_column("notifier_notifications", "suppressed")
    op.execute(f"CREATE VIEW {VIEW} AS {_view()}")
