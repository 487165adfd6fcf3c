"""Dispatch plain alerts in one statement, which is a transaction by itself; PostgreSQL only.

Plain is a notification to a single user that needs no decision: no optional field, no badge, and nobody has
preferences. Those at the head of the line go; the first that is not plain stops it, and the general way
(`models.store.dispatch`) goes on from there. Six round trips become one.

The order of locks is that of the general way: notifications by number, then inboxes by the characters of
their user ids. It does nothing while something is owed to a user, after a change of the database's timeline,
and when an inbox is locked for longer than MAX_WAIT_MS.

The statement sees one moment. A drainer that it waits for may owe something to a user meanwhile, which this
one would not see; so it stops in front of every notification to several users that waits at that moment.
"""

from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store.advance import MAX_WAIT_MS
from models.store.fan_out import Dispatched
from models.store.log_base import BASE
from models.store.special import PREFERRING, WITHOUT_OPTIONS
from notifier.core.categories import GENERAL, category
from notifier.core.erasure import PURPOSE
from notifier.core.log import Entry
from notifier.outbox.types import Json, UtcDateTime, UuidText, milliseconds

_STATEMENT = """
WITH world AS MATERIALIZED (
  SELECT base,
    EXISTS (SELECT FROM notifier_erasures) AS erased,
    base IS NOT NULL AND NOT EXISTS (SELECT FROM notifier_owed) AND NOT {preferring} AS fits
  FROM (SELECT {base} AS base) AS b
),
line AS MATERIALIZED (
  SELECT number, {plain} AND recipient IS NOT NULL AND recipients = 1 AND event <> 'badge' AS plain
  FROM notifier_notifications
  WHERE bulk IS FALSE AND state = 'accepted' AND (position < recipients OR position = 0)
    AND (next_attempt_at IS NULL OR next_attempt_at <= :present)
  ORDER BY number LIMIT {at_most}
),
taken AS MATERIALIZED (
  SELECT n.number, n.id, n.event, n.data, n.inbox, n.sender, n.recipient, n.accepted_at
  FROM line JOIN notifier_notifications AS n ON n.number = line.number
  WHERE (SELECT fits FROM world)
    AND line.number < coalesce((SELECT min(number) FROM line WHERE NOT plain), 9223372036854775807)
    AND n.state = 'accepted' AND n.position = 0
    AND (n.next_attempt_at IS NULL OR n.next_attempt_at <= :present)
  ORDER BY n.number FOR UPDATE OF n
),
mine AS MATERIALIZED (
  SELECT *,
    row_number() OVER own AS nth, sum(inbox::int) OVER own AS nth_unread,
    count(*) OVER whole AS seqs, sum(inbox::int) OVER whole AS more_unread
  FROM taken
  WINDOW whole AS (PARTITION BY recipient), own AS (PARTITION BY recipient ORDER BY number)
),
-- From where the log of somebody who was erased begins; 0: they never were.
began AS (
  SELECT DISTINCT ON (recipient COLLATE "C") recipient, seqs, more_unread, (SELECT base FROM world) AS base,
    CASE WHEN (SELECT erased FROM world) THEN coalesce((
      SELECT e.base FROM notifier_erasures AS e
      WHERE e.user_hash = encode(sha256('{purpose}'::bytea || convert_to(recipient, 'UTF8')), 'hex')
        AND e.base > (SELECT base FROM world)
    ), 0) ELSE 0 END AS erased
  FROM mine ORDER BY recipient COLLATE "C"
),
-- No wait for the lock of an inbox is longer; that for another drainer is over by then.
heads AS (
  INSERT INTO notifier_inboxes AS i (user_id, seq, unread, purged_seq)
  SELECT recipient, greatest(base, erased) + seqs, more_unread, erased
  FROM began, LATERAL (
    SELECT set_config('lock_timeout', CASE WHEN seqs > 0 THEN '{wait}' END, true)
  ) AS patience
  ON CONFLICT (user_id) DO UPDATE SET
    seq = excluded.seq - CASE
      WHEN i.seq <= (SELECT base FROM world) THEN 0
      ELSE greatest((SELECT base FROM world), excluded.purged_seq) - i.seq
    END,
    unread = i.unread + excluded.unread,
    purged_seq = CASE
      WHEN i.seq <= (SELECT base FROM world) THEN greatest(i.purged_seq, excluded.purged_seq)
      ELSE i.purged_seq
    END
  RETURNING user_id, seq, unread
),
entries AS (
  SELECT mine.*, heads.seq - seqs + nth AS seq, (heads.unread - more_unread + nth_unread)::int AS unread
  FROM mine JOIN heads ON heads.user_id = recipient
),
delivered AS (
  INSERT INTO notifier_deliveries (user_id, seq, notification_id, inbox, unread, persisted_at)
  SELECT recipient, seq, id, inbox, unread, greatest(:present, accepted_at) FROM entries
),
finished AS (
  UPDATE notifier_notifications AS n SET
    state = 'dispatched', audience = NULL, position = 1, reached = 1, error = NULL, next_attempt_at = NULL,
    woken_at = coalesce(n.woken_at, CASE WHEN :woken < n.accepted_at THEN n.accepted_at ELSE :woken END),
    dispatched_at = greatest(:present, n.accepted_at)
  FROM entries WHERE n.number = entries.number
)
SELECT looked.*, id, event, data, inbox, sender, recipient, accepted_at, seq, unread
FROM (
  SELECT count(*) AS waiting, bool_and(plain) AS all_plain,
    (SELECT fits FROM world) AND (array_agg(plain ORDER BY number))[1] AS fits
  FROM line
) AS looked LEFT JOIN entries ON true
ORDER BY number
"""


