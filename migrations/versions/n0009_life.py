"""The life of a notification: optional fields, further states, the versions that logs have told of."""

import sqlalchemy as sa
from alembic import op

from notifier.outbox.types import UtcDateTime

revision = "n0009"
down_revision = "n0008"

TABLE = "notifier_notifications"
CHECK = f"{TABLE}_state_check"
BEFORE = "state IN ('accepted', 'dispatched', 'dead')"
NOW = "state IN ('scheduled', 'accepted', 'dispatched', 'dead', 'canceled', 'retracted', 'expired')"
COLUMNS = (
    ("category", sa.String(64)),
    ("collapse_key", sa.String(128)),
    ("deliver_at", UtcDateTime),
    ("scheduled_at", UtcDateTime),
    ("expires_at", UtcDateTime),
    ("version", sa.Integer()),
    ("ended_at", UtcDateTime),
    ("untold", sa.Boolean()),
)
INDEXES = (
    ("scheduled", "deliver_at", "state = 'scheduled'"),
    (
        "expiring",
        "expires_at",
        "expires_at IS NOT NULL AND state IN ('scheduled', 'accepted', 'dispatched')",
    ),
    ("untold", "number", "untold IS NOT NULL"),
)


def upgrade() -> None:
    """Add columns without a value, so that no row is written; then the states, then the small indexes."""
    for name, type_ in COLUMNS:
        op.add_column(TABLE, sa.Column(name, type_, nullable=True))
    op.add_column("notifier_deliveries", sa.Column("version", sa.Integer(), nullable=True))
    _check(BEFORE, NOW)
    for name, column, which in INDEXES:
        op.create_index(
            f"{TABLE}_{name}_idx",
            TABLE,
            [column],
            postgresql_where=sa.text(which),
            sqlite_where=sa.text(which),
        )


def _check(before: str, now: str) -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE {TABLE} DROP CONSTRAINT {CHECK}")
        op.execute(f"ALTER TABLE {TABLE} ADD CONSTRAINT {CHECK} CHECK ({now}) NOT VALID")
        op.execute(f"ALTER TABLE {TABLE} VALIDATE CONSTRAINT {CHECK}")
        return
    # SQLite has no ALTER for a CHECK, and to copy the table would drop triggers and views. Its documentation
    # (lang_altertable, section 7) has this way for a change that leaves the rows as they are.
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = ?",
        (before, now, TABLE),
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")


def downgrade() -> None:
    """Remove them. What was withdrawn is dispatched then, and what was scheduled is gone."""
    op.execute(f"DELETE FROM {TABLE} WHERE reached = 0 AND purged = 0"
               " AND state IN ('scheduled', 'canceled', 'expired')")  # fmt: skip
    op.execute(f"UPDATE {TABLE} SET state = 'dispatched', recipients = reached, position = reached,"
               " audience = NULL, dispatched_at = coalesce(dispatched_at, ended_at)"
               " WHERE state IN ('canceled', 'retracted', 'expired')")  # fmt: skip
    for name, _, _ in INDEXES:
        op.drop_index(f"{TABLE}_{name}_idx", TABLE)
    _check(NOW, BEFORE)
    op.drop_column("notifier_deliveries", "version")
    for name, _ in reversed(COLUMNS):
        op.drop_column(TABLE, name)
