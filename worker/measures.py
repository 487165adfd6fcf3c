"""What a dispatcher tells of its work; `worker.metrics` listens, if somebody asks for numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

from models.store.fan_out import Dispatched


class Measures:
    """Hears everything and keeps nothing."""

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Entered around each transaction."""
        yield

    def dispatched(self, done: Dispatched, committed: float) -> None:
        """Hear of a transaction that was committed at `committed` (seconds since 1970)."""

    def published(self, seconds: float) -> None:
        """Hear that its entries were published `seconds` after the commit."""

    def unpublished(self, events: int) -> None:
        """Hear that the broker did not take `events`."""

    def failed(self, *, dead: bool) -> None:
        """Hear that a notification could not be dispatched: it waits for its next attempt, or is dead."""
