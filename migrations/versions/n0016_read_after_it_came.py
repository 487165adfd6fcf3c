"""Say in the reports that nothing was read before it came, whatever the clock of the reader's mark said.

A watermark has one time for all that it covers. Where clocks differ, an entry below it may bear a later one.
"""

from alembic import op

from migrations.versions import n0002_reporting_views as views
from migrations.versions import n0003_daily_rollup as rollup

revision = "n0016"
down_revision = "n0015"

DELIVERIES, DAILY = "notifier_report_deliveries", "notifier_report_daily"
#: The mark's time in each view of PostgreSQL, and in those of SQLite; without a mark it stays NULL there.
DELIVERIES_MARK, DAILY_MARK = "greatest(r.at, d.persisted_at) AS at", "greatest(m.at, d.persisted_at)"
SQLITE_MARK = "max(m.at, d.persisted_at)"


def upgrade() -> None:
    """Replace two views; no row is written."""
    if op.get_context().dialect.name == "postgresql":
        deliveries = views._postgresql(DELIVERIES_MARK)  # noqa: SLF001
        _replace(deliveries[DELIVERIES], rollup._postgresql(rollup.FRESH, DAILY_MARK))  # noqa: SLF001
    else:
        deliveries = views._sqlite(SQLITE_MARK)  # noqa: SLF001
        _replace(deliveries[DELIVERIES], rollup._sqlite(rollup.FRESH, SQLITE_MARK))  # noqa: SLF001


def downgrade() -> None:
    """Put the former views back."""
    if op.get_context().dialect.name == "postgresql":
        _replace(views._postgresql()[DELIVERIES], rollup._postgresql(rollup.FRESH))  # noqa: SLF001
    else:
        _replace(views._sqlite()[DELIVERIES], rollup._sqlite(rollup.FRESH))  # noqa: SLF001


def _replace(deliveries: str, daily: str) -> None:
    for view, query in ((DELIVERIES, deliveries), (DAILY, f"{rollup.SUMS}{daily}")):
        if op.get_context().dialect.name == "postgresql":
            op.execute(f"CREATE OR REPLACE VIEW {view} AS {query}")
        else:
            op.execute(f"DROP VIEW {view}")
            op.execute(f"CREATE VIEW {view} AS {query}")
