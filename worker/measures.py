"""What a dispatcher tells of its work; `worker.metrics` listens, if somebody asks for numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

from models.store.dispatch import Dispatched


class Measures:
    """Hears everything and keeps nothing."""

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Entered around each transaction."""
        yield

    def dispatched(self, done: Dispatched, committed: float) -> None:
        """A transaction is committed, at `committed` (seconds since 1970)."""

    def published(self, seconds: float) -> None:
        """What it put into inboxes is with the broker, `seconds` after the commit."""

    def unpublished(self, events: int) -> None:
        """The broker did not take them."""

    def failed(self, *, dead: bool) -> None:
        """A notification could not be dispatched: it waits for its next attempt, or it is dead."""
