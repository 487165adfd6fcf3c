"""A worker's connections to the broker: how they are opened again, and closed."""

import contextlib
from typing import Any

import kombu

from worker.compressed import as_it_came

CLOSE_SECONDS = 2.0  # for each answer of the broker to a close


class QuickConnection(kombu.Connection):  # type: ignore[misc, name-defined]
    """Reconnects within two seconds of the broker's return; Celery's own consumer waits 2, 4, 6 … 30 s."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> "QuickConnection":
        """Connect, trying again after 0.2 s, 0.4 s and so on up to 2 s."""
        pauses = {"interval_start": 0.2, "interval_step": 0.2, "interval_max": 2}
        super().ensure_connection(*args, **pauses | kwargs)
        return self

    def channel(self) -> Any:
        """Return a new channel, which does not inflate messages."""
        channel = super().channel()
        channel.Message = as_it_came(channel.Message)
        return channel

    def _do_close_self(self) -> None:
        """Close, and wait for the broker's answers for a short time: from a lost connection none comes.

        Celery closes the connections that are left when it has lost another one, and would wait without end.
        """
        with contextlib.suppress(AttributeError, OSError):  # not AMQP, or closed already
            self._connection.sock.settimeout(CLOSE_SECONDS)
        super()._do_close_self()
