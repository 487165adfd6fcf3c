"""Guarantees broken on purpose, to see that the matrix catches it. Loaded into the server's processes.

Each replaces one piece of the design by the obvious shortcut. None of them is reachable without the
environment variable that only the matrix sets.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any


def _worker() -> Any:
    return sys.modules.get("worker.dispatcher")


def _web() -> Any:
    return sys.modules.get("web.gateway.connection")


def publish_before_commit() -> None:
    """Events go out before the transaction is committed."""
    if module := _worker():

        def transaction(self: Any, work: Callable[[Any], Any], **_: Any) -> Any:
            def early(connection: Any) -> Any:
                done = work(connection)
                self._publishing.publish(done)
                return done

            return self._database.run(early)

        module.Dispatcher._transaction = transaction


def no_repair() -> None:
    """A gap is not fetched from SQL, and heads are not compared."""
    if module := _web():
        from notifier.core.session import Session

        def skip_gap(self: Any, fetch: Any) -> list[Any]:
            self.session.failed()
            return []

        module.ClientConnection._fetch = skip_gap
        Session.heard = lambda self, head: False  # type: ignore[method-assign]


def no_order() -> None:
    """A gap is not noticed: whatever the broker brings is sent."""
    if _web():
        from notifier.core.session import Session

        def offer(self: Any, seq: int, frame: bytes) -> bool:
            self._buffer.append((self.sent + 1, frame))
            self._buffered += len(frame)
            return True

        Session.offer = offer  # type: ignore[method-assign]


def no_unique() -> None:
    """Rows are taken without a lock, and nothing forbids a second delivery of the same notification."""
    if _worker():
        import os

        import sqlalchemy as sa
        from sqlalchemy.exc import DBAPIError

        from models.tables import deliveries

        unique = next(one for one in deliveries.constraints if isinstance(one, sa.UniqueConstraint))
        engine = sa.create_engine(os.environ["NOTIFIER_DATABASE_URL"], poolclass=sa.NullPool)
        with contextlib.suppress(DBAPIError), engine.begin() as connection:  # the other worker was first
            connection.execute(sa.schema.DropConstraint(unique))
        sa.Select.with_for_update = lambda self, **_: self  # type: ignore[method-assign]


def early_ack() -> None:
    """An ack counts as flushed when it is collected, and the position in a hello is not an ack."""
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


#: The fault under which each shows; without it the shortcut often goes well.
SHOWN_BY = {
    "publish-before-commit": "hang, then die before the dispatch's commit",
    "no-repair": "die after commit, before publish",
    "no-order": "die after commit, before publish",
    "no-unique": "connections cut, nothing else",
    "early-ack": "die after ack frame, before its flush",
}


def commit(name: str) -> None:
    """Break that guarantee in this process."""
    SABOTAGES[name]()
