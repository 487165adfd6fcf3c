"""The base: the seq from which all logs continue after the database went back to an earlier state.

A restored backup, and a replica that was promoted without the last commits, know less than clients have
seen. If a log continued from its old head, a client at seq 50 of the lost history would be taken for one
at seq 50 of the new history, and would miss what is new up to there. So a new history begins with a base
that no lost commit can have used: the microseconds since 1970, since no log grows by an event in every
microsecond. No row is rewritten: an inbox advances from the base at its next change, its older entries
stay where they are, and a client below the base is told to start afresh
(`notifier.core.log.reset_reason`).

PostgreSQL writes another WAL timeline after each promotion. Whatever gives out a seq, or tells a client
the head of a log, asks for `BASE` in the statement that it runs anyway; `BASE` is NULL when the server
writes another timeline than the newest base was kept with. The first to notice calls `settle`.
"""

import logging
import random
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.ext.compiler import compiles

from models.tables import restores
from notifier.core.errors import DatabaseUnavailable, InvalidInput, TimelineChanged
from notifier.outbox.types import milliseconds

log = logging.getLogger(__name__)

IN_RECOVERY = 0  # what notifier_wal_timeline() says on a replica
#: Added to a base when the clock is behind it: more than any log grows by, and never twice the same.
CLOCK_IS_WRONG = (2**40, 2**41)

r = restores.c


class _Base(sa.ColumnElement[int]):
    """The base of the present history; NULL: the database's timeline is not the one it was kept with."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(_Base)
def _base(_element: _Base, _compiler: Any, **_: Any) -> str:
    return "(SELECT coalesce(max(base), 0) FROM notifier_restores)"


@compiles(_Base, "postgresql")
def _base_of_timeline(_element: _Base, _compiler: Any, **_: Any) -> str:
    return (
        "(SELECT CASE WHEN wal_timeline IS NOT DISTINCT FROM notifier_wal_timeline() THEN base END"
        " FROM notifier_restores WHERE base = (SELECT max(base) FROM notifier_restores))"
    )


BASE = _Base()


_CURRENT = sa.select(BASE.label("base"))


def asked(connection: Connection) -> int | None:
    """Return what `BASE` is now."""
    return connection.scalar(_CURRENT)


def current(connection: Connection) -> int:
    """Return the base, 0 where there has never been another. Raises TimelineChanged."""
    return known(asked(connection))


def known(base: int | None) -> int:
    """Return the base that a statement read with `BASE`. Raises TimelineChanged."""
    if base is None:
        raise TimelineChanged
    return base


def settle(connection: Connection, base: int | None, *, now: datetime) -> int:
    """Return the base that a writing transaction's statement read with `BASE`.

    Where the timeline has changed, a new history begins first.
    Inboxes may be locked by then; nothing that others lock may be locked by this transaction afterwards.
    """
    return base if base is not None else begin(connection, now=now)


def begin(connection: Connection, *, now: datetime) -> int:
    """Begin a new history unless another transaction has; return the base. O(1) for any number of logs."""
    if connection.dialect.name != "postgresql":
        return current(connection)
    # The others wait here, and then find it done; who only reads goes on.
    connection.execute(sa.text("LOCK TABLE notifier_restores IN EXCLUSIVE MODE"))
    kept = connection.execute(sa.select(r.base, r.wal_timeline).order_by(r.base.desc()).limit(1)).first()
    timeline = _timeline(connection)
    if kept is None:
        return _keep(connection, 0, timeline, now)
    if kept.wal_timeline == timeline:
        return int(kept.base)
    if kept.wal_timeline is None:  # of before timelines were kept
        connection.execute(sa.update(restores).where(r.base == kept.base).values(wal_timeline=timeline))
        return int(kept.base)
    base = microseconds(now)
    if base <= kept.base:
        base = kept.base + random.randrange(*CLOCK_IS_WRONG)  # noqa: S311
        log.warning("the clock is behind the base of all logs; check the clock: base=%d", kept.base)
    log.warning(
        "the database writes another timeline (a failover, or a recovery to a point in time): logs continue"
        " from a new base, every client is told to start afresh: timeline=%s before=%s base=%d",
        timeline, kept.wal_timeline, base,
    )  # fmt: skip
    return _keep(connection, base, timeline, now)


def refuse_replica(connection: Connection) -> None:
    """Raise DatabaseUnavailable when the database is a replica: what it tells may be out of date."""
    if _timeline(connection) == IN_RECOVERY:
        raise DatabaseUnavailable("the database is a replica")


def restored(connection: Connection, *, now: datetime) -> int:
    """Begin a new history because the database was restored from a backup; return its base.

    Raises InvalidInput when the clock says that this has been done already, later.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE notifier_inboxes IN EXCLUSIVE MODE"))  # readers go on
    base = microseconds(now)
    if base <= (connection.scalar(sa.select(sa.func.max(r.base))) or 0):
        raise InvalidInput(f"the clock says {now.isoformat()}, before the base of the logs; check the clock")
    return _keep(connection, base, _timeline(connection), now)


def microseconds(moment: datetime) -> int:
    """Return the base of a history that begins at this moment."""
    return milliseconds(moment) * 1_000


def _timeline(connection: Connection) -> int | None:
    """Return the number of the timeline that the server writes; None: it has none to tell."""
    if connection.dialect.name != "postgresql":
        return None
    return connection.scalar(sa.select(sa.func.notifier_wal_timeline(type_=sa.Integer)))


def _keep(connection: Connection, base: int, timeline: int | None, now: datetime) -> int:
    row = {"base": base, "wal_timeline": timeline, "restored_at": now}
    connection.execute(sa.insert(restores), row)
    return base
