"""The tables that an application writes: notifications, recipients. The service's: `models.tables`.

Every name begins with `notifier_`, so that the tables can live in the application's own database.
"""

import sqlalchemy as sa

from notifier.core.reach import State
from notifier.core.states import ACCEPTED, CANCELED, DEAD, DISPATCHED, EXPIRED, RETRACTED, SCHEDULED, STATES
from notifier.outbox.types import Json, Number, UtcDateTime, UuidText

__all__ = [
    "ACCEPTED",
    "CANCELED",
    "DEAD",
    "DISPATCHED",
    "EXPIRED",
    "RETRACTED",
    "SCHEDULED",
    "UserId",
    "installation",
    "metadata",
    "notifications",
    "reach",
]

#: PostgreSQL's own way of naming, so that every name begins with the table's.
metadata = sa.MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

UserId = sa.String(128)

#: What happened, once: a row per call, so a broadcast's payload is stored once.
notifications = sa.Table(
    "notifier_notifications",
    metadata,
    # The order of acceptance: a database number, not the id, as clocks differ. A scheduled one gets a new one
    # when it is due.
    sa.Column("number", Number, primary_key=True, autoincrement=True),
    sa.Column("id", UuidText, nullable=False, unique=True),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("data", Json, nullable=False),
    sa.Column("inbox", sa.Boolean, nullable=False),
    sa.Column("sender", sa.String(128), nullable=False),
    # To whom: the one recipient, or several as a JSON list, which is cleared after the last chunk.
    sa.Column("recipient", UserId, nullable=True),
    sa.Column("audience", Json, nullable=True),
    sa.Column("recipients", sa.Integer, nullable=False),
    # A large audience is dispatched in chunks: `position` is the cursor into it, `reached` counts the
    # recipients that have a delivery.
    sa.Column("bulk", sa.Boolean, nullable=False),
    sa.Column("position", sa.Integer, nullable=False, server_default="0"),
    sa.Column("reached", sa.Integer, nullable=False, server_default="0"),
    # Unique for each sender: two backends never meet.
    sa.Column("idempotency_key", sa.String(255), nullable=True),
    sa.Column("request_hash", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, server_default=ACCEPTED),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt_at", UtcDateTime, nullable=True),
    sa.Column("error", sa.Text, nullable=True),
    sa.Column("accepted_at", UtcDateTime, nullable=False),
    sa.Column("dispatched_at", UtcDateTime, nullable=True),
    # Its purged deliveries: how many; and of purged and erased ones: how many were delivered and read.
    sa.Column("purged", sa.Integer, nullable=False, server_default="0"),
    sa.Column("purged_delivered", sa.Integer, nullable=False, server_default="0"),
    sa.Column("purged_read", sa.Integer, nullable=False, server_default="0"),
    # When the wake-up was sent whose task dispatched it (NULL: the sweep did); when the broker had it all.
    sa.Column("woken_at", UtcDateTime, nullable=True),
    sa.Column("published_at", UtcDateTime, nullable=True),
    # The optional fields (`notifier.core.life`); a plain notification has none. `category` NULL: general.
    sa.Column("category", sa.String(64), nullable=True),
    sa.Column("collapse_key", sa.String(128), nullable=True),
    sa.Column("deliver_at", UtcDateTime, nullable=True),  # NULL: at once
    sa.Column("scheduled_at", UtcDateTime, nullable=True),  # the 202; `accepted_at` is when it was due then
    sa.Column("expires_at", UtcDateTime, nullable=True),
    # Counts the updates of its data; NULL: there was none.
    sa.Column("version", sa.Integer, nullable=True),
    sa.Column("ended_at", UtcDateTime, nullable=True),  # canceled, retracted, expired
    # The logs of its recipients have yet to be told of its end, or of its newest version.
    sa.Column("untold", sa.Boolean, nullable=True),
    # Recipients who had switched it off: they have no delivery.
    sa.Column("suppressed", sa.Integer, nullable=False, server_default="0"),
    # Recipients who were erased: before they got it; of those reached; of those who had switched it off.
    # NULL: none.
    sa.Column("erased", sa.Integer, nullable=True),
    sa.Column("erased_reached", sa.Integer, nullable=True),
    sa.Column("erased_suppressed", sa.Integer, nullable=True),
    sa.CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="state"),
    sa.CheckConstraint("reached >= 0 AND reached <= position AND position <= recipients", name="reached"),
    sa.UniqueConstraint("sender", "idempotency_key"),
    sqlite_autoincrement=True,
)
# What waits, in the order of acceptance; and what is dead.
sa.Index(
    "notifier_notifications_waiting_idx",
    notifications.c.bulk,
    notifications.c.number,
    postgresql_where=sa.text("state = 'accepted'"),
    sqlite_where=sa.text("state = 'accepted'"),
)
sa.Index(
    "notifier_notifications_dead_idx",
    notifications.c.number,
    postgresql_where=sa.text("state = 'dead'"),
    sqlite_where=sa.text("state = 'dead'"),
)
sa.Index("notifier_notifications_accepted_at_idx", notifications.c.accepted_at)
# What is due next, what expires next, and whose recipients' logs have yet to be told.
for _name, _column, _which in (
    ("scheduled", notifications.c.deliver_at, "state = 'scheduled'"),
    (
        "expiring",
        notifications.c.expires_at,
        "expires_at IS NOT NULL AND state IN ('scheduled', 'accepted', 'dispatched')",
    ),
    ("untold", notifications.c.number, "untold IS NOT NULL"),
    # What is for one user alone and has not reached them: an erasure looks for it.
    (
        "alone",
        notifications.c.recipient,
        "recipient IS NOT NULL AND state IN ('scheduled', 'dead', 'canceled', 'retracted', 'expired')",
    ),
):
    sa.Index(
        f"notifier_notifications_{_name}_idx",
        _column,
        postgresql_where=sa.text(_which),
        sqlite_where=sa.text(_which),
    )

