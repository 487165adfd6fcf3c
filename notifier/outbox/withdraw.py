"""Cancel, retract or update a notification on its own row, whose lock decides against a concurrent dispatch.

Every reader joins the row, so the change shows at once. Recipients' logs get their entries after that
(`untold`), in transactions that lock no notification.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from notifier.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from notifier.core.events import event_type
from notifier.core.states import CANCELED, DISPATCHED, EXPIRED, RETRACTED, WITHDRAWN, Move, after
from notifier.outbox import clock
from notifier.outbox.reach import in_flight
from notifier.outbox.tables import notifications
from notifier.outbox.types import AnyRow

n = notifications.c


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The answer to the sender.

    Attributes:
        id: the notification's id.
        status: CANCELED: nobody has got it; RETRACTED: it is removed from those who had it.
        recipients: the number of its recipients.
        reached: how many of them had it.
        in_flight: the number of channel attempts in progress, which may still succeed.
        untold: whether logs still lack the entry.
    """

    id: str
    status: str
    recipients: int
    reached: int
    in_flight: int
    untold: bool


@dataclass(frozen=True, slots=True)
class Updated:
    """The number of the newest version of a notification's data.

    `reached`: how many recipients have it; `untold`: whether their logs have yet to be told.
    """

    id: str
    version: int
    reached: int
    untold: bool


def cancel(connection: Connection, id: str, *, sender: str | None) -> Withdrawn:
    """Cancel or retract a notification; a second call returns the same status with present counts.

    Args:
        connection: a writing transaction.
        id: which, in canonical form.
        sender: who may have sent it; None: anybody.

    Raises:
        NotFound: there is no such notification.
        Forbidden: another sender has sent it.
        Conflict: it has expired.
    """
    row = _locked(connection, id, sender)
    if row.state == EXPIRED:
        raise Conflict("it has expired")
    reached = row.reached > 0 or row.state in (DISPATCHED, RETRACTED)
    state = after(row.state, Move.RETRACT if reached else Move.CANCEL)
    assert state in (CANCELED, RETRACTED)
    untold = row.untold is not None
    if state != row.state:
        # A recipient has an entry of it, or is owed one.
        untold = (row.inbox and row.reached > row.purged) or row.position > row.reached
        connection.execute(
            sa.update(notifications)
            .where(n.number == row.number)
            .values(
                state=state,
                ended_at=clock.expression(connection.dialect.name),
                audience=None,
                next_attempt_at=None,
                untold=True if untold else None,
            )
        )
    return Withdrawn(row.id, state, row.recipients, row.reached, in_flight(connection, row.id), untold)


def update(
    connection: Connection, id: str, data: object, *, version: int | None, sender: str | None
) -> Updated:
    """Update a notification; `data` replaces its data, by the rules of its event.

    Args:
        connection: a writing transaction.
        id: which, in canonical form.
        data: the new data: a mapping, or the event's model.
        version: the version that the caller knows; None: any.
        sender: who may have sent it; None: anybody.

    Raises:
        NotFound: there is no such notification.
        Forbidden: another sender has sent it.
        Conflict: it is withdrawn, or its version differs.
        InvalidInput: a rule of its event is broken, or it is not an inbox entry.
    """
    row = _locked(connection, id, sender)
    if row.state in WITHDRAWN:
        raise Conflict(f"it is {row.state}")
    present = row.version or 1
    if version is not None and version != present:
        raise Conflict(f"its version is {present}")
    if not row.inbox:
        problem = f"{row.event} is not an inbox entry: send another one"
        raise InvalidInput(problems=[{"loc": ["data"], "msg": problem}])
    plain = event_type(row.event).validate(data)
    untold = row.reached > row.purged
    connection.execute(
        sa.update(notifications)
        .where(n.number == row.number)
        .values(data=plain, version=present + 1, untold=True if untold else None)
    )
    return Updated(row.id, present + 1, row.reached, untold)


def _locked(connection: Connection, id: str, sender: str | None) -> AnyRow:
    columns = (
        n.number, n.id, n.event, n.inbox, n.sender, n.state, n.recipients, n.position, n.reached, n.purged,
        n.version, n.untold,
    )  # fmt: skip
    row = connection.execute(sa.select(*columns).where(n.id == id).with_for_update()).first()
    if row is None:
        raise NotFound("there is no such notification")
    if sender is not None and row.sender != sender:
        raise Forbidden("another sender's notification needs a key with the scope admin")
    return row