@cache
def _statement(dialect: sa.Dialect, at_most: int) -> sa.TextualSelect:
    """Return the statement; the limit is part of it, since a plan for any limit would read whole tables."""

    def told(expression: sa.ColumnElement[Any]) -> str:
        return str(expression.compile(dialect=dialect))

    text = _STATEMENT.format(
        base=told(BASE),
        plain=told(WITHOUT_OPTIONS),
        preferring=told(PREFERRING),
        purpose=f"\\x{PURPOSE.hex()}",
        at_most=at_most,
        wait=MAX_WAIT_MS,
    )
    moments = [sa.bindparam(name, type_=UtcDateTime) for name in ("present", "woken")]
    return sa.text(text).bindparams(*moments).columns(id=UuidText, data=Json, accepted_at=UtcDateTime)


def dispatch_plain(
    connection: Connection, *, limit: int, now: datetime, woken_at: datetime | None = None
) -> Dispatched | None:
    """Dispatch up to `limit` plain notifications from the head of the line.

    Args:
        connection: in autocommit (`Database.run_at_once`), or a writing transaction.
        limit: notifications.
        now: the present.
        woken_at: when the wake-up was sent that asked for it; None: there was none.

    Returns:
        None: the first is not plain, or now is not the time; nothing was done.

    Raises:
        DBAPIError: nothing was done; a lock that was not free in time is Cause.LOCKED.
    """
    general = category(GENERAL)
    if general is None or general.reach or general.defaults:
        return None
    rows = connection.execute(
        _statement(connection.dialect, limit), {"present": now, "woken": woken_at}
    ).all()
    first = rows[0]
    if not first.waiting:
        return Dispatched()
    if not first.fits:
        return None
    # Unpacked: to look a column up by its name takes as long as to read it from the socket.
    entries = [
        (recipient, Entry(seq, event, id, sender, milliseconds(accepted_at), data, unread, inbox))
        for *_, id, event, data, inbox, sender, recipient, accepted_at, seq, unread in rows
        if id is not None
    ]
    ids = [str(entry.id) for _, entry in entries]
    # Those that another drainer has taken meanwhile are not among them.
    return Dispatched(ids, ids, entries, more=first.waiting == limit or not first.all_plain)
