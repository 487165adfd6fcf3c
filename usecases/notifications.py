"""Find a notification; replay or drop a dead one."""

from typing import Protocol

from models.store import status
from models.store.status import NotificationStatus
from notifier.core.draft import check_id
from notifier.core.errors import InvalidInput, NotFound
from notifier.outbox.engine import Database


class Wakes(Protocol):
    """What the use case needs of a waker."""

    def wake(self, id: str, *, bulk: bool = False) -> None:
        """Ask for a notification to be dispatched; never fails."""


def known_id(id: str) -> str:
    """Return a notification's id in canonical form. Raises NotFound if it is not a UUID."""
    try:
        return check_id(id)
    except InvalidInput:
        raise NotFound("there is no such notification") from None


def find(database: Database, id: str) -> NotificationStatus:
    """Return a notification's present state with its counts. Raises NotFound and DatabaseUnavailable."""
    known = known_id(id)
    with database.read() as connection:
        found = status.status(connection, known)
    if found is None:
        raise NotFound("there is no such notification")
    return found


def replay(database: Database, waker: Wakes, id: str) -> str:
    """Queue a dead notification again, as if it had just been accepted; return its id.

    Raises NotFound when it is not dead, and DatabaseUnavailable.
    """
    known = known_id(id)
    if not database.run(lambda connection: status.replay(connection, known)):
        raise NotFound(f"{known} is not dead")
    waker.wake(known)
    return known


def drop(database: Database, id: str) -> str:
    """Delete a dead notification that reached no recipient; return its id.

    Raises NotFound when it is not dead or has reached some, and DatabaseUnavailable.
    """
    known = known_id(id)
    if not database.run(lambda connection: status.drop(connection, known)):
        raise NotFound(f"{known} is not dead, or it has reached some of its recipients: replay it")
    return known
