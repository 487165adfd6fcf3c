"""Why and until when an entry is out of the inbox, what it replaced, and what was on the screen."""

import sqlalchemy as sa
from alembic import op

from notifier.outbox.types import UtcDateTime

revision = "n0010"
down_revision = "n0009"

TABLE = "notifier_deliveries"
COLUMNS = (
    ("hidden", sa.String(16)),
    ("until", UtcDateTime),
    ("returned_at", UtcDateTime),
    ("collapse", sa.String(32)),
    ("collapsed", sa.Integer()),
)
#: name -> what it covered before, on PostgreSQL and on SQLite. They hold unread or archived entries only.
CHANGED = {
    "unread": ("inbox AND read_at IS NULL", "inbox = 1 AND read_at IS NULL"),
    "kept_unread": ("kept_unread AND read_at IS NULL", "kept_unread = 1 AND read_at IS NULL"),
    "archived": ("archived_at IS NOT NULL", "archived_at IS NOT NULL"),
}
#: name, columns, condition. Empty at first.
NEW = (
    ("snoozed", ["user_id", "seq"], "hidden = 'snoozed'"),
    ("due", ["until", "user_id"], "hidden = 'snoozed'"),
    ("collapse", ["user_id", "collapse"], "collapse IS NOT NULL"),
)


def _index(name: str, columns: list[str], postgresql: str, sqlite: str) -> None:
    where = {"postgresql_where": sa.text(postgresql), "sqlite_where": sa.text(sqlite)}
    op.create_index(f"{TABLE}_{name}_idx", TABLE, columns, **where)  # type: ignore[arg-type]


def upgrade() -> None:
    """Add columns without a value, so that no row is written; then make the indexes again."""
    for name, type_ in COLUMNS:
        op.add_column(TABLE, sa.Column(name, type_, nullable=True))
    op.add_column("notifier_inboxes", sa.Column("seen", sa.BigInteger, nullable=False, server_default="0"))
    for name, (postgresql, sqlite) in CHANGED.items():
        op.drop_index(f"{TABLE}_{name}_idx", TABLE)
        shown = " AND hidden IS NULL"
        _index(name, ["user_id", "seq"], postgresql + shown, sqlite + shown)
    for name, columns, where in NEW:
        _index(name, columns, where, where)


def downgrade() -> None:
    """Remove them. What was out of the inbox is in the archive then, so that every count stays exact."""
    op.execute(
        f"UPDATE {TABLE} SET read_at = coalesce(read_at, persisted_at), kept_unread = false,"
        " archived_at = coalesce(archived_at, read_at, persisted_at) WHERE hidden IS NOT NULL"
    )
    for name in (*CHANGED, *(name for name, _, _ in NEW)):
        op.drop_index(f"{TABLE}_{name}_idx", TABLE)
    op.drop_column("notifier_inboxes", "seen")
    for name, _ in reversed(COLUMNS):
        op.drop_column(TABLE, name)
    for name, (postgresql, sqlite) in CHANGED.items():
        _index(name, ["user_id", "seq"], postgresql, sqlite)
