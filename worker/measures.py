"""The measurements that a dispatcher reports; `worker.metrics` counts them if there is a metrics port."""

from collections.abc import Iterator
from contextlib import contextmanager

from models.store.fan_out import Dispatched


class Measures:
    """Ignores all measurements."""

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Entered around each transaction."""
        yield

    def dispatched(self, done: Dispatched, committed: float) -> None:
        """Note a transaction that was committed at `committed` (seconds since 1970)."""

    def published(self, seconds: float) -> None:
        """Note that its entries were published `seconds` after the commit."""

    def unpublished(self, events: int) -> None:
        """Note that the broker did not accept `events`."""

    def failed(self, *, dead: bool) -> None:
        """Note that a notification could not be dispatched: it waits for its next attempt, or is dead."""
