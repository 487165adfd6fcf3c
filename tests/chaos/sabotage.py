"""Guarantees broken on purpose, to see that the matrix catches it. Loaded into the server's processes.

Each replaces one piece of the design by the obvious shortcut. None of them is reachable without the
environment variable that only the matrix sets.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def _worker() -> Any:
    return sys.modules.get("worker.dispatcher")


def _web() -> Any:
    return sys.modules.get("web.gateway.connection")


def publish_before_commit() -> None:
    """Events go out before the transaction is committed."""
    if module := _worker():

        def transaction(self: Any, work: Callable[[Any], Any]) -> Any:
            def early(connection: Any) -> Any:
                done = work(connection)
                self._publish(done)
                return done

            return self._database.run(early)

        module.Dispatcher._transaction = transaction


def no_repair() -> None:
    """A gap is not fetched from SQL, and heads are not compared."""
    if module := _web():
        from notifier.session import Session

        def skip_gap(self: Any, fetch: Any) -> list[Any]:
            self.session.failed()
            return []

        module.Connection._fetch = skip_gap
        Session.heard = lambda self, head: False  # type: ignore[method-assign]


def no_order() -> None:
    """A gap is not noticed: whatever the broker brings is sent."""
    if _web():
        from notifier.session import Session

        def offer(self: Any, seq: int, frame: bytes) -> bool:
            self._buffer.append((self.sent + 1, frame))
            self._buffered += len(frame)
            return True

        Session.offer = offer  # type: ignore[method-assign]


def no_sweep() -> None:
    """Nobody rings again for what was left."""
    if "worker.app" in sys.modules:
        module = sys.modules["worker.dispatcher"]
        drain = module.Dispatcher.drain

        def only_when_rung(self: Any) -> int:
            caller = sys._getframe(1).f_code.co_name
            return 0 if caller == "sweep" else drain(self)

        module.Dispatcher.drain = only_when_rung


def early_ack() -> None:
    """An ack counts as flushed when it is collected, and a hello's place is no ack."""
    if acks := sys.modules.get("web.gateway.acks"):
        from models.store import devices

        joined = devices.joined

        def forget(connection: Any, **given: Any) -> Any:
            return joined(connection, **{**given, "after": None})

        devices.joined = forget
        acks.Acks._restore = lambda *_: None


SABOTAGES: dict[str, Callable[[], None]] = {
    "publish-before-commit": publish_before_commit,
    "no-repair": no_repair,
    "no-order": no_order,
    "no-sweep": no_sweep,
    "early-ack": early_ack,
}


def commit(name: str) -> None:
    """Break that guarantee in this process."""
    SABOTAGES[name]()