#: What is known of people besides their ids. Nobody needs a row to be notified.
recipients = sa.Table(
    "notifier_recipients",
    metadata,
    sa.Column("user_id", UserId, primary_key=True),
    sa.Column("name", sa.String(200), nullable=True),
    sa.Column("locale", sa.String(35), nullable=True),
    sa.Column("timezone", sa.String(64), nullable=True),
    # `notifier.core.policy.Stored`; NULL: none at all.
    sa.Column("preferences", Json, nullable=True),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)
# Whether anybody has preferences, and whose they are.
sa.Index(
    "notifier_recipients_preferring_idx",
    recipients.c.user_id,
    postgresql_where=sa.text("preferences IS NOT NULL"),
    sqlite_where=sa.text("preferences IS NOT NULL"),
)

#: Where channels reach people: one row for each channel of a user; for push, one for each browser.
addresses = sa.Table(
    "notifier_addresses",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    sa.Column("user_id", UserId, nullable=False),
    sa.Column("channel", sa.String(64), nullable=False),
    sa.Column("address", sa.String(2000), nullable=False),
    sa.Column("details", Json, nullable=True),  # what a channel needs besides, like a browser's keys
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("succeeded_at", UtcDateTime, nullable=True),
    # When and why it was switched off, after what its provider said; NULL: it is on.
    sa.Column("off_at", UtcDateTime, nullable=True),
    sa.Column("off_reason", sa.String(300), nullable=True),
    # Refusals that may be passing: on how many days, and the last of them.
    sa.Column("doubts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("doubted_on", sa.Date, nullable=True),
    sqlite_autoincrement=True,
)
sa.Index("notifier_addresses_user_id_idx", addresses.c.user_id, addresses.c.channel)
# A browser belongs to one user.
sa.Index(
    "notifier_addresses_push_idx",
    addresses.c.address,
    unique=True,
    postgresql_where=sa.text("channel = 'push'"),
    sqlite_where=sa.text("channel = 'push'"),
)

#: One delivery to one address over one channel, as far as preferences ask for it. The row of
#: the address may be gone by now: no foreign key.
reach = sa.Table(
    "notifier_reach",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    sa.Column(
        "notification_id",
        UuidText,
        sa.ForeignKey("notifier_notifications.id", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column("user_id", UserId, nullable=False),
    sa.Column("channel", sa.String(64), nullable=False),
    sa.Column("address_id", sa.BigInteger, nullable=False),
    sa.Column("category", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(300), nullable=True),
    sa.Column("required", sa.Boolean, nullable=False),
    sa.Column("unless", sa.String(8), nullable=True),  # read, seen
    sa.Column("digest", sa.String(8), nullable=True),  # hourly, daily, weekly; NULL: alone
    sa.Column("due_at", UtcDateTime, nullable=False),  # as planned; names the digest too
    sa.Column("next_at", UtcDateTime, nullable=False),  # the next attempt, or the end of quiet hours
    sa.Column("deadline", UtcDateTime, nullable=True),  # of `sending`
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("sent_at", UtcDateTime, nullable=True),
    sa.Column("provider_id", sa.String(200), nullable=True),
    sa.CheckConstraint(f"state IN ({', '.join(map(repr, map(str, State)))})", name="state"),
    sa.UniqueConstraint("notification_id", "user_id", "channel", "address_id"),
    sqlite_autoincrement=True,
)
# What is due next, a digest's rows, what is past its deadline, what went wrong, and what is one user's.
for _purpose, _keys, _only in (
    ("waiting", (reach.c.channel, reach.c.next_at, reach.c.id), "state = 'waiting'"),
    ("digest", (reach.c.address_id, reach.c.due_at), "digest IS NOT NULL"),
    ("sending", (reach.c.deadline,), "state = 'sending'"),
    ("wrong", (reach.c.id,), "state IN ('failed', 'unknown')"),
    ("user_id", (reach.c.user_id,), None),
):
    _filter = sa.text(_only) if _only else None
    sa.Index(f"notifier_reach_{_purpose}_idx", *_keys, postgresql_where=_filter, sqlite_where=_filter)

#: One row: a random id (`notifier.outbox.installation`).
installation = sa.Table("notifier_installation", metadata, sa.Column("id", UuidText, primary_key=True))
