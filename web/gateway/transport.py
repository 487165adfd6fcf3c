"""What the gateway asks of what carries a connection's frames; `websocket_transport.py` is the one there is.

The protocol's rules are in `notifier/core/session.py`.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

ABNORMAL = 1006  # the close code when a peer sends none


class PeerClosed(Exception):
    """The peer is gone.

    Attributes:
        code: the close code it sent, or 1006 for none (RFC 6455, section 7.1.5).
    """

    def __init__(self, reason: str, code: int = ABNORMAL) -> None:
        super().__init__(reason)
        self.code = code


class Transport(Protocol):
    """What carries the frames of one connection. No method waits.

    Attributes:
        blocked: whether the peer has not taken all that was sent: send nothing more, and read nothing.
        gone: whether nothing is left of it.
        due: when `check` or `expire` has something to do, in monotonic seconds.
    """

    @property
    def blocked(self) -> bool:
        """See above."""

    @property
    def gone(self) -> bool:
        """See above."""

    @property
    def due(self) -> float:
        """See above."""

    def start(self, wake: Callable[[], None]) -> None:
        """Call `wake` from now on when there is something to do, from the event loop."""

    def check(self) -> None:
        """Ping a silent peer. Raises PeerClosed when it stays silent, TooSlow when it takes nothing."""

    def read(self) -> Iterator[str | bytes | None]:
        """Yield the frames that have arrived, in order. Raises PeerClosed."""

    def watch(self) -> None:
        """Call `wake` when there is something to read."""

    def send(self, frames: Iterable[bytes]) -> None:
        """Send all of them, the rest later. Raises PeerClosed."""

    def close(self, code: int, reason: str) -> None:
        """Begin to close: say why behind all that was sent. Then it goes by itself."""

    def release(self) -> None:
        """Let go of the connection, at once or when its end is read."""

    def expire(self) -> None:
        """Give up a close that takes too long."""
