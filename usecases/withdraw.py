"""Cancel, retract or update a notification: its row at once, then its recipients' logs."""

from functools import partial

from notifier.core.draft import BULK_OVER
from notifier.outbox import withdraw
from notifier.outbox.engine import Database
from notifier.outbox.withdraw import Updated, Withdrawn
from usecases.follow_up import Publishes, follow_up_one
from usecases.notifications import Wakes, known_id

PATIENCE = 5.0  # seconds that the answer waits for locked inboxes


def cancel(
    database: Database, publisher: Publishes, waker: Wakes, id: str, *, sender: str | None
) -> Withdrawn:
    """Cancel or retract a notification.

    The logs of up to 100 recipients get their entry before this returns, except for locked inboxes; a worker
    writes the others.

    Args:
        database: the database.
        publisher: sends the logs' new entries to the gateways.
        waker: wakes a worker.
        id: which.
        sender: who may have sent it; None: anybody.

    Raises:
        NotFound, Forbidden, Conflict: see `notifier.outbox.withdraw.cancel`.
        DatabaseUnavailable: it is unknown whether it was stopped; call again.
    """
    done = database.run(partial(withdraw.cancel, id=known_id(id), sender=sender))
    if done.untold:
        _tell(database, publisher, waker, done.id, done.reached)
    return done


def update(
    database: Database,
    publisher: Publishes,
    waker: Wakes,
    id: str,
    data: object,
    *,
    version: int | None,
    sender: str | None,
) -> Updated:
    """Change what a notification says; `data` and `version` as `notifier.outbox.withdraw.update` has them.

    The logs are told as `cancel` does, and it raises the same, and InvalidInput.
    """
    work = partial(withdraw.update, id=known_id(id), data=data, version=version, sender=sender)
    done = database.run(work)
    if done.untold:
        _tell(database, publisher, waker, done.id, done.reached)
    return done


def _tell(database: Database, publisher: Publishes, waker: Wakes, id: str, reached: int) -> None:
    if reached > BULK_OVER or not follow_up_one(database, publisher, id, PATIENCE):
        waker.wake(id, bulk=True)
