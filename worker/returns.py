"""Return snoozed entries at their time: a chore of the worker's timer."""

from models.store import snooze
from notifier.outbox.engine import Database
from usecases.bring_back import bring_back
from usecases.change_entries import Publishes

INTERVAL = 1.0  # seconds between two checks at most


class Returns:
    """Checks the next due time by the database's clock. Several workers share the work.

    Args:
        database: the database.
        publisher: sends the arrivals to the gateways.
    """

    def __init__(self, database: Database, publisher: Publishes) -> None:
        self._database = database
        self._publisher = publisher

    def __call__(self) -> float:
        """Move due entries back; return the seconds until the next check. Raises DatabaseUnavailable."""
        with self._database.read() as connection:
            ahead = snooze.next_due(connection)
        if ahead is None:
            return INTERVAL
        if ahead > 0:
            return min(INTERVAL, ahead)
        while bring_back(self._database, self._publisher):
            pass
        return INTERVAL
