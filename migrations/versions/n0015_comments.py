"""Say in PostgreSQL what each column of the reporting views means, also those of later versions."""

from collections.abc import Mapping

from alembic import op

revision = "n0015"
down_revision = "n0014"

COMMENTS = {
    "notifier_report_notifications": {
        "suppressed": "Recipients who had switched its category off: they have no delivery",
    },
    "notifier_report_reach": {
        "notification_id": "The notification",
        "user_id": "The recipient",
        "channel": "The channel over which it goes",
        "address_id": "The number of the address",
        "category": "Its category",
        "state": "waiting, sending, sent, failed, gone, refused, unknown or skipped",
        "reason": "Why it is in this state",
        "digest": "hourly, daily or weekly; NULL: it is sent alone",
        "due_at": "When it was due",
        "sent_at": "When the provider had taken it",
        "attempts": "Number of times that it was tried",
        "provider_id": "The provider's own name for it",
    },
}


def upgrade() -> None:
    """Comment on them; SQLite has no comments."""
    _comment(COMMENTS)


def downgrade() -> None:
    """Remove the comments."""
    _comment({view: dict.fromkeys(columns) for view, columns in COMMENTS.items()})


def _comment(meanings: Mapping[str, Mapping[str, str | None]]) -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for view, columns in meanings.items():
        for column, meaning in columns.items():
            said = "NULL" if meaning is None else "'" + meaning.replace("'", "''") + "'"
            op.execute(f"COMMENT ON COLUMN {view}.{column} IS {said}")
