"""The service's tables. What each is for, and which index serves which query, is said beside it.

A user's log is the union of `deliveries` and `changes`, ordered by seq: from 1, without a hole; after a
restore or a failover it continues from the base (`restores`).
"""

import sqlalchemy as sa

from notifier.outbox.tables import (
    ACCEPTED,
    CANCELED,
    DEAD,
    DISPATCHED,
    EXPIRED,
    RETRACTED,
    SCHEDULED,
    UserId,
    addresses,
    metadata,
    notifications,
    reach,
    recipients,
)
from notifier.outbox.types import Json, Number, UtcDateTime, UuidText

__all__ = [
    "ACCEPTED",
    "CANCELED",
    "DEAD",
    "DISPATCHED",
    "EXPIRED",
    "RETRACTED",
    "SCHEDULED",
    "addresses",
    "badges",
    "changes",
    "deliveries",
    "devices",
    "ended_sessions",
    "erasures",
    "gateways",
    "inboxes",
    "metadata",
    "notifications",
    "owed",
    "reach",
    "read_marks",
    "recipients",
    "rejected_messages",
    "report_days",
    "report_history",
    "report_marks",
    "report_sums",
    "restores",
    "revocations",
    "sockets",
    "suppressed",
]

#: One recipient's copy: at once the state of the entry and the log's "it arrived".
deliveries = sa.Table(
    "notifier_deliveries",
    metadata,
    sa.Column("user_id", UserId, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("notification_id", UuidText, sa.ForeignKey("notifier_notifications.id"), nullable=False),
    sa.Column("inbox", sa.Boolean, nullable=False),
    sa.Column("unread", sa.Integer, nullable=False),  # the count right after it
    sa.Column("persisted_at", UtcDateTime, nullable=False),
    sa.Column("delivered_at", UtcDateTime, nullable=True),
    sa.Column("read_at", UtcDateTime, nullable=True),
    sa.Column("archived_at", UtcDateTime, nullable=True),
    # Marked unread after it was read: the inbox's watermark does not hold for it.
    sa.Column("kept_unread", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("acked_by", sa.String(36), nullable=True),  # the socket whose ack delivered it
    # Which version of the notification's data this log has told of; NULL: the first.
    sa.Column("version", sa.Integer, nullable=True),
    # Why it is out of the inbox (`notifier.core.log.Why`), unless the user archived it; NULL: it is not.
    sa.Column("hidden", sa.String(16), nullable=True),
    # Until when it is snoozed; when it last came back from that, at its present seq.
    sa.Column("until", UtcDateTime, nullable=True),
    sa.Column("returned_at", UtcDateTime, nullable=True),
    # What the next arrival with the same sender and collapse key finds it by; how many it stands for.
    sa.Column("collapse", sa.String(32), nullable=True),
    sa.Column("collapsed", sa.Integer, nullable=True),
    # It was quiet for the user when it came; NULL: it was not.
    sa.Column("quiet", sa.Boolean, nullable=True),
    sa.PrimaryKeyConstraint("user_id", "seq"),
    sa.UniqueConstraint("notification_id", "user_id"),  # a doubled task cannot double an alert
    sa.CheckConstraint("archived_at IS NULL OR read_at IS NOT NULL", name="archived_is_read"),
)
# SQLite has no booleans: a query must say the index's condition in the same words to use it.
for _name, _postgresql, _sqlite in (
    (
        "unread",
        "inbox AND read_at IS NULL AND hidden IS NULL",
        "inbox = 1 AND read_at IS NULL AND hidden IS NULL",
    ),
    (
        "kept_unread",
        "kept_unread AND read_at IS NULL AND hidden IS NULL",
        "kept_unread = 1 AND read_at IS NULL AND hidden IS NULL",
    ),
    ("archived", "archived_at IS NOT NULL AND hidden IS NULL", "archived_at IS NOT NULL AND hidden IS NULL"),
    ("snoozed", "hidden = 'snoozed'", "hidden = 'snoozed'"),
):
    sa.Index(
        f"notifier_deliveries_{_name}_idx",
        deliveries.c.user_id,
        deliveries.c.seq,
        postgresql_where=sa.text(_postgresql),
        sqlite_where=sa.text(_sqlite),
    )
# Whose time has come; and what an arrival with a collapse key replaces.
for _name, _columns, _where in (
    ("due", ["until", "user_id"], "hidden = 'snoozed'"),
    ("collapse", ["user_id", "collapse"], "collapse IS NOT NULL"),
):
    sa.Index(
        f"notifier_deliveries_{_name}_idx",
        *(deliveries.c[_column] for _column in _columns),
        postgresql_where=sa.text(_where),
        sqlite_where=sa.text(_where),
    )

#: The log's other entries: changes of state, and what was done to a notification.
changes = sa.Table(
    "notifier_changes",
    metadata,
    sa.Column("user_id", UserId, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("data", Json, nullable=False),
    sa.Column("unread", sa.Integer, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint("user_id", "seq"),
)

#: The head of each user's log, and the exact count. Its row's lock makes commit order seq order.
inboxes = sa.Table(
    "notifier_inboxes",
    metadata,
    sa.Column("user_id", UserId, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("unread", sa.Integer, nullable=False, server_default="0"),
    # All entries up to here are read, but for those marked unread since: an O(1) mark-all-read.
    sa.Column("read_through", sa.BigInteger, nullable=False, server_default="0"),
    # The highest seq that is no longer kept.
    sa.Column("purged_seq", sa.BigInteger, nullable=False, server_default="0"),
    # What was on the screen, up to here: an O(1) watermark.
    sa.Column("seen", sa.BigInteger, nullable=False, server_default="0"),
    sa.CheckConstraint("unread >= 0", name="unread"),
    sa.CheckConstraint("read_through <= seq", name="read_through"),
)

#: Who did not get a notification to several users with the others, because somebody else had locked
#: their inbox: they get it first, before anything later.
owed = sa.Table(
    "notifier_owed",
    metadata,
    sa.Column("user_id", UserId, nullable=False),
    sa.Column(
        "number", Number, sa.ForeignKey("notifier_notifications.number", ondelete="CASCADE"), nullable=False
    ),
    sa.PrimaryKeyConstraint("user_id", "number"),
)
# The oldest first.
sa.Index("notifier_owed_number_idx", owed.c.number)

#: Who did not get a notification, because they had switched its category off: since when.
suppressed = sa.Table(
    "notifier_suppressed",
    metadata,
    sa.Column(
        "notification_id",
        UuidText,
        sa.ForeignKey("notifier_notifications.id", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column("user_id", UserId, nullable=False),
    sa.Column("since", UtcDateTime, nullable=True),  # NULL: by a default of the category
    sa.Column("at", UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint("notification_id", "user_id"),
)
sa.Index("notifier_suppressed_user_id_idx", suppressed.c.user_id)

#: When each watermark was set: an entry was read at the first mark that covers it.
read_marks = sa.Table(
    "notifier_read_marks",
    metadata,
    sa.Column("user_id", UserId, nullable=False),
    sa.Column("through", sa.BigInteger, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint("user_id", "through"),
)

#: The present value of each badge.
badges = sa.Table(
    "notifier_badges",
    metadata,
    sa.Column("user_id", UserId, nullable=False),
    sa.Column("type", sa.String(64), nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("user_id", "type"),
)

#: Each device: what it acked, and what its latest socket was sent (see `store.devices`).
devices = sa.Table(
    "notifier_devices",
    metadata,
    sa.Column("user_id", UserId, nullable=False),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("acked_seq", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("window_from", sa.BigInteger, nullable=False),
    sa.Column("log_from", sa.BigInteger, nullable=False),
    sa.Column("sent_seq", sa.BigInteger, nullable=True),
    sa.Column("socket", sa.String(36), nullable=False),
    sa.Column("user_agent", sa.String(256), nullable=True),
    sa.Column("first_seen_at", UtcDateTime, nullable=False),
    sa.Column("last_seen_at", UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint("user_id", "device"),
)

#: Each life of a gateway process. One that was not heard of for some seconds and did not stop has crashed.
gateways = sa.Table(
    "notifier_gateways",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
    sa.Column("stopped_at", UtcDateTime, nullable=True),
)

#: Each socket that said hello, and what it was sent: the window's unread entries from `window_from` to
#: `head`, or the log after `after` up to `head`; then the log up to `sent_seq`, known when it closed.
sockets = sa.Table(
    "notifier_sockets",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("user_id", UserId, nullable=False),
    sa.Column("device", sa.String(64), nullable=True),
    sa.Column("gateway", sa.String(16), nullable=False),
    sa.Column("opened_at", UtcDateTime, nullable=False),
    sa.Column("after", sa.BigInteger, nullable=True),  # of its hello
    sa.Column("head", sa.BigInteger, nullable=False),  # of the log, when it opened
    sa.Column("window_from", sa.BigInteger, nullable=True),  # NULL: it was sent the log, not the window
    sa.Column("closed_at", UtcDateTime, nullable=True),
    sa.Column("code", sa.Integer, nullable=True),
    sa.Column("sent_seq", sa.BigInteger, nullable=True),
)
# Whose sockets were open at some time; what is old; and what may be open now.
sa.Index("notifier_sockets_user_id_opened_at_idx", sockets.c.user_id, sockets.c.opened_at)
sa.Index("notifier_sockets_opened_at_idx", sockets.c.opened_at)
sa.Index(
    "notifier_sockets_open_idx",
    sockets.c.gateway,
    postgresql_where=sa.text("closed_at IS NULL"),
    sqlite_where=sa.text("closed_at IS NULL"),
)

#: Whose tokens are revoked: those issued before that moment. A row for each user it ever happened to.
revocations = sa.Table(
    "notifier_revocations",
    metadata,
    sa.Column("user_id", UserId, primary_key=True),
    sa.Column("revoked_at", UtcDateTime, nullable=False),
)
# What is new since a gateway last looked.
sa.Index("notifier_revocations_revoked_at_idx", revocations.c.revoked_at)

#: Who was erased, known by the hash of the id (`notifier.core.erasure`): tokens issued before are refused,
#: and a new log begins beyond the old one.
erasures = sa.Table(
    "notifier_erasures",
    metadata,
    sa.Column("user_hash", sa.String(64), primary_key=True),
    sa.Column("erased_at", UtcDateTime, nullable=False),
    sa.Column("base", sa.BigInteger, nullable=False),
    sa.Column("finished", sa.Boolean, nullable=False),
)
# What is new since a gateway last looked.
sa.Index("notifier_erasures_erased_at_idx", erasures.c.erased_at)

#: The dashboard's sessions that were signed out of (a hash of each), until their cookies end by themselves.
ended_sessions = sa.Table(
    "notifier_ended_sessions",
    metadata,
    sa.Column("session", sa.String(64), primary_key=True),
    sa.Column("until", UtcDateTime, nullable=False),
)

#: Each new history, that of a restored backup or a promoted replica: all logs continue from the newest
#: `base`, and those begin that begin after it (`store.log_base`).
restores = sa.Table(
    "notifier_restores",
    metadata,
    sa.Column("base", sa.BigInteger, autoincrement=False, nullable=False),
    sa.Column("restored_at", UtcDateTime, nullable=False),
    sa.Column("wal_timeline", sa.Integer, nullable=True),  # what PostgreSQL wrote then; NULL: it tells none
    sa.PrimaryKeyConstraint("base"),
)

#: Messages of the broker that were rejected, for an operator to look at; the newest only (`store.rejected`).
rejected_messages = sa.Table(
    "notifier_rejected_messages",
    metadata,
    sa.Column("id", UuidText, primary_key=True),
    sa.Column("rejected_at", UtcDateTime, nullable=False),
    sa.Column("reason", sa.String(200), nullable=False),
    sa.Column("task", sa.String(200), nullable=True),
    sa.Column("content_type", sa.String(200), nullable=True),
    sa.Column("headers", sa.Text, nullable=False),  # JSON, or the beginning of it
    sa.Column("bytes", sa.BigInteger, nullable=False),  # of the whole body
    sa.Column("body", sa.LargeBinary, nullable=False),  # its beginning
)

#: What is left of purged deliveries: how many took so many milliseconds from accepted to delivered.
report_history = sa.Table(
    "notifier_report_history",
    metadata,
    sa.Column("day", sa.Date, nullable=False),  # UTC, of acceptance
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("type", sa.String(64), nullable=False),  # empty: none
    sa.Column("delivered", sa.Boolean, nullable=False),
    sa.Column("ms", sa.BigInteger, nullable=False),  # 0 when not delivered
    sa.Column("deliveries", sa.BigInteger, nullable=False),
    sa.Column("reads", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("day", "event", "type", "delivered", "ms"),
)

#: The days whose sums are kept; `version` counts how often they were made.
report_days = sa.Table(
    "notifier_report_days",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)

#: What `notifier_report_daily` says of a day, unless the day has a mark.
report_sums = sa.Table(
    "notifier_report_sums",
    metadata,
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("type", sa.String(64), nullable=False),  # empty: none
    sa.Column("sent", sa.BigInteger, nullable=False),
    sa.Column("delivered", sa.BigInteger, nullable=False),
    sa.Column("read", sa.BigInteger, nullable=False),
    sa.Column("p50_ms", sa.BigInteger, nullable=True),
    sa.Column("p95_ms", sa.BigInteger, nullable=True),
    sa.PrimaryKeyConstraint("day", "event", "type"),
)

#: A mark for each change of a day that is over; triggers write them (migration 0006).
report_marks = sa.Table(
    "notifier_report_marks",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    sa.Column("day", sa.Date, nullable=False),
    sqlite_autoincrement=True,
)
sa.Index("notifier_report_marks_day_idx", report_marks.c.day)
