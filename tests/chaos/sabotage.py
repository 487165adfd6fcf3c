"""Guarantees that are broken on purpose, to check that the matrix notices. Loaded into the server's processes.

Each replaces a part of the design by the obvious shortcut. None can be reached without the environment
variable that only the matrix sets.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any


def _worker() -> Any:
    return sys.modules.get("worker.steps")


def _web() -> Any:
    return sys.modules.get("web.gateway.connection")


def publish_before_commit() -> None:
    """Publish events before the transaction is committed."""
    if module := _worker():

        def transaction(self: Any, work: Callable[[Any], Any], **_: Any) -> Any:
            def early(connection: Any) -> Any:
                done = work(connection)
                self._publishing.publish(done)
                return done

            return self._database.run(early)

        module.Steps.run = transaction


def no_repair() -> None:
    """Do not fetch gaps from SQL, and do not compare heads."""
    if module := _web():
        from notifier.core.session import Session

        def skip_gap(self: Any, fetch: Any) -> list[Any]:
            self.session.failed()
            return []

        module.ClientConnection._fetch = skip_gap
        Session.heard = lambda self, head: False  # type: ignore[method-assign]


def no_order() -> None:
    """Ignore gaps: send whatever the broker delivers."""
    if _web():
        from notifier.core.session import Session

        def offer(self: Any, seq: int, frame: bytes) -> bool:
            self._buffer.append((self.sent + 1, frame))
            self._buffered += len(frame)
            return True

        Session.offer = offer  # type: ignore[method-assign]


def no_unique() -> None:
    """Take rows without a lock, and allow a second delivery of the same notification."""
    if _worker():
        import os

        import sqlalchemy as sa
        from sqlalchemy.exc import DBAPIError

        from models.store import at_once
        from models.tables import deliveries

        unique = next(one for one in deliveries.constraints if isinstance(one, sa.UniqueConstraint))
        engine = sa.create_engine(os.environ["NOTIFIER_DATABASE_URL"], poolclass=sa.NullPool)
        with contextlib.suppress(DBAPIError), engine.begin() as connection:  # the other worker was first
            connection.execute(sa.schema.DropConstraint(unique))
        sa.Select.with_for_update = lambda self, **_: self  # type: ignore[method-assign]
        at_once._STATEMENT = at_once._STATEMENT.replace("FOR UPDATE OF n", "")


def early_ack() -> None:
    """Count an ack as flushed when it is collected, and do not take the position in a hello as an ack."""
    if acks := sys.modules.get("web.gateway.acks"):
        from models.store import devices

        joined = devices.joined

        def forget(connection: Any, joins: Sequence[Any], **given: Any) -> Any:
            return joined(connection, [replace(join, after=None) for join in joins], **given)

        devices.joined = forget
        acks.Acks._restore = lambda *_: None


SABOTAGES: dict[str, Callable[[], None]] = {
    "publish-before-commit": publish_before_commit,
    "no-repair": no_repair,
    "no-order": no_order,
    "no-unique": no_unique,
    "early-ack": early_ack,
}


#: The fault that reveals each; without it the shortcut often works.
SHOWN_BY = {
    "publish-before-commit": "hang, then die before the dispatch's commit",
    "no-repair": "die after commit, before publish",
    "no-order": "die after commit, before publish",
    "no-unique": "connections cut, nothing else",
    "early-ack": "die after ack frame, before its flush",
}


def commit(name: str) -> None:
    """Break this guarantee in this process."""
    SABOTAGES[name]()
